# 51-search.t - both searches against an evaluator of their own: generated
# texts over records with hostile values, pages of one state, grants.
# DL_REQUESTS says how many requests (600).
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(encode);
use IO::Socket::INET;
use JSON::PP ();
use POSIX qw(strftime);
use Unicode::UCD qw(all_casefolds);
use DataLake::Figure qw(run_number);
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $RECORDS  = 300;
my $REQUESTS = $ENV{DL_REQUESTS} // 600;
my $TOP      = $DataLake::Stack::TOP;
my $FIRST    = 1_779_062_400;            # 2026-05-18T00:00:00Z
printf "# DL_RUN=%s\n", run_number();
srand hex run_number();

my $json  = JSON::PP->new->allow_nonref;
my $folds = all_casefolds();

sub any { return $_[ rand @_ ]; }

sub fold {
    my ($text) = @_;
    return join '', map {
        my $simple = $folds->{ ord $_ } && $folds->{ ord $_ }{simple};
        defined $simple && $simple ne '' ? chr hex $simple : $_
    } split //, $text;
}

# --- Records: the line as it is stored -------------------------------------------

my @PIECES = (
    'lamp', 'LAMP', 'Straße', 'STRAẞE', 'İstanbul', 'ıSPARTA', "e\x{301}", 'é', 'É',
    'ſold', 'Kelvin', "\x{1F600}", 'ΣΊΣΥΦΟΣ', 'σίσυφος', 'aaaaaaab', 'aab', ' ', ',', ':', '{}',
    'true', '12', '"quoted"', 'back\\slash', "tab\there", "line\nbreak", "\x{200b}zero", "bell\x{7}",
);

# TEXT as a JSON string in canonical form.
sub stored {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/\n/\\n/g;
    $text =~ s/\t/\\t/g;
    $text =~ s/([\x00-\x1f\x{200b}])/sprintf '\\u%04x', ord $1/ge;
    return qq("$text");
}

sub record {
    my ($n) = @_;
    my $second = $FIRST + int rand 3 * 86_400;
    my @values = ("TX$n", $second, map { join '', map { any(@PIECES) } 1 .. 1 + int rand 4 } 1 .. 3);
    my ($flag, $amount) = (any('true', 'false', 'null'), any('12.50', '1e3', '-7'));
    my $line = sprintf '{"transaction_id":%s,"timestamp":%d,"product_name":%s,"amount":%s,"extra":{"flag":%s,"list":[%s,null,%s]}}',
      stored($values[0]), $second, stored($values[2]), $amount, $flag, stored($values[3]), stored($values[4]);
    return {
        id     => "TX$n",
        day    => strftime('%Y-%m-%d', gmtime $second),
        line   => $line,
        text   => $line =~ s/\\u([0-9a-f]{4})/chr hex $1/ger,
        values => [ @values, $amount, $flag eq 'null' ? () : $flag ],
    };
}

my $source = "$TOP/build/t/51-search-source";
my $offset = 0;

sub write_records {
    open my $out, '>>:raw', $source or die "$source: $!";
    for my $record (@_) {
        printf {$out} "0 %d %d %s\t%s\n", $offset++, ($FIRST + 3 * 86_400) * 1000,
          $record->{id}, encode('UTF-8', $record->{line});
    }
    close $out or die "$source: $!";
    return;
}

mkdir "$TOP/build/t";
unlink $source;
my @records = map { record($_) } 1 .. $RECORDS;
write_records(@records);

