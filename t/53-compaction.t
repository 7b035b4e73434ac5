# 53-compaction.t - datalake-lake joins past days at its hour: nothing changes
# for a reader, late records join the next night, a kill leaves no trace, and
# what is copied is copied by an idle thread.
#
# No broker: the daemon reads a file that grows.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Ledger qw(lake_dump);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $TOPIC = 'transaction_log';
my @DAYS  = qw(2026-05-18 2026-05-19);
my $stack = DataLake::Stack->new(
    name  => '53-compaction',
    later => 1,
    ini   => {
        kafka => { brokers => "file:$DataLake::Stack::TOP/build/t/53-compaction/source" },
        lake  => { seal_age => '1s', seal_size => '64KiB' },
    },
);
my $sent = 0;

# The settings, with compaction due in SECONDS; undef: not while this runs.
sub due_in {
    my ($seconds) = @_;
    my $at = time + ($seconds // 12 * 3600);
    $stack->{ini}{lake}{compact_at} = strftime('%H:%M:%S', gmtime $at);
    $stack->write_ini;
    return;
}

# Append COUNT records of DAY to what the daemon reads.
sub produce {
    my ($count, $day) = @_;
    open my $out, '>>:raw', "$stack->{dir}/source" or die "source: $!\n";
    my $today = $day gt $DAYS[1];
    for (1 .. $count) {
        printf $out "0 %d %d k\t%s\n", $sent,
          ($today ? time * 1000 : 1779300000000 + $sent),
          sprintf '{"transaction_id":"t%d","timestamp":"%sT09:30:00Z",'
          . '"amount":"1.25","user_name":"%s"}', $sent, $day, 'x' x 200;
        $sent++;
    }
    close $out or die "source: $!\n";
    return;
}

# [day, line, ...] of every record, in order.
sub records {
    my ($records) = eval { lake_dump("$stack->{dir}/lake", $TOPIC) };
    return $records // [];
}

sub files {
    my ($day) = @_;
    return map { s{.*/}{}r }
      sort glob "$stack->{dir}/lake/$TOPIC/dt=$day/*.json";
}

# Start with compaction due in SECONDS, wait until everything that was sent is
# sealed.
sub start {
    my ($seconds, %more) = @_;
    due_in($seconds);
    $stack->start_daemon('datalake-lake', %more);
    return;
}

sub wait_sealed {
    wait_until('all is in the lake', sub { @{ records() } == $sent }, 30);
    $stack->daemon('datalake-lake')->signal('USR1');
    wait_until(
        'all is sealed',
        sub { !glob "$stack->{dir}/lake/_lake/$TOPIC/open/*" }, 30
    );
    return;
}

sub wait_joined {
    wait_until(
        'each day is one file',
        sub { !grep { join(' ', files($_)) ne "$_.json" } @DAYS }, 30
    );
    return;
}

sub number {
    my ($name) = @_;
    my $text = qx($stack->{top}/build/tools/stats_text $stack->{dir}/run);
    my ($value) = $text =~ /^\Q$name\E (\S+)$/m;
    return $value;
}

sub is_sound {
    my ($name) = @_;
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, "$name: fsck finds nothing") or diag $said;
    return;
}

subtest 'a wrong hour stops the start' => sub {
    local $stack->{ini}{lake}{compact_at} = '25:00';
    $stack->write_ini;
    my ($status, $said) = $stack->try_program('datalake-lake', '-c',
        $stack->ini_file, '--check-config');
    is($status, 2, 'it is a usage mistake');
    like($said, qr/compact_at = 25:00: must be a time of the day, UTC/,
        'and told');
};

produce(1, $DAYS[0]);
start(undef);
for (1 .. 3) {
    produce(300, $_) for @DAYS;
    wait_sealed();
}

subtest 'at its hour the parts of past days become one file' => sub {
    my $before = records();
    cmp_ok(scalar files($DAYS[0]), '>', 2, 'a day has several parts');
    $stack->daemon('datalake-lake')->stop;
    my $trace = "$stack->{dir}/trace";
    start(4, command => [ 'strace', '-f', '-qq', '-o', $trace, '-e',
            'trace=sched_setscheduler,ioprio_set' ]);
    my $began = int time;
    produce(20, strftime('%Y-%m-%d', gmtime));
    wait_joined();
    pass('each past day is one file');
    wait_until('all is in the lake', sub { @{ records() } == $sent }, 30);
    wait_until('it says so',
        sub { (number('datalake_schedule_last_success_timestamp_seconds'
                  . '{schedule="compact"}') // 0) >= $began }, 10);
    is(number('datalake_job_duration_seconds_count{kind="compact"}'),
        1, 'one run was timed');
    is(number('datalake_jobs{kind="compact",state="running"}'), 0, 'none runs');
    like($stack->daemon_log('datalake-lake'),
        qr/DL0801 $TOPIC: 2 days of \d+ parts are one file each/, 'the log tells');
    $stack->daemon('datalake-lake')->kill_now; # strace keeps a SIGTERM
    is_deeply([ grep { $_->[0] le $DAYS[1] } @{ records() } ],
        $before, 'every record, line and coordinate is as it was');
    is(scalar @{ records() }, $sent, 'what came meanwhile is there');
    like(slurp($trace), qr/sched_setscheduler\(0, SCHED_IDLE/,
        'the copying thread is idle to the scheduler');
    like(slurp($trace), qr/ioprio_set\(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE\(IOPRIO_CLASS_IDLE/,
        '... and to the disk');
    is_sound('compacted');
};

subtest 'late records are joined the night after' => sub {
    produce(30, $_) for @DAYS;
    start(undef);
    wait_sealed();
    my $before = records();
    cmp_ok(scalar files($DAYS[0]), '>', 1, 'they are parts of their own');
    $stack->daemon('datalake-lake')->stop;
    start(2);
    wait_joined();
    is_deeply(records(), $before, 'every record is as it was');
    $stack->daemon('datalake-lake')->stop;
    is_sound('late');
};

subtest 'killed while it compacts' => sub {
    for my $label (qw(compact-written compact-recorded compact-exchanged
        compact-published)) {
        produce(30, $_) for @DAYS;
        start(undef);
        wait_sealed();
        my $before = records();
        $stack->daemon('datalake-lake')->stop;
        start(1, wait => 0, environment => { DL_CRASH_AT => "$label:1" });
        wait_until('it dies',
            sub { !$stack->daemon('datalake-lake')->running }, 20);
        start(1);
        wait_joined();
        is_deeply(records(), $before, "$label: every record is as it was");
        $stack->daemon('datalake-lake')->stop;
        is_sound($label);
    }
};

subtest 'switched off' => sub {
    produce(30, $_) for @DAYS;
    $stack->{ini}{lake}{compact_at} = 'off';
    $stack->write_ini;
    $stack->start_daemon('datalake-lake');
    wait_sealed();
    cmp_ok(scalar files($DAYS[0]), '>', 1, 'parts stay parts');
    is(number('datalake_jobs{kind="compact",state="running"}'),
        undef, 'nothing is counted');
};

done_testing;
