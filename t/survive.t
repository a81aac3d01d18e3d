#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What no restart and no crash undoes: the lockout, and the exactness.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant { LIMIT => 5, ROUNDS => 10 };

for my $mpm (qw(event prefork)) {
    my $t = AuthGuard::Httpd->new(mpm => $mpm, modules => ['authn_slow'],
        conf => guarded('a', 'AuthBasicProvider guard',
            'AuthGuardProvider slow', 'AuthnSlowUser alice:right',
            'AuthnSlowDelay 50', 'AuthnSlowCount @ROOT@/run/count',
            "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min"));
    my $count = $t->file('run/count', '');
    chmod 0666, $count;
    $t->dir('a');
    $t->expect_lockout;
    $t->start;
    my @locked = (from => '127.0.1.1');
    my @free = (from => '127.0.1.2');
    my $still = sub {
        my ($when) = @_;
        my $before = -s $count;

        is($t->guess('/a/', 'alice', 'right', @locked), '401.501',
            "$mpm, $when: still locked");
        is(-s $count, $before, "$mpm, $when: and not verified");
        is($t->guess('/a/', 'alice', 'right', @free), 200,
            "$mpm, $when: others are let in");
    };

    is($t->guess_wrong('/a/', 'alice', LIMIT, @locked), '401.1=5',
        "$mpm: locked");
    $still->('at first');
    my @counted = (from => '127.0.1.3');
    is($t->guess_wrong('/a/', 'alice', 3, @counted), '401.1=3',
        "$mpm: three failures of another client");
    for (1 .. 3) {
        $t->graceful;
        $still->('after graceful');
    }
    $t->stop;
    $t->start;
    $still->('after a stop and a start');
    $t->crash;
    $t->start;
    $still->('after kill -9 of everything');
    is($t->guess_wrong('/a/', 'alice', 2, @counted), '401.1=2',
        "$mpm: three and two failures");
    is($t->guess('/a/', 'alice', 'right', @counted), '401.501',
        "$mpm: are five, over three restarts");

    under_fire($t, $mpm);
    $still->('after ten rounds of kill -9 of all children');
    $t->done;
}

# A crowd guesses and signs in while all children are killed ten times.
sub under_fire {
    my ($t, $mpm) = @_;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    if (!$pid) {
        my $end = time + 30;
        while (time < $end && !-e $t->root . '/run/enough') {
            $t->many(30, wrong_guesses('/a/', 'mallory', 60,
                from => '127.0.3.1'));
            $t->many(10, ({ path => '/a/', user => 'alice', pass => 'right',
                    from => '127.0.3.2' }) x 20);
        }
        POSIX::_exit(0);
    }
    for (1 .. ROUNDS) {
        sleep 0.3 + rand 0.2;
        $t->kill_children;
        my $patience = time + 5;
        sleep 0.02 while !$t->children && time < $patience;
    }
    $t->file('run/enough', '');
    waitpid $pid, 0;

    # The successes stand in the count too: tell guesses by a client that
    # only guessed.
    my $code = $t->guess('/a/', 'alice', 'right', from => '127.0.3.1');
    like($code, qr/\A(?:401|429)\.501\z/,
        "$mpm: the guesser is locked, or its places are taken");
    is($t->guess('/a/', 'alice', 'right', from => '127.0.3.2'), 200,
        "$mpm: whoever was right is let in");
    my $wrong = () = $t->log_lines(qr/\[client 127\.0\.3\.1:.*AH0161[78]/);
    cmp_ok($wrong, '<=', LIMIT, "$mpm: five verdicts at most for the guesser");
    return;
}

done_testing;
