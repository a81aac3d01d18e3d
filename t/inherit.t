#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What a directory inherits, and what it may set again: each directive in the
# server's configuration, a virtual host, a directory and .htaccess, seen by
# what becomes of a wrong password.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @form_modules = qw(session session_cookie request auth_form);
my $form = "AuthName x\nAuthType Form\nAuthUserFile \@ROOT\@/users\n"
  . "Session On\nSessionCookieName s path=/\nRequire valid-user\n";
my $conf = <<'CONF';
<Directory "@DOCS@">
    AuthType Basic
    AuthName inherit
    AuthUserFile @ROOT@/users
    Require valid-user
</Directory>
AuthGuardLimit ip 11/1h
AuthGuardExempt 127.0.9.1
<Directory "@DOCS@/face">
    AuthBasicProvider guard
</Directory>
<Directory "@DOCS@/lines">
    AuthBasicProvider guard
    AuthBasicProvider file
</Directory>
<Directory "@DOCS@/last">
    AuthBasicProvider file guard
</Directory>
<Directory "@DOCS@/off">
    AuthGuard Off
    AuthBasicProvider guard
</Directory>
<Directory "@DOCS@/limit">
    AuthGuardLimit ip 13/1h
</Directory>
<Directory "@DOCS@/standard">
    AuthGuardLimit ip 5/10min lockout=15min max=1h
</Directory>
<Directory "@DOCS@/other">
    AuthGuardLimit login 14/1h
</Directory>
<Directory "@DOCS@/own">
    AuthGuardExempt 127.0.9.2
    AuthGuardExempt 127.0.9.4/30
</Directory>
<Directory "@DOCS@/nobody">
    AuthGuardExempt 127.0.9.1
    AuthGuardExempt none
</Directory>
<Directory "@DOCS@/named">
    AuthGuardScope named
</Directory>
<AuthnProviderAlias file others>
    AuthUserFile @ROOT@/others
</AuthnProviderAlias>
<Directory "@DOCS@/ask">
    AuthBasicProvider guard
    AuthGuardProvider others
</Directory>
<Directory "@DOCS@/ask/both">
    AuthGuardProvider others
    AuthGuardProvider file
</Directory>
AuthGuardStatus On
<Location /page>
    SetHandler auth-guard-status
</Location>
<Location /page/off>
    AuthGuardStatus Off
</Location>
<VirtualHost *:@PORT@>
    ServerName plain.example
    DocumentRoot @DOCS@
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName bare.example
    DocumentRoot @DOCS@
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName On.example
    DocumentRoot @DOCS@
    AuthGuard On
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName on.example
    ServerAlias twin.example
    DocumentRoot @DOCS@
    AuthGuard On
    AuthGuardLimit ip 12/1h
    AuthGuardExempt none
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName scope.example:81
    DocumentRoot @DOCS@
    AuthGuard On
    AuthGuardScope named
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName off.example
    DocumentRoot @DOCS@
    AuthGuard Off
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName tight.example
    DocumentRoot @DOCS@
    AuthGuard On
    AuthGuardLimit ip 1/1h
    AuthGuardResponse 429
    AuthGuardPrefix 24 64
    AuthGuardStatus Off
    <Location /back>
        AuthGuardResponse 401
    </Location>
    <Location /page/back>
        AuthGuardStatus Actions
    </Location>
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName single.example
    DocumentRoot @DOCS@
    AuthGuardLimit ip 1/1h
</VirtualHost>
CONF

my $t = AuthGuard::Httpd->new(conf => $conf, modules => \@form_modules);
$t->passwords('users', { alice => 'right' });
$t->passwords('others', { carol => 'right' });
$t->dir($_) for qw(none face lines last off limit standard other own nobody
  named back ask ask/both ask/deep);
