#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A right password is never refused because it came many times at once, and
# different users behind one address are all served.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @names = map { "user$_" } 1 .. 13;

for my $mpm (qw(event worker prefork)) {
    my $has_h2 = $mpm ne 'prefork';
    my $t = AuthGuard::Httpd->new(mpm => $mpm,
        modules => $has_h2 ? ['http2'] : [],
        conf => ($has_h2 ? "Protocols h2c http/1.1\n" : '')
          . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 3/10min')
          . guarded('office', 'AuthGuard On', 'AuthGuardLimit ip 3/10min',
            'AuthUserFile @ROOT@/office'));
    $t->dir($_) for qw(a office);
    $t->passwords('users', { alice => 'right' }, cost => 5);
    $t->passwords('office', { map { $_ => "pw-$_" } @names }, cost => 8);
    $t->start;

    my @same = ({ path => '/a/', user => 'alice', pass => 'right',
            from => '127.0.1.1' }) x 300;
    is(tally($t->many(40, @same)), '200=300',
        "$mpm: one user, 40 at a time");
    $same[0]{from} = '127.0.1.2';
    is(tally($t->h2(100, @same)), '200=300',
        "$mpm: one HTTP/2 connection of 100 streams")
      if $has_h2;

    my @people = map {
        { path => '/office/', user => $_, pass => "pw-$_",
            from => '127.0.1.3' }
    } @names;
    is(tally($t->many(13, @people)), '200=13',
        "$mpm: 13 users sign in at once behind one address");
    is(tally($t->many(13, @people)), '200=13', "$mpm: and once more");
    is($t->guess_wrong('/office/', 'user1', 2, from => '127.0.1.3'),
        '401.1=2', "$mpm: nothing of that has counted");
    is($t->guess('/office/', 'user1', 'pw-user1', from => '127.0.1.3'), 200,
        "$mpm: the third would have been");
    $t->done;
}

done_testing;
