# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Httpd: an httpd of the bench's, as a site that wants speed would have
# it. Owns what all httpd in a run have in common; what makes them differ comes
# as `conf`.
#
# One child with many threads: a module that counts for each child by itself,
# as mod_evasive does, then counts at its best.
package Bench::Httpd;

use strict;
use warnings;
use File::Path qw(remove_tree);
use AuthGuard::Httpd ();
use Bench::Server ();

our @ISA = qw(Bench::Server AuthGuard::Httpd);

use constant THREADS => 200;

# conf       as of AuthGuard::Httpd
# libraries  a path to look for libraries in
sub new {
    my ($class, %arg) = @_;
    my $self = AuthGuard::Httpd::new($class, guard => 0, mpm => 'event', %arg);

    # Whether its log is as a test would want it is not asked here.
    $self->{is_done} = 1;
    $self->furnish;
    return $self;
}

# No .htaccess is looked for. One line a request is logged, and what httpd logs
# unless told otherwise.
sub configuration {
    my ($self) = @_;
    my $threads = THREADS;
    my $workers = "StartServers 1\nServerLimit 1\nThreadLimit $threads\n"
      . "ThreadsPerChild $threads\nMaxRequestWorkers $threads\n";
    my $text = $self->SUPER::configuration;

    $text =~ s/^AllowOverride All$/AllowOverride None/m;
    $text =~ s/^Options All -MultiViews$/Options FollowSymLinks/m;
    $text =~ s/^LogLevel notice$/LogLevel warn mpm_event:notice/m;
    return $text . $workers;
}

sub launch {
    my ($self) = @_;
    local $ENV{LD_LIBRARY_PATH} = $self->{libraries} if $self->{libraries};

    return Bench::Server::uninterrupted(sub { $self->SUPER::launch });
}

sub pids { return $_[0]->members }

sub error_log { return "$_[0]{root}/logs/error.log" }

# Not of an unknown user: the bench knows one user only.
sub wrong_pattern { return qr/ AH01617: / }

# Take it away, with all it wrote.
sub finish {
    my ($self) = @_;

    if ($self->{pid}) {
        kill 'KILL', -$self->{group};
        $self->reap;
        $self->kill_group;
    }
    $self->remove_semaphores;
    remove_tree($self->root);
    return;
}

1;
