# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Fleet: several httpds behind one name, which share a Redis.
#
#   my $fleet = AuthGuard::Fleet->new($redis, servers => 3,
#       urls => [$redis->url], options => ['timeout=2s'], conf => '...');
#   $fleet->each(sub { $_[0]->dir('a') });
#   $fleet->start;
#   my @answers = $fleet->many(64, @requests);    # dealt out in turn
#   is($fleet->server(1)->guess(...), '401.501');
#   $fleet->done;
#
# Each has a page of status at /act, where alice may unlock.
package AuthGuard::Fleet;

use strict;
use warnings;
use POSIX ();
use Storable qw(fd_retrieve store_fd);
use AuthGuard::Httpd ();
use AuthGuard::Test ();

# redis    the AuthGuard::Redis behind them
# servers  how many
# urls     where they find it, in turn
# options  of AuthGuardStore
# conf     as AuthGuard::Httpd's, and so are all others
sub new {
    my ($class, $redis, %arg) = @_;
    my ($servers, $urls, $options) =
      map { delete $arg{$_} } qw(servers urls options);
    my @urls = @{ $urls || [$redis->url] };

    $arg{conf} = "<Location \"/act\">\nSetHandler auth-guard-status\n"
      . "AuthGuardStatus Actions\n" . AuthGuard::Test::basic()
      . "</Location>\n" . ($arg{conf} // '');
    my @servers = map { AuthGuard::Httpd->new(%arg,
            $redis->store($urls[$_ % @urls], @{ $options || [] })) }
      0 .. ($servers || 3) - 1;
    return bless { servers => \@servers }, $class;
}

sub server { return $_[0]{servers}[$_[1]] }

# What is done to each; returns what that returned.
sub each {
    my ($self, $do) = @_;

    return map { $do->($_) } @{ $self->{servers} };
}

sub start { my ($self) = @_; $self->each(sub { $_[0]->start }); return $self }
sub done  { my ($self) = @_; $self->each(sub { $_[0]->done }); return }

# Wrong passwords that were verified so far, by all.
sub verified {
    my ($self) = @_;
    my $sum = 0;

    $sum += $_ for $self->each(sub { $_[0]->verified });
    return $sum;
}

# The lines of all error logs that are like that.
sub log_lines {
    my ($self, $pattern) = @_;

    return $self->each(sub { $_[0]->log_lines($pattern) });
}

# The requests, dealt out to the servers in turn, and at most $concurrency at a
# time in all. Returns the answers in the order of the requests.
sub many {
    my ($self, $concurrency, @requests) = @_;
    my @servers = @{ $self->{servers} };
    my (@answers, @from);

    for my $i (0 .. $#servers) {
        my @mine = grep { $_ % @servers == $i } 0 .. $#requests;
        my $share = int(($concurrency + $i) / @servers) || 1;

        pipe my $in, my $out or die "pipe: $!";
        my $pid = fork // die "fork: $!";
        if (!$pid) {
            $SIG{INT} = $SIG{TERM} = 'DEFAULT';
            close $in;
            store_fd([$servers[$i]->many($share, @requests[@mine])], $out);
            close $out;
            POSIX::_exit(0);
        }
        close $out;
        push @from, [$pid, $in, @mine];
    }
    for my $one (@from) {
        my ($pid, $in, @mine) = @$one;

        @answers[@mine] = @{ fd_retrieve($in) };
        waitpid $pid, 0;
    }
    return @answers;
}

# End the lockouts of an address, on the status page of one of the servers.
sub unlock {
    my ($self, $which, $address) = @_;
    my $t = $self->server($which);
    my $path = "/act?client=$address";
    my $host = 'localhost:' . $t->port;
    my @alice = (user => 'alice', pass => 'right');
    my ($token) = $t->get($path, @alice)->body =~
      /name="token" value="([0-9a-f]{16})"/;

    return $t->get($path, @alice, method => 'POST',
        body => 'token=' . ($token // '') . '&unlock=all',
        headers => [Host => $host, Origin => "http://$host",
            'Content-Type' => 'application/x-www-form-urlencoded'])->status;
}

1;
