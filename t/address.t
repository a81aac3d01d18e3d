#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Who is one client: addresses, prefixes, exemptions, proxies.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');
my $t = AuthGuard::Httpd->new(modules => ['remoteip'],
    conf => "RemoteIPHeader X-Visitor\nRemoteIPInternalProxy 127.0.0.1\n"
      . guarded('a', @guard)
      . guarded('exempt', @guard,
        'AuthGuardExempt 198.51.100.0/24 2001:db8:e::/48',
        'AuthGuardExempt 203.0.113.7')
      . guarded('exempt/some', 'AuthGuardExempt 192.0.2.99')
      . guarded('exempt/none', 'AuthGuardExempt none')
      . guarded('net', 'AuthGuard On', 'AuthGuardLimit ip none',
        'AuthGuardLimit net 4/10min')
      . guarded('default', 'AuthGuard On') . <<'CONF');
<VirtualHost *:@PORT@>
    ServerName localhost
    DocumentRoot @DOCS@
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName wide.test
    DocumentRoot @DOCS@
    AuthGuardPrefix 24 48
</VirtualHost>
CONF
$t->dir($_) for qw(a exempt exempt/some exempt/none net default);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;

sub by {
    my ($visitor, $host) = @_;

    return (headers => ['X-Visitor' => $visitor, Host => $host || 'localhost']);
}

sub locks {
    my ($name, $first, $second, $third, $host) = @_;

    is($t->guess_wrong('/a/', 'alice', 3, by($first, $host)), '401.1=3',
        "$name: three guesses");
    is($t->guess('/a/', 'alice', 'right', by($second, $host)), '401.501',
        "$name: lock the same client's other address");
    is($t->guess('/a/', 'alice', 'right', by($third, $host)), 200,
        "$name: and not the neighbour");
    return ($t->access)[-2]{client};
}

like(locks('behind mod_remoteip', '192.0.2.10', '192.0.2.10', '192.0.2.11'),
    qr/\A192\.0\.2\.10\b/, 'the client is the visitor');
is($t->guess('/a/', 'alice', 'right', from => '127.0.0.1'), 200,
    'and the proxy is none of them');
locks('one /64', '2001:db8:1:2::1', '2001:db8:1:2:ffff::9',
    '2001:db8:1:3::1');
my ($told) = $t->log_lines(qr/AG0101: lockout: client=2001:db8:1:2::1 /);
like($told, qr{ net=2001:db8:1:2::/64 }, 'told with its /64');
locks('::ffff: is IPv4', '::ffff:192.0.2.1', '192.0.2.1', '192.0.2.2');
locks('IPv4 is ::ffff:', '192.0.2.3', '::ffff:192.0.2.3',
    '::ffff:192.0.2.4');
locks('AuthGuardPrefix 24', '198.18.5.1', '198.18.5.200', '198.18.6.1',
    'wide.test');
locks('AuthGuardPrefix 48', '2001:db8:7:1::1', '2001:db8:7:2::1',
    '2001:db8:8:1::1', 'wide.test');

# Exempt clients are neither counted nor refused.
for my $visitor (qw(198.51.100.3 2001:db8:e:1::1 203.0.113.7
    ::ffff:198.51.100.3))
{
    is($t->guess_wrong('/exempt/', 'alice', 8, by($visitor)), '401.1=8',
        "$visitor is exempt");
    is(($t->access)[-1]{state}, 'exempt', 'and in that state');
    is($t->guess('/exempt/', 'alice', 'right', by($visitor)), 200, 'let in');
    is($t->guess_wrong('/a/', 'alice', 2, by($visitor)), '401.1=2',
        'nothing has counted');
    is(($t->access)[-1]{failures}, 2, 'elsewhere');
    last if $visitor =~ /:db8:e/;
}
is($t->guess_wrong('/exempt/', 'alice', 8, by('203.0.113.7')), '401.1=8',
    'lines of one section add up');
for my $case (['203.0.113.8', 'exempt'], ['203.0.113.7', 'exempt/some'],
    ['198.51.100.9', 'exempt/none'])
{
    my ($visitor, $dir) = @$case;
    is($t->guess_wrong("/$dir/", 'alice', 4, by($visitor)),
        '401.1=3 401.501=1', "$visitor is not exempt in $dir");
}
is($t->guess_wrong('/exempt/some/', 'alice', 8, by('192.0.2.99')),
    '401.1=8', "a section's list replaces the inherited one");

# A network's limit.
is(tally(map { $t->many(1, wrong_guesses('/net/', 'alice', 1,
                by("192.0.100.$_"))) } 1 .. 6), '401.1=4 401.501=2',
    'net: a /24 is one client');
is($t->guess('/net/', 'alice', 'right', by('192.0.101.1')), 200,
    'net: the next one is another');
is(tally(map { $t->many(1, wrong_guesses('/net/', 'alice', 1,
                by("2001:db8:a:${_}::1"))) } 1 .. 6), '401.1=4 401.501=2',
    'net: a /48 is one client');

# The default: ip 5/10min, and for IPv6 clients net 50/10min.
is($t->guess_wrong('/default/', 'alice', 6, by('192.0.3.1')),
    '401.1=5 401.501=1', 'default: five of an address');
is(tally(map { $t->many(1, wrong_guesses('/default/', 'alice', 2,
                by("2001:db8:b:${_}::1"))) } 1 .. 26),
    '401.1=50 401.501=2', 'default: fifty of a /48');
is(tally(map { $t->many(1, wrong_guesses('/default/', 'alice', 1,
                by("192.0.4.$_"))) } 1 .. 60), '401.1=60',
    'default: no such limit for IPv4');
$t->done;

# A proxy in front that nobody told us of: said once.
{
    my $t = AuthGuard::Httpd->new(conf => guarded('a', @guard));
    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_log(qr/:warn\].* AG0105: /);
    $t->start;
    $t->guess_wrong('/a/', 'alice', 1, from => '127.0.1.9');
    is(scalar($t->log_lines(qr/AG0105/)), 0, 'no proxy, no warning');
    $t->get('/a/', user => 'alice', pass => 'right', from => '127.0.1.9',
        headers => ['X-Forwarded-For' => '192.0.2.1']);
    is(scalar($t->log_lines(qr/AG0105/)), 0, 'no failure, no warning');
    my $i = 0;
    for my $name (qw(X-Forwarded-For Forwarded CF-Connecting-IP) x 3) {
        $t->guess_wrong('/a/', 'alice', 1, headers => [$name => '192.0.2.1'],
            from => '127.0.1.' . ++$i);
    }
    is(scalar($t->log_lines(qr/AG0105/)), 1, 'one warning about a proxy');
    $t->done;
}

done_testing;
