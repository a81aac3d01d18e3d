#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/bounds.md tells the truth: each row's value and place are the code's,
# and no bound of the code is missing from it.
use strict;
use warnings;
use FindBin ();
use Test::More;

chdir "$FindBin::Bin/.." or die "the source tree: $!";

# A constant whose name says that it ends something.
my $bound = qr/_(?:MAX|MIN|SEC|USEC)(?:_|\z)/;

my %seconds = (ms => 0.001, s => 1, min => 60, h => 3600, d => 86400);
my %known = (UINT8_MAX => 255, UINT16_MAX => 65535);

# Every "#define NAME text" as NAME => [text, file].
sub read_defines {
    my %found;

    for my $path (glob 'src/*.[ch] tools/*.[ch]') {
        open(my $in, '<', $path) or die "$path: $!";
        my $text = do { local $/; <$in> };

        $text =~ s{\\\n}{ }g;
        $text =~ s{/\*.*?\*/}{ }gs;
        $found{$1} = [$2, $path]
          while $text =~ /^#define (\w+)[ \t]+(\S.*?)[ \t]*$/gm;
    }
    return %found;
}

my %define = read_defines();

# APR's macros that the constants use.
sub apr_time_from_sec { return $_[0] * 1e6 }
sub apr_time_from_msec { return $_[0] * 1e3 }
sub apr_time_sec { return int($_[0] / 1e6) }

# The number that a constant comes to; undef if it is none.
sub value_of {
    my ($name) = @_;

    return $known{$name} if exists $known{$name};
    return undef unless $define{$name};
    my $text = $define{$name}[0];
    $text =~ s/\b(\d+|0x[0-9a-fA-F]+)[uUlL]+\b/$1/g;
    while ($text =~ /\b([A-Z_]\w*)\b/) {
        my $other = $1;
        my $inner = value_of($other);

        return undef unless defined $inner;
        $text =~ s/\b$other\b/$inner/g;
    }
    return undef unless $text =~ /\A(?:apr_time_\w+|[\da-fx\s()*+-])+\z/;
    return eval $text;
}

# What the row says, in the unit of the constant's name.
sub value_told {
    my ($name, $text) = @_;
    my ($number, $unit) = $text =~ /\A(\d+)(?: (ms|s|min|h|d))?\z/
      or return undef;

    return $number unless $unit;
    return $number * $seconds{$unit} * ($name =~ /USEC/ ? 1e6 : 1);
}

open(my $in, '<', 'docs/bounds.md') or die "docs/bounds.md: $!";
my %told;
while (my $line = <$in>) {
    my ($name, $value, $path, $why) =
      $line =~ /^\| `(\w+)` \| (.*?) \| (\S+) \| (.*?) \|$/ or next;

    ok(!$told{$name}++, "$name stands there once");
    is(value_told($name, $value), value_of($name), "$name is $value");
    is($path, ($define{$name} || ['', ''])->[1], "$name is where it is said");
    like($why, qr/\w.*\.\z/, "$name has a reason");
}
cmp_ok(scalar keys %told, '>', 20, 'the table was read');

for my $name (sort grep { /$bound/ && defined value_of($_) } keys %define) {
    next if $name eq 'USEC_PER_SEC';    # a unit
    ok($told{$name}, "$name ($define{$name}[1]) stands in docs/bounds.md");
}
done_testing();
