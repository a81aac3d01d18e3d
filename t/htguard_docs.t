#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# htguard, its --help, its man page, its completion and what the README and
# docs/ have people type agree on commands, options, exit statuses, columns,
# members of the JSON and variables of the environment.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Htguard;
use AuthGuard::Modules;
use File::Temp ();
use JSON::PP qw(decode_json);

my $top = AuthGuard::Modules::top();
my $man = AuthGuard::Httpd::slurp("$top/tools/htguard.8");
my %section = $man =~ /^\.Sh (.+)\n((?:(?!\.Sh ).*\n)+)/mg;
my $nowhere = AuthGuard::Htguard->new('/nonexistent/authguard.shm');
my $help = (AuthGuard::Htguard->new->run('--help'))[1];

sub sorted { return join ' ', sort @_ }

# The options that a piece of the man page names.
sub man_options {
    my ($text) = @_;
    my %option;

    for my $line (grep { /\bFl / } split /\n/, $text) {
        $option{"-$1"} = 1 while $line =~ /(?:Fl|,) (-?\w+)/g;
    }
    return sorted(keys %option);
}

# Command -> its options, by --help and by the man page.
my %helped = $help =~ /^  (\w+) +(.*)\n {10}\S/mg;
my %synopsis = $section{SYNOPSIS} =~ /^\.Cm (\w+)\n((?:\.(?!Nm\b).*\n)*)/mg;
my @commands = sort keys %helped;

is("@commands", 'check list stats unlock', '--help has the commands');
is(sorted(keys %synopsis), "@commands", 'the man page: those commands');
my %told = map { $_ => 1 } $section{COMMANDS} =~ /^\.It Cm (\w+)/mg;
is(sorted(keys %told), "@commands", 'and what they do');

# Completion, with an htguard that knows of no clients.
sub completed {
    return sorted(AuthGuard::Htguard::completed($_[0], 'false'));
}

is(completed('htguard '), "@commands", 'completion: those commands');

my %general = map { $_ => 1 } $help =~ /^  (--?\w+)/mg,
  $help =~ /^  -\w, (--\w+)/mg;
is(man_options($section{OPTIONS}), sorted(keys %general),
    'the man page tells of every option of --help');
my @redis = qw(--secret --password --prefix --ca --cert --key);
is(completed('htguard -'),
    sorted(qw(-f --file -r --redis -h --help -V --version)),
    'completion: those that need no command');
is(completed('htguard --redis x --'),
    sorted(qw(--file --help --version), @redis),
    'completion: those that go with -r');
is(sorted($help =~ /^  (--\w+) .* with -r: /mg), sorted(@redis),
    '--help: the same');

# What each command takes: the program itself is asked, with a file that is
# not there: 1 if the line is right, 2 if not.
my %line = (list => 'list', check => 'check 192.0.2.7', stats => 'stats',
    unlock => 'unlock');
my %value = map { $_ => 'x' } qw(--scope --user), @redis;

for my $command (@commands) {
    my @taken = sort $helped{$command} =~ /(--\w+)/g;
    my @all = grep { /\A--/ && !/file|redis|help|version/ } sort keys %general;
    my %status;

    for my $option (@all) {
        my $line = $line{$command};
        $line .= ' 192.0.2.7'
          if $command eq 'unlock' && $option !~ /user|all/;
        ($status{$option}) = $nowhere->run(split(' ', $line), $option,
            $value{$option} // ());
    }
    is(sorted(grep { $status{$_} == 1 } @all), "@taken",
        "$command takes what --help says");
    is(sorted(grep { $status{$_} == 2 } @all),
        sorted(grep { my $o = $_; !grep { $o eq $_ } @taken } @all),
        "$command takes nothing else");
    is(man_options($synopsis{$command}), "@taken", "$command: the man page");
    is(completed("htguard $command --"), "@taken", "$command: completion");
}

# What people are told to type: lines of examples. Files that they name are
# there, and no store is.
my $dir = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);
my $bare = AuthGuard::Htguard->new;
my %shown;

