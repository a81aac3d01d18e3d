#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# However many guesses come at once, exactly `limit` passwords are verified.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

use constant { GUESSES => 300, PARALLEL => 64, LIMIT => 5 };

sub attack {
    my ($t, $name, $user, $send, %from) = @_;
    my $before = $t->verified;
    my @answers = $send->(wrong_guesses('/a/', $user, GUESSES, %from));
    my %refused = map { $_->code => 1 } grep { $_->code ne '401.1' } @answers;

    is($t->verified - $before, LIMIT, "$name: five passwords verified");
    is(scalar(grep { $_->code eq '401.1' } @answers), LIMIT,
        "$name: five answers say wrong password");
    is(join(' ', grep { !/\A(?:401|429)\.501\z/ } sort keys %refused), '',
        "$name: the others are refused as locked or busy");
    ok($refused{'401.501'}, "$name: most as locked");
    is($t->guess('/a/', 'alice', 'right', %from), '401.501',
        "$name: the right password is refused afterwards");
    return;
}

for my $mpm (qw(event worker prefork)) {
    my $has_h2 = $mpm ne 'prefork';    # mod_http2 does not work there
    my $t = AuthGuard::Httpd->new(mpm => $mpm,
        modules => $has_h2 ? ['http2'] : [],
        conf => ($has_h2 ? "Protocols h2c http/1.1\n" : '')
          . guarded('a', 'AuthBasicProvider guard',
            "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min"));
    $t->dir('a');
    $t->passwords('users', { alice => 'right' }, cost => 9);
    $t->expect_lockout;
    $t->start;
    my $http1 = sub { $t->many(PARALLEL, @_) };
    attack($t, "$mpm, known user", 'alice', $http1, from => '127.0.1.1');
    attack($t, "$mpm, unknown user", 'nobody', $http1, from => '127.0.1.2');
    attack($t, "$mpm, one HTTP/2 connection", 'alice',
        sub { $t->h2(PARALLEL, @_) }, from => '127.0.1.3')
      if $has_h2;
    $t->done;
}

done_testing;
