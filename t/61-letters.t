# 61-letters.t - dead letters: what the lake sets aside is listed, looked at,
# given up, sent again.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '61-letters',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    ini     => {
        kafka     => { dead_letter_share   => 100, dead_letter_topics => 'on' },
        warehouse => { accept_unsafe_flush => 'on' },
    },
    users   => { alice => 'user' },
);
my $kafka  = $stack->kafka;
my $db     = $stack->mariadb;
my $admin  = $stack->client('admin');
my $TOPIC  = 'transaction_log';
my $LIST   = '/api/deadletters/';

sub good {
    my ($id) = @_;
    return qq({"transaction_id":"$id","amount":1.25,"user_id":"u1",)
      . q("timestamp":"2026-05-18T09:30:00Z","currency":"EUR",)
      . q("transaction_type":"purchase","status":"completed"});
}

# Of every reason, a value that is set aside for it.
my %BAD = (
    'not-json'   => 'no json',
    'not-object' => '[1]',
    'encoding'   => qq({"transaction_id":"\xff\xfe"}),
    'too-big'    => '{"transaction_id":"t","x":"' . 'y' x 1_100_000 . '"}',
    'schema'     => '{"amount":1}',
    'bad-time'   => good('late') =~ s/2026-05-18T/2026-99-18T/r,
);
my @REASONS = sort keys %BAD;

sub letters {
    my ($query) = @_;
    my $answer = $admin->get($LIST . ($query // ''));
    is($answer->{status}, 200, 'the list answers') or diag explain $answer;
    return $answer->{json}{results};
}

sub listed { return $db->value("SELECT COUNT(*) FROM dead_letter"); }

sub number {
    my ($name, $label) = @_;
    my $text = qx($stack->{top}/build/tools/stats_text $stack->{dir}/run);
    my ($value) = $text =~ /^\Q$name\E\{[^}]*\Q$label\E[^}]*\} (\S+)$/m;
    return $value;
}

