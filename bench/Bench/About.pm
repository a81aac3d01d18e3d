# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::About: the machine, the versions and the day of a run.
package Bench::About;

use strict;
use warnings;
use IO::Uncompress::Gunzip ();
use POSIX ();
use AuthGuard::Httpd ();
use AuthGuard::Modules ();
use Bench::Peers ();

sub about {
    my ($command) = @_;
    my $cores = () = slurp('/proc/cpuinfo') =~ /^processor\s/mg;

    return { command => $command, cores => $cores,
        about => [when(), machine($cores), versions()] };
}

sub slurp { return AuthGuard::Httpd::slurp(@_) }

sub when {
    my ($load) = slurp('/proc/loadavg') =~ /^(\S+)/;

    return POSIX::strftime('%Y-%m-%d, %H:%M UTC', gmtime)
      . "; the machine's load before: $load";
}

sub machine {
    my ($cores) = @_;
    my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*: (.*)/m;
    my ($kilobytes) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my ($system) = slurp('/etc/os-release') =~ /^PRETTY_NAME="?([^"\n]*)/m;
    my $kernel = (POSIX::uname())[2];

    return sprintf '%d cores of %s, %.0f GB; %s, Linux %s', $cores,
      $model // 'an unknown kind', ($kilobytes || 0) / 1e6, $system // '?',
      $kernel;
}

sub versions {
    my $httpd = AuthGuard::Modules::ask_apxs('SBINDIR') . '/'
      . AuthGuard::Modules::ask_apxs('PROGNAME');
    my ($version) = `$httpd -v` =~ m{Apache/(\S+)};
    my %seen;
    my @peers = map { my ($package) = @{ $_->{packages} || [] };
        $package && !$seen{$package}++ ? "$_->{name} " . version_of($package)
          : () } Bench::Peers::all();

    return 'mod_auth_guard ' . own_version(),
      join '; ', "httpd $version, event, one child of 200 threads", @peers;
}

# What is checked out, and whether it was changed since.
sub own_version {
    my $top = AuthGuard::Modules::top();
    my ($release) = slurp("$top/CHANGES") =~ /(\d+\.\d+(?:\.\d+)?)/;
    my $commit = `git -C '$top' rev-parse --short HEAD 2>/dev/null`;
    my $changed = `git -C '$top' status --porcelain -- src 2>/dev/null`;

    chomp $commit;
    return join ', ', $release // (), $commit ? "commit $commit" : (),
      $changed ? 'with changes' : ();
}

sub version_of {
    my ($package) = @_;
    my $docs = AuthGuard::Modules::top() . "/build/debs/$package/usr/share/doc";

    for my $log (glob "$docs/*/changelog.Debian*.gz") {
        my $text;

        IO::Uncompress::Gunzip::gunzip($log => \$text) or next;
        return $1 if $text =~ /^\S+ \(([^)]+)\)/;
    }
    return '(unknown)';
}

1;
