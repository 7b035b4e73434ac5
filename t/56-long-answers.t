# 56-long-answers.t - answers of any length: the same bytes in every format and
# way of sending, flat memory, a client that leaves, stalls or takes its time,
# and what many of them leave to others.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use utf8;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use JSON::PP ();
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(sleep time);
use DataLake::AuditLog;
use DataLake::Cost qw(children_of);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use DataLake::Stopwatch qw(undisturbed);

my $TIMEOUT = 3;
my $stack   = DataLake::Stack->new(
    name    => '56-long-answers',
    mariadb => 1,
    httpd   => {
        server => "StartServers 4\nMaxConnectionsPerChild 0\nTimeout $TIMEOUT\n"
          . "LogFormat \"%r %>s %B %D\" long\nCustomLog \"access-long.log\" long\n"
    },
    users      => { alice => 'user' },
    grants     => { alice => ['*'] },
    directives => "DataLakeQuota / user 100000/1h\n",
    later      => 1,
);
my $json = JSON::PP->new->utf8->allow_nonref;
my $lake = "$stack->{dir}/lake";
for my $set ([ 'transaction_log', 100_000, 0.02 ], [ 'odd', 3_000, 0.5 ]) {
    my ($name, $records, $hostile) = @$set;
    system("$DataLake::Stack::BUILD/tools/lake_make '$lake' --dataset $name --records $records "
          . "--days 1 --parts 3 --hostile $hostile > '$stack->{dir}/made'") == 0
      or die "lake_make failed\n";
}
system('chgrp', '-R', 'www-data', $lake) if $> == 0;
$stack->start_all;
my $alice = $stack->client('alice', plain => 1);
my $token = $stack->token('alice');
my $URL   = '/api/audit/version/?date=2026-05-01';
my $log   = $stack->httpd->{dir} . '/access-long.log';

sub body { return $alice->get("$URL$_[0]")->{body}; }

# The day as its files have it.
sub stored {
    my ($name) = @_;
    return join '', map { slurp($_) } sort glob "$lake/$name/dt=2026-05-01/*.json";
}

# --- The bytes --------------------------------------------------------------------

subtest 'lines and arrays are the bytes of the files' => sub {
    my $text   = stored('transaction_log');
    my $answer = $alice->get("$URL&format=ndjson");
    is($answer->{headers}{'content-length'}, length $text, 'the length of lines is told');
    ok($answer->{body} eq $text, 'and they are what the files hold');
    (my $array = $text) =~ tr/\n/,/;
    substr($array, -1) = ']';
    $answer = $alice->get($URL);
    is($answer->{headers}{'content-length'}, 1 + length $text, 'an array is one longer');
    ok($answer->{body} eq "[$array", 'and has commas for newlines');
    my $head = $alice->head("$URL&format=ndjson");
    is($head->{headers}{'content-length'}, length $text, 'HEAD tells the length');
    is($head->{body}, '', 'and no more');
};

# The members of RECORD by dotted name, in order of appearance in NAMES.
sub flatten {
    my ($out, $names, $prefix, $line) = @_;
    while ($$line =~ /\G("(?:[^"\\]|\\.)*"):/gc) {
        my $name = $prefix . $json->decode($1);
        if ($$line =~ /\G\{(?!\})/gc) {
            flatten($out, $names, "$name.", $line);
        }
        else {
            $$line =~ /\G("(?:[^"\\]|\\.)*"|(?<box>[\[{](?:[^][{}"]|"(?:[^"\\]|\\.)*"|(?&box))*[\]}])|[^,}\]]+)/gc
              or die 'no value at ' . substr $$line, pos $$line, 40;
            my $value = $1;
            push @$names, $name if !$out->{names}{$name}++;
            if ($value ne 'null') {
                my ($text, $quoted) = ($value =~ /^"/, 0);
                if ($text) {
                    $value = $json->decode($value);
                    utf8::encode($value);
                    $quoted = $value =~ s/^(?=[=+\-@\t\r])/'/;
                }
                $quoted ||= $value =~ /[",\r\n]/;
                $value =~ s/"/""/g;
                $out->{row}{$name} = $quoted ? qq("$value") : $value;
            }
        }
        $$line =~ /\G,/gc or last;
    }
    $$line =~ /\G\}/gc;
    return;
}

