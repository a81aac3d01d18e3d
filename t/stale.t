#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: the guard took a challenge with the text stale=true anywhere in it
# for one about an old nonce, and did not count the guess. A realm can hold
# that text: AuthName is an expression, and may show what the client sent.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Digest;

use constant LIMIT => 3;

my @guard = ('AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min");
my %realm = (
    plain => 'stale=true',
    middle => 'test, stale=true, test',
    quoted => 'x\", stale=true, y=\"z',    # httpd keeps the backslashes
);

sub digest_directory {
    my ($dir) = @_;

    return guarded($dir, 'AuthType Digest', "AuthName \"$realm{$dir}\"",
        'AuthUserFile @ROOT@/digest', @guard);
}

my $t = AuthGuard::Httpd->new(modules => ['auth_digest'],
    conf => join '', guarded('uri', 'AuthName "at %{REQUEST_URI}"', @guard),
    guarded('query', 'AuthName "at %{QUERY_STRING}"', @guard),
    map { digest_directory($_) } sort keys %realm);
$t->dir($_) for qw(uri query), keys %realm;
$t->passwords('users', { bob => 'secret' });
$t->file('digest', join '', map { digest_line('bob', $_, 'secret') }
      map { $realm{$_} } sort keys %realm);
$t->expect_lockout;
$t->expect_log(qr/AH01794: user bob: password mismatch/);
$t->expect_log(qr/AH01776: invalid nonce /);
$t->start;

# Basic: the text comes from the client.
my %path = (uri => '/uri/stale=true', query => '/query/?",stale=true,x="');
for my $dir (sort keys %path) {
    my @from = (from => "127.0.1." . length $dir);
    my $before = $t->verified;

    is($t->get($path{$dir}, @from)->code, '401.2', "$dir: no password");
    is($t->guess_wrong($path{$dir}, 'bob', 8, @from), '401.1=3 401.501=5',
        "$dir: wrong ones count");
    is($t->verified - $before, LIMIT, "$dir: only those were verified");
    is($t->guess("/$dir/", 'bob', 'secret', @from), '401.501',
        "$dir: and have locked out");
}

# Digest: the text is the administrator's, and a stale nonce may come too.
my $serial = 0;

for my $dir (sort keys %realm) {
    my @from = (from => '127.0.2.' . ++$serial);
    my @bob = (path => "/$dir/", user => 'bob', realm => $realm{$dir}, @from);
    my $nonce = digest_nonce($t, "/$dir/", @from);
    my $log_in = sub {
        my ($password, $with) = @_;

        return $t->many(1,
            digest_request(@bob, pass => $password, nonce => $with));
    };

    # A nonce that the server did not make: judged after the password.
    my $stale = substr($nonce, 0, -1) . ($nonce =~ /0\z/ ? '1' : '0');
    is(join(' ', map { $_->status } map { $log_in->('secret', $stale) } 1 .. 8),
        join(' ', (401) x 8), "$dir: a stale nonce");
    is(tally($log_in->('secret', $nonce)), '200=1', "$dir: does not count");
    is(tally(map { $log_in->("wrong$_", $nonce) } 1 .. 8),
        '401.1=3 401.501=5', "$dir: wrong ones do");
    is(tally($log_in->('secret', $nonce)), '401.501=1',
        "$dir: and have locked out");
}
$t->done;

done_testing;
