# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Outage: what a Redis that fails does to those who sign in. Three
# servers are there, one for each word of failure=, each with counts of its
# own; a test breaks their Redis and mends it, and all that is promised of the
# time between is looked at here.
#
#   my $outage = AuthGuard::Outage->new($redis, $redis->url);
#   $outage->of('it hangs', cause => 'timeout',
#       breaks => sub { $redis->pause }, mends => sub { $redis->resume });
#   $outage->done;
#
# A machine may stumble: where a request took too long, the outage is played
# once more, and has to be in time then.
package AuthGuard::Outage;

use strict;
use warnings;
use List::Util qw(max sum0);
use Test::More ();
use Time::HiRes qw(sleep time);
use AuthGuard::Httpd ();
use AuthGuard::Test ();

use constant {
    LIMIT            => 5,
    FAILED           => 3,     # by some when the outage comes
    CROWD            => 8,
    TIMEOUT_SECONDS  => 0.15,
    SLACK_SECONDS    => 0.05,
    PATIENCE_SECONDS => 20,
};

my @modes = qw(local open closed);

# url      where the servers find the Redis
# options  of AuthGuardStore
# conf     further configuration
# mpm      as AuthGuard::Httpd's
sub new {
    my ($class, $redis, $url, %arg) = @_;
    my $self = bless { redis => $redis, round => 0, log => {} }, $class;
    my @options = ('timeout=' . TIMEOUT_SECONDS * 1000 . 'ms',
        @{ delete $arg{options} || [] });

    for my $mode (@modes) {
        my $t = AuthGuard::Httpd->new(%arg,
            $redis->store($url, @options, "failure=$mode", "prefix=$mode"),
            conf => ($arg{conf} // '') . "<Location \"/metrics\">\n"
              . "SetHandler auth-guard-status\nAuthGuardStatus On\n"
              . "</Location>\n" . AuthGuard::Test::guarded('a', 'AuthGuard On',
                "AuthGuardLimit ip @{[LIMIT]}/10min lockout=10min"));

        $t->dir('a');
        $t->passwords('users', { alice => 'right', bob => 'secret' });
        $t->expect_log(qr/\bAG010[12]: /, optional => 1);
        $t->expect_log(qr/\bAG030[12]: store: redis: /, optional => 1);
        $self->{$mode} = $t;
    }
    return $self;
}

sub start {
    my ($self) = @_;

    $_->start for $self->servers;
    return $self;
}

sub servers { return @{ $_[0] }{@modes} }
sub done    { $_->done for $_[0]->servers; return }

# The counts of a scrape, by name with labels.
sub metrics {
    my ($t) = @_;

    return { $t->get('/metrics?prometheus')->body =~
          /^(authguard_\S+) (\d+)$/mg };
}

# How often something else was done than to ask the Redis.
sub fallbacks {
    my ($t) = @_;
    my $metrics = metrics($t);

    return sum0(map { /\Aauthguard_store_fallback_total/ ? $metrics->{$_} : () }
          keys %$metrics);
}

# What a kind of outage does. Everything by is() and its kin.
# breaks  begins it
# mends   ends it
# cause   what the log says
# metric  the label of the fallback's counter; else the same
sub of {
    my ($self, $name, %arg) = @_;
    my ($allowed, $took) = $self->play($name, %arg);

    ($allowed, $took) = $self->play("$name, once more", %arg)
      if $took > $allowed;
    Test::More::cmp_ok($took, '<=', $allowed,
        "$name: nobody is held longer than the timeout");
    return;
}

sub play {
    my ($self, $name, %arg) = @_;
    my %logged = map { $_ => [counted($self->{$_})] } @modes;
    my $base = $self->before($name);
    my %before = map { $_ => fallbacks($self->{$_}) } @modes;

    $arg{breaks}->();
    my $took = max($self->in_local($name), $self->in_open($name),
        $self->in_closed($name));
    for my $mode (@modes) {
        my $t = $self->{$mode};
        my $metrics = metrics($t);
        my $label = $arg{metric} // $arg{cause};

        Test::More::is($metrics->{authguard_store_up}, 0,
            "$name, $mode: the metrics say that it is down");
        Test::More::cmp_ok(fallbacks($t), '>', $before{$mode},
            "$name, $mode: and that something else was done");
        Test::More::cmp_ok(
            $metrics->{"authguard_store_fallback_total{cause=\"$label\"}"},
            '>', 0, "$name, $mode: and why");
    }
    $arg{mends}->();
    $self->wait_up($name, \%logged);
    $self->after($name);
    $self->told($name);
    for my $mode (@modes) {
        my ($down, $up) = counted($self->{$mode});
        my ($line) = (grep { /AG0301/ } $self->{$mode}->log_lines)[-1] // '';

        Test::More::is($down - $logged{$mode}[0], 1,
            "$name, $mode: one line says that it is down");
        Test::More::is($up - $logged{$mode}[1], 1,
            "$name, $mode: and one that it is up again");
        Test::More::like($line,
            qr/:error\].* AG0301: store: redis: down: cause=$arg{cause} \S/,
            "$name, $mode: the log says why");
    }
    $self->{round}++;
    return ($base + TIMEOUT_SECONDS + SLACK_SECONDS, $took);
}

# Lines that say down, and up.
sub counted {
    my ($t) = @_;

    return map { my $id = $_; scalar(grep { /$id: / } $t->log_lines) }
      qw(AG0301 AG0302);
}

