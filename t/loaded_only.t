#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: a second server with the same DefaultRuntimeDir did not start, for
# no other reason than that the module is loaded in both, which is to change
# nothing anywhere. And another: a bad AuthType or AuthName was told of in the
# guard's words instead of its owner's.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use File::Temp ();

my $runtime = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);
chmod 0755, $runtime;

# Without any directive of the guard's.
sub server {
    my $t = AuthGuard::Httpd->new(guard => 0, conf => join "\n",
        'LoadModule auth_guard_module ' . AuthGuard::Modules::guard_path(),
        "DefaultRuntimeDir $runtime", '');

    $t->dir('plain', basic());
    $t->dir('type', 'AuthType Basic extra', 'Require valid-user');
    $t->dir('name', 'AuthName', 'Require valid-user');
    $t->dir('guarded', basic('AuthGuard On', 'AuthGuardLimit ip 3/10min'));
    $t->passwords('users', { alice => 'right' });
    return $t;
}

my ($first, $second) = (server(), server());
$first->expect_lockout;
$second->expect_log(qr/AG020[36]: /);
$second->expect_log(qr/AG0207: /, optional => 1);
$first->start;
$second->start;

for my $t ($first, $second) {
    my $name = $t == $first ? 'first' : 'second';

    is($t->get('/')->status, 200, "$name: serves");
    is($t->get('/plain/')->status, 401, "$name: asks for a password");
    is($t->guess('/plain/', 'alice', 'right'), 200, "$name: takes it");
    is($t->guess_wrong('/plain/', 'alice', 6), '401=6',
        "$name: refuses others");
}

$first->expect_log(qr/AuthType takes one argument, an HTTP auth/);
$first->expect_log(qr/AuthName takes one argument, the authent/);
is($first->get("/$_/")->status, 500, "$_: a bad line") for qw(type name);

# Who guards needs a store: without one no password is looked at.
my $before = $second->verified;
is($second->guess('/guarded/', 'alice', 'right'), '503.2',
    'second: no store, no log-in, right');
is(tally($second->many(1, wrong_guesses('/guarded/', 'alice', 6))),
    '503.2=6', 'second: or wrong');
is($second->verified, $before, 'second: nothing was verified');
isnt($second->get('/guarded/')->status, 200, 'second: nor left open');

is($first->guess('/guarded/', 'alice', 'right'), 200, 'first: has one');
is($first->guess_wrong('/guarded/', 'alice', 4), '401.1=3 401.501=1',
    'first: and counts');

# Once the first is gone, the second has a store from its next start on.
$first->done;
$second->stop;
$second->start;
is($second->guess('/guarded/', 'alice', 'right'), 200,
    'second, later: has one too');
is($second->guess_wrong('/guarded/', 'alice', 4), '401.1=3 401.501=1',
    'second, later: and counts');
$second->expect_lockout;
$second->done;

done_testing;
