#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/recipes.md is whole: each recipe has a row in its table, and each block
# of configuration is one that a test takes from the page (t/recipes*.t, by
# AuthGuard::Recipe). Here are the recipes that need httpd alone.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Recipe;

my $serial = 0;

# --- The page ----------------------------------------------------------------
sub is_shell { return $_[0] =~ /\A\s*\(?(?:apachectl|cd|curl|htguard) / }

# Blocks of configuration, labelled or not.
sub indented {
    my ($text) = @_;

    return grep { !is_shell($_) }
      $text =~ /(?:\A|\n)\n((?: {4}.*\n|\n(?= {4}))+)/g;
}

{
    my $page = AuthGuard::Recipe::page();
    my %section = AuthGuard::Recipe::sections($page);
    my @test = map { AuthGuard::Httpd::slurp($_) }
      glob "$FindBin::Bin/recipes*.t";
    my %row = map { $_ => 1 }
      map { /\]\(#([^)]+)\)/g } $page =~ /^\|.*?(\|.*)\|$/mg;

    for my $name (sort keys %section) {
        my $test = join '', grep { /Recipe->new\('\Q$name\E'\)/ } @test;
        my $anchor = lc($name =~ s/[^\w -]//gr) =~ s/ /-/gr;
        my @label = grep { $_ ne '' }
          keys %{ AuthGuard::Recipe::blocks($section{$name}) };

        ok(delete $row{$anchor}, "$name: has a row in the table");
        ok($test, "$name: a test takes it from the page") or next;
        ok($_ eq 'Before' || index($test, "'$_'") > 0,
            "$name: and its block '$_'") for sort @label;
        is(indented($section{$name}), @label,
            "$name: each block of configuration has a label");
    }
    is(join(' ', sort keys %row), '', 'no row without a recipe');
}

# Five wrong passwords lock that address, and the next one is let in.
sub locks_at_five {
    my ($t, $path, $name, $locked, %arg) = @_;
    my @with = (from => '127.9.' . ++$serial . '.1', %arg);

    is($t->guess_wrong($path, 'alice', 5, @with), '401.1=5',
        "$name: five wrong ones");
    is($t->guess($path, 'alice', 'right-alice', @with), $locked,
        "$name: and the right one is refused");
    is($t->guess($path, 'alice', 'right-alice', %arg,
            from => "127.9.$serial.2"), 200, "$name: who is next is let in");
    return;
}

# --- A .htaccess on shared hosting -------------------------------------------
{
    my $recipe = AuthGuard::Recipe->new('A .htaccess on shared hosting');
    my $t = $recipe->server(undef);
    my $text = $recipe->block('.htaccess');

    $t->dir($_, $text) for qw(mine yours);
    $t->expect_lockout;
    $t->start;
    locks_at_five($t, '/mine/', 'a .htaccess', '401.501');
    is($t->guess('/yours/', 'alice', 'right-alice', from => '127.9.1.1'), 200,
        'and another customer counts for himself');
    my $answer = $t->get('/mine/', from => '127.9.1.1');
    cmp_ok($answer->header('retry-after'), '<=', 300, 'for five minutes');
    my ($line) = $t->log_lines(qr/AG0101/);
    like($line, qr/ lock=300 .* origin=htaccess /, 'told as a .htaccess');
    $t->done;

    $t = $recipe->server(undef, guard => 0);
    $t->dir('mine', $text);
    $t->start;
    is($t->guess_wrong('/mine/', 'alice', 6), '401=6',
        'without the module nobody counts');
    is($t->guess('/mine/', 'alice', 'right-alice'), 200,
        'and the right password is let in');
    $t->done;
}

# --- A whole site ------------------------------------------------------------
{
    my $recipe = AuthGuard::Recipe->new('A whole site');
    my $t = $recipe->server('Server');
    my @host = (headers => [Host => 'www.example.com']);

    $t->dir($_) for qw(desk desk/inner desk/health);
    $t->expect_lockout;
    $t->start;
    locks_at_five($t, '/', 'a whole site', '429.501', @host);
    is($t->guess('/inner/', 'alice', 'right-alice', from => "127.9.$serial.1",
            @host), '429.501', 'one count for all of it');
    is($t->get('/health/', from => "127.9.$serial.1", @host)->status, 200,
        'but for the page that asks for no password');
    ok(-e $t->root . '/run/authguard.shm', 'the store lies where it was told');
    $t->done;

    $t = $recipe->server('Everywhere');
    $t->dir('open');
    $t->dir('tenant', basic());
    $t->dir('free', basic('AuthGuard Off'));
    $t->expect_lockout;
    $t->start;
    is($t->get('/open/')->status, 200, 'a line outside asks for no password');
    locks_at_five($t, '/tenant/', 'a .htaccess below', '401.501');
    is($t->guess_wrong('/free/', 'alice', 6), '401=6', 'Off there wins');
    $t->done;
}

# --- An office ---------------------------------------------------------------
sub people {
    my ($path, $make, @from) = @_;

    return map { $make->($path, "user$_", @from) } 1 .. 20;
}

sub mistakes {
    my ($path, $user, @from) = @_;

    return wrong_guesses($path, $user, 2, @from);
}

sub logs_in {
    my ($path, $user, @from) = @_;

    return { path => $path, user => $user, pass => "right-$user", @from };
}

{
    my $recipe = AuthGuard::Recipe->new('An office behind one address');
    my $t = $recipe->server('Server', conf => guarded('a', 'AuthGuard On'));
    my @office = (from => '127.0.2.7');

    $t->dir('a');
    $t->expect_lockout;
    $t->start;
    is(tally($t->many(1, map { (mistakes('/a/', "user$_", @office),
                  logs_in('/a/', "user$_", @office)) } 1 .. 20)),
        '200=20 401.1=40', 'an office: two mistakes each, and all get in');
    is($t->guess_wrong('/a/', 'bob', 1, @office), '401.1=1',
        'one more mistake');
    is(($t->access)[-1]{failures}, 1, 'is the first: those were forgiven');
    is($t->guess_wrong('/a/', 'user1', 5, @office), '401.1=5',
        'one mistypes five times');
    is($t->guess('/a/', 'user1', 'right-user1', @office), '401.501',
        'and is locked out');
    is(tally($t->many(4, grep { $_->{user} ne 'user1' }
              people('/a/', \&logs_in, @office))), '200=19', 'alone');
    my @names = map { wrong_guesses('/a/', "name$_", 1, from => '127.0.2.8') }
      1 .. 51;
    is(tally($t->many(1, @names)), '401.1=50 401.501=1',
        'who tries many names is stopped at the fiftieth');
    $t->done;

    $t = $recipe->server('Office only', conf => guarded('a', 'AuthGuard On'));
    $t->dir('a');
    $t->expect_lockout;
    $t->start;
    is(tally($t->many(4, people('/a/', \&mistakes, @office))), '401.1=40',
        'the office only: forty mistakes are let pass');
    is($t->guess_wrong('/a/', 'user1', 4, @office), '401.1=3 401.501=1',
        'five of one user are not');
    is(tally($t->many(1, map { wrong_guesses('/a/', "user$_", 1,
                  from => '127.9.200.1') } 1 .. 6)), '401.1=5 401.501=1',
        'anywhere else five of all');
    $t->done;

    $t = $recipe->server('Exempt', conf => guarded('a', 'AuthGuard On'));
    $t->dir('a');
    $t->expect_lockout;
    $t->start;
    is($t->guess_wrong('/a/', 'user1', 60, @office), '401.1=60',
        'exempt: nobody counts there');
    locks_at_five($t, '/a/', 'and elsewhere', '401.501');
    $t->done;
}

# --- From something else -----------------------------------------------------
for my $case (
    [AuthGuard::Recipe->new('From mod_evasive'), 60, '401.1=6'],
    [AuthGuard::Recipe->new('From mod_qos'), 600, '401.1=5 401.501=1'],
    [AuthGuard::Recipe->new('From fail2ban'), 3600, '401.1=5 401.501=1'],
  )
{
    my ($recipe, $seconds, $exempt) = @$case;
    my $t = $recipe->server('After', conf => guarded('a'));
    my $name = $recipe->{name};

    $t->dir('a');
    $t->expect_lockout;
    $t->start;
    is(tally($t->many(1, ({ path => '/a/', from => '127.9.99.1' }) x 7)),
        '401.2=7', "$name: visits without a password count nothing");
    locks_at_five($t, '/a/', $name, '401.501');
    my ($line) = $t->log_lines(qr/AG0101/);
    like($line, qr/ lock=$seconds /, "$name: for as long as it says");
    is($t->get('/', from => "127.9.$serial.1")->status, 200,
        "$name: pages without a password are there");
    is($t->guess_wrong('/a/', 'alice', 6, from => '127.0.2.1'),
        $exempt, "$name: who is exempt");
    $t->done;
}

done_testing;
