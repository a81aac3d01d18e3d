#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authn_dbd with SQLite behind the guard, as docs/authentication.md has
# it: what counts, what a locked visitor gets, and that a missing database
# counts nothing.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Client;
use AuthGuard::Kind;

plan skip_all => 'no sqlite3 here'
  unless grep { -x "$_/sqlite3" } split /:/, $ENV{PATH};

# A connection of its own for each request: an open one keeps a file that was
# renamed.
my $kind = AuthGuard::Kind->new('SQL database');
my $t = AuthGuard::Httpd->new(modules => [qw(dbd authn_dbd)],
    conf => $kind->configuration . "DBDPersist Off\n");
my $file = $t->root . '/users.db';
my %user = (alice => 'right', bob => 'secret');

open(my $sql, '|-', 'sqlite3', $file) or die "sqlite3: $!";
print $sql 'CREATE TABLE users (name TEXT, password TEXT);';
printf $sql "INSERT INTO users VALUES ('%s', '%s');", $_,
  AuthGuard::Client::hash_password($user{$_})
  for sort keys %user;
close $sql or die "sqlite3: $?";

$t->dir($_) for $kind->faces;
$t->expect_lockout;
$t->expect_log(qr/AH00629: Can't connect to sqlite3/, optional => 1);
$t->expect_log(qr/AH00632: failed to prepare SQL statements: no such table/);
$t->expect_log(qr/AH01653: Failed to acquire database connection/);
$t->start;
$kind->prove($t, $_, user => 'bob', pass => 'secret',
    right => ['alice', 'right'],
    down  => sub { rename $file, "$file.away" or die "$file: $!" },
    up    => sub { rename "$file.away", $file or die "$file: $!" })
  for $kind->faces;

# A database without the table.
{
    my @from = (from => '127.0.1.1');
    rename $file, "$file.away" or die "$file: $!";
    $t->file('users.db', '');
    is($t->guess_wrong('/switch/', 'bob', 7, @from), '500=7', 'no such table');
    rename "$file.away", $file or die "$file: $!";
    is($t->guess_wrong('/switch/', 'bob', 7, @from), '401.1=5 401.501=2',
        'has not counted');
}
$t->done;

done_testing;
