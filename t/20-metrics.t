# 20-metrics.t - the four spend metrics against a computation of our own from
# what was produced: selection, currency, exact sums, order, pages, windows.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(strftime floor);
use Time::HiRes qw(time);
use DataLake::Cursor qw(aged);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Spend;
use DataLake::Stack;
use DataLake::Stopwatch;

my $run = $ENV{DL_RUN} // sprintf '%04x', $$ & 0xffff;
srand hex $run;
diag "DL_RUN=$run";

my %RATES = (
    USD => [ [ '1970-01-01', '0.8' ], [ '2026-01-01', '0.9213456789' ] ],
    GBP => [ [ '1970-01-01', '1.17' ] ],
    JPY => [ [ '2020-01-01', '0.0061' ] ],
);

my $stack = DataLake::Stack->new(
    name    => '20-metrics',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
);
my $truth = DataLake::Spend->new(base => 'EUR', rates => \%RATES);
my $alice = $stack->client('alice');

# --- What is produced -----------------------------------------------------------

# One of LIST.
sub any { return $_[ int rand @_ ]; }

# MICROSECONDS as one of the forms of time that producers send.
sub time_text {
    my ($us) = @_;
    my $seconds  = floor($us / 1e6);
    my $fraction = sprintf '%06d', $us - $seconds * 1e6;
    my $form     = int rand 4;
    return \sprintf('%d.%s', $seconds, $fraction) if $form == 0;
    return strftime('%Y-%m-%dT%H:%M:%S', gmtime $seconds) . ".${fraction}Z"
      if $form == 1;
    return strftime('%Y-%m-%d %H:%M:%S', gmtime $seconds) . ".$fraction"
      if $form == 2;
    return strftime('%Y-%m-%dT%H:%M:%S', gmtime $seconds + 19800)
      . ".$fraction+05:30";
}

# A record with the event time EVENT in microseconds.
sub record {
    my ($id, $event) = @_;
    my $product = sprintf 'p%02d', rand 30;
    my %record  = (
        transaction_id => $id,
        _event         => $event,
        user_id        => sprintf('user-%02d', rand 25),
        product_id     => $product,
        product_name   => "Product $product v" . int rand 4,
        amount         => any(
            sprintf('%.2f', rand 5000),
            sprintf('%.6f', rand 10),
            int rand 100, '-12.5', '0.10', '99999999.9999999999'
        ),
        currency         => any(qw(EUR EUR EUR USD USD usd GBP JPY XAU)),
        transaction_type => any(qw(purchase purchase payment refund other)),
        status   => any(qw(completed completed completed pending failed)),
        quantity => 1 + int rand 5,
        product_category => any('books', 'games', "caf\x{e9}", 'tools'),
    );
    for my $member (
        qw(user_id product_id product_name amount currency transaction_type
        status quantity product_category)
      )
    {
        delete $record{$member} if rand() < 0.02;
    }
    return \%record;
}

# The JSON text of RECORD: decimals and numbers unquoted.
sub json_text {
    my ($record) = @_;
    my @member;
    for my $name (sort grep { !/^_/ } keys %$record) {
        my $value = $record->{$name};
        $value = qq("$value")
          unless $name =~ /^(?:amount|quantity)$/;
        push @member, qq("$name":$value);
    }
    my $time = time_text($record->{_event});
    push @member, '"timestamp":' . (ref $time ? $$time : qq("$time"));
    my $text = '{' . join(',', @member) . '}';
    utf8::encode($text);
    return $text;
}

my @last;    # where the messages of the last feed() are

# Produce RECORDS, tell the truth about them, and wait until the warehouse has
# them.
sub feed {
    my (@records) = @_;
    my $clock    = int(time * 1000) - @records;
    my @messages = map {
        {
            key       => $_->{transaction_id},
            value     => json_text($_),
            timestamp => $clock++
        }
    } @records;
    my @placed = $stack->kafka->produce('transaction_log', \@messages);
    for my $i (0 .. $#records) {
        $truth->add(
            $records[$i],
            timestamp => $messages[$i]{timestamp},
            partition => $placed[$i][0],
            offset    => $placed[$i][1]
        );
    }
    @last = @placed;
    wait_for_sink('warehouse');
    return;
}

