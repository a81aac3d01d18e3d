#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A password file behind the guard, as docs/authentication.md has it: what
# counts, what a locked visitor gets, and that a missing file counts nothing.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;

my $kind = AuthGuard::Kind->new('Password file');
my $t = AuthGuard::Httpd->new(conf => $kind->configuration);
my $file = $t->passwords('users', { alice => 'right', bob => 'secret' });

$t->dir($_) for $kind->faces;
$t->expect_lockout;
$t->expect_log(qr/AH01620: Could not open password file/);
$t->start;
$kind->prove($t, $_, user => 'bob', pass => 'secret',
    right => ['alice', 'right'],
    down  => sub { rename $file, "$file.away" or die "$file: $!" },
    up    => sub { rename "$file.away", $file or die "$file: $!" })
  for $kind->faces, $kind->in_htaccess($t);
$t->done;

done_testing;
