# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Bare: the least that the refusals of httpd's modules can cost: the
# directives for bench/mod_bare.c to give an answer of the same status, headers
# and size.
package Bench::Bare;

use strict;
use warnings;
use Bench::Peers ();
use Bench::Server ();
use Counted ();

# The module, and that answer in the place of /fast/; other places as in every
# server, for httpd looks at all of them, each with the further lines.
sub in_place {
    my ($answer, @more) = @_;
    my $module = Counted::load('bare');

    return join '', $module, map {
        Bench::Peers::section($_, @more,
            $_ eq 'fast' ? lines_of($answer) : ()) }
      Bench::Server::directories();
}

sub lines_of {
    my ($answer) = @_;
    my @lines = sprintf 'BareAnswer %d "%s" %d', $answer->status,
      $answer->header('content-type'), length $answer->body;

    for my $name (qw(Cache-Control Retry-After WWW-Authenticate Vary)) {
        my $value = $answer->header($name) // next;

        push @lines, sprintf 'BareHeader %s "%s"', $name, $value =~ s/"/\\"/gr;
    }
    return @lines;
}

1;