for my $name (qw(secret password)) {
    open(my $out, '>', "$dir/auth-guard.$name") or die "$dir: $!";
    print $out "what nobody else must know\n";
    chmod 0600, $out;
}
for my $path (glob("$top/README.md $top/docs/*.md $top/tools/htguard.8")) {
    my $name = $path =~ s{\A\Q$top/\E}{}r;
    my $indent = $name =~ /\.md\z/ ? ' {4}' : '';
    my @examples = AuthGuard::Httpd::slurp($path) =~
      /^$indent(?:sudo )?htguard ([^\n|#]*)/mg;

    for my $example (@examples) {
        my $is_fleet = $example =~ s/^-r \S+ /-r unix:$dir\/none /;
        my ($status, undef, $err) =
          ($is_fleet ? $bare : $nowhere)
          ->run(map { s{^/etc/apache2/}{$dir/}r } split ' ', $example);

        is($status, 1, "$name: htguard $example") or diag($err);
        my ($command) = $example =~ s/^-r .* (?=\w)//r =~ /\b([a-z]+)\b/;
        $shown{$name}{$command} = 1;
    }
}
is(sorted(keys %{ $shown{'README.md'} }), "@commands",
    'the README shows each command');
cmp_ok(scalar keys %{ $shown{'tools/htguard.8'} }, '>=', 2,
    'the man page has examples');

# Exit statuses.
my ($said) = $help =~ /^Exit status: (.*)\z/ms;
my %exit = $said =~ /(\d+) (\w+)/g;
my %exit_man =
  $section{'EXIT STATUS'} =~ /^\.It (\d+)\n(?:\.Cm \w+ :\n)?(\w+)/mg;
is(sorted(keys %exit_man), sorted(keys %exit), 'the man page: exit statuses');
is(lc $exit_man{$_}, lc((split ' ', $_ ? $exit{$_} : 'done')[0]),
    "status $_: the same word") for sort keys %exit;

# What it shows: a server, and one client.
my $t = AuthGuard::Httpd->new(conf => guarded('desk', 'AuthGuard On'));
$t->dir('desk');
$t->passwords('users', { alice => 'right' });
$t->start;
is($t->guess('/desk/', alice => 'wrong'), '401.1', 'a client fails');
my $htguard = AuthGuard::Htguard->new($t->root . '/run/authguard.shm');
my ($heading) = split /\n/, ($htguard->run('list'))[1];

is(join(' ', $section{'THE TABLE'} =~ /^\.It (\w+)$/mg),
    join(' ', split ' ', $heading), 'the man page: the columns');

my %in_man = $section{JSON} =~ /^\.It Cm (\w+)\n((?:(?!\.It|\.El).*\n)+)/mg;
my ($of_client) = $section{JSON} =~ /^Each of the\n(.*)/ms;
my @members = $of_client =~ /^\.Cm (\w+)/mg;
my %object = map { $_->[0] => decode_json(($htguard->run(@$_, '--json'))[1]) }
  ['list'], ['check', '127.0.0.1'], ['stats'], ['unlock', '127.0.0.1'];

shift @members if $members[0] eq 'clients';
is(sorted(@members), sorted(keys %{ $object{list}{clients}[0] }),
    'the man page: members of a client');
is(sorted($in_man{$_} =~ /^\.Cm (\w+)/mg), sorted(keys %{ $object{$_} }),
    "the man page: members of $_") for qw(list check unlock);
is(sorted($in_man{stats} =~ /^\.Cm (\w+)/mg), 'version',
    'the man page: members of stats');
$t->done;

# What of the environment it looks at.
my $sources = join '', map { AuthGuard::Httpd::slurp($_) } glob("$top/tools/*.c"),
  "$top/src/guard_store_redis_url.c";
my %named = $sources =~ /^#define (\w+) "(\w+)"$/mg;
is(sorted($section{ENVIRONMENT} =~ /^\.(?:It )?Ev (\w+)/mg),
    sorted(map { /"(\w+)"/ ? $1 : $named{$_} // $_ }
          $sources =~ /getenv\(("?\w+"?)\)/g), 'the man page: the environment');

SKIP: {
    my ($groff) = grep { -x } map { "$_/groff" } split /:/, $ENV{PATH};
    skip 'no groff here', 2 unless $groff;
    my $warned =
      `'$groff' -mandoc -Tutf8 -wall '$top/tools/htguard.8' 2>&1 >/dev/null`;
    is($?, 0, 'groff takes the man page');
    is($warned, '', 'and has no warnings');
}
done_testing;
