# 21-lake-reads.t - the days of the lake over HTTP: which there are, what they
# hold, how they were after each commit; byte for byte as produced.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);
use DataLake::Cost qw(children_of);
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '21-lake-reads',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => ['datalake-lake'],
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
);
my $alice = $stack->client('alice');
my $json  = DataLake::Http::json();

# What was produced: {"partition:offset"} => [day, line, broker time in ms].
my %produced;

# Produce [DAY, LINE, MESSAGE] items; MESSAGE is what goes to Kafka, LINE what
# the lake has to make of it.
sub feed {
    my (@items) = @_;
    my $clock    = int(time * 1000) - 1000;
    my @messages = map { { value => $_->[2] // $_->[1], timestamp => $clock++ } }
      @items;
    my @placed = $stack->kafka->produce('transaction_log', \@messages);
    for my $i (0 .. $#items) {
        $produced{"$placed[$i][0]:$placed[$i][1]"} =
          [ @{ $items[$i] }[ 0, 1 ], $messages[$i]{timestamp} ];
    }
    return;
}

# How many records the API shows on DAY.
sub shown {
    my ($day) = @_;
    my $answer = $alice->get("/api/audit/version/?date=$day&format=ndjson");
    return 0 if $answer->{status} == 404;
    return scalar(() = $answer->{body} =~ /\n/g);
}

# Wait until the API shows all of DAY that was produced.
sub settle {
    for my $day (@_) {
        my $n = grep { $_->[0] eq $day } values %produced;
        wait_until("all of $day", sub { shown($day) == $n }, 60);
    }
    return;
}

sub line {
    my ($id, $time, $more) = @_;
    return qq({"transaction_id":"$id","timestamp":"$time","amount":12.50)
      . ($more // '') . '}';
}

subtest 'a lake without a record has no day' => sub {
    my $answer = $alice->get('/api/audit/resources/');
    is($answer->{status}, 200,  'resources is 200');
    is($answer->{body},   '[]', 'and empty');
    is_deeply(
        $alice->get('/api/resources/')->{json},
        { resources => [], next_cursor => undef },
        'so is the list over all datasets'
    );
    is($alice->get('/api/audit/version/?date=2026-05-18')->{status},
        404, 'a day that is not there is 404');
    is($alice->get('/api/audit/resources/?dataset=nothing')->{status},
        404, 'a dataset that is not there is 404');
};

# --- Three days, one of them with everything that is special --------------------

my ($d1, $d2, $d3) = ('2026-05-17', '2026-05-18', '2026-05-19');
feed(
    (map { [ $d1, line("a$_", "${d1}T10:00:00.00000${_}Z") ] } 1 .. 9),
    [ $d2, line('b1', "${d2}T00:00:00Z") ],
    [ $d2, line('b2', "${d3}T01:30:00+02:00") ],
    [
        $d2,
        line('b3', "${d2}T12:00:00.5Z", ',"note":"é\n\u0001"'),
        line('b3', "${d2}T12:00:00.5Z", ',"note":"\u00e9\n\u0001"')
    ],
    [
        $d2,
        line('b4', "${d2}T13:00:00Z", ',"x":[1,2.0,-0,1e5,true,null,{}]'),
        ' { "transaction_id" : "b4",  "timestamp":"'
          . $d2
          . "T13:00:00Z\",\n\t\"amount\":12.50 ,"
          . ' "x":[ 1, 2.0,-0 ,1e5,true,null,{ } ] } '
    ],
    [ $d3, line('c1', "${d3}T23:59:59.999999Z") ],
);
settle($d1, $d2, $d3);

subtest 'the days are listed by date' => sub {
    is($alice->get('/api/audit/resources/')->{body},
        qq(["$d1.json","$d2.json","$d3.json"]), 'as files of a dataset');
    is(
        $alice->get('/api/resources/')->{body},
        qq({"resources":["transaction_log/$d1.json",)
          . qq("transaction_log/$d2.json","transaction_log/$d3.json"],)
          . qq("next_cursor":null}),
        'as resources over all datasets'
    );
    my $first = $alice->get('/api/audit/resources/?limit=2');
    is($first->{body}, qq(["$d1.json","$d2.json"]), 'a page of two');
    my ($next) = $first->{headers}{link} =~ /^<([^>]+)>; rel="next"$/;
    my $second = $alice->get($next);
    is($second->{body}, qq(["$d3.json"]), 'the next page has the rest');
    ok(!$second->{headers}{link}, 'and no further one');
    my $all = $alice->get('/api/resources/?limit=2');
    $all = $alice->get(
        "/api/resources/?limit=2&cursor=$all->{json}{next_cursor}");
    is_deeply(
        $all->{json}{resources},
        ["transaction_log/$d3.json"],
        'next_cursor leads to the rest'
    );
    my ($cursor) = $next =~ /cursor=([\w-]+)/;
    is($alice->get("/api/resources/?limit=2&cursor=$cursor")->{status},
        400, "another list's cursor is 400");
};

subtest 'a day comes byte for byte, as lines and as an array' => sub {
    for my $day ($d1, $d2, $d3) {
        my $lines =
          $alice->get("/api/audit/version/?date=$day&format=ndjson");
        is($lines->{headers}{'content-type'},
            'application/x-ndjson', "$day: the type of lines");
        is_deeply(
            [ sort split /\n/, $lines->{body} ],
            [
                sort map { $_->[1] }
                grep { $_->[0] eq $day } values %produced
            ],
            "$day has exactly the lines that were produced"
        );
        (my $joined = $lines->{body}) =~ s/\n(?=.)/,/g;
        chomp $joined;
        is($alice->get("/api/audit/version/?date=$day")->{body},
            "[$joined]", "$day as an array has the same bytes");
    }
};

subtest 'detail describes one committed state' => sub {
    my $rows = $alice->get('/api/audit/resources/?detail=true')->{json};
    is(scalar @$rows, 3, 'three rows');
    my $body =
      $alice->get("/api/audit/version/?date=$d2&format=ndjson")->{body};
    my $row = $rows->[1];
    ok($row->{version} >= 1, 'a version counts from 1');
    delete $row->{version};
    is_deeply(
        $row,
        {
            dataset    => 'transaction_log',
            date       => $d2,
            file       => "$d2.json",
            bytes      => length $body,
            records    => 4,
            first_time => "${d2}T00:00:00.000000Z",
            last_time  => "${d2}T23:30:00.000000Z",
            sha256     => sha256_hex($body)
        },
        'sizes, times and checksum are those of the bytes'
    );
};

subtest 'meta tells where each record came from' => sub {
    my $answer = $alice->get("/api/audit/version/?date=$d2&meta=true");
    is(scalar @{ $answer->{json} }, 4, 'four records');
    my $n = 0;
    for my $record (@{ $answer->{json} }) {
        my $dl    = delete $record->{_dl};
        my $known = $produced{"$dl->{partition}:$dl->{offset}"};
        is_deeply($record, $json->decode($known->[1]),
            'the record is the one at this partition and offset');
        is_deeply(
            [ @$dl{qw(topic resource line)} ],
            [ 'transaction_log', "transaction_log/$d2.json", ++$n ],
            'topic, resource and line'
        );
        is(
            $dl->{timestamp},
            strftime('%Y-%m-%dT%H:%M:%S', gmtime int $known->[2] / 1000)
              . sprintf('.%03d000Z', $known->[2] % 1000),
            'the time is Kafka\'s'
        );
    }
    my $plain = $alice->get(
        "/api/audit/version/?date=$d2&meta=true&format=ndjson")->{body};
    is(scalar(() = $plain =~ /,"_dl":\{[^{}]*\}\}\n/g),
        4, 'lines have _dl as their last member');
};

subtest 'every version stays readable' => sub {
    my $before = $alice->get("/api/audit/version/?date=$d1&format=ndjson");
    my $old    = $before->{headers}{'x-version'};
    sleep 0.3;
    my $moment = time;
    sleep 0.3;
    feed(map { [ $d1, line("late$_", "${d1}T11:00:00Z") ] } 1 .. 3);
    settle($d1);
    my $after = $alice->get("/api/audit/version/?date=$d1&format=ndjson");
    my $new   = $after->{headers}{'x-version'};
    cmp_ok($new, '>', $old, 'a commit raises the version');
    is(substr($after->{body}, 0, length $before->{body}),
        $before->{body}, 'the day only grows');
    for my $n (1 .. $new) {
        my $answer =
          $alice->get("/api/audit/version/?date=$d1&version=$n&format=ndjson");
        is($answer->{headers}{'x-version'}, $n, "version $n says so");
        is($answer->{body},
            substr($after->{body}, 0, length $answer->{body}),
            "version $n is how the day began");
    }
    is(
        $alice->get(
            "/api/audit/version/?date=$d1&version=$old&format=ndjson")->{body},
        $before->{body},
        'the version seen before is as it was'
    );
    is($alice->get("/api/audit/version/?date=$d1&version=@{[$new + 1]}")
          ->{status}, 404, 'a version to come is 404');
    my $at = strftime('%Y-%m-%dT%H:%M:%S', gmtime int $moment)
      . sprintf '.%06dZ', ($moment - int $moment) * 1e6;
    is(
        $alice->get("/api/audit/version/?date=$d1&as_of=$at&format=ndjson")
          ->{body},
        $before->{body},
        'as_of gives what was committed then'
    );
    is(
        $alice->get(
            "/api/audit/version/?date=$d1&as_of=2020-01-01T00:00:00Z")
          ->{status},
        404,
        'as_of before the first commit is 404'
    );
};

subtest 'a day has a validator' => sub {
    my $path   = "/api/audit/version/?date=$d2";
    my $answer = $alice->get($path);
    my $etag   = $answer->{headers}{etag};
    like($etag, qr/^"[^"]+"$/, 'a strong one');
    my $again = $alice->get($path, headers => { 'If-None-Match' => $etag });
    is($again->{status}, 304, 'who has it gets 304');
    is($again->{body},   '',  'without a body');
    isnt($alice->get("$path&format=ndjson")->{headers}{etag},
        $etag, 'another representation has another one');
    isnt($alice->get("$path&meta=true")->{headers}{etag},
        $etag, 'so has the day with _dl');
    is($answer->{headers}{'cache-control'},
        'private, no-cache', 'shared caches do not keep it');
    my $head = $alice->head($path);
    is($head->{headers}{etag}, $etag, 'HEAD has the same one');
    is($head->{headers}{'x-version'},
        $answer->{headers}{'x-version'}, 'and the version');
};

subtest 'the format follows Accept' => sub {
    my $path = "/api/audit/version/?date=$d3";
    my $get  = sub {
        $alice->get($path, headers => { Accept => $_[0] });
    };
    is($get->('application/x-ndjson')->{headers}{'content-type'},
        'application/x-ndjson', 'lines when asked for');
    is($get->('*/*')->{headers}{'content-type'},
        'application/json', 'JSON when it does not matter');
    is($get->('text/html')->{status}, 406, '406 when it cannot be');
};

subtest 'bad input (contract 14)' => sub {
    my %status = (
        '/api/audit/version/'                                  => 400,
        '/api/audit/version/?date='                            => 400,
        '/api/audit/version/?date=2026-02-30'                  => 400,
        '/api/audit/version/?date=2026-5-18'                   => 400,
        '/api/audit/version/?date=../etc/passwd'               => 400,
        '/api/audit/version/?date=..%2F..%2Fetc'               => 400,
        '/api/audit/version/?date=2026-05-18%00'               => 400,
        '/api/audit/version/?date=2026-05-18.json'             => 400,
        "/api/audit/version/?date=$d1&date=$d2"                => 400,
        '/api/audit/version/?date=1999-01-01'                  => 404,
        "/api/audit/version/?date=$d1&version=0"               => 400,
        "/api/audit/version/?date=$d1&version=-1"              => 400,
        "/api/audit/version/?date=$d1&version=1.5"             => 400,
        "/api/audit/version/?date=$d1&version=18446744073709551616" => 400,
        "/api/audit/version/?date=$d1&as_of=2026-05-18T00:00:00" => 400,
        "/api/audit/version/?date=$d1&as_of=yesterday"         => 400,
        "/api/audit/version/?date=$d1&version=1&as_of=2026-05-18T00:00:00Z" =>
          400,
        "/api/audit/version/?date=$d1&meta=yes"                => 400,
        "/api/audit/version/?date=$d1&dataset=nothing"         => 404,
        "/api/audit/version/?date=$d1&dataset=..%2F_lake"      => 404,
        "/api/audit/version/?date=$d1&dataset=_lake"           => 404,
        "/api/audit/version/?date=$d1&format=xml"              => 400,
        "/api/audit/version/?date=$d1&limit=1"                 => 400,
        '/api/audit/resources/?limit=0'                        => 400,
        '/api/audit/resources/?limit=1001'                     => 400,
        '/api/audit/resources/?limit=1e3'                      => 400,
        '/api/audit/resources/?detail=1'                       => 400,
        '/api/audit/resources/?cursor=abc'                     => 400,
        '/api/audit/resources/?page=1'                         => 400,
        '/api/audit/resources/?dataset=..'                     => 404,
        '/api/audit/resources/?dataset=%2Fetc'                 => 404,
        '/api/resources/?dataset=transaction_log'              => 400,
        '/api/resources/?limit='                               => 400,
    );
    for my $path (sort keys %status) {
        my $answer = $alice->get($path);
        is($answer->{status}, $status{$path}, $path);
        unlike($answer->{body}, qr{/(?:lake|build|var)/|errno|\.c\b},
            '  tells nothing of the server');
    }
    is($stack->client->get("/api/audit/version/?date=$d1")->{status},
        401, 'without a token 401');
    is($alice->request('DELETE', "/api/audit/version/?date=$d1")->{status},
        405, 'DELETE is 405');
};

subtest 'a large day is streamed in bounded memory' => sub {
    my $day  = '2026-05-20';
    my $long = 'x' x 900;
    feed(map { [ $day, line("l$_", "${day}T00:00:00Z", qq(,"pad":"$long")) ] }
          1 .. 20_000);
    settle($day);
    my $rss = sub {
        my $sum = 0;
        for my $pid (children_of($stack->httpd->{process}{pid})) {
            open my $status, '<', "/proc/$pid/status" or next;
            $sum += $_ for map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$status>;
        }
        return $sum;
    };
    # A child that has not served it yet grows once.
    my ($answer, $more);
    for my $round (1 .. 5) {
        my $before = $rss->();
        $answer = $alice->get("/api/audit/version/?date=$day&format=ndjson")
          for 1 .. 3;
        $more = $rss->() - $before;
        last if $round > 1 && $more < 4096;
    }
    cmp_ok(length $answer->{body}, '>', 18_000_000, 'eighteen megabytes');
    cmp_ok($more, '<', 4096, 'cost the children less than 4 MB more');
};

done_testing;
