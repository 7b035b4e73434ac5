# 53-cli-lake.t - the lake on the command line: ls, cat, grep, stat, versions;
# the same lines as the API gives, every version exact after each commit,
# before and after sealing and compaction.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use IPC::Open3 qw(open3);
use JSON::PP ();
use POSIX qw(strftime);
use DataLake::Process qw(slurp spit);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '53-cli-lake',
    mariadb => 1,
    httpd   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
);
my $alice  = $stack->client('alice');
my $json   = JSON::PP->new->utf8->allow_nonref;
my $BUILD  = $DataLake::Stack::BUILD;
my $lake   = "$stack->{dir}/lake";
my $DAY_US = 86_400_000_000;
my $DAY    = 20591;                                # 2026-05-18
my @DAYS   = ('2026-05-18', '2026-05-19');

# --- A lake with a recorded history ---------------------------------------------

my %text    = map { $_ => '' } @DAYS;    # the day as it stands
my %history = map { $_ => [] } @DAYS;    # [commit time in us, text after it]
my @next    = (0, 0);
my $now     = ($DAY + 20) * $DAY_US + 3_600_000_000;

sub ctl { return $stack->try_ctl(@_); }

# The standard output of a call that has to succeed, byte for byte.
sub out {
    my (@words) = @_;
    open my $pipe, '-|', "$BUILD/bin/datalakectl", '-c', $stack->ini_file, @words
      or die "datalakectl: $!\n";
    binmode $pipe;
    my $out = do { local $/; <$pipe> } // '';
    close $pipe;
    is($? >> 8, 0, "datalakectl @words");
    return $out;
}

# Append N records to each of DAYS, then commit; the driver's lines.
sub batch {
    my ($n, @days) = @_;
    my @lines;
    for my $date (@days) {
        my $day = $date eq $DAYS[0] ? $DAY : $DAY + 1;
        for (1 .. $n) {
            my $p    = int rand 2;
            my $o    = $next[$p]++;
            my $time = $day * $DAY_US + $o * 1000 + $p;
            my $line = sprintf '{"transaction_id":"TX%d-%d","note":"%s","amount":%d.50,"pad":"%s"}',
              $p, $o, ('Straße', 'lamp \\"q\\"', 'caf\\u00e9 \\n', 'ΣΊΣΥΦΟΣ')[ $o % 4 ], $o,
              'x' x int rand 400;
            push @lines, "R $p $o $time $line";
            $text{$date} .= "$line\n";
        }
    }
    $now += 100_000;
    push @{ $history{$_} }, [ $now, $text{$_} ] for @days;
    return (@lines, "C $now");
}

# Run the lines of a script by the real writer.
sub drive {
    my (@lines) = @_;
    my $script = "$stack->{dir}/script";
    spit($script, join '', map { "$_\n" } @lines);
    system("$BUILD/tools/lake_driver", $lake, 'transaction_log', $script) == 0
      or die "lake_driver failed\n";
    system('chgrp', '-R', 'www-data', $lake) if $> == 0;
    return;
}

sub iso {
    my ($us) = @_;
    return strftime('%Y-%m-%dT%H:%M:%S', gmtime int $us / 1e6) . sprintf '.%06dZ', $us % 1_000_000;
}

# Every version of every day, by number and by time, over HTTP and on the
# command line.
sub check_history {
    my ($when) = @_;
    my (@wrong, $asked);
    for my $date (@DAYS) {
        for my $n (1 .. @{ $history{$date} }) {
            my ($at, $text) = @{ $history{$date}[ $n - 1 ] };
            my $url = "/api/audit/version/?date=$date&format=ndjson";
            for my $query ("version=$n", 'as_of=' . iso($at), 'as_of=' . iso($at + 99_000)) {
                my $answer = $alice->get("$url&$query");
                push @wrong, "$date $query"
                  if $answer->{status} != 200 || $answer->{body} ne $text
                  || $answer->{headers}{'x-version'} != $n;
                $asked++;
            }
            my $before = $alice->get("$url&as_of=" . iso($at - 1000));
            push @wrong, "$date before $n"
              if $n == 1 ? $before->{status} != 404 : $before->{body} ne $history{$date}[ $n - 2 ][1];
            push @wrong, "cat $n" if $n % 5 == 1 && out('cat', "transaction_log/$date", '--version', $n) ne $text;
        }
    }
    is_deeply(\@wrong, [], "$when: $asked reads of versions are exact");
    return;
}

