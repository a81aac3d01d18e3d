# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Authorizer: the least of a FastCGI authorizer: it compares name
# and password with a list, and answers one request at a time.
package AuthGuard::Authorizer;

use strict;
use warnings;
use IO::Socket::INET ();

# Types of records.
use constant { TYPE_END => 3, TYPE_PARAMS => 4, TYPE_STDOUT => 6 };

sub serve {
    my ($port, %users) = @_;
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $port, Listen => 64, ReuseAddr => 1)
      or die "port $port: $!";

    $SIG{PIPE} = 'IGNORE';
    while (my $client = $listener->accept) {
        my %env = read_environment($client) or next;
        my $password = $users{ $env{REMOTE_USER} // '' };
        my $is_right = defined $password && $password eq $env{REMOTE_PASSWD};
        my $status = $is_right ? '200 OK' : '401 Unauthorized';

        print {*STDERR} "refused\n" unless $is_right;
        print $client record(TYPE_STDOUT, "Status: $status\r\n\r\n"),
          record(TYPE_STDOUT, ''), record(TYPE_END, "\0" x 8);
        close $client;
    }
    return;
}

sub record {
    my ($type, $content) = @_;

    return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content;
}

# The parameters of one request; none where the connection ends before.
sub read_environment {
    my ($client) = @_;
    my $text = '';

    while ((read($client, my $head, 8) || 0) == 8) {
        my (undef, $type, undef, $length, $padding) = unpack 'CCnnC', $head;
        my $content = '';

        read $client, $content, $length if $length;
        read $client, my $rest, $padding if $padding;
        next unless $type == TYPE_PARAMS;
        return split_pairs($text) unless $length;
        $text .= $content;
    }
    return;
}

# Lengths of a pair have one byte, or four with the highest bit set.
sub split_pairs {
    my ($text) = @_;
    my %pair;

    while (length $text) {
        my @length = map {
            my $width = ord($text) & 128 ? 4 : 1;
            my $bytes = substr $text, 0, $width, '';
            $width == 1 ? ord $bytes : unpack('N', $bytes) & 0x7fffffff;
        } 1 .. 2;
        my $name = substr $text, 0, $length[0], '';

        $pair{$name} = substr $text, 0, $length[1], '';
    }
    return %pair;
}

1;
