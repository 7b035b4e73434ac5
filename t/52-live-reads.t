# 52-live-reads.t - every way to read the lake while it grows: generated
# filters, searches, pages and versions over hostile texts, against an
# evaluator of its own, while a producer sends, parts are sealed, days
# compacted and made cold, indexes built, dropped and damaged, and the daemon is killed.
#
# Of ten requests two are about another dataset with the same records, which has
# no declaration.
#
# DL_REQUESTS says how many requests (2000; S: the same over 300 MB, where lists
# of more than LARGE bytes are asked for without the long members).
# --self-test: the judge finds every kind of planted damage.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Encode qw(decode encode);
use List::Util qw(max min);
use POSIX qw(strftime WNOHANG);
use Time::HiRes qw(sleep time);
use DataLake::Figure qw(full_size run_number);
use DataLake::LiveJudge;
use DataLake::LiveRecords qw(any fold);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

my $REQUESTS = $ENV{DL_REQUESTS} // 2000;
my $FIRST    = full_size() ? 12_000 : 1500;    # records before the first request
my $LARGE    = 6e6;                            # bytes of an answer; S alone
my $EACH     = 1.3;                            # records produced a request
my $TOP      = $DataLake::Stack::TOP;
my %TYPE     = %DataLake::LiveRecords::TYPE;
printf "# DL_RUN=%s\n", run_number();
srand hex run_number();

my $records = DataLake::LiveRecords->new(
    count => @ARGV ? 600 : int($FIRST + $REQUESTS * $EACH * 1.1 + 50),
    days  => full_size() ? 4 : 2,
    long  => full_size() ? 0.5 : 0.2,
);
my %judge = map { $_ => DataLake::LiveJudge->new(records => $records) } qw(transaction_log plain_log);

# What the request is about: a dataset, and who judges and asks.
my ($dataset, $judge, $asker) = ('transaction_log', $judge{transaction_log});

sub declared { return $dataset eq 'transaction_log'; }

# What a query says for that; nothing when it is meant anyway.
sub about { my ($name) = @_; return declared() ? '' : "&$name=$dataset"; }

# --- What is asked ----------------------------------------------------------------

sub escaped {
    my ($text) = @_;
    return join '', map { /[A-Za-z0-9_-]/ ? $_ : sprintf '%%%02X', ord } split //, encode('UTF-8', $text);
}

# Something to compare PATH with by OP: (value, text asked).
sub operand {
    my ($path, $op) = @_;
    my $near = $records->at(rand $FIRST);
    if ($TYPE{$path} eq 'time') {
        my $us = int($near->{us} / 1_000_000) * 1_000_000;
        if (rand() < 0.3) {    # a date: its first instant, but lte takes in the day
            my $day = $us - $us % 86_400_000_000;
            return ($day + ($op eq 'lte' ? 86_400_000_000 - 1 : 0), $near->{day});
        }
        my $s = $us / 1_000_000;
        return ($us, any($s, "${s}000", strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $s)))
          if rand() < 0.5;
        return ($near->{us}, strftime('%Y-%m-%dT%H:%M:%S', gmtime $s)
              . sprintf('.%06dZ', $near->{us} % 1_000_000));
    }
    if ($TYPE{$path} eq 'number') {
        my $text = any(DataLake::LiveRecords::operand_numbers(), @{ $records->{amounts} });
        return ($records->{rank}{$text}, $text);
    }
    my $text = $near->{word}{$path} // 'completed';
    $text = substr $text, 0, 60;
    $text = 'completed' if $text eq '' || $text =~ /[\x00-\x1f\x7f]/ || $op eq 'in' && $text =~ /,/;
    return ($text, $text);
}

