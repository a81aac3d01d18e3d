# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Client: many HTTP/1.1 requests at once, each on a connection of
# its own, from any address of 127.0.0.0/8.
#
# A request is a hash:
#   path, method     '/' and GET unless told
#   user, pass       make an Authorization: Basic header
#   headers          [name, value, ...]; a name may come twice
#   body             sent with Content-Length
#   version          '1.1' unless told
#   from             local address to connect from
#   raw              the bytes to send, instead of all of the above
#   expect           1: send the body only after "100 Continue"
# An answer is an AuthGuard::Response.
package AuthGuard::Client;

use strict;
use warnings;
use Digest::SHA qw(sha1_base64);
use Errno qw(EINPROGRESS EAGAIN EINTR);
use IO::Handle ();
use IO::Select ();
use MIME::Base64 qw(encode_base64);
use Socket qw(:DEFAULT inet_aton pack_sockaddr_in SOL_SOCKET SO_ERROR
  IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use AuthGuard::Response ();

use constant { PATIENCE_SECONDS => 60, CHUNK_BYTES => 65536 };

$SIG{PIPE} = 'IGNORE';

# For a password file: bcrypt of that cost, or {SHA} without.
sub hash_password {
    my ($password, $cost) = @_;

    return '{SHA}' . sha1_base64($password) . '=' unless $cost;
    my $salt = join '', map { ('a' .. 'z', 0 .. 9)[rand 36] } 1 .. 21;
    my $hash = crypt($password, sprintf '$2y$%02d$%su', $cost, $salt);
    die 'crypt() knows no bcrypt here' unless $hash && $hash =~ /\A\$2y\$/;
    return $hash;
}

sub basic {
    my ($user, $password) = @_;

    return 'Basic ' . encode_base64("$user:$password", '');
}

sub header_pairs {
    my ($request) = @_;
    my @pairs = @{ $request->{headers} || [] };

    push @pairs, Authorization => basic($request->{user}, $request->{pass})
      if defined $request->{user};
    return @pairs;
}

sub bytes_of {
    my ($request) = @_;
    return $request->{raw} if defined $request->{raw};
    my $version = $request->{version} || '1.1';
    my @pairs = header_pairs($request);
    my %given = map { lc $_ => 1 } @pairs[grep { $_ % 2 == 0 } 0 .. $#pairs];

    unshift @pairs, Connection => 'close' unless $given{connection};
    unshift @pairs, Host => 'localhost' unless $given{host};
    push @pairs, 'Content-Length', length $request->{body}
      if defined $request->{body};
    push @pairs, Expect => '100-continue' if $request->{expect};
    my $text = sprintf "%s %s HTTP/%s\r\n", $request->{method} || 'GET',
      $request->{path} || '/', $version;
    while (my ($name, $value) = splice @pairs, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    $text .= "\r\n";
    return $text if !defined $request->{body} || $request->{expect};
    return $text . $request->{body};
}

sub open_socket {
    my ($port, $from) = @_;

    socket(my $socket, PF_INET, SOCK_STREAM, IPPROTO_TCP) or die "socket: $!";
    if ($from) {
        bind($socket, pack_sockaddr_in(0, inet_aton($from)))
          or die "bind $from: $!";
    }
    setsockopt($socket, IPPROTO_TCP, TCP_NODELAY, 1);
    $socket->blocking(0);
    connect($socket, pack_sockaddr_in($port, INADDR_LOOPBACK))
      or $! == EINPROGRESS
      or die "connect: $!";
    return $socket;
}

# Run the requests, at most $concurrency at a time. Returns the answers in the
# order of the requests; one that failed has status 0 and an error.
sub run {
    my ($port, $concurrency, @requests) = @_;
    my @answers;
    my %active;
    my $next = 0;
    my $readers = IO::Select->new;
    my $writers = IO::Select->new;
    my $deadline = time + PATIENCE_SECONDS;

    while ($next < @requests || %active) {
        while ($next < @requests && keys %active < $concurrency) {
            my $request = $requests[$next];
            my $socket = open_socket($port, $request->{from});
            my $method = $request->{method} || 'GET';
            $method = 'RAW' if defined $request->{raw};
            $active{ fileno $socket } = {
                index => $next++, out => bytes_of($request), in => '',
                method => $method, request => $request, began => time,
            };
            $readers->add($socket);
            $writers->add($socket);
        }
        my ($can_read, $can_write) =
          IO::Select->select($readers, $writers, undef, 1);
        for my $socket (@{ $can_write || [] }) {
            my $one = $active{ fileno $socket };
            write_some($socket, $one);
            $writers->remove($socket) unless length $one->{out};
        }
        for my $socket (@{ $can_read || [] }) {
            my $one = $active{ fileno $socket } or next;
            read_some($socket, $one, $writers) and next;
            delete $active{ fileno $socket };
            $readers->remove($socket);
            $writers->remove($socket);
            close $socket;
            $answers[$one->{index}] = finish($one);
        }
        last if time > $deadline;
    }
    for my $one (values %active) {
        $one->{error} = 'no answer in time';
        $answers[$one->{index}] = finish($one);
    }
    return @answers;
}

sub write_some {
    my ($socket, $one) = @_;
    my $sent = syswrite $socket, $one->{out};

    if (defined $sent) {
        substr($one->{out}, 0, $sent) = '';
    } elsif ($! != EAGAIN && $! != EINTR) {

        # The server may answer and close before it has read everything.
        $one->{error} = "$!";
        $one->{out} = '';
    }
    return;
}

# Returns 1 while the connection is open.
sub read_some {
    my ($socket, $one, $writers) = @_;
    my $got = sysread $socket, $one->{in}, CHUNK_BYTES, length $one->{in};

    if (!defined $got) {
        return 1 if $! == EAGAIN || $! == EINTR;
        $one->{error} = "$!";
        return 0;
    }
    if ($one->{request}{expect} && !$one->{continued}
        && $one->{in} =~ /\AHTTP\/1\.1 100 /)
    {
        $one->{continued} = 1;
        $one->{out} .= $one->{request}{body};
        $writers->add($socket);
    }
    return $got > 0;
}

sub finish {
    my ($one) = @_;
    my $answer = AuthGuard::Response->parse($one->{in}, $one->{method});

    $answer->{error} = $one->{error} if defined $one->{error};
    $answer->{continued} = $one->{continued} || 0;
    $answer->{seconds} = time - $one->{began};
    return $answer;
}

1;
