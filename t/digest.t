#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Digest: guesses count, stale nonces don't, and a right user's requests are
# never in each other's way.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Digest::MD5 qw(md5_hex);

my $t = AuthGuard::Httpd->new(modules => ['auth_digest'], conf => <<'CONF');
<Directory "@DOCS@/a">
    AuthType Digest
    AuthName "test"
    AuthUserFile @ROOT@/digest
    Require valid-user
    AuthGuard On
    AuthGuardLimit ip 3/10min
</Directory>
CONF
$t->dir('a');
$t->file('digest', 'alice:test:' . md5_hex('alice:test:right') . "\n"
      . 'bob:test:' . md5_hex('bob:test:secret') . "\n");
$t->expect_lockout;
$t->expect_log(qr/AH01794: user alice: password mismatch/);
$t->expect_log(qr/AH01790: user `nobody' in realm `test' not found/);
$t->expect_log(qr/AH01776: invalid nonce /);
$t->start;

sub nonce {
    my (@from) = @_;
    my ($challenge) = $t->get('/a/', @from)->header('www-authenticate');

    return $challenge =~ /nonce="([^"]+)"/ ? $1 : die "no nonce: $challenge";
}

# One Digest request (RFC 2617, MD5, qop=auth).
my $count = 0;

sub digest {
    my ($user, $password, $nonce, @from) = @_;
    my $nc = sprintf '%08x', ++$count;
    my $response = md5_hex(join ':', md5_hex("$user:test:$password"), $nonce,
        $nc, 'client', 'auth', md5_hex('GET:/a/'));

    return { path => '/a/', @from, headers => [Authorization =>
              qq(Digest username="$user", realm="test", nonce="$nonce", )
              . qq(uri="/a/", qop=auth, nc=$nc, cnonce="client", )
              . qq(response="$response", algorithm=MD5)] };
}

sub answer {
    my ($request) = @_;

    return ($t->many(1, $request))[0]->code;
}

{
    my @from = (from => '127.0.1.1');
    my $nonce = nonce(@from);
    my @right = map { digest('alice', 'right', $nonce, @from) } 1 .. 100;
    is(tally($t->many(30, @right)), '200=100',
        'right ones with one nonce, 30 at a time');
}

{
    my @from = (from => '127.0.1.2');
    my $nonce = nonce(@from);
    is(answer(digest('alice', 'wrong', $nonce, @from)), '401.1', 'wrong');
    is(answer(digest('nobody', 'wrong', $nonce, @from)), '401.1',
        'unknown user');
    is(answer(digest('alice', 'wrong', $nonce, @from)), '401.1',
        'the first wrong one again counts: its answer is another');
    is(answer(digest('alice', 'right', $nonce, @from)), '401.501', 'locked');
    is(answer(digest('bob', 'secret', $nonce, @from)), '401.501',
        'for everybody there');
    is($t->get('/a/', @from)->code, '401.501', 'and without credentials');
    my $refused = $t->get('/a/', @from);
    like($refused->header('www-authenticate'), qr/\ADigest realm="test"/,
        'a challenge all the same');
}

{
    my @from = (from => '127.0.1.3');
    my $nonce = nonce(@from);

    # A nonce that the server did not make: judged after the password.
    substr($nonce, -1) = substr($nonce, -1) eq '0' ? '1' : '0';
    for (1 .. 8) {
        my ($stale) = $t->many(1, digest('alice', 'right', $nonce, @from));
        is($stale->status, 401, 'a stale nonce');
        like($stale->header('www-authenticate'), qr/stale=true/, 'it says so');
    }
    my $good = nonce(@from);
    is(answer(digest('alice', 'wrong', $good, @from)), '401.1', 'one guess');
    is(($t->access)[-1]{failures}, 1, 'is the first that counts');
    is(answer(digest('alice', 'right', $good, @from)), 200, 'let in');
    is(answer(digest('alice', 'wrong', $nonce, @from)), '401.1',
        'a wrong one with a stale nonce');
    is(($t->access)[-1]{failures} >= 1, 1, 'does count');
}

{
    my @from = (from => '127.0.1.4');
    my $nonce = nonce(@from);
    my $before = () = $t->log_lines(qr/AH01794|AH01790/);
    my @guesses = map { digest('alice', "wrong$_", $nonce, @from) } 1 .. 100;
    $t->many(40, @guesses);
    my $after = () = $t->log_lines(qr/AH01794|AH01790/);
    is($after - $before, 3, '100 guesses, 40 at a time: three are verified');
    is(answer(digest('alice', 'right', $nonce, @from)), '401.501',
        'and the right one refused');
}
$t->done;

done_testing;
