# 62-reconcile.t - broker, lake, warehouse and dead letters compared: true
# numbers while daemons run, and each planted fault is found by httpd and on
# the command line.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use JSON::PP ();
use POSIX qw(strftime);
use Time::HiRes qw(time);
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '62-reconcile',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => [],
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
    ini     => { datasets => { topics => 'planted' } },
);
my $admin = $stack->client('admin');
my $kafka = $stack->kafka;
my $db    = $stack->mariadb;
my $BUILD = $DataLake::Stack::BUILD;
my $lake  = "$stack->{dir}/lake";
my $DAY   = 86_400_000_000;
my $true  = JSON::PP::true();
my $false = JSON::PP::false();

# The answer of httpd, after that of datalakectl was found equal.
sub reconcile {
    my ($topic, $date) = @_;
    my $answer = $admin->get("/api/ingest/reconcile/?topic=$topic" . ($date ? "&date=$date" : ''));
    is($answer->{status}, 200, "reconcile $topic @{[$date // '']}") or diag $answer->{body};
    my ($status, $text) = $stack->try_ctl('--json', 'reconcile', $topic, $date ? ('--date', $date) : ());
    is_deeply(eval { JSON::PP->new->decode($text) }, $answer->{json}, 'datalakectl says the same');
    is($status, $answer->{json}{ok} ? 0 : 1, '... and ends as it should');
    return $answer->{json};
}

# Those members of ANSWER that are in WANT.
sub numbers_are {
    my ($answer, $name, %want) = @_;
    return is_deeply({ map { $_ => $answer->{$_} } keys %want }, \%want, $name);
}

# --- Planted faults -----------------------------------------------------------------

$kafka->create_topic('planted', partitions => 2);
my $now_ms = int(time * 1000);
my $base   = $now_ms * 1000 - $now_ms * 1000 % $DAY - 10 * $DAY;    # ten days ago
$kafka->produce('planted',
    [ map { { partition => $_ % 2, timestamp => int($base / 1000) + $_, value => qq({"n":$_}) } } 0 .. 199 ]);

# Store 100 offsets of both partitions as LINE says; what it leaves out is
# missing.
sub drive {
    my (@lines) = @_;
    my $script = "$stack->{dir}/script";
    spit($script, join '', map { "$_\n" } @lines);
    system("$BUILD/tools/lake_driver", $lake, 'planted', $script) == 0 or die "lake_driver failed\n";
    system('chgrp', '-R', 'www-data', $lake) if $> == 0;
    return;
}
my $clock = 1_800_000_000_000_000;
sub line { my ($p, $o) = @_; return "R $p $o " . ($base + $o * 1000) . qq( {"p":$p,"o":$o}); }

drive(map({ line(0, $_) } 0 .. 39), 'C ' . ($clock += 1000), map({ line(1, $_) } 0 .. 59), 'C ' . ($clock += 1000));
numbers_are(
    reconcile('planted'), 'what is not read yet is not missing',
    kafka_records => 200, lake_records => 100, missing => 0, duplicate => 0, dead_letters => 0,
    warehouse_records => undef, warehouse_refused => 0, late => 0, ok => $true,
    partitions => [
        { partition => 0, kafka_low => 0, kafka_high => 100, lake_next => 40, warehouse_next => undef },
        { partition => 1, kafka_low => 0, kafka_high => 100, lake_next => 60, warehouse_next => undef }
    ]
);
drive("Q 0 40 schema {\"x\":1}", map({ line(0, $_) } 41 .. 70, 72 .. 99), "C " . ($clock += 1000));
numbers_are(reconcile('planted'), 'a missing record is found',
    lake_records => 158, dead_letters => 1, missing => 1, duplicate => 0, ok => $false);
my (undef, $text) = $stack->try_ctl('reconcile', 'planted');
like($text, qr/^missing: partition 0, offset 71$/m, '... and named');
drive('B 0 71', line(0, 71), line(0, 72), line(0, 73), 'C ' . ($clock += 1000), 'A 0 100', 'C ' . ($clock += 1000));
numbers_are(reconcile('planted'), 'double records are found',
    lake_records => 161, missing => 0, duplicate => 2, ok => $false);
