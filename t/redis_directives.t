#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuardStore redis: what may stand there, and for each word that may not a
# message with the directive, the word and what would be right. And a start
# where the Redis is away.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Outage;
use AuthGuard::Redis;
use File::Temp ();
use Time::HiRes qw(sleep time);

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $httpd = AuthGuard::Modules::httpd_path();
my $head = join('', map { AuthGuard::Modules::load_line($_) }
      qw(mpm_event authn_core authz_core))
  . "ServerName localhost\nErrorLog $dir/error.log\n"
  . "DefaultRuntimeDir $dir\nServerRoot $dir\n"
  . 'LoadModule auth_guard_module ' . AuthGuard::Modules::guard_path() . "\n";
my $load = AuthGuard::Redis::load_line();

sub file {
    my ($name, $text, $mode) = @_;

    open(my $out, '>', "$dir/$name") or die "$dir/$name: $!";
    print $out $text;
    close($out) or die "$dir/$name: $!";
    chmod $mode, "$dir/$name";
    return "$dir/$name";
}

# What httpd says of a configuration, without where it says it.
sub verdict {
    my ($text) = @_;
    my $conf = file('test.conf', $text, 0644);
    my $said = `timeout 20 $httpd -t -d $dir -f $conf 2>&1`;

    $said =~ s{\AAH00526: Syntax error on line \d+ of \Q$conf\E:\n}{};
    return $said;
}

sub refused {
    my ($words, $culprit, $remedy) = @_;
    my $said = verdict("$head${load}AuthGuardStore redis $words\n");

    like($said, qr/\AAuthGuardStore: '\Q$culprit\E': $remedy.*\n\z/,
        "redis $words" =~ s/([^ -~])/?/gr);
    return;
}

sub taken {
    my ($words) = @_;

    is(verdict("$head$load$words\n"), "Syntax OK\n",
        $words =~ s{\n}{, }r);
    return;
}

my $good = 'redis://127.0.0.1';
file('open', "a secret that others may read\n", 0644);
file('group', "a secret that the group may read\n", 0640);
file('short', "short\n", 0600);
file('empty', '', 0600);
file('secret', "a secret of enough bytes\n", 0600);
file('password', "pass word\n", 0600);
mkdir "$dir/directory" or die "$dir/directory: $!";

