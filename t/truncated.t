#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# A table file that somebody cuts while the server runs costs the children
# that touch it their lives (SIGBUS), and whatever was cut off. It must cost no
# more: httpd grows it back, says so, and goes on counting.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Tool;
use Time::HiRes qw(sleep time);

# httpd looks at the file at least every ten seconds, sooner where children
# die.
use constant PATIENCE_SECONDS => 13;

sub server {
    my ($left) = @_;
    my $t = AuthGuard::Httpd->new(conf => guarded('a', 'AuthGuard On',
            'AuthGuardLimit ip 3/10min'));

    $t->dir('a');
    $t->passwords('users', { alice => 'right' });
    $t->expect_lockout;
    $t->expect_log(qr/:error\].* AG0210: /);
    $t->expect_log(qr/exit signal Bus error/, optional => 1);
    $t->expect_log(qr/AH10392: children are killed successively/, optional => 1);
    $t->expect_log(qr/AG020[789]: /, optional => 1);
    $t->start;
    is($t->guess('/a/', 'alice', 'right'), 200, "to $left: at first");
    return $t;
}

sub file_of { return $_[0]->root . '/run/authguard.shm' }

# To the head alone, in the middle, to nothing: a server each, all at once.
my %left = (head => 4096, half => 0, nothing => 0);
my @names = sort keys %left;
my %server = map { $_ => server($_) } @names;
my %size = map { $_ => -s file_of($server{$_}) } @names;
$left{half} = int $size{half} / 2;

truncate file_of($server{$_}), $left{$_} or die "$_: $!" for @names;
my $deadline = time + PATIENCE_SECONDS;
my $serial = 0;
my @short;

# Visitors meanwhile, some of whom meet a dying child.
while ((@short = grep { -s file_of($server{$_}) < $size{$_} } @names)
    && time < $deadline)
{
    $serial++;
    for my $name (@short) {
        $server{$name}->many(4, wrong_guesses('/a/', 'alice', 4,
                from => "127.0.1.$serial"));
    }
    sleep 0.1;
}

for my $name (@names) {
    my $t = $server{$name};
    my @from = (from => '127.0.2.1');

    is(-s file_of($t), $size{$name}, "to $name: grown back");
    $t->wait_log(qr/AG0210: /);
    AuthGuard::Tool::settle($t);
    is($t->guess('/a/', 'alice', 'right', @from), 200,
        "to $name: a client is let in");
    is($t->guess_wrong('/a/', 'alice', 4, @from), '401.1=3 401.501=1',
        "to $name: its guesses are counted");
    is($t->guess('/a/', 'alice', 'right', @from), '401.501',
        "to $name: and it is locked out");
    $t->done;
}

done_testing;
