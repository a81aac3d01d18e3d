#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Thousands of clients, and a table of a thousand. Who is locked out
# stays so, htguard tells what the table did, and the error log says it at
# most once a minute, over a graceful restart too.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);
use Time::HiRes qw(sleep time);

use constant { TABLE => 1000, LOCKED => 100, NEWCOMERS => 2500, LIMIT => 3,
    PATIENCE_SECONDS => 40 };

my $t = AuthGuard::Httpd->new(modules => ['remoteip'],
    store => "shm file=\@ROOT\@/run/authguard.shm clients=@{[TABLE]}",
    conf => "AuthGuardChecks unlimited\nRemoteIPHeader X-Forwarded-For\n"
      . "RemoteIPInternalProxy 127.0.0.0/8\n"
      . guarded('a', 'AuthGuard On', 'AuthGuardLimit net none',
        "AuthGuardLimit ip @{[LIMIT]}/10min lockout=1h max=1h")
      . guarded('strict', 'AuthGuard On', 'AuthGuardLimit net none',
        'AuthGuardLimit ip 1/10min lockout=1h max=1h'));
$t->dir($_) for qw(a strict);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
my $began = time;
$t->start;

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my $file = $t->root . '/run/authguard.shm';
my @locked = map { { path => '/a/', user => 'alice', pass => 'right',
          from => "127.0.1.$_" } } 1 .. LOCKED;

sub stats { return decode_json(`$htguard -f $file stats --json`) }

# One wrong guess of each of so many networks, each in a /48 of its own.
sub flood {
    my ($path, $group) = @_;
    my @answers = $t->many(16, map {
            wrong_guesses($path, 'alice', 1, headers => ['X-Forwarded-For' =>
                  sprintf '2001:%x:%x::1', $group, $_]) } 1 .. NEWCOMERS);

    return scalar grep { $_->code eq '401.1' } @answers;
}

sub full_lines { return $t->log_lines(qr/AG0211: /) }

is(tally($t->many(8, map { wrong_guesses($_->{path}, 'alice', LIMIT,
                    from => $_->{from}) } @locked)),
    '401.1=' . LOCKED * LIMIT, LOCKED . ' clients guess');
is(tally($t->many(8, @locked)), '401.501=' . LOCKED, 'and are locked out');
is(scalar(full_lines()), 0, 'nothing is said yet');

is(flood('/a/', 0xdb8), NEWCOMERS, NEWCOMERS . ' newcomers get a guess each');
is(tally($t->many(8, @locked)), '401.501=' . LOCKED, 'none is freed');
my $after = stats();
is($after->{evictions} + $after->{clients_tracked}, NEWCOMERS + LOCKED,
    'each has an entry, or an eviction is counted');
is($after->{overflow}, 0, 'and no overflow');

# The parent looks when httpd lets it, every ten seconds.
my $deadline = time + PATIENCE_SECONDS;
sleep 0.1 while !full_lines() && time < $deadline;
is(scalar(full_lines()), 1, 'the error log tells, once');

my $verified = flood('/strict/', 0xdb9);
is(tally($t->many(8, @locked)), '401.501=' . LOCKED,
    'nor by those who are locked at once');
my $full = stats();
cmp_ok($full->{overflow}, '>', 0, 'overflow is counted');
cmp_ok($verified, '<=', $full->{table_size} * (1 + 1 / 35),
    'no more is verified than there are budgets');

$t->graceful;
flood('/a/', 0xdba);
sleep 12;    # the parent has looked since
my @lines = full_lines();
my $minutes = 1 + int((time - $began) / 60);
cmp_ok(scalar(@lines), '<=', $minutes, 'and no more than once a minute');
my $pattern = qr/AG0211:\ full:\ evictions=(\d+)\ overflow=(\d+)
    \ seconds=\d+;/x;
my ($evictions, $overflow) = $lines[0] =~ $pattern;
cmp_ok($evictions, '>', 0, 'of evictions');
cmp_ok($evictions, '<=', stats()->{evictions}, 'as many as there were');
$t->expect_log($pattern);
$t->done;

done_testing;
