# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::RedisTool: the tests' own programs that call the store's script
# (t/tool/redis_*.c), built on demand from what the store's module was built of.
package AuthGuard::RedisTool;

use strict;
use warnings;
use File::Basename qw(dirname);
use AuthGuard::Modules ();
use AuthGuard::Redis ();

# Build t/tool/NAME.c into that directory.
sub build {
    my ($name, $dir) = @_;
    my $top = AuthGuard::Modules::top();
    my $made = dirname(AuthGuard::Redis::module_path());
    my @source = ("$top/t/tool/$name.c", "$top/src/guard_key.c",
        map { "$top/src/guard_store_redis_$_.c" } qw(script call));
    my $apr = `apr-1-config --includes --cppflags --link-ld`
      . `apu-1-config --includes --link-ld`;

    $apr =~ s/\s+/ /g;
    my $line = ($ENV{CC} || 'gcc') . ' -std=gnu11 -O2 -g -Wall -Wextra'
      . " -I$top/src -I$top/t/unit -I$made -o $dir/$name @source"
      . " -lhiredis $apr";
    system($line) == 0 or die "could not build $name";
    return "$dir/$name";
}

1;
