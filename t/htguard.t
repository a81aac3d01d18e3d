#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# htguard, on the file of a real server: up, down, and not there at all. What
# it shows is in order and whole, as a table and as JSON, and what it unlocks is
# what was meant.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Htguard;
use JSON::PP qw(decode_json);

my $odd = "odd \"\\name%41";
my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');
my @other = ('AuthGuard On', 'AuthGuardLimit ip none');
my $t = AuthGuard::Httpd->new(conf => guarded('desk', @guard)
      . guarded('named', @guard, 'AuthGuardScope vault')
      . guarded('net', @guard, 'AuthGuardLimit net 6/10min',
        'AuthGuardScope nets')
      . guarded('user', @other, 'AuthGuardLimit user 3/10min',
        'AuthGuardLimit login 3/10min', 'AuthGuardScope users')
      . guarded('user2', @other, 'AuthGuardLimit user 3/10min',
        'AuthGuardScope others')
      . guarded('seen', 'AuthGuard Observe', 'AuthGuardLimit ip 3/10min'));
$t->dir($_) for qw(desk named net user user2 seen);
$t->dir($odd, basic(@guard));
$t->passwords('users', { alice => 'right', bob => 'secret' });
$t->expect_lockout;
$t->expect_log(qr/\bAG0104: /);
my $file = $t->root . '/run/authguard.shm';

my $htguard = AuthGuard::Htguard->new($file);
my $bare = AuthGuard::Htguard->new;

sub on_file { return $htguard->run(@_) }

sub exit_is {
    my ($expected, @arguments) = @_;
    my ($status, undef, $err) = on_file(@arguments);

    is($status, $expected, "htguard @arguments: $expected") or diag($err);
    return;
}

# The rows of a table, each as a list of columns.
sub rows {
    my ($status, $out) = on_file('list', @_);
    my ($heading, @lines) = split /\n/, $out;

    is($status, 0, "list @_");
    is_deeply([split ' ', $heading],
        [qw(CLIENT KEY STATE FAILURES LEVEL REMAINING SINCE SCOPE)],
        'the table has its heading');
    return map { [/^(\S+) +(\S+) +(\S+) +(\S+) +(\d+) +(.+?)  +(.+?)  (\S+)$/] }
      @lines;
}

# What a command writes with --json: its status, and the object.
sub json {
    my ($status, $out) = on_file('--json', @_);
    my $object = decode_json($out);

    is($object->{version}, 1, "JSON: @_: the version");
    return ($status, $object);
}

sub clients {
    my ($status, $object) = json('list', @_);

    is($status, 0, "list --json @_");
    return @{ $object->{clients} };
}

# As many as any list must have: members may be added.
sub those {
    my ($object, @members) = @_;

    return { map { $_ => $object->{$_} }
          grep { exists $object->{$_} } @members };
}

sub locks {
    my ($path, $from, $user) = @_;

    $t->guess_wrong($path, $user || 'alice', 3, from => $from);
    is($t->guess($path, alice => 'right', from => $from), '401.501',
        "$path has locked $from");
    return;
}

# Without a server there is no file, and with a wrong line no guess at what
# was meant.
my ($status, $out, $err) = on_file('list');
is($status, 1, 'no file');
like($err, qr/\Q$file\E/, 'the file is named');
like($err, qr/start httpd|-f/, 'so is the remedy');

for my $line ('', 'lists', 'list extra', 'list --all', '--colour list',
    'check', 'check 192.0.2.0/24', 'check 192.0.2.256', 'check a b',
    'check --user alice 192.0.2.1', 'unlock', 'unlock 192.0.2.1 --all',
    'unlock --user alice --all', 'unlock 192.0.2.0/33', 'unlock a b',
    'unlock --user', 'stats --locked', '-f', '-r', 'list --json=1',
    '-f x -r unix:/x list', '--secret x list', '--ca x stats')
{
    my ($code, $said, $why) = $bare->run(split ' ', $line);

    is($code, 2, "usage: htguard $line");
    is($said, '', 'nothing on standard output');
    like($why, qr/\Ahtguard: .+\nTry: htguard --help\n\z/,
        'the reason is told, and where to look');
}

