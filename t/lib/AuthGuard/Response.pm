# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Response: one answer, taken apart.
package AuthGuard::Response;

use strict;
use warnings;

sub new {
    my ($class, %arg) = @_;

    return bless {
        status => 0, headers => [], body => '', raw => '', rest => '', %arg
    }, $class;
}

# The first final answer in the bytes; what follows it is in rest. Without
# an answer the status is 0.
sub parse {
    my ($class, $bytes, $method) = @_;
    my $raw = $bytes;

    $bytes =~ s/\A(?:HTTP\/1\.1 1\d\d .*?\r\n\r\n)+//s;
    return $class->new(raw => $raw)
      unless $bytes =~ s/\A(HTTP\/1\.[01] \d{3}.*?)\r\n\r\n//s;
    my ($first, @head) = split /\r\n/, $1;
    my ($status, $reason) = $first =~ /\S+ (\d+) ?(.*)/;
    my @pairs = map { /\A([^:]+):[ \t]*(.*)\z/s ? (lc $1, $2) : () } @head;
    my $self = $class->new(status => $status, reason => $reason,
        headers => \@pairs, raw => $raw);

    @$self{qw(body rest)} = $self->split_body($bytes, $method || 'GET');
    return $self;
}

sub split_body {
    my ($self, $bytes, $method) = @_;
    my $length = $self->header('content-length');

    return ('', $bytes)
      if $method eq 'HEAD' || $self->{status} =~ /\A(?:204|304)\z/;
    return unchunk($bytes)
      if lc($self->header('transfer-encoding') // '') eq 'chunked';
    return ($bytes, '') unless defined $length && length $bytes >= $length;
    return (substr($bytes, 0, $length), substr $bytes, $length);
}

sub unchunk {
    my ($bytes) = @_;
    my $body = '';

    while ($bytes =~ s/\A([0-9a-fA-F]+)[^\r\n]*\r\n//) {
        my $size = hex $1;
        $body .= substr $bytes, 0, $size;
        substr($bytes, 0, $size + 2) = '';
        last unless $size;
    }
    return ($body, $bytes);
}

sub status { return $_[0]{status} }
sub body   { return $_[0]{body} }
sub error  { return $_[0]{error} }

# Every value of a header, or the first.
sub header {
    my ($self, $name) = @_;
    my @pairs = @{ $self->{headers} };
    my @values;

    while (my ($key, $value) = splice @pairs, 0, 2) {
        push @values, $value if $key eq lc $name;
    }
    return wantarray ? @values : $values[0];
}

# The status with its substatus as the body tells it ("401.501"), or the
# plain status where it tells none.
sub code {
    my ($self) = @_;

    return $self->{body} =~ /(?<![\d.])($self->{status}\.\d{1,3})(?![\d.])/
      ? $1
      : $self->{status};
}

# Everything a client could compare, but for what may change by the second:
# Date, Retry-After, and in the body times and numbers of seconds or minutes.
sub fingerprint {
    my ($self) = @_;
    my @pairs = @{ $self->{headers} };
    my $text = "$self->{status}\n";
    my $body = $self->{body};

    while (my ($key, $value) = splice @pairs, 0, 2) {
        $value = '...' if $key eq 'date' || $key eq 'retry-after';
        $text .= "$key: $value\n";
    }
    $body =~ s/\d+(?= (?:second|minute|hour))/N/g;
    $body =~ s/(?<=retry_after":)\s*\d+/N/g;
    $body =~ s/\d{1,2}:\d\d(?::\d\d)?/T/g;
    return "$text\n$body";
}

1;
