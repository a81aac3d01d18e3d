#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authn_dbm behind the guard, as docs/authentication.md has it: what
# counts, what a locked visitor gets, and that a missing file counts nothing.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Fcntl qw(O_CREAT O_RDWR);
use SDBM_File;
use AuthGuard::Client;
use AuthGuard::Kind;

my $kind = AuthGuard::Kind->new('DBM file');
my $t = AuthGuard::Httpd->new(modules => ['authn_dbm'],
    conf => $kind->configuration);
my $file = $t->root . '/users.sdbm.pag';

# Perl's SDBM files are APR's.
tie my %users, 'SDBM_File', $t->root . '/users.sdbm', O_RDWR | O_CREAT, 0644
  or die "users.sdbm: $!";
$users{alice} = AuthGuard::Client::hash_password('right');
$users{bob} = AuthGuard::Client::hash_password('secret') . ':group:comment';
untie %users;

$t->dir($_) for $kind->faces;
$t->expect_lockout;
$t->expect_log(qr/AH10285: could not open dbm \(type SDBM\) file/);
$t->start;
$kind->prove($t, $_, user => 'bob', pass => 'secret',
    right => ['alice', 'right'],
    down  => sub { rename $file, "$file.away" or die "$file: $!" },
    up    => sub { rename "$file.away", $file or die "$file: $!" })
  for $kind->faces, $kind->in_htaccess($t);
$t->done;

done_testing;
