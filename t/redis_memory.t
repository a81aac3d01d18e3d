#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What a request costs the Redis: nothing most of the time. And what a server
# remembers tells nobody whether a password is right.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::FakeRedis;
use AuthGuard::Fleet;
use AuthGuard::Redis;
use Time::HiRes qw(sleep time);

use constant { LIMIT => 5, PICTURES => 30, FRESH_SECONDS => 5 };

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $fake = AuthGuard::FakeRedis->new($redis);

# The second finds the Redis by way of the false one.
my $fleet = AuthGuard::Fleet->new($redis, servers => 2,
    urls => [$redis->url, $fake->url], options => ['timeout=5s'],
    conf => guarded('a', 'AuthGuard On', 'AuthGuardScope fleet',
        "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min"));
$fleet->each(sub {
    my ($t) = @_;

    $t->dir('a');
    $t->passwords('users', { alice => 'right', bob => 'secret' });
    $t->expect_log(qr/\bAG010[123]: /, optional => 1);
});
$fleet->start;
my ($there, $here) = map { $fleet->server($_) } 0, 1;

# How often the Redis is asked meanwhile.
sub costs {
    my ($does) = @_;
    my $before = $redis->asked;

    $does->();
    return $redis->asked - $before;
}

sub lock_there {
    my (@from) = @_;

    is($there->guess_wrong('/a/', 'bob', LIMIT, @from), '401.1=' . LIMIT,
        'locked out elsewhere');
    return;
}

# Redis writes what one question brings about before it reads the next: so who
# locks a client out asks once more, and the others' news is on its way before
# he is told.
{
    my @from = (from => '127.0.1.9');
    my @costs = map {
        costs(sub { $here->guess_wrong('/a/', 'bob', 1, @from) })
    } 1 .. LIMIT;

    is("@costs", join(' ', (2) x (LIMIT - 1), 3),
        'a wrong guess costs two questions, one that locks three');
}

# A locked client.
{
    my @from = (from => '127.0.1.1');
    my $code;

    lock_there(@from);
    is(costs(sub { $code = $here->guess('/a/', 'alice', 'right', @from) }), 1,
        'a locked client costs one question');
    is($code, '401.501', 'and is refused');
    is(costs(sub { $code = $here->guess_wrong('/a/', 'alice', 20, @from) }), 0,
        'then none');
    is($code, '401.501=20', 'and is refused');
    is(costs(sub { $code = $here->get('/a/', @from)->code }), 0,
        'nor without a password');
    is($code, '401.501', 'and is refused');
}

# A page with pictures, at a server whose children listen: they begin to with
# the first that they ask.
{
    my %alice = (path => '/a/', user => 'alice', pass => 'right');
    my @page = ({ %alice, from => '127.0.1.2' }) x PICTURES;
    my $said;

    $here->many(40, map { { %alice, from => "127.0.4.$_" } } 1 .. 120);
    is(costs(sub { $said = tally($here->many(1, $page[0])) }), 2,
        'who signs in costs two: a place, and its end');
    is($said, '200=1', 'and is in');
    cmp_ok(costs(sub { $said = tally($here->many(6, @page)) }), '<=', 4,
        'a page costs next to none: a child may not listen yet');
    is($said, '200=30', 'and is there');
    is(costs(sub { $said = tally($here->many(6, @page)) }), 0,
        'nor does another');
    is($said, '200=30', 'and is there');
}

# Later it asks again, whoever is there, and not for each picture.
{
    my %alice = (path => '/a/', user => 'alice', pass => 'right');
    my @page = ({ %alice, from => '127.0.1.2' }) x PICTURES;

    sleep FRESH_SECONDS + 0.2;
    my $said;
    my $cost = costs(sub { $said = tally($here->many(6, @page)) });
    cmp_ok($cost, '>=', 1, 'after 5 s it is asked again');
    cmp_ok($cost, '<=', 2 * 6, 'for those that come at once, and no more');
    is($said, '200=30', 'and is there');
}

# Whoever guesses at an address makes its proven ones ask again.
{
    my @from = (from => '127.0.1.3');
    my @right = ('/a/', 'alice', 'right', @from);

    is($here->guess(@right), 200, 'in') for 1 .. 2;
    is(costs(sub { $here->guess(@right) }), 0, 'for nothing');
    is($here->guess_wrong('/a/', 'bob', 1, @from), '401.1=1', 'a wrong guess');
    cmp_ok(costs(sub { is($here->guess(@right), 200, 'still in') }), '>=', 1,
        'and it asks again');
}

# No oracle: of a client that is locked elsewhere, a wrong guess and a right
# one get the same bytes, whichever comes first, also if the news of the
# lockout never comes.
for my $way (qw(pass deaf)) {
    my @seen;

    for my $first (qw(wrong right)) {
        my @from = (from => $way eq 'pass' ? '127.0.2.1' : '127.0.2.2');
        my @ask = ('/a/', user => 'alice', @from);
        my %pass = (right => 'right', wrong => "wrong $way");
        my @order = $first eq 'wrong' ? qw(wrong right) : qw(right wrong);

        # Without news what was right a moment ago may be let in, once: that
        # this client knows the password is no news to it.
        next if $way eq 'deaf' && $first eq 'right';
        $from[1] =~ s/\.(\d)\z/'.1' . $1/e if $first eq 'right';
        @ask = ('/a/', user => 'alice', @from);
        $fake->does('pass');
        is($here->get(@ask, pass => 'right')->code, 200, 'in') for 1 .. 2;
        $fake->does($way);
        lock_there(@from);
        for my $which (@order, @order) {
            my $answer = $here->get(@ask, pass => $pass{$which});

            is($answer->code, '401.501', "$way: $which is refused");
            push @seen, $answer->fingerprint;
        }
    }
    my %different = map { $_ => 1 } @seen;
    is(scalar keys %different, 1, "$way: in the same bytes");
}
$fake->does('pass');

# Nor does a memory last: without news of an unlock it ends by itself.
{
    my @from = (from => '127.0.3.1');
    my @right = ('/a/', 'alice', 'right', @from);

    lock_there(@from);
    is($here->guess(@right), '401.501', 'refused here');
    $fake->does('deaf');
    is($fleet->unlock(0, '127.0.3.1'), 303, 'unlocked there');

    # When the last refusal was sent, not when this machine got round to it.
    my $began = time;
    my ($asked, $refused) = ($began, $began);
    while ($here->guess(@right) ne '200'
        && $asked < $began + 4 * FRESH_SECONDS) {
        $refused = $asked;
        sleep 0.05;
        $asked = time;
    }
    cmp_ok($refused - $began, '<=', FRESH_SECONDS, 'unlocked here in 5 s');
    $fake->does('pass');
}
$fleet->done;

done_testing;
