#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: whoever shared an address with somebody signed in could fill the
# places, send a burst of guesses, and see the proven password come in while
# the others waited, some 40 guesses told apart for 5 that were counted. After
# 8 that wait or are refused, right and wrong ones fare alike. So they do where
# her password is being verified: a guess that joined it showed it, too.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant { LIMIT => 5, BUSY_PROVEN_MAX => 8, PATIENCE => 20 };

my @slow = ('AuthBasicProvider slow', 'AuthnSlowUser alice:right',
    'AuthnSlowCount @ROOT@/run/count', 'AuthGuard On',
    "AuthGuardLimit ip @{[LIMIT]}/10min");
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => "AuthGuardChecks 64 wait=20s\n" . guarded('a', @slow)
      . guarded('slow', @slow, 'AuthnSlowDelay 2500'));
my $count = $t->file('run/count', '');
chmod 0666, $count;
$t->dir($_) for qw(a slow);
$t->expect_lockout;
$t->start;

sub beside {
    my (@requests) = @_;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    $t->many(scalar @requests, @requests);
    POSIX::_exit(0);
}

# Alice signs in, her neighbour takes all places, and then makes as many
# guesses as told. What becomes of hers, which is right, and how soon?
sub story {
    my ($address, $guesses) = @_;
    my @from = (from => $address);

    is($t->guess('/a/', 'alice', 'right', @from), 200, "$address: she is in");
    my $before = -s $count;
    my @pids = beside(wrong_guesses('/slow/', 'alice', LIMIT, @from));
    my $patience = time + PATIENCE;
    sleep 0.01 while -s $count < $before + LIMIT && time < $patience;
    is(-s $count, $before + LIMIT, "$address: no place is left");
    push @pids, beside(wrong_guesses('/a/', 'alice', $guesses, @from));
    sleep 0.5;    # they come to wait, or are refused
    my ($answer) = $t->many(1,
        { path => '/a/', user => 'alice', pass => 'right', @from });
    waitpid $_, 0 for @pids;
    return $answer;
}

my $few = story('127.0.1.1', 3);
is($few->status, 200, 'beside a few that wait, a proven guess comes in');
cmp_ok($few->{seconds}, '<', 1.5, 'at once');
my $many = story('127.0.1.2', BUSY_PROVEN_MAX + 4);
isnt($many->status, 200, 'beside many, it fares as they do');
is($t->guess('/a/', 'alice', 'right', from => '127.0.1.2'), '401.501',
    'till the client is locked out');

# Her password is being verified, the other places are taken, and more wait than
# may. What comes then is told the same, be it hers or not.
my @from = (from => '127.0.1.3');
my $before = -s $count;
my @pids = beside({ path => '/slow/', user => 'alice', pass => 'right', @from },
    wrong_guesses('/slow/', 'alice', LIMIT - 1, @from));
my $patience = time + PATIENCE;

sleep 0.01 while -s $count < $before + LIMIT && time < $patience;
push @pids, beside(wrong_guesses('/a/', 'alice', 40, @from));
sleep 0.5;    # they come to wait, or are refused
unlike(tally($t->many(10, wrong_guesses('/a/', 'alice', 20, @from),
            { path => '/a/', user => 'alice', pass => 'right', @from })),
    qr/200=/, 'beside a check of hers, her password fares as others');
waitpid $_, 0 for @pids;
is(tally($t->many(20, ({ path => '/a/', user => 'alice', pass => 'right',
                from => '127.0.1.4' }) x 20)), '200=20', 'elsewhere she is in');
$t->done;

done_testing;
