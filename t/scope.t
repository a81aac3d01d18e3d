#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What shares a count: hosts and directories, and what AuthGuardScope joins.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');
my $t = AuthGuard::Httpd->new(conf => guarded('one', @guard)
      . guarded('two', @guard)
      . guarded('named', @guard, 'AuthGuardScope shared')
      . guarded('named-too', @guard, 'AuthGuardScope shared')
      . guarded('other', @guard, 'AuthGuardScope other') . <<'CONF');
<VirtualHost *:@PORT@>
    ServerName localhost
    DocumentRoot @DOCS@
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName second.test
    DocumentRoot @DOCS@
</VirtualHost>
CONF
$t->dir($_) for qw(one two named named-too other);
$t->dir('ht', basic(@guard));
$t->dir('ht/below', '');
$t->dir('ht/deeper', "AuthGuardLimit ip 3/10min\n");
$t->dir('ht/unrelated', "Options -Indexes\n");
$t->dir('named/open', "AuthName \"test again\"\n");
$t->dir("named/refused-$_->[0]", "$_->[1]\n")
  for ['mode', 'AuthGuard Off'], ['limit', 'AuthGuardLimit ip 1/1s'],
  ['exempt', 'AuthGuardExempt 127.0.0.1'], ['response',
    'AuthGuardResponse 404'], ['provider', 'AuthGuardProvider file'];
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;

my $client = 0;

# Three guesses at one place: is the other locked too?
sub shared {
    my ($name, $first, $second, $expected, $host, $second_host) = @_;
    my @from = (from => '127.0.1.' . ++$client);
    my @first = (@from, headers => [Host => $host || 'localhost']);
    my @second = (@from,
        headers => [Host => $second_host || $host || 'localhost']);

    is($t->guess_wrong($first, 'alice', 3, @first), '401.1=3',
        "$name: three guesses");
    is($t->guess($first, 'alice', 'right', @first), '401.501',
        "$name: locked there");
    is($t->guess($second, 'alice', 'right', @second), $expected, $name);
    return;
}

shared('two directories of one host', '/one/', '/two/', '401.501');
shared('two hosts', '/one/', '/one/', 200, 'localhost', 'second.test');
shared('a host by another name', '/one/', '/one/', '401.501', 'localhost',
    'alias.test');
shared('a .htaccess and the host', '/ht/', '/one/', 200);
shared('the host and a .htaccess', '/one/', '/ht/', 200);
shared('a directory and one below', '/ht/', '/ht/below/', '401.501');
shared('one below with a .htaccess of ours', '/ht/', '/ht/deeper/', 200);
shared('one below with an unrelated .htaccess', '/ht/', '/ht/unrelated/',
    '401.501');
shared('one scope', '/named/', '/named-too/', '401.501');
shared('one scope on two hosts', '/named/', '/named/', '401.501',
    'localhost', 'second.test');
shared('two scopes', '/named/', '/other/', 200);
shared('a scope and its host', '/named/', '/one/', 200);
shared('a .htaccess in a named scope', '/named/open/', '/named-too/',
    '401.501');

# In a named scope our directives are refused in .htaccess.
for my $what (qw(mode limit exempt response provider)) {
    is($t->guess("/named/refused-$what/", 'alice', 'right'), 500,
        "refused in .htaccess: $what");
}
is(scalar($t->log_lines(qr/:error\].* AG0106: /)), 5, 'and told why');
$t->expect_log(qr/:error\].* AG0106: /);

like(($t->access)[-1]{scope}, qr/\A\S+\z/, 'a scope is one word in the log');
$t->guess('/named/', 'alice', 'wrong', from => '127.0.2.1');
is(($t->access)[-1]{scope}, 'shared', 'a named one is its name');
$t->done;

done_testing;
