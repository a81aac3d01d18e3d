# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Digest: Digest log-ins (RFC 2617, MD5, qop=auth), also such as no
# browser would send.
package AuthGuard::Digest;

use strict;
use warnings;
use Digest::MD5 qw(md5_hex);
use Exporter qw(import);

our @EXPORT = qw(digest_line digest_nonce digest_request);

# A user's line in a file for AuthUserFile.
sub digest_line {
    my ($user, $realm, $password) = @_;

    return "$user:$realm:" . md5_hex("$user:$realm:$password") . "\n";
}

# A fresh nonce, from the server's challenge.
sub digest_nonce {
    my ($server, $path, @from) = @_;
    my ($challenge) = $server->get($path, @from)->header('www-authenticate');

    return $challenge =~ /\bnonce="([^"]+)"/ ? $1 : die "no nonce: $challenge";
}

# One request.
#   path, user, pass, nonce   as they are
#   realm                     'test' unless told
#   first                     parameters to put before all others
#   from                      as everywhere
my $count = 0;

sub digest_request {
    my (%arg) = @_;
    my $realm = $arg{realm} // 'test';
    my $nc = sprintf '%08x', ++$count;
    my $response = md5_hex(join ':', md5_hex("$arg{user}:$realm:$arg{pass}"),
        $arg{nonce}, $nc, 'client', 'auth', md5_hex("GET:$arg{path}"));
    my %quoted = (username => $arg{user}, realm => $realm,
        nonce => $arg{nonce}, uri => $arg{path}, cnonce => 'client',
        response => $response);

    s/(["\\])/\\$1/g for values %quoted;
    my @first = defined $arg{first} ? $arg{first} : ();
    my $header = 'Digest ' . join ', ', @first, "nc=$nc", 'qop=auth',
      'algorithm=MD5', map { qq($_="$quoted{$_}") } sort keys %quoted;
    my @from = $arg{from} ? (from => $arg{from}) : ();

    return { path => $arg{path}, @from, headers => [Authorization => $header] };
}

1;
