#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The guard's section in mod_status: for people and as ?auto, with the numbers
# that htguard has, no client's address in it, said also when the store can't
# be read; and where mod_status is not loaded, the guard does without.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my $page = "<Location /server-status>\nSetHandler server-status\n</Location>\n";
my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');

# What htguard calls attempts_ok is AuthGuardAttemptsOk here.
sub key_of {
    my ($name) = @_;

    return 'AuthGuard' . join '', map { ucfirst } split /_/, $name;
}

sub auto_of {
    my ($t) = @_;
    my $answer = $t->get('/server-status?auto');

    is($answer->status, 200, 'server-status?auto');
    return map { /\A(AuthGuard\w+): (.*)\z/ ? ($1 => $2) : () } split /\n/,
      $answer->body;
}

sub plays_a_story {
    my ($t) = @_;

    is($t->guess_wrong('/a/', 'alice', 4, from => '127.0.1.1'),
        '401.1=3 401.501=1', 'one is locked out');
    is($t->guess('/a/', alice => 'right', from => '127.0.1.2'), 200,
        'one is let in');
    return;
}

# With mod_status.
{
    my $t = AuthGuard::Httpd->new(modules => ['status'],
        conf => $page . guarded('a', @guard));
    my $file = $t->root . '/run/authguard.shm';

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->start;
    plays_a_story($t);

    my $stats = decode_json(`'$htguard' -f '$file' stats --json`);
    delete $stats->{version};
    is("@$stats{qw(attempts_ok attempts_failed attempts_locked lockouts)}",
        '1 3 1 1', 'the story is counted');
    my %auto = auto_of($t);
    like(delete $auto{AuthGuardVersion}, qr/\A\d+\.\d+\.\d+\z/, 'the version');
    is(delete $auto{AuthGuardStoreUp}, 1, 'the store is up');
    is_deeply(\%auto, { map { key_of($_) => $stats->{$_} } keys %$stats },
        'and what else htguard knows');

    my $html = $t->get('/server-status')->body;
    like($html, qr/mod_auth_guard\)<\/h2>/, 'the page has a section');
    like($html, qr/>Clients locked out: 1, tracked: 2, room for: \d+\. /,
        'with the clients');
    like($html, qr/ room for: $stats->{table_size}\. Lockouts so far: 1\.</,
        'and the lockouts');
    my @outcome = map { /<th>(\w+)<\/th>/g } $html =~ /Outcome<\/th>(.*)/;
    my @count = map { /<td>(\d+)<\/td>/g } $html =~ /Attempts<\/th>(.*)/;
    my %attempts;
    @attempts{ map { "attempts_$_" } @outcome } = @count;
    is_deeply(\%attempts,
        { map { /\Aattempts_/ ? ($_ => $stats->{$_}) : () } keys %$stats },
        'and the attempts by outcome');
    my ($section) = $html =~ /mod_auth_guard\)<\/h2>(.*?<\/table>)/s;
    unlike($section // '127.', qr/127\./, 'and no address');

    $t->graceful;
    is({ auto_of($t) }->{AuthGuardLockouts}, 1, 'a graceful keeps the section');
    $t->done;
}

# The store can't be opened: no number is told as 0.
{
    my $t = AuthGuard::Httpd->new(modules => ['status'], guard => 0,
        conf => 'LoadModule auth_guard_module '
          . AuthGuard::Modules::guard_path()
          . "\nDefaultRuntimeDir \@ROOT\@/nowhere\n$page");

    $t->file('nowhere/authguard.shm/a directory', '');
    $t->expect_log(qr/AG0206: /);
    $t->start;
    my %auto = auto_of($t);
    is($auto{AuthGuardStoreUp}, 0, 'the store is down');
    is_deeply([sort keys %auto], [qw(AuthGuardStoreUp AuthGuardVersion)],
        'and nothing else is told');
    like($t->get('/server-status')->body, qr/The store can't be read/,
        'the page says so');
    $t->done;
}

# Without mod_status.
{
    my $t = AuthGuard::Httpd->new(conf => guarded('a', @guard));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->start;
    plays_a_story($t);
    $t->done;
}

done_testing;
