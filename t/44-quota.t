# 44-quota.t - how often a caller may call: what counts, for whom, what the
# answer tells, and that nothing but the end of the window brings calls back.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Httpd;
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $REMOTEIP = DataLake::Httpd::MODULES . '/mod_remoteip.so';

my $stack = DataLake::Stack->new(
    name    => '44-quota',
    mariadb => 1,
    httpd   => {
        server => "LoadModule remoteip_module \"$REMOTEIP\"\n"
          . "RemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1\n"
    },
    quota      => 1,
    users      => { alice => 'user', bob => 'user', carol => 'auditor' },
    grants     => { bob => [qw(transaction_log raw* network_logs)] },
    directives => <<'CONF',
DataLakeQuota /api/resources/ user 7/1h
DataLakeQuota /api/resources/ anonymous 3/1h
DataLakeQuota /api/audit/version user 1000/1h rows=100000 bytes=4K
DataLakeQuota /api/access user 1000/1h rows=5
CONF
);
my $R = '/api/resources/';

# The answer to GET PATH for NAME (undef: nobody), from ADDRESS.
sub get {
    my ($name, $path, %more) = @_;
    my $client = $stack->client($name);
    my @header = $more{address} ? ('X-Client' => $more{address}) : ();
    return $client->request(
        $more{method} // 'GET', $path,
        headers => [ @header, @{ $more{headers} // [] } ],
        defined $more{token} ? (token => $more{token}) : ()
    );
}

# What RateLimit says is left; undef without that field.
sub left {
    my ($answer) = @_;
    return ($answer->{headers}{ratelimit} // '') =~ /;r=(\d+);/ ? $1 : undef;
}

sub policy { my ($answer) = @_; return $answer->{headers}{'ratelimit-policy'}; }

subtest 'a counted answer tells the limit, what is left, and until when' => sub {
    my $first = get('alice', $R);
    is($first->{status}, 200, 'the first call passes');
    is(policy($first), '"hour";q=7;w=3600', 'RateLimit-Policy is the limit');
    like($first->{headers}{ratelimit}, qr/^"hour";r=6;t=3(?:600|59\d)$/,
        'RateLimit is what is left of it');
    ok(!exists $first->{headers}{'retry-after'}, 'there is nothing to wait for');
    is(left(get('alice', $R)), 5, 'the next one has one less');
    is(left(get('bob', $R)), 6, 'another account has its own');
};

subtest 'what counts' => sub {
    is(left(get('alice', "$R?nonsense=1")), 4, 'an error counts');
    is(left(get('alice', $R, method => 'HEAD')), 3, 'HEAD counts');
    my $options = get('alice', $R, method => 'OPTIONS');
    is(left($options), undef, 'OPTIONS does not');
    is(left(get('alice', '/v1/me/quota')), undef, 'nor does /v1/me/quota');
    is(left(get('admin', '/metrics')),     undef, 'nor /metrics');
    is(left(get('alice', '/health/live')), undef, 'nor a public route');
    is(left(get('alice', '/no/such/route')), undef, 'nor what is no route');
    is(left(get('alice', $R)), 2, 'all that took nothing');
};

subtest 'when nothing is left it is 429 until the window ends' => sub {
    get('alice', $R) for 1 .. 2;
    my $answer = get('alice', $R);
    is($answer->{status}, 429, 'the eighth call is refused');
    is($answer->{json}{type}, '/problems/quota-exceeded', 'as a problem');
    like($answer->{headers}{ratelimit}, qr/^"hour";r=0;t=\d+$/, 'nothing left');
    my ($t) = $answer->{headers}{ratelimit} =~ /t=(\d+)/;
    is($answer->{headers}{'retry-after'}, $t, 'Retry-After is the end');
    cmp_ok($t, '>', 3500, '... which is an hour after the first call');
    is(get('alice', "$R?nonsense=1")->{status}, 429, 'quota before parameters');
    is(get('alice', $R, method => 'HEAD')->{status}, 429, 'HEAD helps nothing');
    is(get('alice', '/api/audit/resources/?dataset=transaction_log')->{status} =~ /^4(?!29)|^200/ ? 1 : 0,
        1, 'routes of another policy go on');
    is(get('alice', $R, token => $stack->token('alice'))->{status},
        429, 'a new token helps nothing');
    is(get('alice', $R, headers => [ 'X-Forwarded-For' => '203.0.113.77' ])
          ->{status},
        429, 'nor does X-Forwarded-For');
    is(get('alice', $R, address => '203.0.113.78')->{status},
        429, 'nor another address');
};

subtest 'without a token the address counts, refused or not' => sub {
    my @from = (address => '203.0.113.9');
    my $answer = get(undef, $R, @from);
    is($answer->{status}, 401, 'no token is 401');
    is(policy($answer), '"hour";q=3;w=3600', 'by the limit of addresses');
    is(left($answer), 2, 'and counts');
    is(left(get(undef, $R, @from, token => 'x.y.z')), 1, 'so does a bad one');
    get(undef, $R, @from);
    my $refused = get(undef, $R, @from, token => 'x.y.z');
    is($refused->{status}, 429, 'with nothing left it is 429, not 401');
    ok(!exists $refused->{headers}{'www-authenticate'}, 'and asks for no token');
    ok($refused->{headers}{'retry-after'}, 'but tells when to come back');
    is(get('bob', $R, @from)->{status}, 200, 'a good token passes from there');
    is(get(undef, $R, address => '203.0.113.10')->{status},
        401, 'the next address has its own');
};

subtest 'an IPv6 caller is his /64' => sub {
    my @left = map { left(get(undef, $R, address => $_)) } (
        '2001:db8:1:2::1',                    '2001:db8:1:2:ffff:ffff:ffff:1',
        '2001:db8:1:2:0:1::',                 '2001:db8:1:3::1',
        '::ffff:198.51.100.7', '198.51.100.7'
    );
    is_deeply(\@left, [ 2, 1, 0, 2, 2, 1 ],
        'one window for a /64, another for the next; a mapped IPv4 is IPv4');
};

subtest 'roles have the limits of the contract' => sub {
    my $path = '/api/metrics/top-products/';
    my %want = (alice => 1000, carol => 1000, admin => 5000);
    is(policy(get($_, $path)), "\"hour\";q=$want{$_};w=3600", "$_: $want{$_}")
      for sort keys %want;
    is(policy(get(undef, $path)), '"hour";q=100;w=3600', 'nobody: 100');
};

subtest 'me/quota tells the window of the policy v1' => sub {
    for my $path ('/v1/me/quota', '/me/quota') {
        my $answer = get('alice', $path);
        is($answer->{status}, 200, $path);
        is($answer->{body},
            '{"limit":100,"remaining":100,"reset_in_minutes":60,"reset_in":"1h"}',
            'unused: all is left, for an hour');
        is(get('alice', $path)->{body}, $answer->{body}, 'asking takes nothing');
    }
    is(get('admin', '/v1/me/quota')->{json}{limit}, 5000, 'by the role');
    is(get(undef, '/v1/me/quota')->{status}, 401, 'it needs a token');
};

subtest 'bytes and rows are limited where a rule says so' => sub {
    my $path = '/api/audit/version/?dataset=transaction_log&date=2026-01-01';
    my $answer = get('bob', $path);
    is(policy($answer),
        '"hour";q=1000;w=3600, "rows";q=100000;w=3600, "kib";q=4;w=3600',
        'the policy tells them');
    like($answer->{headers}{ratelimit},
        qr/^"hour";r=999;t=\d+, "rows";r=100000;t=3600, "kib";r=4;t=3600$/,
        'and what is left');
    cmp_ok(length $answer->{body}, '>', 10, 'each answer is less than a KiB');
    wait_until('four answers are counted',
        sub { get('bob', $path)->{headers}{ratelimit} =~ /"kib";r=0/ }, 60);
    my $refused = get('bob', $path);
    is($refused->{status}, 429, 'then it is 429');
    like($refused->{json}{detail}, qr/^The 4 KiB of this hour are used up/,
        'which says what is used up');
};

subtest 'rows are counted in whole lists' => sub {
    my @answer;
    for my $n (1 .. 3) {
        push @answer, get('bob', '/api/access/');
        wait_until('the rows of the answer are counted',
            sub { get('bob', '/api/access/', method => 'HEAD')
                  ->{headers}{ratelimit} =~ /"rows";r=(\d+)/
                  && $1 == ($n == 1 ? 2 : 0) }, 60) if $n < 3;
    }
    is(scalar @{ $answer[0]{json}{grants} }, 3, 'a list of three');
    like($answer[1]{headers}{ratelimit}, qr/"rows";r=2;/, 'takes three of five');
    is($answer[1]{status}, 200, 'with some left a list is answered whole');
    is($answer[2]{status}, 429, 'with none left it is 429');
    like($answer[2]{json}{detail}, qr/^The 5 rows of this hour/, 'in words');
};

subtest 'refusals are counted for Prometheus' => sub {
    my $text = get('admin', '/metrics')->{body};
    like($text,
        qr/^datalake_quota_rejections_total\{policy="api-resources",role="user"\} [5-9]/m,
        'by policy and role');
    like($text, qr/\{policy="api-resources",role="anonymous"\} 1$/m,
        'those without a token apart');
    unlike($text, qr/203\.0\.113|alice/, 'nobody is named');
};

# The row of quota_window for SUBJECT; undef when there is none.
sub row {
    my ($subject, $policy) = @_;
    return $stack->mariadb->dbh->selectrow_hashref(
        'SELECT used, TIMESTAMPDIFF(SECOND, window_start, UTC_TIMESTAMP()) AS age'
          . " FROM $stack->{database}.quota_window"
          . ' WHERE subject = ? AND policy = ?',
        undef, $subject, $policy
    );
}

subtest 'windows survive graceful restarts, and a stop' => sub {
    $stack->httpd->reload;
    is(get('alice', $R)->{status}, 429, 'a graceful restart resets nothing');
    my $left = left(get('carol', '/api/metrics/top-products/'));
    $stack->httpd->stop;
    is(row('203.0.113.9', 'api-resources')->{used},
        3, 'at the stop the windows are in quota_window');
    is(row('2001:db8:1:2::/64', 'api-resources')->{used}, 3, 'networks, too');
    cmp_ok(row('203.0.113.9', 'api-resources')->{age}, '<', 300,
        'with their beginning');
    $stack->httpd->start;
    is(get('alice', $R)->{status}, 429,
        'the first call after a cold start is refused');
    is(get(undef, $R, address => '203.0.113.9')->{status},
        429, 'addresses are remembered');
    is(left(get('carol', '/api/metrics/top-products/')),
        $left - 1, 'nothing is lost, nothing is counted twice');
    like($stack->httpd->log_text, qr/DL1132 \d+ quota windows/, 'the log tells');
};

subtest 'a window that has ended is forgotten' => sub {
    $stack->httpd->stop;
    my $dbh = $stack->mariadb->dbh;
    $dbh->do("UPDATE $stack->{database}.quota_window SET window_start ="
          . ' window_start - INTERVAL 61 MINUTE');
    $stack->httpd->start;
    is(left(get('alice', $R)), 6, 'after an hour all calls are back');
    wait_until(
        'the rows are deleted',
        sub { !row('203.0.113.9', 'api-resources') }, 60
    );
    ok(
        wait_until('the row is written',
            sub { ((row('user:2', 'api-resources') // {})->{used} // 0) == 1 }),
        'what runs is written'
    );
};

subtest 'me/quota is right while a window runs and after it' => sub {
    $stack->httpd->stop;
    my ($id) = $stack->mariadb->dbh->selectrow_array(
        "SELECT id FROM $stack->{database}.app_user WHERE username = 'carol'");
    my $insert = "INSERT INTO $stack->{database}.quota_window VALUES"
      . " (?, 'v1', UTC_TIMESTAMP(6) - INTERVAL ? SECOND, ?)";
    $stack->mariadb->dbh->do($insert, undef, "user:$id", 3600 - 21 * 60 + 5, 13);
    $stack->mariadb->dbh->do($insert, undef, 'user:1', 3600 - 50, 6000);
    my ($bob) = $stack->mariadb->dbh->selectrow_array(
        "SELECT id FROM $stack->{database}.app_user WHERE username = 'bob'");
    $stack->mariadb->dbh->do($insert, undef, "user:$bob", 3600 - 4, 60);
    $stack->httpd->start;
    is(get('carol', '/v1/me/quota')->{body},
        '{"limit":100,"remaining":87,"reset_in_minutes":21,"reset_in":"21m"}',
        'minutes are rounded up');
    my $admin = get('admin', '/v1/me/quota')->{json};
    is($admin->{remaining}, 0, 'remaining is never negative');
    is($admin->{reset_in},  '1m', 'the last seconds are a minute');
    wait_until(
        'the window ends',
        sub { get('bob', '/v1/me/quota')->{json}{remaining} == 100 }, 60
    );
    is(get('bob', '/v1/me/quota')->{body},
        '{"limit":100,"remaining":100,"reset_in_minutes":60,"reset_in":"1h"}',
        'then it is as if unused');
};

subtest 'without the warehouse the quota goes on' => sub {
    $stack->mariadb->{process}->stop;
    my @status = map { get(undef, $R, address => '192.0.2.1')->{status} } 1 .. 5;
    is("@status", '401 401 401 429 429', 'counted and refused');
    wait_until(
        'the log says that windows are not written',
        sub { $stack->httpd->log_text =~ /DL1130 quota windows cannot/ }, 60
    );
    $stack->start_mariadb;
    wait_until('they are written again',
        sub { $stack->httpd->log_text =~ /DL1131 quota windows are/ }, 60);
    ok(
        wait_until('they are there',
            sub { ((row('192.0.2.1', 'api-resources') // {})->{used} // 0) == 3 }),
        'with what was counted'
    );
};

subtest 'more callers than there are places' => sub {
    $stack->httpd->stop;
    $stack->httpd->{directives} .= "DataLakeQuotaWindows 1024\n";
    $stack->mariadb->dbh->do("DELETE FROM $stack->{database}.quota_window");
    $stack->httpd->start;
    my $ask = sub { return get(undef, $R, address => $_[0])->{status} };
    my $left = left(get('alice', $R));
    $ask->("198.51.100.$_") for map { ($_) x 3 } 1 .. 20;
    my @status = map { $ask->(sprintf '198.18.%d.%d', $_ / 250, $_ % 250) }
      1 .. 4000;
    is(scalar(grep { $_ != 401 } @status[0 .. 499]),
        0, 'while there is room everybody is counted from nothing');
    my @back = grep { $ask->("198.51.100.$_") != 429 } 1 .. 20;
    is("@back", '', 'nobody who had used all gets anything back');
    is(left(get('alice', $R)), $left - 1, 'accounts are not crowded out');
};

done_testing;
