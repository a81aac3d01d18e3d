#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: what was counted here while Redis stalled, or while all connections
# to it were in use, was forgotten by its next answer, and a guesser had the
# limit again each time. He has it once at Redis and once at the server, that
# is all.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Redis;
use Time::HiRes qw(sleep time);

use constant { LIMIT => 5, GUESSES => 300, PARALLEL => 64, STALLS => 4,
    STALL_SECONDS => 0.15, PROBE_SECONDS => 1.3 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);

sub server {
    my ($mpm, $url, @options) = @_;
    my $t = AuthGuard::Httpd->new($mpm ? (mpm => $mpm) : (),
        $redis->store($url, @options),
        conf => guarded('a', 'AuthGuard On',
            "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min"));

    $t->dir('a');
    $t->passwords('users', { alice => 'right', bob => 'secret' });
    $t->expect_log(qr/\bAG010[12]: /, optional => 1);
    $t->expect_log(qr/\bAG030[123]: store: redis: /, optional => 1);
    return $t->start;
}

# One connection for all, and each answer takes a while: most guesses get none
# in time, and are counted here.
for my $delay (10, 25) {
    my $t = server(undef, $fake->url, 'connections=1', "prefix=slow$delay");

    $fake->does(delay => $delay);
    my @answers = $t->many(PARALLEL,
        wrong_guesses('/a/', 'alice', GUESSES, from => '127.0.1.1'));
    $fake->does('pass');
    note(tally(@answers));
    cmp_ok($t->verified, '>=', LIMIT, "$delay ms an answer: he has his limit");
    cmp_ok($t->verified, '<=', 2 * LIMIT,
        "$delay ms an answer: and once more at most");
    $t->done;
}

# Redis stands still while he guesses; and then he signs in at each, until he is
# let in, or it must have been asked again.
sub stall {
    my ($servers, @from) = @_;
    my $until = time + STALL_SECONDS;
    my %left = %$servers;

    $redis->pause;
    $_->many(LIMIT, wrong_guesses('/a/', 'alice', LIMIT, @from))
      for values %$servers;
    sleep 0.01 while time < $until;
    $redis->resume;
    $until = time + PROBE_SECONDS;
    while (%left && time < $until) {
        for my $mpm (keys %left) {
            my $code = $left{$mpm}->guess('/a/', 'bob', 'secret', @from);

            delete $left{$mpm} if $code eq '200';
        }
        sleep 0.05;
    }
    return;
}

my %server = map { $_ => server($_, $redis->url, "prefix=$_") }
  qw(event prefork);
for my $t (values %server) {
    $t->many(4, map { { path => '/a/', user => 'bob', pass => 'secret',
                from => "127.0.2.$_" } } 1 .. 12);
}
my $asked = $redis->asked;
stall(\%server, from => '127.0.1.1') for 1 .. STALLS;
cmp_ok($redis->asked, '>', $asked, 'Redis was asked between');
for my $mpm (sort keys %server) {
    my $verified = $server{$mpm}->verified;

    cmp_ok($verified, '>=', LIMIT, "$mpm: Redis stalls: he has his limit");
    cmp_ok($verified, '<=', 2 * LIMIT, "$mpm: and once more at most");
    $server{$mpm}->done;
}

done_testing;
