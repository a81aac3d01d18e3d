#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What is said once at start.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

{
    my $t = AuthGuard::Httpd->new(modules => ['auth_gssapi'],
        conf => guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->start;
    is(scalar($t->log_lines(qr/AG0109: .*mod_auth_gssapi\.c.*Negotiate/)), 1,
        'schemes that are not counted are named, once');
    is($t->get('/a/', headers => [Authorization => 'Negotiate YII='])
          ->header('WWW-Authenticate'), 'Basic realm="test"',
        'and passed on');
    $t->expect_log(qr/AG0109: /);
    $t->expect_log(qr/AH01614: client used wrong authentication scheme/);
    $t->done;
}

{
    my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->start;
    is(scalar($t->log_lines(qr/AG0109: /)), 0, 'nothing where none is loaded');
    $t->done;
}

done_testing;
