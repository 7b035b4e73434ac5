# 50-data.t - /api/data/ against an evaluator of its own: generated filters,
# projections, orders and pages over records with hostile values, while others
# are written.  DL_REQUESTS says how many requests (2000).
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use feature qw(fc);
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(decode encode);
use JSON::PP ();
use Math::BigFloat;
use POSIX qw(strftime);
use Unicode::UCD qw(all_casefolds);
use DataLake::Figure qw(run_number);
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;

my $RECORDS  = 400;
my $REQUESTS = $ENV{DL_REQUESTS} // 2000;
my $TOP      = $DataLake::Stack::TOP;
my $FIRST    = 1_779_062_400;            # 2026-05-18T00:00:00Z
printf "# DL_RUN=%s\n", run_number();
srand hex run_number();

# --- Records ---------------------------------------------------------------------

my @TEXTS = (
    'Desk lamp',     'desk LAMP',       'Straße',      'STRAẞE',
    'Iıİi',          "e\x{301}té",      'été',         'a"b\\c',
    "tab\tnew\nline", 'x' x 240 . 'END', "\x{1F600} grin", 'ſharp K',
    '100%',          'a,b',             "nul\x{1}one", '',
    '=1+1',          "\tTab",       '@cmd',        '-x', '+x',
);
my @AMOUNTS = qw(0 0.00 -1 1 1.0 10 9.99 49.9 49.90 1e2 100 0.1 0.10000000001
  123456789012345678 "12.5" "7" null "dear" 1E-3 0.001 -0);

sub any { return $_[ rand @_ ]; }

sub quoted { return JSON::PP->new->allow_nonref->encode($_[0]); }

# A time of the second S and microsecond U, in one of the declared forms.
sub time_text {
    my ($s, $u) = @_;
    my $form = int rand 3;
    return sprintf '%d.%06d', $s, $u if $form == 0;
    return strftime('"%Y-%m-%dT%H:%M:%S', gmtime $s) . sprintf('.%06dZ"', $u)
      if $form == 1;
    return strftime('"%Y-%m-%dT%H:%M:%S', gmtime $s + 7200)
      . sprintf('.%06d+02:00"', $u);
}

# Record number N: {line, day, us, values by path}.
sub record {
    my ($n) = @_;
    my $second = $FIRST + int rand 3 * 86_400;
    my $micro  = any(0, 0, int rand 1_000_000);
    my %text   = (
        transaction_id => quoted("TX$n"),
        timestamp      => time_text($second, $micro),
        amount         => any(@AMOUNTS),
        status         => quoted(any(qw(completed pending failed))),
        product_name   => quoted(any(@TEXTS)),
        quantity       => any(1 .. 5, 'null', '"3"'),
        discount_code  => any('null', quoted(any(@TEXTS))),
    );
    delete $text{$_} for grep { rand() < 0.15 } qw(amount status product_name quantity);
    my %place = (
        country => quoted(any(qw(FR DE fr))),
        city    => quoted(any('Paris', 'Köln', 'paris')),
    );
    my @members = map { qq("$_":$text{$_}) } sort { rand() <=> 0.5 } sort keys %text;
    if (rand() < 0.9) {
        push @members, qq("location":{"country":$place{country},"city":$place{city}});
        $text{"location.$_"} = $place{$_} for keys %place;
    }
    return {
        line => '{' . join(',', @members) . '}',
        day  => strftime('%Y-%m-%d', gmtime $second),
        us   => Math::BigInt->new($second)->bmul(1_000_000)->badd($micro),
        text => \%text,
        id   => "TX$n",
    };
}

# --- The evaluator ---------------------------------------------------------------

my $folds = all_casefolds();

sub fold {
    my ($text) = @_;
    return join '', map {
        my $simple = $folds->{ ord $_ } && $folds->{ ord $_ }{simple};
        defined $simple && $simple ne '' ? chr hex $simple : $_
    } split //, $text;
}

my %TYPE = (
    transaction_id     => 'text',
    timestamp          => 'time',
    amount             => 'number',
    status             => 'text',
    product_name       => 'text',
    quantity           => 'number',
    discount_code      => 'text',
    'location.country' => 'text',
    'location.city'    => 'text',
);

# What RECORD has at PATH as a value of its type, or undef; found once.
sub value {
    my ($record, $path) = @_;
    my $values = $record->{value} //= {};
    $values->{$path} = scalar read_value($record, $path)
      if !exists $values->{$path};
    return $values->{$path};
}

