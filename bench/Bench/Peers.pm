# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Peers: who is measured, and how each is configured. The job is the
# guard's: at most 5 wrong passwords a client in 10 minutes, then nothing for
# 15; right passwords, and visitors who have none yet or one old one, come in.
#
# Each is set as its documentation has it for that job, and where a choice has
# two sides there are two settings: the second ones are looked at where they
# differ, in who guesses and who is refused, and in what others notice. What
# all have in common is to a peer's favour:
#   - requests without an Authorization header are not counted, wherever the
#     peer can tell;
#   - a refusal is not logged in the error log;
#   - tables have room for all clients of a run, but where the bench wants to
#     see what happens when they have not.
package Bench::Peers;

use strict;
use warnings;
use AuthGuard::Modules ();
use Bench::Haproxy ();
use Bench::Httpd ();
use Bench::Nginx ();
use Bench::Server ();

use constant { LIMIT => 5, WINDOW_SECONDS => 600, LOCKOUT_SECONDS => 900,
    CLIENTS => 131_072 };

# A place that asks for a password, in the server's configuration.
sub section {
    my ($dir, @lines) = @_;

    return join "\n", "<Directory \"\@DOCS\@/$dir\">", 'AuthType Basic',
      'AuthName "test"', "AuthUserFile \@ROOT\@/users.$dir",
      'Require valid-user', @lines, "</Directory>\n";
}

sub sections {
    my (@lines) = @_;

    return join '', map { section($_, @lines) } Bench::Server::directories();
}

sub module {
    my ($name) = @_;

    return "LoadModule ${name}_module "
      . AuthGuard::Modules::path_of($name) . "\n";
}

# ---- configurations: each takes what a measurement wants ----
#   clients   room for so many
#   wide      let good requests through, however many
#   checks    AuthGuardChecks

sub guard {
    my ($want, @lines) = @_;
    my $checks = $want->{checks} ? "AuthGuardChecks $want->{checks}\n" : '';

    return 'LoadModule auth_guard_module '
      . AuthGuard::Modules::guard_path()
      . "\nAuthGuardStore shm file=\@ROOT\@/run/authguard.shm "
      . "clients=$want->{clients}\n$checks" . sections(@lines);
}

# It counts requests for a page, whatever becomes of them. A count of 4 lets
# five through. Its interval begins anew with each request. The site's count
# would only refuse more. Without a hash of that size it searches long lists.
sub evasive {
    my ($want, $count, $interval) = @_;
    my $buckets = 2 * $want->{clients};

    ($count, $interval) = (1_000_000_000, 1) if $want->{wide};
    $count //= LIMIT - 1;
    $interval //= WINDOW_SECONDS;
    return module('evasive20') . sections() . <<"END";
LogLevel evasive20:crit
DOSHashTableSize $buckets
DOSPageCount $count
DOSPageInterval $interval
DOSSiteCount 1000000000
DOSSiteInterval 1
DOSBlockingPeriod @{[LOCKOUT_SECONDS]}
DOSHTTPResponseCode 429
DOSLogDir \@ROOT\@/run
END
}

# A 401 counts where the request had credentials. One time serves as window
# and as lockout: the longer of the two. Debian's build does not name the
# library of regular expressions that it needs.
sub qos {
    my ($want, @lines) = @_;

    return join "\n", 'LoadFile libpcre.so.3', module('qos'), sections(),
      @lines, <<"END";
LogLevel qos:crit
QS_ClientEntries $want->{clients}
QS_ErrorResponseCode 429
SetEnvIf Authorization . GUESS=1
QS_SetEnvIfStatus 401 WRONG
QS_SetEnvIf GUESS WRONG QS_Limit=1
QS_ClientEventLimitCount @{[LIMIT]} @{[LOCKOUT_SECONDS]}
END
}

