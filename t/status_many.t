#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The status page with 65,536 clients: each of its views is made, in the memory
# that a page takes and not the table, and whoever signs in meanwhile is
# answered, also while a slow reader has half of a page.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Tool;
use AuthGuard::Sanitizer;
use IO::Handle ();
use Socket qw(:DEFAULT);

use constant {
    CLIENTS  => 65_536,
    PAGES    => 40,
    KB_MAX   => 12_000,
    FIONREAD => 0x541b,    # Linux's: bytes that have come and were not read
};

# Room for four times as many, so that nobody is forgotten for another.
my $t = AuthGuard::Httpd->new(
    store => 'shm file=authguard.shm clients=' . 4 * CLIENTS,
    conf => "<Location /guard>\nSetHandler auth-guard-status\n"
      . "AuthGuardStatus Actions\n" . basic() . "</Location>\n"
      . guarded('desk', 'AuthGuard On')
      . "StartServers 1\nServerLimit 1\nThreadsPerChild 25\n"
      . "MaxRequestWorkers 25\n"
      . "MinSpareThreads 1\nMaxSpareThreads 25\n"
      . "SendBufferSize 4096\nFlushMaxThreshold 8192\n",
    mpm => 'event', threads => 1);
$t->dir('desk');
$t->passwords('users', { alice => 'right' });
my $tool = AuthGuard::Tool::build('table_crowd');
my $file = $t->root . '/run/authguard.shm';
is(scalar `'$tool' '$file' @{[4 * CLIENTS]} 20000 @{[CLIENTS - 20000]} crowd`,
    "tracked=65536 locked=20000\n", 'a crowd');
$t->start;
my @alice = (user => 'alice', pass => 'right');

# kB of the child by the names of /proc. The table is shared memory and counts
# as resident once it was looked at, so it is taken off.
sub memory {
    my ($pid) = $t->children;

    return AuthGuard::Httpd::slurp("/proc/$pid/status") =~
      /^(\w+):\s+(\d+) kB/mg;
}

# The most that it ever had of its own.
sub peak_kb {
    my %kb = memory();

    return $kb{VmHWM} - $kb{RssFile} - $kb{RssShmem};
}

$t->get('/');
my %before = memory();
my $answer = $t->get('/guard?view=all', @alice);
is($answer->status, 200, 'a page');
like($answer->body, qr{<p>Rows 1 to 100 of 65,536</p>}, 'of all');
like($answer->body, qr{>Locked \(20,000\)<.*>Failing \(45,536\)<}s, 'counted');
cmp_ok(length $answer->body, '<', 150_000, 'no longer than its rows');

$t->many(8, map { { path => "/guard?view=all&sort=client", @alice } } 1 .. 50);
my $query = '?view=all&sort=client';
my %seen;
for (1 .. PAGES) {
    $answer = $t->get("/guard$query", @alice);
    $seen{$_}++ for $answer->body =~ m{scope="row">([\d.]+)</th>}g;
    ($query) = $answer->body =~ m{<a href="([^"]*)">Next</a>} or last;
    $query =~ s/&amp;/&/g;
}
is(scalar keys %seen, 100 * PAGES, 'page after page, each row once');
is(scalar(grep { $_ > 1 } values %seen), 0, 'and no row twice');
SKIP: {
    skip 'a sanitizer has memory of its own', 1
      if AuthGuard::Sanitizer::wrap('httpd') ne 'httpd';
    cmp_ok(peak_kb() - $before{RssAnon}, '<', KB_MAX,
        'the child never grew by the table');
}

# A reader who takes a part of the page and then nothing more, with a window so
# small that httpd can't write ahead.
sub slow_reader {
    socket(my $socket, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, pack 'i', 2048;
    connect($socket, pack_sockaddr_in($t->port, INADDR_LOOPBACK))
      or die "connect: $!";
    syswrite $socket, AuthGuard::Client::bytes_of({ path => '/guard?view=all',
          @alice });
    sysread $socket, my $some, 512;
    $socket->blocking(0);
    return $socket;
}

my @slow = map { slow_reader() } 1 .. 4;
is($t->guess('/desk/', 'alice', 'right', from => '127.0.1.1'), 200,
    'meanwhile a client signs in');
is($t->guess_wrong('/desk/', 'alice', 2, from => '127.0.1.1'), '401.1=2',
    'another is counted');
like($t->get('/guard?client=127.0.1.1', @alice)->body, qr{2 of 5},
    'and the page tells');
# What has come to them meanwhile; not what comes while they read again.
for my $socket (@slow) {
    my $came = pack 'i', 0;

    ioctl($socket, FIONREAD, $came) or die "ioctl: $!";
    cmp_ok(unpack('i', $came), '<', length($answer->body) / 4,
        'and the slow readers are not done');
    close $socket;
}
$t->done;

done_testing;
