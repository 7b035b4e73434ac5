# f17-flat-memory.t - a hundred thousand requests, a tenth as many errors and a
# thousand streams leave httpd as large as it was.
#
# One child of httpd with ten threads answers everything, ten connections at a
# time, MaxConnectionsPerChild 0.  A kept connection that it closes because all
# its threads are busy is opened anew (again=).  Behind the first third, in
# which caches fill and every thread gets its memory, child, parent and
# datalake-jobs are measured, and again at the end: private memory (RssAnon;
# shared segments have their size from the start), descriptors, threads,
# zombies.
#
# Size: DL_F17_REQUESTS (100000).  --self-test: planted growth is reported.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);
use DataLake::Cost qw(children_of);
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

use constant GROWTH_KIB => 2048;

# A sanitizer keeps what was freed, to notice that it is used.
my $judged = !$ENV{DL_PRELOAD};

my $REQUESTS = $ENV{DL_F17_REQUESTS} // (full_size() ? 1_000_000 : 100_000);
my $ERRORS   = $REQUESTS / 10;
my $STREAMS  = $REQUESTS / 100;
srand hex run_number();

# --- Judging -----------------------------------------------------------------

# What has grown from BEFORE to AFTER, both {program => {kib, fds, threads,
# zombies}}: list of sentences.
sub faults_of {
    my ($before, $after) = @_;
    my @fault;
    for my $name (sort keys %$before) {
        my ($was, $is) = ($before->{$name}, $after->{$name});
        if (!$is || $is->{pid} != $was->{pid}) {
            push @fault, "$name is another process";
            next;
        }
        my $kib = $is->{kib} - $was->{kib};
        push @fault, "$name: +$kib KiB" if $judged && $kib > GROWTH_KIB;
        push @fault, "$name: $_ $was->{$_} -> $is->{$_}"
          for grep { $is->{$_} != $was->{$_} } qw(fds threads);
        push @fault, "$name: $is->{zombies} zombies" if $is->{zombies};
    }
    return @fault;
}

sub self_test {
    $judged = 1;
    my %right = (pid => 1, kib => 50_000, fds => 40, threads => 30, zombies => 0);
    my %whole = map { ($_ => {%right}) } qw(child parent);
    is_deeply([ faults_of(\%whole, { child => { %right, kib => 51_000 }, parent => {%right} }) ],
        [], 'a megabyte is nothing');
    my @planted = (
        [ 'three megabytes',  kib     => 53_072 ],
        [ 'a descriptor',     fds     => 41 ],
        [ 'a thread',         threads => 31 ],
        [ 'a thread less',    threads => 29 ],
        [ 'a zombie',         zombies => 1 ],
        [ 'another process',  pid     => 2 ],
    );
    for my $plant (@planted) {
        my ($name, $key, $value) = @$plant;
        is(scalar(() = faults_of(\%whole, { %whole, child => { %right, $key => $value } })),
            1, "$name is reported");
    }
    is(scalar(() = faults_of(\%whole, { parent => {%right} })), 1, 'a process that is gone is reported');
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit;
}

# --- The stack ---------------------------------------------------------------

printf "# DL_RUN=%s\n", run_number();
my $stack = DataLake::Stack->new(
    name    => 'f17',
    mariadb => 1,
    durable => 0,
    daemons => ['datalake-jobs'],
    httpd   => {
        server => "ServerLimit 1\nStartServers 1\nThreadsPerChild 10\nMaxRequestWorkers 10\n"
          . "MinSpareThreads 1\nMaxSpareThreads 10\nMaxConnectionsPerChild 0\n"
          . "MaxKeepAliveRequests 0\n"
    },
    users  => { map { ($_ => 'user') } qw(alice bob) },
    grants => { alice => [qw(transaction_log table:transaction_record)] },
);
my $db = $stack->mariadb;

# Three days of records, in two parts each.
sub make_lake {
    my $first = 1_779_062_400;    # 2026-05-18T00:00:00Z
    my $script = '';
    for my $part (0, 1) {
        for my $n (map { 600 * $part + $_ } 0 .. 599) {
            my $us = ($first + $n * 216) * 1_000_000;
            $script .= sprintf qq(R %d %d %d {"transaction_id":"TX%d","amount":%d.5,"status":"%s","note":"%s"}\n),
              $n % 3, $n, $us, $n, $n, $n % 5 ? 'completed' : 'pending', 'x' x (50 + $n % 300);
        }
        $script .= 'C ' . (($first + 400_000 + $part) * 1_000_000) . "\nS\n";
    }
    spit("$stack->{dir}/script", $script);
    my $said = qx($DataLake::Stack::BUILD/tools/lake_driver $stack->{dir}/lake transaction_log $stack->{dir}/script 2>&1);
    is($?, 0, 'given a lake of three days') or diag $said;
    return;
}

