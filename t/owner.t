#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: a server that runs as root took a table file that belonged to
# another user, who could go on writing it: counts and lockouts were his.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

plan(skip_all => 'needs root') if $> != 0;

use constant OTHER => 65534;

my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On'));
my $file = $t->root . '/run/authguard.shm';
my @from = (from => '127.0.1.1');

$t->dir('a');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;
is($t->guess_wrong('/a/', 'alice', 5, @from), '401.1=5', 'locked out');
$t->stop;

# Root's own is taken again, another user's is not.
$t->start;
is($t->guess('/a/', 'alice', 'right', @from), '401.501',
    "root's own file is taken");
$t->stop;
chown OTHER, OTHER, $file or die "$file: $!";
my $inode = (stat $file)[1];
$t->start;
my @now = stat $file;
is($now[4], 0, "another user's is replaced by one of root's");
is($now[2] & 07777, 0600, 'which nobody else may read');
isnt($now[1], $inode, 'and is another file');
is(scalar(grep { (stat $_)[1] == $inode } glob "$file*"), 1,
    'the old one lies beside it');
is($t->guess('/a/', 'alice', 'right', @from), 200, 'and says nothing any more');
is($t->guess_wrong('/a/', 'alice', 5, @from), '401.1=5', 'the new one counts');
is($t->guess('/a/', 'alice', 'right', @from), '401.501', 'and locks out');
$t->expect_log(qr/:error\].* AG0202: /);
$t->done;

done_testing;
