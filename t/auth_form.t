#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Forms as docs/authentication.md has them, with a log-in page and inline:
# what counts, what the page says to a locked visitor and until when, that a
# missing password file counts nothing, and that a session is no way around.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;

use constant LIMIT => 5;    # the default's

my @modules = qw(request session session_cookie auth_form include authn_slow);
my $wrong_text = 'User name or password not accepted';

sub server {
    my ($kind, $conf) = @_;
    my $t = AuthGuard::Httpd->new(modules => \@modules, conf => $conf);

    $t->{file} = $t->passwords('users', { alice => 'right', bob => 'secret' });
    $t->dir('private');
    $t->file('docs/login.shtml', $kind->block('page'));
    $t->expect_lockout;
    $t->expect_log(qr/AH0180[78]: user '\w+'/);
    $t->expect_log(qr/AH01620: Could not open password file/, optional => 1);
    $t->start;
    return $t;
}

sub form {
    my ($path, $user, $password, @more) = @_;

    return { path => $path, method => 'POST', @more,
        headers => ['Content-Type' => 'application/x-www-form-urlencoded'],
        body => "httpd_username=$user&httpd_password=$password" };
}

# The file is away for a log-in of each sort, with more than the limit.
sub outage_is_not_counted {
    my ($t, $kind, $path, @from) = @_;
    my $status = $kind->told('down');

    like($kind->row->{down}, qr/not counted/, "$kind->{name}: by the page");
    rename $t->{file}, "$t->{file}.away" or die $!;
    my @answers = $t->many(1, map { form($path, 'bob', $_, @from) } 1 .. 7);
    rename "$t->{file}.away", $t->{file} or die $!;
    is(join(' ', map { $_->status } @answers), join(' ', ($status) x 7),
        "$kind->{name}: backend down");
    return;
}

