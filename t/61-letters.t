# 61-letters.t - dead letters: what the lake sets aside is listed, looked at,
# given up.
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
    ini     => { kafka => { dead_letter_share => 100 } },
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
    wait_until('six dead letters', sub { listed() == 6 }, 20);
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
    wait_until('the gauge', sub { (number('datalake_dead_letters_open', "topic=\"$TOPIC\"") // 0) == 6 }, 10);
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
    wait_until('the gauge', sub { number('datalake_dead_letters_open', "topic=\"$TOPIC\"") == 5 }, 10);
    $db->run(q{UPDATE dead_letter SET state = 'redriven' WHERE reason = 'too-big'});
    my ($sent) = @{ letters('?reason=too-big') };
    is($admin->request('DELETE', "$LIST$sent->{id}/")->{status}, 409, 'one that was sent again is not discarded');
    $db->run(q{UPDATE dead_letter SET state = 'open' WHERE reason = 'too-big'});
};

subtest 'each is listed once' => sub {
    my $before = listed();
    $stack->daemon('datalake-jobs')->kill_now;
    $kafka->produce($TOPIC, [ map { { partition => 2, value => "no json $_" } } 1 .. 1200 ]);
    $stack->start_daemon('datalake-jobs', '--name', 'another') if 0;
    $stack->daemon('datalake-jobs')->start;
    wait_until('the others', sub { listed() >= $before + 600 }, 20);
    $stack->daemon('datalake-jobs')->kill_now;
    $stack->daemon('datalake-jobs')->start;
    wait_until('the rest', sub { listed() >= $before + 1200 }, 20);
    is(listed(), $before + 1200, 'a killed program lists nothing twice');
    is(letters('?limit=1')->[0]{key}, undef, 'without a key it is null');
    $db->run('DELETE FROM dead_letter_position');
    wait_until('a new position', sub { $db->value('SELECT COUNT(*) FROM dead_letter_position') > 0 }, 20);
    is(listed(), $before + 1200, 'nor one that begins anew');
};

done_testing;
