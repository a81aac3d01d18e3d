#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# What `make install` puts where, below DESTDIR and nowhere else, and that
# `make uninstall` takes it away, with the Redis store and without, as it was
# built or not; that the configuration it brings is taken by httpd, as it stands
# and with every line of it switched on; and that all who name the version name
# the same.
use FindBin;
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;
use AuthGuard::Modules;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find ();
use File::Path qw(make_path);
use File::Temp ();
use AuthGuard::Redis;

my $top = AuthGuard::Modules::top();
my $built = dirname(AuthGuard::Modules::guard_path());
my $lib = AuthGuard::Modules::ask_apxs('LIBEXECDIR');
my $mods = AuthGuard::Modules::ask_apxs('SYSCONFDIR') . '/mods-available';
my $prefix = '/opt/guard';
my $doc = "$prefix/share/doc/mod_auth_guard";
my $share = "$prefix/share/mod_auth_guard";

# What the make around us hands down is not for ours.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES DESTDIR PREFIX DOCDIR
      LIBEXECDIR STATEDIR B)};

sub slurp { return AuthGuard::Httpd::slurp($_[0]) }

sub spew {
    my ($path, $text) = @_;

    open(my $out, '>', $path) or die "$path: $!";
    print $out $text;
    close($out) or die "$path: $!";
    return;
}

# Run one of our targets with nothing built anew; what it said. A umask that
# keeps others out must not keep the server out of its documents.
sub make {
    my ($target, @words) = @_;
    my $before = umask 077;
    my $pid = open(my $said, '-|', 'make', '-s', '-C', $top, '-o', 'all',
        "B=$built", "PREFIX=$prefix", @words, $target) or die "make: $!";
    my $text = do { local $/; <$said> };

    umask $before;
    ok(close($said), "make @words[0 .. $#words] $target") or diag($text);
    return $text // '';
}

# The files below a directory: path => mode.
sub files_below {
    my ($dir, $from) = @_;
    my %found;

    return \%found unless -d $dir;
    File::Find::find({ no_chdir => 1, wanted => sub {
        return if -d $_;
        $found{ $from . substr($_, length $dir) } =
          sprintf '%04o', (lstat $_)[2] & 07777;
    } }, $dir);
    return \%found;
}

# Where the files below a directory of the source should be.
sub tree {
    my ($dir, $to) = @_;

    return map { ($_ => '0644') } keys %{ files_below("$top/$dir", $to) };
}

my %wanted = (
    "$lib/mod_auth_guard.so" => '0644',
    "$prefix/sbin/htguard" => '0755',
    "$prefix/share/man/man8/htguard.8" => '0644',
    "$prefix/share/bash-completion/completions/htguard" => '0644',
    "$share/auth_guard-errors.conf" => '0644',
    "$doc/README.md" => '0644',
    "$doc/CHANGES" => '0644',
    "$doc/SECURITY.md" => '0644',
    "$doc/examples/auth_guard.conf" => '0644',
    tree('conf/errors', "$share/errors"),
    tree('docs', "$doc/docs"),
    tree('conf/fail2ban', "$doc/examples/fail2ban"),
    tree('conf/crowdsec', "$doc/examples/crowdsec"),
);
my %a2enmod = map { ("$mods/auth_guard.$_" => '0644') } qw(load conf);

# Where hiredis is.
my %redis = (
    "$lib/mod_auth_guard_redis.so" => '0644',
    "$prefix/lib/mod_auth_guard/htguard-redis" => '0755',
);
my %redis_a2enmod = ("$mods/auth_guard_redis.load" => '0644');
my $has_redis = -e AuthGuard::Redis::module_path();

sub stamps {
    return join ' ', map { join ':', $_, (lstat $_)[1, 9, 10] }
      sort keys %wanted, keys %redis, keys %a2enmod, keys %redis_a2enmod;
}

{
    my $tmp = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);
    my $before = stamps();

    make_path("$tmp$mods");
    make('install', "DESTDIR=$tmp");
    is_deeply(files_below("$tmp", ''),
        { %wanted, %a2enmod, $has_redis ? (%redis, %redis_a2enmod) : () },
        'these files, with these modes, and no others');
    is(stamps(), $before, 'and nothing outside of DESTDIR');

    my @closed;
    File::Find::find({ no_chdir => 1, wanted => sub {
        push @closed, $_ if -d $_ && $_ ne "$tmp" && ((stat _)[2] & 0555) != 0555;
    } }, "$tmp/opt");
    is("@closed", '', 'everybody may look into the directories');
    like(slurp("$tmp$share/auth_guard-errors.conf"),
        qr{^\s*Define AUTHGUARD_ERRORS "?\Q$share\E/errors"?$}m,
        'the include file names the directory that there is');
    unlike(slurp("$tmp$mods/auth_guard.conf"), qr{ /usr/share/},
        'and the sample names the include file');

    spew("$tmp$mods/auth_guard.conf", "# mine: /usr/share/mod_auth_guard\n");
    make('install', "DESTDIR=$tmp");
    is(slurp("$tmp$mods/auth_guard.conf"),
        "# mine: /usr/share/mod_auth_guard\n",
        "the administrator's configuration is left as it is");

    like(make('uninstall', "DESTDIR=$tmp"), qr/left: .*auth_guard\.conf/,
        'what stays is named');
    is_deeply(files_below("$tmp", ''),
        { %a2enmod, $has_redis ? %redis_a2enmod : () }, 'the rest is gone');
    ok(!-e "$tmp$share" && !-e "$tmp$doc" && !-e "$tmp$prefix/lib/mod_auth_guard",
        'with its directories');
}

