#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# One address makes up user names. Where a limit by address is in force, that
# one ends it after four guesses and five records. Where none is, by names
# alone, he fills the table: who is locked out stays so, and no name gets more
# guesses than its own limit. t/unit/flood.c does the same with 50,000.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);

use constant { TABLE => 300, NAMES => 1000, LIMIT => 4,
    LOCKED => 20, LOCKED_NAMES => 450 };

my $by_name = "AuthGuardLimit login @{[LIMIT]}/10min";
my $t = AuthGuard::Httpd->new(
    store => "shm file=\@ROOT\@/run/authguard.shm clients=@{[TABLE]}",
    conf => "AuthGuardChecks unlimited\n"
      . guarded('both', 'AuthGuard On', $by_name,
        "AuthGuardLimit ip @{[LIMIT]}/10min")
      . guarded('names', 'AuthGuard On', 'AuthGuardLimit ip none', $by_name,
        "AuthGuardLimit user 9/10min")
      . guarded('desk', 'AuthGuard On', 'AuthGuardLimit ip 1/10min'));
$t->dir($_) for qw(both names desk);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0211: full: /, optional => 1);
$t->start;

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my $file = $t->root . '/run/authguard.shm';

sub stats { return decode_json(`$htguard -f $file stats --json`) }

sub names {
    my ($path, $from) = @_;

    return $t->many(16, map { { path => $path, user => "user$_", pass => 'x',
                from => $from } } 1 .. NAMES);
}

# By address and by name.
my @answers = names('/both/', '127.0.1.1');
is(scalar(grep { $_->code eq '401.1' } @answers), LIMIT,
    'by address and name: as many guesses as the limit');
is(scalar(grep { $_->code =~ /\A(?:401|429)\.501\z/ } @answers),
    NAMES - LIMIT, 'the others are refused');
is($t->guess('/both/', 'alice', 'right', from => '127.0.1.1'), '401.501',
    'and the address is locked out');
is(stats()->{clients_tracked}, LIMIT + 1,
    'which leaves a record for each, and its own');

# By name alone.
my @locked = map { { path => '/desk/', user => 'alice', pass => 'right',
          from => "127.0.2.$_" } } 1 .. LOCKED;
$t->many(8, map { wrong_guesses('/desk/', 'alice', 1, from => $_->{from}) }
      @locked);
is(tally($t->many(8, @locked)), '401.501=' . LOCKED, 'others are locked out');
names('/names/', '127.0.1.2');
my $after = stats();
cmp_ok($after->{evictions}, '>=', NAMES - TABLE - LOCKED,
    'by name alone: the table is filled');
is(tally($t->many(8, @locked)), '401.501=' . LOCKED,
    'who was locked out is so still');
my $before = $t->verified;
$t->many(8, map { wrong_guesses('/names/', "other$_", LIMIT + 1,
            from => '127.0.1.2') } 1 .. LOCKED_NAMES);
cmp_ok($t->verified - $before, '<=', LOCKED_NAMES * LIMIT,
    'no name gets more than its limit');
names('/names/', '127.0.1.3');
cmp_ok(stats()->{overflow}, '>', 0, 'the table is full of locked names');
is(tally($t->many(8, @locked)), '401.501=' . LOCKED,
    'nor do those free anybody');
$t->done;

done_testing;
