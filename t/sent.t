#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A locked client's answer goes out past httpd's own error responses. Nobody
# can tell: all headers are these and no others, what administrators hang on
# answers (Header always, expressions, ErrorDocument) works as on any other, and
# what they hang on documents (filters, caches) does not touch it.
# t/sent_bodies.t has what clients send along, t/sent_log.t what is logged.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 12/10min');
my @responses = qw(401 403 404 429);
my $h2 = ($ENV{AUTHGUARD_MPM} || '') ne 'prefork';
my $conf = join '',
  (map { guarded("as$_", @guard, "AuthGuardResponse $_") } @responses, 'drop'),
  guarded('digest', @guard, 'AuthType Digest', 'AuthUserFile @ROOT@/users'),
  guarded('other', @guard, 'AuthType GSSAPI'),
  guarded('gssapi', @guard, 'AuthType Bearer'),
  guarded('header', @guard, 'Header always set X-Set "a b"',
    'Header always append X-Env %{AUTHGUARD_STATE}e env=AUTHGUARD_STATE',
    'Header always set X-None 1 env=AUTHGUARD_OBSERVED',
    'Header always set X-Locked 1 "expr=%{AUTHGUARD_STATE} == \'locked\'"',
    'Header always add X-Code "expr=%{AUTHGUARD_SUBSTATUS}"',
    'Header set X-Document 1', 'Header onsuccess append Cache-Control public'),
  guarded('filter', @guard, 'SetOutputFilter SUBSTITUTE;DEFLATE',
    'Substitute "s/Sign-in/Sign-out/"', 'ExpiresActive On',
    'ExpiresDefault "access plus 1 day"', 'AddDefaultCharset ISO-8859-1',
    'DefaultLanguage de', 'Header set ETag x'),
  guarded('any', @guard, 'Order deny,allow', 'Deny from all', 'Satisfy Any'),
  guarded('default', @guard, 'ErrorDocument 401 default'),
  guarded('elsewhere', @guard, 'ErrorDocument 403 /page.html'),
  guarded('path', @guard, 'ErrorDocument 401 /page.html'),
  guarded('text', @guard, 'ErrorDocument 401 "Not now."'),
  guarded('conditional', @guard, '<If "%{HTTP:X-Text} == \'1\'">',
    'ErrorDocument 401 "Not now."', '</If>'),
  guarded('own', @guard),
   guarded('cached', @guard), guarded('ahead', @guard),
  guarded('observe', 'AuthGuard Observe', 'AuthGuardLimit ip 12/10min');
$conf .= <<'CONF';
<FilesMatch "^page\.html$">
    SetOutputFilter INCLUDES
</FilesMatch>
RewriteEngine On
RewriteCond %{LA-U:REMOTE_USER} =alice
RewriteRule ^/ahead/who$ /ahead/index.html
CacheRoot @ROOT@/run
CacheEnable disk /cached/
CacheStoreNoStore On
CacheIgnoreNoLastMod On
CacheDefaultExpire 600
CacheHeader On
<Location "/status">
    SetHandler auth-guard-status
    AuthGuardStatus On
</Location>
CONF
$conf = "Protocols h2c http/1.1\n$conf" if $h2;
my $t = AuthGuard::Httpd->new(conf => $conf,
    modules => [qw(deflate substitute filter include expires rewrite
      cache cache_disk access_compat auth_digest),
        $h2 ? 'http2' : ()]);
my @dirs = $conf =~ m{<Directory "\@DOCS\@/(\w+)">}g;
$t->dir($_) for @dirs;
$t->file('docs/own/.htaccess', "ErrorDocument 401 \"Own words.\"\n");
$t->file('docs/page.html', 'PAGE <!--#echo var="REDIRECT_AUTHGUARD_STATE" -->'
      . ' <!--#echo var="REDIRECT_AUTHGUARD_SUBSTATUS" -->'
      . ' <!--#echo var="REDIRECT_AUTHGUARD_FAILURES" -->');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out/, optional => 1);