# The other way: as if it had been built with hiredis, or without it.
{
    my $tmp = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);

    make_path("$tmp/build", "$tmp/root$mods");
    spew("$tmp/build/$_", '') for qw(mod_auth_guard.so htguard),
      $has_redis ? () : qw(mod_auth_guard_redis.so htguard-redis);
    make('install', "DESTDIR=$tmp/root", "B=$tmp/build");
    is_deeply(files_below("$tmp/root", ''),
        { %wanted, %a2enmod, $has_redis ? () : (%redis, %redis_a2enmod) },
        'the Redis store is installed where it was built, and only there');
}

# Start httpd with the configuration, and see it serve.
sub takes {
    my ($name, $conf, @modules) = @_;
    my $t = AuthGuard::Httpd->new(guard => 0, modules => [@modules],
        conf => 'LoadModule auth_guard_module '
          . AuthGuard::Modules::guard_path() . "\n$conf");

    $t->expect_log(qr/AG0/, optional => 1);
    $t->start;
    is($t->get('/')->status, 200, "httpd takes it: $name");
    my $is_in_run = -e $t->root . '/run/authguard.shm' ? 1 : 0;
    $t->done;
    return $is_in_run;
}

# A package's: the counts have a directory.
{
    my $tmp = File::Temp->newdir('authguard-XXXXXX', TMPDIR => 1);
    my $root = "$tmp/root";
    my $state = "$tmp/state";

    make_path("$root$mods");
    make('install', "DESTDIR=$root", "STATEDIR=$state", 'DOCDIR=/d');
    my $dir = (stat "$root$state")[2];
    is(defined $dir && sprintf('%04o', $dir & 07777), '0700',
        'STATEDIR is made, for root alone');
    ok(-e "$root/d/README.md" && !-e "$root$doc", 'DOCDIR has the documents');

    my $conf = slurp("$root$mods/auth_guard.conf");
    is(takes('without the directory', $conf), 1,
        'counts lie below DefaultRuntimeDir then');
    mkdir $state, 0700 or die "$state: $!";
    is(takes('with it', $conf), 0, 'and not there now');
    ok(-s "$state/authguard.shm", 'but in the directory');

    # A directive is behind its '#' at once, or indented below a section's. What
    # mod_auth_guard_redis is to do is not looked at where it is not loaded.
    (my $every = $conf) =~ s/^( *)#(?=[A-Z<]|    )/$1/mg;
    cmp_ok(scalar(() = $every =~ /^ *AuthGuard\w+ /mg), '>=', 8,
        'the sample shows directives');
    $every =~ s{^( *Include ).*/([^/\s]+)$}{$1"$top/conf/$2"}m;
    takes('with every line switched on',
        "Define AUTHGUARD_ERRORS \"$top/conf/errors\"\n$every",
        qw(include negotiation));
}

my ($version) = slurp("$top/src/guard_store_names.h") =~
  /^#define GUARD_VERSION "([\d.]+)"$/m;
my ($said) = `'$built/htguard' --version`;
my %named = (
    CHANGES => slurp("$top/CHANGES") =~ /^(\d[\d.]*)\b/m,
    'htguard --version' => $said =~ /\Ahtguard (\S+)$/,
    'debian/changelog' => slurp("$top/debian/changelog") =~
      /\Alibapache2-mod-auth-guard \(([^)]+)\)/,
    'the spec' => slurp("$top/packaging/rpm/mod_auth_guard.spec") =~
      /^Version: +(\S+)$/m,
    "the spec's changelog" => slurp("$top/packaging/rpm/mod_auth_guard.spec")
      =~ /^%changelog\n\*.* - (\S+)-\d+$/m,
);

like($version, qr/\A\d+\.\d+\.\d+\z/, 'GUARD_VERSION');
is($named{$_}, $version, "$_ names that version") for sort keys %named;

# Released in one is released in all.
is(slurp("$top/debian/changelog") =~ /\A.*UNRELEASED/ ? 1 : 0,
    slurp("$top/CHANGES") =~ /^\d.*\(not released yet\)/m ? 1 : 0,
    'debian/changelog says UNRELEASED while CHANGES says "not released yet"');

done_testing;
