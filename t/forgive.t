#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Whose success forgives whose failures.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On',
        'AuthGuardLimit ip 5/10min')
      . guarded('b', 'AuthGuard On', 'AuthGuardLimit ip 3/10min'));
$t->dir($_) for qw(a b);
$t->passwords('users', { alice => 'right', bob => 'secret' });
$t->expect_lockout;
$t->start;

# Bob's successes don't wash away guesses at alice.
{
    my @from = (from => '127.0.1.1');
    for (1 .. 4) {
        is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1',
            'a guess at alice');
        is($t->guess('/a/', bob => 'secret', @from), 200, "bob's success");
    }
    is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1', 'the fifth guess');
    is($t->guess('/a/', bob => 'secret', @from), '401.501', 'locks bob out');
}

# Alice's first success forgives her typos.
{
    my @from = (from => '127.0.1.2');
    is($t->guess_wrong('/a/', 'alice', 4, @from), '401.1=4', 'four typos');
    is($t->guess('/a/', alice => 'right', @from), 200, 'then she is in');
    is($t->guess_wrong('/a/', 'alice', 4, @from), '401.1=4',
        'four more do not lock');
    is($t->guess('/a/', bob => 'secret', @from), 200, 'anybody out');
    is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1', 'the fifth');
    is($t->guess('/a/', alice => 'right', @from), '401.501', 'does');
}

# Her phone's thousandth success forgives nobody's.
{
    my @from = (from => '127.0.1.3');
    my $phone = { path => '/a/', user => 'alice', pass => 'right', @from };
    is($t->get('/a/', %$phone)->code, 200, 'the phone signs in');
    for (1 .. 5) {
        is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1', 'a guess');
        next if $_ == 5;
        is(tally($t->many(20, ($phone) x 50)), '200=50', 'the phone goes on');
    }
    is($t->get('/a/', %$phone)->code, '401.501', 'five guesses lock');
}

# At most `limit` failures are forgiven a window: whoever can change her own
# password can't buy guesses with it.
{
    my @from = (from => '127.0.1.4');
    is($t->guess_wrong('/b/', 'alice', 2, @from), '401.1=2', 'two failures');
    is($t->guess('/b/', alice => 'right', @from), 200, 'forgiven');
    $t->passwords('users', { alice => 'second', bob => 'secret' });
    is($t->guess_wrong('/b/', 'alice', 2, @from), '401.1=2', 'two more');
    is($t->guess('/b/', alice => 'second', @from), 200,
        'one of them is forgiven, the third of this window');
    is($t->guess_wrong('/b/', 'alice', 2, @from), '401.1=2', 'two more');
    is($t->guess('/b/', alice => 'second', @from), '401.501', 'lock out');
}
$t->done;

done_testing;
