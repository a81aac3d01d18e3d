# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Rounds: servers beside each other on a machine that is now fast, now
# slow. Each is asked for a moment only, many times over, all of them in each
# round and in another order each time: so whatever else goes on hits all
# alike, and a round's ratio says more than a minute's.
#
#   my $course = Bench::Rounds::course($server, sub { rate(...) });
#   Bench::Rounds::turn($run, $rounds, $cell, $servers, sub {
#       my ($peer, $server) = @_;
#       return ($course, $base);    # which several may have in common
#   }, sub { my ($course, $base) = @_; return (figure => ...) });
package Bench::Rounds;

use strict;
use warnings;
use List::Util qw(shuffle);
use Bench::Figures qw(median_of);

use constant FAR_EVERY => 4;

# A way to ask a server. $ask returns requests a second, and how many were
# answered; or dies.
sub course {
    my ($server, $ask) = @_;

    return { server => $server, ask => $ask };
}

# Ask for a moment. The rate stands under the round's number, for others are
# asked in that round, too.
sub slice {
    my ($course, $round) = @_;
    my $server = $course->{server};
    my $before = $server->cpu_us;

    eval {
        my ($rate, $answers) = $course->{ask}->();

        $course->{rates}{$round} = $rate;
        $course->{answers} += $answers;
        $course->{cpu_us} += $server->cpu_us - $before;
        1;
    } or $course->{fault} = $@;
    return;
}

# Requests a second of a course, of its base, and of one another.
sub rates {
    my ($course, $base) = @_;
    my ($rates, $base_rates) = map { $_->{rates} } $course, $base;
    my @rounds = keys %$rates;

    return (median_of(values %$rates), median_of(@$base_rates{@rounds}),
        median_of(map { $rates->{$_} / $base_rates->{$_} } @rounds));
}

# Usec of processor time for each answer.
sub cpu_us { return $_[0]{cpu_us} / $_[0]{answers} }

# One turn of so many rounds. Who is far from its base is not asked in each.
sub turn {
    my ($run, $rounds, $cell, $servers, $pair_of, $figures_of) = @_;
    my (%pair, %every);

    $run->each_server($cell, $servers, sub {
        my ($peer, $server) = @_;
        my $every = $peer->{near} ? 1 : FAR_EVERY;

        $pair{ $peer->{id} } = [$pair_of->($peer, $server)];
        for (@{ $pair{ $peer->{id} } }) {
            $every{$_} = [$_, $every]
              if !$every{$_} || $every < $every{$_}[1];
        }
    });
    for my $round (1 .. $rounds) {
        slice($_, $round) for grep { !$_->{fault} } map { $_->[0] }
          grep { $round % $_->[1] == 0 } shuffle @every{ sort keys %every };
    }
    $run->each_server($cell, $servers, sub {
        my ($peer) = @_;
        my @pair = @{ $pair{ $peer->{id} } };

        for (@pair) { die $_->{fault} if $_->{fault} }
        $run->add($cell, $peer, $figures_of->(@pair));
    });
    return;
}

1;
