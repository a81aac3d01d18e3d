#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: the places of guesses whose children were killed stay taken for a
# window, which can be a week, and `htguard unlock` did not give them back. It
# said that it had unlocked the client, who went on being told "busy".
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use File::Basename qw(dirname);
use POSIX ();
use Time::HiRes qw(sleep time);

use constant LIMIT => 5;

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my @slow = ('AuthBasicProvider slow', 'AuthnSlowUser bob:secret',
    'AuthnSlowCount @ROOT@/run/count', 'AuthGuard On',
    "AuthGuardLimit ip @{[LIMIT]}/7d");
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => "AuthGuardChecks 64 wait=200ms\n" . guarded('a', @slow)
      . guarded('slow', @slow, 'AuthnSlowDelay 60000'));
my $count = $t->file('run/count', '');
chmod 0666, $count;
$t->dir($_) for qw(a slow);
$t->expect_lockout;
$t->start;

# Guesses in flight when all children are killed.
sub leave_stuck {
    my (@from) = @_;
    my $before = -s $count;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $t->many(LIMIT, wrong_guesses('/slow/', 'bob', LIMIT, @from));
        POSIX::_exit(0);
    }
    my $patience = time + 10;
    sleep 0.01 while -s $count < $before + LIMIT && time < $patience;
    is(-s $count, $before + LIMIT, 'as many guesses as there are places');
    $t->kill_children;
    waitpid $pid, 0;
    return;
}

sub unlock {
    my ($what) = @_;
    my $file = $t->root . '/run/authguard.shm';

    is(system("'$htguard' -f '$file' unlock $what 2>/dev/null") >> 8, 0,
        "htguard unlock $what");
    return;
}

my $serial = 0;

for my $how ('ADDRESS', '--all') {
    my $address = '127.0.1.' . ++$serial;
    my @from = (from => $address);

    leave_stuck(@from);
    is($t->guess('/a/', 'bob', 'secret', @from), '429.501',
        "$how: the places are taken");
    unlock($how eq 'ADDRESS' ? $address : $how);
    is($t->guess('/a/', 'bob', 'secret', @from), 200,
        "$how: the client is free");
    is($t->guess_wrong('/a/', 'bob', LIMIT + 1, @from),
        '401.1=5 401.501=1', "$how: with all its places");
}
$t->done;

done_testing;
