# 41-token.t - log-ins: a password for tokens, the next tokens, the end of a
# log-in, in every shape and both body types, and what is refused.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(decode_base64url);
use Time::HiRes qw(sleep time);
use DataLake::Process qw(slurp);
use DataLake::Stack;
use DataLake::Stopwatch;

my $stack = DataLake::Stack->new(
    name    => '41-token',
    mariadb => 1,
    httpd   => 1,
    users   => {
        alice => 'user',
        bob   => 'user',
        carol => 'user',
        dave  => 'user',
        erin  => 'user',
        frank => 'user'
    },
    directives => "DataLakeMetricsAllow none\nDataLakeTokenTTL 20min 2h\n",
);
my %password = map { ($_ => password_of($_)) } qw(admin alice bob carol dave
  erin frank);
my $client = $stack->httpd->client;

sub password_of {
    my ($user) = @_;
    my $file = "$stack->{dir}/secrets/"
      . ($user eq 'admin' ? 'admin' : "user-$user");
    return slurp(-e $file ? $file : "$stack->{dir}/secrets/user-$user") =~
      s/\s+\z//r;
}

# Send BODY (a structure, or form text) to PATH.
sub post {
    my ($path, $body, %more) = @_;
    return $client->post(
        $path, $body,
        (
            ref $body ? ()
            : (headers => ['Content-Type' => 'application/x-www-form-urlencoded'])
        ),
        %more
    );
}

sub log_in {
    my ($user, %more) = @_;
    return post('/user/login',
        { username => $user, password => $password{$user}, %more });
}

# What /metrics, a route for admins, thinks of TOKEN: 403 is a valid token.
sub status {
    my ($token) = @_;
    return $client->get('/metrics', token => $token)->{status};
}

sub claims {
    my ($token) = @_;
    return JSON::PP::decode_json(decode_base64url((split /\./, $token)[1]));
}

# The body of ANSWER without what differs from request to request.
sub text_of {
    my ($answer) = @_;
    my %rest = %{ $answer->{json} };
    delete @rest{qw(instance request_id)};
    return JSON::PP->new->canonical->encode(\%rest);
}

subtest 'a password gives tokens in both shapes and both body types' => sub {
    for my $path ('/user/login', '/v1/token', '/token', '/user/login/') {
        my $answer =
          post($path, { username => 'alice', password => $password{alice} });
        is($answer->{status}, 200, "$path takes JSON");
        is_deeply([ sort keys %{ $answer->{json} } ],
            [qw(access_token expires_in refresh_token token_type)],
            'with the names of OAuth');
        is($answer->{json}{token_type}, 'bearer', 'a bearer token');
        is($answer->{json}{expires_in}, 1200,     'that lives as long as set');
        is($answer->{headers}{'cache-control'},
            'no-store', 'no cache keeps it');
        is(status($answer->{json}{access_token}), 403, 'and is good');
    }
    my $form = "username=alice&password=$password{alice}&grant_type=password"
      . '&scope=a%20b&client_id=x&client_secret=y';
    for my $path ('/user/login', '/v1/token', '/token') {
        my $answer = post($path, $form);
        is($answer->{status}, 200, "$path takes a form");
        is(status($answer->{json}{access_token}), 403, 'its token is good');
    }
    for my $body ({ username => 'alice', password => $password{alice} }, $form)
    {
        my $answer = post('/api/token/', $body);
        is($answer->{status}, 200, '/api/token/ takes it, too');
        is_deeply([ sort keys %{ $answer->{json} } ],
            [qw(access refresh)], 'with its own names');
        is(status($answer->{json}{access}), 403, 'its token is good');
    }
    is(
        post('/token', { username => 'ALICE', password => $password{alice} })
          ->{status},
        200,
        'the case of the name does not count'
    );
};

