# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Vitals: what processes and the kernel hold, as /proc tells.
package Vitals;

use strict;
use warnings;

sub read_text {
    my ($path) = @_;

    open(my $in, '<', $path) or return '';
    local $/;
    return <$in> // '';
}

# fds   open descriptors
# maps  mappings
# kb    memory of its own, in KiB: shared memory and files left out, for the
#       table's pages come in one by one
sub of {
    my ($pid) = @_;
    my $maps = () = read_text("/proc/$pid/maps") =~ /\n/g;
    my ($kb) = read_text("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
    my @fds = glob "/proc/$pid/fd/*";

    return { fds => scalar @fds, maps => $maps, kb => $kb || 0 };
}

sub is_sanitized {
    my ($pid) = @_;

    return read_text("/proc/$pid/maps") =~ m{/lib[at]san\.};
}

# System V semaphore sets and shared memory segments of this IPC namespace.
sub ipc {
    my %count;

    for my $what (qw(sem shm)) {
        my @lines = split /\n/, read_text("/proc/sysvipc/$what");
        $count{$what} = @lines ? @lines - 1 : 0;
    }
    return \%count;
}

1;
