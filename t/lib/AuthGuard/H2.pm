# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::H2: a minimal HTTP/2 client in clear text, for what no packaged
# client does: many streams on one connection, each with headers of its own.
#
# Frames are RFC 9113's, header fields RFC 7541's. We send literals without
# indexing and without Huffman, and offer a dynamic table of size 0, so that
# the server's fields are literals or static too. Requests and answers are as
# in AuthGuard::Client.
package AuthGuard::H2;

use strict;
use warnings;
use Time::HiRes qw(time);
use AuthGuard::Client ();
use AuthGuard::Response ();

use constant {
    DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4, PING => 6,
    GOAWAY => 7, WINDOW_UPDATE => 8, CONTINUATION => 9,
    END_STREAM => 1, ACK => 1, END_HEADERS => 4, PADDED => 8, PRIORITY => 32,
    PATIENCE_SECONDS => 60,
    WINDOW_BYTES     => 0x3fffffff,
};

# RFC 7541, appendix A, from index 1.
my @static = map { [split /=/, $_, 2] } split ' ', <<'TABLE';
:authority= :method=GET :method=POST :path=/ :path=/index.html :scheme=http
:scheme=https :status=200 :status=204 :status=206 :status=304 :status=400
:status=404 :status=500 accept-charset= accept-encoding=gzip,deflate
accept-language= accept-ranges= accept= access-control-allow-origin= age=
allow= authorization= cache-control= content-disposition= content-encoding=
content-language= content-length= content-location= content-range=
content-type= cookie= date= etag= expect= expires= from= host= if-match=
if-modified-since= if-none-match= if-range= if-unmodified-since=
last-modified= link= location= max-forwards= proxy-authenticate=
proxy-authorization= range= referer= refresh= retry-after= server= set-cookie=
strict-transport-security= transfer-encoding= user-agent= vary= via=
www-authenticate=
TABLE

# RFC 7541, appendix B: its code is canonical, so the lengths tell it. Those
# of " " to "~"; NUL has 13 bits and sorts before them; no other character
# has fewer than 19.
my @bits = qw(6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6 5 5 5 6 6 6 6 6 6 6 7 8 15
  6 12 10 13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
  15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7 7 7 7 15 11 14 13);
my %huffman = huffman_codes();

sub huffman_codes {
    my %length = (0 => 13, map { $_ + 32 => $bits[$_] } 0 .. $#bits);
    my %code;
    my ($next, $width) = (0, 5);

    for my $symbol (sort { $length{$a} <=> $length{$b} || $a <=> $b }
        keys %length)
    {
        $next <<= $length{$symbol} - $width;
        $width = $length{$symbol};
        $code{ sprintf '%0*b', $width, $next++ } = chr $symbol;
    }
    return %code;
}

sub unhuffman {
    my ($bytes) = @_;
    my ($text, $code) = ('', '');

    for my $bit (split //, unpack 'B*', $bytes) {
        $code .= $bit;
        next unless exists $huffman{$code};
        $text .= $huffman{$code};
        $code = '';
    }
    die 'HPACK: a character we do not know' if $code =~ /0/;
    return $text;
}

# An integer with a prefix of that many bits (RFC 7541, section 5.1).
sub take_integer {
    my ($in, $prefix) = @_;
    my $max = (1 << $prefix) - 1;
    my $value = ord(substr $$in, 0, 1, '') & $max;
    return $value if $value < $max;

    for (my $shift = 0 ; ; $shift += 7) {
        my $byte = ord substr $$in, 0, 1, '';
        $value += ($byte & 127) << $shift;
        return $value unless $byte & 128;
    }
}

sub take_string {
    my ($in) = @_;
    my $is_huffman = ord($$in) & 128;
    my $text = substr $$in, 0, take_integer($in, 7), '';

    return $is_huffman ? unhuffman($text) : $text;
}

sub decode_fields {
    my ($in) = @_;
    my @pairs;

    while (length $in) {
        my $first = ord $in;
        if ($first & 128) {
            my $entry = $static[take_integer(\$in, 7) - 1]
              or die 'HPACK: an index beyond the static table';
            push @pairs, $entry->[0], $entry->[1];
        } elsif (($first & 0xe0) == 0x20) {
            take_integer(\$in, 5);    # the table's size: 0, as we asked
        } else {
            my $index = take_integer(\$in, $first & 64 ? 6 : 4);
            my $name = $index ? $static[$index - 1][0] : take_string(\$in);
            push @pairs, $name, take_string(\$in);
        }
    }
    return @pairs;
}

sub encode_string {
    my ($text) = @_;
    my $length = length $text;
    return chr($length) . $text if $length < 127;
    my $out = chr 127;

    for ($length -= 127 ; $length >= 128 ; $length >>= 7) {
        $out .= chr($length & 127 | 128);
    }
    return $out . chr($length) . $text;
}

sub encode_fields {
    my (@pairs) = @_;
    my $out = '';

    while (my ($name, $value) = splice @pairs, 0, 2) {
        $out .= "\0" . encode_string(lc $name) . encode_string($value);
    }
    return $out;
}

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    my $length = length $payload;

    return pack('CnCCN', $length >> 16, $length & 0xffff, $type, $flags,
        $stream) . $payload;
}