refused('', '', qr/.*redis:/);
refused($_, $_, qr/.*redis:/)
  for qw(localhost http://localhost redis:/localhost 127.0.0.1:6379 shm);
refused($_, $_, qr/\S/)
  for qw(redis:// redis://:6379 redis://h:0 redis://h:65536 redis://h:x
  redis://h:-1 redis://[::1 redis://h/x redis://h/-1 redis://h/99999999
  redis://h/0/1 unix: unix:relative rediss://);
refused("unix:/a?$_", 'unix:/a?...', qr/\S/)
  for qw(x=1 db=x db=-1 db=65536 db= user= db);
refused('redis://h?db=1', 'redis://h?...', qr/\S/);
refused('unix:/' . 'x' x 120, 'unix:/' . 'x' x 58 . '...', qr/\S/);
refused("$good $_", $_, qr/.*timeout|.*time is/)
  for qw(timeout= timeout=x timeout=1x timeout=-1s);
refused("$good $_", $_, qr/.*5 ?ms.*5 ?s/)
  for qw(timeout=4ms timeout=6s timeout=0 timeout=1h);
refused("$good $_", $_, qr/.*local, open (?:or|and) closed/)
  for qw(failure= failure=none failure=close);
refused("$good $_", $_, qr/.*prefix/)
  for 'prefix=', 'prefix=a{b}', 'prefix=a/b';
refused("$good prefix=" . 'x' x 65, 'prefix=' . 'x' x 57 . '...',
    qr/.*prefix/);
refused("$good $_", $_, qr/.*connections must be 1 to 64/)
  for qw(connections= connections=0 connections=65 connections=x
  connections=-1 connections=18446744073709551617);
refused("$good $_", $_ =~ s/=.*/=.../r, qr/the options are timeout=T, failure=/)
  for qw(nonsense nonsense=1 =1 = clients=64 file=/a);
refused("$good timeout=50ms=1", 'timeout=50ms=1', qr/.*time is/);
refused("$good $_ $_", $_, qr/this option was given already/)
  for qw(timeout=50ms failure=open prefix=a connections=2);

# Files: absolute, or below ServerRoot.
my %little = (secret => 'a secret must have at least 16 bytes',
    password => 'the first line of this file must be the password');
for my $option (qw(secret password)) {
    for my $row ([none => qr/this file can't be read: No such file/],
        [directory => qr/this must be a plain file/],
        [open => qr/others have access to this file; it needs chmod o-rwx/],
        [empty => qr/$little{$option}/])
    {
        my ($file, $remedy) = @$row;

        refused("$good $option=$dir/$file", "$option=$dir/$file", $remedy);
        refused("$good $option=$file", "$option=$dir/$file", $remedy);
    }
    refused("$good $option=", "$option=...", qr/the value must be .* a file/);
}
refused("$good secret=$dir/short", "secret=$dir/short", qr/$little{secret}/);

# A password does not belong into the configuration, and is not repeated.
for my $url (qw(redis://:hunter2@h redis://user:hunter2@h
    redis://user:hunter2@h:6379/0 rediss://u:hunter2@h
    unix:/a?password=hunter2))
{
    my $said = verdict("$head${load}AuthGuardStore redis $url\n");

    like($said, qr/\AAuthGuardStore: '.*': .*password=FILE/,
        "$url: no password there");
    like($said, qr/AUTHGUARD_REDIS_PASSWORD/, '  nor without a remedy');
    unlike($said, qr/hunter2/, '  nor repeated');
}

# A user is nobody without a password.
refused($_, $_ =~ s{user\@}{...@}r =~ s/\?.*/?.../r,
    qr/a user needs a password: password=FILE, or AUTHGUARD_REDIS_PASSWORD/)
  for 'redis://user@localhost', 'unix:/socket?user=guard';

taken("AuthGuardStore redis $_") for $good, 'redis://localhost:6380/3',
  'redis://user@localhost password=password', 'redis://[::1]:6379',
  'unix:/run/redis/socket',
  'unix:/run/redis/socket?db=3&user=guard password=password',
  'redis+unix:///run/redis/socket',
  "$good timeout=5ms", "$good TIMEOUT=5s failure=Local",
  "$good failure=open prefix=a.b:c_d-e connections=64",
  "$good failure=closed secret=$dir/secret password=$dir/password",
  "$good secret=secret password=password";

# One line of each, in either order, and the last one of two.
taken("AuthGuardStore shm clients=64\nAuthGuardStore redis $good");
taken("AuthGuardStore redis $good\nAuthGuardStore shm clients=64");
taken("AuthGuardStore redis redis://one\nAuthGuardStore REDIS $good");

# Without the module, or after it, or where no store can be meant.
like(verdict("${head}AuthGuardStore redis $good\n"),
    qr/\AAuthGuardStore: 'redis': .*mod_auth_guard_redis.*LoadModule/,
    'without the module: what to load');
like(verdict("$head${load}AuthGuardStore valkey $good\n"),
    qr/\AAuthGuardStore: 'valkey': the store must be shm or redis/,
    'another name');
like(verdict("$head$load<VirtualHost *>\nAuthGuardStore redis $good\n"
          . "</VirtualHost>\n"),
    qr/AuthGuardStore cannot occur within <VirtualHost> section/,
    'not in a host');

# The password of the environment.
my $redis = AuthGuard::Redis->new(conf => "user guard on >secret ~* &* +\@all\n"
      . "user default on nopass ~* &* +\@all\n", tls => 1)->start;

sub server {
    my ($url, @options) = @_;
    my $t = AuthGuard::Httpd->new($redis->store($url, 'timeout=2s', @options),
        conf => "<Location \"/metrics\">\nSetHandler auth-guard-status\n"
          . "AuthGuardStatus On\n</Location>\n"
          . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 3/10min'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    return $t;
}

# It counts, and in the Redis.
sub counts {
    my ($t, $name) = @_;
    my $before = $redis->asked;

    is($t->guess_wrong('/a/', 'alice', 4), '401.1=3 401.501=1',
        "$name: it counts");
    cmp_ok($redis->asked - $before, '>=', 4, "$name: in the Redis");
    $redis->cli('FLUSHALL');
    $t->done;
    return;
}

my $as_guard = $redis->url_tcp =~ s{//}{//guard\@}r;
{
    local $ENV{AUTHGUARD_REDIS_PASSWORD} = 'secret';
    counts(server($as_guard)->start, 'a password of the environment');
}
{
    my $t = server($redis->url . '?db=3&user=guard',
        'password=@ROOT@/password');

    chmod 0600, $t->file('password', "secret\n");
    $t->start;
    is($t->guess_wrong('/a/', 'alice', 1), '401.1=1', 'a database');
    is($redis->cli('DBSIZE'), 0, 'not the first');
    is_deeply([$redis->cli('INFO', 'keyspace') =~ /^(db\d+):keys=(\d+)/m],
        ['db3', 1], 'but the third');
    $redis->cli('FLUSHALL');
    counts($t, 'a database');
}

# TLS, where it is built in.
SKIP: {
    skip 'built without TLS', 4
      if verdict("$head${load}AuthGuardStore redis rediss://localhost\n") =~
      /TLS/;
    counts(server($redis->url_tls, "ca=$redis->{root}/ca.pem")->start, 'TLS');
    my $t = server($redis->url_tls, "ca=$redis->{root}/other.pem");
    $t->expect_log(qr/AG030[13]: store: redis: .*certificate/i);
    $t->start;
    my $before = $redis->asked;
    is($t->guess_wrong('/a/', 'alice', 4), '401.1=3 401.501=1',
        'a certificate that nobody vouches for: counted here');
    is($redis->asked, $before, 'and not there');
    $t->done;
}

# Away at the start: said, and no reason not to start; it is found when it is
# there.
for my $mode (qw(local open closed)) {
    my $t = server($redis->url_tcp, "failure=$mode");
    my %expected = (local => '401.1=3 401.501=1', open => '401.1=4',
        closed => '503.2=4');

    $redis->stop;
    $t->{expected} = [];
    $t->expect_log(qr/:warn\].* AG0303: store: redis: /);
    $t->expect_log(qr/ AG030[12]: store: redis: /, optional => 1);
    $t->expect_log(qr/ AG010[12]: /, optional => 1);
    $t->start;
    is(scalar $t->log_lines(qr/AG0303: /), 1, "$mode: away at the start");
    is($t->guess_wrong('/a/', 'alice', 4, from => '127.0.1.1'),
        $expected{$mode}, "$mode: and what is done then");
    is(AuthGuard::Outage::metrics($t)->{authguard_store_up}, 0,
        "$mode: the metrics tell");
    $redis->start;
    my $deadline = time + 20;
    until (AuthGuard::Outage::metrics($t)->{authguard_store_up}) {
        last if time > $deadline;
        $t->guess('/a/', 'alice', 'right', from => '127.0.1.2');
        sleep 0.05;
    }
    my $before = $redis->asked;
    is($t->guess_wrong('/a/', 'alice', 4, from => '127.0.1.3'),
        '401.1=3 401.501=1', "$mode: there: it counts");
    cmp_ok($redis->asked - $before, '>=', 4, "$mode: in the Redis");
    is(scalar $t->log_lines(qr/AG0302: /), 1, "$mode: and says so once");
    $t->done;
}

done_testing;
