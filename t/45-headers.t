# 45-headers.t - the rest of contract 1.6: Idempotency-Key, Prefer, CORS,
# conditional requests.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA ();
use JSON::PP ();
use DataLake::Httpd;
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $APP      = 'https://app.example.org';
my $REMOTEIP = DataLake::Httpd::MODULES . '/mod_remoteip.so';
my $stack    = DataLake::Stack->new(
    name    => '45-headers',
    mariadb => 1,
    httpd   => {
        server => "LoadModule remoteip_module \"$REMOTEIP\"\n"
          . "RemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1\n"
    },
    users      => { alice => 'user', bob => 'user' },
    grants     => { alice => ['transaction_log'] },
    directives => "DataLakeCORSOrigins $APP http://localhost:3000\n",
);
my $db = $stack->{database};

sub dbh { return $stack->mariadb->dbh; }

# POST BODY to PATH under KEY.
sub post {
    my ($path, $body, $key, @more) = @_;
    return $stack->httpd->client->post($path, $body,
        headers => [ 'Idempotency-Key' => $key, @more ]);
}

sub body { my ($name) = @_; return { username => $name, password => 'correct horse' }; }

sub accounts {
    my ($name) = @_;
    return dbh()->selectrow_array(
        "SELECT COUNT(*) FROM $db.app_user WHERE username LIKE ?",
        undef, $name);
}