sub read_value {
    my ($record, $path) = @_;
    my $text = $record->{text}{$path};
    return if !defined $text || $text eq 'null';
    return $record->{us} if $TYPE{$path} eq 'time';
    if ($TYPE{$path} eq 'number') {
        $text =~ s/^"(.*)"$/$1/;
        return if $text !~ /^-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?$/;
        return Math::BigFloat->new($text);
    }
    return $text =~ /^"/ ? JSON::PP->new->allow_nonref->decode($text) : undef;
}

# The order of two values of PATH.
sub order {
    my ($path, $x, $y) = @_;
    return $x->bcmp($y) if $TYPE{$path} ne 'text';
    return $x cmp $y;
}

# Whether RECORD matches FILTER {path, op, value, asked}.
sub matches {
    my ($record, $filter) = @_;
    my $have = value($record, $filter->{path});
    my $op   = $filter->{op};
    return $op eq 'ne' if !defined $have;
    return index(fold($have), fold($filter->{value})) >= 0 if $op eq 'contains';
    return !!grep { order($filter->{path}, $have, $_) == 0 } @{ $filter->{value} }
      if $op eq 'in';
    my $order = order($filter->{path}, $have, $filter->{value});
    return $order == 0 if $op eq '';
    return $order != 0 if $op eq 'ne';
    return $order > 0  if $op eq 'gt';
    return $order >= 0 if $op eq 'gte';
    return $order < 0  if $op eq 'lt';
    return $order <= 0;
}

# --- Requests --------------------------------------------------------------------

sub escaped {
    my ($text) = @_;
    return join '', map { /[A-Za-z0-9_.-]/ ? $_ : sprintf '%%%02X', ord }
      split //, encode('UTF-8', $text);
}

# A value to compare PATH with: (what the evaluator takes, what is asked).
sub operand {
    my ($path) = @_;
    if ($TYPE{$path} eq 'time') {
        my $second = $FIRST + int rand 3 * 86_400;
        my $us     = Math::BigInt->new($second)->bmul(1_000_000);
        return ($us, any($second, "${second}000", strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $second)));
    }
    if ($TYPE{$path} eq 'number') {
        my $text = any(qw(0 1 1.00 9.99 10 49.9 100 1e2 12.5 0.001 -1 3));
        return (Math::BigFloat->new($text), $text);
    }
    my $text = any(
        'completed', 'pending', 'FR', 'Paris', 'Köln', 'Desk lamp', 'TX7',
        grep { $_ ne '' && !/[\x00-\x1f,]/ && length $_ < 200 } @TEXTS
    );
    return ($text, $text);
}

sub filter {
    my $path = any(keys %TYPE);
    my @ops  = ('', qw(ne gt gte lt lte in));
    push @ops, 'contains', 'contains' if $TYPE{$path} eq 'text';
    my $op = any(@ops);
    my ($value, $asked) = operand($path);
    if ($op eq 'in') {
        my @pairs = map { [ operand($path) ] } 1 .. 3;
        $value = [ map { $_->[0] } @pairs ];
        $asked = join ',', map { $_->[1] } @pairs;
    }
    if ($op eq 'contains') {
        my $from = int rand length $value;
        $value = $asked = substr $value, $from, 1 + int rand 4;
        $value = $asked = fc $value if rand() < 0.2 && length(fc $value) == length $value;
    }
    return { path => $path, op => $op, value => $value, asked => $asked };
}

sub name_of {
    my ($filter) = @_;
    my $path = $filter->{path} eq 'location.country' ? any('country', $filter->{path}) : $filter->{path};
    return $filter->{op} eq '' ? $path : "${path}__$filter->{op}";
}

# --- The stack -------------------------------------------------------------------

my $source = "$TOP/build/t/50-data-source";
mkdir "$TOP/build/t";
my $offset = 0;

sub write_records {
    my (@records) = @_;
    open my $out, '>>:raw', $source or die "$source: $!";
    for my $record (@records) {
        printf {$out} "0 %d %d %s\t%s\n", $offset++, ($FIRST + 3 * 86_400) * 1000,
          $record->{id}, encode('UTF-8', $record->{line});
    }
    close $out or die "$source: $!";
    return;
}

my @records = map { record($_) } 1 .. $RECORDS;
unlink $source;
write_records(@records);

