#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A module that takes bearer tokens, played by mod_lua: what docs/
# authentication.md says of tokens. Wrong ones don't count, a right one lets
# in, the challenge passes, and a lockout by passwords holds.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;

plan skip_all => 'no mod_lua' unless AuthGuard::Modules::has('lua');

my $kind = AuthGuard::Kind->new('Tokens');
my $t = AuthGuard::Httpd->new(modules => ['lua'],
    conf => guarded('token', 'AuthType Bearer', 'AuthGuard On',
        'LuaHookCheckUserID @ROOT@/bearer.lua check')
      . guarded('apart', 'AuthType Bearer', 'AuthGuard On',
        'AuthGuardScope tokens', 'LuaHookCheckUserID @ROOT@/bearer.lua check')
      . guarded('basic', 'AuthGuard On'));

$t->file('bearer.lua', <<'LUA');
function check(r)
    if r.headers_in["Authorization"] == "Bearer good" then
        r.user = "alice"
        return apache2.OK
    end
    r.err_headers_out["WWW-Authenticate"] = 'Bearer error="invalid_token"'
    return 401
end
LUA
$t->dir($_) for qw(token apart basic);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;

my @from = (from => '127.0.1.1');
my $wrong = { path => '/token/', @from,
    headers => [Authorization => 'Bearer bad'] };
my $right = { path => '/token/', @from,
    headers => [Authorization => 'Bearer good'] };
my $basic = { path => '/token/', @from, user => 'alice', pass => 'wrong' };

like($kind->row->{down}, qr/never counted/, 'what the page says');
is(tally($t->many(4, ($wrong) x 20)), '401.2=20', 'wrong tokens');
is(($t->many(1, $wrong))[0]->header('www-authenticate'),
    'Bearer error="invalid_token"', 'the challenge passes');
is(tally($t->many(4, ($right) x 20)), '200=20', 'a right one lets in');
is(tally($t->many(4, map { +{ %$basic, pass => "wrong$_" } } 1 .. 20)),
    '401.2=20', 'a password that nobody looks at');
is($t->guess_wrong('/basic/', 'alice', 5, @from), '401.1=5',
    'passwords elsewhere in the scope');
is(join(' ', map { $_->{failures} } ($t->access)[-5 .. -1]), '1 2 3 4 5',
    'are the first that count');
is(tally($t->many(1, $right)), $kind->told('locked') . '=1',
    'and lock the token out');
is(tally($t->many(1, { %$right, path => '/apart/' })), '200=1',
    'but not in a scope of its own');
$t->done;

done_testing;
