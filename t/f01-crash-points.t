# f01-crash-points.t - die at each crash point and at each fdatasync of the
# lake, and between the database's answers, then start again: every record is
# once in lake and table, with its headers, and what sources send again is
# dropped and accounted for.  The second half of figure F1; no broker, the
# daemons read a file.
#
# Occurrences of each point: DL_F01_OCCURRENCES (1); fdatasyncs:
# DL_F01_SYNCS (20).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Ledger qw(dumped lake_dump no_faults total);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use File::Path qw(make_path remove_tree);

my $TOPIC = 'transaction_log';
my $OCCURRENCES = $ENV{DL_F01_OCCURRENCES} // (full_size() ? 5 : 1);
my $SYNCS       = $ENV{DL_F01_SYNCS}       // (full_size() ? 100 : 20);
my $COUNT       = 1500;
my $TOP         = "$FindBin::Bin/..";
my %fault       = %{ no_faults() };
my $deaths      = 0;

my $stack = DataLake::Stack->new(
    name    => 'f01-crash',
    mariadb => 1,
    ini     => {
        kafka => { brokers => "file:$TOP/build/t/f01-crash/source" },
        lake  => {
            zstd_after => '1d',
            seal_age  => '1s',
            seal_size => '64KiB',
        },
    },
);
my $ledger = DataLake::Ledger->new(run => hex run_number(), partitions => 2, notes => 0.5);
write_source();

