#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A graceful restart that changes what is loaded: the store stays open in the
# parent, while the module's code may come to lie at another address.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

for my $mpm (qw(event prefork)) {
    my $t = AuthGuard::Httpd->new(mpm => $mpm,
        conf => guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 3/10min'));
    my @more = qw(rewrite proxy proxy_http dav auth_digest include);
    my @from = (from => '127.0.1.1');

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->start;
    is($t->guess_wrong('/a/', 'alice', 2, @from), '401.1=2', "$mpm: two");
    unshift @{ $t->{modules} }, @more;
    $t->file('httpd.conf', $t->configuration);
    $t->graceful;
    is($t->guess_wrong('/a/', 'alice', 1, @from), '401.1=1',
        "$mpm: a third, with other modules");
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$mpm: locks out");
    splice @{ $t->{modules} }, 0, scalar @more;
    $t->file('httpd.conf', $t->configuration);
    $t->graceful for 1 .. 2;
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$mpm: still, without them");

    # Another size has to wait for a start; a graceful says so.
    $t->{store} = 'shm file=@ROOT@/run/authguard.shm clients=2000';
    $t->file('httpd.conf', $t->configuration);
    $t->graceful;
    is(scalar($t->log_lines(qr/:warn\].* AG0205: /)), 1,
        "$mpm: another size is not for a graceful");
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$mpm: still locked");
    $t->stop;
    $t->start;
    is(scalar($t->log_lines(qr/:notice\].* AG0204: /)), 1,
        "$mpm: but for a start");
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "$mpm: entries are carried over");

    # A second server on the file is refused.
    my $second = AuthGuard::Httpd->new(
        store => "shm file=@{[$t->root]}/run/authguard.shm");
    like($second->refusal // '', qr/AG0203: /, "$mpm: a second server");
    $second->expect_log(qr/AG020[36]/, optional => 1);
    $second->done;
    is($t->get('/')->status, 200, "$mpm: does not disturb the first");
    $t->expect_log(qr/AG0205: /);
    $t->expect_log(qr/AG0204: /);
    $t->done;
}

# An upgrade: the file of the module is replaced, and a graceful loads a build
# that keeps its store in another form. It must not read the old one's memory.
{
    my $top = AuthGuard::Modules::top();
    my $flags = 'CPPFLAGS=-DLAYOUT=99';
    my @from = (from => '127.0.1.1');

    system("make -s -C $top B=build/upgrade $flags build/upgrade/mod_auth_guard.so"
          . ' >&2') == 0 or die 'could not build the upgrade';
    my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On',
            'AuthGuardLimit ip 3/10min'));
    my $installed = $t->root . '/mod_auth_guard.so';

    system('cp', AuthGuard::Modules::guard_path(), $installed) == 0 or die;
    local $ENV{AUTHGUARD_SO} = $installed;
    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->start;
    is($t->guess('/a/', 'alice', $_, @from), '401.1', "before: $_")
      for qw(one two);
    system('cp', "$top/build/upgrade/mod_auth_guard.so", "$installed.new") == 0
      && rename("$installed.new", $installed) or die;
    $t->graceful for 1 .. 2;
    is($t->guess('/a/', 'alice', 'one', @from), '401.1',
        'upgraded: a guess from before is known, and not counted again');
    is($t->guess('/a/', 'alice', 'three', @from), '401.1', 'a third one');
    is($t->guess('/a/', 'alice', 'right', @from), '401.501', 'locks out');
    $t->expect_log(qr/AG0102: /, optional => 1);
    $t->done;
}

done_testing;
