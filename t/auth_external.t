#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authnz_external behind the guard, as docs/authentication.md has it: what
# counts, what a locked visitor gets, and what happens where the program is
# missing or dies: the module says "denied", and that counts.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;

my $reason = AuthGuard::Modules::lacks('libapache2-mod-authnz-external');
plan skip_all => $reason if $reason;

my $kind = AuthGuard::Kind->new('External program');
my $t = AuthGuard::Httpd->new(modules => ['authnz_external'],
    conf => $kind->configuration);
my $program = $t->file('check-password', <<'SH');
#!/bin/sh
read -r user && read -r password || exit 2
case $user:$password in
alice:right|bob:secret) exit 0 ;;
dave:*) kill -9 $$ ;;
*) exit 1 ;;
esac
SH

chmod 0755, $program;
$t->dir($_) for $kind->faces;
$t->expect_lockout;
$t->expect_log(qr/AuthExtern check .*: Failed \($_/)
  for '1\) for user (?:bob|nobody)', '255\) for user bob', '-2\) for user dave';
$t->expect_log(qr/External authenticator died on signal 9/);
$t->start;
for my $face ($kind->faces, $kind->in_htaccess($t)) {
    $kind->prove($t, $face, user => 'bob', pass => 'secret',
        right => ['alice', 'right'],
        down  => sub { rename $program, "$program.away" or die $! },
        up    => sub { rename "$program.away", $program or die $! });
    is($t->guess_wrong("/$face/", 'dave', 7, from => "127.0.1." . length $face),
        '401.1=5 401.501=2', "$face: a program that dies counts");
}
$t->done;

done_testing;
