#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What is surely a mistake is said once at start, with the remedy; what may be
# meant so is not.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use File::Temp ();

# What is said of a configuration, as "ID ID". Only loopback is spoken to.
sub said {
    my ($conf, @arg) = @_;
    my $t = AuthGuard::Httpd->new(listen => '127.0.0.1:', @arg, conf => $conf);

    $t->expect_log(qr/AG011[013]/, optional => 1);
    $t->expect_log(qr/\[ssl:warn\]/, optional => 1);
    $t->start;
    my @ids = map { /\b(AG011[013]): configuration: / ? $1 : () }
      $t->log_lines;
    $t->graceful;
    my @again = $t->log_lines(qr/AG011[013]: /);
    is(scalar @again, 2 * @ids, 'and at each start') if @ids;
    $t->done;
    return join ' ', @ids;
}

# The same where the server listens on every address.
sub said_of_all {
    my ($conf, @arg) = @_;

    return said($conf, listen => '', @arg);
}

my $guarded = guarded('a', 'AuthGuard On');
my $provider = guarded('a', 'AuthBasicProvider guard');

# Passwords in clear.
is(said($guarded), '', 'on loopback no TLS is missed');
is(said_of_all($guarded), 'AG0110', 'beyond it it is');
is(said_of_all($provider), 'AG0110', 'for the provider as well');
is(said_of_all(guarded('a')), '', 'not where nothing is guarded');
is(said_of_all(guarded('a', 'AuthBasicProvider guard',
            'AuthGuard Off')), '', 'nor where the guard is off');
is(said_of_all("RemoteIPHeader X-Forwarded-For\n"
          . "RemoteIPInternalProxy 127.0.0.9\n$guarded",
        modules => ['remoteip']), '', 'nor behind a proxy');
is(said_of_all("Redirect /x https://localhost/\n$guarded"), '', 'nor where visitors are sent elsewhere');
is(said_of_all("<VirtualHost *:*>\nServerName a\n$guarded"
          . "</VirtualHost>\n"), 'AG0110', 'a host without TLS');
is(said_of_all("<VirtualHost *:*>\nServerName a\n"
          . "Redirect /x https://a/\n$guarded</VirtualHost>\n"), '', 'a host that redirects');

# TLS, for the server, for a host, and for one host of two.
SKIP: {
    my $dir = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);
    my $tls = "SSLEngine on\nSSLCertificateFile $dir/cert\n"
      . "SSLCertificateKeyFile $dir/key\n";
    my @with = (modules => [qw(socache_shmcb ssl)]);

    skip 'no mod_ssl or no openssl here', 3
      if !AuthGuard::Modules::has('ssl')
      || system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -days 2"
          . " -keyout $dir/key -out $dir/cert 2>/dev/null");
    is(said_of_all("$tls$guarded", @with), '', 'nor where there is TLS');
    is(said_of_all("<VirtualHost *:*>\nServerName a\n$tls$guarded"
              . "</VirtualHost>\n", @with), '', 'nor in a host with TLS');
    is(said_of_all("<VirtualHost *:*>\nServerName a\n$guarded</VirtualHost>\n"
              . "<VirtualHost 127.0.0.1:1>\nServerName b\n$tls</VirtualHost>\n",
            @with), 'AG0110', 'a host without TLS beside one with it');
}

# Addresses that anybody may write.
is(said("RemoteIPHeader X-Forwarded-For\n$guarded", modules => ['remoteip']),
    'AG0113', 'a header, and no proxy');
is(said("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.9\n"
          . $guarded, modules => ['remoteip']), '', 'and one');
is(said("RemoteIPHeader X-Forwarded-For\nRemoteIPTrustedProxy 127.0.0.9\n"
          . $guarded, modules => ['remoteip']), '', 'of either kind');

# Limits that hardly limit.
for my $case (
    ['ip 100/1h max=1h', '', '100 an hour'],
    ['ip 102/1h', 'AG0111', '101 an hour'],
    ['ip 1000/1min', 'AG0111', 'a thousand a minute'],
    ['ip 5/10min lockout=1s max=1s', 'AG0111', 'through short lockouts'],
    ['ip none', 'AG0111', 'none at all'],
    ["ip 1000/1min\nAuthGuardLimit login 5/10min", '', 'another by login'],
    ["ip none\nAuthGuardLimit user 20/1h", '', 'another by user'],
  )
{
    my ($limit, $expected, $name) = @$case;

    is(said(guarded('a', 'AuthGuard On', "AuthGuardLimit $limit")), $expected,
        "in a section: $name");
}
is(said("AuthGuardLimit ip 1000/1min\n$guarded"), 'AG0111', 'for the server');
is(said("AuthGuardLimit ip 1000/1min\n"
          . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 5/10min')),
    'AG0111', 'whose own limit holds for .htaccess files');
is(said(guarded('a', 'AuthGuard Observe', 'AuthGuardLimit ip 1000/1min')), '',
    'not in Observe');
is(said($guarded), '', 'not for the default');

done_testing;
