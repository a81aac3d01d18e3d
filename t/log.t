#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The lines for programs: exact fields in a fixed order, and their rate.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);

# One child, so that its rate limit is the server's.
my $t = AuthGuard::Httpd->new(threads => 1,
    conf => "StartServers 1\nServerLimit 1\nMaxRequestWorkers 100\n"
      . "MaxSpareThreads 100\n"
      . guarded('a', 'AuthGuard On', 'AuthName "a realm"',
        'AuthGuardScope here',
        'AuthGuardLimit ip 3/5min lockout=2min max=1h')
      . guarded('keys', 'AuthGuard On', 'AuthGuardScope keys',
        'AuthGuardLimit ip none', 'AuthGuardLimit net 2/1h',
        'AuthGuardLimit user 2/1h', 'AuthGuardLimit login 2/1h')
      . guarded('observe', 'AuthGuard Observe', 'AuthGuardScope seen',
        'AuthGuardLimit ip 1/10min'));
$t->dir($_) for qw(a keys observe);
$t->dir('ht', basic('AuthGuard On', 'AuthGuardLimit ip 1/10min'));
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out: /);
$t->start;

sub stamp { return strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $_[0] }

{
    my @from = (from => '127.0.1.1');
    $t->guess_wrong('/a/', 'alice', 2, @from);
    my $before = int time;
    $t->guess('/a/', 'bob', 'x', @from);
    my $after = time;
    my ($line, @more) = $t->log_lines(qr/AG0101/);
    is(scalar(@more), 0, 'one line a lockout');
    my ($until) = $line =~ / until=(\S+) /;
    my $told = qr{client=127\.0\.1\.1\ net=127\.0\.1\.1/32\ key=ip
      \ failures=3/3\ window=300\ lock=120\ level=1\ until=$until
      \ origin=server\ scope=here\ realm=a%20realm\ user=bob}x;
    like($line, qr/\[auth_guard:warn\] .*\bAG0101: lockout: $told(?:\z|, )/,
        'each field in its place');
    ok($until ge stamp($before + 120) && $until le stamp($after + 121),
        "until is the end of the lockout: $until");
}

{
    is($t->guess_wrong('/ht/', 'alice', 1, from => '127.0.1.2'), '401.1=1',
        '.htaccess');
    my ($line) = $t->log_lines(qr/AG0101: .*client=127\.0\.1\.2 /);
    like($line, qr/ origin=htaccess scope=\S+ realm=test user=alice/,
        'switched on in a .htaccess');
    $t->guess_wrong('/observe/', 'alice', 1, from => '127.0.1.3');
    ($line) = $t->log_lines(qr/AG0104/);
    like($line, qr{:warn\]\ .*AG0104:\ would\ lock\ out:\ client=127\.0\.1\.3
        \ net=127\.0\.1\.3/32\ key=ip\ failures=1/1\ window=600\ lock=900
        \ level=1\ until=\S+\ origin=server\ scope=seen\ realm=test
        \ user=alice(?:\z|,\ )}x, 'Observe: the same fields');
}

{
    $t->guess_wrong('/keys/', 'alice', 2, from => '127.0.1.4');
    my @lines = $t->log_lines(qr/AG0101: .* scope=keys /);
    my %by_key = map { / key=(\w+) / ? ($1 => $_) : () } @lines;
    is(join(' ', sort keys %by_key), 'login net user', 'one line a limit');
    like($by_key{net}, qr/client=127\.0\.1\.4 net=127\.0\.1\.0\/24 /,
        'net: the network');
    like($by_key{login}, qr/client=127\.0\.1\.4 net=127\.0\.1\.4\/32 /,
        'login: the address');
}

# Refusals: one line a second for each child, the rest are added up.
sub refusals {
    my @lines = $t->log_lines(qr/\[auth_guard:info\] .*AG0102: refused: /);
    my $sum = @lines;

    $sum += $_ for map { /suppressed=(\d+)/ ? $1 : 0 } @lines;
    return ($sum, @lines);
}

{
    my @from = (from => '127.0.1.1');
    my ($before, @old) = refusals();
    my $began = time;
    sleep 1.1;
    $t->many(20, ({ path => '/a/', user => 'alice', pass => 'right',
                @from }) x 100);
    sleep 1.1;
    $t->guess('/a/', 'alice', 'right', @from);
    my $seconds = time - $began;
    my ($after, @lines) = refusals();
    is($after - $before, 101, 'refusals: each is told or added up');
    cmp_ok(@lines - @old, '<=', $seconds + 1,
        'refusals: one line a second at most');
    cmp_ok(@lines - @old, '>=', 2, 'refusals: two lines at least');
    like($lines[-1], qr/AG0102: refused: client=127\.0\.1\.1 /,
        'refusals: whose');
    like($lines[-1], qr/ suppressed=[1-9]\d*\b/, 'refusals: with the number');
}
$t->done;

done_testing;
