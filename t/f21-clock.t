# f21-clock.t - wrong and jumping clocks: records lie on the day of their
# event, whatever the clock of the daemon; tokens get their leeway and no
# more; the last five minutes never go below zero.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use POSIX qw(mktime strftime);

my $TOPIC = 'transaction_log';
my ($FAKETIME) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';
my $violations = 0;
my $stack;

# Count a failed test.
sub check {
    my ($good, $name) = @_;
    $violations++ if !$good;
    return ok($good, $name);
}

# The environment that moves a program's clock by OFFSET ("+3600s").  What a
# sanitizer needs is loaded before.
sub clock {
    my ($offset) = @_;
    return {
        LD_PRELOAD          => join(' ', $ENV{DL_PRELOAD} // (), $FAKETIME),
        FAKETIME            => $offset,
        DONT_FAKE_MONOTONIC => 1,
    };
}

# --- Days ----------------------------------------------------------------------

# Each: what it is, timestamp member, Kafka time (UTC), day expected.
my @EDGES = (
    [ 'the last second of 32 bits', '"2038-01-19T03:14:07Z"', '2038-01-19 03:14:07', '2038-01-19' ],
    [ 'the second after it', '2147483648', '2038-01-19 03:14:08', '2038-01-19' ],
    [ 'a leap day', '"2024-02-29T23:59:59.999999Z"', '2024-03-01 00:00:00', '2024-02-29' ],
    [ 'a leap second', '"2016-12-31T23:59:60Z"', '2017-01-01 00:00:00', '2017-01-01' ],
    [ 'summer time begins', '"2026-03-29T02:30:00+01:00"', '2026-03-29 01:30:00', '2026-03-29' ],
    [ 'summer time ends', '"2026-10-25T00:30:00+02:00"', '2026-10-24 22:30:00', '2026-10-24' ],
    [ 'an offset over midnight', '"2026-05-18T23:30:00-02:00"', '2026-05-19 01:30:00', '2026-05-19' ],
    [ 'the first second', '0', '1970-01-01 00:00:01', '1970-01-01' ],
    [ 'no event time', undef, '2025-07-01 12:00:00', '2025-07-01' ],
);

# The checker: our idea of the days, and a record on a wrong one.
if (@ARGV && $ARGV[0] eq '--self-test') {
    for my $edge (grep { defined $_->[1] && $_->[1] !~ /^"/ } @EDGES) {
        my ($name, $time, undef, $day) = @$edge;
        is(strftime('%Y-%m-%d', gmtime $time), $day, "$name is on $day");
    }
    is(milliseconds('2038-01-19 03:14:08'), 2147483648000,
        'our own calendar passes 2038');
    is(scalar(misplaced({ map { ("E1-$_" => $EDGES[$_][3]) } 0 .. $#EDGES }, 1)),
        0, 'days as expected are no violation');
    my %moved = map { ("E1-$_" => $EDGES[$_][3]) } 0 .. $#EDGES;
    $moved{'E1-2'} = '2024-03-01';
    delete $moved{'E1-4'};
    is_deeply([ misplaced(\%moved, 1) ], [ 2, 4 ],
        'a record on the next day and a lost one are reported');
    done_testing;
    exit 0;
}

# The edges of ROUND that are not on their day in DAYS.
sub misplaced {
    my ($days, $round) = @_;
    return grep { ($days->{"E$round-$_"} // 'none') ne $EDGES[$_][3] }
      0 .. $#EDGES;
}

# Milliseconds since 1970 of "YYYY-MM-DD hh:mm:ss" in UTC.
sub milliseconds {
    my ($year, $month, $day, $hour, $minute, $second) = $_[0] =~ /(\d+)/g;
    local $ENV{TZ} = 'UTC';
    POSIX::tzset();
    return 1000 * mktime($second, $minute, $hour, $day, $month - 1,
        $year - 1900);
}

# Days of the records of the lake by transaction_id.
sub days_by_id {
    my %day;
    for my $file (glob "$stack->{dir}/lake/$TOPIC/dt=*/*.json") {
        my ($day) = $file =~ /dt=([\d-]+)/;
        open my $in, '<', $file or die "$file: $!\n";
        while (<$in>) {
            $day{$1} = $day if /"transaction_id":"([^"]+)"/;
        }
    }
    return \%day;
}

$stack = DataLake::Stack->new(
    name    => 'f21',
    kafka   => { 'log.message.timestamp.after.max.ms' => 9223372036854775807 },
    mariadb => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
);
$stack->{ini} = { kafka => { brokers => "file:$stack->{dir}/source" } };
$stack->write_ini;

# The daemon reads a file here: librdkafka does not start under a moved clock.
my $source = "$stack->{dir}/source";
my $round  = 0;
for my $offset ('+0', '-3600s', '+3600s', '+400000000s') {
    open my $out, '>>', $source or die "$source: $!\n";
    for my $i (0 .. $#EDGES) {
        my ($name, $time, $kafka) = @{ $EDGES[$i] };
        my $member = defined $time ? ",\"timestamp\":$time" : '';
        printf $out "0 %d %d E\t{\"transaction_id\":\"E%d-%d\"%s}\n",
          $round * @EDGES + $i, milliseconds($kafka), $round + 1, $i, $member;
    }
    close $out or die "$source: $!\n";
    $round++;
    my $lake = $stack->start_daemon(
        'datalake-lake', environment => clock($offset));
    my $days;
    wait_until(
        'all edges are sealed',
        sub {
            $stack->try_ctl('seal', $TOPIC);
            $days = days_by_id();
            return keys %$days >= $round * @EDGES;
        },
        60
    );
    my %wrong = map { $_ => 1 } misplaced($days, $round);
    for my $i (0 .. $#EDGES) {
        my ($name, undef, undef, $want) = @{ $EDGES[$i] };
        check(!$wrong{$i}, "clock $offset: $name lies on $want")
          or diag 'got ' . ($days->{"E$round-$i"} // 'none');
    }
    $lake->stop;
}

# --- Tokens --------------------------------------------------------------------

$stack->{ini} = {};
$stack->write_ini;
$stack->start_daemon('datalake-warehouse');
my $token = $stack->token('alice');
my ($long) = $stack->ctl('token', 'alice', '--ttl', 7200) =~ /^(\S+)\s*$/m;

# The answer of PATH by a server whose clock is off by OFFSET.
sub ask {
    my ($offset, $path, $with) = @_;
    my $server = DataLake::Httpd->new(
        $stack->place("apache2$offset"),
        ini        => $stack->ini_file,
        directives => $stack->directives,
        # Its module is that of the plain build: httpd hangs at its start with
        # a sanitizer and this clock.
        environment => { %{ clock($offset) }, LD_PRELOAD => $FAKETIME },
    );
    $server->start;
    my $answer;
    # 503: it has no connection to the database yet
    wait_until("$path is answered",
        sub { ($answer = $server->client(token => $with)->get($path))->{status} != 503 }, 60);
    $server->stop;
    return $answer;
}

my @CLOCKS = (
    [ '-20s',   200, 'issued 20 s in the future: inside the leeway' ],
    [ '-3600s', 401, 'issued an hour in the future' ],
    [ '+1740s', 200, 'a minute before the end' ],
    [ '+1805s', 401, '5 s after the end: exp has no leeway' ],
    [ '+1900s', 401, 'after the end' ],
);
for my $case (@CLOCKS) {
    my ($offset, $status, $name) = @$case;
    my $got = ask($offset, '/api/resources/', $token)->{status};
    check($got == $status, "a token $name: $status") or diag "got $got";
}

# --- The last five minutes -----------------------------------------------------

$stack->kafka->produce(
    $TOPIC,
    [
        map {
            {
                value => sprintf '{"transaction_id":"L%d","amount":10.00,'
                  . '"currency":"EUR","status":"completed",'
                  . '"transaction_type":"purchase","timestamp":%d}',
                $_, time - 2 + 3600 * ($_ - 1)
            }
        } 0 .. 2
    ]
);
wait_until(
    'the rows are there',
    sub {
        $stack->mariadb->value('SELECT COUNT(*) FROM transaction_record'
              . " WHERE transaction_id LIKE 'L%'") == 3;
    },
    60
);
for my $offset ('+0s', '+3660s') {
    my $answer = ask($offset, '/api/metrics/last-5min/', $long)->{json};
    check($answer->{total_transactions} == 1,
        "clock $offset: the last five minutes hold one record")
      or diag explain $answer;
    check($answer->{total_amount} >= 0, "clock $offset: no negative total");
}

ok(
    figure('F21',
        [ violations => $violations, cases => 4 * @EDGES + @CLOCKS + 4 ],
        $violations == 0),
    'the goal is met'
);
done_testing;
