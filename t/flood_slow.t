#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# 20 addresses send 200 different guesses each, all at once, where a check
# takes 300 ms. The server verifies no more at a time than it may, no address
# gets more than its limit, waiting has its end and its share of the threads,
# and users from elsewhere are let in meanwhile.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use List::Util qw(min sum);
use POSIX ();
use Time::HiRes qw(sleep time);

use constant {
    ADDRESSES => 20, GUESSES => 200, LIMIT => 5, CHECKS => 4,
    CHECK_USEC => 300_000, WAIT_USEC => 500_000, SLACK_USEC => 1_500_000,
    THREADS => 100,    # a child; AuthGuard::Config
    BLUR    => 8,      # a request lasts longer than its wait
    NEW_USERS => 4, TRIES => 20,
};

my @slow = ('AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min",
    'AuthBasicProvider slow', 'AuthnSlowUser alice:right bob:secret',
    "AuthnSlowDelay @{[CHECK_USEC / 1000]}");

sub server {
    my ($mpm) = @_;
    my $t = AuthGuard::Httpd->new(mpm => $mpm, modules => ['authn_slow'],
        conf => "ListenBacklog 4096\n"
          . "AuthGuardChecks @{[CHECKS]} wait=@{[WAIT_USEC / 1000]}ms\n"
          . guarded('a', @slow, 'AuthnSlowInside @ROOT@/run/inside',
            'AuthnSlowCount @ROOT@/run/count')
          . guarded('good', @slow)
          . 'CustomLog @ROOT@/logs/times.log '
          . '"%a %P %{begin:usec}t %D %{state}^ag"' . "\n");

    $t->dir($_) for qw(a good);
    chmod 0666, $t->file('run/inside', "\0" x 8), $t->file('run/count', '');
    $t->expect_log(qr/AG010[12]: /, optional => 1);
    return $t->start;
}

# Do it in a process of its own.
sub apart {
    my ($work) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    $work->();
    POSIX::_exit(0);
}

sub attack {
    my ($t, $n) = @_;

    return apart(sub {
            $t->many(GUESSES,
                wrong_guesses('/a/', 'alice', GUESSES, from => "127.0.1.$n"));
    });
}

# A user who is new from his address is told to come back at most.
sub sign_in {
    my ($t, $from) = @_;

    for my $try (1 .. TRIES) {
        my $answer = $t->get('/a/', user => 'bob', pass => 'secret',
            from => $from);
        return "$try. try" if $answer->status == 200;
        return $answer->code unless $answer->header('retry-after');
        sleep $answer->header('retry-after');
    }
    return 'never';
}

# Requests as the server saw them, the times in microseconds. How long each
# waited is what its check did not take.
sub seen {
    my ($t, $count) = @_;

    $t->access($count);
    return map {
        my ($from, $pid, $begin, $took, $state) = split ' ';
        my $checked = $state =~ /\A(?:ok|failed)\z/ ? CHECK_USEC : 0;
        +{ from => $from, pid => $pid, state => $state, begin => $begin,
            waited => $took - $checked }
    } split /\n/, AuthGuard::Httpd::slurp($t->root . '/logs/times.log');
}

# The most that waited at once, of one child. What took less than three quarters
# of the wait may have been short of a processor.
sub most_waiting {
    my (@requests) = @_;
    my (%now, $most);

    $most = 0;
    my @events = map {
        ([$_->{begin}, 1, $_->{pid}],
            [$_->{begin} + min($_->{waited}, WAIT_USEC), -1, $_->{pid}])
    } grep { $_->{waited} > WAIT_USEC * 3 / 4 } @requests;
    for (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] } @events) {
        $now{ $_->[2] } += $_->[1];
        $most = $now{ $_->[2] } if $now{ $_->[2] } > $most;
    }
    return $most;
}

sub longest { return (sort { $b <=> $a } map { $_->{waited} } @_)[0] }

for my $mpm (qw(event worker prefork)) {
    my $t = server($mpm);
    my @alice = ('/good/', user => 'alice', pass => 'right',
        from => '127.0.2.1');

    is($t->get(@alice)->status, 200, "$mpm: alice has signed in before");
    my @busy = map { attack($t, $_) } 1 .. ADDRESSES;
    push @busy, apart(sub {
            $t->file('run/new', join "\n",
                map { sign_in($t, "127.0.3.$_") } 1 .. NEW_USERS);
    });
    my @proven;
    while (@busy) {
        push @proven, $t->get(@alice);
        @busy = grep { waitpid($_, POSIX::WNOHANG) == 0 } @busy;
    }
    my @new = split /\n/, AuthGuard::Httpd::slurp($t->root . '/run/new');
    is(tally(@proven), '200=' . @proven, "$mpm: and is let in meanwhile");
    is(scalar(grep { /try/ } @new), NEW_USERS,
        "$mpm: so are users who are new")
      or diag("@new");

    my ($inside, $most) = unpack 'LL',
      AuthGuard::Httpd::slurp($t->root . '/run/inside');
    is($inside, 0, "$mpm: no check is left over");
    cmp_ok($most, '<=', CHECKS, "$mpm: as many checks at once as may be");
    cmp_ok($most, '>', CHECKS / 2, "$mpm: which there were");

    my @requests = seen($t, ADDRESSES * GUESSES);
    my %failed;
    $failed{ $_->{from} }++ for grep { $_->{state} eq 'failed' } @requests;
    is(scalar(grep { $_ > LIMIT } values %failed), 0,
        "$mpm: no address has more verified than its limit");
    is(-s $t->root . '/run/count', sum(values %failed) + NEW_USERS,
        "$mpm: which is what was verified");

    # alice does not wait: what she waited is the machine's doing.
    my $idle = longest(grep { $_->{from} eq '127.0.2.1' } @requests);
    my $longest = longest(@requests);
    cmp_ok($longest, '<=', WAIT_USEC + SLACK_USEC + $idle,
        "$mpm: nobody waits longer than `wait`");

    # prefork has as many processes of one thread each.
    $_->{pid} = 'all' for $mpm eq 'prefork' ? @requests : ();
    my $waiting = most_waiting(@requests);
    cmp_ok($waiting, '<=', THREADS / 4 + BLUR,
        "$mpm: a quarter of the threads waits");
    cmp_ok($waiting, '>', 0, "$mpm: some do");
    note(sprintf 'proven: %d; new: %s; waited %.1f s, alice %.1f s',
        scalar(@proven), join(', ', @new), $longest / 1e6, $idle / 1e6);
    $t->expect_log(qr/MaxRequestWorkers/, optional => 1);
    $t->done;
}

done_testing;