# Wait until SINK has stored the messages fed last.
sub wait_for_sink {
    my ($sink) = @_;
    wait_until(
        "$sink has every record",
        sub {
            my %next = map { ($_->[0] => $_->[1]) } $stack->mariadb->rows(
                q(SELECT `partition`, next_offset FROM sink_offset
                   WHERE sink = ? AND topic = 'transaction_log'), $sink
            );
            return !grep { ($next{ $_->[0] } // 0) <= $_->[1] } @last;
        }
    );
    return;
}

for my $currency (sort keys %RATES) {
    $stack->mariadb->run(
        "INSERT INTO $stack->{database}.currency_rate
           (base, currency, valid_from, rate) VALUES ('EUR', ?, ?, ?)",
        $currency, @$_
    ) for @{ $RATES{$currency} };
}
$stack->start_daemon('datalake-warehouse');

my $now  = floor(time) * 1_000_000;
my @main = (
    map({ record("t$_", $now - int rand 3600e6) } 1 .. 1500),
    map({ record("o$_", $now - int rand 400 * 86400e6) } 1 .. 500),
);
feed(@main);

# --- The answers -----------------------------------------------------------------

# ROWS of top-products without the names.
sub nameless {
    my ($rows) = @_;
    return [ map { { %$_, product => '' } } @$rows ];
}

# What FORM makes of the rows that PATH answers once that is WANTED, which may
# take 5 s from the commit on, or of the last ones; and their answer.
sub settled {
    my ($path, $wanted, $form) = @_;
    my ($answer, $rows);
    eval {
        wait_until(
            $path,
            sub {
                $answer = $alice->get($path);
                $rows   = $answer->{json};
                $rows   = $form->($rows) if $form && ref $rows eq 'ARRAY';
                return eq_deeply($rows, $wanted);
            },
            5
        );
    };
    return ($rows, $answer);
}

subtest 'sums are exact whatever the rollups have seen' => sub {
    for my $round (1 .. 5) {
        feed(map { record("t$_", $now - int rand 3600e6) }
              map { 1 + int rand 1500 } 1 .. 100);
        my $products = nameless($truth->top_products(99));
        is_deeply((settled('/api/metrics/top-products/?x=99', $products, \&nameless))[0],
            $products, "round $round: products");
        my $users = $truth->total_by_user;
        is_deeply((settled('/api/metrics/total-by-user/?decimals=string', $users))[0],
            $users, "round $round: users");
    }
};
wait_for_sink('rollup');    # from here on names are the newest ones, too

# The first difference of two bodies is enough to see.
sub same_rows {
    my ($path, $expected, $sentence) = @_;
    my ($rows, $answer) = settled($path, $expected);
    is($answer->{status}, 200, "$sentence: it answers")
      or return diag $answer->{body};
    is_deeply($rows, $expected, $sentence);
    return $answer;
}

my %QUERY = (
    ''                                       => {},
    'status=*'                               => { status => undef },
    'status=failed,pending'                  => { status => [qw(failed pending)] },
    'transaction_type=refund'                => { transaction_type => ['refund'] },
    'transaction_type=*&status=*'            =>
      { status => undef, transaction_type => undef },
    'currency=usd'                           => { currency => 'USD' },
    'currency=XAU&status=*'                  => { currency => 'XAU', status => undef },
    'currency=CHF'                           => { currency => 'CHF' },
    'status=nothing'                         => { status => ['nothing'] },
);

for my $query (sort keys %QUERY) {
    my %query = %{ $QUERY{$query} };
    subtest "selection '$query'" => sub {
        same_rows(
            "/api/metrics/top-products/?x=1000&$query" =~ s/&$//r,
            $truth->top_products(1000, %query),
            'top-products is what we computed'
        );
        same_rows(
            "/api/metrics/total-by-user/?decimals=string&$query" =~ s/&$//r,
            $truth->total_by_user(%query),
            'total-by-user is what we computed'
        );
        same_rows(
            "/api/metrics/total_by_user/?decimals=string&$query" =~ s/&$//r,
            $truth->total_by_user_type(%query),
            'total_by_user is what we computed'
        );
    };
}

subtest 'aliases give the same bytes' => sub {
    my %alias = (
        '/api/metrics/top-products/' => '/api/metrics/top_products',
        '/api/metrics/top-products/?x=7' => '/api/metrics/top_products/?top=7',
    );
    for my $path (sort keys %alias) {
        is($alice->get($alias{$path})->{body}, $alice->get($path)->{body},
            "$alias{$path} is $path");
    }
    is($alice->get('/api/metrics/last5min/')->{status},
        200, '/api/metrics/last5min/ answers');
};

subtest 'decimals are numbers with all digits' => sub {
    my $text   = $alice->get('/api/metrics/total-by-user/?decimals=string');
    my $number = $alice->get('/api/metrics/total-by-user/');
    (my $unquoted = $text->{body}) =~ s/:"(-?\d+\.\d{2,10})"/:$1/g;
    is($number->{body}, $unquoted,
        'without decimals=string the same digits come as numbers');
    unlike($number->{body}, qr/\d[eE][+-]?\d/, 'there is no exponent');
    unlike($number->{body}, qr/\.\d[,}]/,
        'there are at least two digits after the point');
};

subtest 'x is 5 unless given, ties go by product_id' => sub {
    is_deeply($alice->get('/api/metrics/top-products/')->{json},
        $truth->top_products(5), 'five products come');
    is_deeply($alice->get('/api/metrics/top-products/?x=1')->{json},
        $truth->top_products(1), 'x=1 gives one');
};

subtest 'pages of total-by-user join to the whole' => sub {
    for my $path (qw(/api/metrics/total-by-user/ /api/metrics/total_by_user/)) {
        my $whole = $alice->get("$path?decimals=string")->{json};
        my $next  = "$path?decimals=string&limit=7";
        my (@joined, $pages);
        while (defined $next) {
            my $page = $alice->get($next);
            is($page->{status}, 200, "a page of $path") or last;
            push @joined, @{ $page->{json} };
            my ($link) = ($page->{headers}{link} // '') =~
              /^<([^>]+)>; rel="next"$/;
            $next = $link;
            last if ++$pages > 100;
        }
        is_deeply(\@joined, $whole, "the pages of $path are the list");
    }
};

subtest 'a cursor is of one list, one set of parameters, one day' => sub {
    my $first = $alice->get('/api/metrics/total-by-user/?limit=2');
    my ($cursor) = $first->{headers}{link} =~ /cursor=([\w-]+)/;
    my $try = sub {
        my ($path) = @_;
        my $answer = $alice->get($path);
        return "$answer->{status} "
          . ($answer->{json}{errors}[0]{code} // 'no code');
    };
    is($alice->get("/api/metrics/total-by-user/?limit=2&cursor=$cursor")
          ->{status}, 200, 'it is good for its own list');
    my $wrong = '400 cursor-invalid';
    is($try->("/api/metrics/total-by-user/?limit=3&cursor=$cursor"),
        $wrong, 'other parameters');
    is($try->("/api/metrics/total_by_user/?limit=2&cursor=$cursor"),
        $wrong, 'another list');
    (my $tampered = $cursor) =~ s/^(.{20})(.)/$1 . ($2 eq 'A' ? 'B' : 'A')/e;
    is($try->("/api/metrics/total-by-user/?limit=2&cursor=$tampered"),
        $wrong, 'one letter changed');
    is($try->("/api/metrics/total-by-user/?limit=2&cursor=abc"),
        $wrong, 'nonsense');
};

subtest 'a cursor is good for 24 hours' => sub {
    my $path     = '/api/metrics/total-by-user/?limit=2';
    my ($cursor) = $alice->get($path)->{headers}{link} =~ /cursor=([\w-]+)/;
    my @of       = (
        'total-by-user',
        join '', map { "$_\x1f" } 'status=completed',
        'transaction_type=purchase,payment', 'currency=', 'limit=2',
        'decimals=number'
    );
    ok(aged($stack, $cursor, @of, 0), 'we can sign as the server does')
      or return;
    my %status = (
        0      => 200,
        86_340 => 200,
        86_460 => 400,
        -3600  => 400,
    );
    for my $seconds (sort { $a <=> $b } keys %status) {
        my $old = aged($stack, $cursor, @of, $seconds);
        is($alice->get("$path&cursor=$old")->{status},
            $status{$seconds}, "made $seconds seconds ago");
    }
};

# --- The window --------------------------------------------------------------------

sub microseconds {
    my ($text) = @_;
    my ($date, $h, $m, $s, $fraction) =
      $text =~ /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)\.(\d{6})Z$/
      or die "not a time: $text\n";
    my ($year, $month, $day) = split /-/, $date;
    require Time::Local;
    return Time::Local::timegm($s, $m, $h, $day, $month - 1, $year) * 1_000_000
      + $fraction;
}

for my $query (
    [ '',                      5,    {} ],
    [ 'minutes=1',             1,    {} ],
    [ 'minutes=30&status=*',   30,   { status   => undef } ],
    [ 'minutes=1440',          1440, {} ],
    [ 'minutes=60&currency=GBP', 60, { currency => 'GBP' } ],
  )
{
    my ($parameters, $minutes, $selection) = @$query;
    subtest "last-5min '$parameters'" => sub {
        my $asked = time;
        my $answer =
          $alice->get("/api/metrics/last-5min/?decimals=string&$parameters" =~
              s/&$//r);
        my $got = time;
        is($answer->{status}, 200, 'it answers') or return diag $answer->{body};
        my $json = $answer->{json};
        my $from = microseconds(delete $json->{window_start});
        my $to   = microseconds(delete $json->{window_end});
        is($to % 1_000_000, 0, 'the window ends at a whole second');
        ok($to / 1e6 > $asked - 2.5 && $to / 1e6 < $got + 2.5, 'which is now');
        is($to - $from, $minutes * 60_000_000, 'it is as long as asked');
        is_deeply($json, $truth->window($from, $to, %$selection),
            'its sums are what we computed');
    };
}

# --- New records are seen ------------------------------------------------------------

subtest 'a record is shown at most 5 s after its commit' => sub {
    for my $round (1 .. 5) {
        feed(record("new$round", $now));
        my $expected = $truth->total_by_user(status => undef,
            transaction_type => undef);
        my $got = wait_until(
            'the answer shows it',
            sub {
                my $answer = $alice->get('/api/metrics/total-by-user/'
                      . '?status=*&transaction_type=*&decimals=string');
                return $answer->{body} if eq_deeply($answer->{json}, $expected);
                return undef;
            },
            5
        );
        ok($got, "round $round");
    }
};

# Asked for often, an answer may be the one before for a moment, never a mixture
# of two and never for long.
subtest 'an answer asked for often is made anew behind the answers' => sub {
    my $path = '/api/metrics/total-by-user/?status=*&transaction_type=*'
      . '&decimals=string&limit=500';
    my $ask = sub { return $alice->get($path)->{json}; };
    my %all = (status => undef, transaction_type => undef);
    my ($others, $late) = (0, 0);
    for my $round (1 .. 10) {
        my $old = $truth->total_by_user(%all);
        $ask->() for 1 .. 40;    # each child has it, and often
        # One: of several each may be a transaction, with answers in between.
        feed(record("hot$round", $now));
        my $new   = $truth->total_by_user(%all);
        my $watch = DataLake::Stopwatch->new;
        my $seen  = 0;
        while ($seen < 20) {
            my $asked = $watch->seconds;
            my $got   = $ask->();
            if (eq_deeply($got, $new)) {
                $seen++;
                next;
            }
            $others++ if !eq_deeply($got, $old);
            $seen = 0;
            $late++, last if $asked > 2.5;
        }
    }
    is($others, 0, 'it is the old one or the new one');
    is($late,   0, 'and the new one for good within 2.5 s');
};

sub eq_deeply {
    my ($x, $y) = @_;
    my $json = DataLake::Http::json();
    return $json->encode($x) eq $json->encode($y);
}

# --- Bad input (contract 14) ----------------------------------------------------------

subtest 'bad parameters are 400 invalid-parameter' => sub {
    my @value = (
        '0', '-1', '1.5', 'abc', '1e3', '18446744073709551616', '',
        '%D9%A1%D9%A2', '+5', '%205', '0x5', '5%00', 'NaN', 'Infinity'
    );
    my %range = (
        '/api/metrics/top-products/?x='        => 1001,
        '/api/metrics/top_products/?top='      => 1001,
        '/api/metrics/total-by-user/?limit='   => 1001,
        '/api/metrics/total_by_user/?limit='   => 1001,
        '/api/metrics/last-5min/?minutes='     => 1441,
    );
    for my $path (sort keys %range) {
        for my $value (@value, $range{$path}) {
            my $answer = $alice->get("$path$value");
            is("$answer->{status} " . ($answer->{json}{type} // ''),
                '400 /problems/invalid-parameter', "$path$value");
        }
    }
    for my $path (
        '/api/metrics/top-products/?x=5&x=6',
        '/api/metrics/top-products/?x=5&top=5',
        '/api/metrics/top-products/?nonsense=1',
        '/api/metrics/top-products/?decimals=string',
        '/api/metrics/top-products/?status=',
        '/api/metrics/top-products/?status=a,,b',
        '/api/metrics/top-products/?status=%FF',
        '/api/metrics/top-products/?currency=EURO',
        '/api/metrics/top-products/?currency=E1R',
        '/api/metrics/top-products/?currency=*',
        '/api/metrics/top-products/?currency=%C3%89UR',
        '/api/metrics/total-by-user/?decimals=float',
        '/api/metrics/total-by-user/?offset=1',
        '/api/metrics/total-by-user/?cursor=',
        '/api/metrics/last-5min/?minutes=5&minutes=5',
      )
    {
        my $answer = $alice->get($path);
        is("$answer->{status} " . ($answer->{json}{type} // ''),
            '400 /problems/invalid-parameter', $path);
        ok(@{ $answer->{json}{errors} // [] } > 0, '  names the parameter');
    }
};

subtest 'methods and tokens' => sub {
    my $path = '/api/metrics/top-products/';
    is($stack->client->get($path)->{status}, 401, 'without a token 401');
    is($alice->request('PUT', $path)->{status}, 405, 'PUT is 405');
    is($alice->request('PROPFIND', $path)->{status}, 501, 'PROPFIND is 501');
    my $head = $alice->head($path);
    is($head->{status}, 200, 'HEAD is 200');
    is(
        $head->{headers}{'content-length'},
        length $alice->get($path)->{body},
        'HEAD tells the length'
    );
    is($alice->get($path, headers => { Accept => 'text/html' })->{status},
        406, 'another format is 406');
};

# The statement NAME of sql/statements.sql with room for N ranges of the tail.
sub statement {
    my ($name, $n) = @_;
    my ($sql, $range) = map {
        slurp("$DataLake::Stack::TOP/sql/statements.sql") =~
          /^-- $_: .*?\n((?!--).*?);\n/ms
    } $name, 'STMT_WORD_RANGE';
    $sql =~ s/^--.*\n//mg;
    $range =~ s/^--.*\n//mg;
    my $tail = join ' OR ', ($range) x $n;
    $sql =~ s/\{tail\}/$tail/;
    return $sql;
}

# A topic that was made anew six times while the rollups stood still has seven
# ranges of offsets in each partition.
subtest '40 partitions in 7 generations are read, and exactly' => sub {
    my $db = "$stack->{database}.";
    wait_for_sink('rollup');
    $stack->daemon('datalake-warehouse')->stop;
    my $place = sub {
        my ($sink, $partition, $generation, $next) = @_;
        $stack->mariadb->run(
            "INSERT INTO ${db}sink_offset (sink, topic, `partition`, "
              . 'generation, next_offset) VALUES (?, ?, ?, ?, ?)',
            $sink, 'transaction_log', $partition, $generation, $next
        );
    };
    my $fact = sub {
        my ($id, $event, @at) = @_;
        $stack->mariadb->run(
            "INSERT INTO ${db}transaction_record (transaction_id, `timestamp`,"
              . ' user_id, product_id, amount, currency, amount_base,'
              . ' transaction_type, status, src_generation, src_partition,'
              . ' src_offset, src_time)'
              . " VALUES (?, FROM_UNIXTIME(?), 'user-01', 'p01', 2.5, 'EUR',"
              . " 2.5, 'payment', 'completed', ?, ?, ?, UTC_TIMESTAMP(6))",
            $id, $event / 1e6, @at
        );
    };
    $stack->mariadb->run(q(SET time_zone = '+00:00'));
    my $before = $alice->get('/api/metrics/last-5min/?minutes=1440')->{json};
    for my $partition (200 .. 239) {
        $place->('warehouse', $partition, 6, 9);
        $place->('rollup', $partition, 0, 5);
        $fact->("seen-$partition", $now, 0, $partition, 4);    # not the tail
        for my $generation (0 .. 6) {
            my $id     = "tail-$partition-$generation";
            my $offset = $generation ? int rand 9 : 5 + int rand 4;
            $fact->($id, $now, $generation, $partition, $offset);
            $truth->add(
                {
                    transaction_id   => $id,
                    _event           => $now,
                    user_id          => 'user-01',
                    product_id       => 'p01',
                    amount           => '2.5',
                    currency         => 'EUR',
                    transaction_type => 'payment',
                    status           => 'completed',
                },
                timestamp => $now / 1000,
                partition => $partition,
                offset    => $offset
            );
        }
    }
    same_rows('/api/metrics/top-products/?x=99',
        $truth->top_products(99), 'top-products');
    same_rows('/api/metrics/total-by-user/?decimals=string',
        $truth->total_by_user, 'total-by-user');
    same_rows('/api/metrics/total_by_user/?decimals=string',
        $truth->total_by_user_type, 'total_by_user');
    # The facts came past the loader, so only the next second's window asks
    # the database again.
    my $after;
    wait_until(
        'the window moves on',
        sub {
            $after = $alice->get('/api/metrics/last-5min/?minutes=1440');
            return $after->{json}{window_end} ne $before->{window_end};
        },
        60
    );
    is($after->{status}, 200, 'last-5min answers');
    is($after->{json}{total_transactions} - $before->{total_transactions},
        280, 'last-5min has every fact of the tail')
      or diag $after->{body};

    $stack->mariadb->run("ANALYZE TABLE ${db}transaction_record");
    my $sql    = statement('STMT_METRIC_USERS', 1024);
    my @ranges = map {
        my $generation = $_;
        map { ($generation, $_, $generation ? 0 : 5) } 200 .. 239
    } 0 .. 6;
    my @select = (('*') x 4, '', '');
    my @plan   = $stack->mariadb->rows(
        "EXPLAIN $sql", '', '', '', @select, '', @select, @ranges,
        (-1, -1, 0) x (1024 - 280),
        'transaction_log', '', @select, 1, 0, 0, '', 100
    );
    my ($read) = grep { ($_->[2] // '') eq 'transaction_record' } @plan;
    is("$read->[3] $read->[5]",
        'range PRIMARY', 'the tail is ranges of the primary key');
    cmp_ok($read->[8], '<=', 1024, 'and no more rows are looked at');
};

done_testing;
