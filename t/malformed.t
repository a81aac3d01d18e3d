#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# 10,000 malformed Authorization headers: no crash, no 200, and a server that
# is well afterwards.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use MIME::Base64 qw(encode_base64);

use constant REQUESTS => 10_000;

my $t = AuthGuard::Httpd->new(modules => ['auth_digest'],
    conf => guarded('on', 'AuthGuard On', 'AuthGuardLimit ip 4/10min',
        'AuthGuardLimit login 3/10min', 'AuthGuardLimit net 1000/10min')
      . guarded('provider', 'AuthBasicProvider guard',
        'AuthGuardLimit ip 4/10min')
      . guarded('digest', 'AuthType Digest', 'AuthUserFile @ROOT@/digest',
        'AuthGuard On', 'AuthGuardLimit ip 4/10min'));
my @dirs = qw(on provider digest);
$t->dir($_) for @dirs;
$t->passwords('users', { alice => 'right' });
$t->file('digest', "alice:test:0123456789abcdef0123456789abcdef\n");
$t->expect_lockout;
$t->expect_log(qr/\[auth_digest:|\[auth_basic:/);
$t->start;

srand 20261121;

sub noise {
    my ($length, @range) = @_;
    my ($low, $high) = @range ? @range : (1, 255);

    return join '', map { chr($low + int rand($high - $low + 1)) }
      1 .. $length;
}

sub line_noise { return noise(@_) =~ tr/\r\n//dr }
sub coded { return encode_base64($_[0], '') }

my @shapes = (
    sub { 'Authorization: ' . line_noise(int rand 60) },
    sub { 'Authorization: Basic ' . line_noise(int rand 60) },
    sub { 'Authorization: Basic ' . noise(int rand 40, 33, 126) },
    sub { 'Authorization: Basic ' . coded(noise(int rand 40, 0, 255)) },
    sub { 'Authorization: Basic ' . coded(noise(20, 97, 122)) },
    sub { 'Authorization: Basic ' . coded("alice\0:right") },
    sub { 'Authorization: Basic ' . coded("alice:\0right" . rand) },
    sub { 'Authorization: Basic ' . coded('x' x 5000 . ':' . rand) },
    sub { 'Authorization: Basic ' . coded('alice:' . 'x' x 5900 . rand) },
    sub { 'Authorization: Basic ' . 'A' x 8160 },
    sub { 'Authorization: Basic ' . 'A' x 9000 },
    sub { 'Authorization: Basic' },
    sub { 'Authorization: ' },
    sub { 'Authorization: Basic ====' },
    sub { "Authorization: Basic\t" . coded('alice:' . rand) },
    sub { 'Authorization: basic     ' . coded('alice:' . rand) },
    sub { 'Authorization: Basic ' . coded(rand) . "=\r\nAuthorization: Basic "
          . coded('alice:' . rand) },
    sub { "Authorization: Basic\r\n " . coded('alice:' . rand) },
    sub { 'Authorization: Basic ' . substr(coded('alice:wrong'), 0, 9)
          . "\r\n\t" . noise(9, 48, 57) },
    sub { "Authorization: Basic " . coded('a:b') . "\0" . coded('alice:c') },
    sub { 'Authorization: Digest ' . line_noise(int rand 200) },
    sub { 'Authorization: Digest ' . join ', ',
          map { $_ . '="' . noise(int rand 30, 32, 126) . '"' }
          qw(username realm nonce uri response qop nc cnonce) },
    sub { 'Authorization: Digest username="alice' . '\\' x int rand 50 },
    sub { 'Authorization: Digest ' . 'username=' x 900 },
    sub { 'Authorization: Bearer ' . noise(int rand 100, 33, 126) },
    sub { 'Proxy-Authorization: Basic ' . coded('alice:' . rand) },
    sub { 'Authorization : Basic ' . coded('alice:' . rand) },
);

my %seen;
my $done = 0;
while ($done < REQUESTS) {
    my @batch = map {
        my $n = $done + $_;
        my $shape = $shapes[$n % @shapes];
        { raw => "GET /$dirs[$n / @shapes % @dirs]/ HTTP/1.1\r\n"
              . "Host: localhost\r\nConnection: close\r\n"
              . $shape->() . "\r\n\r\n",
            from => sprintf '127.9.%d.%d', 1 + $n / 5 / 250,
            1 + $n / 5 % 250 }
    } 0 .. 499;
    my @answers = $t->many(40, @batch);
    for my $i (0 .. $#answers) {
        my $status = $answers[$i]->status;
        $seen{$status}++;
        next if $status =~ /\A(?:400|401|429|503)\z/;
        fail("status $status");
        diag($batch[$i]{raw} =~ s/[^ -~\r\n]/?/gr);
    }
    $done += @batch;
}
is($done, REQUESTS, 'sent: ' . join ', ', map { "$_ x $seen{$_}" }
      sort keys %seen);
is($seen{200} // 0, 0, 'none was let in');
cmp_ok($seen{401} // 0, '>', REQUESTS / 2, 'most were refused');
is(scalar($t->log_lines(qr/exit signal/)), 0, 'no child died');

for my $dir (qw(on provider)) {
    my @from = (from => '127.8.0.1');
    is($t->guess("/$dir/", 'alice', 'right', @from), 200, "$dir: well");
}
is($t->guess_wrong('/on/', 'alice', 4, from => '127.8.0.2'),
    '401.1=3 401.501=1', 'and counting');
$t->done;

done_testing;
