#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Every form of every directive, the bad ones with the whole message that
# httpd gives for them. What is read at start is checked by httpd -t; what
# stands in .htaccess, by a server and its error log.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use Test::More;
use AuthGuard::Httpd;

my $time = 'a time is a whole number and one of ms, s, min, h, d, as in 15min';
my $rate = 'the limit must be N/WINDOW, as in 5/10min, or none';
my $options = 'the options are lockout=T and max=T';
my $short_max = 'max must be at least the lockout (15min unless given)';
my $address = 'must be an address, as 192.0.2.7 or 2001:db8::7, or a network, '
  . 'as 192.0.2.0/24';
my $scope_letters =
  "a scope's name must be made of A-Z, a-z, 0-9, '.', '_' and '-'";
my $scope_length = "a scope's name must have 1 to 64 characters";
my $clients = 'clients must be 64 to 16777216';
my $v4 = 'the bits of IPv4 must be 8 to 32';
my $v6 = 'the bits of IPv6 must be 16 to 128';
my $in_limit = 'cannot occur within <Limit> or <LimitExcept> section';
my $long = 'x' x 65;

# Words that are wrong wherever the directive may stand: line, message.
my @bad_words = (
    ['AuthGuard', 'AuthGuard takes one argument, Off, On or Observe'],
    ['AuthGuard On Off', 'AuthGuard takes one argument, Off, On or Observe'],
    ['AuthGuard yes', "AuthGuard: 'yes': must be Off, On or Observe"],
    ['AuthGuard ""', 'AuthGuard takes one argument, Off, On or Observe'],
    ["AuthGuard o\e[1mn", "AuthGuard: 'o%1B[1mn': must be Off, On or Observe"],
    ["AuthGuard caf\xe9", "AuthGuard: 'caf%E9': must be Off, On or Observe"],
    ["AuthGuard $long", "AuthGuard: '" . 'x' x 64
          . "...': must be Off, On or Observe"],

    ['AuthGuardLimit',
        "AuthGuardLimit: '': the key must be ip, net, user or login"],
    ['AuthGuardLimit host 5/10min',
        "AuthGuardLimit: 'host': the key must be ip, net, user or login"],
    ['AuthGuardLimit overflow 5/10min',
        "AuthGuardLimit: 'overflow': the key must be ip, net, user or login"],
    ['AuthGuardLimit ip', "AuthGuardLimit: 'ip': a limit such as 5/10min, or "
          . 'none, must follow the key'],
    ['AuthGuardLimit ip ""', "AuthGuardLimit: '': $rate"],
    ['AuthGuardLimit ip 5', "AuthGuardLimit: '5': $rate"],
    ['AuthGuardLimit ip 5:10min', "AuthGuardLimit: '5:10min': $rate"],
    ['AuthGuardLimit ip /10min', "AuthGuardLimit: '/10min': $rate"],
    ['AuthGuardLimit ip -5/10min', "AuthGuardLimit: '-5/10min': $rate"],
    ['AuthGuardLimit ip +5/10min', "AuthGuardLimit: '+5/10min': $rate"],
    ['AuthGuardLimit ip 0/10min', "AuthGuardLimit: '0/10min': N must be 1 to "
          . '1000'],
    ['AuthGuardLimit ip 1001/10min',
        "AuthGuardLimit: '1001/10min': N must be 1 to 1000"],
    ['AuthGuardLimit ip 18446744073709551617/10min',
        "AuthGuardLimit: '18446744073709551617/10min': N must be 1 to 1000"],
    ['AuthGuardLimit ip 5/', "AuthGuardLimit: '5/': $time"],
    ['AuthGuardLimit ip 5/10minutes',
        "AuthGuardLimit: '5/10minutes': $time"],
    ['AuthGuardLimit ip 5/1.5h', "AuthGuardLimit: '5/1.5h': $time"],
    ['AuthGuardLimit ip 5/-1s', "AuthGuardLimit: '5/-1s': $time"],
    ['AuthGuardLimit ip 5/0s',
        "AuthGuardLimit: '5/0s': the window must be at least 1s"],
    ['AuthGuardLimit ip 5/999ms',
        "AuthGuardLimit: '5/999ms': the window must be at least 1s"],
    ['AuthGuardLimit ip 5/8d',
        "AuthGuardLimit: '5/8d': the window must be at most 7d"],
    ['AuthGuardLimit ip 5/99999999999999999999d',
        "AuthGuardLimit: '5/99999999999999999999d': the window must be at "
          . 'most 7d'],
    ['AuthGuardLimit ip none 5/10min',
        "AuthGuardLimit: '5/10min': nothing can follow none"],
    ['AuthGuardLimit ip 5/10min none', "AuthGuardLimit: 'none': $options"],
    ['AuthGuardLimit ip 5/10min lockout', "AuthGuardLimit: 'lockout': "
          . $options],
    ['AuthGuardLimit ip 5/10min lock=1h', "AuthGuardLimit: 'lock=1h': "
          . $options],
    ['AuthGuardLimit ip 5/10min lockout=', "AuthGuardLimit: 'lockout=': $time"],
    ['AuthGuardLimit ip 5/10min lockout=-1h',
        "AuthGuardLimit: 'lockout=-1h': $time"],
    ['AuthGuardLimit ip 5/10min lockout=0',
        "AuthGuardLimit: 'lockout=0': a lockout must last at least 1s"],
    ['AuthGuardLimit ip 5/10min max=500ms',
        "AuthGuardLimit: 'max=500ms': a lockout must last at least 1s"],
    ['AuthGuardLimit ip 5/10min lockout=31d',
        "AuthGuardLimit: 'lockout=31d': a lockout must last at most 30d"],
    ['AuthGuardLimit ip 5/10min max=2592001',
        "AuthGuardLimit: 'max=2592001': a lockout must last at most 30d"],
    ['AuthGuardLimit ip 5/10min max=1h max=2h',
        "AuthGuardLimit: 'max=2h': this option was given already"],
    ['AuthGuardLimit ip 5/10min lockout=1h lockout=1h',
        "AuthGuardLimit: 'lockout=1h': this option was given already"],
    ['AuthGuardLimit ip 5/10min max=5min', "AuthGuardLimit: 'max=5min': "
          . $short_max],
    ['AuthGuardLimit ip 5/10min max=2h lockout=3h',
        "AuthGuardLimit: 'max=2h': $short_max"],

    ['AuthGuardExempt', "AuthGuardExempt: '': list addresses, or none"],
    ['AuthGuardExempt localhost', "AuthGuardExempt: 'localhost': $address"],
    ['AuthGuardExempt ""', "AuthGuardExempt: '': $address"],
    ['AuthGuardExempt 192.0.2', "AuthGuardExempt: '192.0.2': $address"],
    ['AuthGuardExempt 192.0.2.7/33', "AuthGuardExempt: '192.0.2.7/33': "
          . $address],
    ['AuthGuardExempt 192.0.2.7/255.255.255.0',
        "AuthGuardExempt: '192.0.2.7/255.255.255.0': $address"],
    ['AuthGuardExempt 192.0.2.7/', "AuthGuardExempt: '192.0.2.7/': $address"],
    ['AuthGuardExempt 2001:db8::/129', "AuthGuardExempt: '2001:db8::/129': "
          . $address],
    ['AuthGuardExempt fe80::1%eth0', "AuthGuardExempt: 'fe80::1%eth0': "
          . $address],
    ['AuthGuardExempt 192.0.2.7 10.0.0.256',
        "AuthGuardExempt: '10.0.0.256': $address"],
    ['AuthGuardExempt none none',
        "AuthGuardExempt: 'none': none must be the only word"],
    ['AuthGuardExempt 192.0.2.7 none',
        "AuthGuardExempt: 'none': none must be the only word"],

    ['AuthGuardResponse',
        'AuthGuardResponse takes one argument, 401, 403, 404, 429 or drop'],
    ['AuthGuardResponse 403 404',
        'AuthGuardResponse takes one argument, 401, 403, 404, 429 or drop'],
    ['AuthGuardResponse 200',
        "AuthGuardResponse: '200': must be 401, 403, 404, 429 or drop"],
    ['AuthGuardResponse 4010',
        "AuthGuardResponse: '4010': must be 401, 403, 404, 429 or drop"],
);

