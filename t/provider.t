#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The provider `guard` and those behind it: their order, a cache of
# passwords, and what is asked twice.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $limit = 'AuthGuardLimit ip 4/10min';
my @slow = ('AuthnSlowUser carol:third', 'AuthnSlowBroken broken',
    'AuthnSlowCount @ROOT@/run/count');
my $t = AuthGuard::Httpd->new(
    modules => [qw(authn_slow authn_socache socache_shmcb)],
    conf => "AuthnCacheSOCache shmcb:\@ROOT\@/run/cache\nAuthnCacheEnable\n"
      . guarded('two', 'AuthBasicProvider guard',
        'AuthGuardProvider file slow', @slow, $limit)
      . guarded('mixed', 'AuthBasicProvider guard slow',
        'AuthGuardProvider file', @slow, $limit)
      . guarded('cached', 'AuthBasicProvider guard',
        'AuthGuardProvider socache slow', 'AuthnCacheProvideFor slow',
        @slow, $limit)
      . guarded('switch-cached', 'AuthBasicProvider socache slow',
        'AuthGuard On', 'AuthnCacheProvideFor slow', @slow, $limit));
my $count = $t->file('run/count', '');
chmod 0666, $count;
$t->dir($_) for qw(two mixed cached switch-cached);
$t->passwords('users', { alice => 'right', broken => 'well' });
$t->expect_lockout;
$t->start;

sub checks { return -s $count }

# In the order of AuthGuardProvider, up to the first that knows the user.
{
    my @from = (from => '127.0.1.1');
    is($t->guess('/two/', 'alice', 'right', @from), 200, 'the first knows her');
    is(checks(), 0, 'the second is not asked');
    is($t->guess('/two/', 'carol', 'third', @from), 200, 'the second knows');
    is(checks(), 1, 'and was asked');
    is($t->guess('/two/', 'broken', 'well', @from), 200,
        'the first speaks before the second can fail');
    is($t->guess('/two/', 'alice', 'wrong', @from), '401.1',
        "the first one's refusal");
    is(checks(), 1, 'is final');
    is($t->guess('/two/', 'dave', 'wrong', @from), '401.1', 'nobody knows');
    is(checks(), 2, 'both were asked');
    is(($t->access)[-1]{failures}, 2, 'and it counts once');
    is($t->guess_wrong('/two/', 'dave', 3, @from), '401.1=2 401.501=1',
        'up to the limit');
    is(checks(), 4, 'and not beyond');
}

# With a provider beside it.
{
    my @from = (from => '127.0.1.2');
    is($t->guess('/mixed/', 'carol', 'third', @from), 200,
        'beside: the other provider knows');
    my $before = checks();
    is($t->guess_wrong('/mixed/', 'dave', 6, @from), '401.1=4 401.501=2',
        'beside: guarded as well');
    is(checks() - $before, 4, 'beside: four verified');
}

# mod_authn_socache finds what it is to keep, and what it keeps.
for my $dir (qw(cached switch-cached)) {
    my @from = (from => $dir eq 'cached' ? '127.0.1.3' : '127.0.1.4');
    my $before = checks();
    is($t->guess("/$dir/", 'carol', 'third', @from), 200, "$dir: let in");
    is($t->guess_wrong("/$dir/", 'carol', 5, @from),
        '401.1=4 401.501=1', "$dir: a limit over the cache");
    cmp_ok(checks() - $before, '<=', 5, "$dir: no check beyond it");
}
$t->done;

done_testing;