# Of eight records one partition has four in a row: the second day has each text.
drive(map { $_ % 3 ? batch(1 + int rand 30, $DAYS[0]) : batch(8 + int rand 23, @DAYS) } 1 .. 8);
check_history('parts are open');

subtest 'the lines are those of the API' => sub {
    for my $date (@DAYS) {
        my $url = "/api/audit/version/?date=$date";
        is(out('cat', "transaction_log/$date"), $text{$date}, 'what was written');
        is(out('cat', "transaction_log/$date"), $alice->get("$url&format=ndjson")->{body}, 'NDJSON');
        is(out('--json', 'cat', "transaction_log/$date.json"), $alice->get($url)->{body} . "\n", 'JSON');
        is(out('cat', '--meta', "transaction_log/$date"),
            $alice->get("$url&meta=true&format=ndjson")->{body}, 'with _dl');
        my @lines = split /^/, $text{$date};
        is(out('cat', "transaction_log/$date", '--from-line', 5), join('', @lines[ 4 .. $#lines ]),
            'from a line on');
        is(out('cat', "transaction_log/$date", '--from-line', @lines + 1), '', 'behind the last: nothing');
        is(out('--json', 'cat', "transaction_log/$date", '--from-line', @lines + 1), "[]\n",
            '... as an array too');
    }
    is(out('cat', "transaction_log/$DAYS[0]", '--as-of', iso($history{ $DAYS[0] }[2][0])),
        $history{ $DAYS[0] }[2][1], 'as of a commit');
};

subtest 'ls shows what is there' => sub {
    is(out('ls'), "transaction_log\n", 'datasets');
    is(out('ls', 'transaction_log'), join('', map { "transaction_log/$_\n" } @DAYS), 'days');
    my $rows = $alice->get('/api/audit/resources/?detail=true')->{json};
    my $days = $json->decode(out('ls', 'transaction_log', '--json'));
    for my $row (@$rows) {
        my $day = shift @$days;
        is_deeply($day, { map { $_ => $row->{$_} } keys %$day }, "$row->{date} as the API describes it");
        is(keys %$day, 7, '... in seven members');
    }
    my @long = split /\n/, out('ls', '-l', "transaction_log/$DAYS[1]");
    my $n    = () = $text{ $DAYS[1] } =~ /\n/g;
    like($long[1], qr{^transaction_log/$DAYS[1] +@{[length $text{$DAYS[1]}]} +$n +@{[scalar @{$history{$DAYS[1]}}]} },
        'bytes, records, version');
    like((split /\n/, out('ls', '-l'))[1], qr/^transaction_log +\d+ +\d+ +2  \d{4}-/, 'of datasets too');
    is($json->decode(out('ls', '--json'))->[0]{last_date}, $DAYS[1], '... as JSON');
};

subtest 'versions tells each commit' => sub {
    for my $date (@DAYS) {
        my $number = 0;
        my @want   = map {
            +{
                version => ++$number,
                time    => iso($_->[0]),
                records => scalar(() = $_->[1] =~ /\n/g),
                bytes   => length $_->[1]
            }
        } @{ $history{$date} };
        is_deeply($json->decode(out('--json', 'versions', "transaction_log/$date")), \@want, $date);
        my $since = iso($history{$date}[1][0]);
        is_deeply($json->decode(out('--json', 'versions', "transaction_log/$date", '--since', $since)),
            [ @want[ 1 .. $#want ] ], 'since a commit');
        is_deeply($json->decode(out('--json', 'versions', "transaction_log/$date", '--limit', 1)),
            [ $want[0] ], 'a limit');
    }
    my @rows = split /\n/, out('versions', "transaction_log/$DAYS[0]");
    is(@rows, 1 + @{ $history{ $DAYS[0] } }, 'a row each for people');
    is(out('--json', 'versions', "transaction_log/$DAYS[0]", '--since', '2030-01-01'), "[]\n", 'none');
};

subtest 'grep finds what the searches find' => sub {
    my @all = map { my $d = $_; my $n = 0; map { [ $d, ++$n, $_ ] } split /^/, $text{$d} } @DAYS;
    for my $word ('STRASSE', 'straße', 'CAFÉ', 'caf\\u00e9', 'σίσυφος', '"note":', 'TX0-3', 'lamp', 'note') {
        my $hits = $alice->get('/api/fulltext_search/' . ($word =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger)
              . '?limit=1000');
        is($hits->{status}, 200, $word);
        my ($status, $lines) = ctl('grep', '-n', '--', $word);
        my @places = map { m{^transaction_log/(\S{10}):(\d+):} ? "$1:$2" : () } split /\n/, $lines;
        is_deeply(\@places, [ map { substr($_->{file}, 0, 10) . ":$_->{line}" } @{ $hits->{json} } ],
            '... stands where the full-text search says');
        is($status, @places ? 0 : 1, '... and the status tells');
        my $search = $alice->get('/api/search/?limit=1000&q=' . ($word =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger));
        my ($found, $values) = ctl('grep', '-v', '--json', '--', $word);
        is_deeply([ map { $_->{record} } @{ $json->decode($values) } ],
            $search->{json}{results}, '... among values as the other one');
    }
    my $want = grep { $_->[0] eq $DAYS[1] && $_->[2] =~ /lamp/ } @all;
    is(out('grep', '-c', 'LAMP', "transaction_log/$DAYS[1]"), "transaction_log/$DAYS[1]:$want\n", 'counts');
    is(out('grep', '-m', 2, 'LAMP'), join('', map { $_->[2] } (grep { $_->[2] =~ /lamp/ } @all)[ 0, 1 ]),
        'the first two');
    is_deeply($json->decode(out('grep', '--json', '-m', 1, '--meta', 'TX0-0'))->[0]{record}{_dl}{offset}, 0,
        'with _dl');
    is((ctl('grep', 'nowhere'))[0], 1, 'nothing found is 1');
    is((ctl('grep', 'x', 'nothing'))[0], 2, 'a dataset that is not there is 2');
    unlike(out('grep', '-n', 'lamp'), qr/\e/, 'no colours where there is no terminal');
};

sub stat_of {
    my ($date) = @_;
    return $json->decode(out('--json', 'stat', "transaction_log/$date"));
}

subtest 'stat describes a day' => sub {
    my $stat = stat_of($DAYS[0]);
    is($stat->{sha256}, sha256_hex($text{ $DAYS[0] }), 'the sum over its bytes');
    is($stat->{version}, scalar @{ $history{ $DAYS[0] } }, 'its version');
    is_deeply([ map { $_->{state} } @{ $stat->{parts} } ], ['open'], 'one open part');
    my $part = $stat->{parts}[0];
    is(substr(slurp("$lake/$part->{file}"), 0, $part->{bytes}), $text{ $DAYS[0] }, 'its file');
    ok(-s "$lake/$part->{trail}" >= $part->{trail_bytes}, 'its trail');
    is($json->decode(out('--json', 'stat', '-q', "transaction_log/$DAYS[0]"))->{sha256}, undef,
        'quickly: without the sum');
    like(out('stat', "transaction_log/$DAYS[0]"), qr/^sha256 +$stat->{sha256}\n.*^part 1: open$/ms, 'for people');
};

# --- The same history, sealed and joined ------------------------------------------

drive("S $now", map { batch(1 + int rand 20, @DAYS) } 1 .. 4);
check_history('parts are sealed and others open');
is_deeply([ map { $_->{state} } @{ stat_of($DAYS[0])->{parts} } ], [ 'listed', 'open' ], 'stat: a part is listed');

my $etag = $alice->get("/api/audit/version/?date=$DAYS[0]&version=3")->{headers}{etag};
drive("S $now", 'K ' . ($now + $DAY_US), map { batch(1 + int rand 20, @DAYS) } 1 .. 3);
check_history('days are joined and grow again');
my $whole = stat_of($DAYS[0]);
is_deeply([ map { $_->{state} } @{ $whole->{parts} } ], [ 'whole', 'open' ], 'stat: parts are joined');
is($whole->{parts}[0]{commits}, 12, 'with all their commits');
is($alice->get("/api/audit/version/?date=$DAYS[0]&version=3")->{headers}{etag}, $etag,
    'joining leaves the validator of a version as it was');

subtest 'versions are told apart by their validators' => sub {
    my %seen;
    for my $n (1 .. @{ $history{ $DAYS[0] } }) {
        for my $format (qw(json ndjson csv)) {
            my $url    = "/api/audit/version/?date=$DAYS[0]&version=$n&format=$format";
            my $answer = $alice->get($url);
            $seen{ $answer->{headers}{etag} }++;
            is($alice->get($url, headers => { 'If-None-Match' => $answer->{headers}{etag} })->{status},
                304, "version $n as $format is known again");
        }
    }
    is(keys %seen, 3 * @{ $history{ $DAYS[0] } }, 'each version and format has its own');
    is((grep { $_ > 1 } values %seen), 0, '... and no other');
    my $next = @{ $history{ $DAYS[0] } } + 1;
    is($alice->get("/api/audit/version/?date=$DAYS[0]&version=$next")->{status}, 404, 'the next version is 404');
    is($alice->get("/api/audit/version/?date=$DAYS[0]&version=1&as_of=2026-06-30")->{status}, 400,
        'version and as_of together are 400');
};

# --- Mistakes ---------------------------------------------------------------------

subtest 'a wrong command line is 2, what is not there is 1' => sub {
    my $day   = "transaction_log/$DAYS[0]";
    my @cases = (
        [ 2, qr/an argument is missing/,          'cat' ],
        [ 2, qr/a day is missing/,                'cat', 'transaction_log' ],
        [ 2, qr/must be YYYY-MM-DD, not "2026-02-30"/, 'cat', 'transaction_log/2026-02-30' ],
        [ 2, qr/must be YYYY-MM-DD/,              'cat', 'transaction_log/../x' ],
        [ 2, qr/is no name of a dataset/,         'cat', '../x' ],
        [ 2, qr/is no name of a dataset/,         'ls',  '_lake' ],
        [ 2, qr/unexpected argument/,             'ls',  'a', 'b' ],
        [ 2, qr/--version must be a whole number/, 'cat', $day, '--version', '0' ],
        [ 2, qr/--version must be a whole number/, 'cat', $day, '--version', '1e3' ],
        [ 2, qr/exclude each other/,              'cat', $day, '--version', 1, '--as-of', '2026-06-01' ],
        [ 2, qr/--as-of must be a time with a zone/, 'cat', $day, '--as-of', '2026-06-01T00:00:00' ],
        [ 2, qr/--from-line must be/,             'cat', $day, '--from-line', '0' ],
        [ 2, qr/--since must be a time/,          'versions', $day, '--since', 'yesterday' ],
        [ 2, qr/--limit must be/,                 'versions', $day, '--limit', '0' ],
        [ 2, qr/unknown option "-x"/,             'stat', $day, '-x' ],
        [ 2, qr/an argument is missing/,          'grep' ],
        [ 2, qr/1 to 1024 bytes|empty/i,          'grep', '' ],
        [ 2, qr/UTF-8/i,                          'grep', "\xff" ],
        [ 2, qr/--max-count must be/,             'grep', 'x', '-m', '0' ],
        [ 1, qr/no such version/,                 'cat', $day, '--version', 9999 ],
        [ 1, qr/no such version/,                 'cat', $day, '--as-of', '2020-01-01' ],
        [ 1, qr/no such day/,                     'cat', 'transaction_log/1999-01-01' ],
        [ 1, qr/no such day/,                     'stat', 'transaction_log/1999-01-01' ],
        [ 1, qr/nothing\/2026-05-18: /,           'versions', 'nothing/2026-05-18' ],
        [ 1, qr/nothing: /,                       'ls', 'nothing' ],
    );
    for my $case (@cases) {
        my ($status, $pattern, @words) = @$case;
        my ($got, $text) = ctl(@words);
        is($got, $status, "$status: @words") or diag $text;
        like($text, $pattern, '... and says why');
    }
};

subtest 'a reader that goes away ends it without a word' => sub {
    drive(map { batch(400, $DAYS[1]) } 1 .. 4);
    for my $words ([ 'cat', "transaction_log/$DAYS[1]" ], [ 'grep', '-n', 'transaction_id' ]) {
        my $pid = open3(my $in, my $out, my $err = Symbol::gensym(), "$BUILD/bin/datalakectl", '-c',
            $stack->ini_file, @$words);
        close $in;
        my $line = <$out>;
        close $out;
        my $said = do { local $/; <$err> } // '';
        waitpid $pid, 0;
        is($said, '', "@$words: no word");
        is($? & 127, POSIX::SIGPIPE(), '... but the signal that says so');
    }
};

subtest 'damage is told, and nothing behind it is printed' => sub {
    my $file = "$lake/" . stat_of($DAYS[0])->{parts}[0]{file};
    my $data = slurp($file);
    substr($data, 20, 1) = substr($data, 20, 1) eq 'z' ? 'y' : 'z';
    spit($file, $data);
    my ($status, $text) = ctl('cat', "transaction_log/$DAYS[0]");
    is($status, 1, 'cat fails');
    like($text, qr/wrong checksum/, '... and says why');
    unlike($text, qr/transaction_id/, '... before a byte of it');
    is((ctl('grep', 'TX0-0', "transaction_log/$DAYS[0]"))[0], 2, 'grep fails with 2');
};

done_testing;
