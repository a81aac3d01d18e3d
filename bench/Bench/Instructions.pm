# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Instructions: user-space instructions of a refusal and of a good
# request, and of their bases, by callgrind: exact, on however busy a machine.
# httpd as Counted has it. nginx and HAProxy as one process of one thread that
# is started for N requests, and again for 2 N: the difference is N requests.
package Bench::Instructions;

use strict;
use warnings;
use File::Temp ();
use Bench::Bare ();
use Bench::Counted ();
use Bench::Httpd ();
use Bench::Load qw(load);
use Bench::Peers ();
use Bench::Server ();
use Counted ();

use constant { LOCKED => '127.0.0.2', KNOWN => '127.0.0.3', GUESSES => 10 };

my %table = (clients => 4096);
my $page = '/fast/page.html';

sub measure {
    my ($run) = @_;
    my $n = $run->amount('counted');
    my @takes_part = grep { $_->{id} eq 'provider' || !$_->{second} }
      @{ $run->{peers} };

    if (system 'valgrind --version >/dev/null 2>&1') {
        $run->note('instructions', $_, 'skipped: no valgrind')
          for @takes_part;
        return;
    }
    for my $peer (@takes_part) {
        my $lacks = Bench::Peers::lacks($peer);

        next if $lacks || $peer->{id} eq 'plain';
        $run->say("instructions of $peer->{id}");
        eval {
            my %seen = $peer->{kind} eq 'httpd' ? httpd($peer, $n)
              : other($peer, $n);

            $run->add('instructions', $peer, %seen);
            1;
        } or $run->note('instructions', $peer, "failed: $@");
    }
    return;
}

# ---- httpd ----

sub server {
    my ($n, %arg) = @_;

    return Bench::Counted->new(%arg, requests => $n)->start;
}

sub httpd {
    my ($peer, $n) = @_;
    local $ENV{LD_LIBRARY_PATH} = Bench::Peers::libraries($peer);

    return (refused($peer, $n),
        good => let_in($n, $peer->{conf}->({ %table, wide => 1 })),
        good_base => let_in($n, Bench::Peers::sections($peer->{beside} // ())));
}

sub refused {
    my ($peer, $n) = @_;
    my $is_fresh = $peer->{closes};
    my $t = server($n, conf => $peer->{conf}->(\%table),
        is_fresh => $is_fresh);

    $t->guess_wrong($page, 'alice', GUESSES, from => LOCKED);
    my $answer = $t->get($page, from => LOCKED, user => 'alice',
        pass => 'right');
    die "it is not refused\n" if $answer->status == 200;
    my @request = (from => LOCKED, pass => 'right', expect => $answer->status);
    my $all = $t->count($page, @request);
    $t->finish;

    my $bare = server($n, is_fresh => $is_fresh, conf =>
          Bench::Bare::in_place($answer, $peer->{beside} // ()));
    my $least = $bare->count($page, @request);
    $bare->finish;
    return (refusal => $all->{each}, refusal_base => $least->{each});
}

sub let_in {
    my ($n, $conf) = @_;
    my $t = server($n, conf => $conf);
    my $counted = $t->count($page, from => KNOWN, pass => 'right');

    $t->finish;
    return $counted->{each};
}

# ---- nginx, HAProxy ----

sub other {
    my ($peer, $n) = @_;
    my @right = (pass => 'right', from => KNOWN);
    my @wrong = (pass => 'wrong#', from => LOCKED);
    my %seen;

    for my $one (
        ['refusal',      {},            0, '',      @wrong],
        ['refusal_base', {},            1, '/bare', @wrong],
        ['good',         { wide => 1 }, 0, '',      @right],
        ['good_base',    { wide => 1 }, 1, undef,   @right])
    {
        my ($name, @how) = @$one;
        my ($once, $twice) = map { total($peer, $_ * $n, @how) } 1, 2;

        $seen{$name} = ($twice - $once) / $n;
    }
    return %seen;
}

sub total {
    my ($peer, $count, $want, $is_base, $path, @request) = @_;
    my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    my $server = Bench::Peers::server($peer, %$want, %table,
        with => { single => 1, command => ['valgrind',
            '--tool=callgrind', '-q', '--vgdb=no',
            "--callgrind-out-file=$dir/callgrind.%p"] });

    $server->start;
    $server->lock_out(LOCKED, GUESSES) unless $want->{wide};
    load(port => $is_base ? $server->base_port : $server->port, user => 'alice',
        path => ($path // $server->base_path) . $page, keep => 1,
        count => $count, @request);
    $server->stop;
    my $sum = 0;
    $sum += Counted::total_of($_) for glob "$dir/callgrind.*";
    $server->finish;
    return $sum;
}

1;
