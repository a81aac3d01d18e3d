#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A request asks Redis more than once, and all its questions together wait no
# longer than one timeout, in each mode: with answers that come shortly before
# it, the second one finds the time spent; and through a pause of 300 ms with the
# timeout that is the default.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Redis;
use List::Util qw(max);
use POSIX ();
use Time::HiRes qw(sleep time);

use constant { TIMEOUT => 0.3, DEFAULT => 0.05, DELAY_MS => 200, SLACK => 0.05,
    PAUSE => 0.3, TRIES => 3 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);
my $host = 0;

sub next_address {
    $host++;
    return join '.', '127.0', 4 + int $host / 250, 1 + $host % 250;
}

# The longest of some newcomers' requests, in seconds.
sub longest {
    my ($t, $count) = @_;

    return max map { $_->{seconds} } $t->many(1, map {
        { path => '/a/', user => 'alice', pass => 'right',
            from => next_address() } } 1 .. $count);
}

# What the delay has added to the longest, at the best of some tries: the
# machine may be slow for reasons of its own.
sub added {
    my ($t) = @_;
    my $least = 99;

    for (1 .. TRIES) {
        my $base = longest($t, 8);

        $fake->does(delay => DELAY_MS);
        my $slow = longest($t, 3) - $base;
        $fake->does('pass');
        $least = $slow if $slow < $least;
        last if $least <= TIMEOUT + SLACK;
    }
    return $least;
}

# The longest of the requests that come one after the other while Redis stands
# still for a moment.
sub longest_in_pause {
    my ($t) = @_;
    my $end = time + 2 * PAUSE;
    my $longest = 0;
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        sleep PAUSE / 4;
        $redis->pause;
        sleep PAUSE;
        $redis->resume;
        POSIX::_exit(0);
    }
    while (time < $end) {
        my $one = longest($t, 1);

        $longest = $one if $one > $longest;
    }
    waitpid($pid, 0);
    return $longest;
}

sub added_by_pause {
    my ($t) = @_;
    my $least = 99;

    for (1 .. TRIES) {
        my $added = longest_in_pause($t) - longest($t, 8);

        $least = $added if $added < $least;
        last if $least <= DEFAULT + SLACK;
        sleep 1.2;    # for the next probe
    }
    return $least;
}

for my $mode (qw(local open closed)) {
    my $t = AuthGuard::Httpd->new($redis->store($fake->url, 'timeout=300ms',
            "failure=$mode", "prefix=$mode"),
        conf => guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_log(qr/\bAG0(?:102|30[12]): /, optional => 1);
    $t->start;
    longest($t, 30);    # connections are made
    my $added = added($t);
    cmp_ok($added, '<=', TIMEOUT + SLACK, "$mode: all questions, one timeout");
    cmp_ok($added, '>=', DELAY_MS / 1000, "$mode: and they were slow");
    $t->done;
}

for my $mode (qw(local open closed)) {
    my $t = AuthGuard::Httpd->new($redis->store($redis->url, "failure=$mode",
            "prefix=pause-$mode"), conf => guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_log(qr/\bAG0(?:102|30[12]): /, optional => 1);
    $t->start;
    longest($t, 30);
    cmp_ok(added_by_pause($t), '<=', DEFAULT + SLACK,
        "$mode: through a pause of 300 ms");
    $t->done;
}

done_testing;
