#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/troubleshooting.md: each trouble is made, the commands of its section
# are run as they stand there, and say what the page's table explains. The
# cures are tried.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Recipe qw(commands said);
use AuthGuard::Tool ();

my $page = AuthGuard::Recipe::page('troubleshooting');
my ($head) = $page =~ /\A(.*?)^## /ms;
my %section = AuthGuard::Recipe::sections($page);
my %told;    # which commands and answers of the page have been seen
my $visitor = '127.0.2.7';    # where the page has 192.0.2.7

sub server {
    my ($conf, %arg) = @_;
    my $t = AuthGuard::Httpd->new(%arg, conf => $conf);

    $t->dir($_) for qw(private other);
    $t->passwords('users', { alice => 'right', bob => 'right' });
    $t->expect_log(qr/AG0110: /, optional => 1);
    $t->expect_log(qr/AG0102: /, optional => 1);
    return $t;
}

# The command of that section that begins so says what a row of its table
# explains; or nothing, where that is what is explained.
sub answers {
    my ($t, $name, $begin, $answer, @change) = @_;
    my $text = $section{$name} // $head;
    my ($command) = grep { index($_, $begin) == 0 } commands($text);

    if (!defined $command) {
        fail("$name: a command $begin");
        return;
    }
    my $said = said($t, $command, @change);
    $told{"$name|$command"} = 1;
    if ($answer eq '') {
        is($said, '', "$name: nothing");
        return $said;
    }
    $told{"$name|$answer"} = 1;
    like($text, qr/^\| [^|]*`\Q$answer\E`/m, "$name: has '$answer'");
    ok(index($said, $answer) >= 0, "$name: $begin... says '$answer'")
      || diag($said);
    return $said;
}

sub is_code {
    my ($t, $code, $name, %arg) = @_;

    is($t->guess('/private/', 'alice', 'right', from => $visitor, %arg),
        $code, $name);
    return;
}

my @guard = ('AuthGuard On', 'AuthName "private"');
my $locked = 'A user is locked out and should not be';
my $never = 'Nobody is ever locked out';
my $all = 'Everybody is locked out at once';
my $asks = 'The browser keeps asking';
my $error = '500 in .htaccess';
my $busy = '503.2';
my $empty = 'htguard shows nothing';

# --- A user ------------------------------------------------------------------
{
    my $t = server(guarded('private', @guard) . guarded('other', @guard,
            'AuthGuardScope other', 'AuthGuardLimit ip none',
            'AuthGuardLimit login 2/10min', 'AuthGuardLimit user 4/10min'));

    $t->expect_lockout;
    $t->start;
    answers($t, $locked, 'htguard check', 'free');
    is($t->guess_wrong('/private/', 'alice', 5, from => $visitor), '401.1=5',
        'five mistakes');
    like(said($t, (commands($head))[0]), qr/^\Q$visitor\E +ip +locked/m,
        'the first command of the page shows who');
    answers($t, $locked, 'htguard check', 'locked');
    $t->wait_log(qr/AG0101/);
    answers($t, $locked, 'grep', 'key=ip');
    my ($names) = grep { /AH0161/ } commands($section{$locked});
    is(() = said($t, $names) =~ /user alice/g, 5, 'and the log, which names');
    $told{"$locked|$names"} = 1;
    is_code($t, '401.501', 'locked out');
    said($t, 'htguard unlock --user alice');
    is_code($t, '401.501', '--user does not find it');
    like(said($t, (commands($head))[1]), qr/AG0103: unlocked: .* count=1 /,
        'the second command of the page');
    is_code($t, 200, 'lets in at once');

    is($t->guess_wrong('/other/', 'alice', 2, from => $visitor), '401.1=2',
        'a limit by login');
    $t->wait_log(qr/AG0101/, 2);
    answers($t, $locked, 'grep', 'key=login');
    said($t, 'htguard unlock --user alice');
    is($t->guess('/other/', 'alice', 'right', from => $visitor), 200,
        '--user finds that');
    is($t->guess_wrong('/other/', 'alice', 1, from => "127.0.2.$_"),
        '401.1=1', 'a limit by user') for 11 .. 14;
    $t->wait_log(qr/AG0101/, 3);
    answers($t, $locked, 'grep', 'key=user');
    said($t, 'htguard unlock --user alice');
    is($t->guess('/other/', 'alice', 'right', from => $visitor), 200,
        '--user finds that too');
    $t->done;
}

