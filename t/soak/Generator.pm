# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Generator: plays the lives of Actors against a server, and writes down what
# was asked and what came back.
#
# Owns the connections, the processes that speak HTTP/2, and the book: one line
# for each request, by its serial number, which goes along in the header
# X-Soak. Knows nothing of what the guard should answer.
package Generator;

use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);
use Actors ();
use AuthGuard::Client ();
use AuthGuard::H2 ();
use AuthGuard::Response ();

use constant {
    THINK_SECONDS    => 0.12,    # between steps, on average
    PATIENCE_SECONDS => 40,
    DRAIN_SECONDS    => 60,
    CHUNK_BYTES      => 65536,
};

# port     of the server
# unlock   called with an address
sub new {
    my ($class, %arg) = @_;

    return bless { %arg, book => [], answer => [], unlocks => [],
        actors => [], line => {}, lost => 0 }, $class;
}

# Who plays from now on: [name, number, life], ...
sub cast {
    my ($self, @kinds) = @_;

    $self->{actors} = [];
    for my $kind (@kinds) {
        my ($name, $number, $life) = @$kind;
        push @{ $self->{actors} }, map { { name => $name, life => $life,
                index => $_, steps => [], due => time + rand 0.5, open => 0 } }
          0 .. $number - 1;
    }
    return;
}

# Play for that long, and call $tick now and then.
sub play {
    my ($self, $seconds, $tick) = @_;
    my $end = time + $seconds;

    while (time < $end) {
        begin_due($self, $_) for @{ $self->{actors} };
        turn($self);
        $tick->();
    }
    return;
}

# Begin nothing more, and wait for the end of what is under way. Returns
# whether it came.
sub drain {
    my ($self, $tick) = @_;
    my $end = time + DRAIN_SECONDS;

    while (%{ $self->{line} } && time < $end) {
        turn($self);
        $tick->();
    }
    return !%{ $self->{line} };
}

sub count { return scalar @{ $_[0]{book} } }

# A request as it was entered.
sub entry {
    my ($self, $serial) = @_;
    my %entry;

    @entry{qw(name group step path from user pass sacred)} =
      split /\t/, $self->{book}[$serial], -1;
    $entry{guess} = $entry{user} ne '' ? "$entry{user}:$entry{pass}" : '';
    return \%entry;
}

sub enter {
    my ($self, $actor, $step, $request) = @_;
    my $group = $step->{group} || $request->{from};

    push @{ $self->{book} }, join "\t", $actor->{name}, $group,
      $actor->{step}, @$request{qw(path from)}, $request->{user} // '',
      $request->{pass} // '', $step->{sacred} || 0;
    return $#{ $self->{book} };
}

sub begin_due {
    my ($self, $actor) = @_;

    return if $actor->{open} || time < $actor->{due};
    if (!@{ $actor->{steps} }) {
        $actor->{steps} = [$actor->{life}->($actor->{index})];
        $actor->{left} = 0;
        $actor->{due} = time + pause($actor->{steps}[0]);
        return;
    }
    my $step = shift @{ $actor->{steps} };

    # What was left behind may still be at work: it belongs to the next step.
    $actor->{step} = ++$self->{steps} unless $actor->{left};
    $actor->{left} = $step->{leave} ? 1 : 0;
    if ($step->{unlock}) {
        $self->{unlock}->($step->{unlock});
        push @{ $self->{unlocks} }, [$actor->{step}, $step->{unlock}];
    }
    begin($self, $actor, $step);
    return;
}

sub pause {
    my ($step) = @_;

    return ($step->{pause} || 0) + rand 2 * THINK_SECONDS;
}

sub begin {
    my ($self, $actor, $step) = @_;
    my @asked = map { [enter($self, $actor, $step, $_), $_] }
      @{ $step->{ask} };

    $actor->{open} = @asked;
    if ($step->{h2}) {
        open_streams($self, $actor, $step, @asked);
    } elsif ($step->{alive}) {
        open_line($self, $actor, $step, @asked);
    } else {
        open_line($self, $actor, $step, $_) for @asked;
    }
    return;
}

sub end_request {
    my ($self, $actor, $serial, $code) = @_;

    $self->{answer}[$serial] = $code;
    return if --$actor->{open};
    $actor->{due} = time
      + (@{ $actor->{steps} } ? pause($actor->{steps}[0]) : rand 0.5);
    return;
}

# A connection, and the requests that go over it.
sub open_line {
    my ($self, $actor, $step, @asked) = @_;
    my $socket = AuthGuard::Client::open_socket($self->{port},
        $asked[0][1]{from});
    my $line = { socket => $socket, actor => $actor, step => $step,
        queue => [@asked], out => '', in => '' };

    $line->{leave} = time + $step->{leave} if $step->{leave};
    $self->{line}{ fileno $socket } = $line;
    next_request($line);
    return;
}

sub next_request {
    my ($line) = @_;
    my ($serial, $request) = @{ shift @{ $line->{queue} } };
    my $alive = $line->{step}{alive} ? 'keep-alive' : 'close';
    my @mark = $line->{step}{half} ? () : ('X-Soak' => $serial);
    my $bytes = AuthGuard::Client::bytes_of(
        { %$request, headers => [Connection => $alive, @mark] });

    $bytes = substr $bytes, 0, int rand length($bytes) - 4
      if $line->{step}{half};
    $line->{serial} = $serial;
    $line->{out} = $bytes;
    $line->{in} = '';
    $line->{until} = time + PATIENCE_SECONDS;
    return;
}

