#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authnz_ldap and a real slapd behind the guard, as docs/authentication.md
# has it: what counts, what a locked visitor gets, and that neither a stopped
# server nor one that hangs counts anything.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;
use AuthGuard::Slapd;

my $reason = AuthGuard::Modules::lacks('slapd')
  || (AuthGuard::Modules::has('authnz_ldap') ? undef : 'no mod_authnz_ldap');
plan skip_all => $reason if $reason;

my $kind = AuthGuard::Kind->new('LDAP');
my $url =
  'AuthLDAPURL "ldap://127.0.0.1:@LDAP@/ou=people,dc=example,dc=com?uid"';
my $conf = $kind->configuration
  . guarded('loose', 'AuthBasicProvider ldap', $url,
    'AuthLDAPBindAuthoritative off', 'AuthGuard On')
  . guarded('second', 'AuthBasicProvider guard',
    'AuthGuardProvider file ldap', $url)
  . guarded('second-switch', 'AuthBasicProvider file ldap', $url,
    'AuthGuard On');
my $t = AuthGuard::Httpd->new(modules => [qw(ldap authnz_ldap)],
    conf => "LDAPTimeout 1\nLDAPRetries 0\n$conf");
my $slapd = AuthGuard::Slapd->new(root => $t->root . '/slapd',
    users => { alice => 'right', bob => 'secret', carol => 'third' })->start;

$t->{conf} =~ s/\@LDAP\@/$slapd->port/ge;
$t->dir($_) for $kind->faces, qw(loose second second-switch);
$t->passwords('users', { dave => 'fourth' });
$t->expect_lockout;
$t->start;
$kind->prove($t, $_, user => 'bob', pass => 'secret',
    right => ['alice', 'right'],
    down  => sub { $slapd->stop },
    up    => sub { $slapd->start })
  for $kind->faces, $kind->in_htaccess($t, LDAP => $slapd->port);

# An empty password would be an anonymous bind: refused, and a guess.
{
    my @from = (from => '127.0.1.1');
    is($t->guess('/switch/', 'alice', '', @from), '401.1', 'no password');
    is(($t->access)[-1]{failures}, 1, 'counts');
    is($t->guess('/switch/', 'al*', 'right', @from), '401.1',
        'a wild card is nobody');
    is(($t->access)[-1]{failures}, 2, 'and counts');
}

# A server that takes the connection and is silent.
{
    my @from = (from => '127.0.1.2');
    $slapd->pause;
    my $hung = tally($t->many(7, wrong_guesses('/switch/', 'carol', 7, @from)));
    $slapd->resume;
    unlike($hung, qr/401/, "a server that hangs: $hung");
    is($t->guess_wrong('/switch/', 'carol', 5, @from), '401.1=5',
        'has not counted');
    is($t->guess('/switch/', 'carol', 'third', @from), '401.501',
        'and afterwards all is as before');
}

# From mod_ldap's cache.
{
    my @from = (from => '127.0.1.4');
    is($t->guess('/switch/', 'alice', 'right', @from), 200, 'was there before');
    $slapd->stop;
    is($t->guess('/switch/', 'alice', 'right', @from), 200,
        'and gets in without the server');
    $slapd->start;
}

# Behind a file: whom the file knows is judged by it, slapd or not.
for my $dir (qw(second second-switch)) {
    my @from = (from => '127.0.2.' . length $dir);
    is($t->guess("/$dir/", 'alice', 'right', @from), 200, "$dir: slapd knows");
    $slapd->stop;
    is($t->guess_wrong("/$dir/", 'carol', 7, @from), '500=7',
        "$dir: nobody knows, and it does not count");
    is($t->guess("/$dir/", 'dave', 'fourth', @from), 200,
        "$dir: the file knows");
    is($t->guess_wrong("/$dir/", 'dave', 5, @from), '401.1=5',
        "$dir: and what it refuses counts");
    is($t->guess("/$dir/", 'carol', 'third', @from), '401.501',
        "$dir: up to the limit");
    $slapd->start;
}

# What the page warns of.
{
    my @from = (from => '127.0.1.3');
    $slapd->stop;
    is($t->guess_wrong('/loose/', 'carol', 7, @from), '401.1=5 401.501=2',
        'AuthLDAPBindAuthoritative off: an outage counts');
}
$slapd->stop;
$t->done;

done_testing;