subtest 'what is set aside is listed' => sub {
    is_deeply(letters(), [], 'nothing at first');
    $kafka->produce($TOPIC, [
        { partition => 0, key => 'k1', value => good('t1') },
        (map { { partition => 1, key => "k-$_", value => $BAD{$_} } } @REASONS),
        { partition => 0, key => 'k2', value => good('t2') },
    ]);
    my $from = time;
    wait_until('six dead letters', sub { listed() == 6 }, 60);
    my $all = letters();
    is_deeply([ sort map { $_->{reason} } @$all ], \@REASONS, 'one of each kind');
    my ($bad) = grep { $_->{reason} eq 'schema' } @$all;
    my $offset = (grep { $REASONS[$_] eq 'schema' } 0 .. $#REASONS)[0];
    is_deeply($bad, {
        id => $bad->{id}, topic => $TOPIC, partition => 1, offset => $offset,
        key => 'k-schema', reason => 'schema', detail => $bad->{detail},
        value => $BAD{schema}, encoding => 'utf-8', state => 'open',
        attempts => 0, received_at => $bad->{received_at}, replay_id => undef
    }, 'with what the contract says');
    like($bad->{detail}, qr/transaction_id/, 'the detail names the member');
    my ($raw) = grep { $_->{reason} eq 'encoding' } @$all;
    is($raw->{encoding}, 'base64', 'what is not UTF-8');
    is(decode_base64($raw->{value}), $BAD{encoding}, '... is told in base64');
    my ($big) = grep { $_->{reason} eq 'too-big' } @$all;
    is($big->{value}, substr($BAD{'too-big'}, 0, 65536), 'of a large one the first 64 KiB');
    is_deeply($admin->get("$LIST$bad->{id}/")->{json}, $bad, 'one is the same as in the list');
    wait_until('the gauge', sub { (number('datalake_dead_letters_open', "topic=\"$TOPIC\"") // 0) == 6 }, 60);
    pass('the metric dead_letters_open counts them');
};

subtest 'the list is newest first, in pages, by filters' => sub {
    my $all = letters();
    my @order = map { "$_->{received_at} " . sprintf '%09d', $_->{id} } @$all;
    is_deeply(\@order, [ reverse sort @order ], 'newest first');
    my (@paged, $cursor);
    do {
        my $page = $admin->get("$LIST?limit=2" . ($cursor ? "&cursor=$cursor" : ''));
        is($page->{status}, 200, 'a page') or return;
        push @paged, @{ $page->{json}{results} };
        $cursor = $page->{json}{next_cursor};
    } while ($cursor);
    is_deeply(\@paged, $all, 'pages joined are the list');
    for my $reason (@REASONS) {
        is_deeply([ map { $_->{reason} } @{ letters("?reason=$reason") } ], [$reason], "reason=$reason");
    }
    is(@{ letters("?topic=$TOPIC&state=open") }, 6, 'topic and state');
    is(@{ letters('?topic=network_logs') }, 0, 'another topic has none');
    is(@{ letters('?state=discarded') }, 0, 'none is discarded');
    is(@{ letters('?from=2020-01-01') }, 6, 'from a day that is over');
    is(@{ letters('?to=2020-01-01') }, 0, 'before it there is none');
    is($admin->get("$LIST?$_")->{status}, 400, "$_ is 400")
      for qw(reason=none state=none limit=0 cursor=x from=x topic=);
};

subtest 'who may' => sub {
    my $id = letters()->[0]{id};
    for my $path ($LIST, "$LIST$id/", "${LIST}999999/") {
        is($stack->client('alice')->get($path)->{status}, 403, "role user: $path is 403");
        is($stack->client->get($path)->{status}, 401, "nobody: $path is 401");
    }
    is($stack->client('alice')->request('DELETE', "$LIST$id/")->{status}, 403, 'nor discard');
    is($admin->get("${LIST}999999/")->{status}, 404, 'what is not there is 404');
    is($admin->get("${LIST}x/")->{status}, 400, 'what is no number is 400');
    is($admin->get("${LIST}0/")->{status}, 400, 'zero is none');
};

subtest 'one is discarded' => sub {
    my ($bad) = @{ letters('?reason=not-json') };
    my $path = "$LIST$bad->{id}/";
    my $etag = $admin->get($path)->{headers}{etag};
    is($admin->get($path, headers => { 'If-None-Match' => $etag })->{status}, 304, 'unchanged it is 304');
    is($admin->request('DELETE', $path, headers => { 'If-Match' => '"other"' })->{status}, 412, 'of another state: 412');
    my $answer = $admin->request('DELETE', $path, headers => { 'If-Match' => $etag });
    is($answer->{status}, 204, 'of this one: 204');
    is($answer->{body} // '', '', '... without a body');
    ok(!exists $answer->{headers}{'content-type'}, '... and without its type');
    is($admin->get($path)->{json}{state}, 'discarded', 'it says so');
    is($admin->request('DELETE', $path)->{status}, 204, 'again is no mistake');
    is($admin->request('DELETE', "${LIST}999999/")->{status}, 404, 'what is not there is 404');
    is(@{ letters('?state=open') }, 5, 'five are open');
    wait_until('the gauge', sub { number('datalake_dead_letters_open', "topic=\"$TOPIC\"") == 5 }, 60);
    $db->run(q{UPDATE dead_letter SET state = 'redriven' WHERE reason = 'too-big'});
    my ($sent) = @{ letters('?reason=too-big') };
    is($admin->request('DELETE', "$LIST$sent->{id}/")->{status}, 409, 'one that was sent again is not discarded');
    $db->run(q{UPDATE dead_letter SET state = 'open' WHERE reason = 'too-big'});
};

subtest 'one is sent again' => sub {
    my ($bad)  = @{ letters('?reason=schema') };
    my $path   = "$LIST$bad->{id}/redrive/";
    my $client = $stack->client('alice');
    is($client->post($path)->{status}, 403, 'role user may not');
    is($admin->post("${LIST}999999/redrive/")->{status}, 404, 'what is not there is 404');
    is($admin->post($path, $_->[1])->{status}, 422, "$_->[0] is 422")
      for [ 'a text', { value => 'x' } ], [ 'a list', { value => [] } ], [ 'another member', { other => 1 } ];
    is($admin->get("$LIST$bad->{id}/")->{json}{attempts}, 0, 'nothing of that is an attempt');
    my $right = JSON::PP::decode_json(good('mended'));
    my @key = ({ value => $right }, headers => { 'Idempotency-Key' => 'one' });
    my $answer = $admin->post($path, @key);
    is($answer->{status}, 202, 'corrected it is taken') or diag explain $answer;
    is_deeply($admin->post($path, @key)->{json}, $answer->{json}, 'the same key gets the same answer');
    is($admin->post($path, undef, headers => { 'Idempotency-Key' => 'one' })->{status}, 422, '... for another body none');
    is_deeply([ sort keys %{ $answer->{json} } ], [qw(id message replay_id)], 'with what the contract says');
    is($answer->{json}{id}, $bad->{id}, '... and its number');
    my $now = $admin->get("$LIST$bad->{id}/")->{json};
    is_deeply([ @$now{qw(state attempts replay_id)} ],
        [ 'redriven', 1, $answer->{json}{replay_id} ], 'it says so');
    is($admin->post($path)->{status}, 409, 'it is sent once');
    is($admin->request('DELETE', "$LIST$bad->{id}/")->{status}, 409, '... and not discarded');
    wait_until('its row', sub { $db->value(q{SELECT COUNT(*) FROM transaction_record WHERE transaction_id = 'mended'}) == 1 }, 60);
    pass('it arrives as a row');
};

subtest 'as it was it is a new dead letter' => sub {
    for my $reason (qw(encoding too-big)) {
        my ($bad) = @{ letters("?reason=$reason") };
        my $answer = $admin->post("$LIST$bad->{id}/redrive/");
        is($answer->{status}, 202, "$reason: sent as it was");
        my $new;
        wait_until('its like', sub {
            ($new) = grep { $_->{id} != $bad->{id} } @{ $admin->get("$LIST?reason=$reason")->{json}{results} };
        }, 60);
        is($new->{value}, $bad->{value}, '... it is set aside again, with the same bytes');
        is($new->{key}, $bad->{key}, '... and the same key');
        is($db->value('SELECT size FROM dead_letter WHERE id = ?', $new->{id}), length $BAD{$reason}, '... all of them');
    }
};

subtest 'nobody knows whether it was sent' => sub {
    my ($bad) = @{ letters('?reason=bad-time&state=open') };
    my $path = "$LIST$bad->{id}/redrive/";
    $db->run('UPDATE dead_letter SET taken_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR, attempts = 1, replay_id = ? WHERE id = ?',
        '00000000-0000-4000-8000-000000000001', $bad->{id});
    is($admin->post($path)->{status}, 409, 'it is not sent again');
    is($admin->request('DELETE', "$LIST$bad->{id}/")->{status}, 409, 'nor discarded');
    $db->run('UPDATE dead_letter SET taken_until = NULL WHERE id = ?', $bad->{id});
};

# The job ID's end.
sub ended {
    my ($id) = @_;
    my $job;
    wait_until("the end of job $id", sub {
        $job = $admin->get("/api/jobs/$id/")->{json};
        $job->{state} !~ /queued|running/;
    }, 60);
    return $job;
}

# What is in doubt, and leases of the dead, need no time to pass.  Only while
# nobody sends.
sub hurry {
    $db->run(q{UPDATE dead_letter SET taken_until = UTC_TIMESTAMP(6) WHERE taken_until IS NOT NULL AND state = 'open'});
    $db->run(q{UPDATE job SET lease_until = UTC_TIMESTAMP(6) WHERE state = 'running'});
}

subtest 'many are sent again' => sub {
    my $path = "${LIST}redrive/";
    is($stack->client('alice')->post($path, { ids => [1] })->{status}, 403, 'role user may not');
    is($admin->post($path, $_->[1])->{status}, 422, "$_->[0] is 422")
      for [ 'nothing', {} ], [ 'both', { ids => [1], filter => {} } ], [ 'no list', { ids => 1 } ],
      [ 'an empty list', { ids => [] } ], [ 'a text', { ids => ['1'] } ], [ 'no object', { filter => 1 } ],
      [ 'another member', { filter => { state => 'open' } } ], [ 'no reason', { filter => { reason => 'x' } } ],
      [ 'no time', { filter => { from => 'x' } } ];
    my @open = map { $_->{id} } @{ letters('?state=open&limit=1000') };
    my ($first, $second) = sort { $a <=> $b } @open;
    my $answer = $admin->post($path, { ids => [ $second, $first, $first, 999_999 ] });
    is($answer->{status}, 202, 'some, by number') or diag explain $answer;
    is($answer->{headers}{location}, "/api/jobs/$answer->{json}{job_id}/", 'as a job');
    my $job = ended($answer->{json}{job_id});
    is($job->{state}, 'succeeded', 'it succeeds') or diag explain $job;
    is_deeply($job->{result}, { sent => 2, failed => 0 }, 'two were open');
    is_deeply($job->{progress}, { done => 2, total => 2 }, '... and are done');
    is($admin->get("$LIST$first/")->{json}{state}, 'redriven', 'they say so');
    $answer = $admin->post($path, { filter => { topic => 'network_logs' } });
    is_deeply(ended($answer->{json}{job_id})->{result}, { sent => 0, failed => 0 }, 'of another topic there are none');
};

subtest 'the operator has them sent again' => sub {
    my ($status, $out) = $stack->try_ctl(qw(--json job run redrive --topic network_logs --from 2020-01-01));
    is($status, 0, 'by a filter') or diag $out;
    my $job = JSON::PP::decode_json($out);
    is_deeply($job->{result}, { sent => 0, failed => 0 }, 'there are none');
    is_deeply([ @$job{qw(kind created_by)}, $job->{parameters} ], [ 'redrive', undef,
            { filter => { topic => 'network_logs', from => '2020-01-01T00:00:00.000000Z' } } ], 'of those that were asked for');
    ($status, $out) = $stack->try_ctl(qw(job run redrive 999998 999999));
    is($status, 0, 'by numbers');
    like($out, qr/redrive +succeeded .* 0 of 0 dead letters sent again$/, 'there are none');
};

subtest 'what is discarded meanwhile was not sent' => sub {
    my @ids = map { $_->{id} } @{ letters('?limit=3') };
    my $id  = '00000000-0000-4000-8000-000000000061';
    $db->run("UPDATE dead_letter SET state = 'open', taken_until = NULL WHERE id IN (?, ?, ?)", @ids);
    is($admin->request('DELETE', "$LIST$ids[0]/")->{status}, 204, 'one is discarded');
    # An attempt had begun before, when there were three.
    $db->run(q{INSERT INTO job (id, kind, state, created_at, parameters, result)
        VALUES (?, 'redrive', 'queued', UTC_TIMESTAMP(6), ?, ?)}, $id,
        sprintf('{"ids":[%d,%d,%d]}', @ids), '{"last":9000000,"total":3,"discarded":0}');
    my $job = ended($id);
    is_deeply($job->{result}, { sent => 2, failed => 0 }, 'two were sent');
    is_deeply($job->{progress}, { done => 3, total => 3 }, '... and nothing is left');
};

subtest 'a program that is killed sends nothing twice' => sub {
    my $N = 2000;
    $db->run(q{UPDATE dead_letter SET state = 'discarded' WHERE state = 'open'});
    my $seen = listed();
    $kafka->produce($TOPIC, [ map { { partition => $_ % 6, key => "n$_", value => "nothing $_" } } 1 .. $N ]);
    wait_until('their list', sub { listed() >= $seen + $N }, 60);
    my $id = $admin->post("${LIST}redrive/", { filter => { reason => 'not-json' } })->{json}{job_id};
    my $jobs = $stack->daemon('datalake-jobs');
    for my $kill (1 .. 6) {
        my $at = $N * $kill / 8;
        wait_until("$at of them", sub {
            $db->value(q{SELECT COUNT(*) FROM dead_letter WHERE attempts > 0 AND value LIKE 'nothing%'}) >= $at;
        }, 60);
        $jobs->kill_now;
        hurry();
        $jobs->start;
    }
    my $job;
    wait_until('the end', sub {
        $job = $admin->get("/api/jobs/$id/")->{json};
        $job->{state} !~ /queued|running/;
    }, 60);
    is($job->{state}, 'succeeded', 'the job ends') or diag explain $job;
    is($job->{result}{sent}, $N, 'having sent all');
    wait_until('their likes', sub { listed() >= $seen + 2 * $N }, 60);
    is($db->value(q{SELECT COUNT(*) FROM dead_letter WHERE value LIKE 'nothing%'}), 2 * $N, 'each arrived');
    is($db->value(q{SELECT COUNT(DISTINCT value) FROM dead_letter WHERE value LIKE 'nothing%' AND state = 'open'}), $N, '... once');
    is($db->value(q{SELECT COUNT(*) FROM dead_letter WHERE value LIKE 'nothing%' AND state = 'redriven'}), $N, 'and is marked');
};

subtest 'each is listed once' => sub {
    my $before = listed();
    $stack->daemon('datalake-jobs')->kill_now;
    $kafka->produce($TOPIC, [ map { { partition => 2, value => "no json $_" } } 1 .. 1200 ]);
    $stack->daemon('datalake-jobs')->start;
    wait_until('the others', sub { listed() >= $before + 600 }, 60);
    $stack->daemon('datalake-jobs')->kill_now;
    $stack->daemon('datalake-jobs')->start;
    wait_until('the rest', sub { listed() >= $before + 1200 }, 60);
    is(listed(), $before + 1200, 'a killed program lists nothing twice');
    is(letters('?limit=1')->[0]{key}, undef, 'without a key it is null');
    $stack->daemon('datalake-jobs')->kill_now;
    $db->run('DELETE FROM dead_letter_position');
    $stack->daemon('datalake-jobs')->start;
    wait_until('a new position', sub { $db->value('SELECT COUNT(*) FROM dead_letter_position') > 0 }, 60);
    is(listed(), $before + 1200, 'nor one that begins anew');
    my $second = DataLake::Process->new(
        name    => 'second',
        command => [ "$DataLake::Stack::BUILD/bin/datalake-jobs", '-c', $stack->ini_file, '--name', 'second' ],
        log     => "$stack->{dir}/log/second.log",
    )->start;
    wait_until('the second one runs', sub { -e "$stack->{dir}/run/second.stats" }, 60);
    $db->run('DELETE FROM dead_letter_position');
    $kafka->produce($TOPIC, [ map { { partition => $_ % 6, value => "for two $_" } } 1 .. 3000 ]);
    wait_until('all of them', sub { listed() >= $before + 4200 }, 40);
    wait_until('a new position', sub { $db->value('SELECT COUNT(*) FROM dead_letter_position') > 0 }, 60);
    is(listed(), $before + 4200, 'nor two programs that list at once');
    $second->stop;
};

# The message of topic dlq.TOPIC that tells of the row LETTER, and whether it is
# right: headers, key and the first 64 KiB.
sub tells {
    my ($message, $letter) = @_;
    my ($id, $reason, $partition, $offset, $key, $value, $size) = @$letter;
    my $h = $message->{headers};
    return "$id: headers" if "@$h{qw(dl-reason dl-topic dl-partition dl-offset)}"
      ne "$reason $TOPIC $partition $offset";
    return "$id: key" if ($message->{key} // '') ne ($key // '');
    return "$id: size" if length $message->{value} != $size || exists $h->{'dl-size'};
    return "$id: value" if substr($message->{value}, 0, 65536) ne $value;
    return 'right';
}

# Those of TOPIC's dead letters that have no message, or a wrong one.
sub untold {
    my %told;
    for my $message ($kafka->consume("dlq.$TOPIC")) {
        push @{ $told{"@{ $message->{headers} }{qw(dl-partition dl-offset)}"} }, $message;
    }
    my @wrong;
    for my $letter ($db->rows(q{SELECT id, reason, `partition`, `offset`, `key`, value, size FROM dead_letter WHERE topic = ? ORDER BY id}, $TOPIC)) {
        my @verdicts = map { tells($_, $letter) } @{ $told{"@$letter[2, 3]"} // [] };
        push @wrong, @verdicts ? grep { $_ ne 'right' } @verdicts : "$letter->[0]: missing";
    }
    return @wrong;
}

subtest 'each is in the topic of dead letters' => sub {
    wait_until('all were written', sub { !$db->value(q{SELECT COUNT(*) FROM dead_letter WHERE copied_at IS NULL}) }, 60);
    is_deeply([ untold() ], [], 'each of those above, with headers, key and all bytes, though the program was killed');
    my ($bounds) = $kafka->watermarks("dlq.$TOPIC");
    cmp_ok($bounds->[1], "<", 1.5 * listed(), "few are there twice");
    $kafka->delete_topic('dlq.clients');
    $kafka->produce('clients', [ { partition => 0, key => 'c', value => 'no json' } ]);
    wait_until('a word about the topic', sub { $stack->daemon_log("datalake-jobs") =~ /DL0897 dead letters of clients wait/ }, 60);
    $kafka->produce($TOPIC, [ { partition => 0, key => 'k3', value => 'later' } ]);
    wait_until('the other topic', sub { grep { $_->{value} eq 'later' } $kafka->consume("dlq.$TOPIC") }, 60);
    pass('a topic that is missing holds nobody else up');
    like($stack->ctl('topics'), qr/^dlq\.clients: made, 1 partitions$/m, 'datalakectl topics makes it');
    wait_until('the one that waited', sub { grep { $_->{value} eq 'no json' } $kafka->consume('dlq.clients') }, 60);
    pass('then it is written');
    $db->run(q~INSERT INTO dead_letter (topic, `partition`, `offset`, reason, detail, value, size, received_at)
        VALUES (?, 0, 0, 'schema', 'refused', '{"transac', 12345, NOW(6)), (?, 5, 99999, 'schema', 'refused', 'all', 3, NOW(6)),
        (?, 5, 99998, 'schema', 'refused', 'cut', 70000, NOW(6))~, ($TOPIC) x 3);
    my %by;
    wait_until('the refused ones', sub {
        %by = map { ("@{ $_->{headers} }{qw(dl-partition dl-offset)}" => $_) } $kafka->consume("dlq.$TOPIC");
        $by{'0 0'} && $by{'5 99999'} && $by{'5 99998'};
    }, 60);
    is($by{'0 0'}{value}, good('t1'), 'of a row that was refused the line of the lake');
    is_deeply([ $by{'5 99999'}{value}, $by{'5 99999'}{headers}{'dl-size'} ], [ 'all', undef ], 'of one that the lake does not have, the row');
    is_deeply([ $by{'5 99998'}{value}, $by{'5 99998'}{headers}{'dl-size'} ], [ 'cut', 70000 ], '... and how much there was');
    ok(wait_until('the number', sub { (number('datalake_kafka_produced_total', "topic=\"dlq.$TOPIC\",result=\"ok\"") // 0) >= 3 }),
        'they are counted');
};

done_testing;