my $stack = DataLake::Stack->new(
    name    => '50-data',
    mariadb => 1,
    httpd   => 1,
    daemons => ['datalake-lake'],
    users   => { alice => 'user', bob => 'user' },
    grants  => { alice => ['transaction_log'], bob => ['transaction_log/2026-05-19.json'] },
    ini     => { kafka => { brokers => "file:$source" } },
);
my $alice = $stack->client('alice');

# The lake's own order: by day, in a day by arrival.
sub lake_order { return sort { $a->{day} cmp $b->{day} || $a->{at} <=> $b->{at} } @_; }
$records[$_]{at} = $_ for 0 .. $#records;
my @all = lake_order(@records);

# Write MORE, and know of them.
sub add_records {
    my (@more) = @_;
    for my $record (@more) {
        $record->{at} = @records;
        push @records, $record;
    }
    write_records(@more);
    return;
}

wait_until('all records',
    sub { ($alice->get('/api/data/?count=exact&page_size=1')->{json}{count} // 0) == $RECORDS }, 60);

sub ids { return join ' ', map { $_->{transaction_id} } @{ $_[0] }; }

subtest 'what the contract shows' => sub {
    my $page = $alice->get('/api/data/?page_size=3&page=2');
    is($page->{status}, 200, 'a page is 200');
    is(ids($page->{json}{results}), join(' ', map { $_->{id} } @all[ 3 .. 5 ]), 'in order of date and line');
    is($page->{json}{count}, $RECORDS, 'counted without a scan');
    like($page->{json}{next},     qr{^/api/data/\?page_size=3&page=3$}, 'the next page');
    like($page->{json}{previous}, qr{^/api/data/\?page_size=3&page=1$}, 'the one before');
    my $some = $alice->get('/api/data/?fields=location.city,transaction_id,location.country&location.city=K%C3%B6ln&page_size=1')
      ->{json}{results}[0];
    is_deeply([ sort keys %{$some} ], [qw(location transaction_id)], 'a projection keeps the nesting');
    is($some->{location}{city}, 'Köln', 'and the values');
    my $meta = $alice->get('/api/data/?page_size=1&meta=true')->{json}{results}[0]{_dl};
    is($meta->{resource}, "transaction_log/$all[0]{day}.json", '_dl names the day');
    is($meta->{line}, 1, 'and the line');
    my $lines = $alice->get('/api/data/?page_size=2&format=ndjson');
    is($lines->{body}, join('', map { encode('UTF-8', $_->{line}) . "\n" } @all[ 0, 1 ]), 'NDJSON is the stored lines')
      if $all[0]{line} !~ /\\u/ && $all[1]{line} !~ /\\u/;
    like($lines->{headers}{link}, qr{cursor=}, 'with the next page in Link');
    is($alice->get('/api/data/?rating_gt=3&amount_gt=1&page_size=1')->{status}, 200, 'old spellings are taken');
    my $same = $alice->get('/api/data/?page_size=1');
    is($alice->get('/api/data/?page_size=1', headers => { 'If-None-Match' => $same->{headers}{etag} })->{status},
        304, 'an unchanged lake is 304');
};

subtest 'what is refused' => sub {
    my @cases = (
        [ 'colour=red',               'unknown-field' ],
        [ 'amount=abc',               'not-a-number' ],
        [ 'amount__gt=',              'empty' ],
        [ 'amount__foo=1',            'unknown-field' ],
        [ 'timestamp__gt=2026-05-18T00:00:00', 'time-zone-missing' ],
        [ 'timestamp__gt=noon',       'not-a-time' ],
        [ 'amount=1&amount=2',        'repeated' ],
        [ 'fields=nothing',           'unknown-field' ],
        [ 'sort=nothing',             'unknown-field' ],
        [ 'page=0',                   'out-of-range' ],
        [ 'page_size=1001',           'out-of-range' ],
        [ 'page=2&cursor=abc',        'exclusive' ],
        [ 'cursor=abc',               'cursor-invalid' ],
        [ 'page=1001&page_size=10',   'use-cursor' ],
        [ 'count=perhaps',            'not-a-choice' ],
        [ 'resource=../etc',          'not-a-resource' ],
        [ 'resource=raw*',            'not-a-resource' ],
        [ 'amount__contains=1',       'not-a-text' ],
    );
    for my $case (@cases) {
        my $answer = $alice->get("/api/data/?$case->[0]");
        is($answer->{status}, 400, "$case->[0] is 400");
        is($answer->{json}{errors}[0]{code}, $case->[1], "... as $case->[1]");
    }
    is($alice->get('/api/data/?resource=nothing')->{status}, 403, 'another dataset is 403, there or not');
    is($stack->client('bob')->get('/api/data/')->{status}, 403, 'a day is not the dataset');
    my $day = $stack->client('bob')->get('/api/data/?resource=transaction_log/2026-05-19.json&page_size=1000&count=exact');
    is($day->{status}, 200, 'but it is itself');
    is($day->{json}{count}, scalar(grep { $_->{day} eq '2026-05-19' } @all), 'whole');
};

# The rows of the CSV text TEXT (RFC 4180, CRLF), each an array of cells.
sub table {
    my ($text) = @_;
    my @rows;
    while ($text ne '') {
        my @cells;
        while (1) {
            $text =~ s/\A(?:"((?:[^"]|"")*)"|([^",\r\n]*))// or die 'no cell';
            push @cells, $1 // $2;
            $cells[-1] =~ s/""/"/g;
            last if $text !~ s/\A,//;
        }
        $text =~ s/\A\r\n// or die "no end of a row: $text";
        push @rows, \@cells;
    }
    return @rows;
}

