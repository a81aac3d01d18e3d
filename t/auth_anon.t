#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authn_anon behind the guard, as docs/authentication.md has it: what
# counts, and what a locked visitor gets.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;

my $kind = AuthGuard::Kind->new('Anonymous');
my $t = AuthGuard::Httpd->new(modules => ['authn_anon'],
    conf => $kind->configuration);

$t->dir($_) for $kind->faces;
$t->expect_lockout;
$t->start;

# "wrong1" is no e-mail address.
$kind->prove($t, $_, user => 'guest', pass => 'me@example.com',
    right => ['Guest', 'you@example.com'])
  for $kind->faces, $kind->in_htaccess($t);
$t->done;

done_testing;
