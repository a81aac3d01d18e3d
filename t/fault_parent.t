#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The parent alone is killed with kill -9. Its children live on, answer, and
# hold places; the next server on the same file starts beside them, and both
# count in the same table and the same semaphore. In the end nothing is left
# behind.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Load qw(by_name guesser);
use AuthGuard::Tool;
use POSIX ();
use Time::HiRes qw(sleep time);

use constant {
    LIMIT => 5, CHECKS => 8, SLOW_MS => 6000, GUESSERS => 60, SECONDS => 3,
    STARTS => 20, PATIENCE_SECONDS => 30,
};

# An orphan that ends has lost the semaphore when its successor ended first.
my $uncounted = qr/AG0212: checks: AuthGuardChecks can't be counted/;
my @guesser = map { "guesser$_" } 1 .. GUESSERS;
my @lines = ('AuthBasicProvider slow', 'AuthnSlowUser alice:right',
    'AuthGuard On', 'AuthGuardScope one',
    "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min");

# A server on that file, or on one of its own, with counts of the passwords
# that were looked at below the directory of the first.
sub server {
    my ($first) = @_;
    my $t = AuthGuard::Httpd->new(modules => ['authn_slow']);
    my $run = ($first || $t)->root . '/run';

    $t->{store} = "shm file=$run/authguard.shm clients=1000";
    $t->{conf} = "AuthGuardChecks @{[CHECKS]} wait=200ms\n";
    for my $name ('a', 'slow', @guesser) {
        my $delay = $name eq 'slow' ? SLOW_MS : $name eq 'a' ? 0 : 40;

        $t->{conf} .= guarded($name, @lines, "AuthnSlowDelay $delay",
            "AuthnSlowCount $run/count/$name");
        $t->dir($name);
        next if $first;
        chmod 0666, $t->file("run/count/$name", '');
    }
    $t->{conf} .= "StartServers 20\n" if $t->{mpm} eq 'prefork';
    $t->expect_log(qr/AG010[12]: /, optional => 1);
    $t->expect_log($uncounted, optional => 1);
    return $t;
}

AuthGuard::Tool::build('table_fault');
my $old = server();
my $file = $old->root . '/run/authguard.shm';

sub begun { return -s $old->root . "/run/count/$_[0]" }
sub table { return AuthGuard::Tool::look($file) }

sub kill_parent {
    my ($t) = @_;

    kill 'KILL', $t->pid;
    $t->reap;
    return;
}

# Guesses of one client that are being looked at when this returns, in another
# process. Returns what waits for it.
sub hold {
    my ($t, @from) = @_;
    my $goal = begun('slow') + LIMIT;
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        $t->many(LIMIT, wrong_guesses('/slow/', 'alice', LIMIT, @from));
        POSIX::_exit(0);
    }
    my $patience = time + PATIENCE_SECONDS;
    sleep 0.01 while begun('slow') < $goal && time < $patience;
    return sub { waitpid $pid, 0 };
}

# ---- the parent dies ----

my @locked = (from => '127.0.1.1');
my @counted = (from => '127.0.1.2');
my @holder = (from => '127.0.1.3');
my @good = (from => '127.0.1.4');
my @dead = (from => '127.0.1.5');

$old->start;
is($old->guess_wrong('/a/', 'alice', LIMIT, @locked), '401.1=5',
    'a client is locked out');
is($old->guess_wrong('/a/', 'alice', 2, @counted), '401.1=2',
    'another has failed twice');
my $held = hold($old, @holder);
kill_parent($old);
my $orphans = () = $old->members;
cmp_ok($orphans, '>', 0, 'the parent is dead, its children are not');
is($old->guess('/a/', 'alice', 'right', @good), 200, 'they answer');
is($old->guess('/a/', 'alice', 'right', @locked), '401.501', 'and refuse');

# ---- the next one comes ----

my $new = server($old);
my $port = $new->port;
$new->{port} = $old->port;
like($new->refusal // '', qr/Address already in use/,
    'the port is still in use: httpd itself does not start there');
is($old->guess('/a/', 'alice', 'right', @good), 200,
    'which does no harm to the orphans');
$new->{port} = $port;
$new->{store} =~ s/clients=\d+/clients=2000/;
$new->start;
is(join(' ', map { /(AG02\d\d)/ } $new->log_lines(qr/AG02\d\d/)), 'AG0205',
    'on another port it starts at once; another size has to wait');
is(table()->{checks}, CHECKS - LIMIT . '/' . CHECKS,
    'the orphans hold their places of AuthGuardChecks');
is($new->guess('/a/', 'alice', 'right', @holder), '429.501',
    'and those of their client');
is($new->guess('/a/', 'alice', 'right', @locked), '401.501',
    'who was locked is locked');
is($new->guess('/a/', 'alice', 'right', @good), 200, 'a good user is let in');
is($new->guess_wrong('/a/', 'alice', 1, @counted), '401.1=1',
    'a third failure at the new server');
