#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/recipes.md, a home server with fail2ban and moving from its jail
# apache-auth: fail2ban itself takes the blocks, and finds in httpd's log who
# was locked out, and nobody at home.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Firewall qw(bans jail);
use AuthGuard::Modules ();
use AuthGuard::Recipe;

if (my $reason = AuthGuard::Modules::lacks('fail2ban')) {
    plan(skip_all => $reason);
}

# What fail2ban's jail comes to with that file beside what comes with us.
sub jail_with {
    my ($name, $text) = @_;
    my $dir = AuthGuard::Firewall::root() . '/fail2ban/jail.d';

    jail('auth-guard');    # lays the files out
    AuthGuard::Firewall::write_file("$dir/recipe.local", $text);
    my $setting = jail($name);
    unlink "$dir/recipe.local" or die "$dir/recipe.local: $!";
    return $setting;
}

# --- At home -----------------------------------------------------------------
my $recipe = AuthGuard::Recipe->new('A home server with fail2ban');
my $t = $recipe->server('Server');

$t->dir('private');
$t->expect_lockout;
$t->start;
is($t->guess_wrong('/private/', 'alice', 8, from => '127.0.3.4'), '401.1=8',
    'at home: nobody counts');
is($t->guess_wrong('/private/', 'alice', 6, from => '127.9.1.1'),
    '401.1=5 401.501=1', 'from outside: five');
$t->wait_log(qr/AG0101/);
is_deeply([map { $_->[0] } bans($t->root . '/logs/error.log', 'auth-guard')],
    ['127.9.1.1'], 'fail2ban finds whom the guard locked out');
my $jail = jail_with('auth-guard',
    $recipe->block('/etc/fail2ban/jail.d/home.local'));
like($jail->{addignoreip}, qr{'127\.0\.3\.0/24}, 'and would spare the home');
is($jail->{maxretry}, 3, 'at the third lockout');
is($jail->{bantime}, '1d', 'for a day');
$t->done;

# --- From the jail apache-auth -----------------------------------------------
$recipe = AuthGuard::Recipe->new('From fail2ban');
my $before = jail_with('apache-auth', $recipe->block('Before'));
is($before->{maxretry}, 5, 'before: the jail counts wrong passwords');
is(keys %{ jail_with('apache-auth', $recipe->block('Jail')) }, 0,
    'after: it is gone');
is(jail_with('auth-guard', $recipe->block('Jail'))->{maxretry}, 3,
    'and the one for lockouts is there');
done_testing;
