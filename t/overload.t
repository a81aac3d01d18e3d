#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Busy and overload: waiting has an end, and places are not lost by it.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

sub server {
    my ($checks, $limit, $delay) = @_;
    my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
        conf => "AuthGuardChecks $checks\n"
          . guarded('a', 'AuthBasicProvider guard',
            'AuthGuardProvider slow', 'AuthnSlowUser alice:right',
            "AuthnSlowDelay $delay", 'AuthnSlowCount @ROOT@/run/count',
            "AuthGuardLimit ip $limit"));
    $t->file('run/count', '');
    chmod 0666, $t->root . '/run/count';
    $t->dir('a');
    return $t->start;
}

sub checks { return -s $_[0]->root . '/run/count' || 0 }

# Busy: two places, each taken for longer than the wait.
{
    my $t = server('20 wait=300ms', '2/10min', 1200);
    $t->expect_lockout;
    my @answers = $t->many(6, wrong_guesses('/a/', 'alice', 6));
    is(tally(@answers), '401.1=2 429.501=4', 'busy: two verified');
    is(checks($t), 2, 'busy: really');
    my ($busy) = grep { $_->status == 429 } @answers;
    is($busy->header('retry-after'), 1, 'busy: Retry-After');
    is($busy->header('cache-control'), 'no-store', 'busy: no-store');
    is($busy->header('www-authenticate'), undef, 'busy: no challenge');
    cmp_ok($busy->{seconds}, '>=', 0.25, 'busy: after the wait');
    my ($verified) = sort { $a <=> $b }
      map { $_->status == 401 ? $_->{seconds} : () } @answers;
    cmp_ok($busy->{seconds}, '<', $verified, 'busy: and not as late as a check');
    is(scalar(grep { $_->{state} eq 'busy' } $t->access(6)), 4,
        'busy: in that state');
    is($t->guess('/a/', 'alice', 'right'), '401.501', 'then locked');
    $t->done;
}

# More than 32 waiters: the others are told at once.
{
    my $t = server('20 wait=1s', '1/10min', 1500);
    $t->expect_lockout;
    $t->expect_log(qr/AG0102/, optional => 1);
    my @answers = $t->many(60, wrong_guesses('/a/', 'alice', 60));
    is(tally(@answers), '401.1=1 429.501=59', 'waiters: one verified');
    my $at_once = grep { $_->{seconds} < 0.95 } @answers;
    my $waited = grep { $_->{seconds} >= 0.95 && $_->status == 429 } @answers;
    cmp_ok($at_once, '>=', 59 - 32, 'waiters: 32 at most wait');
    cmp_ok($waited, '>=', 16, 'waiters: some do');
    is($t->get('/')->status, 200, 'waiters: others are served');
    $t->done;
}

# Overload: guesses of many clients, two verified at a time.
{
    my $t = server('2 wait=300ms', '5/10min', 1000);
    $t->expect_log(qr/AG0102: refused: /, optional => 1);
    my $alice = { path => '/a/', user => 'alice', pass => 'right',
        from => '127.0.2.1' };
    is(($t->many(1, $alice))[0]->status, 200, 'overload: alice is proven');
    my @crowd = map { wrong_guesses('/a/', 'alice', 1, from => "127.0.1.$_") }
      1 .. 10;
    my @answers = $t->many(20, @crowd, ($alice) x 5);
    is(tally(@answers[0 .. 9]), '401.1=2 503.2=8', 'overload: two verified');
    is(tally(@answers[10 .. 14]), '200=5',
        'overload: proven guesses need no place');
    my ($refused) = grep { $_->status == 503 } @answers;
    is($refused->header('retry-after'), 1, 'overload: Retry-After');
    is($refused->header('cache-control'), 'no-store', 'overload: no-store');
    cmp_ok($refused->{seconds}, '>=', 0.25, 'overload: after the wait');
    is(scalar(grep { $_->{state} eq 'overload' } $t->access), 8,
        'overload: in that state');
    is(tally($t->many(2, wrong_guesses('/a/', 'alice', 1,
                    from => '127.0.1.3'), wrong_guesses('/a/', 'alice', 1,
                    from => '127.0.1.4'))), '401.1=2',
        'overload: the places are free again');

    # Killed while they hold the places: those come back too.
    my $before = checks($t);
    my $patience = 500;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $t->many(2, map { wrong_guesses('/a/', 'alice', 1,
                    from => "127.0.3.$_") } 1 .. 2);
        POSIX::_exit(0);
    }
    select undef, undef, undef, 0.02
      while checks($t) < $before + 2 && $patience--;
    cmp_ok($patience, '>', 0, 'overload: two more begin');
    $t->kill_children;
    waitpid $pid, 0;
    $t->get('/');
    is(tally($t->many(2, map { wrong_guesses('/a/', 'alice', 1,
                        from => "127.0.4.$_") } 1 .. 2)), '401.1=2',
        'overload: after kill -9 of those who held them');
    $t->done;
}

# Unlimited.
{
    my $t = server('unlimited wait=300ms', '5/10min', 800);
    my @crowd = map { wrong_guesses('/a/', 'alice', 1, from => "127.0.1.$_") }
      1 .. 40;
    is(tally($t->many(40, @crowd)), '401.1=40', 'unlimited: all at once');
    $t->done;
}

done_testing;
