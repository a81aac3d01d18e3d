#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The house stands as it was drawn: includes point downwards only, the lower
# half knows no httpd, the module exports its record and links APR and
# APR-util, and nothing else.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use AuthGuard::Modules;

my $top = AuthGuard::Modules::top();

sub lines_of {
    my ($file) = @_;

    open(my $in, '<', $file) or die "$file: $!";
    return <$in>;
}

sub includes {
    my ($file) = @_;

    return map { /^\s*#\s*include\s*[<"]([^>"]+)/ ? $1 : () } lines_of($file);
}

# What a part of the lower half may include of ours, by the beginning of its
# file's name. The longest beginning that fits holds.
my %below = (
    guard_text        => [],
    guard_key         => [],
    guard_policy      => ['guard_key'],
    guard_reply_body  => [],
    guard_credentials => ['guard_key'],
    guard_conf_args   => ['guard_policy', 'guard_store_shm', 'guard_checks'],
    guard_store       => ['guard_policy', 'guard_key'],
    guard_store_redis => ['guard_policy', 'guard_key', 'guard_store',
        'guard_conf_args', 'guard_text'],
    guard_checks      => [],
    guard_wait        => [],
);
my $httpd = qr{\A(?:httpd|http_\w+|ap_\w+|mod_\w+|util_\w+|mpm_\w+|unixd
                   |scoreboard)\.h\z}x;

for my $path (sort glob "$top/src/*.[ch]") {
    my ($file) = $path =~ m{([^/]+)\z};
    my ($part) = sort { length $b <=> length $a }
      grep { index($file, $_) == 0 } keys %below;
    next unless $part;
    my @bad;

    for my $header (includes($path)) {
        push @bad, $header if $header =~ $httpd;
        next if $header !~ /\Aguard_/ || index($header, $part) == 0;
        push @bad, $header
          unless grep { index($header, $_) == 0 } @{ $below{$part} };
    }
    is(join(' ', @bad), '', "src/$file includes only what lies below it");
}

for my $path (sort glob "$top/tools/*.[ch] $top/fuzz/{,lib/}*.[ch]") {
    is(join(' ', grep { /$httpd/ } includes($path)), '',
        "$path stands on the lower half");
}

# The upper half: who answers knows no store, who keeps the chain neither.
my %not = (
    guard_reply => qr/\Aguard_(?:attempt|reserve|provider|store)/,
    guard_chain => qr/\Aguard_(?:attempt|reserve|provider|store)/,
    guard_scope => qr/\Aguard_(?:attempt|reserve|provider|reply|store)/,
    guard_status =>
      qr/\Aguard_(?:attempt|chain|reserve|provider|reply|store_(?!names))/,
    guard_conf  => qr/\Aguard_(?:attempt|reserve|provider|reply|server)/,
    guard_log   => qr/\Aguard_(?:attempt|reserve|provider|reply)/,
);

for my $part (sort keys %not) {
    for my $path (glob "$top/src/$part*.[ch]") {
        is(join(' ', grep { /$not{$part}/ } includes($path)), '',
            "$path knows nothing above it");
    }
}

# The status page is shown by what stands above all, and by nothing else.
for my $path (grep { !m{/guard_status} } glob "$top/src/*.[ch]") {
    is(join(' ', grep { /\Aguard_status/ } includes($path)), '',
        "$path knows no status page");
}

# What chooses its rows, and its tokens, know no request.
for my $path (glob "$top/src/guard_status_{list,token}.[ch]") {
    is(join(' ', grep { /$httpd/ } includes($path)), '',
        "$path knows no httpd");
}

my $module = AuthGuard::Modules::guard_path();
my @exported = map { (split)[2] } `nm -D --defined-only $module`;
my @libraries = join('', `readelf -d $module`) =~ /\(NEEDED\)[^\[]*\[([^\]]+)/g;

is("@exported", 'auth_guard_module', 'the module exports its record alone');
is(join(' ', sort grep { !/\A(?:libc|libpthread|ld-linux.*)\.so/ } @libraries),
    'libapr-1.so.0 libaprutil-1.so.0', 'and links APR and APR-util alone');

# The store in Redis is a module of its own.
my $redis = $module =~ s/\.so\z/_redis.so/r;
SKIP: {
    skip 'mod_auth_guard_redis.so is not built: no hiredis here', 1
      unless -e $redis;
    is(join(' ', map { (split)[2] } `nm -D --defined-only $redis`),
        'auth_guard_redis_module', 'so does the one for Redis');
}

done_testing;
