# 31-warehouse.t - the loader against a computation of our own: rows, repeats,
# rollups, dead letters and offsets, with the daemon killed again and again,
# by LOAD DATA and by INSERT, and readers exact at every moment.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Math::BigInt;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);
use DataLake::Process qw(spit wait_until);
use DataLake::Spend;
use DataLake::Stack;

my $run = $ENV{DL_RUN} // sprintf '%04x', $$ & 0xffff;
srand hex $run;
diag "DL_RUN=$run";

my $stack = DataLake::Stack->new(
    name    => '31-warehouse',
    mariadb => 1,
    ini     => {
        kafka     => { brokers => "file:$DataLake::Stack::TOP"
              . '/build/t/31-warehouse/messages' },
        warehouse => {
            load_rows       => 40,
            commit_interval => '20 ms',
            backlog_interval => '50 ms',
            rollup_interval => '100 ms',
        },
    },
);
my $db   = $stack->mariadb;
my $file = "$stack->{dir}/messages";

# --- What is produced -----------------------------------------------------------

my @PARTITIONS = (0 .. 3);
my (%next, %clock, %winner, %refused);
my $bad = 0;
spit($file, '');

# One of LIST.
sub any { return $_[ int rand @_ ]; }

# TEXT as a JSON string.
sub json {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/\t/\\t/g;
    $text =~ s/\n/\\n/g;
    return qq("$text");
}

