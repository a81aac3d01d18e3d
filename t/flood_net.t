#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Whoever has an IPv6 network has more addresses than guesses. By default a
# /64 is one client, and a /48 gets 50 guesses in all: a guesser who changes
# his /64 each time is held by that, one who has a /56 too. What another /48
# does is its own affair.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant { LIMIT => 5, NET_LIMIT => 50 };

sub server {
    my (@more) = @_;
    my $t = AuthGuard::Httpd->new(modules => ['remoteip'],
        conf => join("\n", 'RemoteIPHeader X-Forwarded-For',
            'RemoteIPInternalProxy 127.0.0.0/8',
            'AuthGuardChecks unlimited wait=20s', @more, '')
          . guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    return $t->start;
}

sub from { return (headers => ['X-Forwarded-For' => $_[0]]) }

# A wrong guess of each address.
sub guesses {
    return map { wrong_guesses('/a/', 'alice', 1, from($_)) } @_;
}

sub right_from {
    my ($t, $address) = @_;

    return $t->guess('/a/', 'alice', 'right', from($address));
}

my $t = server();

# Another /64 each time: one after the other, and all at once.
my @roaming = map { sprintf '2001:db8:1:%x::1', $_ } 1 .. 120;
is(tally($t->many(1, guesses(@roaming))), '401.1=50 401.501=70',
    'a /64 for each guess: 50 are verified');
is($t->verified, NET_LIMIT, 'really');
is(right_from($t, '2001:db8:1:ffff::1'), '401.501', 'then the /48 is locked');
is(right_from($t, '2001:db8:1::'), '401.501', 'to its first address');
is(right_from($t, '2001:db8:1:ffff:ffff:ffff:ffff:ffff'), '401.501',
    'and its last');
is(right_from($t, '2001:db8:0:ffff::1'), 200, 'the /48 before it is not');
is(right_from($t, '2001:db8:2::1'), 200, 'nor is the one behind');
my ($line) = $t->log_lines(qr/AG0101/);
like($line, qr{ net=2001:db8:1::/48 key=net failures=50/50 }, 'as it says');

s/db8:1:/db8:3:/ for @roaming;
my $before = $t->verified;
my @answers = $t->many(40, guesses(@roaming));
is($t->verified - $before, NET_LIMIT, '40 at a time: 50 are verified');
is(scalar(grep { $_->code !~ /\A(?:401\.1|401\.501|429\.501)\z/ } @answers),
    0, 'the others are refused');
is(right_from($t, '2001:db8:3:ffff::1'), '401.501', 'and the /48 is locked');

# One customer of a provider: a /56 is 256 networks, and each has its guesses,
# until the /48 has none left; his neighbours pay for that.
is(tally($t->many(1, guesses(('2001:db8:4:100::1') x (LIMIT + 1)))),
    '401.1=5 401.501=1', 'a /64 has five guesses');
my ($one) = grep { /2001:db8:4:/ } $t->log_lines(qr/AG0101/);
like($one, qr{ net=2001:db8:4:100::/64 key=ip failures=5/5 }, 'as it says');
is(right_from($t, '2001:db8:4:100:ffff::9'), '401.501', 'all of it is locked');
my @customer = map { (sprintf '2001:db8:4:1%02x::1', $_) x LIMIT } 1 .. 20;
is(tally($t->many(1, guesses(@customer))), '401.1=45 401.501=55',
    'his /56 has those of its /48');
is(right_from($t, '2001:db8:4:9900::1'), '401.501', 'as has his neighbour');

# IPv4 has no such limit unless one is set.
is(tally($t->many(1, guesses(map { "192.0.2.$_" } 1 .. 120))), '401.1=120',
    'IPv4: each address is by itself');
$t->done;

# AuthGuardPrefix makes one client of the customer.
$t = server('AuthGuardPrefix 32 56');
is(tally($t->many(1, guesses(@customer))), '401.1=5 401.501=95',
    'AuthGuardPrefix 32 56: the customer has five guesses');
is(right_from($t, '2001:db8:4:1ff::1'), '401.501', 'his /56 is locked');
is(right_from($t, '2001:db8:4:200::1'), 200, 'and his neighbour is not');
$t->done;

done_testing;
