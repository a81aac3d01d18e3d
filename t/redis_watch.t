#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bugs: the metrics said that Redis was down until somebody guessed, and a
# list from a server whose SCAN never ends could not be ended either.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Htguard;
use AuthGuard::Outage;
use AuthGuard::Redis;
use File::Temp ();
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use constant { PATIENCE_SECONDS => 15, END_SECONDS => 3 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);
my $t = AuthGuard::Httpd->new($redis->store($fake->url, 'timeout=150ms'),
    conf => "<Location \"/metrics\">\nSetHandler auth-guard-status\n"
      . "AuthGuardStatus On\n</Location>\n"
      . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 5/10min'));
$t->dir('a');
$t->passwords('users', { alice => 'right' });
$t->expect_log(qr/\bAG010[12]: /, optional => 1);
$t->expect_log(qr/\bAG0301: store: redis: /);
$t->expect_log(qr/\bAG0302: store: redis: /);
$t->start;

# Scrape until it is that, or too late; nothing else is asked.
sub scrape_until {
    my ($expected, $name, $first) = @_;
    my $deadline = time + PATIENCE_SECONDS;
    my $is;

    do {
        $first->() if $first;
        $is = AuthGuard::Outage::metrics($t)->{authguard_store_up} // 'none';
        sleep 0.05 if $is ne $expected;
    } until $is eq $expected || time > $deadline;
    is($is, $expected, $name);
    return;
}

# Redis is away, and comes back when nobody is there but who watches.
is($t->guess('/a/', 'alice', 'right'), 200, 'in');
scrape_until(1, 'up');
$fake->does('shut');
$fake->drop;
scrape_until(0, 'down', sub { $t->guess_wrong('/a/', 'alice', 1) });
$fake->does('pass');
scrape_until(1, 'up again, by scraping alone');
is(scalar(() = $t->log_lines(qr/AG0302: /)), 1, 'and the log says so, once');
$t->done;

# Let htguard begin, end it in the middle: the seconds that takes it.
sub seconds_to_end {
    my (@arguments) = @_;
    my $htguard = AuthGuard::Htguard->new;
    my $out = File::Temp->new(TEMPLATE => 'authguard-XXXXXX', TMPDIR => 1);
    my $deadline = time + PATIENCE_SECONDS;
    my $before = $fake->seen->{requests};
    my $pid = $htguard->begin($out, '-r', $fake->url, @arguments);

    sleep 0.02
      until $fake->seen->{requests} > $before + 5 || time > $deadline;
    cmp_ok($fake->seen->{requests}, '>', $before + 5,
        "@arguments: it goes on and on");
    my $began = time;
    kill 'TERM', $pid;
    sleep 0.01
      until waitpid($pid, WNOHANG) == $pid || time > $began + END_SECONDS;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    return time - $began;
}

# A cursor that never comes to 0.
$fake->does(say => "*2\r\n\$1\r\n5\r\n*0\r\n");
my $seconds = seconds_to_end('list');
$seconds = seconds_to_end('list') if $seconds > END_SECONDS;
cmp_ok($seconds, '<=', END_SECONDS, 'list: SIGTERM ends it');

done_testing;
