#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Three servers on one Redis count as one: however many guesses come to them at
# once, exactly `limit` passwords are verified in all; a lockout holds at all
# of them at once, an unlock in 5 s; and a right password is refused at none.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Fleet;
use AuthGuard::Redis;
use Time::HiRes qw(sleep time);

use constant { GUESSES => 300, PARALLEL => 64, LIMIT => 5, UNLOCK_SECONDS => 5,
    PATIENCE_SECONDS => 20, CHECKS => 24 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $secret = $redis->file('secret', "a secret of sixteen bytes at least\n");
chmod 0600, $secret;

# Patient, as no fallback shall hide in the counts: one would be in the log.
sub fleet {
    my ($name, $url, @options) = @_;
    my $fleet = AuthGuard::Fleet->new($redis, urls => [$url],
        options => ['timeout=5s', "prefix=$name", @options],
        conf => guarded('a', 'AuthBasicProvider guard', 'AuthGuardScope fleet',
            "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min")
          . guarded('few', 'AuthGuard On', 'AuthGuardScope few',
            'AuthGuardLimit ip 3/10min')
          . guarded('plain', 'AuthGuard On', 'AuthGuardScope plain',
            'AuthUserFile @ROOT@/plain')
          . "AuthGuardChecks @{[CHECKS]}\n");

    $fleet->each(sub {
        my ($t) = @_;

        $t->dir($_) for qw(a few plain);
        $t->passwords('plain', { alice => 'right' });
        $t->passwords('users', { alice => 'right', bob => 'secret' },
            cost => 8);
        $t->expect_log(qr/\bAG010[12]: /, optional => 1);
        $t->expect_log(qr/\bAG0103: /, optional => 1);
    });
    return $fleet->start;
}

# Each client's lockout stands in the log of one server, once.
sub lockouts {
    my ($fleet, $address) = @_;

    return scalar $fleet->log_lines(qr/AG0101: .* client=\Q$address\E /);
}

sub attack {
    my ($fleet, $name, $user, %from) = @_;
    my $before = $fleet->verified;
    my @answers = $fleet->many(PARALLEL,
        wrong_guesses('/a/', $user, GUESSES, %from));
    my %refused = map { $_->code => 1 } grep { $_->code ne '401.1' } @answers;

    is($fleet->verified - $before, LIMIT, "$name: five verified in all");
    is(scalar(grep { $_->code eq '401.1' } @answers), LIMIT,
        "$name: five answers say wrong password");
    is(join(' ', grep { !/\A(?:401|429)\.501\z/ } sort keys %refused), '',
        "$name: the others are refused as locked or busy");
    is(join(' ', $fleet->each(sub {
            $_[0]->guess('/a/', 'alice', 'right', %from) })),
        '401.501 401.501 401.501', "$name: a right one is refused everywhere");
    is(lockouts($fleet, $from{from}), 1, "$name: one lockout");
    return;
}

# One user's right password, to all servers at once, at limit 3.
sub welcome {
    my ($fleet, $name, %from) = @_;
    my @same = ({ path => '/few/', user => 'alice', pass => 'right', %from });

    is(tally($fleet->many(PARALLEL, (@same) x GUESSES)), '200=' . GUESSES,
        "$name: one user's right password, many times at once");
    is($fleet->server(1)->guess_wrong('/few/', 'alice', 2, %from), '401.1=2',
        "$name: nothing of that has counted");
    is($fleet->server(2)->guess('/few/', 'alice', 'right', %from), 200,
        "$name: the third would have");
    return;
}

# In the morning: many people, each from elsewhere, at one server at once. More
# than AuthGuardChecks are on their way to Redis and back, but not in a check.
sub morning {
    my ($fleet, $name) = @_;
    my @people = map { { path => '/plain/', user => 'alice', pass => 'right',
            from => "127.0.2.$_" } } 1 .. 200;

    is(tally($_->many(80, @people)), '200=200',
        "$name: many sign in at once, and none is refused")
      for map { $fleet->server($_) } 0 .. 2;
    return;
}

# Wait until a right password is let in. Returns the seconds that it took.
sub seconds_until_in {
    my ($t, @guess) = @_;
    my $began = time;

    sleep 0.05
      while $t->guess('/a/', @guess) ne '200'
      && time < $began + PATIENCE_SECONDS;
    return time - $began;
}

# A lockout made at one, where all have just seen the right password.
sub spreads {
    my ($fleet, $name, $address) = @_;
    my @from = (from => $address);
    my @right = ('alice', 'right', @from);

    is(join(' ', $fleet->each(sub { $_[0]->guess('/a/', @right) })),
        '200 200 200', "$name: in at each") for 1 .. 2;
    is($fleet->server(0)->guess_wrong('/a/', 'bob', LIMIT, @from),
        '401.1=' . LIMIT, "$name: wrong ones at the first");
    is(join(' ', map { $fleet->server($_)->guess('/a/', @right) } 1, 2, 0),
        '401.501 401.501 401.501',
        "$name: locked at the others at once, whatever they knew");
    is(join(' ', $fleet->each(sub {
            $_[0]->guess('/a/', 'bob', 'nonsense', @from) })),
        '401.501 401.501 401.501', "$name: for wrong ones, too");
    is(lockouts($fleet, $address), 1, "$name: one lockout");

    is($fleet->unlock(0, $address), 303, "$name: unlocked at the first");
    my @seconds =
      $fleet->each(sub { seconds_until_in($_[0], @right) });
    cmp_ok($_, '<=', UNLOCK_SECONDS, "$name: and at all in 5 s") for @seconds;
    return;
}

# What an address has failed at one server counts at the others: 3 and 2.
sub adds_up {
    my ($fleet, $name, %from) = @_;
    my @guess = ('/a/', 'alice', 2, %from);

    is($fleet->server(0)->guess_wrong(@guess), '401.1=2', "$name: two here");
    is($fleet->server(1)->guess('/a/', 'bob', 'secret', %from), 200,
        "$name: another's right password there");
    is($fleet->server(1)->guess_wrong(@guess), '401.1=2', "$name: two there");
    is($fleet->server(2)->guess_wrong(@guess), '401.1=1 401.501=1',
        "$name: and one at the third");
    return;
}

# Alice's success at one forgives what she failed at the others.
sub forgives {
    my ($fleet, $name, %from) = @_;
    my @guess = ('/a/', 'alice', 1, %from);

    is(join(' ', map { $fleet->server($_ % 3)->guess_wrong(@guess) } 0 .. 3),
        join(' ', ('401.1=1') x 4), "$name: four typos at three servers");
    is($fleet->server(1)->guess('/a/', 'alice', 'right', %from), 200,
        "$name: then she is in");
    is(join(' ', map { $fleet->server($_ % 3)->guess_wrong(@guess) } 0 .. 5),
        join(' ', ('401.1=1') x 5, '401.501=1'), "$name: five more lock");
    return;
}

# A program with an old password, at all servers: one mistake. Only those who
# share a secret can know it for the same.
sub repeats {
    my ($fleet, $name, %from) = @_;
    my @old = ({ path => '/a/', user => 'alice', pass => 'old', %from });

    is(tally($fleet->many(12, (@old) x 60)), '401.1=60',
        "$name: an old password 60 times");
    is($fleet->server(1)->guess_wrong('/a/', 'alice', LIMIT - 1, %from),
        '401.1=' . (LIMIT - 1), "$name: is one failure");
    is($fleet->server(2)->guess('/a/', 'alice', 'right', %from), '401.501',
        "$name: and four others lock");
    return;
}

my %way = (unix => $redis->url, TCP => $redis->url_tcp);

for my $way (sort keys %way) {
    my $fleet = fleet($way, $way{$way});

    attack($fleet, "$way, known user", 'alice', from => '127.0.1.1');
    attack($fleet, "$way, unknown user", 'nobody', from => '127.0.1.2');
    welcome($fleet, $way, from => '127.0.1.3');
    morning($fleet, $way);
    spreads($fleet, $way, '127.0.1.4');
    adds_up($fleet, $way, from => '127.0.1.5');
    $fleet->done;
}

my $fleet = fleet('secret', $redis->url, "secret=$secret");
attack($fleet, 'one secret', 'alice', from => '127.0.1.1');
welcome($fleet, 'one secret', from => '127.0.1.3');
spreads($fleet, 'one secret', '127.0.1.4');
forgives($fleet, 'one secret', from => '127.0.1.6');
repeats($fleet, 'one secret', from => '127.0.1.7');
$fleet->done;

done_testing;
