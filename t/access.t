#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Where no password is asked, none is counted, and a lockout keeps nobody out:
# Satisfy Any, RequireAny by address, <Limit>, <Files>, <If>.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 2/10min');
my $t = AuthGuard::Httpd->new(modules => ['access_compat'],
    conf => guarded('any', @guard, 'Require ip 127.0.1.1',
        'Require valid-user')
      . guarded('satisfy', @guard, 'Satisfy Any', 'Order deny,allow',
        'Deny from all', 'Allow from 127.0.1.1')
      . guarded('post', @guard, 'Require method GET', 'Require valid-user')
      . guarded('files', 'Require all granted', '<Files "secret.html">',
        'Require valid-user', @guard, '</Files>')
      . guarded('if', 'Require valid-user', q(<If "%{HTTP:X-Guard} == 'on'">),
        @guard, '</If>'));
$t->dir($_) for qw(any satisfy post files if);
$t->file('docs/files/secret.html', 'secret');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AH01797: client denied by server configuration/);
$t->start;

for my $dir (qw(any satisfy)) {
    my @near = (from => '127.0.1.1');
    my @far = (from => $dir eq 'any' ? '127.0.1.2' : '127.0.1.3');
    is($t->guess_wrong("/$dir/", 'alice', 5, @near), '200=5',
        "$dir: let in by address, whatever the password");
    is($t->get("/$dir/", @far)->code, '401.2', "$dir: others are asked");
    is($t->guess_wrong("/$dir/", 'alice', 3, @far), '401.1=2 401.501=1',
        "$dir: and counted");
    is($t->guess("/$dir/", 'alice', 'right', @far), '401.501',
        "$dir: and locked out");
}

{
    my @from = (from => '127.0.2.1');
    is($t->guess_wrong('/post/', 'alice', 5, @from), '200=5',
        'a method that needs no password');
    is(tally($t->many(1, map { +{ %$_, method => 'POST', body => 'x' } }
                    wrong_guesses('/post/', 'alice', 3, @from))),
        '401.1=2 401.501=1', 'one that does');
    is($t->get('/post/', @from)->status, 200,
        'the first is not kept from the locked');
}

{
    my @from = (from => '127.0.2.2');
    is($t->guess_wrong('/files/', 'alice', 5, @from), '200=5',
        'Files: the directory is open');
    is($t->guess_wrong('/files/secret.html', 'alice', 3, @from),
        '401.1=2 401.501=1', 'Files: the file is guarded');
}

{
    my @from = (from => '127.0.2.3');
    my @on = (@from, headers => ['X-Guard' => 'on']);
    my @answers = $t->many(1, wrong_guesses('/if/', 'alice', 4, @from));
    is(join(' ', map { $_->code } @answers), '401 401 401 401',
        'If: not guarded');
    is($t->guess_wrong('/if/', 'alice', 3, @on), '401.1=2 401.501=1',
        'If: guarded');
}
$t->done;

done_testing;
