# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Load: bench/load.c, built on demand, and run.
#
#   my $seen = load(port => 8080, path => '/a/', count => 500);
#   $seen->{status}{200};    # and rate, p50_us, answered, faults, late, ...
package Bench::Load;

use strict;
use warnings;
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Path qw(make_path);
use POSIX ();
use AuthGuard::Modules ();
use AuthGuard::Tool ();

our @EXPORT_OK = qw(load begin end_of);

sub program {
    my $top = AuthGuard::Modules::top();
    my $target = "$top/build/bench/load";
    my @sources = map { "$top/bench/load$_.c" } '', '_link';
    my $cc = $ENV{CC} || 'gcc';

    push @sources, "$top/bench/load_link.h";
    return $target if AuthGuard::Tool::is_fresh($target, @sources);
    make_path("$top/build/bench");
    open(my $lock, '>', "$target.lock") or die "$target.lock: $!";
    flock($lock, LOCK_EX) or die "$target.lock: $!";
    return $target if AuthGuard::Tool::is_fresh($target, @sources);
    system("$cc -std=gnu11 -O2 -Wall -Wextra -o '$target.new' "
          . join ' ', grep { /\.c\z/ } @sources) == 0
      or die 'could not build bench/load.c';
    rename "$target.new", $target or die "$target: $!";
    return $target;
}

my $program;

# Begin one; end_of() waits for it. Arguments as load.c has them.
sub begin {
    my (%arg) = @_;
    my @line = map { "$_=$arg{$_}" } grep { defined $arg{$_} } sort keys %arg;

    $program ||= program();
    pipe my $read, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';
        open(STDOUT, '>&', $write);
        exec($program, @line) or POSIX::_exit(127);
    }
    close $write;
    return { pid => $pid, read => $read };
}

# Its figures, once it has ended; told to end now where $now is set.
sub end_of {
    my ($load, $now) = @_;
    my %seen = (status => {});
    my $read = $load->{read};

    kill 'TERM', $load->{pid} if $now;
    while (defined(my $line = <$read>)) {
        my ($name, $value) = split ' ', $line;

        if ($name =~ /^status_(\d+)/) { $seen{status}{$1} = $value }
        else                          { $seen{$name} = $value }
    }
    waitpid $load->{pid}, 0;
    die "bench/load ended with $?\n" if $?;
    $seen{rate} = $seen{answered} / ($seen{seconds} > 0 ? $seen{seconds} : 1);
    return \%seen;
}

sub load { return end_of(begin(@_)) }

1;
