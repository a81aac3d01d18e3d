# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Log: what httpd's logs say, and whether they may.
#
# The error log is an assertion: a line of level warn or worse, a line of the
# guard's, and a child's death by anything but our own kill -9 must have been
# declared by the test, or it fails. A base class of AuthGuard::Httpd.
package AuthGuard::Log;

use strict;
use warnings;
use Test::More ();
use Time::HiRes qw(sleep time);

use constant LOG_SECONDS => 5;    # patience for a line to be written

# httpd's own lines for a wrong password and an unknown user: what the tests
# count by, so they need no declaration.
my $verified = qr/AH0161[78]:/;

# Nor does the notice of a first start, nor what is said of a server without
# TLS, and of the short windows that tests are made of: t/sanity.t looks at that.
my $usual = qr/$verified|\[auth_guard:notice\].* AG0201: | AG011[01]: /;

# Declare lines that may come, and must unless optional => 1.
sub expect_log {
    my ($self, $pattern, %arg) = @_;

    push @{ $self->{expected} }, { pattern => $pattern, seen => 0, %arg };
    return;
}

# The lines that go with every lockout.
sub expect_lockout {
    my ($self) = @_;

    $self->expect_log(qr/\bAG0101: lockout: /);
    $self->expect_log(qr/\bAG0102: refused: /, optional => 1);
    return;
}

sub log_lines {
    my ($self, $pattern) = @_;
    my @lines = split /\n/, AuthGuard::Httpd::slurp(
        $self->root . '/logs/error.log');

    return $pattern ? grep { /$pattern/ } @lines : @lines;
}

# Wait until the error log has $count lines like that; returns them.
sub wait_log {
    my ($self, $pattern, $count) = @_;
    my $deadline = time + LOG_SECONDS;
    my @lines;

    while ((@lines = $self->log_lines($pattern)) < ($count || 1)) {
        last if time > $deadline;
        sleep 0.01;
    }
    return @lines;
}

sub log_tail {
    my ($self) = @_;
    my @lines = $self->log_lines;

    return join "\n", splice @lines, @lines > 25 ? -25 : 0;
}

# Wrong passwords that were verified so far.
sub verified {
    my ($self) = @_;

    return scalar(() = $self->log_lines($verified));
}

# The access log as hashes: client address, request, status and the tags.
# Waits for $count lines, as httpd writes them after the answer.
sub access {
    my ($self, $count) = @_;
    my $deadline = time + LOG_SECONDS;
    my @lines;

    while (1) {
        @lines = split /\n/, AuthGuard::Httpd::slurp(
            $self->root . '/logs/access.log');
        last if @lines >= ($count || 0) || time > $deadline;
        sleep 0.01;
    }
    return map {
        my ($address, $request, $status, $tags) =
          /\A(\S+) "(.*?)" (\d+) ?(.*)\z/;
        my %tag = $tags =~ /(\w+)=(\S*)/g;
        +{ address => $address, request => $request, status => $status, %tag }
    } @lines;
}

sub is_suspect {
    my ($line) = @_;

    return 1
      if $line =~ /\A\[[^]]+\] \[[\w-]*:(?:warn|error|crit|alert|emerg)\]/;
    return 1 if $line =~ /\bAG0\d\d\d\b/;
    return 1 if $line =~ /exit signal (?!Killed)|segfault|Segmentation/;
    return 1 if $line =~ /assertion|stack smashing|corrupt/i;
    return 0;
}

# mod_mpm_event frees its workers' sockets under their threads when a child is
# stopped, and now and then dies of it. Where the server is being stopped that
# is no surprise; anywhere else it is.
sub is_httpds_own_end {
    my ($self, $line) = @_;

    return 0
      unless $line =~ /AH00052: .*exit signal Segmentation fault/
      || $line =~ /AH03092: process_lingering_close: apr_pollset_add failure/;
    return scalar grep { index($_, $line) >= 0 } @{ $self->{stop_logs} || [] };
}

sub judge_log {
    my ($self) = @_;
    my @surprises;

    for my $line (grep { is_suspect($_) } $self->log_lines) {
        next if $self->is_httpds_own_end($line);
        my @meant = grep { $line =~ $_->{pattern} } @{ $self->{expected} };

        $_->{seen}++ for @meant;
        push @surprises, $line unless @meant || $line =~ $usual;
    }
    my @missing = map { $_->{pattern} }
      grep { !$_->{seen} && !$_->{optional} } @{ $self->{expected} };
    splice @surprises, 20;
    Test::More::ok(!@surprises && !@missing, 'the error log is as declared')
      || Test::More::diag(join "\n", (map { "not declared: $_" } @surprises),
        map { "never seen: $_" } @missing);
    return;
}

1;
