#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/recipes.md with the programs that people use: git, a WebDAV client,
# Subversion. A stale saved password is one mistake, however many requests
# bring it; right ones are none.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules ();
use AuthGuard::Recipe;
use POSIX ();

use constant PATIENCE_SECONDS => 60;

my $cgi = ($ENV{AUTHGUARD_MPM} // '') eq 'prefork' ? 'cgi' : 'cgid';
my @clean = ('env', '-i', 'LC_ALL=C', "PATH=$ENV{PATH}",
    'GIT_CONFIG_NOSYSTEM=1', 'GIT_TERMINAL_PROMPT=0');

# What a program says, both ways, and its exit status.
sub run_client {
    my ($t, @line) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";

    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        open(STDIN,  '<',  '/dev/null');
        exec('setpriv', '--pdeathsig', 'KILL', 'timeout', PATIENCE_SECONDS,
            @clean, 'HOME=' . $t->root . '/home', @line)
          or POSIX::_exit(127);
    }
    my $said = do { local $/; <$out> } // '';
    close $out;
    return ($said, $? >> 8);
}

# It must work.
sub do_client {
    my ($t, $name, @line) = @_;
    my ($said, $status) = run_client($t, @line);

    is($status, 0, $name) || diag($said);
    return $said;
}

# httpd's user owns what httpd writes to.
sub give_to_httpd {
    my ($path) = @_;
    my $user = getpwnam('www-data') ? 'www-data' : 'daemon';

    system('chown', '-R', $user, $path) == 0 or die "chown $path"
      if $> == 0;
    return;
}

# The count after this visitor's next mistake; all of it is on one client.
sub failures_after_one_more {
    my ($t, $path) = @_;

    $t->guess_wrong($path, 'bob', 1);
    return ($t->access)[-1]{failures};
}

