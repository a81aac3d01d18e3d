#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The status page, byte by byte: who gets it and with which methods and
# headers; what it shows, searched, sorted and paged; that nothing a client or
# a configuration says is markup in it; and what its buttons take: a signed-in
# user, a form of this site, a fresh token.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Tool;
use Digest::SHA qw(sha256_base64);
use IPC::Open2 qw(open2);

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');

sub page_at {
    my ($path, @lines) = @_;

    return join "\n", "<Location \"$path\">", 'SetHandler auth-guard-status',
      @lines, '</Location>', '';
}

my $t = AuthGuard::Httpd->new(conf => page_at('/act', 'AuthGuardStatus Actions',
        basic())
      . page_at('/other', 'AuthGuardStatus Actions',
        basic() =~ s/"test"/"other"/r)
      . page_at('/see', 'AuthGuardStatus On', basic())
      . page_at('/open', 'AuthGuardStatus Actions')
      . page_at('/off', 'AuthGuardStatus Off') . page_at('/unset')
      . guarded('desk', @guard)
      . guarded('named', @guard, 'AuthGuardScope vault')
      . guarded('user', 'AuthGuard On', 'AuthGuardLimit ip none',
        'AuthGuardLimit user 3/10min', 'AuthGuardLimit login 3/10min',
        'AuthGuardScope users')
      . guarded('seen', 'AuthGuard Observe', 'AuthGuardLimit ip 3/10min'));
my $odd = q{o"><script>alert(1)<b>&amp;'};
$t->dir($_) for qw(desk named user seen);
$t->dir($odd, basic(@guard));
$t->passwords('users', { alice => 'right', bob => 'secret' });
$t->expect_lockout;
$t->expect_log($_) for qr/\bAG0103: unlocked: /, qr/\bAG0104: /,
  qr/\bAG0112: status: /, qr/\bAG0108: configuration: \S+ has the handler/;

# mod_mpm_event's children end with connections still closing.
$t->expect_log(qr/AH03092: process_lingering_close/, optional => 1);
my $tool = AuthGuard::Tool::build('table_crowd');
my $file = $t->root . '/run/authguard.shm';

# 250 locked and 30 failing in 10.0.0.0/16, before anybody else.
is(scalar `'$tool' '$file' 65536 250 30 crowd.example:443`,
    "tracked=280 locked=250\n", 'a crowd');
$t->start;
my $host = 'localhost:' . $t->port;
my @alice = (user => 'alice', pass => 'right');
my @bob = (user => 'bob', pass => 'secret');

sub page {
    my ($query, @arg) = @_;

    return $t->get("/act$query", @alice, @arg);
}

# The first column of the rows, as it stands there.
sub clients {
    my ($answer) = @_;

    my @names = $answer->body =~ m{role="rowheader" scope="row">(.*?)</th>}g;

    return @names;
}

# Where a link of that name leads.
sub link_of {
    my ($answer, $name) = @_;
    my ($to) = $answer->body =~ m{<a href="([^"]*)"[^>]*>\Q$name\E[ <]};

    return defined $to ? $to =~ s/&amp;/&/gr : undef;
}

sub token {
    my ($answer) = @_;
    my ($token) = $answer->body =~ /name="token" value="([0-9a-f]{16})"/;

    return $token // 'none';
}

sub form {
    my ($path, $body, %arg) = @_;
    my @headers = @{ delete $arg{headers} || [Origin => "http://$host"] };

    return $t->get($path, method => 'POST', body => $body, @alice, headers => [
            Host => $host, @headers,
            'Content-Type' => 'application/x-www-form-urlencoded'], %arg);
}

sub locks {
    my ($path, $from) = @_;

    $t->guess_wrong($path, 'bob', 3, from => $from);
    is($t->guess($path, @bob[1, 3], from => $from), '401.501',
        "$path has locked $from");
    return;
}

# Where it answers.
is($t->get('/off')->status, 404, 'Off: not found');
is($t->get('/unset')->status, 404, 'unset is Off');
is(scalar $t->wait_log(qr/AG0108: configuration: \/off has the handler/), 1,
    'and the log says why, once');
