# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# AuthGuard::Config: the httpd.conf of a test's server. A base class of
# AuthGuard::Httpd.
package AuthGuard::Config;

use strict;
use warnings;
use AuthGuard::Modules ();

use constant THREADS => 100;    # a child; a quarter of them may wait

my @base_modules = qw(unixd log_config authn_core authn_file authz_core
  authz_host authz_user auth_basic alias dir mime headers env setenvif);

my %workers = (
    event => "StartServers 2\nServerLimit 6\nThreadLimit @{[THREADS]}\n"
      . "ThreadsPerChild @{[THREADS]}\nMaxRequestWorkers 200\n"
      . "MinSpareThreads 25\nMaxSpareThreads 200\n",
    prefork => "StartServers 80\nServerLimit 100\nMaxRequestWorkers 100\n"
      . "MinSpareServers 10\nMaxSpareServers 100\n",
);
$workers{worker} = $workers{event};

# The whole httpd.conf.
sub configuration {
    my ($self) = @_;
    my $root = $self->root;
    my @load = ("mpm_$self->{mpm}", @base_modules, @{ $self->{modules} });
    my $text = join '', map { AuthGuard::Modules::load_line($_) } @load;
    my $user = getpwnam('www-data') ? 'www-data' : 'daemon';

    $text .= "ServerRoot $root\nServerName localhost\n"
      . "Listen $self->{listen}$self->{port}\n"
      . "PidFile $root/run/httpd.pid\nDefaultRuntimeDir $root/run\n"
      . "ErrorLog $root/logs/error.log\nTypesConfig /dev/null\n"
      . "AddType text/html .html\nDocumentRoot $root/docs\n"
      . "DirectoryIndex index.html\nMutex pthread default\nTimeout 60\n"
      . "KeepAlive On\nMaxKeepAliveRequests 0\nServerTokens Prod\n"
      . $workers{ $self->{mpm} };
    $text .= "User $user\nGroup $user\n" if $> == 0;
    $text .= "<Directory />\nAllowOverride None\nRequire all denied\n"
      . "</Directory>\n<Directory $root/docs>\nAllowOverride All\n"
      . "Options All -MultiViews\nRequire all granted\n</Directory>\n";
    return $text . $self->guard_configuration . $self->{conf};
}

sub guard_configuration {
    my ($self) = @_;
    my $root = $self->root;
    my @tags = qw(state substatus retry_after failures limit scope client);
    my $store = $self->{store} || "shm file=$root/run/authguard.shm";
    my $format = '%a \"%m %U\" %>s';
    my $text = "LogLevel notice\n";

    if ($self->{guard}) {
        $format = join ' ', $format, map { "$_=%{$_}^ag" } @tags;
        $text = "LoadModule auth_guard_module "
          . AuthGuard::Modules::guard_path() . "\n"
          . "AuthGuardStore $store\nLogLevel notice auth_guard:info\n";
    }
    return "${text}LogFormat \"$format\" test\n"
      . "CustomLog $root/logs/access.log test\n";
}

1;
