# f01-exactly-once.t - kill -9 of every part while messages flow: each message
# is once in the lake and once in the warehouse, unchanged, in order and with its
# headers; what sources send again is dropped; dead letters are listed once; jobs that compact the lake meanwhile end once.
#
# Size: DL_F01_MESSAGES (100000), DL_F01_KILLS of each daemon (20),
# DL_F01_MARIADB and DL_F01_BROKER kills (1 each).  DL_RUN repeats a run.
# --self-test: the checker finds every kind of planted damage.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Ledger qw(dumped lake_dump no_faults total);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use List::Util qw(shuffle sum0);
use Time::HiRes qw(sleep time);

my $TOPIC = 'transaction_log';
my $FULL  = full_size();
my %SIZE  = (
    messages => $ENV{DL_F01_MESSAGES} // ($FULL ? 1_000_000 : 100_000),
    kills    => $ENV{DL_F01_KILLS}    // ($FULL ? 200 : 20),
    mariadb  => $ENV{DL_F01_MARIADB}  // ($FULL ? 20 : 1),
    broker   => $ENV{DL_F01_BROKER}   // ($FULL ? 20 : 1),
);

# --- The checker finds planted damage ------------------------------------------

# What a perfect lake would give for LEDGER: records, rejects and repeats.
sub perfect_lake {
    my ($ledger) = @_;
    my (@records, @rejects, @repeats, %line);
    for my $message (@{ $ledger->{messages} }) {
        my @place = @$message{qw(partition offset)};
        if ($message->{again}) {
            push @repeats, [ @place, 1, split / /, $message->{position} ];
        }
        elsif ($message->{reason}) {
            push @rejects, [ @place, @$message{qw(reason sha)} ];
        }
        else {
            push @records,
              [ $message->{day}, ++$line{ $message->{day} }, @place,
                $message->{sha}, join "\t", map { "$_->[0]=$_->[1]" } @{ $message->{headers} // [] } ];
        }
    }
    return (\@records, \@rejects, \@repeats);
}

sub perfect_table {
    my ($ledger) = @_;
    return [
        map {
            [
                $_->{id},
                sprintf('%d.%02d00000000', $_->{cents} / 100,
                    $_->{cents} % 100),
                @$_{qw(currency partition offset)}
            ]
        } values %{ $ledger->winners }
    ];
}

sub small_ledger {
    my $ledger = DataLake::Ledger->new(run => 1, bad => 0.1, notes => 0.5);
    my %next;
    $ledger->generate(400);
    $ledger->placed(
        [ map { [ $_->{partition}, $next{ $_->{partition} }++ ] }
              @{ $ledger->{messages} } ]
    );
    return $ledger;
}

# Each damage: what it is called, what must be reported, how it is planted.
sub self_test {
    my $ledger = small_ledger();
    my @lake = perfect_lake($ledger);
    my $rows = perfect_table($ledger);
    is(total($ledger->check_lake(@lake)),
        0, 'a perfect lake has no fault');
    is(total($ledger->check_table($rows)), 0, 'a perfect table has no fault');

    my @lake_damage = (
        [ 'a dropped record', lost => sub { splice @{ $_[0] }, 7, 1 } ],
        [ 'a doubled record', dup  => sub { push @{ $_[0] }, $_[0][7] } ],
        [ 'a flipped byte', torn => sub { $_[0][7][4] =~ tr/0-9a-f/1-9a-f0/ } ],
        [ 'a record on a wrong day', wrong => sub { $_[0][7][0] = '2001-01-01' } ],
        [ 'a dropped dead letter', lost => sub { shift @{ $_[1] } } ],
        [ 'a wrong reason', wrong => sub { $_[1][0][2] = 'too-big' } ],
        [ 'two swapped records', reordered => \&swap_two ],
        [ 'a record without its headers', wrong => sub { (grep { $_->[5] ne '' } @{ $_[0] })[0][5] = '' } ],
        [ 'headers of another record', wrong => sub { (grep { $_->[5] ne '' } @{ $_[0] })[0][5] =~ s/\d+$/7777/ } ],
        [ 'a repeat that was stored', dup => sub { store_repeat($ledger, @_) } ],
        [ 'a repeat that nothing accounts for', lost => sub { shift @{ $_[2] } } ],
        [ 'a message that was dropped as a repeat', wrong => sub { push @{ $_[2] }, [ @{ shift @{ $_[0] } }[ 2, 3 ], 1, 'a', 1, 1 ] } ],
        [ 'a repeat of another position', wrong => sub { $_[2][0][5] += 1 } ],
    );
    for my $damage (@lake_damage) {
        my ($name, $kind, $plant) = @$damage;
        my @bad = perfect_lake($ledger);
        $plant->(@bad);
        cmp_ok($ledger->check_lake(@bad)->{$kind},
            '>', 0, "$name is reported");
    }
    my @table_damage = (
        [ 'a lost row', lost => sub { splice @{ $_[0] }, 3, 1 } ],
        [ 'a doubled row', dup => sub { push @{ $_[0] }, $_[0][3] } ],
        [ 'an amount off by a cent', wrong => sub { $_[0][3][1] =~ s/\.(\d)/'.' . ($1 + 1) % 10/e } ],
        [ 'a row of the earlier record', wrong => sub { $_[0][3][4] -= 1 } ],
    );
    for my $damage (@table_damage) {
        my ($name, $kind, $plant) = @$damage;
        my $bad = perfect_table($ledger);
        $plant->($bad);
        cmp_ok($ledger->check_table($bad)->{$kind}, '>', 0,
            "$name is reported");
    }
    return;
}

sub self_test_jobs {
    my @letters = ('0 1 schema', '0 2 schema', '1 7 not-json');
    my @jobs    = map { [ $_, 'succeeded' ] } 1 .. 3;
    my @runs    = map { [ $_, 'Succeeded' ] } 1 .. 3;
    is(letter_faults(\@letters, [ reverse @letters ]), 0, 'all letters listed once are no fault');
    cmp_ok(letter_faults(\@letters, [ @letters[ 0, 1 ] ]), '>', 0, 'a letter that is not listed is reported');
    cmp_ok(letter_faults(\@letters, [ @letters, $letters[0] ]), '>', 0, 'a letter twice is reported');
    cmp_ok(letter_faults(\@letters, [ @letters[ 0, 1 ], '1 7 schema' ]), '>', 0, 'a wrong reason is reported');
    is(job_faults(\@jobs, \@runs), 0, 'jobs that succeeded once are no fault');
    cmp_ok(job_faults([ @jobs[ 0, 1 ], [ 3, 'running' ] ], \@runs), '>', 0, 'a job that did not end is reported');
    cmp_ok(job_faults(\@jobs, [ @runs, $runs[0] ]), '>', 0, 'a run twice is reported');
    cmp_ok(job_faults(\@jobs, [ @runs[ 0, 1 ], [ 3, 'InProgress' ] ]), '>', 0, 'a run without end is reported');
    cmp_ok(job_faults([ @jobs[ 0, 1 ] ], \@runs), '>', 0, 'a run without job is reported');
    return;
}

# Put the first repeat of LEDGER among RECORDS.
sub store_repeat {
    my ($ledger, $records, $rejects, $repeats) = @_;
    my ($again) = grep { $_->{again} } @{ $ledger->{messages} };
    shift @$repeats;
    push @$records, [ $again->{day}, 1 + @$records, @$again{qw(partition offset sha)},
        join "\t", map { "$_->[0]=$_->[1]" } @{ $again->{headers} } ];
    return;
}

# Exchange the places of two records of one day and one partition.
sub swap_two {
    my ($records) = @_;
    my %first;
    for my $i (0 .. $#$records) {
        my $key = "$records->[$i][0] $records->[$i][2]";
        if (defined(my $j = $first{$key})) {
            my @later = @{ $records->[$i] }[ 3 .. 5 ];
            @{ $records->[$i] }[ 3 .. 5 ] = @{ $records->[$j] }[ 3 .. 5 ];
            @{ $records->[$j] }[ 3 .. 5 ] = @later;
            return;
        }
        $first{$key} = $i;
    }
    return;
}

# How many of LISTED are not in WANTED or twice, and of WANTED not in LISTED.
sub letter_faults {
    my ($wanted, $listed) = @_;
    my %left;
    $left{$_}++ for @$wanted;
    $left{$_}-- for @$listed;
    return sum0(map { abs } values %left);
}

# How many of JOBS [id, state] did not succeed or have not exactly one of RUNS
# [job id, state] that did, and how many runs have no job.
sub job_faults {
    my ($jobs, $runs) = @_;
    my (%run, %well);
    $run{ $_->[0] }++ for @$runs;
    $well{ $_->[0] }++ for grep { $_->[1] eq 'Succeeded' } @$runs;
    my %job = map { ($_->[0] => 1) } @$jobs;
    my $bad = grep {
        $_->[1] ne 'succeeded' || ($run{ $_->[0] } // 0) != 1 || !$well{ $_->[0] }
    } @$jobs;
    return $bad + grep { !$job{$_} } keys %run;
}

# --- The run -----------------------------------------------------------------

# Start producing in the background; returns the handle that prints places.
sub produce_slowly {
    my ($stack, $messages, $seconds) = @_;
    my $file = "$stack->{dir}/messages";
    open my $out, '>:raw', $file or die "$file: $!\n";
    for my $message (@$messages) {
        print $out join("\t",
            $message->{partition}, $message->{timestamp},
            map({ DataLake::Kafka::escaped($_) } $message->{key}),
            join(',', map { DataLake::Kafka::escaped("$_->[0]=$_->[1]") } @{ $message->{headers} // [] }) || '-',
            DataLake::Kafka::escaped($message->{value})), "\n";
    }
    close $out or die "$file: $!\n";
    my $rate = int(@$messages / $seconds) + 1;
    open my $in, '-|', "$stack->{top}/build/tools/kproduce", '-o', '-r',
      $rate, $stack->kafka->brokers, $TOPIC, $file
      or die "kproduce: $!\n";
    return $in;
}

# The kills of this run in random order.
sub kill_plan {
    return shuffle(
        ('datalake-lake') x $SIZE{kills},
        ('datalake-warehouse') x $SIZE{kills},
        ('datalake-jobs') x $SIZE{kills},
        'both',
        ('mariadb') x $SIZE{mariadb},
        ('broker') x $SIZE{broker}
    );
}

# Kill WHAT and start it again; the daemons are not waited for, so that some
# are killed again while they recover.
sub kill_and_start {
    my ($stack, $what) = @_;
    if ($what eq 'mariadb' || $what eq 'broker') {
        my $server = $what eq 'mariadb' ? $stack->mariadb : $stack->kafka;
        $server->kill_now;
        sleep rand 0.5;
        $server->start;
        return;
    }
    my @programs =
      $what eq 'both' ? qw(datalake-lake datalake-warehouse) : $what;
    for my $program (@programs) {
        $stack->daemon($program)->kill_now;
    }
    ask_for_jobs($stack) if $what eq 'datalake-jobs';
    for my $program (@programs) {
        $stack->start_daemon($program, wait => 0);
    }
    return;
}

# Let what the dead datalake-jobs had in hand be taken up at once, not when its
# lease ends, and queue a run of each schedule that has none under way.
sub ask_for_jobs {
    my ($stack) = @_;
    my $db = $stack->mariadb;
    $db->run(q{UPDATE job SET lease_until = UTC_TIMESTAMP(6) WHERE state = 'running'});
    my %busy = map { ($_->[0] => 1) }
      $db->rows(q{SELECT name FROM pipeline_run WHERE state = 'InProgress'});
    for my $name (grep { !$busy{$_} } qw(compact retention)) {
        my $id = $db->value('SELECT UUID()');
        $db->run(q{INSERT INTO pipeline_run (name, state, `trigger`, started_at, job_id)}
              . q{ VALUES (?, 'InProgress', 'ctl', UTC_TIMESTAMP(6), ?)}, $name, $id);
        $db->run(q{INSERT INTO job (id, kind, created_at, parameters)}
              . q{ VALUES (?, 'schedule', UTC_TIMESTAMP(6), ?)}, $id, qq({"name":"$name"}));
    }
    return;
}

# Wait until every dead letter of LEDGER is listed and every job has ended; how
# many are missing, twice or wrong, and how many jobs there were.
sub check_jobs {
    my ($stack, $ledger) = @_;
    my $db     = $stack->mariadb;
    my @wanted = map { "$_->{partition} $_->{offset} $_->{reason}" }
      grep { $_->{reason} } @{ $ledger->{messages} };
    my @listed;
    wait_until('dead letters are listed', sub {
        @listed = map { join ' ', @$_ }
          $db->rows('SELECT `partition`, `offset`, reason FROM dead_letter WHERE topic = ?', $TOPIC);
        return @listed >= @wanted;
    }, 60);
    wait_until('jobs end',
        sub { !$db->value(q{SELECT COUNT(*) FROM job WHERE state IN ('queued', 'running')}) }, 60);
    my @jobs = $db->rows('SELECT id, state, attempt FROM job');
    my @runs = $db->rows('SELECT job_id, state FROM pipeline_run');
    my $letters = letter_faults(\@wanted, \@listed);
    my $jobs    = job_faults(\@jobs, \@runs);
    is($letters, 0, 'each of ' . @wanted . ' dead letters is listed once');
    is($jobs,    0, 'each of ' . @jobs . ' jobs succeeded and is recorded once');
    printf "# %d jobs took %d attempts\n", scalar @jobs, sum0(map { $_->[2] } @jobs);
    return ($letters, $jobs, scalar @jobs);
}

# The lines of the sealed files, read without the product: [sha256, ...].
sub sealed_lines {
    my ($stack) = @_;
    my @shas;
    for my $file (glob "$stack->{dir}/lake/$TOPIC/dt=*/*.json") {
        open my $in, '<:raw', $file or die "$file: $!\n";
        while (my $line = <$in>) {
            $line =~ s/\n\z// or push @shas, "no newline in $file";
            push @shas, Digest::SHA::sha256_hex($line);
        }
        close $in;
    }
    return @shas;
}

# Wait until the sink SINK of the database has everything up to the ends.
sub wait_for_sink {
    my ($stack, $sink) = @_;
    my $p    = 0;
    my %high = map { $p++ => $_->[1] } $stack->kafka->watermarks($TOPIC);
    wait_until(
        "$sink does not catch up",
        sub {
            my @rows = $stack->mariadb->rows(
                'SELECT `partition`, next_offset FROM sink_offset'
                  . ' WHERE sink = ? AND topic = ?', $sink, $TOPIC);
            my %next = map { @$_ } @rows;
            return !grep { ($next{$_} // 0) < $high{$_} } keys %high;
        },
        90
    );
    return;
}

# Wait until the lake holds COUNT messages, records and rejects together.
sub wait_for_lake {
    my ($stack, $count) = @_;
    wait_until(
        'the lake does not catch up',
        sub {
            my @found = eval { lake_dump("$stack->{dir}/lake", $TOPIC, 'notes') };
            return @found && dumped(@found) >= $count;
        },
        60
    );
    return;
}

sub check_everything {
    my ($stack, $ledger) = @_;
    my $lake  = $ledger->check_lake(lake_dump("$stack->{dir}/lake", $TOPIC, 'notes'));
    my $table = $ledger->check_table(
        [ $stack->mariadb->rows(
            'SELECT transaction_id, amount, currency, src_partition,'
              . ' src_offset FROM transaction_record') ]
    );
    my $rollup = $ledger->check_rollup(
        [ $stack->mariadb->rows(
            'SELECT user_id, currency, transaction_type, status,'
              . ' product_category, n, amount FROM spend_user') ]
    );
    is_deeply($lake,   no_faults(), 'the lake has every message once');
    is_deeply($table,  no_faults(), 'the table has the later record of an id');
    is_deeply($rollup, no_faults(), 'the rollup is the sum of the rows');
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, 'fsck finds nothing') or diag $said;
    $stack->ctl('seal', $TOPIC);
    my @sealed = sort(sealed_lines($stack));
    my @sent   = sort map { $_->{sha} }
      grep { !$_->{reason} && !$_->{again} } @{ $ledger->{messages} };
    is_deeply(\@sealed, \@sent, 'the sealed files are what was sent');
    return map { my $kind = $_; ($kind => $lake->{$kind} + $table->{$kind}
              + $rollup->{$kind}) } keys %$lake;
}

sub run_kills {
    my $ledger = DataLake::Ledger->new(run => hex run_number(), notes => 0.5);
    my @messages = $ledger->generate($SIZE{messages});
    my $stack    = DataLake::Stack->new(
        name    => 'f01',
        kafka   => 1,
        mariadb => 1,
        daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
        ini     => { lake => { seal_age => '2s' } },
    );
    my @plan    = kill_plan();
    my $seconds = 1 + 1.0 * @plan;
    my $begin   = time;
    my $in      = produce_slowly($stack, \@messages, $seconds * 0.8);
    for my $what (@plan) {
        sleep 0.1 + rand 0.9;
        kill_and_start($stack, $what);
    }
    my @placed = map { [ split ' ' ] } <$in>;
    ok(close $in, 'every message was acknowledged by the broker');
    $ledger->placed(\@placed);
    for my $program (qw(datalake-lake datalake-warehouse datalake-jobs)) {
        $stack->daemon($program)->kill_now;
        ask_for_jobs($stack) if $program eq 'datalake-jobs';
        $stack->start_daemon($program);
    }
    wait_for_lake($stack, scalar @messages);
    wait_for_sink($stack, $_) for qw(warehouse rollup);
    my ($letters, $wrong_jobs, $jobs) = check_jobs($stack, $ledger);
    my %fault = check_everything($stack, $ledger);
    $fault{wrong} += $letters + $wrong_jobs;
    printf "# %d messages in %.0f s\n", scalar @messages, time - $begin;
    figure('F01',
        [ map({ $_ => $fault{$_} } qw(lost dup reordered torn wrong)),
            jobs => $jobs, kills => @plan + 4 ],
        total(\%fault) == 0);
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    self_test_jobs();
}
else {
    printf "# DL_RUN=%s\n", run_number();
    run_kills();
}
done_testing;
