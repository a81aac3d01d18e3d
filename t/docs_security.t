#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/security.md keeps its word: each attacker has promises, each promise a
# test or target that is there, and each attacker has what is not promised.
use strict;
use warnings;
use FindBin ();
use Test::More;

chdir "$FindBin::Bin/.." or die "the source tree: $!";

sub slurp {
    my ($path) = @_;

    open(my $in, '<', $path) or die "$path: $!";
    local $/;
    return <$in>;
}

my %target = map { $_ => 1 } slurp('Makefile') =~ /^([a-z-]+):/mg;

# What a cell names that is not there.
sub missing {
    my ($cell) = @_;

    return grep {
        /\Amake (.+)/ ? !$target{$1} : !-f $_
    } map { s/\A`|`\z//g; $_ } split /, /, $cell;
}

my $text = slurp('docs/security.md');
my @parts = grep { /^\| promised \|/m } split /^## /m, $text;

cmp_ok(scalar @parts, '>=', 7, 'as many attackers as there are');
for my $part (@parts) {
    my ($who) = $part =~ /\A(.*)\n/;
    my @rows = $part =~ /^\| (?!promised)(\S.*\S) \|$/mg;

    cmp_ok(scalar @rows, '>=', 2, "$who: promises");
    for my $row (@rows) {
        my ($promise, $cell) = split / \| /, $row, 2;

        is(join(' ', missing($cell)), '', "$who: " . substr $promise, 0, 60);
    }
    like($part, qr/^Not promised:\n- /m, "$who: what is not promised");
}
for my $link ($text =~ /\]\(([\w.\/]+)\)/g) {
    ok(-f "docs/$link", "a link to $link");
}

done_testing;
