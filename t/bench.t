#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# bench/run, a short one: both ways of the guard let five wrong passwords be
# looked at and refuse nobody, and a server without a guard shows that the bench
# would see it if they did not. What was not measured says so, what misses a
# goal that gates is told by the exit status, and nothing is left, neither at
# the end nor when it is interrupted. Peers are not needed here; nginx, where
# `make bench-deps` has fetched it, shows that refusals would be seen, too.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp ();
use JSON::PP ();
use Test::More;
use Time::HiRes qw(sleep time);
use AuthGuard::Httpd ();
use AuthGuard::Modules ();

use constant PATIENCE_SECONDS => 60;

plan skip_all => 'no MPM event here'
  unless AuthGuard::Modules::has('mpm_event');

my $bench = AuthGuard::Modules::top() . '/bench/run';
my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $temp = "$dir/temp";
my $out = "$dir/out";
mkdir $temp or die "$temp: $!";
chmod 0755, $dir, $temp;
my $run = "TMPDIR='$temp' timeout 300 '$bench' --out '$out'";

sub report { return AuthGuard::Httpd::slurp("$out/RESULTS.md") }

# The cells of the first row that begins like that.
sub cells {
    my ($name) = @_;
    my ($row) = report() =~ /^\| \Q$name\E \| (.*) \|$/m;

    return split / \| /, $row // '';
}

# Processes of a bench that has its files here.
sub left {
    my @found;

    for my $file (glob '/proc/[0-9]*/cmdline') {
        my $line = AuthGuard::Httpd::slurp($file);

        push @found, $line =~ tr/\0/ /r if index($line, "$temp/") >= 0;
    }
    return @found;
}

# ---- a short run ----

my $said = `$run --quick --cells exact --peers plain,guard,provider,nginx 2>&1`;
is($? >> 8, 0, 'the goals that gate are reached') or diag($said);

for my $way ('AuthGuard On', 'AuthBasicProvider guard') {
    my ($fresh, $kept, $patient, $refused, $rate, $visitor, $old) =
      cells("mod_auth_guard, $way");

    is("$fresh $kept $patient", '5 5 5', "$way: five are looked at")
      or diag($said);
    is("$refused $visitor $old", '0 no no', "$way: nobody is refused");
    like($rate, qr/\A[1-9]/, "$way: right ones come in");
}
my ($fresh, $kept, $patient) = cells('plain httpd, no guard');
cmp_ok($fresh, '>', 5, 'without a guard all of them are');
is($kept, 'not measured', 'what was not measured says so');
cmp_ok($patient, '>', 5, 'also those of a patient guesser');
is((cells('mod_qos, counts 401s'))[0], 'not measured',
    'so does who was not there');
SKIP: {
    my @nginx = cells('nginx limit_req, 1r/m burst=4');

    if ($nginx[0] eq 'not measured') {
        like(report(), qr/^- nginx \(exact\): skipped: \S/m, 'and it says why');
        skip 'no nginx here (make bench-deps)', 2;
    }
    pass('nginx is here');
    cmp_ok($nginx[3], '>', 0, 'it refuses right passwords');
    is($nginx[6], 'yes', 'and who had an old one saved');
}
is(scalar(() = report() =~ /: (?:at most 5|0) \|.*\| reached \|$/mg), 3,
    'the goals are reached');
is(scalar(() = report() =~ /\| MISSED \|$/mg), 0, 'none is missed');
like(AuthGuard::Httpd::slurp("$out/results.svg"),
    qr{\A<svg .*not measured.*</svg>\n\z}s, 'the picture says it too');
is(join("\n", left()), '', 'no process is left');
is(scalar(() = glob "$temp/*"), 0, 'no file is left');

# ---- a report of figures that miss ----

my $data = JSON::PP->new->decode(AuthGuard::Httpd::slurp("$out/data.json"));

sub draw {
    open(my $file, '>', "$dir/data.json") or die "$dir/data.json: $!";
    print $file JSON::PP->new->encode($data);
    close $file or die "$dir/data.json: $!";
    my $answer = `$run --draw '$dir/data.json' 2>&1`;

    return $? >> 8;
}

