#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Limit, window, scope, AuthGuardChecks and the size of the table are changed
# by graceful restarts, at rest and under load. What has been counted stays,
# each change has the effect that docs/directives.md tells, and places that
# are held meanwhile come back.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Load qw(by_name codes guesser);
use AuthGuard::Tool;
use IPC::SysV qw(IPC_RMID);
use POSIX ();
use Time::HiRes qw(sleep time);

use constant {
    LIMIT => 5, HELD_MS => 3000, SLOW_MS => 1500, GUESSERS => 80,
    CHANGES => 16, PATIENCE_SECONDS => 30,
};

my @guesser = map { "guesser$_" } 1 .. GUESSERS;
my %usual = (limit => 'ip 5/10min lockout=10min', scope => 'none',
    checks => '12 wait=5s', clients => 1000);
my $t = AuthGuard::Httpd->new(modules => ['authn_slow']);

# A directory with a count of its own, in each scope, of the passwords that
# were looked at.
sub directory {
    my ($name, $delay_ms, %set) = @_;

    return guarded($name, 'AuthBasicProvider slow',
        'AuthnSlowUser alice:right', "AuthnSlowDelay $delay_ms",
        "AuthnSlowCount \@ROOT\@/run/$set{scope}/$name", 'AuthGuard On',
        "AuthGuardLimit $set{limit}",
        $set{scope} eq 'none' ? () : "AuthGuardScope $set{scope}");
}

sub configure {
    my (%set) = (%usual, @_);

    $t->{store} = "shm file=\@ROOT\@/run/authguard.shm clients=$set{clients}";
    $t->{conf} = "AuthGuardChecks $set{checks}\n"
      . join '', ($t->{mpm} eq 'prefork' ? "StartServers 20\n"
        : "StartServers 1\nMinSpareThreads 1\n"),
      directory('a', 0, %set), directory('slow', SLOW_MS, %set),
      directory('held', HELD_MS, %set),
      map { directory($_, 25, %set) } @guesser;
    $t->file('httpd.conf', $t->configuration);
    return;
}

sub change {
    configure(@_);
    AuthGuard::Tool::graceful($t);
    return;
}

sub begun { return -s $t->root . "/run/$_[0]" }

for my $name ('a', 'slow', 'held', @guesser) {
    $t->dir($name);
    chmod 0666, $t->file("run/$_/$name", '') for qw(none other);
}
AuthGuard::Tool::build('table_fault');
$t->expect_lockout;
configure();
$t->start;

my $address = 0;
sub newcomer { return (from => '127.0.1.' . ++$address) }

sub wrong {
    my ($count, @from) = @_;

    return $t->guess_wrong('/a/', 'alice', $count, @from);
}
sub right { return $t->guess('/a/', 'alice', 'right', @_) }

# Failures that the last request was told of.
sub failures { return ($t->access)[-1]{failures} }

sub table { return AuthGuard::Tool::look($t->root . '/run/authguard.shm') }

# ---- the limit ----

my @over = newcomer();
my @under = newcomer();
my @locked = newcomer();

is(wrong(3, @over), '401.1=3', 'limit 5: three failures');
is(wrong(1, @under), '401.1=1', 'one of another client');
is(wrong(5, @locked), '401.1=5', 'a third is locked out');
change(limit => 'ip 2/10min lockout=10min');
my $before = begun('none/a');
is(right(@over), '401.501', 'limit 2: three are too many: locked out now');
is(begun('none/a'), $before, 'and not looked at');
is(scalar($t->log_lines(qr/AG0101: .*\Q$over[1]\E .*failures=3\/2 /)), 1,
    'the log tells of it');
is(wrong(2, @under), '401.1=1 401.501=1', 'the other has one guess left');
my @raised = newcomer();
is(wrong(1, @raised), '401.1=1', 'a new one uses one of his two');
change();
is(wrong(5, @raised), '401.1=4 401.501=1', 'limit 5: he has four left');
is(right(@$_), '401.501', 'who is locked stays so')
  for \@over, \@under, \@locked;

# ---- the window, while others are looked at ----

my @longer = newcomer();
my @shorter = newcomer();
is(wrong(2, @shorter), '401.1=2', 'window 10min: two failures');
change(limit => 'ip 5/3s lockout=10min');
my $opened = time;
is(wrong(2, @longer), '401.1=2', 'window 3s: two of another client');
change();
is(wrong(1, @longer), '401.1=1', 'window 10min: a third');
SKIP: {
    skip 'the machine was too slow', 1 if time > $opened + 3;
    is(failures(), 3, 'within the old window');
}

# ---- the scope ----

my @scoped = newcomer();
is(wrong(3, @scoped), '401.1=3', 'no scope: three failures');
change(scope => 'other');
is(wrong(2, @scoped), '401.1=2', 'another scope: two');
is(failures(), 2, 'which are counted apart');
is(right(@locked), 200, 'and nobody is locked there');
change();
is(wrong(3, @scoped), '401.1=2 401.501=1', 'back: the old ones are there');
is(right(@locked), '401.501', 'and who was locked, too');
change(scope => 'other');
is(wrong(1, @scoped), '401.1=1', 'again the other: not locked');
is(failures(), 3, 'and what was counted there is');

# Now the windows: three seconds have passed.
my $left = $opened + 3.2 - time;
sleep $left if $left > 0;
change(limit => 'ip 5/1s lockout=10min');
is(wrong(1, @shorter), '401.1=1', 'window 1s: a third failure');
is(failures(), 3, 'the open window is as long as it was to be');
is(wrong(1, @longer), '401.1=1', 'a fourth, a window later');
SKIP: {
    skip 'the machine was too slow', 1 if !grep { $_->{failures} == 3
          && $_->{address} eq $longer[1] } $t->access;
    is(failures(), 4, 'the open window had become the longer one');
}

