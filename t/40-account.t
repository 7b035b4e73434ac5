# 40-account.t - accounts: registering in its three ways, one's own account,
# consent, deletion; and bodies, since these routes take the first ones.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use POSIX ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Time::HiRes qw(sleep time);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output);

my $stack = DataLake::Stack->new(
    name       => '40-account',
    mariadb    => 1,
    httpd      => 1,
    users      => { carol => 'user' },
    directives => "DataLakeMetricsAllow none\n",
);
my $client = $stack->httpd->client;
my $db     = $stack->mariadb->dbh('datalake');

my ($TRUE, $FALSE) = (JSON::PP::true, JSON::PP::false);
my $TIME = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

# What /user/register takes for NAME, with MORE.
sub form {
    my ($name, %more) = @_;
    return {
        username      => $name,
        password      => 'correct horse',
        email         => "$name\@example.org",
        consent_given => $TRUE,
        %more
    };
}

sub post { my ($path, $body, %more) = @_; return $client->post($path, $body, %more); }

# The access token of a log-in of NAME.
sub log_in {
    my ($name, $password) = @_;
    my $answer = post('/user/login',
        { username => $name, password => $password // 'correct horse' });
    return $answer->{json} && $answer->{json}{access_token};
}

# The password of NAME, whom the stack made.
sub secret_of {
    my ($name) = @_;
    return slurp("$stack->{dir}/secrets/user-$name") =~ s/\s+\z//r;
}

# Register NAME and log it in.
sub member {
    my ($name, %more) = @_;
    my $answer = post('/user/register', form($name, %more));
    die "register $name: $answer->{body}" if $answer->{status} != 201;
    return log_in($name);
}

sub call {
    my ($method, $path, $token, %more) = @_;
    return $client->request($method, $path, token => $token, %more);
}

# TOKEN as if its password had been given AGE seconds ago.
sub aged {
    my ($token, $age) = @_;
    my ($secret) = slurp("$stack->{dir}/secrets/token.key") =~ /^(\S+)/;
    my ($head, $payload) = split /\./, $token;
    my $claims = JSON::PP::decode_json(decode_base64url($payload));
    $claims->{auth_time} = int(time) - $age;
    my $text = "$head." . encode_base64url(JSON::PP::encode_json($claims));
    return "$text." . encode_base64url(hmac_sha256($text, $secret));
}

# How often each status came when PROCESSES clients of their own called CODE
# TIMES times each, all from the same moment on; CODE gets a client, the number
# of the process and that of the call.
sub storm {
    my ($processes, $times, $code) = @_;
    pipe my $start_read, my $start_write or die "pipe: $!\n";
    my @reader;
    for my $process (1 .. $processes) {
        pipe my $read, my $write or die "pipe: $!\n";
        my $pid = fork // die "fork: $!\n";
        if ($pid == 0) {
            close $start_write;
            my $own = $stack->httpd->client;
            $own->get('/health/live');
            sysread $start_read, my $go, 1;
            my %count;
            $count{ $code->($own, $process, $_) }++ for 1 .. $times;
            syswrite $write, join ' ', %count;
            POSIX::_exit(0);
        }
        push @reader, [ $pid, $read ];
    }
    close $start_write;
    my %count;
    for (@reader) {
        my ($pid, $read) = @$_;
        waitpid $pid, 0;
        sysread $read, my $text, 4096;
        my %part = split ' ', $text;
        $count{$_} += $part{$_} for keys %part;
    }
    return \%count;
}

# "pointer code" of each entry of ANSWER's errors.
sub faults {
    my ($answer) = @_;
    return [ map { ($_->{pointer} // $_->{parameter}) . " $_->{code}" }
          @{ $answer->{json}{errors} } ];
}

subtest 'registering' => sub {
    my $answer = post('/user/register', form('alice'));
    is($answer->{status}, 201, 'the form is 201');
    like($answer->{json}{created_at}, $TIME, 'with a time');
    like(delete $answer->{json}{id},  qr/^\d+$/, 'and an id');
    delete $answer->{json}{created_at};
    is_deeply(
        $answer->{json},
        {
            username      => 'alice',
            email         => 'alice@example.org',
            is_active     => $TRUE,
            consent_given => $TRUE
        },
        'and nothing more'
    );
    for my $path ('/v1/register', '/register/') {
        my $name = 'open' . length $path;
        my $open =
          post($path, { username => $name, password => 'correct horse' });
        is($open->{status},        201,            "$path is 201");
        is($open->{json}{message}, 'User created', 'with its message');
        is($open->{json}{email},   undef,          'without an address');
        is($open->{json}{consent_given}, $TRUE, 'and consent by policy');
    }
    my ($role, $hash) =
      $db->selectrow_array('SELECT role, password_hash FROM app_user'
          . " WHERE username = 'alice'");
    is($role, 'user', 'the role is user');
    like($hash, qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, 'the hash Argon2id');
    is_deeply(
        $db->selectcol_arrayref(
            'SELECT source FROM consent_event e JOIN app_user u'
              . ' ON u.id = e.user_id WHERE u.username IN (?, ?) ORDER BY e.id',
            undef, 'alice', 'open12'
        ),
        [qw(form policy)],
        'consent is remembered with how it came'
    );
    ok(log_in('alice'), 'and it can log in');
};

subtest 'what a registration must be' => sub {
    my @mail = (email => 'alice@example.com');
    my @case = (
        [ {},                          '/email required /password required'
              . ' /username required', 'nothing' ],
        [ form('ab'),                  '/username too-short', 'two letters' ],
        [ form('x' x 101),             '/username too-long',  '101 letters' ],
        [ form('al ice', @mail),              '/username not-allowed', 'a space' ],
        [ form("al\x{202E}ice", @mail),       '/username control-character',
            'a bidi character' ],
        [ form("al\nice", @mail),             '/username control-character',
            'a newline' ],
        [ form("al\0ice", @mail),             '/username control-character', 'a NUL' ],
        [ form('älice', @mail),               '/username not-allowed', 'an umlaut' ],
        [ form('bob', password => 'short'), '/password too-short',
            'seven bytes' ],
        [ form('bob', password => 'x' x 257), '/password too-long',
            '257 bytes' ],
        [ form('bob', password => "correct\0horse"), '/password not-allowed',
            'a NUL in the password' ],
        [ form('bobbobbob', password => 'bobbobbob'), '/password not-allowed',
            'the name as password' ],
        [ form('bob', role => 'admin'), '/role unknown',     'a role' ],
        [ form('bob', is_admin => $TRUE), '/is_admin unknown', 'is_admin' ],
        [ form('bob', id => 1),         '/id unknown',        'an id' ],
        [ form('bob', 'a/b~c' => 1),    '/a~1b~0c unknown',   'a strange name' ],
        [ form('bob', email => 'no address'), '/email not-allowed',
            'no address' ],
        [ form('bob', email => 'a@b'), '/email not-allowed', 'a bare host' ],
        [ form('bob', email => "a\@b.c\r\nBcc: x"), '/email control-character',
            'a header in the address' ],
        [ form('bob', first_name => 'x' x 101), '/first_name too-long',
            'a long first name' ],
        [ form('bob', first_name => 7), '/first_name wrong-type', 'a number' ],
        [ form('bob', consent_given => 'true'), '/consent_given wrong-type',
            'consent as text' ],
        [ form('bob', username => undef), '/username wrong-type', 'a null' ],
        [
            form('x', password => 'y', role => 'z'),
            '/password too-short /role unknown /username too-short',
            'three faults at once'
        ],
    );
    for (@case) {
        my ($body, $want, $name) = @$_;
        my $answer = post('/user/register', $body);
        is($answer->{status}, 422, "$name is 422");
        is($answer->{json}{type}, '/problems/validation', 'validation');
        is(join(' ', sort @{ faults($answer) }), $want, 'where and why');
    }
    for my $body (form('bob', consent_given => $FALSE),
        { map { $_ => form('bob')->{$_} } qw(username password email) })
    {
        my $answer = post('/user/register', $body);
        is($answer->{status}, 422, 'without consent is 422');
        is($answer->{json}{type}, '/problems/consent-required', 'of its type');
        is_deeply(faults($answer), ['/consent_given consent-required'],
            'at its member');
    }
    is(post('/v1/register', form('withheld', consent_given => $FALSE))
          ->{json}{consent_given},
        $FALSE, 'the open way may say no');
    is(post('/user/register', form('müller'))->{status},
        422, 'umlauts are no name');
    my $answer = post('/user/register',
        form('mueller', first_name => 'ü' x 100, address => '日本' x 127));
    is($answer->{status}, 201, 'but may be 100 characters of a first name');
};

subtest 'a name is taken once' => sub {
    for my $body (
        form('alice'),
        form('ALICE', email => 'x@example.org'),
        form('alice2', email => 'Alice@Example.ORG')
      )
    {
        my $answer = post('/user/register', $body);
        is($answer->{status}, 409, 'a name or an address without case is 409');
        is($answer->{json}{type}, '/problems/conflict', 'conflict');
    }
};

subtest 'bodies' => sub {
    my $raw = sub {
        my ($body, %header) = @_;
        return $client->post('/user/register', $body,
            headers => { 'Content-Type' => 'application/json', %header });
    };
    my @json = (
        [ '',                      0,  'nothing' ],
        [ '{"a":1',                6,  'a cut-off text' ],
        [ "\xEF\xBB\xBF{}",        0,  'a byte order mark' ],
        [ "{\"a\":\"\0\"}",        6,  'a NUL' ],
        [ '{"a":1,"a":2}',         7,  'a member twice' ],
        [ '{"a":1,"\u0061":2}',    7,  'a member twice, escaped' ],
        [ '{"a":"\ud800"}',        6,  'a lone surrogate' ],
        [ "{\"a\":\"\xC3\x28\"}",  6,  'bad UTF-8' ],
        [ '{"a":NaN}',             5,  'NaN' ],
        [ '{"a":' . '[' x 64 . ']' x 64 . '}', 68, '65 levels' ],
        [ '{"a":[' . join(',', (1) x 9999) . ']}', 20002, '10,001 values' ],
        [ '{} {}',                 3,  'two values' ],
        [ "{'a':1}",               1,  'single quotes' ],
    );
    for (@json) {
        my ($body, $offset, $name) = @$_;
        my $answer = $raw->($body);
        is($answer->{status}, 400, "$name is 400");
        is($answer->{json}{type}, '/problems/malformed-json', 'malformed-json');
        is($answer->{json}{offset}, $offset, 'at its byte');
        ok(length $answer->{json}{reason}, 'with a reason');
    }
    for (qw([] 1 "x" null)) {
        my $answer = $raw->($_);
        is($answer->{status}, 422, "$_ is 422");
        is_deeply(faults($answer)->[0], ' wrong-type', 'the whole is wrong');
    }
    is($raw->('{"consent_given":1e400}')->{status}, 422, '1e400 is 422');
    my %type = (
        'text/plain'                        => 415,
        'application/x-www-form-urlencoded' => 415,
        'application/jsonx'                 => 415,
        'application/json; charset=latin1'  => 415,
        'application/json; charset=UTF-8'   => 422,
        'APPLICATION/JSON;charset="utf-8"'  => 422,
        ''                                  => 415,
    );
    for my $type (sort keys %type) {
        my $answer = $raw->('{}', 'Content-Type' => $type);
        is($answer->{status}, $type{$type}, "type \"$type\" is $type{$type}");
        is($answer->{headers}{'accept-post'},
            $type{$type} == 415 ? 'application/json' : undef, 'Accept-Post');
    }
    my $none = $client->request('POST', '/user/register');
    is($none->{status}, 415, 'no body is 415');
    for my $encoding (qw(gzip identity br)) {
        is($raw->('{}', 'Content-Encoding' => $encoding)->{status},
            415, "Content-Encoding $encoding is 415");
    }
    is($raw->('{"a":"' . 'x' x 65528 . '"}')->{status},
        422, '65536 bytes are read');
    my $big = $raw->('{"a":"' . 'x' x 65529 . '"}');
    is($big->{status}, 413, 'one more is 413');
    is($big->{headers}{connection}, 'close', 'and ends the connection');
    my $chunk = sprintf "%x\r\n%s\r\n", 30000, ' ' x 30000;
    for my $n (2, 3) {
        my $answer = $client->exchange("POST /user/register HTTP/1.1\r\n"
              . "Host: x\r\nContent-Type: application/json\r\n"
              . "Transfer-Encoding: chunked\r\n\r\n"
              . $chunk x $n
              . "0\r\n\r\n");
        is($answer->{status}, $n == 2 ? 400 : 413, "$n chunks of 30000");
        $client->close;
    }
    for (
        [ 415, 'POST /user/register', 'Content-Encoding: gzip' ],
        [ 413, 'POST /user/register', 'X: y' ],
        [ 415, 'POST /v1/register',   'Content-Type: text/plain' ],
        [ 401, 'PATCH /user/me',      'X: y' ],
        [ 405, 'PUT /user/me',        'X: y' ],
        [ 404, 'POST /nowhere',       'X: y' ],
      )
    {
        my ($status, $what, $header) = @$_;
        for my $framing ('Content-Length: 5000000', 'Transfer-Encoding: chunked')
        {
            my $type =
              $header =~ /^Content-Type/ ? '' : "Content-Type: application/json\r\n";
            $client->close;
            my $answer =
              $client->exchange("$what HTTP/1.1\r\nHost: x\r\n$type"
                  . "$header\r\n$framing\r\n\r\n"
                  . ($framing =~ /chunked/ ? '200000' . "\r\n" : '')
                  . ' ' x 70_000);
            is($answer->{status}, $status,
                "$what, $header, far too long ($framing): $status");
        }
        $client->close;
    }
    is(call(GET => '/user/me', '', body => '{}')->{status},
        401, 'a body where none is expected comes after the token');
    is(call(DELETE => '/user/me', log_in('alice'), body => '{}')->{status},
        400, 'and is 400 with one');
};

subtest 'one\'s own account' => sub {
    my $token = member('dora', first_name => 'Dora');
    is(call(GET => '/user/me', '')->{status}, 401, 'without a token it is 401');
    my $me = call(GET => '/user/me', $token);
    is($me->{status}, 200, 'with one 200');
    like(delete $me->{json}{$_}, $TIME, $_)
      for qw(created_at consent_date last_login_at);
    delete $me->{json}{id};
    is_deeply(
        $me->{json},
        {
            username        => 'dora',
            email           => 'dora@example.org',
            first_name      => 'Dora',
            last_name       => undef,
            address         => undef,
            role            => 'user',
            is_active       => $TRUE,
            consent_given   => $TRUE,
            consent_version => 'v1.0'
        },
        'and all that is known, but no hash'
    );
    my $etag = $me->{headers}{etag};
    is(
        call(GET => '/user/me', $token, headers => { 'If-None-Match' => $etag })
          ->{status},
        304,
        'which has not changed'
    );
    my $patch = call(
        PATCH => '/user/me',
        $token, body => { last_name => 'Ümlaut', first_name => undef }
    );
    is($patch->{status}, 200, 'PATCH is 200');
    is($patch->{json}{last_name},  'Ümlaut', 'and changes what was sent');
    is($patch->{json}{first_name}, undef,    'null empties it');
    is($patch->{json}{email}, 'dora@example.org', 'the rest stays');
    my %wrong = (
        '{}'                         => ' required',
        '{"role":"admin"}'           => '/role unknown',
        '{"username":"x"}'           => '/username unknown',
        '{"email":"x"}'              => '/email too-short',
        '{"email":"xxx"}'            => '/email not-allowed',
        '{"password":"a new horse"}' => '/current_password required',
        '{"current_password":"x"}'   => '/password required',
    );
    for my $body (sort keys %wrong) {
        my $answer = call(
            PATCH => '/user/me',
            $token, body => $body,
            headers => { 'Content-Type' => 'application/json' }
        );
        is($answer->{status}, 422, "$body is 422");
        is_deeply(faults($answer), [ $wrong{$body} ], 'where and why');
    }
    is(
        call(
            PATCH => '/user/me',
            $token, body => { email => 'ALICE@example.org' }
        )->{status},
        409,
        'another\'s address is 409'
    );
    is(
        call(
            PATCH => '/user/me',
            $token, body => { email => 'DORA@example.org' }
        )->{status},
        200,
        'one\'s own is not'
    );
    is(call(PUT => '/user/me', $token)->{status}, 405, 'PUT is 405');
};

subtest 'a change of a state that is known' => sub {
    my $token = member('fanny');
    my $send  = sub {
        my ($method, $path, $match, @body) = @_;
        return call(
            $method, $path, $token,
            headers => { 'If-Match' => $match },
            @body
        )->{status};
    };
    for (
        [ PATCH => '/user/me',         { last_name => 'F' } ],
        [ PUT   => '/user/me/consent', { consent_given => $FALSE } ]
      )
    {
        my ($method, $path, $body) = @$_;
        my $etag = call(GET => $path, $token)->{headers}{etag};
        is($send->($method, $path, '"other"', body => $body),
            412, "$method $path of another state is 412");
        is($send->($method, $path, "W/$etag", body => $body),
            412, 'of a weak one too');
        is(call(GET => $path, $token)->{headers}{etag}, $etag,
            'and changes nothing');
        is($send->($method, $path, "\"other\", $etag", body => $body),
            200, 'of the present one 200');
        is($send->($method, $path, $etag, body => $body),
            412, 'and that is gone');
        is($send->($method, $path, '*', body => $body), 200, 'any is 200');
    }
    is($send->(DELETE => '/user/me', '"other"'), 412,
        'DELETE of another state is 412');
    is($send->(DELETE => '/user/me',
            call(GET => '/user/me', $token)->{headers}{etag}),
        202, 'of the present one 202');
};

subtest 'a new password ends every log-in at once' => sub {
    my @token = (member('erna'), map { log_in('erna') } 1 .. 2);
    my $answer = call(
        PATCH => '/user/me',
        $token[0],
        body => { password => 'another horse', current_password => 'wrong one' }
    );
    is($answer->{status}, 401, 'a wrong current password is 401');
    is($answer->{json}{type}, '/problems/invalid-credentials',
        'invalid-credentials');
    is(call(GET => '/user/me', $token[1])->{status}, 200, 'and changes nothing');
    $answer = call(
        PATCH => '/user/me',
        $token[0],
        body =>
          { password => 'another horse', current_password => 'correct horse' }
    );
    is($answer->{status}, 200, 'the right one is 200');
    my %seen;
    $seen{ call(GET => '/user/me', $token[ $_ % 3 ])->{status} }++ for 1 .. 60;
    is_deeply(\%seen, { 401 => 60 }, 'and all tokens are out, in every child');
    is(log_in('erna'), undef, 'the old password is none');
    ok(log_in('erna', 'another horse'), 'the new one is');
};

subtest 'consent' => sub {
    my $token = member('frida');
    my $read  = call(GET => '/user/me/consent', $token);
    is($read->{status}, 200, 'it can be read');
    is($read->{json}{consent_given}, $TRUE, 'and stands');
    is(scalar @{ $read->{json}{history} }, 1, 'with one decision');
    is($read->{json}{history}[0]{source}, 'form', 'by form');
    is(call(GET => '/api/resources/', $token)->{status}, 200,
        'with it other routes answer');
    my $put = sub {
        return call(
            PUT => '/user/me/consent',
            $token, body => { consent_given => $_[0] }
        );
    };
    my $withdrawn = $put->($FALSE);
    is($withdrawn->{status}, 200, 'it can be withdrawn');
    is($withdrawn->{json}{consent_given}, $FALSE, 'and is');
    is_deeply(
        [ map { $_->{source} } @{ $withdrawn->{json}{history} } ],
        [qw(user form)], 'with its history, newest first'
    );
    my %seen;
    $seen{ call(GET => '/api/resources/', $token)->{status} }++ for 1 .. 40;
    is_deeply(\%seen, { 403 => 40 }, 'then other routes are 403, in each child');
    my $answer = call(GET => '/api/resources/', $token);
    is($answer->{json}{type}, '/problems/consent-required', 'consent-required');
    is($answer->{json}{errors}[0]{code}, 'consent-required', 'with its code');
    is(call(GET => '/user/me', $token)->{status}, 200, 'but not one\'s own');
    is($put->($FALSE)->{json}{history}[1]{source}, 'form',
        'the same again is no new decision');
    is($put->($TRUE)->{status}, 200, 'it can be given again');
    is(call(GET => '/api/resources/', $token)->{status}, 200,
        'and all is as before');
    is(call(PUT => '/user/me/consent', $token, body => {})->{status},
        422, 'nothing is no decision');
};

subtest 'deletion' => sub {
    my $token  = member('greta');
    my $second = log_in('greta');
    my $answer = call(DELETE => '/user/me', $token);
    is($answer->{status}, 202, 'it is 202');
    is($answer->{json}{state}, 'pending', 'pending');
    like($answer->{json}{erase_after}, $TIME, 'with a time');
    is($answer->{headers}{location}, "/api/jobs/$answer->{json}{job_id}",
        'and a job');
    is(call(DELETE => '/user/me', $_)->{status}, 401, 'then its tokens are 401')
      for $token, $second;
    is(log_in('greta'), undef, 'it cannot log in');
    is(post('/user/register', form('greta'))->{status},
        409, 'its name stays taken');
    my $job = $db->selectrow_hashref('SELECT j.*, u.erase_after,'
          . ' TIMESTAMPDIFF(DAY, u.deleted_at, u.erase_after) days'
          . ' FROM job j JOIN app_user u ON u.id = j.created_by WHERE j.id = ?',
        undef, $answer->{json}{job_id});
    is($job->{kind},  'erase',  'the job erases');
    is($job->{state}, 'queued', 'and waits');
    is($job->{not_before}, $job->{erase_after}, 'for the end of the grace');
    is($job->{days}, 30, 'of 30 days');
    is($job->{parameters}, "{\"user_id\":$job->{created_by}}", 'for whom');
    $stack->ctl(qw(user undelete greta));
    ok(log_in('greta'), 'taken back, it can log in');
    is(call(GET => '/user/me', $second)->{status}, 401,
        'but its old tokens stay out');
    is(
        $db->selectrow_array('SELECT state FROM job WHERE id = ?',
            undef, $answer->{json}{job_id}),
        'cancelled',
        'and nothing will be erased'
    );
    is(call(DELETE => '/user/me', $stack->token('admin'))->{status},
        409, 'the last administrator stays');
};

subtest '1,000 registrations of one name at once' => sub {
    for my $case (
        [ 'one name', sub { form('Storm', email => "s$_[0]x$_[1]\@example.org") } ],
        [ 'one address', sub { form("s$_[0]x$_[1]", email => 'one@example.org') } ],
        [ 'one name in many cases',
            sub { form($_[0] % 2 ? 'TORNADO' : 'tornado', email => "t$_[0]x$_[1]\@example.org") } ],
      )
    {
        my ($name, $body) = @$case;
        my $count = storm(
            50, 20,
            sub {
                my ($own, @numbers) = @_;
                my $answer;
                for my $try (1 .. 2000) {
                    $answer =
                      $own->post('/user/register', $body->(@numbers));
                    last if $answer->{status} != 503;
                    return 'no Retry-After' if !$answer->{headers}{'retry-after'};
                    sleep 0.05;    # the two places for hashes are taken
                }
                return $answer->{status};
            }
        );
        is_deeply($count, { 201 => 1, 409 => 999 },
            "$name: one 201, 999 409, nothing else");
    }
    my ($n) = $db->selectrow_array('SELECT COUNT(*) FROM app_user'
          . " WHERE username IN ('storm', 'tornado') OR email = 'one\@example.org'");
    is($n, 3, 'three accounts were made');
    is($stack->httpd->log_text =~ /DL1011.*INTERNAL/ ? 1 : 0, 0,
        'no mistake of the server');
};

subtest 'a log-in under way does not outlive a new password' => sub {
    member('jan');
    $db->begin_work;
    $db->selectrow_array(
        "SELECT id FROM app_user WHERE username = 'jan' FOR UPDATE");
    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {    # the password is right, the account is locked
        my $answer = $stack->httpd->client->post('/user/login',
            { username => 'jan', password => 'correct horse' });
        syswrite $write, "$answer->{status} $answer->{json}{type}";
        POSIX::_exit(0);
    }
    my $watch = $stack->mariadb->dbh('datalake');
    wait_until('it waits for the lock', sub {
        ($watch->selectrow_array("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[1];
    });
    $db->do("UPDATE app_user SET password_hash = 'x', epoch = epoch + 1"
          . " WHERE username = 'jan'");
    $db->commit;
    waitpid $pid, 0;
    sysread $read, my $told, 100;
    is($told, '401 /problems/invalid-credentials',
        'a password that was right a moment ago is 401');
};

subtest 'a change that meets another one is made all the same' => sub {
    my $token = member('ida');
    $db->begin_work;
    $db->do('INSERT INTO app_user (username, password_hash, email, created_at)'
          . " VALUES ('other', 'x', 'both\@example.org', UTC_TIMESTAMP(6))");
    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {    # holds its account, waits for the address
        my $answer = $stack->httpd->client->request(
            'PATCH', '/user/me',
            token => $token,
            body  => { email => 'both@example.org' }
        );
        syswrite $write, $answer->{status};
        POSIX::_exit(0);
    }
    my $watch = $stack->mariadb->dbh('datalake');
    wait_until('it waits for the lock', sub {
        ($watch->selectrow_array("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[1];
    });
    my $deadlocks = sub {
        return ($watch->selectrow_array(
            "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"))[1];
    };
    my $before = $deadlocks->();
    $db->do("UPDATE app_user SET epoch = epoch + 1 WHERE username = 'ida'");
    is($deadlocks->() - $before, 1, 'the database ends the request\'s change');
    $db->rollback;
    waitpid $pid, 0;
    sysread $read, my $status, 10;
    is($status, 200, 'which is made again and is 200');
    is(call(GET => '/user/me', $token)->{json}{email},
        'both@example.org', 'and holds');
};

subtest 'the export' => sub {
    my $token = member('hanna', first_name => 'Hanna');
    for my $given ($FALSE, $TRUE) {
        call(
            PUT => '/user/me/consent',
            $token, body => { consent_given => $given }
        );
    }
    my ($id) = $db->selectrow_array(
        "SELECT id FROM app_user WHERE username = 'hanna'");
    $db->do('INSERT INTO consent_event (user_id, consent_given,'
          . ' consent_version, at, source)'
          . ' SELECT ?, TRUE, \'v1.0\', UTC_TIMESTAMP(6), \'user\''
          . ' FROM information_schema.columns LIMIT 997', undef, $id);
    $db->do(
        'INSERT INTO access_grant (user_id, resource, access, granted_at)'
          . ' VALUES (?, ?, \'read\', UTC_TIMESTAMP(6))',
        undef, $id, sprintf 'transaction_log/2026-%02d-%02d.json',
        1 + $_ / 28, 1 + $_ % 28
    ) for 0 .. 119;
    $db->do(
        'INSERT INTO job (id, kind, created_by, created_at, parameters)'
          . ' VALUES (UUID(), \'train\', ?, UTC_TIMESTAMP(6), \'{"x":[1]}\')',
        undef, $id
    ) for 1 .. 21;
    $db->do(
        'INSERT INTO audit_entry (id, `timestamp`, user, user_id, address, method,'
          . ' endpoint, body, action, status, bytes, duration_ms, request_id,'
          . ' chain, sequence) VALUES (?, UTC_TIMESTAMP(6), ?, ?, \'::1\', \'GET\','
          . ' \'/x\', ?, \'read\', 200, 1, 1, \'r\', \'test\', ?)',
        undef, @$_
    ) for map { [ $_, 'hanna', $id, "\x01" x 4096, $_ ] } 1 .. 300;
    $db->do(
        'INSERT INTO audit_entry (id, `timestamp`, user, user_id, address, method,'
          . ' endpoint, action, status, bytes, duration_ms, request_id,'
          . ' chain, sequence) VALUES (301, UTC_TIMESTAMP(6), \'alice\', 1, \'::1\','
          . ' \'GET\', \'/secret\', \'read\', 200, 1, 1, \'r\', \'test\', 301)'
    );
    my ($grants) = $db->selectrow_array(
        'SELECT COUNT(*) FROM access_grant WHERE user_id = ?', undef, $id);
    my $answer = call(GET => '/user/me/export', $token);
    is($answer->{status}, 200, 'it is 200');
    is($answer->{headers}{'content-disposition'},
        'attachment; filename="datalake-account.json"', 'an attachment');
    is($answer->{headers}{'transfer-encoding'}, 'chunked', 'streamed');
    is_deeply(
        [ sort keys %{ $answer->{json} } ],
        [
            qw(account audit consents exported_at grants jobs quota
              visualizations)
        ],
        'of all that is kept'
    );
    my $export = $answer->{json};
    is($export->{account}{first_name}, 'Hanna', 'the account');
    unlike($answer->{body}, qr/argon2|password_hash/, 'without its hash');
    is(scalar @{ $export->{consents} }, 1000,
        'all decisions, twenty full pages');
    my %seen = map { $_->{resource} => 1 } @{ $export->{grants} };
    is(scalar keys %seen, $grants, 'all grants');
    is(scalar @{ $export->{grants} }, $grants, 'each once');
    is(scalar @{ $export->{jobs} }, 21, 'all jobs');
    is_deeply($export->{jobs}[0]{parameters}, { x => [1] }, 'as they were asked');
    my %entry = map { $_->{id} => $_ }
      grep { $_->{endpoint} eq '/x' } @{ $export->{audit} };
    is(scalar keys %entry, 300, 'all entries of the audit log');
    is((values %entry)[0]{body}, "\x01" x 4096, 'whole');
    unlike($answer->{body}, qr{/secret}, 'but none of others');
    ok($export->{quota}{limit} > 0, 'the quota');
    my $head = $client->head('/user/me/export', token => $token);
    is($head->{status}, 200, 'HEAD is 200');
    is($head->{body},   '',  'without a body');
    is(call(GET => '/user/me/export', $token, headers => { Accept => 'text/csv' })
          ->{status}, 406, 'there is no CSV of it');
};

subtest 'a log-in of more than 5 minutes' => sub {
    my $old = aged(log_in('alice'), 301);
    is(call(GET => '/user/me', $old)->{status}, 200, 'is good for reading');
    for ([ DELETE => '/user/me' ], [ GET => '/user/me/export' ]) {
        my ($method, $path) = @$_;
        my $answer = call($method, $path, $old);
        is($answer->{status}, 401, "but for $method $path it is 401");
        is($answer->{json}{type}, '/problems/reauthentication-required',
            'reauthentication-required');
        is($answer->{headers}{'www-authenticate'}, 'Bearer', 'Bearer');
    }
    my $young = aged(log_in('alice'), 290);
    is(call(GET => '/user/me/export', $young)->{status},
        200, 'one of less is good for both');
};

subtest 'consent withheld by the operator' => sub {
    my $httpd = $stack->httpd;
    local $httpd->{directives} =
      $httpd->{directives} . "DataLakeConsentPolicy withheld\n";
    $httpd->reload;
    my $answer;
    for (1 .. 50) {    # a child of the former generation may take a few
        $client->close;
        $answer = post('/v1/register',
            { username => "withheld$_", password => 'correct horse' });
        last if $answer->{status} != 201 || !$answer->{json}{consent_given};
    }
    is($answer->{status}, 201, 'a registration without a word is 201');
    is($answer->{json}{consent_given}, $FALSE, 'without consent');
    my $token = log_in($answer->{json}{username});
    is(call(GET => '/api/resources/', $token)->{status}, 403,
        'other routes are 403');
    is(
        call(PUT => '/user/me/consent', $token, body => { consent_given => $TRUE })
          ->{status},
        200,
        'until it is given'
    );
    is(call(GET => '/api/resources/', $token)->{status}, 200, 'then they answer');
    is(
        post(
            '/v1/register',
            {
                username      => 'willing',
                password      => 'correct horse',
                consent_given => $TRUE
            }
        )->{json}{consent_given},
        $TRUE,
        'who says yes has said it'
    );
};
$stack->httpd->reload;

subtest 'the database dies under registrations' => sub {
    my $pid = slurp("$stack->{dir}/run/mariadb.pid");
    my $killer = fork // die "fork: $!\n";
    if ($killer == 0) {
        sleep 0.01 while (-s "$stack->{dir}/made" // 0) < 300;
        kill KILL => $pid;
        POSIX::_exit(0);
    }
    my $made  = "$stack->{dir}/made";
    # Far more than are made before the killer has looked: behind it they are
    # refused at once.
    my $count = storm(
        10, 300,
        sub {
            my ($own, @numbers) = @_;
            my $name   = "crash$numbers[0]x$numbers[1]";
            my $answer = $own->post('/user/register', form($name));
            if ($answer->{status} == 201) {
                open my $out, '>>', $made or die "$made: $!\n";
                syswrite $out, "$name\n";
            }
            return $answer->{status};
        }
    );
    waitpid $killer, 0;
    is_deeply([ sort keys %$count ], [ 201, 503 ], 'the answers are 201 and 503')
      or diag explain $count;
    is(post('/user/register', form('nobody'))->{status}, 503,
        'a registration is 503');
    $stack->mariadb->start;
    $db = $stack->mariadb->dbh('datalake');
    ok(wait_until('a log-in', sub { log_in('carol', secret_of('carol')) }),
        'it comes back');
    my %there = map { ($_->[0] => $_) } @{
        $db->selectall_arrayref(
            'SELECT username, (SELECT COUNT(*) FROM consent_event e'
              . ' WHERE e.user_id = u.id), (SELECT COUNT(*) FROM access_grant g'
              . ' WHERE g.user_id = u.id), (SELECT COUNT(*) FROM identity_change c'
              . " WHERE c.user_id = u.id) FROM app_user u"
              . " WHERE username LIKE 'crash%'"
        )
    };
    my @lost = grep { !$there{$_} } split /\n/, slurp($made);
    is_deeply(\@lost, [], 'each account that was answered is there');
    my %shape = map { (join(' ', @{$_}[ 1 .. 3 ]) => 1) } values %there;
    is(scalar keys %shape, 1, 'and each that is there is whole')
      or diag explain \%shape;
    cmp_ok(keys(%there) - $count->{201}, '<=', 10,
        'at most one of each client is there without its answer');
};

done_testing;