($status, $out) = $bare->run('--help');
is($status, 0, '--help');
like($out, qr/^\s+$_ /m, "--help tells of $_") for qw(list check unlock stats);
($status, $out) = $bare->run('--version');
my ($newest) = AuthGuard::Httpd::slurp(
    "$FindBin::Bin/../CHANGES") =~ /^(\d\S+)/m;
is($out, "htguard $newest\n", '--version is that of CHANGES');

# With the server up.
$t->start;
is_deeply([clients()], [], 'an empty table');
locks('/desk/', '127.0.1.1');
$t->guess_wrong('/desk/', 'alice', 2, from => '127.0.1.2');

my @rows = rows();
is(scalar @rows, 2, 'two clients');
my ($row) = grep { $_->[0] eq '127.0.1.1' } @rows;
is_deeply([@$row[1 .. 4]], [qw(ip locked 3/3 1)], 'the locked one');
is($rows[0], $row, 'it comes first');
like($row->[5], qr/\A(?:14min \d+s|15min 0s)\z/, 'and its time left');
like($row->[6], qr/\A\d+s\z/, 'and since when');
like($row->[7], qr/\Alocalhost:\d+\z/, 'and its scope');
($row) = grep { $_->[0] eq '127.0.1.2' } @rows;
is_deeply([@$row[1 .. 4, 6]], [qw(ip counting 2/3 0 -)], 'the other one');
is_deeply([map { $_->[0] } rows('--locked')], ['127.0.1.1'],
    'one of them is locked');

my ($client) = clients('--locked');
cmp_ok($client->{remaining_sec}, '>', 890, 'JSON: the time left');
is($client->{scope}, $row->[7], 'JSON: the scope');
is_deeply(those($client, qw(client key state observed failures limit level
            in_flight)),
    { client => '127.0.1.1', key => 'ip', state => 'locked',
        observed => JSON::PP::false, failures => 3,
        limit => 3, level => 1, in_flight => 0 }, 'JSON: the rest');

my $object;
($status, $object) = json('check', '127.0.1.1');
is($status, 10, 'check --json: locked');
is($object->{address}, '127.0.1.1', 'JSON: who was checked');
is($object->{locked}, JSON::PP::true, 'JSON: and is locked');
is_deeply([map { $_->{client} } @{ $object->{clients} }], ['127.0.1.1'],
    'JSON: by whom');
($status, $object) = json('check', '127.0.1.3');
is($status, 0, 'check --json: free');
is_deeply(those($object, qw(locked clients)),
    { locked => JSON::PP::false, clients => [] }, 'JSON: nobody is locked');
exit_is(10, 'check', '127.0.1.1');
exit_is(0, 'check', '127.0.1.2');
exit_is(0, 'check', '127.0.1.3');
exit_is(0, 'check', '2001:db8::1');
exit_is(0, 'check', '127.0.1.1', '--scope', 'vault');

exit_is(3, 'unlock', '127.0.1.3');
exit_is(3, 'unlock', '127.0.1.1', '--scope', 'vault');
exit_is(3, 'unlock', '127.0.2.0/24');
is($t->guess('/desk/', alice => 'right', from => '127.0.1.1'), '401.501',
    'still locked');
($status, $out, $err) = on_file('unlock', '127.0.1.1');
is($status, 0, 'unlock');
my ($who) = $out =~
  /\AAG0103: unlocked: client=127\.0\.1\.1 user=- scope=- count=1 by=(\S+)\n\z/;
ok(length $who, 'what was done is told');
is($t->guess('/desk/', alice => 'right', from => '127.0.1.1'), 200,
    'unlocked, and let in at once');
exit_is(0, 'check', '127.0.1.1');
is($t->guess_wrong('/desk/', 'alice', 3, from => '127.0.1.1'), '401.1=3',
    'its failures are forgotten too');
exit_is(10, 'check', '127.0.1.1');

# By network, scope and user name.
locks('/named/', '127.0.1.1');
exit_is(0, 'unlock', '127.0.1.1', '--scope', 'vault');
is($t->guess('/named/', alice => 'right', from => '127.0.1.1'), 200,
    'unlocked in that scope');
is($t->guess('/desk/', alice => 'right', from => '127.0.1.1'), '401.501',
    'and in no other');
