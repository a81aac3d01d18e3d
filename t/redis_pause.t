#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bugs: who waited for a place when Redis paused was counted among the
# waiters ever after, and a place whose answer came too late was given back
# only by the process that had asked. Colleagues were refused as busy then.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Fleet;
use AuthGuard::Outage;
use AuthGuard::Redis;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant { OFFICE => 24, PAUSE_SECONDS => 0.12,
    COLLEAGUES => 6, PATIENCE_SECONDS => 10 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);

sub declare {
    my ($t) = @_;

    $t->dir('a');
    $t->expect_log(qr/\bAG010[12]: /, optional => 1);
    $t->expect_log(qr/\bAG030[12]: store: redis: /, optional => 1);
    return;
}

# So many wait for a place, by the record of the only client.
sub waiters {
    my @key = $redis->keys_of('authguard:{*');
    my $rest = @key ? $redis->cli('HGET', $key[0], '1') : undef;

    return 0 if ($rest // '|') =~ /\A\|/;
    my ($waiters) = $rest =~ /\A(?:\d+ ){4}(\d+) \d+\|/
      or die "not a record as we know it: $rest";
    return $waiters;
}

my @office = map { { path => '/a/', user => "user$_", pass => "right$_",
        from => '127.0.1.1' } } 1 .. OFFICE;

# While all of them come again and again.
sub none_waits {
    my ($name, $servers) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    while (waiters() && time < $deadline) {
        $servers->many(OFFICE, @office);
        sleep 0.1;
    }
    is(waiters(), 0, "$name: none is left waiting");
    return;
}

# In so many seconds, in a process of its own.
sub pause_in {
    my ($seconds) = @_;
    my $pid = fork // die "fork: $!";

    return $pid if $pid;
    sleep $seconds;
    $redis->pause;
    sleep PAUSE_SECONDS;
    $redis->resume;
    POSIX::_exit(0);
}

my @slow = ('AuthBasicProvider slow', 'AuthnSlowDelay 100',
    map { "AuthnSlowUser user$_:right$_" } 1 .. OFFICE);
my $fleet = AuthGuard::Fleet->new($redis, modules => ['authn_slow'],
    conf => guarded('a', 'AuthGuard On', 'AuthGuardScope office',
        @slow, 'AuthGuardLimit ip 3/10min'));
$fleet->each(sub {
    my ($t) = @_;

    $t->passwords('users', { alice => 'right' });
    declare($t);
});
$fleet->start;

# They come again as soon as Redis is asked again; or when none of them would
# wait any more, and the record still counts them.
for my $rest (1.1, 2) {
    $redis->cli('FLUSHALL');
    my $pid = pause_in(0.06);
    my @first = $fleet->many(OFFICE, @office);
    waitpid $pid, 0;
    is(tally(@first), '200=' . OFFICE, "$rest s: all are in as it pauses");
    sleep $rest;
    is(tally($fleet->many(OFFICE, @office)), '200=' . OFFICE,
        "$rest s: and afterwards");
    none_waits("$rest s", $fleet);
}
$fleet->done;

# The answer to "no place" comes in time, the one to "then I wait" does not.
{
    my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
        $redis->store($fake->url, 'timeout=300ms'),
        conf => guarded('a', 'AuthGuard On', @slow,
            'AuthGuardLimit ip 3/10min'));

    declare($t);
    $t->start;
    $redis->cli('FLUSHALL');
    $fake->does(delay => 200);
    is(tally($t->many(OFFICE, @office)), '200=' . OFFICE,
        'told too late that they wait: all are in');
    $fake->does('pass');
    note('waiters: ', waiters());
    none_waits('told too late that they wait', $t);
    $t->done;
}

# Six colleagues' right passwords; Redis gave their places, and its answers came
# too late. Who asks next is another process.
{
    my $t = AuthGuard::Httpd->new(mpm => 'prefork',
        $redis->store($fake->url, 'timeout=150ms', 'prefix=late'),
        conf => "<Location \"/metrics\">\nSetHandler auth-guard-status\n"
          . "AuthGuardStatus On\n</Location>\n"
          . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 5/10min'));
    my @from = (from => '127.0.1.1');
    my $deadline = time + PATIENCE_SECONDS;

    $t->passwords('users',
        { map { ("user$_" => 'right') } 1 .. 2 * COLLEAGUES });
    declare($t);
    $t->start;
    $fake->does(delay => 300);
    is(tally($t->many(COLLEAGUES, map { { path => '/a/', user => "user$_",
            pass => 'right', @from } } 1 .. COLLEAGUES)),
        '200=' . COLLEAGUES, 'the answers are late: all are in');
    $fake->does('pass');
    until (AuthGuard::Outage::metrics($t)->{authguard_store_up}
        || time > $deadline)
    {
        sleep 0.05;
    }
    sleep 0.3;    # what is owed is due then, and a few others pay it
    $t->many(1, map { { path => '/a/', user => 'user1', pass => 'right',
                from => "127.0.2.$_" } } 1 .. 20);
    is(tally($t->many(1, map { { path => '/a/', user => "user$_",
            pass => 'right', @from } } COLLEAGUES + 1 .. 2 * COLLEAGUES)),
        '200=' . COLLEAGUES, 'afterwards nobody is refused as busy');
    $t->done;
}

done_testing;
