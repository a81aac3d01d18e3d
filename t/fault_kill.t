#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Children are killed a hundred times, at random moments, while clients guess,
# repeat, sign in and are locked out. The table stays sound, the limit exact,
# lockouts stay, and what the dead ones held comes back: places of
# AuthGuardChecks at once, places of a client a window later.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Load qw(by_name codes guesser);
use AuthGuard::Tool;
use Time::HiRes qw(sleep time);

use constant {
    ROUNDS => 100, LIMIT => 5, CHECKS => 12, GUESSERS => 240,
    SHORTS => 4, SHORT_SECONDS => 3, DELAY_MS => 60,
};

my $long = "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min";
my $short = "AuthGuardLimit ip @{[LIMIT]}/@{[SHORT_SECONDS]}s "
  . "lockout=@{[SHORT_SECONDS]}s max=@{[SHORT_SECONDS]}s";

# A directory for each guesser, so that each has a count of its own of the
# passwords that were looked at; what a dead child had begun stands in it too.
sub directory {
    my ($name, $limit, @lines) = @_;

    return guarded($name, 'AuthnSlowUser alice:right',
        "AuthnSlowDelay @{[DELAY_MS]}",
        "AuthnSlowCount \@ROOT\@/run/count/$name", $limit, @lines);
}
my @on = ('AuthGuard On', 'AuthBasicProvider slow');
my @provider = ('AuthBasicProvider guard', 'AuthGuardProvider slow');
my @guesser = map { "guesser$_" } 1 .. GUESSERS;
my @short = map { "short$_" } 1 .. SHORTS;
my $mpm = $ENV{AUTHGUARD_MPM} || 'event';
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => "AuthGuardChecks @{[CHECKS]} wait=300ms\n"
      . ($mpm eq 'prefork' ? "StartServers 24\nMinSpareServers 12\n"
        : "StartServers 10\nServerLimit 20\nThreadsPerChild 10\n"
          . "MaxRequestWorkers 200\nMinSpareThreads 100\n")
      . join('', directory('all', $long, @on),
        (map { directory($guesser[$_], $long, $_ % 2 ? @on : @provider) }
          0 .. $#guesser),
        map { directory($_, $short, @on) } @short));

sub count_path { return $t->root . "/run/count/$_[0]" }
sub begun      { return -s count_path($_[0]) }

for my $name ('all', @guesser, @short) {
    $t->dir($name);
    chmod 0666, $t->file("run/count/$name", '');
}

sub short_address { return "127.3.0.$_[0]" }

sub guesser_address {
    my ($n) = @_;

    return sprintf '127.2.%d.%d', $n / 200, $n % 200 + 1;
}

AuthGuard::Tool::build('table_fault');
$t->expect_lockout;
$t->expect_log(qr/AH1039\d: children are killed successively/, optional => 1);
$t->start;

my @good = map { "127.1.1.$_" } 1 .. 3;
my @locked = map { "127.1.2.$_" } 1 .. 3;

is($t->guess('/all/', 'alice', 'right', from => $_), 200, "$_ is in")
  for @good;
is($t->guess_wrong('/all/', 'alice', LIMIT, from => $_), '401.1=5',
    "$_ is locked out") for @locked;

# ---- who comes along ----

# Two crowds of three go from one address to the next as soon as that one's
# budget is spent. They never send a guess twice (close), for it would join
# the dead one, and be looked at under the same place.
my @visits = map { { path => "/$guesser[$_]/", from => guesser_address($_) } }
  0 .. $#guesser;
my $spent = qr/\A(?:401|429)\.501\z/;

sub signing_in {
    my ($member) = @_;

    return sub {
        my ($n) = @_;

        return { path => '/all/', user => 'alice', pass => 'right',
            from => sprintf '127.4.%d.%d', $member * 50 + $n / 200,
            $n % 200 + 1 };
    };
}

my %right = (path => '/all/', user => 'alice', pass => 'right');
my @clients = (
    (map { my $m = $_; map { { name => 'guesser', pause => 0, close => 1,
                  next => guesser(\@visits, $m, $_, 2,
                      $spent) } } 0, 1 } 1 .. 3),
    (map { { name => 'good', from => $_, next => sub { \%right } } } @good),
    (map { { name => 'locked', from => $_, pause => 0.05,
              next => sub { \%right } } } @locked),
    (map { { name => 'newcomer', next => signing_in($_) } } 1 .. 3),
    (map { { name => 'repeater', from => '127.1.3.1', pause => 0.02,
              next => sub { +{ %right, pass => 'old' } } } } 1 .. 2),
    map { my $dir = "/short$_/";
        { name => 'short', from => short_address($_), close => 1,
            next => sub { +{ path => $dir, user => 'alice',
                    pass => "wrong $_[0]" } } }
    } 1 .. SHORTS,
);

