# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Httpd: a real httpd of a test's own.
#
# Owns a temporary directory with everything httpd needs, the process it
# starts, and the promise that neither outlives the test. Knows nothing of
# what the guard should do.
#
#   my $t = AuthGuard::Httpd->new(conf => '...');
#   $t->start;
#   is($t->get('/a/', user => 'alice', pass => 'right')->status, 200);
#   $t->done;    # stops httpd and judges its error log
package AuthGuard::Httpd;

use strict;
use warnings;
use Cwd ();
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp ();
use IO::Socket::INET ();
use IPC::SysV qw(IPC_RMID);
use POSIX qw(WNOHANG);
use Test::More ();
use Time::HiRes qw(sleep time);
use AuthGuard::Client ();
use AuthGuard::Config ();
use AuthGuard::Log ();
use AuthGuard::Modules ();
use AuthGuard::Sanitizer ();
use AuthGuard::Visitor ();

our @ISA = qw(AuthGuard::Config AuthGuard::Log AuthGuard::Visitor);

use constant {
    START_SECONDS => 20,
    STOP_SECONDS  => 15,
};

umask 022;    # what httpd reads, others than root read

my @running;
my $owner = $$;
$SIG{INT} = $SIG{TERM} = sub { exit 1 };

# conf     configuration, after everything else; @ROOT@ @DOCS@ @PORT@ are
#          replaced, in files written by file() too
# modules  modules to load beside the usual ones
# guard    0: leave mod_auth_guard out
# store    arguments of AuthGuardStore, instead of a file of the test's own
# mpm      event, worker or prefork
# threads  1: not prefork, as HTTP/2 and ThreadsPerChild need
# command  [...] to put before httpd's own command line
# options  [...] to put after it
sub new {
    my ($class, %arg) = @_;
    my $mpm = $arg{mpm} || $ENV{AUTHGUARD_MPM} || 'event';
    $mpm = 'event' if $arg{threads} && $mpm eq 'prefork';
    my $root = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    my $self = bless {
        guard => 1, conf => '', modules => [], command => [], options => [],
        listen => '',
        %arg, mpm => $mpm, root => $root, port => free_port(), expected => [],
    }, $class;

    # Guarded code runs as another user when the test runs as root.
    chmod 0755, $root;
    make_path(map { "$root/$_" } qw(docs run logs));
    chmod 0777, "$root/run" if $> == 0;
    $self->file('docs/index.html', "home\n");
    push @running, $self;
    return $self;
}

sub root { return $_[0]{root} }
sub docs { return "$_[0]{root}/docs" }
sub port { return $_[0]{port} }
sub pid  { return $_[0]{pid} }

sub expand {
    my ($self, $text) = @_;
    my %value = (ROOT => $self->root, DOCS => $self->docs,
        PORT => $self->port);

    $text =~ s/\@(ROOT|DOCS|PORT)\@/$value{$1}/g;
    return $text;
}

# Write a file below the root, its directories too.
sub file {
    my ($self, $path, $text) = @_;
    my $full = "$self->{root}/$path";

    make_path(dirname($full));
    open(my $out, '>', $full) or die "$full: $!";
    print $out $self->expand($text);
    close($out) or die "$full: $!";
    return $full;
}

# A directory below docs with an index page that says its name.
sub dir {
    my ($self, $name, $htaccess) = @_;

    $self->file("docs/$name/index.html", "inside $name\n");
    $self->file("docs/$name/.htaccess", $htaccess) if defined $htaccess;
    return;
}

# A password file: cost => 5 for bcrypt of that cost, else {SHA}.
sub passwords {
    my ($self, $path, $users, %arg) = @_;
    my $text = join '',
      map { "$_:" . AuthGuard::Client::hash_password($users->{$_}, $arg{cost})
          . "\n" } sort keys %$users;

    return $self->file($path, $text);
}

sub free_port {
    for (1 .. 50) {

        # Below the kernel's range for clients, so that none sits on it
        # between a stop and a start.
        my $port = 10000 + int rand 20000;
        my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
            LocalPort => $port, Listen => 1);

        return $port if $socket;
    }
    die "no free port";
}

# Start httpd and return when it is ready, or die with what it said.
sub start {
    my ($self) = @_;

    for my $try (1 .. 3) {
        my $said = $self->try_start;

        return $self unless defined $said;
        die "httpd did not start:\n$said"
          unless $said =~ /Address already in use/ && !$self->{started};
        $self->{port} = free_port();
    }
    die 'no port to be had';
}

# Start httpd where it should refuse. Returns what it said.
sub refusal {
    my ($self) = @_;
    my $said = $self->try_start;

    $self->stop unless defined $said;
    return $said;
}

sub try_start {
    my ($self) = @_;
    my $root = $self->root;
    my $ready = $self->ready_count;

    $self->file('httpd.conf', $self->configuration);
    my $from = -s "$root/logs/error.log" || 0;
    $self->launch;
    my $deadline = time + ($self->{start_seconds} || START_SECONDS);
    while (!$self->is_ready($ready)) {
        if (waitpid($self->{pid}, WNOHANG) == $self->{pid}) {
            delete $self->{pid};
            my $said = slurp("$root/logs/stderr.log")
              . substr(slurp("$root/logs/error.log"), $from);
            truncate "$root/logs/error.log", $from;
            return $said;
        }
        die "httpd is not ready\n" if time > $deadline;
        sleep 0.01;
    }
    $self->{started} = 1;
    return undef;
}

