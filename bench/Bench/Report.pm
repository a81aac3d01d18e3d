# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Report: what was seen, as Markdown. A figure that was not measured
# says so, and why stands below.
package Bench::Report;

use strict;
use warnings;
use Bench::Calm ();
use Bench::Cost ();
use Bench::Figures ();
use Bench::Goals ();
use Bench::Peers ();

use constant NONE => 'not measured';

# data  as Bench::Run writes it, with machine, date, versions and command
sub text {
    my ($data) = @_;
    my $figures = Bench::Figures->new($data);

    return join "\n", head($data), goals($figures), exact($figures, $data),
      costs($figures), calm($figures, $data), crowd($figures, $data),
      missing($data), '';
}

# ---- tables ----

sub thousands {
    my ($number) = @_;
    my $text = sprintf '%.0f', $number;

    1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;
    return $text;
}

sub tenths     { return sprintf '%.1f', @_ }
sub hundredths { return sprintf '%.2f', @_ }

# As a multiple.
sub times {
    my ($number) = @_;

    return $number < 10 ? hundredths($number) : thousands($number);
}

sub row { return '| ' . join(' | ', map { $_ // NONE } @_) . ' |' }

# A row for each peer that the cell can have. $figures_of gives the cells.
sub table {
    my ($columns, $ids, $figures_of) = @_;
    my %wanted = map { $_ => 1 } @$ids;
    my @peers = grep { $wanted{ $_->{id} } } Bench::Peers::all();

    return join "\n", row('', @$columns), row(map { '---' } 0 .. @$columns),
      (map { my $peer = $_;
          row(name($peer), $figures_of->($peer->{id})) } @peers), '';
}

sub name {
    my ($peer) = @_;

    return "$peer->{name}, $peer->{setting}";
}

sub ids {
    my ($who) = @_;

    return [map { $_->{id} } grep { $who->($_) } Bench::Peers::all()];
}

# ---- what stands where ----

sub head {
    my ($data) = @_;
    my $about = join "\n", map { "- $_" } @{ $data->{about} || [] };
    my $quick = $data->{quick}
      ? "\nA quick run: few samples, and what takes long is cut short.\n" : '';

    return <<"END";
# What the guard costs, and what it saves

Written by `$data->{command}`. Figures are medians of the turns of one
run, with the least and the greatest in brackets; where there are twelve turns
or more, with the bounds of their middle half. Ratios are taken within a turn.
What a refusal and a right password cost is asked for in
$data->{amount}{cost_turns} turns, each with servers of its own, in moments of
$data->{amount}{slice_seconds} s; new clients in moments of
$data->{amount}{newcomer_seconds} s: server after server, in a new order each
round. A turn's ratio is the median of its rounds', which are
$data->{amount}{rounds} and $data->{amount}{newcomer_rounds};
mod_qos, ModSecurity, nginx and HAProxy take part in each sixth turn. How each
peer is configured, and why so, stands in [Bench/Peers.pm](Bench/Peers.pm);
second settings are looked at in one turn.
$quick
$about
END
}

sub goals {
    my ($figures) = @_;
    my @word = qw(MISSED reached);
    my @rows = map { row($_->{text}, $_->{value},
            defined $_->{reached} ? $word[$_->{reached}] : NONE)
    } Bench::Goals::all($figures);

    return join "\n", "## Goals\n", row('goal', 'measured', ''),
      row('---', '---', '---'), @rows, '';
}

sub yes_or_no {
    my ($figure) = @_;

    return defined $figure ? $figure ? 'yes' : 'no' : undef;
}

sub of_sent {
    my ($figures, $id, $name, $sent, $whole) = @_;
    my $most = $figures->most('exact', $id, $name) // return undef;
    my $all = $figures->least('exact', $id, $sent);

    return $most if $all >= $whole;
    return "$most of $all sent";
}

sub exact {
    my ($figures, $data) = @_;
    my $amount = $data->{amount};
    my $all = ids(sub { !$_[0]{only} });
    my $rows = table(['fresh connections', 'kept alive', 'patient',
            'right refused', 'right ones a second', 'visitor refused',
            'old password'], $all,
        sub {
            my ($id) = @_;

            return (
                (map { of_sent($figures, $id, @$_) }
                    ['fresh', 'fresh_sent', $amount->{guesses}],
                    ['kept', 'kept_sent', $amount->{guesses}],
                    ['patient', 'patient_sent', $amount->{patient}],
                    ['right_refused', 'right_sent', $amount->{right}]),
                $figures->spread(\&thousands, 'exact', $id, 'right_rate'),
                yes_or_no($figures->most('exact', $id, 'visitor_refused')),
                yes_or_no($figures->most('exact', $id, 'old_refused')));
        });

    return <<"END";
## Who guesses, and who is refused

The limit is 5. Wrong passwords that were looked at, the most of all turns: of
$amount->{guesses} distinct ones, 64 at a time, against bcrypt of cost 10; and
of $amount->{patient}, four a second. Right passwords that were not let in, of
$amount->{right}, 40 at a time, against bcrypt of cost 5. A visitor asks for ten
pages without a password, then comes with the right one. Another's browser has
an old password saved: it asks for 40 parts of a page with it, each once, six at
a time, and then its user types the right one. Is he refused?

$rows
END
}

# In all, and above the base. Plain httpd is the base.
sub instructions {
    my ($figures, $id, $counted) = @_;
    my ($all, $base) = map { $figures->median('instructions', $id, $_) }
      $counted, "${counted}_base";

    return ('', '') if $id eq 'plain';
    return (defined $all ? thousands($all) : undef,
        defined $base ? thousands($all - $base) : undef);
}

sub cost_rows {
    my ($figures, $cell, $counted, $who) = @_;

    return table(['a second', 'of the base', 'CPU, microseconds', 'of the base',
            'instructions', 'above the base'],
        ids($who), sub {
            my ($id) = @_;

            return ((map { $figures->spread($_->[0], $cell, $id, $_->[1]) }
                    [\&thousands, 'rate'], [\&times, 'rate_ratio'],
                    [\&tenths, 'cpu_us'], [\&times, 'cpu_ratio']),
                instructions($figures, $id, $counted));
        });
}

sub costs {
    my ($figures) = @_;
    my $who = \&Bench::Cost::takes_part;
    my $refusals = cost_rows($figures, 'refusal', 'refusal', $who);
    my $good = cost_rows($figures, 'good', 'good',
        sub { $_[0]{id} eq 'plain' || $who->(@_) });

    return <<"END";
## What a refusal costs

A locked client asks on 16 connections that it keeps. The base for httpd is a
bare module that gives an answer of the same status, headers and size
(mod_bare.c); for nginx and HAProxy it is their own `return 429`, without a look
at any table. CPU is the server's, user and system; HAProxy's includes the httpd
behind it. ModSecurity closes the connection after each refusal. Instructions
are those in user space; HAProxy's are its own alone.

$refusals
## What a right password costs

{SHA}, on 16 connections that are kept. The base is the same server without what
guards; how far plain httpd is from another of its kind is what this machine
can't tell. Where good requests count, the limit is out of reach.

$good
END
}

sub calm {
    my ($figures, $data) = @_;
    my $columns = ['idle: user, ms', 'static, ms', 'one attacker: user',
        'static', 'cores', '200 addresses: user', 'static', 'cores'];
    my $rows = table($columns, ids(\&Bench::Calm::takes_part),
        sub { calm_row($figures, 'calm', $_[0]) });
    my $one_check = row('mod_auth_guard, AuthGuardChecks 1',
        calm_row($figures, 'calm_one_check', 'guard'));

    return <<"END";
## What others notice of an attack

300 guesses a second, on fresh connections, against bcrypt of cost 10: 64 at a
time from one address, looked at from 4 s after the first; 400 at a time from
200 addresses. How long a user waits who has signed in, for a page behind the
same bcrypt, and a visitor for a static page: the median, idle in milliseconds
and under attack as a multiple of idle. Nobody waits longer than 2 s: that is
counted as 2 s. Cores are those that the server takes under attack, of @{[
$data->{cores} || '?']}.

$rows$one_check

END
}

sub calm_row {
    my ($figures, $cell, $id) = @_;
    my @cells = map { waiting($figures, $cell, $id, 'idle', $_) }
      qw(user static);

    for my $from (qw(one many)) {
        push @cells, (map { waiting($figures, $cell, $id, $from, $_) }
              qw(user static)),
          $figures->spread(\&hundredths, $cell, $id, "${from}_cores");
    }
    return @cells;
}

# Who is refused has no time to tell.
sub waiting {
    my ($figures, $cell, $id, $when, $who) = @_;
    my $refused = worst_refused($figures, $cell, $id, $when, $who);

    return 'refused' if $refused > 0.5;
    return $figures->spread(\&times, $cell, $id, "${when}_ratio_$who")
      unless $when eq 'idle';
    my $us = $figures->median($cell, $id, "idle_${who}_us") // return undef;
    return sprintf '%.2f', $us / 1000;
}

sub worst_refused {
    my ($figures, $cell, $id, $when, $who) = @_;
    my ($idle, $busy) = map {
        $figures->median($cell, $id, "${_}_refused_$who") // 0 } 'idle', $when;

    return $idle > $busy ? $idle : $busy;
}

sub bytes_each {
    my ($figures, $id) = @_;

    return $figures->spread(\&thousands, 'laid_out', $id, 'each')
      // $figures->spread(\&thousands, 'crowd', $id, 'grown_each');
}

sub crowd {
    my ($figures, $data) = @_;
    my $amount = $data->{amount};
    my $crowd = thousands($amount->{crowd});
    my $who = ids(sub { !$_[0]{second} });
    my $columns = ['bytes a client', 'clients tracked', 'new ones a second',
        'of unguarded', 'locked one freed', 'further one, of 10'];
    my $rows = table($columns, $who, sub {
            my ($id) = @_;
            my $freed = $figures->most('flood', $id, 'freed');
            my $tracked = $figures->median('crowd', $id, 'tracked');

            return (bytes_each($figures, $id),
                defined $tracked ? thousands($tracked) : undef,
                $figures->spread(\&thousands, 'crowd', $id, 'new_rate'),
                $figures->spread(\&times, 'crowd', $id, 'new_ratio'),
                $id eq 'plain' ? ('', '')
                : (yes_or_no($freed),
                    $figures->most('flood', $id, 'next_verified')));
        });

    return <<"END";
## What many clients cost

Each client is an address, on a connection of its own, with one wrong password
against {SHA}. Bytes: where the table is laid out at the start (mod_auth_guard,
mod_qos), what another 65,536 clients add to it; else by how much the server's
memory and files have grown, for each client (what plain httpd grows by is the
noise; where one of them shrinks that is no growth). New ones a second come on
top of those that are tracked; who could not track $crowd in
$amount->{crowd_seconds} s is timed with fewer. In the end: a
table for $amount->{small} clients, wherever it has a size, and four times as
many come. Is one freed that was locked before, and how many wrong passwords of
a further one are looked at, of 10?

$rows
END
}

sub missing {
    my ($data) = @_;
    my $notes = $data->{notes} || {};
    my @lines;

    for my $id (sort keys %$notes) {
        my %cells;

        push @{ $cells{ $notes->{$id}{$_} } }, $_
          for sort keys %{ $notes->{$id} };
        push @lines, map { "- $id (" . join(', ', @{ $cells{$_} }) . "): $_" }
          sort keys %cells;
    }
    return '' unless @lines;
    return join "\n", "## Not measured\n", @lines, '';
}

1;
