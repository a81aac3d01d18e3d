# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Tool: the tests' own programs (t/tool/*.c), built on demand from
# the lower half of the module below build/t/tool, what they say, and what is
# to be seen of a server's memory from outside.
package AuthGuard::Tool;

use strict;
use warnings;
use Fcntl qw(:flock);
use File::Path qw(make_path);
use IPC::SysV qw(GETPID);
use Time::HiRes qw(sleep time);
use AuthGuard::Httpd ();
use AuthGuard::Modules ();

use constant PATIENCE_SECONDS => 30;

# Ask until no answer is missing: httpd replaces its dead children.
sub settle {
    my ($t) = @_;
    my $patience = time + PATIENCE_SECONDS;

    while (time < $patience) {
        my @answers = $t->many(4, ({ path => '/' }) x 20);
        return unless grep { $_->status != 200 } @answers;
        sleep 0.05;
    }
    return;
}

# A server that runs, and could not have its store.
sub without_store {
    my ($conf) = @_;
    my $t = AuthGuard::Httpd->new(guard => 0,
        conf => 'LoadModule auth_guard_module '
          . AuthGuard::Modules::guard_path()
          . "\nDefaultRuntimeDir \@ROOT\@/nowhere\n$conf");

    $t->file('nowhere/authguard.shm/a directory', '');
    $t->expect_log(qr/AG0206: /);
    return $t->start;
}

# Newer than all it is made of.
sub is_fresh {
    my ($target, @sources) = @_;

    return -e $target && !grep { -M $_ < -M $target } @sources;
}

# Build t/tool/NAME.c. Tests run side by side: one builds, others wait.
sub build {
    my ($name) = @_;
    my $top = AuthGuard::Modules::top();
    my $dir = "$top/build/t/tool";
    my $target = "$dir/$name";
    my $source = "$top/t/tool/$name.c";
    my @lower = map { glob "$top/src/$_*.c" }
      qw(guard_key guard_policy guard_store_filter guard_store_shm
        guard_store_verdict);
    my @all = ($source, @lower, glob "$top/src/*.h");

    push @all, "$top/src/guard_checks.c";
    return $target if is_fresh($target, @all);
    make_path($dir);
    open(my $lock, '>', "$dir/lock") or die "$dir/lock: $!";
    flock($lock, LOCK_EX) or die "$dir/lock: $!";
    return $target if is_fresh($target, @all);
    my $cc = $ENV{CC} || 'gcc';
    my $apr = `apr-1-config --includes --cppflags --link-ld`
      . `apu-1-config --includes --link-ld`;
    $apr =~ s/\s+/ /g;
    my $line = "$cc -std=gnu11 -pthread -g -Wall -Wextra -I$top/src "
      . "-o $target.new $source @lower $apr";
    system($line) == 0 or die "could not build $source";
    rename "$target.new", $target or die "$target: $!";
    return $target;
}

# What the table of a running server at rest looks like: a hash of what
# t/tool/table_fault.c tells, with 'fault' being "sound" or the fault.
sub look {
    my ($file) = @_;
    my $said = join '', map { `'$_' '$file'` } build('table_fault');
    my ($fault, $rest) = $said =~ /\A(.*?)((?: \w+=\S+)*)\s*\z/s;
    my %seen = $rest =~ /(\w+)=(\S+)/g;

    return { %seen, fault => $fault };
}

# The semaphores of AuthGuardChecks that a server's parent has: nobody else
# changes the third of a set, which says that a server lives.
sub semaphores {
    my ($pid) = @_;
    my @ids = map { (split)[1] } grep { !/semid/ } split /\n/,
      AuthGuard::Httpd::slurp('/proc/sysvipc/sem');

    return grep { (semctl($_, 2, GETPID, 0) // 0) == $pid } @ids;
}

# The socket that a server listens on, as its descriptors name it.
sub listener_of {
    my ($t) = @_;
    my $port = sprintf '%04X', $t->port;
    my ($inode) = map { /:$port \S+ 0A (?:\S+ +){5}(\d+)/ ? $1 : () }
      map { split /\n/, AuthGuard::Httpd::slurp("/proc/net/$_") } qw(tcp tcp6);

    return "socket:[$inode]";
}

# A graceful restart of that server; returns when no child of before accepts
# connections any more. For a moment both generations do, each by its own
# configuration. Before, the parent must have ended forking.
sub graceful {
    my ($t) = @_;
    my $listener = listener_of($t);
    my $deadline = time + PATIENCE_SECONDS;
    my @old = $t->children;
    my $before = '';

    while ("@old" ne $before && time < $deadline) {
        $before = "@old";
        sleep 0.05;
        @old = $t->children;
    }
    $t->graceful;
    for my $pid (@old) {
        while (grep { (readlink // '') eq $listener } glob "/proc/$pid/fd/*") {
            die 'a child of before goes on listening' if time > $deadline;
            sleep 0.01;
        }
    }
    return;
}

1;