is($t->get('/act')->status, 401, 'its location asks for a password');
is(page('')->status, 200, 'Actions: answers');
is($t->get('/see', @alice)->status, 200, 'On: answers');
unlike($t->get('/see', @alice)->body, qr/method="post"/, 'On has no form');
is($t->get('/open')->status, 200, 'without a password: answers');
unlike($t->get('/open')->body, qr/method="post"/, 'and has no form');
like($t->get('/open')->body, qr/To unlock somebody, sign in/, 'and says why');

# Methods and headers.
for my $row (['/act', PUT => 'GET,HEAD,POST,?'], ['/act', DELETE => ''],
    ['/act', OPTIONS => ''], ['/see', POST => 'GET,HEAD'], ['/see', PUT => ''])
{
    my ($path, $method) = @$row;
    my $answer = $t->get($path, @alice, method => $method);
    my $allow = $answer->header('allow') // '';

    is($answer->status, 405, "$path: $method is not allowed");
    like($allow, qr/GET/, "$path: Allow says what is");
    is($allow =~ /POST/ ? 1 : 0, $path eq '/act' ? 1 : 0,
        "$path: Allow has POST under Actions alone");
    is($answer->header('cache-control'), 'no-store', 'and is not stored');
}
for my $method (qw(GET HEAD)) {
    my $answer = page('', method => $method);
    my $policy = $answer->header('content-security-policy') // '';

    is($answer->status, 200, "$method: 200");
    is($answer->header('cache-control'), 'no-store', "$method: no-store");
    is($answer->header('x-content-type-options'), 'nosniff',
        "$method: nosniff");
    is($answer->header('referrer-policy'), 'same-origin',
        "$method: Referrer-Policy");
    is($answer->header('content-type'), 'text/html; charset=utf-8',
        "$method: HTML");
    is($policy =~ s/sha256-[^']+/HASH/r, "default-src 'none'; style-src 'HASH'; "
          . "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        "$method: Content-Security-Policy");
}
is(page('', method => 'HEAD')->body, '', 'HEAD has no body');
my ($style) = page('')->body =~ m{<style>(.*?)</style>}s;
is(page('')->header('content-security-policy') =~ /'sha256-([^']+)'/ && $1,
    sha256_base64($style) . '=', 'the policy lets this style in');
is($t->get("/act?$_", @alice)->header('x-content-type-options'), 'nosniff',
    "?$_ has the common headers") for qw(auto json prometheus);
unlike($t->get("/act?$_", @alice)->body, qr/<html/, "?$_ is no page")
  for qw(auto json prometheus prometheus=);

# What it shows.
my $answer = page('');
is(scalar(() = $answer->body =~ /<(?:script|img|link|iframe|object)\b/gi), 0,
    'no script, and nothing is fetched');
unlike($answer->body, qr/\son\w+=|style=/, 'nor inline handlers and styles');
like($answer->body, qr{<html lang="en">}, 'a language');
like($answer->body, qr{<dt>Locked out now</dt><dd><strong>250</strong>},
    'how many are locked');
like($answer->body, qr{<strong>280</strong><meter}, 'how many are tracked');
like($answer->body, qr{aria-current="page">Locked \(250\)</a>}, 'the view');
like($answer->body, qr{>Failing \(30\)</a>}, 'the others');
like($answer->body, qr{>All \(280\)</a>}, 'and all');
like($answer->body, qr{<p>Rows 1 to 100 of 250</p>}, 'which rows');
like($answer->body, qr{<time datetime="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ">},
    'times in UTC');
like($answer->body, qr{<span>1[45]\ minutes(?:\ \d+\ seconds?)?</span>
        <small>until\ <time}x, 'the time left, in words');
like(page('?view=failing')->body, qr{<p>Rows 1 to 30 of 30</p>},
    'who is failing');

# Pages: forth and back, each row once.
my %seen;
my @pages = page('?view=all&sort=client');
while (my $next = link_of($pages[-1], 'Next')) {
    push @pages, page($next);
    last if @pages > 3;
}
is(join(' ', map { scalar clients($_) } @pages), '100 100 80', 'three pages');
is(join(' ', map { $_->body =~ /<p>Rows (\d+ to \d+)/ } @pages),
    '1 to 100 101 to 200 201 to 280', 'numbered');
$seen{$_}++ for map { clients($_) } @pages;
is(scalar(keys %seen), 280, 'each row stands on one of them');
is_deeply([map { clients($_) } @pages],
    [map { '10.0.' . ($_ >> 8) . '.' . ($_ & 255) } 0 .. 279], 'in order');
