# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Figures: what was seen, as figures: the middle of the samples, their
# spread, the worst of them. A figure that is not there stays away: undef.
package Bench::Figures;

use strict;
use warnings;
use Exporter qw(import);

use constant MANY => 12;

our @EXPORT_OK = qw(median_of);

# The middle of some numbers; undef of none.
sub median_of {
    my @sorted = sort { $a <=> $b } @_ or return undef;

    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# seen  as of Bench::Run
sub new {
    my ($class, $data) = @_;

    return bless { seen => $data->{seen} || {}, notes => $data->{notes} || {} },
      $class;
}

# Whether a measurement of this peer broke off.
sub has_failed {
    my ($self, $id) = @_;

    return scalar grep { /\Afailed: / } values %{ $self->{notes}{$id} || {} };
}

# In the order in which they were seen, one a turn.
sub turns {
    my ($self, $cell, $id, $name) = @_;

    return @{ $self->{seen}{$cell}{$id}{$name} || [] };
}

sub samples {
    my ($self, @which) = @_;

    return sort { $a <=> $b } $self->turns(@which);
}

sub median {
    my ($self, @which) = @_;

    return median_of($self->samples(@which));
}

sub least {
    my ($self, @which) = @_;
    my @samples = $self->samples(@which);

    return $samples[0];
}

sub most {
    my ($self, @which) = @_;
    my @samples = $self->samples(@which);

    return @samples ? $samples[-1] : undef;
}

sub is_seen {
    my ($self, $cell, $id) = @_;

    return !!$self->{seen}{$cell}{$id};
}

# The middle and, where there are several, the least and the greatest; of many,
# the bounds of their middle half. $format gives the text for a number.
sub spread {
    my ($self, $format, @which) = @_;
    my @samples = $self->samples(@which) or return undef;
    my $outside = @samples < MANY ? 0 : int @samples / 4;
    my ($middle, $from, $to) = map { $format->($_) } $self->median(@which),
      @samples[$outside, -1 - $outside];

    return $middle if @samples < 2 || $from eq $to;
    return "$middle ($from to $to)";
}

1;
