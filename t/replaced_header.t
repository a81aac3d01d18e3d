#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The bug: once a client had passed in one directory, a second one that its
# page included was not counted, although the configuration had put other
# credentials into the header meanwhile, made of what the client sent.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant LIMIT => 3;

my @guard = ('AuthGuard On', "AuthGuardLimit ip @{[LIMIT]}/10min");
my @page = (@guard, 'AddOutputFilter INCLUDES .html');
my $t = AuthGuard::Httpd->new(modules => ['include'],
    conf => guarded('set', @page, 'RequestHeader set Authorization '
          . '"expr=Basic %{base64:admin:%{QUERY_STRING}}"')
      . guarded('fake', @page, 'AuthBasicFake demo demo-password')
      . guarded('inner', @guard, 'AuthUserFile @ROOT@/inner-users'));
$t->dir('inner');
$t->file('docs/set/index.html', '[<!--#include virtual="/inner/" -->]');
$t->file('docs/fake/part.html', 'part');
$t->file('docs/fake/index.html', join '',
    '[', (map { qq(<!--#include virtual="$_" -->) } '/fake/part.html',
        '/inner/'), ']');
$t->passwords('users', { mallory => 'mine' });
$t->passwords('inner-users', { admin => 'secret', demo => 'demo-password' });
$t->expect_lockout;
$t->expect_log(qr/unable to include/);
$t->start;

sub page {
    my ($path, @from) = @_;
    my $answer = $t->get($path, user => 'mallory', pass => 'mine', @from);

    return $answer->status . ' ' . $answer->body;
}

# A header that the client can choose.
{
    my @from = (from => '127.0.1.1');
    my $before = $t->verified;
    my @pages = map { page("/set/?wrong$_", @from) } 1 .. 10;

    like($pages[0], qr/\A200 \[/, 'set: mallory has a page of his own');
    is(scalar(grep { /inside/ } @pages), 0, 'set: wrong ones show no more');
    cmp_ok($t->verified - $before, '<=', LIMIT,
        'set: no more than the limit are verified');
    unlike(page('/set/?secret', @from), qr/inside/,
        'set: then not even the right one shows it');
    is($t->guess('/inner/', 'admin', 'secret', @from), '401.501',
        'set: they counted');
    like(page('/set/?secret', from => '127.0.1.2'), qr/inside inner/,
        'set: which another client is shown');
}

# One that it can't: nothing is charged to who has passed.
{
    my @from = (from => '127.0.1.3');

    for (1 .. LIMIT + 2) {
        like(page('/fake/', @from), qr/\A200 \[partinside inner/,
            'fake: the page with all its parts');
    }
    is(($t->access)[-1]{failures}, 0, 'fake: nothing is charged');
    is($t->guess_wrong('/fake/', 'mallory', LIMIT - 1, @from),
        '401.1=' . (LIMIT - 1), 'fake: all guesses are left');
    like(page('/fake/', @from), qr/inside inner/, 'fake: and it is let in');
}
$t->done;

done_testing;