# Who has what when it begins. A new round has new addresses.
sub from {
    my ($self, $who) = @_;
    my %number = (few => 1, locked => 2, known => 3, half => 4, new => 5,
        watch => 6, later => 7);

    return (from => '127.' . (20 + $self->{round}) . ".0.$number{$who}");
}

sub crowd {
    my ($self, $part) = @_;

    return map { { path => '/a/', user => 'alice', pass => 'right',
            from => '127.' . (20 + $self->{round}) . ".$part.$_" } }
      1 .. CROWD;
}

sub wrong {
    my ($self, $who, $count) = @_;

    return AuthGuard::Test::wrong_guesses('/a/', 'alice', $count,
        $self->from($who));
}

sub right {
    my ($self, $who, $user) = @_;

    return { path => '/a/', user => $user // 'alice', $self->from($who),
        pass => ($user // 'alice') eq 'alice' ? 'right' : 'secret' };
}

# One step: who is answered how. Returns the longest time that it took.
sub step {
    my ($self, $mode, $name, $expected, @requests) = @_;
    my @answers = $self->{$mode}->many(1, @requests);

    Test::More::is(AuthGuard::Test::tally(@answers), $expected,
        "$name, $mode");
    return max(map { $_->{seconds} } @answers);
}

# The crowd, all at once.
sub rush {
    my ($self, $mode, $name, $expected, $part) = @_;
    my @answers = $self->{$mode}->many(CROWD, $self->crowd($part));

    Test::More::is(AuthGuard::Test::tally(@answers), $expected,
        "$name, $mode: many at once");
    return max(map { $_->{seconds} } @answers);
}

# Returns the longest time that a request takes where nothing is wrong.
sub before {
    my ($self, $name) = @_;
    my @took;

    for my $mode (@modes) {
        push @took,
          $self->step($mode, "$name: $_ fails", '401.1=' . FAILED,
            $self->wrong($_, FAILED)) for qw(few half);
        push @took, $self->step($mode, "$name: one is locked out",
            '401.1=' . LIMIT . ' 401.501=1', $self->wrong('locked', LIMIT + 1));
        push @took,
          $self->step($mode, "$name: one is in", '200=1', $self->right('known'));
        push @took, $self->rush($mode, $name, '200=' . CROWD, 1);
    }
    return max(@took);
}

# Counts on, warm and exact.
sub in_local {
    my ($self, $name) = @_;
    my $left = LIMIT - FAILED;

    return max(
        $self->rush('local', "$name: down", '200=' . CROWD, 2),
        $self->step('local', "$name: who has failed has the rest left",
            "401.1=$left 401.501=1", $self->wrong('few', $left + 1)),
        $self->step('local', "$name: who is locked stays locked", '401.501=2',
            $self->right('locked'), $self->right('locked', 'bob')),
        $self->step('local', "$name: who is in stays in", '200=2',
            $self->right('known'), $self->right('known')),
        $self->step('local', "$name: a new one has his guesses",
            '401.1=' . LIMIT . ' 401.501=1', $self->wrong('new', LIMIT + 1)));
}

# Admits, and passwords are looked at.
sub in_open {
    my ($self, $name) = @_;

    return max(
        $self->rush('open', "$name: down", '200=' . CROWD, 2),
        $self->step('open', "$name: wrong is wrong", '401.1=' . (LIMIT + 1),
            $self->wrong('new', LIMIT + 1)),
        $self->step('open', "$name: right is right", '200=1',
            $self->right('new')));
}

# Refuses as overload, right or wrong.
sub in_closed {
    my ($self, $name) = @_;

    return max(
        $self->rush('closed', "$name: down", '503.2=' . CROWD, 2),
        $self->step('closed', "$name: all are refused", '503.2=3',
            $self->wrong('new', 2), $self->right('new')));
}

# Until each has seen for itself that it is up.
sub wait_up {
    my ($self, $name, $logged) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    for my $mode (@modes) {
        my $t = $self->{$mode};

        while ((counted($t))[1] == $logged->{$mode}[1]) {
            last if time > $deadline;
            $t->get('/a/', %{ $self->right('watch') });
            sleep 0.05;
        }
        Test::More::is(metrics($t)->{authguard_store_up}, 1,
            "$name, $mode: up again by itself");
    }
    return;
}

# Wrong guesses of the time without are told to it: no outage gives them away.
# Each child tells its own, when it has something to ask.
sub told {
    my ($self, $name) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    for my $mode (qw(local open)) {
        my $t = $self->{$mode};
        my $code = '';

        until ($code eq '401.501' || time > $deadline) {
            $t->many(CROWD, $self->crowd(3));
            $code = $t->get('/a/', $self->from('new'))->code;
        }
        Test::More::is($code, '401.501',
            "$name, $mode: afterwards the wrong ones of then have counted");
    }
    return;
}

# Counting goes on where it was, in the Redis.
sub after {
    my ($self, $name) = @_;
    my $left = LIMIT - FAILED;

    for my $mode (@modes) {
        my $before = $self->{redis}->asked;

        $self->step($mode, "$name: afterwards who had failed has the rest left",
            $self->{is_empty} ? '401.1=3' : "401.1=$left 401.501=1",
            $self->wrong('half', $left + 1));
        $self->step($mode, "$name: afterwards a new one has his guesses",
            '401.1=' . LIMIT . ' 401.501=1', $self->wrong('later', LIMIT + 1));
        Test::More::cmp_ok($self->{redis}->asked - $before, '>=', LIMIT,
            "$name, $mode: the Redis was asked");
    }
    return;
}

1;
