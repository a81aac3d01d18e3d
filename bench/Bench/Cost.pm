# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Cost: what a refusal of a locked client costs, beside the least that
# the same server could answer with; and a right password, beside the same
# server without what guards. Each stands beside its base in the same turn.
package Bench::Cost;

use strict;
use warnings;
use List::Util qw(shuffle);
use Bench::Bare ();
use Bench::Httpd ();
use Bench::Load qw(load);
use Bench::Peers ();
use Bench::Rounds ();

use constant { CLIENTS => 16, GUESSES => 10, SAME => 0.98, WARM_UP => 400,
    FAR_EVERY => 6 };

my @alice = (user => 'alice');

sub measure {
    my ($run) = @_;

    refusals($run);
    good($run);
    return;
}

# Both ways of the guard, and the first settings of the others.
sub takes_part {
    my ($peer) = @_;

    return $peer->{id} eq 'provider'
      || $peer->{id} ne 'plain' && !$peer->{second};
}

# Who takes part in a turn. Where a hundredth more or less says nothing, some of
# the turns are enough: of who costs much more than its base, and of who has
# another base than the guard.
sub in_turn {
    my ($number) = @_;

    return sub {
        my ($peer) = @_;

        return takes_part($peer)
          && ($peer->{near} || $number % FAR_EVERY == 1);
    };
}

# A way to ask a server: its status, if all is well, and what bench/load takes.
# The first requests of a new server don't count.
sub course {
    my ($run, $server, $status, %arg) = @_;
    my @load = (clients => CLIENTS, keep => 1, port => $server->port, @alice,
        %arg);

    load(@load, count => WARM_UP);
    return Bench::Rounds::course($server, sub {
        my $seen = load(@load, warm => CLIENTS,
            seconds => $run->amount('slice_seconds'));
        my $right = $seen->{status}{$status} || 0;

        die "$arg{path}: $right of $seen->{issued} answers have $status\n"
          if $right < SAME * $seen->{issued} || !$right;
        return ($seen->{rate}, $right + CLIENTS);
    });
}

sub turn {
    my ($run, $number, $cell, $servers, $pair_of) = @_;

    Bench::Rounds::turn($run, $run->amount('rounds'), $number, $cell, $servers,
        $pair_of, sub {
            my ($rate, $cpu) = @_;

            return (rate => $rate->[0], base_rate => $rate->[1],
                rate_ratio => $rate->[2], cpu_us => $cpu->[0],
                base_cpu_us => $cpu->[1], cpu_ratio => $cpu->[2]);
        });
    return;
}

# A server, and what it answers a locked client.
sub lock_all {
    my ($run, $cell, $servers) = @_;
    my (%locked, %answer);

    $run->each_server($cell, $servers, sub {
        my ($peer, $server) = @_;
        my $from = $run->address;

        $server->lock_out($from, GUESSES);
        $locked{ $peer->{id} } = $from;
        $answer{ $peer->{id} } = $server->ask('/fast/page.html', @alice,
            pass => 'wrong', from => $from);
    });
    return (\%locked, \%answer);
}

# For each httpd another one, with mod_bare, that gives its answer in the same
# place: one for all would be asked more often than they, and be warmer.
sub bare_servers {
    my ($servers, $answer) = @_;
    my %bare;

    for my $id (shuffle grep { $servers->{$_}->isa('Bench::Httpd') }
        keys %$servers) {
        $bare{$id} = Bench::Httpd->new(conf =>
              Bench::Bare::in_place($answer->{$id}))->start;
    }
    return \%bare;
}

# Each turn has servers of its own: where a process happens to lie in memory
# makes it faster or slower by some four in a hundred, as long as it lives. And
# each load is faster or slower by some ten, however long it goes on. So many
# moments tell more than a few long ones.
sub turns {
    my ($run, $what, $turn) = @_;

    for my $number (1 .. $run->amount('cost_turns')) {
        $run->say("$what, turn $number") if $number % FAR_EVERY == 1;
        $turn->($number);
    }
    return;
}

# Beside mod_bare; or what the server itself has for it.
sub refusals {
    my ($run) = @_;
    my $cell = 'refusal';

    turns($run, 'refusals', sub {
        my ($number) = @_;
        my $servers = $run->servers($cell, who => in_turn($number));
        my ($locked, $answer) = lock_all($run, $cell, $servers);
        my $bare = bare_servers($servers, $answer);

        turn($run, $number, $cell, $servers, sub {
            my ($peer, $server) = @_;
            my $status = $answer->{ $peer->{id} }->status;
            my @from = (pass => 'wrong#', from => $locked->{ $peer->{id} });
            my @base =
              $peer->{kind} eq 'httpd'
              ? ($bare->{ $peer->{id} }, $status, path => '/fast/page.html')
              : ($server, $status, path => '/bare/fast/page.html',
                port => $server->base_port);

            return (course($run, $server, $status, path => '/fast/page.html',
                    @from), course($run, @base, @from));
        });
        $run->finish($bare);
        $run->finish($servers);
    });
    return;
}

# Limits that a good client would reach are out of reach. Plain httpd takes
# part, too, beside another of its kind: what that differs by is noise.
sub good {
    my ($run) = @_;
    my $cell = 'good';
    my @page = (200, path => '/fast/page.html', pass => 'right');

    turns($run, 'good requests', sub {
        my ($number) = @_;
        my $plain = Bench::Httpd->new(conf => Bench::Peers::sections());
        my $is_first = rand() < 0.5;
        $plain->start if $is_first;
        my $servers = $run->servers($cell, want => { wide => 1 },
            who => sub { $_[0]{id} eq 'plain' || in_turn($number)->(@_) });
        $plain->start unless $is_first;
        my $base = course($run, $plain, @page);

        turn($run, $number, $cell, $servers, sub {
            my ($peer, $server) = @_;
            my $one = course($run, $server, @page);

            return ($one, $base) if $peer->{kind} eq 'httpd';
            return ($one, course($run, $server, @page,
                    path => $server->base_path . '/fast/page.html',
                    port => $server->base_port));
        });
        $run->finish($servers);
        $plain->finish;
    });
    return;
}

1;
