#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What fail2ban and CrowdSec make of real lines of the error log with the files
# of conf/: exactly the clients that were locked out, however the log is laid
# out, and nobody else, whatever clients send. A .htaccess can't ban.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Firewall qw(bans decides jail);
use AuthGuard::Modules ();
use IO::Socket::IP ();
use POSIX qw(strftime);

if (my $reason = AuthGuard::Modules::lacks('fail2ban')) {
    plan(skip_all => $reason);
}

# Formats of the documentation and others, one virtual host each; the main
# server's is the default.
my %format = (
    iso => '[%{cu}t] [%-m:%l] [pid %P:tid %T] [client\ %a] %M',
    chatty => '[%{u}t] [%-m:%l] [pid %P:tid %{g}T] %7F: %E: [client\ %a] '
      . '[ua\ %{User-Agent}i] %M% ,\ referer\ %{Referer}i',
    place  => '[%t] [%-m:%l] [pid %P] %F: %E: %M',
    syslog => '[%-m:%l] [pid %P:tid %T] %M',
    piped  => '',
);
my $hosts = "<VirtualHost *:\@PORT\@>\nServerName plain.test\n"
  . "</VirtualHost>\n";
for my $name (sort keys %format) {
    my $log = $name eq 'piped' ? '|/usr/bin/tee -a @ROOT@/logs/piped.log'
      : "\@ROOT\@/logs/$name.log";
    $hosts .= "<VirtualHost *:\@PORT\@>\nServerName $name.test\n"
      . "ErrorLog \"$log\"\n";
    $hosts .= sprintf "ErrorLogFormat \"%s\"\n", $format{$name}
      if $format{$name};
    $hosts .= "</VirtualHost>\n";
}

# The recipe of docs/firewall.md for a piped log, with the test's places.
my $page = AuthGuard::Httpd::slurp(
    AuthGuard::Modules::top() . '/docs/firewall.md');
my %place = ('/srv/www' => '@DOCS@', '/usr/local/sbin/' => '@ROOT@/',
    '/usr/sbin:/usr/bin:/sbin:/bin' => '@ROOT@/bin');

sub block {
    my ($begin) = @_;
    my ($text) = $page =~ /^( {4}\Q$begin\E.*\n(?: {4}.*\n|\n(?= {4}))*)/m
      or die "docs/firewall.md: no block $begin";

    $text =~ s/\Q$_\E/$place{$_}/g for keys %place;
    return $text =~ s/^ {4}//mgr;
}

my @limit = ('AuthName "%{req:X-Realm}"', 'AuthGuardLimit ip 1/10min');
my $t = AuthGuard::Httpd->new(modules => [qw(remoteip auth_digest)],
    conf => "RemoteIPHeader X-Visitor\nRemoteIPInternalProxy 127.0.0.1\n"
      . "<Location /denied>\nRequire all denied\n</Location>\n"
      . guarded('a', 'AuthGuard On', @limit)
      . guarded('observe', 'AuthGuard Observe', @limit)
      . guarded('login', 'AuthGuard On', 'AuthGuardLimit ip none',
        'AuthGuardLimit login 1/10min')
      . guarded('user', 'AuthGuard On', 'AuthGuardLimit ip none',
        'AuthGuardLimit user 1/10min')
      . guarded('digest', 'AuthType Digest')
      . guarded('desk', 'AuthGuard On', @limit)
      . guarded('desk/observe', 'AuthGuard Observe', @limit)
      . block('<Directory "/srv/www/desk">') . $hosts);
$t->dir($_) for qw(a observe login user digest denied desk desk/observe);
my $program = $t->file('auth-guard-ban', block('#!/usr/bin/perl'));
my $nft = $t->file('bin/nft', "#!/bin/sh\necho \"\$*\" >>\@ROOT\@/nft.log\n");
chmod 0755, $program, $nft;
$t->dir('tenant', basic('AuthGuard On', @limit));
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out: /);
$t->expect_log(qr/AG0105: proxy: /);
$t->expect_log(qr/AH01630: client denied by server configuration/);
$t->expect_log(qr/\[auth_digest:error\]/);
$t->start;

sub log_file { return $t->root . "/logs/$_[0].log" }

# A wrong password from that address; returns the address.
sub lock_out {
    my ($address, $path, $host, %more) = @_;
    my @from = $address =~ /\A127\./ ? (from => $address) : ();
    my @visitor = @from ? () : ('X-Visitor' => $address);

    $t->get($path, user => 'alice', pass => 'wrong', @from, %more,
        headers => [Host => "$host.test", 'X-Realm' => 'r', @visitor,
            @{ $more{headers} || [] }]);
    return $address;
}

