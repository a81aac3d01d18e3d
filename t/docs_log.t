#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/log.md is the catalogue: every id that the sources log stands in it,
# and it tells of none that they don't.
use strict;
use warnings;
use FindBin ();
use Test::More;

chdir "$FindBin::Bin/.." or die "the source tree: $!";

sub slurp {
    my ($path) = @_;

    open(my $in, '<', $path) or die "$path: $!";
    local $/;
    return scalar <$in>;
}

my %logged;
for my $path (glob 'mod_auth_guard*.c src/*.[ch] tools/*.[ch]') {
    my $text = slurp($path);

    $text =~ s{/\*.*?\*/}{}gs;
    push @{ $logged{$1} }, $path while $text =~ /"(AG\d{4})\b/g;
}

my $catalogue = slurp('docs/log.md');
my %entry = $catalogue =~ /^### (AG\d{4})\n(.*?)(?=^##|\z)/gms;
my %row = map { $_ => 1 } $catalogue =~ /^\| \[(AG\d{4})\]\(#ag\d{4}\) \|/gm;

cmp_ok(scalar keys %logged, '>', 5, 'ids were found in the sources');
for my $id (sort keys %logged) {
    ok($entry{$id}, "$id stands in docs/log.md") or diag("@{ $logged{$id} }");
}
for my $id (sort keys %entry) {
    ok($logged{$id}, "$id is logged by the sources");
    ok($row{$id}, "$id stands in the table at the top");
    like($entry{$id}, qr/\*\*Cause\.\*\* \S.*\*\*Cure\.\*\* \S/s,
        "$id has a cause and a cure");
}
is_deeply([grep { !$entry{$_} } sort keys %row], [],
    'the table has no row without an entry');
done_testing();
