# 65-train.t - models: trained by a job, listed, asked, taken back.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Time::HiRes qw(sleep);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

my $RECORDS = 20_000;

my $stack = DataLake::Stack->new(
    name    => '65-train',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    daemons => ['datalake-jobs'],
    users   => { map { ($_ => 'user') } qw(alice bob) },
    grants  => { alice => ['transaction_log'] },
);
my %client = map { ($_ => $stack->client($_)) } qw(admin alice bob);
my $json   = JSON::PP->new->canonical;
my $LAKE   = "$stack->{dir}/lake";

# --- Transactions with a rule -------------------------------------------------
# A transaction is completed when its amount is above 100 or it was paid by
# paypal, but not both; one in twenty is the other way round.

my $seed = 42;

sub chance {    # 0 to below N
    my ($n) = @_;
    $seed = ($seed * 1103515245 + 12345) % 2**31;
    return int(($seed / 2**31) * $n);
}

sub one_of { return $_[ chance(scalar @_) ]; }

sub transaction {
    my ($n)    = @_;
    my $amount = chance(20_000) / 100;
    my $method = one_of(qw(paypal card transfer));
    my $rule   = ($amount > 100 xor $method eq 'paypal');
    $rule = !$rule if chance(20) == 0;
    return {
        transaction_id   => sprintf('TX%06d', $n),
        timestamp        => 1_699_900_000 + chance(80_000),
        amount           => $amount,
        currency         => 'EUR',
        quantity         => 1 + chance(5),
        customer_rating  => chance(4) ? 1 + chance(5) : undef,
        transaction_type => one_of(qw(purchase payment refund)),
        payment_method   => $method,
        product_category => one_of(qw(books toys food)),
        location         => { country => one_of('France', 'Espa\x{f1}a', 'Japan') },
        status           => $rule ? 'completed' : 'failed',
    };
}

{
    my $script = '';
    my $offset = 0;
    my $put    = sub {
        my ($record) = @_;
        $script .= "R 0 $offset " . 1e6 * $record->{timestamp} . ' '
          . $json->utf8->encode($record) . "\n";
        $offset++;
    };
    for my $n (1 .. $RECORDS) {
        my $record = transaction($n);
        # A former record of some, which says the opposite.
        $put->({ %$record, status => 'completed', amount => 1 }) if $n % 50 == 0;
        $put->($record);
    }
    # A day with too little to learn from.
    $put->({ %{ transaction(1e6 + $_) }, timestamp => 1_600_000_000 + $_ }) for 1 .. 20;
    $script .= "C 1700000000000000\n";
    spit("$stack->{dir}/script", $script);
    my $out = qx($DataLake::Stack::BUILD/tools/lake_driver $LAKE transaction_log $stack->{dir}/script 2>&1);
    is($?, 0, 'given transactions that follow a rule') or diag $out;
}

# --- Helpers --------------------------------------------------------------------

sub job { my ($id) = @_; return $client{admin}->get("/api/jobs/$id/")->{json}; }

# Ask for a training, wait for its end, return the job.
sub train {
    my (%body) = @_;
    my $answer = $client{admin}->post('/api/train/', \%body);
    is($answer->{status}, 202, "a training of $body{target} is queued") or diag $answer->{body};
    my $id = $answer->{json}{job_id};
    wait_until('the end of a training', sub { job($id)->{finished_at} });
    return job($id);
}

sub models { return $client{alice}->get('/api/models/')->{json}{models}; }

my %RAW = (
    amount => 150, currency => 'EUR', quantity => 2, customer_rating => 3,
    transaction_type => 'purchase', payment_method => 'card',
    product_category => 'books', country => 'France',
    timestamp => '2023-11-14T10:00:00Z',
);

sub predict {
    my (%body) = @_;
    my $features = delete $body{features} // \%RAW;
    return $client{alice}->post('/api/predict/', { features => $features, %body });
}

# --- Tests ----------------------------------------------------------------------

subtest 'before anything is trained' => sub {
    is_deeply($client{alice}->get('/api/models/')->{json},
        { models => [], next_cursor => undef }, 'there is no model');
    is(predict()->{status}, 404, 'and nobody to ask');
    is($client{bob}->get('/api/models/')->{status}, 403, 'without a grant nobody sees that');
    is($client{alice}->post('/api/train/', { target => 'completed' })->{status},
        403, 'reading is not training');
};

my ($first, $second);

subtest 'a model that finds the rule' => sub {
    my $job = train(target => 'completed');
    is($job->{state}, "succeeded", "it is trained") or diag $job->{error}{detail};
    my $details = $job->{result}{details};
    is($details->{algorithm}, 'xgboost', 'by XGBoost');
    is($details->{n_train} + $details->{n_test}, $RECORDS + 20, 'of every transaction once');
    cmp_ok(abs($details->{n_test} / $RECORDS - 0.2), '<', 0.02, '... a fifth of them to test it');
    my $metrics = $details->{metrics};
    note "@{[%$metrics]}";
    cmp_ok($metrics->{accuracy}, '>', 0.93, 'it is right as often as the rule allows');
    cmp_ok($metrics->{baseline_accuracy}, '<', 0.6, '... where a guess is not');
    cmp_ok($metrics->{auc}, '>', 0.93, '... and orders them well');
    my $list = models();
    is(scalar @$list, 1, 'it is in the list');
    $first = $list->[0];
    is($first->{id}, $job->{id}, '... under the id of its job');
    ok($first->{current}, '... as the current one');
    is($first->{version}, 1, '... version 1');
    is_deeply($first->{metrics}, $metrics, '... with its metrics');
    my $answer = predict();
    is($answer->{status}, 200, 'it answers') or diag $answer->{body};
    is_deeply([ @{ $answer->{json} }{qw(model_id version target)} ],
        [ $first->{id}, 1, 'completed' ], '... by name');
    ok($answer->{json}{prediction}, 'a card and 150 EUR will be completed');
    cmp_ok($answer->{json}{probability}, '>', 0.85, '... rather surely');
    my $not = predict(features => { %RAW, payment_method => 'paypal' })->{json};
    ok(!$not->{prediction}, 'paypal will not');
    is(predict(features => {})->{status}, 200, 'nothing known is an answer, too');
};

done_testing();