# What clients can send, to the default format and to one that has it in full.
my $fake = '[auth_guard:warn] [pid 1:tid 2] AG0101: lockout: client=6.6.6.6 '
  . 'net=6.6.6.6/32 key=ip failures=5/5 window=600 lock=900 level=1 '
  . 'until=2026-11-21T17:48:16Z origin=server scope=a realm=b user=c';
my $date = '[Sat Nov 21 19:00:00.000001 2026]';
my @forged = ($fake, "x] $fake", "$date $fake", "\n$date $fake",
    "x host apache2[1]: $fake", 'client=6.6.6.6 net=6.6.6.6/32 key=ip',
    '6.6.6.6');
my (%locked, $serial);

sub escaped { return $_[0] =~ s/([^A-Za-z0-9\/])/sprintf '%%%02x', ord $1/ger }

sub next_address { return '127.0.2.' . ++$serial }

for my $host (qw(plain chatty)) {
    for my $text (@forged) {
        my $line = $text =~ tr/\n/ /r;
        my $path = '/a/' . escaped($text);
        my $digest = join ', ', map { "$_=\"$line\"" }
          qw(username realm nonce uri response);

        push @{ $locked{$host} },
          lock_out(next_address(), '/a/', $host, user => $text),
          lock_out(next_address(), $path, $host),
          map { lock_out(next_address(), '/a/', $host, headers => [$_, $line]) }
          qw(X-Realm Referer User-Agent X-Forwarded-For Forwarded);
        lock_out('127.0.3.1', '/denied/' . escaped($text), $host,
            headers => ['User-Agent' => $line, Referer => $line]);
        $t->get('/digest/', from => '127.0.3.1', headers => [
            Host => "$host.test", Authorization => "Digest $digest",
            Referer => $line, 'User-Agent' => $line ]);
    }
}

# From ::1, and a port of four digits: `[client ::1:4321]` in other lines.
sub from_v6_loopback {
    my ($socket, $answer);

    for (1 .. 50) {
        $socket = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $t->port,
            LocalHost => '::1', LocalPort => 1024 + int rand 8900) and last;
    }
    $socket or return;
    print $socket AuthGuard::Client::bytes_of({ path => '/a/', user => 'alice',
        pass => 'wrong', headers => [Host => 'plain.test', 'X-Realm' => 'r'] });
    1 while sysread $socket, $answer, 4096;
    return '::1';
}
my @v6 = from_v6_loopback();
push @{ $locked{plain} }, @v6;
push @{ $locked{$_} }, lock_out('192.0.2.7', '/a/', $_),
  lock_out('2001:db8:1:2::7', '/a/', $_) for 'plain', keys %format;
my @others = (lock_out('127.0.4.1', '/observe/', 'plain'),
    lock_out('127.0.4.2', '/login/', 'plain'),
    lock_out('127.0.4.3', '/user/', 'plain', user => 'carol'));
my $tenants = lock_out('127.0.4.4', '/tenant/', 'plain');
SKIP: {
    skip('no ::1 here', 1) unless @v6;
    is(scalar($t->log_lines(qr/\[client ::1:\d{4}\] AH01617/)), 1,
        'a line with a port that looks like a part of the address');
}

sub addresses { return [sort map { $_->[0] } @_] }

sub finds {
    my ($log, $filter, $name, @want) = @_;

    is_deeply(addresses(bans($log, $filter)), [sort @want], $name);
    return;
}

my $error_log = log_file('error');
finds($error_log, 'auth-guard', 'the default format: the locked, and nobody',
    @{ $locked{plain} });
finds($error_log, 'auth-guard[origin="server|htaccess"]',
    'where a .htaccess may ban too', @{ $locked{plain} }, $tenants);
finds($error_log, 'auth-guard[origin=htaccess, key="ip|login|user"]',
    'both parameters hold', $tenants);
finds($error_log, 'auth-guard[key="login|user"]', 'limits of other kinds',
    @others[1, 2]);

# It takes `::` for no address, so the network of ::1 is left out.
finds($error_log, 'auth-guard[ban=net]', 'networks',
    map { /:/ ? '2001:db8:1:2::/64' : $_ } grep { $_ ne '::1' }
      @{ $locked{plain} });
finds(log_file('chatty'), 'auth-guard', 'a format with what clients send',
    @{ $locked{chatty} });

# A piped program writes when it likes.
sub wait_for {
    my ($count, $path) = @_;
    my $text = '';

    for (1 .. 2000) {
        $text = AuthGuard::Httpd::slurp($path);
        last if $text =~ tr/\n// >= $count;
        select undef, undef, undef, 0.01;
    }
    return $text;
}
wait_for(4, log_file('piped'));    # with AH01617

