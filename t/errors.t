#!/usr/bin/perl
# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# conf/auth_guard-errors.conf as it stands: every answer comes in the language
# and the form that were asked for, with the words for what happened; the same
# bytes for a right and a wrong password; and nobody is asked for a password
# on the way to the document.
use Encode qw(decode_utf8);
use File::Copy qw(copy);
use File::Temp ();
use FindBin;
use JSON::PP qw(decode_json);
use lib "$FindBin::Bin/lib";
use AuthGuard::Test;

my $top = AuthGuard::Modules::top();
my $dir = "$top/conf/errors";
my @languages = qw(cs de en es fr ga it ja ko nb nl pl pt pt-br ro ru sr sv tr
  zh-cn zh-tw);
my %type = (
    'text/html' => 'text/html; charset=utf-8',
    'application/problem+json' => 'application/problem+json',
    'application/json' => 'application/json',
    'text/plain' => 'text/plain; charset=utf-8',
);
my @forms = sort keys %type;

# Name -> words of a language.
my %words = map { $_ => words_of($_) } @languages;

sub words_of {
    my ($language) = @_;
    my $text = AuthGuard::Httpd::slurp("$dir/words-$language.inc");
    my %found;

    $found{$1} = decode_utf8($2)
      while $text =~ /#set var="(\w+)" value="([^"]*)"/g;
    return \%found;
}

# Under /said/STATUS/STATE/SUBSTATUS/SECONDS the variables are what the path
# says; /plain/STATUS is no matter of the guard's.
my @guard = ('AuthGuard On', 'AuthGuardLimit ip 1/10min');
my $t = AuthGuard::Httpd->new(
    modules => [qw(include negotiation proxy proxy_http)],
    conf => "Define AUTHGUARD_ERRORS $dir\n"
      . "Include $top/conf/auth_guard-errors.conf\n"
      . guarded('locked401', @guard)
      . guarded('locked403', @guard, 'AuthGuardResponse 403')
      . guarded('locked429', @guard, 'AuthGuardResponse 429')
      . guarded('observed', 'AuthGuard Observe', $guard[1])
      . guarded('bob', 'AuthGuard On', 'Require user bob')
      . <<'CONF' . basic(@guard, 'SetHandler none-of-ours') . <<'CONF');
SetEnvIf Request_URI "^/said/\d+/(\w+)" AUTHGUARD_STATE=$1
SetEnvIf Request_URI "^/said/\d+/\w+/([\d.]+)" AUTHGUARD_SUBSTATUS=$1
SetEnvIf Request_URI "^/said/\d+/\w+/[\d.]+/(\d+)" AUTHGUARD_RETRY_AFTER=$1
RedirectMatch 401 "^/\w+/401"
RedirectMatch 403 "^/\w+/403"
RedirectMatch 429 "^/\w+/429"
RedirectMatch 503 "^/\w+/503"
<VirtualHost *:@PORT@>
    ServerName localhost
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName walled
    <Location "/">
CONF
    </Location>
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName proxied
    ProxyPass "/" "http://127.0.0.1:1/"
</VirtualHost>
<VirtualHost *:@PORT@>
    ServerName relayed
    <Location "/">
        ProxyPass "http://127.0.0.1:1/"
    </Location>
    <Location "/authguard-errors/">
        ProxyPass "!"
    </Location>
</VirtualHost>
CONF
$t->dir($_) for qw(locked401 locked403 locked429 observed bob);
$t->passwords('users', { alice => 'right' });
$t->expect_lockout;
$t->expect_log(qr/AG0104: would lock out/);
$t->expect_log(qr/AH0(?:0957|1114):/);    # the proxy's backend
$t->expect_log(qr/AH01630: client denied/);
$t->expect_log(qr/AH01631: user alice: authorization failure/);
$t->expect_log(qr/AH00690: no acceptable variant/);    # an image
$t->start;

sub asking {
    my ($path, $type, $language, @rest) = @_;
    my @headers = ($type ? (Accept => $type) : (),
        $language ? ('Accept-Language' => $language) : ());

    return { path => $path, headers => \@headers, @rest };
}

sub ask { return ($t->many(1, asking(@_)))[0] }

# Passes where the list is empty.
sub none_of {
    my ($name, @bad) = @_;
    return is(join('; ', @bad), '', $name);
}

