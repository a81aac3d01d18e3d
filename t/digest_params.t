#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: of a parameter that stands twice in a Digest header the guard took
# the first, httpd the last. A header that said alice first, who was proven,
# and then bob was taken for hers: any number of guesses at bob was verified
# at once, and the log named alice.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Digest;

use constant { LIMIT => 5, AT_ONCE => 50 };

my $t = AuthGuard::Httpd->new(modules => [qw(auth_digest authn_slow)],
    conf => <<"CONF");
AuthGuardChecks 64 wait=500ms
<Directory "\@DOCS\@/a">
    AuthType Digest
    AuthName "test"
    AuthDigestProvider slow
    AuthnSlowUser alice:right bob:secret
    AuthnSlowDelay 120
    Require valid-user
    AuthGuard On
    AuthGuardLimit ip @{[LIMIT]}/10min
</Directory>
CONF
$t->dir('a');
$t->expect_lockout;
$t->expect_log(qr/AH01794: user bob: password mismatch/);
$t->start;

# What stands before the parameters that httpd goes by; NONCE is a proven one.
my @cases = (
    ['nothing', 'x=1'],
    ['another name', 'username="alice"'],
    ['a name in capitals', 'USERNAME="alice"'],
    ['a name without quotes', 'username=alice'],
    ['a name with spaces around', '  username  =  "alice"  '],
    ['a name with something behind', 'username="alice" or="bob"'],
    ['two names', 'username="bob", username="alice"'],
    ['a name in a value', 'x="\\", username=\\"alice"'],
    ['another nonce', 'nonce="NONCE"'],
    ['another name and nonce', 'nonce="NONCE", username="alice"'],
);

sub wrong_of {
    my (%from) = @_;

    return scalar(() =
          $t->log_lines(qr/client \Q$from{from}\E:.*AH01794: user bob/));
}

my $serial = 0;

for my $case (@cases) {
    my ($name, $first) = @$case;
    my @from = (from => '127.0.1.' . ++$serial);
    my @log_in = (path => '/a/', @from);
    my $proven = digest_nonce($t, '/a/', @from);

    $first =~ s/NONCE/$proven/;
    my %who = (alice => 'right', bob => 'secret');
    my @users = $first =~ /nonce/ ? qw(alice bob) : 'alice';
    is(tally($t->many(2, map { digest_request(@log_in, user => $_,
                        pass => $who{$_}, nonce => $proven) } @users)),
        '200=' . @users, "$name: signed in");

    my $nonce = $first =~ /nonce/ ? digest_nonce($t, '/a/', @from) : $proven;
    my @bob = (@log_in, user => 'bob', nonce => $nonce);
    my @guesses = map { digest_request(@bob, first => $first,
            pass => "wrong$_") } 1 .. AT_ONCE;
    $t->many(AT_ONCE, @guesses);
    my $wrong = wrong_of(@from);
    cmp_ok($wrong, '<=', LIMIT, "$name: no more than the limit are verified");
    cmp_ok($wrong, '>=', 1, "$name: but some are");
    my ($last) = $t->many(1, digest_request(@bob, first => $first,
            pass => 'secret'));
    is($last->code, '401.501', "$name: then the right one is refused");
    my ($lockout) = $t->log_lines(qr/AG0101: lockout: client=$from[1] /);
    like($lockout // '', qr/ user=bob\b/, "$name: the log names bob");
}
$t->done;

done_testing;
