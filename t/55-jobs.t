# 55-jobs.t - work that outlives a request: who sees it, who ends it, and the
# schedules that ask for it.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '55-jobs',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    daemons => ['datalake-jobs'],
    users   => { map { ($_ => 'user') } qw(alice bob) },
);
my %client = map { ($_ => $stack->client($_)) } qw(admin alice bob);
my $nobody = $stack->client;
my $db     = $stack->mariadb;
my $UUID   = qr/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;

# A job that is nobody's work: no place takes its kind.
my $made = 0;

sub job {
    my (%given) = @_;
    my %row = (kind => 'hubeau', state => 'queued', owner => 'alice', %given);
    my $id  = sprintf '00000000-0000-4000-8000-%012d', ++$made;
    $db->run(
        'INSERT INTO job (id, kind, state, created_by, created_at, finished_at,'
          . ' parameters, result) SELECT ?, ?, ?, id,'
          . ' UTC_TIMESTAMP(6) - INTERVAL ? SECOND, ?, ?, ?'
          . ' FROM app_user WHERE username = ?',
        $id, $row{kind}, $row{state}, $row{age} // 0,
        $row{state} eq 'succeeded' ? '2026-05-18 09:30:00' : undef,
        $row{parameters} // '{}', $row{result}, $row{owner}
    );
    return $id;
}

sub ids {
    my ($answer) = @_;
    return [ map { $_->{id} } @{ $answer->{json}{jobs} } ];
}

subtest 'who sees a job' => sub {
    my $id = job(parameters => '{"target":"amount"}', result => '{"n":1}');
    my $answer = $client{alice}->get("/api/jobs/$id/");
    is($answer->{status}, 200, 'its account does');
    is_deeply(
        $answer->{json},
        {
            id         => $id, kind => 'hubeau', state => 'queued',
            progress   => { done => 0, total => undef },
            created_by => 'alice', created_at => $answer->{json}{created_at},
            started_at => undef, finished_at => undef,
            parameters => { target => 'amount' },
            result     => undef, error => undef
        },
        'with the members of the contract, without a result that is none yet'
    );
    is($client{admin}->get("/api/jobs/$id/")->{status}, 200, 'role admin does');
    is($client{bob}->get("/api/jobs/$id/")->{status}, 404, 'others do not');
    is($nobody->get("/api/jobs/$id/")->{status}, 401, 'nobody does not');
    my $none = '01234567-89ab-4cde-8f01-23456789abcd';
    is($client{alice}->get("$_$none/")->{status}, 404, "what is not there is 404: $_") for qw(/api/jobs/ /sse/jobs/);
    for my $case ([ GET => '/api/jobs/' ], [ DELETE => '/api/jobs/' ], [ GET => '/sse/jobs/' ]) {
        for my $text ('no-such', '0', "${none}0", $none =~ tr/-/0/r, $none =~ s/f/g/r) {
            my $bad = $client{alice}->request($case->[0], "$case->[1]$text/");
            is("$bad->{status} $bad->{json}{errors}[0]{code}", '400 not-a-uuid', "@$case $text/ is no id");
        }
    }
    is($client{alice}->get('/api/jobs/' . uc($id) . '/')->{json}{id}, $id, 'upper case is the same one');
    my $etag = $answer->{headers}{etag};
    is($client{alice}->get("/api/jobs/$id/", headers => { 'If-None-Match' => $etag })
          ->{status}, 304, 'unchanged it is 304');
};

