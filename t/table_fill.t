#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: the author of a .htaccess could fill the table for everybody. With
# a limit by login, a lockout of a day and made-up user names, one address
# made as many locked records as there is room for; whoever else came counted
# in the shared budget, which was locked too.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant { CLIENTS => 300, LIMIT => 5 };

my $t = AuthGuard::Httpd->new(
    store => "shm file=\@ROOT\@/run/authguard.shm clients=@{[CLIENTS]}",
    conf => guarded('many', 'AuthGuard On', 'AuthGuardLimit ip 1/1d')
      . guarded('main', 'AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min"));
$t->dir('main');
$t->dir('tenant', basic('AuthGuard On', 'AuthGuardLimit ip none',
        'AuthGuardLimit net none',
        'AuthGuardLimit login 1/1d lockout=1d max=1d'));
# Nor may he by making scopes: any directive of authentication makes one.
$t->dir("many/$_", qq(AuthName "scope $_")) for 1 .. CLIENTS;
$t->passwords('users', { bob => 'secret' });
$t->expect_lockout;
$t->expect_log(qr/AG0211: /, optional => 1);
$t->start;

sub each_from {
    my ($group, $count, @request) = @_;

    return tally($t->many(8,
            map { { path => '/main/', from => "127.0.$group.$_", @request } }
              1 .. $count));
}

my @bob = (user => 'bob', pass => 'secret');
my @locked = (from => '127.0.1.1');
is($t->guess_wrong('/main/', 'bob', LIMIT, @locked), '401.1=5',
    'a client of the main site is locked out');
is($t->guess('/main/', 'bob', 'secret', from => '127.0.1.2'), 200,
    'another signs in');

my @fill = map { { path => '/tenant/', user => "user$_", pass => 'x',
          from => '127.0.2.1' } } 1 .. 5 * CLIENTS;
is(scalar(grep { $_->status != 401 } $t->many(8, @fill)), 0,
    'one visitor of the tenant makes up names');
is($t->guess('/tenant/', 'user1', 'x', from => '127.0.2.1'), '401.501',
    'each of which is locked');

my @many = map { { path => "/many/$_/", user => 'bob', pass => 'x',
          from => '127.0.2.2' } } 1 .. CLIENTS;
is(scalar(grep { $_->status != 401 } $t->many(8, @many)), 0,
    'and is locked out in as many scopes');

is(each_from(3, 60, @bob), '200=60', 'new users of the main site are let in');
is(each_from(4, 60), '401.2=60', 'new visitors are asked for a password');
is($t->guess('/main/', 'bob', 'secret', from => '127.0.1.2'), 200,
    'who was in before is in still');
is($t->guess('/main/', 'bob', 'secret', @locked), '401.501',
    'who was locked out is so still');

# And a new guesser has his limit and no more.
my @guesser = (from => '127.0.5.1');
my $before = $t->verified;
$t->guess_wrong('/main/', 'bob', LIMIT + 3, @guesser);
cmp_ok($t->verified - $before, '<=', LIMIT, 'a new guesser is counted');
is($t->guess('/main/', 'bob', 'secret', @guesser), '401.501',
    'and locked out');
$t->done;

done_testing;
