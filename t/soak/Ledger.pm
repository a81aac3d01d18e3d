# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Ledger: the same traffic as told by the clients, by the access log, by the
# counters and by the table, held against each other to the unit.
#
# Pure: it gets what was read elsewhere, and collects faults.
package Ledger;

use strict;
use warnings;
use Actors ();
use Model ();

use constant {
    FAULTS_SHOWN => 8,
    NOT_NOW => 8,    # GUARD_BUSY_PROVEN_MAX
};

our @outcomes = qw(ok failed repeat locked busy overload abandoned exempt);

# What a client sees of each state of the guard.
my %codes = (
    ok => qr/\A(?:200|401\.[23]|500)\z/,
    failed => qr/\A401\.1\z/,
    repeat => qr/\A401\.1\z/,
    locked => qr/\A401\.501\z/,
    busy => qr/\A429\.501\z/,
    overload => qr/\A503\.2\z/,
    exempt => qr/\A(?:200|401\.[12])\z/,
);

sub new {
    my ($class) = @_;

    return bless { line => [], faults => [], more => {} }, $class;
}

# Say it, but the same sentence of many requests only a few times.
sub fault {
    my ($self, $kind, $detail) = @_;

    return if ++$self->{more}{$kind} > FAULTS_SHOWN;
    push @{ $self->{faults} }, defined $detail ? "$kind: $detail" : $kind;
    return;
}

sub faults {
    my ($self) = @_;

    return @{ $self->{faults} },
      map { "$_: " . ($self->{more}{$_} - FAULTS_SHOWN) . ' more' }
      grep { $self->{more}{$_} > FAULTS_SHOWN } sort keys %{ $self->{more} };
}

# Lines of the log: serial status state substatus scope address.
sub read_log {
    my ($self, @lines) = @_;

    for my $text (@lines) {
        my %line;
        @line{qw(serial status state substatus scope from)} =
          split ' ', $text;
        if ($line{serial} eq '-') {
            $self->fault('a cut request was guarded', $text)
              if $line{state} ne 'unguarded';
            next;
        }
        $line{code} =
          $line{substatus} eq '-' ? $line{status} : $line{substatus};
        $self->fault('logged twice', $text) if $self->{line}[$line{serial}];
        $self->{line}[$line{serial}] = \%line;
    }
    return;
}

# What became of a request: one of @outcomes, 'knock' (locked, and presented
# no guess), or 'none' (presented no guess, or never came).
sub outcome {
    my ($entry, $line) = @_;
    my $state = $line ? $line->{state} : 'unguarded';

    return $state eq 'locked' ? 'knock' : 'none' if $entry->{guess} eq '';
    return 'none' if $state eq 'unguarded';
    return 'abandoned' if $state eq 'ok' && $entry->{user} eq 'broken';
    return $state;
}

# Compare a generator's requests up to $count with the log. Returns how many
# there were: {code}{code} as answered and {told}{code} as logged of these,
# {outcome}{outcome} and {wrong_exempt} of all.
sub compare_answers {
    my ($self, $generator, $count) = @_;
    my %sum = (code => {}, told => {}, outcome => {}, wrong_exempt => 0);

    for my $serial (0 .. $count - 1) {
        my $entry = $generator->entry($serial);
        my $code = $generator->{answer}[$serial] // 'open';
        my $line = $self->{line}[$serial];
        my $outcome = outcome($entry, $line);
        my $name = "$serial ($entry->{name}, $entry->{from})";

        $sum{code}{$code}++;
        $sum{outcome}{$outcome}++;
        $sum{told}{ $line->{code} }++ if $line && $code =~ /\A\d/;
        $sum{unheard}{ $line->{state} }++ if $line && $code !~ /\A\d/;
        $sum{wrong_exempt}++
          if $outcome eq 'exempt' && $line->{code} eq '401.1';
        $self->fault('from another address', "$name logged as $line->{from}")
          if $line && $line->{from} ne $entry->{from};
        if ($code eq 'open') {
            $self->fault('neither an answer nor an end', $name);
        } elsif ($code =~ /\A\d/) {
            $self->compare_line($name, $code, $line);
        }
    }
    return \%sum;
}

sub compare_line {
    my ($self, $name, $code, $line) = @_;

    if (!$line) {
        $self->fault('answered, and not logged', "$name: $code");
    } elsif ($line->{code} ne $code) {
        $self->fault('answered and logged differently',
            "$name: $code, $line->{code}");
    } elsif ($code !~ ($codes{ $line->{state} } || qr/./)) {
        $self->fault('state and answer do not fit',
            "$name: $line->{state}, $code");
    }
    return;
}

