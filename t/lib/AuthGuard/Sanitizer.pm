# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Sanitizer: where the module under test was built with
# -fsanitize=address or thread, httpd is started with the sanitizer's library
# before all others, and each report of httpd or htguard fails the test. Any
# other build: nothing happens here.
#
# A process writes its report into a file, as its standard error may be lost,
# and aborts, which httpd's error log tells too. UBSan's own library can't: it
# asks for its options when it has something to say, and httpd's children may
# not read them. So undefined behaviour traps there, and ASan reports it.
package AuthGuard::Sanitizer;

use strict;
use warnings;
use File::Temp ();
use Test::More ();

use constant REPORT_LINES => 60;

# The tester's own ASAN_OPTIONS and so on come last, and win.
my %options = (
    asan => 'abort_on_error=1:detect_stack_use_after_return=1'
      . ':strict_string_checks=1:handle_sigill=2',

    # httpd itself is not built with it, so it is not watched, while its
    # locks are.
    tsan => 'ignore_noninstrumented_modules=1',
);
my $owner = $$;
my @libraries;
my $dir;        # where reports go; undefined without a sanitizer
my $program;    # what wrap() has made
my %told;       # bytes of each report that a test has shown

# Prepare for the module of that path. All that is started from now on writes
# its reports below one directory.
sub begin {
    my ($module) = @_;

    @libraries = join('', `readelf -d '$module' 2>/dev/null`) =~
      /\[(lib[at]san\.so\.\d+)\]/g
      if -e $module;
    return unless @libraries;
    $dir = File::Temp::tempdir('authguard-sanitizer-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);
    chmod 0755, $dir;
    mkdir "$dir/reports" or die "$dir/reports: $!";
    chmod 01777, "$dir/reports";    # httpd's children are another user
    for my $name (sort keys %options) {
        my $variable = uc($name) . '_OPTIONS';

        $ENV{$variable} = join ':', $options{$name},
          "log_path=$dir/reports/$name", $ENV{$variable} // ();
    }
    return;
}

# The tests' own modules that httpd needs beside it.
sub modules { return (grep { /tsan/ } @libraries) ? 'tsan_pools' : () }

# A program that runs httpd with those libraries before all others, and with
# these lines before its configuration; httpd itself without a sanitizer.
# Leaks are no matter there: httpd keeps what it has until its end, and our
# memory comes from its pools.
sub wrap {
    my ($httpd, @lines) = @_;

    return $httpd unless @libraries;
    return $program if $program;
    open(my $out, '>', "$dir/httpd") or die "$dir/httpd: $!";
    print $out "#!/bin/sh\n",
      'export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0"', "\n",
      "export LD_PRELOAD='@libraries'\n",
      join(' ', "exec $httpd", map { "-C '$_'" } @lines), ' "$@"', "\n";
    close($out) or die "$dir/httpd: $!";
    chmod 0755, "$dir/httpd";
    return $program = "$dir/httpd";
}

# What was reported and not shown yet.
sub reports {
    my @fresh;

    for my $file (defined $dir ? glob "$dir/reports/*" : ()) {
        open(my $in, '<:raw', $file) or next;
        my @lines = <$in>;
        my $bytes = -s $in;

        next if $bytes == ($told{$file} || 0);
        $told{$file} = $bytes;
        splice @lines, REPORT_LINES;
        push @fresh, join '', @lines;
    }
    return @fresh;
}

# One result of the test that asks, if there is a sanitizer at all.
sub judge {
    return unless defined $dir;
    my @reports = reports();

    Test::More::ok(!@reports, 'no report of a sanitizer')
      || Test::More::diag(@reports);
    return;
}

# Reports that no done() has seen: of htguard, or of httpd's last moments.
END {
    my $status = $?;
    my @reports = $$ == $owner ? reports() : ();

    if (@reports) {
        Test::More::diag('reports of a sanitizer after the last done():');
        Test::More::diag(@reports);
        $status ||= 1;
    }
    $? = $status;
}

1;
