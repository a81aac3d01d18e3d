#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What the guard remembers of a connection changes nothing: whatever is sent
# over one, in whatever order, is answered and counted as over a connection for
# each request. Users, passwords, directories, realms, scopes, hosts, and
# addresses behind a proxy take turns; passwords change, others lock and unlock.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Htguard;
use AuthGuard::Response;
use IO::Socket::INET;

use constant { REQUESTS => 600, CLIENTS => 20, PATIENCE_SECONDS => 30 };

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 5/10min');
my @kinds = (
    [plain => @guard],
    [realm => @guard, 'AuthName "other"'],
    [expression => @guard, 'AuthName "%{HTTP:X-Realm}"'],
    [login => @guard, 'AuthGuardLimit login 3/10min'],
    [names => @guard, 'AuthGuardLimit ip none',
        'AuthGuardLimit login 3/10min'],
    [scope => @guard, 'AuthGuardScope shared'],
    [provider => 'AuthBasicProvider guard', 'AuthGuardLimit ip 5/10min'],
    [observe => 'AuthGuard Observe', 'AuthGuardLimit ip 2/10min'],
    [off => 'AuthGuard Off'],
    [prefix => @guard, 'AuthGuardLimit net 8/10min'],
    [exempt => @guard, 'AuthGuardExempt 192.0.2.0/29 198.51.100.0/29'],
    [document => @guard, 'ErrorDocument 401 /index.html'],
);
my $t = AuthGuard::Httpd->new(modules => ['remoteip'],
    conf => "RemoteIPHeader X-Forwarded-For\n"
      . "RemoteIPInternalProxy 127.0.0.0/8\n"
      . 'LogFormat "%a%<q %{state}^ag %{substatus}^ag %{failures}^ag '
      . "%{limit}^ag %{scope}^ag\" told\nCustomLog \@ROOT\@/logs/told told\n"
      . join('', map { guarded(@$_) } @kinds)
      . guarded('tenant', @guard, 'Options +Indexes')
      . join '', map { "<VirtualHost *:\@PORT\@>\nServerName $_\n"
          . "DocumentRoot \@DOCS\@\n</VirtualHost>\n" } qw(one.test two.test));
$t->dir($_->[0]) for @kinds;
$t->dir('tenant', "AuthName \"a tenant\"\n");
my %passwords = (alice => 'right', bob => 'good');
$t->passwords('users', \%passwords);
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out/);
$t->expect_log(qr/AH01614: client used wrong authentication scheme/);
$t->start;

my $socket;    # the connection that is kept

# One answer from a connection, which stays open.
sub answer_of {
    my ($from, $method) = @_;
    my $bytes = '';

    local $SIG{ALRM} = sub { die 'no answer in time' };
    alarm PATIENCE_SECONDS;
    while (1) {
        my $answer = AuthGuard::Response->parse($bytes, $method);
        my $length = $answer->header('content-length') // 0;
        if ($answer->status && length $answer->body >= $length) {
            alarm 0;
            return $answer;
        }
        sysread $from, $bytes, 65536, length $bytes or die 'it was closed';
    }
}

sub bytes_of {
    my ($request, $client) = @_;
    my @headers = (Connection => 'keep-alive', Host => $request->{host},
        'X-Forwarded-For' => $client, 'X-Realm' => $request->{realm});

    push @headers, Authorization => $request->{header}
      if defined $request->{header};
    return AuthGuard::Client::bytes_of({ path => $request->{path},
            headers => \@headers });
}

sub connection {
    my $one = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->port) or die "connect: $!";

    $one->autoflush(1);
    return $one;
}

sub ask {
    my ($on, $request, $client) = @_;

    print $on bytes_of($request, $client);
    return answer_of($on, 'GET')->code;
}

sub kept {
    my ($request, $client) = @_;

    $socket ||= connection();
    return ask($socket, $request, $client);
}

sub alone { return ask(connection(), @_) }

sub request {
    my ($user, $password, %more) = @_;

    return { path => '/plain/', host => 'one.test', realm => 'a',
        header => defined $user ? AuthGuard::Client::basic($user, $password)
        : undef, %more };
}

# Any order. Both sides take turns, so that the clock is the same for both.
srand 20261122;
sub one_of { return $_[rand @_] }

