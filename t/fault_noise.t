#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Somebody writes noise into the table file while the server runs. Counts may
# be lost, but nobody hangs, the parent lives, wrong passwords are counted
# again within seconds, and it is said.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Tool;
use AuthGuard::Modules;
use Digest::SHA qw(sha512);
use File::Basename qw(dirname);
use Time::HiRes qw(sleep time);

use constant {
    LIMIT            => 3,
    CLIENTS          => 200,
    HEAD_BYTES       => 4096,
    LOCK_BYTES       => 256 * 192,
    PATIENCE_SECONDS => 13,    # httpd looks at the file every ten seconds
    ANSWER_SECONDS   => 30,    # far more than any wait that is allowed
};

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my %documented = map { $_ => 1 } qw(401.1 401.501 429.501 503.2 none);

# The same noise in every run.
my $noise = join '', map { sha512("noise $_") } 1 .. 13_000;

# What is written over: bytes from, length (0: to the end), and whether the
# length of the file is kept, as dd without conv=notrunc does not.
my %spoil = (
    whole   => { from => 0, length => 0 },
    head    => { from => 0, length => HEAD_BYTES },
    locks   => { from => HEAD_BYTES, length => LOCK_BYTES },
    records => { from => HEAD_BYTES + LOCK_BYTES, length => 0 },
    cut     => { from => 0, length => 4 * HEAD_BYTES, cuts => 1 },
);

sub file_of { return $_[0]->root . '/run/authguard.shm' }

sub server {
    my ($name) = @_;
    my $t = AuthGuard::Httpd->new(
        store => "shm file=\@ROOT\@/run/authguard.shm clients=@{[CLIENTS]}",
        conf => guarded('a', 'AuthGuard On',
            "AuthGuardLimit ip @{[LIMIT]}/10min"));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->expect_log(qr/:error\].* AG0210: /) if $name ne 'records';
    $t->expect_log(qr/AG020[789]: /, optional => 1);
    $t->expect_log(qr/AG0211: /, optional => 1);
    $t->expect_log(qr/exit signal (?:Bus error|Segmentation|Abort)/,
        optional => 1);
    $t->expect_log(qr/AH10392: children are killed/, optional => 1);
    $t->start;
    is($t->guess('/a/', 'alice', 'right'), 200, "$name: at first");
    return $t;
}

sub spoil {
    my ($name) = @_;
    my $where = $spoil{$name};
    my $file = file_of($_[1]);
    my $size = -s $file;
    my $length = $where->{length} || $size - $where->{from};

    open(my $out, $where->{cuts} ? '>' : '+<', $file) or die "$file: $!";
    binmode $out;
    seek $out, $where->{from}, 0;
    print $out substr $noise, 0, $length;
    close($out) or die "$file: $!";
    return;
}

# htguard on a spoilt file: exit status and what it says. It may refuse; it
# must come to an end by itself.
sub htguard {
    my ($t, $command) = @_;
    my $file = file_of($t);
    my $said = `timeout 30 '$htguard' -f '$file' $command 2>&1 >/dev/null`;

    return ($? & 127 ? "signal $?" : $? >> 8, $said);
}

my @names = sort keys %spoil;
my %server = map { $_ => server($_) } @names;
my %size = map { $_ => -s file_of($server{$_}) } @names;
my %pid = map { $_ => $server{$_}->pid } @names;
my (%strange, %slowest);

sub visit {
    my ($name, @from) = @_;

    for my $answer ($server{$name}->many(4, wrong_guesses('/a/', 'alice', 4,
                @from)))
    {
        my $code = $answer->status ? $answer->code : 'none';

        $strange{$name} .= " $code" unless $documented{$code};
        $slowest{$name} = $answer->{seconds}
          if $answer->{seconds} > ($slowest{$name} || 0);
    }
    return;
}

spoil($_, $server{$_}) for @names;
for my $name (qw(whole head)) {
    my ($status, $said) = htguard($server{$name}, 'list');

    is($status, 1, "$name: htguard refuses the file");
    like($said, qr/AG0206: .*it is no table/, "$name: and says why");
}
for my $name (qw(locks records)) {
    my ($status, $said) = htguard($server{$name}, 'list');

    unlike($status, qr/signal|124/, "$name: htguard ends in order");
    like($said, qr/\Q${\file_of($server{$name})}\E: ./, "$name: and says why")
      if $name eq 'locks';
}

# Visitors meanwhile, one guesser among them.
my $deadline = time + PATIENCE_SECONDS;
my $serial = 0;
my @waits;

while ((@waits = grep { $_ ne 'records' && !$server{$_}->log_lines(
                qr/AG0210: /) } @names) && time < $deadline)
{
    $serial++;
    for my $name (@waits) {
        visit($name, from => "127.0.1.$serial");
        visit($name, from => '127.0.9.9');
    }
    sleep 0.1;
}
visit('records', from => "127.0.1.$_") for 1 .. 20;

for my $name (@names) {
    my $t = $server{$name};
    my @from = (from => '127.0.2.1');

    is($strange{$name} // '', '', "$name: only answers that are documented");
    cmp_ok($slowest{$name} // 0, '<', ANSWER_SECONDS, "$name: in time");
    AuthGuard::Tool::settle($t);
    is($t->pid, $pid{$name}, "$name: the parent lives");
    is(-s file_of($t), $size{$name}, "$name: the file has its length");
    is($t->guess('/a/', 'alice', 'right', @from), 200,
        "$name: a client is let in");
    is($t->guess_wrong('/a/', 'alice', LIMIT + 1, @from),
        '401.1=3 401.501=1', "$name: its guesses are counted");
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$name: and it is locked out");
    visit($name, from => '127.0.9.9') for 1 .. 2;

    # What it failed before the table was mended may be lost, once.
    my $wrong = () = $t->log_lines(qr/\[client 127\.0\.9\.9:.*AH0161[78]/);
    cmp_ok($wrong, '<=', 2 * LIMIT, "$name: no guesses for nothing");
    is((htguard($t, 'check 127.0.2.1'))[0], 10, "$name: htguard knows it");
    cmp_ok(scalar($t->log_lines(qr/AG0210: /)), '<=', 1, "$name: said once");
    is(join(' ', map { scalar $t->log_lines(qr/AG0$_: /) } 207, 208), '1 1',
        "$name: and so is what it did to requests")
      if $name eq 'locks';
    $t->stop;
    $t->start;
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$name: still, after a stop and a start");
    $t->done;
}

done_testing;
