#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# bench/instructions, with few requests: every row of its table is there, the
# bare module's answer was as long as the guard's, and the exit status says
# whether a gate was missed. What the guard costs above httpd alone is within
# its gates; what it comes to in all hangs on httpd's build, and is not judged.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use AuthGuard::Modules ();

plan skip_all => 'valgrind is missing (make deps)'
  if system('valgrind --version >/dev/null 2>&1');
plan skip_all => 'no MPM prefork here'
  unless AuthGuard::Modules::has('mpm_prefork');

my $bench = AuthGuard::Modules::top() . '/bench/instructions';
my $said = `REQUESTS=50 timeout 300 '$bench' --functions 2>&1`;
my $status = $? >> 8;
my @rows = map { [split ' '] } $said =~ /^\w.*?  +(\d+ +\d+ +[+-]\d+  .*)$/mg;
my ($missed, $held) =
  map { my $word = $_; scalar grep { ($_->[3] // '') =~ $word } @rows }
  qr/MISSED/, qr/held/;

is(scalar(@rows), 8, 'eight rows') or diag($said);
is($missed + $held, 6, 'six of them have gates');
is($status, $missed ? 1 : 0, 'the exit status tells of the gates')
  or diag($said);
unlike($said, qr/MISSED: above/, 'a refusal and a good request are cheap')
  or diag($said);
for my $row (@rows) {
    my ($guard, $without, $above) = @$row;

    cmp_ok($without, '>', 10_000, 'a request of httpd alone');
    cmp_ok(abs($guard - $without - $above), '<=', 1, 'and what is above it');
}
like($said, qr/^ +\d+ +\d+  guard_attempt_check_authn$/m,
    'it tells where they go') or diag($said);

my $answer = `REQUESTS=none '$bench' 2>&1`;
is($? >> 8, 2, 'a bad REQUESTS is refused');
like($answer, qr/REQUESTS: 'none': a number from 1 is wanted/, 'by name');

done_testing;
