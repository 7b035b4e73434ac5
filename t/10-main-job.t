# 10-main-job.t - the main job: what enters Kafka lies once in lake and
# warehouse and is answered over HTTP.
#
# 100,000 messages in every shape the contract allows: mixed currencies, zones,
# ids sent again (early, late, in another partition), one of a hundred bad.
# What has to become of each is computed by DataLake::Transactions and
# DataLake::Spend, which share nothing with the product; every lake line, row,
# rollup, answer and dead letter is compared, none is sampled.
#
# DL_RUN repeats a run; DL_MESSAGES changes its size.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use Test::More;
use Time::HiRes qw(time);
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure run_number);
use DataLake::Process qw(slurp wait_until);
use DataLake::Spend;
use DataLake::Stack;
use DataLake::Transactions;

my $run   = run_number();
my $count = $ENV{DL_MESSAGES} // 100_000;
srand hex $run;
diag "DL_RUN=$run";

my %RATES = (
    USD => [ [ '1970-01-01', '0.8' ], [ '2026-06-01', '0.9213456789' ] ],
    GBP => [ [ '2026-10-01', '1.17' ] ],
    JPY => [ [ '2020-01-01', '0.0061' ] ],
);

my $begun = time;
my $stack = DataLake::Stack->new(
    name    => '10-main-job',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
    ini => { datasets => { event_zone => DataLake::Transactions::ZONE } },
);
for my $currency (sort keys %RATES) {
    $stack->mariadb->run(
        "INSERT INTO $stack->{database}.currency_rate
           (base, currency, valid_from, rate) VALUES ('EUR', ?, ?, ?)",
        $currency, @$_
    ) for @{ $RATES{$currency} };
}

# --- What is produced, and what has to become of it --------------------------

my $maker = DataLake::Transactions->new(
    clock => int(time * 1000) - int($count / 3) - 1000,
    run   => $run
);
my $truth = DataLake::Spend->new(base => 'EUR', rates => \%RATES);
my (%line, %reject, %latest, %day_lines, $good, $bad);

# Remember what MESSAGE, stored at PARTITION and OFFSET, has to become.
sub expect {
    my ($message, $partition, $offset) = @_;
    my $expect = $message->{expect};
    my $place  = "0:$partition:$offset";
    if ($expect->{reason}) {
        $reject{$place} =
          "$expect->{reason} " . sha256_hex($message->{value});
        $bad++;
        return;
    }
    my $columns = $expect->{columns};
    my $day     = DataLake::Transactions::day($expect->{event});
    my @order   = ($message->{timestamp}, $partition, $offset);
    $good++;
    $line{$place} = "$day " . sha256_hex($expect->{line});
    $day_lines{$day}{ $expect->{line} }++;
    $truth->add(
        {
            _event => $expect->{event},
            map({ ($_ => $columns->{$_}) }
                  grep { defined $columns->{$_} }
                  qw(transaction_id user_id product_id product_name amount
                  currency transaction_type status quantity product_category))
        },
        timestamp => $order[0],
        partition => $order[1],
        offset    => $order[2]
    );
    my $row = $latest{ $columns->{transaction_id} };
    $latest{ $columns->{transaction_id} } =
      { %$columns, order => \@order, day => $day }
      if !$row || DataLake::Spend::later(\@order, $row->{order});
    return;
}

# In turns, so that the messages need not all lie in memory.
for (my $left = $count; $left > 0; $left -= 20_000) {
    my @messages = $maker->make($left < 20_000 ? $left : 20_000);
    my @placed   = $stack->kafka->produce('transaction_log', \@messages);
    expect($messages[$_], @{ $placed[$_] }) for 0 .. $#messages;
}
my $resent = $good - keys %latest;
diag sprintf '%d good (%d sent again), %d bad, produced in %.1f s', $good,
  $resent, $bad, time - $begun;
cmp_ok($resent, '>', $count / 40, 'ids were sent again');
cmp_ok($bad,    '>', $count / 200, 'there are bad ones');

$stack->start_daemon('datalake-lake');
$stack->start_daemon('datalake-warehouse');
my @marks = $stack->kafka->watermarks('transaction_log');

# Dies when a daemon has ended: nothing is to be waited for then.
sub daemons_live {
    for my $program ('datalake-lake', 'datalake-warehouse') {
        die "$program has ended\n" . $stack->daemon_log($program)
          if !$stack->daemon($program)->running;
    }
    return;
}

