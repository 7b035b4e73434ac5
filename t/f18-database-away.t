# f18-database-away.t - the database dies, sleeps, refuses or swallows: its
# routes answer 503 in time, the lake goes on, and afterwards the warehouse
# has every record once.
#
# Seconds of each fault: DL_F18_SECONDS (6).  Times are printed, not judged.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::FaultProxy;
use DataLake::Figure qw(figure run_number);
use DataLake::Ledger qw(no_faults total);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use Time::HiRes qw(sleep time);

my $TOPIC   = 'transaction_log';
my $SECONDS = $ENV{DL_F18_SECONDS} // 6;
my $ledger  = DataLake::Ledger->new(run => hex run_number(), bad => 0, resend => 0);
my @placed;

my ($stack, $proxy, $client);

# Produce COUNT messages and note where they went.
sub feed {
    my ($count) = @_;
    push @placed,
      $stack->kafka->produce($TOPIC, [ $ledger->generate($count) ]);
    return;
}

sub rows_in_table {
    return $stack->mariadb->value('SELECT COUNT(*) FROM transaction_record');
}

# Records of the lake: lines that lake_dump shows.
sub records_in_lake {
    my @lines = grep { /^R/ }
      qx($stack->{top}/build/tools/lake_dump $stack->{dir}/lake $TOPIC);
    return scalar @lines;
}

# GET PATH; no answer is one of status 0 that says why.
sub ask {
    my ($path) = @_;
    my $answer = eval { $client->get($path) };
    return $answer if $answer;
    my $why = $@;
    $client->close;
    return { status => 0, headers => {}, json => { type => "none: $why" } };
}

# Ask PATH again and again for SECONDS; [status, type, seconds] of each.
sub probe {
    my ($path, $seconds) = @_;
    my @answers;
    my $end = time + $seconds;
    while (time < $end) {
        my $begin  = time;
        my $answer = ask($path);
        my $type =
          ref $answer->{json} eq 'HASH' ? $answer->{json}{type} : undef;
        push @answers,
          [ $answer->{status}, $type // '', time - $begin,
            $answer->{headers}{'retry-after'} ];
        sleep 0.02;
    }
    return @answers;
}

# The P-th hundredth of the times of ANSWERS in milliseconds.
sub percentile {
    my ($p, @answers) = @_;
    my @times = sort { $a <=> $b } map { $_->[2] } @answers;
    return 1000 * $times[ int $p / 100 * $#times ];
}

# A path whose answer is in no cache.
my $unique = 0;

sub metric_path {
    return '/api/metrics/top-products/?x=' . (1 + $unique++ % 1000);
}

# Those of ANSWERS that are not 503 warehouse-unavailable with Retry-After.
sub not_refused {
    return grep { $_->[0] != 503 || $_->[1] !~ m{/warehouse-unavailable$}
          || !$_->[3] } @_;
}

# While NAME holds: database routes are 503, lake routes and health answer,
# the lake takes records.
sub while_away {
    my ($name, $day) = @_;
    my $before = records_in_lake();
    feed(500);
    my (@database, @lake);
    my $end = time + $SECONDS;
    while (time < $end) {
        push @database, probe(metric_path(), 0.05);
        push @lake, probe("/api/audit/version/?date=$day", 0.05);
        push @lake, probe('/api/v1/health/',               0.05);
    }
    my @late  = @database[ 5 .. $#database ];
    is(scalar(not_refused(@late)), 0,
        "$name: database routes are 503 warehouse-unavailable with Retry-After")
      or diag explain [ grep { $_->[0] != 503 } @late ];
    is(scalar(grep { $_->[0] != 200 } @lake),
        0, "$name: lake routes and health answer 200")
      or diag explain [ grep { $_->[0] != 200 } @lake ];
    wait_until(
        'the lake takes records while the database is away',
        sub { records_in_lake() >= $before + 500 }, 60);
    pass("$name: the lake goes on");
    diag sprintf '%s: database routes p50 %.1f p99 %.1f ms, lake p99 %.1f ms',
      $name, percentile(50, @late), percentile(99, @database),
      percentile(99, @lake);
    return;
}

# Afterwards the warehouse catches up by itself.
sub comes_back {
    my ($name) = @_;
    my $begin = time;
    wait_until(
        'the warehouse catches up',
        sub { rows_in_table() >= @placed }, 40);
    diag sprintf '%s: caught up %.1f s after the end', $name, time - $begin;
    wait_until('the database routes answer again',
        sub { ask(metric_path())->{status} == 200 }, 60);
    pass("$name: routes and loader come back");
    return;
}

# The checker: what must be noticed among answers and rows.
if (@ARGV && $ARGV[0] eq '--self-test') {
    my $good = [ 503, '/problems/warehouse-unavailable', 0.001, 5 ];
    is(scalar(not_refused($good)), 0, 'a proper refusal is one');
    is(scalar(not_refused([ 200, '', 0.001 ], $good)), 1,
        'a 200 without a database is reported');
    is(scalar(not_refused([ @$good[ 0 .. 2 ] ])), 1,
        'a missing Retry-After is reported');
    is(scalar(not_refused([ 503, '/problems/overloaded', 0.001, 5 ])), 1,
        'another problem type is reported');
    is(scalar(not_refused([ 500, @$good[ 1 .. 3 ] ])), 1,
        'a 500 is reported');
    done_testing;
    exit 0;
}

$stack = DataLake::Stack->new(
    name    => 'f18',
    kafka   => 1,
    mariadb => 1,
    later   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
);
$stack->start_kafka;
$stack->start_mariadb;
$proxy = DataLake::FaultProxy->new(
    to  => $stack->mariadb->{port},
    dir => $stack->{dir}
);
$stack->{ini} = { warehouse => { port => $proxy->port } };
$stack->write_ini;
$stack->set_up;
$stack->start_daemon($_) for qw(datalake-lake datalake-warehouse);
$stack->start_httpd;
$client = $stack->client('alice');

feed(500);
wait_until('the first rows', sub { rows_in_table() >= 500 }, 60);
wait_until('the first records', sub { records_in_lake() >= 500 }, 60);
my ($message) = @{ $ledger->{messages} };
my $day = $message->{day};
is($client->get(metric_path())->{status}, 200, 'all is well at first');
is($client->get("/api/audit/version/?date=$day")->{status},
    200, 'the lake answers at first');

my @faults = (
    [ 'kill -9', sub { $stack->mariadb->kill_now }, sub { $stack->mariadb->start } ],
    [
        'SIGSTOP',
        sub { $stack->mariadb->{process}->signal('STOP') },
        sub { $stack->mariadb->{process}->signal('CONT') }
    ],
    [ 'refused', sub { $proxy->mode('refuse') }, sub { $proxy->mode('pass') } ],
    [ 'black hole', sub { $proxy->mode('hole') }, sub { $proxy->mode('pass') } ],
);
for my $fault (@faults) {
    my ($name, $begin, $end) = @$fault;
    $begin->();
    while_away($name, $day);
    $end->();
    comes_back($name);
}

$ledger->placed(\@placed);
my $table = $ledger->check_table(
    [ $stack->mariadb->rows(
        'SELECT transaction_id, amount, currency, src_partition, src_offset'
          . ' FROM transaction_record') ]
);
is_deeply($table, no_faults(), 'every record is in the table once');
ok(
    figure(
        'F18',
        [ map({ $_ => $table->{$_} } qw(lost dup wrong)), faults => scalar @faults ],
        total($table) == 0 && Test::More->builder->is_passing
    ),
    'the goal is met'
);
$proxy->stop;
done_testing;
