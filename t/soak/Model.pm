# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Model: what the table must hold, worked out from what became of each request.
#
# The rules of counting once more, as far as the actors' lives need them: no
# window ends, no record runs out of slots, and what could run at the same
# time does not depend on its order.
package Model;

use strict;
use warnings;

# Per directory: limits by key. Those of one scope share their records.
my %limits = (
    a => { ip => 4 },
    login => { ip => 5, login => 3 },
    net => { net => 5 },
);

sub new {
    my ($class) = @_;

    return bless { record => {}, lockouts => 0, faults => [] }, $class;
}

sub key_of {
    my ($kind, $event) = @_;
    my $client = $event->{from};

    $client =~ s/\d+\z/0\/24/ if $kind eq 'net';
    return join ' ', $kind, $client, $event->{scope},
      $kind eq 'login' ? $event->{user} : ();
}

sub records_of {
    my ($self, $event) = @_;
    my ($dir) = $event->{path} =~ m{\A/(\w+)/};
    my $limits = $limits{$dir} || $limits{a};

    return map {
        $self->{record}{ key_of($_, $event) } ||= { kind => $_,
            limit => $limits->{$_}, from => $event->{from}, failures => 0,
            forgiven => 0, locked => 0, level => 0, rejected => {},
            proven => {} }
    } sort keys %$limits;
}

sub fail_one {
    my ($self, $record, $event) = @_;

    return if $record->{locked} || $record->{rejected}{ $event->{guess} };
    $record->{rejected}{ $event->{guess} } = $event->{user};
    return if ++$record->{failures} < $record->{limit};
    @$record{qw(locked forgiven rejected)} = (1, 0, {});
    $record->{level}++;
    $self->{lockouts}++;
    return;
}

# A right password forgives the same user's mistakes.
sub pass_one {
    my ($record, $event) = @_;
    my $rejected = $record->{rejected};

    return if $record->{kind} eq 'net';
    return if $record->{proven}{ $event->{guess} }++;
    for my $guess (grep { $rejected->{$_} eq $event->{user} } keys %$rejected) {
        next if $record->{forgiven} >= $record->{limit};
        delete $rejected->{$guess};
        $record->{failures}--;
        $record->{forgiven}++;
    }
    return;
}

sub unlock {
    my ($self, $address) = @_;

    for my $record (grep { $_->{from} eq $address }
        values %{ $self->{record} })
    {
        @$record{qw(failures forgiven locked level rejected)} =
          (0, 0, 0, 0, {});
    }
    return;
}

# One group's events in order: outcome, path, from, user, guess, scope, step.
# Within a step, what changes a record comes before what only sees it.
sub play {
    my ($self, @events) = @_;
    my %rank = (unlock => 0, failed => 1, ok => 1);

    for my $event (sort { $a->{step} <=> $b->{step}
              || ($rank{ $a->{outcome} } // 2) <=> ($rank{ $b->{outcome} } // 2)
              || $a->{serial} <=> $b->{serial} } @events)
    {
        my $outcome = $event->{outcome};

        if ($outcome eq 'unlock') {
            $self->unlock($event->{from});
            next;
        }
        next unless $outcome =~ /\A(?:ok|failed|repeat|locked|knock)\z/;
        my @records = $self->records_of($event);
        my $is_locked = grep { $_->{locked} } @records;
        $self->say_fault($event, 'refused as locked, though the client is not')
          if $outcome =~ /\A(?:locked|knock)\z/ && !$is_locked;
        $self->say_fault($event, 'verified, though the client is locked')
          if $outcome =~ /\A(?:ok|failed)\z/ && $is_locked;
        $self->say_fault($event, 'called a repeat of nothing')
          if $outcome eq 'repeat' && !$is_locked
          && !grep { $_->{rejected}{ $event->{guess} } } @records;
        if ($outcome eq 'failed') {
            $self->fail_one($_, $event) for @records;
        } elsif ($outcome eq 'ok') {
            pass_one($_, $event) for @records;
        }
    }
    return;
}

sub say_fault {
    my ($self, $event, $what) = @_;

    push @{ $self->{faults} },
      [$what, "$event->{serial} ($event->{name}, $event->{from})"];
    return;
}

# What htguard lists must be this: "key client scope state failures level".
sub lines {
    my ($self) = @_;
    my @lines;

    for my $key (keys %{ $self->{record} }) {
        my $record = $self->{record}{$key};
        my $name = join ' ', (split ' ', $key)[0 .. 2];

        push @lines, "$name "
          . line_of(@$record{qw(locked failures level)})
          if $record->{locked} || $record->{failures};
    }
    return sort @lines;
}

sub line_of {
    my ($locked, $failures, $level) = @_;

    return ($locked ? 'locked' : 'counting')
      . " failures=$failures level=$level";
}

1;