my $stack = DataLake::Stack->new(
    name    => '51-search',
    mariadb => 1,
    httpd   => 1,
    daemons => ['datalake-lake'],
    users   => { alice => 'user', bob => 'user', carol => 'user' },
    grants  => { alice => ['transaction_log'], bob => ['transaction_log/2026-05-19.json'] },
    ini     => { kafka => { brokers => "file:$source" } },
);
my $alice = $stack->client('alice');
my %number;
for my $record (sort { $a->{day} cmp $b->{day} } @records) {    # a stable sort
    $record->{number} = ++$number{ $record->{day} };
}
my @all = sort { $a->{day} cmp $b->{day} || $a->{number} <=> $b->{number} } @records;
wait_until('all records',
    sub { ($alice->get('/api/data/?page_size=1')->{json}{count} // 0) == $RECORDS }, 60);

sub escaped {
    my ($text) = @_;
    return join '', map { /[A-Za-z0-9_-]/ ? $_ : sprintf '%%%02X', ord } split //, encode('UTF-8', $text);
}

# Part of something that is there, or of nothing.
sub wanted {
    my $text = any(map { $_->{text}, @{ $_->{values} } } any(@records));
    my $from = int rand length $text;
    $text = substr $text, $from, 1 + int rand 12;
    $text = any(uc $text, lc $text) if rand() < 0.3;
    return $text =~ /[\x00-\x1f\x7f\/%]/ || length encode('UTF-8', $text) > 256 || $text =~ /^\.{1,2}$/ ? wanted() : $text;
}

# All hits of URL, page by page: [a text for each, the URL of the last page].
sub walk {
    my ($url, $read) = @_;
    my @hits;
    while (defined $url) {
        my $answer = $alice->get($url);
        return "$answer->{status} $answer->{body} for $url" if $answer->{status} != 200;
        push @hits, $read->($answer);
        my $link = $answer->{headers}{link} // '';
        $url = $link =~ /^<([^>]+)>; rel="next"$/ ? $1 : undef;
    }
    return join ' ', @hits;
}

sub full_text {
    my ($text, $limit) = @_;
    return walk("/api/fulltext_search/" . escaped($text) . "?limit=$limit",
        sub { map { "$_->{file}:$_->{line}" } @{ $_[0]{json} } });
}

sub by_values {
    my ($text, $limit) = @_;
    return walk("/api/search/?q=" . escaped($text) . "&limit=$limit",
        sub { map { $_->{transaction_id} } @{ $_[0]{json}{results} } });
}

subtest "$REQUESTS generated searches answer as the evaluator does" => sub {
    my ($wrong, $hits) = (0, 0);
    for (1 .. $REQUESTS / 2) {
        my $text   = wanted();
        my $folded = fold($text);
        my $want   = join ' ', map { "$_->{day}.json:$_->{number}" }
          grep { index(fold($_->{text}), $folded) >= 0 } @all;
        my $ids = join ' ', map { $_->{id} }
          grep { grep { index(fold($_), $folded) >= 0 } @{ $_->{values} } } @all;
        $hits += length $want;
        my $limit = any(1000, 1000, 40);
        for my $pair ([ 'text', full_text($text, $limit), $want ], [ 'values', by_values($text, $limit), $ids ]) {
            next if $pair->[1] eq $pair->[2] || ++$wrong > 3;
            diag(encode 'UTF-8', "$pair->[0] of '$text'\ngot:  $pair->[1]\nwant: $pair->[2]");
        }
    }
    cmp_ok($hits, '>', $REQUESTS, 'there was something to find');
    is($wrong, 0, 'not one of them differs');
    print "# requests=$REQUESTS wrong=$wrong\n";
};

subtest 'a hit and what stands around it' => sub {
    my $record = $all[0];
    my $hit    = $alice->get("/api/fulltext_search/\%22$record->{id}\%22")->{json}[0];
    is($hit->{file}, "$record->{day}.json", 'the file is named');
    is($hit->{line}, 1, 'and the line');
    my $text = $record->{text};
    my $at   = index $text, qq("$record->{id}");
    my $want = substr($text, 0, $at + length(qq("$record->{id}")) + 60) . '...';
    is($hit->{match}, $want, 'with 60 characters around it');
};

subtest 'only what may be read is searched' => sub {
    my $bob = $stack->client('bob')->get('/api/search/?q=TX&limit=1000')->{json};
    is(scalar @{ $bob->{results} }, scalar(grep { $_->{day} eq '2026-05-19' } @all), 'a day alone, with the grant of a day');
    is_deeply($bob->{resources_matched}, ['transaction_log/2026-05-19.json'], 'which is named');
    is_deeply($stack->client('carol')->get('/api/search/?q=TX')->{json}{results}, [], 'nothing without a grant');
    is($stack->client('bob')->get('/api/fulltext_search/TX')->{status}, 403, 'the other search needs the dataset');
    my $late = $alice->get('/api/search/?q=TX&date=2026-05-20&limit=1000&meta=true')->{json};
    is(scalar @{ $late->{results} }, scalar(grep { $_->{day} eq '2026-05-20' } @all), 'date is the first day');
    is($late->{results}[0]{_dl}{line}, 1, '_dl names the line');
};

subtest 'what is refused' => sub {
    for my $case ([ '', 'required' ], [ 'q=', 'empty' ], [ 'q=' . ('x' x 257), 'too-long' ],
        [ 'q=%FF', 'not-utf-8' ], [ 'q=a%00b', 'bad-escape' ], [ 'q=a&cursor=x', 'cursor-invalid' ]) {
        my $answer = $alice->get("/api/search/?$case->[0]");
        is($answer->{status}, 400, "search: $case->[1] is 400");
        is($answer->{json}{errors}[0]{code}, $case->[1], '... with its code');
    }
    is($alice->get('/api/fulltext_search/')->{status}, 404, 'an empty text is no route');
    is($alice->get('/api/fulltext_search/a%00')->{status}, 404, 'nor is one with a NUL');
    is($alice->get('/api/fulltext_search/' . ('x' x 257))->{status}, 400, 'a long one is 400');
    is($alice->get('/api/fulltext_search/%FF')->{status}, 400, 'and one that is not UTF-8');
};

subtest 'pages of one state, while others are written' => sub {
    my $want = join ' ', map { "$_->{day}.json:$_->{number}" } grep { index(fold($_->{text}), 'lamp') >= 0 } @all;
    my ($n, @hits) = ($RECORDS);
    my $url = '/api/fulltext_search/lamp?limit=30';
    while (defined $url) {
        my $answer = $alice->get($url);
        push @hits, map { "$_->{file}:$_->{line}" } @{ $answer->{json} };
        $url = ($answer->{headers}{link} // '') =~ /^<([^>]+)>/ ? $1 : undef;
        my $target = $n + 3;
        write_records(map { record(++$n) } 1 .. 3);
        wait_until('three more', sub { ($alice->get('/api/data/?page_size=1')->{json}{count} // 0) >= $target }, 60);
    }
    is(join(' ', @hits), $want, "the pages are those of the first page's state");
};

$stack->stop;
done_testing;
