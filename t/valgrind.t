#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Memcheck of a short run: no error in the module, and nothing of its leaks.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

plan skip_all => 'valgrind is missing (make deps)'
  if system('valgrind --version >/dev/null 2>&1');

my @guard = ('AuthGuardLimit ip 3/10min', 'AuthGuardLimit login 2/10min',
    'AuthGuardLimit net 50/10min');
my $t = AuthGuard::Httpd->new(mpm => 'event',
    modules => [qw(auth_digest include)],
    command => ['valgrind', '-q', '--leak-check=full',
        '--show-leak-kinds=definite', '--keep-debuginfo=yes',
        '--num-callers=30', '--log-file=@ROOT@/logs/valgrind.log'],
    options => ['-X'], start_seconds => 60,
    conf => "StartServers 1\nServerLimit 1\nThreadsPerChild 8\n"
      . "MaxRequestWorkers 8\nMinSpareThreads 1\nMaxSpareThreads 8\n"
      . guarded('on', 'AuthGuard On', @guard, 'AuthGuardExempt 127.0.9.9')
      . guarded('provider', 'AuthBasicProvider guard', @guard)
      . guarded('observe', 'AuthGuard Observe', @guard)
      . guarded('page', 'AuthGuard On', @guard,
        'ErrorDocument 401 /error.html', 'AuthGuardResponse 401')
      . guarded('digest', 'AuthType Digest', 'AuthGuard On', @guard));
$t->dir($_) for qw(on provider observe page digest);
$t->dir('ht', basic('AuthGuard On', @guard, 'AuthGuardResponse 404'));
$t->file('docs/error.html', 'error');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out: /);
$t->expect_log(qr/AH01782: missing user, realm/);
$t->start;

my $serial = 0;
for my $dir (qw(on provider observe page ht)) {
    my @from = (from => '127.0.1.' . ++$serial);
    $t->get("/$dir/", @from);
    is($t->guess("/$dir/", 'alice', 'right', @from), 200, "$dir: right");
    $t->many(4, wrong_guesses("/$dir/", 'alice', 6, @from));
    $t->many(4, ({ path => "/$dir/", user => 'alice', pass => 'x',
                from => "127.0.2.$serial" }) x 6);
    $t->many(1, map { { path => "/$dir/", user => 'alice', pass => 'right',
                @from, headers => [Accept => $_] } }
          qw(text/html application/json text/plain));
    $t->many(1, { path => "/$dir/", @from,
            headers => [Authorization => 'Basic !!!'] });
}
$t->guess_wrong('/on/', 'alice', 3, from => '127.0.9.9');
$t->get('/digest/', headers => [Authorization => 'Digest username="x"']);
is($t->get('/')->status, 200, 'alive');
$t->stop;

# Reports are set apart by an empty "==pid==" line; those are ours that have
# a frame of ours.
my $log = AuthGuard::Httpd::slurp($t->root . '/logs/valgrind.log');
my @reports = grep { /guard_|mod_auth_guard/ } split /^==\d+== $/m, $log;
is(scalar(@reports), 0, 'no error, no definite leak')
  or diag(@reports[0 .. ($#reports > 4 ? 4 : $#reports)]);
ok(-e $t->root . '/logs/valgrind.log', 'valgrind was there');
$t->done;

done_testing;
