#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The status for programs: what each form sends, that its numbers and clients
# are htguard's to the unit, that the JSON holds to docs/status.schema.json
# whatever a directory is called, that a slow reader keeps no lock, and what is
# told of a store that can't be read.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use AuthGuard::Tool;
use File::Basename qw(dirname);
use IO::Handle ();
use IPC::Open2 qw(open2);
use JSON::PP qw(decode_json);
use Socket qw(:DEFAULT inet_aton pack_sockaddr_in);

use constant { CROWD => 2000, STATUS => '/status', SLOW => '/status/slow',
    TYPE_JSON => 'application/json', TYPE_TEXT => 'text/plain; charset=utf-8' };

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my $page = '<Location ' . STATUS . ">\nSetHandler auth-guard-status\n"
  . "AuthGuardStatus On\n</Location>\n";
my $odd = "odd \"\\\n\xff\xc3(%41&+";
my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');
my $t = AuthGuard::Httpd->new(modules => ['remoteip'],
    conf => "RemoteIPHeader X-Forwarded-For\nSendBufferSize 8192\n"
      . "RemoteIPInternalProxy 127.0.0.0/8\n$page"
      . guarded('desk', @guard, 'AuthGuardExempt 127.0.9.9')
      . guarded('vault', @guard, 'AuthGuardScope vault')
      . guarded('user', 'AuthGuard On', 'AuthGuardLimit ip none',
        'AuthGuardLimit user 3/10min', 'AuthGuardScope users')
      . guarded('net', 'AuthGuard On', 'AuthGuardLimit net 3/10min',
        'AuthGuardLimit ip none', 'AuthGuardScope nets')
      . guarded('seen', 'AuthGuard Observe', 'AuthGuardLimit ip 3/10min'));
$t->dir($_) for qw(desk vault user net seen);
$t->dir($odd, basic(@guard));
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/\bAG0104: /);
my $file = $t->root . '/run/authguard.shm';

sub key_of { return 'AuthGuard' . join '', map { ucfirst } split /_/, $_[0] }

# Texts, and the part of the schema that each must hold to. All are judged at
# once, at the end: a validator takes its time to start.
my @texts;

sub holds_to_schema {
    my ($what, $text, $part) = @_;

    push @texts, [$what, $text, $part];
    return;
}

# Debian's python3-jsonschema is a validator.
my $python = 'import json, sys, jsonschema as j
schema = json.load(open(sys.argv[1])); del schema["oneOf"]
for what, text, part in json.load(open(sys.argv[2])):
    v = j.Draft202012Validator(schema | {"$ref": "#/$defs/" + part})
    v.check_schema(v.schema)
    for e in v.iter_errors(json.loads(text)):
        print(what, list(e.absolute_path), e.message[:300])';

sub judge_texts {
    my ($t) = @_;

  SKIP: {
        skip 'no python3-jsonschema here', 2
          if system("python3 -c 'from jsonschema import Draft202012Validator'"
              . ' 2>/dev/null');
        my $schema = "$FindBin::Bin/../docs/status.schema.json";
        my @bad = (['a clock', '{"clock":1}', 'status']);

        is(complaints($t, $schema, @texts), '', 'all hold to the schema');
        like(complaints($t, $schema, @bad), qr/a clock.*required/s,
            'what does not is found');
    }
    return;
}

sub complaints {
    my ($t, $schema, @about) = @_;
    my $file = $t->file('texts.json', JSON::PP->new->encode(\@about));

    open(my $said, '-|', 'python3', '-c', $python, $schema, $file)
      or die "python3: $!";
    my $text = join '', <$said>;
    return close($said) ? $text : "$text the validator failed";
}

# What htguard prints, but for the version.
sub tool {
    my (@words) = @_;
    my $text = `'$htguard' -f '$file' @words --json 2>/dev/null`;

    holds_to_schema("htguard @words", $text, "htguard-$words[0]");
    my $told = decode_json($text);
    is(delete $told->{version}, 1, 'and is version 1');
    return $told;
}