# Write the messages where the daemons read them.
sub write_source {
    my %next;
    my @placed;
    open my $out, '>:raw', "$stack->{dir}/source" or die "source: $!\n";
    for my $message ($ledger->generate($COUNT)) {
        my $offset = $next{ $message->{partition} }++;
        $offset //= 0;
        push @placed, [ $message->{partition}, $offset ];
        print $out join(' ', $message->{partition}, $offset,
            @$message{qw(timestamp key)}), map({ "\x1f$_->[0]=$_->[1]" } @{ $message->{headers} // [] }),
          "\t$message->{value}\n";
    }
    close $out or die "source: $!\n";
    $ledger->placed(\@placed);
    return;
}

# The crash points that the sources of the lake have; those of indexes are met
# by 54-index.t, those of removing days by 66-retention.t.
sub crash_labels {
    my %label;
    for my $file (glob "$TOP/mod_datalake/core/dl_lake_*.c") {
        $label{$_} = 1 for slurp($file) =~ /DL_LAKE_CRASH\("([^"]+)"\)/g;
    }
    return sort grep { !/^(?:index|retire)-/ } keys %label;
}

sub lake_dir { return "$stack->{dir}/lake"; }

# An empty lake for the next case.
sub new_lake {
    remove_tree(lake_dir());
    make_path(lake_dir());
    return;
}

sub stored {
    my @found = eval { lake_dump(lake_dir(), $TOPIC, 'notes') };
    return @found ? dumped(@found) : 0;
}

# Run datalake-lake with MORE until it dies by itself or has all messages and
# DONE says so.  Returns whether it died.
sub run_lake {
    my (%more) = @_;
    my $done = delete $more{done} // sub { 1 };
    my $lake = $stack->start_daemon('datalake-lake', wait => 0, %more);
    my $turn = 0;
    wait_until(
        'the lake dies or is done',
        sub {
            return 1 if !$lake->running;
            return ++$turn % 10 == 0 && stored() >= $COUNT && $done->();
        },
        60
    );
    my $died = !$lake->running;
    $lake->kill_now if !$died;
    return $died;
}

# Bring the lake into the state in which LABEL can be met, and meet it;
# returns whether the program died there.
sub die_at {
    my ($label, $occurrence) = @_;
    my %crash = (DL_CRASH_AT => "$label:$occurrence");
    if ($label =~ /^recover/) {
        run_lake(environment => { DL_CRASH_AT => 'commit-unpublished:2' });
        run_lake(environment => { DL_CRASH_AT => 'commit-synced:2' });
    }
    return 1 if run_lake(environment => {%crash});
    local $ENV{DL_CRASH_AT} = $crash{DL_CRASH_AT};
    for my $words ([ 'seal', $TOPIC ], [ 'compact', $TOPIC ]) {
        my ($status) = $stack->try_ctl(@$words);
        return 1 if $status == 137;
    }
    return 0;
}

# Run on to the end, then compare with the ledger; count the faults.
sub is_whole {
    my ($name) = @_;
    my $looks = 0;
    # Until it has recovered, too, when all messages were there before.
    run_lake(done => sub { ++$looks > 20 || ($stack->try_ctl('fsck', $TOPIC))[0] == 0 });
    my $found = $ledger->check_lake(lake_dump(lake_dir(), $TOPIC, 'notes'));
    $fault{$_} += $found->{$_} for keys %$found;
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    ok(total($found) == 0 && $status == 0, "$name: every record once")
      or diag explain($found), $said;
    return;
}

sub test_labels {
    my @labels = crash_labels();
    cmp_ok(scalar @labels, '>=', 15, scalar(@labels) . ' crash points');
    for my $label (@labels) {
        for my $occurrence (1 .. $OCCURRENCES) {
            new_lake();
            my $died = die_at($label, $occurrence);
            $deaths++ if $died;
            ok($died, "it dies at $label")
              if $occurrence == 1;
            is_whole("$label:$occurrence") if $died;
        }
    }
    return;
}

sub test_syncs {
    for my $n (1 .. $SYNCS) {
        new_lake();
        my $died = run_lake(
            command => [
                'strace', '-f', '-qq', '-o', '/dev/null', '-e',
                'trace=fdatasync', '-e',
                "inject=fdatasync:signal=KILL:when=$n"
            ]
        );
        $deaths++ if $died;
        is_whole("killed at fdatasync $n");
    }
    return;
}

# --- The warehouse: killed at its N-th word to the database ----------------------

sub test_warehouse {
    my $rows = sub {
        return [ $stack->mariadb->rows(
            'SELECT transaction_id, amount, currency, src_partition,'
              . ' src_offset FROM transaction_record') ];
    };
    my $want = keys %{ $ledger->winners };
    for my $n (map { 8 * $_ } 2 .. 12) {
        $stack->mariadb->run("DELETE FROM $_")
          for qw(transaction_record spend_user spend_second product_sale
          rollup_adjust sink_offset product dead_letter);
        my $first = $stack->start_daemon(
            'datalake-warehouse',
            wait    => 0,
            command => [
                'strace', '-f', '-qq', '-o', '/dev/null', '-e',
                'trace=sendto,write', '-e',
                "inject=sendto:signal=KILL:when=$n"
            ]
        );
        my $end = time + 10;
        select undef, undef, undef, 0.05
          while $first->running && time < $end && @{ $rows->() } < $want;
        $deaths++ if !$first->running;
        $first->kill_now;
        my $second = $stack->start_daemon('datalake-warehouse');
        wait_until('all rows', sub { @{ $rows->() } >= $want }, 60);
        wait_until(
            'all rollups',
            sub {
                my $behind = $stack->mariadb->value(
                    'SELECT COUNT(*) FROM sink_offset w LEFT JOIN sink_offset r'
                      . " ON r.sink = 'rollup' AND r.topic = w.topic AND"
                      . ' r.`partition` = w.`partition` WHERE w.sink ='
                      . " 'warehouse' AND w.topic = '$TOPIC' AND (r.next_offset IS NULL OR"
                      . ' r.next_offset < w.next_offset)');
                return $behind == 0;
            },
            60
        );
        $second->kill_now;
        my $table  = $ledger->check_table($rows->());
        my $rollup = $ledger->check_rollup(
            [ $stack->mariadb->rows(
                'SELECT user_id, currency, transaction_type, status,'
                  . ' product_category, n, amount FROM spend_user') ]
        );
        $fault{$_} += $table->{$_} + $rollup->{$_} for keys %$table;
        ok(total($table) + total($rollup) == 0,
            "killed at word $n to the database: every row once")
          or diag explain $table, $rollup;
    }
    return;
}

printf "# DL_RUN=%s\n", run_number();
test_labels();
test_syncs();
test_warehouse();
ok(
    figure(
        'F01-points',
        [
            map({ $_ => $fault{$_} } qw(lost dup reordered torn wrong)),
            deaths => $deaths
        ],
        total(\%fault) == 0 && Test::More->builder->is_passing
    ),
    'the goal is met'
);
done_testing;