# --- Nobody ------------------------------------------------------------------
{
    my $t = server(guarded('private', @guard, 'AuthUserFile /dev/null'));

    $t->expect_lockout;
    $t->start;
    my $said = answers($t, $never, 'for i', '401.501');
    is($said, "401.1\n" x 5 . "401.501\n", 'nobody: it works');
    $told{"$never|401.1"} = 1;
    $t->wait_log(qr/AG0101/);
    answers($t, $never, 'grep', 'AG0101: lockout');
    is(said($t, 'apachectl -M | grep auth_guard'),
        " auth_guard_module (shared)\n",
        'nobody: the module is there');
    $told{"$never|apachectl -M | grep auth_guard"} = 1;
    $t->done;

    for my $case (['exempt', 'AuthGuardExempt 127.0.0.0/8'],
        ['none', 'AuthGuardLimit ip none'],
        ['a higher limit', 'AuthGuardLimit ip 9/10min'])
    {
        $t = server(guarded('private', @guard, $case->[1]));
        $t->start;
        is(answers($t, $never, 'for i', '401.1'), "401.1\n" x 6,
            "nobody: $case->[0]");
        $t->done;
    }

    $t = server(guarded('private', 'AuthGuard Observe'));
    $t->expect_log(qr/AG0104: /);
    $t->start;
    answers($t, $never, 'for i', '');
    $t->wait_log(qr/AG0104/);
    answers($t, $never, 'grep', 'AG0104: would lock out');
    $t->done;

    $t = server(guarded('private'));
    $t->start;
    answers($t, $never, 'for i', '');
    is(said($t, (grep { /AG0/ } commands($section{$never}))[0])
          =~ s/^.*AG0201.*\n//mr, '', 'nobody: not a line');
    $t->done;

    $t = server(guarded('private', 'AuthType Form', 'AuthFormProvider file',
            'AuthGuard On', 'Session On', 'SessionCookieName s path=/'),
        modules => [qw(auth_form request session session_cookie)]);
    $t->expect_log(qr/AG0107: /);
    $t->start;
    answers($t, $never, 'grep', 'AG0107');
    $t->done;

    $t = server(guarded('private'), guard => 0);
    $t->start;
    is(said($t, 'apachectl -M | grep auth_guard'), '',
        'nobody: there is no module');
    $told{"$never|auth_guard_module"} = 1;
    $t->done;

    # What the guard thought of each request.
    my $log = AuthGuard::Recipe::placed(
        AuthGuard::Recipe::blocks($section{$never})->{Log});
    $t = server("$log\n" . guarded('private', @guard)
          . guarded('other', 'AuthGuard Off'));
    $t->start;
    $t->guess_wrong("/$_/", 'alice', 1, from => $visitor)
      for qw(private other);
    my $guard_log = AuthGuard::Httpd::slurp($t->root . '/logs/guard.log');
    like($guard_log, qr{ failed 1/5$}m, 'nobody: the log of the guard');
    like($guard_log, qr{ unguarded -/-$}m, 'nobody: and where it is off');
    $t->done;
}

# --- Everybody ---------------------------------------------------------------
{
    my $t = server(guarded('private', @guard));
    my @proxy = (headers => ['X-Forwarded-For' => '203.0.113.9']);

    $t->expect_lockout;
    $t->expect_log(qr/AG0105: /);
    $t->start;
    $t->guess_wrong('/private/', 'alice', 5, from => $visitor, @proxy);
    is_code($t, '401.501', 'everybody: another visitor', @proxy);
    answers($t, $all, 'grep', 'AG0105');
    is(() = said($t, 'htguard list --locked') =~ /^\Q$visitor\E .*locked/mg, 1,
        'everybody: one row');
    $told{"$all|$_"} = 1 for commands($section{$all});
    said($t, 'htguard unlock --all');
    is_code($t, 200, 'everybody: unlocked', @proxy);
    $t->done;

    # A network, as the table's KEY tells it.
    $t = server(guarded('private', @guard, 'AuthGuardLimit net 3/10min'));
    $t->expect_lockout;
    $t->start;
    $t->guess_wrong('/private/', 'alice', 1, from => "127.0.2.$_")
      for 1 .. 3;
    like(said($t, 'htguard list --locked'), qr{^127\.0\.2\.0/24 +net +locked}m,
        'everybody: a network');
    $t->wait_log(qr/AG0101/);
    answers($t, $locked, 'grep', 'key=net');
    $told{"$all|net"} = 1;
    $t->done;
}

# --- The browser -------------------------------------------------------------
{
    my $t = server(guarded('private', @guard, 'Require user bob'));
    my @as = ('-u alice ' => '-u alice:right ');

    $t->expect_lockout;
    $t->expect_log(qr/AH01631|AH0179/, optional => 1);
    $t->start;
    answers($t, $asks, 'curl', '401.3', @as);
    answers($t, $asks, 'curl', '401.1', '-u alice ' => '-u alice:wrong ');
    is(said($t, (commands($section{$asks}))[0], '-u alice ' =>
                '-u bob:right '), '', 'the browser: the page comes');
    $t->guess_wrong('/private/', 'alice', 4, from => '127.0.0.1');
    answers($t, $asks, 'curl', '401.501', @as);
    $t->done;

    my $cure = AuthGuard::Recipe::blocks($section{$asks})->{'Show the page'};
    $t = server(guarded('private', @guard, $cure));
    $t->expect_lockout;
    $t->start;
    $t->guess_wrong('/private/', 'alice', 5, from => $visitor);
    my $answer = $t->get('/private/', from => $visitor);
    is($answer->code, '429.501', 'the browser: another status');
    is($answer->header('www-authenticate'), undef, 'and no dialog');
    $t->done;
}

# --- 500 ---------------------------------------------------------------------
for my $case (
    ['Invalid command \'AuthGuard', 'AuthGuard On', guard => 0],
    ['Unknown Authn provider: guard', 'AuthBasicProvider guard', guard => 0],
    ['not allowed here', 'AuthGuardScope mine'],
    ['AuthGuardLimit: \'5/0s\': the window must be',
        'AuthGuardLimit ip 5/0s'],
    ['AG0106', 'AuthGuard On',
        conf => "<Directory \"\@DOCS\@/private\">\nAuthGuardScope all\n"
          . "</Directory>\n"],
    ['AG0108', "AuthBasicProvider guard\nAuthGuardProvider loop",
        conf => "<AuthnProviderAlias guard loop>\n</AuthnProviderAlias>\n"],
    ['AH01796: AuthType', "AuthGuard On\nAuthType Nonsense"],
  )
{
    my ($answer, $lines, %arg) = @$case;
    my $t = server(delete $arg{conf} // '', %arg);

    $t->dir('private', basic($lines));
    $t->expect_log(qr/\[core:(?:alert|error)\]|AG010[68]|AH01796/);
    $t->start;
    is($t->get('/private/', user => 'alice', pass => 'right')->status, 500,
        "500: $answer");
    $t->wait_log(qr/\Q$answer\E/);
    answers($t, $error, $answer =~ /^A[GH]0/ ? 'grep -E' : "grep '[", $answer);
    $t->done;
}
{
    my $t = server('');
    $t->dir('none', basic('AuthGuard On'));
    $t->{conf} = "<Directory \"\@DOCS\@/none\">\nAllowOverride FileInfo\n"
      . "</Directory>\n";
    $t->expect_log(qr/\[core:alert\]/);
    $t->start;
    is($t->get('/none/')->status, 500, '500: AllowOverride');
    answers($t, $error, "grep '[", 'not allowed here');
    $t->done;
}

# --- 503.2 -------------------------------------------------------------------
{
    my @slow = ('AuthBasicProvider slow', 'AuthnSlowDelay 600',
        'AuthnSlowUser alice:right');
    my $t = server("AuthGuardChecks 1 wait=50ms\n"
          . guarded('private', @guard, @slow), modules => ['authn_slow']);

    $t->expect_log(qr/AG0102: /);
    $t->start;
    like(tally($t->many(4, map { wrong_guesses('/private/', 'alice', 1,
                    from => "127.0.5.$_") } 1 .. 4)), qr/\b503\.2=[123]\b/,
        '503.2: more at once than AuthGuardChecks');
    $t->wait_log(qr/reason=overload/);
    answers($t, $busy, 'grep', 'reason=overload');
    my $stats = answers($t, $busy, 'htguard stats', 'attempts_overload');
    like($stats, qr/^attempts_overload +[123]$/m, '503.2: counted');
    $t->done;

    my $cure = AuthGuard::Recipe::blocks($section{$busy})->{'Allow more'};
    $t = server($cure . guarded('private', @guard, @slow),
        modules => ['authn_slow']);
    $t->start;
    is(tally($t->many(12, map { wrong_guesses('/private/', 'alice', 1,
                    from => "127.0.5.$_") } 1 .. 12)), '401.1=12',
        '503.2: with more there is none');
    $t->done;
}

# --- htguard -----------------------------------------------------------------
{
    my $t = server(guarded('private', @guard));
    my $file = $t->root . '/run/authguard.shm';
    my ($maps) = grep { /^grep/ } commands($section{$empty});

    $t->expect_log(qr/AG0213: /, optional => 1);
    $t->start;
    answers($t, $empty, 'htguard stats', 'there is no table',
        'authguard.shm' => 'x', 'htguard ' => '@HTGUARD@ -f @ROOT@/none ');
    like(said($t, $maps), qr/\Q$file\E$/m, 'htguard: the file is found');
    like(said($t, (commands($section{$empty}))[0]), qr/^attempts_failed +0$/m,
        'htguard: nothing yet');
    $told{"$empty|attempts_"} = 1;
    $t->guess_wrong('/private/', 'alice', 1, from => $visitor);
    my $said = answers($t, $empty, 'htguard stats', 'attempts_failed');
    like($said, qr/^attempts_failed +1$/m, 'htguard: it counts');
    open(my $out, '>', $t->root . '/old') or die $!;
    print $out AuthGuard::Httpd::slurp($file) =~ s/\A.{8}\K.{4}/\0\0\0\0/sr;
    close $out;
    answers($t, $empty, 'htguard stats', 'of another version',
        'htguard ' => '@HTGUARD@ -f @ROOT@/old ');
    if ($> == 0) {
        answers($t, $empty, 'htguard stats', 'Permission denied', 'htguard ' =>
              'setpriv --reuid 65534 --clear-groups @HTGUARD@ '
              . '-f @ROOT@/run/authguard.shm ');
    }
    unlink $file or die "$file: $!";
    answers($t, $empty, 'grep', '(deleted)');
    $t->done;
}

# --- Stop refusing -----------------------------------------------------------
{
    my $stop = AuthGuard::Recipe::blocks($head)->{'Stop refusing'};
    my $conf = guarded('private', @guard)
      . guarded('other', 'AuthBasicProvider guard') . <<'CONF';
<VirtualHost *:@PORT@>
    ServerName localhost
    DocumentRoot @DOCS@
    <Location "/located">
        AuthType Basic
        AuthName "located"
        AuthUserFile @ROOT@/users
        Require valid-user
        AuthGuard On
        AuthGuardResponse 429
    </Location>
</VirtualHost>
CONF
    my $t = server($conf);
    my @path = qw(/private/ /other/ /located/ /tenant/);
    $t->dir('located');
    $t->dir('tenant', basic('AuthGuard On'));
    $t->expect_lockout;
    $t->start;
    for my $path (@path) {
        $t->guess_wrong($path, 'alice', 5, from => $visitor);
        like($t->guess($path, 'alice', 'right', from => $visitor),
            qr/\.501\z/, "$path is locked");
    }
    $t->{conf} = $stop . $conf;
    $t->file('httpd.conf', $t->configuration);
    AuthGuard::Tool::graceful($t);
    for my $path (@path) {
        is($t->guess($path, 'alice', 'right', from => $visitor), 200,
            "$path refuses nobody");
    }
    $t->done;
}

# --- The page ----------------------------------------------------------------
{
    # A section of another test's: t/docs_fleet.t. Answers whose tests are
    # t/table_fill.t, t/fault_*.t and t/docs_fleet.t.
    my $fleet = "A fleet's store";
    my %elsewhere = map { $_ => 1 } qw(key=overflow AG0207 AG0208 AG0301),
      $> == 0 ? () : 'Permission denied';
    my $anchors = join ' ', $page =~ /\]\(#([^)]+)\)/g;

    for my $name (sort keys %section) {
        my $anchor = lc($name =~ s/[^\w -]//gr) =~ s/ /-/gr;
        like($anchors, qr/(?:^| )\Q$anchor\E(?: |$)/, "$name: is linked to");
        next if $name eq $fleet;
        ok($told{"$name|$_"}, "$name: '$_' was run")
          for grep { !/unlock/ } commands($section{$name});
        ok($told{"$name|$_"} || $elsewhere{$_}, "$name: '$_' was seen")
          for $section{$name} =~ /^\| [^|`]*`([^`]+)`[^|]* \| /mg;
    }
}

done_testing;