subtest 'the list is newest first, in pages' => sub {
    my @mine = reverse map { job(age => 100 - $_) } 1 .. 7;
    push @mine, job(owner => 'bob');
    my $theirs = pop @mine;
    my $all = ids($client{alice}->get('/api/jobs/'));
    is(scalar(grep { $_ eq $theirs } @$all), 0, "another's job is not in it");
    my (@paged, $cursor);
    do {
        my $page = $client{alice}->get('/api/jobs/?limit=3' . ($cursor ? "&cursor=$cursor" : ''));
        is($page->{status}, 200, 'a page') or return;
        push @paged, @{ ids($page) };
        $cursor = $page->{json}{next_cursor};
        job() if @paged == 3;    # newer than the first page
    } while ($cursor);
    is_deeply(\@paged, $all, 'pages joined are the list, whatever comes meanwhile');
    is_deeply([ grep { my $id = $_; grep { $_ eq $id } @mine } @paged ],
        \@mine, 'newest first');
    my $done = job(state => 'succeeded', result => '{"n":2}');
    my $some = $client{admin}->get('/api/jobs/?state=succeeded&kind=hubeau');
    is_deeply(ids($some), [$done], 'state and kind choose');
    is_deeply($some->{json}{jobs}[0]{result}, { n => 2 }, '... with its result');
    is($client{alice}->get('/api/jobs/?state=over')->{status}, 400, 'no such state is 400');
    is($client{alice}->get('/api/jobs/?cursor=x')->{status}, 400, 'a wrong cursor is 400');
};

subtest 'asking for the end' => sub {
    my $id = job();
    is($client{bob}->request('DELETE', "/api/jobs/$id/")->{status}, 404, "another's job is not there");
    my $answer = $client{alice}->request('DELETE', "/api/jobs/$id/");
    is($answer->{status}, 202, 'a queued job');
    is($answer->{json}{state}, 'cancelled', '... is cancelled at once');
    is($client{alice}->request('DELETE', "/api/jobs/$id/")->{status}, 409, 'once');
    my $again = job(result => '{"kept":"for the next attempt"}');
    is($client{alice}->request('DELETE', "/api/jobs/$again/")->{json}{result}, undef,
        'what one that began had kept is no result');
    my $erase = job(kind => 'erase');
    is($client{admin}->request('DELETE', "/api/jobs/$erase/")->{status}, 409, 'an erasure is not stopped');
    my $running = job(state => 'running');
    $db->run('UPDATE job SET owner = ?, lease_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE id = ?',
        'another', $running);
    $answer = $client{alice}->request('DELETE', "/api/jobs/$running/");
    is($answer->{status}, 202, 'a running job');
    is($answer->{json}{state}, 'running', '... is told');
    is($db->value('SELECT cancel_asked FROM job WHERE id = ?', $running), 1, '... through its row');
    is($client{alice}->request('DELETE', "/api/jobs/$running/")->{status}, 202, 'twice is no mistake');
};

# A lake with two parts in a past day.
{
    my $us = 1_000_000 * `date -u -d 2026-05-18 +%s`;
    my $script = '';
    for my $part (0, 1) {
        $script .= "R 0 $part " . ($us + $part) . qq( {"id":"$part"}\n);
        $script .= 'C ' . ($us + 1e6 * (1 + $part)) . "\nS\n";
    }
    spit("$stack->{dir}/script", $script);
    my $out = qx($DataLake::Stack::BUILD/tools/lake_driver $stack->{dir}/lake transaction_log $stack->{dir}/script 2>&1);
    is($?, 0, 'given a day of two parts') or diag $out;
}
my $DAY = "$stack->{dir}/lake/transaction_log/dt=2026-05-18";

# The schedule NAME as the route tells it.
sub schedule {
    my ($name) = @_;
    my ($found) = grep { $_->{name} eq $name }
      @{ $client{admin}->get('/api/schedules/')->{json}{schedules} };
    return $found;
}

sub last_run { my ($name) = @_; return schedule($name)->{runs}[0]; }

