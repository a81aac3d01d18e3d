#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The Redis answers, and refuses: it is a replica now, knows another password,
# forbids the script, or has no memory left.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Outage;
use AuthGuard::Redis;

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new(conf =>
      "user guard on >secret ~* &* +\@all\n")->start;
my $password = $redis->file('password', "secret\n");
chmod 0600, $password;
my $url = $redis->url_tcp =~ s{//}{//guard\@}r;
my $outage = AuthGuard::Outage->new($redis, $url,
    options => ["password=$password"])->start;

sub acl { return $redis->cli('ACL', 'SETUSER', 'guard', @_) }

sub log_in_anew { return $redis->cli('CLIENT', 'KILL', 'USER', 'guard') }

my $dead_port = AuthGuard::Httpd::free_port();
$outage->of('a replica', cause => 'reply',
    breaks => sub { $redis->cli('REPLICAOF', '127.0.0.1', $dead_port) },
    mends => sub { $redis->cli('REPLICAOF', 'NO', 'ONE') });
$outage->of('another password', cause => 'reply',
    breaks => sub { acl('resetpass', '>other'); log_in_anew() },
    mends => sub { acl('resetpass', '>secret') });
$outage->of('no right to the script', cause => 'reply',
    breaks => sub { acl('-evalsha', '-eval') },
    mends => sub { acl('+evalsha', '+eval') });
$outage->of('no right to the keys', cause => 'reply',
    breaks => sub { acl('resetkeys', '~others:*') },
    mends => sub { acl('allkeys') });
$outage->of('no memory', cause => 'reply',
    breaks => sub { $redis->cli('CONFIG', 'SET', 'maxmemory', 1) },
    mends => sub { $redis->cli('CONFIG', 'SET', 'maxmemory', 0) });
unlike(join("\n", map { $_->log_lines } $outage->servers), qr/secret/,
    'no password in the log');
$outage->done;

done_testing;