$t->dir('ask/htfile', "AuthGuardProvider file\n");
$t->dir('htform', "AuthFormProvider guard\nSetHandler form-login-handler\n"
      . $form =~ s/Require .*\n//r);
$t->dir('face/htfile', "AuthBasicProvider file\n");
$t->dir('htguard', "AuthBasicProvider guard\n");
$t->dir('hton', "AuthGuard On\n");
$t->dir('htoff', "AuthGuard Off\n");
$t->dir('htobserve', "AuthGuard Observe\n");
$t->dir('limit/ht', "AuthGuardLimit ip 15/1h\n");
$t->dir('limit/ht/deep', "AuthGuardLimit user 16/1h\n");
$t->dir('limit/ht/none', "AuthGuardLimit ip none\nAuthGuardLimit net 17/1h\n");
$t->dir('htresponse', "AuthGuardResponse 404\n");
$t->dir('named/ht', "AuthGuardResponse 404\n");
$t->dir('named/users', "AuthUserFile @{[$t->root]}/users\n");
$t->expect_log(qr/AG0106/);
$t->expect_log(qr/AH01807/);
$t->expect_log(qr/AG0108: configuration: .* AuthGuardStatus is Off/);
$t->expect_log(qr/AG0112: /);
$t->expect_lockout;
$t->start;
my $port = $t->port;
my $sequence = 0;
my %asked;

# A wrong password that nobody has sent before.
sub guess {
    my ($host, $path, $from) = @_;

    $sequence++;
    $from //= "127.0.8.$sequence";
    $asked{"$from GET $path/"}++;
    return $t->get("$path/", user => 'alice', pass => "wrong$sequence",
        headers => [Host => $host], from => $from);
}

# What the tags in the access log say of that guess.
sub told {
    my ($host, $path, $from) = @_;
    my $deadline = time + 5;
    my @lines;

    $from //= '127.0.8.' . ($sequence + 1);
    guess($host, $path, $from);
    until (@lines == $asked{"$from GET $path/"}) {
        die "no line for $path" if time > $deadline;
        @lines = grep { "$_->{address} $_->{request}" eq "$from GET $path/" }
          $t->access;
    }
    return $lines[-1];
}

# host, path, what the log's tags must say, and the name of the row
my @rows = (
    ['plain.example', '/none', { state => 'unguarded' }, 'nothing is set'],
    ['plain.example', '/face', { state => 'failed', limit => 11 },
        'the provider guard'],
    ['plain.example', '/lines', { state => 'failed' },
        'the provider guard, and another line after it'],
    ['plain.example', '/last', { state => 'failed' },
        'the provider guard, behind another'],
    ['plain.example', '/face/htfile', { state => 'unguarded' },
        'a list without guard replaces an inherited one with it'],
    ['plain.example', '/htguard', { state => 'failed', limit => 11 },
        'the provider guard in .htaccess'],
    ['plain.example', '/hton', { state => 'failed' }, 'On in .htaccess'],
    ['plain.example', '/htobserve', { state => 'failed' },
        'Observe in .htaccess'],
    ['on.example', '/off', { state => 'unguarded' },
        'Off in a directory wins over the provider and the host'],
    ['on.example', '/htoff', { state => 'unguarded' },
        'Off in .htaccess wins over the host'],
    ['on.example', '/face/htfile', { state => 'failed' },
        'On in the host wins over a list without guard'],
    ['off.example', '/face', { state => 'unguarded' },
        'Off in the host wins over the provider'],
    ['off.example', '/hton', { state => 'failed' },
        'On in .htaccess wins over the host'],

    ['on.example', '/none', { limit => 11 }, 'a limit of the server'],
    ['twin.example', '/none', { limit => 12 }, 'a limit of the host'],
    ['twin.example', '/limit', { limit => 13 }, 'a limit of the directory'],
    ['twin.example', '/limit/ht', { limit => 15 }, 'a limit in .htaccess'],
    ['twin.example', '/limit/ht/deep', { limit => 15 },
        'a limit for another key leaves it alone'],
    ['twin.example', '/limit/ht/none', { limit => 17 },
        'none takes it away, and another is in force'],
    ['on.example', '/standard', { limit => 5 },
        'the default can be set again'],
    ['twin.example', '/other', { limit => 12 },
        'a directory adds a limit for another key'],

    ['on.example', '/none', { state => 'exempt' }, 'a list of the server',
        '127.0.9.1'],
    ['twin.example', '/none', { state => 'failed' }, 'none in the host',
        '127.0.9.1'],
    ['on.example', '/own', { state => 'failed' },
        'a list of a directory replaces it', '127.0.9.1'],
    ['on.example', '/own', { state => 'exempt' }, 'its first line',
        '127.0.9.2'],
    ['on.example', '/own', { state => 'failed' }, 'one beside its lines',
        '127.0.9.3'],
    ['on.example', '/own', { state => 'exempt' }, 'its second line',
        '127.0.9.7'],
    ['on.example', '/nobody', { state => 'failed' },
        'none empties the list of its own section', '127.0.9.1'],

    ['plain.example', '/face', { scope => "plain.example:$port" },
        'a host is a scope'],
    ['bare.example', '/face', { scope => "bare.example:$port" },
        'and so is another without a directive'],
    ['on.example', '/none', { scope => "on.example:$port" },
        'a host is a scope, in lower case'],
    ['twin.example', '/none', { scope => "on.example:$port#2" },
        'a second host of the same name'],
    ['scope.example', '/none', { scope => 'named' }, 'a scope of the host'],
    ['on.example', '/named', { scope => 'named' }, 'a scope of a directory'],
    ['on.example', '/named/users', { scope => 'named' },
        'a named scope goes on where a .htaccess stands'],
);

for my $row (@rows) {
    my ($host, $path, $expected, $name, $from) = @$row;
    my $line = told($host, $path, $from);
    my %got = map { $_ => $line->{$_} } keys %$expected;

    is_deeply(\%got, $expected, "$host $path: $name");
}
is(guess('on.example', '/named/ht')->status, 500,
    'our directive in .htaccess is refused in a named scope');
like(($t->wait_log(qr/AG0106/))[0], qr/AuthGuardResponse/,
    '  and the log names it');

# Who is asked behind the provider guard: alice is in file, carol in others.
# A client each, as what was wrong a moment ago is not asked again.
for my $row (['/ask', 401, 200], ['/ask/deep', 401, 200],
    ['/ask/both', 200, 200], ['/ask/htfile', 200, 401])
{
    my ($path, @expected) = @$row;
    my @guesses = map {
        { path => "$path/", user => $_, pass => 'right',
            headers => [Host => 'bare.example'],
            from => '127.0.10.' . ++$sequence }
    } qw(alice carol);
    my @got = map { $_->status } $t->many(1, @guesses);

    is_deeply(\@got, \@expected, "AuthGuardProvider: $path");
}

# Lockouts: 1 failure in tight.example locks a /24 out.
is(guess('tight.example', '/none', '127.0.1.1')->status, 401, 'one failure');
is(guess('tight.example', '/none', '127.0.1.2')->status, 429,
    'AuthGuardPrefix: locks its neighbours out, with the answer of the host');
is(guess('tight.example', '/back', '127.0.1.3')->status, 401,
    'AuthGuardResponse: the default can be set again');
is(guess('tight.example', '/none', '127.0.2.1')->status, 401,
    'AuthGuardPrefix: another network is another client');
is(guess('tight.example', '/htresponse', '127.0.3.1')->status, 401,
    'one failure below a .htaccess');
is(guess('tight.example', '/htresponse', '127.0.3.2')->status, 404,
    'AuthGuardResponse in .htaccess');
guess('tight.example', '/hton', '127.0.4.1');
guess('single.example', '/htguard', '127.0.5.1');
guess('single.example', '/face', '127.0.6.1');
$t->get('/htform/', method => 'POST', from => '127.0.7.1',
    headers => [Host => 'single.example',
        'Content-Type' => 'application/x-www-form-urlencoded'],
    body => 'httpd_username=alice&httpd_password=wrong');

# The status page, which is not there where it is off. Under Actions it has
# buttons, and so takes a form.
for my $row (['plain.example', '/page', 405, 'On of the server'],
    ['plain.example', '/page/off', 404, 'Off in a location'],
    ['tight.example', '/page', 404, 'Off in the host'],
    ['tight.example', '/page/back', 403, 'Actions can be set again'])
{
    my ($host, $path, $status, $name) = @$row;

    is($t->get($path, method => 'POST', user => 'alice', pass => 'right',
            from => '127.0.11.1', headers => [Host => $host])->status,
        $status, "AuthGuardStatus: $name");
}
my %origin = map { /client=127\.0\.(\d)\.\d .* origin=(\w+)/ ? ($1, $2) : () }
  $t->wait_log(qr/AG0101/, 7);
is_deeply(\%origin, { (map { $_ => 'server' } 1, 2, 6),
        map { $_ => 'htaccess' } 3, 4, 5, 7 },
    'origin: htaccess wherever one had a hand in it');
$t->done;

# The store's line, and forms that are guarded in vain.
my @forms = (
    [1, 'in one section', "<Directory /x>\nAuthGuard On\n$form</Directory>"],
    [1, 'Observe', "<Location /x>\nAuthGuard Observe\n$form</Location>"],
    [1, 'switched on by the server',
        "AuthGuard On\n<Location /x>\n$form</Location>"],
    [1, 'in a section of a section', '<VirtualHost *:80>' . "\nAuthGuard On\n"
          . "<Directory /x>\n$form<Files y>\nRequire all granted\n</Files>\n"
          . "</Directory>\n</VirtualHost>"],
    [1, 'with a provider that is not guard', "<Location /x>\nAuthGuard On\n"
          . "${form}AuthFormProvider file\n</Location>"],
    [0, 'with the provider guard', "<Location /x>\nAuthGuard On\n"
          . "${form}AuthFormProvider guard\n</Location>"],
    [0, 'with the provider guard around it', "<Directory /x>\nAuthGuard On\n"
          . "AuthFormProvider guard\n<Files y>\n$form</Files>\n</Directory>"],
    [0, 'switched off', "AuthGuard On\n<Location /x>\nAuthGuard Off\n"
          . "$form</Location>"],
    [0, 'with another AuthType', "<Location /x>\nAuthGuard On\nAuthType Basic\n"
          . "AuthName x\n</Location>"],
    [0, 'in another section', "<Location /y>\nAuthGuard On\n</Location>\n"
          . "<Location /x>\n$form</Location>"],
);
for my $row (@forms) {
    my ($warns, $name, $text) = @$row;
    my $server = AuthGuard::Httpd->new(conf => "$text\n",
        modules => \@form_modules, store => 'shm file=here.shm clients=64');

    $server->expect_log(qr/AG0107: configuration: AuthGuard is on over /)
      if $warns;
    $server->start;
    is(scalar $server->log_lines(qr/AG0107/), $warns,
        "a form, $name: " . ($warns ? 'one warning' : 'none'));
    ok(-s $server->root . '/run/here.shm',
        'AuthGuardStore: file=PATH is taken from DefaultRuntimeDir');
    $server->done;
}

# The store's line: what it leaves out is the default, and the last one holds.
# The harness has written one before these.
for my $row (["AuthGuardStore shm\n", 'authguard.shm', 65536],
    ["AuthGuardStore shm file=late.shm clients=128\n", 'late.shm', 128])
{
    my ($text, $file, $clients) = @$row;
    my $server = AuthGuard::Httpd->new(conf => $text,
        store => 'shm file=early.shm clients=64');

    $server->start;
    my $run = $server->root . '/run';
    my $bytes = -s "$run/$file" // 0;
    ok($bytes > 112 * $clients && $bytes <= 128 * $clients + 1048576,
        "AuthGuardStore: $file has room for $clients clients")
      or diag("$bytes bytes");
    ok(!-e "$run/early.shm", '  and the line before it is void');
    $server->done;
}

done_testing;
