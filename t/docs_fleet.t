#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/fleet.md: its lines for Redis and for httpd are taken as they stand, with
# other paths and addresses, and what the page says of them is played: one count
# for two servers, an ACL that has just what is used, what can be read in Redis,
# how large it is. And the section on fleets in docs/troubleshooting.md.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Htguard;
use AuthGuard::Modules;
use AuthGuard::Recipe qw(commands said);
use AuthGuard::Redis;
use File::Temp ();
use Time::HiRes qw(sleep time);

use constant PATIENCE_SECONDS => 20;

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $page = AuthGuard::Recipe::page('fleet');
my $block = AuthGuard::Recipe::blocks($page);
my $password = 'a-long-random-password';
my $url = 'redis://authguard@redis.example.com';

# What else a Redis of a test is asked by the test itself.
my %ours = map { $_ => 1 }
  qw(info keys acl client config script ping hgetall dbsize hello auth);

sub sorted { return join ' ', sort @_ }

# A block for httpd with the test's places in it. Of the module there may be
# one that is built and not installed.
sub server_lines {
    my ($label, %place) = @_;
    my $text = $block->{$label} // die "docs/fleet.md has no block $label";
    my $module = AuthGuard::Redis::module_path();

    $text =~ s{/usr/lib/apache2/modules/mod_auth_guard_redis\.so}{\@MODULE\@};
    $text = AuthGuard::Redis::load_line() . $text unless $text =~ /LoadModule/;
    $text =~ s/\Q$_\E/$place{$_}/ or die "$label: no $_" for keys %place;
    $text = AuthGuard::Recipe::placed($text);
    $text =~ s/\@MODULE\@/$module/;
    return $text;
}

# One of the fleet, with the files that step 2 of the page makes. Ports differ
# here: AuthGuardScope joins them.
my ($files) = $page =~ /^((?: {4}.*\n)*? {4}head -c .*\n(?: {4}.*\n)*)/m;
my $made;

