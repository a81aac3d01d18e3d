# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Server: what is to be seen of a server from outside: its processor
# time, its memory, the passwords it has looked at. A base class beside the one
# that starts it, which knows its processes() and its error log.
package Bench::Server;

use strict;
use warnings;
use Time::HiRes qw(clock_gettime sleep time);
use AuthGuard::Client ();
use AuthGuard::Httpd ();

use constant { PAGE_BYTES => 1024, QUIET_SECONDS => 0.1,
    PATIENCE_SECONDS => 20 };

# The passwords' files by the directories that they guard: bcrypt of that cost,
# or {SHA}.
my %cost = (slow => 10, mid => 5, fast => undef);

sub directories { return sort keys %cost }

my %hash_of;

# What all servers serve, and whom they know. Each hash is made once.
sub furnish {
    my ($self) = @_;

    $self->file('docs/open.html', '.' x PAGE_BYTES);
    for my $dir (directories()) {
        $hash_of{$dir} ||=
          AuthGuard::Client::hash_password('right', $cost{$dir});
        $self->file("docs/$dir/page.html", '.' x PAGE_BYTES);
        $self->file("users.$dir", "alice:$hash_of{$dir}\n");
    }
    return;
}

# Do it, and be interrupted only then: between its birth and the moment we know
# of it, nobody would end a server.
sub uninterrupted {
    my ($work) = @_;
    my $is_interrupted = 0;
    my $done;

    {
        local $SIG{INT} = local $SIG{TERM} = sub { $is_interrupted = 1 };

        $done = $work->();
    }
    exit 1 if $is_interrupted;
    return $done;
}

# The command line of a daemon, which begins with env and one variable, with
# what is to run it.
sub wrapped {
    my ($self, $env, $variable, @line) = @_;

    return ($env, $variable, @{ $self->{command} || [] }, @line);
}

# Processor time of the server so far, in usec, by its processes' own clocks
# (clock_getcpuclockid(3), whose numbers these are on Linux).
sub cpu_us {
    my ($self) = @_;
    my $us = 0;

    for my $pid ($self->pids) {
        my $seconds = clock_gettime(-8 * ($pid + 1) + 2);

        $us += $seconds * 1e6 if $seconds > 0;    # it may have ended
    }
    return $us;
}

sub memory_pids { return $_[0]->pids }

# What its processes hold of memory, each page once, in bytes.
sub memory_bytes {
    my ($self) = @_;
    my $bytes = 0;

    for my $pid ($self->memory_pids) {
        $bytes += 1024 * $1
          if AuthGuard::Httpd::slurp("/proc/$pid/smaps_rollup") =~
          /^Pss:\s+(\d+)/m;
    }
    return $bytes;
}

# Wrong passwords that were looked at so far, as its error log has them. Waits
# until nothing more comes.
sub verified {
    my ($self) = @_;
    my $deadline = time + PATIENCE_SECONDS;
    my ($before, $now) = (-1, $self->told_wrong);

    while ($now != $before && time < $deadline) {
        $before = $now;
        sleep QUIET_SECONDS;
        $now = $self->told_wrong;
    }
    return $now;
}

sub told_wrong {
    my ($self) = @_;
    my $pattern = $self->wrong_pattern;
    my $log = AuthGuard::Httpd::slurp($self->error_log);

    return scalar(() = $log =~ /$pattern/g);
}

# What it keeps in files besides: ModSecurity's collections.
sub disk_bytes {
    my ($self) = @_;
    my $bytes = 0;

    $bytes += 512 * ((stat)[12] // 0) for glob "$self->{root}/run/*.{dir,pag}";
    return $bytes;
}

# Shared memory that is laid out, touched or not, in bytes: of the process
# that has most.
sub laid_out_bytes {
    my ($self) = @_;
    my $most = 0;
    no warnings 'portable';    # 64-bit addresses

    for my $pid ($self->memory_pids) {
        my $maps = AuthGuard::Httpd::slurp("/proc/$pid/maps");
        my $bytes = 0;

        while ($maps =~ /^([0-9a-f]+)-([0-9a-f]+) \S{3}s /mg) {
            $bytes += hex($2) - hex $1;
        }
        $most = $bytes if $bytes > $most;
    }
    return $most;
}

# Whether this address is refused where it comes with the right password.
sub refuses {
    my ($self, $from) = @_;

    return $self->ask('/fast/page.html', user => 'alice', pass => 'right',
        from => $from)->status != 200;
}

# Guess until this address is refused; twice the limit, for what counts late.
sub lock_out {
    my ($self, $from, $guesses) = @_;

    $self->ask('/fast/page.html', user => 'alice', pass => "wrong $_",
        from => $from) for 1 .. $guesses;
    die "$from is not refused after $guesses guesses\n"
      unless $self->refuses($from);
    return;
}

# One request; as AuthGuard::Client describes it.
sub ask {
    my ($self, $path, %arg) = @_;

    return (AuthGuard::Client::run($self->port, 1, { path => $path, %arg }))[0];
}

1;
