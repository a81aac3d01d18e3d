#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What logs, conditions and expressions see of a locked client's answer, which
# goes out past httpd's own error responses: status, size, and variables, the
# same where the request had variables before (SetEnvIf, mod_unique_id,
# mod_rewrite) and where it had none.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my @names = qw(STATE SUBSTATUS RETRY_AFTER FAILURES LIMIT SCOPE OBSERVED);
my $format = join ' ', '%U %>s %b', (map { "$_=%{AUTHGUARD_$_}e" } @names),
  (map { "$_=%{$_}^ag" } qw(state substatus failures limit scope client)),
  'BEFORE=%{BEFORE}e';
my @from = (from => '127.0.1.1');

# One address for each limit, and the answers of each status.
sub server {
    my ($conf, @modules) = @_;
    my $sections = join '', map { my $limit = $_; map { guarded("$limit-$_",
                'AuthGuard On', "AuthGuardScope limit-$limit",
                "AuthGuardLimit ip $limit/10min", "AuthGuardResponse $_",
                'Header always set X-All "expr=%{AUTHGUARD_STATE} '
                  . '%{AUTHGUARD_SUBSTATUS} %{AUTHGUARD_FAILURES} '
                  . '%{AUTHGUARD_LIMIT} %{AUTHGUARD_SCOPE}"') }
          401, 403, 429 } 1, 9, 10, 123;
    my $t = AuthGuard::Httpd->new(modules => \@modules,
        conf => "LogFormat \"$format\" told\n"
          . "CustomLog \@ROOT\@/logs/all told\n"
          . "CustomLog \@ROOT\@/logs/env told env=AUTHGUARD_RETRY_AFTER\n"
          . 'CustomLog @ROOT@/logs/expr told "expr=%{AUTHGUARD_STATE} == '
          . "'locked'\"\n$conf$sections"
          . guarded('observe', 'AuthGuard Observe',
            'AuthGuardLimit ip 1/10min'));

    $t->dir($_) for $sections =~ m{\@/([\d-]+)"}g, 'observe';
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->expect_log(qr/AG0104: would lock out/);
    return $t->start;
}

# The lines of a log, once they are there; the time in RETRY_AFTER is checked.
sub told {
    my ($t, $log, $count) = @_;
    my $access = $t->access($count);
    my @lines = split /\n/, AuthGuard::Httpd::slurp($t->root . "/logs/$log");

    s/(?<=RETRY_AFTER=)(?:8\d\d|900)/S/ for @lines;
    return @lines;
}

sub line_of {
    my ($dir, $status, $bytes, $limit, $before) = @_;
    my $code = "$status.501";

    return join ' ', "/$dir/", $status, $bytes, 'STATE=locked',
      "SUBSTATUS=$code", 'RETRY_AFTER=S', "FAILURES=$limit", "LIMIT=$limit",
      "SCOPE=limit-$limit", 'OBSERVED=-', 'state=locked', "substatus=$code",
      "failures=$limit", "limit=$limit", "scope=limit-$limit",
      "client=$from[1]", "BEFORE=$before";
}

for my $case (['none before', '', '-'],
    ['SetEnvIf', "SetEnvIf Host . BEFORE=1\n", '1'],
    ['a variable of ours, made up',
        "SetEnvIf Host . AUTHGUARD_STATE=ok\nSetEnvIf Host . BEFORE=1\n", '1'],
    ['mod_unique_id', '', '-', 'unique_id'],
    ['mod_rewrite', "RewriteEngine On\n", '-', 'rewrite'])
{
    my ($name, $conf, $before, @modules) = @$case;
    my $t = server($conf, @modules);
    my $requests = 0;
    my @expected;

    for my $limit (1, 9, 10, 123) {
        $t->many(20, wrong_guesses("/$limit-401/", 'alice', $limit, @from));
        $requests += $limit;
    }
    for my $limit (1, 9, 10, 123) {
        for my $status (401, 403, 429) {
            for my $method (qw(GET HEAD)) {
                my $answer = $t->get("/$limit-$status/", user => 'alice',
                    pass => 'right', method => $method, @from);
                my $bytes = $method eq 'HEAD' ? '-' : length $answer->body;

                push @expected, line_of("$limit-$status", $status, $bytes,
                    $limit, $before);
                is($answer->header('x-all'),
                    "locked $status.501 $limit $limit limit-$limit",
                    "$name: $limit, $status, $method");
            }
        }
    }
    $requests += @expected;
    my @all = told($t, 'all', $requests);
    is(join("\n", sort splice @all, -@expected), join("\n", sort @expected),
        "$name: the log");
    for my $log (qw(env expr)) {
        my @lines = told($t, $log, $requests);

        is(join("\n", sort @lines), join("\n", sort @expected),
            "$name: on condition ($log)");
    }

    # Neither is a lockout that is none.
    $t->guess_wrong('/observe/', 'alice', 2, @from);
    my $observed = (told($t, 'all', $requests + 2))[-1];
    my $locked = 'STATE=locked SUBSTATUS=401.501 RETRY_AFTER=S '
      . 'FAILURES=1 LIMIT=1';
    like($observed, qr/ $locked SCOPE=localhost:\d+ OBSERVED=1 /,
        "$name: Observe");
    $t->done;
}

done_testing;