$kafka->trim_topic('planted', 0, 90);
numbers_are(reconcile('planted'), 'what the broker has removed is not missing',
    kafka_records => 110, lake_records => 161, missing => 0, duplicate => 2);
numbers_are(reconcile('planted', strftime('%Y-%m-%d', gmtime $base / 1e6)), 'a day of the broker',
    kafka_records => 110, date => strftime('%Y-%m-%d', gmtime $base / 1e6));
numbers_are(reconcile('planted', '2020-01-01'), 'a day without messages',
    kafka_records => 0, lake_records => 0, dead_letters => 0, missing => 0, ok => $true);

subtest 'what cannot be asked' => sub {
    is($admin->get('/api/ingest/reconcile/?topic=no-such')->{status}, 404, 'a topic of no dataset is 404');
    is($admin->get('/api/ingest/reconcile/')->{status}, 400, 'no topic is 400');
    is($stack->client('alice')->get('/api/ingest/reconcile/?topic=planted')->{status}, 403, 'it is for role admin');
    is($stack->client->get('/api/ingest/reconcile/?topic=planted')->{status}, 401, 'no token is 401');
    my ($status) = $stack->try_ctl('reconcile', 'no-such');
    isnt($status, 0, 'datalakectl fails, too');
    ($status) = $stack->try_ctl('reconcile', 'planted', '--date', 'today');
    is($status, 2, 'a date that is none is a mistake of usage');
};

# --- The daemons ------------------------------------------------------------------

