# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Kind: a kind of authentication as docs/authentication.md shows
# it. A test takes its configuration from the page, as it stands there, and
# the row of the page's table is what is proved.
#
#   my $kind = AuthGuard::Kind->new('LDAP');
#   my $t = AuthGuard::Httpd->new(conf => $kind->configuration);
#   $kind->prove($t, 'provider', user => 'bob', pass => 'secret',
#       right => ['alice', 'right'], down => sub {...}, up => sub {...});
package AuthGuard::Kind;

use strict;
use warnings;
use Test::More ();
use AuthGuard::Httpd ();
use AuthGuard::Modules ();
use AuthGuard::Visitor ();

use constant LIMIT => 5;    # the default's

# The places that the page names, and where a test has them.
my %place = (
    '/etc/apache2/'                 => '@ROOT@/',
    '/var/lib/users/'               => '@ROOT@/',
    '/usr/local/bin/check-password' => '@ROOT@/check-password',
    'ldap.example.com'              => '127.0.0.1:@LDAP@',
    '127.0.0.1:9000'                => '127.0.0.1:@FCGI@',
);

sub page {
    my $path = AuthGuard::Modules::top() . '/docs/authentication.md';

    return AuthGuard::Httpd::slurp($path) || die "$path: $!";
}

# The kinds with a row in the table, each with its cells.
sub rows {
    my $page = page();
    my %row;

    while ($page =~ /^\| \[([^\]]+)\]\((#\S+)\) \|(.*)\|$/mg) {
        my ($name, $anchor) = ($1, $2);
        my @cell = map { s/\A\s+|\s+\z//gr } split /\|/, $3;

        $row{$name} = { anchor => $anchor, provider => $cell[0],
            switch => $cell[1], locked => $cell[2], down => $cell[3] };
    }
    return \%row;
}

sub new {
    my ($class, $name) = @_;
    my ($text) = page() =~ /^## \Q$name\E\n(.*?)(?=^## |\z)/ms
      or die "docs/authentication.md has no section $name";
    my $row = rows()->{$name} or die "no row for $name";
    my %block;

    # Under a label the first block; it ends where the text is not indented.
    for my $part (split /^(?=\*\*\w[\w ]*\.\*\*)/m, $text) {
        my ($label) = $part =~ /\A\*\*(\w+)\.\*\*/ or next;
        my ($lines) = $part =~ /^((?: {4}.*\n|\n(?= {4}))+)/m or next;

        $block{ lc $label } = $lines =~ s/^ {4}//mgr;
    }
    return bless { name => $name, row => $row, block => \%block }, $class;
}

sub row { return $_[0]{row} }

# A block of the page with the test's places in it.
sub block {
    my ($self, $label) = @_;
    my $text = $self->{block}{$label};

    return $text unless defined $text;
    $text =~ s/\Q$_\E/$place{$_}/g for sort keys %place;
    return $text;
}

sub faces {
    my ($self) = @_;

    return grep { defined $self->{block}{$_} } qw(provider switch);
}

# The server's block, and a directory for each way to switch the guard on.
# Further lines go into the directories.
sub configuration {
    my ($self, @more) = @_;
    my $text = $self->block('server') // '';

    for my $face ($self->faces) {
        $text .= join '', "<Directory \"\@DOCS\@/$face\">\n",
          $self->block($face), (map { "$_\n" } @more), "</Directory>\n";
    }
    return $text;
}

# The same blocks in .htaccess files, of directories that it names. A pair
# (LDAP => 1234) is a port to put there.
sub in_htaccess {
    my ($self, $t, %port) = @_;
    my @dirs;

    for my $face ($self->faces) {
        my $text = $self->block($face);

        $text =~ s/\@$_\@/$port{$_}/g for keys %port;
        push @dirs, "$face-in-htaccess";
        $t->dir($dirs[-1], $text);
    }
    return @dirs;
}

# The number in a cell of the row.
sub told {
    my ($self, $column) = @_;

    return $self->{row}{$column} =~ /\A(\d+(?:\.\d+)?)/ ? $1 : '';
}

# Prove one face: what the page's introduction promises, and the row.
#   user, pass  whose password is guessed; not used to log in before
#   right       [user, password] of another
#   down, up    make the backend fail, and work again
#   cold        [user, password] of one whom no cache knows; else as user
#   send        how to send one log-in: (path, user, password, from) -> request
#   verified    how many wrong passwords were verified so far; else by the
#               lines of mod_auth_basic
my $serial = 0;

sub prove {
    my ($self, $t, $face, %arg) = @_;
    my $send = $arg{send} || sub {
        my ($path, $user, $pass, @from) = @_;
        return { path => $path, user => $user, pass => $pass, @from };
    };
    my $path = "/$face/";
    my $name = "$self->{name}, $face";
    my $client = sub { (from => "127.1.$serial.$_[0]") };
    my $log_in = sub { return ($t->many(1, $send->($path, @_)))[0] };
    my $one = bless { %arg, t => $t, name => $name, log_in => $log_in,
        kind => $self, cold => $arg{cold} || [@arg{qw(user pass)}] },
      'AuthGuard::Kind::Proof';

    $serial++;
    $one->outage($client->($one->counts_outage ? 4 : 1)) if $arg{down};
    $one->right($client->(1));
    $one->wrong($client->(1));
    $one->locked($client->(1));
    $one->burst(sub { $send->($path, @_, $client->(3)) });
    Test::More::is($log_in->(@{ $arg{right} }, $client->(2))->status, 200,
        "$name: another client is let in");
    return;
}

package AuthGuard::Kind::Proof;

use constant LIMIT => AuthGuard::Kind::LIMIT;

my $guess = 0;

sub wrong_ones {
    my ($self, $user, $count, @from) = @_;

    return AuthGuard::Visitor::tally(
        map { $self->{log_in}->($user, 'wrong' . ++$guess, @from) }
          1 .. $count);
}

# Does the page say so?
sub counts_outage { return $_[0]{kind}->row->{down} !~ /not counted/ }

# More log-ins than the limit, while the backend is down.
sub outage {
    my ($self, @from) = @_;
    my $code = $self->{kind}->told('down');
    my $later = $self->counts_outage ? $self->{kind}->told('locked') : $code;
    my $name = "$self->{name}: backend down";

    $self->{down}->();
    Test::More::is($self->wrong_ones($self->{cold}[0], LIMIT, @from),
        "$code=" . LIMIT, "$name, wrong passwords");
    Test::More::is($self->wrong_ones($self->{cold}[0], 2, @from),
        "$later=2", "$name, beyond the limit");
    Test::More::is(
        AuthGuard::Visitor::tally(
            $self->{log_in}->(@{ $self->{cold} }, @from)),
        "$later=1", "$name, the right one");
    $self->{up}->();
    return;
}

sub right {
    my ($self, @from) = @_;
    my @answers = map { $self->{log_in}->(@{ $self->{right} }, @from) } 1 .. 7;

    Test::More::is(AuthGuard::Visitor::tally(@answers), '200=7',
        "$self->{name}: right ones");
    return;
}

# Nothing before has counted, and each of these counts once.
sub wrong {
    my ($self, @from) = @_;
    my $before = $self->{t}->access;

    Test::More::is($self->wrong_ones('nobody', 1, @from), '401.1=1',
        "$self->{name}: an unknown user");
    Test::More::is($self->wrong_ones($self->{user}, LIMIT - 1, @from),
        '401.1=' . (LIMIT - 1), "$self->{name}: wrong ones up to the limit");
    my @lines = $self->{t}->access($before + LIMIT);
    Test::More::is(join(' ', map { $_->{failures} } @lines[-LIMIT .. -1]),
        join(' ', 1 .. LIMIT), "$self->{name}: each has counted once");
    return;
}

# Many at once: no more are verified than the limit allows.
sub burst {
    my ($self, $send) = @_;
    my $t = $self->{t};
    my $verified = $self->{verified} || sub { $t->verified };
    my $before = $verified->();

    $t->many(10, map { $send->($self->{user}, 'wrong' . ++$guess) } 1 .. 30);
    Test::More::is($verified->() - $before, LIMIT,
        "$self->{name}: of 30 at once no more are verified than the limit");
    return;
}

# A Digest challenge has another nonce each time.
sub without_nonce {
    my ($answer) = @_;

    return $answer->fingerprint =~ s/ nonce="[^"]*"//r;
}

# The same answer for all, and nobody asks the backend.
sub locked {
    my ($self, @from) = @_;
    my $code = $self->{kind}->told('locked');

    $self->{down}->() if $self->{down};
    my $wrong = $self->{log_in}->($self->{user}, 'wrong', @from);
    my $right = $self->{log_in}->(@$self{qw(user pass)}, @from);
    $self->{up}->() if $self->{down};
    my $again = $self->{log_in}->(@$self{qw(user pass)}, @from);
    Test::More::is($wrong->code, $code, "$self->{name}: locked");
    Test::More::is(without_nonce($right), without_nonce($wrong),
        "$self->{name}: the right password makes no difference");
    Test::More::is(without_nonce($again), without_nonce($wrong),
        "$self->{name}: nor does the backend");
    Test::More::cmp_ok($right->header('retry-after'), '>', 800,
        "$self->{name}: told for how long");
    Test::More::is(($self->{t}->access)[-1]{state}, 'locked',
        "$self->{name}: and logged");
    return;
}

1;
