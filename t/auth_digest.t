#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_auth_digest under the guard, as docs/authentication.md has it: what
# counts, what a locked visitor gets, and that a missing file counts nothing.
# The provider `guard` is refused there.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Fcntl qw(O_CREAT O_RDWR);
use SDBM_File;
use AuthGuard::Digest;
use AuthGuard::Kind;

my $kind = AuthGuard::Kind->new('Digest');
my %user = (alice => 'right', bob => 'secret');
my $realm = 'Private';
my $t = AuthGuard::Httpd->new(modules => ['auth_digest'],
    conf => $kind->configuration);
my $file = $t->file('digest',
    join '', map { digest_line($_, $realm, $user{$_}) } sort keys %user);

sub proved {
    my ($server, $path, $dir) = @_;
    my $nonce = digest_nonce($server, "/$dir/", from => '127.0.1.1');

    $kind->prove($server, $dir, user => 'bob', pass => 'secret',
        right    => ['alice', 'right'],
        verified => sub { scalar(() = $server->log_lines(qr/AH0179[04]: /)) },
        send     => sub {
            my ($page, $user, $pass, @from) = @_;
            return digest_request(path => $page, user => $user, pass => $pass,
                nonce => $nonce, realm => $realm, @from);
        },
        down => sub { rename $path, "$path.away" or die "$path: $!" },
        up   => sub { rename "$path.away", $path or die "$path: $!" });
    return;
}

is(join(' ', $kind->faces), 'switch', 'there is one way');
$t->dir('switch');
$t->expect_lockout;
$t->expect_log(qr/AH01794: user bob: password mismatch/);
$t->expect_log(qr/AH01790: user `nobody' in realm `Private' not found/);
$t->expect_log(qr/AH01622: Could not open password file/);
$t->start;

proved($t, $file, $_) for $kind->faces, $kind->in_htaccess($t);
$t->done;

# Another provider: the hashes come from a DBM file.
{
    my $dbm = AuthGuard::Httpd->new(modules => [qw(auth_digest authn_dbm)],
        conf => $kind->configuration('AuthDigestProvider dbm',
            'AuthDBMType SDBM', 'AuthDBMUserFile "@ROOT@/digest.sdbm"'));
    my $hashes = $dbm->root . '/digest.sdbm.pag';

    tie my %hash, 'SDBM_File', $dbm->root . '/digest.sdbm', O_RDWR | O_CREAT,
      0644
      or die "digest.sdbm: $!";
    for my $user (sort keys %user) {
        my ($line) = digest_line($user, $realm, $user{$user}) =~ /([^:]+)\n/;
        $hash{"$user:$realm"} = $line;
    }
    untie %hash;
    $dbm->dir('switch');
    $dbm->expect_lockout;
    $dbm->expect_log(qr/AH01794: user bob: password mismatch/);
    $dbm->expect_log(qr/AH01790: user `nobody' in realm `Private' not found/);
    $dbm->expect_log(qr/AH10285: could not open dbm/);
    $dbm->start;
    proved($dbm, $hashes, 'switch');
    $dbm->done;
}

# The same hashes for Basic. There the provider only fails.
{
    my $basic = AuthGuard::Kind->new('Basic with Digest hashes');
    my $b = AuthGuard::Httpd->new(conf => $basic->configuration
          . guarded('vain', 'AuthBasicProvider guard',
            'AuthBasicUseDigestAlgorithm MD5'));
    my $hashes = $b->file('digest', AuthGuard::Httpd::slurp($file));

    $b->dir($_) for 'switch', 'vain';
    $b->expect_lockout;
    $b->expect_log(qr/AH01622: Could not open password file/);
    $b->expect_log(qr/AH02493: Authn provider does not support/);
    $b->start;
    $basic->prove($b, 'switch', user => 'bob', pass => 'secret',
        right => ['alice', 'right'],
        down  => sub { rename $hashes, "$hashes.away" or die "$hashes: $!" },
        up    => sub { rename "$hashes.away", $hashes or die "$hashes: $!" });
    is($b->guess('/vain/', 'alice', 'right'), 500, 'the provider: 500');
    $b->done;
}

my $refused = AuthGuard::Httpd->new(modules => ['auth_digest'],
    conf => guarded('a', 'AuthType Digest', 'AuthDigestProvider guard'));
like($refused->refusal, qr/guard.* doesn't support Digest/,
    'the provider is refused');
$refused->done;

done_testing;
