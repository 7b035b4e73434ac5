# 11-consumers.t - datalake-lake and datalake-warehouse on a real broker and
# database: arguments, start, stop, signals, group, stopped partitions.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::UNIX;
use Time::HiRes qw(sleep time);
use DataLake::Stack;
use DataLake::Process qw(slurp spit wait_until);

my $stack = DataLake::Stack->new(
    name    => '11-consumers',
    kafka   => 1,
    mariadb => 1,
    ini     => {
        datasets => { topics          => 'untyped' },
        kafka    => { session_timeout => '6 s', dead_letter_window => 200 },
    },
);
my $kafka = $stack->kafka;
my $lake  = "$stack->{dir}/lake";
my $count = 0;

# COUNT good messages, in turn on six partitions.
sub messages {
    my ($n) = @_;
    return [
        map {
            my $id = ++$count;
            {
                partition => $id % 6,
                key       => "tx-$id",
                value     => qq({"transaction_id":"tx-$id","amount":1.25,)
                  . qq("timestamp":"2026-05-18T09:30:00Z","user_id":"u1",)
                  . qq("currency":"EUR","transaction_type":"purchase",)
                  . qq("status":"completed"})
            }
        } 1 .. $n
    ];
}

# Lines of DATASET in the lake, committed or not.
sub lake_lines {
    my ($dataset) = @_;
    my $n = 0;
    for my $file (glob("$lake/$dataset/dt=*/*.json"),
        glob("$lake/_lake/$dataset/open/*.json"))
    {
        $n += () = (slurp($file) // '') =~ /\n/g;
    }
    return $n;
}

sub table_rows {
    my ($table) = @_;
    return $stack->mariadb->value(
        "SELECT COUNT(*) FROM $stack->{database}.$table");
}

# The number NAME with LABEL of any program's page, from its Prometheus text.
sub number {
    my ($name, $label) = @_;
    my $text = qx($stack->{top}/build/tools/stats_text $stack->{dir}/run);
    my ($value) = $text =~ /^\Q$name\E\{[^}]*\Q$label\E[^}]*\} (\S+)$/m;
    return $value;
}

for my $program (qw(datalake-lake datalake-warehouse)) {
    subtest "$program reads its arguments" => sub {
        my ($status, $out) = $stack->try_program($program, '--help');
        is($status, 0, '--help is no error');
        like($out, qr/--check-config/, 'it names the options');
        ($status, $out) = $stack->try_program($program, '--version');
        is($out, "$program 1.0.0\n", '--version names program and version');
        ($status, $out) = $stack->try_program($program, '--bogus');
        is($status, 2, 'an unknown option is status 2');
        like($out, qr/--bogus/, 'and is named');
        ($status, $out) = $stack->try_program($program, 'word');
        is($status, 2, 'so is a word');
        ($status, $out) =
          $stack->try_program($program, '-c', '/nonexistent.ini');
        is($status, 2, 'a missing settings file is status 2');
        ($status, $out) = $stack->try_program($program, '-c',
            $stack->ini_file, '--check-config');
        is($status, 0, 'good settings are') or diag($out);
        like($out, qr/are good/, 'called so');
        ($status, $out) = $stack->try_program($program, '-c',
            $stack->ini_file, '--datasets', 'absent', '--check-config');
        is($status, 2, 'a dataset that is not declared is status 2');
        like($out, qr/absent/, 'and is named');
    };
}

$stack->start_daemon('datalake-lake');
$stack->start_daemon('datalake-warehouse');

