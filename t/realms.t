#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bugs: what passed, or proved right, in one realm or by one user database
# was believed in another one of the same scope. A page in a directory that
# lets anybody in could include one that does not, guess after guess; and a
# tenant with an AuthName of his choice could prove guesses for a named scope.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant LIMIT => 3;

my @limit = ('AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min");
my $t = AuthGuard::Httpd->new(modules => [qw(include authn_anon)],
    conf => guarded('anybody', @limit, 'AuthName "anybody"',
        'AuthBasicProvider anon', 'Anonymous *', 'Anonymous_MustGiveEmail Off',
        'AddOutputFilter INCLUDES .html')
      . guarded('secret', @limit)
      . guarded('named', @limit, 'AuthGuardScope one')
      . guarded('named/tenant', 'AuthGuardScope one'));

$t->dir($_) for qw(secret named);
$t->dir('anybody');
$t->dir('named/tenant', basic('AuthBasicProvider anon', 'Anonymous *',
        'Anonymous_MustGiveEmail Off'));
$t->file('docs/anybody/index.html', '[<!--#include virtual="/secret/" -->]');
$t->passwords('users', { alice => 'right' }, cost => 8);
$t->expect_lockout;
$t->expect_log(qr/unable to include/);
$t->start;

{
    my @from = (from => '127.0.1.1');
    my $shows = sub {
        return $t->get('/anybody/', user => 'alice', pass => $_[0], @from)
          ->body =~ /inside/ ? 1 : 0;
    };

    $shows->("wrong $_") for 1 .. 12;
    # Whoever is let in there is alice, too, and is forgiven: once the limit.
    cmp_ok($t->verified, '<=', 2 * LIMIT, 'a page for anybody: the limit holds');
    is($shows->('right'), 0, '  and the lockout');
}

{
    my @from = (from => '127.0.1.2');
    my @guesses = map { { user => 'alice', pass => "guess $_", @from } } 1 .. 40;
    my $before = $t->verified;

    is(tally($t->many(4, map { { %$_, path => '/named/tenant/' } } @guesses)),
        '200=40', 'a tenant who lets anybody in');
    $t->many(40, map { { %$_, path => '/named/' } } @guesses);
    is($t->verified - $before, LIMIT, '  proves nothing for others');
}
$t->done;

done_testing;
