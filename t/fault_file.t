#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Somebody removes the table file of a running server, or puts another file in
# its place. The server goes on counting in the one that has lost its name,
# says so once, and takes what is there at its next start.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use Digest::SHA qw(sha512);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use Time::HiRes qw(sleep time);

# httpd looks at the file at least every ten seconds, sooner where children
# die.
use constant { LIMIT => 3, PATIENCE_SECONDS => 13 };

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my @locked = (from => '127.0.1.1');
my @counted = (from => '127.0.1.2');
my $straw = qr/:error\].* AG0213: .*authguard\.shm: somebody removed/;

sub file_of { return $_[0]->root . '/run/authguard.shm' }

sub htguard {
    my ($t, @command) = @_;
    my $file = file_of($t);
    my $said = `timeout 30 '$htguard' -f '$file' @command 2>&1`;

    return ($? & 127 ? "signal $?" : $? >> 8, $said);
}

# What happens to the file; what htguard makes of that; what the next start
# says; what a client who was locked out gets then.
my %fault = (
    removed => {
        act => sub { unlink file_of($_[0]) or die $! },
        htguard => [1, qr/AG0206: .*there is no table.*^Try: start httpd/ms],
        start => qr/:notice\].* AG0201: /, then => 200,
    },
    noise => {
        act => sub {
            my ($t) = @_;
            my $size = -s file_of($t);

            $t->file('run/other', substr join('', map { sha512($_) }
                      1 .. $size / 64 + 1), 0, $size);
            rename $t->root . '/run/other', file_of($t) or die $!;
        },
        htguard => [1, qr/AG0206: .*it is no table/],
        start => qr/:error\].* AG0202: /, then => 200,
    },
    empty => {
        act => sub {
            my ($t) = @_;

            $t->file('run/other', '');
            rename $t->root . '/run/other', file_of($t) or die $!;
        },
        htguard => [1, qr/AG0206: .*it is too short/],
        start => qr/:error\].* AG0202: /, then => 200,
    },

    # A backup, say, of when the client was locked out.
    copy => {
        act => sub {
            my ($t) = @_;
            my $other = $t->root . '/run/other';

            copy(file_of($t), $other) or die $!;
            rename $other, file_of($t) or die $!;
        },
        htguard => [10, qr/^locked/m],
        start => qr/resuming normal operations/, then => '401.501',
    },
);

sub server {
    my ($name) = @_;
    my $t = AuthGuard::Httpd->new(
        store => 'shm file=@ROOT@/run/authguard.shm clients=200',
        conf => "StartServers 2\n" . guarded('a', 'AuthGuard On',
            "AuthGuardLimit ip @{[LIMIT]}/10min"));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->expect_log($straw);
    $t->expect_log(qr/AG0202: /) if "$fault{$name}{start}" =~ /AG0202/;
    $t->start;
    is($t->guess_wrong('/a/', 'alice', LIMIT, @locked), '401.1=3',
        "$name: locked out");
    is($t->guess_wrong('/a/', 'alice', 1, @counted), '401.1=1',
        "$name: one failure");
    return $t;
}

my @names = sort keys %fault;
my %server = map { $_ => server($_) } @names;

$fault{$_}{act}->($server{$_}) for @names;
for my $name (@names) {
    my ($t, $is) = ($server{$name}, $fault{$name});
    my ($status, $said) = htguard($t, 'check 127.0.1.1');

    is($status, $is->{htguard}[0], "$name: htguard exits with $status");
    like($said, $is->{htguard}[1], "$name: and says why");
    is($t->guess('/a/', 'alice', 'right', @locked), '401.501',
        "$name: who was locked out still is");
    is($t->guess_wrong('/a/', 'alice', 1, @counted), '401.1=1',
        "$name: a second failure");
}

my $deadline = time + PATIENCE_SECONDS;

sleep 0.1
  while time < $deadline
  && grep { !$server{$_}->log_lines($straw) } @names;

for my $name (@names) {
    my ($t, $is) = ($server{$name}, $fault{$name});

    is(scalar($t->log_lines($straw)), 1, "$name: it is said, once");
    $t->graceful;
    is($t->guess('/a/', 'alice', 'right', @locked), '401.501',
        "$name: locked out, after a graceful");
    is($t->guess_wrong('/a/', 'alice', 2, @counted), '401.1=1 401.501=1',
        "$name: a third failure locks out");
    $t->stop;
    my $before = $t->log_lines;
    $t->start;
    my @new = ($t->log_lines)[$before .. $t->log_lines - 1];
    ok((grep { /$is->{start}/ } @new),
        "$name: the next start says what it did");
    is($t->guess('/a/', 'alice', 'right', @locked), $is->{then},
        "$name: and goes by what is there");
    is($t->guess_wrong('/a/', 'alice', LIMIT + 1, from => '127.0.1.3'),
        '401.1=3 401.501=1', "$name: it counts");
    is((htguard($t, 'check 127.0.1.3'))[0], 10, "$name: htguard knows");
    $t->done;
}

done_testing;
