# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Htguard: runs of htguard, the one that was built beside the module
# under test, in a shell's way and on a terminal; and its completion.
package AuthGuard::Htguard;

use strict;
use warnings;
use File::Basename qw(dirname);
use File::Temp ();
use POSIX ();
use AuthGuard::Httpd ();
use AuthGuard::Modules ();
use AuthGuard::Tool ();

sub path { return dirname(AuthGuard::Modules::guard_path()) . '/htguard' }

# One that works on this file. %option: wrap => a command that runs it.
sub new {
    my ($class, $file, %option) = @_;

    return bless { file => $file, wrap => [], %option,
        dir => File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1) }, $class;
}

sub command {
    my ($self, @arguments) = @_;

    return (@{ $self->{wrap} }, path(),
        defined $self->{file} ? ('-f', $self->{file}) : (), @arguments);
}

# Begin a run; standard output goes to that handle. Returns its process id.
sub begin {
    my ($self, $output, @arguments) = @_;
    my $pid = fork;

    die "fork: $!" unless defined $pid;
    return $pid if $pid;
    open(STDOUT, '>&', $output) or POSIX::_exit(127);
    open(STDERR, '>', "$self->{dir}/err") or POSIX::_exit(127);
    exec($self->command(@arguments)) or POSIX::_exit(127);
}

# What the runs so far have said on standard error.
sub error { return AuthGuard::Httpd::slurp($_[0]{dir} . '/err') }

# Wait for a run; how it ended.
sub end {
    my ($self, $pid) = @_;

    waitpid $pid, 0;
    return $? & 127 ? "signal @{[$? & 127]}" : $? >> 8;
}

# One run: exit status, standard output, standard error.
sub run {
    my ($self, @arguments) = @_;
    my $out = "$self->{dir}/out";

    open(my $output, '>', $out) or die "$out: $!";
    my $status = $self->end($self->begin($output, @arguments));
    return ($status, AuthGuard::Httpd::slurp($out), $self->error);
}

# The same on a terminal of that width: exit status, and all that is seen, in
# lines. %$environment is added; undef takes a variable away.
sub on_terminal {
    my ($self, $columns, $environment, @arguments) = @_;
    my @in_pty = (AuthGuard::Tool::build('in_pty'), $columns);
    local @ENV{ 'COLUMNS', 'NO_COLOR' } = ();

    delete @ENV{qw(COLUMNS NO_COLOR)};
    local @ENV{qw(TERM LC_ALL)} = qw(xterm C.UTF-8);
    local @ENV{ keys %$environment } = values %$environment;
    defined $environment->{$_} or delete $ENV{$_} for keys %$environment;
    local $self->{wrap} = [@in_pty, @{ $self->{wrap} }];
    my ($status, $out) = $self->run(@arguments);
    return ($status, split /\r?\n/, $out);
}

# What bash offers where this line is typed, the cursor at its end; $program
# answers for htguard.
sub completed {
    my ($line, $program) = @_;
    my $file = AuthGuard::Modules::top() . '/tools/htguard.bash-completion';

    open(my $bash, '-|', 'bash', '--norc', '-c', <<'EOS', '-', $file, $line,
. "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
_htguard "$3"
printf '%s\n' "${COMPREPLY[@]}"
EOS
        $program) or die "bash: $!";
    my @said = sort grep { length } split /\n/, join '', <$bash>;
    close($bash) or die "bash: $line: $?";
    return @said;
}

1;
