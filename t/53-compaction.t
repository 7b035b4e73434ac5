# 53-compaction.t - the schedule "compact" joins past days while records arrive:
# nothing changes for a reader, late records join the next time, a kill leaves
# no trace, and what is copied is copied by an idle thread.
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
    name    => '53-compaction',
    mariadb => 1,
    durable => 0,
    ini     => {
        kafka => { brokers => "file:$DataLake::Stack::TOP/build/t/53-compaction/source" },
        lake  => { seal_age => '1s', seal_size => '64KiB' },
    },
);
my $sent = 0;

# Append COUNT records of DAY to what the daemon reads.
sub produce {
    my ($count, $day) = @_;
    open my $out, '>>:raw', "$stack->{dir}/source" or die "source: $!\n";
    my $now = $day gt $DAYS[1] ? time * 1000 : 1779300000000;
    for (1 .. $count) {
        printf $out "0 %d %d k\t%s\n", $sent, $now + $sent,
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

sub wait_sealed {
    wait_until('all is in the lake', sub { @{ records() } == $sent }, 60);
    $stack->daemon('datalake-lake')->signal('USR1');
    wait_until(
        'all is sealed',
        sub { !glob "$stack->{dir}/lake/_lake/$TOPIC/open/*" }, 60
    );
    return;
}

sub wait_joined {
    wait_until(
        'each day is one file',
        sub { !grep { join(' ', files($_)) ne "$_.json" } @DAYS }, 60
    );
    return;
}

sub is_sound {
    my ($name) = @_;
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, "$name: fsck finds nothing") or diag $said;
    return;
}

produce(1, $DAYS[0]);
$stack->start_daemon('datalake-lake');
for (1 .. 3) {
    produce(300, $_) for @DAYS;
    wait_sealed();
}

subtest 'a run of the schedule makes one file of each past day' => sub {
    my $before = records();
    my $trace  = "$stack->{dir}/trace";
    cmp_ok(scalar files($DAYS[0]), '>', 2, 'a day has several parts');
    $stack->start_daemon('datalake-jobs', command => [ 'strace', '-f', '-qq',
            '-o', $trace, '-e', 'trace=sched_setscheduler,ioprio_set' ]);
    produce(20, strftime('%Y-%m-%d', gmtime(time + 12 * 3600)));    # no past day for hours
    $stack->ctl('schedule', 'run', 'compact');
    wait_joined();
    pass('each past day is one file');
    wait_until('all is in the lake', sub { @{ records() } == $sent }, 60);
    is_deeply([ grep { $_->[0] le $DAYS[1] } @{ records() } ],
        $before, 'every record, line and coordinate is as it was');
    wait_until('the log tells', sub {
        $stack->daemon_log('datalake-jobs') =~
          /DL0801 $TOPIC: 2 days of \d+ parts are one file each/ }, 60);
    like(slurp($trace), qr/sched_setscheduler\(0, SCHED_IDLE/,
        'the copying thread is idle to the scheduler');
    like(slurp($trace), qr/ioprio_set\(IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE\(IOPRIO_CLASS_IDLE/,
        '... and to the disk');
    is_sound('compacted');
};

subtest 'late records are joined the next time' => sub {
    produce(30, $_) for @DAYS;
    wait_sealed();
    my $before = records();
    cmp_ok(scalar files($DAYS[0]), '>', 1, 'they are parts of their own');
    wait_until('a run', sub { ($stack->try_ctl('schedule', 'run', 'compact'))[0] == 0 }, 60);
    wait_joined();
    is_deeply(records(), $before, 'every record is as it was');
    is_sound('late');
};

subtest 'killed while it compacts' => sub {
    for my $label (qw(compact-written compact-recorded compact-exchanged
        compact-published)) {
        produce(30, $_) for @DAYS;
        wait_sealed();
        my $before = records();
        {
            local $ENV{DL_CRASH_AT} = "$label:1";
            is(($stack->try_ctl('compact', $TOPIC))[0], 137, "it dies at $label");
        }
        is_deeply(records(), $before, '... every record is as it was');
        $stack->ctl('compact', $TOPIC);
        wait_joined();
        is_deeply(records(), $before, '... and after the next one');
        is_sound($label);
    }
};

$stack->daemon('datalake-jobs')->stop;
like($stack->daemon_log('datalake-jobs'), qr/DL0742/, 'datalake-jobs ends when it is asked to');
done_testing;
