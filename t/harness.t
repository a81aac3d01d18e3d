#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The harness itself, on an httpd without the guard: what it starts it stops,
# what it parses is right, and its judgement of the log can fail.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use Test::More;
use AuthGuard::Httpd;

for my $mpm (qw(event worker prefork)) {
    my $t = AuthGuard::Httpd->new(guard => 0, mpm => $mpm, conf => <<'CONF');
<Directory "@DOCS@/a">
    AuthType Basic
    AuthName harness
    AuthUserFile @ROOT@/users
    Require valid-user
</Directory>
CONF
    $t->dir('a');
    $t->passwords('users', { alice => 'right' }, cost => 5);
    $t->start;

    my @requests = map {
        { path => '/a/', user => 'alice', from => "127.0.0.$_",
            pass => $_ % 2 ? 'right' : "wrong$_" }
    } 1 .. 40;
    my @answers = $t->many(20, @requests);
    is(scalar(grep { $_->status == 200 } @answers), 20, "$mpm: right ones");
    is(scalar(grep { $_->status == 401 } @answers), 20, "$mpm: wrong ones");
    is($answers[0]->body, "inside a\n", "$mpm: the body");
    is($t->verified, 20, "$mpm: wrong passwords are counted in the log");
    my @lines = $t->access(40);
    is(scalar(grep { $_->{address} eq '127.0.0.7' } @lines), 1,
        "$mpm: a request comes from the address it was told");

    ok(scalar $t->children, "$mpm: children are found");
    cmp_ok($t->kill_children, '>', 0, "$mpm: and killed");
    is($t->get('/')->status, 200, "$mpm: it goes on");
    $t->graceful;
    is($t->get('/')->status, 200, "$mpm: and after a graceful restart");
    my $group = $t->pid;
    is($t->stop, 0, "$mpm: an orderly stop");
    ok(!kill(0, -$group), "$mpm: nothing is left");
    $t->start;
    $t->crash;
    ok(!kill(0, -$group), "$mpm: nothing is left after kill -9");
    $t->start;
    is($t->get('/')->status, 200, "$mpm: started again");
    $t->done;
}

{
    my $t = AuthGuard::Httpd->new(guard => 0, threads => 1,
        modules => [qw(http2 rewrite)],
        conf => <<'CONF');
Protocols h2c http/1.1
RewriteEngine On
RewriteRule ^/nothing$ - [R=429]
Header always set X-Mark "expr=%{req:X-Mark}"
Header always set X-Odd "~!{}<>^`\\@[]#$%%"
<Directory "@DOCS@/a">
    AuthType Basic
    AuthName harness
    AuthUserFile @ROOT@/users
    Require valid-user
</Directory>
CONF
    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->file('docs/large.html', 'x' x 300_000);
    $t->start;
    my @answers = $t->h2(100, map {
        { path => '/a/', user => 'alice', headers => ['X-Mark' => "mark$_"],
            pass => $_ % 3 ? "wrong$_" : 'right' }
    } 1 .. 150);
    is(scalar(grep { $_->status == 200 } @answers), 50, 'HTTP/2: right ones');
    is(scalar(grep { $_->status == 401 } @answers), 100, 'HTTP/2: wrong ones');
    my ($mark) = $answers[7]->header('x-mark');
    is($mark, 'mark8', 'HTTP/2: each stream has headers of its own');
    my ($odd) = $answers[7]->header('x-odd');
    is($odd, '~!{}<>^`\\@[]#$%', 'HTTP/2: Huffman codes, long ones too');
    is(($t->h2(1, { path => '/nothing' }))[0]->status, 429,
        'HTTP/2: a status that no table has');
    is(length(($t->h2(1, { path => '/large.html' }))[0]->body), 300_000,
        'HTTP/2: a body of many frames');
    is(($t->h2(1, { method => 'POST', path => '/a/', body => 'x=1' }))[0]
        ->status, 401, 'HTTP/2: a request with a body');
    $t->done;
}

{
    my $t = AuthGuard::Httpd->new(guard => 0, conf => "Nonsense on\n");
    like($t->refusal, qr/Invalid command 'Nonsense'/, 'a refused start');
    $t->done;
}

# The judgement of the log, with its verdicts caught.
sub verdict {
    my (@declare) = @_;
    my $t = AuthGuard::Httpd->new(guard => 0);
    my $passed;

    $t->expect_log(@$_) for @declare;
    $t->start;
    $t->file('docs/.htaccess', "Nonsense on\n");
    $t->get('/');
    $t->file('docs/.htaccess', '');
    no warnings 'redefine';
    local *Test::More::ok = sub { $passed = $_[0]; return 1 };
    $t->done;
    return $passed;
}

ok(!verdict(), 'an undeclared line fails');
ok(verdict([qr/Invalid command 'Nonsense'/]), 'a declared one passes');
ok(!verdict([qr/Nonsense/], [qr/never/]), 'a declared line that never came');
ok(verdict([qr/Nonsense/], [qr/never/, optional => 1]), 'an optional one');
for my $line (
    '[core:notice] [pid 1] AH00052: child pid 9 exit signal Segmentation fault',
    '[auth_guard:info] [pid 1] AG0102: refused: client=1',
    '[mpm_event:alert] [pid 1] anything',
  )
{
    ok(AuthGuard::Log::is_suspect("[Sat Nov 21 2026] $line"), "suspect: $line");
}
ok(!AuthGuard::Log::is_suspect('[Sat Nov 21 2026] [core:notice] [pid 1] '
      . 'AH00052: child pid 9 exit signal Killed (9)'), 'our own kill is not');

done_testing;
