#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The KEYs of AuthGuardLimit: user, login, several together, none.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @only = ('AuthGuard On', 'AuthGuardLimit ip none');
my $t = AuthGuard::Httpd->new(
    conf => guarded('user', @only, 'AuthGuardLimit user 3/10min')
      . guarded('login', @only, 'AuthGuardLimit login 3/10min')
      . guarded('both', 'AuthGuard On', 'AuthGuardLimit ip 5/10min',
        'AuthGuardLimit login 2/10min')
      . guarded('none', @only)
      . guarded('parent', 'AuthGuard On', 'AuthGuardLimit ip 2/10min',
        'AuthGuardLimit user 50/10min')
      . guarded('parent/child', 'AuthGuardLimit ip 4/10min'));
$t->dir($_) for qw(user login both none parent parent/child);
$t->passwords('users', { map { $_ => "pw-$_" } qw(alice bob carol dave) });
$t->expect_lockout;
$t->start;

sub from { return (from => "127.0.$_[0].$_[1]") }

# user: whoever it is that guesses.
is($t->guess_wrong('/user/', 'alice', 1, from(1, $_)), '401.1=1',
    "user: a guess from address $_") for 1 .. 3;
is($t->guess('/user/', 'alice', 'pw-alice', from(1, 4)), '401.501',
    'user: locked from everywhere');
is($t->guess('/user/', 'bob', 'pw-bob', from(1, 1)), 200,
    'user: others are let in, even from there');
is($t->guess_wrong('/user/', 'carol', 2, from(1, 5)), '401.1=2',
    'user: two guesses');
is($t->guess('/user/', 'carol', 'pw-carol', from(1, 6)), 200,
    'user: her success');
is($t->guess_wrong('/user/', 'carol', 1, from(1, 5)), '401.1=1',
    'user: another guess');
is($t->guess('/user/', 'carol', 'pw-carol', from(1, 6)), '401.501',
    'user: her success has forgiven nothing');

# login: an address and a user.
is($t->guess_wrong('/login/', 'alice', 3, from(2, 1)), '401.1=3',
    'login: three guesses');
is($t->guess('/login/', 'alice', 'pw-alice', from(2, 1)), '401.501',
    'login: lock her there');
is($t->guess('/login/', 'alice', 'pw-alice', from(2, 2)), 200,
    'login: not elsewhere');
is($t->guess('/login/', 'bob', 'pw-bob', from(2, 1)), 200,
    'login: and nobody else there');
is($t->guess_wrong('/login/', 'bob', 2, from(2, 3)), '401.1=2',
    'login: two typos');
is($t->guess('/login/', 'bob', 'pw-bob', from(2, 3)), 200,
    'login: a success');
is($t->guess_wrong('/login/', 'bob', 2, from(2, 3)), '401.1=2',
    'login: has forgiven them');
is($t->guess('/login/', 'bob', 'pw-bob', from(2, 3)), 200,
    'login: still in');

# Several: the strictest decides, each counts.
is($t->guess_wrong('/both/', 'alice', 3, from(3, 1)), '401.1=2 401.501=1',
    'both: two of a login');
is($t->guess('/both/', 'bob', 'pw-bob', from(3, 1)), 200,
    'both: another login from there');
is($t->guess_wrong('/both/', 'bob', 2, from(3, 1)), '401.1=2',
    'both: third and fourth of the address');
is($t->guess_wrong('/both/', 'carol', 1, from(3, 1)), '401.1=1',
    'both: the fifth');
is($t->guess('/both/', 'dave', 'pw-dave', from(3, 1)), '401.501',
    'both: lock the address');
my @locked = $t->log_lines(qr/AG0101: lockout: client=127\.0\.3\.1 /);
is(scalar(grep { / key=login / } @locked), 2, 'both: two logins were locked');
is(scalar(grep { / key=ip / } @locked), 1, 'both: and the address');

# A refusal under one limit takes nothing of the other: 64 guesses at once at
# three users, two places a login and five an address.
{
    my @guesses = map { wrong_guesses('/both/', $_, 20, from(3, 2)) }
      qw(alice bob carol);
    my $before = $t->verified;
    $t->many(60, @guesses);
    is($t->verified - $before, 5, 'both: five verified of sixty at once');
}

is($t->guess_wrong('/none/', 'alice', 30, from(4, 1)), '401.1=30',
    'none: no limit, no lockout');

# Inheritance goes by KEY.
is($t->guess_wrong('/parent/child/', 'dave', 5, from(5, 1)),
    '401.1=4 401.501=1', "a child's line replaces the inherited one");
is($t->guess_wrong('/parent/', 'bob', 3, from(5, 2)), '401.1=2 401.501=1',
    'and leaves the parent alone');
$t->done;

done_testing;