is($old->guess_wrong('/a/', 'alice', 1, @counted), '401.1=1',
    'a fourth at an orphan');
is($new->guess_wrong('/a/', 'alice', 1, @counted), '401.1=1', 'a fifth');
is($_->guess('/a/', 'alice', 'right', @counted), '401.501',
    'locks him out at both') for $new, $old;
$held->();
is($new->guess('/a/', 'alice', 'right', @holder), '401.501',
    'what the orphans have found wrong counts at the new server');
is(table()->{checks}, CHECKS . '/' . CHECKS,
    'and they give their places back');

# ---- both at once ----

my @visits = map { { path => "/guesser$_/", from => "127.0.2.$_" } }
  1 .. GUESSERS;
my @loads = map {
    my $t = $_;
    AuthGuard::Load->start($t->port,
        { name => 'good', @good, next => sub {
                +{ path => '/a/', user => 'alice', pass => 'right' } } },
        map { { name => 'guesser', close => 1,
                next => guesser(\@visits, $t->port . $_, 0,
                    1) } } 1 .. 3)
} $old, $new;
$_->pass(SECONDS / @loads) for @loads;
my %answers = by_name(map { $_->stop } @loads);
is(scalar(grep { $_->{code} ne 200 } @{ $answers{good} }), 0,
    'a good user is let in at both, each time');
my %is_locked = map { $_->{code} eq '401.501' ? ($_->{from} => 1) : () }
  @{ $answers{guesser} };
my @spent = grep { $is_locked{"127.0.2.$_"} } 1 .. GUESSERS;
cmp_ok(scalar @spent, '>=', 5, 'guessers went to both');
is(join(' ', grep { begun($guesser[$_ - 1]) != LIMIT } @spent), '',
    'each was locked out after exactly the limit, of both together');
is(join(' ', grep { begun($_) > LIMIT } @guesser), '', 'none had more');
is(table()->{fault}, 'sound', 'the table is sound');

# ---- the orphans die, with guesses in flight ----

$held = hold($old, @dead);
is(table()->{checks}, CHECKS - LIMIT . '/' . CHECKS, 'orphans hold places');
$old->kill_group;
$held->();
is(table()->{checks}, CHECKS . '/' . CHECKS, 'which come back when they die');
is($new->guess('/a/', 'alice', 'right', @dead), '429.501',
    'their client waits for a window');
is(table()->{fault}, 'sound', 'the table is sound');
$new->stop;
is(table()->{checks}, '-', 'a server that stops takes the semaphore with it');

# ---- what a killed server leaves is taken over ----

$new->{port} = $old->port;
$new->start;
is($new->guess('/a/', 'alice', 'right', @locked), '401.501',
    'the old port is free again, and who was locked is locked');
kill_parent($new);
$new->kill_group;
is(table()->{checks}, CHECKS . '/' . CHECKS, 'a killed one leaves it behind');
$new->start;
is(table()->{checks}, CHECKS . '/' . CHECKS, 'the next one takes it over');
$new->stop;
is(table()->{checks}, '-', 'and takes it away');

# Also where the table gets another file meanwhile: another size, or a file
# that is gone.
for my $how (
    ['another size', sub { $new->{store} =~ s/clients=\d+/clients=1000/ }],
    ['another file', sub { unlink $file }])
{
    my ($name, $change) = @$how;
    $new->start;
    my $pid = $new->pid;
    kill_parent($new);
    $new->kill_group;
    is(scalar(AuthGuard::Tool::semaphores($pid)), 1,
        "$name: a killed server leaves its semaphore");
    $change->();
    $new->start;
    $new->stop;
    is(scalar(AuthGuard::Tool::semaphores($pid)), 0,
        "$name: the next one takes it away");
}

# ---- killed while it starts ----

# The last table is a new one.
$new->start;
is($new->guess_wrong('/a/', 'alice', LIMIT, @locked), '401.1=5',
    'locked out again');
$new->stop;
for my $n (1 .. STARTS) {
    my $size = $n % 2 ? 1000 : 2000;

    $new->{store} =~ s/clients=\d+/clients=$size/;
    $new->file('httpd.conf', $new->configuration);
    $new->launch;
    sleep rand 0.12;
    kill 'KILL', -$new->{group};
    $new->reap;
    $new->kill_group;
}
$new->start;
is($new->guess('/a/', 'alice', 'right', @locked), '401.501',
    'after kills in the middle of starts: still locked');
is(table()->{fault}, 'sound', 'and the table is sound');
is(scalar($new->log_lines(qr/AG020[2369]/)), 0, 'none was set aside');
$new->expect_log(qr/AG020[45]: /);
$new->expect_log(qr/AH00098: pid file .* overwritten/, optional => 1);
$_->done for $new, $old;

done_testing;
