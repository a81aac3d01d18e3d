# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Actors: who visits the soaked server, and what each of them does.
#
# A life is a list of steps; a step is over when all of its requests have an
# end. It is a hash:
#   ask      [request, ...], as in AuthGuard::Client; each on a connection of
#            its own
#   alive    1: one after the other on one connection
#   h2       streams at a time on one HTTP/2 connection
#   leave    seconds after which the client closes, whatever it has heard
#   reset    1: and closes with RST
#   half     1: and has not even sent its whole request
#   unlock   address to unlock by htguard before the step begins
#   pause    seconds before the step
#   sacred   1: nobody may refuse these
# Requests of one life that could run at the same time never depend on each
# other's order, so that what they leave in the table can be told beforehand.
package Actors;

use strict;
use warnings;
use List::Util qw(min);

use constant { LIMIT => 4, CROWD => 50, BURST => 50, ROOMS => 12 };

my %password = (alice => 'right', bob => 'secret', carol => 'song');
my $serial = 0;
my $addresses = 0;
my $nets = 0;
my $apart_seconds = 0;

sub password_of { return $password{ $_[0] } }

sub is_right {
    my ($request) = @_;

    return $request->{pass} eq ($password{ $request->{user} } // "\n");
}

# name => how many at a time in the first phase, and while children are
# killed; and the life. A third number: only where HTTP/2 is.
my @kinds = (
    [good => 8, 8, \&good],
    [newcomer => 2, 3, \&newcomer],
    [typist => 2, 2, \&typist],
    [guesser => 3, 0, \&guesser],
    [locked => 2, 2, \&locked],
    [repeater => 1, 1, \&repeater],
    [patient => 2, 0, \&patient],
    [joiner => 1, 0, \&joiner],
    [burst => 1, 0, \&burst],
    [crowd => 1, 0, \&crowd],
    [stranger => 1, 1, \&stranger],
    [outsider => 1, 1, \&outsider],
    [exempt => 1, 1, \&exempt],
    [broken => 1, 1, \&broken],
    [half => 1, 1, \&half],
    [deserter => 2, 0, \&deserter],
    [impatient => 1, 0, \&impatient],
    [login => 1, 0, \&login],
    [office => 1, 0, \&office],
    [tenant => 1, 0, \&tenant],
    [streams => 1, 1, \&streams, 'h2'],
    [flood => 1, 0, \&flood, 'h2'],
    [vanish => 1, 0, \&vanish, 'h2'],
    [prisoner => 0, ROOMS, \&prisoner],
);

# Those who play in a phase (1 or 2) of that length, as [name, number, life].
# The last prisoner comes in the middle; so many at once would be too much for
# the server's checks.
sub cast {
    my ($phase, $has_h2, $seconds) = @_;
    my $prisoners = int min(ROOMS, 2 * $seconds);

    $apart_seconds = $seconds / 2 / $prisoners;
    return map {
        my ($name, $number) = ($_->[0], $_->[$phase]);
        [$name, $name eq 'prisoner' ? min($number, $prisoners) : $number,
            $_->[3]]
    } grep { $_->[$phase] && ($has_h2 || !$_->[4]) } @kinds;
}

# An address that nobody has used.
sub fresh {
    my $n = $addresses++;

    return sprintf '127.%d.%d.%d', 16 + $n / 62500 % 100, $n / 250 % 250,
      $n % 250 + 1;
}

sub right {
    my ($dir, $user, $from) = @_;

    return { path => "/$dir/index.html", user => $user,
        pass => $password{$user}, from => $from };
}

# No two wrong passwords are the same, unless told.
sub wrong {
    my ($dir, $user, $from, $pass) = @_;

    return { path => "/$dir/index.html", user => $user,
        pass => $pass // 'wrong' . ++$serial, from => $from };
}

sub no_login {
    my ($dir, $from) = @_;

    return { path => "/$dir/index.html", from => $from };
}

sub each_alone { return map { { ask => [$_] } } @_ }

# Signed in for long, at the same address all the time.
sub good {
    my ($n) = @_;
    my $from = '127.1.0.' . (1 + $n);
    my $one = sub { right($_[0], 'alice', $from) };

    return { ask => [$one->('a')] },
      map { +{ sacred => 1, %$_ } }
      { ask => [map { $one->('p') } 1 .. 8], alive => 1 },
      { ask => [map { $one->('slow') } 1 .. 12] },
      { ask => [map { $one->('a') } 1 .. 8], alive => 1 };
}

sub newcomer {
    my $from = fresh();

    return { ask => [right('p', 'bob', $from)] },
      { ask => [map { right('a', 'bob', $from) } 1 .. 3], alive => 1 };
}

# Mistypes, gets in, is forgiven; and mistypes again.
sub typist {
    my $from = fresh();
    my $again = wrong('a', 'alice', $from);

    return each_alone(wrong('a', 'alice', $from), wrong('p', 'alice', $from),
        right('a', 'alice', $from), $again, $again,
        right('p', 'alice', $from), wrong('a', 'bob', $from));
}

# Gets locked, knocks, is unlocked, and comes to reason.
sub guesser {
    my $from = fresh();
    my @knocks = (right('a', 'alice', $from), wrong('p', 'alice', $from),
        no_login('a', $from));

    return each_alone(map { wrong('a', 'alice', $from) } 1 .. LIMIT),
      each_alone(@knocks),
      { unlock => $from, ask => [wrong('a', 'alice', $from)] },
      each_alone(wrong('a', 'bob', $from), right('a', 'alice', $from));
}

sub locked {
    my $from = fresh();

    return each_alone(map { wrong('p', 'alice', $from) } 1 .. LIMIT),
      { ask => [right('a', 'alice', $from), no_login('a', $from),
            wrong('a', 'bob', $from)], alive => 1 },
      { ask => [map { wrong('slow', 'carol', $from) } 1 .. 8] };
}

# A program with an old password.
sub repeater {
    my $from = fresh();
    my $old = wrong('a', 'carol', $from);

    return { ask => [$old] }, { ask => [($old) x 6], alive => 1 },
      { ask => [($old) x 6] };
}

# The same, so slow that its password is looked at again.
sub patient {
    my $from = fresh();
    my $old = wrong('a', 'carol', $from);

    return { ask => [$old] }, { ask => [$old], pause => 6.5 },
      { ask => [$old], pause => 6.5 };
}

sub joiner {
    my $from = fresh();
    my $same = wrong('slow', 'alice', $from);

    return { ask => [($same) x 6] },
      { ask => [map { right('slow', 'bob', $from) } 1 .. 6] };
}

sub burst {
    my $from = fresh();

    return { ask => [map { wrong('slow', 'alice', $from) } 1 .. BURST] },
      { pause => 0.3, ask => [right('a', 'alice', $from)] };
}

# More clean addresses at once than the server has checks to spare.
sub crowd {
    return { pause => 1,
        ask => [map { wrong('crowd', 'alice', fresh()) } 1 .. CROWD] };
}

sub stranger {
    my $from = fresh();

    return { ask => [map { no_login('a', $from) } 1 .. 5], alive => 1 };
}

# The right password, but not for this room.
sub outsider {
    my $from = fresh();

    return { ask => [right('only', 'bob', $from)] },
      { ask => [map { right('only', 'bob', $from) } 1 .. 2], alive => 1 };
}

sub exempt {
    my $from = '127.9.' . int(rand 250) . '.' . (1 + int rand 250);

    return { alive => 1, ask => [(map { wrong('a', 'bob', $from) } 1 .. 6),
            right('p', 'bob', $from), no_login('a', $from)] };
}

# The provider fails: nobody's fault but ours, and the place is given back.
sub broken {
    my $from = fresh();

    return { ask => [map { wrong('slow', 'broken', $from) } 1 .. LIMIT] },
      each_alone(wrong('a', 'bob', $from), wrong('p', 'broken', $from),
        right('a', 'bob', $from));
}

sub half {
    my $from = fresh();

    return map { { half => 1, leave => 0.01, reset => $_, pause => 0.1,
            ask => [wrong('a', 'alice', $from), right('a', 'bob', $from)] } }
      0, 1;
}

# Closes while its password is being checked.
sub deserter {
    my $from = fresh();
    my @steps = map { { ask => [$_], leave => 0.02 } }
      wrong('slow', 'alice', $from), right('slow', 'bob', $from),
      wrong('slow', 'alice', $from), wrong('slow', 'carol', $from);

    $_->{reset} = int rand 2 for @steps;
    return @steps;
}

# Closes while it waits for a place, and goes on when it is locked.
sub impatient {
    my $from = fresh();

    return { leave => 0.1, reset => int rand 2,
        ask => [map { wrong('slow', 'alice', $from) } 1 .. 16] },
      { leave => 0.05, reset => 1,
        ask => [map { wrong('a', 'alice', $from) } 1 .. 4] };
}

# Two limits in force together.
sub login {
    my $from = fresh();

    return each_alone(wrong('login', 'bob', $from),
        wrong('login', 'alice', $from), wrong('login', 'alice', $from),
        right('login', 'bob', $from), wrong('login', 'alice', $from),
        right('login', 'alice', $from), right('login', 'bob', $from));
}

# A limit for a network, by guessers from all over it.
sub office {
    my $net = '127.' . (128 + $nets / 250 % 100) . '.' . $nets++ % 250;

    return map { { group => $net, ask => [$_] } }
      map { wrong('net', 'alice', "$net.$_") } 1 .. 7;
}

sub tenant {
    my $from = fresh();

    return each_alone(wrong('tenant', 'alice', $from),
        wrong('a', 'alice', $from), right('tenant', 'alice', $from)),
      each_alone(map { wrong('tenant', 'bob', $from) } 0 .. LIMIT);
}

sub streams {
    my $from = '127.1.1.1';

    return { h2 => 4, ask => [right('a', 'carol', $from)] },
      { h2 => 12, sacred => 1,
        ask => [map { right($_ % 3 ? 'p' : 'slow', 'carol', $from) } 1 .. 20] };
}

sub flood {
    my $from = fresh();

    return { h2 => 20, pause => 0.3,
        ask => [map { wrong('slow', 'alice', $from) } 1 .. 30] };
}

sub vanish {
    my $from = fresh();

    return { h2 => 10, leave => 0.04 + rand 0.05, pause => 0.3,
        ask => [map { wrong('slow', 'alice', $from) } 1 .. 14] };
}

# For the phase of kills: guesses on and on, each one in a room of his own,
# where what is verified is counted for him alone.
sub prisoner {
    my ($n) = @_;
    my $from = '127.2.0.' . (1 + $n);

    return { pause => $n * $apart_seconds, ask => [no_login('a', $from)] },
      map { { pause => 0.1, ask => [
            map { wrong("room$n", 'alice', $from) } 1 .. 2] } } 1 .. 6;
}

1;
