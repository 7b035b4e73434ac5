# 15-identity.t - who may call: tokens, accounts, and how fast and how long
# the server's mirror of the accounts holds.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use MIME::Base64 qw(decode_base64url);
use JSON::PP ();
use Time::HiRes qw(sleep time);
use DataLake::Stack;
use DataLake::Stopwatch;

my $stack = DataLake::Stack->new(
    name       => '15-identity',
    mariadb    => 1,
    httpd      => 1,
    users      => { alice => 'user', bob => 'user', carol => 'auditor' },
    directives => "DataLakeIdentityMaxStale 12s\nDataLakeMetricsAllow none\n",
);

# /metrics answers an admin without the warehouse: 401, 403 and 503 say what
# the gate thinks of anybody.
my $PATH = '/metrics';

sub status {
    my ($token) = @_;
    return $stack->httpd->client->get($PATH, token => $token)->{status};
}

# The claims of TOKEN.
sub claims {
    my ($token) = @_;
    return JSON::PP::decode_json(decode_base64url((split /\./, $token)[1]));
}

# Seconds until CODE was asked and true; undef when it is false after LIMIT.
sub seconds_until {
    my ($limit, $code) = @_;
    my $watch = DataLake::Stopwatch->new;
    while (1) {
        my $seconds = $watch->seconds;
        return $seconds if $code->();
        return undef    if $seconds > $limit;
        sleep 0.02;
    }
}

my %token = map { ($_ => $stack->token($_)) } qw(admin alice bob carol);

subtest 'without a token nothing is answered' => sub {
    my $answer = $stack->httpd->client->get($PATH);
    is($answer->{status}, 401, 'no token is 401');
    is($answer->{headers}{'www-authenticate'},
        'Bearer realm="datalake"', 'and no error is named');
    is($answer->{json}{type}, '/problems/unauthorized', 'as a problem');
    my $wrong = $stack->httpd->client->get($PATH, token => 'x.y.z');
    is($wrong->{status}, 401, 'a wrong token is 401');
    is(
        $wrong->{headers}{'www-authenticate'},
        'Bearer realm="datalake", error="invalid_token"',
        'and the error is named'
    );
    delete @$_{qw(instance request_id)} for $answer->{json}, $wrong->{json};
    is_deeply($wrong->{json}, $answer->{json}, 'one body serves both causes');
};

subtest 'the role of the account decides' => sub {
    is(status($token{admin}), 200, 'the admin may');
    my $answer = $stack->httpd->client->get($PATH, token => $token{alice});
    is($answer->{status}, 403, 'a user may not');
    is(
        $answer->{headers}{'www-authenticate'},
        'Bearer error="insufficient_scope"',
        'the header says so'
    );
    is($answer->{json}{missing}, 'role admin', 'the body says what is missing');
    is(status($token{carol}), 403, 'nor may an auditor');
    $stack->ctl(qw(user role alice admin));
    ok(defined seconds_until(1.2, sub { status($token{alice}) == 200 }),
        'a raised role holds within a second, with the old token');
    $stack->ctl(qw(user role alice user));
    ok(defined seconds_until(1.2, sub { status($token{alice}) == 403 }),
        'a lowered one, too');
};

subtest 'a disabled account is out within a second, in every child' => sub {
    is(status($token{bob}), 403, 'bob is known');
    $stack->ctl(qw(user disable bob));
    my $begin = time;
    ok(defined seconds_until(1.2, sub { status($token{bob}) == 401 }),
        'disabled, he is 401');
    my %seen;
    $seen{ status($token{bob}) }++ for 1 .. 100;
    is_deeply([ keys %seen ], [401], '100 times in a row');
    $stack->ctl(qw(user enable bob));
    ok(
        defined seconds_until(
            1.2, sub { status($stack->token('bob')) == 403 }
        ),
        'enabled, he gets in with a new token'
    );
    is(status($token{bob}), 401, 'and the old one stays out');
    $token{bob} = $stack->token('bob');
};

