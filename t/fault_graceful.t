#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Thirty seconds of graceful restarts, five a second, under load. No request
# is refused or lost by it (httpd without the guard loses none either), every
# guesser gets exactly his limit over all generations, lockouts stay, and the
# parent is as small in the end as it was.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Load qw(by_name codes guesser);
use AuthGuard::Tool;
use Time::HiRes qw(sleep time);

use constant {
    SECONDS => 30, PERIOD_SECONDS => 0.2, LIMIT => 5, CHECKS => 12,
    GUESSERS => 400, GROWTH_KB => 1024, PATIENCE_SECONDS => 10,
};

# A directory with a count of its own of the passwords that were looked at.
sub directory {
    my ($name, $delay_ms, @lines) = @_;

    return guarded($name, 'AuthnSlowUser alice:right',
        "AuthnSlowDelay $delay_ms",
        "AuthnSlowCount \@ROOT\@/run/count/$name",
        "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min", @lines);
}
my @on = ('AuthGuard On', 'AuthBasicProvider slow');
my @provider = ('AuthBasicProvider guard', 'AuthGuardProvider slow');
my @guesser = map { "guesser$_" } 1 .. GUESSERS;
my $mpm = $ENV{AUTHGUARD_MPM} || 'event';
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => "AuthGuardChecks @{[CHECKS]} wait=2s\n"
      . ($mpm eq 'prefork' ? "StartServers 12\nMinSpareServers 6\n"
        : "ThreadsPerChild 25\nServerLimit 40\nMaxRequestWorkers 1000\n")
      . join('', directory('good', 10, @on), directory('fresh', 30, @on),
        directory('locked', 0, @on),
        map { directory($guesser[$_], 20 + 40 * ($_ % 4),
                $_ % 2 ? @on : @provider) } 0 .. $#guesser));

sub begun { return -s $t->root . "/run/count/$_[0]" }

for my $name (qw(good fresh locked), @guesser) {
    $t->dir($name);
    chmod 0666, $t->file("run/count/$name", '');
}

sub guesser_address {
    my ($n) = @_;

    return sprintf '127.2.%d.%d', $n / 200, $n % 200 + 1;
}

AuthGuard::Tool::build('table_fault');
$t->expect_lockout;
$t->start;

my @good = map { "127.1.1.$_" } 1 .. 3;
my @locked = map { "127.1.2.$_" } 1 .. 2;
my %right = (user => 'alice', pass => 'right');

is($t->guess_wrong('/locked/', 'alice', LIMIT, from => $_), '401.1=5',
    "$_ is locked out") for @locked;

# ---- the parent's size ----

sub size {
    my $proc = '/proc/' . $t->pid;
    my ($rss) = AuthGuard::Httpd::slurp("$proc/status") =~ /^VmRSS:\s+(\d+)/m;
    my $maps = () = AuthGuard::Httpd::slurp("$proc/maps") =~ /\n/g;
    my @descriptors = glob "$proc/fd/*";
    my @semaphores = AuthGuard::Tool::semaphores($t->pid);

    return { rss => $rss, numbers => 'descriptors ' . @descriptors
          . " mappings $maps semaphores " . @semaphores };
}

$t->graceful for 1 .. 5;
my $before = size();
like($before->{numbers}, qr/semaphores 1\z/, 'one semaphore');

# ---- the load ----

# Two crowds of three, each guess new, go from one address to the next as soon
# as that one is locked.
my @visits = map { { path => "/$guesser[$_]/", from => guesser_address($_) } }
  0 .. $#guesser;

sub signing_in {
    my ($member) = @_;

    return sub {
        my ($n) = @_;

        return { path => '/fresh/', %right, from => sprintf '127.4.%d.%d',
            $member * 50 + $n / 200, $n % 200 + 1 };
    };
}

my $load = AuthGuard::Load->start($t->port,
    (map { { name => 'good', from => $_,
              next => sub { +{ path => '/good/', %right } } } } @good),
    (map { { name => 'good', from => $_, close => 1,
              next => sub { +{ path => '/good/', %right } } } } @good[0, 1]),
    (map { { name => 'newcomer', next => signing_in($_) } } 1 .. 2),
    (map { { name => 'locked', from => $_, pause => 0.05,
              next => sub { +{ path => '/locked/', %right } } } } @locked),
    map { my $m = $_; map { { name => 'guesser', close => 1,
                  next => guesser(\@visits, $m, $_, 2) } }
          0, 1 } 1 .. 3);
my $asked = 0;
my $next = my $began = time;
while (time < $began + SECONDS) {
    $next += PERIOD_SECONDS;
    $load->pass($next > time ? $next - time : 0.01);
    $asked += kill 'USR1', $t->pid;
}
my %answers = by_name($load->stop);
note "$asked times asked for a graceful, "
  . $t->ready_count . ' generations';
$t->graceful for 1 .. 2;
cmp_ok($t->ready_count, '>', SECONDS, 'there were many generations');

# ---- what the clients saw ----

is(codes(@{ $answers{good} }), '200', 'good users: let in each time');
is(codes(@{ $answers{newcomer} }), '200', 'newcomers, too');
is(codes(@{ $answers{locked} }), '401.501', 'locked clients: never');
is(codes(@{ $answers{guesser} }), '401.1 401.501',
    'guessers: wrong or locked');
is(begun('good'), scalar @{ $answers{good} },
    'each password looked at came to an answer: none was asked in vain');
is(begun('locked'), LIMIT * @locked, 'no locked client was looked at');

my %is_locked = map { $_->{code} eq '401.501' ? ($_->{from} => 1) : () }
  @{ $answers{guesser} };
my @spent = grep { $is_locked{ guesser_address($_) } } 0 .. $#guesser;
cmp_ok(scalar @spent, '>=', 10, 'many guessers were locked out');
is(join(' ', grep { begun($guesser[$_]) != LIMIT } @spent), '',
    'each of them after exactly the limit');
is(join(' ', grep { begun($_) > LIMIT } @guesser), '', 'none had more');
is(tally($t->many(4, map { { path => '/good/', %right, from => $_ } } @locked,
            map { guesser_address($_) } @spent)),
    '401.501=' . (@locked + @spent), 'all of them are locked');

# ---- what is left ----

my $table = AuthGuard::Tool::look($t->root . '/run/authguard.shm');
is($table->{fault}, 'sound', 'the table is sound');
is($table->{in_flight}, 0, 'no place is taken any more');
is($table->{checks}, CHECKS . '/' . CHECKS, 'nor one of AuthGuardChecks');

my $patience = time + PATIENCE_SECONDS;
my $after = size();
while ($after->{numbers} ne $before->{numbers} && time < $patience) {
    sleep 0.1;
    $after = size();
}
is($after->{numbers}, $before->{numbers}, 'the parent has as much open');
cmp_ok($after->{rss}, '<', $before->{rss} + GROWTH_KB,
    'and takes no more memory');
$t->done;

done_testing;
