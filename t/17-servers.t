# 17-servers.t - the module beside what an administrator may configure: virtual
# hosts, Require, encoded slashes, ErrorDocument, HTTP/2.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name  => '17-servers',
    httpd => 1,
    bare  => 1,
    later => 1,
);
$stack->write_ini;
my $files = $stack->directives;

# httpd with DIRECTIVES for the main server and SERVER at the end.
sub httpd {
    my ($directives, $server, %more) = @_;
    $stack->httpd->stop if $stack->httpd;
    delete $stack->{httpd_server};
    $stack->{httpd} = { directives => $directives, server => $server // '', %more };
    return $stack->start_httpd;
}

sub ask {
    my ($httpd, $host, $path, %more) = @_;
    return $httpd->client->request($more{method} // 'GET', $path,
        headers => { Host => $host });
}

# The threads of a child of HTTPD once it has started all of them.
sub threads_of {
    my ($httpd) = @_;
    my ($threads, $same) = (0, 0);
    wait_until('all threads run', sub {
        my ($child) = qx(pgrep -P $httpd->{process}{pid}) =~ /(\d+)/ or return 0;
        my $now = () = glob "/proc/$child/task/*";
        $same = $now > 25 && $now == $threads ? $same + 1 : 0;
        $threads = $now;
        return $same == 20;
    });
    return $threads;
}

subtest 'a virtual host serves, the main server need not' => sub {
    my $httpd = httpd(
        '',
        "<VirtualHost *:\${PORT}>\nServerName first.example\n</VirtualHost>\n"
          . "<VirtualHost *:\${PORT}>\nServerName lake.example\n$files</VirtualHost>\n"
          . "<VirtualHost *:\${PORT}>\nServerName twin.example\n${files}DataLakeMetricsAllow none\n</VirtualHost>\n"
    );
    is(ask($httpd, 'lake.example', '/health/live')->{status},
        200, 'the one with a DataLakeConfig is a data lake');
    is(ask($httpd, 'twin.example', '/health/live')->{status},
        200, 'a second one with the same file is, too');
    my $other = ask($httpd, 'first.example', '/health/live');
    is($other->{status}, 404, 'another one is not');
    ok(!$other->{headers}{'x-request-id'}, '... in no way');
    is(ask($httpd, 'first.example', '/metrics')->{status},
        404, '... nor are its metrics');
    is(ask($httpd, 'lake.example', '/metrics')->{status},
        200, 'settings are taken from the defaults');
    is(ask($httpd, 'twin.example', '/metrics')->{status},
        401, 'or from the virtual host');
    my $both = threads_of($httpd);
    my $one  = threads_of(httpd('', "<VirtualHost *:\${PORT}>\nServerName lake.example\n$files</VirtualHost>\n"));
    cmp_ok($both - $one, '<=', 2, "twins share their threads ($both, alone $one)");
};

subtest 'a virtual host takes what it does not set' => sub {
    my $httpd = httpd(
        "${files}DataLakeMetricsAllow none\n",
        "<VirtualHost *:\${PORT}>\nServerName a.example\n</VirtualHost>\n"
          . "<VirtualHost *:\${PORT}>\nServerName b.example\nDataLakeMetricsAllow loopback\n</VirtualHost>\n"
          . "<VirtualHost *:\${PORT}>\nServerName c.example\nDataLakeEngine Off\n</VirtualHost>\n"
    );
    is(ask($httpd, 'a.example', '/metrics')->{status}, 401, 'from the main server');
    is(ask($httpd, 'b.example', '/metrics')->{status}, 200, 'or sets it');
    is(ask($httpd, 'c.example', '/health/live')->{status}, 404, 'or is off');
};

for my $slashes (qw(Off On NoDecode)) {
    subtest "AllowEncodedSlashes $slashes changes nothing" => sub {
        my $httpd = httpd("${files}AllowEncodedSlashes $slashes\n");
        my $client = $httpd->client;
        my %want = (
            '/health/live'            => 200,
            '/health%2Flive'          => 404,
            '/health%2flive'          => 404,
            '/problems/not%2Dfound'   => 200,
            '/problems/not%2Ffound'   => 404,
            '/problems%2Fnot-found'   => 404,
            '/x%2Fy'                  => 404,
            '/problems/..%2Finternal' => 404,
        );
        is($client->get($_)->{status}, $want{$_}, $_) for sort keys %want;
    };
}

subtest 'Require judges what is routed, and never opens' => sub {
    my $httpd = httpd("LoadModule authz_host_module \${MODULES}/mod_authz_host.so\n$files"
          . "<Location /problems>\nRequire all denied\n</Location>\n"
          . "<Location /api>\nRequire all granted\n</Location>\n"
          . "<Location /metrics>\nRequire ip 203.0.113.1\n</Location>\n");
    my $client = $httpd->client;
    for my $path ('/problems/internal', '/problems/%69nternal',
        '/%70roblems/internal', '//problems///internal',
        '/health/../problems/internal')
    {
        my $answer = $client->get($path);
        is($answer->{status}, 403, "$path is denied");
        is($answer->{json}{type}, '/problems/forbidden', '... as a problem');
    }
    is($client->get('/api/resources/')->{status}, 401, 'granted is not open');
    is($client->get('/metrics')->{status}, 403, 'an address may be asked for');
    is($client->get('/health/live')->{status}, 200, 'the rest is as before');
};

subtest 'an ErrorDocument may be a page or a route' => sub {
    my $httpd = httpd("LoadModule authz_host_module \${MODULES}/mod_authz_host.so\n$files"
          . "ErrorDocument 405 /problems/method-not-allowed\n"
          . "ErrorDocument 401 /nowhere\n"
          . "ErrorDocument 404 \"nothing here\"\n");
    my $client = $httpd->client;
    my $answer = $client->request('PUT', '/health/live');
    is($answer->{status}, 405, 'a route tells it');
    is($answer->{json}{title}, 'Method not allowed', '... in its words');
    like($answer->{headers}{'x-request-id'}, qr/^[0-9a-f]{32}$/, '... under one id');
    is($client->get('/nothing')->{body}, 'nothing here', 'a text tells it');
    $answer = $client->get('/api/resources/');
    is($answer->{status}, 401, 'a page that is not there');
    is($answer->{json}{type}, '/problems/unauthorized',
        '... leaves it to the problem');
};

subtest 'other handlers stay theirs' => sub {
    # The clone may lie where the children of httpd cannot look.
    my $pages = tempdir('datalake-pages-XXXX', TMPDIR => 1, CLEANUP => 1);
    chmod 0755, $pages;
    my $httpd = httpd(
        "LoadModule status_module \${MODULES}/mod_status.so\n$files"
          . "<Location /status>\nSetHandler server-status\n</Location>\n"
          . "<Location /health>\nSetHandler server-status\n</Location>\n"
          . "LoadModule alias_module \${MODULES}/mod_alias.so\n"
          . "Redirect /old http://127.0.0.1/new\n"
          . "Alias /pages \"$pages\"\n"
          . "<Directory \"$pages\">\nRequire all granted\n</Directory>\n"
    );
    spit("$pages/page.html", "page\n");
    my $client = $httpd->client;
    like($client->get('/status')->{body}, qr/Server Status/, 'a handler');
    is($client->get('/old')->{status}, 302, 'a redirect');
    is($client->get('/pages/page.html')->{status}, 200, 'a file');
    is($client->request('OPTIONS', '/pages/page.html')->{status}, 200, '... and its OPTIONS');
    is($client->get('/health/live')->{body}, '{"status":"alive"}', 'ours is ours');
};

SKIP: {
    skip 'curl is not installed', 1 if system('command -v curl >/dev/null');
    subtest 'over HTTP/2' => sub {
        my $httpd = httpd(
            "LoadModule http2_module \${MODULES}/mod_http2.so\n${files}Protocols h2c http/1.1\n"
        );
        my $ask = sub {
            return scalar
              qx(curl -s --http2-prior-knowledge -o - -w ' %{http_version} %{http_code} %{content_type}' @_ 2>&1);
        };
        my $url = $httpd->url;
        is($ask->("$url/health/live"), '{"status":"alive"} 2 200 application/json', 'an answer');
        like($ask->("$url/nothing"), qr{"status":404.* 2 404 application/problem\+json}, 'a problem');
        like($ask->("$url/api/resources/"), qr{ 2 401 application/problem\+json}, 'no token');
        like($ask->('-X', 'PROPFIND', "$url/health/live"), qr{ 2 501 }, 'no method');
        # curl 7.88 at times reports a stream error instead of an answer that
        # came while it was still sending: httpd's own log is asked.
        $ask->('-X', 'GET', '-d', 'x', "$url/health/live");
        wait_until(
            'the request is logged',
            sub { (slurp("$httpd->{dir}/access.log") // '') =~ m{"GET /health/live HTTP/2.0" 400 }; },
            60
        );
        pass('a body');
        like($ask->('-I', "$url/health/live"), qr{content-length: 18.* 2 200 }s, 'HEAD');
        unlike($httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');
    };
}

done_testing;
