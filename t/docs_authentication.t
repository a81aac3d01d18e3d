#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/authentication.md is whole: each kind in its table has a section, each
# section a row that agrees with it, and every block of configuration is one
# that a test runs (t/auth_*.t, by AuthGuard::Kind).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use AuthGuard::Kind;

my $page = AuthGuard::Kind::page();
my $row = AuthGuard::Kind::rows();
my @sections = $page =~ /^## (.*)$/mg;
my %tested = map { $_ => 1 }
  map { AuthGuard::Httpd::slurp($_) =~ /Kind->new\('([^']+)'\)/g }
  glob "$FindBin::Bin/auth_*.t";

is_deeply([sort keys %$row], [sort @sections], 'a row for each section');

my $blocks = 0;
for my $name (@sections) {
    my $kind = AuthGuard::Kind->new($name);
    my %told = %{ $kind->row };
    my %has = map { $_ => defined $kind->block($_) }
      qw(provider switch server page);

    is($told{anchor}, '#' . lc($name) =~ s/ /-/gr, "$name: the row's link");
    ok($tested{$name}, "$name: a test takes it from the page");
    like($told{$_}, qr/\A(?:yes|no)\z/, "$name: $_, yes or no")
      for qw(provider switch);
    like($told{locked}, qr/\A\d+/, "$name: what a locked visitor gets");
    like($told{down}, qr/counted|there is none/, "$name: an outage");
    $blocks += grep { $_ } values %has;

    # A form names the provider in its sections, and for tokens there is
    # nothing to configure.
    my $by_form = ($kind->block('server') // '') =~ /AuthFormProvider guard/;
    is($told{provider}, $has{provider} || $by_form ? 'yes' : 'no',
        "$name: the provider as in the section");
    is($told{switch}, $has{switch} || $name eq 'Tokens' ? 'yes' : 'no',
        "$name: the switch as in the section");
    like($kind->block('provider'), qr/^AuthBasicProvider guard$/m,
        "$name: the provider's block") if $has{provider};
    like($kind->block('switch'), qr/^AuthGuard On$/m,
        "$name: the switch's block") if $has{switch};
}

my @indented = $page =~ /(?:\A|\n)\n((?: {4}.*\n|\n(?= {4}))+)/g;
is(scalar(grep { !/\A {4}htguard / } @indented), $blocks,
    'no other block of configuration stands in the page');
done_testing;
