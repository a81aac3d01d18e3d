# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Modules: where httpd, its modules and ours are, and the building
# of the tests' own modules (t/mod/*.c) on demand.
package AuthGuard::Modules;

use strict;
use warnings;
use Cwd qw(abs_path);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path);

my $top = abs_path(dirname(__FILE__) . '/../../..');
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

sub httpd_path {
    return ask_apxs('SBINDIR') . '/' . ask_apxs('PROGNAME');
}

# The module under test; AUTHGUARD_SO names another build of it.
sub guard_path {
    my $path = $ENV{AUTHGUARD_SO} || "$top/build/mod_auth_guard.so";

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
    return "LoadModule $symbol " . ask_apxs('LIBEXECDIR') . "/mod_$name.so\n";
}

sub has {
    my ($name) = @_;

    return is_built_in($name)
      || -e ask_apxs('LIBEXECDIR') . "/mod_$name.so";
}

sub is_newer { return -e $_[0] && -M $_[0] <= -M $_[1] }

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
    my $cc = $ENV{CC} || 'gcc';
    my $apr = `apr-1-config --includes --cppflags`
      . `apu-1-config --includes`;
    $apr =~ s/\s+/ /g;
    my $include = ask_apxs('INCLUDEDIR');
    my $line = "$cc -std=gnu11 -shared -fPIC -O2 -g -Wall -Wextra "
      . "-isystem $include $apr -o $target.new $source";
    system($line) == 0 or die "could not build $source";
    rename "$target.new", $target or die "$target: $!";
    return $target;
}

1;