wait_until(
    'both sinks of the warehouse are at the end',
    sub {
        my $done = 0;
        daemons_live();
        for my $row (
            $stack->mariadb->rows(
                q(SELECT `partition`, next_offset FROM sink_offset
                   WHERE sink IN ('warehouse', 'rollup')
                     AND topic = 'transaction_log')
            )
          )
        {
            $done++ if $row->[1] >= $marks[ $row->[0] ][1];
        }
        return $done == 2 * @marks;
    },
    120
);
my $alice = $stack->client('alice');

# The days of the dataset by date, as the API describes them.
sub days {
    my $answer =
      $alice->get('/api/audit/resources/?detail=true&limit=1000');
    return map { ($_->{date} => $_) } @{ $answer->{json} // [] };
}
wait_until(
    'the lake has every record',
    sub {
        my %day = days();
        my $sum = 0;
        daemons_live();
        $sum += $_->{records} for values %day;
        return $sum >= $good;
    },
    60
);
$stack->ctl('seal', 'transaction_log');
diag sprintf 'loaded after %.1f s', time - $begun;

# --- The lake ----------------------------------------------------------------

# The first few of LIST, for a message.
sub few { return join ', ', grep { defined } @_[ 0 .. 4 ]; }

subtest 'every lake line, its day and its place in Kafka' => sub {
    my $dump = "$stack->{dir}/dump";
    system("$stack->{top}/build/tools/lake_dump '$stack->{dir}/lake' "
          . "transaction_log > '$dump'") == 0
      or BAIL_OUT('lake_dump failed');
    my (%seen, @wrong, @wrong_bad, %last, $disorder);
    my $rejects = 0;
    open my $in, '<', $dump or die "$dump: $!\n";
    while (my $text = <$in>) {
        chomp $text;
        my ($kind, @field) = split /\t/, $text;
        if ($kind eq 'Q') {
            my $place = join ':', @field[ 0 .. 2 ];
            push @wrong_bad, $place
              if ($reject{$place} // '') ne "$field[3] $field[4]";
            $seen{$place}++;
            $rejects++;
            next;
        }
        my ($day, $number, $generation, $partition, $offset, $sum) = @field;
        my $place = "$generation:$partition:$offset";
        push @wrong, $place if ($line{$place} // '') ne "$day $sum";
        $seen{$place}++;
        $disorder++ if $offset <= ($last{"$day $partition"} // -1);
        $last{"$day $partition"} = $offset;
    }
    close $in;
    is(few(@wrong),     '', 'each line is the one we computed, on its day');
    is(few(@wrong_bad), '', 'each dead letter has its reason and its bytes');
    is(scalar(keys %seen), $good + $bad,
        'records in = lake lines + dead letters');
    is(scalar(grep { $_ > 1 } values %seen), 0, 'none is there twice');
    is($rejects, $bad, 'as many dead letters as bad messages');
    is($disorder // 0, 0, 'a day keeps the order of each partition');
};

# The bytes of DAY in the dataset's folder: its parts in number order.
sub sealed {
    my ($day) = @_;
    my $folder = "$stack->{dir}/lake/transaction_log/dt=$day";
    return join '', map { slurp($_) } sort glob "$folder/$day*.json";
}

subtest 'the sealed files hold the same lines, byte for byte' => sub {
    my %described = days();
    is(few(sort keys %described), few(sort keys %day_lines),
        'the days are the event dates');
    my (@wrong, @other);
    for my $day (sort keys %day_lines) {
        my $bytes = sealed($day);
        my %left  = %{ $day_lines{$day} };
        my $lines = 0;
        for my $text (split /\n/, $bytes) {
            $lines++;
            push @wrong, $day if !$left{$text}--;
        }
        push @wrong, "$day ends" if $bytes !~ /\n\z/ || $bytes =~ /\n\n/;
        my $about = $described{$day};
        push @other, $day
          if $about->{records} != $lines
          || $about->{bytes} != length $bytes
          || $about->{sha256} ne sha256_hex($bytes)
          || grep { $_ } values %left;
    }
    is(few(@wrong), '', 'no line is foreign, cut or blank');
    is(few(@other), '', 'records, bytes and sha256 are those of the files');
};

subtest 'the version route gives the files' => sub {
    my @wrong;
    for my $day (sort keys %day_lines) {
        my $answer = $alice->get("/api/audit/version/?date=$day&format=ndjson");
        push @wrong, $day
          if $answer->{status} != 200 || $answer->{body} ne sealed($day);
    }
    is(few(@wrong), '', 'each day as NDJSON is its file');
    my ($small) = sort { keys %{ $day_lines{$a} } <=> keys %{ $day_lines{$b} } }
      keys %day_lines;
    my $array = $alice->get("/api/audit/version/?date=$small")->{body};
    (my $joined = sealed($small)) =~ s/\n(?!\z)/,/g;
    chomp $joined;
    is(sha256_hex($array =~ s/\n\z//r), sha256_hex("[$joined]"),
        'as JSON it is the array of its lines');
};

# --- The warehouse -----------------------------------------------------------

my @COLUMNS = qw(transaction_id timestamp user_id user_name product_id
  product_name amount currency transaction_type status payment_method
  product_category quantity city country shipping_street shipping_zip
  shipping_city shipping_country device_os device_browser device_ip
  customer_rating discount_code tax_amount thread message_number
  timestamp_of_reception_log origin);

# PARTS, or sums of them, as a DECIMAL shows them; undef stays.
sub fixed {
    my ($parts) = @_;
    return undef if !defined $parts;
    my ($whole, $rest) = @$parts;
    return ($whole < 0 || $rest < 0 ? '-' : '')
      . sprintf('%d.%010d', abs $whole, abs $rest)
      if abs $rest < 10_000_000_000 && $whole * $rest >= 0;
    return fixed(DataLake::Spend::split_units(
            DataLake::Spend::join_parts(@$parts)));
}

subtest 'every row of the warehouse' => sub {
    my %base;
    for my $row ($truth->rows) {
        next if !defined $row->{amount};
        $truth->convert($row);
        $base{ $row->{transaction_id} } = fixed($row->{_base});
    }
    my (@wrong, $n);
    for my $row (
        $stack->mariadb->rows(
            'SELECT ' . join(', ', map { "`$_`" } @COLUMNS)
              . ', amount_base, src_generation, src_partition, src_offset, '
              . 'src_time FROM transaction_record'
        )
      )
    {
        $n++;
        my $id       = $row->[0];
        my $expected = delete $latest{$id} or do { push @wrong, $id; next };
        my @order    = @{ $expected->{order} };
        my @want     = (
            @$expected{@COLUMNS}, $base{$id}, 0, @order[ 1, 2 ],
            DataLake::Transactions::datetime($order[0] * 1000)
        );
        for my $i (0 .. $#want) {
            next
              if ($want[$i] // 'NULL') eq ($row->[$i] // 'NULL')
              && defined $want[$i] == defined $row->[$i];
            push @wrong, sprintf '%s %s: %s, not %s', $id,
              $COLUMNS[$i] // "column $i", $row->[$i] // 'NULL',
              $want[$i] // 'NULL';
            last;
        }
    }
    is(few(@wrong), '', "each of $n rows has every value we computed");
    is(few(sort keys %latest), '', 'and none is missing');
    is($stack->mariadb->value('SELECT COUNT(*) FROM dead_letter'),
        0, 'the database refused nothing');
};

# What rows sum up to in the rollup TABLE, by key.
my %GROUP = (
    spend_user => sub {
        return (defined $_[0]{user_id} ? $_[0]{user_id} : undef,
            kind($_[0]), $_[0]{product_category} // 'unknown');
    },
    spend_second => sub {
        return (substr(DataLake::Transactions::datetime($_[0]{_event}), 0, 19),
            kind($_[0]));
    },
    product_sale => sub {
        return ($_[0]{product_id},
            DataLake::Transactions::day($_[0]{_event}), kind($_[0]));
    },
    product_total => sub { return ($_[0]{product_id}, kind($_[0])); },
);
my %KEY = (
    spend_user => [ qw(user_id currency transaction_type status
          product_category) ],
    spend_second  => [qw(second currency transaction_type status)],
    product_sale  => [qw(product_id day currency transaction_type status)],
    product_total => [qw(product_id currency transaction_type status)],
);

sub kind {
    my ($row) = @_;
    return (uc($row->{currency} // ''), $row->{transaction_type} // 'unknown',
        $row->{status} // '');
}

# The sums of every key of TABLE: n, quantity, unconverted, amount, base.
sub sums {
    my ($table) = @_;
    my %sum;
    for my $row ($truth->rows) {
        my @key = $GROUP{$table}->($row);
        next if !defined $key[0];
        my $sum = $sum{ join "\t", @key } //= [ 0, 0, 0 ];
        $sum->[0]++;
        $sum->[1] += $row->{quantity} // 1;
        next if !defined $row->{amount} || $table eq 'product_total';
        $sum->[3][$_] += $row->{_units}[$_] for 0, 1;
        if (!defined $row->{_base}) {
            $sum->[2]++;
            next;
        }
        $sum->[4][$_] += $row->{_base}[$_] for 0, 1;
    }
    return \%sum;
}

subtest 'every rollup' => sub {
    my $zero = '0.0000000000';
    for my $table (sort keys %GROUP) {
        my $total = $table eq 'product_total';
        my $sum   = sums($table);
        my $more  = $total ? '' : ', unconverted, amount, amount_base';
        my @key   = @{ $KEY{$table} };
        my @wrong;
        for my $row (
            $stack->mariadb->rows(
                'SELECT ' . join(', ', map { "`$_`" } @key)
                  . ", n, quantity$more FROM $table"
            )
          )
        {
            my $key  = join "\t", splice @$row, 0, scalar @key;
            my $want = delete $sum->{$key} // [ 0, 0, 0 ];
            my @want = @$want[ 0, 1 ];
            push @want, $want->[2], map { fixed($_) // $zero } @$want[ 3, 4 ]
              if !$total;
            push @wrong, "$key: @$row, not @want" if "@$row" ne "@want";
        }
        is(few(@wrong),         '', "$table has the sums we computed");
        is(few(sort keys %$sum), '', '... and all of them');
    }
};

# --- The answers -------------------------------------------------------------

# Compare the answer of PATH.
sub answers {
    my ($path, $expected, $sentence) = @_;
    my $answer = $alice->get($path);
    is($answer->{status}, 200, "$sentence: 200") or return;
    is_deeply($answer->{json}, $expected, $sentence);
    return;
}

my %QUERY = (
    ''             => {},
    'status=*&transaction_type=*' =>
      { status => undef, transaction_type => undef },
    'currency=usd' => { currency => 'USD' },
);
for my $query (sort keys %QUERY) {
    subtest "answers for '$query'" => sub {
        my %query = %{ $QUERY{$query} };
        answers("/api/metrics/top-products/?x=1000&$query",
            $truth->top_products(1000, %query), 'top-products');
        answers("/api/metrics/total-by-user/?decimals=string&$query",
            $truth->total_by_user(%query), 'total-by-user');
        answers("/api/metrics/total_by_user/?decimals=string&limit=1000"
              . "&$query",
            [ grep { defined }
                  @{ $truth->total_by_user_type(%query) }[ 0 .. 999 ] ],
            'total_by_user');
    } if $query ne '';
    subtest "answers for '$query'" => sub {
        answers('/api/metrics/top-products/', $truth->top_products(5),
            'top-products');
        answers('/api/metrics/total-by-user/?decimals=string',
            $truth->total_by_user, 'total-by-user');
    } if $query eq '';
}

subtest 'the window of the last day' => sub {
    my $answer = $alice->get(
        '/api/metrics/last-5min/?minutes=1440&status=*&decimals=string');
    is($answer->{status}, 200, 'it answers') or return diag $answer->{body};
    my $json = $answer->{json};
    my $to   = $json->{window_end};
    my $end  = DataLake::Http::json()->decode("[\"$to\"]")->[0];
    require Time::Local;
    my ($year, $month, $date, $h, $m, $s) = $end =~ /(\d+)/g;
    my $us = Time::Local::timegm($s, $m, $h, $date, $month - 1, $year)
      * 1_000_000;
    delete @$json{qw(window_start window_end)};
    is_deeply(
        $json,
        $truth->window($us - 86400 * 1_000_000, $us, status => undef),
        'last-5min with minutes=1440'
    );
};

my $took = time - $begun;
ok(
    figure(
        'main-job',
        [
            messages => $count,
            good     => $good,
            resent   => $resent,
            bad      => $bad,
            seconds  => sprintf('%.0f', $took)
        ],
        Test::More->builder->is_passing
    ),
    'the main job is done'
);

done_testing();