# The text of cell VALUE, a JSON value's text.
sub cell {
    my ($value) = @_;
    return '' if !defined $value || $value eq 'null';
    return $value if $value !~ /^"/;
    my $text = JSON::PP->new->allow_nonref->decode($value);
    return $text =~ /\A[=+\-@\t\r]/ ? "'$text" : $text;
}

subtest 'CSV' => sub {
    my $answer = $alice->get('/api/data/?page_size=100&format=csv');
    is($answer->{status}, 200, 'is answered');
    is($answer->{headers}{'content-type'}, 'text/csv; header=present', 'as what it is');
    like($answer->{headers}{link}, qr{<[^>]*cursor=[^>]*>; rel="next"}, 'with the next page in Link');
    my ($head, @rows) = table(decode('UTF-8', $answer->{body}));
    my %columns = map { $_ => 1 } map { keys %{ $_->{text} } } @all[ 0 .. 99 ];
    is_deeply([ sort @{$head} ], [ sort keys %columns ], 'its columns are all that the page has, with dots');
    my @want = map { my $record = $_; [ map { cell($record->{text}{$_}) } @{$head} ] } @all[ 0 .. 99 ];
    is_deeply(\@rows, \@want, 'its rows are the records, cell by cell');
    my ($some) = $alice->get('/api/data/?page_size=2&fields=location.city,amount,transaction_id&meta=true&format=csv')->{body};
    ($head, @rows) = table(decode('UTF-8', $some));
    is(join(',', @{$head}),
        'location.city,amount,transaction_id,_dl.topic,_dl.partition,_dl.offset,_dl.timestamp,_dl.resource,_dl.line',
        'fields are the columns, in that order, then _dl');
    is($rows[1][2], $all[1]{id}, '... and the rows are theirs');
    is($rows[1][8], 2,           '... with their line');
    $some = $alice->get('/api/data/?location.city=nowhere&fields=amount&format=csv');
    is($some->{body}, "amount\r\n", 'an empty page is the names');
    ok(!exists $some->{headers}{link}, '... without a next page');
    is($alice->get('/api/data/?location.city=nowhere&format=csv')->{body}, '', '... or nothing where none are known');
    is($alice->get('/api/data/', headers => { Accept => 'text/csv' })->{headers}{'content-type'},
        'text/csv; header=present', 'Accept asks for it too');
    my $top = $alice->request('HEAD', '/api/data/?format=csv');
    is($top->{status}, 200, 'HEAD is the same');
    is($top->{body}, '', '... without a body');
};

