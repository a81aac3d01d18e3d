#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The soak (t/soak/soak) does not rot: a short one passes, from any directory,
# an interrupted one leaves nothing behind, and its books notice a request too
# many or too few anywhere.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib", "$Bin/soak";
use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);
use Ledger ();

use constant PATIENCE_SECONDS => 60;

my $soak = "$Bin/soak/soak";
my $dir = File::Temp::tempdir(CLEANUP => 1);

chmod 0755, $dir;
$ENV{TMPDIR} = $dir;    # where it works, so that we see what it leaves

sub text_of {
    open(my $in, '<', $_[0]) or return '';
    local $/;
    return <$in> // '';
}

# Start it, as the leader of a group of its own, like a shell does.
sub launch {
    my ($seconds, $said) = @_;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    if (!$pid) {
        setpgrp(0, 0);
        $ENV{SOAK} = $seconds;
        chdir '/';
        open(STDOUT, '>', $said) or die "$said: $!";
        open(STDERR, '>&', \*STDOUT);
        exec $^X, $soak or die "$soak: $!";
    }
    return $pid;
}

sub left_behind { return join ' ', glob "$dir/authguard-*" }

{
    my $said = "$dir/said";
    waitpid launch(6, $said), 0;
    is($?, 0, 'six seconds pass') or diag(text_of($said));
    my $text = text_of($said);
    like($text, qr/^All is well after \d+ s$/m, 'and it says so');
    my ($log) = $text =~ /^Attempts\n.*\n  access log +([\d ]+)$/m;
    my ($counted) = $text =~ /^  htguard stats +([\d ]+)$/m;
    is($counted, $log, 'counters and log are shown, and agree');
    is(left_behind(), '', 'nothing is left');
}

{
    my $said = "$dir/interrupted";
    my $pid = launch(60, $said);
    my $deadline = time + PATIENCE_SECONDS;
    sleep 0.05
      while text_of($said) !~ /gracefuls +[1-9]/ && time < $deadline;
    my ($pid_file) = glob "$dir/authguard-*/run/httpd.pid";
    my $httpd = text_of($pid_file // '');
    like($httpd, qr/\A\d+$/, 'httpd runs');
    kill 'INT', -$pid;
    waitpid $pid, 0;
    is($? >> 8, 130, 'an interrupted one says so by its status');
    like(text_of($said), qr/^Interrupted$/m, 'and in words');
    is(left_behind(), '', 'and leaves no file');
    ok(!kill(0, $httpd), 'and no httpd');
}

for my $bad ('', '5', '-1', '1.5', 'ten', '999999999') {
    my $said = "$dir/bad";
    waitpid launch($bad, $said), 0;
    is($? >> 8, 2, "SOAK='$bad' is refused");
    like(text_of($said), qr/\ASOAK: '\Q$bad\E': a number of seconds/,
        "SOAK='$bad': why");
}

# The books, on five requests of one client and one of another.
{
    package Generator;

    sub new {
        my ($class, @codes) = @_;
        my @guess = ('', ['alice', 'x'], ['alice', 'x'], ['alice', 'y'],
            ['alice', 'right'], ['bob', 'z']);
        my @entries;

        for my $i (0 .. $#guess) {
            my $from = $i < 5 ? '127.0.0.1' : '127.0.0.2';
            my ($user, $pass) = $guess[$i] ? @{ $guess[$i] } : ('', '');

            push @entries, { name => 'test', step => $i + 1, group => $from,
                from => $from, path => '/a/index.html', user => $user,
                guess => $user ? "$user:$pass" : '' };
        }

        return bless { entries => \@entries, answer => \@codes,
            unlocks => [] }, $class;
    }

    sub entry { return $_[0]{entries}[$_[1]] }
    sub count { return 6 }
}

my @codes = qw(401.2 401.1 401.1 401.1 200 401.1);
my @log = ('0 401 ok 401.2 host 127.0.0.1', '1 401 failed 401.1 host 127.0.0.1',
    '2 401 repeat 401.1 host 127.0.0.1', '3 401 failed 401.1 host 127.0.0.1',
    '4 200 ok - host 127.0.0.1', '5 401 failed 401.1 host 127.0.0.2',
    '- 400 unguarded - - 127.0.0.9');
my %stats = (attempts_ok => 1, attempts_failed => 3, attempts_repeat => 1,
    refused_repeat => 1, map { $_ => 0 } qw(attempts_locked attempts_busy
      attempts_overload attempts_abandoned attempts_exempt refused_locked
      refused_busy refused_overload lockouts evictions overflow recoveries));
my %bob = (key => 'ip', client => '127.0.0.2', scope => 'host', failures => 1,
    state => 'counting', level => 0, in_flight => 0);
my %alice = (%bob, client => '127.0.0.1', failures => 0);

sub faults {
    my (%change) = @_;
    my $ledger = Ledger->new;
    my $generator = Generator->new(@{ $change{codes} || \@codes });

    $ledger->read_log(@{ $change{log} || \@log });
    my $sum = $ledger->compare_answers($generator, 6);
    my $model = $ledger->replay($generator, 6);
    $ledger->compare_counters($sum, { %stats, %{ $change{stats} || {} } },
        $model->{lockouts});
    $ledger->compare_table($model, @{ $change{table} || [\%alice, \%bob] });
    return join '; ', $ledger->faults;
}

# The log with another line in a place, or one more.
sub log_with {
    my ($index, $line) = @_;
    my @changed = @log;

    $changed[$index] = $line;
    return [@changed];
}

is(faults(), '', 'books that agree');
for my $counter (sort keys %stats) {
    like(faults(stats => { $counter => $stats{$counter} + 1 }),
        qr/^counter $counter: /, "one $counter too many");
}
my @wrong = (
    ['an answer that was not logged', qr/answered, and not logged/,
        log => [@log[0 .. 4]]],
    ['logged twice', qr/logged twice/, log => [@log, $log[1]]],
    ['logged otherwise', qr/answered and logged differently/,
        log => log_with(4, '4 401 failed 401.1 host 127.0.0.1')],
    ['logged from elsewhere', qr/from another address/,
        log => log_with(4, '4 200 ok - host 127.0.0.3')],
    ['a state that does not fit', qr/state and answer do not fit/,
        log => log_with(4, '4 200 locked - host 127.0.0.1')],
    ['half a request that was guarded', qr/a cut request was guarded/,
        log => log_with(6, '- 400 ok - host 127.0.0.9')],
    ['no answer and no end', qr/neither an answer nor an end/,
        codes => [@codes[0 .. 4], undef]],
    ['a lockout too early', qr/refused as locked, though the client is not/,
        log => log_with(3, '3 401 locked 401.501 host 127.0.0.1'),
        codes => [@codes[0 .. 2], '401.501', @codes[4, 5]]],
    ['a repeat of nothing', qr/called a repeat of nothing/,
        log => log_with(5, '5 401 repeat 401.1 host 127.0.0.2')],
    ['a failure forgotten', qr/not in the table: ip 127\.0\.0\.2/,
        table => [\%alice]],
    ['a failure not forgiven', qr/in the table, and should not be: ip 127/,
        table => [{ %alice, failures => 2 }, \%bob]],
    ['a client too many', qr/in the table, and should not be: ip 127/,
        table => [\%alice, \%bob, { %bob, client => '127.0.0.4' }]],
    ['a place that is held', qr/a place was not given back/,
        table => [{ %alice, in_flight => 1 }, \%bob]],
);
for my $case (@wrong) {
    my ($name, $fault, @change) = @$case;
    like(faults(@change), $fault, $name);
}

done_testing;