my $ours = $data->{seen}{exact}{provider};
is(draw(), 0, 'the same figures give the same');
push @{ $ours->{kept} }, 6;
is(draw(), 1, 'one wrong password more, in one turn of one way: missed');
like(report(), qr/^\| wrong passwords.* 6 \| MISSED \|$/m, 'and it says so');
pop @{ $ours->{kept} };
$ours->{visitor_refused} = [1];
is(draw(), 1, 'so is a visitor who is refused');
$ours->{visitor_refused} = [0];
$ours->{old_refused} = [1];
is(draw(), 1, 'and one whose browser had an old password');
$ours->{old_refused} = [0];
$data->{notes}{provider}{exact} = 'failed: it ended';
is(draw(), 1, 'and a way of the guard that was not measured to the end');
delete $data->{notes}{provider};
$data->{seen}{calm}{guard}{one_ratio_user} = [1.9];
is(draw(), 0, 'what hangs on the clock does not gate');
like(report(), qr/^\| a user's p50 under one .* 1\.90 \| MISSED \|$/m,
    'but it is told');
$data->{notes}{nginx}{calm} = 'skipped: no nginx here';
draw();
like(report(), qr/^- nginx \(calm\): skipped: no nginx here$/m,
    'who was skipped is told, and why');

# Who takes part in some of the turns is compared in those. Of many turns the
# middle half is told.
my $uneven = { turn => [1 .. 12], rate => [1 .. 12],
    rate_ratio => [map { $_ == 1 || $_ == 7 ? 1.2 : 0.9 } 1 .. 12] };
$data->{seen}{refusal} = {
    (map { $_ => $uneven } qw(guard provider)),
    evasive => { turn => [1 .. 12], rate_ratio => [(0.9) x 12] },
    qos => { turn => [1, 7], rate_ratio => [1.6, 1.6] },
    modsecurity => { turn => [7], rate_ratio => [0.1] } };
draw();
like(report(), qr/^\| refusals a second, .*\| 0\.75 and 0\.75 \| MISSED \|$/m,
    'beside whom it comes out worst, turn by turn');
like(report(), qr/^\| mod_auth_guard, AuthGuard On \| \d \(4 to 9\) \|/m,
    'the middle half of twelve');
delete $data->{seen}{refusal}{modsecurity};
draw();
like(report(),
    qr/^\| refusals a second, .*\| not measured \| not measured \|$/m,
    'not where one of them is missing');
delete $data->{seen}{refusal};

# ---- turns of their own servers leave none ----

my $top = AuthGuard::Modules::top();
my $turns = <<'END';
Test::More->builder->no_ending(1);
my $run = Bench::Run->new(quick => 1, peers => [qw(plain guard)]);
Bench::Cost::measure($run);
print "$_: @{ $run->data->{seen}{$_}{guard}{turn} }\n" for qw(refusal good);
print "left: $_\n" for glob "$ENV{TMPDIR}/*";
END
open(my $script, '>', "$dir/turns.pl") or die "$dir/turns.pl: $!";
print $script $turns;
close $script or die "$dir/turns.pl: $!";
my $perl = "perl -I'$top/bench' -I'$top/t/lib'";
my $use = '-MTest::More -MBench::Run -MBench::Cost';
my $of_turns =
  `TMPDIR='$temp' timeout 300 $perl $use '$dir/turns.pl' 2>'$dir/said'`;
is($of_turns, "refusal: 1 2\ngood: 1 2\n", 'servers of a turn go with it')
  or diag(AuthGuard::Httpd::slurp("$dir/said"));

# ---- bad arguments, and an interruption ----

for my $bad ('--cells nothing', '--peers guard,nobody', '--fast', 'exact') {
    my $answer = `$run $bad 2>&1`;

    is($? >> 8, 2, "'$bad' is refused");
}

my $pid = fork // die "fork: $!";
if (!$pid) {
    open(STDERR, '>', '/dev/null');
    $ENV{TMPDIR} = $temp;
    exec($bench, '--quick', '--cells', 'exact', '--peers', 'plain,guard',
        '--out', $out) or die "$bench: $!";
}
my $deadline = time + PATIENCE_SECONDS;
sleep 0.05 until left() >= 2 || time > $deadline;
kill 'TERM', $pid;
waitpid $pid, 0;
isnt($?, 0, 'an interrupted run does not look like a whole one');
sleep 0.05 while left() && time < $deadline;
is(join("\n", left()), '', 'its servers are ended');
is(scalar(() = glob "$temp/*"), 0, 'and its files are gone');

done_testing;
