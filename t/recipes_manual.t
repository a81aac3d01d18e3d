#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/manual.md: its table of variables is that of src/guard_vars.c, its
# examples run, what it says of a program with one old password is so, and
# every link in the manual's three pages leads somewhere.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Digest;
use AuthGuard::Modules ();
use AuthGuard::Recipe;

my $docs = AuthGuard::Modules::top() . '/docs';
my $page = AuthGuard::Recipe::page('manual');

# --- Links -------------------------------------------------------------------
sub anchors_of {
    my ($path) = @_;

    return map { lc(s/[^\w -]//gr) =~ s/ /-/gr }
      AuthGuard::Httpd::slurp($path) =~ /^#+ (.*)$/mg;
}

for my $name (qw(manual recipes troubleshooting)) {
    my @broken;

    for my $link (AuthGuard::Recipe::page($name) =~ /\]\(([^)\s]+)\)/g) {
        my ($file, $anchor) = split /#/, $link, 2;
        my $path = $file ? "$docs/$file" : "$docs/$name.md";

        next if $link =~ /^https?:/;
        push @broken, $link
          unless -e $path
          && (!defined $anchor || grep { $_ eq $anchor } anchors_of($path));
    }
    is("@broken", '', "docs/$name.md: every link leads somewhere");
}

# --- Variables ---------------------------------------------------------------
{
    my $source = AuthGuard::Httpd::slurp("$docs/../src/guard_vars.c");
    my ($words) = $source =~ /WORDS\[\] = \{(.*?)\}/s;
    my %in_source = map { s/\AENV_PREFIX "(\w+)"\z/AUTHGUARD_$1/r }
      map { s/\ANULL\z//r } $source =~ /^    \{"(\w+)", ([^,]+), \w+\},/mg;
    my %on_page = map { /^\| (?:`(\w+)` )?\| `%\{(\w+)\}\^ag` \|/
          ? ($2, $1 // '') : () } split /\n/, $page;
    my ($states) = $page =~ /^\| state \| means \|\n(.*?)\n\n/ms;

    is_deeply(\%on_page, \%in_source, 'the variables are those of the source');
    is_deeply([sort map { /^\| ([^|]*) \|/ ? $1 =~ /`(\w+)`/g : () }
              split /\n/, $states],
        [sort $words =~ /"(\w+)"/g], 'and so are the states');
}

# --- Examples ----------------------------------------------------------------
my $block = AuthGuard::Recipe::blocks($page);
my $t = AuthGuard::Httpd->new(modules => ['auth_digest'], conf => join '',
    AuthGuard::Recipe::placed($block->{Refused}), $block->{ErrorDocument},
    guarded('a', 'AuthGuard On', 'AuthGuardResponse 429'),
    guarded('b', 'AuthGuard On', 'AuthGuardScope b'),
    guarded('c', 'AuthGuard On', 'AuthGuardScope c', 'AuthType Digest',
        'AuthUserFile @ROOT@/digest'));

$t->dir($_) for qw(a b c);
$t->file('digest', digest_line('alice', 'test', 'right'));
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0110: /, optional => 1);
$t->start;
$t->guess_wrong('/a/', 'alice', 5, from => '127.0.1.1');
my $answer = $t->get('/a/', user => 'alice', pass => 'right',
    from => '127.0.1.1');
is($answer->status, 429, 'a plain ErrorDocument: the status stays');
like($answer->body, qr/\ALocked out for (?:8\d\d|900) seconds\. Call 4711\./,
    'a plain ErrorDocument: has the seconds');
is($t->get('/a/', user => 'alice', pass => 'right', from => '127.0.1.2')
      ->status, 200, 'another visitor');
my @lines = split /\n/,
  AuthGuard::Httpd::slurp($t->root . '/logs/refused.log');
is(scalar @lines, 1, 'a log of its own: who was refused, and nobody else');
like($lines[0], qr{\] 127\.0\.1\.1 - 429 429\.501 \d+ "GET /a/ HTTP/1\.1"},
    'a log of its own: what it says');

# One old password in many requests, and the right one after it.
is(tally($t->many(2, ({ path => '/b/', user => 'alice', pass => 'old',
                from => '127.0.1.3' }) x 40)), '401.1=40',
    'one old password, forty times');
is($t->guess('/b/', 'alice', 'right', from => '127.0.1.3'), 200,
    'locks nobody out');

# But by Digest, where it looks different each time.
$t->expect_log(qr/AH01794: user alice: password mismatch/);
my @from = (from => '127.0.1.4');
my $nonce = digest_nonce($t, '/c/', @from);
is(tally($t->many(1, map { digest_request(path => '/c/', user => 'alice',
                pass => 'old', nonce => $nonce, @from) } 1 .. 6)),
    '401.1=5 401.501=1', 'by Digest it does');
$t->done;
done_testing;
