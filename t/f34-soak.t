# f34-soak.t - everything at once: daemons, database and broker killed and
# stopped, the lake's volume filled, httpd restarted gracefully, in random
# order while messages flow and the lake is read.
#
# Seconds of faults: DL_F34_SECONDS (60; DL_SIZE=S: 8 hours); which of them:
# DL_F34_FAULTS, a regular expression.  DL_RUN repeats a run.  --self-test: the judge of answers finds what is wrong.
# Messages a second: DL_F34_RATE (500; DL_SIZE=S: 100, since the judge keeps
# about 1 KB of each in memory).  Needs root for a volume of its own: a tmpfs of
# 256 MiB, and 1 KB more for each message.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Ledger qw(lake_dump no_faults total);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use POSIX ();
use Time::HiRes qw(sleep time);

my $TOPIC   = 'transaction_log';
my $SECONDS = $ENV{DL_F34_SECONDS} // (full_size() ? 8 * 3600 : 60);
my $RATE    = $ENV{DL_F34_RATE}    // (full_size() ? 100 : 500);
my $MIB     = 256 + int($SECONDS * $RATE / 1024);

# --- The judge -------------------------------------------------------------------

# Of ANSWERS [status, seconds]: how many, how many of them are no answer of a
# server that is there, and the medians of the first and the last third, ms.
sub judge_answers {
    my (@answers) = @_;
    my $bad   = grep { $_->[0] !~ /^(?:200|304)$/ } @answers;
    my $third = int @answers / 3;
    my @median = map {
        my @times = sort { $a <=> $b } map { $_->[1] } @$_;
        1000 * ($times[ @times / 2 ] // 0);
    } [ @answers[ 0 .. $third - 1 ] ], [ @answers[ -$third .. -1 ] ];
    return (scalar @answers, $bad, @median);
}

sub self_test {
    my @good = map { [ 200, 0.002 ] } 1 .. 999;
    is((judge_answers(@good))[1], 0, 'answers of 200 are good');
    is((judge_answers(@good, [ $_, 1 ]))[1], 1, "planted: one of $_ is found")
      for 500, 503, 'closed', '';
    my (undef, undef, $first, $last) = judge_answers(@good, map { [ 200, 0.2 ] } 1 .. 999);
    cmp_ok($last, '>', 10 * $first, 'planted: answers that take longer and longer are found');
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit;
}
plan skip_all => 'mounting a small volume needs root' if $> != 0;

# --- The stack -------------------------------------------------------------------

my @DAEMONS = qw(datalake-lake datalake-warehouse datalake-jobs);
my $stack = DataLake::Stack->new(
    name    => 'f34',
    kafka   => 1,
    mariadb => 1,
    later   => 1,
    users   => { alice => 'user' },
    grants  => { alice => [$TOPIC] },
    ini     => { lake => { seal_age => '5s' } },
);
my $volume = "$stack->{dir}/lake";
my $group  = getgrnam('www-data') // die "no group www-data\n";
my $owner  = $$;
system('mount', '-t', 'tmpfs', '-o', "size=${MIB}m,mode=2750,gid=$group", 'tmpfs', $volume) == 0
  or die "cannot mount a tmpfs\n";
END { system("umount -l '$volume' 2>/dev/null") if defined $volume && $$ == ($owner // 0); }
$stack->start_all;
$stack->start_daemon($_) for @DAEMONS;
$stack->start_httpd;

# --- What goes on ------------------------------------------------------------------

my $ledger   = DataLake::Ledger->new(run => hex run_number());
my @messages = $ledger->generate($RATE * $SECONDS);

# Produce all messages at the rate; returns the handle that prints places.
sub produce_slowly {
    my $file = "$stack->{dir}/messages";
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out join("\t", @$_{qw(partition timestamp)},
        DataLake::Kafka::escaped($_->{key}), '-', DataLake::Kafka::escaped($_->{value})), "\n"
      for @messages;
    close $out or die "$file: $!\n";
    delete $_->{value} for @messages;    # the judge has its sum
    open my $in, '-|', "$stack->{top}/build/tools/kproduce", '-o', '-r', $RATE,
      $stack->brokers, $TOPIC, $file
      or die "kproduce: $!\n";
    return $in;
}

sub path_of { return "/api/data/?resource=$TOPIC/$_[0].json&limit=10" }

# A token lives for 30 minutes; so long one is used.
my $TOKEN_S = 600;

# Read PATH again and again until told to end; answers go to a file.
sub start_reader {
    my ($path) = @_;
    my $client = $stack->client('alice');
    my $pid    = fork // die "fork: $!\n";
    return $pid if $pid;
    open my $out, '>', "$stack->{dir}/answers" or POSIX::_exit(1);
    my $end;
    local $SIG{TERM} = sub { $end = 1 };
    my $renew = time + $TOKEN_S;
    until ($end) {
        if (time > $renew && (my $token = eval { $stack->token('alice') })) {
            $stack->{tokens}{alice} = $token;
            $client = $stack->client('alice');
            $renew = time + $TOKEN_S;
        }
        my $begin  = time;
        my $answer = eval { $client->get($path) };
        my $status = $answer ? $answer->{status} : 'closed';
        printf $out "%s %.6f\n", $status, time - $begin;
        $client = $stack->client('alice') unless $answer;
        sleep 0.02;
    }
    close $out;
    POSIX::_exit(0);
}

# Stop the process of SERVER for SECONDS.
sub pause {
    my ($process, $seconds) = @_;
    $process->signal('STOP') or return;
    sleep $seconds;
    $process->signal('CONT');
    return;
}

sub kill_and_start {
    my ($server) = @_;
    $server->kill_now;
    sleep rand 1;
    $server->start;
    return;
}

sub fill_volume {
    system("head -c ${\($MIB + 50)}M /dev/zero > '$volume/_lake/ballast' 2>/dev/null");
    sleep 2;
    unlink "$volume/_lake/ballast" or die "ballast: $!\n";
    return;
}

my %FAULT = (
    (map { my $name = $_; ("kill $name" => sub {
        $stack->daemon($name)->kill_now;
        $stack->start_daemon($name, wait => 0);
    }) } @DAEMONS),
    (map { my $name = $_; ("stop $name" => sub { pause($stack->daemon($name), 1 + rand 2) }) } @DAEMONS),
    'kill database' => sub { kill_and_start($stack->mariadb) },
    'stop database' => sub { pause($stack->mariadb->{process}, 1 + rand 2) },
    'kill broker'   => sub { kill_and_start($stack->kafka) },
    'stop broker'   => sub { pause($stack->kafka->{process}, 1 + rand 2) },
    'full volume'   => \&fill_volume,
    'restart httpd' => sub { $stack->httpd->reload },
);

my $which = $ENV{DL_F34_FAULTS} // '';
delete @FAULT{ grep { !/$which/ } keys %FAULT };

# Descriptors of httpd's parent.
sub descriptors {
    my ($pid) = (slurp("$stack->{dir}/apache2/httpd.pid") // '') =~ /(\d+)/ or return 0;
    return scalar(my @all = glob "/proc/$pid/fd/*");
}

# --- The run ----------------------------------------------------------------------

printf "# DL_RUN=%s\n", run_number();
my $in = produce_slowly();
wait_until('the first record', sub {
    my ($records) = eval { lake_dump($volume, $TOPIC) };
    return $records && @$records > 100;
}, 60);
my $day = (sort map { $_->{day} // () } @messages)[0];
wait_until('the day that is read', sub { $stack->client('alice')->get(path_of($day))->{status} == 200 }, 60);
my $fds    = descriptors();
my $reader = start_reader(path_of($day));
my %done   = map { ($_ => 0) } keys %FAULT;
my $end    = time + $SECONDS;
while (time < $end) {
    my $least = (sort { $done{$a} <=> $done{$b} || rand() <=> 0.5 } keys %done)[0];
    sleep 0.5 + rand 1;
    $FAULT{$least}->();
    $done{$least}++;
}
my $faults = eval { my $n = 0; $n += $_ for values %done; $n };
my $healed = time;
my $client = $stack->client('admin');
wait_until('all is healthy', sub {
    my $answer = eval { $client->get('/api/v1/health/') };
    my $ready  = eval { $client->get('/health/ready') };
    return $answer && $ready && $answer->{json}{status} eq 'healthy' && $ready->{status} == 200;
}, 60);
$healed = time - $healed;
cmp_ok($healed, '<=', 30, sprintf 'healthy %.1f s after the last fault', $healed);
kill 'TERM', $reader;
waitpid $reader, 0;
my ($asked, $bad, $first, $last) = judge_answers(map { [ split ' ' ] } split /\n/, slurp("$stack->{dir}/answers"));
my %wrong;
$wrong{$_}++ for grep { !/^200$/ } map { (split ' ')[0] } split /\n/, slurp("$stack->{dir}/answers");
diag join ', ', map { "$wrong{$_} of $_" } sort keys %wrong if %wrong;
my $available = 100 * ($asked - $bad) / $asked;
cmp_ok($available, '>=', 99.9, "the lake is read: $asked times, $bad without");
cmp_ok(descriptors(), '<=', $fds + 5, "httpd's parent has no more descriptors ($fds)");

my @placed = map { [ split ' ' ] } <$in>;
ok(close $in, 'every message was acknowledged by the broker');
$ledger->placed(\@placed);
wait_until('the lake catches up', sub {
    my ($records, $rejects) = eval { lake_dump($volume, $TOPIC) };
    return $records && @$records + @$rejects >= @messages;
}, 60);
my $p    = 0;
my %high = map { $p++ => $_->[1] } $stack->kafka->watermarks($TOPIC);

# What the warehouse has not read after at most SECONDS.
sub behind {
    my ($seconds) = @_;
    my @behind;
    eval {
        wait_until('the warehouse catches up', sub {
            my %next = map { @$_ } $stack->mariadb->rows(
                q{SELECT `partition`, next_offset FROM sink_offset WHERE sink = 'warehouse' AND topic = ?}, $TOPIC);
            @behind = map { "$_: " . ($next{$_} // 0) . " of $high{$_}" }
              grep { ($next{$_} // 0) < $high{$_} } sort keys %high;
            return !@behind;
        }, $seconds);
    };
    return join ', ', @behind;
}

my $stuck = behind(60);
is($stuck, '', 'the warehouse catches up by itself');
my $lake  = $ledger->check_lake(lake_dump($volume, $TOPIC));
my $table = $ledger->check_table([ $stack->mariadb->rows(
    'SELECT transaction_id, amount, currency, src_partition, src_offset FROM transaction_record') ]);
is_deeply($lake,  no_faults(), 'the lake has every message once');
is_deeply($table, no_faults(), 'the table has the later record of an id');
my $wanted = grep { $_->{reason} } @messages;
wait_until('dead letters are listed', sub {
    $stack->mariadb->value('SELECT COUNT(*) FROM dead_letter') >= $wanted;
}, 60);
is($stack->mariadb->value('SELECT COUNT(*) FROM dead_letter'), $wanted, 'each dead letter is listed once');
my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
is($status, 0, 'fsck finds nothing') or diag $said;
printf "# medians of the first and last third: %.1f ms, %.1f ms\n", $first, $last;
my $violations = total($lake) + total($table);
figure('F34', [ faults => $faults, violations => $violations, stuck => $stuck ? 1 : 0, available => sprintf('%.2f', $available),
    healthy_s => sprintf('%.1f', $healed), first_ms => sprintf('%.1f', $first), last_ms => sprintf('%.1f', $last) ],
    $violations == 0 && !$stuck && $available >= 99.9 && $healed <= 30);
done_testing;