# A job of alice in STATE that no program works on.
sub job {
    my ($state) = @_;
    my $id = $db->value('SELECT UUID()');
    $db->run(
        q{INSERT INTO job (id, kind, state, created_by, created_at, finished_at, parameters)}
          . q{ SELECT ?, 'hubeau', ?, id, UTC_TIMESTAMP(6), ?, '{}' FROM app_user WHERE username = 'alice'},
        $id, $state, $state eq 'queued' ? undef : '2026-05-18 09:30:00'
    );
    return $id;
}

make_lake();
my %job = map { ($_ => job($_)) } qw(queued succeeded);

# What is asked for, and how often beside the others.
my @GOOD = (
    ('/health/live') x 4,
    ('/api/metrics/top-products/?x=3') x 4,
    ('/api/metrics/total-by-user/', '/api/metrics/last-5min/') x 2,
    map({ "/api/data/?resource=transaction_log/2026-05-1$_.json&limit=20" } 8, 9),
    '/api/data/?resource=transaction_log&status=pending&amount__gt=100&limit=20',
    '/api/data/?resource=transaction_log/2026-05-18.json&sort=-amount&limit=10',
    '/api/data/?resource=transaction_log/2026-05-19.json&format=csv&limit=50',
    '/api/audit/version/?date=2026-05-18',
    '/api/audit/version/?date=2026-05-19&format=csv',
    '/api/audit/resources/?detail=true',
    '/api/resources/', '/api/datasets/', '/api/datasets/transaction_log/',
    '/user/me', '/v1/me/quota', '/api/jobs/',
    "/api/jobs/$job{queued}/", '/openapi.json', '/docs', '/api/v1/health/',
);
# Of these a server runs four at once and refuses more.
my @SEARCHES = ('/api/fulltext_search/TX77', '/api/fulltext_search/TX1179?limit=3');
my @BAD = (
    '/none', '/api/metrics/top-products/?x=-1', '/api/data/?resource=../x',
    '/api/data/?resource=sentiment', '/api/access/?username=bob', '/api/jobs/none/',
    '/api/audit/version/?date=2026-13-01', '/sse/jobs/none/', '/api/datasets/nothing/',
    '/api/resources/?cursor=x', '/v1/logs/%zz', '/api/schedules/',
);

# How often a request was sent once more.
my $again = 0;

# Ask for the lines of PATHS in turn over so many CONNECTIONS, ten unless told,
# until N requests are answered; how many were, and how many not with 200.
sub ask {
    my ($name, $paths, $n, $connections) = (@_, 10);
    spit("$stack->{dir}/$name", join '', map { "$_\n" } @$paths);
    spit("$stack->{dir}/token", $stack->token('alice') . "\n");
    my ($requests, $errors) = (0, 0);
    while ($requests < $n) {
        my $said = qx($DataLake::Stack::BUILD/tools/hload -c $connections -s 2 -H \@$stack->{dir}/token $stack->{httpd_server}{port} \@$stack->{dir}/$name);
        my ($more, $wrong, $twice) = $said =~ /^requests=(\d+) errors=(\d+) .* again=(\d+)$/
          or die "hload: $said\n";
        $again    += $twice;
        $requests += $more;
        $errors   += $wrong;
        die "hload: no answers\n" if !$more;
    }
    return ($requests, $errors);
}

# Open N streams, most of a job that is over; one in twenty is left by its
# client while it is open.
sub watch {
    my ($n) = @_;
    my $token = $stack->token('alice');
    my ($ended, $left) = (0, 0);
    for my $i (1 .. $n) {
        my $open   = $i % 20 == 0;
        my $id     = $job{ $open ? 'queued' : 'succeeded' };
        my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $stack->httpd->{port})
          or die "connect: $@\n";
        print $socket "GET /sse/jobs/$id/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer $token\r\n\r\n";
        $socket->flush;
        my $text = '';
        1 while $text !~ ($open ? qr/event: job/ : qr/\r\n0\r\n\r\n/)
          && sysread $socket, $text, 4096, length $text;
        ($open ? $left : $ended)++ if $text =~ /event: job/;
        close $socket;
    }
    return ($ended, $left);
}

# --- Measuring ---------------------------------------------------------------

