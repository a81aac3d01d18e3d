#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# docs/performance.md: its arithmetic of bytes comes out, and to what httpd
# lays out; and its targets of make are there.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules ();

my $top = AuthGuard::Modules::top();
my $page = AuthGuard::Httpd::slurp("$top/docs/performance.md");
my $make = AuthGuard::Httpd::slurp("$top/Makefile");

sub number {
    my ($text) = @_;

    return $text =~ tr/,//dr;
}

for my $target ($page =~ /^ {4}make ([a-z-]+)/mg) {
    like($make, qr/^\Q$target\E:/m, "make $target");
}

my ($buckets, $line, $records, $record, $clients_bytes) = $page
  =~ /(\d+) buckets x \((\d+) \+ (\d+) x (\d+)\) = +([\d,]+)/;
my ($sets, $set, $proven) = $page =~ /(\d+) sets x (\d+) += +([\d,]+)/;
my ($head) = $page =~ /names of scopes += +([\d,]+)/;
my ($whole) = $page =~ /`clients=65536` comes to ([\d,]+) bytes/;

is($buckets * ($line + $records * $record), number($clients_bytes),
    'the records come out');
is($sets * $set, number($proven), 'and what is proven');
is(number($clients_bytes) + number($proven) + number($head), number($whole),
    'and the sum');

my %of = $page =~ /^\| ([\d,]+) \|(?:[^|]*\|){4} ([\d.]+ MB) \|/mg;
is(scalar(keys %of), 3, 'three sizes');
for my $clients (sort { number($a) <=> number($b) } keys %of) {
    my $count = number($clients);
    my $t = AuthGuard::Httpd->new(mpm => 'prefork',
        conf => "AuthGuardStore shm file=\@ROOT\@/run/table clients=$count\n"
          . guarded('a', 'AuthGuard On'));

    $t->dir('a');
    $t->start;
    my $bytes = -s $t->root . '/run/table';
    my ($size) = $of{$clients} =~ /([\d.]+)/;
    my ($each) = $page =~ /^\| $clients \|.*\| (\d+) \|$/m;

    cmp_ok(abs($bytes / 2**20 - $size), '<', $size < 1 ? 0.05 : 0.5,
        "$clients clients: a file of $of{$clients}");
    cmp_ok(abs($bytes / $count - $each), '<=', 0.5,
        "$clients clients: $each bytes each");
    is($bytes, number($whole), 'to the byte') if $count == 65536;
    $t->done;
}

done_testing;
