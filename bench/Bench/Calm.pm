# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Calm: what others notice of an attack: how long a user who has signed
# in waits for a page, and how long a page without a password takes, while a
# few hundred guesses a second come against bcrypt. From one address, and from
# two hundred that nobody has seen before; before each, the same without.
package Bench::Calm;

use strict;
use warnings;
use Time::HiRes qw(sleep time);
use Bench::Load qw(begin end_of);

use constant {
    GUESSES_A_SECOND => 300, ADDRESSES => 200,
    USER_A_SECOND => 4, STATIC_A_SECOND => 10,
    LATE_SECONDS => 2,    # who has waited so long is counted with that
};

# How many connections at once; and seconds until others are looked at: whoever
# counts an attacker's wrong passwords once they are looked at has so long to
# be through with the first of them.
my %clients = (one => 64, many => 400);
my %settle  = (one => 4, many => 0.5);

my %alice = (user => 'alice', path => '/slow/page.html');

# Others twice where their first setting refuses a user who asks for a few
# pages, or lets a burst of guesses in.
sub takes_part {
    my ($peer) = @_;

    return !$peer->{second} || $peer->{only}
      || $peer->{id} =~ /\A(?:qos_serial|evasive_loose|nginx_loose)\z/;
}

# The guard twice: as it comes, and with one check at a time. Second settings
# take part in the first turn; in a quick run, no peer does.
sub variants {
    my ($run, $turn) = @_;
    my ($guard) = grep { $_->{id} eq 'guard' } @{ $run->{peers} };
    my @peers = grep { takes_part($_) && !($turn > 1 && $_->{second})
          && !($run->{quick} && $_->{packages}) } @{ $run->{peers} };

    return (
        ['calm', {}, @peers],
        ['calm_one_check', { checks => 1 }, $guard || ()]);
}

sub measure {
    my ($run) = @_;

    for my $turn (1 .. $run->amount('calm_turns')) {
        for my $variant (variants($run, $turn)) {
            my ($cell, $want, @peers) = @$variant;

            $run->say("under attack, turn $turn, $cell");
            one_turn($run, $cell, $want, $_) for @peers;
        }
    }
    return;
}

# A server for each attack: what is left of one would disturb the next.
sub one_turn {
    my ($run, $cell, $want, $peer) = @_;
    my $idle;

    for my $from (qw(one many)) {
        my $servers = $run->servers($cell, who => sub { $_[0] == $peer },
            want => $want);

        $run->each_server($cell, $servers, sub {
            $idle ||= idle($run, @_);
            under_attack($run, $cell, @_, $from, $idle);
        });
        $run->finish($servers);
    }
    return;
}

sub idle {
    my ($run, $peer, $server) = @_;

    return watch($run, $server, sign_in($run, $server));
}

# A user's address; he has been here before.
sub sign_in {
    my ($run, $server) = @_;
    my $user = $run->address;

    $server->ask($alice{path}, user => $alice{user}, pass => 'right',
        from => $user);
    return $user;
}

sub under_attack {
    my ($run, $cell, $peer, $server, $from, $idle) = @_;
    my $user = sign_in($run, $server);
    my $attack = begin(port => $server->port, %alice, pass => 'wrong#',
        rate => GUESSES_A_SECOND, clients => $clients{$from},
        patience => LATE_SECONDS, seconds => 60,
        $from eq 'one' ? (from => $run->address)
        : (from => $run->address(ADDRESSES), addresses => ADDRESSES));

    sleep $settle{$from};
    my $busy = eval { watch($run, $server, $user) };
    my $why = $@;
    end_of($attack, 1);
    die $why unless $busy;
    keep_seen($run, $cell, $peer, $from, $idle, $busy);
    return;
}

# Who is refused does not wait: there is no time then.
sub keep_seen {
    my ($run, $cell, $peer, $from, $idle, $busy) = @_;
    my %figures = ("${from}_cores" => $busy->{cores});

    for my $who (qw(user static)) {
        my ($base, $time) = map { $_->{"${who}_us"} } $idle, $busy;

        if ($from eq 'one') {
            $figures{"idle_${who}_us"} = $base if $base;
            $figures{"idle_refused_$who"} = $idle->{"${who}_refused"};
        }
        $figures{"${from}_${who}_us"} = $time if $time;
        $figures{"${from}_ratio_$who"} = $time / $base if $time && $base;
        $figures{"${from}_refused_$who"} = $busy->{"${who}_refused"};
    }
    $run->add($cell, $peer, %figures);
    return;
}

# What both waited, in the middle, how many were refused of those that were
# answered, and how many cores the server had.
sub watch {
    my ($run, $server, $user) = @_;
    my @common = (port => $server->port, keep => 1,
        seconds => $run->amount('calm_seconds'), patience => LATE_SECONDS);
    my ($began, $before) = (time, $server->cpu_us);
    my %load = (
        user => begin(@common, %alice, pass => 'right', from => $user,
            rate => USER_A_SECOND),
        static => begin(@common, path => '/open.html', from => $run->address,
            rate => STATIC_A_SECOND));
    my %seen;

    for my $who (sort keys %load) {
        my $one = end_of($load{$who});
        my $right = $one->{status}{200} || 0;
        my $refused = $one->{answered} - $right;

        $seen{"${who}_refused"} =
          $one->{answered} ? $refused / $one->{answered} : 0;
        $seen{"${who}_us"} = $one->{p50_us}
          if $refused <= $right + $one->{late};
    }
    return { %seen,
        cores => ($server->cpu_us - $before) / 1e6 / (time - $began) };
}

1;