subtest 'messages reach lake and warehouse once' => sub {
    $kafka->produce('transaction_log', messages(300));
    wait_until('the lake has 300 lines',
        sub { lake_lines('transaction_log') == 300 }, 60);
    wait_until('the table has 300 rows',
        sub { table_rows('transaction_record') == 300 }, 60);
    pass('both have 300');
    wait_until(
        'the numbers say so',
        sub {
            (number('datalake_kafka_messages_total', 'sink="lake",topic="transaction_log"') // 0) == 300
              && (number('datalake_kafka_messages_total', 'sink="warehouse",topic="transaction_log"')
                // 0) == 300;
        },
        60
    );
    wait_until(
        'nothing waits for the lake',
        sub {
            (number('datalake_kafka_lag_records', 'sink="lake",topic="transaction_log"') // 1) == 0;
        },
        60
    );
    wait_until('the lake counts 300 records',
        sub { (number('datalake_lake_records', 'dataset="transaction_log"') // 0) == 300 });
};

subtest 'an untyped topic that appears later lands in the lake' => sub {
    $kafka->create_topic('untyped', partitions => 2);
    $kafka->produce('untyped', [ { value => '{"a":1}' } ]);
    wait_until('one line', sub { lake_lines('untyped') == 1 }, 60);
    pass('it has its line');
};

subtest 'a stop is quick and loses nothing' => sub {
    $kafka->produce('transaction_log', messages(600));
    for my $program (qw(datalake-lake datalake-warehouse)) {
        my $took = $stack->daemon($program)->stop;
        cmp_ok($took, '<', 5, "$program is gone within 5 s");
        is($stack->daemon($program)->{status}, 0, 'with status 0')
          or diag($stack->daemon_log($program));
        ok(!-e "$stack->{dir}/run/$program.stats", 'its numbers are gone');
    }
    $kafka->produce('transaction_log', messages(100));
    $stack->start_daemon('datalake-lake');
    $stack->start_daemon('datalake-warehouse');
    wait_until('the lake has 1000 lines',
        sub { lake_lines('transaction_log') == 1000 }, 60);
    wait_until('the table has 1000 rows',
        sub { table_rows('transaction_record') == 1000 }, 60);
    pass('both have all 1000');
};

subtest 'kill -9 loses and doubles nothing' => sub {
    $kafka->produce('transaction_log', messages(1000));
    $stack->daemon($_)->kill_now for qw(datalake-lake datalake-warehouse);
    $kafka->produce('transaction_log', messages(1000));
    $stack->start_daemon('datalake-lake');
    $stack->start_daemon('datalake-warehouse');
    wait_until('the lake has 3000 lines',
        sub { lake_lines('transaction_log') >= 3000 }, 60);
    wait_until('the table has 3000 rows',
        sub { table_rows('transaction_record') >= 3000 }, 60);
    is(lake_lines('transaction_log'), 3000, 'the lake has 3000, not more');
    is(table_rows('transaction_record'), 3000, 'so has the table');
};

subtest 'two loaders share the partitions' => sub {
    my $second = $stack->{dir} . '/second.ini';
    my $text   = slurp($stack->ini_file);
    $text =~ s/^\[kafka\]$/[kafka]\ngroup_instance = second/m;
    spit($second, $text);
    my $process = DataLake::Process->new(
        name    => 'second',
        command => [
            "$stack->{top}/build/bin/datalake-warehouse",
            '-c', $second, '--name', 'second'
        ],
        log => "$stack->{dir}/log/second.log",
    );
    $process->start;
    wait_until(
        'the second one is given partitions',
        sub {
            (slurp("$stack->{dir}/log/second.log") // '') =~
              /DL0722 the group gives [1-9]/;
        },
        60
    );
    $kafka->produce('transaction_log', messages(600));
    wait_until('the table has 3600 rows',
        sub { table_rows('transaction_record') >= 3600 }, 60);
    my $took = $process->stop;
    cmp_ok($took, '<', 5, 'it leaves within 5 s');
    $kafka->produce('transaction_log', messages(600));
    wait_until('the first one takes over',
        sub { table_rows('transaction_record') >= 4200 }, 60);
    is(table_rows('transaction_record'), 4200, 'nothing is there twice');
};

subtest 'declarations are read again at SIGHUP' => sub {
    my $log = "$stack->{dir}/log/datalake-lake.log";
    my $was = length slurp($log);
    $stack->daemon('datalake-lake')->signal('HUP');
    wait_until('they are',
        sub { substr(slurp($log), $was) =~ /DL0705/ }, 60);
    $kafka->produce('transaction_log', messages(100));
    wait_until('reading goes on',
        sub { lake_lines('transaction_log') == 4300 }, 60);
    pass('and reading goes on');
};

subtest 'SIGUSR1 seals the open parts' => sub {
    $stack->daemon('datalake-lake')->signal('USR1');
    wait_until('a sealed part is there',
        sub { glob("$lake/transaction_log/dt=2026-05-18/*.json") }, 60);
    pass('it lies in its day');
};

subtest 'a second writer waits for the first' => sub {
    my $process = DataLake::Process->new(
        name    => 'other',
        command => [
            "$stack->{top}/build/bin/datalake-lake", '-c',
            $stack->ini_file,                        '--name',
            'other'
        ],
        log => "$stack->{dir}/log/other.log",
    );
    $process->start;
    wait_until('it says that it waits',
        sub { (slurp("$stack->{dir}/log/other.log") // '') =~ /DL0702/ }, 60);
    $stack->daemon('datalake-lake')->stop;
    $kafka->produce('transaction_log', messages(100));
    wait_until('it takes over',
        sub { lake_lines('transaction_log') == 4400 }, 60);
    $process->stop;
    is(lake_lines('transaction_log'), 4400, 'nothing is there twice');
};

subtest 'deleted messages stop a partition until an operator accepts' => sub {
    $kafka->produce('transaction_log', messages(600));
    $kafka->trim_topic('transaction_log', 1,
        ($kafka->watermarks('transaction_log'))[1][1] - 20);
    $stack->start_daemon('datalake-lake');
    wait_until(
        'partition 1 stands',
        sub {
            $stack->daemon_log('datalake-lake') =~
              m{DL0710 transaction_log/1 .*deleted};
        },
        60
    );
    wait_until('the others go on',
        sub { lake_lines('transaction_log') == 4900 }, 60);
    wait_until(
        'the alarm is raised',
        sub {
            (number('datalake_kafka_partitions_stopped', 'sink="lake",topic="transaction_log"') // 0)
              == 1;
        },
        60
    );
    spit("$stack->{dir}/run/datalake-lake.resume", "transaction_log\n");
    $stack->daemon('datalake-lake')->signal('HUP');
    wait_until('it goes on with what is left',
        sub { lake_lines('transaction_log') == 4920 }, 60);
    wait_until(
        'the alarm is over',
        sub {
            (number('datalake_kafka_partitions_stopped', 'sink="lake",topic="transaction_log"') // 1)
              == 0;
        },
        60
    );
    pass('the alarm is over');
};

subtest 'a flood of dead letters stops its partition alone' => sub {
    $kafka->produce('transaction_log',
        [ map { { partition => 2, value => 'no json' } } 1 .. 400 ]);
    wait_until(
        'partition 2 stands',
        sub {
            $stack->daemon_log('datalake-lake') =~
              m{DL0710 transaction_log/2 .*dead letters};
        },
        60
    );
    $kafka->produce('transaction_log', messages(600));
    wait_until('the others go on',
        sub { lake_lines('transaction_log') == 5420 }, 60);
    pass('the others go on');
    wait_until(
        'dead letters are counted by reason',
        sub {
            (number('datalake_dead_letters_total', 'reason="not-json"') // 0)
              >= 200;
        },
        60
    );
};

$stack->daemon('datalake-lake')->stop;
done_testing;
