#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authnz_fcgi behind the guard, as docs/authentication.md has it, as a
# provider and past the providers: what counts, what a locked visitor gets,
# and that a stopped authorizer counts nothing.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Fcgi;
use AuthGuard::Kind;

plan skip_all => 'no mod_authnz_fcgi'
  unless AuthGuard::Modules::has('authnz_fcgi');

my $kind = AuthGuard::Kind->new('FastCGI authorizer');
my $t = AuthGuard::Httpd->new(modules => ['authnz_fcgi'],
    conf => $kind->configuration
      . guarded('list', 'AuthBasicProvider check', 'AuthGuard On'));
my $fcgi = AuthGuard::Fcgi->new(root => $t->root . '/fcgi',
    users => { alice => 'right', bob => 'secret' })->start;
my %backend = (right => ['alice', 'right'], user => 'bob', pass => 'secret',
    verified => sub { $fcgi->refusals },
    down => sub { $fcgi->stop }, up => sub { $fcgi->start });

$t->{conf} =~ s/\@FCGI\@/$fcgi->port/ge;
$t->dir($_) for $kind->faces, 'list';
$t->expect_lockout;
$t->expect_log(qr/AH02504: Failed to connect to FastCGI|AH0249\d: |AH0250\d: /);
$t->start;
$kind->prove($t, $_, %backend)
  for $kind->faces, 'list', $kind->in_htaccess($t);
$fcgi->stop;
$t->done;

done_testing;
