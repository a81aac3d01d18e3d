# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Firewall: what fail2ban and CrowdSec make of a log with the files
# of conf/. Both run from where `make deps` has unpacked them, once and without
# a service, and ban nobody.
package AuthGuard::Firewall;

use strict;
use warnings;
use Exporter qw(import);
use File::Path qw(make_path);
use File::Temp ();
use AuthGuard::Httpd ();
use AuthGuard::Modules ();

use constant PATIENCE_SECONDS => 120;

our @EXPORT_OK = qw(bans decides jail);

my $top = AuthGuard::Modules::top();
my $debs = "$top/build/debs";
my $root;

# Gone with the test.
sub root {
    $root ||= File::Temp->newdir('authguard-firewall-XXXXXX', TMPDIR => 1);
    return $root->dirname;
}

# What a program prints, both ways. It ends with the test.
sub said {
    my (@line) = @_;
    my $pid = open(my $out, '-|') // die "fork: $!";

    if (!$pid) {
        open(STDERR, '>&', \*STDOUT);
        open(STDIN,  '<',  '/dev/null');
        exec('setpriv', '--pdeathsig', 'KILL', 'timeout', PATIENCE_SECONDS,
            @line)
          or exit 127;
    }
    my $text = do { local $/; <$out> } // '';
    close $out;
    die "@line: $?\n$text" if $?;
    return $text;
}

sub copy {
    my ($from, $to) = @_;

    make_path($to);
    said('cp', '-rL', "$from/.", $to);
    return;
}

# fail2ban's own configuration with ours in it, as docs/firewall.md says.
sub fail2ban {
    my ($program, @arguments) = @_;
    my $conf = root() . '/fail2ban';

    if (!-d $conf) {
        copy("$debs/fail2ban/etc/fail2ban", $conf);
        copy("$top/conf/fail2ban", $conf);

        # A jail wants its log to be there.
        write_file("$conf/error.log", '');
        write_file("$conf/paths-overrides.local",
            "[DEFAULT]\napache_error_log = $conf/error.log\n");
    }
    return said('env', 'PYTHONDONTWRITEBYTECODE=1',
        "PYTHONPATH=$debs/fail2ban/usr/lib/python3/dist-packages",
        'python3', "$debs/fail2ban/usr/bin/$program", '-c', $conf,
        @arguments);
}

# Whom a filter finds in a log: [address, seconds] of each line.
sub bans {
    my ($log, $filter) = @_;
    my $text = fail2ban('fail2ban-regex', '--usedns', 'no', '-o',
        'found <ip> <time>', $log, $filter);

    return map { /\Afound (\S+) (\d+)/ ? [$1, $2] : () } split /\n/, $text;
}

# What the jails come to: a hash of the settings of one.
sub jail {
    my ($name) = @_;
    my %setting;

    for (split /\n/, fail2ban('fail2ban-client', '-d')) {
        $setting{$1} = $2 if /\A\['set', '$name', '(\w+)', '?(.*?)'?\]\z/;
    }
    return \%setting;
}

# CrowdSec with the hub's parsers of httpd's log, and ours.
sub crowdsec_configuration {
    my $cs = root() . '/crowdsec';
    my $hub = "$debs/crowdsec/usr/share/crowdsec/hub/parsers";
    my %own = ('s00-raw' => 'syslog-logs', 's01-parse' => 'apache2-logs',
        's02-enrich' => 'dateparse-enrich');
    my $url = 'http://127.0.0.1:' . AuthGuard::Httpd::free_port();

    return "$cs/config.yaml" if -d $cs;
    copy("$debs/crowdsec/etc/crowdsec", "$cs/etc");
    copy("$top/conf/crowdsec", "$cs/etc");
    make_path("$cs/data");
    for my $stage (keys %own) {
        said('install', '-D', '-t', "$cs/etc/parsers/$stage",
            "$hub/$stage/crowdsecurity/$own{$stage}.yaml");
    }
    write_file("$cs/index.json", '{"parsers":{},"scenarios":{},'
          . '"collections":{},"postoverflows":{}}');
    write_file("$cs/config.yaml", <<"YAML");
common: {log_media: stdout, log_level: info, working_dir: $cs}
config_paths:
  config_dir: $cs/etc
  data_dir: $cs/data
  simulation_path: $cs/etc/simulation.yaml
  hub_dir: $cs/data
  index_path: $cs/index.json
crowdsec_service:
  acquisition_path: $cs/etc/acquis.yaml
db_config: {type: sqlite, db_path: $cs/data/crowdsec.db, use_wal: false}
api:
  client: {credentials_path: $cs/lapi.yaml}
  server:
    listen_uri: @{[$url =~ s{http://}{}r]}
    profiles_path: $cs/etc/profiles.yaml
prometheus: {enabled: false}
YAML
    write_file("$cs/lapi.yaml", "url: $url\n");
    crowdsec('cscli', "$cs/config.yaml", 'machines', 'add', 'test',
        '--password', 'test', '--force', '--url', $url, '-f',
        "$cs/lapi.yaml");
    return "$cs/config.yaml";
}

sub write_file {
    my ($path, $text) = @_;

    open(my $out, '>', $path) or die "$path: $!";
    print $out $text;
    close($out) or die "$path: $!";
    return;
}

# Its report of a crash, were there one, stays below the root.
sub crowdsec {
    my ($program, $conf, @arguments) = @_;

    return said('env', 'TMPDIR=' . root(),
        "$debs/crowdsec/usr/bin/$program", '-c', $conf, @arguments);
}

# Whom CrowdSec's scenarios would ban by a log of that type, each as "Ip
# 192.0.2.7 auth-guard/lockouts".
sub decides {
    my ($log, $type) = @_;
    my $text = crowdsec('crowdsec', crowdsec_configuration(), '-type', $type,
        '-dsn', "file://$log");
    my @found = $text =~ /msg="(\w+ \S+) performed '([\w\/-]+)'/g;
    my @decisions;

    push @decisions, join ' ', splice @found, 0, 2 while @found;
    return sort @decisions;
}

1;
