# f33-backup.t - a backup while messages flow, everything wiped, a restore: lake
# and warehouse are what they were at one offset vector, then they catch up.
#
# Size: DL_F33_MESSAGES (100000).  DL_RUN repeats a run.  The seconds of backup
# and restore are printed, and judged at full size.
# --self-test: the checker finds planted damage.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Ledger qw(lake_dump no_faults total);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use File::Path qw(make_path remove_tree);
use Time::HiRes qw(sleep time);

my $TOPIC    = 'transaction_log';
my $FULL     = full_size();
my $MESSAGES = $ENV{DL_F33_MESSAGES} // ($FULL ? 1_000_000 : 100_000);

# The part of LEDGER that lies below NEXT, {partition} => offset.
sub until_vector {
    my ($ledger, $next) = @_;
    return bless {
        %$ledger,
        messages => [
            grep { $_->{offset} < ($next->{ $_->{partition} } // 0) }
              @{ $ledger->{messages} }
        ]
    }, ref $ledger;
}

# Faults of lake and table, each against what lies below its own vector.
sub faults {
    my ($ledger, $lake_next, $table_next, $lake, $rows) = @_;
    my $of_lake  = until_vector($ledger, $lake_next)->check_lake(@$lake);
    my $of_table = until_vector($ledger, $table_next)->check_table($rows);
    return { map { ($_ => $of_lake->{$_} + $of_table->{$_}) } keys %$of_lake };
}

# --- The checker finds planted damage -------------------------------------------

sub self_test {
    my $ledger = DataLake::Ledger->new(run => 1, bad => 0.1);
    my (%end, %line, @records, @rejects);
    $ledger->generate(400);
    $ledger->placed(
        [ map { [ $_->{partition}, $end{ $_->{partition} }++ ] }
              @{ $ledger->{messages} } ]
    );
    my %next  = map { ($_ => int $end{$_} / 2) } keys %end;
    my $below = until_vector($ledger, \%next);
    for (@{ $below->{messages} }) {
        my @place = @$_{qw(partition offset)};
        $_->{reason}
          ? push(@rejects, [ @place, @$_{qw(reason sha)} ])
          : push(@records, [ $_->{day}, ++$line{ $_->{day} }, @place, $_->{sha} ]);
    }
    my @rows = map {
        [ $_->{id}, sprintf('%d.%02d', $_->{cents} / 100, $_->{cents} % 100),
            @$_{qw(currency partition offset)} ]
    } values %{ $below->winners };
    my $check = sub { total(faults($ledger, \%next, \%next, @_)) };
    is($check->([ \@records, \@rejects ], \@rows), 0, 'what is right has no fault');
    my @more = grep { $_->{offset} >= $next{ $_->{partition} } && !$_->{reason} }
      @{ $ledger->{messages} };
    my $late = $more[0];
    my @late = ($late->{day}, 9999, @$late{qw(partition offset sha)});
    for (
        [ 'a lost record', [ [ @records[ 1 .. $#records ] ], \@rejects ], \@rows ],
        [ 'a record past the vector', [ [ @records, \@late ], \@rejects ], \@rows ],
        [ 'a lost dead letter', [ \@records, [ @rejects[ 1 .. $#rejects ] ] ], \@rows ],
        [ 'a lost row', [ \@records, \@rejects ], [ @rows[ 1 .. $#rows ] ] ],
        [ 'a doubled row', [ \@records, \@rejects ], [ @rows, $rows[0] ] ],
      )
    {
        my ($name, @given) = @$_;
        cmp_ok($check->(@given), '>', 0, "$name is reported");
    }
    return;
}

# --- The run --------------------------------------------------------------------

sub rows_of {
    my ($stack) = @_;
    return [ $stack->mariadb->rows(
            'SELECT transaction_id, amount, currency, src_partition,'
              . ' src_offset FROM transaction_record') ];
}

# {partition} => next offset of SINK in the database.
sub sink_next {
    my ($stack, $sink) = @_;
    return { map { @$_ } $stack->mariadb->rows(
            'SELECT `partition`, next_offset FROM sink_offset'
              . ' WHERE sink = ? AND topic = ?', $sink, $TOPIC) };
}

# {partition} => next offset of the lake in the backup at DIR.
sub lake_next {
    my ($dir) = @_;
    my ($offsets) = slurp("$dir/backup.json") =~
      /"dataset":"$TOPIC".*?"offsets":"([^"]*)"/;
    return { map { split /:/ } split / /, $offsets };
}

sub produce_slowly {
    my ($stack, $messages, $seconds) = @_;
    my $file = "$stack->{dir}/messages";
    open my $out, '>:raw', $file or die "$file: $!\n";
    for my $message (@$messages) {
        print $out join("\t",
            $message->{partition}, $message->{timestamp},
            map({ DataLake::Kafka::escaped($_) } $message->{key}), '-',
            DataLake::Kafka::escaped($message->{value})), "\n";
    }
    close $out or die "$file: $!\n";
    open my $in, '-|', "$stack->{top}/build/tools/kproduce", '-o', '-r',
      int(@$messages / $seconds) + 1, $stack->kafka->brokers, $TOPIC, $file
      or die "kproduce: $!\n";
    return $in;
}

# Every table but those that a restore changes by itself, as text.
sub tables {
    my ($stack) = @_;
    my $db = $stack->mariadb;
    my %text;
    for my $table (map { $_->[0] } $db->rows(
            q{SELECT table_name FROM information_schema.tables
              WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'}))
    {
        next if $table =~ /^(?:schema_version|session|identity_change)$/;
        $text{$table} = join "\n",
          sort map { join '|', map { $_ // 'NULL' } @$_ }
          $db->rows($table eq 'app_user'
            ? 'SELECT id, username, email, password_hash, role, created_at FROM app_user'
            : "SELECT * FROM $table");
    }
    return \%text;
}

# The lake gone, the database empty.
sub wipe {
    my ($stack) = @_;
    $stack->daemon($_)->stop for qw(datalake-lake datalake-warehouse);
    remove_tree("$stack->{dir}/lake", { keep_root => 1 });
    my $dbh = $stack->mariadb->dbh;
    $dbh->do("DROP DATABASE $stack->{database}");
    $dbh->do("CREATE DATABASE $stack->{database}");
    $dbh->do("USE $stack->{database}");
    return;
}

sub wait_for_sinks {
    my ($stack) = @_;
    my $p    = 0;
    my %high = map { $p++ => $_->[1] } $stack->kafka->watermarks($TOPIC);
    wait_until(
        'the warehouse does not catch up',
        sub {
            my @next = map { sink_next($stack, $_) } qw(warehouse rollup);
            return !grep {
                my $at = $_;
                grep { ($at->{$_} // 0) < $high{$_} } keys %high
            } @next;
        },
        90 + $MESSAGES / 2000
    );
    wait_until(
        'the lake does not catch up',
        sub {
            my ($records, $rejects) =
              eval { lake_dump("$stack->{dir}/lake", $TOPIC) };
            return $records && @$records + @$rejects >= $MESSAGES;
        },
        60
    );
    return;
}

# Damage that --verify and restore must find, and its undoing.
sub damage_is_found {
    my ($stack, $dir) = @_;
    my ($tsv) = "$dir/warehouse/app_user.tsv";
    my $whole = slurp($tsv);
    my @damage = (
        [ 'a changed byte', sub { spit($tsv, $whole =~ s/admin/admim/r) },
            sub { spit($tsv, $whole) } ],
        [ 'a missing file', sub { rename $tsv, "$tsv.away" },
            sub { rename "$tsv.away", $tsv } ],
        [ 'a file too many', sub { spit("$dir/lake/more", 'x') },
            sub { unlink "$dir/lake/more" } ],
        [ 'no list', sub { rename "$dir/SHA256SUMS", "$dir/away" },
            sub { rename "$dir/away", "$dir/SHA256SUMS" } ],
    );
    for (@damage) {
        my ($name, $plant, $undo) = @$_;
        $plant->();
        isnt(($stack->try_ctl('backup', '--verify', $dir))[0], 0,
            "$name: --verify finds it");
        if ($name ne 'a file too many') {
            isnt(($stack->try_ctl('restore', $dir))[0], 0,
                '... and restore refuses');
        }
        $undo->();
    }
    my @left = glob "$stack->{dir}/lake/* $stack->{dir}/lake/_lake/*";
    is("@left", '', 'nothing was restored of a damaged backup');
    is($stack->mariadb->value('SELECT COUNT(*) FROM information_schema.tables'
              . ' WHERE table_schema = DATABASE()'), 0, '... no table made');
    return;
}

sub run_drill {
    my $ledger   = DataLake::Ledger->new(run => hex run_number());
    my @messages = $ledger->generate($MESSAGES);
    my $stack    = DataLake::Stack->new(
        name    => 'f33',
        kafka   => 1,
        mariadb => 1,
        users   => { alice => 'user' },
        daemons => [qw(datalake-lake datalake-warehouse)],
        ini     => { lake => { seal_age => '2s' } },
    );
    my $dir = "$stack->{dir}/backup";
    make_path("$stack->{dir}/lake/_models");
    spit("$stack->{dir}/lake/_models/fraud.current", 'a model');
    my $in  = produce_slowly($stack, \@messages, $FULL ? 60 : 14);
    wait_until('a third is stored', sub {
            ($stack->mariadb->value('SELECT COUNT(*) FROM transaction_record') // 0)
              > $MESSAGES / 3 }, 60 + $MESSAGES / 2000);
    my $begin  = time;
    my $said   = $stack->ctl('backup', $dir);
    my $backup = time - $begin;
    print "# $said";
    like($said, qr/^backed up: \d+ records of \d+ datasets, \d+ rows of/,
        'a backup while messages flow');
    my @placed = map { [ split ' ' ] } <$in>;
    ok(close $in, 'every message was acknowledged by the broker');
    $ledger->placed(\@placed);
    is(($stack->try_ctl('backup', $dir))[0], 1, 'a second one does not go into it');
    is(($stack->try_ctl('restore', $dir))[0], 1, 'restore refuses what is in use');
    like($stack->ctl('backup', '--verify', $dir), qr/all as they were written/,
        'the backup is as it was written');
    is(system("cd $dir && sha256sum --quiet -c SHA256SUMS"), 0,
        '... sha256sum says so too');

    wipe($stack);
    damage_is_found($stack, $dir);
    $begin = time;
    $said  = $stack->ctl('restore', $dir);
    my $restore = time - $begin;
    print "# $said";
    my $next  = lake_next($dir);
    my $table = sink_next($stack, 'warehouse');
    my $fault = faults($ledger, $next, $table,
        [ lake_dump("$stack->{dir}/lake", $TOPIC) ], rows_of($stack));
    is_deeply($fault, no_faults(), 'lake and table are those of the vector');
    is(($stack->try_ctl('fsck'))[0], 0, 'fsck finds nothing');
    is(slurp("$stack->{dir}/lake/_models/fraud.current"), 'a model', 'the models are there');
    is(($stack->try_ctl('token', 'alice'))[0], 0, 'the accounts are there');

    $stack->start_daemon($_) for qw(datalake-lake datalake-warehouse);
    wait_for_sinks($stack);
    my $all = { map { ($_ => 1 << 40) } 0 .. 5 };
    my $after = faults($ledger, $all, $all,
        [ lake_dump("$stack->{dir}/lake", $TOPIC) ], rows_of($stack));
    is_deeply($after, no_faults(), 'caught up, each message is there once');
    my $rollup = $ledger->check_rollup(
        [ $stack->mariadb->rows(
            'SELECT user_id, currency, transaction_type, status,'
              . ' product_category, n, amount FROM spend_user') ]
    );
    is_deeply($rollup, no_faults(), '... and the rollup is the sum of the rows');

    $stack->daemon($_)->stop for qw(datalake-lake datalake-warehouse);
    my $before = tables($stack);
    my ($records) = lake_dump("$stack->{dir}/lake", $TOPIC);
    $stack->ctl('backup', '--link', "$dir-2");
    my ($status, $why) = $stack->try_ctl('restore', "$dir-2");
    is($status, 1, 'a lake in use is not overwritten') or diag $why;
    $stack->ctl('restore', '--replace', "$dir-2");
    is_deeply(tables($stack), $before, 'with --replace every row comes back');
    my ($again) = lake_dump("$stack->{dir}/lake", $TOPIC);
    is_deeply($again, $records, '... and every line');
    is(($stack->try_ctl('fsck'))[0], 0, 'fsck finds nothing');

    figure('F33',
        [ messages => $MESSAGES,
            map({ ($_ => $fault->{$_} + $after->{$_} + $rollup->{$_}) } qw(lost dup reordered torn wrong)),
            backup_s => sprintf('%.1f', $backup), restore_s => sprintf('%.1f', $restore) ],
        total($fault) + total($after) + total($rollup) == 0
          && (!$FULL || $backup + $restore <= 300));
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
}
else {
    printf "# DL_RUN=%s\n", run_number();
    run_drill();
}
done_testing;
