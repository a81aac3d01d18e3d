# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Recipe: a recipe as docs/recipes.md shows it, and the commands of
# docs/troubleshooting.md. A test takes them from the page, as they stand
# there, and plays what the text says.
#
#   my $recipe = AuthGuard::Recipe->new('WebDAV');
#   my $t = $recipe->server('Server', modules => ['dav', 'dav_fs']);
#   $recipe->block('.htaccess');
#   said($t, $_) for commands($section);
package AuthGuard::Recipe;

use strict;
use warnings;
use Exporter qw(import);
use File::Basename qw(dirname);
use AuthGuard::Httpd ();
use AuthGuard::Modules ();

our @EXPORT_OK = qw(commands said);

# The paths, ports and addresses that the page names, and where a test has
# them. Nothing else is changed.
my %place = (
    '/home/alice/'             => '@ROOT@/',
    '/etc/apache2/'            => '@ROOT@/',
    '/var/lib/mod_auth_guard/' => '@ROOT@/run/',
    '/var/lib/apache2/'        => '@ROOT@/run/',
    '/var/log/apache2/'        => '@ROOT@/logs/',
    '/srv/www/'                => '@DOCS@/',
    '/srv/git'                 => '@ROOT@/git',
    '/srv/svn'                 => '@ROOT@/svn',
    '/srv/files'               => '@ROOT@/files',
    '*:443'                    => '*:@PORT@',
    '10.0.0.5'                 => '127.0.0.5',
    '10.0.0.6'                 => '127.0.0.6',
    '173.245.48.0/20'          => '127.0.48.0/20',
    '192.0.2.0/24'             => '127.0.2.0/24',
    '192.168.1.0/24'           => '127.0.3.0/24',
);

# What commands name beside those.
my %program = (
    'htguard '                 => '@HTGUARD@ -f @ROOT@/run/authguard.shm ',
    'apachectl '               => '@HTTPD@ -d @ROOT@ -f @ROOT@/httpd.conf ',
    'https://www.example.com/' => 'http://127.0.0.1:@PORT@/',
    '$(pgrep -o apache2)'      => '@PID@',
    '192.0.2.7'                => '127.0.2.7',
);

# Paths that are there as they stand, and are no paths of files.
my $as_it_stands = qr{/usr/lib/git-core|/git-receive-pack};

sub page {
    my ($name) = @_;
    my $path = AuthGuard::Modules::top() . '/docs/' . ($name // 'recipes')
      . '.md';

    return AuthGuard::Httpd::slurp($path) || die "$path: $!";
}

# Sections and their text, in the order of the page.
sub sections {
    my ($page) = @_;
    my @part = split /^## (.*)\n/m, $page // page();

    shift @part;
    return @part;
}

# Label -> the first block of code below it. A block without a label is
# called by what its section begins with: the empty word.
sub blocks {
    my ($text) = @_;
    my %block;

    for my $part (split /^(?=\*\*[^*]+\.\*\*)/m, $text) {
        my ($label) = $part =~ /\A\*\*(.+?)\.\*\*/;
        my ($lines) = $part =~ /^((?: {4}.*\n|\n(?= {4}))+)/m or next;

        $block{ $label // '' } = $lines =~ s/^ {4}//mgr;
    }
    return \%block;
}

sub new {
    my ($class, $name) = @_;
    my %section = sections();
    my $text = $section{$name} // die "docs/recipes.md has no section $name";

    return bless { name => $name, block => blocks($text) }, $class;
}

# A text with the test's places in it.
sub placed {
    my ($text) = @_;

    for my $from (sort { length $b <=> length $a } keys %place) {
        $text =~ s/(?<![\w.])\Q$from\E/$place{$from}/g;
    }
    my $rest = $text =~ s/$as_it_stands//gr;
    die "not in the table of places: $1"
      if $rest =~ m{((?<![\w@/])/(?:etc|home|srv|usr|var)/\S*)};
    return $text;
}

# A block of the page, for file(): @ROOT@ and the like are in it.
sub block {
    my ($self, $label) = @_;
    my $text = $self->{block}{$label}
      // die "$self->{name} has no block $label";

    return placed($text);
}

# A httpd with the password files that recipes name, configured by that
# block, if any. What is given else goes to AuthGuard::Httpd; conf comes
# after the block.
sub server {
    my ($self, $label, %arg) = @_;
    my $block = defined $label ? $self->block($label) : '';
    my $t = AuthGuard::Httpd->new(%arg, conf => $block . ($arg{conf} // ''));

    $t->passwords($_, { map { $_ => "right-$_" } users() })
      for qw(users git-users passwords);

    # The tests do without TLS.
    $t->expect_log(qr/AG0110: /, optional => 1);
    return $t;
}

# The commands of a section, as they stand on the page.
sub commands {
    my ($text) = @_;

    return map { /^ {4}((?:htguard|grep|apachectl|for|curl) .*)$/ ? $1 : () }
      split /\n/, $text;
}

# What such a command says, both ways, of that httpd. $change: more that is
# to be put in the place of something, for this one.
sub said {
    my ($t, $command, %change) = @_;
    my %at = (%place, %program, %change);
    my %value = (
        HTGUARD => dirname(AuthGuard::Modules::guard_path()) . '/htguard',
        HTTPD   => AuthGuard::Modules::httpd_path(),
        PID     => $t->pid,
    );
    my $line = $command;

    for my $from (sort { length $b <=> length $a } keys %at) {
        $line =~ s/\Q$from\E/$at{$from}/g;
    }
    $line =~ s/\@(HTGUARD|HTTPD|PID)\@/$value{$1}/g;
    $line = $t->expand($line);
    open(my $out, '-|', 'timeout', 60, 'sh', '-c', "exec 2>&1\n$line")
      or die "sh: $!";
    my $text = do { local $/; <$out> } // '';
    close $out;
    return $text;
}

# Who is known: alice, bob, user1 to user20, each with "right-NAME".
sub users { return ('alice', 'bob', map { "user$_" } 1 .. 20) }

1;
