#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A place whose holder was killed stays taken for one window, and no longer;
# what was settled before stays settled.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use POSIX ();
use Time::HiRes qw(sleep time);

for my $mpm (qw(event prefork)) {
    my $t = AuthGuard::Httpd->new(mpm => $mpm, modules => ['authn_slow'],
        conf => guarded('a', 'AuthBasicProvider guard',
            'AuthGuardProvider slow', 'AuthnSlowUser alice:right',
            'AuthnSlowDelay 700', 'AuthnSlowCount @ROOT@/run/count',
            'AuthGuardLimit ip 2/6s lockout=1s max=1s'));
    my $count = $t->file('run/count', '');
    my @from = (from => '127.0.1.1');

    chmod 0666, $count;
    $t->dir('a');
    $t->start;
    is($t->guess('/a/', 'alice', 'right', from => '127.0.1.2'), 200,
        "$mpm: somebody else is proven");
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $t->many(2, wrong_guesses('/a/', 'alice', 2, @from));
        POSIX::_exit(0);
    }
    my $began = time;
    sleep 0.01 while -s $count < 3 && time < $began + 10;
    $t->kill_children;
    waitpid $pid, 0;
    $t->get('/');    # served by new children
    my $killed = time;
    is(-s $count, 3, "$mpm: two guesses were being verified");

    $t->expect_log(qr/AG0102: refused: /, optional => 1);
    is($t->guess('/a/', 'alice', 'right', @from), '429.501',
        "$mpm: their places are taken");
    is(-s $count, 3, "$mpm: nothing was verified");
    is($t->guess('/a/', 'alice', 'right', from => '127.0.1.2'), 200,
        "$mpm: somebody else is let in");
    my $left = $killed + 6.5 - time;
    sleep $left if $left > 0;
    is($t->guess('/a/', 'alice', 'right', @from), 200,
        "$mpm: a window later they are free");
    is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1',
        "$mpm: both");
    is(($t->access)[-1]{failures}, 1, "$mpm: and none became a failure");
    $t->done;
}

done_testing;
