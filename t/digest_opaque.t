#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: to a Digest header with an `opaque` that mod_auth_digest does not
# know it answers stale=true, be the password right or wrong. The guard took
# that for a right password with an old nonce, and counted nothing: whoever
# made up an opaque for each guess had as many as he liked.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Digest;

use constant LIMIT => 3;

my $t = AuthGuard::Httpd->new(modules => ['auth_digest'], conf => <<"CONF");
<Directory "\@DOCS\@/a">
    AuthType Digest
    AuthName "test"
    AuthUserFile \@ROOT\@/digest
    Require valid-user
    AuthGuard On
    AuthGuardLimit ip @{[LIMIT]}/10min
</Directory>
CONF
$t->dir('a');
$t->file('digest', digest_line('bob', 'test', 'secret'));
$t->expect_lockout;
$t->expect_log(qr/AH01794: user bob: password mismatch/);
$t->start;

sub wrong { return scalar(() = $t->log_lines(qr/AH01794/)) }

my %opaque = (quoted => 'opaque="%x"', bare => 'opaque=%x',
    capitals => 'OPAQUE="%x"', twice => 'opaque="0", opaque="%x"');
my $serial = 0;

for my $how (sort keys %opaque) {
    my @from = (from => '127.0.1.' . ++$serial);
    my $nonce = digest_nonce($t, '/a/', @from);
    my @bob = (path => '/a/', user => 'bob', nonce => $nonce, @from);
    my $before = wrong();

    # Each with an opaque of its own: the first use makes it known.
    $t->many(1, map { digest_request(@bob, pass => "wrong$_",
                first => sprintf $opaque{$how}, 0xff0000 + 256 * $serial + $_)
        } 1 .. 12);
    cmp_ok(wrong() - $before, '<=', LIMIT,
        "$how: no more than the limit are verified");
    my ($right) = $t->many(1, digest_request(@bob, pass => 'secret'));
    is($right->code, '401.501', "$how: then the right one is refused");
}
$t->done;

done_testing;
