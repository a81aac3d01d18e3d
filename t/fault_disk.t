#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The disk of the store's file is full, or read-only, or the file may not be as
# long: at a start, and where a file that was cut has to grow back. The disk is
# a small one of httpd's own, in a mount namespace that ends with it.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use File::Basename qw(dirname);
use Time::HiRes qw(sleep time);

# httpd looks at the file at least every ten seconds, sooner where children
# die.
use constant { LIMIT => 3, PATIENCE_SECONDS => 15, SMALL_KB => 128,
    ENOUGH_KB => 1024 };

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my @unshare = ('unshare', $> == 0 ? '-m' : '-rm');

# Who is not root is so for the mounts alone.
my $again = $> == 0 ? '' : "unshare --map-user=$> --map-group=@{[$) + 0]} ";
my $may_mount =
  system("@unshare mount -t tmpfs none /mnt >/dev/null 2>&1") == 0;

# httpd's command line in a namespace with a disk of that size at disk/.
# $then: what to do with it before httpd starts. Where httpd is to refuse, what
# it left on the disk is listed in the file left.
sub on_disk {
    my ($size_kb, $then, $refuses) = @_;
    my $run = $refuses
      ? "{ $again\"\$@\"; ls -A \@ROOT\@/disk >\@ROOT\@/left; }"
      : "exec $again\"\$@\"";

    return [@unshare, 'sh', '-c',
        "mount -t tmpfs -o mode=755,size=${size_kb}k none \@ROOT\@/disk"
          . " && { $then; } && $run", 'sh'];
}

# given: AuthGuardStore stands in the configuration, or else the file lies in
# DefaultRuntimeDir.
sub server {
    my ($given, @command) = @_;
    my $file = '@ROOT@/disk/authguard.shm';
    my $load = 'LoadModule auth_guard_module '
      . AuthGuard::Modules::guard_path() . "\n";
    my $conf = guarded('a', 'AuthGuard On',
        "AuthGuardLimit ip @{[LIMIT]}/10min");
    my %store = $given
      ? (store => "shm file=$file clients=64")
      : (guard => 0);
    $conf = "${load}DefaultRuntimeDir \@ROOT\@/disk\n$conf" unless $given;
    my $t = AuthGuard::Httpd->new(%store, conf => $conf, command => @command);

    mkdir $t->root . '/disk' or die "disk: $!";
    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    return $t;
}

sub refuses {
    my ($what, $reason, @command) = @_;
    my $t = server(1, @command);
    my $said = $t->refusal // '';
    my $file = $t->root . '/disk/authguard.shm';

    like($said, qr/AG0206: store: \Q$file\E: .*$reason/,
        "$what: the start stops, and names file and reason");
    like($said, qr/:emerg\].*$reason.*AG0206: .*\Q$file\E; see AuthGuardStore/,
        "$what: and the directive");
    unlike($said, qr/resuming normal operations/, "$what: it did not serve");
    is(-s $t->root . '/left', 0, "$what: nothing is left on the disk");
    $t->done;
    return;
}

# Who has only loaded the module gets a server all the same.
sub serves_unguarded {
    my ($what, $reason, @command) = @_;
    my $t = server(0, @command);

    $t->expect_log(qr/:error\].*AG0206: .*$reason/);
    $t->expect_log(qr/:error\].*AG0206: .*can't open .*answer 503/);
    $t->expect_log(qr/AG0207: /, optional => 1);
    $t->start;
    is($t->get('/')->status, 200, "$what, loaded only: it serves");
    is($t->guess('/a/', 'alice', 'right'), '503.2',
        "$what, loaded only: nobody is let in");
    is($t->guess_wrong('/a/', 'alice', 2 * LIMIT), '503.2=6',
        "$what, loaded only: nothing is verified");
    is($t->verified, 0, "$what, loaded only: indeed");
    $t->done;
    return;
}

sub counts {
    my ($t, $what, @from) = @_;

    is($t->guess('/a/', 'alice', 'right', @from), 200, "$what: let in");
    is($t->guess_wrong('/a/', 'alice', LIMIT + 1, @from), '401.1=3 401.501=1',
        "$what: counted and locked out");
    return;
}

# Where httpd looks for its file, from outside of its namespace.
sub inside {
    my ($t) = @_;

    return '/proc/' . $t->pid . '/root' . $t->root . '/disk/';
}

# Until nothing is left of a disk.
sub fill {
    my ($dir) = @_;

    open(my $out, '>', "${dir}rest") or die "$dir: $!";
    1 while syswrite $out, 'x' x 4096;
    close $out;
    return;
}

# Visitors meanwhile; several looks at the file while it can't grow.
my $serial = 0;

