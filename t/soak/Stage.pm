# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Stage: the soaked server, and everything that can be read of it.
package Stage;

use strict;
use warnings;
use JSON::PP ();
use Time::HiRes qw(sleep time);
use Actors ();
use AuthGuard::Modules ();
use AuthGuard::Test;
use AuthGuard::Tool ();

use constant { CHECKS => 16, SETTLE_SECONDS => 15, THREADS => 50 };

my $users = 'AuthnSlowUser ' . join ' ',
  map { "$_:" . Actors::password_of($_) } qw(alice bob carol);

# Limits outlast any soak.
my $long = '1d lockout=1d max=1d';

sub lines {
    my ($delay, @more) = @_;
    my @count = grep({ /^AuthnSlowCount/ } @more)
      ? () : 'AuthnSlowCount @ROOT@/run/count';
    my @face = grep({ /^AuthBasicProvider/ } @more)
      ? () : ('AuthBasicProvider slow', 'AuthGuard On');

    return (@face, $users, 'AuthnSlowBroken broken', "AuthnSlowDelay $delay",
        @count, @more);
}

sub sections {
    my $ip = 'AuthGuardLimit ip ' . Actors::LIMIT . "/$long";
    my @provider = ('AuthBasicProvider guard', 'AuthGuardProvider slow');
    my %dir = (
        a => [0, $ip],
        p => [0, $ip, @provider],
        slow => [60, $ip],
        crowd => [400, $ip],
        only => [0, $ip, 'Require user alice'],
        login => [0, 'AuthGuardScope logins', "AuthGuardLimit ip 5/$long",
            "AuthGuardLimit login 3/$long"],
        net => [0, 'AuthGuardScope nets', 'AuthGuardLimit ip none',
            "AuthGuardLimit net 5/$long"],
        map { ("room$_" => [250, $ip, "AuthnSlowCount \@ROOT\@/run/room$_"]) }
          0 .. Actors::ROOMS - 1,
    );

    return map { guarded($_, lines(@{ $dir{$_} })) } sort keys %dir;
}

# Children that live until we end them, and room for those of the generation
# before.
sub workers {
    my ($mpm) = @_;

    return "StartServers 60\nServerLimit 200\nMaxRequestWorkers 60\n"
      . "MinSpareServers 20\nMaxSpareServers 60\n"
      if $mpm eq 'prefork';
    return "StartServers 2\nServerLimit 16\n"
      . "ThreadsPerChild @{[THREADS]}\nMaxRequestWorkers @{[2 * THREADS]}\n"
      . "MinSpareThreads 1\nMaxSpareThreads @{[2 * THREADS]}\n";
}

sub new {
    my ($class, $mpm) = @_;
    my $has_h2 = $mpm ne 'prefork';    # mod_http2 does not work there
    my $httpd = AuthGuard::Httpd->new(mpm => $mpm,
        modules => ['authn_slow', $has_h2 ? 'http2' : ()],
        conf => ($has_h2 ? "Protocols h2c http/1.1\n" : '') . workers($mpm)
          . "KeepAliveTimeout 2\nMaxMemFree 256\nTimeout 20\n"
          . "AuthGuardChecks @{[CHECKS]} wait=1s\n"
          . "AuthGuardExempt 127.9.0.0/16\n"
          . 'LogFormat "%{X-Soak}i %>s %{state}^ag %{substatus}^ag '
          . '%{scope}^ag %a" soak' . "\n"
          . "CustomLog \@ROOT\@/logs/soak.log soak\n" . join '', sections());
    my $self = bless { httpd => $httpd, has_h2 => $has_h2 }, $class;

    $httpd->dir($_) for qw(a p slow crowd only login net),
      map { "room$_" } 0 .. Actors::ROOMS - 1;
    $httpd->dir('tenant', AuthGuard::Test::basic(lines(0,
        'AuthGuardLimit ip ' . Actors::LIMIT . "/$long")));
    for my $file ('count', map { "room$_" } 0 .. Actors::ROOMS - 1) {
        chmod 0666, $httpd->file("run/$file", '');
    }
    $httpd->expect_lockout;
    $httpd->expect_log(qr/AH01631: user bob: authorization failure/);
    $httpd->expect_log($_, optional => 1)
      for qr/MaxRequestWorkers|scoreboard is full/,
      qr/AH0004[56]: child process \d+ still did not exit/;
    $self->{htguard} = AuthGuard::Modules::guard_path();
    $self->{htguard} =~ s{[^/]+\z}{htguard};
    die "$self->{htguard} is missing: run make\n" unless -x $self->{htguard};
    $httpd->start;
    return $self;
}

sub httpd  { return $_[0]{httpd} }
sub has_h2 { return $_[0]{has_h2} }

# Run htguard. Returns what it printed; dies where it failed.
sub ask {
    my ($self, @arguments) = @_;
    my @line = ($self->{htguard}, '-f',
        $self->{httpd}->root . '/run/authguard.shm', @arguments);

    open(my $in, '-|', @line) or die "htguard: $!\n";
    my $said = do { local $/; <$in> };
    close $in or die "htguard @arguments: exit status " . ($? >> 8) . "\n";
    return $said;
}

sub stats { return JSON::PP::decode_json($_[0]->ask('stats', '--json')) }

sub clients {
    my ($self) = @_;

    return @{ JSON::PP::decode_json($self->ask('list', '--json'))->{clients} };
}

# What is wrong with the table, or with the places of AuthGuardChecks, of a
# server at rest; '' if nothing.
sub fault {
    my ($self) = @_;
    my $seen =
      AuthGuard::Tool::look($self->{httpd}->root . '/run/authguard.shm');
    my $all = join '/', CHECKS, CHECKS;

    return $seen->{fault} if $seen->{fault} ne 'sound';
    return $seen->{checks} eq $all ? '' : "checks free: $seen->{checks}";
}

# Passwords that were really looked at, in a room or everywhere else.
sub verified {
    my ($self, $room) = @_;
    my $file = defined $room ? "room$room" : 'count';

    return -s $self->{httpd}->root . "/run/$file";
}

# An address for each wrong password that httpd has told of.
sub wrong_by_address {
    my ($self) = @_;

    return map { /\[client ([\d.]+):\d+\] AH0161[78]:/ ? $1 : () }
      $self->{httpd}->log_lines(qr/AH0161[78]:/);
}

# The soak's own log.
sub log_lines {
    my ($self) = @_;

    return split /\n/,
      AuthGuard::Httpd::slurp($self->{httpd}->root . '/logs/soak.log');
}

# Wait until nothing changes any more: counters, log, and no guess in flight.
# Where children were killed, their places stay taken.
sub settle {
    my ($self, $were_killed) = @_;
    my $deadline = time + SETTLE_SECONDS;
    my $before = '';

    while (time < $deadline) {
        my $size = -s $self->{httpd}->root . '/logs/soak.log';
        my $busy = !$were_killed && grep { $_->{in_flight} } $self->clients;
        my $now = "$size " . $self->ask('stats');
        return if $now eq $before && !$busy;
        $before = $now;
        sleep 0.3;
    }
    return;
}

# Begin a graceful restart without waiting for its end.
sub begin_graceful {
    my ($self) = @_;
    my $httpd = $self->{httpd};

    $self->{generation} //= $httpd->ready_count;
    kill 'USR1', $httpd->pid;
    $self->{generation}++;
    return;
}

sub is_ready {
    my ($self) = @_;

    return $self->{httpd}->ready_count >= ($self->{generation} // 1);
}

1;
