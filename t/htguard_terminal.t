#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# htguard's table on terminals of many widths: no line is too long, what is cut
# is a scope and never within a %XX, what is left out is whole columns. Colours
# come on a terminal that has them, and only where nobody asked for none;
# elsewhere than on a terminal nothing is cut or coloured. And completion.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Htguard;
use JSON::PP qw(decode_json);

# A directory's name that is nearly all escapes, one that is long, a short one.
my $odd = 'caf' . "\xC3\xA9" x 12;
my $long = 'a-directory-with-a-name-' . '0123456789' x 6;
my @guard = ('AuthGuard On', 'AuthGuardLimit ip 3/10min');
my $t = AuthGuard::Httpd->new(conf => guarded('desk', @guard,
        'AuthGuardScope vault')
      . guarded('seen', 'AuthGuard Observe', 'AuthGuardLimit ip 3/10min'));
$t->dir($_, basic(@guard)) for $odd, $long;
$t->dir($_) for qw(desk seen);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/\bAG0104: /);
my $file = $t->root . '/run/authguard.shm';
my $htguard = AuthGuard::Htguard->new($file);
my @titles = qw(CLIENT KEY STATE FAILURES LEVEL REMAINING SINCE SCOPE);
my $colour = qr/\e\[(?:1|31|32|33)m([^\e]*)\e\[0m/;

$t->start;
$t->guess_wrong('/' . ($odd =~ s/([^ -~])/sprintf '%%%02X', ord $1/ger) . '/',
    'alice', 3, from => '127.0.1.1');
$t->guess_wrong("/$long/", 'alice', 3, from => '127.0.1.102');
$t->guess_wrong('/desk/', 'alice', 3, from => '127.0.1.103');
$t->guess_wrong('/desk/', 'alice', 1, from => '127.0.1.4');
$t->guess_wrong('/seen/', 'alice', 3, from => '127.0.1.5');

my %scope = map { $_->{client} => $_->{scope} }
  @{ decode_json(($htguard->run('list', '--json'))[1])->{clients} };
is(scalar keys %scope, 5, 'five clients');

sub plain { return $_[0] =~ s/$colour/$1/gr }

# Without the times, which go on from one run to the next.
sub timeless { return map { s/ +(?:\d+min )?\d+s\b/ TIME/gr } @_ }

# As long as it looks: a character of many bytes takes one place.
sub width { my ($line) = @_; utf8::decode($line); return length $line }

sub on_terminal {
    my ($columns, $environment, @arguments) = @_;
    my ($status, @lines) =
      $htguard->on_terminal($columns, $environment, @arguments);

    is($status, 0, "@arguments, $columns columns");
    return @lines;
}

# A scope as it may be shown: whole, or its two ends, neither of which begins
# or ends within a %XX.
sub is_shown {
    my ($shown, $scope, $mark) = @_;
    my ($head, $tail) = split /\Q$mark\E/, $shown, 2;

    return $shown eq $scope unless defined $tail;
    my $cut = substr $scope, 0, -length $tail;
    return index($scope, $head) == 0
      && $cut . $tail eq $scope
      && $head !~ /%.?\z/
      && $cut !~ /%.?\z/;
}

my %kept;
for my $columns (28, 39, 40 .. 110, 160 .. 185, 400) {
    my $mark = $columns % 2 ? '...' : "\xE2\x80\xA6";
    my ($status, $heading, @rows) = $htguard->on_terminal($columns,
        { NO_COLOR => 1, LC_ALL => $columns % 2 ? 'C' : 'C.UTF-8' }, 'list');
    my @kept = split ' ', $heading;
    my (@too_long, @broken);

    for my $row (@rows) {
        my ($client) = $row =~ /\A(\S+)/;
        push @too_long, $row if width($row) > $columns;
        push @broken, $row
          if $row =~ /[^\S ]/ || !exists $scope{$client}
          || $kept[-1] eq 'SCOPE' && !is_shown($row =~ /(\S+)\z/,
            $scope{$client}, $mark);
    }
    $kept{$columns} = join ' ', @kept;
    is_deeply([$status, scalar @rows, @too_long, @broken], [0, 5],
        "$columns columns: five rows, each on its line and whole");
    is($heading =~ s/\s+\z//r, $heading,
        "$columns columns: no space at the end");
}
is($kept{400}, "@titles", 'a wide terminal has all columns');
is($kept{80}, "@titles", 'a usual one too');
like($kept{28}, qr/\ACLIENT STATE\b/, 'a narrow one has the most important');
my @counts = map { scalar split ' ', $kept{$_} } sort { $a <=> $b } keys %kept;
is_deeply(\@counts, [sort { $a <=> $b } @counts],
    'the wider, the more columns');
cmp_ok(scalar keys %{ { reverse %kept } }, '>=', 4,
    'there are some in between');

# A terminal that does not know its width is taken for a usual one.
my %plain = (NO_COLOR => 1);
is_deeply([timeless(on_terminal(400, { %plain, COLUMNS => 45 }, 'list'))],
    [timeless(on_terminal(45, \%plain, 'list'))],
    'COLUMNS goes before what the terminal says');
for my $environment ({}, { COLUMNS => 'wide' }) {
    my @lines = map { plain($_) } on_terminal(0, $environment, 'list');
    cmp_ok((sort { $b <=> $a } map { width($_) } @lines)[0], '==', 80,
        'no width is known: 80');
}

# Colours.
my ($heading, @rows) = on_terminal(100, {}, 'list');
is($heading =~ s/$colour//gr =~ s/ //gr, '', 'the heading is painted');
is_deeply(
    { map { (/\A(\S+)/)[0] => join ' ', m{(\e\[\d+m\w+(?:/\w+)?)} } @rows },
    { '127.0.1.1' => "\e[31mlocked", '127.0.1.102' => "\e[31mlocked",
        '127.0.1.103' => "\e[31mlocked", '127.0.1.4' => "\e[33mcounting",
        '127.0.1.5' => "\e[33mlocked/observed" }, 'states are painted');
is_deeply([timeless(map { plain($_) } $heading, @rows)],
    [timeless(on_terminal(100, \%plain, 'list'))],
    'paint takes no place, and NO_COLOR none');
unlike("@{[on_terminal(100, { TERM => $_ }, 'list')]}", qr/\e/,
    'no colours: TERM is ' . ($_ // 'unset')) for 'dumb', '', undef;
like("@{[on_terminal(100, { NO_COLOR => '' }, 'list')]}", qr/\e/,
    'NO_COLOR that is empty says nothing');
is((on_terminal(100, {}, 'check', '127.0.9.9'))[-1], "\e[32mfree\e[0m",
    'check: free');
is(($htguard->on_terminal(100, {}, 'check', '127.0.1.1'))[-1],
    "\e[31mlocked\e[0m", 'check: locked');
unlike("@{[on_terminal(30, {}, @$_)]}", qr/\e/, "@$_: no colours")
  for ['list', '--json'], ['stats'], ['--help'];
is(decode_json(join '', on_terminal(30, {}, 'list', '--json'))->{version}, 1,
    'JSON is not cut');

# No terminal.
{
    local @ENV{qw(COLUMNS TERM)} = (30, 'xterm');
    my ($status, $out) = $htguard->run('list');
    my ($plain, @lines) = split /\n/, $out;

    unlike($out, qr/\e/, 'no terminal: no colours');
    is($plain, sprintf('%-24s %-8s %-17s %8s %5s %10s %10s  %s', @titles),
        'fixed widths');
    is_deeply({ map { (/\A(\S+)/)[0], (/(\S+)\z/)[0] } @lines }, \%scope,
        'and whole scopes');
}

# Completion.
sub completed {
    return [AuthGuard::Htguard::completed($_[0], AuthGuard::Htguard::path())];
}

my %completed = (
    'htguard ' => 'check list stats unlock',
    'htguard u' => 'unlock',
    'htguard -' => '--file --help --redis --version -V -f -h -r',
    'htguard -r unix:/none -' => '--ca --cert --file --help --key --password '
      . '--prefix --redis --secret --version -V -f -h',
    'htguard --redis unix:/none --p' => '--password --prefix',
    'htguard -r ' => '',
    'htguard -r unix:/none --ca x unlock ' => '--all --json --scope --user',
    "htguard -r unix:/none unlock " => '--all --json --scope --user',
    "htguard -r unix:/none --secret " . $t->root . '/run/authguard.s' => $file,
    'htguard list ' => '--json --locked --scope',
    'htguard list --locked --' => '--json --scope',
    'htguard stats ' => '--json',
    "htguard -f $file unlock " =>
      '--all --json --scope --user 127.0.1.1 127.0.1.102 127.0.1.103 127.0.1.5',
    "htguard --file $file unlock 127.0.1.10" => '127.0.1.102 127.0.1.103',
    "htguard -f $file unlock 127.0.1.1 " => '--json --scope',
    "htguard -f $file check --scope v" => 'vault',
    "htguard -f $file unlock --user " => '',
    "htguard -f $file unlock --all --" => '--json --scope',
    "htguard -f $file.none unlock " => '--all --json --scope --user',
    "htguard -f $file.none list --scope " => '',
    "htguard -f " . $t->root . '/run/authguard.s' => $file,
    'htguard nonsense ' => '',
);
is_deeply(completed($_), [sort split ' ', $completed{$_}], "completion: $_")
  for sort keys %completed;

# bash takes what stands behind the last colon.
my ($host, $rest) = $scope{'127.0.1.102'} =~ /\A(.*:)(.*)\z/;
my $begun = $host . substr $rest, 0, -9;
is_deeply(completed("htguard -f $file list --scope $begun"), [$rest],
    'completion: a scope with a colon');

$t->done;
done_testing;
