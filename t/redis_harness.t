#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The tests' own Redis, and the false one before it: each does what it is told,
# and neither outlives its test, however that ends.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use IO::Socket::UNIX ();
use Socket qw(SOCK_STREAM);
use Test::More;
use Time::HiRes qw(sleep time);
use AuthGuard::FakeRedis;
use AuthGuard::Redis;

plan skip_all => 'no redis-server here'
  unless AuthGuard::Redis::program_path();

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);

sub connection {
    my ($to) = @_;
    my $path = $to->url =~ s/\Aunix://r;

    return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path)
      || die "$path: $!";
}

# What comes within that time, until it is as long as said.
sub heard {
    my ($socket, $seconds, $bytes) = @_;
    my $until = time + $seconds;
    my $in = '';

    while (length $in < $bytes && (my $left = $until - time) > 0) {
        IO::Select->new($socket)->can_read($left) or next;
        sysread $socket, $in, $bytes - length $in, length $in or last;
    }
    return $in;
}

sub ask {
    my ($socket, $seconds, $bytes, @words) = @_;

    syswrite $socket, join '', '*' . @words . "\r\n",
      map { '$' . length($_) . "\r\n$_\r\n" } @words;
    return heard($socket, $seconds, $bytes);
}

# The real one.
is($redis->cli('SET', 'key', "a\r\nb"), 'OK', 'a command');
is($redis->cli('GET', 'key'), "a\r\nb", 'a string');
is($redis->cli('GET', 'none'), undef, 'nil');
is_deeply($redis->cli('MGET', 'key', 'none'), ["a\r\nb", undef], 'an array');
is($redis->cli('DBSIZE'), 1, 'a number');
ok(!eval { $redis->cli('NONSENSE') }, 'an error');
like($@, qr/ERR unknown command/, 'and its words');
is($redis->asked, 0, 'no script was asked for');
$redis->cli('EVAL', 'return 1', 0);
is($redis->asked, 1, 'one was');
is_deeply([$redis->keys_of], ['key'], 'the keys');
cmp_ok($redis->memory, '>', 1e6, 'its memory');
is(scalar $redis->connections, 0, 'nobody is there');
my $other = connection($redis);
is(ask($other, 10, 7, 'PING'), "+PONG\r\n", 'another');
is(scalar $redis->connections, 1, 'is seen');
$redis->pause;
is(ask($other, 0.1, 7, 'PING'), '', 'paused: says nothing');
$redis->resume;
is(heard($other, 10, 7), "+PONG\r\n", 'and then it does');

# The false one.
my $link = connection($fake);
is(ask($link, 10, 7, 'PING'), "+PONG\r\n", 'passes');
$fake->does(delay => 100);
my $began = time;
is(ask($link, 10, 7, 'PING'), "+PONG\r\n", 'passes late');
cmp_ok(time - $began, '>=', 0.099, 'as late as told');
$fake->does(drip => 15);
$began = time;
is(ask($link, 10, 1, 'PING'), '+', 'the first byte');
is(heard($link, 10, 6), "PONG\r\n", 'and the others');
cmp_ok(time - $began, '>=', 0.1, 'one by one');
$fake->does('silent');
is(ask($link, 0.1, 1, 'PING'), '', 'silent');
$fake->does(say => "\0\r\n");
is(ask($link, 10, 3, 'PING'), "\0\r\n", 'says what it was told');
$fake->does(error => 'OOM no');
is(ask($link, 10, 9, 'EVALSHA', 'x', 0), "-OOM no\r\n", 'an error');
is(ask($link, 10, 5, 'AUTH', 'x'), "+OK\r\n", 'for the script alone');
is(ask($link, 10, 31, 'SUBSCRIBE', 'ch'),
    "*3\r\n\$9\r\nsubscribe\r\n\$2\r\nch\r\n:1\r\n", 'a subscription');
is($fake->seen->{requests}, 8, 'the requests were counted');
is($fake->seen->{connections}, 1, 'and the connection');
$fake->does('pass');
is(ask($link, 10, 7, 'PING'), "+PONG\r\n", 'passes again');
$fake->drop;
is(ask($link, 10, 7, 'PING'), '', 'drops');
$link = connection($fake);
is(ask($link, 10, 7, 'PING'), "+PONG\r\n", 'and takes another');
$fake->does('shut');
is(heard(connection($fake), 10, 1), '', 'shut');
is(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $fake->{port})
      ? 1 : 0, 1, 'on TCP too');

# Start and stop.
$redis->crash;
ok(!eval { $redis->cli('PING') }, 'killed');
$fake->does('pass');
is(heard(connection($fake), 10, 1), '', 'nobody behind: closed');
is($redis->start->cli('DBSIZE'), 0, 'started anew, and empty');
my $pid = $redis->{pid};
$redis->stop;
ok(!kill(0, $pid), 'stopped');

# A test that is killed leaves neither.
{
    local $ENV{TMPDIR} = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    my $out = `'$^X' -I'$Bin/lib' -MAuthGuard::Redis -MAuthGuard::FakeRedis -e '
        \$| = 1;
        my \$redis = AuthGuard::Redis->new->start;
        my \$fake = AuthGuard::FakeRedis->new(\$redis);
        print "\$redis->{pid} \$fake->{pid}";
        close STDOUT;
        \$redis->pause;
        kill KILL => \$\$;' 2>/dev/null`;
    my @pids = $out =~ /\A(\d+) (\d+)\z/ or die "it said: $out";
    my $deadline = time + 20;
    sleep 0.01
      while time < $deadline && grep { alive($_) } @pids;
    is(join(' ', grep { alive($_) } @pids), '', 'both are gone with it');
}

sub alive {
    my ($pid) = @_;

    return AuthGuard::Httpd::slurp("/proc/$pid/stat") =~ /\A\d+ \(.*\) [^Z]/s;
}

done_testing;
