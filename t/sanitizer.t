#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A test fails where httpd makes a mistake that only a sanitizer sees: in a
# child or at start, before and after a graceful restart, and with the report
# told. Where there is no mistake it passes.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use File::Temp ();

# In here: the test that fails. AUTHGUARD_SO names mod_broken as it was built
# with a sanitizer.
if (@ARGV) {
    my ($where, $mistake) = @ARGV;
    my $load = "LoadModule broken_module $ENV{AUTHGUARD_SO}\n";
    my $t = AuthGuard::Httpd->new(guard => 0,
        conf => "$load<Location /broken>\nSetHandler broken\n</Location>\n");

    $t->expect_log(qr/exit signal Abort/, optional => 1);
    $t->start;
    $t->graceful if $where eq 'graceful';
    $t->get("/broken?$mistake") if $where ne 'start';
    is($t->get('/')->status, 200, 'alive');
    $t->done;
    if ($where eq 'start') {
        $t->file('broken.conf', "Broken $mistake\n");
        system AuthGuard::Modules::httpd_path() . " -t -f $t->{root}/httpd.conf"
          . " -c 'Include $t->{root}/broken.conf' >/dev/null 2>&1";
    }
    done_testing;
    exit 0;
}

my $tmp = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $tmp;
my $source = AuthGuard::Modules::top() . '/t/mod/mod_broken.c';
my %flags = (
    address => '-fsanitize=address,undefined'
      . ' -fsanitize-undefined-trap-on-error',
    thread => '-fsanitize=thread',
);
my $flags = $flags{address};

plan skip_all => 'gcc has no sanitizers here'
  if system("echo 'int main(void) { return 0; }' |"
      . " gcc $flags -x c -o $tmp/probe - >/dev/null 2>&1");

sub build {
    my ($kind) = @_;
    my $target = "$tmp/mod_broken_$kind.so";
    local $ENV{CC} = 'gcc';    # others name their libraries otherwise

    AuthGuard::Modules::compile($source, $target, "-O1 $flags{$kind}");
    return $target;
}

# Run the test above. Returns its exit status and its words.
sub run {
    my ($module, @arguments) = @_;

    delete local @ENV{qw(ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS)};
    local $ENV{AUTHGUARD_SO} = $module;
    my $said = `$^X '$0' @arguments 2>&1`;
    return ($? >> 8, $said);
}

my %module = map { $_ => build($_) } sort keys %flags;
for my $case (
    [address => 'request', 'overflow',
        qr/heap-buffer-overflow.*in write_beyond/s],
    [address => 'graceful', 'overflow',
        qr/heap-buffer-overflow.*in write_beyond/s],
    [address => 'request', 'shift', qr/: ILL .*in shift_out/s],
    [thread => 'request', 'race', qr/data race.*in count/s],
  )
{
    my ($kind, $where, $mistake, $report) = @$case;
    my ($status, $said) = run($module{$kind}, $where, $mistake);
    my @failed = $said =~ /^not ok \d+ - (.*)/mg;
    my $name = "$kind, $where, $mistake";

    isnt($status, 0, "$name: fails");
    is("@failed", 'no report of a sanitizer', "$name: by that alone")
      or diag($said);
    like($said, $report, "$name: the report is shown");
}

my ($status, $said) = run($module{address}, 'start', 'overflow');
isnt($status, 0, 'outside of a server: fails');
unlike($said, qr/^not ok/m, 'outside of a server: after all results');
like($said, qr/write_beyond/, 'outside of a server: the report is shown');

for my $kind (sort keys %module) {
    my ($status, $said) = run($module{$kind}, 'graceful', 'nothing');

    is($status, 0, "$kind, no mistake: passes") or diag($said);
    like($said, qr/^ok \d+ - no report of a sanitizer/m,
        "$kind, no mistake: and was looked for");
}

done_testing;
