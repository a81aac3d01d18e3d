#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The demo: its story, and that nothing of it is left, however it ends.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use File::Temp ();
use IO::Socket::INET ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use constant PATIENCE_SECONDS => 60;

my $top = AuthGuard::Modules::top();
my $tmp = File::Temp::tempdir('authguard-demo-XXXXXX', TMPDIR => 1,
    CLEANUP => 1);
chmod 0755, $tmp;
my %running;
END { kill 'TERM', keys %running }

# Start the demo with variables; it writes to $tmp.out.
sub start_demo {
    my (%variable) = @_;
    unlink "$tmp.out";
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    if ($pid) {
        $running{$pid} = 1;
        return $pid;
    }
    %running = ();
    delete @ENV{qw(PORT ONCE)};
    %ENV = (%ENV, TMPDIR => $tmp, %variable);
    $SIG{INT} = $SIG{TERM} = 'DEFAULT';
    open(STDOUT, '>', "$tmp.out");
    open(STDERR, '>&', \*STDOUT);
    my @under = $variable{UNDER} ? ('sh', '-c', '"$0"; exit $?') : ();
    exec(@under, "$top/tools/demo") or POSIX::_exit(127);
}

sub said { return AuthGuard::Httpd::slurp("$tmp.out") }

# Its exit status, once it has ended.
sub reap {
    my ($pid) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    while (waitpid($pid, WNOHANG) == 0) {
        kill 'KILL', $pid if time > $deadline;
        sleep 0.02;
    }
    delete $running{$pid};
    return $? & 127 ? 'signal ' . ($? & 127) : $? >> 8;
}

sub wait_until_up {
    my $deadline = time + PATIENCE_SECONDS;

    sleep 0.02 until said() =~ /^End:/m || time > $deadline;
    return said() =~ m{(http://127\.0\.0\.1:(\d+)/desk/)};
}

# Processes and files.
sub left {
    my @left = grep { AuthGuard::Httpd::slurp("/proc/$_->[0]/cmdline") =~
        /\Q$tmp\E/ } AuthGuard::Httpd::processes();

    push @left, glob "$tmp/*";
    return @left;
}

sub nothing_left {
    my ($name) = @_;

    is_deeply([left()], [], "$name: no process and no file is left");
    return;
}

is(reap(start_demo(ONCE => 1)), 0, 'the story ends well');
my $story = said();
my @answers = $story =~ /^  127\.0\.0\.\d +anna +\S+ +(\S+) /gm;
is("@answers", '401.1 401.1 401.1 401.1 401.1 401.501 401.501 200 200',
    'each step came out as it should');
like($story, qr/^  error log: AG0101: lockout: client=127\.0\.0\.1 /m,
    'the error log is shown');
like($story, qr{^  status page: /status shows 127\.0\.0\.1 }m,
    'the status page is there');
like($story, qr/^  \$ htguard unlock 127\.0\.0\.1$/m, 'unlocking is shown');
unlike($story, qr/\e/, 'no colours but on a terminal');
nothing_left('told to the end');

is(reap(start_demo(ONCE => 1, HTGUARD => '/bin/false')), 1,
    'a story that goes wrong fails');
nothing_left('gone wrong');

for my $signal (qw(INT TERM)) {
    my $pid = start_demo();
    my ($url, $port) = wait_until_up();

    ok($url, "$signal: it stays up") or diag(said());
    my ($answer) = AuthGuard::Client::run($port || 0, 1,
        { path => '/desk/', user => 'anna', pass => 'open-sesame' });
    is($answer->status, 200, "$signal: and serves");
    kill $signal, $pid;
    is(reap($pid), 0, "$signal: it ends");
    nothing_left($signal);
}

# Under a make that is killed; the shell stands for it.
my $shell = start_demo(UNDER => 1);
wait_until_up();
kill 'KILL', $shell;
reap($shell);
my $deadline = time + PATIENCE_SECONDS;
sleep 0.05 while left() && time < $deadline;
nothing_left('its parent killed');

my $pid = start_demo();
sleep 0.3;    # somewhere in its story
kill 'TERM', $pid;
is(reap($pid), 1, 'TERM in the story: it ends');
nothing_left('TERM in the story');

my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1);
is(reap(start_demo(PORT => $taken->sockport)), 1, 'a port that is taken');
like(said(), qr/^demo: PORT=\d+: .*; choose another/m, 'is told');
nothing_left('a port that is taken');
my $free = $taken->sockport;
close $taken;
is(reap(start_demo(ONCE => 1, PORT => $free)), 0, 'a port of choice');

unlink "$tmp.out";
done_testing;