my @paths = map { "/$_->[0]/" } @kinds, ['tenant'];
my (@codes, @names);
my $request;
for my $number (0 .. REQUESTS - 1) {

    # As often as not the very last one again, or with one thing changed.
    my $again = $request && rand() < 0.3;
    my $user = one_of(qw(alice alice bob nobody));
    my $password = one_of(qw(right good), map { "wrong$_" } 1 .. 3);
    $request = request($user, $password, path => one_of(@paths),
        host => one_of(qw(one.test one.test two.test)),
        realm => one_of('a', 'b')) unless $again;
    $request = { %$request, path => one_of(@paths) } if rand() < 0.2;
    $request = { %$request, header => one_of(undef, 'Basic', 'Bearer x',
            "Basic  \t" . ($request->{header} // '') =~ s/.* //r,
            lc(substr $request->{header} // 'x', 0, 5)
              . substr $request->{header} // 'x', 5) } if rand() < 0.15;
    my $client = 1 + int rand CLIENTS;

    my %now = (%$request, path => "$request->{path}?$number");

    push @codes, [kept(\%now, "192.0.2.$client"),
        alone(\%now, "198.51.100.$client")];
    push @names, join ' ', $request->{host}, $request->{path}, $client,
      $request->{header} // '';
}
$t->access(2 * REQUESTS);
my @told;
for my $line (split /\n/, AuthGuard::Httpd::slurp($t->root . '/logs/told')) {
    my ($address, $number, $said) = $line =~ /\A(\S+)\?(\d+) (.*)/;

    $told[$number][$address =~ /\A192/ ? 0 : 1] = $said;
}
my (%seen, @differ);
for my $number (0 .. REQUESTS - 1) {

    # The seconds after which a wrong one is looked at again may lie between.
    my ($one, $other) = map { join ' ', $codes[$number][$_],
          $told[$number][$_] =~ s/\Arepeat/failed/r } 0, 1;

    $seen{ $told[$number][0] =~ s/ .*//r }++;
    push @differ, "$number: $names[$number]: $one; alone: $other"
      if $one ne $other;
}
is(scalar(@differ), 0, 'one connection, and one for each: the same')
  or diag(join "\n", splice @differ, 0, 10);
for my $state (qw(ok failed repeat locked exempt unguarded)) {
    cmp_ok($seen{$state} // 0, '>', 10, "$state: often enough to be seen");
}

# By hand, what such an order might not meet.
sub locks_as_often {
    my ($name, $client, @requests) = @_;

    is(join(' ', map { kept($_, $client) } @requests),
        join(' ', map { alone($_, $client =~ s/\A192\.0\.2/198.51.100/r) }
              @requests), $name);
    return;
}
my @wrong = map { request('alice', "other$_") } 1 .. 9;
my $right = request('alice', 'right');
locks_as_often('wrong ones', '192.0.2.101', @wrong);
locks_as_often('one wrong one, again and again', '192.0.2.102',
    ($wrong[0]) x 9, $right);
locks_as_often('a right one between any two', '192.0.2.103',
    map { $_, $right } @wrong);
locks_as_often('two realms take turns', '192.0.2.104',
    map { $_, { %$_, path => '/realm/' } } @wrong);
locks_as_often('an expression for a realm', '192.0.2.105',
    map { $_, { %$_, realm => 'b' } } map { { %$_, path => '/expression/' } }
      @wrong);
locks_as_often('two hosts', '192.0.2.106',
    map { $_, { %$_, host => 'two.test' } } @wrong);
locks_as_often('two scopes', '192.0.2.107',
    map { $_, { %$_, path => '/scope/' }, { %$_, path => '/tenant/' } } @wrong);
locks_as_often('no credentials between', '192.0.2.108',
    map { $_, request() } @wrong);
locks_as_often('Observe between', '192.0.2.117',
    map { $_, { %$_, path => '/observe/' } } @wrong);
locks_as_often('log-ins', '192.0.2.118', map { { %$_, path => '/login/' } }
      map { request('alice', $_), request('bob', $_) } map { "more$_" } 1 .. 4);
{
    my $verified = $t->verified;
    my $again = { %{ $wrong[0] }, path => '/names/' };

    is(join(' ', map { kept($again, '192.0.2.119') } 1 .. 4),
        '401.1 401.1 401.1 401.1', 'one again and again, by names');
    is($t->verified - $verified, 1, 'is looked at once');
}
is(join(' ', map { kept($wrong[0], "192.0.2.$_") } 110 .. 116),
    join(' ', ('401.1') x 7), 'one guess of seven clients');
is(kept($wrong[1], '192.0.2.110'), '401.1', 'none of them has two failures');
is(join(' ', map { kept($wrong[$_], '192.0.2.111') } 1 .. 5),
    join(' ', ('401.1') x 4, '401.501'), 'and each has one');

# IPv6 clients are networks: who changes his address within one is the same.
is(join(' ', map { kept($wrong[$_], "2001:db8::$_") } 1 .. 6),
    join(' ', ('401.1') x 5, '401.501'), 'six addresses of one /64');
is(join(' ', map { kept($wrong[$_], "2001:db8:1:$_\::1") } 1 .. 6),
    join(' ', ('401.1') x 6), 'six of six');

# Others do something meanwhile.
my $client = '192.0.2.120';
is(kept($right, $client), 200, 'a right one');
alone($_, $client) for @wrong[0 .. 4];
is(kept($right, $client), '401.501', 'another connection locks it out');
is(kept($right, $client), '401.501', 'and still');
my $htguard = AuthGuard::Htguard->new($t->root . '/run/authguard.shm');
is(($htguard->run('unlock', $client))[0], 0, 'somebody unlocks it');
is(kept($right, $client), 200, 'let in again');
is(kept($wrong[5], $client), '401.1', 'a wrong one');
is(kept($right, $client), 200, 'the right one');
$t->passwords('users', { %passwords, alice => 'other1' });
is(kept($right, $client), '401.1', 'the password has changed');
is(kept($wrong[0], $client), 200, 'what was wrong is right');
is(kept($right, '192.0.2.121'), '401.1', 'for all clients');
is(kept($wrong[0], '192.0.2.121'), 200, 'and right');
$t->done;

done_testing;
