# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::FakeRedis: what a Redis should never be. It stands before a real
# one, on a unix socket and a port of its own, and does to what goes through
# as it is told, from one moment to the next. It ends with the test.
#
#   my $fake = AuthGuard::FakeRedis->new($redis);
#   $fake->does('pass');             # as if it were not there
#   $fake->does(delay => 30);        # each reply comes 30 ms late
#   $fake->does(drip => 15);         # a byte of the reply every 15 ms
#   $fake->does('silent');           # takes everything and says nothing
#   $fake->does(say => "\0\xff!");   # these bytes, whatever is asked
#   $fake->does(error => 'OOM ...'); # to the store's script, and +OK to others
#   $fake->does('deaf');             # passes, but nothing to who subscribed
#   $fake->does('shut');             # closes each connection at once
#   $fake->drop;                     # close those that there are
#
# Knows of the protocol as much as takes requests apart.
package AuthGuard::FakeRedis;

use strict;
use warnings;
use File::Temp ();
use IO::Select ();
use IO::Socket::INET ();
use IO::Socket::UNIX ();
use POSIX ();
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time);
use AuthGuard::Httpd ();

use constant { CHUNK_BYTES => 65536, IDLE_SECONDS => 1 };

my @running;
my $owner = $$;

sub new {
    my ($class, $redis) = @_;
    my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    my $self = bless { path => "$dir/socket", to => $redis->path,
        port => AuthGuard::Httpd::free_port() }, $class;

    chmod 0755, $dir;
    my @listen = (
        IO::Socket::UNIX->new(Type => SOCK_STREAM, Listen => 128,
            Local => $self->{path}) || die("$self->{path}: $!"),
        IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128,
            LocalPort => $self->{port}, ReuseAddr => 1) || die("TCP: $!"));
    chmod 0777, $self->{path};
    socketpair($self->{control}, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC)
      or die "socketpair: $!";
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';
        close $_->{control} for $self, @running;
        eval { serve({ to => $self->{to}, control => $theirs, does => 'pass',
                listen => \@listen, links => {}, seen => { map { $_ => 0 }
                    qw(connections requests bytes) } }); 1 }
          or print STDERR "# the false Redis: $@";
        POSIX::_exit(0);
    }
    push @running, $self;
    return $self;
}

sub url     { return "unix:$_[0]{path}" }
sub url_tcp { return "redis://127.0.0.1:$_[0]{port}" }

# From now on; in force when this returns.
sub does { my ($self, @words) = @_; return $self->tell('does', @words) }

sub drop { return $_[0]->tell('drop') }

# What came so far: connections; requests, a run of bytes each; bytes.
sub seen {
    my ($self) = @_;
    my %seen;

    @seen{qw(connections requests bytes)} = split ' ', $self->tell('seen');
    return \%seen;
}

sub tell {
    my ($self, @words) = @_;
    my $said = '';

    syswrite $self->{control}, join(' ', map { unpack 'H*', $_ } @words) . "\n";
    until ($said =~ /\n/) {
        IO::Select->new($self->{control})->can_read(20)
          && sysread $self->{control}, $said, 100, length $said
          or die 'the false Redis is gone';
    }
    return $said;
}

# ---- in its own process ----

