#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# One guess, 400 times at once. A wrong one is verified once, and everybody is
# told so. A right one lets everybody in: the others wait for the first, and
# are then verified as any proven guess is, each by itself.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant { TIMES => 400, LIMIT => 2 };

# As httpd's defaults have it, and with larger children. prefork has one
# thread a child.
my @servers = (['event', 25], ['event', 64], ['worker', 25], ['worker', 64],
    ['prefork']);

sub threads {
    my ($threads) = @_;
    return '' unless $threads;

    return "ThreadLimit 64\nServerLimit 16\nThreadsPerChild $threads\n"
      . 'MaxRequestWorkers ' . 8 * $threads . "\nStartServers 4\n"
      . 'MaxSpareThreads ' . 8 * $threads . "\n";
}

sub slow {
    my ($name, $delay) = @_;

    return guarded($name, 'AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min",
        'AuthBasicProvider slow', 'AuthnSlowUser alice:right',
        "AuthGuardScope $name", "AuthnSlowDelay $delay",
        "AuthnSlowCount \@ROOT\@/run/$name");
}

sub server {
    my ($mpm, $threads) = @_;
    my $has_h2 = $mpm ne 'prefork';    # mod_http2 does not work there
    my $t = AuthGuard::Httpd->new(mpm => $mpm,
        modules => ['authn_slow', $has_h2 ? 'http2' : ()],
        conf => threads($threads) . "AuthGuardChecks 8 wait=20s\n"
          . ($has_h2 ? "Protocols h2c http/1.1\n"
              . "H2MaxSessionStreams @{[TIMES]}\n" : '')
          . slow('wrong', 300) . slow('right', 30));

    for my $name (qw(wrong right)) {
        $t->dir($name);
        chmod 0666, $t->file("run/$name", '');
    }
    $t->expect_log(qr/AG0102: refused: .* reason=repeat /, optional => 1);
    $t->expect_log(qr/MaxRequestWorkers/, optional => 1);
    return $t->start;
}

sub all_at_once {
    my ($t, $name, $send, @from) = @_;
    my %request = (user => 'alice', @from);
    my %before = map { $_ => -s $t->root . "/run/$_" || 0 } qw(wrong right);
    my $checks = sub { (-s $t->root . "/run/$_[0]" || 0) - $before{ $_[0] } };

    is(tally($send->(({ %request, path => '/wrong/', pass => 'x' }) x TIMES)),
        '401.1=' . TIMES, "$name: wrong, and everybody is told so");
    is($checks->('wrong'), 1, "$name: verified once");
    is($t->guess_wrong('/wrong/', 'alice', LIMIT - 1, @from),
        '401.1=' . (LIMIT - 1), "$name: counted once");
    is($t->guess('/wrong/', 'alice', 'right', @from), '401.501',
        "$name: or these would not have been the last");
    is(tally($send->(({ %request, path => '/right/', pass => 'right' })
              x TIMES)), '200=' . TIMES, "$name: right, and all are let in");
    is($checks->('right'), TIMES, "$name: each verified by itself");
    return;
}

for my $server (@servers) {
    my $name = join ' ', @$server;
    my $t = server(@$server);

    $t->expect_lockout;
    all_at_once($t, $name, sub { $t->many(TIMES, @_) }, from => '127.0.1.1');
    all_at_once($t, "$name, HTTP/2", sub { $t->h2(TIMES, @_) },
        from => '127.0.1.2') if $server->[0] ne 'prefork';
    $t->done;
}

done_testing;
