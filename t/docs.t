#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/directives.md, the README's table of directives and the command table,
# as httpd -L tells it, are held against each other.
use strict;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/lib";
use File::Temp ();
use Test::More;
use AuthGuard::Httpd;
use AuthGuard::Redis;

my $top = AuthGuard::Modules::top();
my $httpd = AuthGuard::Modules::httpd_path();
my $dir = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
my $head = join('', map { AuthGuard::Modules::load_line($_) }
      qw(mpm_event authn_core authn_file authz_core authz_user auth_basic))
  . 'LoadModule auth_guard_module ' . AuthGuard::Modules::guard_path() . "\n"
  . (-e AuthGuard::Redis::module_path() ? AuthGuard::Redis::load_line() : '')
  . "ServerName localhost\nErrorLog $dir/error.log\nDefaultRuntimeDir $dir\n";

my @fixed = (Status => 'External', Module => 'mod_auth_guard',
    Compatibility => 'httpd 2.4');
my @all = ('server config', 'virtual host', 'directory', '.htaccess');
my %letter = (S => 'server config', V => 'virtual host', D => 'directory',
    H => '.htaccess');

sub run_httpd {
    my ($option, $text) = @_;

    open(my $out, '>', "$dir/test.conf") or die "$dir/test.conf: $!";
    print $out $head, $text;
    close($out) or die "$dir/test.conf: $!";
    return scalar `$httpd $option -d $dir -f $dir/test.conf 2>&1`;
}

# The cells of a row of a table, without the code marks.
sub cells {
    my ($line) = @_;

    $line =~ s/\A\|\s*|\s*\|\s*\z//g;
    return map { s/\\\|/|/g; s/\A\s+|\s+\z//g; $_ } split /(?<!\\)\|/, $line;
}

# Name -> { words } of every heading with its table.
sub documented {
    my %found;

    for my $part (split /^## /m,
        AuthGuard::Httpd::slurp("$top/docs/directives.md"))
    {
        my ($name) = $part =~ /\A(AuthGuard\w*)\n/ or next;
        my ($table) = $part =~ /^\| \| \|\n\|---\|---\|\n((?:\|.*\n)+)/m;
        my %row = map { cells($_) } split /\n/, $table // '';

        $row{prose} = $part;
        $found{$name} = \%row;
    }
    return %found;
}

# Name -> { help, contexts } of the command table.
sub commands {
    my %found;
    my $list = run_httpd('-L', '');

    while ($list =~ /^(\w+) \(mod_auth_guard\.c\)\n((?:\t.*\n)+)/mg) {
        my ($name, $text) = ($1, $2);
        my %in = (
            'server config' => $text !~ /only inside/,
            'virtual host' => $text !~ /only inside/,
            'directory' => $text !~ /only outside/,
            '.htaccess' => scalar($text =~ /and in \.htaccess/),
        );
        my ($override) = $text =~ /AllowOverride includes (\w+)\n/;
        $found{$name} = { contexts => [grep { $in{$_} } @all],
            override => $override };
    }
    return %found;
}

# Name -> { default, contexts } of the README.
sub summarised {
    my %found;
    my @head;

    for my $line (split /\n/, AuthGuard::Httpd::slurp("$top/README.md")) {
        if ($line !~ /\A\|/) {
            @head = ();
            next;
        }
        my @cell = cells($line);
        @head = map { lc } @cell unless @head;
        my ($name) = $cell[0] =~ /`(AuthGuard\w*)/ or next;
        my %row;
        @row{@head} = @cell;
        $found{$name} = \%row;
    }
    return %found;
}

# "S V D H", "server config, directory": names, in httpd's order.
sub contexts {
    my ($text) = @_;
    my %in = map { ($letter{$_} || $_) => 1 }
      $text =~ /\A[SVDH ,]+\z/ ? split(/[ ,]+/, $text) : split /, */, $text;

    return [grep { delete $in{$_} } @all] if grep { $in{$_} } @all;
    return [sort keys %in];
}

# The settings in a cell of defaults: its code spans, without the directive's
# name, in case the cell leaves it out.
sub defaults {
    my ($name, $text) = @_;

    return map { s/\A$name //r } $text =~ /`([^`]+)`/g;
}

my %docs = documented();
my %table = commands();
my %readme = summarised();

is_deeply([delete @table{qw(AuthBasicFake AuthBasicProvider
                AuthFormProvider AuthName AuthType)}],
    [({ contexts => [@all[2, 3]], override => 'AuthConfig' }) x 5],
    'the directives of others are seen wherever they may stand');
cmp_ok(scalar keys %table, '>=', 8, 'the command table was read');
is_deeply([sort keys %docs], [sort keys %table],
    'docs/directives.md has every directive and no other');
is_deeply([sort keys %readme], [sort keys %table],
    'the README has every directive and no other');

for my $name (sort keys %table) {
    my $row = $docs{$name} || {};
    my @default = defaults($name, $row->{Default} // '');
    my $expected = $table{$name}{contexts};

    # What a setter refuses in virtual hosts, -L does not know.
    $expected = [grep { $_ ne 'virtual host' } @$expected]
      if run_httpd('-t', "<VirtualHost *>\n$name @default\n</VirtualHost>\n")
      =~ /cannot occur within <VirtualHost>/;
    is_deeply(contexts($row->{Context} // ''), $expected, "$name: contexts");
    is($row->{Override}, $table{$name}{override}, "$name: override");
    is_deeply([@$row{qw(Status Module Compatibility)}],
        [@{ {@fixed} }{qw(Status Module Compatibility)}], "$name: fixed rows");
    ok(length $row->{Description}, "$name: a description");
    like($row->{Syntax}, qr/\A`$name /, "$name: a syntax");
    like($row->{prose}, qr/^    \S/m, "$name: an example");
    for my $words (@default) {
        my $place = grep({ $_ eq 'server config' } @$expected)
          ? '%s' : "<Directory /x>\n%s\n</Directory>";
        is(run_httpd('-t', sprintf "$place\n", "$name $words"),
            "Syntax OK\n", "$name: the default '$words' can be set");
    }

    my $summary = $readme{$name} || {};
    is_deeply(contexts($summary->{context}), $expected,
        "$name: contexts in the README") if defined $summary->{context};
    next unless defined $summary->{default} && $summary->{default} =~ /`/;
    is_deeply([defaults($name, $summary->{default})], \@default,
        "$name: default in the README");
}

# Every example is a configuration that httpd takes.
{
    my $skip = qr/AuthLDAPURL|AuthGuardProvider file ldap/;

    $skip = qr/$skip|AuthGuardStore redis/
      unless -e AuthGuard::Redis::module_path();

    for my $name (sort keys %docs) {
        my @lines = map { s/\A {4}//r } $docs{$name}{prose} =~ /^( {4}.*\n)/mg;
        my $text = join '', grep { !/$skip/ } @lines;

        $text = "<Directory /x>\n$text</Directory>\n"
          if $text =~ /^AuthType/m;
        $text =~ s/^ServerName.*\n//mg;
        is(run_httpd('-t', $text), "Syntax OK\n", "$name: its example");
    }
}

done_testing;
