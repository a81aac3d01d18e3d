# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Browser: a real browser, headless, by the WebDriver protocol
# (W3C). Owns the driver it starts, the browser that the driver starts, and a
# profile below a temporary directory; none outlives the test.
#
#   plan skip_all => $why if my $why = AuthGuard::Browser::lacks();
#   my $b = AuthGuard::Browser->new;
#   $b->go('http://localhost:8080/');
#   $b->type('#client', '192.0.2.7');
#   $b->click('button');
#   like($b->text('main'), qr/found/);
#
# What is named by CSS is waited for: pages load when they like.
package AuthGuard::Browser;

use strict;
use warnings;
use File::Temp ();
use HTTP::Tiny ();
use JSON::PP qw(decode_json encode_json);
use MIME::Base64 qw(decode_base64);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);
use AuthGuard::Httpd ();

use constant PATIENCE_SECONDS => 60;

# The key under which WebDriver names elements.
my $element = 'element-6066-11e4-a52e-4f735466cecf';
my @running;
my $owner = $$;

sub find {
    my (@names) = @_;
    my @paths = map { my $name = $_; map { "$_/$name" } split /:/, $ENV{PATH} }
      @names;

    return (grep { -x } @paths)[0];
}

# Why there is no browser here; undef if there is one.
sub lacks {
    return 'no chromium here: make deps BROWSER=1'
      unless find(qw(chromium chromium-browser));
    return 'no chromedriver here: make deps BROWSER=1'
      unless find('chromedriver');
    return undef;
}

# width, height  of the window; dark => 1: a visitor who prefers that
sub new {
    my ($class, %arg) = @_;
    my $self = bless {
        width => 1200, height => 900, %arg,
        port => AuthGuard::Httpd::free_port(),
        http => HTTP::Tiny->new(timeout => PATIENCE_SECONDS),
        profile => File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
            CLEANUP => 1),
    }, $class;

    push @running, $self;
    $self->launch;
    my @options = ('--headless', '--no-sandbox', '--disable-gpu',
        '--disable-dev-shm-usage', '--hide-scrollbars', '--no-proxy-server',
        '--disable-background-networking', '--disable-component-update',
        "--user-data-dir=$self->{profile}/data",
        "--window-size=$self->{width},$self->{height}");
    my $answer = $self->ask(POST => '/session', { capabilities => {
        alwaysMatch => { browserName => 'chrome', 'goog:chromeOptions' => {
            binary => find(qw(chromium chromium-browser)),
            args => \@options } } } });
    $self->{session} = $answer->{sessionId};
    $self->command(POST => 'goog/cdp/execute', { cmd =>
          'Emulation.setEmulatedMedia', params => { features => [{
              name => 'prefers-color-scheme', value => 'dark' }] } })
      if $self->{dark};
    return $self;
}

sub launch {
    my ($self) = @_;
    my $deadline = time + PATIENCE_SECONDS;
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        $SIG{INT} = $SIG{TERM} = 'DEFAULT';
        setpgrp(0, 0);
        $ENV{HOME} = $ENV{XDG_CONFIG_HOME} = $self->{profile};
        open(STDIN,  '<', '/dev/null');
        open(STDOUT, '>', "$self->{profile}/driver.log");
        open(STDERR, '>&', \*STDOUT);
        exec('setpriv', '--pdeathsig', 'KILL', find('chromedriver'),
            "--port=$self->{port}") or POSIX::_exit(127);
    }
    setpgrp($pid, $pid);
    $self->{pid} = $pid;
    until ($self->{http}->get("http://127.0.0.1:$self->{port}/status")
        ->{success})
    {
        die "no chromedriver:\n"
          . AuthGuard::Httpd::slurp("$self->{profile}/driver.log")
          if time > $deadline || waitpid($pid, WNOHANG) == $pid;
        sleep 0.05;
    }
    return;
}

# One command; returns its value, or dies of the driver's error.
sub ask {
    my ($self, $method, $path, $arguments) = @_;
    my %option = $method eq 'POST'
      ? (content => encode_json($arguments || {}), headers => {
            'Content-Type' => 'application/json' })
      : ();
    my $answer = $self->{http}->request($method,
        "http://127.0.0.1:$self->{port}$path", \%option);
    my $value = eval { decode_json($answer->{content})->{value} };

    return $value if $answer->{success};
    die ref $value ? "$value->{error}: $value->{message}\n"
      : "$answer->{status} $answer->{content}\n";
}