sub problem {
    my ($answer) = @_;
    my ($slug) = ($answer->{json}{type} // '') =~ m{/problems/(.*)};
    return "$answer->{status} " . ($slug // '-');
}

subtest 'a repeated request gets the first answer' => sub {
    my $first = post('/v1/register', body('carla'), 'k-1');
    is($first->{status}, 201, 'the first one registers');
    for my $path ('/v1/register', '/register', '/v1/register/') {
        my $again = post($path, body('carla'), 'k-1');
        is($again->{status}, 201, "again: $path");
        is($again->{body}, $first->{body}, '... the same body');
        is($again->{headers}{'content-type'},
            $first->{headers}{'content-type'}, '... of the same type');
        isnt($again->{headers}{'x-request-id'},
            $first->{headers}{'x-request-id'}, '... under an id of its own');
    }
    is(accounts('carla'), 1, 'one account was made');
    is(problem(post('/v1/register', body('carla'), 'k-2')),
        '409 conflict', 'another key is another request');
    is(problem(post('/v1/register', body('carla'), 'k-1', 'X-Client' => '192.0.2.9')),
        '409 conflict', 'so is another address');
};

subtest 'another request under the same key is refused' => sub {
    is(problem(post('/v1/register', body('carlo'), 'k-1')),
        '422 idempotency-mismatch', 'another body');
    is(problem(post('/v1/register?', body('carlo'), 'k-1')),
        '422 idempotency-mismatch', 'and an empty query');
    my $form = { %{ body('carla') }, email => 'c@example.org', consent_given => JSON::PP::true };
    is(problem(post('/user/register', $form, 'k-1')),
        '422 idempotency-mismatch', 'another route');
    is(accounts('carlo'), 0, 'and does nothing');
};

subtest 'a key is 1 to 255 visible ASCII characters' => sub {
    for my $key ('', 'a b', 'x' x 256, "caf\xe9", "tab\tbed") {
        is(problem(post('/v1/register', body('never'), $key)),
            '400 malformed-request', length($key) . ' bytes: refused');
    }
    is(accounts('never'), 0, 'and nothing is done');
    is(post('/v1/register', body('longkey'), '~' x 255)->{status},
        201, '255 are taken');
};

subtest 'what changed nothing may be tried again' => sub {
    is(problem(post('/v1/register', body('carla'), 'k-3')),
        '409 conflict', 'a name that is taken');
    is(post('/v1/register', body('conny'), 'k-3')->{status},
        201, 'does not use the key up');
    is(problem(post('/v1/register', { username => 'x' }, 'k-4')),
        '422 validation', 'nor does a wrong body');
    is(post('/v1/register', body('cecil'), 'k-4')->{status}, 201, 'it does not');
};

subtest 'of many at once one is carried out' => sub {
    my $body = '{"username":"crowd","password":"correct horse"}';
    my $text = "POST /v1/register HTTP/1.1\r\nHost: localhost\r\n"
      . "Idempotency-Key: k-crowd\r\nContent-Type: application/json\r\n"
      . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n$body";
    my @client = map { $stack->httpd->client } 1 .. 12;
    my @socket = map { $_->open_socket } @client;
    syswrite $_, substr $text, 0, -1 for @socket;
    syswrite $_, substr $text, -1 for @socket;
    my %seen;
    for my $client (@client) {
        my $answer = $client->read_answer(0);
        $seen{ $answer->{status} == 409 ? problem($answer) : $answer->{body} }++;
    }
    is(scalar(grep { /"username":"crowd"/ } keys %seen),
        1, 'all who are answered 201 are told the same');
    is(scalar(grep { !/"username":"crowd"|^409 conflict$/ } keys %seen),
        0, 'the others are 409');
    is(accounts('crowd'), 1, 'one account was made');
    is(post('/v1/register', $body, 'k-crowd', 'Content-Type' => 'application/json')
          ->{status}, 201, 'afterwards all get that answer');
};

subtest 'a claim of a dead child ends, an answer after a day' => sub {
    post('/v1/register', body('dead'), 'k-dead');
    my $busy;
    for (1 .. 5) {    # it must be asked for before the claim ends
        dbh()->do("UPDATE $db.idempotency_key SET status = NULL, answer = NULL,"
              . ' expires_at = UTC_TIMESTAMP(6) + INTERVAL 2 SECOND'
              . " WHERE `key` = 'k-dead'");
        $busy = post('/v1/register', body('dead'), 'k-dead');
        last if ($busy->{json}{detail} // '') =~ /still under way/;
    }
    is(problem($busy), '409 conflict', 'while it runs it is 409');
    like($busy->{json}{detail}, qr/still under way/, 'which says why');
    dbh()->do("UPDATE $db.app_user SET username = 'gone' WHERE username = 'dead'");
    my $answer;
    wait_until(
        'the claim ends',
        sub {
            $answer = post('/v1/register', body('dead'), 'k-dead');
            return $answer->{status} != 409;
        },
        60
    );
    is($answer->{status}, 201, 'then the next one is carried out');
    dbh()->do("UPDATE $db.idempotency_key SET expires_at ="
          . " UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE `key` = 'k-dead'");
    is(problem(post('/v1/register', body('dead'), 'k-dead')),
        '409 conflict', 'an answer that has expired is not given again');
    my ($left) = dbh()->selectrow_array("SELECT TIMESTAMPDIFF(MINUTE,"
          . ' UTC_TIMESTAMP(), expires_at)'
          . " FROM $db.idempotency_key WHERE `key` = 'k-1'");
    ok($left > 1435 && $left <= 1440, 'an answer is kept for 24 hours');
};

subtest 'what is kept tells no secret' => sub {
    my $rows = dbh()->selectall_arrayref("SELECT owner, `key`,"
          . " HEX(body_hash), answer FROM $db.idempotency_key");
    cmp_ok(scalar @$rows, '>', 3, 'there are rows');
    is(scalar(grep { ($_->[3] // '') =~ /correct horse|password/ } @$rows),
        0, 'no password in an answer');
    my %plain = map { (uc Digest::SHA::sha256_hex($_) => 1) }
      '{"password":"correct horse","username":"carla"}',
      '{"username":"carla","password":"correct horse"}';
    is(scalar(grep { $plain{ $_->[2] } } @$rows), 0, 'the hash has a key');
    is(scalar(grep { $_->[0] !~ /^(?:127\.0\.0\.1|192\.0\.2\.9)$/ } @$rows),
        0, 'the owner is the address');
};

# --- Prefer --------------------------------------------------------------------

my $TOP = '/api/metrics/top-products/';

# The answer to GET PATH for NAME with HEADERS.
sub get {
    my ($name, $path, @headers) = @_;
    return $stack->client($name)->get($path, headers => \@headers);
}

subtest 'Prefer: handling=lenient lets unknown parameters pass' => sub {
    is(problem(get('alice', "$TOP?nonsense=1")),
        '400 invalid-parameter', 'an unknown parameter is 400');
    for my $prefer ('handling=lenient', 'wait=5, Handling=Lenient',
        'respond-async;x=1, handling=lenient')
    {
        my $answer = get('alice', "$TOP?nonsense=1", Prefer => $prefer);
        is($answer->{status}, 200, "$prefer: taken");
        is($answer->{headers}{'preference-applied'},
            'handling=lenient', '... and told');
    }
    for my $prefer ('handling=strict', 'handling=lenientish', 'xhandling=lenient') {
        my $answer = get('alice', "$TOP?nonsense=1", Prefer => $prefer);
        is($answer->{status}, 400, "$prefer: not taken");
        ok(!exists $answer->{headers}{'preference-applied'}, '... nor told');
    }
    is(get('alice', "$TOP?x=0&nonsense=1", Prefer => 'handling=lenient')->{status},
        400, 'nothing else is relaxed');
};

# --- CORS ----------------------------------------------------------------------

my $EXPOSED = 'ETag, Link, Location, Retry-After, RateLimit, RateLimit-Policy,'
  . ' X-Request-Id';

sub vary {
    my ($answer) = @_;
    return join ',', sort map { split /\s*,\s*/, $_->[1] }
      grep { lc $_->[0] eq 'vary' } @{ $answer->{all} };
}

subtest 'a page of a listed origin may read answers, errors too' => sub {
    my %answer = (
        'a read'        => get('alice', $TOP, Origin => $APP),
        'a public one'  => get(undef, '/health/live', Origin => $APP),
        '401'           => get(undef, $TOP, Origin => $APP),
        '403'           => get('bob', $TOP, Origin => $APP),
        '404'           => get(undef, '/nothing', Origin => $APP),
        '405'           => $stack->httpd->client->request('PUT', $TOP,
            headers => [ Origin => $APP ]),
    );
    for my $name (sort keys %answer) {
        my $head = $answer{$name}{headers};
        is($head->{'access-control-allow-origin'}, $APP, "$name names it");
        is($head->{'access-control-expose-headers'}, $EXPOSED, '... what is shown');
        like(vary($answer{$name}), qr/\bOrigin\b/, '... and varies');
        ok(!exists $head->{'access-control-allow-credentials'}, '... no cookies');
    }
    is(vary($answer{'a read'}), 'Accept,Authorization,Origin', 'one Vary for all');
};

subtest 'a page of any other origin may not' => sub {
    for my $origin ('https://evil.example', "$APP.evil.example", "$APP:8443",
        'http://app.example.org', 'null', '*', 'HTTPS://APP.EXAMPLE.ORG', "$APP/")
    {
        my $answer = get('alice', $TOP, Origin => $origin);
        is($answer->{status}, 200, "$origin: answered");
        ok(!(grep { /^access-control/ } keys %{ $answer->{headers} }), '... to itself');
        like(vary($answer), qr/\bOrigin\b/, '... and varies');
    }
    my $none = get('alice', $TOP);
    like(vary($none), qr/\bOrigin\b/, 'without Origin it varies as well');
    ok(!exists $none->{headers}{'access-control-allow-origin'}, 'and names none');
};

subtest 'a preflight needs no token' => sub {
    my $ask = sub {
        my ($path, @headers) = @_;
        return $stack->httpd->client->request('OPTIONS', $path,
            headers => \@headers);
    };
    my $answer = $ask->('/user/me', Origin => $APP,
        'Access-Control-Request-Method'  => 'PATCH',
        'Access-Control-Request-Headers' => 'authorization,content-type');
    my $head = $answer->{headers};
    is($answer->{status}, 204, 'it is 204');
    is($head->{'access-control-allow-origin'}, $APP, 'for the origin');
    like($head->{'access-control-allow-methods'}, qr/\bPATCH\b/, 'with methods');
    like($head->{'access-control-allow-headers'}, qr/\b$_\b/, "$_ may be sent")
      for qw(Authorization Content-Type Idempotency-Key If-Match Prefer);
    is($head->{'access-control-max-age'}, 600, 'and is remembered');
    my $foreign = $ask->('/user/me', Origin => 'https://evil.example',
        'Access-Control-Request-Method' => 'PATCH');
    is($foreign->{status}, 204, 'a foreign one is 204');
    ok(!(grep { /^access-control/ } keys %{ $foreign->{headers} }),
        'and is told nothing');
};

# --- Conditional requests --------------------------------------------------------

subtest 'If-None-Match' => sub {
    my $path  = '/api/resources/';
    my $first = get('alice', $path);
    my $etag  = $first->{headers}{etag};
    like($etag, qr/^"[^"]+"$/, 'a read has a strong ETag');
    for my $list ($etag, "W/$etag", "\"other\", $etag", '*') {
        my $answer = get('alice', $path, 'If-None-Match' => $list);
        is($answer->{status}, 304, 'named: 304');
        is($answer->{headers}{etag}, $etag, '... with it');
        is($answer->{body}, '', '... and no body');
    }
    my ($inner) = $etag =~ /"(.*)"/;
    for my $list ('"other"', $inner, "\"x$inner\"", '""') {
        is(get('alice', $path, 'If-None-Match' => $list)->{status},
            200, 'not named: 200');
    }
    my ($alice, $bob) =
      map { get($_, $path)->{headers}{etag} } qw(alice bob);
    isnt($alice, $bob, 'it depends on what the caller may see');
};

# --- Last, because breakers stay open for a while --------------------------------

subtest 'without the warehouse nothing is tried' => sub {
    $stack->mariadb->{process}->signal('STOP');
    my $answer = post('/v1/register', body('away'), 'k-away');
    is($answer->{status}, 503, 'the warehouse is away');
    $stack->mariadb->{process}->signal('CONT');
    # Stopped between the claim of the key and its answer, the server commits the
    # claim when it goes on: 409 until it expires.
    wait_until(
        'it is back',
        sub { post('/v1/register', body('away'), 'k-away')->{status} == 201 },
        100
    );
    is(accounts('away'), 1, 'and one account is made');
};

done_testing;
