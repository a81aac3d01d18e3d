#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Whatever body a locked client sends, on a connection that is kept: it gets
# one answer, and what follows is the next request, or the connection is
# closed. No byte of a body is ever taken for a request.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Response;
use IO::Socket::INET;

use constant { LARGE_BYTES => 1_000_000, PATIENCE_SECONDS => 30 };

my $t = AuthGuard::Httpd->new(conf => "KeepAliveTimeout 1\nTimeout 2\n"
      . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 1/10min')
      . guarded('document', 'AuthGuard On', 'AuthGuardLimit ip 1/10min',
        'ErrorDocument 401 "Not now."')
      . guarded('limited', 'AuthGuard On', 'AuthGuardLimit ip 1/10min',
        'LimitRequestBody 1000'));
$t->dir($_) for qw(a document limited);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/\[(?:http|core):/, optional => 1);
$t->start;

my $from = '127.0.1.1';
my $right = AuthGuard::Client::basic('alice', 'right');
$t->guess_wrong('/a/', 'alice', 1, from => $from);

# What a body holds: httpd would say 200 to it.
my $home = "HTTP/1.1\r\nHost: localhost\r\n";
my $bait = "GET /?bait $home\r\n";
my $next = "GET /?next ${home}Connection: close\r\n\r\n";

sub request {
    my ($method, $path, $headers, $body, $version) = @_;

    return "$method $path HTTP/@{[$version || '1.1']}\r\nHost: localhost\r\n"
      . "Authorization: $right\r\n$headers\r\n$body";
}

# Everything that comes back, until the server closes.
sub talk {
    my ($bytes) = @_;
    my $in = '';
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $t->port, LocalAddr => $from) or die "connect: $!";

    local $SIG{ALRM} = sub { die 'the server does not close' };
    alarm PATIENCE_SECONDS;
    $socket->autoflush(1);
    print $socket $bytes;
    while (sysread $socket, $in, 65536, length $in) { }
    alarm 0;
    return $in;
}