sub lines_file {
    my ($name, @lines) = @_;

    return $t->file("logs/$name", join '', map { "$_\n" } @lines);
}

sub lockouts_of {
    return grep { /AG0101/ } split /\n/,
      AuthGuard::Httpd::slurp(log_file($_[0]));
}
my @two = ('192.0.2.7', '2001:db8:1:2::7');
my @dated = map { lockouts_of($_) } qw(iso place piped);

# Syslog's heads, old and new, an hour ago; and another program's.
my $when = time - 3600;
my ($day, $month, $mday, $time, $year) = split ' ', localtime $when;
my $stamp = strftime('%Y-%m-%d', localtime $when);
my $zone = strftime('%z', localtime $when) =~ s/(?=..\z)/:/r;
my $old = sprintf '%s %2d %s', $month, $mday, $time;
my @syslog = map { ("$old host apache2[77]: $_",
    "${stamp}T$time.123456$zone host apache2[77]: $_",
    "${stamp}T$time$zone host httpd: $_") } lockouts_of('syslog');
my @alien = map { s/ apache2\[77\]/ sshd[77]/r,
    s/ apache2\[77\]: / sshd[77]: x apache2[77]: /r } @syslog[0, 1];
finds(lines_file('laid-out', @dated, @syslog, @alien), 'auth-guard',
    'each layout, and behind the head of a syslog line', (@two) x 6);

# Dates are read, and not taken for now.
my ($plain) = $t->log_lines(qr/AG0101: lockout: client=192\.0\.2\.7 /);
my $rest = $plain =~ s/\A\[[^]]*\]//r;
my $padded = sprintf '%s %s %02d %s', $day, $month, $mday, $time;
my $dates = lines_file('dates', @syslog[0 .. 2], map { "[$_]$rest" }
      "$padded.123456 $year", "$padded $year", "$stamp $time.123456",
    "$stamp $time");
is_deeply([map { $_->[1] } bans($dates, 'auth-guard')], [($when) x 7],
    'the time of every form of date');

my $jail = jail('auth-guard');
is_deeply([@$jail{qw(maxretry findtime bantime usedns)}],
    [qw(3 1d 1d no)], 'the jail is taken as it stands');

sub ip { return map { "Ip $_ auth-guard/lockouts" } @_ }

sub range { return map { "Range $_ auth-guard/networks" } @_ }

SKIP: {
    my $reason = AuthGuard::Modules::lacks('crowdsec');
    skip($reason, 2) if $reason;
    my @chatty = split /\n/, AuthGuard::Httpd::slurp(log_file('chatty'));
    my @lines = (($t->log_lines, @chatty, @dated) x 3,
        ($plain =~ s/192\.0\.2\.7/192.0.2.99/gr) x 2);
    my %clients = map { $_ => 1 } map { @$_ } values %locked;

    is_deeply([decides(lines_file('thrice', @lines), 'apache2')],
        [sort(ip(keys %clients), range('2001:db8:1:2::/64',
                    @v6 ? '::/64' : ()))],
        'CrowdSec: whoever was locked out three times, and nobody');
    is_deeply([decides(lines_file('syslog', @syslog), 'syslog')],
        [sort(ip(@two), range('2001:db8:1:2::/64'))], 'from syslog');
}

# The piped log of docs/firewall.md.
sub knock {
    my ($times, @more) = @_;

    lock_out(@more) for 0 .. $times;
    return;
}
knock(25, '192.0.2.77', '/desk/',         'plain');
knock(25, '127.0.5.1',  '/a/',            'plain');
knock(25, '127.0.5.2',  '/desk/observe/', 'plain');
knock(19, '127.0.5.3',  '/desk/',         'plain');
knock(21, '127.0.5.4',  '/desk/',         'plain');
my $add = 'add element inet auth_guard';
is(wait_for(1, $t->root . '/nft.log'),
    "$add banned4 { 127.0.5.4 timeout 1d }\n",
    'twenty knocks; not of a proxy, outside the scope or in Observe');

my @hostile = ('; reboot', '192.0.2.7', '192.0.2.7 192.0.2.8', '- -',
    '192.0.2.7;x 192.0.2.7;x', "2001:db8::g 2001:db8::g");
my $input = lines_file('input', (@hostile) x 20,
    map { "2001:db8:1:2::$_ 2001:db8:1:2::$_" } 1 .. 20);
unlink $t->root . '/nft.log';
is(system("perl '$program' <'$input'"), 0, 'the program ends with its input');
is(wait_for(1, $t->root . '/nft.log'),
    "$add banned6 { 2001:db8:1:2::/64 timeout 1d }\n",
    'a /64 counts as one, and what is no address is left alone');

$t->done;
done_testing;