sub filter {
    my $path = any(sort keys %TYPE);
    my $text = $TYPE{$path} eq 'text';
    my $op   = any('', '', qw(ne gt gte lt lte in), $text ? qw(contains contains contains) : ());
    my ($value, $asked) = operand($path, $op);
    if ($op eq 'in') {
        my @pairs = map { [ operand($path, $op) ] } 1 .. 1 + int rand 3;
        ($value, $asked) = ([ map { $_->[0] } @pairs ], join ',', map { $_->[1] } @pairs);
    }
    if ($op eq 'contains') {
        my $from = int rand length $value;
        $asked = substr $value, $from, 1 + int rand 12;
        $asked = any(uc $asked, lc $asked) if rand() < 0.3;
        $value = fold($asked);
    }
    my $name = $path eq 'location.country' && rand() < 0.5 ? 'country'
      : $path eq 'customer_rating' && rand() < 0.5 ? 'rating' : $path;
    my $join = $name =~ /^(?:amount|customer_rating|rating)$/ && $op =~ /^[gl]t$/ ? any('_', '__') : '__';
    return {
        path => $path, op => $op, value => $value,
        key  => "$path $op",
        text => $name . ($op eq '' ? '' : "$join$op") . '=' . escaped($asked)
    };
}

# A text to look for: part of something that is there, or nearly.
sub wanted {
    my $record = $records->at(rand $FIRST);
    my $text   = any($record->{text}, $record->{id}, grep { length } values %{ $record->{word} });
    $text = substr $text, int rand length $text, 1 + int rand any(4, 12, 40);
    $text = any(uc $text, lc $text, $text . 'q') if rand() < 0.3;
    return $text =~ m{[\x00-\x1f\x7f/%]|^\.{1,2}$} || length encode('UTF-8', $text) > 256 ? wanted() : $text;
}

# --- Reading answers ----------------------------------------------------------------

