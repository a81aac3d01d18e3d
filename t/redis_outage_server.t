#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# The Redis ends, hangs for good, or for a moment; and what is no outage: its
# connections are closed, or it has forgotten the script.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Outage;
use AuthGuard::Redis;
use Time::HiRes qw(sleep);

my $lack = AuthGuard::Redis::lacks();
plan skip_all => $lack if $lack;

my $redis = AuthGuard::Redis->new->start;
my $outage = AuthGuard::Outage->new($redis, $redis->url)->start;

# Nothing that anybody would notice: no fallback, and no line in the log.
sub unnoticed {
    my ($name, $round, $does) = @_;

    for my $t ($outage->servers) {
        my @from = (from => "127.9.$round.1");
        my $before = AuthGuard::Outage::fallbacks($t);

        is($t->guess('/a/', 'bob', 'secret', @from), 200, "$name: in");
        is($t->guess_wrong('/a/', 'alice', 3, @from), '401.1=3',
            "$name: before");
        $does->();
        is($t->guess_wrong('/a/', 'alice', 3, @from), '401.1=2 401.501=1',
            "$name: and after, it counts on");
        is(AuthGuard::Outage::fallbacks($t), $before, "$name: at the Redis");
    }
    return;
}

unnoticed('connections are closed', 1,
    sub { $redis->cli('CLIENT', 'KILL', 'TYPE', 'normal') });
unnoticed('subscriptions are closed', 2,
    sub { $redis->cli('CLIENT', 'KILL', 'TYPE', 'pubsub') });
unnoticed('the script is forgotten', 3,
    sub { $redis->cli('SCRIPT', 'FLUSH') });
is(scalar(map { $_->log_lines(qr/AG030/) } $outage->servers), 0,
    'the log says nothing');

$outage->of('it hangs', cause => 'timeout',
    breaks => sub { $redis->pause }, mends => sub { $redis->resume });

# It comes back empty: it keeps nothing on disk here.
$outage->{is_empty} = 1;
$outage->of('it ends', cause => 'connection',
    breaks => sub { $redis->stop }, mends => sub { $redis->start });
$outage->of('it is killed', cause => 'connection',
    breaks => sub { $redis->crash }, mends => sub { $redis->start });
$outage->done;

done_testing;
