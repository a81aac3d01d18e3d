#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What is no guess, and what is not the client's fault, never counts.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $limit = 'AuthGuardLimit ip 3/10min';
my %sections = (
    a => ['AuthGuard On'],
    provider => ['AuthBasicProvider guard'],
    bob => ['AuthGuard On', 'Require user bob'],
    sendforbidden =>
      ['AuthGuard On', 'Require user bob', 'AuthzSendForbiddenOnFailure On'],
    broken => ['AuthBasicProvider guard', 'AuthGuardProvider slow',
        'AuthnSlowUser alice:right', 'AuthnSlowBroken broken'],
    passed => ['AuthGuard On', 'AuthBasicAuthoritative Off'],
);
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => join '', map { guarded($_, @{ $sections{$_} }, $limit) }
      sort keys %sections);
$t->dir($_) for keys %sections;
$t->passwords('users', { alice => 'right', bob => 'secret' });
$t->start;

# Still two guesses to go: nothing before has counted.
sub has_all_guesses {
    my ($path, $user, $password, @from) = @_;

    is($t->guess_wrong($path, $user, 2, @from), '401.1=2',
        "$path: two guesses left at least");
    is(($t->access)[-1]{failures}, 2, "$path: nothing else has counted");
    is($t->guess($path, $user, $password, @from), 200, "$path: and let in");
    return;
}

for my $path (qw(/a/ /provider/)) {
    my @from = (from => $path eq '/a/' ? '127.0.1.1' : '127.0.1.2');
    is(tally($t->many(4, ({ path => $path, @from }) x 10)), '401.2=10',
        "$path: no credentials");
    for my $scheme (
        'Bearer abc', 'Negotiate YII=', 'NTLM TlRMTVNTUAAB', 'Digest x',
        'Unheard-of x')
    {
        my @header = (headers => [Authorization => $scheme]);
        is(tally($t->many(4, ({ path => $path, @header, @from }) x 10)),
            '401.2=10', "$path: $scheme");
    }
    has_all_guesses($path, 'alice', 'right', @from);
}

{
    my @from = (from => '127.0.1.3');
    my $alice = { path => '/bob/', user => 'alice', pass => 'right', @from };
    is(tally($t->many(4, ($alice) x 10)), '401.3=10', 'refused by Require');
    $alice->{path} = '/sendforbidden/';
    is(tally($t->many(4, ($alice) x 10)), '403.3=10',
        'and under AuthzSendForbiddenOnFailure');
    has_all_guesses('/bob/', 'bob', 'secret', @from);
}

{
    my @from = (from => '127.0.1.4');
    my @answers = $t->many(4, wrong_guesses('/broken/', 'broken', 10, @from));
    is(tally(@answers), '500=10', 'a provider that fails');
    has_all_guesses('/broken/', 'alice', 'right', @from);
}

{
    my @from = (from => '127.0.1.5');
    my @answers = $t->many(4, wrong_guesses('/passed/', 'carol', 10, @from));
    is(tally(@answers), '500=10', 'nobody feels responsible');
    has_all_guesses('/passed/', 'alice', 'right', @from);
}
$t->expect_log(qr/AH01631: user alice: authorization failure/);
$t->expect_log(qr/AH01614: client used wrong authentication scheme/);
$t->expect_log(qr/AH01796: AuthType Basic configured without/);

# A directory that asks for no login looks at no password.
{
    my @from = (from => '127.0.1.6');
    my @guesses = wrong_guesses('/', 'alice', 10, @from);
    is(tally($t->many(4, @guesses)), '200=10', 'no login asked');
    has_all_guesses('/a/', 'alice', 'right', @from);
}
$t->done;

done_testing;