# No body is looked at, nothing is audited, and who sends no credentials passes
# by all rules but the first. The count itself refuses: a variable that says
# "locked" would come one request later.
sub modsecurity {
    return module('unique_id') . module('security2') . sections() . <<"END";
LogLevel security2:crit
SecRuleEngine On
SecDataDir \@ROOT\@/run
SecTmpDir \@ROOT\@/run
SecRequestBodyAccess Off
SecResponseBodyAccess Off
SecAuditEngine Off
SecRule &REQUEST_HEADERS:Authorization "\@eq 0" \\
    "id:1,phase:1,nolog,pass,ctl:ruleEngine=Off"
SecAction "id:2,phase:1,nolog,pass,initcol:ip=%{REMOTE_ADDR}"
SecRule IP:FAILURES "\@ge @{[LIMIT]}" "id:3,phase:1,nolog,deny,status:429"
SecRule RESPONSE_STATUS "\@streq 401" "id:4,phase:5,nolog,pass,\\
    setvar:ip.failures=+1,expirevar:ip.failures=@{[LOCKOUT_SECONDS]}"
END
}

# A leaky bucket, before the password is looked at. One a minute is the slowest
# that it knows: with a burst, five at once and then one a minute.
sub nginx {
    my ($want, $rate, $burst) = @_;
    my $kilobytes = int $want->{clients} * 160 / 1024;

    ($rate, $burst) = ('1000000r/s', 1000) if $want->{wide};
    $rate  //= '1r/m';
    $burst //= LIMIT - 1;
    return (location => "limit_req zone=guess burst=$burst nodelay;\n",
        http => <<"END");
map \$http_authorization \$guesser {
    "" "";
    default \$binary_remote_addr;
}
limit_req_zone \$guesser zone=guess:${kilobytes}k rate=$rate;
limit_req_status 429;
limit_req_log_level info;
END
}

my $is_guess = "acl guess req.hdr(Authorization) -m found\n"
  . "http-request track-sc0 src if guess\n"
  . "http-request set-var(txn.guess) bool(true) if guess\n";

sub stick_table {
    my ($want) = @_;

    return "stick-table type ip size $want->{clients} "
      . "expire @{[LOCKOUT_SECONDS]}s";
}

# A 401 counts where the request had credentials. An entry lives for the
# lockout's length from the client's last guess on.
sub haproxy {
    my ($want) = @_;
    my $table = stick_table($want);

    return (conf => sections(), frontend => <<"END");
${is_guess}$table store gpc0
http-request deny deny_status 429 if guess { sc0_get_gpc0 ge @{[LIMIT]} }
http-response sc-inc-gpc0(0) if { status 401 } { var(txn.guess) -m bool }
END
}

# Each guess counts at once, and one that was right counts against it: so no
# more than five are under way.
sub haproxy_in_flight {
    my ($want) = @_;
    my $table = stick_table($want);

    return (conf => sections(), frontend => <<"END");
${is_guess}$table store gpc0,gpc1
http-request set-var(txn.right) sc0_get_gpc1 if guess
acl spent sc0_get_gpc0,sub(txn.right) ge @{[LIMIT]}
http-request deny deny_status 429 if guess spent
http-request sc-inc-gpc0(0) if guess
http-response sc-inc-gpc1(0) if !{ status 401 } { var(txn.guess) -m bool }
END
}

# Log-ins queue for the httpd behind, which gets one of them at a time.
sub haproxy_one {
    my ($want) = @_;
    my %with = haproxy($want);
    my $paths = join ' ', map { "/$_/" } Bench::Server::directories();

    $with{frontend} .= "use_backend logins if { path_beg $paths }\n";
    return (%with, one_login => 1);
}

