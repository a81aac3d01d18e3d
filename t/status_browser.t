#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The status page in a browser, as an administrator has it at night: a locked
# client is found by search, unlocked with its button, and let in. Another
# site's form that does the same does nothing. The page needs no script, fits a
# telephone, can be used by keyboard, and its words have contrast in light and
# in dark.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Browser;

if (my $reason = AuthGuard::Browser::lacks()) {
    plan(skip_all => $reason);
}

my $t = AuthGuard::Httpd->new(conf => "<Location /guard>\n"
      . "SetHandler auth-guard-status\nAuthGuardStatus Actions\n" . basic()
      . "</Location>\n"
      . guarded('desk', 'AuthGuard On', 'AuthGuardScope desk'));
$t->dir('desk');
$t->passwords('users', { alice => 'right', bob => 'secret' });
$t->expect_lockout;
$t->expect_log(qr/\bAG0103:\ unlocked:\ client=127\.0\.1\.7\ user=-
    \ scope=desk\ count=1\ by=alice$/x);
$t->expect_log(qr/\bAG0112: .* reason=origin by=alice$/);
$t->start;
my $port = $t->port;
my $site = "alice:right\@localhost:$port";

# The other site's page, with a form that a visitor's click sends.
$t->file('docs/evil.html', '<!DOCTYPE html><title>x</title>'
      . "<form method=post action=\"http://localhost:$port/guard"
      . '?client=127.0.1.7"><input name=token value=0123456789abcdef>'
      . '<input name=unlock value=all><button>Win a prize</button></form>');

sub locked {
    return $t->guess('/desk/', 'bob', 'secret', from => '127.0.1.7');
}

$t->guess_wrong('/desk/', 'bob', 5, from => '127.0.1.7');
$t->guess_wrong('/desk/', 'bob', 5, from => '127.0.1.8');
is(locked(), '401.501', 'a colleague can not get in');

my $b = AuthGuard::Browser->new;
$b->go("http://$site/guard");
like($b->text('h1'), qr/Password guard/, 'the page is there');
is($b->count('tbody tr'), 2, 'two are locked out');

# The other site. The browser has the password, and would send it along.
$b->go("http://127.0.0.1:$port/evil.html");
$b->click('button');
like($b->text('main'), qr/Nothing was done: the request did not come/,
    "another site's form is refused");
is(locked(), '401.501', 'and did nothing');

# By search and button.
$b->go("http://localhost:$port/guard");
$b->type('#client', '127.0.1.7');
$b->click('form[role=search] button');
$b->wait_for('the search', sub { $b->count('tbody tr') == 1 });
is($b->text('tbody th'), '127.0.1.7', 'found by search');
like($b->text('tbody tr'), qr/Locked.*desk.*5 of 5.*1[45] minutes/s,
    'with all that is to be known');
is($b->heard('tbody button', 'label'), 'Unlock 127.0.1.7, ip, desk',
    'a screen reader hears what the button does');
$b->click('tbody button');
is($b->text('[role=status]'), 'Unlocked: 1 record was cleared.',
    'unlocked with the button');
is($b->script('return document.activeElement.getAttribute("role")'), 'status',
    'which a screen reader comes to first');
is(locked(), 200, 'and let in');
is($t->guess('/desk/', 'bob', 'secret', from => '127.0.1.8'), '401.501',
    'nobody else is');

# Going back and reloading repeats nothing: the page was asked for by GET.
$t->guess_wrong('/desk/', 'bob', 5, from => '127.0.1.7');
$b->command(POST => 'refresh');
is($b->text('h1'), 'Password guard', 'reloaded');
is(locked(), '401.501', 'which unlocks nobody');

# No script, and the style is let in by its hash.
$b->go("http://localhost:$port/guard?view=all");
is($b->script('return document.scripts.length'), 0, 'no script');
is($b->script('return getComputedStyle(document.querySelector("main"))'
      . '.maxWidth'), '1280px', 'the style is in force');

# What a screen reader hears.
is($b->heard('table', 'role'), 'table', 'the table is one');
is($b->heard('tbody th', 'role'), 'rowheader', 'its rows have heads');
is($b->heard('nav.views', 'label'), 'Views', 'landmarks have names');
is($b->heard('#client', 'label'), 'Address, network or user name',
    'fields have labels');

# By keyboard: the first stop leads to the content, and every stop is seen.
$b->press("\x{E004}");
is($b->script('return document.activeElement.textContent'), 'To the content',
    'Tab: the way round the head');
my %stops;
for (1 .. 40) {
    $b->press("\x{E004}");
    my $stop = $b->script('const e = document.activeElement;'
          . 'return e === document.body ? null : [e.tagName,'
          . 'getComputedStyle(e).outlineStyle]') or last;

    $stops{"@$stop"}++;
}
is_deeply([sort keys %stops], ['A solid', 'BUTTON solid', 'INPUT solid'],
    'links, buttons and fields are reached, with a ring round them');

# Contrast of every text with what lies behind it (WCAG 2, 1.4.3).
my $contrast = <<'SCRIPT';
const rgb = text => text.match(/[\d.]+/g).map(Number);
const light = c => c.slice(0, 3).map(v => v / 255).map(
    v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = e => {
    for (; e; e = e.parentElement) {
        const c = rgb(getComputedStyle(e).backgroundColor);
        if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
};
let worst = 21;
for (const e of document.querySelectorAll('body *')) {
    const has = [...e.childNodes].some(n => n.nodeType === 3
        && n.data.trim());
    if (!has || !e.getClientRects().length) continue;
    const a = light(rgb(getComputedStyle(e).color)), b = light(behind(e));
    worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
}
return worst;
SCRIPT
my $across = 'return document.documentElement.scrollWidth - innerWidth';

for my $dark (0, 1) {
    my $name = $dark ? 'dark' : 'light';

    if ($dark) {
        $b->quit;
        $b = AuthGuard::Browser->new(dark => 1);
        $b->go("http://$site/guard?view=all");
        is($b->script('return getComputedStyle(document.body)'
              . '.backgroundColor'), 'rgb(15, 20, 26)', 'dark is dark');
    }
    for my $size ([360, 800], [1600, 1000]) {
        $b->resize(@$size);
        $b->wait_for('the size', sub {
            $b->script('return innerWidth') == $size->[0] });
        cmp_ok($b->script($contrast), '>=', 4.5, "$name, $size->[0]: contrast");
        is($b->heard('table', 'role'), 'table', "$name, $size->[0]: a table");
        cmp_ok($b->script($across), '<=', 0,
            "$name, $size->[0]: nothing to scroll across");
        $b->screenshot("$ENV{STATUS_SHOTS}/$name-$size->[0].png")
          if $ENV{STATUS_SHOTS};
    }
}
$b->quit;
$t->done;

done_testing;