my $string = qr/"[^"\\]*+(?:\\.[^"\\]*+)*+"/s;
my $json   = qr/(?<v>$string|-?[0-9][-+.0-9eE]*+|true|false|null|\[(?:(?&v)(?:,(?&v))*+)?\]
    |\{(?:$string:(?&v)(?:,$string:(?&v))*+)?\})/xs;

# The texts of the values in the JSON array at the end of what BEFORE matches
# in BODY.
sub elements {
    my ($body, $before) = @_;
    return unless $body =~ /$before\[/g;
    my @items;
    push @items, $+{v} while $body =~ /\G,?$json/gc;
    return @items;
}

# The members of the JSON object TEXT, (path, text) each, objects opened.
sub members {
    my ($text, $prefix) = @_;
    my @found;
    pos($text) = 1;
    while ($text =~ /\G,?"([^"]*)":$json/gc) {
        my ($name, $value) = ($1, $+{v});
        push @found, $value =~ /^\{/ ? members($value, "$name.") : (($prefix // '') . $name, $value);
    }
    return @found;
}

# What the JSON string or number TEXT means, characters.
sub plain_text {
    my ($text) = @_;
    my %is = (n => "\n", t => "\t", r => "\r", b => "\b", f => "\f");
    $text = decode('UTF-8', $text =~ s/^"(.*)"$/$1/sr);
    $text =~ s{\\(?:u([dD][89abAB]..)\\u([dD][c-fC-F]..)|u(.{4})|(.))}
              {defined $1 ? chr(0x10000 + (hex($1) - 0xd800 << 10) + hex($2) - 0xdc00)
               : defined $3 ? chr hex $3 : $is{$4} // $4}ge;
    return $text;
}

sub canonical {
    my %member = @_;
    return join "\n", map { "$_=$member{$_}" } sort keys %member;
}

# --- The stack ------------------------------------------------------------------------

my ($stack, %asker, $feeder, $source, @ends);

sub turn_to { ($dataset, $judge, $asker) = ($_[0], $judge{ $_[0] }, $asker{ $_[0] }); return; }

# Whether datalakectl knows indexes.
my $has_index;

# Begin to produce: a child that appends a record or two for each byte that
# comes through the pipe.
sub start_feeder {
    pipe my $read, $feeder or die "pipe: $!";
    $feeder->autoflush(1);
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    close $feeder;
    my @out = map { open my $out, '>>:raw', "$source/$_" or POSIX::_exit(1); $out } sort keys %judge;
    my $n = $FIRST;
    while (sysread $read, my $byte, 1) {
        my $target = min($n + int(rand() + $EACH), scalar $records->all);
        for (; $n < $target; $n++) {
            syswrite $_, source_line($n) for @out;
        }
        sleep rand 0.01;
    }
    POSIX::_exit(0);
}

sub source_line {
    my ($n) = @_;
    my $record = $records->at($n);
    return sprintf "0 %d %d %s\t%s\n", $n, 1_779_400_000_000 + $n, $record->{id}, $record->{sent};
}

# How many records have been produced.
sub produced {
    my $size = -s "$source/$dataset";
    my ($low, $high) = (0, scalar @ends);
    while ($low < $high) {
        my $middle = int(($low + $high) / 2);
        $ends[$middle] <= $size ? ($low = $middle + 1) : ($high = $middle);
    }
    return $low;
}

my %known = map { $_ => 0 } keys %judge;

# Ask how many records there are: from now on no answer may know fewer.
sub look {
    my $count = count_of($asker->get('/api/data/?page_size=1' . about('resource')));
    my $most  = produced();
    die "the lake has $count records, had $known{$dataset}; $most were produced\n"
      if $count < $known{$dataset} || $count > $most;
    return $known{$dataset} = $count;
}

# The count that ANSWER begins with, undef: none.
sub count_of { return $_[0]{body} =~ /^\{"count":(\d+)/ ? $1 : undef; }

# GET the URL; dies unless it is 200.
sub ask {
    my ($url) = @_;
    my $answer = $asker->get($url);
    die "$answer->{status} for $url: $answer->{body}\n" if $answer->{status} != 200;
    return $answer;
}

# All pages from URL on: READ gets each answer and returns its items.  Returns
# (items, count or undef, records produced when the first one came).
sub pages {
    my ($url, $read) = @_;
    my (@items, $count, $most);
    for (my $page = 0; defined $url; $page++) {
        my $answer = ask($url);
        $most //= produced();
        $count = count_of($answer) if $page == 0;
        push @items, $read->($answer);
        my $link = $answer->{headers}{link} // '';
        $url = $link =~ /^<([^>]+)>; rel="next"$/ ? $1 : undef;
    }
    return (\@items, $count, $most);
}

# --- Kinds of requests; each returns what is wrong, or '' ------------------------------

# About how many records match.
sub estimate {
    my ($of) = @_;
    return 8 * grep { $of->($records->at(8 * $_)) } 0 .. $known{$dataset} / 8 - 1;
}

# A size of pages that needs no more than some twelve of them for N records.
sub page_size { my ($n) = @_; return min(1000, max(int($n / 12) + 1, any(3, 7, 50, 1000))); }

# Whether N whole records are more than is asked for at once; one time in
# fifty they are.
sub too_large {
    my ($n) = @_;
    return full_size() && $n / $FIRST * $ends[ $FIRST - 1 ] > $LARGE && rand() > 0.02;
}

# Some filters: (text of the query, which records match).
sub filters {
    my %seen;
    return ('', sub { 1 }) if !declared();
    my @filters = grep { !$seen{ $_->{key} }++ } map { filter() } 1 .. any(0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3);
    my @tests = map { $records->matcher($_) } @filters;
    return (join('&', map { $_->{text} } @filters),
        sub { my ($record) = @_; $_->($record) || return 0 for @tests; return 1; });
}

sub meta_of {
    my ($record) = @_;
    return sprintf '{"topic":"%s","partition":0,"offset":%d,"timestamp":"%s",'
      . '"resource":"%s/%s.json","line":%d}', $dataset, $record->{n},
      strftime('%Y-%m-%dT%H:%M:%S', gmtime 1_779_400_000 + $record->{n} / 1000)
      . sprintf('.%03d000Z', $record->{n} % 1000), $dataset, $record->{day}, $record->{line_number};
}

# How a list is asked for and what a record becomes: (query, form of a record,
# reader of an answer); N are expected.
sub shape {
    my ($n) = @_;
    my $results = sub { elements($_[0]{body}, qr/^\{.*?"results":/s) };
    my $kind    = too_large($n) ? any(0, 3) : int rand 6;
    if ($kind == 0) {
        my %want = map { $_ => 1 } map { any(sort keys %TYPE) } 1 .. 3;
        my $fields = join ',', sort { $want{$a} <=> $want{$b} || $a cmp $b } keys %want;
        return ("fields=$fields",
            sub { my $raw = $_[0]{raw}; canonical(map { ($_ => $raw->{$_}) } grep { defined $raw->{$_} } keys %want) },
            sub { map { canonical(members($_)) } $results->(@_) });
    }
    if ($kind == 1) {
        return ('meta=true', sub { $_[0]{line} =~ s/\}$/',"_dl":' . meta_of($_[0]) . '}'/er }, $results);
    }
    if ($kind == 2) {
        return ('format=ndjson', sub { $_[0]{line} }, sub { split /\n/, $_[0]{body} });
    }
    if ($kind == 3) {
        return ('format=csv&fields=transaction_id', sub { $_[0]{id} },
            sub { my ($head, @rows) = split /\r\n/, $_[0]{body}; @rows });
    }
    return ('', sub { $_[0]{line} }, $results);
}

sub ask_data {
    my ($query, $of) = filters();
    my $sort = declared() && rand() < 0.2 ? [ any(grep { $_ ne 'discount_code' } sort keys %TYPE), any(1, -1) ] : undef;
    my $day  = rand() < 0.2 ? any(sort keys %{ $records->{day} }) : undef;
    my $in   = defined $day ? sub { $_[0]{day} eq $day && $of->($_[0]) } : $of;
    my $n    = estimate($in);
    my ($more, $form, $read) = shape($n);
    my @parts = grep { $_ ne '' } $query, $more, any('count=exact', 'count=auto', 'count=none', 'count=exact'),
      $sort ? 'sort=' . ($sort->[1] < 0 ? '-' : '') . $sort->[0] : '',
      defined $day ? "resource=$dataset/$day.json" : declared() ? '' : "resource=$dataset", 'page_size=' . page_size($n);
    my $url = '/api/data/?' . join '&', @parts;
    my $least = $known{$dataset};
    my ($items, $count, $most) = pages($url, $read);
    my $wrong = $judge->list(items => $items, of => $in, form => $form, least => $least, most => $most,
        count => $count, sort => $sort);
    return $wrong ne '' ? "$url: $wrong" : '';
}

sub ask_page {
    my ($query, $of) = filters();
    my ($size, $page) = (any(3, 10, 100), 1 + int rand 5);
    my $url    = join '&', grep { $_ ne '' } "/api/data/?page_size=$size&page=$page&count=exact" . about('resource'), $query;
    my $least  = $known{$dataset};
    my $answer = ask($url);
    my $wrong  = $judge->list(
        items => [ elements($answer->{body}, qr/^\{.*?"results":/s) ],
        of    => $of, form => sub { $_[0]{line} }, least => $least, most => produced(),
        count => count_of($answer), from => ($page - 1) * $size, size => $size
    );
    return $wrong ne '' ? "$url: $wrong" : '';
}

sub ask_text {
    my $text   = wanted();
    my $folded = fold($text);
    my $of     = sub { index($_[0]{folded}, $folded) >= 0 };
    my $url    = '/api/fulltext_search/' . escaped($text) . '?limit=' . page_size(estimate($of)) . about('dataset');
    my $least  = $known{$dataset};
    my ($items, undef, $most) = pages($url,
        sub { map { join ':', map { plain_text($_) } (members($_))[ 1, 3, 5 ] } elements($_[0]{body}, qr/^/) });
    my $form = sub { "$_[0]{day}.json:$_[0]{line_number}:" . DataLake::LiveJudge::excerpt($_[0], $folded) };
    my $wrong = $judge->list(items => $items, of => $of, form => $form, least => $least, most => $most);
    return $wrong ne '' ? "$url: $wrong" : '';
}

sub ask_values {
    my ($text, $folded, $of, $n);
    my $from = rand() < 0.2 ? any(sort keys %{ $records->{day} }) : '';
    do {
        $text   = wanted();
        $folded = fold($text);
        $of     = sub { $_[0]{day} ge $from && index($_[0]{values}, $folded) >= 0 };
        $n      = estimate($of);
    } while too_large($n);
    my $url = '/api/search/?q=' . escaped($text) . '&limit=' . page_size($n) . ($from ne '' ? "&date=$from" : '');
    my $least  = $known{$dataset};
    my ($items, undef, $most) = pages($url, sub { elements($_[0]{body}, qr/^\{.*?"results":/s) });
    my $wrong = $judge->list(items => $items, of => $of, form => sub { $_[0]{line} }, least => $least, most => $most);
    return $wrong ne '' ? "$url: $wrong" : '';
}

my $begin = time;

sub ask_version {
    my $day   = any(sort keys %{ $records->{day} });
    my $short = !too_large(scalar @{ $records->{day}{$day} });
    my $known_versions = $judge->{version}{$day} // {};
    my $newest = max(0, keys %$known_versions);
    my $kind  = $newest > 0 ? any('', '', 'version', 'version', 'as_of') : '';
    my $at    = $begin + rand(time - $begin);
    my %asked = ('' => '', version => '&version=' . (1 + int rand($newest || 1)),
        as_of => '&as_of=' . strftime('%Y-%m-%dT%H:%M:%S', gmtime $at) . sprintf('.%06dZ', 1e6 * ($at - int $at)));
    my $array = rand() < 0.3 && $short;
    my $url   = "/api/audit/version/?date=$day$asked{$kind}" . ($array ? '' : '&format=ndjson') . about('dataset');
    my ($least, $sent) = ($known{$dataset}, time);
    my $answer = $asker->get($url);
    my ($got, $most) = (time, produced());
    if ($answer->{status} == 404 && $kind eq 'as_of') {
        my $wrong = $judge->as_of($day, $at, 0);
        return $wrong ne '' ? "$url: $wrong" : '';
    }
    return "$answer->{status} for $url" if $answer->{status} != 200;
    my $number = $answer->{headers}{'x-version'};
    my @lines = $array ? elements($answer->{body}, qr/^/) : split /\n/, $answer->{body};
    $judge->newest($day, $number, $sent, $got) if $kind eq '';
    my $wrong = $kind eq 'version' && "&version=$number" ne $asked{version} ? "is version $number"
      : $judge->version(day => $day, number => $number, lines => \@lines, least => $least, most => $most,
        latest => $kind eq '');
    $wrong = $judge->as_of($day, $at, $number) if $wrong eq '' && $kind eq 'as_of';
    return $wrong ne '' ? "$url: $wrong" : '';
}

# --- What happens meanwhile -------------------------------------------------------------

# %spoilt: damaged directories of frames, which nothing but removing them mends.
my (%running, %did, %spoilt);

# Run datalakectl with WORDS beside the requests; counted as NAME when it
# succeeds.
sub beside {
    my ($name, @words) = @_;
    return if $running{$name};
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', "$stack->{dir}/beside.log";
        open STDERR, '>&', \*STDOUT;
        exec "$DataLake::Stack::BUILD/bin/datalakectl", '-c', $stack->ini_file, @words or POSIX::_exit(127);
    }
    $running{$name} = $pid;
    return;
}

sub reap {
    my ($flags) = @_;
    for my $name (keys %running) {
        next if waitpid($running{$name}, $flags) == 0;
        $did{ $? == 0 ? $name : "$name failed" }++;
        delete $running{$name};
    }
    return;
}

# Change one byte of an index or of where frames stand, or put a shorter one in its place.
sub damage_index {
    my @files = glob "$stack->{dir}/lake/_lake/{transaction_log,plain_log}/idx/*.{index,grow,frames}";
    return unless @files;
    my $file = any(@files);
    my $size = -s $file // return;
    if (rand() < 0.3) {
        my $text = slurp($file) // return;
        spit("$file.new", substr $text, 0, rand length $text);
        rename "$file.new", $file;
    }
    else {
        open my $out, '+<:raw', $file or return;
        sysseek $out, int rand $size, 0;
        sysread $out, my $byte, 1 or return;
        sysseek $out, -1, 1;
        syswrite $out, chr(ord($byte) ^ 1 << int rand 8);
        close $out;
    }
    my %what = (grow => 'growing indexes', index => 'indexes', frames => 'directories of frames');
    $did{ $what{ ($file =~ /\.(\w+)$/)[0] } . ' damaged' }++;
    $spoilt{$file} = 1 if $file =~ /frames$/;
    return;
}

sub meanwhile {
    my ($n) = @_;
    reap(WNOHANG);
    if ($n % 400 == 390) {
        $stack->daemon('datalake-lake')->kill_now;
        $stack->start_daemon('datalake-lake', wait => 0);
        $did{kills}++;
    }
    # Not at first, so that an open part becomes large enough for an index.
    elsif ($n % 60 == 0 && $n > 200) {
        $stack->daemon('datalake-lake')->signal('USR1');
        $did{'seal signals'}++;
    }
    beside('compactions', 'compact') if $n % 150 == 0;
    return unless $has_index;
    beside('index builds', 'index', 'build') if $n % 100 == 60;
    beside('index drops', 'index', 'drop') if $n % 500 == 450;
    damage_index() if $n % 20 == 10;
    return;
}

sub start {
    mkdir "$TOP/build/t";
    $source = "$TOP/build/t/52-live-reads-source";
    mkdir $source;
    spit("$source/$_", join '', map { source_line($_) } 0 .. $FIRST - 1) for keys %judge;
    my $end = 0;
    push @ends, $end += length source_line($_) for 0 .. $records->all - 1;
    $stack = DataLake::Stack->new(
        name    => '52-live-reads',
        mariadb => 1,
        httpd   => 1,
        daemons => ['datalake-lake'],
        users   => { alice => 'user', bob => 'user' },
        grants  => { alice => ['transaction_log'], bob => ['plain_log'] },
        ini     => { kafka => { brokers => "file:$source" }, datasets => { topics => 'plain_log' }, lake => { zstd_after => '1d' } },
    );
    # A run of full size outlives a token.
    ($stack->{tokens}{$_}) = $stack->ctl('token', $_, '--ttl', '12h') =~ /^(\S+)\s*$/m for qw(alice bob);
    %asker = (transaction_log => $stack->client('alice', plain => 1), plain_log => $stack->client('bob', plain => 1));
    turn_to('transaction_log');
    my ($status, $help) = $stack->try_ctl('--help');
    $has_index = $help =~ /^  index /m;
    for my $name (sort keys %judge) {
        turn_to($name);
        wait_until("the first records of $name", sub { look() == $FIRST }, 120);
    }
    return start_feeder();
}

# --- The self-test ------------------------------------------------------------------------

# What DAMAGE does to a right answer has to be noticed.
sub noticed {
    my ($name, $damage, %more) = @_;
    my $of    = sub { $_[0]{n} % 3 == 0 };
    my @right = map { $_->{line} } DataLake::LiveRecords::in_order($records->arrived(500, $of));
    my %o = (items => [@right], of => $of, form => sub { $_[0]{line} }, least => 400, most => 600, %more);
    is($judge->list(%o), '', 'a right list is right');
    $damage->(\%o);
    isnt($judge->list(%o), '', "$name is noticed");
    return;
}

sub self_test {
    noticed('a record that is left out', sub { splice @{ $_[0]{items} }, 50, 1 });
    noticed('a page that comes twice',   sub { splice @{ $_[0]{items} }, 60, 0, @{ $_[0]{items} }[ 50 .. 59 ] });
    noticed('a page that is skipped',    sub { splice @{ $_[0]{items} }, 50, 10 });
    noticed('a number that changed',     sub { $_[0]{items}[7] =~ s/-7\.50/-7.5/ });
    noticed('two records in the other order', sub { @{ $_[0]{items} }[ 3, 4 ] = @{ $_[0]{items} }[ 4, 3 ] });
    noticed('a record of a later commit', sub {
        my $late = $records->at(501);
        my ($i) = grep { $_[0]{items}[$_] eq $records->at(0)->{line} } 0 .. $#{ $_[0]{items} };
        splice @{ $_[0]{items} }, $i, 1;
        push @{ $_[0]{items} }, $late->{line};
    });
    noticed('a count that is wrong', sub { $_[0]{count} = @{ $_[0]{items} } + 1 });
    noticed('a state that is too old', sub { $_[0]{least} = 560 });
    noticed('a state that is not there yet', sub { $_[0]{most} = 450 });
    my ($day) = sort keys %{ $records->{day} };
    my @lines = map { $_->{line} } @{ $records->{day}{$day} }[ 0 .. 49 ];
    my %version = (day => $day, number => 7, lines => \@lines, least => 0, most => 600);
    is($judge->version(%version), '', 'a right version is right');
    isnt($judge->version(%version, lines => [ @lines[ 0 .. 48 ] ]), '', 'a version that changed is noticed');
    isnt($judge->version(%version, number => 6, lines => \@lines), '', 'two versions with the same records, too');
    isnt($judge->version(%version, number => 8, most => 10), '', 'and records that are not produced yet');
    isnt($judge->version(%version, number => 8, latest => 1, least => 600), '', 'and a version that is old');
    isnt($judge->version(%version, number => 8, lines => [ @lines[ 1 .. 49 ] ]), '', 'and a line that is missing');
    $judge->newest($day, 7, 100, 101);
    is($judge->as_of($day, 102, 7),   '', 'a time behind it is right');
    isnt($judge->as_of($day, 102, 6), '', 'an older version is noticed');
    isnt($judge->as_of($day, 99, 8),  '', 'and a newer one');
    my ($hit) = grep { length $_->{text} > 300 } $records->all;
    my $folded = substr $hit->{folded}, 150, 9;
    like(DataLake::LiveJudge::excerpt($hit, $folded), qr/^\.\.\..*\.\.\.$/s, 'an excerpt is cut on both sides');
    is_deeply([ elements('{"results":[{"a":[1,"]"]},2.50]}', qr/"results":/) ],
        [ '{"a":[1,"]"]}', '2.50' ], 'an answer is read by its texts');
    is(canonical(members('{"b":{"c":1.0,"d":null},"a":"x"}')), "a=\"x\"\nb.c=1.0\nb.d=null", 'so are members');
    return;
}

# --- The test -------------------------------------------------------------------------------

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit;
}
my $producer = start();
my @kinds = ((\&ask_data) x 9, (\&ask_page) x 2, (\&ask_text) x 3, (\&ask_values) x 3, (\&ask_version) x 3);
my ($wrong, $http) = (0, 0);
for my $n (1 .. $REQUESTS) {
    syswrite $feeder, '+';
    meanwhile($n);
    turn_to($n % 10 == 4 || $n % 10 == 7 ? 'plain_log' : 'transaction_log');
    look() if $n % 5 == 0 || !declared();
    my $said = eval { any(@kinds)->() } // "died: $@";
    next if $said eq '' || ++$wrong > 5;
    diag(encode('UTF-8', "request $n: ") . substr($said =~ /[^\x00-\xff]/ ? encode('UTF-8', $said) : $said, 0, 1500));
}
reap(0);
close $feeder;
waitpid $producer, 0;
turn_to($_), wait_until("all that was produced of $_", sub { look() == produced() }, 60) for sort keys %judge;
my $all = produced();
is($wrong, 0, "none of $REQUESTS answers differs");
subtest 'the end of it' => sub {
    cmp_ok($did{compactions} // 0, '>', 0, 'days were compacted meanwhile');
    ok(!$did{'compactions failed'}, 'and each time it went well');
    ok(scalar(glob "$stack->{dir}/lake/transaction_log/dt=*/*.json.zst"), 'days were cold meanwhile');
    ok(!$did{'index builds failed'}, 'indexes were built, too') if $has_index;
    for my $name (sort keys %judge) {
        turn_to($name);
        for my $day (sort keys %{ $records->{day} }) {
            my $answer = ask("/api/audit/version/?date=$day&format=ndjson" . about('dataset'));
            is($judge->version(day => $day, number => $answer->{headers}{'x-version'}, lines => [ split /\n/, $answer->{body} ],
                    least => $all, most => $all, latest => 1), '', "$day of $name is what was produced");
        }
    }
    unlink keys %spoilt;
    if ($has_index) {
        $stack->ctl('index', 'drop');
        $stack->ctl('index', 'build');
    }
    my ($status, $said) = $stack->try_ctl('fsck');
    is($status, 0, 'the lake is whole') or diag($said);
};
my $versions = 0;
$versions += max(0, keys %$_) for map { values %{ $_->{version} } } values %judge;
printf "# requests=%d wrong=%d records=%d produced_meanwhile=%d day_versions=%d %s\n", $REQUESTS, $wrong, $all,
  $all - $FIRST, $versions, join ' ', map { (my $word = $_) =~ tr/ /_/; "$word=$did{$_}" } sort keys %did;
$stack->stop;
done_testing;
