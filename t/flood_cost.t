#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A full table costs hardly more than an empty one. Instructions are counted by
# callgrind, so the numbers are the same on a busy machine: a refusal of a
# locked client stays within 2 percent, a guess of a newcomer within FACTOR.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use File::Basename qw(dirname);
use File::Temp ();
use AuthGuard::Modules;

use constant FACTOR => 1.5;

plan skip_all => 'valgrind is missing (make deps)'
  if system('valgrind --version >/dev/null 2>&1');

my $top = AuthGuard::Modules::top();
my $build = dirname(AuthGuard::Modules::guard_path());
my $flood = "$build/t/flood.t";
my $scratch = File::Temp::tempdir('authguard-cost-XXXXXX', TMPDIR => 1,
    CLEANUP => 1);

# There already under `make test`; a make of its own, not part of that one.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS)};
system("make -s -C '$top' 'B=$build' '$flood' >'$scratch/make.log' 2>&1") == 0
  or die "$flood can't be built: see make unit\n";

my @named = map { /^# measured: (.+), (.+)$/ ? [$1, $2] : () }
  `valgrind -q --tool=callgrind --toggle-collect=flood_measured \\
    --dump-after=flood_measured --callgrind-out-file='$scratch/out' \\
    '$flood' cost`;
is($?, 0, 'flood cost');
is(scalar(@named), 12, 'three operations, in four states of the table');

my %cost;
for my $i (0 .. $#named) {
    my ($what, $table) = @{ $named[$i] };

    open(my $in, '<', "$scratch/out." . ($i + 1)) or die "callgrind: $!";
    my ($total) = map { /^totals: (\d+)/ ? $1 : () } <$in>;
    $cost{$what}{$table} = $total / 100;
}

cmp_ok($cost{'a locked client'}{empty}, '>', 100,
    'there is something to count');
for my $what (sort keys %cost) {
    my $least = $cost{$what}{empty};
    my $factor = $what eq 'a locked client' ? 1.02 : FACTOR;

    for my $table ('half full', 'full', 'overflowing') {
        cmp_ok($cost{$what}{$table}, '<=', $least * $factor,
            "$what, $table: at most $factor times what it is empty");
        note(sprintf '%s: %.0f instructions, empty %.0f', $table,
            $cost{$what}{$table}, $least);
    }
}
done_testing;
