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

# A form asks its providers in turn: beside another one guard would miss
# guesses, or count those that the other one lets in.
for my $providers ('file guard', 'guard file') {
    my $t = AuthGuard::Httpd->new(
        modules => [qw(request session session_cookie auth_form)],
        conf => "<Directory \"\@DOCS\@/a\">\nAuthType Form\nAuthName test\n"
          . "AuthFormProvider $providers\nRequire valid-user\n</Directory>\n");

    $t->dir('a');
    like($t->refusal // '', qr/AuthFormProvider: '$providers': guard must be /,
        "a form's guard has to be alone: $providers");
    $t->expect_log(qr/AG0\d+/, optional => 1);
    $t->done;
}

done_testing;
