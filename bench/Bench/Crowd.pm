# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Crowd: what many clients cost, and whether they free one that is
# locked. Each client is an address of its own, on a connection of its own, and
# has one wrong password.
package Bench::Crowd;

use strict;
use warnings;
use List::Util qw(sum);
use Bench::Httpd ();
use Bench::Load qw(load);
use Bench::Peers ();
use Bench::Rounds ();

use constant { GUESSING => 32, GUESSES => 10, FLOOD => 4 };

my @guess = (user => 'alice', path => '/fast/page.html', pass => 'wrong#',
    clients => GUESSING);

sub measure {
    my ($run) = @_;

    crowd($run);
    laid_out($run);
    flood($run);
    return;
}

sub newcomers {
    my ($run, $server, $count, %arg) = @_;

    return load(port => $server->port, @guess, count => $count,
        addresses => $count, from => $run->address($count), %arg);
}

# First some come, so that what every server takes for its first connections
# is not counted; then the crowd.
sub crowd {
    my ($run) = @_;
    my $cell = 'crowd';
    my $servers = $run->servers($cell);

    $run->each_server($cell, $servers, sub {
        my ($peer, $server) = @_;

        newcomers($run, $server, $run->amount('newcomers'));
        my @before = ($server->memory_bytes, $server->disk_bytes);
        my $seen = newcomers($run, $server, $run->amount('crowd'),
            seconds => $run->amount('crowd_seconds'));
        my @grown = ($server->memory_bytes - $before[0],
            $server->disk_bytes - $before[1]);

        $run->say("a crowd at $peer->{id}: $seen->{answered}");
        $run->add($cell, $peer,
            grown_each => sum(0, grep { $_ > 0 } @grown) / $seen->{answered},
            tracked => $seen->{answered} + $run->amount('newcomers'));
    });
    arrivals($run, $cell, $servers);
    $run->finish($servers);
    return;
}

# New ones in a moment.
sub arriving {
    my ($run, $server, %arg) = @_;

    return Bench::Rounds::course($server, sub {
        my $seen = newcomers($run, $server, $run->amount('newcomers'), %arg,
            seconds => $run->amount('newcomer_seconds'));

        return ($seen->{rate}, $seen->{answered});
    });
}

# New ones beside the same where nobody guards. Who could not track the crowd
# in the time that there is, is timed with those it has.
sub arrivals {
    my ($run, $cell, $servers) = @_;
    my $plain = $servers->{plain} || Bench::Httpd->new(
        conf => Bench::Peers::sections())->start;

    for my $turn (1 .. $run->amount('turns')) {
        my $base = arriving($run, $plain);

        $run->say("newcomers, turn $turn");
        Bench::Rounds::turn($run, $run->amount('newcomer_rounds'), $turn,
            $cell, $servers, sub {
                my ($peer, $server) = @_;
                my $one = arriving($run, $server);

                return ($one, $base) if $peer->{kind} eq 'httpd';
                return ($one, arriving($run, $server,
                        port => $server->base_port,
                        path => $server->base_path . '/fast/page.html'));
            }, sub {
                my ($rate) = @_;

                return (new_rate => $rate->[0], new_ratio => $rate->[2]);
            });
    }
    $plain->finish unless $servers->{plain};
    return;
}

# Where the table is laid out at the start: what another 65,536 clients add.
sub laid_out {
    my ($run) = @_;
    my $cell = 'laid_out';
    my $more = 65_536;
    my %bytes;

    for my $clients ($more, 2 * $more) {
        my $servers = $run->servers($cell,
            who => sub { $_[0]{id} =~ /\A(?:guard|qos)\z/ },
            want => { clients => $clients });

        $run->each_server($cell, $servers, sub {
            my ($peer, $server) = @_;

            push @{ $bytes{ $peer->{id} } }, $server->laid_out_bytes;
            my ($small, $large) = @{ $bytes{ $peer->{id} } };
            $run->add($cell, $peer, each => ($large - $small) / $more)
              if $large;
        });
        $run->finish($servers);
    }
    return;
}

# A table for few clients; one is locked, and four times as many come. Is the
# one still refused, and is a further one still counted?
sub flood {
    my ($run) = @_;
    my $cell = 'flood';
    my $room = $run->amount('small');
    my $servers = $run->servers($cell, who => sub { $_[0]{id} ne 'plain'
              && !$_[0]{second} }, want => { clients => $room });

    $run->say('a flood of new clients');
    $run->each_server($cell, $servers, sub {
        my ($peer, $server) = @_;
        my $locked = $run->address;

        $server->lock_out($locked, GUESSES);
        newcomers($run, $server, FLOOD * $room,
            seconds => $run->amount('crowd_seconds'));
        my $freed = !$server->refuses($locked);
        my $before = $server->verified;
        load(port => $server->port, @guess, clients => 1, count => GUESSES,
            from => $run->address);
        $run->add($cell, $peer, freed => $freed,
            next_verified => $server->verified - $before);
    });
    $run->finish($servers);
    return;
}

1;