# One look at every connection.
sub turn {
    my ($self) = @_;
    my ($read, $write) = ('', '');

    for my $fd (keys %{ $self->{line} }) {
        vec($read, $fd, 1) = 1;
        vec($write, $fd, 1) = 1 if length $self->{line}{$fd}{out};
    }
    return if select($read, $write, undef, 0.01) < 0;
    for my $fd (keys %{ $self->{line} }) {
        my $line = $self->{line}{$fd};
        write_some($line) if length $line->{out} && vec $write, $fd, 1;
        read_some($self, $line) if vec $read, $fd, 1;
    }
    my $now = time;
    for my $line (values %{ $self->{line} }) {
        leave($self, $line) if $line->{leave} && $line->{leave} < $now;
        give_up($self, $line) if $line->{until} < $now;
    }
    return;
}

sub write_some {
    my ($line) = @_;
    my $sent = syswrite $line->{socket}, $line->{out};

    if (defined $sent) {
        substr($line->{out}, 0, $sent) = '';
    } elsif ($! != EAGAIN && $! != EINTR) {
        $line->{out} = '';    # the reading end will tell
    }
    return;
}

sub read_some {
    my ($self, $line) = @_;
    my $got = sysread $line->{socket}, $line->{in}, CHUNK_BYTES,
      length $line->{in};

    return if !defined $got && ($! == EAGAIN || $! == EINTR);
    if ($line->{process}) {
        end_streams($self, $line) unless $got;
        return;
    }
    if ($got ? is_whole($line->{in}) : 1) {
        end_answer($self, $line, $got);
    }
    return;
}

# Whether the bytes are an answer to its end, by its own length.
sub is_whole {
    my ($bytes) = @_;

    return 0 unless $bytes =~ /\A(.*?\r\n\r\n)/s;
    my ($head, $body) = ($1, substr $bytes, length $1);
    return length $body >= $1 if $head =~ /^Content-Length: *(\d+)/im;
    return $body =~ /(?:\A|\r\n)0\r\n\r\n\z/
      if $head =~ /^Transfer-Encoding: *chunked/im;
    return 0;
}

sub end_answer {
    my ($self, $line, $is_open) = @_;
    my $answer = AuthGuard::Response->parse($line->{in}, 'GET');
    my $closes = !$is_open
      || lc($answer->header('connection') // '') eq 'close';
    my $code = $answer->status ? $answer->code : 'cut';

    end_request($self, $line->{actor}, $line->{serial}, $code);
    if (!$closes && @{ $line->{queue} }) {
        next_request($line);
        return;
    }
    drop($self, $line);
    open_line($self, $line->{actor}, $line->{step}, @{ $line->{queue} })
      if @{ $line->{queue} };
    return;
}

sub drop {
    my ($self, $line) = @_;

    delete $self->{line}{ fileno $line->{socket} };
    close $line->{socket};
    return;
}

# The client has had enough.
sub leave {
    my ($self, $line) = @_;

    if ($line->{process}) {
        kill 'KILL', $line->{process};
        delete $line->{leave};
        $line->{left} = 1;
        return;
    }
    setsockopt($line->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0)
      if $line->{step}{reset};
    end_request($self, $line->{actor}, $line->{serial}, 'left');
    drop($self, $line);
    return;
}

sub give_up {
    my ($self, $line) = @_;

    $self->{lost}++;
    leave($self, $line);
    end_streams($self, $line) if $line->{process};
    return;
}

# One HTTP/2 connection, by a process of its own that tells "index code".
sub open_streams {
    my ($self, $actor, $step, @asked) = @_;

    pipe(my $in, my $out) or die "pipe: $!";
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) {
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';
        close_all_but(fileno $out);
        my @codes = eval { speak_h2($self->{port}, $step->{h2}, @asked) };
        syswrite $out, join '', map { "$_ $codes[$_]\n" } 0 .. $#codes;
        POSIX::_exit(0);
    }
    close $out;
    $self->{line}{ fileno $in } = { socket => $in, process => $pid,
        actor => $actor, step => $step, in => '', out => '',
        serials => [map { $_->[0] } @asked],
        leave => $step->{leave} && time + $step->{leave},
        until => time + PATIENCE_SECONDS };
    return;
}

# Else other clients' connections would stay open as long as this process.
sub close_all_but {
    my ($kept) = @_;

    opendir(my $dir, '/proc/self/fd') or return;
    my @open = grep { /\A\d+\z/ && $_ > 2 && $_ != $kept } readdir $dir;
    POSIX::close($_) for @open;
    return;
}

sub speak_h2 {
    my ($port, $streams, @asked) = @_;
    my @requests = map { { %{ $_->[1] }, headers => ['x-soak' => $_->[0]] } }
      @asked;

    return map { $_->status && !$_->error ? $_->code : 'cut' }
      AuthGuard::H2::run($port, $streams, @requests);
}

sub end_streams {
    my ($self, $line) = @_;
    my %code = map { split ' ', $_, 2 } split /\n/, $line->{in};
    my @serials = @{ $line->{serials} };

    waitpid($line->{process}, 0);
    drop($self, $line);
    end_request($self, $line->{actor}, $serials[$_],
        $code{$_} // ($line->{left} ? 'left' : 'cut')) for 0 .. $#serials;
    return;
}

# How many answers of each code, from a serial number on.
sub tally {
    my ($self, $first) = @_;
    my %count;

    $count{ $_ // 'open' }++
      for @{ $self->{answer} }[$first // 0 .. $#{ $self->{book} }];
    return \%count;
}

1;