sub serve {
    my ($self) = @_;
    my $controlled = '';

    while (1) {
        my %link = map { fileno $_->{client} => $_,
              ($_->{server} ? (fileno $_->{server} => $_) : ()) }
          values %{ $self->{links} };
        my $select = IO::Select->new(@{ $self->{listen} }, $self->{control},
            map { $_->{client}, $_->{server} // () } values %{ $self->{links} });
        my @ready = $select->can_read(deliver($self));

        for my $socket (@ready) {
            next unless defined fileno $socket;    # hung up meanwhile
            if ($socket == $self->{control}) {
                sysread $socket, $controlled, 10_000, length $controlled
                  or return;
                obey($self, $1) while $controlled =~ s/\A(.*)\n//;
            } elsif (grep { $_ == $socket } @{ $self->{listen} }) {
                take($self, $socket);
            } else {
                pass_on($self, $link{ fileno $socket }, $socket);
            }
        }
    }
    return;
}

sub obey {
    my ($self, $line) = @_;
    my ($what, @words) = map { pack 'H*', $_ } split / /, $line;
    my $answer = 'ok';

    if ($what eq 'does') {
        @$self{qw(does with)} = @words;
    } elsif ($what eq 'drop') {
        hang_up($self, $_) for values %{ $self->{links} };
    } else {
        $answer = join ' ', @{ $self->{seen} }{qw(connections requests bytes)};
    }
    syswrite $self->{control}, "$answer\n";
    return;
}

sub take {
    my ($self, $listener) = @_;
    my $client = $listener->accept or return;

    $self->{seen}{connections}++;
    setsockopt $client, IPPROTO_TCP, TCP_NODELAY, 1
      if $client->isa('IO::Socket::INET');
    return close $client if $self->{does} eq 'shut';
    my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM,
        Peer => $self->{to});
    return close $client if !$server && $self->{does} =~ /pass|delay|drip|deaf/;
    my $link = { client => $client, server => $server, out => [], asked => '' };
    $self->{links}{$link} = $link;
    return;
}

sub hang_up {
    my ($self, $link) = @_;

    delete $self->{links}{$link} or return;
    close $_ for grep { $_ } @$link{qw(client server)};
    return;
}

# Bytes have come, from whoever it is.
sub pass_on {
    my ($self, $link, $socket) = @_;
    my $does = $self->{does};

    return unless $link && $self->{links}{$link};
    my $got = sysread $socket, my $bytes, CHUNK_BYTES;
    return hang_up($self, $link) if !$got || $does eq 'shut';
    if ($link->{server} && $socket == $link->{server}) {
        return put_off($self, $link, $bytes);
    }
    $self->{seen}{requests}++;
    $self->{seen}{bytes} += $got;
    $link->{subscribed} ||= $bytes =~ /\bsubscribe\b/i;
    if ($does eq 'say') {
        syswrite $link->{client}, $self->{with};
    } elsif ($does eq 'error') {
        syswrite $link->{client}, complain($self, $link, $bytes);
    } elsif ($does ne 'silent') {
        return hang_up($self, $link) unless $link->{server};
        syswrite $link->{server}, $bytes;
    }
    return;
}

# A reply, to be sent when it is time.
sub put_off {
    my ($self, $link, $bytes) = @_;
    my $step = ($self->{with} || 0) / 1000;
    my $now = time;

    if ($self->{does} eq 'drip') {
        my $last = @{ $link->{out} } ? $link->{out}[-1][0] : $now;
        push @{ $link->{out} }, map { [$last += $step, $_] } split //, $bytes;
    } elsif ($self->{does} =~ /\A(?:pass|delay)\z/
        || $self->{does} eq 'deaf' && !$link->{subscribed})
    {
        push @{ $link->{out} },
          [$now + ($self->{does} eq 'delay' ? $step : 0), $bytes];
    }
    return;
}

# Send what is due. Returns the seconds until there is more to send.
sub deliver {
    my ($self) = @_;
    my $soon = IDLE_SECONDS;

    for my $link (values %{ $self->{links} }) {
        my $out = $link->{out};
        syswrite $link->{client}, (shift @$out)->[1]
          while @$out && $out->[0][0] <= time;
        my $left = @$out ? $out->[0][0] - time : $soon;
        $soon = $left < 0 ? 0 : $left if $left < $soon;
    }
    return $soon;
}

# One reply for each request that is whole.
sub complain {
    my ($self, $link, $bytes) = @_;
    my $said = '';

    $link->{asked} .= $bytes;
    while (my @words = request(\$link->{asked})) {
        $said .= $words[0] =~ /\Aeval(?:sha)?\z/i ? "-$self->{with}\r\n"
          : $words[0] =~ /\Asubscribe\z/i
          ? "*3\r\n\$9\r\nsubscribe\r\n\$" . length($words[1])
          . "\r\n$words[1]\r\n:1\r\n"
          : "+OK\r\n";
    }
    return $said;
}

# The words of the first request, taken off; none if it is not whole.
sub request {
    my ($bytes) = @_;
    my ($count, $at) = $$bytes =~ /\A\*(\d+)\r\n/ ? ($1, $+[0]) : return;
    my @words;

    while (@words < $count) {
        substr($$bytes, $at) =~ /\A\$(\d+)\r\n/ or return;
        $at += $+[0];
        return if length $$bytes < $at + $1 + 2;
        push @words, substr $$bytes, $at, $1;
        $at += $1 + 2;
    }
    substr($$bytes, 0, $at) = '';
    return @words;
}

END {
    my $status = $?;

    for my $self ($$ == $owner ? @running : ()) {
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }
    $? = $status;
}

1;
