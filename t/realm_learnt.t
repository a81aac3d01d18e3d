#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthType and AuthName are learnt from the configuration, and must be what
# httpd takes them for: wherever they are written and whatever overrides them,
# the challenge of a locked client is the one that httpd gives without the
# guard, and a wrong password counts where httpd looks at it, nowhere else.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $type = 'AuthType Basic';
my $name = 'AuthName "base"';
my $open = "AuthType None\nRequire all granted";
my $digest = "AuthType Digest\nAuthUserFile \@ROOT\@/digest";
my $back = "AuthType Basic\nAuthUserFile \@ROOT\@/users";

# What the section <Directory> says, and then others: by the name of the
# section, or htaccess.
my @cases = (
    ['words', "$type\n$name"],
    ['no name of its own', $type],
    ['in capitals', "AuthType BASIC\n$name"],
    ['quotes', "$type\n" . 'AuthName "say \"hello\""'],
    ['a backslash', "$type\n" . 'AuthName "back\\\\slash"'],
    ['two backslashes', "$type\n" . 'AuthName "a\\\\\\\\b"'],
    ['a single quote', "$type\n" . q(AuthName "it's here")],
    ['in single quotes', "$type\n" . q(AuthName 'the "desk"')],
    ['braces', "$type\n" . 'AuthName "{odd} }{"'],
    ['a percent sign', "$type\n" . 'AuthName "100% sure"'],
    ['a dollar sign', "$type\n" . 'AuthName "cost $ 1"'],
    ['a back reference', "$type\n" . 'AuthName "one $1 two $0"'],
    ['blanks', "$type\n" . "AuthName \"a  b\tc \""],
    ['UTF-8', "$type\n" . "AuthName \"\xc3\xa4rzte\""],
    ['Latin 1', "$type\n" . "AuthName \"\xe4rzte\""],
    ['an expression', "$type\n" . 'AuthName "%{REQUEST_METHOD} desk"'],
    ['a function', "$type\n" . 'AuthName "%{tolower:DESK}"'],
    ['an expression with quotes', "$type\n" . 'AuthName "\"%{SERVER_NAME}\""'],
    ['AuthType an expression', 'AuthType "%{tolower:BASIC}"' . "\n$name"],
    ['AuthType is None by expression',
        'AuthType "%{tolower:NONE}"' . "\nRequire all granted"],
    ['None', $open],
    ['none', "AuthType none\nRequire all granted"],
    ['None, and closed', 'AuthType None'],
    ['AuthType is None by expression, and closed',
        'AuthType "%{tolower:NONE}"'],
    ['None over Basic', "$type\n$name", Location => $open],
    ['Basic over None', $open, Location => "$back\n$name\nRequire valid-user"],
    ['name here, type there', $name, Location => $type],
    ['type here, name there', $type, Location => 'AuthName "there"'],
    ['a word over an expression', "$type\n" . 'AuthName "%{SERVER_NAME}"',
        Location => 'AuthName "word"'],
    ['an expression over a word', "$type\n$name",
        Location => 'AuthName "%{REQUEST_METHOD}"'],
    ['a word over an expression for a type',
        'AuthType "%{tolower:DIGEST}"' . "\n$name", Location => $back],
    ['an expression over a word for a type', "$digest\n$name",
        Location => 'AuthType "%{tolower:BASIC}"' . "\n"
          . 'AuthUserFile @ROOT@/users'],
    ['Digest', "$digest\n$name"],
    ['Digest over Basic', "$type\n$name", Location => $digest],
    ['Basic over Digest', "$digest\n$name", Location => $back],
    ['a file', "$type\n$name", Files => 'AuthName "file"'],
    ['a file that is open', "$type\n$name", Files => $open],
    ['If', "$type\n$name", If => 'AuthName "if"'],
    ['If, and open', "$type\n$name", If => $open],
    ['If, and guarded', $open, If => "$back\n$name\nRequire valid-user"],
    ['If not', "$type\n$name", Unless => 'AuthName "never"'],
    ['If not, and open', "$type\n$name", Unless => $open],
    ['.htaccess', $type, htaccess => 'AuthName "tenant"'],
    ['.htaccess, quotes', $type, htaccess => 'AuthName "a \"tenant\""'],
    ['.htaccess, an expression', $type,
        htaccess => 'AuthName "%{REQUEST_METHOD}"'],
    ['.htaccess, open', "$type\n$name", htaccess => $open],
    ['.htaccess, closed', $open,
        htaccess => "$back\n$name\nRequire valid-user"],
    ['.htaccess, Basic over Digest', "$digest\n$name", htaccess => $back],
    ['.htaccess, a file', "$type\n$name",
        htaccess => "<Files index.html>\nAuthName \"own\"\n</Files>"],
    ['.htaccess, If', "$type\n$name",
        htaccess => "<If \"true\">\n$open\n</If>"],
    ['.htaccess, and Location', "$type\n$name",
        htaccess => $open, Location => "$back\nRequire valid-user"],
);

