#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: a record remembered only a few right guesses. Where more people sat
# behind one address, or in one IPv6 network, they pushed each other out,
# queued for the few places of a guesser, and were told to come back later.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use List::Util qw(shuffle);

use constant { OFFICE => 20, NETWORK => 30, REQUESTS => 10 };

my @slow = ('AuthBasicProvider slow', 'AuthnSlowDelay 20',
    map { "AuthnSlowUser user$_:right$_" } 1 .. NETWORK);
my $t = AuthGuard::Httpd->new(modules => [qw(authn_slow remoteip)],
    conf => "RemoteIPHeader X-Forwarded-For\n"
      . "RemoteIPInternalProxy 127.0.0.0/8\n"
      . guarded('a', 'AuthGuard On', @slow));
$t->dir('a');
$t->start;

srand 1;    # the same order in every run

# Everybody signs in one by one, then all work at once.
sub work_together {
    my ($name, $at_once, @people) = @_;

    is(tally($t->many(1, @people)), '200=' . @people, "$name: all sign in");
    my @requests = shuffle((@people) x REQUESTS);
    is(tally($t->many($at_once, @requests)), '200=' . @requests,
        "$name: all are served, $at_once at a time");
    return;
}

sub person {
    my ($n, @from) = @_;

    return { path => '/a/', user => "user$n", pass => "right$n", @from };
}

work_together('behind one address', 2 * OFFICE,
    map { person($_, from => '127.0.1.1') } 1 .. OFFICE);
work_together('in one /48', 2 * NETWORK,
    map { person($_, headers =>
              ['X-Forwarded-For' => sprintf '2001:db8:1:%x::1', $_]) }
      1 .. NETWORK);
$t->done;

done_testing;