subtest 'what the tokens say' => sub {
    my $begin  = int time;
    my $json   = log_in('alice')->{json};
    my $access = claims($json->{access_token});
    my $refresh = claims($json->{refresh_token});
    is_deeply(
        [ sort keys %$access ],
        [qw(aud auth_time exp iat iss jti role sid sub token_type user_id)],
        'all claims of the contract'
    );
    is($access->{sub},  'alice', 'the name as it was registered');
    is($access->{role}, 'user',  'the role');
    is($access->{token_type},  'access',  'an access token');
    is($refresh->{token_type}, 'refresh', 'and a refresh token');
    is($access->{sid}, $refresh->{sid}, 'of one log-in');
    isnt($access->{jti}, $refresh->{jti}, 'are two tokens');
    is($access->{exp} - $access->{iat}, 1200, 'one lives 20 minutes');
    is($refresh->{exp} - $refresh->{iat}, 7200, 'the other two hours');
    cmp_ok(abs($access->{auth_time} - $begin), '<=', 2, 'auth_time is now');
    my ($age) = $stack->mariadb->dbh('datalake')->selectrow_array(
        'SELECT TIMESTAMPDIFF(SECOND, last_login_at, UTC_TIMESTAMP(6))'
          . " FROM app_user WHERE username = 'alice'");
    cmp_ok($age, '<=', 5, 'last_login_at was set');
};

subtest 'a wrong log-in is one 401 whatever is wrong' => sub {
    $stack->ctl(qw(user disable frank));
    my %wrong = (
        'a wrong password'   => { username => 'bob', password => 'not this one' },
        'an unknown name'    => { username => 'nobody', password => 'not this one' },
        'a disabled account' =>
          { username => 'frank', password => $password{frank} },
        'an accent on the name' =>
          { username => "b\x{f3}b", password => $password{bob} },
        'a name no account may have' =>
          { username => 'bob or 1=1', password => $password{bob} },
        'a short password' => { username => 'bob', password => 'x' },
    );
    my $first;
    for my $name (sort keys %wrong) {
        my $answer = post('/user/login', $wrong{$name});
        is($answer->{status}, 401, "$name is 401");
        is($answer->{json}{type}, '/problems/invalid-credentials',
            'with the type of the contract');
        is($answer->{headers}{'www-authenticate'}, 'Bearer', 'and Bearer');
        $first //= text_of($answer);
        is(text_of($answer), $first, 'and the one text');
    }
    $stack->ctl(qw(user enable frank));
};

subtest 'a log-in that is none' => sub {
    my $good = { username => 'carol', password => $password{carol} };
    my @case = (
        [ { username => 'carol' }, 422, 'no password' ],
        [ { password => 'x' x 10 }, 422, 'no name' ],
        [ {}, 422, 'nothing' ],
        [ { %$good, password => 'x' x 257 }, 422, '257 bytes' ],
        [ { %$good, password => "a\0bcdefgh" }, 422, 'a NUL' ],
        [ { %$good, password => 12345678 }, 422, 'a number' ],
        [ { %$good, password => undef }, 422, 'null' ],
        [ { %$good, role => 'admin' }, 422, 'an unknown member' ],
        [ { %$good, grant_type => 'refresh_token' }, 422, 'another grant' ],
        [ 'username=carol&username=carol&password=x', 400, 'a field twice' ],
        [ 'username=carol', 422, 'a form without a password' ],
        [ 'username=carol&password=a%00bcdefgh', 422, 'a NUL in a form' ],
    );
    for my $case (@case) {
        my ($body, $status, $name) = @$case;
        my $answer = post('/v1/token', $body);
        is($answer->{status}, $status, "$name is $status")
          or diag($answer->{body});
    }
    is($client->get('/user/login')->{status}, 405, 'GET is 405');
    is(
        $client->post('/token', 'x',
            headers => [ 'Content-Type' => 'text/plain' ])->{status},
        415,
        'text is 415'
    );
    is(log_in('carol')->{status}, 200, 'none of them counts as a failure');
};

subtest 'five failures for a name and an address, the sixth try is 429' => sub {
    my %try = (username => 'dave', password => 'not this one');
    is(post('/token', \%try)->{status}, 401, "failure $_") for 1 .. 5;
    my $sixth = log_in('dave');
    is($sixth->{status}, 429, 'the sixth try is 429, right or wrong');
    is($sixth->{json}{type}, '/problems/login-throttled', 'with its type');
    like($sixth->{headers}{'retry-after'}, qr/^(?:[1-9]|[1-5]\d|60)$/,
        'and when to come back');
    is(post('/token', { %try, username => 'DAVE' })->{status},
        429, 'the case of the name does not count');
    is(log_in('erin')->{status}, 200, 'another name may');
    my $other = DataLake::Http->new(port => $client->{port}, local => '127.0.0.9');
    is(
        $other->post('/token',
            { username => 'dave', password => $password{dave} })->{status},
        200,
        'another address may'
    );
};

