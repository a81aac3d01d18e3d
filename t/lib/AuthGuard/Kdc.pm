# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Kdc: a real Kerberos server (MIT) of a test's own, for the realm
# EXAMPLE.COM.
#
#   my $kdc = AuthGuard::Kdc->new(root => $t->root . '/kdc',
#       keytab => $t->root . '/http.keytab',    # of the service HTTP/localhost
#       users => { alice => 'right' })->start;
#   local $ENV{KRB5_CONFIG} = $kdc->client_configuration;
package AuthGuard::Kdc;

use strict;
use warnings;
use AuthGuard::Daemon ();

our @ISA = qw(AuthGuard::Daemon);

use constant REALM => 'EXAMPLE.COM';

sub packages { return ('krb5-kdc', 'krb5-admin-server') }

sub client_configuration { return "$_[0]{root}/krb5.conf" }

# For KRB5_CLIENT_KTNAME: who has it can log in as any of the users.
sub users_keytab { return "$_[0]{root}/users.keytab" }

sub set_up {
    my ($self) = @_;
    my ($root, $realm, $port) = ($self->{root}, REALM, $self->{port});
    my $plugin = AuthGuard::Modules::unpacked(
        multiarch() . '/krb5/plugins/kdb', $self->packages);

    $self->file('krb5.conf', <<"CONF");
[libdefaults]
default_realm = $realm
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
$realm = {
    kdc = 127.0.0.1:$port
}
[domain_realm]
localhost = $realm
CONF
    $self->file('kdc.conf', <<"CONF");
[kdcdefaults]
kdc_listen = 127.0.0.1:$port
kdc_tcp_listen = 127.0.0.1:$port
[realms]
$realm = {
    database_name = $root/principals
    key_stash_file = $root/stash
}
[dbmodules]
db_module_dir = $plugin
[logging]
kdc = FILE:$root/kdc.log
CONF
    $self->run('usr/sbin/kdb5_util', qw(create -s -P master));
    my @lines = ('addprinc -randkey HTTP/localhost',
        "ktadd -k $self->{keytab} HTTP/localhost",
        map { ("addprinc -pw $self->{users}{$_} $_",
            'ktadd -norandkey -k ' . $self->users_keytab . " $_") }
          sort keys %{ $self->{users} });
    $self->run('usr/sbin/kadmin.local', '-q', $_) for @lines;

    # httpd's children read both, and are another user where root tests.
    chmod 0755, $root;
    chmod 0644, $self->{keytab}, $self->client_configuration;
    return;
}

# The directory of the libraries, as usr/lib/x86_64-linux-gnu.
sub multiarch {
    my ($path) = split /:/, AuthGuard::Modules::library_path('krb5-kdc');

    return $path =~ m{(usr/lib/[^/]+)\z} ? $1 : die "no libraries in $path";
}

sub command_line {
    my ($self, @line) = @_;
    my ($env, @rest) = $self->SUPER::command_line(@line);

    return ($env, "KRB5_CONFIG=$self->{root}/krb5.conf",
        "KRB5_KDC_PROFILE=$self->{root}/kdc.conf", @rest);
}

sub program { return ('usr/sbin/krb5kdc', '-n') }

1;
