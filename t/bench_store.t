#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# bench/store, with few operations: every one of them is admitted, each line
# of its table is whole, and nothing is left of its tables. How long anything
# took is not looked at.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Basename qw(dirname);
use File::Temp ();
use Test::More;
use AuthGuard::Modules ();

my $store = dirname(AuthGuard::Modules::guard_path()) . '/bench/store';
-x $store or die "$store is missing: run make test\n";

my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $said = `TMPDIR='$dir' timeout 60 '$store' 2 500 512 4096 2>&1`;
my $number = qr/\d+(?:\.\d+)?/;
my $figure = qr/\| +$number \+- *$number +$number +$number/;
my @half = $said =~ /^(?:512|4096) +\d\d% +[12](?: $figure){3}$/mg;
my @full = $said =~ /^(?:512|4096) +\d+% +[12](?: $figure){4}$/mg;

is($?, 0, 'all operations were admitted') or diag($said);
is(scalar(@half), 4, 'half full, two sizes with one process and with two')
  or diag($said);
is(scalar(@full), 4, 'full, the same') or diag($said);
is(scalar(() = $said =~ /reached$|missed$/mg), 5, 'the goals are told')
  or diag($said);
is(scalar(() = glob "$dir/*"), 0, 'no table is left');

for my $bad ('0', 'x', '1 0', '1 1 0', '100', '1 1 99999999999') {
    my $answer = `'$store' $bad 2>&1`;

    is($? >> 8, 2, "'$bad' is refused");
    like($answer, qr/a number from 1 to \d+ is wanted/, 'and it says why');
}

done_testing;