subtest 'a refresh token is good once' => sub {
    my $first = log_in('bob')->{json};
    my $second =
      post('/api/token/refresh/', { refresh => $first->{refresh_token} });
    is($second->{status}, 200, 'it gives the next pair');
    is($second->{headers}{'cache-control'}, 'no-store', 'that nobody keeps');
    my ($old, $new) =
      map { claims($_) } $first->{refresh_token}, $second->{json}{refresh};
    is($new->{sid}, $old->{sid}, 'of the same log-in');
    is($new->{auth_time}, $old->{auth_time}, 'as old as the log-in');
    is(status($second->{json}{access}), 403, 'whose access token is good');
    is(status($first->{access_token}), 403, 'as the first one still is');
    my $third =
      post('/api/token/refresh/',
        'refresh_token=' . $second->{json}{refresh});
    is($third->{status}, 200, 'a form and the alias do as well');
    my $again =
      post('/api/token/refresh/', { refresh => $first->{refresh_token} });
    is($again->{status}, 401, 'the second use is 401');
    is($again->{json}{type}, '/problems/unauthorized', 'unauthorized');
    is($again->{json}{errors}[0]{code}, 'token-reused', 'for that reason');
    is(status($_), 401, 'all access tokens of the log-in are dead')
      for $first->{access_token}, $second->{json}{access},
      $third->{json}{access};
    is(post('/api/token/refresh/', { refresh => $third->{json}{refresh} })
          ->{status},
        401, 'its newest refresh token, too');
    my $other = log_in('bob')->{json};
    is(status($other->{access_token}), 403, 'another log-in is not concerned');
};

subtest 'each type of token in its place' => sub {
    my $json = log_in('bob')->{json};
    is(status($json->{refresh_token}), 401, 'a refresh token opens nothing');
    my $answer =
      post('/api/token/refresh/', { refresh => $json->{access_token} });
    is($answer->{status}, 401, 'an access token refreshes nothing');
    is_deeply($answer->{json}{errors}, [], 'and counts as no reuse');
    is(status($json->{access_token}), 403, 'nothing was revoked');
    is(post('/api/token/refresh/', {})->{status}, 422, 'no token is 422');
    is(post('/api/token/refresh/', { refresh => 'x.y.z' })->{status},
        401, 'no token of ours is 401');
};

subtest 'revoking ends the log-in' => sub {
    for my $which (qw(access_token refresh_token)) {
        my $json   = log_in('bob')->{json};
        my $answer = post('/api/token/revoke/',
            { token => $json->{$which}, token_type_hint => 'access_token' });
        is($answer->{status}, 200, "$which is revoked");
        is($answer->{body}, '{}', 'with an empty object');
        is(status($json->{access_token}), 401, 'on the next request');
        is(
            post('/api/token/refresh/',
                { refresh => $json->{refresh_token} })->{status},
            401,
            'for refreshing, too'
        );
        is(post('/api/token/revoke/', { token => $json->{$which} })->{status},
            200, 'once more is 200');
    }
    is(post('/api/token/revoke/', 'token=unknown')->{status},
        200, 'an unknown token is 200');
    is(post('/api/token/revoke/', {})->{status}, 422, 'none is 422');
};

subtest 'a session of another kind of end' => sub {
    my $json = log_in('erin')->{json};
    $stack->ctl(qw(user disable erin));
    my $answer =
      post('/api/token/refresh/', { refresh => $json->{refresh_token} });
    is($answer->{status}, 401, 'a disabled account refreshes nothing');
    is_deeply($answer->{json}{errors}, [], 'which is no reuse');
    $stack->ctl(qw(user enable erin));
    is(
        post('/api/token/refresh/', { refresh => $json->{refresh_token} })
          ->{status},
        401,
        'and enabling it does not bring its log-in back'
    );
    my $next = log_in('erin')->{json};
    $stack->ctl('user', 'passwd', 'erin', '--password-file',
        "$stack->{dir}/secrets/user-erin");
    is(
        post('/api/token/refresh/', { refresh => $next->{refresh_token} })
          ->{status},
        401,
        'a new password ends the log-ins'
    );
};

