# 64-repush-kill.t - datalake-jobs is killed again and again while it sends all
# transactions once more: each is sent once, and lake and table are right.
#
# Q: 10,000 records, 8 kills; S (DL_SIZE=S): 100,000 and 50.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $big   = ($ENV{DL_SIZE} // 'Q') eq 'S';
my $N     = $big ? 100_000 : 10_000;
my $KILLS = $big ? 50 : 8;
my $run   = $ENV{DL_RUN} // sprintf '%04x', $$ & 0xffff;
srand hex $run;
diag "DL_RUN=$run";

my $stack = DataLake::Stack->new(
    name    => '64-repush-kill',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
);
my $admin = $stack->client('admin');
my $db    = $stack->mariadb;

# Wait until lake and warehouse have N messages.
sub settled {
    my ($n) = @_;
    wait_until("$n records are everywhere", sub {
        my $next = $db->value("SELECT COALESCE(SUM(next_offset), 0) FROM sink_offset WHERE sink = 'warehouse'");
        return $next == $n && $admin->get('/api/data/?count=exact&page_size=1')->{json}{count} == $n;
    }, 120);
    return;
}

# The rows but for what a repush changes.
sub rows {
    return join "\n", map { join ' ', map { $_ // '' } @$_ } $db->rows(
        'SELECT transaction_id, amount, currency, status, user_id, product_id, quantity'
          . ' FROM transaction_record ORDER BY transaction_id');
}

sub totals {
    return [ map { $admin->get($_)->{body} } '/api/metrics/total-by-user/',
        '/api/metrics/top-products/' ];
}

system("$DataLake::Stack::BUILD/bin/datalake-simulate", '--config', $stack->ini_file,
    qw(--quiet --resend 0.1 --span 3d --threads 4 --count), $N) == 0
  or die "datalake-simulate failed\n";
settled($N);
my ($rows, $totals) = (rows(), totals());

my $answer = $admin->post('/api/repush/all/', { rate => $big ? 4000 : 2500 });
is($answer->{status}, 202, 'a job is queued') or BAIL_OUT($answer->{body});
my $where  = $answer->{headers}{location};
my $killed = 0;
my $job;
my $until = time + 600;
while (time < $until) {
    $job = $admin->get($where)->{json};
    last if $job->{state} !~ /^(?:queued|running)$/;
    if ($killed < $KILLS) {
        sleep rand($big ? 0.6 : 0.5);
        my $daemon = $stack->daemon('datalake-jobs');
        $daemon->kill_now;
        $killed++;
        # The lease would go on for 30 s.
        $db->run(q{UPDATE job SET lease_until = '2000-01-01' WHERE state = 'running'});
        $stack->start_daemon('datalake-jobs');
        next;
    }
    sleep 0.1;
}
is($job->{state}, 'succeeded', "the job is done, $killed times killed") or diag explain $job;
is($killed, $KILLS, 'as often as was meant');
is_deeply($job->{result},
    { matched => $N, sent => $N, failed => 0, skipped_replays => 0 },
    'its ledger has each record once');

my %count;
my @topic = $stack->kafka->consume('transaction_log');
my @sent  = grep { ($_->{headers}{'dl-replay-id'} // '') eq $answer->{json}{replay_id} } @topic;
$count{ $_->{headers}{'repush-position'} }++ for @sent;
is(scalar(@sent), $N, 'the topic has as many');
is(scalar(grep { $_ != 1 } values %count), 0, 'none of them twice');
is(scalar(keys %count), $N, 'and none is missing');
settled(2 * $N);
ok(rows() eq $rows, 'the table is what it was');
is_deeply(totals(), $totals, 'totals are what they were');
diag sprintf 'kills=%d records=%d sent=%d twice=%d', $killed, $N, scalar @sent,
  scalar grep { $_ > 1 } values %count;

done_testing();