$t->expect_log(qr/AH01797: client denied by server configuration/);
$t->expect_log(qr/\[auth_digest:/, optional => 1);
$t->start;

my @locked = (from => '127.0.1.1');
my @right = (user => 'alice', pass => 'right', @locked);
$t->guess_wrong('/as401/', 'alice', 12, @locked);
my @from = (Server => 'Apache', Connection => 'close');
my @always = ('cache-control: no-store', 'connection: close',
    'retry-after: S', 'server: Apache', 'vary: Accept');
my $basic = 'www-authenticate: Basic realm="test"';
my $html = 'content-type: text/html; charset=utf-8';

# All headers in order of their names, but for what changes with the clock.
# The length is as told above: of the body that GET gets.
sub headers_of {
    my ($answer) = @_;
    my @pairs = @{ $answer->{headers} };
    my @lines;

    while (my ($name, $value) = splice @pairs, 0, 2) {
        next if $name =~ /\A(?:date|content-length|:status)\z/;
        $value = 'S' if $name eq 'retry-after' && $value =~ /\A8\d\d|900\z/;
        $value =~ s/nonce="[^"]*"/nonce/;
        push @lines, "$name: $value";
    }
    return join "\n", sort @lines;
}

sub is_dressed {
    my ($name, $answer, @more) = @_;

    is(headers_of($answer), join("\n", sort @always, @more),
        "$name: these headers");
    is(scalar(my @dates = $answer->header('date')), 1, "$name: a date");
    is(scalar(my @lengths = $answer->header('content-length')), 1,
        "$name: a length");
    return;
}

# Every status, method, form; with credentials and without.
my %reason = (401 => 'Unauthorized', 403 => 'Forbidden', 404 => 'Not Found',
    429 => 'Too Many Requests');
for my $status (@responses) {
    my @challenge = $status == 401 ? $basic : ();
    my $full = $t->get("/as$status/", @right);

    is("$full->{status} $full->{reason}", "$status $reason{$status}",
        "$status: the status line");
    like($full->{raw}, qr/\AHTTP\/1\.1 $status $reason{$status}\r\n/,
        "$status: to the byte");
    is_dressed($status, $full, @challenge, $html);
    is($full->code, "$status.501", "$status: the page tells which");
    for my $case (['no credentials', @locked], ['Range', @right,
            headers => [Range => 'bytes=0-9', 'If-Range' => '"x"']],
        ['conditions', @right, headers => ['If-None-Match' => '*',
                'If-Modified-Since' => 'Sun, 06 Nov 2033 08:49:37 GMT']],
        ['a precondition', @right, headers => ['If-Match' => '"x"']],
        ['encodings', @right, headers => ['Accept-Encoding' => 'gzip, br',
                TE => 'trailers', 'Accept-Language' => 'de']],
        ['OPTIONS', @right, method => 'OPTIONS'],
        ['a path that is none', @right, path => "/as$status/nothing/x"],
        ['an own method', @right, method => 'BREW'])
    {
        my ($name, @how) = @$case;
        my $answer = $t->get("/as$status/", @how);
        is($answer->fingerprint, $full->fingerprint, "$status, $name: as GET");
    }
    my $head = $t->get("/as$status/", @right, method => 'HEAD');
    is_dressed("$status, HEAD", $head, @challenge, $html);
    is($head->body . $head->{rest}, '', "$status, HEAD: no body");
    is($head->header('content-length'), length $full->body,
        "$status, HEAD: the length");
    for my $form (['application/json', 'application/problem+json'],
        ['text/plain', 'text/plain; charset=utf-8'])
    {
        my $answer = $t->get("/as$status/", @right,
            headers => [Accept => $form->[0]]);
        is_dressed("$status, $form->[0]", $answer, @challenge,
            "content-type: $form->[1]");
        like($answer->body, qr/\b$status\.501\b/, "$status, $form->[0]: tells");
    }
    my $old = $t->get("/as$status/", @right, version => '1.0',
        headers => [Connection => 'close']);
    is($old->fingerprint, $full->fingerprint, "$status: HTTP/1.0");
}
is($t->get('/asdrop/', @right)->{raw}, '', 'drop: nothing at all');
is($t->get('/asdrop/', @right, method => 'POST', body => 'x' x 100000)->{raw},
    '', 'drop: not for a body either');

# Challenges of other kinds.
is_dressed('Digest', $t->get('/digest/', @right), $html,
    'www-authenticate: Digest realm="test", nonce, algorithm=MD5, qop="auth"');
is_dressed('GSSAPI', $t->get('/other/', @right), $html,
    'www-authenticate: Negotiate');
is_dressed('Bearer', $t->get('/gssapi/', @right), $html,
    'www-authenticate: Bearer realm="test"');

# mod_headers.
is_dressed('Header', $t->get('/header/', @right), $html, $basic,
    'x-set: a b', 'x-env: locked', 'x-locked: 1', 'x-code: 401.501');
# What is for documents.
is_dressed('filters', $t->get('/filter/', @right,
        headers => ['Accept-Encoding' => 'gzip']), $html, $basic);
