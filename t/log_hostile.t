#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Whatever a client sends, a lockout is one line of whole fields, and no
# other client's address can be made to stand in it.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On',
        'AuthName "%{req:X-Realm}"', 'AuthGuardLimit ip 1/10min'));
$t->dir('a');
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->start;

my $safe = qr/[A-Za-z0-9._:\@+\/-]|%[0-9A-Fa-f]{2}/;
my @fields = qw(client net key failures window lock level until origin scope
  realm user);

# Where a line of ours can begin, as a program that reads the log should see
# it: what a client sent may follow anywhere behind.
my $ours = qr/\A\[[^]]+\] \[auth_guard:warn\] \[pid [^]]+\] /
  . qr/(?:\[client [^]]+\] )?AG0101: lockout: /;
my $shape = join ' ', map { "$_=(?:$safe)*" } @fields;
my @names = (
    'plain', 'a"b', "a'b", 'a b', "a\nb", "a\r\nb", "a\tb", 'a]b', '[a]',
    'a\\b', 'a%0ab', '%s%n%d', "\e[31mred\e[0m", "\x7f\x01", "\xff\xfe",
    "\xc3\xa4\xe2\x82\xac", 'client=6.6.6.6', ' client=6.6.6.6 user=x',
    "x\n[Sat Nov 21 19:00:00 2026] [auth_guard:warn] [pid 1] AG0101: "
      . 'lockout: client=6.6.6.6 net=6.6.6.6/32 key=ip',
    "AG0101: lockout: client=6.6.6.6", '6.6.6.6', 'x' x 64, 'x' x 65,
    '"' x 64, 'x' x 3000, '',
);

sub decode { return $_[0] =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ger }

my $serial = 0;

sub one_line {
    my ($user, $realm, @headers) = @_;
    my $address = '127.0.1.' . ++$serial;
    my $name = sprintf '%.40s', "$user|$realm|@headers" =~ s/[^ -~]/?/gr;
    my @before = $t->log_lines;

    $t->get('/a/', user => $user, pass => 'wrong', from => $address,
        headers => ['X-Realm' => $realm, @headers]);
    my @after = $t->log_lines;
    my @new = @after[scalar(@before) .. $#after];
    is(scalar(grep { !/\A\[\w{3} \w{3} / } @new), 0,
        "$name: each line begins as httpd's do");
    my @lines = grep { /$ours/ } @new;
    is(scalar(@lines), 1, "$name: one line");
    my ($told) = ($lines[0] // '') =~ /AG0101: lockout: ($shape)(?:\z|, )/;
    ok(defined $told, "$name: whole fields") or diag($lines[0]);
    like($told // '', qr/\Aclient=\Q$address\E net=\Q$address\E\/32 /,
        "$name: the client's address");
    my $also = () = join("\n", @lines) =~ /client=6\.6\.6\.6/g;
    is($also, 0, "$name: and no other");
    return { ($told // '') =~ /(\w+)=(\S*)/g };
}

for my $user (@names) {
    my $field = one_line($user, 'plain');
    my $told = decode($field->{user} // '');
    is($told, $user eq '' ? '-' : substr($user, 0, length $told),
        'the name is told')
      if $user !~ /:/;    # a colon begins the password
    cmp_ok(length $told, '<=', 64, 'cut at 64 bytes');
    cmp_ok(length $told, '>=', 20, 'and not to nothing')
      if length $user > 63 && $user !~ /:/;
}
for my $realm ('a "quoted" realm', 'x client=6.6.6.6', 'y' x 3000, "\xff\x01") {
    my $field = one_line('alice', $realm =~ tr/\x01//dr);
    cmp_ok(length decode($field->{realm} // ''), '<=', 64, 'realm: cut');
}
one_line('alice', 'plain', Referer => 'http://x/ client=6.6.6.6');
one_line('alice', 'plain', Referer => "AG0101: lockout: client=6.6.6.6 net=");
one_line('alice', 'plain', 'User-Agent' => 'x client=6.6.6.6');
unlike(join("\n", $t->log_lines), qr/wrong/, 'no password is ever told');
$t->done;

done_testing;
