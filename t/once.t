#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# One mistake counts once, whatever httpd makes of the request inside; with
# mod_lua, which switches off httpd's shortcut for subrequests, and without.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;

my @modules = qw(autoindex rewrite include proxy proxy_http);
my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');
my $conf = join '',
  guarded('list', @guard, 'DirectoryIndex disabled',
    'IndexOptions FancyIndexing'),
  guarded('index', @guard, 'DirectoryIndex a.php b.cgi c.html index.html'),
  guarded('lookahead', @guard),
  guarded('ssi', @guard, 'AddOutputFilter INCLUDES .html'),
  guarded('error', @guard, 'ErrorDocument 401 /error/page.html'),
  "<Location /px>\n" . basic(@guard) . "</Location>\n", <<'CONF';
RewriteEngine On
RewriteCond %{LA-U:REMOTE_USER} =alice
RewriteRule ^/lookahead/who$ /lookahead/index.html
<Directory "@DOCS@/public">
    AddOutputFilter INCLUDES .html
</Directory>
<Location "/px">
    ProxyPass "http://127.0.0.1:@PORT@/backend"
    AuthBasicFake demo "demo-password"
</Location>
<Directory "@DOCS@/backend">
    AuthType Basic
    AuthName "backend"
    AuthUserFile @ROOT@/backend-users
    Require valid-user
</Directory>
CONF

sub server {
    my (@more) = @_;
    my $t = AuthGuard::Httpd->new(modules => [@modules, @more],
        conf => $conf);

    $t->dir($_) for qw(index lookahead ssi error public backend);
    $t->file('docs/list/file.txt', 'x');
    $t->dir("list/sub$_", basic("AuthUserFile \@ROOT\@/sub-users", @guard))
      for 1 .. 4;
    $t->file('docs/ssi/index.html', join "\n", 'page',
        map { qq(<!--#include virtual="/ssi/part$_.html" -->) } 1 .. 3);
    $t->file("docs/ssi/part$_.html", "part $_") for 1 .. 3;
    $t->file('docs/public/index.html',
        'public <!--#include virtual="/ssi/part1.html" -->');
    $t->file('docs/error/page.html', 'the page for errors');
    $t->passwords('users', { alice => 'right' });
    $t->passwords('sub-users', { carol => 'other' });
    $t->passwords('backend-users', { demo => 'demo-password' });
    $t->expect_log(qr{unable to include "/ssi/part1.html"});
    return $t->start;
}

# A client with one mistake has one failure, and gets in afterwards.
sub counts_once {
    my ($t, $name, $path, $inside, @from) = @_;
    my $lines = $t->access;
    my @guess = wrong_guesses($path, 'alice', 1, @from);

    is(($t->many(1, @guess))[0]->status, 401, "$name: refused");
    my @log = $t->access($lines + 1);
    is($log[-1]{failures}, 1, "$name: one failure");
    is($log[-1]{state}, 'failed', "$name: in state failed");
    for (1 .. 5) {
        my $answer = $t->get($path, user => 'alice', pass => 'right', @from);
        is($answer->status, 200, "$name: let in");
        like($answer->body, $inside, "$name: all of it is there");
    }
    is($t->guess_wrong($path, 'alice', 2, @from) =~ /501/ ? 1 : 0, 0,
        "$name: two more mistakes don't lock");
    is($t->get($path, user => 'alice', pass => 'right', @from)->status, 200,
        "$name: the right passwords did not count");
    return;
}

for my $more ([], ['lua']) {
    my $with = @$more ? 'mod_lua' : 'plain';
  SKIP: {
        skip 'mod_lua is missing', 1
          if @$more && !AuthGuard::Modules::has('lua');
        my $t = server(@$more);
        my $host = @$more ? 2 : 1;
        my $from = sub { (from => "127.0.$host.$_[0]") };

        counts_once($t, "$with, autoindex", '/list/', qr/file\.txt/,
            $from->(1));
        is($t->guess_wrong('/list/sub1/', 'carol', 2, $from->(1)), '401.1=2',
            "$with: listing has not counted below");
        is($t->guess('/list/sub1/', 'carol', 'other', $from->(1)), 200,
            "$with: let in below");
        counts_once($t, "$with, mod_dir", '/index/', qr/inside index/,
            $from->(2));
        counts_once($t, "$with, mod_rewrite", '/lookahead/who',
            qr/inside lookahead/, $from->(3));
        counts_once($t, "$with, SSI", '/ssi/',
            qr/page\s+part 1\s+part 2\s+part 3/, $from->(4));
        counts_once($t, "$with, ErrorDocument", '/error/',
            qr/inside error/, $from->(5));
        counts_once($t, "$with, AuthBasicFake", '/px/', qr/inside backend/,
            $from->(6));

        # An include from a public page into a guarded one is an oracle.
        my @guesses = wrong_guesses('/public/', 'alice', 3, $from->(7));
        is(tally($t->many(1, @guesses)), '200=3',
            "$with: guesses at what a public page includes");
        is($t->guess('/ssi/', 'alice', 'right', $from->(7)), '401.501',
            "$with: have counted");
        unlike($t->get('/public/', user => 'alice', pass => 'right',
                $from->(7))->body, qr/part 1/,
            "$with: and the page does not tell any more");
        $t->expect_lockout;
        $t->done;
    }
}

done_testing;