subtest 'a schedule runs when asked' => sub {
    is($client{alice}->get('/api/schedules/')->{status}, 403, 'schedules are for role admin');
    is($client{alice}->post('/api/schedules/compact/run')->{status}, 403, '... as are their runs');
    is($client{admin}->post('/api/schedules/nothing/run')->{status}, 404, 'an unknown one is 404');
    is($client{admin}->post('/api/schedules/compact%20/run')->{status}, 404, 'a name with a blank, too');
    my ($name, $at) = (gmtime)[2] == 1 ? qw(reconcile 03:00) : qw(compact 02:00);    # not soon
    $db->run('UPDATE schedule SET next_run = NULL WHERE name = ?', $name);
    wait_until('its time', sub { schedule($name)->{next_run} }, 60);
    my $schedule = schedule($name);
    is_deeply([ @$schedule{qw(calendar time_zone enabled)} ],
        [ "*-*-* $at", 'UTC', JSON::PP::true() ], 'it tells when');
    like($schedule->{next_run}, qr/T$at:00\.000000Z$/, '... and the next time');
    my @parts = glob "$DAY/*";
    is(@parts, 2, 'two parts') or diag "@parts";
    my $answer = $client{admin}->post('/api/schedules/compact/run');
    is($answer->{status}, 202, 'a run is taken on');
    my $id = $answer->{json}{job_id};
    like($id, qr/^$UUID$/, '... as a job');
    is($answer->{headers}{location}, "/api/jobs/$id/", '... under its address');
    wait_until('the run', sub { last_run('compact')->{state} ne 'InProgress' }, 60);
    my $run = last_run('compact');
    is_deeply([ @$run{qw(state trigger job_id detail)} ],
        [ 'Succeeded', 'api', $id, '1 days of 1 datasets, 0 cold' ], 'it is recorded');
    my $job = $client{admin}->get("/api/jobs/$id/")->{json};
    is_deeply([ @$job{qw(kind state created_by)} ], [ 'schedule', 'succeeded', 'admin' ], 'so is the job');
    is_deeply($job->{parameters}, { name => 'compact' }, '... with what was asked');
    is($job->{result}{parts}, 2, '... and what came of it');
    is_deeply([ glob "$DAY/*" ], ["$DAY/2026-05-18.json"], 'the day is one file');
};

subtest 'one run at a time' => sub {
    $db->run(q{INSERT INTO pipeline_run (name, state, `trigger`, started_at, job_id)
        VALUES ('retention', 'InProgress', 'ctl', UTC_TIMESTAMP(6), '01234567-89ab-4cde-8f01-23456789abcd')});
    my $refused = $client{admin}->post('/api/schedules/retention/run');
    is($refused->{status}, 409, 'while one is under way');
    is($refused->{json}{job}, '/api/jobs/01234567-89ab-4cde-8f01-23456789abcd/',
        '... which is named');
    $db->run(q{UPDATE pipeline_run SET state = 'Failed', finished_at = UTC_TIMESTAMP(6) WHERE name = 'retention'});
    is($client{admin}->post('/api/schedules/retention/run')->{status}, 202, 'and then another');
    wait_until('the run', sub { last_run('retention')->{state} eq 'Succeeded' }, 60);
};

subtest 'a schedule runs when it is due, once' => sub {
    my $old = job(state => 'succeeded', age => 1);
    $db->run('UPDATE job SET finished_at = UTC_TIMESTAMP(6) - INTERVAL 31 DAY WHERE id = ?', $old);
    my $before = last_run('retention')->{run_id};
    $db->run(q{UPDATE schedule SET next_run = UTC_TIMESTAMP(6) - INTERVAL 40 DAY WHERE name = 'retention'});
    wait_until('the run', sub {
        my $run = last_run('retention');
        $run->{run_id} > $before && $run->{state} eq 'Succeeded';
    }, 60);
    is(last_run('retention')->{trigger}, 'calendar', 'forty missed nights are one run');
    is($db->value(q{SELECT COUNT(*) FROM pipeline_run WHERE `trigger` = 'calendar'}), 1, '... and no more');
    is($client{admin}->get("/api/jobs/$old/")->{status}, 404, 'jobs of last month are gone');
    $db->run(q{UPDATE schedule SET enabled = FALSE, next_run = '2026-01-01' WHERE name = 'compact'});
    is(schedule('compact')->{next_run}, undef, 'one that is off is never due');
};

