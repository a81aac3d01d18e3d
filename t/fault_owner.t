#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Whose file is it? Two servers on one, a killed server's children beside the
# next one, a copy of another's; and what a neighbour may have put in its
# place: a symbolic link, a hard link to something of root's.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use File::Basename qw(dirname);
use File::Copy qw(copy);

use constant { LIMIT => 3, NOBODY => 65534, PRECIOUS => "precious\n" x 1000 };

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';

# A server on a file of its own, or on that one.
sub server {
    my ($file) = @_;
    my $t = AuthGuard::Httpd->new(
        store => 'shm clients=200 file='
          . ($file || '@ROOT@/run/authguard.shm'),
        conf => "AuthGuardScope shared\n"
          . guarded('a', 'AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min"));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    return $t;
}

sub file_of { return $_[0]->root . '/run/authguard.shm' }

sub locks {
    my ($t, $what, @from) = @_;

    is($t->guess_wrong('/a/', 'alice', LIMIT + 1, @from), '401.1=3 401.501=1',
        "$what: counted and locked out");
    return;
}

sub is_refused {
    my ($what, $first) = @_;
    my $second = server(file_of($first));

    like($second->refusal // '', qr/AG0203: .*another server holds the table/,
        "$what: a second server is refused");
    $second->done;
    return;
}

# Two on one file: the second never gets it, whatever the first has been
# through.
{
    my $first = server();
    my @from = (from => '127.0.1.1');

    $first->expect_lockout;
    $first->start;
    locks($first, 'the first', @from);
    is_refused('at first', $first);
    $first->graceful;
    is_refused('after a graceful', $first);
    $first->kill_children;
    is_refused('while its children are new', $first);
    is($first->guess('/a/', 'alice', 'right', @from), '401.501',
        'the first has not noticed');
    $first->done;
}

# The parent was killed, its children serve on: the next server gets the file,
# and they count together.
{
    my $first = server();

    $first->expect_lockout;
    $first->start;
    is($first->guess_wrong('/a/', 'alice', 2, from => '127.0.1.1'), '401.1=2',
        'two failures');
    kill 'KILL', $first->pid;
    $first->reap;
    my $next = server(file_of($first));
    $next->expect_lockout;
    $next->start;
    is($next->guess_wrong('/a/', 'alice', 1, from => '127.0.1.1'), '401.1=1',
        'a third at the next server');
    is($next->guess('/a/', 'alice', 'right', from => '127.0.1.1'), '401.501',
        'locks out there');
    cmp_ok(scalar $first->members, '>', 0, 'the orphans live');
    locks($first, "an orphan's client", from => '127.0.1.2');
    is($next->guess('/a/', 'alice', 'right', from => '127.0.1.2'), '401.501',
        'and the next server knows');
    is_refused('beside orphans', $first);
    $first->kill_group;
    is($next->guess('/a/', 'alice', 'right', from => '127.0.1.1'), '401.501',
        'without the orphans it goes on');
    $next->done;
    $first->done;
}

# Two files: no counts in common, though the scope has the same name.
{
    my @both = (server(), server());

    for my $t (@both) {
        $t->expect_lockout;
        $t->start;
    }
    locks($both[0], 'one of two', from => '127.0.1.1');
    is($both[1]->guess('/a/', 'alice', 'right', from => '127.0.1.1'), 200,
        'is free at the other');
    locks($both[1], 'and counted there', from => '127.0.1.1');
    $both[0]->stop;
    is($both[1]->guess('/a/', 'alice', 'right', from => '127.0.1.1'),
        '401.501', 'which outlives the one');
    $_->done for @both;
}

# A copy of a file in use, as from a machine that was cloned: what was counted
# is there, and nothing more is shared.
{
    my $first = server();
    my $clone = server();

    $first->expect_lockout;
    $first->start;
    locks($first, 'before the copy', from => '127.0.1.1');
    copy(file_of($first), file_of($clone)) or die "copy: $!";
    chmod 0600, file_of($clone);
    $clone->expect_lockout;
    $clone->start;
    is($clone->guess('/a/', 'alice', 'right', from => '127.0.1.1'), '401.501',
        'the copy knows who was locked out');
    is(system("'$htguard' -f '@{[file_of($clone)]}' unlock --all >/dev/null"),
        0, 'and frees him');
    is($clone->guess('/a/', 'alice', 'right', from => '127.0.1.1'), 200,
        'indeed');
    is($first->guess('/a/', 'alice', 'right', from => '127.0.1.1'), '401.501',
        'but not at the other server');
    locks($clone, 'the copy', from => '127.0.1.2');
    is($first->guess('/a/', 'alice', 'right', from => '127.0.1.2'), 200,
        'nor is what it counts known there');
    $_->done for $clone, $first;
}

# In place of the file lies something else, made by who may write to the
# directory. $make gets the path and that of a file of ours.
sub planted {
    my ($what, $make, $refused) = @_;
    my $t = server();
    my $precious = $t->file('precious', PRECIOUS);

    chmod 0644, $precious;
    $make->(file_of($t), $precious);
    if ($refused) {
        my $file = file_of($t);

        like($t->refusal // '', qr/AG0206: store: \Q$file\E: $refused/,
            "$what: the start stops, and says why");
    } else {
        $t->expect_lockout;
        $t->expect_log(qr/:error\].* AG0202: /);
        $t->start;
        locks($t, "$what, a table of its own", from => '127.0.1.1');
        is((stat file_of($t))[3], 1, "$what: which has one name");
    }
    is(AuthGuard::Httpd::slurp($precious), PRECIOUS,
        "$what: what it led to is as it was");
    is((stat $precious)[2] & 07777, 0644, "$what: with the rights it had");
    $t->done;
    return;
}

planted('a symbolic link', sub { symlink $_[1], $_[0] or die $! },
    qr/can't open the table: Too many levels of symbolic links/);
planted('a link to nothing', sub { symlink '/nonexistent/x', $_[0] or die $! },
    qr/can't open the table: Too many levels of symbolic links/);
planted('a directory', sub { mkdir $_[0] or die $! },
    qr/can't open the table: Is a directory/);
planted('a hard link', sub { link $_[1], $_[0] or die $! });

# Somebody else's htguard.
SKIP: {
    skip 'needs root to be somebody else', 6 if $> != 0;
    my $t = server();
    my $file = file_of($t);

    $t->start;
    for my $command ('list', 'unlock --all') {
        my $said = `setpriv --reuid=@{[NOBODY]} --regid=@{[NOBODY]} \\
            --clear-groups '$htguard' -f '$file' $command 2>&1`;

        is($? >> 8, 1, "htguard $command, of another user, fails");
        like($said, qr/AG0206: \Q$file\E: .*Permission denied/,
            'and says why');
        like($said, qr/^Try: run htguard as root$/m, 'and what would help');
    }
    $t->done;
}

done_testing;