# Such as have no time in them, by what tells them apart.
sub timeless {
    my %client;

    for my $one (@_) {
        my %rest = %$one;
        my $id = join ' ', map { $_ // '-' }
          @rest{qw(client key scope observed)};

        delete @rest{qw(remaining_sec since_sec)};
        $client{$id} = \%rest;
    }
    return \%client;
}

# One answer of ?json, taken apart.
sub json {
    my ($query, $status) = @_;
    my $answer = $t->get(STATUS . "?json$query");

    is($answer->status, $status || 200, "?json$query");
    is($answer->header('content-type'), TYPE_JSON, 'its type');
    like($answer->body, qr/\A[\n\x20-\x7e]*\z/, 'it is ASCII');
    holds_to_schema("?json$query", $answer->body,
        $status ? 'problem' : 'status');
    return decode_json($answer->body);
}

sub who {
    my ($query) = @_;

    return join ' ', sort map { $_->{client} // $_->{key} }
      @{ json($query)->{clients} };
}

$t->start;
for my $path ('/desk/', '/vault/', '/user/', '/net/', '/seen/',
    '/odd%20%22%5C%0A%FF%C3(%2541%26%2B/')
{
    $t->guess_wrong($path, 'alice', 3, from => '127.0.1.1');
}
$t->guess_wrong('/desk/', 'alice', 2, from => '127.0.1.2');
is($t->guess('/desk/', alice => 'right', from => '127.0.1.1'), '401.501',
    'one is locked out');
is($t->guess('/desk/', alice => 'right', from => $_), 200, "$_ is let in")
  for qw(127.0.1.3 127.0.9.9);
is(tally($t->many(1, map { { path => '/desk/', user => 'alice',
                pass => 'old', from => '127.0.1.4' } } 1 .. 2)),
    '401.1=2', 'one repeats a wrong password');

# ?auto, to the unit.
my $stats = tool('stats');
is(join(' ', map { $stats->{"attempts_$_"} }
        qw(ok failed repeat locked exempt)),
    '1 21 1 1 1', 'the story is counted') or diag(explain($stats));
my $answer = $t->get(STATUS . '?auto');
is($answer->status, 200, '?auto');
is($answer->header('content-type'), TYPE_TEXT, 'its type');
my %auto = map { /\A(\w+): (\S+)\z/ } split /\n/, $answer->body;
is(scalar keys %auto, scalar(() = $answer->body =~ /\n/g), 'a line a key');
my ($newest) = AuthGuard::Httpd::slurp(
    "$FindBin::Bin/../CHANGES") =~ /^(\d\S+)/m;
is(delete $auto{AuthGuardVersion}, $newest, 'the version is that of CHANGES');
is(delete $auto{AuthGuardStoreUp}, 1, 'the store is up');
is_deeply(\%auto, { map { key_of($_) => $stats->{$_} } keys %$stats },
    'and all that htguard knows');

# ?json: the same numbers, and the clients of `htguard list` but for those
# without failures.
my $json = json('');
is_deeply($json->{stats}, $stats, 'JSON: the numbers');
is_deeply($json->{store}, { up => JSON::PP::true, type => 'shm' },
    'JSON: the store');
is("$json->{version} $json->{module}", "1 $newest", 'JSON: the versions');
ok(!$json->{truncated}, 'JSON: nothing is left out');
my $list = tool('list');
my @failing = grep { $_->{state} ne 'calm' } @{ $list->{clients} };
cmp_ok(scalar @failing, '<', @{ $list->{clients} }, 'some have no failures');
is_deeply(timeless(@{ $json->{clients} }), timeless(@failing),
    'JSON: the clients');
is(scalar @{ $json->{clients} }, scalar @failing, 'each once');
my ($locked) = grep { ($_->{client} // '') eq '127.0.1.1'
      && $_->{scope} eq 'vault' } @{ $json->{clients} };
cmp_ok($locked->{remaining_sec}, '>', 800, 'JSON: the time left');
cmp_ok($locked->{remaining_sec}, '<=', 900, 'and not more');
my $defs = decode_json(AuthGuard::Httpd::slurp(
    "$FindBin::Bin/../docs/status.schema.json"))->{'$defs'};
for my $row ([status => $json], [stats => $json->{stats}],
    [client => $json->{clients}[0]], [problem => json('&what', 400)])
{
    my ($part, $object) = @$row;
    my @names = sort keys %$object;

    is_deeply([sort @{ $defs->{$part}{required} }], \@names,
        "the schema requires what a $part has");
    is_deeply([sort keys %{ $defs->{$part}{properties} }], \@names,
        'and knows no more');
}
ok(tool('check', '127.0.1.1')->{locked}, 'htguard check agrees');

# The list, narrowed.
my $all = json('');
is(scalar @{ json('&locked')->{clients} },
    scalar(grep { $_->{state} eq 'locked' } @{ $all->{clients} }),
    'who is locked out');
is(who('&scope=vault'), '127.0.1.1', 'a scope');
is(who('&address=127.0.1.2'), '127.0.1.0/24 127.0.1.2',
    'an address, and the network that it counts in');
is(who('&address=127.0.1.2&scope=nets'), '127.0.1.0/24', 'both');
is(who('&locked&address=127.0.1.2'), '127.0.1.0/24', 'and locked out');
is(who('&address=2001:db8::1'), '', 'nobody');
is(who('&scope='), '', 'no scope is none');
my ($name) = grep { /odd/ } map { $_->{scope} } @{ $all->{clients} };
like($name, qr{/odd%20%22%5C%0A%FF%C3%28%2541%26\+/?\z}, 'an odd scope');
(my $shown = $name) =~ s/([^\w.:\/])/sprintf '%%%02X', ord $1/ge;
is(who("&scope=$shown"), '127.0.1.1', 'as it is shown');
(my $plain = $name) =~ s/\+/%2B/g;
is(who("&scope=$plain"), '127.0.1.1', 'and as it is');
for my $query (qw(&address=127.0.1.256 &address= &address=127.0.0.1/33 &lockd
    &locked=no &scope=%zz &scope=%00 &state=calm))
{
    my $problem = json($query, 400);

    is(join(' ', sort keys %$problem), 'error version', 'the problem is told');
}

# HEAD: the headers of each form, and no body.
for my $form (qw(auto json prometheus)) {
    my $head = $t->get(STATUS . "?$form", method => 'HEAD');

    is($head->status, 200, "HEAD ?$form");
    is($head->header('content-type'),
        scalar $t->get(STATUS . "?$form")->header('content-type'),
        'the type of GET');
    unlike($head->{raw}, qr/\r\n\r\n./s, 'and no body');
}

# A crowd: one connection, a wrong guess of each of so many.
my $wrong = 'Authorization: ' . AuthGuard::Client::basic('alice', 'wrong');
my @crowd = map { "HEAD /desk/ HTTP/1.1\r\nHost: localhost\r\n$wrong\r\n"
      . sprintf "X-Forwarded-For: 10.%d.%d.1\r\n\r\n", $_ >> 8, $_ & 255 }
  1 .. CROWD;
$crowd[-1] =~ s/\r\n\r\n/\r\nConnection: close\r\n\r\n/;
my ($said) = $t->many(1, { raw => join '', @crowd });
is(scalar(() = $said->{raw} =~ /^HTTP\/1.1 401 /mg), CROWD, 'a crowd guesses');
is(scalar @{ json('&address=10.0.0.0/8')->{clients} }, CROWD,
    'all are in the list');

# One who asks for the list and reads the first bytes; the rest does not fit
# into what lies between.
sub slow_reader {
    socket(my $reader, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($reader, SOL_SOCKET, SO_RCVBUF, 4096);
    connect($reader, pack_sockaddr_in($t->port, INADDR_LOOPBACK))
      or die "connect: $!";
    syswrite $reader, 'GET ' . SLOW . "?json HTTP/1.1\r\nHost: localhost\r\n"
      . "Connection: close\r\n\r\n";
    sysread $reader, my $first, 64;
    return ($reader, $first);
}

sub read_on {
    my ($reader, $text) = @_;
    my $got = 1;

    alarm 60;
    while ($got) {
        $got = sysread $reader, $text, 65536, length $text;
        defined $got or die "read: $!";
    }
    alarm 0;
    return AuthGuard::Response->parse($text)->body;
}

my ($reader, $text) = slow_reader();
is(tool('stats')->{clients_locked}, $stats->{clients_locked},
    'htguard gets every lock while a list is being read');
is($t->guess('/desk/', alice => 'right', from => "127.0.1.$_"), 200,
    "127.0.1.$_ is let in meanwhile") for 5 .. 9;
my $log = AuthGuard::Httpd::slurp($t->root . '/logs/access.log');
unlike($log, qr{"GET @{[SLOW]}"}, 'the list is not at its end');
$text = read_on($reader, $text);
is(scalar @{ decode_json($text)->{clients} }, CROWD + @failing,
    'it comes whole');

# A stopped process holds a lock.
sub hold {
    my $pid = open2(my $out, my $in, AuthGuard::Tool::build('table_hold'),
        $file);

    is(scalar <$out>, "held\n", 'a lock is held');
    return sub { close $in; waitpid $pid, 0; return };
}

($reader, $text) = slow_reader();
is(tool('unlock', '127.0.1.2', '--scope', 'none')->{count}, 0,
    'htguard unlock, for its form');
my $let_go = hold();
$text = read_on($reader, $text);
holds_to_schema('a list that ends too early', $text, 'status');
$json = decode_json($text);
ok($json->{truncated}, 'a list that ends too early says so');
cmp_ok(scalar @{ $json->{clients} }, '<', CROWD, 'it is not whole');

$json = json('');
is($json->{store}{up}, JSON::PP::false, 'JSON: the store is down');
like($json->{store}{reason}, qr/time/i, 'JSON: and why');
ok(!defined $json->{stats} && $json->{truncated}, 'JSON: nothing is told as 0');
is($t->get(STATUS . '?auto')->body,
    "AuthGuardVersion: $newest\nAuthGuardStoreUp: 0\n", '?auto: down');
$let_go->();
is(json('')->{store}{up}, JSON::PP::true, 'and it is up again');
$t->done;

# No store at all.
my $none = AuthGuard::Tool::without_store($page);
$text = $none->get(STATUS . '?json')->body;
holds_to_schema('no store', $text, 'status');
is(decode_json($text)->{store}{type}, 'none', 'no store at all');
judge_texts($none);
$none->done;

done_testing;