is(link_of($pages[0], 'First'), undef, 'nothing before the first');
my $back = page(link_of($pages[2], 'Previous'));
is_deeply([clients($back)], [clients($pages[1])], 'back by one');
is_deeply([clients(page(link_of($back, 'First')))], [clients($pages[0])],
    'back to the first');
my @down = clients(page('?view=all&sort=-client'));
is($down[0], '10.0.1.23', 'sorted downwards');
like(page('?view=all&sort=-client')->body, qr/aria-sort="descending"/,
    'and says so');
my ($first, $last) = map { [page("?view=failing&sort=$_")->body
          =~ /class="number">(\d) of 5</g] } 'failures', '-failures';
is("@$first", join(' ', sort @$first), 'sorted by failures');
is("@$last", join(' ', reverse @$first), 'and downwards');
for my $sort (qw(key level since left)) {
    is(scalar(() = page("?sort=$sort")->body =~ /aria-sort="ascending"/g), 1,
        "sorted by $sort");
}

# Nonsense in the address is as if not there.
is(page($_)->status, 200, "200 for $_")
  for '?view=x', '?sort=--', '?after=1', '?before=' . 'f' x 50, '?%zz=%00',
  '?client=%', '?client=' . 'x' x 5000, '?=&&=', '?scope=%ff%fe';
my $end = join '.', ('f' x 16) x 3;
is(scalar clients(page("?view=all&sort=client&after=$end")), 0,
    'a page behind the end is empty');

# Search.
my ($one) = (clients(page('?client=10.0.0.7')));
is($one, '10.0.0.7', 'an address is found');
is(scalar clients(page('?client=+10.0.0.7%0a')), 1, 'as pasted, too');
like(page('?client=10.0.1.0/24')->body, qr{Rows 1 to 24 of 24},
    'a network is found');
like(page('?scope=crowd.example:443')->body, qr{of 250}, 'a scope');
like(page('?scope=crowd')->body, qr{Nothing was found}, 'no such scope');
like(page('?client=192.0.2.1')->body, qr{Nothing was found},
    'no such address');
locks('/user/', '127.0.4.1');
is_deeply([sort { $a cmp $b } clients(page('?client=bob'))],
    ['127.0.4.1', 'A user name'], 'a user name');
like(page('?client=mallory')->body, qr{Nothing is counted by this user name},
    'no such user');

# Hostile names.
$t->guess_wrong('/' . $odd =~ s/([^\w])/sprintf '%%%02x', ord $1/ger . '/',
    'bob', 3, from => '127.0.6.1');
$answer = page('?client=127.0.6.1');
like($answer->body, qr/o&quot;&gt;&lt;script&gt;alert\(1\)/,
    "a scope's name is text");
unlike($answer->body, qr/<script|<b>/, 'and not markup');
for my $name ('"><script>x</script>', q{'"><i onx=1>}, "\e[31m\x{1}") {
    my $query = $name =~ s/([^\w])/sprintf '%%%02x', ord $1/ger;

    unlike(page("?client=$query&scope=$query")->body, qr/<script|<i /,
        'what was searched for is text');
}

# Observed clients are told apart.
$t->guess_wrong('/seen/', 'bob', 3, from => '127.0.5.1');
like(page('?client=127.0.5.1')->body, qr/observed, not refused/,
    'what is observed is not refused');

# Unlocking: one row.
locks('/desk/', '127.0.1.1');
locks('/named/', '127.0.1.1');
$answer = page('?client=127.0.1.1&scope=vault');
my $token = token($answer);
my ($id) = $answer->body =~ /name="unlock" value="([0-9a-f]{16})"/;
like($answer->body, qr/aria-label="Unlock 127\.0\.1\.1, ip, vault"/,
    'a button says for whom');

sub refused {
    my ($reason, $name, @request) = @_;
    my $before = () = $t->log_lines(qr/AG0112: /);
    my $got = form(@request);

    is($got->status, 403, "$name: refused");
    like($got->body, qr{role="alert"[^>]*>Nothing was done: },
        "$name: and told");
    my @lines = $t->wait_log(qr/AG0112: /, $before + 1);
    like($lines[-1], qr/:warn\].*\ AG0112:\ status:\ an\ action\ was\ refused:
            \ client=127\.0\.0\.1\ reason=$reason\ by=\S+\z/x,
        "$name: and logged");
    return;
}

