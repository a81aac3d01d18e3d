#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# htguard -r, on the Redis of two real servers: what it shows is what both have
# counted, what it unlocks is free at both, with the servers up or down; and
# what is in the way is told, with what would help.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Fleet;
use AuthGuard::Htguard;
use AuthGuard::Redis;
use File::Basename qw(dirname);
use File::Temp ();
use JSON::PP qw(decode_json);
use Time::HiRes qw(sleep time);

use constant { PATIENCE_SECONDS => 20, CROWD => 66_000 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new(conf => <<'CONF')->start;
user reader on >open-sesame ~authguard:* &authguard:events -@all +evalsha +eval +hmget +time +scan
CONF
my $secret = $redis->file('secret', "a secret of sixteen bytes at least\n");
my $password = $redis->file('password', "open-sesame\n");
chmod 0600, $secret, $password;

my $fleet = AuthGuard::Fleet->new($redis, servers => 2,
    options => ['timeout=5s', "secret=$secret"],
    conf => guarded('desk', 'AuthGuard On', 'AuthGuardScope desk',
        'AuthGuardLimit ip 3/10min')
      . guarded('named', 'AuthGuard On', 'AuthGuardScope vault',
        'AuthGuardLimit ip none', 'AuthGuardLimit login 3/10min'));
$fleet->each(sub {
    my ($t) = @_;

    $t->dir($_) for qw(desk named);
    $t->passwords('users', { alice => 'right', bob => 'secret' });
    $t->expect_log(qr/AG010[12]: /, optional => 1);
});
$fleet->start;

my $htguard = AuthGuard::Htguard->new;
my @reach = ('-r', $redis->url);

sub on_redis { return $htguard->run(@reach, @_) }

sub exit_is {
    my ($expected, @arguments) = @_;
    my ($status, undef, $err) = on_redis(@arguments);

    is($status, $expected, "htguard @arguments: $expected") or diag($err);
    return;
}

sub json {
    my ($status, $out) = on_redis('--json', @_);

    return ($status, decode_json($out));
}

# What both servers say to the right password, in time.
sub both_say {
    my ($expected, $name, @guess) = @_;
    my $deadline = time + PATIENCE_SECONDS;
    my $said;

    do {
        $said = join ' ', $fleet->each(sub { $_[0]->guess(@guess) });
        sleep 0.05 if $said ne $expected;
    } until $said eq $expected || time > $deadline;
    is($said, $expected, $name);
    return;
}

my @locked = (from => '127.0.1.1');
my @right = ('/desk/', 'alice', 'right', @locked);

exit_is(0, 'list');
$fleet->server(0)->guess_wrong('/desk/', 'alice', 2, @locked);
$fleet->server(1)->guess_wrong('/desk/', 'alice', 1, @locked);
$fleet->server(1)->guess_wrong('/desk/', 'alice', 1, from => '127.0.1.2');
$fleet->server($_)->guess_wrong('/named/', 'bob', 2, from => '127.0.1.3')
  for 0, 1;
both_say('401.501 401.501', 'locked at both', @right);

# The table, and the same as JSON.
my ($status, $out, $err) = on_redis('list');
my ($heading, @rows) = split /\n/, $out;
is($status, 0, 'list');
is_deeply([split ' ', $heading],
    [qw(CLIENT KEY STATE FAILURES LEVEL REMAINING SINCE SCOPE)],
    'the table has its heading');
is(scalar(@rows), 3, 'three clients');
like($rows[2], qr/^127\.0\.1\.2 +ip +counting +1\/3 +0 .* - +desk$/,
    'one is counting, and comes last');
is(scalar(grep { /^127\.0\.1\.1 +ip +locked +3\/3 +1 .* desk$/ } @rows), 1,
    'one was locked by both servers');
is(scalar(grep { /^127\.0\.1\.3 +login +locked / } @rows), 1,
    'one is locked by its login');
my $object;
($status, $object) = json('list', '--locked', '--scope', 'desk');
my ($client) = @{ $object->{clients} };
is_deeply({ map { $_ => $client->{$_} } qw(client key state failures limit
            level scope in_flight) },
    { client => '127.0.1.1', key => 'ip', state => 'locked', failures => 3,
        limit => 3, level => 1, scope => 'desk', in_flight => 0 }, 'JSON');
is(scalar @{ $object->{clients} }, 1, 'JSON: of that scope');
($status, $object) = json('stats');
is_deeply($object,
    { version => 1, clients_locked => 2, clients_tracked => 3 },
    'stats: of a fleet, how many clients');
($status, $object) = json('check', '127.0.1.1');
is_deeply([$status, $object->{locked}], [10, JSON::PP::true], 'check: locked');
exit_is(0, 'check', '127.0.1.2');
exit_is(0, 'check', '127.0.1.1', '--scope', 'vault');

# What is unlocked is free at both, though they have just seen it locked.
exit_is(3, 'unlock', '127.0.1.9');
exit_is(3, 'unlock', '127.0.1.1', '--scope', 'vault');
($status, $out) = on_redis('unlock', '127.0.1.1');
is($status, 0, 'unlock');
like($out, qr/\AAG0103: unlocked: client=127\.0\.1\.1 .* count=1 by=\S+\n\z/,
    'what was done is told');
my $began = time;
both_say('200 200', 'unlocked at both', @right);
cmp_ok(time - $began, '<=', 5, 'in 5 s');

# Users are known by the secret.
exit_is(3, 'unlock', '--user', 'bob');
exit_is(3, 'unlock', '--user', 'alice', '--secret', $secret);
exit_is(0, 'unlock', '--user', 'bob', '--secret', $secret);
both_say('200 200', 'a user is unlocked', '/named/', 'bob', 'secret',
    from => '127.0.1.3');

# With the servers down.
$fleet->server(0)->guess_wrong('/desk/', 'alice', 3, from => '127.0.1.4');
$fleet->each(sub { $_[0]->stop });
exit_is(10, 'check', '127.0.1.4');
exit_is(0, 'unlock', '127.0.1.0/24');
exit_is(0, 'check', '127.0.1.4');

# Who we are to Redis. A file may be named from where one stands.
{
    my $url = "redis://reader\@127.0.0.1:$redis->{port}";
    local $ENV{AUTHGUARD_REDIS_PASSWORD} = 'open-sesame';

    is(($htguard->run('-r', $url, 'list'))[0], 0, 'the environment');
    $ENV{AUTHGUARD_REDIS_PASSWORD} = 'close-sesame';
    ($status, $out, $err) = $htguard->run('-r', $url, 'list');
    is($status, 1, 'a wrong password');
    like($err, qr/\Ahtguard: .*WRONGPASS.*\nTry: .+\n\z/, 'is told');
    unlike($err, qr/sesame/, 'but for itself');
    my $near = AuthGuard::Htguard->new(undef, wrap =>
          ['sh', '-c', 'cd "$0" && exec "$@"', dirname($password)]);
    is(($near->run('-r', $url, '--password', 'password', 'list'))[0], 0,
        '--password, from where one stands');
    $redis->cli(qw(FLUSHALL));
    $redis->cli(qw(HSET authguard:{00000000000000ff} h nonsense));
    ($status, $out, $err) =
      $htguard->run('-r', $url, '--password', $password, qw(unlock --all));
    is($status, 0, 'what is no record is none of ours') or diag($err);
}

# What is in the way.
my $none = "$redis->{root}/none";
my %wrong = (
    "-r unix:$none list" => [1, qr/\Q$none\E/],
    '-r redis://127.0.0.1:1 stats' => [1, qr/refused/],
    '-r redis://a:sesame@localhost list' => [2, qr/password/],
    '-r redis://a@localhost list' => [2, qr/password=FILE/],
    '-r http://localhost list' => [2, qr/redis:/],
    "-r unix:/x --secret $none list" => [2, qr/\Q$none\E/],
    '-r unix:/x --prefix a*b list' => [2, qr/prefix/],
    '-r unix:/x --ca /x list' => [2, qr/rediss/],
);
for my $line (sort keys %wrong) {
    my ($expected, $reason) = @{ $wrong{$line} };

    ($status, $out, $err) = $htguard->run(split ' ', $line);
    is($status, $expected, "htguard $line");
    like($err, qr/\Ahtguard: .*$reason.*\nTry: .+\n\z/, 'the reason is told');
    unlike($err, qr/sesame/, 'and no password');
}

# More clients than are looked at.
$redis->cli('FLUSHALL');
$fleet->server(0)->start;
$fleet->server(0)->guess_wrong('/desk/', 'alice', 1, from => '127.0.1.5');
my ($key) = $redis->keys_of;
$redis->cli('EVAL', <<'LUA', 1, $key, CROWD);
local record = redis.call('HGETALL', KEYS[1])
for i = 1, ARGV[1] do
    redis.call('HSET', string.format('authguard:{%016x}', i), unpack(record))
end
LUA
($status, $out, $err) = on_redis('list');
is($status, 1, 'more clients than are looked at');
cmp_ok(scalar(() = $out =~ /^127\.0\.1\.5 /mg), '>', 60_000,
    'many are shown');
like($err, qr/\Ahtguard: .*\nTry: .+\n\z/, 'and it is said that it is not all');
$redis->cli('FLUSHALL');

# Where the half that knows Redis is not installed.
SKIP: {
    my $dir = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);
    my ($libexec) = grep { m{/htguard-redis\z} } map { split /\0/ }
      AuthGuard::Httpd::slurp(AuthGuard::Htguard::path());

    skip 'it is installed here', 2 if -e $libexec;
    system('cp', AuthGuard::Htguard::path(), "$dir/htguard") == 0 or die;
    my $said = `'$dir/htguard' -r unix:/none list 2>&1`;
    is($? >> 8, 1, 'without htguard-redis');
    like($said, qr/\Ahtguard: .*htguard-redis: .*\nTry: install \S+-redis\b/,
        'it says what to install');
}
$fleet->each(sub { $_[0]->done });
done_testing;