# Send the same POST on N connections at once; all their answers.
sub at_once {
    my ($n, $path, $body) = @_;
    my @text = map { JSON::PP::encode_json(ref $body eq 'CODE' ? $body->($_) : $body) }
      1 .. $n;
    my @client = map { $stack->httpd->client } 1 .. $n;
    $_->open_socket for @client;
    for my $i (0 .. $n - 1) {
        syswrite $client[$i]{socket},
            "POST $path HTTP/1.1\r\nHost: 127.0.0.1:$client->{port}\r\n"
          . "Content-Type: application/json\r\nContent-Length: "
          . length($text[$i]) . "\r\n\r\n$text[$i]";
    }
    return map { $_->read_answer } @client;
}

# How often each status occurs in ANSWERS.
sub count {
    my (@answer) = @_;
    my %n;
    $n{ $_->{status} }++ for @answer;
    return \%n;
}

subtest 'of parallel uses of a refresh token exactly one wins' => sub {
    my $rounds = 10;
    my ($won, $lost) = (0, 0);
    for my $round (1 .. $rounds) {
        my $json = log_in('carol')->{json};
        my $n    = count(
            at_once(8, '/api/token/refresh/',
                { refresh => $json->{refresh_token} })
        );
        $won++  if ($n->{200} // 0) == 1 && ($n->{401} // 0) == 7;
        $lost++ if status($json->{access_token}) == 401;
    }
    is($won,  $rounds, "one of 8 in each of $rounds rounds");
    is($lost, $rounds, 'and each time the log-in has ended');
};

subtest 'parallel failures do not slip through' => sub {
    my $n = count(at_once(20, '/token',
        { username => 'nobody-yet', password => 'not this one' }));
    is_deeply($n, { 401 => 5, 429 => 15 }, '5 of 20 are looked at');
    my $right = count(at_once(12, '/token',
        { username => 'carol', password => $password{carol} }));
    is_deeply($right, { 200 => 12 }, '12 right ones are no failure');
};

subtest 'a storm of log-ins is bounded' => sub {
    my $watch  = DataLake::Stopwatch->new;
    my @answer = at_once(60, '/token',
        sub { { username => "nobody$_[0]", password => 'not this one' } });
    my $n = count(@answer);
    is(($n->{401} // 0) + ($n->{503} // 0), 60, '60 at once are 401 or 503');
    cmp_ok($n->{503} // 0, '>', 0, 'those who find no place are told');
    my ($busy) = grep { $_->{status} == 503 } @answer;
    is($busy->{json}{type}, '/problems/overloaded', 'that we are overloaded');
    ok($busy->{headers}{'retry-after'}, 'and when to come back');
    cmp_ok($watch->seconds, '<', 20, 'all of it in bounded time');
    is(log_in('alice')->{status}, 200, 'and the next one gets in');
};

subtest 'a child that dies while it hashes leaves its place' => sub {
    my @client = map { $stack->httpd->client } 1 .. 8;
    for my $try (@client) {
        $try->open_socket;
        my $text = JSON::PP::encode_json(
            { username => "gone$$", password => 'not this one' });
        syswrite $try->{socket},
            "POST /token HTTP/1.1\r\nHost: 127.0.0.1:$client->{port}\r\n"
          . "Content-Type: application/json\r\nContent-Length: "
          . length($text) . "\r\n\r\n$text";
    }
    kill 'KILL', children_of($stack->httpd->{process}{pid});
    $_->close for @client;
    my $begin = time;
    my $answer;
    while (time - $begin < 20) {
        $answer = eval {
            $stack->httpd->client->post('/token',
                { username => 'alice', password => $password{alice} });
        };
        last if $answer && $answer->{status} == 200;
        sleep 0.05;
    }
    is($answer->{status}, 200, 'a log-in finds one');
};

# The children of process PID.
sub children_of {
    my ($pid) = @_;
    my ($text) = slurp("/proc/$pid/task/$pid/children");
    return split ' ', $text;
}

my $log = $stack->httpd->log_text;
unlike($log, qr/\Q$_\E/, 'no password is in the log') for values %password;
unlike($log, qr/eyJhbGciOiJ/, 'no token is in the log');
unlike($log, qr/exit signal (?!Killed)|Sanitizer/, 'no child has crashed');
done_testing;