my %sections = (
    Location => ['<Location "/DIR/">', '</Location>'],
    Files => ['<Files "index.html">', '</Files>'],
    If => [q(<If "%{REQUEST_METHOD} == 'GET'">), '</If>'],
    Unless => [q(<If "%{REQUEST_METHOD} == 'PUT'">), '</If>'],
);

sub section_of {
    my ($dir, $kind, $text) = @_;
    my ($begin, $end) = @{ $sections{$kind} };
    my $section = join "\n", $begin =~ s/DIR/$dir/r, $text, $end, '';

    return $section if $kind eq 'Location';
    return "<Directory \"\@DOCS\@/$dir\">\n$section</Directory>\n";
}

my $realm = '<Directory "@DOCS@">' . "\nAuthName \"documents\"\n</Directory>\n";
my ($conf, %htaccess) = ($realm);
for my $number (0 .. $#cases) {
    my ($case, $text, @more) = @{ $cases[$number] };
    my $dir = "d$number";

    $conf .= join "\n", "<Directory \"\@DOCS\@/$dir\">",
      'AuthUserFile @ROOT@/users',
      ($text =~ /Require/ ? () : 'Require valid-user'), $text,
      '</Directory>', '';
    while (my ($kind, $of) = splice @more, 0, 2) {
        $htaccess{$dir} = $of if $kind eq 'htaccess';
        $conf .= section_of($dir, $kind, $of) unless $kind eq 'htaccess';
    }
}
$conf .= <<'CONF';
<VirtualHost *:@PORT@>
    ServerName one.test
    DocumentRoot "@DOCS@"
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName two.test
    DocumentRoot "@DOCS@"
    <Directory "@DOCS@/d0">
        AuthName "two"
    </Directory>
    <Directory "@DOCS@/d1">
        AuthType None
        Require all granted
    </Directory>
</VirtualHost>
CONF

sub server {
    my ($guard) = @_;
    my $on = "AuthGuard On\nAuthGuardLimit ip 2/10min\nAuthGuardScope all\n";
    my $t = AuthGuard::Httpd->new(guard => $guard,
        modules => ['auth_digest'], conf => ($guard ? $on : '') . $conf);

    for my $number (0 .. $#cases) {
        my $text = $htaccess{"d$number"};
        $t->dir("d$number", defined $text ? "$text\n" : undef);
    }
    $t->passwords('users', { alice => 'right' });
    $t->file('digest', "alice:base:0123456789abcdef0123456789abcdef\n");
    $t->expect_log(qr/\[auth_digest:/, optional => 1);
    $t->expect_log(qr/AH00027: No authentication done/);
    $t->expect_lockout if $guard;
    return $t->start;
}

my %server = (plain => server(0), guarded => server(1));

# What httpd says without credentials: the status and who is asked for.
sub face {
    my ($which, $path, @more) = @_;
    my $answer = $server{$which}->get($path, @more);
    my @challenges = $answer->header('www-authenticate');

    s/nonce="[^"]*"/nonce/ for @challenges;
    return join ' ', $answer->status, @challenges;
}

my @locked = (from => '127.0.9.9');
$server{guarded}->guess_wrong('/d0/', 'alice', 2, @locked);
my @visits = ((map { ["/d$_/", $cases[$_][0]] } 0 .. $#cases),
    map { ["/d$_->[0]/", $_->[1], headers => [Host => 'two.test']] }
      [0, 'another host'], [1, 'another host, open']);
my $serial = 0;
my (@checked, @wanted);

for my $visit (@visits) {
    my ($path, $case, @more) = @$visit;
    my @from = (from => '127.0.1.' . ++$serial);
    my $plain = face('plain', $path, @more);
    my $verified = $server{plain}->verified;
    my %guess = (user => 'alice', pass => 'wrong', @more);

    is(face('guarded', $path, @more, @from), $plain, "$case: as httpd has it");
    is(face('guarded', $path, @more, @locked), $plain, "$case: locked out");
    is($server{guarded}->get($path, %guess, @from)->status,
        $server{plain}->get($path, %guess)->status, "$case: a wrong password");
    push @wanted, $server{plain}->verified > $verified ? 'failed'
      : $plain =~ /\A(?:200|500)/ ? 'unguarded' : 'ok';
}
my @log = grep { $_->{address} =~ /\A127\.0\.1\./ }
  $server{guarded}->access(2 + 3 * @visits);
for my $number (0 .. $#visits) {
    is($log[2 * $number + 1]{state}, $wanted[$number],
        "$visits[$number][1]: $wanted[$number]");
}
is($server{guarded}->verified - 2, $server{plain}->verified,
    'the guard let as many be looked at');
cmp_ok(scalar(grep { $_ eq 'failed' } @wanted), '>', 30, 'most count');
cmp_ok(scalar(grep { $_ eq 'unguarded' } @wanted), '>', 7, 'some are open');
$_->done for values %server;

done_testing;
