# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Counted: an httpd under callgrind that counts the instructions of a request.
#
# httpd -X under the MPM prefork: one thread does everything. N requests and
# then 2 N are counted, on a connection kept alive; the difference is N
# requests and nothing else. Owns how it is counted; knows nothing of what.
#
# System calls don't count, and under valgrind to read a clock is one.
package Counted;

use strict;
use warnings;
use File::Path qw(make_path);
use IO::Socket::INET ();
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);
use AuthGuard::Httpd ();
use AuthGuard::Modules ();
use AuthGuard::Response ();

our @ISA = qw(AuthGuard::Httpd);

use constant { PATIENCE_SECONDS => 60, WARM_UP => 20 };

# conf      as of AuthGuard::Httpd
# requests  N
sub new {
    my ($class, %arg) = @_;
    my $conf = load('mark') . load('bare') . ($arg{conf} // '')
      . "<Directory \"\@DOCS\@/mark\">\nSetHandler mark\n</Directory>\n";
    my $self = AuthGuard::Httpd::new($class, %arg, conf => $conf, guard => 0,
        mpm => 'prefork', options => ['-X'],
        start_seconds => PATIENCE_SECONDS,
        command => ['valgrind', '--tool=callgrind', '--instr-atstart=no',
            '-q', '--callgrind-out-file=@ROOT@/run/callgrind.out']);

    $self->dir('mark');
    return $self;
}

# A module of the bench's own: built, as a LoadModule line.
sub load {
    my ($name) = @_;
    my $top = AuthGuard::Modules::top();
    my $source = "$top/bench/mod_$name.c";
    my $target = "$top/build/bench/mod_$name.so";

    if (!AuthGuard::Modules::is_newer($target, $source)) {
        make_path("$top/build/bench");
        AuthGuard::Modules::compile($source, "$target.$$", '-O2');
        rename "$target.$$", $target or die "$target: $!";
    }
    return "LoadModule ${name}_module $target\n";
}

# No .htaccess is looked for, as where speed is wanted.
sub configuration {
    my ($self) = @_;

    return $self->SUPER::configuration =~
      s/^AllowOverride All$/AllowOverride None/mr;
}

# At the end callgrind writes as httpd's user what it made as root.
sub start {
    my ($self) = @_;

    $self->SUPER::start;
    chmod 0666, $self->root . '/run/callgrind.out';
    return $self;
}

# httpd has nothing left to do: it waits for what is on its way.
sub is_idle {
    my ($self) = @_;
    my $stat = AuthGuard::Httpd::slurp('/proc/' . $self->pid . '/stat');

    return $stat =~ /\) S/;
}

# One request after the other on one connection; returns the last answer. The
# next is sent when httpd waits for it: else how often httpd looks in vain
# would be a matter of luck.
#   from, pass  the address, and the password of alice
#   accept      a header's value
#   expect      the status that all shall have
sub ask {
    my ($self, $path, $count, %arg) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->port, LocalAddr => $arg{from} || '127.0.0.1')
      or die "connect: $@";
    my $request = "GET $path HTTP/1.1\r\nHost: localhost\r\n"
      . 'Authorization: Basic '
      . encode_base64('alice:' . ($arg{pass} // ''), '')
      . "\r\nUser-Agent: curl/7.88.1\r\n"
      . 'Accept: ' . ($arg{accept} || '*/*') . "\r\n\r\n";
    my $answer;

    for (1 .. $count) {
        my $deadline = time + PATIENCE_SECONDS;

        until ($self->is_idle) {
            die "httpd does not come to rest\n" if time > $deadline;
            sleep 0.0001;
        }
        syswrite $socket, $request;
        $answer = answer_on($socket);
        die "$path: " . $answer->status . "\n"
          if $answer->status != ($arg{expect} || 200);
    }
    return $answer;
}

sub answer_on {
    my ($socket) = @_;
    my ($bytes, $length) = ('', undef);

    local $SIG{ALRM} = sub { die "httpd does not answer\n" };
    alarm PATIENCE_SECONDS;
    until (defined $length && length $bytes >= $length) {
        sysread($socket, $bytes, 65536, length $bytes)
          or die "httpd closed the connection\n";
        $length = $+[0] + ($1 =~ /^content-length: (\d+)/mi)[0]
          if $bytes =~ /\A(.*?\r\n)\r\n/s;
    }
    alarm 0;
    return AuthGuard::Response->parse($bytes);
}

# Begin to count anew. Returns the file with what was counted before.
sub mark {
    my ($self) = @_;
    my $number = $self->{marks}++ || 0;

    $self->ask('/mark/index.html', 1);
    return $self->root . "/run/callgrind.out.$number";
}

sub total_of {
    my ($file) = @_;
    my ($total) =
      AuthGuard::Httpd::slurp($file) =~ /^(?:summary|totals): (\d+)/m;

    return $total // die "$file: no total\n";
}

# What one such request costs: each, the instructions, and what functions()
# takes. Arguments as ask().
sub count {
    my ($self, $path, %arg) = @_;
    my $n = $self->{requests};

    $self->ask($path, WARM_UP, %arg);
    $self->mark;
    $self->ask($path, $n, %arg);
    my $once = $self->mark;
    $self->ask($path, 2 * $n, %arg);
    my $twice = $self->mark;
    return { each => (total_of($twice) - total_of($once)) / $n,
        file => $twice, requests => 2 * $n };
}

# Where the instructions of one request go, among the functions of one module:
# [with all that it calls, its own, name], the greatest first.
sub functions {
    my ($counted, $module) = @_;
    my %of;

    for my $kind (qw(yes no)) {
        my $command = "callgrind_annotate --threshold=100 --inclusive=$kind";

        for (`$command '$counted->{file}'`) {
            my ($sum, $name) =
              /^\s*([\d,]+) \([^)]*\)\s+\S+?:(\S+) \[\S*\Q$module\E\]/ or next;
            $of{$name}{$kind} += $sum =~ tr/,//dr;
        }
    }
    return sort { $b->[0] <=> $a->[0] } map {
        my $sum = $of{$_};
        [(map { ($_ // 0) / $counted->{requests} } @$sum{qw(yes no)}), $_]
    } keys %of;
}

1;
