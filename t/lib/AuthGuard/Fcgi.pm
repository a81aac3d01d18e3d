# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Fcgi: a FastCGI authorizer of a test's own, for mod_authnz_fcgi;
# AuthGuard::Authorizer is what runs.
#
#   my $fcgi = AuthGuard::Fcgi->new(root => $t->root . '/fcgi',
#       users => { alice => 'right' })->start;
package AuthGuard::Fcgi;

use strict;
use warnings;
use AuthGuard::Daemon ();

our @ISA = qw(AuthGuard::Daemon);

sub set_up { return }

sub program {
    my ($self) = @_;
    my $users = $self->{users};

    return ($^X, '-I' . AuthGuard::Modules::top() . '/t/lib',
        '-MAuthGuard::Authorizer', '-e', 'AuthGuard::Authorizer::serve(@ARGV)',
        $self->{port}, %$users);
}

sub command_line {
    my ($self, @line) = @_;

    return @line;
}

# How many passwords it has found wrong.
sub refusals {
    my ($self) = @_;

    return scalar(() = $self->said =~ /^refused$/mg);
}

1;