sub launch {
    my ($self) = @_;
    my $root = $self->root;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';

        # A group of its own: httpd signals its whole group, and so do we.
        # Should the test be killed, the kernel ends httpd.
        setpgrp(0, 0);
        open(STDIN,  '<', '/dev/null');
        open(STDOUT, '>', "$root/logs/stdout.log");
        open(STDERR, '>', "$root/logs/stderr.log");
        my @line = ('setpriv', '--pdeathsig', 'TERM',
            (map { $self->expand($_) } @{ $self->{command} }),
            AuthGuard::Modules::httpd_path(), '-d', $root, '-f',
            "$root/httpd.conf", '-DFOREGROUND', @{ $self->{options} });
        exec(@line) or POSIX::_exit(127);
    }
    setpgrp($pid, $pid);
    $self->{pid} = $self->{group} = $pid;
    return;
}

# Under -X httpd does not say when it is ready.
sub is_ready {
    my ($self, $before) = @_;

    return $self->ready_count > $before
      unless grep { $_ eq '-X' } @{ $self->{options} };
    return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->port);
}

sub ready_count {
    my ($self) = @_;
    my $log = slurp($self->root . '/logs/error.log');

    return scalar(() = $log =~ /resuming normal operations/g);
}

# Wait for the parent to go, at most STOP_SECONDS. Returns its exit status.
sub reap {
    my ($self) = @_;
    my $deadline = time + STOP_SECONDS;

    while (waitpid($self->{pid}, WNOHANG) == 0) {
        kill 'KILL', -$self->{group} if time > $deadline;
        sleep 0.01;
    }
    my $status = $?;
    delete $self->{pid};
    return $status;
}

sub stop {
    my ($self) = @_;

    return 0 unless $self->{pid};
    my $before = length slurp("$self->{root}/logs/error.log");
    kill 'TERM', $self->{pid};
    my $status = $self->reap;
    push @{ $self->{stop_logs} },
      substr slurp("$self->{root}/logs/error.log"), $before;
    $self->{ended_badly} ||= $status;
    $self->kill_group;
    return $status;
}

# Kill -9 whatever is left of httpd, and wait until it is gone.
sub kill_group {
    my ($self) = @_;
    my $deadline = time + STOP_SECONDS;

    while ($self->{group} && $self->members) {
        kill 'KILL', -$self->{group};
        die 'httpd does not die' if time > $deadline;
        sleep 0.01;
    }
    delete $self->{group};
    return;
}

# Kill -9 of everything at once.
sub crash {
    my ($self) = @_;

    $self->expect_log(qr/AH00098: pid file .* overwritten/, optional => 1);
    kill 'KILL', -$self->{group};
    $self->reap;
    $self->kill_group;
    return;
}

# Graceful restart; returns when the new generation serves.
sub graceful {
    my ($self) = @_;
    my $ready = $self->ready_count;
    my $deadline = time + START_SECONDS;

    kill 'USR1', $self->{pid};
    while ($self->ready_count == $ready) {
        die 'graceful restart: httpd is not ready' if time > $deadline;
        sleep 0.01;
    }
    return;
}

# Live processes as [pid, parent, group]. One whose first thread is a zombie
# lives on, with its sockets, while it has other threads.
sub processes {
    my @found;

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid, $fields) = slurp($stat) =~ /\A(\d+) \(.*\) (.*)/s or next;
        my ($state, $parent, $group, $threads) =
          (split ' ', $fields)[0, 1, 2, 17];

        push @found, [$pid, $parent, $group]
          unless $state eq 'Z' && $threads < 2;
    }
    return @found;
}

sub members {
    my ($self) = @_;

    return map { $_->[0] } grep { $_->[2] == $self->{group} } processes();
}

sub children {
    my ($self) = @_;

    return map { $_->[0] } grep { $_->[1] == $self->{pid} } processes();
}

# Kill -9 of all children; returns how many, once they are gone.
sub kill_children {
    my ($self) = @_;
    my %doomed = map { $_ => 1 } $self->children;

    kill 'KILL', keys %doomed;
    sleep 0.005 while grep { $doomed{$_} } $self->children;
    return scalar keys %doomed;
}

sub slurp {
    my ($path) = @_;

    open(my $in, '<:raw', $path) or return '';
    local $/;
    my $text = <$in>;
    return defined $text ? $text : '';
}

# A parent that was killed leaves its semaphore to the next one on the same
# path (src/guard_checks.c); where none comes, it is taken away here.
sub remove_semaphores {
    my ($self) = @_;
    use integer;    # multiplication wraps at 64 bits, as in C
    my ($dev, $inode) = stat "$self->{root}/run" or return;

    for my $name (map { /([^\/]+)\z/ } glob "$self->{root}/run/*") {
        my $mixed = $dev << 32 ^ $inode;
        $mixed = ($mixed ^ ord) * 1099511628211 for split //, $name;
        my $key = ($mixed * -7046029254386353131 >> 33) & 0x7fffffff;
        my $id = semget($key || 1, 2, 0);

        semctl($id, 0, IPC_RMID, 0) if defined $id;
    }
    return;
}

# Stop, and judge the log: the last thing a test does with a server.
sub done {
    my ($self) = @_;

    $self->stop;
    $self->remove_semaphores;
    $self->{is_done} = 1;
    Test::More::is($self->{ended_badly} || 0, 0, 'httpd ended in order');
    AuthGuard::Sanitizer::judge();
    $self->judge_log;
    return;
}

END {
    my $status = $?;

    for my $self ($$ == $owner ? @running : ()) {
        if ($self->{pid}) {
            kill 'KILL', -$self->{group};
            waitpid($self->{pid}, 0);
        }
        $self->kill_group;
        $self->remove_semaphores;
        next if $self->{is_done};
        Test::More::diag('the server was not judged by done(); its log ends:');
        Test::More::diag($self->log_tail);
        $status ||= 1;
    }
    $? = $status;
}

1;