sub request_frames {
    my ($stream, $request) = @_;
    my $fields = encode_fields(':method' => $request->{method} || 'GET',
        ':scheme' => 'http', ':path' => $request->{path} || '/',
        ':authority' => 'localhost',
        AuthGuard::Client::header_pairs($request));
    my $body = $request->{body};
    my $flags = END_HEADERS | (defined $body ? 0 : END_STREAM);
    my $out = frame(HEADERS, $flags, $stream, $fields);

    return $out unless defined $body;
    return $out . frame(DATA, END_STREAM, $stream, $body);
}

# Run the requests on one connection, at most $concurrency streams at a time.
sub run {
    my ($port, $concurrency, @requests) = @_;
    my $socket = AuthGuard::Client::open_socket($port, $requests[0]{from});
    my $self = { socket => $socket, in => '', next => 0, open => {},
        answers => [], deadline => time + PATIENCE_SECONDS };

    $self->{out} = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
      . frame(SETTINGS, 0, 0,
        pack('nNnNnN', 1, 0, 2, 0, 4, WINDOW_BYTES))
      . frame(WINDOW_UPDATE, 0, 0, pack 'N', WINDOW_BYTES);
    while (@requests > $self->{next} || %{ $self->{open} }) {
        while ($self->{next} < @requests
            && keys %{ $self->{open} } < $concurrency)
        {
            my $index = $self->{next}++;
            my $stream = 2 * $index + 1;
            $self->{open}{$stream} = AuthGuard::Response->new(index => $index);
            $self->{out} .= request_frames($stream, $requests[$index]);
        }
        exchange($self) or last;
    }
    for my $answer (values %{ $self->{open} }) {
        $answer->{error} = 'the connection ended';
        $self->{answers}[$answer->{index}] = $answer;
    }
    return map { $_ || AuthGuard::Response->new(error => 'never sent') }
      @{ $self->{answers} }[0 .. $#requests];
}

# Write and read what can be; 0 when the connection is over.
sub exchange {
    my ($self) = @_;
    my ($read, $write) = ('', '');

    vec($read, fileno $self->{socket}, 1) = 1;
    vec($write, fileno $self->{socket}, 1) = 1 if length $self->{out};
    select($read, $write, undef, 1);
    return 0 if time > $self->{deadline};
    if (vec $write, fileno $self->{socket}, 1) {
        my $sent = syswrite $self->{socket}, $self->{out};
        substr($self->{out}, 0, $sent) = '' if $sent;
    }
    if (vec $read, fileno $self->{socket}, 1) {
        my $got = sysread $self->{socket}, $self->{in}, 65536,
          length $self->{in};
        return 0 unless $got;
    }
    while (length $self->{in} >= 9) {
        my ($high, $low, $type, $flags, $stream) =
          unpack 'CnCCN', $self->{in};
        my $length = $high << 16 | $low;
        last if length $self->{in} < 9 + $length;
        my $payload = substr $self->{in}, 9, $length;
        substr($self->{in}, 0, 9 + $length) = '';
        handle($self, $type, $flags, $stream & 0x7fffffff, $payload);
    }
    return 1;
}

sub unpad {
    my ($type, $flags, $payload) = @_;
    my $pad = $flags & PADDED ? ord substr $payload, 0, 1, '' : 0;

    substr($payload, 0, 5) = '' if $type == HEADERS && $flags & PRIORITY;
    return $pad ? substr($payload, 0, -$pad) : $payload;
}

sub handle {
    my ($self, $type, $flags, $stream, $payload) = @_;
    my $answer = $self->{open}{$stream};

    if ($type == SETTINGS) {
        $self->{out} .= frame(SETTINGS, ACK, 0, '') unless $flags & ACK;
    } elsif ($type == PING) {
        $self->{out} .= frame(PING, ACK, 0, $payload) unless $flags & ACK;
    } elsif (!$answer) {
        return;
    } elsif ($type == RST_STREAM) {
        $answer->{error} = 'reset: ' . unpack 'N', $payload;
        close_stream($self, $stream);
    } elsif ($type == DATA) {
        $answer->{body} .= unpad($type, $flags, $payload);
        close_stream($self, $stream) if $flags & END_STREAM;
    } elsif ($type == HEADERS || $type == CONTINUATION) {
        $answer->{block} .= unpad($type, $flags, $payload);
        $answer->{is_last} = 1 if $type == HEADERS && $flags & END_STREAM;
        take_headers($self, $stream) if $flags & END_HEADERS;
    }
    return;
}

sub take_headers {
    my ($self, $stream) = @_;
    my $answer = $self->{open}{$stream};
    my @pairs = decode_fields(delete $answer->{block});

    $answer->{headers} = \@pairs;
    $answer->{status} = $answer->header(':status');
    close_stream($self, $stream) if $answer->{is_last};
    return;
}

sub close_stream {
    my ($self, $stream) = @_;
    my $answer = delete $self->{open}{$stream};

    $self->{answers}[$answer->{index}] = $answer;
    return;
}

1;
