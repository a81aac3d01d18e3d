#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A full table: who is locked stays locked, and nobody guesses uncounted.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant LIMIT => 3;

sub server {
    my ($clients) = @_;
    my $t = AuthGuard::Httpd->new(
        store => "shm file=\@ROOT\@/run/authguard.shm clients=$clients",
        conf => guarded('a', 'AuthGuard On',
            "AuthGuardLimit ip @{[LIMIT]}/10min lockout=1h max=1h"));
    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->expect_log(qr/AG0211: /, optional => 1);
    return $t->start;
}

sub address {
    my ($group, $n) = @_;

    return sprintf '127.%d.%d.%d', $group, $n / 250, $n % 250 + 1;
}

# Wrong passwords really verified, by client address.
sub verdicts {
    my ($t) = @_;
    my %count;

    $count{$_}++ for map { /\[client ([\d.]+):\d+\] AH0161[78]/ ? $1 : () }
      $t->log_lines(qr/AH0161[78]/);
    return %count;
}

# 3,000 new clients in a table of 1,000.
{
    my $t = server(1000);
    my @locked = map { address(1, $_) } 1 .. 100;
    my @rounds = map { wrong_guesses('/a/', 'alice', 1, from => $_) }
      (@locked) x LIMIT;
    is(tally($t->many(1, @rounds)), '401.1=300', '100 clients are locked');
    my @new = map { address(2, $_) } 1 .. 3000;
    my @answers = $t->many(8,
        map { wrong_guesses('/a/', 'alice', 1, from => $_) } @new);
    is(scalar(grep { $_->status !~ /\A(?:401|429)\z/ } @answers), 0,
        '3,000 newcomers are answered');
    is(tally($t->many(8, map { { path => '/a/', user => 'alice',
                            pass => 'right', from => $_ } } @locked)),
        '401.501=100', 'none of the 100 is freed');
    my %before = verdicts($t);
    my @last = map { address(3, $_) } 1 .. 50;
    $t->many(1, map { wrong_guesses('/a/', 'alice', 6, from => $_) } @last);
    my %after = verdicts($t);
    is(scalar(grep { ($after{$_} // 0) > LIMIT } @last), 0,
        'no newcomer gets more than the limit');
    is($t->guess('/a/', 'alice', 'right', from => $last[0]), '401.501',
        'and is locked then');
    $t->done;
}

# A small one, full of locked clients: the others share their bucket's budget.
{
    my $t = server(64);
    my ($places, $buckets) = (93, 3);    # 31 clients and one shared budget each
    my @new = map { address(4, $_) } 1 .. 300;
    $t->many(1, map { wrong_guesses('/a/', 'alice', LIMIT + 1, from => $_) }
          @new);
    my %count = verdicts($t);
    my $sum = 0;
    $sum += $_ for values %count;
    is(scalar(grep { $_ > LIMIT } values %count), 0,
        'small: no newcomer gets more than the limit');
    cmp_ok($sum, '<=', ($places + $buckets) * LIMIT,
        'small: and all together not more than all budgets');
    cmp_ok($sum, '>=', $places * LIMIT / 2, 'small: which were there');
    my @late = map { address(5, $_) } 1 .. 60;
    is(tally($t->many(1, map { wrong_guesses('/a/', 'alice', 1,
                        from => $_) } @late)), '401.501=60',
        'small: whoever comes later shares a spent one');
    is(tally($t->many(1, map { { path => '/a/', user => 'alice',
                            pass => 'right', from => $_ } } @new[0 .. 20])),
        '401.501=21', 'small: none of the first is freed');
    $t->done;
}

done_testing;
