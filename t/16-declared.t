# 16-declared.t - a dataset is a declaration: one that exists only here goes
# from Kafka to lake, warehouse and HTTP without a line of C, a topic without
# declaration lands untyped, and a new field of transaction_log is one line
# and one change of its table.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;

my $DOORS = <<'JSON';
{
  "dataset": "doors",
  "description": "Doors of a building that were opened; exists in this test only.",
  "topic": {"key": "door_id", "partitions": 2, "retention_days": 1},
  "event_time": {"member": "at", "formats": ["rfc3339"]},
  "table": {"name": "door_opening", "unique": ["door_id", "at"], "on_repeat": "ignore"},
  "fields": [
    {"member": "door_id", "type": "str", "required": true, "column": "door_id", "max": 20},
    {"member": "at", "type": "time", "required": true, "column": "at"},
    {"member": "who.name", "type": "str", "column": "who"},
    {"member": "kg", "type": "dec", "column": "kg"}
  ]
}
JSON

my $DOOR_TABLE = <<'SQL';
CREATE TABLE door_opening (
  door_id VARCHAR(20) NOT NULL,
  `at` DATETIME(6) NOT NULL,
  who VARCHAR(255) NULL,
  kg DECIMAL(28,10) NULL,
  src_generation INT NOT NULL,
  src_partition INT NOT NULL,
  src_offset BIGINT NOT NULL,
  src_time DATETIME(6) NOT NULL,
  PRIMARY KEY (door_id, `at`),
  UNIQUE KEY door_opening_src (src_generation, src_partition, src_offset)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
SQL

my $stack = DataLake::Stack->new(
    name    => '16-declared',
    kafka   => 1,
    mariadb => 1,
    later   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
);
my $declarations = "$stack->{dir}/datasets";
make_path($declarations);
for my $file (glob "$stack->{top}/conf/datasets/*.json") {
    copy($file, $declarations) or die "$file: $!\n";
}
spit("$declarations/doors.json", $DOORS);
$stack->{ini} =
  { datasets => { dir => $declarations, topics => 'raw_feed' } };
$stack->start_all;
$stack->kafka->create_topic('raw_feed', partitions => 1);
$stack->mariadb->run($DOOR_TABLE);
$stack->ctl('migrate');
$stack->start_daemon($_) for qw(datalake-lake datalake-warehouse);
$stack->start_httpd;
my $client = $stack->client('alice');

# The records of DATASET on DAY over HTTP, once there are COUNT of them.
sub records_over_http {
    my ($dataset, $day, $count) = @_;
    my $records;
    wait_until(
        "$dataset has not $count records on $day",
        sub {
            my $answer = $client->get(
                "/api/audit/version/?dataset=$dataset&date=$day");
            $records = $answer->{status} == 200 ? $answer->{json} : [];
            return @$records >= $count;
        },
        60
    );
    return $records;
}

# The rows of SQL, once there are COUNT of them.
sub rows_of {
    my ($count, $sql) = @_;
    my @rows;
    wait_until(
        "no $count rows: $sql",
        sub { (@rows = $stack->mariadb->rows($sql)) >= $count },
        60
    );
    return \@rows;
}

subtest 'a dataset that exists only in a test goes end to end' => sub {
    $stack->kafka->produce(
        'doors',
        [
            map {
                {
                    partition => 1,
                    key       => 'D1',
                    value     => $_
                }
            } '{"door_id":"D1","at":"2026-05-18T23:30:00+02:00","kg":1.10}',
            '{"door_id":"D1","at":"2026-05-18T21:30:00Z","kg":9}',
            '{"door_id":"D1","at":"2026-05-18T22:00:00Z","who":{"name":"Al"}}',
            '{"at":"2026-05-18T22:00:00Z"}',
        ]
    );
    my $records = records_over_http('doors', '2026-05-18', 3);
    is(scalar @$records, 3, 'its records are in the lake, on the event date');
    is($records->[2]{who}{name}, 'Al', 'as they were sent');
    my $rows = rows_of(2, 'SELECT door_id, `at`, who, kg, src_offset'
          . ' FROM door_opening ORDER BY `at`');
    is_deeply(
        $rows,
        [
            [ 'D1', '2026-05-18 21:30:00.000000', undef, '1.1000000000', 0 ],
            [ 'D1', '2026-05-18 22:00:00.000000', 'Al', undef, 2 ],
        ],
        'its rows are in the warehouse, a repeated key is ignored'
    );
    my %rows;
    wait_until(
        'rows are not counted',
        sub {
            %rows = $stack->client('admin')->get('/metrics')->{body} =~
              /^datalake_warehouse_rows_total\{table="(\w+)"\} (\d+)/mg;
            return ($rows{door_opening} // 0) >= 2;
        },
        60
    );
    is_deeply(
        \%rows,
        {
            door_opening => 2,
            map { $_ => 0 } qw(client client_transaction network_log
              social_post transaction_record)
        },
        'and are counted as those of its table'
    );
    ok(
        wait_until(
            'the dead letter',
            sub { join("\n", lake_rejects('doors')) =~ /\bschema\b/ }
        ),
        'a record without its required member is a dead letter'
    );
};

# What lake_dump prints of the rejects of DATASET.
sub lake_rejects {
    my ($dataset) = @_;
    return grep { /^Q/ } split /\n/,
      qx($stack->{top}/build/tools/lake_dump $stack->{dir}/lake $dataset);
}

subtest 'a topic that is only named lands untyped' => sub {
    $stack->kafka->produce(
        'raw_feed',
        [
            { value => '{"x":1, "timestamp":"2026-05-17T00:00:00Z"}' },
            { value => '{"x":2}', timestamp => 1_747_000_000_000 },
        ]
    );
    is_deeply(
        records_over_http('raw_feed', '2026-05-17', 1),
        [ { x => 1, timestamp => '2026-05-17T00:00:00Z' } ],
        'the member timestamp is the event time'
    );
    is_deeply(records_over_http('raw_feed', '2025-05-11', 1),
        [ { x => 2 } ], 'without one, the broker time');
};

subtest 'a new field is one line and one change of the table' => sub {
    my $file = "$declarations/transaction_log.json";
    my $text = slurp($file);
    $text =~ s/("fields": \[\n)/$1    {"member": "gift_note", "type": "str", "column": "gift_note"},\n/
      or die 'no fields';
    $stack->mariadb->run(
        'ALTER TABLE transaction_record ADD COLUMN gift_note VARCHAR(255) NULL'
    );
    spit($file, $text);
    for my $program (qw(datalake-lake datalake-warehouse)) {
        my $before = () = $stack->daemon_log($program) =~ /DL0705/g;
        $stack->daemon($program)->signal('HUP');
        wait_until(
        "$program does not reload",
        sub {
                my $now = () = $stack->daemon_log($program) =~ /DL0705/g;
                return $now > $before;
            },
        60
    );
    }
    $stack->kafka->produce(
        'transaction_log',
        [
            {
                key   => 'G1',
                value => '{"transaction_id":"G1","gift_note":"with love",'
                  . '"timestamp":"2026-05-16T10:00:00Z"}'
            }
        ]
    );
    is_deeply(
        rows_of(1, 'SELECT gift_note FROM transaction_record'
              . " WHERE transaction_id = 'G1'"),
        [ ['with love'] ],
        'its value is in the new column'
    );
};

subtest 'a bad declaration keeps the old set and says where' => sub {
    spit("$declarations/doors.json", $DOORS =~ s/"dec"/"decimall"/r);
    my ($status, $said) =
      $stack->try_program('datalake-lake', '-c', $stack->ini_file,
        '--check-config');
    isnt($status, 0, '--check-config refuses it');
    like($said, qr/doors\.json:11: .*must be one of/,
        'with file, line and what is wrong');
    $stack->daemon('datalake-lake')->signal('HUP');
    wait_until(
        'the daemon does not tell',
        sub { $stack->daemon_log('datalake-lake') =~ /doors\.json:11/ },
        60
    );
    ok($stack->daemon('datalake-lake')->running, 'the daemon goes on');
    my $said_by_httpd = $stack->httpd->check;
    isnt($?, 0, 'apachectl -t refuses it too');
    like($said_by_httpd, qr/doors\.json:11/, 'with the same place');
};

done_testing;