my @bad_providers = (
    ['AuthGuardProvider', 'AuthGuardProvider requires at least one argument, '
          . 'providers that the provider guard asks'],
    ['AuthGuardProvider guard', "AuthGuardProvider: 'guard': name the "
          . 'providers that guard is to ask, such as file'],
    ['AuthGuardProvider file guard', "AuthGuardProvider: 'guard': name the "
          . 'providers that guard is to ask, such as file'],
    ['AuthGuardProvider nosuch', "AuthGuardProvider: 'nosuch': no module that "
          . 'is loaded has this provider; load its module, or name another, '
          . 'such as file'],
    ['AuthGuardProvider hashes', "AuthGuardProvider: 'hashes': this provider "
          . 'cannot check passwords; name another, such as file'],
);

my @bad_scopes = (
    ['AuthGuardScope', 'AuthGuardScope takes one argument, a name; what has '
          . 'the same name shares one count'],
    ['AuthGuardScope a b', 'AuthGuardScope takes one argument, a name; what '
          . 'has the same name shares one count'],
    ['AuthGuardScope host:80', "AuthGuardScope: 'host:80': $scope_letters"],
    ['AuthGuardScope "a b"', "AuthGuardScope: 'a b': $scope_letters"],
    ["AuthGuardScope \xc3\xa9", "AuthGuardScope: '%C3%A9': $scope_letters"],
    ["AuthGuardScope $long", "AuthGuardScope: '" . 'x' x 64
          . "...': $scope_length"],
);

