#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bugs: a graceful restart forgot what Redis was still to be told of and
# that it was down; and where it took Redis out of the configuration, clients
# lay below another key than the file's, and were lost at the next start.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Outage;
use AuthGuard::Redis;
use AuthGuard::Tool;
use Time::HiRes qw(sleep time);

use constant { LIMIT => 5, PATIENCE_SECONDS => 10 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);
my $limit = "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min";

sub prepare {
    my ($t) = @_;

    $t->dir('a');
    $t->passwords('users',
        { map { ($_ => 'right') } 'alice', map { "user$_" } 1 .. 2 * LIMIT });
    $t->expect_log(qr/\bAG010[12]: /, optional => 1);
    return;
}

# With Redis, and then the table alone.
{
    my $secret = $redis->file('secret', "a secret of sixteen bytes at least\n");
    my ($lines) = ($redis->store($redis->url, "secret=$secret"))[1] =~
      /\n(.*)\z/s;
    my $t = AuthGuard::Httpd->new(store => 'shm file=@ROOT@/run/authguard.shm',
        conf => "Include \@ROOT\@/redis.conf\n"
          . guarded('a', 'AuthGuard On', $limit));
    my @client = map { [from => "127.0.1.$_"] } 1 .. 3;

    chmod 0600, $secret;
    $t->file('redis.conf', "$lines\n");
    prepare($t);
    $t->start;
    is($t->guess_wrong('/a/', 'alice', LIMIT + 1, @{ $client[0] }),
        '401.1=' . LIMIT . ' 401.501=1', 'locked with Redis');
    $t->file('redis.conf', '');
    AuthGuard::Tool::graceful($t);
    my $asked = $redis->asked;
    is($t->guess_wrong('/a/', 'alice', LIMIT + 1, @{ $client[1] }),
        '401.1=' . LIMIT . ' 401.501=1', 'locked without');
    is($t->guess_wrong('/a/', 'alice', LIMIT - 1, @{ $client[2] }),
        '401.1=' . (LIMIT - 1), 'nearly locked');
    is($redis->asked, $asked, 'Redis is asked no more');
    $t->stop;
    $t->start;
    is($t->guess('/a/', 'alice', 'right', @{ $client[1] }), '401.501',
        'stopped and started: locked as before');
    is($t->guess_wrong('/a/', 'alice', 2, @{ $client[2] }),
        '401.1=1 401.501=1', 'and the count goes on');
    $t->done;
}

my $t = AuthGuard::Httpd->new(
    $redis->store($fake->url, 'timeout=150ms', 'prefix=owed'),
    conf => "<Location \"/metrics\">\nSetHandler auth-guard-status\n"
      . "AuthGuardStatus On\n</Location>\n"
      . guarded('a', 'AuthGuard On', $limit));
prepare($t);
$t->expect_log(qr/\bAG030[12]: store: redis: /);
$t->expect_log(qr/\bAG0303: store: redis: /, optional => 1);
$t->start;

sub is_up { return AuthGuard::Outage::metrics($t)->{authguard_store_up} }

# Strangers come until that is so.
my $stranger = 0;

sub strangers_until {
    my ($name, $is_so) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    until ($is_so->() || time > $deadline) {
        $t->guess('/a/', 'alice', 'right',
            from => '127.1.0.' . (1 + $stranger++ % 250));
    }
    ok(time < $deadline, $name);
    return;
}

# Right ones, of users who have not been here.
sub colleagues {
    my ($first, @from) = @_;

    return map { { path => '/a/', user => "user$_", pass => 'right', @from } }
      $first .. $first + LIMIT - 1;
}

# Redis is down before a graceful and after it.
my @guesser = (from => '127.0.2.1');
my @office = (from => '127.0.2.2');

is($t->guess_wrong('/a/', 'alice', 1, @guesser), '401.1=1', 'one before');
$fake->does(delay => 300);
is(tally($t->many(LIMIT, colleagues(1, @office))), '200=' . LIMIT,
    'five have a place there, and are told too late');
is($t->guess_wrong('/a/', 'alice', 3, @guesser), '401.1=3',
    'three while it is slow');
$fake->does('silent');
strangers_until('down', sub { !is_up() });
AuthGuard::Tool::graceful($t);
is(is_up(), 0, 'down still, after a graceful');
strangers_until('and asked in vain', sub { $stranger >= 20 });
$fake->does('pass');
strangers_until('up', \&is_up);

# What is owed is due by now; others pay it.
my $before = $redis->asked;
strangers_until('it has been told', sub { $redis->asked > $before + 20 });
is(tally($t->many(1, colleagues(1 + LIMIT, @office))), '200=' . LIMIT,
    'the places are given back');
$t->stop;
unlink "$t->{root}/run/authguard.shm";    # from here on only Redis knows
$t->start;
is($t->guess_wrong('/a/', 'alice', 2, @guesser), '401.1=1 401.501=1',
    'the wrong ones have counted there');
my $said = join ' ', map { /(AG030[12]): / } $t->log_lines;
like($said, qr/\AAG0301 .*AG0302\z/, 'down is said, and up at last');
unlike($said, qr/(AG030[12]) \1/, 'and neither of them twice');
$t->done;

done_testing;
