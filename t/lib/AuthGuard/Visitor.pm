# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Visitor: what visitors do to a test's server. A base class of
# AuthGuard::Httpd; AuthGuard::Client tells what describes a request.
package AuthGuard::Visitor;

use strict;
use warnings;
use AuthGuard::Client ();
use AuthGuard::H2 ();

sub get {
    my ($self, $path, %arg) = @_;

    return ($self->many(1, { path => $path, %arg }))[0];
}

# Each on a connection of its own, at most $concurrency at a time.
sub many {
    my ($self, $concurrency, @requests) = @_;

    return AuthGuard::Client::run($self->port, $concurrency, @requests);
}

# All on one HTTP/2 connection, at most $concurrency streams at a time.
sub h2 {
    my ($self, $concurrency, @requests) = @_;

    return AuthGuard::H2::run($self->port, $concurrency, @requests);
}

# One Basic log-in. Returns the status with its substatus: '401.501'.
sub guess {
    my ($self, $path, $user, $password, %arg) = @_;

    return $self->get($path, user => $user, pass => $password, %arg)->code;
}

# $count different wrong passwords of one user, one after the other. Returns
# the tally of the answers.
my $serial = 0;

sub guess_wrong {
    my ($self, $path, $user, $count, %arg) = @_;

    return tally($self->many(1, wrong_guesses($path, $user, $count, %arg)));
}

# As requests; no two of one process are the same.
sub wrong_guesses {
    my ($path, $user, $count, %arg) = @_;

    return map {
        { path => $path, user => $user, pass => 'wrong' . ++$serial, %arg }
    } 1 .. $count;
}

# How many answers of each code: '200=3 401.1=5'.
sub tally {
    my (@answers) = @_;
    my %count;

    $count{ $_->status ? $_->code : 'none' }++ for @answers;
    return join ' ', map { "$_=$count{$_}" } sort keys %count;
}

1;