# The map is what the tool makes, and the languages have the same words.
{
    my $copy = File::Temp::tempdir('authguard-XXXXXX', TMPDIR => 1,
        CLEANUP => 1);

    copy($_, $copy) for glob "$dir/words-*.inc";
    is(system($^X, "$top/tools/errors", $copy), 0, 'tools/errors runs');
    is(AuthGuard::Httpd::slurp("$copy/answer.var"),
        AuthGuard::Httpd::slurp("$dir/answer.var"),
        'answer.var is what tools/errors makes');
    my @found = sort map { m{/words-([^/]+)\.inc} } glob "$dir/words-*.inc";
    is("@found", "@languages", 'all languages, and no other');
    my $names = join ' ', sort keys %{ $words{en} };
    none_of('each has all words', grep {
        join(' ', sort keys %{ $words{$_} }) ne $names } @languages);
    none_of('none is empty or could end a string', map {
        my $language = $_;
        map { "$language: $_" }
          grep { $words{$language}{$_} !~ /\A[^"\\<>&]+\z/ }
          keys %{ $words{$language} }
    } @languages);
}

# What a document of this form must hold.
sub holds {
    my ($answer, $form, $title) = @_;
    my $body = decode_utf8($answer->body);

    return $body =~ /\A\Q$title\E \(/ if $form eq 'text/plain';
    return $body =~ /\A<!DOCTYPE html>\n<html lang="[\w-]+" dir="ltr">/
      && $body =~ m{<title>\Q$title\E</title>} && $body =~ m{</html>\s*\z}
      && $body !~ /<script|\[an error/
      if $form eq 'text/html';
    return eval { decode_json($answer->body)->{title} eq $title };
}

# Each status, each language, each form.
my %title = (401 => 'title_locked', 403 => 'title_locked',
    429 => 'title_locked', 503 => 'title_unavailable');

for my $status (401, 403, 429, 503) {
    my @from = (from => "127.0.2.$status" =~ s/(\d)(\d\d)\z/$2/r);
    my $path = $status == 503 ? '/plain/503' : "/locked$status/";
    my @asked = map { my $form = $_; map { [$form, $_] } @languages } @forms;
    my @bad;

    $t->guess_wrong($path, 'alice', 1, @from) if $status != 503;
    my @answers = $t->many(4, map { asking($path, @$_, @from) } @asked);
    for my $i (0 .. $#asked) {
        my ($form, $language) = @{ $asked[$i] };
        my $answer = $answers[$i];
        my $title = $words{$language}{ $title{$status} };
        my $seen = join ' ', map { $_ // 'none' } $answer->status,
          (map { $answer->header($_) } qw(content-language content-type)),
          holds($answer, $form, $title) ? 'right' : 'wrong';

        push @bad, "$language $form: $seen"
          if $seen ne "$status $language $type{$form} right";
    }
    none_of("$status in every language and form", @bad);
    next if $status == 503;
    none_of("$status: every answer bids to wait and is not stored", grep {
        $_->header('retry-after') !~ /\A8?9?\d\d\z/
          || $_->header('cache-control') ne 'no-store'
          || $_->header('vary') !~ /accept.*accept-language/
          || $status == 401 && !$_->header('www-authenticate') } @answers);
}

# Each case, in every language: [status, STATE/SUBSTATUS/SECONDS, name of the
# problem's type, words of title, what and lasting, code]. A path stands for
# itself, and is asked for with alice's password.
my @cases = (
    [401, 'failed/401.1', 'wrong', qw(wrong wrong wrong)],
    [401, 'failed/401.2', 'no-credentials', qw(signin signin signin)],
    [401, 'ok', 'no-credentials', qw(signin signin signin 401.2)],
    [401, '/bob/', 'not-allowed', qw(account account account 401.3)],
    [401, 'locked/401.501/900', 'locked', qw(locked locked locked)],
    [403, 'locked/403.501/900', 'locked', qw(locked locked locked)],
    [429, 'locked/429.501/900', 'locked', qw(locked locked locked)],
    [429, 'busy/429.501/1', 'busy', qw(busy busy soon)],
    [503, 'overload/503.2/1', 'overload', qw(overload overload soon)],
    [401, '', undef, qw(signin needed signin 401)],
    [403, '', undef, qw(forbidden forbidden forbidden 403)],
    [429, '', undef, qw(flood flood soon 429)],
    [503, '', undef, qw(unavailable unavailable soon 503)],
    [503, 'failed/401.1', undef, qw(unavailable unavailable soon 503)],
    [503, 'locked/401.501/900', undef, qw(unavailable unavailable soon 503)],
    [403, 'ok', undef, qw(forbidden forbidden forbidden 403)],
);

for my $case (@cases) {
    my ($status, $said, $type, $title, $what, $lasting, $code) = @$case;
    my ($wait) = $type ? $said =~ m{/[\d.]+/(\d+)} : ();
    my @bad;

    $code //= ($said =~ m{/([\d.]+)})[0];
    my ($path, @alice) = $said !~ m{\A/} ? "/said/$status/$said"
      : ($said, user => 'alice', pass => 'right');
    my @answers = $t->many(4, map {
        asking($path, 'application/problem+json', $_, @alice)
    } @languages);
    for my $language (@languages) {
        my $body = (shift @answers)->body;
        my $got = eval { decode_json($body) } || {};
        my $w = $words{$language};
        my $again = $w->{again_minutes} =~ s/\$\{count\}/15/r . $w->{stop};
        my %expected = (
            type => $type ? "urn:authguard:$type" : 'about:blank',
            title => $w->{"title_$title"},
            status => $status,
            detail => join(' ', $w->{"what_$what"}, $w->{"lasting_$lasting"},
                $title eq 'locked' ? $again : ()),
            substatus => $code,
            $wait ? (retry_after => $wait) : (),
        );
        my @wrong = grep { ($got->{$_} // '') ne ($expected{$_} // '') }
          keys %{ { %$got, %expected } };

        push @bad, map { "$language $_" } @wrong;
    }
    none_of("$status $said: the words", @bad);
}

# How long, in round numbers.
{
    my %round = (1 => '10 seconds', 60 => '60 seconds', 90 => '90 seconds',
        91 => '2 minutes', 900 => '15 minutes', 901 => '20 minutes',
        3600 => '60 minutes', 3601 => '2 hours', 86400 => '24 hours',
        86401 => '2 days', 2592000 => '30 days');
    my %seconds = (seconds => 1, minutes => 60, hours => 3600, days => 86400);
    my @waits = (sort { $a <=> $b } keys %round,
        map { int 1.17 ** $_ } 15 .. 94);
    my (@bad, @short);

    for my $answer ($t->many(4, map {
                asking("/said/403/locked/403.501/$_", 'text/plain', 'en')
            } @waits))
    {
        my $wait = shift @waits;
        my ($count, $unit) = $answer->body =~ /^Try again in (\d+) (\w+)\.$/m;

        push @bad, "$wait: $count $unit"
          if $round{$wait} && $round{$wait} ne "$count $unit";
        push @short, "$wait: $count $unit"
          if $count * $seconds{$unit} < $wait
          || $count * $seconds{$unit} > 60 + 2 * $wait;
    }
    none_of('the time in round numbers', @bad);
    none_of('the time is never told too short, or much too long', @short);
}

# What browsers and programs send.
for my $case (
    ['text/html,application/xml;q=0.9,*/*;q=0.8', 'de-AT,de;q=0.9,en;q=0.8',
        'text/html', 'de'],
    ['*/*', 'xx', 'text/html', 'en'],
    [undef, 'tlh, xx;q=0.5', 'text/html', 'en'],
    ['application/json, text/plain, */*', 'zh-TW,zh;q=0.9',
        'application/json', 'zh-tw'],
    ['application/json, application/problem+json', 'pt-BR,pt;q=0.9',
        'application/problem+json', 'pt-br'],
    ['text/plain, application/json', 'pt-PT,pt;q=0.9', 'application/json',
        'pt'],
    ['text/plain', 'nb-NO,nb;q=0.9,no;q=0.8', 'text/plain', 'nb'],
    ['text/plain;q=0.5, text/html;q=0.1', 'zh', 'text/plain', 'zh-cn'])
{
    my ($accept, $language, $type, $expected) = @$case;
    my $answer = ask('/locked401/', $accept, $language, from => '127.0.2.1');

    is(join(' ', $answer->header('content-type'),
            $answer->header('content-language')),
        "$type{$type} $expected",
        join ' / ', map { $_ // 'none' } $accept, $language);
}

# Nothing acceptable: the module's own page, and the status stays.
{
    my $answer = ask('/locked401/', 'image/png', undef, from => '127.0.2.1');

    is($answer->status, 401, 'an image was asked for: 401 all the same');
    like($answer->body, qr/401\.501/, 'an image was asked for: a page');
}

# The guard itself, from the first request to the lockout.
{
    my @from = (from => '127.0.3.1');
    my @plain = ('text/plain', 'en', @from);
    my @mallory = (user => 'mallory', pass => 'wrong');

    like(ask('/locked401/', @plain)->body, qr/\APlease sign in \(401\.2\)/,
        'no credentials');
    like(ask('/locked401/', @plain, @mallory)->body,
        qr/\ASign-in failed \(401\.1\)/, 'a wrong password');
    unlike(ask('/locked401/', 'text/html', 'en', from => '127.0.3.9',
            @mallory)->body, qr/mallory/, 'a wrong password: no name');
    my $locked = ask('/locked401/', @plain, @mallory);
    like($locked->body, qr/\ASign-in is paused \(401\.501\)/, 'locked');
    unlike($locked->body =~ s/401\.501|in 15 minutes//gr, qr/\d/,
        'no other number');
    is($locked->header('www-authenticate'), 'Basic realm="test"',
        'locked: a challenge');
    for my $form (@forms) {
        my ($right, $wrong, $unknown) = map {
            ask('/locked401/', $form, 'en', @from, user => $_->[0],
                pass => $_->[1])->fingerprint =~ s/\b(?:900|8\d\d)\b/N/gr
        } ['alice', 'right'], ['alice', 'wrong'], ['nobody', 'wrong'];

        is($right, $wrong, "$form: right and wrong alike");
        is($unknown, $wrong, "$form: an unknown user too");
    }
    my $sent = asking('/locked401/%3Cx%3Emallory?q=%3Cx%3Emallory',
        'text/html', 'en', @from, @mallory);
    push @{ $sent->{headers} }, Referer => '<x>mallory',
      'User-Agent' => '<x>mallory';
    my ($echo) = $t->many(1, $sent);
    is($echo->status, 401, 'a hostile request is refused like others');
    unlike($echo->body, qr/mallory|x>|%3C|127\.0\.3/i,
        'nothing of it comes back');

    my $get = ask('/locked401/', 'text/html', 'ru', @from);
    my $head = ask('/locked401/', 'text/html', 'ru', @from, method => 'HEAD');
    is($head->status . $head->body . $head->{rest}, 401, 'HEAD: no body');
    is($head->header($_), $get->header($_), "HEAD: $_")
      for qw(content-type content-language www-authenticate cache-control
      vary);
    like($head->header('retry-after'), qr/\A\d+\z/, 'HEAD: Retry-After');
    is(ask('/locked401/', 'text/html', 'ru', @from, method => 'POST',
            body => 'a=b')->body, $get->body, 'POST: the same page');
}

{
    my @plain = ('text/plain', 'en', from => '127.0.3.2');

    $t->guess_wrong('/observed/', 'alice', 2, from => '127.0.3.2');
    my $observed = ask('/observed/', @plain);
    is(($t->access)[-1]{state}, 'locked', 'Observe: would be locked');
    like($observed->body, qr/\APlease sign in \(401\)/,
        'Observe: says nothing of it');
}

# Around a whole site; and where the site is a proxy for another.
{
    my @plain = ('text/plain', 'en', from => '127.0.3.3');
    my $door = asking('/', @plain);
    push @{ $door->{headers} }, Host => 'walled';
    my ($first) = $t->many(1, $door);

    is($first->status, 401, 'a guarded site: 401');
    like($first->body, qr/\APlease sign in \(401\.2\)/,
        'a guarded site: the document');
    my ($wrong, $locked) = $t->many(1, map {
        { %$door, user => 'alice', pass => $_ } } qw(wrong right));
    like($wrong->body, qr/\ASign-in failed \(401\.1\)/,
        'a guarded site: counted once');
    like($locked->body, qr/\ASign-in is paused \(401\.501\)/,
        'a guarded site: locked');
    is(join(' ', map { $_->header('content-language') // 'none' }
              ($first, $wrong, $locked)), 'en en en',
        'a guarded site: each is the document');

    for my $host (qw(proxied relayed)) {
        my $down = asking('/x', @plain);
        push @{ $down->{headers} }, Host => $host;
        my ($answer) = $t->many(1, $down);
        is($answer->status, 503, "$host, a backend that is down: 503");
        like($answer->body, qr/\ANot available right now \(503\)/,
            "$host, a backend that is down: the document");
    }
}

# Who comes for a document by its address gets none.
for my $file (qw(answer.var words-de.inc begin.inc form-html.inc)) {
    my $answer = ask("/authguard-errors/$file", 'text/plain', 'en',
        from => '127.0.3.4');

    is($answer->status, 403, "$file by its address: 403");
    like($answer->body, qr/\ANo access \(403\)/, "$file: the usual answer");
}
$t->done;

# Without mod_include, httpd does not start and says what is missing.
{
    my $bare = AuthGuard::Httpd->new(modules => ['negotiation'],
        conf => "Define AUTHGUARD_ERRORS $dir\n"
          . "Include $top/conf/auth_guard-errors.conf\n");

    like($bare->refusal, qr/needs mod_include/, 'mod_include is missing');
    $bare->done;
}

done_testing;
