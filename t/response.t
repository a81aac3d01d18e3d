#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuardResponse, and the answers of a proxy.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 2/10min');
my @kinds = qw(401 403 404 429 drop);
my $t = AuthGuard::Httpd->new(threads => 1,
    modules => [qw(http2 proxy proxy_http proxy_connect)],
    conf => join '', "Protocols h2c http/1.1\n",
      guarded('forbidden', @guard, 'Require user bob',
        'AuthzSendForbiddenOnFailure On'),
      (map { guarded("r$_", @guard, "AuthGuardResponse $_") } @kinds),
      <<'CONF');
ProxyRequests On
AllowCONNECT @PORT@
<Proxy "*">
    AuthType Basic
    AuthName "test"
    AuthUserFile @ROOT@/users
    Require valid-user
    AuthGuard On
    AuthGuardLimit ip 2/10min
</Proxy>
CONF
$t->dir("r$_") for @kinds;
$t->dir('forbidden');
$t->dir("ht-$_", basic(@guard, "AuthGuardResponse $_")) for @kinds;
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AH01631: user alice: authorization failure/);
$t->start;

for my $i (0 .. $#kinds) {
    for my $dir ("r$kinds[$i]", "ht-$kinds[$i]") {
        my $kind = $kinds[$i];
        my @from = (from => "127.0." . ($dir =~ /^r/ ? 1 : 2) . ".$i");
        my $alice = { path => "/$dir/", user => 'alice', pass => 'right',
            @from };
        is($t->guess_wrong("/$dir/", 'alice', 2, @from), '401.1=2',
            "$dir: wrong is 401.1");
        my ($right) = $t->many(1, $alice);
        my ($wrong) = $t->many(1, { %$alice, pass => 'wrong' });
        my ($h2) = $t->h2(1, $alice);
        is($right->fingerprint, $wrong->fingerprint,
            "$dir: right and wrong alike");
        if ($kind eq 'drop') {
            is($right->{raw}, '', "$dir: not a byte");
            is($h2->status, 403, "$dir: 403 on HTTP/2");
            next;
        }
        is($right->code, "$kind.501", "$dir: $kind.501");
        is($h2->status, $kind, "$dir: on HTTP/2 too");
        like($right->header('retry-after'), qr/\A\d+\z/, "$dir: Retry-After");
        is($right->header('cache-control'), 'no-store', "$dir: no-store");
        is(defined $right->header('www-authenticate') ? 1 : 0,
            $kind eq '401' ? 1 : 0, "$dir: a challenge with 401 only");
    }
}

is($t->guess('/forbidden/', 'alice', 'right', from => '127.0.3.1'), '403.3',
    'AuthzSendForbiddenOnFailure: 403.3');

# A forward proxy asks with 407 and Proxy-Authorization.
sub proxied {
    my ($method, $password, @from) = @_;
    my $port = $t->port;
    my $target = $method eq 'CONNECT' ? "127.0.0.1:$port"
      : "http://127.0.0.1:$port/";
    my @header = defined $password
      ? "Proxy-Authorization: "
      . AuthGuard::Client::basic('alice', $password)
      : ();

    return $t->get('/', @from, raw => join "\r\n",
        "$method $target HTTP/1.1", "Host: 127.0.0.1:$port",
        "Connection: close", @header, '', '');
}

for my $case (['GET', '127.0.4.1'], ['CONNECT', '127.0.4.2']) {
    my ($method, $address) = @$case;
    my @from = (from => $address);
    my $none = proxied($method, undef, @from);
    is($none->code, '407.2', "$method: 407 without credentials");
    like($none->header('proxy-authenticate'), qr/\ABasic realm="test"/,
        "$method: Proxy-Authenticate");
    is(proxied('GET', 'right', @from)->status, 200, "$method: let through");
    is(proxied($method, 'wrong1', @from)->code, '407.1', "$method: wrong");
    is(proxied($method, 'wrong2', @from)->code, '407.1', "$method: wrong");
    my $locked = proxied($method, 'right', @from);
    is($locked->code, '407.501', "$method: locked");
    like($locked->header('proxy-authenticate'), qr/\ABasic realm="test"/,
        "$method: locked, Proxy-Authenticate");
    like($locked->header('retry-after'), qr/\A\d+\z/, "$method: Retry-After");
    is($locked->header('www-authenticate'), undef,
        "$method: no WWW-Authenticate");
    is(proxied($method, 'wrong', @from)->fingerprint, $locked->fingerprint,
        "$method: right and wrong alike");
}
$t->done;

done_testing;
