#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# However a run of htguard ends before its time, it ends soon and its status
# tells: interrupted, nobody reads on, nothing can be written, the file is cut
# short meanwhile, or is none that it can work on.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Htguard;
use IO::Select ();
use POSIX qw(WNOHANG SIGPIPE);
use Time::HiRes qw(sleep time);

# Rows enough to fill a pipe; and far more seconds than any run takes.
use constant { CROWD => 1200, PATIENCE_SECONDS => 20 };

my $t = AuthGuard::Httpd->new(
    conf => guarded('desk', 'AuthGuard On', 'AuthGuardLimit ip 3/10min'));
$t->dir('desk');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
my $file = $t->root . '/run/authguard.shm';
my $htguard = AuthGuard::Htguard->new($file);

# A list that has filled its pipe, and waits for somebody to read on.
sub begin_list {
    my (@options) = @_;

    pipe(my $read, my $write) or die "pipe: $!";
    my $pid = $htguard->begin($write, 'list', @options);
    my $deadline = time + PATIENCE_SECONDS;

    sleep 0.01 while IO::Select->new($write)->can_write(0) && time < $deadline;
    close $write;
    return ($pid, $read);
}

# How it ended; "goes on" if it does not.
sub ending {
    my ($pid) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    while (time < $deadline) {
        return $? & 127 ? "signal @{[$? & 127]}" : $? >> 8
          if waitpid($pid, WNOHANG) == $pid;
        sleep 0.01;
    }
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return 'goes on';
}

$t->start;
$t->many(6, map { { path => '/desk/', user => 'alice', pass => 'wrong',
            from => '127.1.' . int($_ / 200) . '.' . (1 + $_ % 200) } }
      0 .. CROWD - 1);
is($t->guess_wrong('/desk/', 'alice', 3, from => '127.0.1.1'), '401.1=3',
    'one of the crowd is locked out');

my ($status, $out, $err) = $htguard->run('list');
my ($heading, $first, @rows) = split /\n/, $out;
is($status, 0, 'a long list');
is(scalar @rows, CROWD, 'has all of them');
like($first, qr/\A127\.0\.1\.1 .* locked /, 'the locked one comes first');
cmp_ok(length $out, '>', 65536, 'is more than a pipe holds');

# Interrupted, while nobody reads on.
for my $signal (qw(INT TERM)) {
    for my $option ([], ['--json']) {
        my ($pid, $read) = begin_list(@$option);

        kill $signal, $pid;
        is(ending($pid), 4, "interrupted by $signal: list @$option");
        is($htguard->error, '', 'and nothing to complain of');
    }
}

# Whoever reads has seen enough: as any program of a shell, even if started by
# one that ignores SIGPIPE.
for my $how ('DEFAULT', 'IGNORE') {
    local $SIG{PIPE} = $how;
    my ($pid, $read) = begin_list();

    close $read;
    is(ending($pid), 'signal ' . SIGPIPE, "nobody reads on: SIGPIPE $how");
    is($htguard->error, '', 'and nothing to complain of');
}

open(my $full, '>', '/dev/full') or die "/dev/full: $!";
for my $command ('list', 'list --json', 'stats', '--help') {
    my $pid = $htguard->begin($full, split ' ', $command);

    is(ending($pid), 1, "$command: what can not be written is an error");
    like($htguard->error, qr/could not be written/, 'that is told');
}

# A signal of the kind that comes where a mapped file was cut.
{
    my ($pid, $read) = begin_list();

    kill 'BUS', $pid;
    is(ending($pid), 1, 'the file is cut short meanwhile');
    like($htguard->error, qr/\Ahtguard: \Q$file\E: .*\nTry: .+\n\z/,
        'the file and the remedy are told');
}
is(($htguard->run('check', '127.0.1.1'))[0], 10, 'the store is whole');

# Where there is no table to work on: status, reason, remedy.
my $junk = $t->file('junk', "no table\n" x 1000);
my $link = $t->root . '/link';
symlink $file, $link or die "$link: $!";
my %other = (
    $t->root . '/none' => ['no file', 'start httpd'],
    "$junk/none" => ['no directory', 'start httpd'],
    $t->root => ['a directory', '-f'],
    $junk => ['no table', '-f'],
    '/dev/null' => ['a device', '-f'],
    $link => ['a link', '-f'],
);

for my $path (sort keys %other) {
    my ($what, $remedy) = @{ $other{$path} };

    for my $command ('list', 'check 127.0.1.1', 'unlock --all', 'stats --json')
    {
        ($status, $out, $err) =
          AuthGuard::Htguard->new($path)->run(split ' ', $command);
        is($status, 1, "$what: $command");
        is($out, '', 'nothing on standard output');
        like($err, qr/\Ahtguard: .*\Q$path\E.*\nTry: .*\Q$remedy\E.*\n\z/,
            'the file and the remedy are told');
    }
}
is(AuthGuard::Httpd::slurp($junk), "no table\n" x 1000, 'it was not touched');

SKIP: {
    skip 'only root can become another', 3 if $> != 0;
    my $nobody = AuthGuard::Htguard->new($file, wrap =>
          [qw(setpriv --reuid 65534 --regid 65534 --clear-groups)]);

    ($status, $out, $err) = $nobody->run('list');
    is($status, 1, 'as nobody');
    like($err, qr/\Q$file\E/, 'the file is told');
    like($err, qr/as root/, 'and the remedy');
}
$t->done;
done_testing;