sub visit_until {
    my ($t, $pattern, $patience) = @_;
    my $deadline = time + $patience;

    while (!$t->log_lines($pattern) && time < $deadline) {
        $serial++;
        my @answers = $t->many(4,
            wrong_guesses('/a/', 'alice', 4, from => "127.0.5.$serial"));
        die 'let in' if grep { $_->status == 200 } @answers;
        sleep 0.1;
    }
    return scalar $t->log_lines($pattern);
}

# Until no answer is missing: httpd replaces its dead children.
sub settle {
    my ($t) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    while (time < $deadline) {
        my @answers = $t->many(4, ({ path => '/' }) x 20);
        return unless grep { $_->status != 200 } @answers;
        sleep 0.05;
    }
    return;
}

# Cut, with no room to grow back into, until make_room->().
sub grows_back {
    my ($what, $t, $file, $no_room, $make_room) = @_;
    my $size = -s $file;
    my $pid = $t->pid;

    $t->expect_lockout;
    $t->expect_log(qr/:error\].* AG0206: .*can't grow the table back/);
    $t->expect_log(qr/:error\].* AG0210: /);
    $t->expect_log(qr/AG020[789]: /, optional => 1);
    $t->expect_log(qr/exit signal Bus error/, optional => 1);
    $t->expect_log(qr/AH1039[23]: children are killed/, optional => 1);
    counts($t, "$what, before", from => '127.0.1.1');
    truncate $file, 0 or die "$file: $!";
    $no_room->();
    ok(visit_until($t, qr/AG0206: /, PATIENCE_SECONDS),
        "$what: that it can't grow back is said");
    $t->graceful;
    $make_room->();
    ok(visit_until($t, qr/AG0210: /, PATIENCE_SECONDS),
        "$what: with room, it does");
    is(-s $file, $size, "$what: to its full length");
    settle($t);
    counts($t, "$what, after", from => '127.0.1.2');
    is($t->pid, $pid, "$what: the parent lives");
    $t->done;
    return;
}

SKIP: {
    skip 'no mount namespace to be had here', 1 unless $may_mount;
    my $full = qr/No space left on device/;
    my $ro = qr/Read-only file system/;
    my $remount = 'mount -o remount,bind,ro @ROOT@/disk';

    refuses('full disk', $full, on_disk(SMALL_KB, ':', 1));
    refuses('read-only disk', $ro, on_disk(ENOUGH_KB, $remount, 1));
    serves_unguarded('full disk', $full, on_disk(SMALL_KB, ':'));
    serves_unguarded('read-only disk', $ro, on_disk(ENOUGH_KB, $remount));

    # A good table that has become read-only: no start either, and no htguard.
    my $t = server(1, []);
    $t->start;
    $t->stop;
    my $disk = $t->root . '/disk';
    my $file = "$disk/authguard.shm";
    $t->{command} = [@unshare, 'sh', '-c', "mount --bind '$disk' '$disk' && "
          . "mount -o remount,bind,ro '$disk' && exec $again\"\$@\"", 'sh'];
    like($t->refusal // '', qr/AG0206: .*$ro.*see AuthGuardStore/s,
        'a table that is read-only: the start stops');
    my $said = `@{[map { "'$_' " } @{ $t->{command} }]} '$htguard' \\
        -f '$file' list 2>&1`;
    is($? >> 8, 1, 'and htguard fails');
    like($said, qr/AG0206: \Q$file\E: .*$ro/, 'and says why');
    $t->done;

    my $u = server(1, on_disk(ENOUGH_KB, ':'));
    $u->start;
    my $dir = inside($u);
    grows_back('a disk that is full', $u, "${dir}authguard.shm",
        sub { fill($dir) }, sub { unlink "${dir}rest" or die "rest: $!" });
}

# RLIMIT_FSIZE, whose signal would kill: at a start, and later.
refuses('file size limit', qr/File too large/,
    ['prlimit', '--fsize=' . SMALL_KB * 1024, 'sh', '-c',
        '"$@"; ls -A @ROOT@/disk >@ROOT@/left', 'sh']);
{
    my $t = server(1, []);
    $t->start;
    grows_back('a file size limit', $t, $t->root . '/disk/authguard.shm',
        sub { limit($t, SMALL_KB * 1024) }, sub { limit($t, 'unlimited') });
}

sub limit {
    my ($t, $bytes) = @_;

    system('prlimit', '--pid=' . $t->pid, "--fsize=$bytes:") == 0
      or die "prlimit: $?";
    return;
}

my @left = grep { m{/disk } } do { open(my $in, '<', '/proc/mounts'); <$in> };
is("@left", '', 'nothing is left mounted');
done_testing;