my $good = "token=$token&unlock=$id";
refused('origin', 'another origin', '/act', $good,
    headers => [Origin => 'http://evil.example']);
refused('origin', 'another port', '/act', $good,
    headers => [Origin => 'http://localhost:1']);
refused('origin', 'an opaque origin', '/act', $good,
    headers => [Origin => 'null']);
refused('origin', 'a name that begins alike', '/act', $good,
    headers => [Origin => "http://$host.evil.example"]);
refused('origin', 'the host as a user name', '/act', $good,
    headers => [Origin => "http://$host\@evil.example"]);
refused('origin', 'cross-site', '/act', $good,
    headers => ['Sec-Fetch-Site' => 'cross-site']);
refused('origin', 'same-site is not same-origin', '/act', $good,
    headers => ['Sec-Fetch-Site' => 'same-site', Origin => "http://$host"]);
refused('origin', 'both must agree', '/act', $good,
    headers => ['Sec-Fetch-Site' => 'same-origin',
        Origin => 'http://evil.example']);
refused('origin', 'another referer', '/act', $good,
    headers => [Referer => "http://evil.example/$host/"]);
refused('origin', 'no origin at all', '/act', $good,
    headers => ['X-Nothing' => 1]);
refused('nonce', 'no such token', '/act', "token=" . ('0' x 16)
      . "&unlock=$id");
refused('nonce', 'half a token', '/act', 'token=' . substr($token, 0, 8)
      . "&unlock=$id");
refused('nonce', "another user's", '/act', $good, @bob);
refused('nonce', "another realm's", '/other', $good);
refused('user', 'nobody signed in', '/open', $good);
refused('form', 'no token', '/act', "unlock=$id");
refused('form', 'no button', '/act', "token=$token");
refused('form', 'a name for an id', '/act', "token=$token&unlock=x");
refused('form', 'all, where nothing was searched', '/act',
    "token=$token&unlock=all");
refused('form', 'all of a network', '/act?client=127.0.0.0/8',
    "token=$token&unlock=all");
refused('form', 'too long', '/act', $good . '&x=' . 'x' x 5000);
refused('form', 'too many fields', '/act', $good . '&a=1' x 50);
is($t->get('/act', method => 'POST', @alice, body => $good,
        headers => [Host => $host, Origin => "http://$host",
            'Content-Type' => 'text/plain'])->status, 403, 'another type');
is($t->get("/act?unlock=$id&token=$token", @alice,
        headers => [Origin => "http://$host"])->status, 403,
    'an address unlocks nobody');
is(form('/see', $good)->status, 405, 'nor does a form where On stands');
is(form('/act', $good, user => 'alice', pass => 'wrong')->status, 401,
    'nor a wrong password');
is($t->guess('/named/', @bob[1, 3], from => '127.0.1.1'), '401.501',
    'after all that, still locked');
is(scalar $t->log_lines(qr/AG0103: /), 0, 'and nothing was done');

$answer = form('/act?client=127.0.1.1&scope=vault', $good);
is($answer->status, 303, 'a good one leads back');
my $to = $answer->header('location') // '';
like($to, qr/\A\?view=all&.*client=127\.0\.1\.1&scope=vault&done=1&proof=/,
    'to the same list');
like(page($to)->body, qr{role="status"[^>]*>Unlocked: 1 record was cleared\.},
    'which says what was done');
unlike(page($to =~ s/done=1/done=9/r)->body, qr/role="status"/,
    'and not what was not');
is($t->guess('/named/', @bob[1, 3], from => '127.0.1.1'), 200, 'unlocked');
is($t->guess('/desk/', @bob[1, 3], from => '127.0.1.1'), '401.501',
    'in that scope alone');
like(($t->wait_log(qr/AG0103: /))[0],
    qr/:notice\].*\ AG0103:\ unlocked:\ client=127\.0\.1\.1\ user=-
        \ scope=vault\ count=1\ by=alice\z/x, 'the audit line');
like(page(form('/act', $good)->header('location'))->body,
    qr/There was nothing to unlock any more/, 'a second time: nothing left');

# All of an address, all of a user; origins that are as good.
locks('/named/', '127.0.1.1');
like(page('?client=127.0.1.1')->body, qr{>Unlock all of <bdi>127\.0\.1\.1<},
    'a button for the address');
is(form('/act?client=127.0.1.1', "token=$token&unlock=all",
        headers => [Referer => "http://$host/act"])->status, 303,
    'the Referer will do');