sub look_at {
    my ($pid) = @_;
    my $status = slurp("/proc/$pid/status") // die "process $pid is gone\n";
    my ($kib, $threads) = map { $status =~ /^$_:\s+(\d+)/m } qw(RssAnon Threads);
    my @open = sort map { readlink // () } glob "/proc/$pid/fd/*";
    return {
        pid     => $pid,
        kib     => $kib,
        threads => $threads,
        fds     => scalar @open,
        open    => \@open,
        zombies => scalar grep { (slurp("/proc/$_/stat") // '') =~ /\) Z / } children_of($pid),
    };
}

# Of some looks at the process PID the one with the fewest descriptors.  What is
# never closed is in all of them; datalake-jobs has the audit log that httpd
# writes open in one of thirty.
sub at_rest {
    my ($pid) = @_;
    my @looks = map { sleep 0.02; look_at($pid) } 1 .. 20;
    return (sort { $a->{fds} <=> $b->{fds} } @looks)[0];
}

# How many sockets the process PID has.
sub sockets_of {
    my ($pid) = @_;
    return scalar grep { /socket:/ } map { readlink // '' } glob "/proc/$pid/fd/*";
}

# How many sockets CHILD has with no connection open: as many for a second.
sub idle_sockets {
    my ($child) = @_;
    my ($same, $last) = (0, -1);
    wait_until('connections are closed', sub {
        my $now = sockets_of($child);
        $same = $now == $last ? $same + 1 : 0;
        $last = $now;
        return $same >= 50; # 20 ms apart
    }, 60);
    return $last;
}

# Child, parent and datalake-jobs as they are once nothing is under way.
sub measure {
    my $parent = $stack->httpd->{process}->pid;
    my ($child) = children_of($parent);
    wait_until('streams are over',
        sub { $stack->httpd->client->get('/metrics')->{body} =~ /^datalake_streams\{.*\} 0$/m }, 60);
    $stack->{sockets} //= idle_sockets($child);
    wait_until('no connection is open', sub { sockets_of($child) <= $stack->{sockets} }, 60);
    return {
        child  => look_at($child),
        parent => look_at($parent),
        jobs   => at_rest($stack->daemon('datalake-jobs')->pid),
    };
}

my ($requests, $errors, $refused, $streams) = (0, 0, 0, 0);

# A part of the load.
sub load {
    my ($part) = @_;
    for my $asked ([ 'good', \@GOOD, $REQUESTS ], [ 'searches', \@SEARCHES, $REQUESTS / 50, 4 ]) {
        my ($name, $paths, $all, @connections) = @$asked;
        my ($n, $bad) = ask($name, $paths, $all * $part, @connections);
        $requests += $n;
        $errors   += $bad;
    }
    my ($n, $bad) = ask('bad', \@BAD, $ERRORS * $part);
    $refused += $bad;
    my ($ended, $left) = watch($STREAMS * $part);
    $streams += $ended + $left;
    return;
}

# All connections that the child may have to the database are open then: the
# number of them depends on how many requests have asked at once so far.
ask('warm', [qw(/api/jobs/ /user/me /v1/me/quota)], 1);
load(1 / 3);
my ($before, $after, @fault) = measure();
# What a request needs for the first time, however late, it needs once; what
# grows by each grows in every turn.
for my $turn (1 .. 3) {
    load(2 / 3);
    $after = measure();
    @fault = faults_of($before, $after);
    last if !@fault || grep { !/KiB$/ } @fault;
    diag "turn $turn: @fault";
    $before = $after if $turn < 3;
}
for my $name (grep { $before->{$_}{fds} != $after->{$_}{fds} } sort keys %$before) {
    diag "$name had @{ $before->{$name}{open} }, has @{ $after->{$name}{open} }";
}
is("@fault", '', 'nothing has grown');
cmp_ok($requests, '>=', $REQUESTS, "$requests requests");
is($errors, 0, '... were all answered with 200');
cmp_ok($refused, '>=', $ERRORS, "$refused were refused");
cmp_ok($streams, '>=', $STREAMS - 2, "$streams streams were open");
unlike($stack->httpd->log_text, qr/exit signal/, 'no child has crashed');
note "$_: $before->{$_}{kib} -> $after->{$_}{kib} KiB" for sort keys %$before;
ok(
    figure(
        'F17',
        [
            requests   => $requests,
            refused    => $refused,
            errors     => $errors,
            again      => $again,
            streams    => $streams,
            grown_kib  => $after->{child}{kib} - $before->{child}{kib},
            fds        => $after->{child}{fds} - $before->{child}{fds},
            threads    => $after->{child}{threads} - $before->{child}{threads},
            zombies    => $after->{parent}{zombies},
            faults     => scalar @fault,
        ],
        !@fault && !$errors && $streams >= $STREAMS - 2
    ),
    'F17'
);
done_testing;
