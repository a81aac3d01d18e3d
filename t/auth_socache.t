#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# mod_authn_socache in front of a password file, as docs/authentication.md has
# it, and behind one: what counts, what a locked visitor gets, and what a
# missing file does to users in the cache and to others.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Kind;

my $kind = AuthGuard::Kind->new('Cache of passwords');
my @modules = qw(authn_socache socache_shmcb);
my %user = (alice => 'right', bob => 'secret', carol => 'third');

sub server {
    my ($conf) = @_;
    my $t = AuthGuard::Httpd->new(modules => \@modules, conf => $conf);

    $t->{file} = $t->passwords('users', \%user);
    $t->dir($_) for $kind->faces;
    $t->expect_lockout;
    $t->expect_log(qr/AH01620: Could not open password file/);
    $t->start;
    return $t;
}

sub proved {
    my ($t, $face, @more) = @_;
    my $file = $t->{file};

    $kind->prove($t, $face, user => 'bob', pass => 'secret',
        right => ['alice', 'right'], cold => ['carol', 'third'], @more,
        down => sub { rename $file, "$file.away" or die "$file: $!" },
        up   => sub { rename "$file.away", $file or die "$file: $!" });
    return;
}

# In front. Whoever is in the cache does not notice that the file is away.
{
    my $t = server($kind->configuration);
    for my $face ($kind->faces, $kind->in_htaccess($t)) {
        my @from = (from => '127.0.1.' . length $face);
        proved($t, $face);
        is($t->guess("/$face/", 'alice', 'right', @from), 200, 'known');
        rename $t->{file}, "$t->{file}.away" or die $!;
        is($t->guess("/$face/", 'alice', 'right', @from), 200,
            "$face: in the cache, and let in without the file");
        is($t->guess_wrong("/$face/", 'alice', 7, @from),
            '401.1=5 401.501=2', "$face: wrong ones are known and count");
        rename "$t->{file}.away", $t->{file} or die $!;
    }
    $t->done;
}

# Behind: the file speaks first, and the cache is asked for nobody it knows.
{
    my $t = server($kind->configuration =~ s/socache file/file socache/gr);
    proved($t, $_, cold => ['bob', 'secret']) for $kind->faces;
    $t->done;
}

done_testing;