# ---- the peers ----
# name      in the tables
# setting   what tells it from the other setting
# packages  that it needs; module, if that is what it takes of them
# kind      'httpd', 'nginx' or 'haproxy'
# conf      gives its configuration
# second    1: a second setting, see above
# near      1: it costs little more than its base
# only      the one measurement that this setting is for
# beside    what its base has, beside what all have
# closes    1: it closes the connection after each refusal
my @peers = (
    { id => 'plain', name => 'plain httpd', setting => 'no guard',
        kind => 'httpd', near => 1, conf => sub { sections() } },
    { id => 'guard', name => 'mod_auth_guard', setting => 'AuthGuard On',
        kind => 'httpd', near => 1,
        conf => sub { guard($_[0], 'AuthGuard On') } },
    { id => 'provider', name => 'mod_auth_guard',
        setting => 'AuthBasicProvider guard', kind => 'httpd', near => 1,
        second => 1,
        beside => 'AuthBasicProvider file',
        conf => sub { guard($_[0], 'AuthBasicProvider guard') } },
    { id => 'evasive', name => 'mod_evasive', kind => 'httpd', near => 1,
        setting => '5 a page, 10 min',
        packages => ['libapache2-mod-evasive'], module => 'evasive20',
        conf => sub { evasive($_[0]) } },
    { id => 'evasive_loose', name => 'mod_evasive', kind => 'httpd',
        setting => '20 a page and second', second => 1,
        packages => ['libapache2-mod-evasive'], module => 'evasive20',
        conf => sub { evasive($_[0], 19, 1) } },
    { id => 'qos', name => 'mod_qos', setting => 'counts 401s',
        kind => 'httpd', packages => ['libapache2-mod-qos'],
        module => 'qos', conf => sub { qos($_[0]) } },
    { id => 'qos_serial', name => 'mod_qos', kind => 'httpd', second => 1,
        setting => '401s, one request at a time',
        packages => ['libapache2-mod-qos'], module => 'qos',
        conf => sub { qos($_[0], 'QS_ClientSerialize',
            'SetEnvIf Authorization . QS_Serialize=1') } },
    { id => 'qos_one', name => 'mod_qos', kind => 'httpd', second => 1,
        setting => '401s, one log-in at a time', only => 'calm',
        packages => ['libapache2-mod-qos'], module => 'qos',
        conf => sub { qos($_[0], map { "QS_LocRequestLimit /$_/ 1" }
              Bench::Server::directories()) } },
    { id => 'modsecurity', name => 'ModSecurity', setting => 'counts 401s',
        kind => 'httpd', packages => ['libapache2-mod-security2'],
        module => 'security2', closes => 1,
        conf => sub { modsecurity() } },
    { id => 'nginx', name => 'nginx limit_req', kind => 'nginx',
        setting => '1r/m burst=4', packages => ['nginx'],
        conf => sub { nginx($_[0]) } },
    { id => 'nginx_loose', name => 'nginx limit_req', kind => 'nginx',
        setting => '10r/s burst=40', packages => ['nginx'], second => 1,
        conf => sub { nginx($_[0], '10r/s', 40) } },
    { id => 'haproxy', name => 'HAProxy', setting => 'counts 401s',
        kind => 'haproxy', packages => ['haproxy'],
        conf => sub { haproxy($_[0]) } },
    { id => 'haproxy_in_flight', name => 'HAProxy', kind => 'haproxy',
        setting => 'guesses less right ones', packages => ['haproxy'],
        second => 1, conf => sub { haproxy_in_flight($_[0]) } },
    { id => 'haproxy_one', name => 'HAProxy', kind => 'haproxy', second => 1,
        setting => '401s, one log-in at a time', only => 'calm',
        packages => ['haproxy'], conf => sub { haproxy_one($_[0]) } },
);

sub all { return @peers }

# Whether it is looked at in every turn, and not in the first alone.
sub is_every_turn {
    my ($peer) = @_;

    return !$peer->{second} || $peer->{name} eq 'mod_auth_guard';
}

# Why it can't be measured here; undef if it can. A module may be installed, and
# need no package.
sub lacks {
    my ($peer) = @_;
    my @packages = @{ $peer->{packages} || [] };
    my $lacks = eval { AuthGuard::Modules::lacks(@packages) };

    return undef if $peer->{module} && AuthGuard::Modules::has($peer->{module});
    return $@ ? "no $packages[0] here: run make bench-deps" : $lacks;
}

# Its server, not started yet. What the measurement wants is as above.
sub server {
    my ($peer, %want) = @_;
    my %with = %{ $want{with} || {} };

    $want{clients} ||= CLIENTS;
    return Bench::Nginx->new($peer->{conf}->(\%want), %with)
      if $peer->{kind} eq 'nginx';
    return Bench::Haproxy->new($peer->{conf}->(\%want), %with)
      if $peer->{kind} eq 'haproxy';
    return Bench::Httpd->new(conf => $peer->{conf}->(\%want),
        libraries => libraries($peer), %with);
}

sub libraries {
    my ($peer) = @_;

    return AuthGuard::Modules::library_path(@{ $peer->{packages} || [] });
}

1;
