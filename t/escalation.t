#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Lockouts grow, up to max, and fall back; a window closes by itself.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Time::HiRes qw(sleep time);

my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On',
        'AuthGuardLimit ip 2/2s lockout=1s max=4s')
      . guarded('b', 'AuthGuard On',
        'AuthGuardLimit ip 2/2s lockout=1s max=1s'));
$t->dir($_) for qw(a b);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;

# Two guesses: a lockout. Returns what its line says, as a hash.
sub lock_out {
    my (@from) = @_;

    is($t->guess_wrong('/a/', 'alice', 2, @from), '401.1=2', 'two guesses');
    my ($line) = reverse $t->log_lines(qr/AG0101: .*client=$from[1] /);
    my $began = time;
    is($t->guess('/a/', 'alice', 'right', @from), '401.501', 'lock');
    return ({ $line =~ /(\w+)=(\S*)/g }, $began);
}

my @from = (from => '127.0.1.1');
my $waited = 0;
for my $round ([1, 1], [2, 2], [4, 3], [4, 4]) {
    my ($seconds, $level) = @$round;
    my ($said, $began) = lock_out(@from);
    is($said->{lock}, $seconds, "level $level: for $seconds s");
    is($said->{level}, $level, "level $level: told so");
    last if $level == 4;

    # Guesses meanwhile don't prolong it.
    sleep $began + $seconds - 0.4 - time;
    is($t->guess_wrong('/a/', 'alice', 1, @from), '401.501=1', 'not yet');
    sleep $began + $seconds + 0.1 - time;
    is($t->guess('/a/', 'alice', 'right', @from), 200, 'over');
}

# Meanwhile, for others: a window closes by itself, from its first failure.
@from = (from => '127.0.1.2');
my $opened = time;
is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1', 'one failure');
sleep 1.5;
is(($t->access)[-1]{failures}, 1, 'counts');
sleep $opened + 2.2 - time;
is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1',
    'one more, two seconds later');
is(($t->access)[-1]{failures}, 1, 'is the first of another window');
is($t->guess('/a/', 'alice', 'right', @from), 200, 'no lockout');

# The first client: `max` without a new lockout brings the level back to 0.
# Its lockout of 4 s runs since; another 4 s must pass.
sleep 4 + 4 - (time - $opened) + 0.5;
@from = (from => '127.0.1.1');
my ($said) = lock_out(@from);
is($said->{level}, 1, 'decayed: level 1 again');
is($said->{lock}, 1, 'decayed: and 1 s');

is($t->guess_wrong('/b/', 'alice', 2, from => '127.0.1.3'), '401.1=2',
    'max = lockout');
my ($line) = $t->log_lines(qr/AG0101: .*client=127\.0\.1\.3 /);
like($line, qr/ lock=1 level=1 /, 'never grows');
$t->done;

done_testing;
