# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Nginx: an nginx of the bench's, from the package that `make
# bench-deps` unpacks. Owns what both its settings have in common.
package Bench::Nginx;

use strict;
use warnings;
use File::Path qw(make_path remove_tree);
use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use Time::HiRes qw(sleep);
use AuthGuard::Daemon ();
use AuthGuard::Httpd ();
use Bench::Server ();

our @ISA = qw(Bench::Server AuthGuard::Daemon);

use constant WAKE_SECONDS => 0.3;

my @made;
my $owner = $$;

# http      what stands in the section http
# location  what each guarded location has, beside its passwords
# single    1: one process, in the foreground (for callgrind)
# command   [...] to put before its command line
sub new {
    my ($class, %arg) = @_;
    my $base = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);

    chmod 0755, $base;
    my $self = AuthGuard::Daemon::new($class, http => '', location => '',
        command => [], %arg, base => $base, root => "$base/nginx");
    push @made, $self;
    return $self;
}

sub packages { return 'nginx' }

sub program {
    my ($self) = @_;

    return ('usr/sbin/nginx', '-p', $self->{root}, '-e', $self->error_log,
        '-c', "$self->{root}/nginx.conf");
}

# The workers go with the master where that is told to end.
sub dies_by { return 'TERM' }

sub command_line {
    my ($self, @line) = @_;

    return $self->wrapped($self->SUPER::command_line(@line));
}

sub start {
    my ($self) = @_;

    return Bench::Server::uninterrupted(sub { $self->SUPER::start });
}

sub file {
    my ($self, $name, $text) = @_;

    make_path(dirname("$self->{root}/$name"));
    return $self->SUPER::file($name, $text);
}

sub set_up {
    my ($self) = @_;

    chmod 0755, $self->{root};
    $self->furnish;
    mkdir "$self->{root}/$_" for qw(logs temp);
    chmod 0777, "$self->{root}/temp";
    $self->file('nginx.conf', $self->configuration);
    return;
}

sub configuration {
    my ($self) = @_;
    my $root = $self->{root};
    my $user = getpwnam('www-data') ? 'www-data' : 'daemon';
    my $processes =
      $self->{single} ? 'master_process off' : 'worker_processes auto';
    my $temp = join '', map { "${_}_temp_path $root/temp;\n" }
      qw(client_body proxy fastcgi uwsgi scgi);
    my $places = join '', map { $self->places($_) }
      Bench::Server::directories();

    return ($> || $self->{single} ? '' : "user $user;\n")
      . "daemon off;\n$processes;\n"
      . "pid $root/nginx.pid;\nworker_rlimit_nofile 4096;\n"
      . "events { worker_connections 2048; }\n"
      . "http {\n$temp"
      . "types { text/html html; }\n"
      . "access_log $root/logs/access.log;\n"
      . "server_tokens off;\nsendfile on;\nkeepalive_requests 10000000;\n"
      . "$self->{http}"
      . "server {\nlisten 127.0.0.1:$self->{port};\nroot $root/docs;\n"
      . "${places}location /open.html { }\n"
      . "location /bare/ { return 429; }\n} }\n";
}

# A guarded place, and the same without what guards it.
sub places {
    my ($self, $dir) = @_;
    my $root = $self->{root};
    my $login = qq(auth_basic "test";\n)
      . "auth_basic_user_file $root/users.$dir;\n";

    return "location /$dir/ {\n$login$self->{location}}\n"
      . "location /unguarded/$dir/ {\n${login}alias $root/docs/$dir/;\n}\n";
}

sub pids {
    my ($self) = @_;

    return ($self->{pid}, map { $_->[0] }
          grep { $_->[1] == $self->{pid} } AuthGuard::Httpd::processes());
}

# Where the same is to be had without what guards it.
sub base_port { return $_[0]->port }
sub base_path { return '/unguarded' }

sub error_log { return "$_[0]{root}/logs/error.log" }

sub wrong_pattern { return qr/: password mismatch/ }

# Workers that check passwords end when they are through with all that waits;
# here master and workers end at once. As one process it ends in order, for
# callgrind; but it does not wake for a signal that came just before it waits,
# only for the next one.
sub stop {
    my ($self) = @_;

    return unless $self->{pid};
    kill $self->{single} ? 'TERM' : 'KILL', $self->pids;
    sleep WAKE_SECONDS if $self->{single};
    return $self->SUPER::stop;
}

sub finish {
    my ($self) = @_;

    $self->stop;
    remove_tree($self->{base});
    return;
}

# Before AuthGuard::Daemon ends the master alone: its workers would live on.
END {
    my $status = $?;

    $_->stop for $$ == $owner ? @made : ();
    $? = $status;
}

1;
