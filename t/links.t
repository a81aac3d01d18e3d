#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: a scope was named by the path to its directory, and a symbolic link
# in it (`ln -s . self`) gave it any number of paths, each with a budget.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant LIMIT => 3;

my $t = AuthGuard::Httpd->new;
my @from = (from => '127.0.1.1');

$t->dir('a', basic('AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min"));
symlink '.', $t->docs . '/a/self' or die "symlink: $!";
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;
is($t->get('/a/self/self/', user => 'alice', pass => 'right',
        from => '127.0.1.2')->status, 200, 'the links lead there');
$t->guess('/a/' . 'self/' x $_, 'alice', "wrong $_", @from) for 0 .. 9;
is($t->verified, LIMIT, 'one directory, one budget, by whatever path');
is($t->guess('/a/self/', 'alice', 'right', @from), '401.501', 'one lockout');
$t->done;

done_testing;