# --- Git ---------------------------------------------------------------------
SKIP: {
    my $recipe = AuthGuard::Recipe->new('Git over HTTP');

    skip('no git here', 1) unless -x '/usr/lib/git-core/git-http-backend';
    my $t = $recipe->server('Server', modules => [$cgi]);
    my $root = $t->root;
    my $url = sub {
        my ($user, $pass) = @_;
        return "http://$user:$pass\@127.0.0.1:" . $t->port
          . '/git/project.git';
    };

    $t->file('home/.gitconfig', "[user]\nname = Alice\n"
          . "email = alice\@example.com\n[init]\ndefaultBranch = main\n"
          . "[credential]\nhelper = store\n");
    do_client($t, 'git: a repository', 'git', 'init', '-q', '--bare',
        "$root/git/project.git");
    give_to_httpd("$root/git");
    $t->expect_lockout;
    $t->start;

    # The stale password, as a job that does not give up brings it.
    for my $try (1 .. 3) {
        my ($said, $status) = run_client($t, 'git', 'ls-remote',
            $url->('alice', 'stale'));
        isnt($status, 0, "git: a stale password, try $try");
        like($said, qr/Authentication failed/, 'git: says so');
    }
    is(failures_after_one_more($t, '/git/project.git/info/refs'), 2,
        'git: and it is one mistake');

    do_client($t, 'git: clone', 'git', 'clone', '-q',
        $url->('alice', 'right-alice'), "$root/copy");
    $t->file('copy/file', "text\n");
    do_client($t, 'git: add', 'git', '-C', "$root/copy", 'add', '.');
    do_client($t, 'git: commit', 'git', '-C', "$root/copy", 'commit', '-q',
        '-m', 'one');
    do_client($t, 'git: push', 'git', '-C', "$root/copy", 'push', '-q',
        'origin', 'HEAD:main');
    like(do_client($t, 'git: ls-remote', 'git', '-C', "$root/copy",
            'ls-remote'), qr{refs/heads/main}, 'git: it arrived');
    is(failures_after_one_more($t, '/git/project.git/info/refs'), 2,
        'git: nothing of that has counted, and alice is forgiven');

    # A keyring: the password stays there through a lockout.
    $t->file('home/.git-credentials',
        $url->('alice', 'right-alice') =~ s{/git/.*}{}r . "\n");
    my $plain = 'http://127.0.0.1:' . $t->port . '/git/project.git';
    do_client($t, 'git: by the keyring', 'git', 'ls-remote', $plain);
    is($t->guess_wrong('/git/project.git/info/refs', 'bob', 4),
        '401.1=3 429.501=1', 'git: locked out');
    my ($said, $status) = run_client($t, 'git', 'ls-remote', $plain);
    like($said, qr/The requested URL returned error: 429/,
        'git: says what the page says');
    like(AuthGuard::Httpd::slurp("$root/home/.git-credentials"),
        qr/right-alice/, 'git: and keeps the password');
    $t->done;

    # With 401 it throws it away.
    $t = $recipe->server(undef, modules => [$cgi],
        conf => $recipe->block('Server') =~ s/^ *AuthGuardResponse.*\n//mr);
    $root = $t->root;
    $t->file('home/.gitconfig', "[credential]\nhelper = store\n");
    $t->file('home/.git-credentials',
        $url->('alice', 'right-alice') =~ s{/git/.*}{}r . "\n");
    $t->expect_lockout;
    $t->start;
    $t->guess_wrong('/git/project.git/info/refs', 'bob', 5);
    run_client($t, 'git', 'ls-remote',
        'http://127.0.0.1:' . $t->port . '/git/project.git');
    unlike(AuthGuard::Httpd::slurp("$root/home/.git-credentials"),
        qr/right-alice/, 'git: with 401 it throws the password away');
    $t->done;
}

# Clone without a password.
SKIP: {
    my $recipe = AuthGuard::Recipe->new('Git over HTTP');

    skip('no git here', 1) unless -x '/usr/lib/git-core/git-http-backend';
    my $require = $recipe->block('Clone without a password');
    my $t = $recipe->server(undef, modules => [$cgi], conf =>
          $recipe->block('Server') =~ s/^ *Require valid-user\n/$require/mr);
    my $url = 'http://127.0.0.1:' . $t->port . '/git/project.git';
    my $root = $t->root;

    $t->file('home/.gitconfig', "[user]\nname = Alice\n"
          . "email = alice\@example.com\n");
    do_client($t, 'git: a repository', 'git', 'init', '-q', '--bare',
        "$root/git/project.git");
    give_to_httpd("$root/git");
    $t->expect_lockout;
    $t->start;
    do_client($t, 'git: clone without a password', 'git', 'clone', '-q', $url,
        "$root/copy");
    do_client($t, 'git: commit', 'git', '-C', "$root/copy", 'commit', '-q',
        '--allow-empty', '-m', 'one');
    my ($said, $status) = run_client($t, 'git', '-C', "$root/copy", 'push',
        '-q', 'origin', 'HEAD:main');
    isnt($status, 0, 'git: no push without one');
    is($t->get('/git/project.git/git-receive-pack', method => 'POST',
            body => '0000')->status, 401, 'git: nor past the first request');
    for my $n (1 .. 5) {
        run_client($t, 'git', '-C', "$root/copy", 'push', '-q',
            $url =~ s{//}{//alice:stale$n\@}r, 'HEAD:main');
    }
    ($said, $status) = run_client($t, 'git', '-C', "$root/copy", 'push', '-q',
        $url =~ s{//}{//alice:right-alice\@}r, 'HEAD:main');
    like($said, qr/error: 429/, 'git: five wrong pushes lock out');
    do_client($t, 'git: but not from cloning', 'git', 'ls-remote', $url);
    $t->done;
}

# --- WebDAV ------------------------------------------------------------------
# The answers' statuses, of one curl with those URLs.
sub curl {
    my ($t, $user, $urls, @options) = @_;

    return do_client($t, 'WebDAV: curl', 'curl', '-sS', '-w', '%{http_code} ',
        '-u', $user, @options, map { ('-o', '/dev/null', $_) } @$urls);
}

{
    my $recipe = AuthGuard::Recipe->new('WebDAV');
    my $t = $recipe->server('Server', modules => [qw(dav dav_fs)]);
    my $base = 'http://127.0.0.1:' . $t->port . '/files';
    my @stale = ($t, 'alice:stale');
    my @right = ($t, 'alice:right-alice');
    my @list = ('-X', 'PROPFIND', '-H', 'Depth: 1');
    my @put = ('-T', $t->root . '/users');

    $t->file('files/there.txt', "there\n");
    give_to_httpd($t->root . '/files');
    $t->expect_lockout;
    $t->start;
    is(curl(@stale, [("$base/") x 3], @list), '401 401 401 ',
        'WebDAV: a stale password');
    is(curl(@stale, ["$base/new.txt"], @put), '401 ', 'WebDAV: and with PUT');
    is(failures_after_one_more($t, '/files/'), 2,
        'WebDAV: all of it is one mistake');
    is(curl(@right, [("$base/") x 4], @list), '207 ' x 4, 'WebDAV: PROPFIND');
    is(curl(@right, ["$base/new.txt"], @put), '201 ', 'WebDAV: PUT');
    is(tally($t->many(20, ({ path => '/files/', method => 'PROPFIND',
                    user => 'alice', pass => 'right-alice',
                    headers => [Depth => 1] }) x 60)), '207=60',
        'WebDAV: sixty at once');
    is(failures_after_one_more($t, '/files/'), 2,
        'WebDAV: right ones count nothing, and alice is forgiven');
    is(tally($t->many(1, map { { %$_, method => 'PROPFIND' } }
                wrong_guesses('/files/', 'bob', 4))), '401.1=3 401.501=1',
        'WebDAV: five wrong ones lock out');
    is(curl(@right, ["$base/later.txt"], @put), '401 ',
        'WebDAV: from writing too');
    ok(!-e $t->root . '/files/later.txt', 'WebDAV: nothing is written');
    $t->done;
}

# --- Subversion --------------------------------------------------------------
SKIP: {
    my $recipe = AuthGuard::Recipe->new('Subversion');
    my @packages = ('libapache2-mod-svn', 'subversion');
    my ($reason) = grep { defined }
      map { AuthGuard::Modules::lacks($_) } @packages;

    skip($reason, 1) if $reason;
    local $ENV{LD_LIBRARY_PATH} =
      AuthGuard::Modules::library_path(@packages);
    push @clean, "LD_LIBRARY_PATH=$ENV{LD_LIBRARY_PATH}";
    my $bin = sub {
        AuthGuard::Modules::unpacked("usr/bin/$_[0]", 'subversion');
    };
    my $t = $recipe->server('Server', modules => [qw(dav dav_svn)]);
    my $root = $t->root;
    my $url = 'http://127.0.0.1:' . $t->port . '/svn/project';

    mkdir "$root/svn";
    do_client($t, 'svn: a repository', $bin->('svnadmin'), 'create',
        "$root/svn/project");
    give_to_httpd("$root/svn");
    $t->expect_lockout;
    $t->start;
    my @svn = ($bin->('svn'), '--non-interactive', '--no-auth-cache',
        '--username', 'alice', '--password');
    for my $try (1 .. 3) {
        my ($said, $status) = run_client($t, @svn, 'stale', 'ls', $url);
        isnt($status, 0, "svn: a stale password, try $try");
    }
    is(failures_after_one_more($t, '/svn/project/'), 2,
        'svn: and it is one mistake');
    do_client($t, 'svn: checkout', @svn, 'right-alice', 'co', '-q', $url,
        "$root/copy");
    $t->file('copy/file', "text\n");
    do_client($t, 'svn: add', $bin->('svn'), 'add', '-q', "$root/copy/file");
    do_client($t, 'svn: commit', @svn, 'right-alice', 'ci', '-q', '-m', 'one',
        "$root/copy");
    like(do_client($t, 'svn: ls', @svn, 'right-alice', 'ls', $url),
        qr/^file$/m, 'svn: it arrived');
    is(failures_after_one_more($t, '/svn/project/'), 2,
        'svn: nothing of that has counted, and alice is forgiven');
    is($t->guess_wrong('/svn/project/', 'bob', 4), '401.1=3 429.501=1',
        'svn: five wrong ones lock out');
    my ($said, $status) = run_client($t, @svn, 'right-alice', 'ls', $url);
    isnt($status, 0, 'svn: the right one too');
    like($said, qr/Unexpected HTTP status 429 'Too Many Requests'/,
        'svn: which says so');
    $t->done;
}

done_testing;