subtest 'a revoked log-in is out, the others of the account stay' => sub {
    my ($one, $other) = map { $stack->token('carol') } 1 .. 2;
    is(status($one), 403, 'both log-ins are known') && status($other);
    $stack->ctl('token', '--revoke', claims($one)->{sid});
    ok(defined seconds_until(1.2, sub { status($one) == 401 }),
        'the revoked one is 401 within a second');
    is(status($other), 403, 'the other one goes on');
    my @more = map { $stack->token('carol') } 1 .. 20;
    $stack->ctl('token', '--revoke', claims($_)->{sid}) for @more[ 1 .. 19 ];
    ok(defined seconds_until(1.2, sub { status($more[19]) == 401 }),
        'of twenty revoked ones the last is out');
    is(scalar(grep { status($_) != 401 } @more[ 1 .. 19 ]),
        0, 'and so are all before it, more than a place remembers');
    is(status($more[0]), 403, 'the one that was spared goes on');
};

subtest 'another child takes the watch when the watching one dies' => sub {
    my ($line) = $stack->httpd->log_text =~ /resuming normal/ or die;
    my @children =
      split ' ', qx(pgrep -P $stack->{httpd_server}{process}{pid});
    kill 'KILL', $children[0];
    sleep 0.3;
    my $alice = $stack->token('alice');
    is(status($alice), 403, 'alice is known');
    $stack->ctl(qw(user disable alice));
    ok(defined seconds_until(7, sub { status($alice) == 401 }),
        'a change after the death of a child still arrives');
    $stack->ctl(qw(user enable alice));
};

subtest 'known accounts go on while the warehouse is away' => sub {
    my $alice = $stack->token('alice');
    my $carol = $stack->token('carol');
    is(status($alice), 403, 'alice is known');
    $stack->add_user('dave', 'user');
    my $dave = $stack->token('dave');
    sleep 0.6;
    $stack->mariadb->kill_now;
    my $begin = time;
    is(status($alice), 403, 'she goes on');
    is(status($dave), 503, 'an account not seen before is 503');
    my @answer = map { $stack->httpd->client->get($PATH, token => $dave) } 1 .. 5;
    my ($answer) = sort { $a->{seconds} <=> $b->{seconds} } @answer;
    is($answer->{json}{type}, '/problems/warehouse-unavailable',
        'the problem says why');
    ok($answer->{headers}{'retry-after'}, 'Retry-After says when');
    ok($answer->{seconds} < 0.1, 'it says so at once');
    $stack->httpd->reload;
    is(status($alice), 403, 'she goes on after a graceful restart');
    ok(defined seconds_until(20, sub { status($alice) == 503 }),
        'after DataLakeIdentityMaxStale it is 503');
    cmp_ok(time - $begin, '>', 11, 'not earlier');
    is($stack->httpd->client->get('/health/live')->{status},
        200, 'public routes answer on');
    $stack->mariadb->start;
    ok(defined seconds_until(10, sub { status($alice) == 403 }),
        'she is back with the warehouse');
    ok(defined seconds_until(10, sub { status($dave) == 403 }),
        'and dave is known now');
};

subtest 'a graceful restart does not forget who is known' => sub {
    $stack->add_user('erin', 'user');    # the newest change there is
    my $erin = $stack->token('erin');
    ok(defined seconds_until(5, sub { status($erin) == 403 }), 'given an account that is known');
    # Its change was applied when changes behind it were: of an account that is
    # known, so that nothing else can have brought them.
    for my $role (qw(admin user)) {
        $stack->ctl(qw(user role alice), $role);
        my $wanted = $role eq 'admin' ? 200 : 403;
        ok(defined seconds_until(5, sub { status($stack->{tokens}{alice} //= $stack->token('alice')) == $wanted }),
            "... and a change behind it that is seen: $role");
    }
    is(status($erin), 403, '... and is known');
    # Changes can be read, accounts cannot: as when the database dies between
    # the two.
    $stack->mariadb->run('RENAME TABLE app_user TO app_user_away');
    $stack->httpd->reload;
    my %said;
    for (1 .. 20) {
        $said{ status($erin) }++;
        sleep 0.1;
    }
    $stack->mariadb->run('RENAME TABLE app_user_away TO app_user');
    is(join(' ', sort keys %said), '403', 'the new children go on with what the old ones knew');
};

unlike($stack->httpd->log_text, qr/exit signal S|Sanitizer/,
    'no child has crashed');

done_testing;
