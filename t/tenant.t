#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A hostile author of another directory's .htaccess reaches nobody else's
# counts; a realm's name is no way to a second budget.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $limit = 'AuthGuardLimit ip 3/10min';
my %evil = (
    on => basic('AuthUserFile @ROOT@/evil', 'AuthGuard On',
        'AuthGuardLimit ip 1/1s lockout=1s max=1s'),
    provider => basic('AuthUserFile @ROOT@/evil', 'AuthBasicProvider guard',
        'AuthGuardLimit ip 1000/1s lockout=1s max=1s'),
    exempt => basic('AuthUserFile @ROOT@/evil', 'AuthGuard On',
        'AuthGuardExempt 127.0.0.0/8'),
    off => basic('AuthUserFile @ROOT@/evil', 'AuthGuard Off'),
    observe => basic('AuthUserFile @ROOT@/evil', 'AuthGuard Observe', $limit),
);
my %inherits = (
    file => 'AuthUserFile @ROOT@/evil',
    name => "AuthName \"test\"\nAuthUserFile \@ROOT\@/evil",
    anon => "AuthBasicProvider anon\nAnonymous alice",
);

my $t = AuthGuard::Httpd->new(modules => ['authn_anon'],
    conf => guarded('server', 'AuthGuard On', $limit)
      . guarded('tree', 'AuthGuard On', $limit)
      . guarded('hosts', 'AuthName "realm of %{HTTP_HOST}"', 'AuthGuard On',
        'AuthGuardLimit ip 5/10min'));
$t->dir($_) for qw(server tree/victim hosts);
$t->dir('ht', basic('AuthGuard On', $limit));
$t->dir("evil-$_", $evil{$_}) for keys %evil;
$t->dir("tree/evil-$_", $inherits{$_}) for keys %inherits;
$t->passwords('users', { alice => 'right' });
$t->passwords('evil', { alice => 'mine' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out/, optional => 1);
$t->start;

my $client = 0;

sub harmless {
    my ($victim, $evil, $password) = @_;
    my $name = "$evil against $victim";
    my @from = (from => '127.0.1.' . ++$client);

    # Any number of mistakes there locks nobody here.
    $t->guess_wrong($evil, 'alice', 6, @from);
    is($t->guess($victim, alice => 'right', @from), 200, "$name: no lock");

    # A success there forgives nothing here.
    @from = (from => '127.0.1.' . ++$client);
    is($t->guess_wrong($victim, 'alice', 2, @from), '401.1=2', "$name: two");
    is($t->guess($evil, alice => $password, @from), 200, "$name: the evil one");
    is($t->guess_wrong($victim, 'alice', 1, @from), '401.1=1', "$name: third");
    is($t->guess($victim, alice => 'right', @from), '401.501',
        "$name: nothing was forgiven");

    # Nor does it unlock.
    is($t->guess($evil, alice => $password, @from), 200, "$name: once more");
    $t->guess_wrong($evil, 'alice', 2, @from);
    is($t->guess($victim, alice => 'right', @from), '401.501',
        "$name: nothing was unlocked");
    return;
}

for my $victim (qw(/server/ /ht/)) {
    harmless($victim, "/evil-$_/", 'mine') for sort keys %evil;
}
for my $how (sort keys %inherits) {
    harmless('/tree/victim/', "/tree/evil-$how/", 'mine');
}

# A realm is an expression: with the Host header in it, each is another.
{
    my @from = (from => '127.0.9.1');
    my @guesses = wrong_guesses('/hosts/', 'alice', 20, @from);
    my $before = $t->verified;
    $guesses[$_]{headers} = [Host => "host$_.test"] for 0 .. $#guesses;
    $t->many(5, @guesses);
    is($t->verified - $before, 5, 'a realm of many names has one budget');
    is($t->get('/hosts/', user => 'alice', pass => 'right', @from,
            headers => [Host => 'fresh.test'])->code, '401.501',
        'and is locked under each name');
}
$t->done;

done_testing;
