# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Daemon: a server beside httpd that a test asks for passwords. It
# listens on 127.0.0.1, stays in the foreground, and ends with the test. A base
# class: whoever inherits says how it is set up, and its command line.
package AuthGuard::Daemon;

use strict;
use warnings;
use IO::Socket::INET ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use AuthGuard::Httpd ();
use AuthGuard::Modules ();

use constant PATIENCE_SECONDS => 20;

my @running;
my $owner = $$;

# root  a directory of its own
sub new {
    my ($class, %arg) = @_;
    my $self = bless { %arg, port => AuthGuard::Httpd::free_port() }, $class;

    mkdir $self->{root} or die "$self->{root}: $!";
    chmod 0700, $self->{root};
    push @running, $self;
    $self->set_up;
    return $self;
}

sub port { return $_[0]{port} }

sub file {
    my ($self, $name, $text) = @_;
    my $path = "$self->{root}/$name";

    open(my $out, '>', $path) or die "$path: $!";
    print $out $text;
    close($out) or die "$path: $!";
    return $path;
}

# A program of the unpacked packages, with their libraries.
sub command_line {
    my ($self, $program, @arguments) = @_;
    my @packages = $self->packages;

    return ('env', 'LD_LIBRARY_PATH='
          . AuthGuard::Modules::library_path(@packages),
        AuthGuard::Modules::unpacked($program, @packages), @arguments);
}

# Run one to its end.
sub run {
    my ($self, $program, @arguments) = @_;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    $self->become($program, @arguments) unless $pid;
    waitpid $pid, 0;
    die "$program: $?\n" . $self->said if $?;
    return;
}

sub said { return AuthGuard::Httpd::slurp("$_[0]{root}/said.log") }

# The signal that a daemon gets when the test is gone; one with workers may want
# another.
sub dies_by { return 'KILL' }

sub become {
    my ($self, @line) = @_;

    $SIG{INT} = $SIG{TERM} = 'DEFAULT';
    open(STDIN,  '<',  '/dev/null');
    open(STDOUT, '>>', "$self->{root}/said.log");
    open(STDERR, '>&', \*STDOUT);
    exec('setpriv', '--pdeathsig', $self->dies_by,
        $self->command_line(@line))
      or POSIX::_exit(127);
}

# Start it; returns when it takes connections.
sub start {
    my ($self) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    $self->{pid} = fork // die "fork: $!";
    $self->become($self->program) unless $self->{pid};
    until (IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $self->{port}))
    {
        die "it ended:\n" . $self->said
          if waitpid($self->{pid}, WNOHANG) == $self->{pid};
        die "it does not listen:\n" . $self->said if time > $deadline;
        sleep 0.01;
    }
    return $self;
}

# Let it hang, with its connections open; returns when all threads do.
sub pause {
    my ($self) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    kill 'STOP', $self->{pid};
    while (grep { AuthGuard::Httpd::slurp($_) !~ /\) T / }
        glob "/proc/$self->{pid}/task/*/stat")
    {
        die 'it does not hang' if time > $deadline;
        sleep 0.01;
    }
    return;
}

sub resume { return kill 'CONT', $_[0]{pid} }

# Stop it; returns when it is gone.
sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    my $deadline = time + PATIENCE_SECONDS;

    kill 'TERM', $pid;
    while (waitpid($pid, WNOHANG) == 0) {
        kill 'KILL', $pid if time > $deadline;
        sleep 0.01;
    }
    return;
}

END {
    my $status = $?;

    for my $self ($$ == $owner ? @running : ()) {
        next unless $self->{pid};
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }
    $? = $status;
}

1;