my @TEXTS = (
    'plain', "tab\there", "line\nbreak", 'back\\slash', q(it's "quoted"),
    "\\N", '', "Zo\xc3\xab"
);

# A record with the transaction ID: {member => JSON text}.
sub record {
    my ($id) = @_;
    my $event = 1_779_000_000 - int rand 3 * 86400;
    my %r     = (
        transaction_id   => json($id),
        timestamp        => $event . '.' . sprintf('%06d', rand 1e6),
        user_id          => json('u' . int rand 7),
        product_id       => json('p' . int rand 5),
        product_name     => json('Name ' . int rand 1e6),
        amount           => any(
            '12.5', '-3.25', '0', '99999.999999999949', '"7.1"',
            '1e2', int(rand 1e6) . '.' . int rand 1e8
        ),
        currency         => json(any(qw(EUR EUR USD usd XXX))),
        transaction_type => json(any(qw(purchase payment refund))),
        status           => json(any(qw(completed pending))),
        product_category => json(any(qw(books toys))),
        quantity         => 1 + int rand 5,
        location         => qq({"city":@{[json(any(@TEXTS))]},"country":"FR"}),
    );
    for my $member (
        qw(user_id product_id amount currency product_category quantity
        transaction_type status product_name)
      )
    {
        delete $r{$member} if rand() < 0.07;
        $r{$member} = 'null' if rand() < 0.03;
    }
    return \%r;
}

# Write one message to a partition; returns its line.  RECORD undef: a bad one.
sub message {
    my ($record, %at) = @_;
    my $partition = $at{partition} // any(@PARTITIONS);
    my $offset    = $next{$partition}++ + (rand() < 0.05 ? 1 : 0);
    $next{$partition} = $offset + 1;
    $clock{$partition} = ($clock{$partition} // 1_779_100_000_000)
      + int rand 50;
    my $time = $clock{$partition} - (rand() < 0.1 ? int rand 2000 : 0);
    my $value;
    if ($record) {
        my $id = substr $record->{transaction_id}, 1, -1;
        $value = '{' . join(',', map { qq("$_":$record->{$_}) }
              sort keys %$record) . '}';
        my @place = ($time, $partition, $offset);
        my $old   = $winner{$id};
        my $later = !$old;
        for my $i (0 .. 2) {
            last if $later || $place[$i] < $old->{place}[$i];
            $later = $place[$i] > $old->{place}[$i];
        }
        $winner{$id} = { place => \@place, record => $record } if $later;
    }
    else {
        $bad++;
        $value = any('{"transaction_id":', '[1]', '{"amount":1}', '{}');
    }
    return "$partition $offset $time k\t$value\n";
}

sub append {
    my ($text) = @_;
    open my $out, '>>', $file or die "$file: $!";
    print {$out} $text;
    close $out or die "$file: $!";
    return;
}

# N messages; every third id comes again.
my $ids = 0;
sub batch {
    my ($n) = @_;
    my $text = '';
    for (1 .. $n) {
        my $id = $ids && rand() < 0.35 ? 'id' . int rand $ids : 'id' . $ids++;
        $text .= message(rand() < 0.02 ? undef : record($id));
    }
    return $text;
}

# --- Waiting and comparing --------------------------------------------------------

# Are facts and rollups at the end of every partition?
sub caught_up {
    my %at = map { ("$_->[0] $_->[1]" => $_->[2]) } $db->rows(
        'SELECT sink, `partition`, next_offset FROM sink_offset '
          . q{WHERE topic = 'transaction_log'});
    for my $p (keys %next) {
        return 0
          if ($at{"warehouse $p"} // -1) != $next{$p}
          || ($at{"rollup $p"} // -1) != $next{$p};
    }
    return !$db->value('SELECT COUNT(*) FROM rollup_adjust');
}

# Do rollup, tail and adjustments give the facts, in one snapshot?
sub exact_now {
    my $dbh = $db->dbh;
    $dbh->do('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    $dbh->do('START TRANSACTION WITH CONSISTENT SNAPSHOT');
    my $sum = sub {
        return join ' ', map { $_ // 'NULL' }
          @{ $dbh->selectrow_arrayref($_[0]) };
    };
    my $w   = q{JOIN sink_offset w ON w.sink = 'rollup'
        AND w.topic = 'transaction_log'};
    my $parts = $dbh->selectrow_arrayref(
        qq{SELECT SUM(n), SUM(amount), SUM(base), SUM(q) FROM (
        SELECT n, amount, amount_base AS base, quantity AS q FROM spend_second
        UNION ALL SELECT 1, COALESCE(amount, 0), COALESCE(amount_base, 0),
          COALESCE(quantity, 1) FROM transaction_record f
          $w AND w.`partition` = f.src_partition
          AND f.src_offset >= w.next_offset
        UNION ALL SELECT a.n, a.amount, a.amount_base, a.quantity
          FROM rollup_adjust a $w AND w.`partition` = a.`partition`
          AND a.`offset` < w.next_offset) x}
    );
    my $facts = $sum->(
        'SELECT COUNT(*), SUM(COALESCE(amount, 0)), '
          . 'SUM(COALESCE(amount_base, 0)), SUM(COALESCE(quantity, 1)) '
          . 'FROM transaction_record');
    $dbh->do('COMMIT');
    my $parts_text = join ' ', map { $_ // 'NULL' } @$parts;
    return $facts eq '0 NULL NULL NULL' || $parts_text eq $facts
      ? ''
      : "$parts_text is not $facts";
}

# The value a column should have, from the JSON text of a member.
sub plain {
    my ($text) = @_;
    return undef if !defined $text || $text eq 'null';
    return $text if $text !~ s/^"(.*)"$/$1/s;
    $text =~ s/\\(.)/$1 eq 't' ? "\t" : $1 eq 'n' ? "\n" : $1/ge;
    utf8::decode($text);
    return $text;
}

sub decimal {
    my ($text) = @_;
    return undef if !defined $text;
    $text = '100' if $text eq '1e2';
    return DataLake::Spend::units($text);
}

# What each row should be: {id => 'columns joined'}, and the rollups.
sub expected {
    my ($rates) = @_;
    my (%rows, %user, %second, %sale, %name);
    for my $id (keys %winner) {
        my ($place, $r) = @{ $winner{$id} }{qw(place record)};
        my %v      = map { ($_ => plain($r->{$_})) } keys %$r;
        my $amount = decimal($v{amount});
        my $rate   = defined $v{currency} ? $rates->{ uc $v{currency} } : undef;
        my $base;
        if (defined $amount && $rate) {
            my $product = $amount * DataLake::Spend::units($rate);
            my ($q, $rest) = $product->copy->babs->bdiv(10_000_000_000);
            $q->binc if $rest * 2 >= 10_000_000_000;
            $base = $product->is_neg ? -$q : $q;
        }
        my ($city) = $r->{location} =~ /"city":("(?:[^"\\]|\\.)*")/;
        my ($s, $us) = split /\./, $v{timestamp};
        my $at = strftime('%Y-%m-%d %H:%M:%S', gmtime $s);
        $rows{$id} = join '|', map { $_ // 'NULL' } "$at.$us",
          @v{qw(user_id product_id product_name)}, $amount,
          $v{currency}, $base, @v{qw(transaction_type status quantity)},
          plain($city), @$place[1, 2];
        my @sum = (
            1, $amount // 0, $base // 0,
            defined $amount && !defined $base ? 1 : 0, $v{quantity} // 1
        );
        my @kind = (
            uc($v{currency} // ''),
            $v{transaction_type} // 'unknown',
            $v{status} // ''
        );
        my @into = (
            [ \%second, $at, @kind ],
            defined $v{user_id}
            ? [ \%user, $v{user_id}, @kind, $v{product_category} // 'unknown' ]
            : (),
            defined $v{product_id}
            ? [ \%sale, $v{product_id}, substr($at, 0, 10), @kind ]
            : ()
        );
        for (@into) {
            my ($table, @key) = @$_;
            my $to = $table->{ join '|', @key } //= [ (0) x 5 ];
            $to->[$_] += $sum[$_] for 0 .. 4;
        }
    }
    my $flat = sub {
        my ($table) = @_;
        return { map { ($_ => join ' ', @{ $table->{$_} }) } keys %$table };
    };
    return (\%rows, map { $flat->($_) } \%user, \%second, \%sale);
}

# DECIMAL text as a whole number of 10^-10.
sub whole { return defined $_[0] ? $_[0] =~ s/\.//r =~ s/^(-?)0+(?=\d)/$1/r : 'NULL'; }

sub stored_rows {
    return {
        map {
            my @c = @$_;
            my $id = shift @c;
            $c[$_] = whole($c[$_]) for 4, 6;
            ($id => join '|', map { $_ // 'NULL' } @c)
        } $db->rows(
            'SELECT transaction_id, `timestamp`, user_id, product_id, '
              . 'product_name, amount, currency, amount_base, '
              . 'transaction_type, status, quantity, city, src_partition, '
              . 'src_offset FROM transaction_record')
    };
}

sub stored_rollup {
    my ($table, @key) = @_;
    my $key = join ', ', @key;
    return {
        map {
            my @c = @$_;
            my @sum = splice @c, scalar @key;
            $sum[$_] = whole($sum[$_]) for 1, 2;
            (join('|', @c) => join ' ', @sum)
        } $db->rows("SELECT $key, n, amount, amount_base, unconverted, "
              . "quantity FROM $table WHERE n <> 0")
    };
}

# Compare all tables with what should be in them.
sub compare_all {
    my ($when, $rates) = @_;
    my ($rows, $user, $second, $sale) = expected($rates);
    # -0 and 0 are the same sum
    for my $table ($user, $second, $sale) {
        s/(^| )-0(?= |$)/${1}0/g for values %$table;
    }
    is_deeply(stored_rows(), $rows, "$when: rows are the latest records");
    is_deeply(
        stored_rollup(
            'spend_user',
            qw(user_id currency transaction_type status product_category)
        ),
        $user,
        "$when: spend_user is what they add up to"
    );
    is_deeply(
        stored_rollup(
            'spend_second', qw(second currency transaction_type status)
        ),
        $second,
        "$when: spend_second is what they add up to"
    );
    is_deeply(
        stored_rollup(
            'product_sale', qw(product_id day currency transaction_type status)
        ),
        $sale,
        "$when: product_sale is what they add up to"
    );
    my $by_day = $db->value(
        'SELECT COUNT(*) FROM (SELECT product_id, currency, transaction_type, '
          . 'status, SUM(n) AS n, SUM(quantity) AS q FROM product_sale '
          . 'GROUP BY product_id, currency, transaction_type, status) s '
          . 'LEFT JOIN product_total t USING (product_id, currency, '
          . 'transaction_type, status) WHERE t.n IS NULL OR t.n <> s.n '
          . 'OR t.quantity <> s.q');
    is($by_day, 0, "$when: product_total is product_sale over all days");
    return;
}

# --- Killed again and again -------------------------------------------------------

append(batch(200));
$stack->start_daemon('datalake-warehouse');
my $differs = '';
for my $round (1 .. 8) {
    append(batch(400));
    my $until = time + 0.2 + rand 0.6;
    while (time < $until) {
        $differs ||= exact_now();
        sleep 0.01;
    }
    $stack->daemon('datalake-warehouse')->kill_now;
    $differs ||= exact_now();
    append(batch(100));
    $stack->start_daemon('datalake-warehouse');
}
ok(wait_until('loading', \&caught_up, 60), 'facts and rollups reach the end')
  or diag $stack->daemon_log('datalake-warehouse');
is($differs, '', 'rollup, tail and adjustments gave the facts at every moment');
is($db->value('SELECT COUNT(*) FROM dead_letter'),
    0, 'a record the judge refuses is not ours to list');
compare_all('after 8 kills', { EUR => '1' });

# --- Rates -----------------------------------------------------------------------

spit("$stack->{dir}/rates.csv",
    "base,currency,valid_from,rate\nEUR,USD,1970-01-01,0.9213456789\n");
append(batch(300));
my $loading = fork // die "fork: $!";
if (!$loading) {
    my ($failed, $said) = $stack->try_ctl('rates', "$stack->{dir}/rates.csv");
    print {*STDERR} "# $said" if $failed;
    POSIX::_exit($failed);
}
append(batch(100)), sleep 0.02 for 1 .. 10;
waitpid $loading, 0;
is($?, 0, 'rates are loaded while records come in');
like(
    $stack->ctl('rates', "$stack->{dir}/rates.csv"),
    qr/converted 0 rows/,
    'the same rates again change nothing'
);
ok(wait_until('loading', \&caught_up, 60), 'the loader goes on beside a load of rates')
  or diag $stack->daemon_log('datalake-warehouse');
is(exact_now(), '', 'and readers stay exact');
compare_all('with rates', { EUR => '1', USD => '0.9213456789' });
my ($status, $out) =
  $stack->try_ctl('rates', "$stack->{dir}/no-such-file");
isnt($status, 0, 'rates of a missing file fail');
for my $wrong (
    'EUR,USD,2026-02-30,1', 'EUR,US,2026-02-01,1',
    'EUR,USD,2026-02-01,0', 'EUR,USD,2026-02-01', 'EUR,EUR,2026-02-01,2'
  )
{
    spit("$stack->{dir}/wrong.csv", "$wrong\n");
    ($status, $out) = $stack->try_ctl('rates', "$stack->{dir}/wrong.csv");
    is($status, 1, "rates refuse $wrong") or diag $out;
}

# --- Two connections that want the same keys -----------------------------------------

# Under a backlog each loads its partitions, in transactions that stay open for
# seconds; a third of the ids comes again in any partition, so that each has to
# wait for the other sooner or later.
$stack->daemon('datalake-warehouse')->stop;
$stack->{ini}{warehouse}{$_} = '3 s' for qw(commit_interval backlog_interval);
$stack->write_ini;
my $one = $db->value('SELECT COUNT(*) FROM information_schema.processlist'
      . q{ WHERE user LIKE '%ingest%'});
my $two = $one;
append(batch(3000));
$stack->start_daemon('datalake-warehouse');
ok(
    wait_until(
        'loading',
        sub {
            my $now = $db->value(
                'SELECT COUNT(*) FROM information_schema.processlist'
                  . q{ WHERE user LIKE '%ingest%'});
            $two = $now if $now > $two;
            return caught_up();
        },
        60
    ),
    'two connections that meet in keys come to an end'
) or diag $stack->daemon_log('datalake-warehouse');
cmp_ok($two, '>=', $one + 3, 'two loaded, beside the one of the rollups');
is(exact_now(), '', 'and readers stay exact');
compare_all('two connections', { EUR => '1', USD => '0.9213456789' });
$stack->{ini}{warehouse}{commit_interval}  = '20 ms';
$stack->{ini}{warehouse}{backlog_interval} = '50 ms';
$stack->write_ini;
$stack->daemon('datalake-warehouse')->stop;
$stack->start_daemon('datalake-warehouse');

# --- Rows the database refuses, by LOAD DATA and by INSERT --------------------------

$db->run('ALTER TABLE transaction_record MODIFY country VARCHAR(2) NULL');
for my $way (qw(on off)) {
    $stack->{ini}{warehouse}{local_infile} = $way;
    $stack->write_ini;
    $stack->daemon('datalake-warehouse')->stop;
    my $text = batch(150);
    my %before = %winner;
    for my $n (1 .. 5) {
        my $r = record("refused-$way-$n");
        $r->{location} = '{"city":"x","country":"France"}';
        my $line = message($r);
        $refused{ join ' ', (split / /, $line)[ 0, 1 ] } =
          ($line =~ /\t(.*)\n/s)[0];
        delete $winner{"refused-$way-$n"};
        $text .= $line . batch(20);
    }
    append($text . batch(150));
    $stack->start_daemon('datalake-warehouse');
    ok(wait_until('loading', \&caught_up, 60), "local_infile = $way: reaches the end")
      or diag $stack->daemon_log('datalake-warehouse');
    compare_all(
        "local_infile = $way",
        { EUR => '1', USD => '0.9213456789' }
    );
    is_deeply(
        {
            map { ("$_->[0] $_->[1]" => $_->[2]) } $db->rows(
                'SELECT `partition`, `offset`, value FROM dead_letter '
                  . q{WHERE reason = 'schema'})
        },
        \%refused,
        "local_infile = $way: refused rows are dead letters with their bytes"
    );
}
$stack->daemon('datalake-warehouse')->stop;

# --- A server that forgets commits ---------------------------------------------------

$db->run('SET GLOBAL innodb_flush_log_at_trx_commit = 2');
my $process = $stack->start_daemon('datalake-warehouse', wait => 0);
ok(
    wait_until(
        'a refusal',
        sub {
            $stack->daemon_log('datalake-warehouse') =~
              /innodb_flush_log_at_trx_commit = 2/;
        },
        60
    ),
    'commits that are not durable are refused'
);
$process->kill_now;
$db->run('SET GLOBAL innodb_flush_log_at_trx_commit = 1');

done_testing;
