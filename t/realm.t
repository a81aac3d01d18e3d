#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: one password, right in one directory and wrong in another of the
# same AuthName with other users, was one guess. After its failure it was
# refused for seconds, unverified, where it is right.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $t = AuthGuard::Httpd->new(conf => guarded('x', 'AuthGuard On')
      . guarded('y', 'AuthGuard On', 'AuthUserFile @ROOT@/others'));
$t->dir($_) for qw(x y);
$t->passwords('users', { alice => 'right' });
$t->passwords('others', { bob => 'secret' });
$t->start;

my @from = (from => '127.0.1.1');
my @seen = map { $t->guess("/$_/", 'alice', 'right', @from) } qw(x y x x y x x);
is("@seen", '200 401.1 200 200 401.1 200 200',
    'what is right in one directory stays right there');

# Where it never was right, the same again is not verified at once.
@from = (from => '127.0.1.2');
my $before = $t->verified;
is($t->guess('/y/', 'alice', 'right', @from), '401.1', 'wrong') for 1 .. 3;
is($t->verified - $before, 1, 'and verified once');
$t->expect_log(qr/AG0102: refused: .* reason=repeat /, optional => 1);
$t->done;

done_testing;