# ---- the rounds ----

sub kill_some {
    my ($round) = @_;
    my @children = $t->children;
    my $count = $round % 25 ? int(1 + rand(@children / 4)) : @children;

    return kill 'KILL', splice @children, rand(@children - $count + 1), $count;
}

my $began = time;
my $load = AuthGuard::Load->start($t->port, @clients);
my $killed = 0;
for my $round (1 .. ROUNDS) {
    my $patience = time + 10;

    $load->pass(0.05 + rand 0.15);
    $killed += kill_some($round);
    $load->pass(0.01) while !$t->children && time < $patience;
}
my %answers = by_name($load->stop);
my $seconds = time - $began;
note sprintf '%d children killed in %.1f s', $killed, $seconds;
cmp_ok($killed, '>=', ROUNDS, 'children were killed');

# ---- what is left ----

is($t->guess('/all/', 'alice', 'right', from => $good[0]), 200,
    'a good user is served at once');
my $table = AuthGuard::Tool::look($t->root . '/run/authguard.shm');
is($table->{fault}, 'sound', 'the table is sound');
cmp_ok($table->{in_flight}, '>', 0, 'dead guesses keep their places');
is($table->{checks}, CHECKS . '/' . CHECKS,
    'AuthGuardChecks has all its places back');

my %allowed = (
    good     => qr/\A(?:0 )?200\z/,
    locked   => qr/\A(?:0 )?401\.501\z/,
    newcomer => qr/\A(?:0 )?200(?: 503\.2)?\z/,
    guesser  => qr/\A(?:0 )?401\.1 401\.501(?: 429\.501)?(?: 503\.2)?\z/,
    repeater => qr/\A(?:0 )?401\.1(?: 429\.501)?(?: 503\.2)?\z/,
);
like(codes(@{ $answers{$_} }), $allowed{$_}, "$_: as it should be, or none")
  for sort keys %allowed;

my @used = grep { begun($guesser[$_]) } 0 .. $#guesser;
my @full = grep { begun($guesser[$_]) >= LIMIT } @used;
is(join(' ', grep { begun($_) > LIMIT } @guesser), '',
    'no guesser had more than the limit looked at, dead children included');
cmp_ok(scalar @full, '>=', 10, 'and many had that');

sub settled {
    my ($address) = @_;

    return scalar $t->log_lines(qr/\[client \Q$address\E:.*AH0161[78]/);
}
my $lost = 0;
$lost += begun($guesser[$_]) - settled(guesser_address($_)) for @used;
cmp_ok($lost, '>', 0, 'some of the guesses died with their children');

my @answers = $t->many(16, map { { %right, from => $_ } }
      @locked, map { guesser_address($_) } @full);
is(scalar(grep { $_->code !~ /\A(?:401|429)\.501\z/ } @answers), 0,
    'who was locked or had spent his places is refused');
is(tally(@answers[0 .. $#locked]), '401.501=3', 'locked clients are locked');

my $most = LIMIT * (int($seconds / SHORT_SECONDS) + 2);
is(join(' ', grep { begun($_) > $most } @short), '',
    "a short window: at most $most in that time");
my $rest = SHORT_SECONDS + 1;
my $short_lost = 0;
$short_lost += begun("short$_") - settled(short_address($_)) for 1 .. SHORTS;
cmp_ok($short_lost, '>', 0, 'some of theirs died as well');
sleep $rest;
for (1 .. SHORTS) {
    my @from = (from => short_address($_));

    is($t->guess("/short$_/", 'alice', 'right', @from), 200,
        "short $_: a window later the places are free");
    is($t->guess_wrong("/short$_/", 'alice', LIMIT, @from), '401.1=5',
        "short $_: all of them");
}
$table = AuthGuard::Tool::look($t->root . '/run/authguard.shm');
is($table->{fault}, 'sound', 'the table is sound in the end');
$t->done;

done_testing;
