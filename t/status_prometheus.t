#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The metrics: Prometheus' own promtool takes them, all labels are there from
# the first scrape on, the numbers are htguard's to the unit, no address is in
# them, and docs/metrics.md tells of each one, with alert rules and a scrape
# configuration that promtool takes too.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Tool;
use AuthGuard::Modules;
use File::Basename qw(dirname);
use JSON::PP qw(decode_json);

use constant CONTENT_TYPE => 'text/plain; version=0.0.4; charset=utf-8';

my $htguard = dirname(AuthGuard::Modules::guard_path()) . '/htguard';
my $doc = AuthGuard::Httpd::slurp("$FindBin::Bin/../docs/metrics.md");

# The manual's own configuration, but for the address that may scrape.
my ($page, $path) = $doc =~ m{^( +<Location "(/.*?)">.*?</Location>\n)}ms;
$page =~ s/192\.0\.2\.10/127.0.0.1/ or die 'the example has changed';
my %outcome = map { $_ => 1 }
  qw(ok failed repeat locked busy overload abandoned exempt);
my %reason = map { $_ => 1 } qw(locked repeat busy overload);
my %cause = map { $_ => 1 } qw(timeout connection reply breaker);

# The samples by name with labels, and the types by name.
sub scrape {
    my ($t) = @_;
    my $answer = $t->get("$path?prometheus");
    my (%value, %type);

    is($answer->status, 200, 'a scrape');
    is($answer->header('content-type'), CONTENT_TYPE, 'its type');
    for my $line (split /\n/, $answer->body) {
        if ($line =~ /\A# TYPE (\w+) (\w+)\z/) {
            $type{$1} = $2;
        } elsif ($line =~ /\A([a-z_]+(?:\{[a-z]+="[\w.]+"\})?) (\d+)\z/) {
            ok(!exists $value{$1}, "$1 comes once");
            $value{$1} = $2;
        } elsif ($line !~ /\A# HELP \w+ \S/) {
            fail("a line of the format: $line");
        }
    }
    return (\%value, \%type, $answer->body);
}

sub labelled {
    my ($name, $label, $of) = @_;

    return map { ("$name\{$label=\"$_\"}" => $of->{$_}) } keys %$of;
}

# What promtool says of a text or a file, and its exit status.
sub promtool {
    my ($t, $command, $text) = @_;
    my $tool = AuthGuard::Modules::unpacked('usr/bin/promtool', 'prometheus');
    my $file = $t->file('promtool.in', $text);

    $command =~ s/FILE/$file/;
    my $said = `'$tool' $command 2>&1`;
    return "$?: $said";
}

# The metrics that htguard's numbers should be.
sub expected {
    my ($stats, $version) = @_;
    my %counter = %$stats;
    my %gauge = map { ("authguard_$_" => delete $counter{$_}) }
      qw(clients_locked clients_tracked table_size);
    my %of;

    for my $name (keys %counter) {
        $of{$1}{$2} = delete $counter{$name}
          if $name =~ /\A(attempts|refused)_(\w+)\z/;
    }
    is_deeply([sort keys %{ $of{attempts} }], [sort keys %outcome],
        'every outcome has its counter');
    is_deeply([sort keys %{ $of{refused} }], [sort keys %reason],
        'every reason has its counter');
    return { %gauge, authguard_store_up => 1,
        "authguard_build_info{version=\"$version\"}" => 1,
        labelled('authguard_attempts_total', 'outcome', $of{attempts}),
        labelled('authguard_refused_total', 'reason', $of{refused}),
        labelled('authguard_store_fallback_total', 'cause',
            { map { $_ => 0 } keys %cause }),
        map { ("authguard_${_}_total" => $counter{$_}) } keys %counter };
}

my ($version) = AuthGuard::Httpd::slurp(
    "$FindBin::Bin/../CHANGES") =~ /^(\d\S+)/m;
my $t = AuthGuard::Httpd->new(conf => $page
      . guarded('a', 'AuthGuard On', 'AuthGuardLimit ip 3/10min',
        'AuthGuardScope "192.0.2.7"', 'AuthGuardExempt 127.0.9.9'));
my $file = $t->root . '/run/authguard.shm';

sub stats {
    my $stats = decode_json(`'$htguard' -f '$file' stats --json`);

    delete $stats->{version};
    return $stats;
}

$t->dir('a');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/\[client 127\.0\.1\.2:\d+\] AH01630: /);
$t->start;

# The first scrape: a rate needs a 0 to rise from.
my ($value, $type, $first) = scrape($t);
is_deeply($value, expected(stats(), $version), 'all is there from the start');
is(join(' ', sort { $a <=> $b } grep { !/\A1\z/ }
      map { /table_size/ ? () : $value->{$_} } keys %$value),
    join(' ', (0) x (keys(%$value) - 3)), 'and is 0');
