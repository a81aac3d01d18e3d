#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A place that was asked for, and the answer came too late: it is given back,
# whether the Redis never did it, did it long after, or did it at once and only
# the answer was lost. Afterwards nobody is refused for it.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Outage;
use AuthGuard::Redis;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant { LIMIT => 5, PAUSE_SECONDS => 0.3, PATIENCE_SECONDS => 20 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my @names = map { "user$_" } 1 .. LIMIT;
my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    $redis->store($fake->url, 'timeout=150ms', 'failure=local'),
    conf => "AuthGuardChecks 50 wait=300ms\n"
      . "<Location \"/metrics\">\nSetHandler auth-guard-status\n"
      . "AuthGuardStatus On\n</Location>\n"
      . guarded('a', 'AuthBasicProvider guard', 'AuthGuardProvider slow',
        'AuthnSlowUser ' . join(' ', map { "$_:right" } @names),
        'AuthnSlowDelay 600', "AuthGuardLimit ip @{[LIMIT]}/10min"));
$t->dir('a');
$t->expect_log(qr/\bAG010[12]: /, optional => 1);
$t->expect_log(qr/\bAG030[12]: store: redis: /, optional => 1);
$t->start;

# All five users, at once, in a process of its own: returns what tells how it
# was for them.
sub five_sign_in {
    my (@from) = @_;

    pipe my $in, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        print $out tally($t->many(LIMIT, map { { path => '/a/', user => $_,
                pass => 'right', @from } } @names));
        close $out;
        POSIX::_exit(0);
    }
    close $out;
    return sub { waitpid $pid, 0; return scalar <$in> };
}

# Until the Redis is asked again, and what was late may have been settled.
sub settled {
    my ($name) = @_;
    my $deadline = time + PATIENCE_SECONDS;
    my $before = $redis->asked;

    until ($redis->asked > $before + 2
        && AuthGuard::Outage::metrics($t)->{authguard_store_up})
    {
        last if time > $deadline;
        $t->guess('/a/', 'user1', 'right', from => '127.0.9.9');
    }
    cmp_ok(time, '<', $deadline, "$name: up again");
    sleep 1;    # what waits to be settled is due then, and the next pays it
    $t->many(100, ({ path => '/a/', user => 'user1', pass => 'right',
                from => '127.0.9.9' }) x 200);
    return;
}

# All places are there: as many wrong ones at once as the limit says are
# verified, and nobody hears that there are too many.
sub all_free {
    my ($name, @from) = @_;

    is(tally($t->many(LIMIT, wrong_guesses('/a/', 'user1', LIMIT, @from))),
        '401.1=' . LIMIT, "$name: every place is free");
    settled("$name: what was counted here");
    is($t->guess('/a/', 'user1', 'right', @from), '401.501',
        "$name: and there is none too many");
    return;
}

{
    my @from = (from => '127.0.1.1');

    $redis->pause;
    my $heard = five_sign_in(@from);
    sleep PAUSE_SECONDS;
    $redis->resume;
    is($heard->(), '200=5', 'paused while they ask: all are in');
    settled('paused while they ask');
    all_free('paused while they ask', @from);
}
{
    my @from = (from => '127.0.1.2');
    my $heard = five_sign_in(@from);

    sleep 0.3;    # they have their places, and their passwords take longer
    $redis->pause;
    sleep 0.3 + PAUSE_SECONDS;
    $redis->resume;
    is($heard->(), '200=5', 'paused while they are verified: all are in');
    settled('paused while they are verified');
    all_free('paused while they are verified', @from);
}
{
    my @from = (from => '127.0.1.3');

    $fake->does(delay => 1000 * PAUSE_SECONDS);
    my $heard = five_sign_in(@from);
    is($heard->(), '200=5', 'the answers are late: all are in');
    $fake->does('pass');
    settled('the answers are late');
    all_free('the answers are late', @from);
}

# A wrong password whose place was granted too late is a failure all the same.
{
    my @from = (from => '127.0.1.4');

    $fake->does(delay => 1000 * PAUSE_SECONDS);
    is($t->guess_wrong('/a/', 'user1', 1, @from), '401.1=1',
        'wrong, and the answer is late');
    $fake->does('pass');
    settled('wrong, and late');
    is($t->guess_wrong('/a/', 'user1', LIMIT, @from),
        '401.1=' . (LIMIT - 1) . ' 401.501=1', 'it has counted');
}
$t->done;

done_testing;
