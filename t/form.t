#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Forms: AuthFormProvider guard counts a form's log-ins, in the login handler
# and inline; the login page stays reachable.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $form = <<'CONF';
    AuthType Form
    AuthName "test"
    AuthFormProvider guard
    AuthGuardProvider slow
    AuthnSlowUser alice:right bob:secret
    AuthnSlowCount @ROOT@/run/count
    AuthGuardLimit ip 3/10min
    Session On
    SessionCookieName session path=/
CONF
my $t = AuthGuard::Httpd->new(
    modules => [qw(request session session_cookie auth_form authn_slow)],
    conf => <<"CONF");
<Location "/login">
    SetHandler form-login-handler
    AuthFormLoginSuccessLocation /welcome.html
$form
</Location>
<Location "/redirecting">
    SetHandler form-login-handler
    AuthFormLoginRequiredLocation "/page.html?why=%{AUTHGUARD_STATE}"
    AuthFormLoginSuccessLocation /welcome.html
$form
</Location>
<Directory "\@DOCS\@/inside">
    Require valid-user
    AuthFormLoginRequiredLocation /page.html
$form
</Directory>
<Directory "\@DOCS\@/inline">
    Require valid-user
    ErrorDocument 401 /page.html
$form
</Directory>
<Location "/in-vain">
    AuthType Form
    AuthName "test"
    AuthFormProvider slow
    Require valid-user
    AuthGuard On
</Location>
CONF
my $count = $t->file('run/count', '');
chmod 0666, $count;
$t->dir($_) for qw(inside inline in-vain);
$t->file('docs/page.html', 'please log in');
$t->file('docs/welcome.html', 'welcome');
$t->expect_lockout;
$t->expect_log(qr/AH01807: user '\w+': authentication failure/);
$t->expect_log(qr/:warn\].* AG0107: /);
$t->start;

sub log_in {
    my ($path, $user, $password, @from) = @_;

    return $t->get($path, method => 'POST', @from,
        headers => ['Content-Type' => 'application/x-www-form-urlencoded'],
        body => "httpd_username=$user&httpd_password=$password");
}

# The login handler that answers 401.
{
    my @from = (from => '127.0.1.1');
    is(log_in('/login', 'alice', 'right', @from)->status, 302,
        'handler: right');
    for (1 .. 3) {
        my $before = -s $count;
        is(log_in('/login', 'bob', "wrong$_", @from)->status, 401,
            'handler: wrong');
        is(-s $count, $before + 1, 'handler: verified');
    }
    my $before = -s $count;
    my $refused = log_in('/login', 'alice', 'right', @from);
    is($refused->status, 401, 'handler: locked');
    is($refused->header('location'), undef, 'handler: not let in');
    is(-s $count, $before, 'handler: not verified');
    is($t->get('/page.html', @from)->body, 'please log in',
        'handler: the page is there');
    is(log_in('/login', 'alice', 'right', from => '127.0.1.2')->status, 302,
        'handler: another client is let in');
}

# The one that sends back to the login page: the reason may ride along.
{
    my @from = (from => '127.0.2.1');
    for (1 .. 3) {
        my $back = log_in('/redirecting', 'alice', "wrong$_", @from);
        is($back->status, 302, 'redirecting: wrong');
        is($back->header('location'), '/page.html?why=failed',
            'redirecting: with the reason');
    }
    my $before = -s $count;
    my $back = log_in('/redirecting', 'alice', 'right', @from);
    is($back->header('location'), '/page.html?why=locked',
        'redirecting: locked');
    is(-s $count, $before, 'redirecting: not verified');
}

# 100 guesses at once.
{
    my @from = (from => '127.0.2.2');
    my $before = -s $count;
    my @guesses = map {
        { path => '/login', method => 'POST', @from,
            headers => ['Content-Type' => 'application/x-www-form-urlencoded'],
            body => "httpd_username=alice&httpd_password=guess$_" }
    } 1 .. 100;
    $t->many(40, @guesses);
    is(-s $count, $before + 3, 'a burst: three verified');
    is(log_in('/login', 'alice', 'right', @from)->status, 401,
        'a burst: the right one is refused');
}

# A session that is there is checked at each request, and is no guess while
# it is right.
{
    my @from = (from => '127.0.3.1');
    my $in = log_in('/login', 'alice', 'right', @from);
    my ($cookie) = ($in->header('set-cookie') // '') =~ /\A([^;]+)/;
    my $request = { path => '/inside/', @from, headers => [Cookie => $cookie] };
    is(tally($t->many(20, ($request) x 60)), '200=60', 'a session is let in');
    is($t->get('/inside/', from => '127.0.3.2')->status, 302,
        'without one: to the login page');
}

# Inline: the page itself takes the log-in.
{
    my @from = (from => '127.0.4.1');
    is($t->get('/inline/', @from)->body, 'please log in', 'inline: the form');
    is(log_in('/inline/', 'alice', 'right', @from)->status, 200,
        'inline: right');
    is(log_in('/inline/', 'bob', "wrong$_", @from)->status, 401,
        'inline: wrong') for 1 .. 3;
    my $before = -s $count;
    my $refused = log_in('/inline/', 'alice', 'right', @from);
    is($refused->status, 401, 'inline: locked');
    is(-s $count, $before, 'inline: not verified');
    is($t->get('/inline/', @from)->body, 'please log in',
        'inline: the form stays reachable');
}
$t->done;

done_testing;