for my $name (sort keys %$type) {
    is($type->{$name}, $name =~ /_total\z/ ? 'counter' : 'gauge',
        "$name is of its type");
    like($first, qr/^# HELP $name /m, 'and has a HELP');
}
my %name = map { /\A(\w+)/ ? ($1 => 1) : () } keys %$value;
is_deeply([sort keys %$type], [sort keys %name], 'every metric has a type');

# A story.
is($t->guess_wrong('/a/', 'alice', 5, from => '127.0.1.1'),
    '401.1=3 401.501=2', 'one is locked out');
is($t->guess('/a/', alice => 'right', from => $_), 200, "$_ is let in")
  for qw(127.0.1.2 127.0.1.3 127.0.9.9);
is(tally($t->many(1, map { { path => '/a/', user => 'alice', pass => 'old',
                from => '127.0.1.4' } } 1 .. 2)),
    '401.1=2', 'one repeats a wrong password');
is($t->get('/a/', from => '127.0.1.1')->code, '401.501',
    'the locked one asks without a password');
($value, $type, my $text) = scrape($t);
is_deeply($value, expected(stats(), $version), 'the numbers are htguard\'s');
my %told = map { $_ => $value->{"authguard_attempts_total{outcome=\"$_\"}"} }
  keys %outcome;
is_deeply(\%told, { %outcome, map({ $_ => 0 } keys %outcome), ok => 2,
        failed => 4, repeat => 1, locked => 2, exempt => 1 },
    'and the story\'s');
is($value->{'authguard_refused_total{reason="locked"}'}, 3,
    'refused with and without a password');
is($value->{authguard_lockouts_total}, 1, 'one lockout');
is($value->{authguard_clients_locked}, 1, 'one is locked out');
unlike($text, qr/\d+\.\d+\.\d+\.\d+|alice/, 'no address and no user name');

is($t->get("$path?prometheus", from => '127.0.1.2')->status, 403,
    'another address gets none');

# Prometheus writes a parameter without a value so.
is($t->get("$path?prometheus=")->body, $text, '?prometheus= is the same');

# The manual tells of all there is, and of nothing else.
my %row = $doc =~ /^\| `(authguard_\w+)` \| (counter|gauge) \|/mg;
is_deeply(\%row, $type, 'docs/metrics.md has each metric and its type');
my ($labels) = $doc =~ /^(\| label \|.*?)\n\n/ms;
my %listed;
my $label;
for my $line (split /\n/, $labels) {
    my ($name, $values) = $line =~ /\A\| (?:`(\w+)`)? ?\| (`.*?`) \|/ or next;

    $label = $name if $name;
    $listed{$label}{$_} = 1 for $values =~ /`(\w+)`/g;
}
is_deeply(\%listed, { outcome => \%outcome, reason => \%reason,
        cause => \%cause }, 'and each label with its values');

# For promtool: the rules in a quiet half-hour, where none fires, and in a bad
# one, where each does. Series by what they do in the one and in the other.
my @series = (['authguard_store_up{%s}' => '1x30', '0x30'],
    ['authguard_lockouts_total{%s}' => '0+1x30', '0+10x30'],
    ['authguard_refused_total{%s,reason="locked"}' => '0+1x30', '0+60x30'],
    ['authguard_attempts_total{%s,outcome="ok"}' => '0+5x30', '0x30'],
    ['authguard_overflow_total{%s}' => '0x30', '0+1x30'],
    ['authguard_refused_total{%s,reason="overload"}' => '0x30', '0+60x30']);

# The alert of each rule, with the labels that it comes with.
sub alerts_of {
    my ($rules) = @_;
    my %alert;

    for my $rule (split /^(?= +- alert: )/m, $rules) {
        my ($name) = $rule =~ /- alert: (\w+)/ or next;

        $alert{$name} = { instance => 'i', job => 'j',
            $rule =~ /^ +(severity): (\w+)/m, $rule =~ /(reason)="(\w+)"/ };
    }
    return \%alert;
}

# JSON is YAML, too.
sub rule_tests {
    my ($t, $rules) = @_;
    my $alert = alerts_of($rules);
    my @tests;

    $rules =~ s/^ +annotations:\n(?: {10}.*\n)+//mg;
    for my $is_bad (0, 1) {
        push @tests, { interval => '1m',
            input_series => [map { { values => $_->[1 + $is_bad],
                    series => sprintf $_->[0], 'instance="i",job="j"' } }
                @series],
            alert_rule_test => [map { { eval_time => '30m', alertname => $_,
                    exp_alerts => [
                        $is_bad ? { exp_labels => $alert->{$_} } : ()] } }
                sort keys %$alert] };
    }
    return JSON::PP->new->canonical->encode({ tests => \@tests,
            rule_files => [$t->file('rules.yml', $rules)] });
}

# Prometheus' own opinion.
SKIP: {
    my $lack = AuthGuard::Modules::lacks('prometheus');
    skip $lack, 8 if $lack;
    my ($scrape, $rules) = $doc =~ /^```yaml\n(.*?)^```/msg;

    is(promtool($t, 'check metrics <FILE', $first), '0: ',
        'promtool takes the first scrape');
    is(promtool($t, 'check metrics <FILE', $text), '0: ', 'and the story');
    like(promtool($t, 'check metrics <FILE', $text =~ s/_total\b//gr),
        qr/\A(?!0:).*_total/s, 'it does look');
    like(promtool($t, 'check rules FILE', $rules),
        qr/\A0: .*SUCCESS: \d+ rules found/s, 'promtool takes the alert rules');
    my $tests = rule_tests($t, $rules);
    like(promtool($t, 'test rules FILE', $tests), qr/\A0: .*SUCCESS/s,
        'each rule fires in a bad half-hour, and none in a quiet one');
    unlike(promtool($t, 'test rules FILE', $tests =~ s/0\+60x30/0x30/gr),
        qr/\A0: /, 'this can fail');
    like(promtool($t, 'check config FILE', $scrape), qr/\A0: .*SUCCESS/s,
        'and the scrape configuration');
    is_deeply([grep { !exists $type->{$_} } $rules =~ /\b(authguard_\w+)/g],
        [], 'the rules ask for metrics that there are');
}
$t->done;

# With no store, no counter falls to 0.
my $none = AuthGuard::Tool::without_store($page);
($value) = scrape($none);
is_deeply($value, { authguard_store_up => 0,
        "authguard_build_info{version=\"$version\"}" => 1 },
    'the store is down, and nothing else is told');
$none->done;

done_testing;
