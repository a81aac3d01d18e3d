#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/recipes.md, behind a load balancer and behind Cloudflare: visitors are
# locked out one by one, and nobody who only says that he is a proxy is
# believed. One balancer is a real mod_proxy.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Recipe qw(said);
use AuthGuard::Tool ();

use constant { BALANCER => '127.0.0.5', SECOND => '127.0.0.6',
    EDGE => '127.0.48.1', STRANGER => '127.9.9.9' };

sub forwarded {
    my ($address, $from, $name) = @_;

    return (from => $from // BALANCER,
        headers => [$name // 'X-Forwarded-For' => $address]);
}

# Five wrong ones lock $first, and leave $other alone.
sub locks_alone {
    my ($t, $name, $first, $other) = @_;

    is($t->guess_wrong('/desk/', 'alice', 5, @$first), '401.1=5',
        "$name: five wrong ones");
    is($t->guess('/desk/', 'alice', 'right-alice', @$first), '401.501',
        "$name: lock that visitor");
    is($t->guess('/desk/', 'alice', 'right-alice', @$other), 200,
        "$name: and no other");
    return;
}

sub locked_client {
    my ($t, $name, $address) = @_;

    is(($t->log_lines(qr/AG0101/))[-1] =~ /client=(\S+)/ ? $1 : 'none',
        $address, "$name: known by the right address");
    return;
}

sub is_free {
    my ($t, $name, @with) = @_;

    is($t->guess('/desk/', 'alice', 'right-alice', @with), 200, $name);
    return;
}

my $recipe = AuthGuard::Recipe->new('Behind a load balancer');

# --- A header from the balancer, and from others -----------------------------
{
    my $t = $recipe->server('Server', modules => ['remoteip']);

    $t->dir('desk');
    $t->expect_lockout;
    $t->expect_log(qr/AG0105: proxy: /);    # the stranger looks like one
    $t->start;
    locks_alone($t, 'a visitor', [forwarded('192.0.2.1')],
        [forwarded('192.0.2.2')]);
    locked_client($t, 'a visitor', '192.0.2.1');
    is($t->guess('/desk/', 'alice', 'right-alice',
            forwarded('192.0.2.1', SECOND)), '401.501',
        'and by the other balancer');
    is_free($t, 'the balancer itself is none of them', from => BALANCER);

    my @liar = forwarded('192.0.2.2, 192.0.2.3');
    locks_alone($t, 'who sends a header through the balancer', \@liar,
        [forwarded('192.0.2.2')]);
    locked_client($t, 'through the balancer', '192.0.2.3');

    is(tally(map { $t->many(1, wrong_guesses('/desk/', 'alice', 1,
                    forwarded("192.0.2.2$_", STRANGER))) } 0 .. 5),
        '401.1=5 401.501=1', 'a header of a stranger changes nothing');
    locked_client($t, 'the stranger', STRANGER);
    is_free($t, 'whom he named is free', forwarded('192.0.2.20'));
    locks_alone($t, 'two balancers in a row',
        [forwarded('192.0.2.40, ' . SECOND)],
        [forwarded('192.0.2.41, ' . SECOND)]);
    locks_alone($t, 'private addresses', [forwarded('10.1.2.3')],
        [forwarded('10.1.2.4')]);
    $t->done;
}

# --- The same with a mod_proxy for a balancer --------------------------------
{
    my $t = $recipe->server('Server', modules => ['remoteip']);

    $t->dir('desk');
    $t->expect_lockout;
    $t->start;
    my $balancer = AuthGuard::Httpd->new(guard => 0,
        modules => [qw(proxy proxy_http)], conf => 'ProxyPass "/" '
          . '"http://127.0.0.1:' . $t->port . "/\"\nProxySourceAddress "
          . BALANCER . "\n");
    $balancer->start;
    my @visitor = (from => '127.1.0.1');
    is($balancer->guess_wrong('/desk/', 'alice', 5, @visitor,
            headers => ['X-Forwarded-For' => '192.0.2.9']), '401.1=5',
        'through mod_proxy: a visitor with a header of his own');
    is($balancer->guess('/desk/', 'alice', 'right-alice', @visitor),
        '401.501', 'through mod_proxy: is locked out');
    locked_client($t, 'through mod_proxy', '127.1.0.1');
    is($balancer->guess('/desk/', 'alice', 'right-alice',
            from => '127.1.0.2'), 200, 'through mod_proxy: alone');
    $balancer->done;
    $t->done;
}

# --- What the text warns of --------------------------------------------------
{
    my $t = $recipe->server(undef, modules => ['remoteip'],
        conf => $recipe->block('Server') =~ s/^RemoteIPInternalProxy.*\n//mr);

    $t->dir('desk');
    $t->expect_log(qr/AG0113: /);    # which it says at start
    $t->start;
    is(tally(map { $t->many(1, wrong_guesses('/desk/', 'alice', 1,
                    forwarded("192.0.2.$_", STRANGER))) } 1 .. 8),
        '401.1=8', 'without a proxy named anybody is believed');
    $t->done;

    $t = $recipe->server(undef, modules => ['remoteip'],
        conf => $recipe->block('Server') =~ s/InternalProxy/TrustedProxy/r);
    $t->dir('desk');
    $t->expect_lockout;
    $t->expect_log(qr/AG0105: /, optional => 1);
    $t->start;
    is($t->guess_wrong('/desk/', 'alice', 5, forwarded('10.1.2.3')),
        '401.1=5', 'a trusted proxy with a private visitor');
    is($t->guess('/desk/', 'alice', 'right-alice', forwarded('10.1.2.4')),
        '401.501', 'is taken for the client itself');
    $t->done;

    # Nothing at all: everybody at once.
    $t = $recipe->server(undef, conf =>
          $recipe->block('Server') =~ s/^RemoteIP.*\n//gmr);
    $t->dir('desk');
    $t->expect_lockout;
    $t->expect_log(qr/AG0105: proxy: /);
    $t->start;
    $t->guess_wrong('/desk/', 'alice', 5, forwarded('192.0.2.1'));
    is($t->guess('/desk/', 'alice', 'right-alice', forwarded('192.0.2.2')),
        '401.501', 'without mod_remoteip one locks out everybody');
    $t->done;
}

# --- The PROXY protocol ------------------------------------------------------
sub proxied {
    my ($address, $password) = @_;
    my $line = AuthGuard::Client::basic('alice', $password);

    return { raw => "PROXY TCP4 $address 127.0.0.1 4711 80\r\n"
          . "GET /desk/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
          . "Authorization: $line\r\n\r\n" };
}

{
    my $t = $recipe->server('PROXY protocol', modules => ['remoteip'],
        conf => $recipe->block('Server') =~ s/^RemoteIP.*\n//gmr);

    $t->dir('desk');
    $t->expect_lockout;
    $t->expect_log(qr/\[remoteip:(?:error|warn)\]/, optional => 1);
    $t->start;
    is(tally($t->many(1, map { proxied('192.0.2.1', "wrong$_") } 1 .. 5)),
        '401.1=5', 'PROXY: five wrong ones');
    is(tally($t->many(1, proxied('192.0.2.1', 'right-alice'),
                proxied('192.0.2.2', 'right-alice'))), '200=1 401.501=1',
        'PROXY: lock that visitor, and no other');
    isnt($t->get('/')->status, 200, 'PROXY: nobody comes without it');
    $t->done;
}

# --- Cloudflare --------------------------------------------------------------
{
    my $cloudflare = AuthGuard::Recipe->new('Behind Cloudflare');
    my $t = $cloudflare->server('Server', modules => ['remoteip']);
    my $by = sub { forwarded($_[0], $_[1] // EDGE, 'CF-Connecting-IP') };

    $t->dir('desk');
    $t->file('cloudflare-networks',
        $cloudflare->block('/etc/apache2/cloudflare-networks'));
    $t->expect_lockout;
    $t->expect_log(qr/AG0105: proxy: /);
    $t->start;
    locks_alone($t, 'by Cloudflare', [$by->('192.0.2.1')],
        [$by->('192.0.2.2')]);
    locks_alone($t, 'by Cloudflare, IPv6', [$by->('2001:db8:1:1::1')],
        [$by->('2001:db8:1:2::1')]);
    is(tally(map { $t->many(1, wrong_guesses('/desk/', 'alice', 1,
                    $by->("192.0.2.2$_", STRANGER))) } 0 .. 5),
        '401.1=5 401.501=1', 'past Cloudflare a header changes nothing');
    locked_client($t, 'past Cloudflare', STRANGER);
    is($t->guess_wrong('/desk/', 'alice', 1,
            forwarded('192.0.2.99', EDGE)), '401.1=1',
        'X-Forwarded-For is not asked');

    # The command that fetches the list, from files that end without a newline
    # as Cloudflare's do; and what is left of the list where one is missing.
    my %section = AuthGuard::Recipe::sections();
    my ($fetch) = $section{'Behind Cloudflare'} =~ /^( {4}cd .*\n {4}\(.*)$/m;
    my @here = ('https://www.cloudflare.com/' => 'http://127.0.0.1:@PORT@/',
        '/etc/apache2' => '@ROOT@');
    my $list = $t->root . '/cloudflare-networks';
    $t->file('docs/ips-v4', '127.0.48.0/20');
    $t->file('docs/ips-v6', '2001:db8::/32');
    is(said($t, $fetch, @here), '', 'the command that fetches the list');
    is(AuthGuard::Httpd::slurp($list), "127.0.48.0/20\n2001:db8::/32",
        'a network a line');
    unlink $t->docs . '/ips-v6' or die "$!";
    isnt(said($t, $fetch, @here), '', 'a list that can not be fetched');
    is(AuthGuard::Httpd::slurp($list), "127.0.48.0/20\n2001:db8::/32",
        'leaves the one before');
    AuthGuard::Tool::graceful($t);
    is($t->guess('/desk/', 'alice', 'right-alice', $by->('192.0.2.1')),
        '401.501', 'which httpd takes');
    $t->done;
}

done_testing;
