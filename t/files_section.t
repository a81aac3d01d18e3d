#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: a .htaccess with its directives inside <Files>, <FilesMatch> or
# <If> made no scope of its own. Its author, with a password file and limits
# of his own choice, could forgive what a client had guessed at the main site,
# and lock clients out there.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my %section = (
    files => ['<Files "*">', '</Files>'],
    match => ['<FilesMatch ".">', '</FilesMatch>'],
    if => ['<If "true">', '</If>'],
    else => ["<If \"false\">\n</If>\n<Else>", '</Else>'],
);
my @kinds = sort keys %section;
my $t = AuthGuard::Httpd->new(conf => guarded('main', 'AuthGuard On',
        'AuthGuardLimit ip 5/10min'));

sub tenant {
    my ($kind, $limit) = @_;
    my ($open, $close) = @{ $section{$kind} };

    return "$open\n" . basic('AuthUserFile @ROOT@/tenant', 'AuthGuard On',
        "AuthGuardLimit ip $limit") . "$close\n";
}

$t->dir('main');
for my $kind (@kinds) {
    $t->dir("lax/$kind", tenant($kind, '1000/1s lockout=1s max=1s'));
    $t->dir("strict/$kind", tenant($kind, '1/1d lockout=1d max=1d'));
}
$t->passwords('users', { bob => 'secret' });
$t->passwords('tenant', { bob => 'known' });
$t->expect_lockout;
$t->start;

my $serial = 0;

for my $kind (@kinds) {
    my @from = (from => '127.0.1.' . ++$serial);

    is($t->guess_wrong('/main/', 'bob', 3, @from), '401.1=3',
        "$kind: three guesses at the main site");
    is($t->guess("/lax/$kind/", 'bob', 'known', @from), 200,
        "$kind: the tenant lets in whom he likes");
    is($t->guess_wrong('/main/', 'bob', 3, @from), '401.1=2 401.501=1',
        "$kind: that forgave nothing at the main site");
    is($t->guess('/main/', 'bob', 'secret', @from), '401.501',
        "$kind: which has locked the client out");
    is($t->guess("/lax/$kind/", 'bob', 'known', @from), 200,
        "$kind: but not from the tenant's pages");
    is($t->guess('/main/', 'bob', 'secret', @from), '401.501',
        "$kind: nor do they unlock");

    @from = (from => '127.0.2.' . $serial);
    is($t->guess_wrong('/main/', 'bob', 1, @from), '401.1=1',
        "$kind: a visitor with one typo");
    is($t->guess_wrong("/strict/$kind/", 'nobody', 2, @from),
        '401.1=1 401.501=1', "$kind: is locked out by the tenant");
    is($t->guess('/main/', 'bob', 'secret', @from), 200,
        "$kind: and not by the main site");
}
$t->done;

done_testing;
