# 77-outbox.t - records come and rows are changed while the relay, httpd, the
# loader, the lake's writer, the broker and the database are killed: each
# change that was answered is one event in the lake, in the order of the ids,
# and a warehouse made of the lake has the rows that there were.
#
# Q: 10 kills; S (DL_SIZE=S): 50.  DL_RUN repeats the random choices.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure run_number);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use JSON::PP;
use List::Util qw(shuffle);
use POSIX qw(_exit);
use Time::HiRes qw(sleep time);

my $big    = ($ENV{DL_SIZE} // 'Q') eq 'S';
my @PLAN   = (
    ('datalake-jobs') x ($big ? 22 : 5), ('httpd') x ($big ? 8 : 1),
    ('datalake-warehouse') x ($big ? 8 : 1), ('datalake-lake') x ($big ? 6 : 1),
    ('broker') x ($big ? 3 : 1), ('mariadb') x ($big ? 3 : 1)
);
my $RATE    = 60;    # records a second of each topic
my $WRITERS = 3;
my $PAYMENTS = 30;    # fewer than clients have together: they move
my %DATASET = (logs => 'network_logs', social => 'social_posts', transactions => 'transactions');
my @TOPICS  = ('clients', values %DATASET);
my @TABLES  = qw(network_log social_post social_comment client_transaction client);
my $json    = JSON::PP->new->canonical->utf8;

# --- What is compared -----------------------------------------------------------

# Faults of EVENTS (of one topic: [partition, change id, request id] in order of
# the lake) against ANSWERED (request ids that were 200) and MADE (those that the
# outbox has): lost, twice, strange, and out of order.
sub event_faults {
    my ($events, $answered, $made) = @_;
    my %fault = (lost => 0, twice => 0, strange => 0, reordered => 0);
    my (%seen, %last);
    for my $event (@$events) {
        my ($partition, $id, $request) = @$event;
        $fault{twice}++     if $seen{$request}++;
        $fault{strange}++   if !$made->{$request};
        $fault{reordered}++ if $id <= ($last{$partition} // 0);
        $last{$partition} = $id;
    }
    $fault{lost} += grep { !$seen{$_} } keys %{ { %$answered, %$made } };
    return \%fault;
}

sub self_test {
    my %right = map { ($_ => 1) } qw(a b c);
    my @events = ([ 0, 1, 'a' ], [ 1, 2, 'b' ], [ 0, 3, 'c' ]);
    my $sum = sub { my $f = event_faults(@_); my $n = 0; $n += $_ for values %$f; return $n; };
    is($sum->(\@events, \%right, \%right), 0, 'a right lake is right');
    is($sum->([ @events[ 0, 1 ] ], \%right, \%right), 1, 'a lost event is found');
    is(event_faults([ @events, [ 1, 4, 'a' ] ], \%right, \%right)->{twice}, 1, 'one that is there twice');
    is(event_faults([ @events, [ 1, 4, 'd' ] ], \%right, \%right)->{strange}, 1, 'one of no change');
    is(event_faults([ @events[ 2, 1, 0 ] ], \%right, \%right)->{reordered}, 1, 'two that changed places');
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing();
    exit;
}

srand hex run_number();
diag 'DL_RUN=' . run_number();
my $stack = DataLake::Stack->new(
    name    => '77-outbox',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
);
my $db = $stack->mariadb;

# --- Records --------------------------------------------------------------------

# A random value of TOPIC and its key; keys are few, so that records meet
# changes, equal lines come again, and payments move from client to client.
sub value {
    my ($topic) = @_;
    my $key = int rand 12;
    my $second = int rand 60;
    return ("192.0.2.$key", {
            IP_Address => "192.0.2.$key", Date => '20/Jan/2023', Time => sprintf('11:37:%02d', $second), Method => 'GET',
            URL => '/', HTTP_Version => 'HTTP/1.1', Status_Code => '200', Response_Size => '512'
    }) if $topic eq 'network_logs';
    return ("p$key", {
            post_id => "p$key", user => { user_id => 'u1', name => 'Ada', followers => $second }, content => "at $second",
            timestamp => '2023-01-20T11:37:58Z', likes => $second,
            comments => [ map { { comment_id => "c$_", user => 'Bob', text => "$second" } } 0 .. int rand 3 ]
    }) if $topic eq 'social_posts';
    return ($key, { client_id => $key, nom => "N$second" }) if $topic eq 'clients';
    return ($key, {
            transaction_id => int rand $PAYMENTS, client_id => $key, montant => $second + 0.5,
            date_transaction => sprintf('2023-01-20 11:37:%02d', $second)
    });
}

# Produce RATE records a second to TOPIC for SECONDS, whose times go back and
# forth, so that some are older than what they meet; the handle to wait for.
sub produce_slowly {
    my ($topic, $seconds) = @_;
    my $file = "$stack->{dir}/messages-$topic";
    my $now  = int time;
    open my $out, '>:raw', $file or die "$file: $!\n";
    for (1 .. $RATE * $seconds) {
        my ($key, $value) = value($topic);
        print $out join("\t", '-', 1000 * ($now - int rand 600), $key, '-',
            DataLake::Kafka::escaped($json->encode($value))), "\n";
    }
    close $out or die $!;
    open my $in, '-|', "$stack->{top}/build/tools/kproduce", '-o', '-r', $RATE, $stack->kafka->brokers, $topic, $file
      or die "kproduce: $!\n";
    return $in;
}

# --- Changes --------------------------------------------------------------------

sub change {
    my $what   = (keys %DATASET)[ int rand 3 ];
    my $key    = int rand 12;
    my $delete = rand() < 0.25;
    my $n      = int rand 1000;
    return ('PUT', "/v1/logs/192.0.2.$key", [ { Status_Code => 100 + $n % 400 }, { Date => '21/Jan/2023', Method => "M$n" }, { Time => '00:00:01' } ]->[ $n % 3 ], $what)
      if $what eq 'logs' && !$delete;
    return ('DELETE', "/v1/logs/192.0.2.$key", undef, $what) if $what eq 'logs';
    return ('PUT', "/v1/social/p$key", [ { likes => $n }, { user => { name => "U$n" } }, { comments => [ { comment_id => "n$n", text => 'x' } ] } ]->[ $n % 3 ], $what)
      if $what eq 'social' && !$delete;
    return ('DELETE', "/v1/social/p$key", undef, $what) if $what eq 'social';
    return ('PUT', "/v1/transactions/$key", [ { montant => $n }, { nom => "C$n" }, { montant => $n, email => "e$n" } ]->[ $n % 3 ], $what) if !$delete;
    return ('DELETE', "/v1/transactions/$key" . ($n % 2 ? '' : "?transaction_id=" . $n % $PAYMENTS), undef, $what);
}

# Change rows until the file STOP is there; a line "TOPIC STATUS REQUEST" for
# each request goes to FILE.
sub write_rows {
    my ($number, $file, $stop) = @_;
    srand hex(run_number()) + $number;
    my $client = $stack->client('admin');
    open my $out, '>', $file or _exit(1);
    while (!-e $stop) {
        my ($method, $path, $body, $what) = change();
        my $told = eval { $client->request($method, $path, $body ? (body => $body) : (), headers => [ Connection => 'close' ]) };
        $client->close;
        printf $out "%s %s %s\n", $what, $told ? @{$told}{'status'} : '-', $told ? $told->{headers}{'x-request-id'} // '-' : '-';
        sleep($told && $told->{status} < 500 ? 0.01 : 0.1);
    }
    close $out;
    _exit(0);
}

# --- Kills ----------------------------------------------------------------------

sub kill_and_start {
    my ($what) = @_;
    if ($what eq 'mariadb' || $what eq 'broker') {
        my $server = $what eq 'mariadb' ? $stack->mariadb : $stack->kafka;
        $server->kill_now;
        sleep rand 0.5;
        $server->start;
    }
    elsif ($what eq 'httpd') {
        $stack->httpd->{process}->kill_now;
        $stack->httpd->start;
    }
    else {
        $stack->daemon($what)->kill_now;
        $stack->start_daemon($what, wait => 0);
    }
    return;
}

# Tables whose number of rows is not the one that is kept with them.
sub miscounted {
    my %kept = map { @$_ } $db->rows('SELECT name, SUM(n) FROM row_count GROUP BY name HAVING SUM(slot = -1) = 1');
    return grep { ($kept{$_} // 'none') ne $db->value("SELECT COUNT(*) FROM $_") }
      grep { !/comment/ } @TABLES;
}

sub everything {
    return { map { my $t = $_; ($t => [ sort map { join "\t", map { $_ // 'NULL' } @$_ } $db->rows("SELECT * FROM $t") ]) } @TABLES };
}

# [partition, change id, request id] of the events of DATASET, as the lake has
# them.
sub events {
    my ($dataset) = @_;
    my (@found, $partition);
    open my $in, '-|', "$stack->{top}/build/tools/lake_dump", "$stack->{dir}/lake", $dataset, 'notes' or die "lake_dump: $!\n";
    while (my $line = <$in>) {
        $partition = (split /\t/, $line)[4] if $line =~ /^R\t/;
        my ($id) = $line =~ /^N\t.*dl-change-id=(\d+)/ or next;
        my ($request) = $line =~ /dl-request-id=(\w+)/;
        push @found, [ $partition, $id, $request, $line ];
    }
    close $in or die "lake_dump failed\n";
    return \@found;
}

my $stop  = "$stack->{dir}/stop";
my $began = time;
my $seconds = 4 + @PLAN * 1.1;
my @feeds = map { produce_slowly($_, int $seconds) } @TOPICS;
$stack->await_loaded($_) for @TOPICS;
# The writers' token is got before the database is killed.
$stack->client('admin');
my @writers;
for my $number (1 .. $WRITERS) {
    my $pid = fork // die "fork: $!\n";
    write_rows($number, "$stack->{dir}/changes.$number", $stop) if !$pid;
    push @writers, $pid;
}
for my $what (shuffle @PLAN) {
    sleep 0.3 + rand 0.7;
    kill_and_start($what);
}
sleep 0.5;
DataLake::Process::spit($stop, '');
waitpid $_, 0 for @writers;
my @lost = grep { !close $_ } map { my $in = $_; () = <$in>; $in } @feeds;
is(scalar @lost, 0, 'every record is with the broker');
diag sprintf '%d kills in %.0f s', scalar @PLAN, time - $began;

my (%answered, %status);
for my $line (map { split /\n/, slurp("$stack->{dir}/changes.$_") } 1 .. $WRITERS) {
    my ($what, $status, $request) = split / /, $line;
    $status{$status}++;
    $answered{$what}{$request} = 1 if $status eq '200';
}
diag join ' ', map { "$_: $status{$_}" } sort keys %status;
cmp_ok($status{200} // 0, '>', 20, 'rows were changed');
is(scalar(grep { !/^(?:200|404|503|-)$/ } keys %status), 0, 'answers are 200, 404, 503 or none');

wait_until('events wait', sub { !$db->value('SELECT COUNT(*) FROM change_outbox WHERE sent_at IS NULL') }, 60);
my (%fault, $n_events);
for my $what (sort keys %DATASET) {
    my %made = map { ($json->decode($_->[0])->{request_id} => 1) }
      $db->rows('SELECT `value` FROM change_outbox WHERE topic = ?', $DATASET{$what});
    my $events;
    eval { wait_until('events are not in the lake', sub { @{ $events = events($DATASET{$what}) } >= keys %made }, 60) };
    my $fault = event_faults($events, $answered{$what} // {}, \%made);
    is_deeply($fault, { lost => 0, twice => 0, strange => 0, reordered => 0 }, "$what: each of " . keys(%made) . ' changes is one event, in order');
    $fault{$_} += $fault->{$_} for keys %$fault;
    $n_events += @$events;
}

# --- The warehouse of the lake ---------------------------------------------------

$stack->await_loaded($_) for @TOPICS;
wait_until('the lake is not complete', sub {
        my $n = 0;
        for my $topic (@TOPICS) { $n += $_->[1] for $stack->kafka->watermarks($topic) }
        my $is = 0;
        for my $topic (@TOPICS) {
            my $told = $stack->client('admin')->get("/api/ingest/reconcile/?topic=$topic")->{json} or return 0;
            for my $p (@{ $told->{partitions} }) { return 0 if $p->{lake_next} < $p->{kafka_high} }
        }
        return 1;
}, 60);
$stack->daemon('datalake-warehouse')->stop;
is(join(' ', miscounted()), '', 'the counts that are kept are those of the rows');
my $before = everything();
my ($status, $said) = $stack->try_ctl('rebuild-warehouse');
is($status, 0, 'datalakectl rebuild-warehouse') or diag $said;
note $said;
is(join(' ', miscounted()), '', '... also of the rows of the lake');
my $after  = everything();
my $differ = 0;
for my $table (@TABLES) {
    my (%rows, @first);
    $rows{$_}++ for @{ $before->{$table} };
    $rows{$_}-- for @{ $after->{$table} };
    @first = grep { $rows{$_} } sort keys %rows;
    $differ += @first;
    is(scalar @first, 0, "$table: the same " . @{ $before->{$table} } . ' rows')
      or diag join "\n", map { ($rows{$_} > 0 ? 'live     ' : 'rebuilt  ') . $_ } @first[ 0 .. ($#first < 5 ? $#first : 5) ];
}
figure('F01-changes', [ kills => scalar @PLAN, changes => $status{200}, events => $n_events, map({ $_ => $fault{$_} } sort keys %fault), differ => $differ ],
    $differ == 0 && !grep { $_ } values %fault);
done_testing();
