# 13-gate.t - the way of a request: path, method, query, Accept, body, and
# what every answer carries.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name       => '13-gate',
    httpd      => 1,
    bare       => 1,
    directives => "ErrorDocument 417 \"told by the administrator\"\n",
);
my $client = $stack->httpd->client;

sub get    { my ($path, @more) = @_; return $client->get($path, @more); }
sub status { my ($path, @more) = @_; return get($path, @more)->{status}; }

# The type of the problem, and whether it is a whole one.
sub problem_of {
    my ($answer) = @_;
    my $p = $answer->{json} // {};
    return 'not a problem'
      unless ($answer->{headers}{'content-type'} // '') eq
      'application/problem+json';
    for my $member (qw(type title status detail instance request_id errors)) {
        return "no $member" unless exists $p->{$member};
    }
    return 'another status' unless $p->{status} == $answer->{status};
    return 'another id'
      unless $p->{request_id} eq $answer->{headers}{'x-request-id'}
      && $p->{instance} eq "/req/$p->{request_id}";
    return $p->{type} =~ m{^/problems/(.*)} ? $1 : $p->{type};
}

subtest 'a path is what its segments say' => sub {
    my @live = (
        '/health/live',       '/health/live/',
        '//health///live//',  '/health/./live',
        '/health/x/../live',  '/health/x/%2e%2e/live',
        '/health/liv%65',     '/%68ealth/live',
    );
    is(status($_), 200, "$_ is the route") for @live;
    my @not = (
        '/health%2Flive',      '/health/live%2F',
        '/health/live%20',     '/health/live%00',
        '/health/live%0A',     '/health/%2e%2e%2flive',
        '/health/live%252F',   '/HEALTH/live',
        '/health',             '/health/live/x',
        '/health/live;v=1',    '/health/..%2Flive',
        '/problems/%2565',     '/problems/a%2Fb',
        '/problems/%2e%2e%2f', '/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o',
        '/admin/',             '/index.html',
    );
    for my $path (@not) {
        my $answer = get($path);
        is($answer->{status}, 404, "$path is nothing");
        is(problem_of($answer), 'not-found', '... told as a problem');
    }
    for my $path ('/' . 'a' x 255, '/' . 'a' x 256, '/' . 'a' x 4000,
        '/a' x 2100, '/a' x 3900)
    {
        is(get($path)->{status},
            404, 'nor is one of ' . length($path) . ' bytes, file or not');
    }
    for my $path ('/health/%', '/problems/%zz', '/nothing/%4') {
        my $answer = get($path);
        is($answer->{status}, 400, "$path is malformed");
        is(problem_of($answer), 'malformed-request', '... told as a problem');
        is($answer->{headers}{connection}, 'close', '... and the end');
    }
    is(status('/../health/live'), 400, 'nothing lies above the root');
};

subtest 'nothing redirects but the root' => sub {
    my $answer = get('/');
    is($answer->{status},            307,     'GET / redirects');
    is($answer->{headers}{location}, '/docs', 'to the documentation');
    is($client->head('/')->{status}, 307,     'HEAD / too');
    is(status('/health/live/'),      200,     'a final slash does not');
};

subtest 'a method is known, allowed, or refused in that order' => sub {
    for my $method (qw(POST PUT PATCH DELETE TRACE)) {
        my $answer = $client->request($method, '/health/live');
        is($answer->{status}, 405, "$method is 405");
        is($answer->{headers}{allow}, 'GET, HEAD, OPTIONS', '... with Allow');
        is(problem_of($answer), 'method-not-allowed', '... as a problem');
    }
    for my $method (qw(PROPFIND MKCOL LOCK BREW)) {
        for my $path ('/health/live', '/nothing') {
            my $answer = $client->request($method, $path);
            is($answer->{status}, 501, "$method $path is 501");
            is($answer->{headers}{allow},
                'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS',
                '... with Allow');
            is(problem_of($answer), 'method-not-implemented',
                '... as a problem');
        }
    }
    for my $method (qw(GET POST PUT PATCH DELETE OPTIONS)) {
        is($client->request($method, '/nothing')->{status},
            404, "$method of nothing is 404");
    }
    my $options = $client->request('OPTIONS', '/api/resources/');
    is($options->{status}, 204, 'OPTIONS is 204, without a token');
    is($options->{headers}{allow}, 'GET, HEAD, OPTIONS', '... with Allow');
    is($options->{body}, '', '... and no body');
};

subtest 'HEAD has the headers of GET' => sub {
    for my $path ('/health/live', '/problems/not-found', '/api/resources/',
        '/nothing')
    {
        my ($get, $head) = (get($path), $client->head($path));
        delete @{ $_->{headers} }{qw(x-request-id date ratelimit)} for $get, $head;
        is($head->{status}, $get->{status}, "$path has the same status");
        is_deeply($head->{headers}, $get->{headers}, '... and headers');
        is(get('/health/live')->{status},
            200, '... and the connection is in step');
    }
};

subtest 'every answer has an id of its own' => sub {
    my %seen;
    for my $path ('/health/live', '/nothing', '/', '/api/resources/') {
        for (1 .. 25) {
            my $id = get($path)->{headers}{'x-request-id'} // '';
            like($id, qr/^[0-9a-f]{32}$/, "$path has an id") if $_ == 1;
            $seen{$id}++;
        }
    }
    is(scalar(keys %seen), 100, '100 requests, 100 ids');
    isnt(
        get('/health/live', headers => { 'X-Request-Id' => 'mine' })
          ->{headers}{'x-request-id'},
        'mine',
        'nobody chooses his own'
    );
};

subtest 'a problem type can be fetched' => sub {
    my @types = qw(
      malformed-request malformed-json invalid-parameter unexpected-body
      unauthorized forbidden not-found method-not-allowed not-acceptable
      request-timeout conflict precondition-failed body-too-large
      uri-too-long unsupported-media-type expectation validation
      upgrade-required internal method-not-implemented warehouse-unavailable
      lake-unavailable broker-unavailable overloaded deadline http-version
      storage-full);
    for my $type (@types) {
        my $answer = get("/problems/$type");
        is($answer->{status}, 200, "/problems/$type is there");
        is(join(' ', sort keys %{ $answer->{json} }),
            'description status title', '... and complete');
    }
    is(problem_of(get('/problems/none')), 'not-found', 'another is not');
};

subtest 'a parameter that no row names is refused' => sub {
    my $answer = get('/health/live?x=1');
    is(problem_of($answer), 'invalid-parameter', 'on a route without any');
    is_deeply(
        [ map { [ $_->{parameter}, $_->{code} ] } @{ $answer->{json}{errors} } ],
        [ [ 'x', 'unknown' ] ],
        'it is named'
    );
    is(status('/health/live?'),  200, 'an empty query is none');
    is(status('/health/live?&'), 200, 'nor is a separator');
    is(status('/health/live?%zz=1'), 400, 'an escape that is none is refused');
    my $lenient =
      get('/health/live?x=1', headers => { Prefer => 'handling=lenient' });
    is($lenient->{status}, 200, 'unless the client prefers it so');
    is($lenient->{headers}{'preference-applied'},
        'handling=lenient', 'which is echoed');
    is(
        status(
            '/health/live?x=1',
            headers => { Prefer => 'respond-async, handling=lenient; x=y' }
        ),
        200,
        'among other preferences'
    );
    is(status('/health/live?x=1', headers => { Prefer => 'handling=lenientx' }),
        400, 'another word is not it');
};

subtest 'Accept chooses, or nothing fits' => sub {
    my %want = (
        'application/json'                    => 200,
        '*/*'                                 => 200,
        'application/*'                       => 200,
        'APPLICATION/JSON'                    => 200,
        'text/html, application/json;q=0.1'   => 200,
        'text/html,*/*;q=0.01'                => 200,
        'application/json ; q=1.000'          => 200,
        'text/html'                           => 406,
        'application/json;q=0'                => 406,
        'application/json;q=0.0, */*'         => 406,
        '*/*;q=0'                             => 406,
        'application/xml, text/*'             => 406,
        'json'                                => 406,
        'application/jsonx'                   => 406,
    );
    for my $accept (sort keys %want) {
        my $answer = get('/health/live', headers => { Accept => $accept });
        is($answer->{status}, $want{$accept}, "Accept: $accept");
        is(problem_of($answer), 'not-acceptable', '... as a problem')
          if $want{$accept} == 406;
    }
    is(status('/health/live'), 200, 'no Accept takes anything');
    is(status('/health/live?x=1', headers => { Accept => 'text/html' }),
        400, 'the query is judged before');
};

subtest 'a body where none is taken is refused' => sub {
    my $answer = $client->request('GET', '/health/live', body => '{}');
    is(problem_of($answer), 'unexpected-body', 'with GET');
    is($client->request('GET', '/health/live',
            headers => { 'Content-Length' => 0 })->{status},
        200, 'an empty one is none');
};

subtest 'checks come in the order of the contract' => sub {
    is($client->request('BREW', '/nothing?x=1')->{status},
        501, 'the method nobody knows before the route');
    is($client->request('PUT', '/nothing?x=1')->{status},
        404, 'the route before the method');
    is($client->request('PUT', '/api/resources/?x=1')->{status},
        405, 'the method before the token');
    is(status('/api/resources/?x=1', headers => { Accept => 'text/html' }),
        401, 'the token before the query');
    is(status('/api/audit/version/?date=x'), 401, 'even one that names a day');
};

subtest 'an ErrorDocument of the administrator wins' => sub {
    my $answer = get('/health/live', headers => { Expect => 'magic' });
    is($answer->{status}, 417, 'the status stays');
    is($answer->{body}, 'told by the administrator', 'the words are his');
    is(problem_of(get('/nothing')), 'not-found', 'others are problems');
};

subtest 'a refused request leaves the connection, a broken one does not' => sub {
    my $one = $stack->httpd->client;
    for my $connection (undef, 'keep-alive') {
        my @header = defined $connection ? (Connection => $connection) : ();
        my $first = $one->get('/health/live?x=1', headers => \@header);
        is($first->{status}, 400, 'a parameter nobody knows');
        unlike($first->{headers}{connection} // '', qr/close/i, '... stays');
        my $socket = $one->{socket};
        my $next = $one->get('/health/live', headers => \@header);
        is($next->{status}, 200, '... and the next request is answered');
        is($one->{socket}, $socket, '... on the same connection');
    }
    is(
        $one->get('/health/live?x=1', headers => { Connection => 'close' })
          ->{headers}{connection},
        'close',
        'who asks for the end gets it'
    );
    like($one->request('GET', '/health/live?x=1', body => 'xx')
          ->{headers}{connection}, qr/close/, 'a body nobody reads is the end');
    like($one->get('/health/%zz')->{headers}{connection},
        qr/close/, 'so is an escape that is none');
    my $both = $one->exchange("GET /health/live?x=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
          . "GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    is($both->{status}, 400, 'of two requests at once the first is refused');
    is($one->read_answer->{status}, 200, 'the second one answered');
    $one->close;
    is($one->head('/health/live?x=1')->{status}, 400, 'HEAD is refused, too');
    is($one->get('/health/live')->{status}, 200, '... and in step');
};

subtest 'answers carry what protects them' => sub {
    for my $path ('/health/live', '/nothing', '/problems/internal') {
        my $header = get($path)->{headers};
        is($header->{'x-content-type-options'}, 'nosniff', "$path: nosniff");
        is($header->{server}, 'Apache', '... and no version');
        ok($header->{'cache-control'}, '... and Cache-Control');
    }
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/,
    'no child has crashed');

done_testing;
