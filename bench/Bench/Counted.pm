# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Counted: an httpd under callgrind, as Counted has it; where is_fresh
# is set, each request has a connection of its own: for a server that closes
# after each refusal.
package Bench::Counted;

use strict;
use warnings;
use Bench::Httpd ();
use Bench::Server ();
use Counted ();

our @ISA = ('Counted');

# It serves the bench's pages.
sub new {
    my ($class, %arg) = @_;
    my $self = Counted::new($class, %arg, conf => "LogLevel warn\n$arg{conf}");

    $self->{is_done} = 1;    # its log is not judged
    push @{ $self->{command} }, '--vgdb=no';    # its pipes would be left
    Bench::Server::furnish($self);
    return $self;
}

sub ask {
    my ($self, $path, $count, %arg) = @_;
    my $answer;

    return $self->SUPER::ask($path, $count, %arg) unless $self->{is_fresh};
    $answer = $self->SUPER::ask($path, 1, %arg) for 1 .. $count;
    return $answer;
}

sub finish { return Bench::Httpd::finish(@_) }

1;
