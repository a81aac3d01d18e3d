#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: each parameter of a Digest header took memory of the size of the
# whole header. One header of 8 kB with many short ones took megabytes, and a
# few clients at once all the memory there was.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Digest;
use List::Util qw(sum0);

use constant { HEADER_BYTES => 8100, GROWTH_MB_MAX => 100 };

my $t = AuthGuard::Httpd->new(threads => 1, modules => ['auth_digest'],
    conf => <<'CONF');
<Directory "@DOCS@/a">
    AuthType Digest
    AuthName "test"
    AuthUserFile @ROOT@/digest
    Require valid-user
    AuthGuard On
</Directory>
CONF
$t->dir('a');
$t->file('digest', digest_line('bob', 'test', 'secret'));
$t->expect_log(qr/AH01782: missing user, realm, nonce/);
$t->start;

# The most that the children ever had in memory, all together.
sub peak_mb {
    return sum0(map { AuthGuard::Httpd::slurp("/proc/$_/status")
              =~ /^VmHWM:\s+(\d+) kB/m ? $1 / 1024 : 0 } $t->children);
}

my @headers = map { 'Digest ' . $_ x (HEADER_BYTES / length $_) }
  'a="",', 'username="",', 'a="\"",', 'a=,';
my $before = peak_mb();
cmp_ok($before, '>', 1, 'the memory of the children is known');
my @requests = map {
    { path => '/a/', headers => [Authorization => $headers[$_ % @headers]],
        from => '127.0.1.' . (1 + $_ % 200) }
} 1 .. 400;
is(scalar(grep { $_->status != 401 } $t->many(50, @requests)), 0,
    '400 such headers, 50 at a time: refused');
cmp_ok(peak_mb() - $before, '<', GROWTH_MB_MAX, 'in little memory');

my $nonce = digest_nonce($t, '/a/');
is(tally($t->many(1, digest_request(path => '/a/', user => 'bob',
                pass => 'secret', nonce => $nonce))), '200=1',
    'the server is well');
$t->done;

done_testing;
