# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Cost: what a refusal of a locked client costs, beside the least that
# the same server could answer with; and a right password, beside the same
# server without what guards. Each stands beside its base in the same turn.
package Bench::Cost;

use strict;
use warnings;
use Bench::Bare ();
use Bench::Httpd ();
use Bench::Load qw(load);
use Bench::Peers ();

use constant { CLIENTS => 16, GUESSES => 10, SAME => 0.98 };

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

# Ask for a while. Returns requests a second, and usec of processor time each.
sub pace {
    my ($run, $server, $status, %arg) = @_;
    my $before = $server->cpu_us;
    my $seen = load(clients => CLIENTS, keep => 1,
        seconds => $run->amount('busy_seconds'), port => $server->port, @alice,
        %arg);
    my $used = $server->cpu_us - $before;
    my $right = $seen->{status}{$status} || 0;

    die "$arg{path}: $right of $seen->{issued} answers have $status\n"
      if $right < SAME * $seen->{issued} || !$right;
    return ($seen->{rate}, $used / $right);
}

sub compare {
    my ($run, $cell, $peer, $one, $base) = @_;
    my ($base_rate, $base_cpu) = pace($run, @$base);
    my ($rate, $cpu) = pace($run, @$one);

    $run->add($cell, $peer, rate => $rate, cpu_us => $cpu,
        base_rate => $base_rate, base_cpu_us => $base_cpu,
        rate_ratio => $rate / $base_rate, cpu_ratio => $cpu / $base_cpu);
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

# Another httpd with mod_bare; or what the server itself has for it.
sub refusals {
    my ($run) = @_;
    my $cell = 'refusal';
    my $servers = $run->servers($cell, who => \&takes_part);
    my ($locked, $answer) = lock_all($run, $cell, $servers);
    my $bare = Bench::Httpd->new(conf => Bench::Peers::sections()
          . Bench::Bare::configuration(%$answer));

    Bench::Bare::furnish($bare, %$answer);
    $bare->start;
    for my $turn (1 .. $run->amount('turns')) {
        $run->say("refusals, turn $turn");
        $run->each_server($cell, $servers, sub {
            my ($peer, $server) = @_;
            my $status = $answer->{ $peer->{id} }->status;
            my @from = (pass => 'wrong#', from => $locked->{ $peer->{id} });
            my @base =
              $peer->{kind} eq 'httpd'
              ? ($bare, $status, path => "/$peer->{id}/page.html")
              : ($server, $status, path => '/bare/fast/page.html',
                port => $server->base_port);

            compare($run, $cell, $peer,
                [$server, $status, path => '/fast/page.html', @from],
                [@base, @from]);
        });
    }
    $run->finish({ %$servers, bare => $bare });
    return;
}

# Limits that a good client would reach are out of reach.
sub good {
    my ($run) = @_;
    my $cell = 'good';
    my $servers = $run->servers($cell, who => \&takes_part,
        want => { wide => 1 });
    my $plain = Bench::Httpd->new(conf => Bench::Peers::sections());
    my @page = (200, path => '/fast/page.html', pass => 'right');

    $plain->start;
    for my $turn (1 .. $run->amount('turns')) {
        $run->say("good requests, turn $turn");
        $run->each_server($cell, $servers, sub {
            my ($peer, $server) = @_;
            my @base =
                $peer->{kind} eq 'httpd' ? ($plain, @page)
              : ($server, @page, path => $server->base_path . '/fast/page.html',
                port => $server->base_port);

            compare($run, $cell, $peer, [$server, @page], \@base);
        });
    }
    $run->finish({ %$servers, plain => $plain });
    return;
}

1;
