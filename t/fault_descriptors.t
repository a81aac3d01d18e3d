#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# No descriptor is left, in one child or for the whole server, while clients
# hold connections. Nobody gets in, nobody loses a place, nobody guesses for
# nothing; and when there are some again, all is as before. And htguard, with
# its own closed: it once wrote its output into the store.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Client;
use AuthGuard::Modules;
use File::Basename qw(dirname);
use IO::Socket::INET ();
use POSIX ();
use Time::HiRes qw(sleep time);

use constant { LIMIT => 3, PATIENCE_SECONDS => 20 };

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my $shortage = qr/\(24\)Too many open files|AH0?1620: |AH01618: |AH00529: /;

sub server {
    my (%arg) = @_;
    my $t = AuthGuard::Httpd->new(%arg,
        conf => "<Directory \@DOCS\@>\nAllowOverride None\n</Directory>\n"
          . guarded('a', 'AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min"));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->expect_log($shortage, optional => 1);
    $t->start;
    return $t;
}

# One connection that stays open; ask() sends a log-in on it and returns the
# status, 0 where it was closed.
sub connection {
    my ($t, $from) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port,
        LocalAddr => $from, Timeout => 10) || die "connect: $!";
}

sub ask {
    my ($socket, $password) = @_;
    my $in = '';

    print $socket "GET /a/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: "
      . AuthGuard::Client::basic('alice', $password) . "\r\n\r\n";
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm PATIENCE_SECONDS;
    while ($in !~ /\r\n\r\n/ || $in =~ /Content-Length: (\d+).*?\r\n\r\n(.*)\z/s
        && length $2 < $1)
    {
        last unless sysread $socket, $in, 65536, length $in;
    }
    alarm 0;
    return $in =~ m{\AHTTP/1\.1 (\d+)} ? $1 : 0;
}

# The lowest descriptor that a process has not in use: as its limit, this lets
# it open nothing any more.
sub starve {
    for my $pid (@_) {
        my %used = map { m{/(\d+)\z} => 1 } glob "/proc/$pid/fd/*";
        my $limit = 0;

        $limit++ while $used{$limit};
        limit_files($pid, $limit);
    }
    return;
}

# By the child's own user: that root may is not certain in a container.
sub limit_files {
    my ($pid, $limit) = @_;
    my (undef, undef, undef, undef, $uid, $gid) = stat "/proc/$pid"
      or return;    # it has ended
    my @as = $> == 0
      ? ('setpriv', "--reuid=$uid", "--regid=$gid", '--clear-groups') : ();

    system(@as, 'prlimit', "--pid=$pid", "--nofile=$limit:") == 0
      or die "prlimit: $?" if -e "/proc/$pid";
    return;
}

sub feed { limit_files($_, 1024) for @_; return }

# In the children: clients who are connected already find their right password
# unread, and their wrong ones uncounted.
{
    my $t = server();
    my $good = connection($t, '127.0.1.1');
    my @bad = map { connection($t, '127.0.1.2') } 1 .. 2 * LIMIT;

    is(ask($good, 'right'), 200, 'in, while there are descriptors');
    is(join(' ', map { ask($_, 'first') } @bad),
        join(' ', (401) x @bad), 'and not in: one failure');
    my @children = $t->children;
    starve(@children);
    my $before = $t->verified;
    is(join(' ', map { ask($_, "wrong $_") } @bad),
        join(' ', (500) x @bad), 'none left: no password is judged');
    starve($t->children);    # a connection may have ended, a child begun
    is(ask($good, 'right'), 500, 'nor is a right one');
    is($t->verified, $before, 'none was verified');
    feed($t->children);
    my $deadline = time + PATIENCE_SECONDS;
    sleep 0.1
      while $t->guess('/a/', 'alice', 'right', from => '127.0.1.1') ne '200'
      && time < $deadline;
    is($t->guess('/a/', 'alice', 'right', from => '127.0.1.1'), 200,
        'some again: in');
    is($t->guess_wrong('/a/', 'alice', LIMIT, from => '127.0.1.2'),
        '401.1=2 401.501=1', 'the one failure counts, and no other');
    $t->done;
}

# The whole server, with few from the start: connections that send nothing
# take them all.
{
    my $t = server(command => ['prlimit', '--nofile=64:64']);
    my $pid = $t->pid;
    my (@held, $refused);

    for (1 .. 300) {
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $t->port, Timeout => 1) or last;

        push @held, $socket;
    }
    cmp_ok(scalar @held, '>', 64, 'connections are held');
    my @requests = wrong_guesses('/a/', 'alice', 20, from => '127.0.2.1');
    my $child = fork;
    die "fork: $!" unless defined $child;
    if (!$child) {
        $t->many(20, @requests);
        POSIX::_exit(0);
    }
    sleep 1;
    close $_ for splice @held;
    waitpid $child, 0;
    my $deadline = time + PATIENCE_SECONDS;
    sleep 0.1
      while $t->guess('/a/', 'alice', 'right', from => '127.0.2.2') ne '200'
      && time < $deadline;
    is($t->guess('/a/', 'alice', 'right', from => '127.0.2.2'), 200,
        'they are gone: the server serves again');
    $t->guess_wrong('/a/', 'alice', LIMIT, from => '127.0.2.1');
    is($t->guess('/a/', 'alice', 'right', from => '127.0.2.1'), '401.501',
        'the guesser is locked out');
    my $wrong = () = $t->log_lines(qr/\[client 127\.0\.2\.1:.*AH0161[78]/);
    is($wrong, LIMIT, 'and had as many guesses as the limit says');
    is($t->pid, $pid, 'the parent lives');
    $t->done;
}

# htguard, where descriptors 0, 1 or 2 are closed, in all ways; and where it
# gets none.
{
    my $t = server();
    my $file = $t->root . '/run/authguard.shm';

    $t->guess_wrong('/a/', 'alice', LIMIT, from => '127.0.3.1');
    for my $command ('list', 'stats', 'check 127.0.3.1', 'list --json',
        'unlock 192.0.2.1', 'nonsense')
    {
        for my $closed ('<&-', '>&-', '2>&-', '<&- >&-', '>&- 2>&-',
            '<&- >&- 2>&-')
        {
            my $to = join ' ', ('>/dev/null') x ($closed !~ /(?<!2)>/),
              ('2>/dev/null') x ($closed !~ /2>/);

            system "timeout 20 '$htguard' -f '$file' $command $to $closed";
            is(system("'$htguard' -f '$file' check 127.0.3.1 >/dev/null") >> 8,
                10, "htguard $command $closed: the store is whole");
        }
    }
    is(system("'$htguard' -f '$file' list >&- 2>/dev/null") >> 8, 1,
        'what could not be written is an error');
    my $said = `prlimit --nofile=3 '$htguard' -f '$file' list 2>&1`;
    isnt($?, 0, 'no descriptor at all: htguard fails');
    isnt($said, '', 'and something says why');
    is($t->guess('/a/', 'alice', 'right', from => '127.0.3.1'), '401.501',
        'the server has not noticed');
    $t->done;
}

done_testing;
