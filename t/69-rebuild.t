# 69-rebuild.t - the warehouse from the lake alone: emptied and filled again,
# every table has the rows that the loader had made.
#
# No broker: the daemons read files.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Ledger;
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use File::Copy qw(copy);
use File::Path qw(make_path);

my $TOP   = "$FindBin::Bin/..";
my $TOPIC = 'transaction_log';
my $DAY   = 1_779_062_400;    # 2026-05-18

my $DOORS = <<'JSON';
{
  "dataset": "doors",
  "description": "Doors of a building that were opened; exists in this test only.",
  "topic": {"key": "door_id", "partitions": 2, "retention_days": 1},
  "event_time": {"member": "at", "formats": ["rfc3339"]},
  "table": {"name": "door_opening", "unique": ["door_id"], "on_repeat": "supersede"},
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
  origin VARCHAR(16) NULL,
  src_generation INT NOT NULL,
  src_partition INT NOT NULL,
  src_offset BIGINT NOT NULL,
  src_time DATETIME(6) NOT NULL,
  PRIMARY KEY (door_id),
  UNIQUE KEY door_opening_src (src_generation, src_partition, src_offset)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
SQL

my $source = "$TOP/build/t/69-rebuild/source";
my $stack  = DataLake::Stack->new(
    name    => '69-rebuild',
    mariadb => 1,
    later   => 1,
    ini     => {
        kafka    => { brokers  => "file:$source" },
        lake     => { seal_age => '1s' },
        datasets => { dir => "$TOP/build/t/69-rebuild/datasets" },
    },
);
make_path("$stack->{dir}/datasets", $source);
for my $name ($TOPIC, 'social_posts', 'transactions', 'clients') {
    copy("$TOP/conf/datasets/$name.json", "$stack->{dir}/datasets") or die $!;
}
spit("$stack->{dir}/datasets/doors.json", $DOORS);

my %length;    # lines of a file of the source

# Put MESSAGES behind the file of TOPIC: partition, time_ms, key, headers (a
# text NAME=VALUE,...), value.
sub put {
    my ($topic, @messages) = @_;
    open my $out, '>>:raw', "$source/$topic" or die "source: $!\n";
    for my $m (@messages) {
        my $offset  = $length{$topic}{ $m->{partition} }++ || 0;
        my $headers = join '', map { "\x1F$_" } split /,/, $m->{headers} // '';
        print $out join(' ', $m->{partition}, $offset, $m->{timestamp},
            $m->{key}), "$headers\t$m->{value}\n";
    }
    close $out or die "source: $!\n";
    return;
}

my $ledger  = DataLake::Ledger->new(run => 69, partitions => 3);
my @records = $ledger->generate(3000);
for my $i (0 .. $#records) {
    $records[$i]{headers} = "dl-origin=repush,dl-replay-id=r$i" if $i % 7 == 0;
    $records[$i]{headers} = 'dl-origin=collector' if $i % 7 == 1;
}
put($TOPIC, @records[ 0 .. 1499 ]);
spit("$source/doors", '');
$length{doors}{$_} = 0 for 0, 1;

sub door {
    my ($id, $time, $rest, %more) = @_;
    return {
        partition => $id % 2,
        timestamp => ($DAY + $time) * 1000,
        key       => "D$id",
        value     => sprintf('{"door_id":"D%d","at":"2026-05-18T%02d:%02d:%02dZ"%s}',
            $id, $time / 3600, $time / 60 % 60, $time % 60, $rest),
        %more
    };
}

put('doors', map { door($_, 100 + $_, qq(,"kg":$_.5,"who":{"name":"w$_"})) } 0 .. 9);

# A post of its LIKES, at TIME, with comments called COMMENTS.
sub post {
    my ($id, $time, $likes, @comments) = @_;
    my $list = join ',', map { qq({"comment_id":"$_","user":"Bob","text":"of $id, $likes"}) } @comments;
    return {
        partition => $id % 3,
        timestamp => ($DAY + $time) * 1000,
        key       => "P$id",
        value     => qq({"post_id":"P$id","user":{"user_id":"u$id"},"timestamp":"2026-05-18T01:00:00Z",)
          . qq("likes":$likes,"comments":[$list]})
    };
}

# Half of them come again with other comments, some of these too late to count.
put('social_posts', map { post($_, 100 + $_, 1, 'a', 'b', "c$_") } 0 .. 29);
put('social_posts', map { post($_, $_ % 4 == 0 ? 50 : 900, 2, 'b', 'd') } grep { $_ % 2 == 0 } 0 .. 29);
put('social_posts', post(1, 1000, 3), post(3, 1000, 3, ('e') x 2, 'f'));
# Payments and their clients: rows that move from client to client, with times
# that go back and forth, some of them in a partition of another client.
sub payment {
    my ($id, $client, $time, %more) = @_;
    return {
        partition => $client % 3,
        timestamp => ($DAY + $time) * 1000,
        key       => $client,
        value     => qq({"transaction_id":$id,"client_id":$client,"montant":$time,)
          . qq("date_transaction":"2026-05-18 10:00:00"}),
        %more
    };
}

sub client {
    my ($id, $time) = @_;
    return {
        partition => $id % 3,
        timestamp => ($DAY + $time) * 1000,
        key       => $id,
        value     => qq({"client_id":$id,"nom":"at $time"})
    };
}

srand 69;
put('clients', map { client($_, 100) } 0 .. 5);
put('transactions', map { payment($_, int rand 6, int rand 1000) } 0 .. 39);
$stack->start_all;
$stack->mariadb->run($DOOR_TABLE);
$stack->ctl('migrate');

my @DAEMONS = qw(datalake-lake datalake-warehouse);

sub start {
    $stack->start_daemon('datalake-lake');
    $stack->start_daemon('datalake-warehouse');
    return;
}

# The same again: of several files they follow the last one only.
sub restart {
    $stack->daemon($_)->stop for reverse @DAEMONS;
    start();
    return;
}

# Wait until the warehouse has all of TOPICS, in GENERATION, and the rollups.
sub wait_loaded {
    my ($generation, @topics) = @_;
    for my $topic (@topics) {
        for my $partition (keys %{ $length{$topic} }) {
            my $end = $length{$topic}{$partition};
            wait_until(
                "$topic/$partition is not at $end",
                sub {
                    my $at = $stack->mariadb->value(
                        'SELECT next_offset FROM sink_offset WHERE sink ='
                          . " 'warehouse' AND topic = '$topic' AND"
                          . " `partition` = $partition AND generation >= $generation");
                    return defined $at && $at >= $end;
                },
                60
            );
        }
    }
    wait_until(
        'rollups are not complete',
        sub {
            return $stack->mariadb->value(
                'SELECT COUNT(*) + (SELECT COUNT(*) FROM rollup_adjust) FROM'
                  . ' sink_offset w LEFT JOIN sink_offset r ON r.sink ='
                  . " 'rollup' AND r.topic = w.topic AND r.`partition` ="
                  . " w.`partition` WHERE w.sink = 'warehouse' AND w.topic ="
                  . " '$TOPIC' AND (r.next_offset IS NULL OR r.next_offset <"
                  . ' w.next_offset)') == 0;
        },
        60
    );
    return;
}

# What is in the lake: how many lines and dead letters of TOPIC.
sub wait_stored {
    my ($topic, $count) = @_;
    wait_until(
        "$topic has not $count records in the lake",
        sub {
            my @rows = split /\n/,
              qx($TOP/build/tools/lake_dump $stack->{dir}/lake $topic 2>&1);
            return @rows >= $count;
        },
        60
    );
    return;
}

my @TABLES = qw(transaction_record door_opening spend_user spend_second
  product_sale product_total product rollup_adjust social_post social_comment
  client client_transaction sink_offset dead_letter);

# All rows of all tables, sorted.
sub everything {
    my %rows;
    for my $table (@TABLES) {
        $rows{$table} = [
            sort map { join "\t", map { $_ // 'NULL' } @$_ }
              $stack->mariadb->rows("SELECT * FROM $table")
        ];
    }
    return \%rows;
}

sub same_as {
    my ($before, $name) = @_;
    my $after = everything();
    for my $table (@TABLES) {
        is_deeply($after->{$table}, $before->{$table},
            "$name: $table, " . @{ $before->{$table} } . ' rows');
    }
    return;
}

# What the warehouse has of TOPIC, as an object of partitions.
sub upto {
    my ($topic) = @_;
    return '{' . join(',', map { qq("$_->[0]":$_->[1]) } $stack->mariadb->rows(
        'SELECT `partition`, next_offset FROM sink_offset WHERE sink ='
          . " 'warehouse' AND topic = '$topic' ORDER BY `partition`")) . '}';
}

my $last_change = 0;

# A change as a request makes it: SQL in the tables, an event behind the
# records of TOPIC; more members of it in MORE.
sub change {
    my ($topic, $record, $key, $changes, $sql, %more) = @_;
    my $event = $changes eq 'null' ? 'delete' : 'update';
    my $upto  = upto($topic);
    my $id    = ++$last_change;
    my $table  = { doors => 'door_opening', transactions => 'client_transaction' }->{$topic};
    my $before = $stack->mariadb->value("SELECT COUNT(*) FROM $table");
    $stack->mariadb->run($sql);
    $stack->mariadb->run("INSERT INTO row_count (name, slot, n) SELECT '$table', 1000000, COUNT(*) - $before"
          . " FROM $table ON DUPLICATE KEY UPDATE n = n + VALUES(n)");
    put($topic, {
        partition => $record->{partition},
        timestamp => ($DAY + 3 * 86400) * 1000,
        key       => $record->{key},
        headers   => "dl-event=$event,dl-change-id=$id",
        value     => qq({"_event":"$event","key":$key,"changes":$changes,"by":"alice",)
          . qq("at":"2026-05-20T10:00:00Z","request_id":"r","upto":$upto)
          . join('', map { qq(,"$_":$more{$_}) } keys %more) . '}',
    });
    return;
}

sub change_door {
    my ($id, $changes, $sql) = @_;
    return change('doors', door($id, 0, ''), qq({"door_id":"D$id"}), $changes, $sql);
}

# Tables whose number of rows is not the one that is kept with them.
sub miscounted {
    my %kept = map { @$_ } $stack->mariadb->rows(
        'SELECT name, SUM(n) FROM row_count GROUP BY name HAVING SUM(slot = -1) = 1');
    return grep { ($kept{$_} // 'none') ne $stack->mariadb->value("SELECT COUNT(*) FROM $_") }
      qw(door_opening social_post client client_transaction);
}

sub run_and_compare {
    my ($name, @arguments) = @_;
    $stack->daemon('datalake-warehouse')->stop;
    my $before = everything();
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse', @arguments);
    is($status, 0, "$name: datalakectl rebuild-warehouse") or diag $said;
    note $said;
    same_as($before, $name);
    is(join(' ', miscounted()), '', "$name: rows are as many as is kept with them");
    return $before;
}

start();
wait_loaded(0, $TOPIC, qw(doors social_posts transactions clients));
subtest 'while the loader runs' => sub {
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse');
    isnt($status, 0, 'a rebuild is refused');
    like($said, qr/datalake-warehouse runs .* stop it first/, 'with a reason');
};

change_door(3, '{"kg":99.25,"who":{"name":"alice"}}',
    "UPDATE door_opening SET kg = 99.25, who = 'alice' WHERE door_id = 'D3'");
change_door(4, '{"who":null}',
    "UPDATE door_opening SET who = NULL WHERE door_id = 'D4'");
my $door_change = $last_change;
change_door(5, 'null', "DELETE FROM door_opening WHERE door_id = 'D5'");
change_door(6, 'null', "DELETE FROM door_opening WHERE door_id = 'D6'");
put('doors', door(4, 900, ',"kg":7'), door(6, 900, ',"kg":8'),
    door(11, 50, '', headers => 'dl-origin=api'));
put($TOPIC, @records[ 1500 .. 2999 ]);
restart();
wait_loaded(0, $TOPIC, 'doors');
wait_stored($TOPIC, 3000);
wait_stored('doors', 17);
wait_stored('social_posts', 47);
wait_stored('transactions', 40);
wait_stored('clients', 6);

my $before = run_and_compare('one life of the topics');
subtest 'what was there to be rebuilt' => sub {
    is(scalar(grep { /\trepush\t/ } @{ $before->{transaction_record} }) > 100,
        1, 'rows of a replay');
    like(join("\n", grep { /^D3\t/ } @{ $before->{door_opening} }),
        qr/alice\t99.25/, 'a change that holds');
    like(join("\n", grep { /^D4\t/ } @{ $before->{door_opening} }),
        qr/NULL\t7\.0/, 'one that a later record undid');
    is(scalar(grep { /^D5\t/ } @{ $before->{door_opening} }), 0,
        'a row that was deleted');
    my @comments = map { join ' ', (split /\t/)[ 0, 1 ] } @{ $before->{social_comment} };
    is_deeply([ grep { /^P(?:1|2|3|4) / } @comments ], [ 'P2 b', 'P2 d', 'P3 e', 'P3 f', 'P4 a', 'P4 b', 'P4 c4' ],
        'comments of the later post alone');
    is(scalar(grep { /^D6\t/ } @{ $before->{door_opening} }), 1,
        'one that came again');
};

# Change and delete payments of one client, or one payment of it.
sub change_payments {
    my $client = int rand 6;
    my $id     = rand() < 0.5 ? int rand 40 : undef;
    my $key    = qq({"client_id":$client) . (defined $id ? qq(,"transaction_id":$id}) : '}');
    my $where  = "client_id = $client" . (defined $id ? " AND transaction_id = $id" : '');
    my $n      = int rand 1000;
    my @where  = ('transactions', payment(0, $client, 0), $key);
    return change(@where, 'null', "DELETE FROM client_transaction WHERE $where")
      if rand() < 0.6;
    return change(@where, qq({"montant":$n}), "UPDATE client_transaction SET montant = $n WHERE $where")
      if defined $id;
    return change(@where, qq({"nom":"n$n"}), "UPDATE client SET nom = 'n$n' WHERE client_id = $client",
        also => '{"clients":{"upto":' . upto('clients') . '}}');
}

subtest 'payments that move to other clients around their deletion' => sub {
    $stack->daemon('datalake-lake')->stop;
    my $n = 40;
    for my $turn (1 .. 5) {
        $stack->daemon('datalake-warehouse')->stop
          if $stack->daemon('datalake-warehouse')->running;
        put('transactions', map { payment(int rand 40, int rand 6, int rand 1000) } 1 .. 30);
        put('clients', client(int rand 6, int rand 1000));
        $stack->start_daemon('datalake-warehouse');
        wait_loaded(0, 'transactions', 'clients');
        change_payments() for 1 .. 6;
        $n += 36;
    }
    put('transactions', map { payment(int rand 40, int rand 6, int rand 1000) } 1 .. 30);
    $stack->daemon('datalake-warehouse')->stop;
    start();    # the lake gets all at once, the partitions one behind the other
    wait_loaded(0, 'transactions', 'clients');
    wait_stored('transactions', $n + 30);
    wait_stored('clients', 11);
    cmp_ok($stack->mariadb->value('SELECT COUNT(*) FROM client_transaction'), '>', 5, 'some are left');
    run_and_compare('what moved', '--dataset', $_) for qw(transactions clients);
};

subtest 'the loader goes on behind it' => sub {
    put('doors', door(12, 1000, ''));
    $stack->daemon('datalake-lake')->stop;
    start();
    wait_loaded(0, 'doors');
    wait_stored('doors', 18);
    is($stack->mariadb->value(
            "SELECT COUNT(*) FROM door_opening WHERE door_id = 'D12'"),
        1, 'with the next message');
};

# A change as a request makes it that the relay has not sent, or that the lake
# has not stored: SQL in the tables, a row of the outbox with NUMBER.
sub waiting_change {
    my ($id, $number, $changes, $sql) = @_;
    my $event = $changes eq 'null' ? 'delete' : 'update';
    my $value = qq({"_event":"$event","key":{"door_id":"D$id"},"changes":$changes,"by":"alice",)
      . qq("at":"2026-05-20T10:00:00Z","request_id":"w","upto":) . upto('doors') . '}';
    my $deletes = $sql =~ /^DELETE/;
    $stack->mariadb->run($sql);
    $stack->mariadb->run("INSERT INTO row_count (name, slot, n) VALUES ('door_opening', 1000000, -1)"
          . ' ON DUPLICATE KEY UPDATE n = n + VALUES(n)') if $deletes;
    $stack->mariadb->run('INSERT INTO change_outbox (change_id, topic, `key`, `value`, created_at, sent_at) VALUES ('
          . ($number // 'NULL') . ", 'doors', 'D$id', '$value', NOW(6), " . ($number && $number % 2 ? 'NOW(6)' : 'NULL') . ')');
    return;
}

subtest 'changes that are not in the lake yet' => sub {
    waiting_change(3, 1001, '{"kg":1}', "UPDATE door_opening SET kg = 1 WHERE door_id = 'D3'");
    waiting_change(3, undef, '{"kg":3}', "UPDATE door_opening SET kg = 3 WHERE door_id = 'D3'");
    waiting_change(7, 1000, '{"who":{"name":"carol"}}', "UPDATE door_opening SET who = 'carol' WHERE door_id = 'D7'");
    waiting_change(8, undef, 'null', "DELETE FROM door_opening WHERE door_id = 'D8'");
    waiting_change(3, $door_change, '{"kg":5}', 'DO 0');    # which the lake has
    my $before = run_and_compare('they wait in the database', '--dataset', 'doors');
    is(scalar(grep { /^D3\t.*\t3\.0+\t/ } @{ $before->{door_opening} }), 1, 'the last one holds');
    run_and_compare('once more', '--dataset', 'doors');
};

subtest 'a change that comes while the tables are filled' => sub {
    my ($end) = $stack->mariadb->value("SELECT next_offset FROM sink_offset WHERE sink = 'warehouse' AND topic = 'doors' AND `partition` = 1");
    my $event = '{"_event":"update","key":{"door_id":"D3"},"changes":{"kg":33},"by":"alice",'
      . '"at":"2026-05-20T10:00:00Z","request_id":"w","upto":' . upto('doors') . '}';
    $stack->mariadb->run('CREATE TRIGGER a_request AFTER UPDATE ON sink_offset FOR EACH ROW BEGIN'
          . " IF NEW.sink = 'warehouse' AND NEW.topic = 'doors' AND NEW.`partition` = 1 AND NEW.next_offset >= $end THEN"
          . " UPDATE door_opening SET kg = 33 WHERE door_id = 'D3';"
          . ' INSERT INTO change_outbox (topic, `key`, `value`, created_at)'
          . " VALUES ('doors', 'D3', '$event', NOW(6)); END IF; END");
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse', '--dataset', 'doors');
    is($status, 0, 'datalakectl rebuild-warehouse') or diag $said;
    $stack->mariadb->run('DROP TRIGGER a_request');
    is($stack->mariadb->value("SELECT kg FROM door_opening WHERE door_id = 'D3'") + 0, 33, 'is not lost behind older ones');
    run_and_compare('it is in the next one, too', '--dataset', 'doors');
};

subtest 'one that was interrupted' => sub {
    my $before = everything();
    $stack->mariadb->run('CREATE TRIGGER a_fault BEFORE UPDATE ON sink_offset FOR EACH ROW BEGIN'
          . " IF NEW.sink = 'warehouse' AND NEW.topic = 'doors' AND NEW.next_offset > 0 THEN"
          . " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'planted'; END IF; END");
    isnt(($stack->try_ctl('rebuild-warehouse', '--dataset', 'doors'))[0], 0, 'it fails in the middle');
    $stack->mariadb->run('DROP TRIGGER a_fault');
    put('social_posts', post(77, 2000, 1));
    restart();
    wait_loaded(0, 'social_posts');
    wait_until('the loader says why', sub {
        slurp("$stack->{dir}/log/datalake-warehouse.log") =~ /DL0505 .*door_opening.*rebuild-warehouse --dataset doors/;
    });
    is($stack->mariadb->value("SELECT COUNT(*) FROM door_opening WHERE door_id = 'D5'"),
        0, 'the loader does not load what a request had deleted');
    is($stack->mariadb->value('SELECT COUNT(*) FROM door_opening'), 0, 'nor anything else of that dataset');
    is($stack->mariadb->value("SELECT COUNT(*) FROM social_post WHERE post_id = 'P77'"), 1, 'it loads others');
    $stack->daemon('datalake-warehouse')->stop;
    is(($stack->try_ctl('rebuild-warehouse', '--dataset', 'doors'))[0], 0, 'it is run again');
    my $after = everything();
    is_deeply($after->{door_opening}, $before->{door_opening}, 'all rows are there');
    run_and_compare('and all is well', '--dataset', 'doors');
};

subtest 'a server that ends its connections meanwhile' => sub {
    my $jobs = q{FROM information_schema.processlist WHERE user LIKE '%jobs%' AND command = 'Sleep'};
    $stack->mariadb->run('CREATE TRIGGER a_wait BEFORE UPDATE ON sink_offset FOR EACH ROW BEGIN'
          . " IF NEW.sink = 'warehouse' AND NEW.topic = 'transaction_log' AND NEW.next_offset > 0 THEN"
          . ' DO SLEEP(0.5); END IF; END');
    my $killed = 0;
    open my $out, '-|', "$DataLake::Stack::BUILD/bin/datalakectl", '-c', $stack->ini_file,
      'rebuild-warehouse', '--dataset', $TOPIC or die "datalakectl: $!\n";
    wait_until('the loader of the rebuild waits', sub {
        $stack->mariadb->value(q{SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User sleep'});
    });
    for my $id (map { $_->[0] } $stack->mariadb->rows("SELECT id $jobs")) {
        $killed += eval { $stack->mariadb->run("KILL $id"); 1 } // 0;
    }
    ok($killed, 'connections were ended');
    my $said = join '', <$out>;
    ok(close $out, 'it ends well') or diag $said;
    $stack->mariadb->run('DROP TRIGGER a_wait');
    run_and_compare('as without that', '--dataset', $TOPIC);
};

subtest 'a change of a record that the lake has not stored' => sub {
    $stack->daemon('datalake-lake')->stop;
    put('doors', door(13, 1100, ',"kg":1'));
    $stack->start_daemon('datalake-warehouse');
    wait_loaded(0, 'doors');
    waiting_change(13, undef, '{"kg":13}', "UPDATE door_opening SET kg = 13 WHERE door_id = 'D13'");
    $stack->daemon('datalake-warehouse')->stop;
    my $before = everything();
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse', '--dataset', 'doors');
    isnt($status, 0, 'a rebuild waits for it, and is refused');
    like($said, qr/datalake-lake has not stored yet .* partition 1/s, 'with a reason');
    same_as($before, 'nothing happened');
    $stack->start_daemon('datalake-lake');
    wait_stored('doors', 19);
    run_and_compare('it is there', '--dataset', 'doors');
    $stack->start_daemon('datalake-warehouse');
};

subtest 'a change of a record that the lake has lost' => sub {
    $stack->daemon('datalake-warehouse')->stop;
    my $upto  = upto('doors') =~ s/"1":(\d+)/'"1":' . ($1 + 5)/er;
    my $event = '{"_event":"update","key":{"door_id":"D7"},"changes":{"kg":77},"by":"alice",'
      . qq("at":"2026-05-20T10:00:00Z","request_id":"l","upto":$upto});
    $stack->mariadb->run("UPDATE door_opening SET kg = 77 WHERE door_id = 'D7'");
    $stack->mariadb->run('INSERT INTO change_outbox (topic, `key`, `value`, created_at)'
          . " VALUES ('doors', 'D7', '$event', NOW(6))");
    my $before = everything();
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse', '--dataset', 'doors', '--without-lost');
    is($status, 0, 'stops no rebuild that is to go on without it') or diag $said;
    like($said, qr/^doors: 1 changes were made of records that the lake has lost\.$/m, '... which tells');
    same_as($before, 'it is applied to what is there');
    $stack->start_daemon('datalake-warehouse');
};

subtest 'a second life of a topic' => sub {
    $stack->daemon($_)->stop for reverse @DAEMONS;
    spit("$source/doors", '');
    $length{doors} = { 0 => 0, 1 => 0 };
    put('doors', door(1, 2000, ',"kg":1'), door(2, 2000, ''), door(20, 2000, ''));
    start();
    wait_until(
        'the partitions do not stop',
        sub {
            return !grep { $stack->daemon_log($_) !~ /DL0710/ } @DAEMONS;
        },
        60
    );
    $stack->ctl('resume', 'doors');
    wait_loaded(1, 'doors');
    wait_stored('doors', 21);
    run_and_compare('two lives');
    is($stack->mariadb->value(
            'SELECT MAX(src_generation) FROM door_opening'),
        1, 'rows of both');
};

subtest 'from a database that has nothing' => sub {
    my $before = everything();
    $stack->mariadb->run("DELETE FROM $_") for @TABLES;
    $stack->mariadb->run("INSERT INTO sink_offset (sink, topic, `partition`,"
          . " next_offset) VALUES ('rates', '', 0, 0)");
    delete $before->{dead_letter};
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse', '--dataset', 'doors');
    is($status, 0, 'one dataset alone') or diag $said;
    is($stack->mariadb->value('SELECT COUNT(*) FROM transaction_record'),
        0, 'leaves the others');
    ($status, $said) = $stack->try_ctl('--json', 'rebuild-warehouse');
    is($status, 0, 'all of them') or diag $said;
    like($said, qr/"records":\d{4}.*"lost":0,/, 'in JSON');
    my $after = everything();
    is_deeply($after->{$_}, $before->{$_}, $_) for sort keys %$before;
};

$_->stop for grep { defined && $_->running } map { $stack->daemon($_) } @DAEMONS;
done_testing();
