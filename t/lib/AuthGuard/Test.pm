# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Test: what nearly every test file says first.
#
#   use AuthGuard::Test;    # strict, warnings, Test::More and the functions
package AuthGuard::Test;

use strict;
use warnings;
use Exporter ();
use Test::More ();
use AuthGuard::Httpd ();
use AuthGuard::Visitor ();

our @ISA = ('Exporter');
our @EXPORT = qw(basic guarded tally wrong_guesses);

sub import {
    my ($class) = @_;

    strict->import;
    warnings->import;
    Test::More->export_to_level(1);
    $class->export_to_level(1);
    return;
}

*tally         = \&AuthGuard::Visitor::tally;
*wrong_guesses = \&AuthGuard::Visitor::wrong_guesses;

# Directives that ask for a password of @ROOT@/users, and further ones. A
# Require among those replaces the usual one.
sub basic {
    my (@lines) = @_;
    my @require = grep({ /^Require / } @lines) ? () : 'Require valid-user';

    return join "\n", 'AuthType Basic', 'AuthName "test"',
      'AuthUserFile @ROOT@/users', @require, @lines, '';
}

# The same in a section for a directory below the documents.
sub guarded {
    my ($dir, @lines) = @_;

    return "<Directory \"\@DOCS\@/$dir\">\n" . basic(@lines)
      . "</Directory>\n";
}

1;