sub command {
    my ($self, $method, $path, $arguments) = @_;

    return $self->ask($method, "/session/$self->{session}/$path", $arguments);
}

sub go {
    my ($self, $url) = @_;

    return $self->command(POST => 'url', { url => $url });
}

sub url { return $_[0]->command(GET => 'url') }

# Run JavaScript with the driver's rights, which a page's policy can't take.
sub script {
    my ($self, $text, @arguments) = @_;

    return $self->command(POST => 'execute/sync',
        { script => $text, args => \@arguments });
}

# Wait until it is true; returns that. An element that goes with its page
# while it is looked at is not there.
sub wait_for {
    my ($self, $what, $try) = @_;
    my $deadline = time + PATIENCE_SECONDS;

    while (1) {
        my $got = eval { $try->() };

        return $got if $got;
        die "waited for $what in vain: " . ($@ || 'not so') if time > $deadline;
        sleep 0.05;
    }
}

sub element {
    my ($self, $css) = @_;

    return $self->wait_for($css, sub {
        $self->command(POST => 'element',
            { using => 'css selector', value => $css })->{$element};
    });
}

sub count {
    my ($self, $css) = @_;

    return scalar @{ $self->command(POST => 'elements',
            { using => 'css selector', value => $css }) };
}

sub click {
    my ($self, $css) = @_;

    return $self->command(POST => 'element/' . $self->element($css) . '/click');
}

sub type {
    my ($self, $css, $text) = @_;

    return $self->command(POST => 'element/' . $self->element($css) . '/value',
        { text => $text });
}

sub text {
    my ($self, $css) = @_;

    return $self->command(GET => 'element/' . $self->element($css) . '/text');
}

# What a screen reader hears: 'role' or 'label'.
sub heard {
    my ($self, $css, $what) = @_;

    return $self->command(GET => 'element/' . $self->element($css)
          . "/computed$what");
}

# Keys to whatever has the focus, as the keyboard sends them.
sub press {
    my ($self, @keys) = @_;
    my @actions = map { ({ type => 'keyDown', value => $_ },
            { type => 'keyUp', value => $_ }) } @keys;

    return $self->command(POST => 'actions', { actions => [{ type => 'key',
        id => 'keyboard', actions => \@actions }] });
}

# A window as large as a telephone's, too, which headless browsers refuse.
sub resize {
    my ($self, $width, $height) = @_;

    return $self->command(POST => 'goog/cdp/execute', { cmd =>
          'Emulation.setDeviceMetricsOverride', params => { width => $width,
            height => $height, deviceScaleFactor => 1, mobile => \0 } });
}

# Into a file.
sub screenshot {
    my ($self, $path) = @_;

    open(my $out, '>:raw', $path) or die "$path: $!";
    print $out decode_base64($self->command(GET => 'screenshot'));
    close($out) or die "$path: $!";
    return;
}

# End the driver and all that it started; returns when they are gone.
sub quit {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    my $deadline = time + PATIENCE_SECONDS;

    eval { $self->command(DELETE => '') } if $self->{session};
    kill 'TERM', $pid;
    while (waitpid($pid, WNOHANG) == 0 && time < $deadline - 50) {
        sleep 0.05;
    }
    while (my @left = $self->left($pid)) {
        kill 'KILL', @left;
        die 'the browser does not end' if time > $deadline;
        waitpid $pid, WNOHANG;
        sleep 0.05;
    }
    return;
}

# Processes of this browser: the driver's group, and whoever has the profile
# on its command line, as the browser's own children may leave that group.
sub left {
    my ($self, $group) = @_;

    return map { $_->[0] } grep {
        $_->[2] == $group || index(AuthGuard::Httpd::slurp(
                "/proc/$_->[0]/cmdline"), "$self->{profile}/") >= 0
    } AuthGuard::Httpd::processes();
}

END {
    my $status = $?;

    if ($$ == $owner) {
        $_->quit for @running;
    }
    $? = $status;
}

1;
