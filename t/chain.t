#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: what a chain of requests remembered of its first directory was
# taken for the second one too. Where the first counted nothing (Digest, no
# limit, an exemption, Observe, a provider that fails, somebody's own session
# of a form), any number of wrong passwords was verified in the second, and a
# locked-out client was shown it: by SSI, in a listing, as an ErrorDocument.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant LIMIT => 3;

my @limit = ("AuthGuardLimit ip @{[LIMIT]}/10min");
my @guard = ('AuthGuard On', @limit);
my %first = (
    digest => ['AuthType Digest', @guard],
    none => ['AuthGuard On', 'AuthGuardLimit ip none'],
    exempt => [@guard, 'AuthGuardExempt 127.0.0.0/8'],
    observe => ['AuthGuard Observe', @limit],
    broken => [@guard, 'AuthUserFile @ROOT@/missing'],
);
my @kinds = sort keys %first;

# How the second directory is reached, below the directory of that kind. By
# an error the right password gets there where the first one refuses it.
my %way = (SSI => 'page.shtml', listing => '', error => 'first/');
my %refuses = (digest => 1, broken => 1);

my $conf = <<'CONF';
<Directory "@DOCS@">
    AddOutputFilter INCLUDES .shtml
</Directory>
<Directory "@DOCS@/form">
    AuthType Form
    AuthName "test"
    AuthFormProvider guard
    AuthUserFile @ROOT@/users
    Session On
    SessionCookieName session path=/
    Require valid-user
</Directory>
CONF
my $t = AuthGuard::Httpd->new(modules => [qw(auth_digest autoindex include
          request session session_cookie auth_form)],
    conf => join '', $conf, guarded('above', @guard),
    guarded('form/second', @guard),
    map { (guarded("$_/second", @guard),
            guarded("$_/first", @{ $first{$_} }, errors_to("/$_/second/"))) }
      @kinds);

sub errors_to {
    my ($dir) = @_;

    return map { "ErrorDocument $_ ${dir}index.html" } 401, 500;
}

sub include { return qq(<!--#include virtual="$_[0]" -->) }

for my $kind (@kinds, 'form') {
    $t->dir("$kind/$_") for qw(first second);
    $t->file("docs/$kind/page.shtml",
        join '|', 'page', map { include("/$kind/$_/") } qw(first second));
}
$t->file('docs/form/page.shtml', 'page|' . include('/form/second/'));
$t->dir('above');
$t->dir('above/deep', basic('AuthName "deep"', @guard));
$t->file('docs/above/page.shtml', 'page|' . include('/above/deep/'));
$t->passwords('users', { alice => 'right', mallory => 'mine' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out: /);
$t->expect_log(qr/AH01781: client used wrong authentication scheme/);
$t->expect_log(qr/AH01620: Could not open password file/);
$t->expect_log(qr/unable to include/);
$t->expect_log(qr/AH01807: user 'mallory': authentication failure/,
    optional => 1);    # locked out, her session too
$t->start;

my $serial = 0;

sub new_client {
    $serial++;
    return (from => sprintf '127.0.%d.%d', 1 + $serial / 250,
        1 + $serial % 250);
}

# Wrong passwords verified in a directory, of that client.
sub verified_in {
    my ($dir, %from) = @_;

    return scalar(() = $t->log_lines(
            qr/client \Q$from{from}\E:.*AH0161[78].*"\/$dir\//));
}

sub shown {
    my ($path, $password, @more) = @_;
    my $answer = $t->get($path, user => 'alice', pass => $password, @more);

    return $answer->body =~ m{inside \w+/(?:second|deep)|href="second/"}
      ? 1 : 0;
}

# Eight wrong ones, then the right one.
sub guess_through {
    my ($name, $path, $dir, $password, @from) = @_;

    is(scalar(grep { shown($path, "$password$_", @from) } 1 .. 8), 0,
        "$name: the wrong ones show nothing");
    cmp_ok(verified_in($dir, @from), '<=', LIMIT,
        "$name: no more than the limit are verified");
    is(shown($path, 'right', @from), 0, "$name: then not even the right one");
    is($t->guess("/$dir/", 'alice', 'right', @from), '401.501',
        "$name: they counted");
    return;
}

for my $kind (@kinds) {
    for my $how (sort keys %way) {
        my $path = "/$kind/$way{$how}";
        my $name = "$kind, $how";

        is(shown($path, 'right', new_client()), 1, "$name: let in")
          if $how ne 'error' || $refuses{$kind};
        guess_through($name, $path, "$kind/second", 'wrong', new_client());

        my @locked = new_client();
        is($t->guess_wrong("/$kind/second/", 'alice', LIMIT, @locked),
            "401.1=@{[LIMIT]}", "$name: a client is locked out");
        is(shown($path, $_, @locked), 0, "$name, locked: $_ shows nothing")
          for qw(wrong right);
    }
}

# A page of a form's area, under mallory's own session.
{
    my $cookie = 'session=test-user=mallory&test-pw=mine';
    my @session = (headers => [Cookie => $cookie]);
    my @from = new_client();
    my $page = $t->get('/form/page.shtml', @from, @session);
    like($page->body, qr/\Apage\|/, 'form: the session shows the page');
    is(shown('/form/page.shtml', 'right', new_client(), @session), 1,
        'form: and what it includes, with the right password');
    is(scalar(grep { shown('/form/page.shtml', "wrong$_", @from, @session) }
              1 .. 8), 0, 'form: wrong ones do not');
    cmp_ok(verified_in('form/second', @from), '<=', LIMIT,
        'form: no more than the limit are verified');
    is(shown('/form/page.shtml', 'right', @from, @session), 0,
        'form: then not even the right one shows it');
}

# Locked out of a directory with a count of its own, below one that lets the
# same password in.
{
    my @from = new_client();
    is($t->guess_wrong('/above/deep/', 'alice', LIMIT, @from),
        "401.1=@{[LIMIT]}", 'below: locked out');
    my $page = $t->get('/above/page.shtml', user => 'alice', pass => 'right',
        @from);
    like($page->body, qr/\Apage\|/, 'below: the page above is served');
    unlike($page->body, qr/inside/, 'below: without what lies below');
    is(shown('/above/page.shtml', 'right', new_client()), 1,
        'below: which others are shown');
}
$t->done;

done_testing;
