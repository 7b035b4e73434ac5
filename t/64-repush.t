# 64-repush.t - repush: one transaction is sent again and found, all are sent
# again by a job, once, whoever is stopped meanwhile; totals stay what they were.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(strftime);
use Time::HiRes qw(time);
use JSON::PP ();
use DataLake::Http;
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;

my $stack = DataLake::Stack->new(
    name    => '64-repush',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    users   => { alice => 'user', bob => 'user' },
    grants  => { alice => ['transaction_log'] },
);
$stack->grant('alice', 'transaction_*', 'write');
my $alice = $stack->client('alice');
my $bob   = $stack->client('bob');
my $db    = $stack->mariadb;
my $UUID  = qr/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
my $DAY   = '2026-05-18';

sub transaction {
    my ($n, %over) = @_;
    my %member = (
        transaction_id => "TX$n",
        timestamp      => "${DAY}T09:30:00Z",
        user_id        => 'U' . $n % 7,
        product_id     => 'P1',
        amount         => $n + 0.25,
        currency       => 'EUR',
        status         => 'completed',
        transaction_type => 'purchase',
        %over
    );
    return {
        key   => $member{transaction_id},
        value => JSON::PP->new->canonical->encode(\%member)
    };
}

# What the metrics say about everything.
sub totals {
    return [ map { $alice->get($_)->{body} } '/api/metrics/total-by-user/',
        '/api/metrics/top-products/' ];
}

