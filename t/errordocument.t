#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The administrator's ErrorDocument wins, and gets the variables; expressions
# and the log see the same.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 2/10min');
my $t = AuthGuard::Httpd->new(modules => ['include'],
    conf => guarded('path', @guard, 'ErrorDocument 401 /errors/page.html')
      . guarded('text', @guard, 'ErrorDocument 401 "Not now."')
      . guarded('url', @guard, 'AuthGuardResponse 403',
        'ErrorDocument 403 http://elsewhere.test/locked')
      . guarded('missing', @guard, 'ErrorDocument 401 /errors/nothing.html')
      . guarded('inside', @guard, 'ErrorDocument 401 /inside/own.html')
      . guarded('other', @guard, 'ErrorDocument 404 /errors/page.html')
      . guarded('expr', @guard,
        'Header always set X-State "expr=%{AUTHGUARD_STATE}"',
        'Header always set X-Code "expr=%{AUTHGUARD_SUBSTATUS}"',
        'Header always set X-Count '
          . '"expr=%{AUTHGUARD_FAILURES}/%{AUTHGUARD_LIMIT}"')
      . guarded('open', @guard) . <<'CONF');
<Directory "@DOCS@/errors">
    SetOutputFilter INCLUDES
</Directory>
<Directory "@DOCS@/plain">
    Header always set X-State "expr=%{AUTHGUARD_STATE}"
</Directory>
CONF
my @names = qw(STATE SUBSTATUS RETRY_AFTER FAILURES LIMIT SCOPE);
$t->dir($_) for qw(path text url missing inside other expr open plain);
$t->file('docs/errors/page.html', join ' ', 'OURS',
    map { qq($_=<!--#echo var="REDIRECT_AUTHGUARD_$_" -->) } @names);
$t->file('docs/inside/own.html', 'INSIDE');
$t->file('docs/open/.htaccess', "SetOutputFilter INCLUDES\n");
$t->file('docs/open/index.html', join ' ',
    map { qq($_=<!--#echo var="AUTHGUARD_$_" -->) } @names);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;

my $serial = 0;

sub answers {
    my ($dir) = @_;
    my @from = (from => '127.0.1.' . ++$serial);
    my @wrong = $t->many(1, wrong_guesses("/$dir/", 'alice', 2, @from));
    my $right = $t->get("/$dir/", user => 'alice', pass => 'right', @from);

    return ($wrong[0], $right, \@from);
}

{
    my ($wrong, $locked, $from) = answers('path');
    is($wrong->status, 401, 'a path: 401');
    like($wrong->body, qr{\AOURS\ STATE=failed\ SUBSTATUS=401\.1
        \ RETRY_AFTER=\S*\ FAILURES=1\ LIMIT=2\ SCOPE=\S+}x,
        'a path: failed');
    like($locked->body, qr{\AOURS\ STATE=locked\ SUBSTATUS=401\.501
        \ RETRY_AFTER=(?:900|8[5-9]\d)\ FAILURES=2\ LIMIT=2\ SCOPE=\S+}x,
        'a path: locked');
    like($locked->header('retry-after'), qr/\A\d+\z/, 'a path: Retry-After');
    is($locked->header('cache-control'), 'no-store', 'a path: no-store');
    is($locked->header('www-authenticate'), 'Basic realm="test"',
        'a path: a challenge');
    is($locked->header('vary'), undef, 'a path: nothing was negotiated');
    is($t->get('/path/', user => 'alice', pass => 'wrong', @$from)
        ->fingerprint, $locked->fingerprint, 'a path: right and wrong alike');
    my $line = ($t->access)[-1];
    is("$line->{state} $line->{status} $line->{substatus}",
        'locked 401 401.501', 'a path: the log knows');
    like($line->{request}, qr{\AGET /}, 'a path: of the request');
}

for my $case (['text', qr/\ANot now\.\z/], ['missing', qr/401\.501/],
    ['inside', qr/INSIDE|401\.501/], ['other', qr/401\.501/])
{
    my ($dir, $body) = @$case;
    my (undef, $locked, $from) = answers($dir);
    is($locked->status, 401, "$dir: 401");
    like($locked->body, $body, "$dir: the body");
    like($locked->header('retry-after'), qr/\A\d+\z/, "$dir: Retry-After");
    is(($t->access)[-1]{state}, 'locked', "$dir: the log");
    is(($t->access)[-1]{failures}, 2, "$dir: two failures");
}

{
    my (undef, $locked) = answers('url');
    is($locked->status, 302, 'a URL: a redirect');
    is($locked->header('location'), 'http://elsewhere.test/locked',
        'a URL: to it');
}

{
    my ($wrong, $locked, $from) = answers('expr');
    is($wrong->header('x-state'), 'failed', 'expression: failed');
    is($wrong->header('x-code'), '401.1', 'expression: substatus');
    is($wrong->header('x-count'), '1/2', 'expression: failures/limit');
    is($locked->header('x-state'), 'locked', 'expression: locked');
    is($locked->header('x-code'), '401.501', 'expression: 501');
    my @fresh = (from => '127.0.2.1');
    my $ok = $t->get('/expr/', user => 'alice', pass => 'right', @fresh);
    is($ok->header('x-state'), 'ok', 'expression: ok');
    is($t->get('/plain/')->header('x-state'), 'unguarded',
        'expression: unguarded');
}

{
    my $ok = $t->get('/open/', user => 'alice', pass => 'right',
        from => '127.0.2.2');
    like($ok->body, qr/\ASTATE=ok SUBSTATUS=\(none\) RETRY_AFTER=\(none\) /,
        'where all is well, AUTHGUARD_STATE alone');
}
$t->done;

done_testing;
