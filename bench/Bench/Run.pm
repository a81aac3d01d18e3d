# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Run: one run: who takes part, how much is done, and what was seen.
# Knows no measurement.
#
# What was seen is a hash:
#   seen   cell -> peer -> figure -> [samples, one a turn]
#   notes  peer -> cell -> why there are none, or what to know of them
package Bench::Run;

use strict;
use warnings;
use List::Util qw(shuffle);
use Time::HiRes qw(time);
use Bench::Peers ();

# How much of everything: the whole, and what a test can wait for.
my %amount = (
    whole => {
        turns => 3, leak_turns => 2, guesses => 500, right => 500,
        cap_seconds => 10, patient => 60, cost_turns => 36, rounds => 8,
        slice_seconds => 0.05, counted => 100,
        calm_turns => 2, calm_seconds => 2.5, crowd => 100_000,
        crowd_seconds => 25, newcomers => 5000, newcomer_seconds => 0.12,
        newcomer_rounds => 8, small => 4096,
    },
    quick => {
        turns => 1, leak_turns => 1, guesses => 150, right => 150,
        cap_seconds => 3, patient => 12, cost_turns => 2, rounds => 4,
        slice_seconds => 0.05, counted => 20,
        calm_turns => 1, calm_seconds => 1.5, crowd => 2000,
        crowd_seconds => 5, newcomers => 500, newcomer_seconds => 0.12,
        newcomer_rounds => 4, small => 1024,
    },
);

# quick  1
# peers  [ids], or all
sub new {
    my ($class, %arg) = @_;
    my %wanted = map { $_ => 1 } @{ $arg{peers} || [] };
    my $self = bless {
        amount => $amount{ $arg{quick} ? 'quick' : 'whole' },
        quick => $arg{quick} ? 1 : 0, seen => {}, notes => {},
        peers => [grep { !%wanted || $wanted{ $_->{id} } }
              Bench::Peers::all()],
        next_address => 0, began => time,
    }, $class;

    return $self;
}

sub amount { return $_[0]{amount}{ $_[1] } // die "no amount $_[1]" }

sub add {
    my ($self, $cell, $peer, %figures) = @_;

    push @{ $self->{seen}{$cell}{ $peer->{id} }{$_} }, 0 + $figures{$_}
      for keys %figures;
    return;
}

sub note {
    my ($self, $cell, $peer, $text) = @_;

    chomp $text;
    $text =~ s/\s*\n\s*/; /g;
    $self->{notes}{ $peer->{id} }{$cell} = $text;
    $self->say("$cell: $peer->{id}: $text");
    return;
}

# What goes on, for who waits.
sub say {
    my ($self, $text) = @_;

    printf STDERR "%4.0f s  %s\n", time - $self->{began}, $text;
    return;
}

# An address that nobody has come from yet in this run, or the first of so many
# in a row. Those below 127.16 are for single clients.
sub address {
    my ($self, $count) = @_;
    my $number = $self->{next_address};

    if (($count || 1) > 1) {
        $number = $self->{next_block} || 0x7f100000;
        $self->{next_block} = $number + $count;
        die 'no addresses left' if $self->{next_block} > 0x7ffffff0;
    } else {
        $number = 0x7f010001 + $self->{next_address}++;
    }
    return join '.', unpack 'C4', pack 'N', $number;
}

# The servers for a cell, by the peer's id, started one after the other in any
# order. Who can't be had is noted.
#   who     says of a peer whether it takes part: first settings, unless told
#   want    what Bench::Peers::server() takes
sub servers {
    my ($self, $cell, %arg) = @_;
    my $who = $arg{who} || sub { !$_[0]{second} };
    my %server;

    for my $peer (shuffle grep { $who->($_) } @{ $self->{peers} }) {
        my $lacks = eval { Bench::Peers::lacks($peer) } // $@;

        if ($lacks) {
            $self->note($cell, $peer, "skipped: $lacks");
            next;
        }
        eval {
            my $server = Bench::Peers::server($peer, %{ $arg{want} || {} });

            $server{ $peer->{id} } = $server;
            $server->start;
        } or $self->fail($cell, $peer, \%server);
    }
    return \%server;
}

sub fail {
    my ($self, $cell, $peer, $servers) = @_;
    my $why = $@;

    $self->note($cell, $peer, "failed: $why");
    if (my $server = delete $servers->{ $peer->{id} }) {
        eval { $server->finish; 1 } or $self->say("and: $@");
    }
    return;
}

# Do it for each server, one after the other; $work gets the peer and the
# server. One that fails takes part no more.
sub each_server {
    my ($self, $cell, $servers, $work) = @_;

    for my $peer (grep { $servers->{ $_->{id} } } @{ $self->{peers} }) {
        eval { $work->($peer, $servers->{ $peer->{id} }); 1 }
          or $self->fail($cell, $peer, $servers);
    }
    return;
}

sub finish {
    my ($self, $servers) = @_;

    $_->finish for values %$servers;
    return;
}

sub data {
    my ($self) = @_;

    return { map { $_ => $self->{$_} } qw(seen notes quick amount) };
}

1;
