# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Figures: what was seen, as figures: the middle of the samples, their
# spread, the worst of them. A figure that is not there stays away: undef.
package Bench::Figures;

use strict;
use warnings;
use Exporter qw(import);

our @EXPORT_OK = qw(median_of);

# The middle of some numbers; undef of none.
sub median_of {
    my @sorted = sort { $a <=> $b } @_ or return undef;

    return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# seen  as of Bench::Run
sub new {
    my ($class, $data) = @_;

    return bless { seen => $data->{seen} || {} }, $class;
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

# The middle and, where there are several, the least and the greatest. $format
# gives the text for a number.
sub spread {
    my ($self, $format, @which) = @_;
    my @samples = $self->samples(@which) or return undef;
    my ($middle, $least, $most) =
      map { $format->($_) } $self->median(@which), @samples[0, -1];

    return $middle if @samples < 2 || $least eq $most;
    return "$middle ($least to $most)";
}

1;