# attempts = ok + failed + repeat + locked + busy + overload + abandoned +
# exempt, and each by itself.
sub compare_counters {
    my ($self, $sum, $stats, $lockouts) = @_;
    my %log = map { $_ => $sum->{outcome}{$_} || 0 } @outcomes, 'knock';
    my %expected = (
        (map { ("attempts_$_" => $log{$_}) } @outcomes),
        (map { ("refused_$_" => $log{$_}) } qw(repeat busy overload)),
        refused_locked => $log{locked} + $log{knock},
        lockouts => $lockouts, evictions => 0, overflow => 0, recoveries => 0,
    );

    $self->expect("counter $_", $expected{$_}, $stats->{$_})
      for sort keys %expected;
    return;
}

sub expect {
    my ($self, $what, $expected, $got) = @_;

    $self->fault("$what: " . ($got // 'none') . ", and it should be $expected")
      unless defined $got && $got == $expected;
    return;
}

# Work out the table. Returns the model.
sub replay {
    my ($self, $generator, $count) = @_;
    my $model = Model->new;
    my %events;

    for my $serial (0 .. $count - 1) {
        my $entry = $generator->entry($serial);
        my $line = $self->{line}[$serial] or next;
        push @{ $events{ $entry->{group} } }, { %$entry, serial => $serial,
            outcome => outcome($entry, $line), scope => $line->{scope} };
    }
    push @{ $events{ $_->[1] } }, { step => $_->[0], from => $_->[1],
        outcome => 'unlock', serial => -1 } for @{ $generator->{unlocks} };
    $model->play(@{ $events{$_} }) for sort keys %events;
    $self->fault(@$_) for @{ $model->{faults} };
    return $model;
}

# The clients that `htguard list --json` shows, against the model's.
sub compare_table {
    my ($self, $model, @clients) = @_;
    my %count;

    $count{$_}++ for $model->lines;
    for my $client (@clients) {
        my $is_locked = $client->{state} eq 'locked';
        my $name = "$client->{key} $client->{client} $client->{scope}";

        $self->fault('a place was not given back', $name)
          if $client->{in_flight};
        next unless $is_locked || $client->{failures};
        $count{ "$name " . Model::line_of($is_locked,
                @$client{qw(failures level)}) }--;
    }
    for my $line (sort grep { $count{$_} } keys %count) {
        $self->fault($count{$line} > 0 ? 'not in the table' : 'in the table, '
              . 'and should not be', $line);
    }
    return;
}

# Who has been let in at this address before is never refused; nor are
# newcomers, where nobody else makes the server busy. But whoever was told "not
# now" too often queues like everybody else until the window closes, be he as
# proven as he may. Returns how many requests this held for, from $first on.
sub check_good {
    my ($self, $generator, $first, $newcomers) = @_;
    my (%let_in, %not_now);
    my $seen = 0;

    for my $serial (0 .. $generator->count - 1) {
        my $entry = $generator->entry($serial);
        my $code = $generator->{answer}[$serial] // 'open';
        my $group = $entry->{group};
        my $since = $let_in{"$group $entry->{guess}"} // $entry->{step};
        my $is_good = $entry->{sacred} && $since < $entry->{step}
          || $newcomers && $entry->{name} eq 'newcomer';

        if ($is_good && $serial >= $first && ($not_now{$group} // 0) < NOT_NOW)
        {
            $seen++;
            $self->fault('a good one was refused',
                "$serial ($entry->{name}, $group): $code")
              unless $code eq '200' || $code eq 'cut';
        }
        $let_in{"$group $entry->{guess}"} //= $entry->{step}
          if $code eq '200';
        $not_now{$group}++ if $code eq '429.501' || $code eq '503.2';
    }
    $self->fault('nobody good came') unless $seen;
    return $seen;
}

# At most $limit passwords of a client are found wrong, and once more as many
# where it also knew a right one, which forgives. @wrong are addresses, one for
# each that was. Left out is who was unlocked, is exempt, or repeats himself.
sub check_limit {
    my ($self, $generator, $limit, @wrong) = @_;
    my (%found, %most);

    $found{$_}++ for @wrong;
    for my $serial (0 .. $generator->count - 1) {
        my $entry = $generator->entry($serial);
        my $name = "$entry->{name} $entry->{from}";

        next unless $entry->{name} =~ /\A(?:locked|typist|burst|flood
                                          |impatient|prisoner)\z/x;
        $most{$name} ||= $limit;
        $most{$name} = 2 * $limit if Actors::is_right($entry);
    }
    for my $name (sort keys %most) {
        my $number = $found{ (split ' ', $name)[1] } // 0;

        $self->fault('too many found wrong', "$name: $number")
          if $number > $most{$name};
    }
    return;
}

1;
