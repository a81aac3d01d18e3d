# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Slapd: a real OpenLDAP server of a test's own.
#
#   my $slapd = AuthGuard::Slapd->new(root => $t->root . '/slapd',
#       users => { alice => 'right' })->start;
#
# The users are uid=NAME,ou=people,dc=example,dc=com.
package AuthGuard::Slapd;

use strict;
use warnings;
use Digest::SHA qw(sha1);
use MIME::Base64 qw(encode_base64);
use AuthGuard::Daemon ();

our @ISA = qw(AuthGuard::Daemon);

use constant BASE => 'dc=example,dc=com';

sub packages { return 'slapd' }

sub hash_password {
    my ($password) = @_;
    my $salt = join '', map { chr int rand 256 } 1 .. 8;

    return '{SSHA}' . encode_base64(sha1($password . $salt) . $salt, '');
}

sub set_up {
    my ($self) = @_;
    my $root = $self->{root};
    my $base = BASE;
    my $core = AuthGuard::Modules::unpacked('etc/ldap/schema/core.schema',
        $self->packages);
    my $entries = <<"LDIF";
dn: $base
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: ou=people,$base
objectClass: organizationalUnit
ou: people

LDIF

    mkdir "$root/data" or die "$root/data: $!";
    $self->file('slapd.conf', <<"CONF");
include $core
pidfile $root/slapd.pid
database ldif
suffix "$base"
directory $root/data
CONF
    for my $user (sort keys %{ $self->{users} }) {
        my $hash = hash_password($self->{users}{$user});

        $entries .= <<"LDIF";
dn: uid=$user,ou=people,$base
objectClass: person
objectClass: uidObject
cn: $user
sn: $user
uid: $user
userPassword: $hash

LDIF
    }
    $self->run('usr/sbin/slapadd', '-f', "$root/slapd.conf", '-l',
        $self->file('users.ldif', $entries));
    return;
}

sub program {
    my ($self) = @_;

    return ('usr/sbin/slapd', '-d', '0', '-h',
        "ldap://127.0.0.1:$self->{port}/", '-f', "$self->{root}/slapd.conf");
}

1;