subtest 'CSV has a column for each name and a row for each record' => sub {
    my (@names, @rows, %out);
    for my $line (split /\n/, stored('odd')) {
        $out{row} = {};
        pos($line) = 1;
        flatten(\%out, \@names, '', \$line);
        push @rows, $out{row};
    }
    my $want = join '', map { "$_\r\n" } join(',', map { my $n = $_; utf8::encode($n); $n } @names),
      map { my $row = $_; join ',', map { $row->{$_} // '' } @names } @rows;
    my $got = body('&format=csv&dataset=odd');
    ok($got eq $want, 'as an evaluator of its own makes them')
      or diag join "\n", grep { $_ } map { (split /\r\n/, $got)[$_] ne (split /\r\n/, $want)[$_]
          ? "$_ got " . substr((split /\r\n/, $got)[$_], 0, 400) . "\n$_ want " . substr((split /\r\n/, $want)[$_], 0, 400) : () } 0 .. 40;
    my @meta  = split /\n/, body('&meta=true&dataset=odd&format=ndjson');
    my @plain = split /\n/, stored('odd');
    is(scalar @meta, scalar @plain, 'with _dl there are as many records');
    is((grep { substr($meta[$_], 0, length($plain[$_]) - 1) ne substr($plain[$_], 0, -1) } 0 .. $#meta),
        0, '... that begin as they are stored');
    is(join(',', @meta), substr(body('&meta=true&dataset=odd'), 1, -1), '... also in an array');
};

# --- Memory -----------------------------------------------------------------------

# Kilobytes that no file backs, of all children.
sub memory {
    my $sum = 0;
    for my $pid (children_of($stack->httpd->{process}{pid})) {
        $sum += /^RssAnon:\s+(\d+)/ ? $1 : 0 for split /^/, slurp("/proc/$pid/status") // '';
    }
    return $sum;
}

# Start to read PATH with curl at RATE bytes a second; its process.
sub curl {
    my ($path, $rate) = @_;
    my $pid = fork() // die "fork: $!\n";
    return $pid if $pid;
    open STDERR, '>', '/dev/null';
    { no warnings 'exec'; exec 'curl', '-s', '-o', '/dev/null', ($rate ? ('--limit-rate', $rate) : ()), '-H',
        'Authorization: Bearer ' . $stack->token('alice'), 'http://127.0.0.1:' . $stack->httpd->{port} . $path; }
    POSIX::_exit(127);
}

subtest 'memory is flat whatever the length' => sub {
    body("&format=$_") for qw(ndjson json csv);
    for my $query ('format=ndjson', 'format=json', 'format=csv', 'format=ndjson&meta=true') {
        my $pid    = curl("$URL&$query", '40M');
        my $before = memory();
        cmp_ok($before, '>', 4096, 'the children are seen');
        my $most   = $before;
        while (waitpid($pid, POSIX::WNOHANG()) == 0) {
            my $now = memory();
            $most = $now if $now > $most;
            sleep 0.02;
        }
        is($? >> 8, 0, "$query is read to its end");
        cmp_ok($most - $before, '<=', 2048 + ($query =~ /csv|json$|meta/ ? 1024 : 0), '... within 2 MiB or so');
    }
};

# --- Clients ----------------------------------------------------------------------

# A connection that has asked for PATH and reads nothing; HELD: the request
# leaves with the end of the connection, when that is closed.
sub ask {
    my ($path, $held) = @_;
    my $socket = IO::Socket::INET->new(Proto => 'tcp') or die "socket: $!\n";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 65536;
    connect $socket, Socket::pack_sockaddr_in($stack->httpd->{port}, Socket::INADDR_LOOPBACK())
      or die "connect: $!\n";
    setsockopt $socket, Socket::IPPROTO_TCP(), Socket::TCP_CORK(), 1 if $held;
    print {$socket} "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer "
      . "$token\r\n\r\n";
    $socket->flush;
    return $socket;
}

# The line of the access log with MARK: (status, bytes, microseconds).
sub line_of {
    my ($mark) = @_;
    return (slurp($log) // '') =~ /\Q$mark\E\S* HTTP\S+ (\d+) (\d+) (\d+)$/m;
}

subtest 'a client that leaves frees everything within a second' => sub {
    for my $format (qw(ndjson json csv)) {
        my $mark   = "format=$format&as_of=2030-01-0" . length $format;
        my $socket = ask("$URL&$mark");
        read $socket, my $some, 500_000;
        like($some, qr/^HTTP\/1.1 200/, "$format began");
        close $socket;
        my $gone = DataLake::Stopwatch->new;
        wait_until("the request for $format ends", sub { line_of($mark) }, 60);
        cmp_ok($gone->seconds, '<', 1, 'and ended with its client');
        cmp_ok((line_of($mark))[1], '<', 20_000_000, '... far from the end');
    }
    my ($all) = sort { $a <=> $b } map { my $n = "2031-01-0$_"; body("&format=csv&as_of=$n");
        wait_until('it ends', sub { line_of($n) }, 60); (line_of($n))[2] } 1 .. 2;
    my $socket = ask("$URL&format=csv&as_of=2032-01-01");
    close $socket;
    wait_until('the request ends', sub { line_of('2032-01-01') }, 60);
    cmp_ok((line_of('2032-01-01'))[2], '<', $all / 3, 'also before a byte is sent: while columns are looked for');
};

# Bytes that the children have read, wherever these lay.
sub read_bytes {
    my $sum = 0;
    $sum += (slurp("/proc/$_/io") // '') =~ /^rchar: (\d+)/m ? $1 : 0
      for children_of($stack->httpd->{process}{pid});
    return $sum;
}

subtest 'a search for a client that is gone reads a megabyte more at most' => sub {
    my $size = length stored('transaction_log');
    my $n    = 100;
    for my $path ('/api/fulltext_search/zugzwangxq?limit=', '/api/search/?q=zugzwangxq&dataset=transaction_log&limit=') {
        my $before = read_bytes();
        is($alice->get($path . ++$n)->{status}, 200, "$path: who waits is answered");
        cmp_ok(read_bytes() - $before, '>=', $size, '... from all lines');
        for (1 .. 5) {
            my $mark = 'limit=' . ++$n;
            $before = read_bytes();
            close ask($path . $n, 1);
            wait_until('the request ends', sub { line_of($mark) }, 60);
            my $read = read_bytes() - $before;
            ok($read > 0 && $read <= 1_048_576, "who is gone costs $read bytes");
        }
    }
};

subtest 'who reads is waited for, who does not is cut off' => sub {
    # A client that is stopped for longer than Timeout does not read.
    my ($day, $socket, $got, $goes_on, $took) = 0;
    undisturbed(sub {
        my $mark = sprintf '2033-01-%02d', ++$day;
        $socket = ask("$URL&format=ndjson&as_of=$mark");
        my $began = time;
        $got = 0;
        while (time - $began < 2.5 * $TIMEOUT) {
            $got += sysread($socket, my $some, 262_144) // 0;
            sleep 0.1;
        }
        $goes_on = !line_of($mark);
        my $stop = DataLake::Stopwatch->new;
        wait_until('it is cut', sub { line_of($mark) }, 3 * $TIMEOUT + 5);
        $took = $stop->seconds;
    });
    cmp_ok($got, '>', 2_000_000, "a slow one still reads after more than Timeout ($TIMEOUT s)");
    ok($goes_on, '... and its request goes on');
    ok($took > $TIMEOUT - 1.5 && $took < $TIMEOUT + 2.5, sprintf 'then it stops, and is cut after %.1f s', $took);
    1 while sysread $socket, my $rest, 1_000_000;
    close $socket;
    is($alice->get("$URL&dataset=odd")->{status}, 200, 'others go on');
};

subtest 'long answers take at most half of the threads' => sub {
    # 4 children of 25 threads (conf/httpd/stack.conf).  Who asks whether all
    # places are taken may hold the last one itself; then one more is sent.
    my $stall   = "$URL&format=ndjson&as_of=2034-01-01";
    my @stalled = map { ask($stall) } 1 .. 50;
    wait_until('all of them began', sub {
        return 1 if $alice->get("$URL&format=ndjson")->{status} == 503;
        push @stalled, ask($stall);
        return 0;
    }, $TIMEOUT);
    my $refused = $stack->client('alice')->get("$URL&format=ndjson");
    is($refused->{status}, 503, 'one more is 503');
    is($refused->{json}{type}, '/problems/overloaded', 'overloaded');
    like($refused->{headers}{'retry-after'}, qr/^\d+$/, 'to be tried again');
    my $slowest = 0;
    for (1 .. 20) {
        my $watch = DataLake::Stopwatch->new;
        is($alice->get('/api/resources/?limit=1')->{status}, 200, 'short answers go on') if $_ == 1;
        $alice->get("$URL&dataset=odd&version=1") if $_ == 2;
        $alice->get('/api/resources/?limit=1');
        my $took = $watch->seconds;
        $slowest = $took if $took > $slowest;
    }
    cmp_ok($slowest, '<', 1, sprintf '... at once (%.3f s)', $slowest);
    is($alice->head("$URL&format=ndjson")->{status}, 200, 'HEAD takes no place');
    close $_ for @stalled;
    wait_until('places are free', sub { $alice->get("$URL&format=ndjson&version=1")->{status} == 200 }, 60);
    pass('and they are free when their clients are gone');
};

# Put BYTES at AT of FILE, in place: the children have it open.
sub overwrite {
    my ($file, $at, $bytes) = @_;
    open my $out, '+<:raw', $file or die "$file: $!\n";
    seek $out, $at, 0;
    print {$out} $bytes;
    close $out or die "$file: $!\n";
    return;
}

subtest 'what a disk has spoilt is not sent' => sub {
    my ($file) = glob "$lake/odd/dt=2026-05-01/*.002.json";
    my $data   = slurp($file);
    overwrite($file, 100, "\x01");
    my $spoilt = slurp($file);
    for my $format (qw(ndjson json csv)) {
        my $socket = ask("$URL&dataset=odd&format=$format");
        my $answer = do { local $/; <$socket> };
        my ($head, $body) = split /\r\n\r\n/, $answer, 2;
        if ($format eq 'csv') {
            like($head, qr/^HTTP\/1.1 503/, 'CSV, which looks at all of it first, is 503');
            next;
        }
        my ($length) = $head =~ /^Content-Length: (\d+)/mi;
        cmp_ok(length $body, '<', $length, "$format ends before its length is reached");
        ok(index($body, substr $spoilt, 90, 20) < 0, '... before the spoilt line');
    }
    overwrite($file, 0, $data);
    my ($first) = glob "$lake/odd/dt=2026-05-01/*.001.json";
    my $whole = slurp($first);
    for my $at (100, 60_000, 70_000) {
        overwrite($first, $at, "\x01");
        is($alice->get("$URL&dataset=odd&format=$_")->{status}, 503, "$_: damage at byte $at is 503")
          for qw(ndjson json csv);
        overwrite($first, 0, $whole);
    }
};

# --- Other ways out ----------------------------------------------------------------

subtest 'by sendfile the bytes are the same' => sub {
    $stack->httpd->{server} .= "EnableSendfile On\n";
    $stack->httpd->reload;
    my $client = $stack->client('alice', plain => 1);
    ok($client->get("$URL&format=ndjson")->{body} eq stored('transaction_log'), 'lines');
    is($client->get("$URL&dataset=odd&format=ndjson")->{body}, stored('odd'), 'of a small day too');
};

subtest 'the audit log tells how much was sent' => sub {
    my $want = length stored('transaction_log');
    my @seen;
    wait_until('it is written', sub {
        @seen = grep { ($_->{query_params} // '') eq '{"date":"2026-05-01","format":"ndjson"}' && $_->{status} == 200
              && $_->{bytes} } DataLake::AuditLog->new(dir => $stack->audit_dir,
            key => slurp("$stack->{dir}/secrets/audit.key") =~ s/\n\z//r)->read->entries;
        return @seen >= 2;
    }, 60);
    is($seen[-1]{bytes}, $want, 'all of it');
};

done_testing;