subtest 'the operator does the same without httpd' => sub {
    my ($status, $out) = $stack->try_ctl(qw(schedule run retention));
    is($status, 0, 'a run') or diag $out;
    like($out, qr/^$UUID  schedule +succeeded/m, '... is waited for');
    is(last_run('retention')->{trigger}, 'ctl', '... and recorded');
    my $list = JSON::PP::decode_json($stack->ctl(qw(--json schedule list)));
    is_deeply([ map { $_->{name} } @$list ], [qw(compact inactive-accounts reconcile retention)], 'schedules are listed');
    is_deeply($list->[3], schedule('retention'), '... as the route does');
    like($stack->ctl(qw(schedule list)), qr/^retention .* last \S+ Succeeded: 0 days of the lake, 0 rows and 0 others removed$/m,
        '... for people, too');
    my $id = job();
    my $jobs = JSON::PP::decode_json($stack->ctl(qw(--json job list --kind hubeau --state queued)));
    is_deeply([ grep { $_->{id} eq $id } @$jobs ],
        [ $client{admin}->get("/api/jobs/$id/")->{json} ], 'jobs are listed as the route does');
    like($stack->ctl('job', 'cancel', $id), qr/^$id  hubeau +cancelled/, 'one is cancelled');
    is(($stack->try_ctl('job', 'watch', $id))[0], 1, 'which is no success');
    is(($stack->try_ctl(qw(job show none)))[0], 1, 'what is not there is 1');
    is(($stack->try_ctl(qw(schedule run nothing)))[0], 1, '... as a schedule, too');
    is(($stack->try_ctl(@$_))[0], 2, "datalakectl @$_ is 2")
      for [qw(job)], [qw(job show)], [qw(job list x)], [qw(job end x)], [qw(schedule run)];
};

subtest 'numbers' => sub {
    my $text;
    wait_until('they are read', sub {
        $text = $stack->httpd->client->get('/metrics')->{body};
        return $text =~ /^datalake_schedule_last_success_timestamp_seconds\{schedule="retention"\}/m;
    }, 60);
    for my $state (qw(queued succeeded)) {
        wait_until("jobs that are $state", sub {
            my ($seen) = $stack->httpd->client->get('/metrics')->{body}
              =~ /^datalake_jobs\{kind="schedule",state="$state"\} (\d+)$/m;
            return ($seen // 0) == $db->value('SELECT COUNT(*) FROM job WHERE kind = ? AND state = ?', 'schedule', $state);
        }, 60);
    }
    my ($last) = $text =~ /last_success_timestamp_seconds\{schedule="retention"\} (\d+)$/m;
    cmp_ok(abs($last - time), '<', 120, 'a schedule went well a moment ago');
    ok(
        wait_until('their times', sub {
            $stack->httpd->client->get('/metrics')->{body} =~ /^datalake_job_duration_seconds_count\{kind="schedule"\} [1-9]/m;
        }),
        'jobs took their time'
    );
};

subtest 'a program takes so many jobs of a kind' => sub {
    my $jobs = $stack->daemon('datalake-jobs');
    $jobs->stop;
    $stack->{ini} = { jobs => { schedule => 0 } };
    $stack->write_ini;
    $stack->start_daemon('datalake-jobs');
    my $answer = $client{admin}->post('/api/schedules/retention/run');
    my $id     = $answer->{json}{job_id};
    wait_until('a look at what there is', sub {
        return $stack->httpd->client->get('/metrics')->{body}
          =~ /^datalake_jobs\{kind="schedule",state="queued"\} 1$/m;
    }, 60);
    is($client{admin}->get("/api/jobs/$id/")->{json}{state}, 'queued', 'with none, one waits');
    $stack->daemon('datalake-jobs')->stop;
    $stack->{ini} = {};
    $stack->write_ini;
    $stack->start_daemon('datalake-jobs');
    wait_until('its end', sub { $client{admin}->get("/api/jobs/$id/")->{json}{state} eq 'succeeded' }, 60);
    is(last_run('retention')->{state}, 'Succeeded', 'for a program that takes it');
};

subtest 'a killed program leaves its job to another' => sub {
    my $jobs = $stack->daemon('datalake-jobs');
    $jobs->kill_now;
    my $id = $client{admin}->post('/api/schedules/retention/run')->{json}{job_id};
    $db->run('UPDATE job SET state = ?, owner = ?, attempt = 1, lease_until = UTC_TIMESTAMP(6) WHERE id = ?',
        'running', 'one that died', $id);
    $jobs->start;
    wait_until('its end', sub { $client{admin}->get("/api/jobs/$id/")->{json}{state} eq 'succeeded' }, 60);
    is($db->value('SELECT attempt FROM job WHERE id = ?', $id), 2, 'the second attempt ends it');
    is(last_run('retention')->{state}, 'Succeeded', 'and its run');
};

done_testing;