sub cookie_of {
    my ($answer) = @_;

    return ($answer->header('set-cookie') // '') =~ /\A([^;]+)/ ? $1 : die;
}

# What each of the last requests was to the guard.
sub history {
    my ($t, $count) = @_;

    return join ' ',
      map { "$_->{state}:$_->{failures}" } ($t->access)[-$count .. -1];
}

# With a log-in page.
{
    my $kind = AuthGuard::Kind->new('Form with a log-in page');
    my $t = server($kind, $kind->configuration);
    my @from = (from => '127.0.1.1');
    my $log_in = sub { ($t->many(1, form('/do-login', @_)))[0] };
    my $follow = sub {
        my ($answer) = @_;
        is($answer->status, $kind->told('locked'), 'back to the page');
        return $t->get($answer->header('location'), @from)->body;
    };

    my $first = $follow->($t->get('/private/', @from));
    like($first, qr/<form /, 'a first visit: the page');
    unlike($first, qr/<p>/, 'a first visit: without a word');
    my $in = $log_in->('alice', 'right', @from);
    is($in->header('location'), '/private/', 'right: let in');
    my $cookie = cookie_of($in);
    my $session =
      sub { $t->get('/private/', headers => [Cookie => $cookie], @_) };
    is($session->(@from)->status, 200, 'right: inside');

    outage_is_not_counted($t, $kind, '/do-login', @from);
    for my $count (1 .. LIMIT) {
        my $user = $count == 1 ? 'nobody' : 'bob';
        like($follow->($log_in->($user, "wrong$count", @from)),
            qr/<p>\Q$wrong_text\E/, "wrong, $count: the page says so");
        is(($t->access)[-2]{failures}, $count, "wrong, $count: counted once");
    }
    my $wrong = $log_in->('bob', 'again', @from);
    my $right = $log_in->('bob', 'secret', @from);
    my ($wait) = $right->header('location') =~ /\?why=locked&wait=(\d+)\z/;
    cmp_ok($wait, '>', 800, 'locked: for how long');
    like($follow->($right), qr/<p>Too many.*in $wait seconds\./,
        'locked: the page says so');
    is($right->fingerprint =~ s/wait=\d+/wait=N/gr,
        $wrong->fingerprint =~ s/wait=\d+/wait=N/gr,
        'locked: the same for a right and a wrong one');

    like($session->(@from)->header('location'), qr/why=locked/,
        'a session from there is stopped');
    is($session->(from => '127.0.1.2')->status, 200,
        'from elsewhere it goes on');
    unlike($t->get("/login.shtml?why=locked&wait=$_")->body, qr/<p>/,
        "the page believes no '$_'") for '', '1%3Cb%3E', '1<b>', '1&x=2';
    $t->done;
}

# Inline.
{
    my $kind = AuthGuard::Kind->new('Form in the page itself');
    my $t = server($kind, $kind->configuration);
    my @from = (from => '127.0.1.1');
    my $log_in = sub { ($t->many(1, form('/private/', @_)))[0] };

    my $first = $t->get('/private/', @from);
    is($first->status, 401, 'inline, a first visit: 401');
    like($first->body, qr/<form /, 'with the form');
    unlike($first->body, qr/<p>/, 'without a word');
    is($log_in->('alice', 'right', @from)->body, "inside private\n",
        'inline, right: let in');
    outage_is_not_counted($t, $kind, '/private/', @from);
    for my $count (1 .. LIMIT) {
        my $user = $count == 1 ? 'nobody' : 'bob';
        like($log_in->($user, "wrong$count", @from)->body,
            qr/<p>\Q$wrong_text\E/, "inline, wrong, $count: the page says so");
        is(($t->access)[-1]{failures}, $count, "and it is counted once");
    }
    my $wrong = $log_in->('bob', 'again', @from);
    my $right = $log_in->('bob', 'secret', @from);
    my $wait = $right->header('retry-after');
    is($right->status, $kind->told('locked'), 'inline, locked');
    like($right->body, qr/<p>Too many.*in $wait seconds\..*<form /s,
        'with the form, the reason and the time');
    is($right->fingerprint, $wrong->fingerprint,
        'the same for a right and a wrong one');
    unlike($t->get('/private/', @from)->body, qr/<p>/,
        'a visit without a log-in: the plain form');
    $t->done;
}

# A handler that answers 401: the inline page serves it as well.
{
    my $kind = AuthGuard::Kind->new('Form in the page itself');
    my $conf = AuthGuard::Kind->new('Form with a log-in page')->configuration;
    $conf =~
      s/AuthFormLoginRequiredLocation.*/ErrorDocument 401 \/login.shtml/g;
    my $t = server($kind, $conf);
    my @from = (from => '127.0.1.1');
    my $log_in = sub { ($t->many(1, form('/do-login', @_)))[0] };

    like($log_in->('bob', "wrong$_", @from)->body, qr/<p>\Q$wrong_text\E/,
        "a handler with 401, wrong, $_") for 1 .. LIMIT;
    my $locked = $log_in->('bob', 'secret', @from);
    my $wait = $locked->header('retry-after');
    is($locked->status, 401, 'a handler with 401, locked');
    like($locked->body, qr/<p>Too many.*in $wait seconds\./,
        'with the reason and the time');
    $t->done;
}

# A forged session is a guess, and a log-in that brings one is two.
{
    my $kind = AuthGuard::Kind->new('Form in the page itself');
    my $conf = $kind->configuration;
    $conf =~ s/^\s*AuthUserFile.*/AuthGuardProvider slow
        AuthnSlowUser alice:right
        AuthnSlowCount \@ROOT\@\/run\/count/mg;
    my $t = server($kind, $conf);
    my $count = $t->file('run/count', '');
    chmod 0666, $count;
    my $forge = sub {
        my ($guess) = @_;
        return "session=Private-user=alice&Private-pw=$guess";
    };

    $t->many(1, map { +{ path => '/private/', from => '127.0.2.1',
                headers => [Cookie => $forge->("g$_")] } } 1 .. 7);
    is(history($t, 7),
        'failed:1 failed:2 failed:3 failed:4 failed:5 locked:5 locked:5',
        'forged sessions count');
    is(-s $count, LIMIT, 'and are verified up to the limit');

    my @two = map { form('/private/', 'alice', "body$_", from => '127.0.2.2') }
      1 .. 20;
    push @{ $two[$_]{headers} }, Cookie => $forge->("cookie$_") for 0 .. 19;
    $t->many(8, @two);
    is(-s $count, 2 * LIMIT, 'two guesses in a request are two');
    $t->done;
}

# A session under a site's passphrase is not checked, and goes on.
{
    my $kind = AuthGuard::Kind->new('Form with a log-in page');
    my $conf = $kind->configuration;
    $conf =~ s/^(\s*)AuthFormProvider.*/$&\n$1AuthFormSitePassphrase site/mg;
    my $t = server($kind, $conf);
    my @from = (from => '127.0.3.1');
    my ($in) = $t->many(1, form('/do-login', 'alice', 'right', @from));
    my @session = (@from, headers => [Cookie => cookie_of($in)]);

    $t->many(1, map { form('/do-login', 'bob', "wrong$_", @from) } 1 .. LIMIT);
    like(($t->many(1, form('/do-login', 'bob', 'secret', @from)))[0]
          ->header('location'), qr/why=locked/, 'passphrase: locked out');
    is($t->get('/private/', @session)->status, 200,
        'passphrase: the session goes on');
    $t->done;
}

done_testing;
