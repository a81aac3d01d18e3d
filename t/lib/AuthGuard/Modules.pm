# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Modules: where httpd, its modules and ours are, the building of
# the tests' own modules (t/mod/*.c) on demand, and the packages that `make
# deps` has unpacked for the tests instead of installing them.
package AuthGuard::Modules;

use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use AuthGuard::Sanitizer ();

my $top = abs_path(dirname(__FILE__) . '/../../..');
my $debs = "$top/build/debs";
my $apxs = $ENV{APXS} || 'apxs';
my %asked;

sub ask_apxs {
    my ($name) = @_;

    if (!defined $asked{$name}) {
        chomp($asked{$name} = `$apxs -q $name`);
        die "$apxs -q $name failed" if $?;
    }
    return $asked{$name};
}

sub top { return $top }

AuthGuard::Sanitizer::begin(guard_file());

# httpd, or what runs it under a sanitizer.
sub httpd_path {
    return AuthGuard::Sanitizer::wrap(
        ask_apxs('SBINDIR') . '/' . ask_apxs('PROGNAME'),
        map { "LoadModule ${_}_module " . build($_) }
          AuthGuard::Sanitizer::modules());
}

# The module under test; AUTHGUARD_SO names another build of it.
sub guard_file { return $ENV{AUTHGUARD_SO} || "$top/build/mod_auth_guard.so" }

sub guard_path {
    my $path = guard_file();

    die "$path is missing: run make\n" unless -e $path;
    return abs_path($path);
}

my %built_in;

sub is_built_in {
    my ($name) = @_;

    if (!%built_in) {
        my $list = httpd_path();
        %built_in = map { $_ => 1 } `$list -l` =~ /^\s+(?:mod_)?(\w+)\.c$/mg;
    }
    return $built_in{$name};
}

# The LoadModule line of a module by its short name; none if it is built in.
sub load_line {
    my ($name) = @_;
    my $symbol = $name eq 'cgid' ? 'cgid_module' : "${name}_module";

    return '' if is_built_in($name);
    return "LoadModule $symbol " . build($name) . "\n"
      if -e "$top/t/mod/mod_$name.c";
    return "LoadModule $symbol " . path_of($name) . "\n";
}

# An installed module, or else one that was unpacked.
sub path_of {
    my ($name) = @_;
    my $installed = ask_apxs('LIBEXECDIR') . "/mod_$name.so";

    return $installed if -e $installed;
    my ($path) = glob "$debs/*/usr/lib/apache2/modules/mod_$name.so";
    return $path || $installed;
}

sub has {
    my ($name) = @_;

    return is_built_in($name) || -e path_of($name);
}

# Why a test that needs these packages of Debian can't run here; undef if it
# can. On Debian `make deps` has unpacked them, or left word why it could not.
sub lacks {
    my (@packages) = @_;

    for my $package (@packages) {
        next if -d "$debs/$package";
        return "no packages of Debian here, such as $package"
          unless grep { -x "$_/dpkg-query" } split /:/, $ENV{PATH};
        open(my $in, '<', "$debs/$package.none")
          or die "build/debs/$package is missing: run make deps\n";
        chomp(my $reason = <$in>);
        return $reason;
    }
    return undef;
}

# A file of one of them.
sub unpacked {
    my ($path, @packages) = @_;
    my ($found) = grep { -e } map { "$debs/$_/$path" } @packages;

    return $found || die "no $path in @packages";
}

# For LD_LIBRARY_PATH: the libraries that came with them.
sub library_path {
    my (@packages) = @_;

    return join ':', map { glob "$debs/$_/{usr/,}lib/*-linux-*" } @packages;
}

sub is_newer { return -e $_[0] && -M $_[0] <= -M $_[1] }

# Compile a module of one file.
sub compile {
    my ($source, $target, $flags) = @_;
    my $cc = $ENV{CC} || 'gcc';
    my $apr = `apr-1-config --includes --cppflags`
      . `apu-1-config --includes`;
    $apr =~ s/\s+/ /g;
    my $include = ask_apxs('INCLUDEDIR');
    my $line = "$cc -std=gnu11 -shared -fPIC -g -Wall -Wextra $flags "
      . "-isystem $include $apr -o $target $source";
    system($line) == 0 or die "could not build $source";
    return;
}

# Build t/mod/mod_NAME.c. Tests run side by side: one builds, others wait.
sub build {
    my ($name) = @_;
    my $source = "$top/t/mod/mod_$name.c";
    my $dir = "$top/build/t/mod";
    my $target = "$dir/mod_$name.so";

    return $target if is_newer($target, $source);
    make_path($dir);
    open(my $lock, '>', "$dir/lock") or die "$dir/lock: $!";
    flock($lock, LOCK_EX) or die "$dir/lock: $!";
    return $target if is_newer($target, $source);
    compile($source, "$target.new", '-O2');
    rename "$target.new", $target or die "$target: $!";
    return $target;
}

1;