is($t->get('/filter/', @right)->body =~ s/\d+(?= minutes)//r,
    $t->get('/as401/', @right)->body =~ s/\d+(?= minutes)//r,
    'filters: the page is as it was');
is($t->guess('/any/', 'alice', 'right', @locked), '401.501', 'Satisfy Any');
is($t->guess('/observe/', 'alice', 'right', @locked), 200, 'Observe');

# A locked client's answer was put into a cache, and others were given it.
is_dressed('cache', $t->get('/cached/', @locked), $html, $basic);
is($t->get('/cached/', from => '127.0.1.2')->code, '401.2',
    'cache: nobody else gets it');

# ErrorDocuments.
is_dressed('default', $t->get('/default/', @right), $html, $basic);
is_dressed('of another status', $t->get('/elsewhere/', @right), $html, $basic);
is($t->get('/path/', @right)->body, 'PAGE locked 401.501 12', 'a document');
is($t->get('/text/', @right)->body, 'Not now.', 'a text');
is($t->get('/own/', @right)->body, 'Own words.', 'a text of .htaccess');
is($t->get('/conditional/', @right)->code, '401.501', 'a text, on condition');
is($t->get('/conditional/', @right, headers => ['X-Text' => 1])->body,
    'Not now.', 'and where it holds');

# Counted once a chain, with a guess or without: mod_rewrite's look-ahead asks
# before the request itself does.
sub counted {
    my ($path, @how) = @_;
    my @before = $t->get('/status?auto')->body
      =~ /^AuthGuard(?:AttemptsLocked|RefusedLocked): (\d+)$/mg;
    $t->get($path, @how);
    my @after = $t->get('/status?auto')->body
      =~ /^AuthGuard(?:AttemptsLocked|RefusedLocked): (\d+)$/mg;

    return join ' ', map { $after[$_] - $before[$_] } 0, 1;
}
is(counted('/as401/', @right), '1 1', 'a guess: an attempt, and refused');
is(counted('/as401/', @locked), '0 1', 'none: refused');
is(counted('/as401/', @locked, headers => [Authorization => 'Bearer x']),
    '0 1', 'another scheme: refused');
is(counted('/digest/', @locked, headers => [Authorization => 'Digest x']),
    '1 1', 'a Digest header: an attempt');
is(counted('/as401/', @locked, headers => [Authorization => 'Digest x']),
    '0 1', 'but not where Basic is asked for');
is(counted('/path/', @right), '1 1', 'with an ErrorDocument: once');
is(counted('/observe/', @right), '0 0', 'Observe: has not locked it out');
is(counted('/ahead/who', @right), '1 1', 'looked ahead, a guess: once');
is(counted('/ahead/who', @locked), '0 1', 'looked ahead, none: once');

SKIP: {
    skip 'no HTTP/2 under prefork', 1 unless $h2;
    my @answers = $t->h2(8, map { +{ path => "/as$_/", @right } } @responses,
        'drop');
    my $full = $t->get('/as401/', @right);
    for my $answer (@answers) {
        my $status = $answer->status;
        my @lines = grep { !/\Aconnection:/ } split /\n/, headers_of($answer);

        is(join("\n", @lines), join("\n", sort grep({ !/\Aconnection/ }
                    @always), $html, $status == 401 ? $basic : ()),
            "HTTP/2: $status");
    }
    is(tally(@answers), '401.501=1 403.501=2 404.501=1 429.501=1',
        'HTTP/2: each, and 403 where a stream can\'t be dropped');
}
$t->done;

# Headers that were there before anybody looked at the request.
{
    my $t = AuthGuard::Httpd->new(
        conf => "Header always set Vary Cookie early\n"
          . "Header always set X-Early 1 early\n"
          . "Header always set Cache-Control public early\n"
          . "Header always set WWW-Authenticate Mine early\n"
          . "Header set X-Document 1 early\nHeader set ETag x early\n"
          . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 1/10min'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->start;
    $t->guess_wrong('/a/', 'alice', 1, @locked);
    my $early = $t->get('/a/', @locked);
    is(join(', ', sort map { split /, */ } $early->header('vary')),
        'Accept, Cookie', 'early: Vary has both');
    is(join(', ', $early->header('cache-control')), 'no-store',
        'early: but no-store stays');
    is($early->header('x-early'), 1, 'early: other headers, too');
    is($early->header($_), undef, "early: not the document's $_")
      for qw(X-Document ETag);
    is(join(', ', $early->header('www-authenticate')), 'Mine',
        'early: a challenge that is there is left alone');
    $t->done;
}

done_testing;