# The messages that were sent again.
sub sent_again {
    my @all = $stack->kafka->consume('transaction_log');
    return grep { ($_->{headers}{'dl-origin'} // '') eq 'repush' } @all;
}

# Wait until lake and warehouse have N records, and rows of them.
sub settled {
    my ($n) = @_;
    wait_until(
        "$n records are everywhere",
        sub {
            my $answer = $alice->get('/api/data/?count=exact&page_size=1');
            my $lake = $answer->{json}->{count} // -1;
            my $done = $db->value("SELECT COALESCE(SUM(next_offset), 0) FROM sink_offset WHERE sink = 'warehouse'");
            return $lake == $n && $done == $n;
        },
        60
    );
    return;
}

sub repush {
    my ($id, %more) = @_;
    my $client = delete $more{client} // $alice;
    return $client->post('/api/repush/transaction/', { transaction_id => $id }, %more);
}

sub check { my (@query) = @_; return $alice->get('/api/repush/check/?' . join '&', @query); }

my $N = 40;
$stack->kafka->produce('transaction_log',
    [ map { transaction($_) } 1 .. $N ]);
settled($N);
my $totals = totals();

subtest 'one transaction is sent again and found' => sub {
    my $before = strftime('%Y-%m-%d', gmtime);
    my $answer = repush('TX7');
    is($answer->{status}, 202, '202 after the broker has it') or diag $answer->{body};
    my $told = $answer->{json};
    is($told->{message}, 'Transaction repushed', 'it says so');
    like($told->{replay_id}, $UUID, 'it has an id of its own');
    is($told->{transaction}{transaction_id}, 'TX7', 'the transaction keeps its id');
    my $today = substr $told->{transaction}{timestamp}, 0, 10;
    ok($today ge $before && $today le strftime('%Y-%m-%d', gmtime), 'its time is now');
    my ($sent) = sent_again();
    is($sent->{key}, 'TX7', 'the message has its key');
    is($sent->{headers}{'dl-replay-id'}, $told->{replay_id}, 'the id of the replay');
    is($sent->{headers}{'dl-request-id'}, $answer->{headers}{'x-request-id'},
        'and that of the request');
    my $original = DataLake::Http::json()->decode(transaction(7)->{value});
    my $again    = DataLake::Http::json()->decode($sent->{value});
    is_deeply({ %$again, timestamp => 0 }, { %$original, timestamp => 0 },
        'all but the time is as it was');
    settled($N + 1);
    my $found = check('id=TX7')->{json};
    is_deeply(
        $found,
        {
            found       => JSON::PP::true,
            transaction => $again,
            lake        => {
                file      => "$today.json",
                line      => 1,
                partition => $sent->{partition},
                offset    => $sent->{offset}
            },
            warehouse => JSON::PP::true
        },
        'check finds it, and its row'
    );
    is_deeply(check('id=TX7', "replay_id=$told->{replay_id}")->{json}, $found,
        'also by the id of the replay');
    my $lineage = $alice->get('/api/lineage/record/?id=TX7')->{json};
    is_deeply(
        $lineage->{origin},
        {
            origin     => 'repush',
            replay_id  => $told->{replay_id},
            request_id => $answer->{headers}{'x-request-id'}
        },
        'lineage tells who sent it'
    );
    is_deeply($lineage->{kafka}{headers}, $sent->{headers}, '... and the headers of its message');
    is_deeply([ @{ $lineage->{kafka} }{qw(key partition offset)} ], [ 'TX7', @$sent{qw(partition offset)} ], '... and where it is');
    is_deeply($lineage->{warehouse},
        { table => 'transaction_record', present => JSON::PP::true, current => JSON::PP::true }, 'its row is the newest');
    is(scalar @{ $lineage->{copies} }, 1, 'the first record is its copy');
    ok(!check('id=TX7', "replay_id=$told->{replay_id}", "date=$DAY")->{json}{found},
        '... not on another day');
    ok(!check('id=TX7', 'replay_id=x')->{json}{found}, 'nor of another replay');
    my $old = check('id=TX7', "date=$DAY")->{json};
    is($old->{lake}{file}, "$DAY.json", 'on its first day there is the first record');
    ok(!$old->{warehouse}, '... whose row it is no more');
    is_deeply(totals(), $totals, 'totals are what they were');
};

subtest 'what is not there, and who may not' => sub {
    is_deeply(
        check('id=TX7', 'date=2020-01-01')->{json},
        {
            found       => JSON::PP::false,
            message     => 'Transaction not found',
            transaction => undef,
            lake        => undef,
            warehouse   => JSON::PP::false
        },
        'nothing on another day'
    );
    ok(!check('id=TX-never')->{json}->{found}, 'nor of another id');
    is(repush('TX-never')->{status}, 404, 'an unknown transaction is 404');
    is(repush('TX7', client => $bob)->{status}, 403, 'without the right 403');
    is(repush('TX-never', client => $bob)->{status}, 403, '... whether it is there or not');
    is($alice->post('/api/repush/transaction/', {})->{status}, 422, 'no id is 422');
    is($bob->get('/api/repush/check/?id=TX7')->{status}, 403, 'the check needs read');
    is($alice->get('/api/repush/check/')->{status}, 400, '... and an id');
    is(scalar(sent_again()), 1, 'nothing was sent');
};

subtest 'the same key sends once' => sub {
    my @key   = (headers => [ 'Idempotency-Key' => 'first' ]);
    my $first = repush('TX8', @key);
    my $again = repush('TX8', @key);
    is($first->{status}, 202, 'sent');
    is($again->{body}, $first->{body}, 'the same answer');
    is(repush('TX9', @key)->{status}, 422, 'another body is 422');
    is(scalar(sent_again()), 2, 'it was sent once');
    settled($N + 2);
};

subtest 'without a broker nothing changes' => sub {
    my @at = $stack->kafka->watermarks('transaction_log');
    $stack->kafka->stop;
    my $answer = repush('TX1');
    cmp_ok($answer->{seconds}, '<', 1.5, 'an answer within a second');
    is($answer->{status}, 503, 'it is 503');
    is($answer->{json}->{type}, '/problems/broker-unavailable', 'broker-unavailable');
    ok($answer->{headers}{'retry-after'}, 'with Retry-After');
    wait_until('the breaker is open', sub {
        my $asked = time;
        return repush('TX2')->{status} == 503 && time - $asked < 0.1;
    }, 60);
    is($alice->get('/api/data/?page_size=1')->{status}, 200, 'reads go on');
    $stack->kafka->start;
    wait_until('it is sent again', sub { repush('TX3')->{status} == 202 }, 60);
    # One that a broker got while it started, and answered too late, is there.
    my @sent = sent_again();
    is(scalar(grep { $_->{key} =~ /^TX[12]$/ } @sent), 0, 'nothing of all that was sent');
    ok(scalar(grep { $_->{key} eq 'TX3' } @sent), '... but the last one');
    settled($N + @sent);
    is_deeply(totals(), $totals, 'totals are what they were');
};

my $admin = $stack->client('admin');

# Queue a repush of all with BODY; its answer.
sub repush_all {
    my ($body, %more) = @_;
    my $client = delete $more{client} // $admin;
    return $client->post('/api/repush/all/', $body // {}, %more);
}

# The job of ANSWER when it is over.
sub over {
    my ($answer) = @_;
    my $job;
    wait_until('the job is over', sub {
        $job = $admin->get($answer->{headers}{location})->{json};
        return $job->{state} !~ /^(?:queued|running)$/;
    }, 60);
    return $job;
}

my $R = () = sent_again();    # records that are replays by now

subtest 'all in a dry run' => sub {
    my $answer = repush_all({ dry_run => JSON::PP::true });
    is($answer->{status}, 202, 'it is queued') or diag $answer->{body};
    my $told = $answer->{json};
    like($told->{job_id}, $UUID, 'a job');
    like($told->{replay_id}, $UUID, 'and the id of its replay');
    is($told->{state}, 'queued', 'queued');
    ok($told->{dry_run}, 'a dry run');
    my $job = over($answer);
    is($job->{state}, 'succeeded', 'it succeeds') or diag explain $job;
    is_deeply($job->{result},
        { matched => $N + $R, sent => 0, failed => 0, skipped_replays => $R },
        'it has counted');
    is(scalar(sent_again()), $R, 'nothing was sent');
    is_deeply($job->{parameters}{replay_id}, $told->{replay_id}, 'it knows its id');
    my $some = over(repush_all({ dry_run => JSON::PP::true,
        filter => { amount__gt => 30, user_id => 'U3' } }));
    is($some->{result}{matched}, 2, 'a filter');
    my ($status, $out) = $stack->try_ctl(qw(--json job run repush-all --dry-run amount__gt=30 user_id=U3));
    is($status, 0, 'the operator asks and waits') or diag $out;
    is_deeply(JSON::PP::decode_json($out)->{result}, $some->{result}, '... for the same');
    my $none = over(repush_all({ dry_run => JSON::PP::true, from => '2026-05-19', to => '2026-06-01' }));
    is($none->{result}{matched}, 0, 'a range');
    my $day = over(repush_all({ dry_run => JSON::PP::true, to => $DAY }));
    is($day->{result}{matched}, $N, 'a range that ends with a day');
};

subtest 'all, twice' => sub {
    my $count = $N + $R;
    for my $time (1, 2) {
        my $answer = repush_all({ rate => 10000 });
        my $job    = over($answer);
        is_deeply(
            $job->{result},
            {
                matched => $count,
                sent    => $N,
                failed  => 0,
                skipped_replays => $count - $N
            },
            "run $time sends what is no replay"
        ) or diag explain $job;
        $count += $N;
        settled($count);
        is_deeply(totals(), $totals, 'totals are what they were');
        my $id = $answer->{json}{replay_id};
        my @mine = grep { $_->{headers}{'dl-replay-id'} eq $id } sent_again();
        is(scalar(@mine), $N, 'each record once');
        ok(check('id=TX5', "replay_id=$id")->{json}{warehouse}, 'the row stems from it');
    }
};

subtest 'an id on two days keeps its order' => sub {
    $stack->kafka->produce('transaction_log', [
            transaction(100, timestamp => '2026-05-20T00:00:00Z', amount => 1, user_id => 'two'),
            transaction(100, timestamp => '2026-05-19T00:00:00Z', amount => 2, user_id => 'two') ]);
    settled($N + $R + 2 * $N + 2);
    wait_until('totals know it', sub { totals()->[0] =~ /"two"/ });
    my $before = totals();
    my $job = over(repush_all({ rate => 10000, filter => { user_id => 'two' } }));
    is($job->{result}{sent}, 2, 'both are sent');
    settled($N + $R + 2 * $N + 4);
    is($db->value(q{SELECT amount FROM transaction_record WHERE transaction_id = 'TX100'}) + 0,
        2, 'the row is that of the record that came last');
    is_deeply(totals(), $before, 'totals are what they were');
};

subtest 'one at a time, cancelled, refused' => sub {
    my $slow = repush_all({ rate => 1 });
    my $other = repush_all({});
    is($other->{status}, 409, 'a second one is 409');
    is($other->{json}{job}, $slow->{headers}{location}, '... with the job');
    wait_until('it runs', sub { $admin->get($slow->{headers}{location})->{json}{state} eq 'running' }, 60);
    is($admin->request('DELETE', $slow->{headers}{location})->{status}, 202, 'its end is asked for');
    my $job = over($slow);
    is($job->{state}, 'cancelled', 'it ends');
    cmp_ok($job->{result}{sent}, '<', $N, '... before all was sent');
    cmp_ok($job->{result}{matched} - $job->{result}{skipped_replays}, '>', $job->{result}{sent},
        '... and tells how many there were');
    cmp_ok($job->{progress}{done}, '<', $job->{progress}{total}, '... and that it has not done them all');
    is(repush_all({}, client => $alice)->{status}, 403, 'not for users');
    is(repush_all({ filter => { no_such => 1 } })->{status}, 422, 'an unknown field');
    is(repush_all({ filter => { amount__gt => 'x' } })->{status}, 422, 'a value of another type');
    is(repush_all({ filter => [] })->{status}, 422, 'a filter that is none');
    is(repush_all({ filter => { amount => [] } })->{status}, 422, 'a value that is none');
    is(repush_all({ rate => $_ })->{status}, 422, "rate $_") for 0, 10001, '"x"';
    is(repush_all({ from => '2026-05-19', to => '2026-05-18' })->{status}, 422, 'an empty range');
    my @many = map { repush_all({ dry_run => JSON::PP::true }, headers => [ 'Idempotency-Key' => 'all' ]) } 1 .. 2;
    is($many[1]{body}, $many[0]{body}, 'the same key, the same job');
    over($many[0]);
};

# Requests are counted by httpd, jobs by their daemon; the page sums them.
my $sent = () = sent_again();
ok(
    wait_until('the number', sub {
        my ($n) = $stack->client('admin')->get('/metrics')->{body} =~
          /^datalake_kafka_produced_total\{topic="transaction_log",result="ok"\} (.*)$/m;
        return ($n // 0) == $sent;
    }),
    'what was sent is counted, by requests and jobs'
);

# Those of TX1 to TX14 that were sent with the replay of ANSWER, in order.
my @FEW = (filter => { amount__lt => 15, user_id__ne => 'two' });

sub of_replay {
    my ($answer) = @_;
    my $id = $answer->{json}{replay_id};
    my @keys = sort map { $_->{key} } grep { $_->{headers}{'dl-replay-id'} eq $id } sent_again();
    return @keys;
}
my @ONCE = sort map { "TX$_" } 1 .. 14;

subtest 'a program that is stopped leaves the rest to the next one' => sub {
    my $answer = repush_all({ rate => 4, @FEW });
    wait_until('some are sent', sub { of_replay($answer) > 2 }, 60);
    $stack->daemon('datalake-jobs')->stop;
    my $sent = of_replay($answer);
    cmp_ok($sent, '<', @ONCE, 'not all were sent');
    is($admin->get($answer->{headers}{location})->{json}{state}, 'queued', 'the job waits');
    $stack->daemon('datalake-jobs')->start;
    my $job = over($answer);
    is_deeply([ @{ $job->{result} }{qw(sent failed)}, $job->{progress}{done} ],
        [ scalar @ONCE, 0, $job->{progress}{total} ], 'the next one does it to its end') or diag explain $job;
    is_deeply([ of_replay($answer) ], \@ONCE, 'each record is sent once');
    $stack->daemon('datalake-jobs')->stop;
    $answer = repush_all({ rate => 100, @FEW });
    $db->run('UPDATE job SET cancel_asked = TRUE WHERE finished_at IS NULL');
    $stack->daemon('datalake-jobs')->start;
    $job = over($answer);
    is_deeply([ $job->{state}, $job->{result}{sent} ], [ 'cancelled', 0 ],
        'one whose end was asked for before sends nothing') or diag explain $job;
};

subtest 'a program that wakes up behind its lease sends nothing more' => sub {
    my $jobs   = $stack->daemon('datalake-jobs');
    my $answer = repush_all({ rate => 2, @FEW });
    my ($id)   = $answer->{headers}{location} =~ m{/jobs/(.*)/};
    wait_until('some are sent', sub { of_replay($answer) > 1 }, 60);
    $jobs->signal('STOP');
    my $before = of_replay($answer);
    my $other  = $stack->start_daemon('datalake-jobs', arguments => [qw(--name other)]);
    wait_until('another one goes on', sub { of_replay($answer) > $before }, 60);
    is($db->value('SELECT attempt FROM job WHERE id = ?', $id), 2, 'it is its job by now');
    $jobs->signal('CONT');
    my $job = over($answer);
    is($job->{result}{sent}, @ONCE, 'all were sent') or diag explain $job;
    is_deeply([ of_replay($answer) ], \@ONCE, 'each record once');
    unlike($stack->daemon_log('datalake-jobs'), qr/DL0752/, 'that two load the audit log is no trouble');
    $other->stop;
    $stack->{daemon}{'datalake-jobs'} = $jobs;
};

done_testing();
