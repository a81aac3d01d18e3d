#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The same wrong password again is the same mistake: a phone with an old one
# does not lock its owner out.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Time::HiRes qw(sleep);

use constant REPEAT_SECONDS => 5;

my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => guarded('a', 'AuthBasicProvider guard', 'AuthGuardProvider slow',
        'AuthnSlowUser alice:right', 'AuthnSlowDelay 20',
        'AuthnSlowCount @ROOT@/run/count', 'AuthGuardLimit ip 5/10min'));
my $count = $t->file('run/count', '');
chmod 0666, $count;
$t->dir('a');
$t->expect_lockout;
$t->start;

my %old = (path => '/a/', user => 'alice', pass => 'old');
is(tally($t->many(20, (\%old) x 60)), '401.1=60', 'each is told it is wrong');
cmp_ok(-s $count, '<=', 2, 'two verifications at most');
cmp_ok(-s $count, '>=', 1, 'one at least');
my @lines = $t->access(60);
is(join(' ', sort { $a <=> $b } map { $_->{failures} } @lines),
    join(' ', (1) x 60), 'one failure');
is(scalar(grep { $_->{state} eq 'failed' } @lines) <= 2, 1,
    'two in state failed at most');
is(scalar(grep { $_->{state} =~ /\A(?:failed|repeat)\z/ } @lines), 60,
    'the others in state repeat');

my $before = -s $count;
sleep REPEAT_SECONDS + 1.1;
is($t->get('/a/', %old)->code, '401.1', 'later: still wrong');
is(-s $count, $before + 1, 'later: verified again');
is(($t->access(61))[60]{failures}, 1, 'later: not counted again');

is($t->guess_wrong('/a/', 'alice', 4), '401.1=4', 'four others count');
is($t->get('/a/', %old)->code, '401.501', 'and lock out');
is(-s $count, $before + 5, 'the last one was not verified');
$t->done;

done_testing;