sub server {
    my ($label, %place) = @_;
    my $t = AuthGuard::Httpd->new(conf => server_lines($label, %place)
          . guarded('desk', 'AuthGuard On', 'AuthGuardScope desk')
          . guarded('names', 'AuthGuard On', 'AuthGuardScope names',
            'AuthGuardLimit ip none', 'AuthGuardLimit login 2/10min')
          . guarded('host', 'AuthGuard On', 'AuthGuardLimit ip 5/10min',
            'AuthGuardScope www.example.com-443-var-www-site-')
          . guarded('lax', 'AuthGuard On', 'AuthGuardLimit ip 10/10min',
            'AuthGuardScope www.example.com-443-var-www-lax--'));

    $t->dir($_) for qw(desk names host lax);
    $t->passwords('users', { alice => 'right', bob => 'secret' });
    # On a busy machine an answer may come too late.
    $t->expect_log(qr/AG0(?:101|102|110|30[123]): /, optional => 1);
    if ($made) {    # "copy both files to all servers"
        system('cp', '-p', glob("$made/auth-guard.*"), $t->root) == 0 or die;
    } else {
        said($t, $files =~ s/^ {4}//mgr);
        $made = $t->root;
    }
    return $t->start;
}

sub await {
    my ($name, $is_so) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    sleep 0.05 until $is_so->() || time > $deadline;
    ok($is_so->(), $name);
    return;
}

my $htguard = AuthGuard::Htguard->new;

# --- Set it up ---------------------------------------------------------------
my $redis = AuthGuard::Redis->new(
    conf => "$block->{'redis.conf'}$block->{Memory}")->start;
my %tcp = ($url => "redis://authguard\@127.0.0.1:$redis->{port}");
my @fleet = map { server('Server', %tcp) } 1, 2;
my ($t, $other) = @fleet;
my @from = (from => '127.0.1.1');

is(sprintf('%04o %s', (stat $t->root . '/auth-guard.secret')[2] & 07777,
        -s _ >= 16 ? 'long' : 'short'), '0600 long', 'the secret');
is($t->guess_wrong('/desk/', 'alice', 3, @from), '401.1=3', 'three at one');
is($other->guess_wrong('/desk/', 'alice', 2, @from), '401.1=2',
    'and two at the other server');
is(join(' ', map { $_->guess('/desk/', 'alice', 'right', @from) } @fleet),
    '401.501 401.501', 'lock out at both');
is($t->guess('/desk/', 'bob', 'secret', from => '127.0.1.2'), 200,
    'others get in');
is($other->guess_wrong('/names/', 'bob', 2, from => '127.0.1.3'), '401.1=2',
    'a limit by login');
is($t->guess('/names/', 'bob', 'secret', from => '127.0.1.3'), '401.501',
    'locks at both');

my ($shown) = $page =~ /^ {4}htguard (-r redis:.* list)$/m;
$shown =~ s/\Q$url\E/$tcp{$url}/;
$shown =~ s{/etc/apache2/}{$t->root . '/'}e;
my @reach = (split ' ', $shown)[0 .. 3];
my ($status, $out, $err) = $htguard->run(split ' ', $shown);
is($status, 0, 'htguard: the command of the page') or diag($err);
like($out, qr/^127\.0\.1\.1 +ip +locked .* desk$/m, 'shows who is locked');
is(($htguard->run(@reach, 'unlock', '127.0.1.1'))[0], 0, 'htguard: unlock');
await('and all servers know', sub {
    join(' ', map { $_->guess('/desk/', 'alice', 'right', @from) } @fleet) eq
      '200 200';
});
is(($htguard->run(@reach, qw(unlock --user bob)))[0], 3,
    'htguard: no user is known without the secret');
is(($htguard->run(@reach, '--secret', $t->root . '/auth-guard.secret',
            qw(unlock --user bob)))[0], 0, 'but with it');
await('and he gets in', sub {
    $t->guess('/names/', 'bob', 'secret', from => '127.0.1.3') eq '200';
});

# --- The ACL -----------------------------------------------------------------
# Every way that a question goes: a script that is forgotten; a probe, after
# an outage.
$redis->cli(qw(SCRIPT FLUSH));
is($t->guess_wrong('/desk/', 'alice', 1, from => '127.0.1.4'), '401.1=1',
    'the script is forgotten, and nobody notices');
is_deeply($redis->cli(qw(ACL LOG)), [], 'nothing was forbidden');
my %granted = map { $_ => 1 } $block->{'redis.conf'} =~ /\+(\w+)/g;
await('it is spoken to by all commands of the page', sub {
    my $calls = $redis->calls;
    !grep { !$calls->{$_} } keys %granted;
});
is(sorted(grep { !$ours{ s/\|.*//r } } keys %{ $redis->calls }),
    sorted(keys %granted), 'and by no other');

# One channel and one kind of key.
is(sorted(grep { !/\Aauthguard:\{[0-9a-f]{16}\}\z/ } $redis->keys_of),
    '', 'keys begin as the page says');

# --- Who can read what -------------------------------------------------------
my $all = join "\n", map { ($_, @{ $redis->cli('HGETALL', $_) }) }
  $redis->keys_of;
like($all, qr/desk/, 'names of scopes stand there');
unlike($all, qr/alice|\bbob\b|right|secret|wrong|\Q$password\E/,
    'no user, no password');
unlike($t->get('/desk/', @from)->body, qr/\Q$password\E/, 'nor on a page');
unlike(AuthGuard::Httpd::slurp($t->root . '/logs/error.log'), qr/\Q$password\E/, 'nor in the log');

# --- Size --------------------------------------------------------------------
# In the compact form that Redis has for a hash of short values.
my %told = $page =~ /^\| ([^|]+?)(?:, at a limit[^|]*|: [^|]*)? \| (\d+) \|$/mg;
my %guess = (
    'one failure' => ['/host/', 1, '127.0.2.1'],
    'signed in' => ['/host/', 0, '127.0.2.2'],
    '5 failures' => ['/lax/', 5, '127.0.2.3'],
    'locked out' => ['/host/', 5, '127.0.2.4'],
);
is(sorted(keys %told), sorted(keys %guess, 'everything in use'),
    'sizes are told');
for my $name (sort keys %guess) {
    my ($path, $count, $address) = @{ $guess{$name} };
    my @here = ($path, 'alice', $count || 'right', from => $address);

    $redis->cli('FLUSHALL');
    $count ? $t->guess_wrong(@here) : $t->guess(@here);
    my ($key, @more) = $redis->keys_of;
    is(scalar @more, 0, "$name: one client is one key");
    like($redis->cli(qw(OBJECT ENCODING), $key), qr/\A(?:listpack|ziplist)\z/,
        'a compact one');
    my $size = $redis->cli(qw(MEMORY USAGE), $key);
    cmp_ok(abs($size - $told{$name}), '<=', $told{$name} / 8,
        "and about as large as the page says: $size");
}
$_->done for @fleet;

# --- The other lines ---------------------------------------------------------
{
    my ($words) = $page =~ /^with `(~intranet:.*?)` in the user's line/m;
    $redis->cli(qw(ACL SETUSER authguard resetkeys resetchannels),
        split ' ', $words);
    $redis->cli('FLUSHALL');
    my $t = server('Prefix', %tcp);
    is($t->guess_wrong('/desk/', 'alice', 1), '401.1=1', 'a prefix');
    like(join(' ', $redis->keys_of), qr/\Aintranet:\{\w+\}\z/, 'is used');
    is(($htguard->run(@reach, qw(--prefix intranet check 127.0.0.1)))[0], 0,
        'htguard --prefix');
    $t->done;

    $t = server('Socket', 'unix:/run/redis/redis.sock' => $redis->url);
    is($t->guess_wrong('/desk/', 'alice', 5), '401.1=5', 'a socket');
    is($t->guess('/desk/', 'alice', 'right'), '401.501', 'counts');
    cmp_ok($redis->asked, '>', 5, 'in Redis');
    $t->done;
}
SKIP: {
    skip 'no openssl here', 2
      unless grep { -x "$_/openssl" } split /:/, $ENV{PATH};
    my $tls = AuthGuard::Redis->new(tls => 1,
        conf => $block->{'redis.conf'})->start;
    my $t = server('TLS', '/etc/apache2/redis-ca.pem' => "$tls->{root}/ca.pem",
        "rediss://authguard\@redis.example.com" => $tls->url_tls
          =~ s{//}{//authguard\@}r);
    is($t->guess_wrong('/desk/', 'alice', 1), '401.1=1', 'by TLS');
    is(scalar(my @keys = $tls->keys_of), 1, 'it counts');
    $t->done;
    $tls->stop;
}

# --- Troubleshooting ---------------------------------------------------------
{
    my %section =
      AuthGuard::Recipe::sections(AuthGuard::Recipe::page('troubleshooting'));
    my $text = $section{"A fleet's store"};
    my ($grep, $list) = commands($text);
    my $place = 'unix:/run/redis/redis.sock';
    my ($cure) = $text =~ /^ {4}(AuthGuardStore .*\n)/m;
    my %seen;

    # The answer is on the page, and this is what the command says.
    my $answers = sub {
        my ($t, $command, $answer) = @_;
        my $said = said($t, $command, 'htguard ' => '@HTGUARD@ ',
            $place => $redis->url);

        $seen{$answer} = 1;
        ok(index($said, $answer) >= 0, "trouble: '$answer'") or diag($said);
        return;
    };
    $cure =~ s/\Q$place\E/$redis->url/e;
    $redis->cli('FLUSHALL');
    $redis->stop;
    $t = AuthGuard::Httpd->new(conf => AuthGuard::Redis::load_line() . $cure
          . guarded('desk', 'AuthGuard On'));
    $t->dir('desk');
    $t->passwords('users', { alice => 'right' });
    $t->expect_log(qr/AG010[12]: /, optional => 1);
    $t->expect_log(qr/AG030[123]: /);
    $t->start;
    $t->wait_log(qr/AG0303/);
    $answers->($t, $grep, 'AG0303');
    is($t->guess_wrong('/desk/', 'alice', 5), '401.1=5', 'trouble: away');
    is($t->guess('/desk/', 'alice', 'right'), '401.501',
        'trouble: the server counts by itself');
    $t->wait_log(qr/AG0301/);
    $answers->($t, $grep, 'AG0301: store: redis: down');
    $redis->start;
    await('trouble: it is back', sub {
        $t->guess_wrong('/desk/', 'alice', 1, from => '127.0.1.9');
        scalar $t->log_lines(qr/AG0302/);
    });
    $answers->($t, $grep, 'AG0302: store: redis: up again');
    await('trouble: and it is told what it has missed', sub {
        $t->guess('/desk/', 'alice', 'right', from => '127.0.1.8');
        said($t, $list, 'htguard ' => '@HTGUARD@ ', $place => $redis->url)
          =~ /locked/;
    });
    $answers->($t, $list, 'locked');
    is(sorted($text =~ /^\| [^|`]*`([^`]+)`[^|]* \| /mg), sorted(keys %seen),
        'trouble: each answer of the page was seen');
    $t->done;
}

# --- The rest ----------------------------------------------------------------
for my $link ($page =~ /\]\(([^)\s]+)\)/g) {
    my ($file, $anchor) = split /#/, $link, 2;
    my $text = AuthGuard::Recipe::page(($file || 'fleet.md') =~ s/\.md\z//r);
    my @anchors = map { lc(s/[^\w -]//gr) =~ s/ /-/gr } $text =~ /^#+ (.*)$/mg;

    ok(!defined $anchor || grep({ $_ eq $anchor } @anchors),
        "the link $link leads somewhere");
}
SKIP: {
    my $lacks = AuthGuard::Modules::lacks('prometheus');
    skip $lacks, 1 if $lacks;
    my ($rules) = $page =~ /^```yaml\n(.*?)^```$/ms;
    my $file = File::Temp->new(TEMPLATE => 'authguard-XXXXXX', TMPDIR => 1);
    print $file $rules;
    close $file;
    my $tool = AuthGuard::Modules::unpacked('usr/bin/promtool', 'prometheus');
    my $said = `'$tool' check rules '$file' 2>&1`;
    is($?, 0, 'Prometheus takes the rules') or diag($said);
}
done_testing;
