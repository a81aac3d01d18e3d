#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: the semaphore of AuthGuardChecks is found by the path of the store's
# file. Where that file was removed under a server, and a second one began on
# the same path, both went by one semaphore, and the second one's end took it
# away from the first.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Tool;
use File::Temp ();

my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);

sub server {
    my ($checks) = @_;
    my $t = AuthGuard::Httpd->new(conf => "AuthGuardChecks $checks\n"
          . "AuthGuardStore shm file=$dir/store clients=64\n"
          . guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    return $t->start;
}

my $first = server(4);
my ($mine) = AuthGuard::Tool::semaphores($first->pid);

ok(defined $mine, 'a server has a semaphore');
unlink "$dir/store";
my $second = server(7);
my ($other) = AuthGuard::Tool::semaphores($second->pid);

isnt($other, $mine, 'another one on the same path has its own');
$second->done;
$first->expect_log(qr/AG0213: /, optional => 1);
is($first->guess_wrong('/a/', 'alice', 1), '401.1=1',
    'whose end is not felt by the first');
is((AuthGuard::Tool::semaphores($first->pid))[0], $mine, 'which has its own');
$first->done;

# A server that was killed leaves its semaphore to the next one.
my $killed = server(4);

($mine) = AuthGuard::Tool::semaphores($killed->pid);
$killed->crash;
$killed->start;
is((AuthGuard::Tool::semaphores($killed->pid))[0], $mine,
    'what a killed server leaves is taken over');
$killed->done;

done_testing;
