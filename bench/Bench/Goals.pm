# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Goals: what the guard must reach, and whether it did. Those that are
# exact gate; those by the clock are told.
package Bench::Goals;

use strict;
use warnings;
use List::Util qw(max min);
use Bench::Figures qw(median_of);
use Bench::Peers ();

my @ours = qw(guard provider);

# Each: what, what was measured (undef: not all of it), whether it was
# reached, and whether it gates.
sub all {
    my ($figures) = @_;

    return (exact($figures), counted($figures), timed($figures),
        crowded($figures));
}

# Whether one of those that gate was missed, or could not be told because the
# guard failed.
sub is_missed {
    my ($figures) = @_;

    return 1 if grep { $figures->has_failed($_) } @ours;
    return scalar grep { $_->{gates} && !($_->{reached} // 1) } all($figures);
}

# What is shown is what is judged.
sub goal {
    my ($text, $value, $format, $is_reached, $gates) = @_;
    my $shown = defined $value ? sprintf($format, $value) : undef;

    return { text => $text, gates => $gates || 0, value => $shown,
        reached => defined $shown ? ($is_reached->($shown) ? 1 : 0) : undef };
}

sub at_most {
    my ($text, $most, $value, $format, $gates) = @_;

    return goal($text, $value, $format || '%.0f', sub { $_[0] <= $most },
        $gates);
}

sub at_least {
    my ($text, $least, $value, $format) = @_;

    return goal($text, $value, $format || '%.2f', sub { $_[0] >= $least });
}

# The worst of those; undef where one of them is missing.
sub worst {
    my ($how, @values) = @_;

    return undef if !@values || grep { !defined } @values;
    return $how->(@values);
}

sub leak_of {
    my ($figures, $id) = @_;

    return worst(\&max, map { $figures->most('exact', $id, $_) }
          qw(fresh kept patient));
}

sub refused_of {
    my ($figures, $id, @who) = @_;

    return worst(sub { my $sum = 0; $sum += $_ for @_; $sum },
        map { $figures->most('exact', $id, "${_}_refused") } @who);
}

# Settings that let nobody guess beyond the limit and refuse none of those, and
# how many right requests a second they serve for one client; 'none', or undef
# where no peer was there.
sub faultless {
    my ($figures, @who) = @_;
    my (@measured, @faultless);

    for my $peer (Bench::Peers::all()) {
        my $id = $peer->{id};
        next if $id eq 'plain' || grep { $_ eq $id } @ours;
        my $leak = leak_of($figures, $id) // next;
        my $refused = refused_of($figures, $id, @who) // next;
        my ($rate, $plain) = map { $figures->median('exact', $_, 'right_rate') }
          $id, 'plain';

        push @measured, $id;
        push @faultless,
          sprintf '%s, %s (%.0f right ones a second, plain %.0f)',
          $peer->{name}, $peer->{setting}, $rate, $plain // 0
          if $leak <= Bench::Peers::LIMIT && !$refused;
    }
    return undef unless @measured;
    return join('; ', @faultless) || 'none';
}

sub exact {
    my ($figures) = @_;
    my @right = qw(right visitor);
    my $is_none = sub { $_[0] eq 'none' };

    return (
        at_most('wrong passwords looked at, at limit 5: at most 5',
            Bench::Peers::LIMIT,
            worst(\&max, map { leak_of($figures, $_) } @ours), undef, 1),
        at_most('right passwords and visitors refused: 0', 0,
            worst(\&max, map { refused_of($figures, $_, @right) } @ours),
            undef, 1),
        at_most('users with an old password saved refused: 0', 0,
            worst(\&max, map { refused_of($figures, $_, 'old') } @ours),
            undef, 1),
        goal('peers that hold the first two: none',
            faultless($figures, @right), '%s', $is_none),
        goal('peers that hold all three: none',
            faultless($figures, @right, 'old'), '%s', $is_none));
}

sub counted {
    my ($figures) = @_;
    my %of = map { my $name = $_; $name => worst(\&max,
            map { $figures->median('instructions', $_, $name) } @ours) }
      qw(refusal good);
    my %above = map { my $name = $_; $name => worst(\&max,
            map { my $id = $_; worst(sub { $_[0] - $_[1] },
                map { $figures->median('instructions', $id, $_) }
                $name, "${name}_base") } @ours) } qw(refusal good);

    return (
        at_most('instructions of a refusal: at most 33,000', 33_000,
            $of{refusal}, undef, 1),
        at_most('above the bare module: at most 1,800', 1_800, $above{refusal},
            undef, 1),
        at_most('instructions of a good request above plain: at most 3,000',
            3_000, $above{good}, undef, 1));
}

# A figure of each turn, by its number.
sub by_turn {
    my ($figures, $cell, $id, $name) = @_;
    my %of;

    @of{ $figures->turns($cell, $id, 'turn') } =
      $figures->turns($cell, $id, $name);
    return \%of;
}

# A figure of one of the guard's ways, of that of another peer in the same turn:
# the middle of the turns that both took part in. undef if there is none.
sub of_peer {
    my ($figures, $cell, $name, $way, $peer) = @_;
    my ($mine, $theirs) =
      map { by_turn($figures, $cell, $_, $name) } $way, $peer;

    return median_of(map { $mine->{$_} / $theirs->{$_} }
          grep { $theirs->{$_} } keys %$mine);
}

# Each way of the guard, of whichever of httpd's modules it comes out worst
# beside; undef where one of those is missing.
sub of_the_best {
    my ($figures, $cell, $name) = @_;
    my @ways;

    for my $way (@ours) {
        push @ways, worst(\&min,
            map { of_peer($figures, $cell, $name, $way, $_) }
              qw(evasive qos modsecurity)) // return undef;
    }
    return \@ways;
}

# Each way of the guard by itself.
sub ways {
    my ($figures, $cell, $name) = @_;
    my @ways = map { $figures->median($cell, $_, $name) } @ours;

    return undef if grep { !defined } @ways;
    return \@ways;
}

# Both ways of the guard, by the worse of them.
sub both_at_least {
    my ($text, $least, $ways) = @_;
    my $goal = at_least($text, $least, $ways && min(@$ways));

    $goal->{value} = join ' and ', map { sprintf '%.2f', $_ } @$ways if $ways;
    return $goal;
}

sub timed {
    my ($figures) = @_;

    return (
        both_at_least('refusals a second, each of its bare module\'s, of those '
              . 'of the best httpd peer: at least 1', 1.0,
            of_the_best($figures, 'refusal', 'rate_ratio')),
        both_at_least('the same in numbers, whatever the size of the page: '
              . 'at least 1', 1.0,
            of_the_best($figures, 'refusal', 'rate')),
        both_at_least('good requests a second, of plain: at least 0.97', 0.97,
            ways($figures, 'good', 'rate_ratio')),
        at_most('a user\'s p50 under one attacker, of idle: at most 1.3', 1.3,
            $figures->median('calm', 'guard', 'one_ratio_user'), '%.2f'),
        (map { at_most("$_->[0] p50 under 200 addresses, AuthGuardChecks 1, "
                . 'of idle: at most 2', 2, $figures->median('calm_one_check',
                'guard', "many_ratio_$_->[1]"), '%.2f') }
            ['a user\'s', 'user'], ['a static page\'s', 'static']));
}

sub crowded {
    my ($figures) = @_;

    return (
        at_most('bytes a client: at most 128', 128,
            $figures->median('laid_out', 'guard', 'each')),
        at_least('new clients a second, of unguarded: at least 0.95', 0.95,
            $figures->median('crowd', 'guard', 'new_ratio')),
        at_most('a locked client freed by a flood: never', 0,
            $figures->most('flood', 'guard', 'freed')));
}

1;
