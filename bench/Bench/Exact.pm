# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Exact: how many wrong passwords are looked at, and who is refused
# without need.
package Bench::Exact;

use strict;
use warnings;
use Bench::Load qw(load begin end_of);
use Bench::Peers ();

use constant { GUESSING => 64, WORKING => 40, VISITS => 10, A_SECOND => 4,
    PARTS => 40, BROWSER => 6 };

my @alice = (user => 'alice');

sub measure {
    my ($run) = @_;
    my $servers = $run->servers('exact', who => sub { !$_[0]{only} });

    for my $turn (1 .. $run->amount('leak_turns')) {
        $run->say("leak, turn $turn");
        leak($run, $servers, $turn, $_) for 0, 1;
    }
    $run->say('a patient guesser');
    patient($run, $servers);
    $run->say('right passwords, and visitors with none or an old one');
    right($run, $servers);
    visitors($run, $servers);
    $run->finish($servers);
    return;
}

# Many guesses at once, all distinct; on fresh connections, or on those that
# are kept. What lets all of them in is waited for once, and peers' second
# settings are looked at in one turn.
sub leak {
    my ($run, $servers, $turn, $keep) = @_;
    my $count = $run->amount('guesses');

    $run->each_server('exact', $servers, sub {
        my ($peer, $server) = @_;
        return if $peer->{id} eq 'plain' && ($turn > 1 || $keep);
        return if !Bench::Peers::is_every_turn($peer) && $turn > 1;
        my $before = $server->verified;
        my $seen = load(port => $server->port, path => '/slow/page.html',
            @alice, pass => 'wrong#', from => $run->address,
            clients => GUESSING, count => $count, keep => $keep,
            seconds => $peer->{id} eq 'plain' ? 60
            : $run->amount('cap_seconds'), patience => 60);

        $run->add('exact', $peer,
            ($keep ? 'kept' : 'fresh') => $server->verified - $before,
            ($keep ? 'kept_sent' : 'fresh_sent') => $seen->{issued});
    });
    return;
}

# All servers at once: four a second are no work for any of them.
sub patient {
    my ($run, $servers) = @_;
    my %going;

    $run->each_server('exact', $servers, sub {
        my ($peer, $server) = @_;

        $going{ $peer->{id} } = {
            before => $server->verified,
            load => begin(port => $server->port, path => '/fast/page.html',
                @alice, pass => 'patient#', from => $run->address,
                rate => A_SECOND, count => $run->amount('patient')),
        };
    });
    $run->each_server('exact', $servers, sub {
        my ($peer, $server) = @_;
        my $one = $going{ $peer->{id} };
        my $seen = end_of($one->{load});

        $run->add('exact', $peer, patient => $server->verified - $one->{before},
            patient_sent => $seen->{issued});
    });
    return;
}

# The right password, many times at once: whoever is not let in was refused.
sub right {
    my ($run, $servers) = @_;

    $run->each_server('exact', $servers, sub {
        my ($peer, $server) = @_;
        my $seen = load(port => $server->port, path => '/mid/page.html',
            @alice, pass => 'right', from => $run->address,
            clients => WORKING, count => $run->amount('right'),
            seconds => $run->amount('cap_seconds'));
        my $right = $seen->{status}{200} || 0;

        $run->add('exact', $peer,
            right_refused => $seen->{issued} - $right,
            right_sent => $seen->{issued},
            right_rate => $right / ($seen->{seconds} || 1));
    });
    return;
}

# Who has made one mistake at most, and then has the right password. A browser
# that asks for some pages without one, as browsers do before they know that
# one is wanted; and one that has an old password saved, and asks for many parts
# of a page with it.
sub visitors {
    my ($run, $servers) = @_;

    $run->each_server('exact', $servers, sub {
        my ($peer, $server) = @_;
        my ($without, $with_old) = ($run->address, $run->address);

        browse($server, VISITS, from => $without);
        browse($server, PARTS, from => $with_old, @alice, pass => 'old');
        $run->add('exact', $peer,
            visitor_refused => $server->refuses($without),
            old_refused => $server->refuses($with_old));
    });
    return;
}

# Ask for so many pages, each by its own name, and come into none.
sub browse {
    my ($server, $count, %arg) = @_;
    my $seen = load(port => $server->port, path => '/mid/part#.html',
        clients => BROWSER, count => $count, keep => 1, %arg);
    my $answered = 0;

    $answered += $seen->{status}{$_} || 0 for 401, 403, 429;
    die "of $count pages $answered were answered as they should\n"
      if $answered < $count;
    return;
}

1;
