#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Five wrong passwords, then the client is locked out: by both faces, switched
# on in either place, under each MPM.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use Time::HiRes qw(sleep time);

my $limit = 'AuthGuardLimit ip 5/10min lockout=4s max=4s';
my @provider = ('AuthBasicProvider guard', 'AuthGuardProvider file', $limit);
my @switch = ('AuthGuard On', $limit);
my @faces = qw(provider switch ht-provider ht-switch);
my $lockout_seconds = 4;

sub server {
    my ($mpm) = @_;
    my $t = AuthGuard::Httpd->new(mpm => $mpm,
        conf => guarded('provider', @provider) . guarded('switch', @switch));

    $t->dir($_) for qw(provider switch);
    $t->dir('ht-provider', basic(@provider));
    $t->dir('ht-switch', basic(@switch));
    $t->passwords('users', { alice => 'right', bob => 'secret' }, cost => 5);
    $t->expect_lockout;
    return $t->start;
}

# One face's client, up to its lockout.
sub locks_out {
    my ($t, $name, $path, @from) = @_;
    my $before = $t->verified;

    is($t->get($path, @from)->code, '401.2', "$name: without a password");
    is($t->guess($path, alice => 'right', @from), 200, "$name: the right one");
    is($t->guess_wrong($path, 'alice', 5, @from), '401.1=5',
        "$name: five wrong ones");
    my $wrong = $t->get($path, user => 'alice', pass => 'wrong again', @from);
    my $right = $t->get($path, user => 'alice', pass => 'right', @from);
    is($wrong->code, '401.501', "$name: then wrong");
    is($right->code, '401.501', "$name: and right alike are refused");
    is($right->fingerprint, $wrong->fingerprint, "$name: in the same bytes");
    is($t->guess($path, bob => 'secret', @from), '401.501',
        "$name: another user from there too");
    is($t->get($path, @from)->code, '401.501', "$name: and no password");
    is($t->guess($path, 'alice', 'right', from => '127.0.2.2'), 200,
        "$name: another client is let in");
    is($t->verified - $before, 5, "$name: five wrong ones were verified");
    return;
}

my @servers = map { server($_) } qw(event worker prefork);
my $last_lockout;
for my $t (@servers) {
    for my $i (0 .. $#faces) {
        locks_out($t, "$t->{mpm}, $faces[$i]", "/$faces[$i]/",
            from => "127.0.1.$i");
        $last_lockout = time;
    }
}
sleep $last_lockout + $lockout_seconds + 0.2 - time;
for my $t (@servers) {
    for my $i (0 .. $#faces) {
        is($t->guess("/$faces[$i]/", 'alice', 'right', from => "127.0.1.$i"),
            200, "$t->{mpm}, $faces[$i]: after the lockout");
    }
    is(scalar($t->log_lines(qr/AG0101/)), 4, "$t->{mpm}: four lockouts");
    is(scalar($t->log_lines(qr/AG0101.* origin=htaccess /)), 2,
        "$t->{mpm}: two of them switched on in .htaccess");
    $t->done;
}

# Nothing changes anywhere by loading the module alone; Off wins.
{
    my $t = AuthGuard::Httpd->new(conf => guarded('plain')
          . guarded('off', 'AuthBasicProvider guard', 'AuthGuard Off',
            'AuthGuardLimit ip 1/10min'));
    $t->dir($_) for qw(plain off);
    $t->passwords('users', { alice => 'right' });
    $t->start;
    for my $dir (qw(plain off)) {
        my @answers = $t->many(1, wrong_guesses("/$dir/", 'alice', 8));
        is(scalar(grep { $_->status == 401 } @answers), 8,
            "$dir: wrong ones are wrong");
        unlike($answers[0]->body, qr/401\.\d/, "$dir: in httpd's own words");
        is($t->guess("/$dir/", 'alice', 'right'), 200, "$dir: right is right");
    }
    is($t->verified, 16, 'each was verified');
    my %states = map { $_->{state} => 1 } $t->access(18);
    is(join(' ', sort keys %states), 'unguarded', 'nothing was guarded');
    $t->done;
}

done_testing;