is($t->guess($_, @bob[1, 3], from => '127.0.1.1'), 200, "$_: unlocked")
  for '/desk/', '/named/';
is(form('/act?client=bob', "token=$token&unlock=all",
        headers => [Origin => "https://$host"])->status, 303,
    'TLS may end before the server');
is($t->guess('/user/', @bob[1, 3], from => '127.0.4.1'), 200,
    'a user is unlocked');
like(($t->wait_log(qr/AG0103: .* user=bob /))[0],
    qr/unlocked: client=- user=bob scope=- count=2 by=alice\z/,
    'its audit line');
locks('/desk/', '127.0.1.2');
is(form('/act?client=127.0.1.2', "token=$token&unlock=all", headers => [
            Origin => 'http://localhost'])->status, 403,
    'the port is part of the host');
is($t->get('/act?client=127.0.1.2', method => 'POST', @alice,
        body => "token=$token&unlock=all", headers => [Host => 'localhost:443',
            Origin => 'https://localhost', 'Sec-Fetch-Site' => 'same-origin',
            'Content-Type' => 'application/x-www-form-urlencoded; charset=x'])
      ->status, 303, 'but for the usual one');
is($t->guess('/desk/', @bob[1, 3], from => '127.0.1.2'), 200, 'unlocked');

# A store that can't be read: somebody holds a lock of it.
locks('/desk/', '127.0.1.9');
$t->expect_log(qr/AG0207: /);
$t->expect_log(qr/AG0208: /, optional => 1);
{
    my $pid = open2(my $out, my $in, AuthGuard::Tool::build('table_hold'),
        $file);

    is(scalar <$out>, "held\n", 'a lock is held');
    $answer = page('');
    is($answer->status, 200, 'the page is there');
    like($answer->body, qr{role="alert"[^>]*>The\ counts\ can(?:'|&\#39;)t
            \ be\ read:\ }x, 'and says what is the matter');
    unlike($answer->body, qr/Nobody is locked out|<table/, 'and no more');
    is(form('/act?client=127.0.1.9', "token=$token&unlock=all")->status, 503,
        'nor can it unlock');
    close $in;
    waitpid $pid, 0;
}
# The client may have been unlocked before the walk came to the closed lock.
unlike(page('')->body, qr/role="alert"/, 'then all is well again');

# The key of the tokens stays over a graceful restart and goes with a stop.
is(token(page('')), $token, 'the token of this hour');
AuthGuard::Tool::graceful($t);
is(form('/act?client=127.0.1.9', "token=$token&unlock=all")->status, 303,
    'a graceful restart keeps tokens');
$t->stop;
$t->start;
is(form('/act?client=127.0.1.9', "token=$token&unlock=all")->status, 403,
    'a stop does not');
$t->done;

# A token is one host's: what a page of one has shown is no use at another.
my $hosts = AuthGuard::Httpd->new(
    conf => page_at('/act', 'AuthGuardStatus Actions',
        basic('AuthGuard On', 'AuthGuardLimit ip 1/10min'))
      . join '', map { "<VirtualHost *:*>\nServerName $_\n</VirtualHost>\n" }
      qw(a.example b.example));
my @unlock = (method => 'POST', @alice);

sub at_host {
    my ($name, @arg) = @_;

    my %arg = (path => '/act', @arg);
    my $path = delete $arg{path};

    return $hosts->get($path, %arg, headers => [Host => $name,
            Origin => "http://$name",
            'Content-Type' => 'application/x-www-form-urlencoded']);
}

$hosts->passwords('users', { alice => 'right' });
$hosts->expect_lockout;
$hosts->expect_log(qr/AG0112: status: .* reason=nonce /);
$hosts->expect_log(qr/AG0103: unlocked: /);
$hosts->start;
at_host('a.example', user => 'alice', pass => 'wrong', from => '127.0.1.1');
my $client = '/act?client=127.0.1.1';
my $shown = token(at_host('a.example', @alice, path => $client));
isnt($shown, 'none', 'a page of one host');
my $body = "unlock=all&token=$shown";
is(at_host('b.example', @unlock, path => $client, body => $body)->status, 403,
    "another host's token");
is(at_host('a.example', @unlock, path => $client, body => $body)->status, 303,
    'and its own');
$hosts->done;

done_testing;
