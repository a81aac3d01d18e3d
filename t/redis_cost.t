#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What the store's script costs: the median of each kind of call, over one
# connection on a unix socket, is at most five times the median of the PINGs
# that take turns with it. The numbers are printed.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use Test::More;
use AuthGuard::Redis;
use AuthGuard::RedisTool;

use constant { TIMES_PING_MAX => 5, TRIES => 3 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $redis = AuthGuard::Redis->new->start;
my $tool = AuthGuard::RedisTool::build('redis_cost', $dir);
my ($ping, %usec);

# The median of each kind; where the machine was busy with something else just
# then, once more.
for (1 .. TRIES) {
    my $said = `'$tool' '@{[ $redis->path ]}'`;

    %usec = $said =~ /^(\w+) ([\d.]+)$/mg;
    $ping = delete $usec{ping};
    ok($ping, 'a PING takes its time') or BAIL_OUT("it said: $said");
    last unless grep { $_ > TIMES_PING_MAX * $ping } values %usec;
}
is(keys %usec, 8, 'all kinds of calls were timed');
diag sprintf '%-16s %7.1f us', 'ping', $ping;
for my $kind (sort keys %usec) {
    my $times = $usec{$kind} / $ping;

    diag sprintf '%-16s %7.1f us, %.2f x PING', $kind, $usec{$kind}, $times;
    cmp_ok($times, '<=', TIMES_PING_MAX, "$kind: at most "
          . TIMES_PING_MAX . ' times a PING');
}

done_testing;
