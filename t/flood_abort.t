#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Clients that present a guess and go: they reset the connection while their
# guess is verified or waits, or leave a body half sent. What they held comes
# back by itself, they are counted like everybody, and nobody else is harmed.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use IO::Select ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

use constant {
    GUESSES => 60, LIMIT => 3, CHECKS => 6, PATIENCE_SECONDS => 30,
};

my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => "AuthGuardChecks @{[CHECKS]} wait=1s\n"
      . guarded('a', 'AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min",
        'AuthBasicProvider slow', 'AuthnSlowUser alice:right',
        'AuthnSlowDelay 400', 'AuthnSlowBroken broken',
        'AuthnSlowCount @ROOT@/run/count',
        'AuthnSlowInside @ROOT@/run/inside'));
$t->dir('a');
chmod 0666, $t->file('run/count', ''), $t->file('run/inside', "\0" x 8);
$t->expect_lockout;
$t->start;

my @alice = ('/a/', user => 'alice', pass => 'right', from => '127.0.9.1');

sub checks { return -s $t->root . '/run/count' || 0 }

# Checks that run now, and the most that did since forget_most().
sub inside {
    return unpack 'LL', AuthGuard::Httpd::slurp($t->root . '/run/inside');
}

sub forget_most {
    open(my $file, '+<', $t->root . '/run/inside') or die "inside: $!";
    sysseek $file, 4, 0;
    syswrite $file, "\0" x 4;
    return;
}

# Connections on which these bytes have been sent.
sub send_all {
    my (@requests) = @_;
    my @sockets = map {
        my $socket = AuthGuard::Client::open_socket($t->port, $_->{from});
        IO::Select->new($socket)->can_write(PATIENCE_SECONDS);
        syswrite $socket, AuthGuard::Client::bytes_of($_);
        $socket;
    } @requests;

    return @sockets;
}

# Of these nothing is learnt, so that they hold a place or none.
sub half_sent {
    my ($n, @from) = @_;
    my $head = AuthGuard::Client::bytes_of({ path => '/a/', method => 'POST',
            user => 'broken', pass => "hang$n",
            headers => ['Content-Length' => 1000] });

    return { raw => $head . 'begin', @from };
}

# Ends each with a reset, as a killed client's kernel does at worst.
sub reset_all {
    for my $socket (@_) {
        setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        close $socket;
    }
    return;
}

# Wait until the server has dealt with so many requests of that address.
sub dealt_with {
    my ($from, $count) = @_;
    my $deadline = time + PATIENCE_SECONDS;
    my @lines;

    while (time < $deadline) {
        @lines = grep { $_->{address} eq $from } $t->access;
        last if @lines >= $count;
        sleep 0.05;
    }
    return @lines;
}

is($t->get(@alice)->status, 200, 'alice signs in');

# Wrong guesses, each reset as soon as it is sent.
my $before = checks();
my @from = (from => '127.0.1.1');
reset_all(send_all(wrong_guesses('/a/', 'alice', GUESSES, @from)));
is($t->get(@alice)->status, 200, 'reset: alice is let in meanwhile');
my @lines = dealt_with('127.0.1.1', GUESSES);
is(scalar(grep { $_->{state} eq 'failed' } @lines), LIMIT,
    'reset: as many are verified as the limit says');
is(checks() - $before - 1, LIMIT, 'reset: really');
is($t->guess('/a/', 'alice', 'right', @from), '401.501',
    'reset: and the client is locked out');
is((inside())[0], 0, 'reset: no check is left over');

# The same where nothing is learnt of the guesses: no place stays taken.
@from = (from => '127.0.1.2');
$before = checks();
reset_all(send_all(wrong_guesses('/a/', 'broken', GUESSES, @from)));
is($t->get(@alice)->status, 200, 'abandoned: alice is let in meanwhile');
@lines = dealt_with('127.0.1.2', GUESSES);
is(scalar(@lines), GUESSES, 'abandoned: all are dealt with');
cmp_ok(checks() - $before - 1, '>=', LIMIT, 'abandoned: some were verified');
is(tally($t->many(LIMIT, wrong_guesses('/a/', 'alice', LIMIT, @from))),
    '401.1=' . LIMIT, 'abandoned: all places are free again');
is($t->guess('/a/', 'alice', 'right', @from), '401.501',
    'abandoned: and no more than these');

# All the server's checks are there, too.
my $most = 0;
for my $try (1 .. 3) {
    forget_most();
    my @crowd = map {
        wrong_guesses('/a/', 'alice', 1, from => "127.0.$try.$_")
    } 11 .. 10 + CHECKS;
    is(tally($t->many(CHECKS, @crowd)), '401.1=' . CHECKS,
        'others are verified');
    (undef, $most) = inside();
    last if $most == CHECKS;
}
is($most, CHECKS, 'as many at once as before');

# A body of which the end never comes: what becomes of the guess is settled
# before anybody asks for it.
@from = (from => '127.0.1.4');
$before = checks();
my @hanging = send_all(map { half_sent($_, from => "127.0.4.$_") } 1 .. LIMIT);
push @hanging, send_all(map { half_sent($_, @from) } 1 .. LIMIT);
my $deadline = time + PATIENCE_SECONDS;
sleep 0.05
  while (checks() < $before + 2 * LIMIT || (inside())[0]) && time < $deadline;
is(checks() - $before, 2 * LIMIT, 'half a body: all were verified');
is($t->get(@alice)->status, 200, 'half a body: alice is let in');
is(tally($t->many(LIMIT, wrong_guesses('/a/', 'alice', LIMIT, @from))),
    '401.1=' . LIMIT, 'half a body: no place is taken');
reset_all(@hanging);
$t->done;

done_testing;