locks('/desk/', '127.0.1.9');
locks('/desk/', '127.0.7.1');
exit_is(0, 'unlock', '127.0.1.0/24');
exit_is(0, 'check', $_) for qw(127.0.1.1 127.0.1.9);
exit_is(10, 'check', '127.0.7.1');

locks('/net/', '127.0.3.1');
locks('/net/', '127.0.3.2');
is($t->guess('/net/', alice => 'right', from => '127.0.3.3'), '401.501',
    'a network is locked');
exit_is(10, 'check', '127.0.3.3');
exit_is(0, 'unlock', '127.0.3.3');
is($t->guess('/net/', alice => 'right', from => '127.0.3.3'), 200,
    'an address of it frees the network');
is($t->guess('/net/', alice => 'right', from => '127.0.3.1'), '401.501',
    'and not the other addresses in it');

locks('/user/', '127.0.4.1');
locks('/user2/', '127.0.4.1');
exit_is(3, 'unlock', '--user', 'bob');
is(scalar(grep { $_->{key} eq 'user' && !defined $_->{client} }
    clients('--locked', '--scope', 'users')), 1, 'a user has no address');
exit_is(3, 'unlock', '--user', 'alice', '--scope', 'vault');
($status, $object) = json('unlock', '--user', 'alice', '--scope', 'users');
is($status, 0, 'unlock --json');
is_deeply(those($object, qw(client user scope count by)),
    { client => undef, user => 'alice', scope => 'users', count => 2,
        by => $who }, 'JSON: who was unlocked, and by whom');
is($t->guess('/user/', alice => 'right', from => '127.0.4.1'), 200,
    'a user is let in again');
is($t->guess('/user2/', alice => 'right', from => '127.0.4.1'), '401.501',
    'and not in another scope');
($status, $object) = json('unlock', '--user', 'bob');
is($status, 3, 'unlock --json: no such client');
is($object->{count}, 0, 'JSON: and none unlocked');
exit_is(0, 'unlock', '--user', 'alice');
is($t->guess('/user2/', alice => 'right', from => '127.0.4.1'), 200,
    'a user is let in again everywhere');

$t->guess_wrong('/seen/', 'alice', 3, from => '127.0.5.1');
exit_is(0, 'check', '127.0.5.1');
is((grep { $_->[0] eq '127.0.5.1' } rows())[0][2], 'locked/observed',
    'what is observed is not refused');

# A name that a shell, a terminal or a JSON reader could trip over.
locks('/odd%20%22%5Cname%2541/', '127.0.6.1');
($client) = grep { ($_->{client} // '') eq '127.0.6.1' }
    clients();
like($client->{scope}, qr{/odd%20%22%5Cname%2541/?\z}, 'an odd scope');
exit_is(0, 'unlock', '127.0.6.1', '--scope', $client->{scope});

# The counters.
my (undef, $stats) = json('stats');
delete $stats->{version};
is($stats->{clients_locked}, scalar(clients('--locked')), 'stats: locked');
is($stats->{clients_tracked}, scalar(clients()), 'stats: tracked');
cmp_ok($stats->{lockouts}, '>=', 9, 'stats: lockouts');
cmp_ok($stats->{table_size}, '>=', 65536, 'stats: the table');
($status, $out) = on_file('stats');
like($out, qr/^lockouts +$stats->{lockouts}$/m, 'stats: the same in plain');
is(scalar(split /\n/, $out), scalar(keys %$stats), 'stats: all of them');

# With the server down.
locks('/desk/', '127.0.8.1');
locks('/desk/', '127.0.8.2');
$t->stop;
exit_is(10, 'check', '127.0.8.1');
exit_is(0, 'unlock', '127.0.8.1');
$t->start;
is($t->guess('/desk/', alice => 'right', from => '127.0.8.1'), 200,
    'unlocked while the server was down');
is($t->guess('/desk/', alice => 'right', from => '127.0.8.2'), '401.501',
    'and nobody else');
exit_is(0, 'unlock', '--all');
is_deeply([clients('--locked')], [], 'all unlocked');
exit_is(0, 'unlock', '--all');

$t->done;
done_testing;