my @messages = map {
    {
        key => "TX$_", timestamp => $now_ms - 60_000 + $_,
        value => $_ % 100 == 7 ? '{"transaction_id":' : sprintf(
            '{"transaction_id":"TX%d","timestamp":"%s","amount":1.5,"currency":"EUR","status":"completed"}',
            $_ % 50 == 3 ? 1 : $_,
            strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($now_ms / 1000 - 60 - ($_ % 40 == 11 ? 86_400 * 2 : 0)))
        )
    }
} 1 .. 2000;
$kafka->produce('transaction_log', \@messages);
$stack->start_daemon('datalake-lake', arguments => [ '--datasets', 'transaction_log' ]);
$stack->start_daemon('datalake-warehouse', arguments => [ '--datasets', 'transaction_log' ]);
wait_until('the warehouse has all', sub {
    return 2000 == ($db->value("SELECT SUM(next_offset) FROM sink_offset WHERE sink = 'warehouse'"
              . " AND topic = 'transaction_log'") // 0);
});
wait_until('the lake has all', sub {
    my $answer = $admin->get('/api/ingest/reconcile/?topic=transaction_log')->{json} // {};
    return 2000 == ($answer->{lake_records} // 0) + ($answer->{dead_letters} // 0);
});
my $all = reconcile('transaction_log');
numbers_are($all, 'in = lake + dead letters',
    kafka_records => 2000, lake_records => 1980, warehouse_records => 1980, dead_letters => 20,
    warehouse_refused => 0, missing => 0, duplicate => 0, late => 50, ok => $true);
is_deeply([ grep { $_->{lake_next} != $_->{warehouse_next} } @{ $all->{partitions} } ], [],
    'both sinks are at the end');
subtest 'every record' => sub {
    my ($status, $said) = $stack->try_ctl('--json', 'reconcile', '--deep', 'transaction_log');
    my $deep = JSON::PP->new->decode($said);
    is($status, 0, 'the records of lake and broker are the same') or diag $said;
    is_deeply([ @{$deep}{qw(lines compared different)} ], [ 1980, 1980, 0 ], '... all of them were compared');
    is_deeply($deep->{reconcile}, $all, '... and the rest is as without');
    my $rows = $db->value('SELECT COUNT(*) FROM transaction_record');
    is_deeply($deep->{warehouse}, { rows => $rows, right => $rows, wrong => 0, missing => 0, beyond => 0, changes => 0 },
        'every row is made of the latest record of its key');
    my ($gone, $moved) = $db->rows('SELECT transaction_id, src_partition, src_offset FROM transaction_record ORDER BY transaction_id LIMIT 2');
    $db->run('CREATE TABLE kept_rows LIKE transaction_record');
    $db->run('INSERT INTO kept_rows SELECT * FROM transaction_record WHERE transaction_id IN (?, ?)', $gone->[0], $moved->[0]);
    $db->run('DELETE FROM transaction_record WHERE transaction_id = ?', $gone->[0]);
    $db->run('UPDATE transaction_record SET src_partition = ?, src_offset = ? WHERE transaction_id = ?', @$gone[1, 2], $moved->[0]);
    (my $code, $said) = $stack->try_ctl('reconcile', '--deep', 'transaction_log');
    is($code, 1, 'a table without a row is found');
    like($said, qr/^row missing: partition $moved->[1], offset $moved->[2]$/m, '... and the record named');
    $db->run('UPDATE transaction_record SET src_offset = src_offset + 1000000 WHERE transaction_id = ?', $moved->[0]);
    ($code, $said) = $stack->try_ctl('reconcile', '--deep', 'transaction_log');
    like($said, qr/^rows missing +2$/m, 'two rows that are missing');
    $db->run('DELETE FROM transaction_record WHERE transaction_id = ?', $moved->[0]);
    $db->run('INSERT INTO transaction_record SELECT * FROM kept_rows');
    $db->run('DROP TABLE kept_rows');
    is(($stack->try_ctl('reconcile', '--deep', 'transaction_log'))[0], 0, 'mended, all is right again');
    ($status, $said) = $stack->try_ctl('reconcile', '--deep', 'planted');
    is($status, 1, 'lines that are not their messages are found');
    like($said, qr/^different: partition 0, offset 90$/m, '... and named');
};
$db->run(
    "INSERT INTO dead_letter (topic, `partition`, `offset`, reason, detail, value, received_at)"
      . " VALUES ('transaction_log', 0, 0, 'schema', 'the database refused a value of the row', '{}', '2026-05-18')");
numbers_are(reconcile('transaction_log'), 'a row that the database refused is found',
    warehouse_refused => 1, missing => 0, ok => $false);
numbers_are(reconcile('transaction_log', '2026-05-18'), '... on its day', warehouse_refused => 1);

# The metric by which an alarm is raised.
sub last_success {
    my ($value) = $admin->get('/metrics')->{body} =~
      /^datalake_schedule_last_success_timestamp_seconds\{schedule="reconcile"\} (\S+)/m;
    return $value;
}

subtest 'the schedule' => sub {
    $stack->start_daemon('datalake-jobs');
    my ($status, $said) = $stack->try_ctl('schedule', 'run', 'reconcile');
    is($status, 1, 'a run that finds something wrong fails');
    like($stack->daemon_log('datalake-jobs'), qr/DL0820 .*topic planted: 0 records are missing, 2 double/,
        '... and the log says what');
    my $run = $admin->get('/api/schedules/')->{json}{schedules};
    my ($schedule) = grep { $_->{name} eq 'reconcile' } @$run;
    is("$schedule->{calendar} $schedule->{time_zone}", '*-*-* 03:00 UTC', 'it runs each day');
    like($schedule->{runs}[0]{detail}, qr/^topic planted: .* 2 double/, '... as does the run');
    is(last_success(), undef, 'the metric knows of no success');
    $db->run("UPDATE dead_letter SET state = 'discarded'");
    remove_tree("$lake/planted", "$lake/_lake/planted");
    ($status, $said) = $stack->try_ctl('schedule', 'run', 'reconcile');
    is($status, 0, 'a run that finds nothing wrong succeeds') or diag $said;
    wait_until('the metric shows it', sub { abs(time - (last_success() // 0)) < 60 });
    pass('the metric shows it');
};
$kafka->stop;
my $answer = $admin->get('/api/ingest/reconcile/?topic=transaction_log');
is($answer->{status}, 503, 'without a broker it is 503');
is($answer->{json}{type}, '/problems/broker-unavailable', '... which says so');
done_testing();
