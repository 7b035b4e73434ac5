# 22-health.t - health, readiness, metrics; and what requests see while the
# database is killed, stopped, or back.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;

my $stack = DataLake::Stack->new(
    name    => '22-health',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
);
my $alice  = $stack->client('alice');
my $nobody = $stack->client;
my $top    = '/api/metrics/top-products/';

$stack->kafka->produce(
    'transaction_log',
    [
        map {
            {
                value => qq({"transaction_id":"t$_","product_id":"p",)
                  . qq("transaction_type":"purchase","status":"completed",)
                  . qq("amount":1,"currency":"EUR"})
            }
        } 1 .. 100
    ]
);
wait_until(
    'both sinks have the records',
    sub {
        my $answer = $alice->get($top);
        my $days   = $alice->get('/api/audit/resources/');
        return $answer->{status} == 200
          && ($answer->{json}[0]{total} // 0) == 100
          && $days->{body} =~ /json/;
    },
    30
);

# The body of /api/v1/health/ and its status.
sub health {
    my $answer = $nobody->get('/api/v1/health/');
    return ($answer->{status}, $answer->{json});
}

subtest 'everything is up' => sub {
    is($nobody->get('/health/live')->{body}, '{"status":"alive"}', 'alive');
    my ($status, $json) = health();
    is($status, 200, 'health is 200');
    is_deeply(
        $json,
        {
            status  => 'healthy',
            service => 'mod_datalake',
            version => '1.0.0',
            checks => { warehouse => 'up', lake => 'up', broker => 'up' }
        },
        'and says so'
    );
    my $ready = $nobody->get('/health/ready');
    is($ready->{body},   '{"status":"ready"}', 'ready');
    is($ready->{status}, 200,                  'ready is 200');
    is($nobody->get('/health/ready?x=1')->{status},
        400, 'a parameter is 400');
};

subtest '/metrics' => sub {
    my $count = sub {
        my ($text) = @_;
        my ($n) = $text =~ m{^datalake_http_requests_total\{(?=[^\}]*
            route="/api/metrics/top-products/")(?=[^\}]*status="200")(?=[^\}]*
            method="GET")[^\}]*\}\s+(\d+)$}mx;
        return $n // 0;
    };
    my $before = $nobody->get('/metrics');
    is($before->{status}, 200, 'needs no token from here');
    like($before->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4},
        'the type is Prometheus\' own');
    $alice->get($top) for 1 .. 7;
    my ($password) = slurp("$stack->{dir}/secrets/user-alice") =~ /^(\S+)/;
    is($nobody->post('/token', { username => 'alice', password => $password })->{status}, 200, 'given a log-in');
    is($nobody->get('/api/resources/', token => 'no.to.ken')->{status}, 401, '... a wrong token');
    is($alice->get('/api/search/?q=t42')->{status}, 200, '... a search');
    wait_until('the numbers of datalake-jobs',
        sub { $nobody->get('/metrics')->{body} =~ /^datalake_warehouse_bytes\{/m }, 15);
    my $after = $nobody->get('/metrics')->{body};
    is($count->($after) - $count->($before->{body}),
        7, 'seven requests count seven');
    is($alice->get('/metrics')->{status}, 403, 'a user may not read them');
    is($stack->client('admin')->get('/metrics')->{status},
        200, 'an administrator may');

    my (%help, %type, %used);
    for my $line (split /\n/, $after) {
        if ($line =~ /^# HELP (\S+) \S/)        { $help{$1} = 1; }
        elsif ($line =~ /^# TYPE (\S+) (\w+)$/) { $type{$1} = $2; }
        elsif ($line =~ /^(\w+)(?:\{[^}]*\})? -?[\d.]+(?:e[+-]?\d+)?$/) {
            my $name = $1;
            (my $whole = $name) =~ s/_(?:bucket|sum|count)$//;
            $used{ ($type{$whole} // '') eq 'histogram' ? $whole : $name } = 1;
        }
        else { fail("a line is not Prometheus text: $line"); }
    }
    is_deeply([ grep { !$help{$_} || !$type{$_} } sort keys %used ],
        [], 'each metric has HELP and TYPE');
    my %promised = map { ("datalake_$_" => 1) } qw(
      http_requests_total http_request_duration_seconds
      http_response_bytes_total http_requests_in_flight http_shed_total
      kafka_messages_total kafka_bytes_total kafka_lag_records
      kafka_partitions kafka_partitions_stopped ingest_freshness_seconds
      kafka_produced_total lake_commits_total lake_commit_duration_seconds
      lake_records lake_bytes lake_free_bytes lake_open_parts
      search_duration_seconds warehouse_up warehouse_rows_total
      warehouse_transaction_duration_seconds warehouse_queries_total
      warehouse_connections warehouse_bytes warehouse_breaker_open
      dead_letters_total dead_letters_open quota_rejections_total
      token_failures_total tokens_issued_total audit_entries_total
      audit_lag_seconds jobs job_duration_seconds
      schedule_last_success_timestamp_seconds
      collector_records_total collector_errors_total
      collector_last_success_timestamp_seconds
      streams stream_frames_total stream_closes_total
      build_info process_cpu_seconds_total process_resident_memory_bytes
      process_open_fds);
    is_deeply([ grep { !$promised{$_} } sort keys %used ],
        [], 'no name but those of the contract');
    for my $name (
        qw(http_requests_total http_request_duration_seconds warehouse_up
        warehouse_connections warehouse_queries_total kafka_lag_records
        kafka_messages_total ingest_freshness_seconds lake_commits_total
        lake_free_bytes build_info
        http_response_bytes_total http_requests_in_flight kafka_bytes_total
        kafka_partitions lake_commit_duration_seconds lake_records lake_bytes
        lake_open_parts search_duration_seconds warehouse_rows_total
        warehouse_transaction_duration_seconds warehouse_bytes
        warehouse_breaker_open dead_letters_open tokens_issued_total
        token_failures_total audit_entries_total audit_lag_seconds
        process_cpu_seconds_total process_resident_memory_bytes
        process_open_fds)
      )
    {
        ok($used{"datalake_$name"}, "datalake_$name is there");
    }
    like($after, qr/^datalake_tokens_issued_total\{type="$_"\} [1-9]/m, "a token of type $_ was issued") for qw(access refresh);
    like($after, qr/^datalake_warehouse_bytes\{table="transaction_record"\} [1-9]/m, 'a table has its size');
    like($after, qr{^datalake_search_duration_seconds_count\{route="/api/search/"\} 1$}m, 'the search was timed');
    like($after, qr/^datalake_warehouse_up 1$/m, 'the warehouse is up');
    unlike($after, qr/alice|token=|127\.0\.0\.1/, 'nothing personal');
};

# --- The database away --------------------------------------------------------

# Ask PATH as alice for SECONDS; returns a list of [status, seconds, type].
sub ask_for {
    my ($seconds, $path) = @_;
    my $end = time + $seconds;
    my @got;
    while (time < $end) {
        my $answer = $alice->get($path . '?x=' . (1 + @got % 1000));
        push @got,
          [
            $answer->{status}, $answer->{seconds},
            $answer->{json} && ref $answer->{json} eq 'HASH'
            ? $answer->{json}{type}
            : '',
            $answer->{headers}{'retry-after'}
          ];
        sleep 0.005;
    }
    return @got;
}

sub percentile {
    my ($share, @values) = @_;
    @values = sort { $a <=> $b } @values;
    return $values[ int $share * $#values ];
}

sub while_away {
    my ($what) = @_;
    my @got  = ask_for(4, $top);
    my @bad  = grep { $_->[0] != 503 && $_->[0] != 200 } @got;
    my @away = grep { $_->[0] == 503 } @got;
    is(scalar @bad, 0, "$what: no other answer than 200 and 503");
    is(
        scalar(
            grep { $_->[2] eq '/problems/warehouse-unavailable' && $_->[3] }
              @away
        ),
        scalar @away,
        "$what: 503 is warehouse-unavailable with Retry-After"
    );
    cmp_ok(percentile(0.99, map { $_->[1] } @got),
        '<=', 1, "$what: 99 of 100 answers within a second");
    my @late = @away[ @away / 2 .. $#away ];
    note sprintf '%s: %d answers, median once open %.1f ms', $what,
      scalar @got, 1000 * percentile(0.5, map { $_->[1] } @late);
    cmp_ok(percentile(0.5, map { $_->[1] } @late),
        '<=', 0.02, "$what: the open breaker answers at once");
    my ($status, $json) = health();
    is("$status $json->{status} $json->{checks}{warehouse}",
        '200 degraded down', "$what: health is degraded");
    my $ready = $nobody->get('/health/ready');
    is($ready->{status}, 503, "$what: not ready");
    like(
        join(' ', @{ $ready->{json}{reasons} // [] }),
        qr/warehouse/, "$what: and why"
    );
    is($alice->get('/api/audit/resources/')->{status},
        200, "$what: the lake answers a known account");
    like($nobody->get('/metrics')->{body},
        qr/^datalake_warehouse_up 0$/m, "$what: the metric is 0");
}

sub back_again {
    my ($what) = @_;
    ok(
        wait_until(
            'the warehouse answers',
            sub { $alice->get($top)->{status} == 200 }, 5
        ),
        "$what: answers are back within 5 s"
    );
    ok(
        wait_until(
            'healthy', sub { (health())[1]{status} eq 'healthy' }, 10
        ),
        "$what: healthy again"
    );
}

subtest 'the database is killed' => sub {
    $stack->mariadb->kill_now;
    while_away('killed');
    $stack->mariadb->start;
    back_again('killed');
};

subtest 'the database is stopped and goes on' => sub {
    my $pid = slurp("$stack->{dir}/run/mariadb.pid");
    kill STOP => $pid;
    while_away('stopped');
    kill CONT => $pid;
    back_again('stopped');
};

# --- The broker away ----------------------------------------------------------

# Seconds until health calls the broker WORD, up to LIMIT.
sub seconds_until {
    my ($word, $limit) = @_;
    my $watch = DataLake::Stopwatch->new;
    wait_until("health says broker $word",
        sub { (health())[1]{checks}{broker} eq $word }, $limit);
    return $watch->seconds;
}

# A busy machine may be late once.
sub broker_away {
    my ($what, $go, $back) = @_;
    $go->();
    my $seconds = seconds_until('down', 20);
    if ($seconds > 3) {
        note sprintf '%s: down after %.2f s, once more', $what, $seconds;
        $back->();
        seconds_until('up', 20);
        $go->();
        $seconds = seconds_until('down', 20);
    }
    cmp_ok($seconds, '<=', 3, "$what: seen within 3 s");
    my ($status, $json) = health();
    is("$status $json->{status}",
        '200 degraded', "$what: health is 200 and degraded");
    my $ready = $nobody->get('/health/ready');
    is($ready->{status}, 503, "$what: not ready");
    like(
        join(' ', @{ $ready->{json}{reasons} // [] }),
        qr/broker does not answer/, "$what: and why"
    );
    is($alice->get($top)->{status}, 200, "$what: the API is unaffected");
    $back->();
    my $up = seconds_until('up', 20);
    cmp_ok($up, '<=', 10, "$what: seen to be back within 10 s");
    is((health())[1]{status}, 'healthy', "$what: healthy again");
    note sprintf '%s: down after %.2f s, up after %.2f s', $what, $seconds,
      $up;
}

subtest 'the broker is killed' => sub {
    broker_away(
        'killed',
        sub { $stack->kafka->kill_now },
        sub { $stack->kafka->start }
    );
};

subtest 'the broker is stopped and goes on' => sub {
    my $pid = slurp("$stack->{dir}/run/kafka.pid");
    broker_away(
        'stopped',
        sub { kill STOP => $pid },
        sub { kill CONT => $pid }
    );
};

subtest 'a daemon that starts without a broker tells so' => sub {
    $stack->daemon($_)->stop for qw(datalake-lake datalake-warehouse);
    $stack->kafka->kill_now;
    $stack->start_daemon($_, wait => 0)
      for qw(datalake-lake datalake-warehouse);
    wait_until('both daemons run',
        sub { $nobody->get('/health/ready')->{body} !~ /not running/ }, 20);
    # The look before may be good for another 250 ms.
    cmp_ok(seconds_until('down', 20), '<=', 3, 'broker down');
    $stack->kafka->start;
    cmp_ok(seconds_until('up', 20), '<=', 10, 'and up within 10 s');
};

subtest 'a sink that is down is told' => sub {
    $stack->daemon('datalake-warehouse')->stop;
    my $ready = wait_until(
        'not ready',
        sub {
            my $answer = $nobody->get('/health/ready');
            return $answer->{status} == 503 ? $answer : undef;
        },
        10
    );
    like(join(' ', @{ $ready->{json}{reasons} }),
        qr/warehouse sink is not running/, 'ready says which');
    # Another child's breaker may still be open for a second.
    ok(
        wait_until(
            'healthy', sub { (health())[1]{status} eq 'healthy' }, 5
        ),
        'the dependencies are all there'
    );
};

done_testing;