my @bad_pages = (
    ['AuthGuardStatus', 'AuthGuardStatus takes one argument, Off, On or '
          . 'Actions'],
    ['AuthGuardStatus On Actions', 'AuthGuardStatus takes one argument, Off, '
          . 'On or Actions'],
    ['AuthGuardStatus yes', "AuthGuardStatus: 'yes': must be Off, On or "
          . 'Actions'],
);

my $two_words = 'AuthGuardPrefix takes two arguments, bits of an IPv4 and of '
  . 'an IPv6 address that make a key';
my @bad_prefixes = (
    ['AuthGuardPrefix', $two_words],
    ['AuthGuardPrefix 24', $two_words],
    ['AuthGuardPrefix 24 64 1', $two_words],
    ['AuthGuardPrefix 7 64', "AuthGuardPrefix: '7': $v4"],
    ['AuthGuardPrefix 33 64', "AuthGuardPrefix: '33': $v4"],
    ['AuthGuardPrefix /24 64', "AuthGuardPrefix: '/24': $v4"],
    ['AuthGuardPrefix 24 15', "AuthGuardPrefix: '15': $v6"],
    ['AuthGuardPrefix 24 129', "AuthGuardPrefix: '129': $v6"],
    ['AuthGuardPrefix 24 -64', "AuthGuardPrefix: '-64': $v6"],
    ['AuthGuardPrefix 24 64x', "AuthGuardPrefix: '64x': $v6"],
);

my $store_options = 'the options are file=PATH and clients=N';
my @bad_stores = (
    ['AuthGuardStore', "AuthGuardStore: '': the store must be shm or redis"],
    ['AuthGuardStore redis redis://localhost',
        "AuthGuardStore: 'redis': the store redis needs mod_auth_guard_redis "
          . 'of the same version; put its LoadModule before this line'],
    ['AuthGuardStore file=/a', "AuthGuardStore: 'file=/a': the store must be "
          . 'shm or redis'],
    ['AuthGuardStore shm /a', "AuthGuardStore: '/a': $store_options"],
    ['AuthGuardStore shm size=9', "AuthGuardStore: 'size=9': $store_options"],
    ['AuthGuardStore shm file=', "AuthGuardStore: 'file=': PATH must be the "
          . 'path of a file'],
    ['AuthGuardStore shm file=/' . 'x' x 5000, "AuthGuardStore: 'file=/"
          . 'x' x 58 . "...': PATH must be the path of a file"],
    ['AuthGuardStore shm file=a file=a',
        "AuthGuardStore: 'file=a': this option was given already"],
    ['AuthGuardStore shm clients=', "AuthGuardStore: 'clients=': $clients"],
    ['AuthGuardStore shm clients=63', "AuthGuardStore: 'clients=63': $clients"],
    ['AuthGuardStore shm clients=16777217',
        "AuthGuardStore: 'clients=16777217': $clients"],
    ['AuthGuardStore shm clients=4294967360',
        "AuthGuardStore: 'clients=4294967360': $clients"],
    ['AuthGuardStore shm clients=64k', "AuthGuardStore: 'clients=64k': "
          . $clients],
    ['AuthGuardStore shm clients=64 clients=64',
        "AuthGuardStore: 'clients=64': this option was given already"],
);

