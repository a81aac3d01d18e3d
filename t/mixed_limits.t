#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: two directories with different limits share a count, and a window
# had the length that the directory of its first failure gave it. A guess at
# the one with a short window made the strict one's failures vanish with it.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Time::HiRes qw(sleep);

use constant { LIMIT => 5, SHORT_SECONDS => 1 };

my $t = AuthGuard::Httpd->new(conf => guarded('loose', 'AuthGuard On',
        "AuthGuardLimit ip 100/@{[SHORT_SECONDS]}s")
      . guarded('strict', 'AuthGuard On',
        "AuthGuardLimit ip @{[LIMIT]}/1h lockout=1h"));
$t->dir($_) for qw(loose strict);
$t->passwords('users', { bob => 'secret' });
$t->expect_lockout;
$t->start;

my %client = (
    'a guess at the loose one first' => '127.0.1.1',
    'a guess at the strict one first' => '127.0.1.2',
);
my @names = sort keys %client;

sub verified_at_strict {
    my ($address) = @_;

    return scalar(() = $t->log_lines(
            qr/client \Q$address\E:.*AH01617.*"\/strict\//));
}

sub guess_at {
    my ($dir, $count, $name) = @_;

    return $t->guess_wrong("/$dir/", 'bob', $count, from => $client{$name});
}

# Three rounds, each in a short window of its own.
for my $round (1 .. 3) {
    guess_at('loose', 1, $names[0]);
    guess_at('strict', 3, $names[0]);
    guess_at('strict', 3, $names[1]);
    guess_at('loose', 1, $names[1]);
    sleep SHORT_SECONDS + 0.1 if $round < 3;
}
for my $name (@names) {
    my $verified = verified_at_strict($client{$name});

    cmp_ok($verified, '<=', LIMIT,
        "$name: no more than the strict limit are verified there");
    cmp_ok($verified, '>=', 1, "$name: but some are");
    is($t->guess('/strict/', 'bob', 'secret', from => $client{$name}),
        '401.501', "$name: then the right one is refused");
}
is($t->guess('/strict/', 'bob', 'secret', from => '127.0.1.3'), 200,
    'another client is let in');
is($t->guess('/loose/', 'bob', 'secret', from => '127.0.1.3'), 200,
    'to both');
$t->done;

done_testing;
