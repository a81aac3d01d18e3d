#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: where several users' first requests came in bursts, one beside the
# other, only half of a child's threads might wait for the verdicts, and the
# others were told that the server is overloaded, with the right password. A
# stranger's burst of one wrong guess was enough.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use POSIX ();

use constant BURST => 60;

my @slow = ('AuthBasicProvider slow', 'AuthnSlowDelay 300',
    (map { "AuthnSlowUser $_:right" } qw(alice bob carol)), 'AuthGuard On');
my $t = AuthGuard::Httpd->new(modules => ['authn_slow'],
    conf => "AuthGuardChecks 8\n" . guarded('a', @slow));

$t->dir('a');
$t->expect_log(qr/AG0102: refused: client=127\.0\.1\.4 reason=repeat /);
$t->start;

sub burst {
    my ($user, $pass, $from) = @_;

    return ({ path => '/a/', user => $user, pass => $pass, from => $from })
      x BURST;
}

# Both bursts at once, mixed as they come. Returns the tallies of each.
sub both {
    my ($one, $other) = @_;
    my @mixed = map { ($one->[$_], $other->[$_]) } 0 .. BURST - 1;
    my @answers = $t->many(scalar @mixed, @mixed);

    return map {
        my $first = $_;
        tally(@answers[grep { $_ % 2 == $first } 0 .. $#answers]);
    } 0, 1;
}

is(join(' ', both([burst('alice', 'right', '127.0.1.1')],
            [burst('bob', 'right', '127.0.1.1')])),
    '200=60 200=60', 'two users behind one address');
is(join(' ', both([burst('alice', 'right', '127.0.1.2')],
            [burst('bob', 'right', '127.0.1.3')])),
    '200=60 200=60', 'two users elsewhere');
is(join(' ', both([burst('carol', 'wrong', '127.0.1.4')],
            [burst('bob', 'right', '127.0.1.5')])),
    '401.1=60 200=60', "beside a stranger's burst");
$t->done;

done_testing;