subtest 'handling=lenient' => sub {
    my %lenient = (headers => { Prefer => 'handling=lenient' });
    my $answer = $alice->get('/api/data/?colour=red&amount__foo=1&nothing=&page_size=3', %lenient);
    is($answer->{status}, 200, 'unknown names are passed over, empty or not');
    is($answer->{headers}{'preference-applied'}, 'handling=lenient', 'which is said');
    is(ids($answer->{json}{results}), join(' ', map { $_->{id} } @all[ 0 .. 2 ]), 'the answer is that without them');
    for my $case ([ 'amount=abc', 'not-a-number' ], [ 'amount=', 'empty' ], [ 'amount=1&amount=2', 'repeated' ],
        [ 'page=0', 'out-of-range' ], [ 'fields=nothing', 'unknown-field' ], [ 'sort=nothing', 'unknown-field' ])
    {
        my $refused = $alice->get("/api/data/?$case->[0]", %lenient);
        is($refused->{json}{errors}[0]{code}, $case->[1], "$case->[0] is $case->[1] all the same");
    }
};

subtest 'counts and depth' => sub {
    my $pending = grep { ($_->{text}{status} // '') eq '"pending"' } @all;
    my $none = $alice->get('/api/data/?status=pending&count=none');
    is($none->{json}{count}, undef, 'count=none counts nothing');
    ok(!exists $none->{headers}{'x-count'}, '... and says nothing');
    is($alice->get("/api/data/?status=pending&count=$_")->{json}{count}, $pending, "count=$_ counts") for qw(auto exact);
    is($alice->get('/api/data/?count=none')->{json}{count}, undef, 'nor without filters');
    my $behind = $alice->get('/api/data/?page=900&page_size=10&count=exact');
    is($behind->{status}, 200, 'a page behind the last one is 200');
    is_deeply($behind->{json}{results}, [], '... and empty');
    is($behind->{json}{next}, undef, '... and the last one');
    is($behind->{json}{count}, $RECORDS, '... with the count');
    is($alice->get('/api/data/?status=pending&page=900')->{json}{count}, $pending, '... with filters too');
    for my $query ('page=5001&page_size=2', 'status=pending&page=11&page_size=1000', 'sort=-amount&page=10001&page_size=1') {
        my $deep = $alice->get("/api/data/?$query");
        is($deep->{json}{errors}[0]{code}, 'use-cursor', "$query is too deep");
        my ($url) = $deep->{json}{detail} =~ m{(/api/data/\S*cursor=[A-Za-z0-9_-]+)};
        ok(defined $url, '... and detail has the URL to continue') or next;
        my $on = $alice->get($url);
        is($on->{status}, 200, '... which works');
        is_deeply($on->{json}{results}, [], '... and goes on behind all there is');
    }
    my $counted = $alice->get('/api/data/?status=pending&count=auto');
    ok(defined $counted->{headers}{etag}, 'a counted page has an ETag');
    is($alice->get('/api/data/?page=2&cursor=x')->{json}{errors}[0]{code}, 'exclusive', 'page and cursor exclude each other');
};

# Ask for FILTERS, page by page of SIZE, with MORE parameters; returns the ids
# and the first page's count.
sub walk {
    my ($filters, $size, $more) = @_;
    my $query = join '&', (map { name_of($_) . '=' . escaped($_->{asked}) } @{$filters}),
      "page_size=$size", 'count=exact', @{ $more // [] };
    my @ids;
    my $count;
    my $url = "/api/data/?$query";
    while (defined $url) {
        my $answer = $alice->get($url);
        return ("$answer->{status} $answer->{body} for $url", -1) if $answer->{status} != 200;
        push @ids, map { $_->{transaction_id} } @{ $answer->{json}{results} };
        $count //= $answer->{json}{count};
        my $cursor = $answer->{json}{next_cursor};
        $url = defined $cursor ? "/api/data/?$query&cursor=$cursor" : undef;
    }
    return (join(' ', @ids), $count, $query);
}

sub report {
    my ($filters, $got, $want) = @_;
    diag(join ' & ', map { encode('UTF-8', "$_->{path} $_->{op} $_->{asked}") } @{$filters});
    diag(encode('UTF-8', "got:  $got"));
    diag("want: $want");
    return;
}

subtest "$REQUESTS generated requests answer as the evaluator does" => sub {
    my ($asked, $wrong, $hits) = (0, 0, 0);
    my $fresh = $RECORDS;
    while ($asked < $REQUESTS) {
        my %seen;
        my @filters = grep { !$seen{"$_->{path} $_->{op}"}++ } map { filter() } 1 .. 1 + int rand 3;
        my @want = @all;
        for my $filter (@filters) {
            @want = grep { matches($_, $filter) } @want;
        }
        my @more;
        if ($asked % 5 == 0) {
            my $path = any(grep { $_ ne 'discount_code' } keys %TYPE);
            my $sign = any(1, -1);
            my $i    = 0;
            my %rank = map { $_->{id} => $i++ } @all;
            @want = sort {
                my ($x, $y) = (scalar value($a, $path), scalar value($b, $path));
                my $order = defined $x && defined $y ? order($path, $x, $y) : defined($x) - defined($y);
                $order * $sign || $rank{ $a->{id} } <=> $rank{ $b->{id} }
            } @want;
            push @more, 'sort=' . ($sign < 0 ? '-' : '') . $path;
        }
        my $want = join ' ', map { $_->{id} } @want;
        my ($got, $count, $query) = walk(\@filters, any(7, 50, 1000), \@more);
        $asked++;
        if ($asked % 10 == 0 && defined $query) {
            my (undef, @rows) = table(
                decode('UTF-8', $alice->get("/api/data/?$query&page_size=1000&fields=transaction_id&format=csv"
                      =~ s/page_size=\d+&//r)->{body}));
            $got = join ' ', map { $_->[0] } @rows if $got eq $want;
        }
        $hits += @want;
        next if $got eq $want && $count == @want;
        report(\@filters, "$got ($count) @more", $want) if ++$wrong <= 3;
    }
    cmp_ok($hits, '>', $REQUESTS, 'there was something to find');
    is($wrong, 0, 'not one of them differs');
    print "# requests=$asked hits=$hits wrong=$wrong\n";
};

subtest 'pages of one state, while others are written' => sub {
    my $want = join ' ', map { $_->{id} } @all;
    my ($query, @ids) = ('/api/data/?page_size=40');
    my $url = $query;
    my $n   = $RECORDS;
    while (defined $url) {
        my $answer = $alice->get($url);
        push @ids, map { $_->{transaction_id} } @{ $answer->{json}{results} };
        my $cursor = $answer->{json}{next_cursor};
        $url = defined $cursor ? "$query&cursor=$cursor" : undef;
        my $target = $n + 5;
        add_records(map { record(++$n) } 1 .. 5);
        wait_until('five more',
            sub { ($alice->get('/api/data/?page_size=1')->{json}{count} // 0) >= $target }, 60);
    }
    is(join(' ', @ids), $want, 'the pages are those of the first page\'s state');
    cmp_ok($alice->get('/api/data/?page_size=1')->{json}{count}, '>', $RECORDS, 'there is more by now');
};

# One or two filters, no two alike.
sub some_filters {
    my %seen;
    return grep { !$seen{"$_->{path} $_->{op}"}++ } map { filter() } 1 .. 1 + int rand 2;
}

subtest 'what was counted once goes on being counted' => sub {
    my @kept = map { [some_filters()] } 1 .. 30;
    my ($wrong, $hits) = (0, 0);
    for my $round (1 .. 8) {
        add_records(map { record(10_000 * $round + $_) } 1 .. 1 + int rand 40) if $round % 2 == 0;
        wait_until('all of them',
            sub { ($alice->get('/api/data/?page_size=1')->{json}{count} // 0) == @records }, 60);
        my @now = lake_order(@records);
        for my $filters (@kept) {
            my @want = @now;
            for my $filter (@{$filters}) {
                @want = grep { matches($_, $filter) } @want;
            }
            my $size  = any(1, 7, 50);
            my $page  = 1 + int rand(@want / $size + 1);
            my $query = join '&', (map { name_of($_) . '=' . escaped($_->{asked}) } @{$filters}),
              "page_size=$size", "page=$page", 'count=' . any(qw(exact auto none));
            my $answer = $alice->get("/api/data/?$query");
            my $last   = $page * $size < @want ? $page * $size - 1 : $#want;
            my $want   = join ' ', map { $_->{id} } @want[ ($page - 1) * $size .. $last ];
            my $got    = ids($answer->{json}{results} // []);
            my $count  = $answer->{json}{count} // @want;
            $hits += @want;
            next if $answer->{status} == 200 && $got eq $want && $count == @want
              && defined $answer->{json}{next} == ($page * $size < @want);
            report($filters, "$got ($answer->{status} $count $query)", "$want (" . @want . ')') if ++$wrong <= 3;
        }
    }
    cmp_ok($hits, '>', 1000, 'there was something to count');
    is($wrong, 0, 'no count and no page differs');
};

$stack->stop;
done_testing;
