# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Load: clients that go on asking while something happens to the
# server. Each is a process with an address of its own; it asks, waits for the
# answer, and asks again, over one connection for as long as the server keeps
# it.
#
#   my $load = AuthGuard::Load->start($t->port, { name => 'good',
#       from => '127.0.1.1', next => sub { my ($n) = @_; return {...} } });
#   ...
#   my @seen = $load->stop;    # what each request was answered
#
# A client is a hash:
#   name    what it goes by in the answers; several may share one
#   from    its address, where the request has none of its own
#   next    gives the n-th request (from 0), as AuthGuard::Client describes
#           one, and is told how the one before was answered
#   pause   seconds between two requests, 0.01 unless told
#   close   1: a connection for each request
# An answer is a hash: name, from, code ("200", "401.501"; 0 for none), error,
# began and ended.
#
# A connection that was kept may be closed by the server just when it is used
# again. So may any, says HTTP: a request that got not one byte of an answer
# over a used connection is sent again over a new one, as browsers do.
package AuthGuard::Load;

use strict;
use warnings;
use Errno ();
use Exporter qw(import);
use IO::Select ();
use IO::Socket::INET ();
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More ();
use Time::HiRes qw(sleep time);
use AuthGuard::Client ();
use AuthGuard::Response ();

our @EXPORT_OK = qw(by_name codes guesser);

use constant { PATIENCE_SECONDS => 30, STOP_SECONDS => 40 };

sub start {
    my ($class, $port, @clients) = @_;
    my $self = bless { clients => [] }, $class;

    for my $client (@clients) {
        pipe my $read, my $write or die "pipe: $!";
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        if (!$pid) {
            close $read;
            eval { work($port, $client, $write); 1 }
              or print STDERR "# a client died: $@";
            POSIX::_exit(0);
        }
        close $write;
        push @{ $self->{clients} },
          { pid => $pid, said => '', read => $read, %$client };
    }
    return $self;
}

# The answers so far are taken in by the way, so that no pipe is full.
sub pass {
    my ($self, $seconds) = @_;
    my $until = time + $seconds;
    my $left = $seconds;

    do {
        my %open = map { fileno $_->{read} => $_ }
          grep { !$_->{over} } @{ $self->{clients} };
        my $select = IO::Select->new(map { $_->{read} } values %open);
        return sleep($left > 0 ? $left : 0) unless %open;
        for my $read ($select->can_read($left > 0 ? $left : 0)) {
            my $client = $open{ fileno $read };
            my $got = sysread $read, $client->{said}, 65536,
              length $client->{said};
            $client->{over} = 1 unless $got;
        }
        $left = $until - time;
    } while ($left > 0);
    return;
}

# Let each client end what it has begun. Returns all answers, by time.
sub stop {
    my ($self) = @_;
    my $deadline = time + STOP_SECONDS;
    my @seen;

    kill 'TERM', map { $_->{pid} } @{ $self->{clients} };
    $self->pass(0.02)
      while time < $deadline && grep { !$_->{over} } @{ $self->{clients} };
    for my $client (@{ $self->{clients} }) {
        kill 'KILL', $client->{pid} unless $client->{over};
        waitpid $client->{pid}, 0;
        push @seen, map { told($client, $_) } split /\n/, $client->{said};
    }
    $self->{clients} = [];
    return sort { $a->{began} <=> $b->{began} } @seen;
}

sub told {
    my ($client, $line) = @_;
    my %answer = (name => $client->{name});

    @answer{qw(code began ended from error)} = split /\t/, $line, -1;
    return \%answer;
}

# ---- in the client's process ----

