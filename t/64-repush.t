# 64-repush.t - repush: one transaction is sent again and found, all are sent
# again by a job; totals stay what they were.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(strftime);
use Time::HiRes qw(time);
use JSON::PP ();
use DataLake::Process qw(wait_until);
use DataLake::Stack;

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
        30
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
    my $answer = repush('TX7');
    is($answer->{status}, 202, '202 after the broker has it') or diag $answer->{body};
    my $told = $answer->{json};
    is($told->{message}, 'Transaction repushed', 'it says so');
    like($told->{replay_id}, $UUID, 'it has an id of its own');
    is($told->{transaction}{transaction_id}, 'TX7', 'the transaction keeps its id');
    is(substr($told->{transaction}{timestamp}, 0, 10), strftime('%Y-%m-%d', gmtime),
        'its time is now');
    my ($sent) = sent_again();
    is($sent->{key}, 'TX7', 'the message has its key');
    is($sent->{headers}{'dl-replay-id'}, $told->{replay_id}, 'the id of the replay');
    is($sent->{headers}{'dl-request-id'}, $answer->{headers}{'x-request-id'},
        'and that of the request');
    my $original = $alice->json->decode(transaction(7)->{value});
    my $again    = $alice->json->decode($sent->{value});
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
                file      => strftime('%Y-%m-%d', gmtime) . '.json',
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
    my $began  = time;
    my $answer = repush('TX1');
    cmp_ok(time - $began, '<', 1.2, 'an answer within a second');
    is($answer->{status}, 503, 'it is 503');
    is($answer->{json}->{type}, '/problems/broker-unavailable', 'broker-unavailable');
    ok($answer->{headers}{'retry-after'}, 'with Retry-After');
    wait_until('the breaker is open', sub {
        my $asked = time;
        return repush('TX2')->{status} == 503 && time - $asked < 0.1;
    }, 10);
    is($alice->get('/api/data/?page_size=1')->{status}, 200, 'reads go on');
    $stack->kafka->start;
    wait_until('it is sent again', sub { repush('TX3')->{status} == 202 }, 20);
    is(scalar(sent_again()), 3, 'of all that, one record was sent');
    settled($N + 3);
    is_deeply(totals(), $totals, 'totals are what they were');
};

my $metrics = $stack->client('admin')->get('/metrics')->{body};
is(join(' ', $metrics =~ /^datalake_kafka_produced_total\{topic="transaction_log",result="ok"\} (.*)$/m),
    '3', 'what was sent is counted');

done_testing();