# Each of these lines ends with the word that is to be complained about.
my @bad_checks = map {
    my ($remedy, @words) = @$_;
    map { ["AuthGuardChecks $_", "AuthGuardChecks: '"
              . ((split)[-1] // '') . "': $remedy"] } @words;
} (['N must be 1 to 10000, or the word unlimited', '', qw(0 10001 -1 +1 1.5 4x
        18446744073709551617 many none unlimite wait=1s)],
    ['the only option is wait=T, once', '4 5', 'unlimited 5', '4 unlimited',
        '4 foo=1', '4 wait', '4 wait=1s wait=2s', 'unlimited wait=1s 5'],
    [$time, '4 wait=', '4 wait=-1s', '4 wait=1.5s', 'unlimited wait=x'],
    ['the wait must be 1ms to 60s', '4 wait=0', '4 wait=61s',
        'unlimited wait=60001ms'],
);

# Right words in the wrong place: line, context, message.
my @bad_places = (
    (map { my $line = $_; my ($name) = split ' ', $line;
        [$line, 'limit', "$name $in_limit"] } 'AuthGuard On',
        'AuthGuardProvider file', 'AuthGuardLimit ip none',
        'AuthGuardExempt none', 'AuthGuardScope a', 'AuthGuardResponse 403',
        'AuthGuardStatus On'),
    ['AuthGuardProvider file', 'server', 'AuthGuardProvider not allowed here'],
    ['AuthGuardProvider file', 'vhost',
        'AuthGuardProvider not allowed in <VirtualHost> context'],
    ['AuthGuardPrefix 24 64', 'directory',
        'AuthGuardPrefix not allowed in <Directory> context'],
    ['AuthGuardPrefix 24 64', 'if',
        'AuthGuardPrefix not allowed in <If> context'],
    (map { ['AuthGuardChecks 4', lc,
        "AuthGuardChecks not allowed in <$_> context"] }
          qw(Directory Location If)),
    (map { ["AuthGuardChecks $_", 'vhost',
        'AuthGuardChecks cannot occur within <VirtualHost> section'] }
          qw(4 unlimited)),
    ['AuthGuardStore shm', 'directory',
        'AuthGuardStore not allowed in <Directory> context'],
    ['AuthGuardStore shm', 'vhost',
        'AuthGuardStore cannot occur within <VirtualHost> section'],
);

my @htaccess = (
    @bad_words, @bad_providers,
    ['AuthGuardLimit ip 5/10min lockout=2d', "AuthGuardLimit: 'lockout=2d': a "
          . 'lockout must last at most 1d in a .htaccess file'],
    ['AuthGuardLimit ip 5/10min max=86401', "AuthGuardLimit: 'max=86401': a "
          . 'lockout must last at most 1d in a .htaccess file'],
    ['AuthGuardScope a', 'AuthGuardScope not allowed here'],
    ["<If true>\nAuthGuardScope a\n</If>",
        'AuthGuardScope not allowed in <If> context'],
    ["<Files index.html>\nAuthGuardScope a\n</Files>",
        'AuthGuardScope not allowed in <Files> context'],
    (map { ["AuthGuardStatus $_", 'AuthGuardStatus not allowed here'] }
          qw(Off On Actions)),
    ['AuthGuardPrefix 24 64', 'AuthGuardPrefix not allowed here'],
    ['AuthGuardChecks 4', 'AuthGuardChecks not allowed here'],
    ['AuthGuardStore shm', 'AuthGuardStore not allowed here'],
    ["<Limit GET>\nAuthGuard On\n</Limit>", "AuthGuard $in_limit"],
    ['AuthFormProvider guard', "Invalid command 'AuthFormProvider', perhaps "
          . 'misspelled or defined by a module not included in the server '
          . 'configuration'],
);

my @good_words = (
    'AuthGuard Off', 'AuthGuard on', 'AuthGuard OBSERVE',
    'AuthGuardLimit ip 5/10min', 'AuthGuardLimit NET 1/1',
    'AuthGuardLimit user 1000/7d lockout=1 max=1d',
    'AuthGuardLimit login 5/10m LOCKOUT=1000ms Max=24h',
    'AuthGuardLimit ip 5/600 lockout=2h', 'AuthGuardLimit ip none',
    "AuthGuardLimit ip 5/10min\nAuthGuardLimit ip 6/10min",
    'AuthGuardExempt 192.0.2.7', 'AuthGuardExempt 192.0.2.7/24 2001:db8::/32',
    'AuthGuardExempt ::ffff:192.0.2.7', 'AuthGuardExempt None',
    "AuthGuardExempt none\nAuthGuardExempt 0.0.0.0/0",
    'AuthGuardResponse 401', 'AuthGuardResponse 403', 'AuthGuardResponse 404',
    'AuthGuardResponse 429', 'AuthGuardResponse Drop',
);
my @good_in_directory = (
    'AuthGuardProvider file', 'AuthGuardProvider file file',
    "AuthGuardProvider file\nAuthGuardProvider file",
    'AuthBasicProvider guard', 'AuthBasicProvider file guard',
);
my @good_on_server = (
    'AuthGuardLimit ip 5/10min lockout=30d',
    'AuthGuardScope a', 'AuthGuardScope aZ09._-', 'AuthGuardScope ' . 'x' x 64,
    'AuthGuardStatus off', 'AuthGuardStatus ON', 'AuthGuardStatus Actions',
);
my @good_prefixes = ('AuthGuardPrefix 8 16', 'AuthGuardPrefix 32 128');
my @good_stores = (
    'AuthGuardStore shm', 'AuthGuardStore SHM file=a clients=64',
    'AuthGuardStore shm clients=16777216 file=/a/b',
    "AuthGuardStore shm file=a\nAuthGuardStore shm file=b",
);
my @good_checks = (
    'AuthGuardChecks 1', 'AuthGuardChecks 10000', 'AuthGuardChecks 04',
    'AuthGuardChecks unlimited', 'AuthGuardChecks Unlimited wait=5s',
    'AuthGuardChecks 4 wait=1ms', 'AuthGuardChecks 4 WAIT=1min',
    'AuthGuardChecks 4 wait=60', 'AuthGuardChecks "4" "wait=500ms"',
    "AuthGuardChecks 4 wait=1s\nAuthGuardChecks unlimited",
);

my %context = (
    server => '%s',
    vhost => "<VirtualHost *>\n%s\n</VirtualHost>",
    directory => "<Directory /x>\n%s\n</Directory>",
    location => "<VirtualHost *>\n<Location /x>\n%s\n</Location>\n"
      . '</VirtualHost>',
    files => "<Files x>\n%s\n</Files>",
    if => "<If true>\n%s\n</If>",
    limit => "<Directory /x>\n<LimitExcept GET>\n%s\n</LimitExcept>\n"
      . '</Directory>',
);

my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $head = join('', map { AuthGuard::Modules::load_line($_) }
      qw(mpm_event authn_core authn_file authn_hashes authz_core))
  . "ServerName localhost\nErrorLog $dir/error.log\n"
  . "DefaultRuntimeDir $dir\n";
my $guard = 'LoadModule auth_guard_module ' . AuthGuard::Modules::guard_path()
  . "\n";
my $basic = AuthGuard::Modules::load_line('auth_basic');
my $httpd = AuthGuard::Modules::httpd_path();

# What httpd says of a configuration, without where it says it.
sub verdict {
    my ($text) = @_;

    open(my $out, '>', "$dir/test.conf") or die "$dir/test.conf: $!";
    print $out $text;
    close($out) or die "$dir/test.conf: $!";
    my $said = `$httpd -t -d $dir -f $dir/test.conf 2>&1`;
    $said =~ s{\AAH00526: Syntax error on line \d+ of \Q$dir\E/test.conf:\n}{};
    return $said;
}

sub shown {
    my ($text) = @_;

    $text =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ge;
    return length $text > 70 ? substr($text, 0, 70) . '...' : $text;
}

sub check {
    my ($line, $context, $message) = @_;
    my $text = sprintf "$context{$context}\n", $line;

    is(verdict("$head$guard$basic$text"), "$message\n",
        shown("$context: $line"));
    return;
}

check($_->[0], 'server', $_->[1])
  for @bad_words, @bad_scopes, @bad_pages, @bad_prefixes, @bad_stores,
  @bad_checks;
check($_->[0], 'vhost', $_->[1])
  for @bad_words, @bad_scopes, @bad_pages, @bad_prefixes;
check($_->[0], 'directory', $_->[1])
  for @bad_words, @bad_scopes, @bad_pages, @bad_providers;
check(@$_) for @bad_places;

for my $context (qw(directory location files if)) {
    check($_, $context, 'Syntax OK')
      for @good_words, @good_in_directory, @good_on_server;
}
for my $context (qw(server vhost)) {
    check($_, $context, 'Syntax OK')
      for @good_words, @good_on_server, @good_prefixes;
}
check($_, 'server', 'Syntax OK') for @good_stores, @good_checks;

# The owners of AuthBasicProvider and AuthFormProvider keep their say.
{
    my $invalid = "Invalid command 'AuthBasicProvider', perhaps misspelled or "
      . "defined by a module not included in the server configuration\n";
    my $use = "<Directory /x>\nAuthBasicProvider %s\n</Directory>\n";

    is(verdict($head . $guard . sprintf $use, 'guard'), $invalid,
        'AuthBasicProvider without mod_auth_basic');
    is(verdict($head . sprintf $use, 'guard'), $invalid,
        '  is what httpd says without us');
    for my $order ($guard . $basic, $basic . $guard) {
        is(verdict($head . $order . sprintf $use, 'guard file'),
            "Syntax OK\n", 'AuthBasicProvider in either order of loading');
        for my $words ('nosuch', '') {
            is(verdict($head . $order . sprintf $use, $words),
                verdict($head . $basic . sprintf $use, $words),
                "  and '$words' is refused in mod_auth_basic's words");
        }
    }
}

my $t = AuthGuard::Httpd->new(modules => ['authn_hashes'], conf => <<'CONF');
LogLevel auth_guard:warn
<Directory "@DOCS@/nonfatal">
    AllowOverride Nonfatal=Unknown AuthConfig
</Directory>
<Directory "@DOCS@/limit">
    AllowOverride Limit
</Directory>
<Directory "@DOCS@/list">
    AllowOverride None
    AllowOverrideList AuthGuard
</Directory>
CONF
$t->dir("bad$_", "$htaccess[$_][0]\n") for 0 .. $#htaccess;
my @good = (@good_words, @good_in_directory,
    'AuthGuardLimit ip 5/10min lockout=1d max=1d');
$t->dir("good$_", "$good[$_]\n") for 0 .. $#good;
$t->dir('nonfatal', "AuthFormProvider guard\n");
$t->dir('limit', "AuthGuard On\n");
$t->dir('list', "AuthGuard On\n");
$t->dir('listed', "AuthGuardResponse 403\n");
$t->expect_log(qr/\.htaccess: /);
$t->expect_log(qr/Invalid command 'AuthFormProvider', perhaps/);
$t->start;

for my $i (0 .. $#htaccess) {
    my ($line, $message) = @{ $htaccess[$i] };
    my ($logged) = $t->get("/bad$i/")->status == 500
      && $t->wait_log(qr{/bad$i/\.htaccess: });

    like($logged // 'no 500 in the log', qr{/bad$i/\.htaccess: \Q$message\E\z},
        shown(".htaccess: $line"));
}
is($t->get("/good$_/")->status, 200, shown(".htaccess: $good[$_]"))
  for 0 .. $#good;
is($t->get('/nonfatal/')->status, 200,
    'AllowOverride Nonfatal=Unknown bears AuthFormProvider without its owner');
is($t->get('/limit/')->status, 500, 'AllowOverride Limit is not enough');
is(scalar $t->log_lines(qr{/limit/\.htaccess: AuthGuard not allowed here\z}),
    1, '  and the log says so');
is($t->get('/list/')->status, 200, 'AllowOverrideList AuthGuard is');
$t->done;

done_testing;
