#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Under each MPM: connections to the Redis are as few as they may be, no
# program that httpd starts inherits one, a graceful restart closes those of
# before, dead children leave none, and a stop leaves none at all. Counts go on
# over all that.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Redis;
use AuthGuard::Tool;
use Time::HiRes qw(sleep time);

use constant { CONNECTIONS => 3, PATIENCE_SECONDS => 20,
    CLOEXEC => 02000000 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;

# The descriptors of a process that lead to the Redis, with their flags.
sub descriptors {
    my ($pid) = @_;
    my $port = sprintf '%04X', $redis->port;
    my %inode = map { /^\s*\d+: \S+ \S+:$port 01 (?:\S+ +){5}(\d+)/
          ? ("socket:[$1]" => 1) : () }
      split /\n/, AuthGuard::Httpd::slurp('/proc/net/tcp');
    my @found = grep { $inode{ readlink($_) // '' } } glob "/proc/$pid/fd/*";

    return map { AuthGuard::Httpd::slurp(s{/fd/}{/fdinfo/}r) =~ /^flags:\s+(\d+)/m
          ? oct $1 : 0 } @found;
}

# Wait until there are none, or as many as told at most.
sub left {
    my ($most) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    sleep 0.05 while $redis->connections > ($most // 0) && time < $deadline;
    return scalar $redis->connections;
}

sub everybody {
    my ($t, $octet) = @_;
    my @answers = $t->many(12, map { { path => '/a/', user => 'alice',
            pass => 'right', from => "127.0.$octet.$_" } } 1 .. 120);

    return tally(@answers);
}

for my $mpm (qw(event worker prefork)) {
    my $t = AuthGuard::Httpd->new(mpm => $mpm,
        $redis->store($redis->url_tcp, 'timeout=5s', "prefix=$mpm",
            'connections=' . CONNECTIONS),
        conf => guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 5/10min'));
    my @from = (from => '127.0.1.1');

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->start;
    is(everybody($t, 2), '200=120', "$mpm: a crowd");
    is($t->guess_wrong('/a/', 'alice', 2, @from), '401.1=2', "$mpm: two");

    # One more of each child listens.
    my @children = $t->children;
    my $each = $mpm eq 'prefork' ? 2 : CONNECTIONS + 1;
    my @many = grep { descriptors($_) > $each } @children;
    is(scalar @many, 0, "$mpm: a child has a few connections at most");
    cmp_ok(scalar(map { descriptors($_) } @children), '>', 0,
        "$mpm: and some have");
    is(scalar(grep { !($_ & CLOEXEC) } map { descriptors($_) } @children), 0,
        "$mpm: no program inherits one");
    is(scalar descriptors($t->pid), 0, "$mpm: the parent has none");

    AuthGuard::Tool::graceful($t);
    is($t->guess_wrong('/a/', 'alice', 2, @from), '401.1=2',
        "$mpm: two more after a graceful restart");
    my %old = map { $_ => 1 } @children;
    my $deadline = time + PATIENCE_SECONDS;
    sleep 0.05 while time < $deadline && grep { descriptors($_) } keys %old;
    is(scalar(map { descriptors($_) } keys %old), 0,
        "$mpm: those of before have closed theirs");

    $t->kill_children;
    AuthGuard::Tool::settle($t);
    is($t->guess_wrong('/a/', 'alice', 2, @from), '401.1=1 401.501=1',
        "$mpm: after kill -9 of the children the fifth locks");
    is(everybody($t, 3), '200=120', "$mpm: and a crowd is let in");
    is($t->stop, 0, "$mpm: stopped");
    is(left(), 0, "$mpm: no connection is left");
    $t->start;
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$mpm: still locked after a stop and a start");
    $t->done;
    is(left(), 0, "$mpm: no connection is left");
}

done_testing;
