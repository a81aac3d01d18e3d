#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The body by Accept: HTML, problem+json and plain text, for each answer.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use JSON::PP qw(decode_json);

my @guard = ('AuthGuard On', 'AuthGuardLimit ip 2/10min lockout=90s');
my $t = AuthGuard::Httpd->new(conf => guarded('a', @guard)
      . guarded('bob', @guard, 'Require user bob'));
$t->dir($_) for qw(a bob);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AH01631: user alice: authorization failure/);
$t->start;

my @locked = (from => '127.0.1.1');
$t->guess_wrong('/a/', 'alice', 2, @locked);
my %alice = (user => 'alice', pass => 'right');
my %requests = (
    '401.1' => { path => '/a/', user => 'alice', pass => 'x',
        from => '127.0.1.2' },
    '401.2' => { path => '/a/', from => '127.0.1.2' },
    '401.3' => { path => '/bob/', %alice, from => '127.0.1.2' },
    '401.501' => { path => '/a/', %alice, @locked },
);

sub asked {
    my ($code, $accept) = @_;
    my $request = $requests{$code};

    return ($t->many(1, { %$request,
                headers => defined $accept ? [Accept => $accept] : [] }))[0];
}

my $html = qr{\Atext/html(?:;|\z)};
my $json = qr{\Aapplication/problem\+json\z};
my $plain = qr{\Atext/plain(?:;|\z)};
for my $code (sort keys %requests) {
    my $page = asked($code);
    like($page->header('content-type'), $html, "$code: HTML");
    like($page->body, qr/<!doctype html/i, "$code: a page");
    like($page->body, qr/<html[^>]* lang="en"/i, "$code: in a language");
    like($page->body, qr/<title>[^<]+</, "$code: with a title");
    unlike($page->body, qr/<script|<form|https?:/i,
        "$code: no script, no form, nothing from elsewhere");
    is($page->code, $code, "$code: with its code");

    my $problem = asked($code, 'application/json');
    like($problem->header('content-type'), $json, "$code: problem+json");
    my $data = eval { decode_json($problem->body) } || {};
    is($@, '', "$code: is JSON");
    like($data->{$_}, qr/\S/, "$code: $_") for qw(type title detail);
    is($data->{status}, 401, "$code: status");
    is("$data->{substatus}", (split /\./, $code)[1], "$code: substatus")
      unless "$data->{substatus}" eq $code;
    if ($code eq '401.501') {
        cmp_ok($data->{retry_after}, '<=', 90, 'retry_after at most');
        cmp_ok($data->{retry_after}, '>', 60, 'retry_after at least');
        is($data->{retry_after}, $problem->header('retry-after'),
            'as in the header');
    }

    my $text = asked($code, 'text/plain');
    like($text->header('content-type'), $plain, "$code: plain text");
    unlike($text->body, qr/[<>]/, "$code: without tags");
    is($text->code, $code, "$code: plain, with its code");
    like($text->body, qr/\n\z/, "$code: ends with a newline");
    is($_->header('vary'), 'Accept', "$code: Vary")
      for $page, $problem, $text;
}

# The choice.
for my $case (
    ['*/*', $html], ['text/*', $html], ['application/*', $json],
    ['text/html, application/json', $html],
    ['text/html;q=0.5, application/json', $json],
    ['application/problem+json', $json],
    ['text/plain;q=0.9, text/html;q=0.1', $plain],
    ['text/html;q=0, */*', $json],
    ['image/png', $html], ['', $html],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', $html],
    ['TEXT/PLAIN', $plain],
    [',;=,q=,text/plain;q=nonsense,' x 200, $html],
  )
{
    my ($accept, $type) = @$case;
    like(asked('401.501', $accept)->header('content-type'), $type,
        'Accept: ' . substr $accept, 0, 60);
}
$t->done;

done_testing;