# ---- AuthGuardChecks, while places are held ----

# Guesses of new clients, in another process. Returns what waits for it.
sub hold {
    my ($count) = @_;
    my $goal = begun('none/held') + $count;
    my @requests = map { wrong_guesses('/held/', 'alice', 1, newcomer()) }
      1 .. $count;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        $t->many($count, @requests);
        POSIX::_exit(0);
    }
    my $patience = time + PATIENCE_SECONDS;
    sleep 0.01 while begun('none/held') < $goal && time < $patience;
    return sub { waitpid $pid, 0 };
}

# How many of that many new guesses at once are looked at; the others are
# overload.
sub admitted {
    my ($count) = @_;

    return tally($t->many($count,
            map { wrong_guesses('/slow/', 'alice', 1, newcomer()) }
              1 .. $count));
}

sub wait_for_checks {
    my ($expected) = @_;
    my $patience = time + PATIENCE_SECONDS;

    sleep 0.1 while table()->{checks} ne $expected && time < $patience;
    return table()->{checks};
}

change(checks => '4 wait=100ms');
is(table()->{checks}, '4/4', 'four checks at once');
SKIP: {
    skip 'a graceful wakes a child of prefork that sleeps', 8
      if $t->{mpm} eq 'prefork';
    my $held = hold(4);
    change(checks => '2 wait=100ms');
    is(admitted(1), '503.2=1', 'two, while four are held: no fifth');
    $held->();
    is(wait_for_checks('2/2'), '2/2', 'they go as they are given back');
    is(admitted(3), '401.1=2 503.2=1', 'then two are looked at');
    $held = hold(2);
    change(checks => '5 wait=100ms');
    is(admitted(4), '401.1=3 503.2=1', 'five, while two are held: three more');
    $held->();
    is(table()->{checks}, '5/5', 'all come back');
    $held = hold(3);
    change(checks => 'unlimited wait=100ms');
    is(admitted(7), '401.1=7', 'unlimited: more than five');
    $held->();
    $held = hold(3);
    change(checks => '2 wait=100ms');
    $held->();
    is(wait_for_checks('2/2'), '2/2', 'two again, for none was counted');
    is(admitted(3), '401.1=2 503.2=1', 'and two are looked at');
}
change(checks => '2 wait=100ms') if $t->{mpm} eq 'prefork';

# Somebody removes the semaphore: what a graceful makes is another.
my @semaphores = AuthGuard::Tool::semaphores($t->pid);
is(scalar @semaphores, 1, 'there is one semaphore');
semctl($_, 0, IPC_RMID, 0) for @semaphores;
is(admitted(3), '401.1=3', 'without it checks are not counted');
$t->expect_log(qr/AG0212: checks: AuthGuardChecks can't be counted/);
change(checks => '2 wait=100ms');
is(table()->{checks}, '2/2', 'a graceful makes another');
is(admitted(3), '401.1=2 503.2=1', 'which counts');

# ---- under load ----

change(scope => 'other');
is(wrong(5, @locked), '401.1=5', 'locked out in the other scope, too');
change();
my @good = map { [newcomer()] } 1 .. 3;

my @visits = map { { path => "/guesser$_/", from => "127.0.2.$_" } }
  1 .. GUESSERS;
my %asks = (path => '/a/', user => 'alice', pass => 'right');
my $load = AuthGuard::Load->start($t->port,
    (map { { name => 'good', @$_, next => sub { \%asks } } } @good),
    { name => 'locked', @locked, next => sub { \%asks } },
    map { my $m = $_; map { { name => 'guesser', close => 1,
                  next => guesser(\@visits, $m, $_, 2) } }
          0, 1 } 1 .. 3);
my @limit = ($usual{limit}, 'ip 3/10min lockout=10min',
    'ip 4/5min lockout=10min');
my @checks = ('12 wait=5s', '2 wait=5s', 'unlimited wait=5s');
for my $n (1 .. CHANGES) {
    configure(limit => $limit[$n % @limit],
        checks => $checks[$n / 2 % @checks],
        scope => $n % 8 < 4 ? 'none' : 'other',
        clients => $n % 5 ? 1000 : 2000);
    $t->graceful;
    $load->pass(0.3);
}
my %answers = by_name($load->stop);

is(codes(@{ $answers{good} }), '200', 'good users: let in each time');
is(codes(@{ $answers{locked} }), '401.501', 'the locked client: never');
is(codes(@{ $answers{guesser} }), '401.1 401.501',
    'guessers: wrong or locked');
for my $scope (qw(none other)) {
    is(join(' ', grep { begun("$scope/$_") > LIMIT } @guesser), '',
        "scope $scope: no guesser had more than the largest limit");
    cmp_ok(scalar(grep { begun("$scope/$_") >= 3 } @guesser), '>=', 5,
        "scope $scope: many had as much as the smallest");
}

# ---- the size, and what is left ----

is(scalar($t->log_lines(qr/:warn\].* AG0205: /)), int(CHANGES / 5),
    'another size is not for a graceful');
change();
my $table = table();
is($table->{fault}, 'sound', 'the table is sound');
is($table->{in_flight}, 0, 'no place is taken');
is(wait_for_checks('12/12'), '12/12', 'nor one of AuthGuardChecks');
$t->stop;
configure(clients => 2000);
$t->start;
is(scalar($t->log_lines(qr/:notice\].* AG0204: /)), 1,
    'a start makes the table larger');
is(right(@locked), '401.501', 'who was locked still is');
is(table()->{locked}, $table->{locked}, 'all of them');
is(table()->{fault}, 'sound', 'and the new table is sound');
$t->expect_log(qr/AG0205: /);
$t->expect_log(qr/AG0204: /);
$t->done;

done_testing;
