#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Observe: counts and tells as On would, and refuses nobody.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $limit = 'AuthGuardLimit ip 3/10min';
my $told = 'Header always set X-Told "%{AUTHGUARD_STATE}e '
  . '%{AUTHGUARD_SUBSTATUS}e %{AUTHGUARD_RETRY_AFTER}e"';
my $t = AuthGuard::Httpd->new(modules => ['include'],
    conf => guarded('observe', 'AuthGuard Observe', $limit, $told,
        'ErrorDocument 401 /error.html')
      . guarded('provider', 'AuthBasicProvider guard', 'AuthGuard Observe',
        $limit, $told)
      . guarded('on', 'AuthGuard On', $limit) . <<'CONF');
<Location "/error.html">
    SetOutputFilter INCLUDES
</Location>
CONF
$t->dir($_) for qw(observe provider on);
$t->file('docs/error.html',
    'observed=<!--#echo var="REDIRECT_AUTHGUARD_OBSERVED" --> '
      . 'state=<!--#echo var="REDIRECT_AUTHGUARD_STATE" -->');
$t->passwords('users', { alice => 'right' });
$t->expect_log(qr/:warn\].* AG0104: would lock out: /);
$t->start;

for my $face (qw(observe provider)) {
    my @from = (from => $face eq 'observe' ? '127.0.1.1' : '127.0.1.2');
    my $lines = $t->access;
    my $before = $t->verified;
    my @answers = $t->many(1, wrong_guesses("/$face/", 'alice', 10, @from));
    is(scalar(grep { $_->status == 401 } @answers), 10,
        "$face: wrong ones are wrong");
    is($t->verified - $before, 10, "$face: each was verified");
    my @log = $t->access($lines + 10);
    is(join(' ', map { $_->{state} } @log[$lines .. $lines + 9]),
        join(' ', ('failed') x 3, ('locked') x 7),
        "$face: the state is what On would have answered");
    is($t->guess("/$face/", 'alice', 'right', @from), 200,
        "$face: the right one is let in");
    is(($t->access($lines + 11))[-1]{state}, 'locked',
        "$face: On would have refused it");
    my $again = $t->get("/$face/", user => 'alice', pass => 'right', @from);
    is($again->status, 200, "$face: again");
    like($again->header('x-told'), qr/\Alocked 401\.501 \d+\z/,
        "$face: and the variables say with what");
    like($answers[4]->body, qr/observed=1 state=locked/,
        'the variables tell an ErrorDocument')
      if $face eq 'observe';
    is($answers[4]->header('retry-after'), undef,
        "$face: no Retry-After where nothing is refused");
    my ($first, @more) = $t->log_lines(qr/AG0104: .*client=$from[1] /);
    ok($first, "$face: the lockout that is none is told");
    is(scalar(@more), 0, "$face: once");

    # Records of its own.
    is($t->guess('/on/', 'alice', 'right', @from), 200,
        "$face: On has not heard of it");
}
is(scalar($t->log_lines(qr/AG010[12]/)), 0, 'nobody was locked or refused');

# A burst: all are verified, none is slowed down to "busy".
my $before = $t->verified;
my @guesses = wrong_guesses('/observe/', 'alice', 60, from => '127.0.1.3');
my @answers = $t->many(30, @guesses);
is(scalar(grep { $_->status == 401 } @answers), 60, 'a burst: all 401');
is($t->verified - $before, 60, 'a burst: all verified');
$t->done;

done_testing;