# The answers in it, one after the other: '401.501 200'. What is none of them
# is told, too.
sub answers {
    my ($in, @methods) = @_;
    my @codes;

    while (length $in) {
        my $one = AuthGuard::Response->parse($in, shift(@methods) // 'GET');
        return join ' ', @codes, "and '$in'" unless $one->status;
        push @codes, $one->code;
        $in = $one->{rest};
    }
    return join ' ', @codes;
}

sub chunked { return join '', map({ sprintf "%x\r\n%s\r\n", length, $_ } @_) }

my $length = 'Content-Length: ' . length $bait;
my $many = chunked(($bait x 20) x 100);
my $chunks = "Transfer-Encoding: chunked\r\n";

# Kept: the refusal, and then the next request is answered.
for my $case (
    ['GET', request('GET', '/a/', '', '')],
    ['POST', request('POST', '/a/', "$length\r\n", $bait)],
    ['POST of nothing', request('POST', '/a/', "Content-Length: 0\r\n", '')],
    ['PUT', request('PUT', '/a/', "$length\r\n", $bait)],
    ['OPTIONS with a body', request('OPTIONS', '/a/', "$length\r\n", $bait)],
    ['GET with a body', request('GET', '/a/', "$length\r\n", $bait)],
    ['an own method', request('BREW', '/a/', "$length\r\n", $bait)],
    ['a megabyte', request('POST', '/a/',
            'Content-Length: ' . LARGE_BYTES . "\r\n", 'x' x LARGE_BYTES)],
    ['chunks', request('POST', '/a/', $chunks, chunked($bait) . "0\r\n\r\n")],
    ['many chunks', request('POST', '/a/', $chunks, "${many}0\r\n\r\n")],
    ['trailers', request('POST', '/a/', $chunks,
            chunked($bait) . "0\r\nX-Trailer: 1\r\n\r\n")],
    ['no chunk', request('POST', '/a/', $chunks, "0\r\n\r\n")],
    ['Upgrade', request('GET', '/a/',
            "Connection: Upgrade\r\nUpgrade: websocket\r\n", '')],
    ['HTTP/1.0, to be kept', request('POST', '/a/',
            "Connection: keep-alive\r\n$length\r\n", $bait, '1.0')],
    ['a document', request('POST', '/document/', "$length\r\n", $bait)],
  )
{
    my ($name, $bytes) = @$case;
    my $in = talk($bytes . $next);

    like(answers($in), qr/\A401(?:\.501)? 200\z/, "$name: and the next one");
    like($in, qr/\r\n\r\nhome\n\z/, "$name: the next one's own answer");
}
{
    my $head = request('HEAD', '/a/', "$length\r\n", $bait);
    is(answers(talk($head . $next), 'HEAD'), '401 200',
        'HEAD with a body: and the next one');
}
is(answers(talk(request('GET', '/a/', '', '') x 20 . $next)),
    '401.501 ' x 20 . '200', 'twenty at once: each has its answer');
is(answers(talk((request('POST', '/a/', "$length\r\n", $bait)
              . request('POST', '/a/', $chunks, chunked($bait)
                . "0\r\n\r\n")) x 5 . $next)),
    '401.501 ' x 10 . '200', 'ten with bodies at once');
is(answers(talk(request('POST', '/a/', "Content-Length: 3\r\n", 'abcDEF')
          . $bait)), '401.501 501',
    'a length too short: what is left is a request that makes no sense');

# Closed: one answer, and nothing of what follows is looked at.
for my $case (
    ['a chunk that is none', request('POST', '/a/', $chunks, "zz\r\n$bait")],
    ['a chunk that goes on', request('POST', '/a/', $chunks,
            "5\r\nhello$bait")],
    ['a chunk of a size that is none', request('POST', '/a/', $chunks,
            'f' x 20 . "\r\n$bait")],
    ['a chunk of a negative size', request('POST', '/a/', $chunks,
            "-5\r\n$bait")],
    ['chunks without an end', request('POST', '/a/', $chunks,
            chunked('x' x 10) . 'z')],
    ['too large', request('POST', '/limited/', "Content-Length: 5000\r\n",
            'x' x 5000)],
    ['too large in chunks', request('POST', '/limited/', $chunks,
            "${many}0\r\n\r\n")],
    ['two lengths', request('POST', '/a/',
            "Content-Length: 5\r\nContent-Length: 6\r\n", $bait)],
    ['an unknown encoding', request('POST', '/a/',
            "Transfer-Encoding: gzip\r\n", $bait)],
    ['Expect, and the body at once', request('POST', '/a/',
            "Expect: 100-continue\r\n$length\r\n", $bait)],
    ['Expect, and no body', request('POST', '/a/',
            "Expect: 100-continue\r\n$length\r\n", '')],
    ['close', request('POST', '/a/', "Connection: close\r\n$length\r\n",
            $bait)],
    ['HTTP/1.0', request('GET', '/a/', '', '', '1.0')],
    ['a chunk that is none, a document', request('POST', '/document/',
            $chunks, "zz\r\n$bait")],
  )
{
    my ($name, $bytes) = @$case;
    my $in = talk($bytes . $next);

    like(answers($in), qr/\A4\d\d(?:\.501)?\z/, "$name: one answer, the end");
    unlike($in, qr/home|HTTP\/1\.1 1/, "$name: and nothing else");
}
like(answers(talk(request('HEAD', '/a/', $chunks, "zz\r\n$bait") . $next),
        'HEAD'), qr/\A4\d\d\z/, 'HEAD, a chunk that is none: one answer');
like(answers(talk(request('POST', '/a/', "Content-Length: 500\r\n", 'abc'))),
    qr/\A4\d\d(?:\.501)?\z/, 'a length too long: one answer');
is($t->guess('/a/', 'alice', 'right', from => '127.0.1.2'), 200,
    'others are served');
$t->done;

done_testing;
