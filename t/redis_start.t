#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A Redis that will not do, a node of a cluster, a replica, or one that wants a
# password, is told of as httpd starts, once and with its own words; and httpd
# starts all the same.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Redis;

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);

sub starts {
    my ($name, $url, $word) = @_;
    my $t = AuthGuard::Httpd->new($redis->store($url, 'timeout=1s'),
        conf => guarded('a', 'AuthGuard On'));
    my @lines;

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_log(qr/\bAG030[123]: store: redis: /, optional => 1);
    $t->start;
    @lines = $t->log_lines(qr/AG0303: /);
    is(scalar @lines, $word ? 1 : 0, "$name: told of once, if there is cause");
    like($lines[0], qr/not reached at start: server=\S+: .*$word/,
        "$name: with the reason") if $word;
    is($t->guess('/a/', 'alice', 'right'), 200, "$name: and it serves");
    $t->done;
    return;
}

starts('well', $redis->url, '');

$fake->does(say => "-MOVED 3999 127.0.0.1:6381\r\n");
starts('a cluster', $fake->url, 'MOVED 3999');
$fake->does('pass');

$redis->cli('REPLICAOF', '127.0.0.1', AuthGuard::Httpd::free_port());
starts('a replica', $redis->url, 'READONLY');
$redis->cli('REPLICAOF', 'NO', 'ONE');

$redis->cli('CONFIG', 'SET', 'requirepass', 'x');
starts('one that wants a password', $redis->url, 'NOAUTH');

done_testing;
