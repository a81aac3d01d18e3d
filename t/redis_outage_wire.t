#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What answers is not quite a Redis: a byte every 15 ms, nothing at all, or
# garbage of many kinds; or it is so slow that connections run out.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Outage;
use AuthGuard::Redis;
use List::Util qw(max);
use Time::HiRes qw(sleep);

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);

{
    my $outage = AuthGuard::Outage->new($redis, $fake->url)->start;
    my $mends = sub { $fake->does('pass') };

    $outage->of('it drips', cause => 'timeout', mends => $mends,
        breaks => sub { $fake->does(drip => 15) });
    $outage->of('it says nothing', cause => 'timeout', mends => $mends,
        breaks => sub { $fake->does('silent') });
    $outage->of('it closes', cause => 'connection', mends => $mends,
        breaks => sub { $fake->does('shut'); $fake->drop });
    $outage->of('another program', cause => 'reply', mends => $mends,
        breaks => sub { $fake->does(say => "HTTP/1.1 400 Bad Request\r\n\r\n") });
    $outage->done;
}

# Garbage of many kinds, each for one of four servers, so that they can wait
# for its end together.
{
    my @garbage = ("\0\xff\r\n" x 50, "+OK\r\n", "\$-1\r\n", "*0\r\n",
        "*7\r\n" . ":0\r\n" x 7, "*1\r\n" x 50, '-' . 'x' x 70_000 . "\r\n",
        "-\e[31m\0%s%n\r\n", "-MOVED 3999 127.0.0.1:6381\r\n",
        "-LOADING Redis is loading the dataset in memory\r\n",
        "-MISCONF Redis is configured to save RDB snapshots\r\n",
        "-MASTERDOWN Link with MASTER is down\r\n");
    my @servers = map {
        AuthGuard::Httpd->new($redis->store($fake->url_tcp, 'timeout=1s',
                'failure=closed', "prefix=garbage$_"),
            conf => guarded('a', 'AuthGuard On'))
    } 1 .. 4;
    my @right = ('/a/', 'alice', 'right');

    for my $t (@servers) {
        $t->dir('a');
        $t->passwords('users', { alice => 'right' });
        $t->expect_log(qr/\bAG0102: /, optional => 1);
        $t->expect_log(qr/\bAG030[12]: store: redis: /);
        $t->start;
    }
    for my $i (0 .. $#garbage) {
        my $t = $servers[$i % 4];
        my $shown = substr $garbage[$i] =~ s/([^ -~])/sprintf '\\x%02x',
          ord $1/ger, 0, 30;
        my $lines = 1 + int $i / 4;

        $fake->does(say => $garbage[$i]);
        is($t->guess(@right, from => "127.0.1.$i"), '503.2',
            "not believed: $shown");
        $fake->does('pass');
        my @down = $t->wait_log(qr/AG0301: .* cause=reply /, $lines);
        is(scalar @down, $lines, '  and in the log, once');
        cmp_ok(length $down[-1], '<', 600, '  in a line that is not too long');
        unlike($down[-1], qr/[^ -~]/, '  without what is no letter');
        next if $i % 4 < 3 && $i < $#garbage;
        for my $waits (@servers) {
            for (1 .. 400) {
                last if $waits->guess(@right, from => "127.0.2.$i") eq '200';
                sleep 0.05;
            }
            is($waits->guess(@right, from => "127.0.2.$i"), 200,
                '  and up again');
        }
    }

    # What never ends is waited for until the time is up, and is one error.
    my $t = $servers[0];
    my $lines = $t->log_lines(qr/AG0301: /);
    $fake->does(say => "\$2000000000\r\n");
    is($t->guess(@right, from => '127.0.3.1'), '503.2',
        'a reply without an end');
    $fake->does('pass');
    is($t->guess(@right, from => '127.0.3.1'), 200, '  and all is well');
    is(scalar $t->log_lines(qr/AG0301: /), $lines, '  and no word of it');
    $_->done for @servers;
}

# One connection a child, and each answer takes a while: nobody is held, who
# gets none is answered as in an outage, and the Redis is not thought down.
{
    my %expected = (local => qr/\A200=12\z/, open => qr/\A200=12\z/,
        closed => qr/\A200=\d+ 503\.2=\d+\z/);

    for my $mode (sort keys %expected) {
        my $t = AuthGuard::Httpd->new(threads => 1,
            $redis->store($fake->url, 'timeout=400ms', 'connections=1',
                "failure=$mode", "prefix=full-$mode"),
            conf => "<Location \"/metrics\">\nSetHandler auth-guard-status\n"
              . "AuthGuardStatus On\n</Location>\n"
              . guarded('a', 'AuthGuard On'));
        my @crowd = map { { path => '/a/', user => 'alice', pass => 'right',
                from => "127.0.2.$_" } } 1 .. 12;

        $t->dir('a');
        $t->passwords('users', { alice => 'right' });
        $t->expect_log(qr/\bAG0102: /, optional => 1);
        $t->start;
        is(tally($t->many(1, { %{ $crowd[0] }, from => "127.0.3.1" })),
            '200=1', "full, $mode: one comes through");
        $fake->does(delay => 60);
        my $alone = $t->get('/a/', user => 'alice', pass => 'right',
            from => '127.0.3.2');
        is($alone->code, 200, "full, $mode: alone, slowly");
        my @answers = $t->many(12, @crowd);
        $fake->does('pass');
        like(tally(@answers), $expected{$mode}, "full, $mode: many at once");
        cmp_ok(max(map { $_->{seconds} } @answers), '<',
            $alone->{seconds} + 0.45, "full, $mode: nobody is held");
        cmp_ok(AuthGuard::Outage::fallbacks($t), '>', 0,
            "full, $mode: some did without");
        is(AuthGuard::Outage::metrics($t)->{authguard_store_up}, 1,
            "full, $mode: and it is not thought down");
        $t->done;
    }
}

done_testing;
