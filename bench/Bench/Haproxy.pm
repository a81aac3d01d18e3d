# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Haproxy: an HAProxy of the bench's, from the package that `make
# bench-deps` unpacks, with a plain httpd behind it. Its processor time is
# both servers'; its memory is HAProxy's alone.
package Bench::Haproxy;

use strict;
use warnings;
use File::Path qw(remove_tree);
use File::Temp ();
use AuthGuard::Daemon ();
use AuthGuard::Httpd ();
use Bench::Httpd ();
use Bench::Server ();

our @ISA = qw(Bench::Server AuthGuard::Daemon);

# frontend   what guards, in the frontend
# conf       the httpd's, as of Bench::Httpd
# one_login  1: a backend `logins` that gets one request at a time
# single     1: one thread (for callgrind)
# command    [...] to put before its command line
sub new {
    my ($class, %arg) = @_;
    my $base = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    my $behind = Bench::Httpd->new(conf => $arg{conf});

    return AuthGuard::Daemon::new($class, command => [], %arg,
        behind => $behind, base => $base, root => "$base/haproxy");
}

sub packages { return 'haproxy' }

sub program {
    my ($self) = @_;

    return ('usr/sbin/haproxy', '-db', '-f', "$self->{root}/haproxy.cfg");
}

sub command_line {
    my ($self, @line) = @_;

    return $self->wrapped($self->SUPER::command_line(@line));
}

sub set_up {
    my ($self) = @_;

    $self->{unguarded} = AuthGuard::Httpd::free_port();
    return;
}

sub configuration {
    my ($self) = @_;
    my $threads = $self->{single} ? "nbthread 1\n" : '';
    my $user = getpwnam('www-data') ? 'www-data' : 'daemon';
    my $as = $> || $self->{single} ? '' : "user $user\ngroup $user\n";

    return <<"END";
global
maxconn 4000
$threads${as}log stdout format raw local0
defaults
mode http
log global
option httplog
timeout connect 5s
timeout client 60s
timeout server 60s
timeout http-keep-alive 60s
frontend guarded
bind 127.0.0.1:$self->{port}
$self->{frontend}default_backend site
frontend unguarded
bind 127.0.0.1:$self->{unguarded}
http-request deny deny_status 429 if { path_beg /bare/ }
default_backend site
@{[$self->backend('site', '')]}@{[$self->{one_login} ?
    $self->backend('logins', 'maxconn 1') : '']}
END
}

sub backend {
    my ($self, $name, $limit) = @_;
    my $port = $self->{behind}->port;

    return "backend $name\nhttp-reuse always\noption forwardfor\n"
      . "server httpd 127.0.0.1:$port $limit\n";
}

sub start {
    my ($self) = @_;

    $self->{behind}->start;
    $self->file('haproxy.cfg', $self->configuration);
    return Bench::Server::uninterrupted(sub { $self->SUPER::start });
}

sub pids { return ($_[0]{pid}, $_[0]{behind}->pids) }

# Where the same is to be had without what guards it.
sub base_port { return $_[0]{unguarded} }
sub base_path { return '' }

sub memory_pids { return $_[0]{pid} }

sub error_log { return $_[0]{behind}->error_log }

sub wrong_pattern { return $_[0]{behind}->wrong_pattern }

sub finish {
    my ($self) = @_;

    $self->stop;
    $self->{behind}->finish;
    remove_tree($self->{base});
    return;
}

1;
