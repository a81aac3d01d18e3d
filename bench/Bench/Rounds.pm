# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Rounds: servers beside each other on a machine that is now fast, now
# slow. Each is asked for a moment only, many times over, those of a round one
# after the other and in another order each time: so whatever else goes on hits
# all alike, and a round's ratio says more than a minute's.
#
#   my $course = Bench::Rounds::course($server, sub { ask($server) });
#   Bench::Rounds::turn($run, $rounds, $number, $cell, $servers,
#       sub { my ($peer, $server) = @_; return ($course, $base) },
#       sub { my ($rate, $cpu) = @_; return (rate_ratio => $rate->[2]) });
package Bench::Rounds;

use strict;
use warnings;
use List::Util qw(shuffle);
use Bench::Figures qw(median_of);

# A way to ask a server. $ask returns requests a second, and how many were
# answered; or dies.
sub course {
    my ($server, $ask) = @_;

    return { server => $server, ask => $ask };
}

# Ask for a moment. What came of it stands under the round's number, for others
# are asked in that round, too. One that fails is left out.
sub slice {
    my ($course, $round) = @_;
    my $server = $course->{server};
    my $before = $server->cpu_us;

    eval {
        my ($rate, $answers) = $course->{ask}->();
        my $cpu = ($server->cpu_us - $before) / ($answers || 1);

        die "no processor time is told of the server\n" if $cpu <= 0;
        $course->{rates}{$round} = $rate;
        $course->{cpu_us}{$round} = $cpu;
        1;
    } or $course->{fault} = $@;
    return;
}

# A figure of a course, of its base, and of one another, in the same rounds.
sub beside {
    my ($name, $rounds, $course, $base) = @_;
    my ($one, $other) = map { $_->{$name} } $course, $base;

    return [median_of(@$one{@$rounds}), median_of(@$other{@$rounds}),
        median_of(map { $one->{$_} / $other->{$_} } @$rounds)];
}

# The rounds in which both were asked, and answered; dies if they are few.
sub rounds_of {
    my ($course, $base, $asked) = @_;
    my @rounds = grep { $base->{rates}{$_} } sort keys %{ $course->{rates} };

    die $course->{fault} || $base->{fault} || "it was not asked\n"
      if !@rounds || 2 * @rounds < $asked;
    return \@rounds;
}

# One turn of so many rounds; its number stands beside its figures. $pair_of
# gives the course and the base, for a peer and its server; several may have a
# base in common. $figures_of makes figures of what was seen: for the rate, and
# for usec of processor time each, what beside() returns.
sub turn {
    my ($run, $rounds, $number, $cell, $servers, $pair_of, $figures_of) = @_;
    my (%pair, %course);

    $run->each_server($cell, $servers, sub {
        my ($peer, $server) = @_;
        my @pair = $pair_of->($peer, $server);

        $pair{ $peer->{id} } = \@pair;
        @course{@pair} = @pair;
    });
    for my $round (1 .. $rounds) {
        slice($_, $round) for shuffle values %course;
    }
    $run->each_server($cell, $servers, sub {
        my ($peer) = @_;
        my @pair = @{ $pair{ $peer->{id} } };
        my $both = rounds_of(@pair, $rounds);

        $run->add($cell, $peer, turn => $number, $figures_of->(
                map { beside($_, $both, @pair) } qw(rates cpu_us)));
    });
    return;
}

1;
