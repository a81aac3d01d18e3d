#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The answers on the wire: headers, HEAD, HTTP/1.0, keep-alive, request
# bodies, HTTP/2, and that right and wrong look the same to a locked client.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Response;

my @guard = ('AuthBasicProvider guard', 'AuthGuardLimit ip 2/10min');
my $t = AuthGuard::Httpd->new(threads => 1, modules => ['http2'],
    conf => "Protocols h2c http/1.1\n" . guarded('a', @guard)
      . guarded('bob', @guard, 'Require user bob'));
$t->dir($_) for qw(a bob);
$t->file('docs/a/post.html', 'x');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AH01631: user alice: authorization failure/);
$t->start;

my @locked = (from => '127.0.1.1');
my %right = (path => '/a/', user => 'alice', pass => 'right', @locked);
my %wrong = (%right, pass => 'wrong');

# What every answer of ours has.
sub dressed {
    my ($answer, $name) = @_;

    is($answer->header('cache-control'), 'no-store', "$name: no-store");
    is(scalar(my @all = $answer->header('cache-control')), 1, "$name: once");
    is($answer->header('vary'), 'Accept', "$name: Vary");
    return unless $answer->status == 401;
    my @challenges = $answer->header('www-authenticate');
    is("@challenges", 'Basic realm="test"', "$name: one challenge");
    return;
}

my $none = $t->get('/a/', @locked);
is($none->code, '401.2', 'no credentials');
dressed($none, '401.2');
is($none->header('retry-after'), undef, '401.2: no Retry-After');
my $require = $t->get('/bob/', %right, path => '/bob/', from => '127.0.1.2');
is($require->code, '401.3', 'Require');
dressed($require, '401.3');
my $fail = $t->get('/a/', %wrong);
is($fail->code, '401.1', 'wrong');
dressed($fail, '401.1');
is($fail->header('retry-after'), undef, '401.1: no Retry-After');
unlike($fail->body, qr/\b(?:1|one) (?:more|attempt|try|guess)/i,
    '401.1: not how many are left');
my $unknown = $t->get('/a/', %wrong, user => 'nobody', from => '127.0.1.3');
is($unknown->fingerprint, $fail->fingerprint,
    '401.1: not whether the user exists');
$t->guess_wrong('/a/', 'alice', 1, @locked);

my $refused = $t->get('/a/', %right);
is($refused->code, '401.501', 'locked');
is($refused->{reason}, 'Unauthorized', 'the plain reason');
dressed($refused, '401.501');
my ($seconds) = $refused->header('retry-after');
cmp_ok($seconds, '>', 850, 'Retry-After: the seconds left');
cmp_ok($seconds, '<=', 900, 'Retry-After: of 15 minutes');
like($refused->body, qr/15 minutes/, 'the body says it in words');
like($refused->header('content-type'), qr{\Atext/html}, 'HTML by default');

# Right and wrong, whatever the method and the protocol.
for my $case (
    ['GET'], ['HEAD', method => 'HEAD'], ['HTTP/1.0', version => '1.0'],
    ['POST', method => 'POST', body => 'a=b'],
    ['a large POST', method => 'POST', body => 'x' x 3_000_000],
    ['POST with Expect', method => 'POST', body => 'x' x 100_000,
        expect => 1],
    ['OPTIONS', method => 'OPTIONS'], ['PUT', method => 'PUT', body => 'x'],
    ['an unknown path', path => '/a/nothing'],
    ['an unknown method', method => 'BREW'],
  )
{
    my ($name, @more) = @$case;
    my $one = $t->get('/a/', %right, @more);
    my $two = $t->get('/a/', %wrong, @more);
    my $three = $t->get('/a/', %right, user => 'nobody', @more);
    is($one->status, 401, "$name: refused");
    is($one->fingerprint, $two->fingerprint, "$name: right or wrong");
    is($one->fingerprint, $three->fingerprint, "$name: known or not");
    dressed($one, $name);
}
my $head = $t->get('/a/', %right, method => 'HEAD');
is($head->{rest}, '', 'HEAD: no body');
is($head->header('content-length'), $refused->header('content-length'),
    'HEAD: the length of the body that GET has');
is(length $refused->body, $refused->header('content-length'),
    'GET: and it is');
is($head->header('content-type'), $refused->header('content-type'),
    'HEAD: the type too');
my $expect = $t->get('/a/', %right, method => 'POST', expect => 1,
    body => 'x' x 100);
is($expect->{continued}, 0, 'Expect: no invitation to send the body');

# Keep-alive: the connection is usable after a refusal.
{
    my $credentials = AuthGuard::Client::basic('alice', 'right');
    my $request = "GET /a/ HTTP/1.1\r\nHost: localhost\r\n"
      . "Authorization: $credentials\r\n";
    my $post = "POST /a/post.html HTTP/1.1\r\nHost: localhost\r\n"
      . "Authorization: $credentials\r\nContent-Length: 5\r\n\r\nhello";
    my $bytes = "$request\r\n${post}$request\r\n"
      . "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    my $rest = $t->get('/', raw => $bytes, @locked)->{raw};
    my @codes;
    while (length $rest) {
        my $one = AuthGuard::Response->parse($rest, 'GET');
        last unless $one->status;
        push @codes, $one->code;
        $rest = $one->{rest};
    }
    is("@codes", '401.501 401.501 401.501 200',
        'keep-alive: four answers on one connection');
}

# HTTP/2.
{
    my @answers = $t->h2(10,
        (map { +{ %right, %$_ } } {}, { pass => 'wrong' }, {},
            { method => 'HEAD' }, { method => 'POST', body => 'x' x 10000 }));
    is(tally(@answers[0 .. 2, 4]), '401.501=4', 'HTTP/2: refused');
    is($answers[3]->status, 401, 'HTTP/2: HEAD');
    is($answers[3]->body, '', 'HTTP/2: HEAD has no body');
    is($answers[0]->fingerprint, $answers[1]->fingerprint,
        'HTTP/2: right or wrong');
    is($answers[0]->body =~ s/\d+//gr, $refused->body =~ s/\d+//gr,
        'HTTP/2: the same page');
    dressed($answers[0], 'HTTP/2');
}

# The log tells what the wire does not.
my $lines = $t->access;
$t->get('/a/', %right);
my $line = ($t->access($lines + 1))[-1];
is($line->{status}, 401, 'log: the plain status');
is($line->{substatus}, '401.501', 'log: the substatus');
cmp_ok($line->{retry_after}, '<=', 900, 'log: the seconds left');
is("$line->{failures}/$line->{limit}", '2/2', 'log: failures and limit');
$t->done;

done_testing;