sub work {
    my ($port, $client, $out) = @_;
    my $stopped = 0;
    my $pause = $client->{pause} // 0.01;
    my %link = (port => $port, from => $client->{from},
        close => $client->{close});

    $SIG{TERM} = sub { $stopped = 1 };
    $SIG{INT} = 'DEFAULT';
    $SIG{PIPE} = 'IGNORE';
    my $parent = getppid;
    my $code;
    for (my $n = 0; !$stopped && getppid == $parent; $n++) {
        my $request = $client->{next}->($n, $code);
        my $began = time;
        my $answer = ask(\%link, $request);
        $code = $answer->status ? $answer->code : 0;
        syswrite $out, join("\t", $code, $began, time, $link{from},
            $answer->error // '') . "\n";
        sleep $pause unless $stopped;
    }
    return;
}

# One request; over a new connection if the old one turns out to be closed.
sub ask {
    my ($link, $request) = @_;
    my @connection = (headers => [@{ $request->{headers} || [] },
            Connection => $link->{close} ? 'close' : 'keep-alive']);
    my $bytes = AuthGuard::Client::bytes_of({ %$request, @connection });
    my $from = $request->{from} || $link->{from};

    delete $link->{socket} if $from ne ($link->{from} // '');
    $link->{from} = $from;
    if ($link->{socket}) {
        my ($in, $error) = exchange($link->{socket}, $bytes, $request);
        return conclude($link, $request, $in, $error) if length $in;
        delete $link->{socket};
    }
    $link->{socket} = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $link->{port}, LocalAddr => $link->{from},
        Proto => 'tcp');
    return AuthGuard::Response->new(error => "connect: $!")
      unless $link->{socket};
    setsockopt $link->{socket}, IPPROTO_TCP, TCP_NODELAY, 1;
    return conclude($link, $request,
        exchange($link->{socket}, $bytes, $request));
}

# Send and read until the answer is whole, or nothing more comes. Returns the
# bytes read, and why there are no more.
sub exchange {
    my ($socket, $bytes, $request) = @_;
    my $select = IO::Select->new($socket);
    my $deadline = time + PATIENCE_SECONDS;
    my $in = '';

    syswrite $socket, $bytes or return ('', "write: $!");
    until (is_whole($in, $request)) {
        return ($in, 'no answer in time') if time > $deadline;
        next unless $select->can_read(1);
        my $got = sysread $socket, $in, 65536, length $in;
        next if !defined $got && $!{EINTR};
        return ($in, "read: $!") unless defined $got;
        return ($in, 'closed') unless $got;
    }
    return ($in, undef);
}

sub is_whole {
    my ($in, $request) = @_;

    return 0 unless $in =~ /\A(.*?\r\n\r\n)(.*)\z/s;
    my ($head, $body) = ($1, $2);
    return $body =~ /(?:\A|\r\n)0\r\n\r\n\z/
      if $head =~ /^Transfer-Encoding: chunked/mi;
    return 1 unless $head =~ /^Content-Length: (\d+)/mi;
    return length $body >= $1;
}

sub conclude {
    my ($link, $request, $in, $error) = @_;
    my $answer = AuthGuard::Response->parse($in, $request->{method});

    $answer->{status} = 0 if defined $error;
    $answer->{error} = $error;
    delete $link->{socket}
      if defined $error || $link->{close}
      || grep { lc $_ eq 'close' } $answer->header('connection');
    return $answer;
}

# ---- who comes ----

# A guesser's `next`: guesses that are all new, in one directory from one
# address, until that one is refused ($spent); then on to the next of @$visits,
# each a hash with path and from.
sub guesser {
    my ($visits, $member, $which, $step, $spent) = @_;

    $spent ||= qr/\A401\.501\z/;
    return sub {
        my ($n, $code) = @_;

        $which += $step
          if ($code // '') =~ $spent && $which + $step < @$visits;
        return { %{ $visits->[$which] }, user => 'alice',
            pass => "wrong $member.$n" };
    };
}

# ---- what was seen ----

# The codes that came, each once, in order.
sub codes { return join ' ', sort keys %{ { map { $_->{code} => 1 } @_ } } }

# The answers by the names of their clients, each a list; the test's output
# tells how many there were of each.
sub by_name {
    my (@seen) = @_;
    my %answers;

    push @{ $answers{ $_->{name} } }, $_ for @seen;
    for my $name (sort keys %answers) {
        my %count;

        $count{ $_->{code} || 'none' }++ for @{ $answers{$name} };
        Test::More::note("$name: ", join ' ',
            map { "$_=$count{$_}" } sort keys %count);
    }
    return %answers;
}

1;
