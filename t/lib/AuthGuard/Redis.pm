# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Redis: a redis-server of a test's own, on a unix socket and on a
# port of 127.0.0.1, that keeps nothing on disk and ends with the test. What
# several httpds share lies with it, in a directory that they may look into.
#
#   my $lack = AuthGuard::Redis::lacks();
#   plan skip_all => $lack if $lack;
#   my $redis = AuthGuard::Redis->new->start;
#   my $t = AuthGuard::Httpd->new($redis->store($redis->url, 'timeout=1s'),
#       conf => ...);
#
# The server is AUTHGUARD_REDIS, or else what t/lib/redis-server finds.
package AuthGuard::Redis;

use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp ();
use IO::Select ();
use IO::Socket::UNIX ();
use Socket qw(SOCK_STREAM);
use Time::HiRes qw(sleep time);
use AuthGuard::Daemon ();
use AuthGuard::Httpd ();
use AuthGuard::Modules ();

our @ISA = ('AuthGuard::Daemon');

use constant PATIENCE_SECONDS => 20;

sub program_path {
    my $which = AuthGuard::Modules::top() . '/t/lib/redis-server';

    return $ENV{AUTHGUARD_REDIS} if $ENV{AUTHGUARD_REDIS};
    chomp(my $found = `'$which' --which`);
    return $found;
}

# The store's module, built beside the guard's.
sub module_path {
    return dirname(abs_path(AuthGuard::Modules::guard_file()) // '')
      . '/mod_auth_guard_redis.so';
}

sub load_line { return 'LoadModule auth_guard_redis_module ' . module_path()
      . "\n" }

# Why a test that needs a Redis can't run here; undef if it can.
sub lacks {
    return 'no redis-server here' unless program_path();
    return 'mod_auth_guard_redis.so is not built: no hiredis here'
      unless -e module_path();
    return undef;
}

# conf  further lines of redis.conf
# tls   1: a port for TLS too, with certificates for 127.0.0.1
sub new {
    my ($class, %arg) = @_;
    my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);

    chmod 0755, $dir;
    return $class->SUPER::new(conf => '', %arg, root => "$dir/redis");
}

sub set_up {
    my ($self) = @_;
    my $root = $self->{root};
    my $tls = $self->{tls} ? $self->certificates : '';

    chmod 0755, $root;    # httpd's children are another user
    $self->file('redis.conf', <<"CONF");
port $self->{port}
bind 127.0.0.1
unixsocket $root/socket
unixsocketperm 777
daemonize no
save ""
appendonly no
dir $root
$tls$self->{conf}
CONF
    return;
}

# An authority of our own and what it says of 127.0.0.1; and another one, that
# nobody should believe.
sub certificates {
    my ($self) = @_;
    my $root = $self->{root};
    my $new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
      . ' -nodes -days 2 -keyout';

    $self->{tls_port} = AuthGuard::Httpd::free_port();
    for my $line ("$new ca.key -out ca.pem -subj /CN=authority",
        "$new other.key -out other.pem -subj /CN=other",
        'openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
          . ' -keyout tls.key -out tls.csr -subj /CN=redis',
        'printf subjectAltName=IP:127.0.0.1 >tls.ext',
        'openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -days 2'
          . ' -CAcreateserial -extfile tls.ext -out tls.pem')
    {
        system("cd '$root' && { $line; } >>openssl.log 2>&1") == 0
          or die "$line:\n" . AuthGuard::Httpd::slurp("$root/openssl.log");
    }
    return "tls-port $self->{tls_port}\ntls-cert-file $root/tls.pem\n"
      . "tls-key-file $root/tls.key\ntls-ca-cert-file $root/ca.pem\n"
      . "tls-auth-clients no\n";
}

sub command_line {
    my ($self, @line) = @_;

    return @line;
}

sub program {
    my ($self) = @_;

    return (program_path(), "$self->{root}/redis.conf");
}

sub start {
    my ($self) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    $self->SUPER::start;
    until (eval { $self->cli('PING') eq 'PONG' }) {
        die "it does not answer: $@" . $self->said if time > $deadline;
        sleep 0.01;
    }
    return $self;
}

# Kill -9.
sub crash {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;

    kill 'KILL', $pid;
    waitpid $pid, 0;
    return;
}

# How AuthGuardStore names it.
sub path    { return "$_[0]{root}/socket" }
sub url     { return 'unix:' . $_[0]->path }
sub url_tcp { return "redis://127.0.0.1:$_[0]{port}" }
sub url_tls { return "rediss://127.0.0.1:$_[0]{tls_port}" }

# What AuthGuard::Httpd->new needs for a store at that URL, with these options
# and a fallback of its own. Further lines of conf come after, by `conf`.
sub store {
    my ($self, $url, @options) = @_;
    my $line = join ' ', 'AuthGuardStore redis', $url, @options;

    return (store => "shm file=\@ROOT\@/run/authguard.shm\n"
          . load_line() . $line);
}

# One command on a connection of its own; its reply, an array as a reference.
# Dies of an error reply, and where none comes.
sub cli {
    my ($self, @words) = @_;
    my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM,
        Peer => $self->path) or die "no Redis: $!\n";
    my $in = '';

    print $socket join '', '*' . @words . "\r\n",
      map { '$' . length($_) . "\r\n$_\r\n" } @words;
    $socket->flush;
    return reply($socket, \$in);
}

sub line {
    my ($socket, $in) = @_;

    more($socket, $in) until $$in =~ s/\A(.*?)\r\n//s;
    return $1;
}

sub more {
    my ($socket, $in) = @_;

    IO::Select->new($socket)->can_read(PATIENCE_SECONDS)
      or die "Redis: no answer\n";
    sysread $socket, $$in, 65536, length $$in or die "Redis: closed\n";
    return;
}

sub reply {
    my ($socket, $in) = @_;
    my ($kind, $value) = line($socket, $in) =~ /\A(.)(.*)\z/s;

    die "Redis: $value\n" if $kind eq '-';
    return [map { reply($socket, $in) } 1 .. $value] if $kind eq '*';
    return $value unless $kind eq '$';
    return undef if $value < 0;
    more($socket, $in) while length $$in < $value + 2;
    my $text = substr $$in, 0, $value + 2, '';
    return substr $text, 0, $value;
}

# How often each command was called, by its name.
sub calls {
    my ($self) = @_;

    return { $self->cli('INFO', 'commandstats') =~
          /^cmdstat_(\S+?):calls=(\d+)/mg };
}

# How often the store's script was.
sub asked {
    my ($self) = @_;
    my $calls = $self->calls;

    return ($calls->{evalsha} || 0) + ($calls->{eval} || 0);
}

# The connections of others, each a hash of what CLIENT LIST tells.
sub connections {
    my ($self) = @_;

    return grep { $_->{cmd} !~ /\Aclient\b/ }
      map { +{ /(\S+?)=(\S*)/g } } split /\n/, $self->cli('CLIENT', 'LIST');
}

# The keys like that.
sub keys_of {
    my ($self, $pattern) = @_;

    return sort @{ $self->cli('KEYS', $pattern // '*') };
}

# Bytes of memory that the process has.
sub memory {
    my ($self) = @_;
    my ($kb) = AuthGuard::Httpd::slurp("/proc/$self->{pid}/status") =~
      /^VmRSS:\s+(\d+) kB/m;

    return $kb * 1024;
}

1;
