# 66-retention.t - what was kept for long enough goes: days of the lake and rows
# of their table with what they had added up to, jobs, dead letters, audit
# entries, kept answers, accounts that nobody uses; a dry run changes nothing,
# a kill loses nothing that stays.
#
# No broker: the daemons read a file that grows.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::AuditLog;
use DataLake::Ledger qw(lake_dump);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $TOPIC = 'transaction_log';
my $NOW   = time;

# The date N days before today, or before what is today in MORE seconds.
sub before { my ($n, $more) = @_; return strftime('%Y-%m-%d', gmtime($NOW + ($more // 0) - 86400 * $n)); }

# Shortly before midnight the day at the limit is the next day's.
my ($EDGE, $OLD, $OLDER) = (before(5, 1200), before(6), before(40));
my $TODAY = before(0);
my $stack = DataLake::Stack->new(
    name    => '66-retention',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    users   => { alice => 'user', bob => 'user' },
    ini     => {
        kafka => { brokers => "file:$DataLake::Stack::TOP/build/t/66-retention/source" },
        lake      => { seal_age => '1s' },
        warehouse => { accept_unsafe_flush => 'on', rollup_interval => '100 ms' },
        retention => { $TOPIC => '5 d' },
    },
);
my $db = $stack->mariadb;
my (%client, @sent);

# Append COUNT records of DAY to what the daemons read.
sub produce {
    my ($count, $day) = @_;
    open my $out, '>>:raw', "$stack->{dir}/source" or die "source: $!\n";
    for (1 .. $count) {
        my $n = @sent;
        printf $out "0 %d %d k\t%s\n", $n, $NOW * 1000,
          sprintf '{"transaction_id":"t%d","timestamp":"%sT00:00:0%dZ",'
          . '"user_id":"U%d","product_id":"P%d","product_name":"p",'
          . '"amount":"1.25","currency":"EUR","transaction_type":"purchase",'
          . '"status":"completed","product_category":"c","quantity":2}',
          $n, $day, $n % 10, $n % 3, $n % 2;
        push @sent, { day => $day, user => 'U' . $n % 3 };
    }
    close $out or die "source: $!\n";
    return;
}

# The days of the lake that the API reads, of those that were sent.
sub days_read {
    return join ' ', grep {
        $client{admin}->get("/api/data/?resource=$TOPIC/$_.json&limit=1")->{status} == 200
    } ($OLDER, $OLD, $EDGE, $TODAY);
}

# Whether all of COUNT records is in lake, table and rollups.
sub wait_for_all {
    my ($rows) = @_;
    wait_until('all is stored', sub {
            my ($records) = eval { lake_dump("$stack->{dir}/lake", $TOPIC) };
            my $next = $db->value('SELECT MIN(next_offset) FROM sink_offset'
                  . ' WHERE topic = ?', $TOPIC) // 0;
            return $records && $next == @sent; }, 60);
    $stack->daemon('datalake-lake')->signal('USR1');
    wait_until('all is sealed',
        sub { !glob "$stack->{dir}/lake/_lake/$TOPIC/open/*" }, 60);
    return;
}

# What the rollups and what waits to be taken back say: user => [n, amount].
sub totals {
    my %sum;
    for ($db->rows('SELECT user_id, SUM(n), SUM(amount) FROM (SELECT user_id, n, amount'
              . ' FROM spend_user UNION ALL SELECT user_id, n, amount FROM rollup_adjust) a'
              . ' GROUP BY user_id'))
    {
        my ($user, $n, $amount) = @$_;
        $sum{$user} = sprintf '%d %.2f', $n, $amount if $n != 0;
    }
    return \%sum;
}

# What they must say of the days that are not in GONE.
sub wanted {
    my %gone = map { $_ => 1 } @_;
    my %n;
    $n{ $_->{user} }++ for grep { !$gone{ $_->{day} } } @sent;
    return { map { ($_ => sprintf '%d %.2f', $n{$_}, 1.25 * $n{$_}) } keys %n };
}

sub is_sound {
    my ($name) = @_;
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, "$name: fsck finds nothing") or diag $said;
    return;
}

produce(20, $_) for $OLDER, $OLD, $EDGE, $TODAY;
$stack->start_daemon($_) for qw(datalake-lake datalake-warehouse datalake-jobs);
$client{$_} = $stack->client($_) for qw(admin alice);
wait_for_all();
$stack->ctl('compact', $TOPIC);
my $all = "$OLDER $OLD $EDGE $TODAY";
is(days_read(), $all, 'given days of which two are too old');

# Rows on both sides of each limit.
$db->run(q{INSERT INTO job (id, kind, state, created_by, created_at, finished_at, done, parameters)
    VALUES (?, 'schedule', 'succeeded', 0, UTC_TIMESTAMP(6) - INTERVAL ? DAY,
      UTC_TIMESTAMP(6) - INTERVAL ? DAY, 0, '{}')}, @$_)
  for [ '00000000-0000-4000-8000-000000000001', 31, 31 ],
  [ '00000000-0000-4000-8000-000000000002', 29, 29 ];
$db->run(q{INSERT INTO dead_letter (topic, `partition`, `offset`, reason, value, received_at)
    VALUES ('gone', 0, ?, 'schema', 'x', UTC_TIMESTAMP(6) - INTERVAL ? DAY)}, @$_)
  for [ 1, 91 ], [ 2, 89 ];
$db->run(q{INSERT INTO audit_entry (id, `timestamp`, method, endpoint, action, status, bytes,
      duration_ms, request_id, chain, sequence)
    VALUES (?, UTC_TIMESTAMP(6) - INTERVAL ? DAY, 'GET', '/old', 'read', 200, 0, 0, 'r', 'c', ?)}, @$_)
  for [ 1, 366, 1 ], [ 2, 364, 2 ];
$db->run(q{INSERT INTO idempotency_key (owner, `key`, body_hash, status, expires_at)
    VALUES ('1', ?, REPEAT('x', 32), 200, UTC_TIMESTAMP(6) + INTERVAL ? HOUR)}, @$_)
  for [ 'old', -1 ], [ 'new', 1 ];
$db->run(q{UPDATE app_user SET last_login_at = NULL,
    created_at = UTC_TIMESTAMP(6) - INTERVAL 400 DAY WHERE username IN ('alice', 'admin')});
$db->run(q{UPDATE app_user SET last_login_at = UTC_TIMESTAMP(6) - INTERVAL 364 DAY,
    created_at = UTC_TIMESTAMP(6) - INTERVAL 400 DAY WHERE username = 'bob'});

# Which of those rows there are.
sub rows_left {
    return join ' ',
      (map { 'job' . substr $_->[0], -1 } $db->rows(
            "SELECT id FROM job WHERE id LIKE '00000000-%' ORDER BY id")),
      (map { "letter$_->[0]" } $db->rows(
            "SELECT `offset` FROM dead_letter WHERE topic = 'gone' ORDER BY 1")),
      (map { "audit$_->[0]" } $db->rows(
            "SELECT id FROM audit_entry WHERE endpoint = '/old' ORDER BY 1")),
      (map { "key-$_->[0]" } $db->rows(
            "SELECT `key` FROM idempotency_key WHERE owner = '1' ORDER BY 1 DESC"));
}

subtest 'a dry run tells and changes nothing' => sub {
    my $rows = rows_left();
    my $said = $stack->ctl('retention', '--dry-run');
    like($said, qr/^lake day $TOPIC\/$_: 20$/m, "it would remove $_") for $OLDER, $OLD;
    unlike($said, qr/$EDGE|$TODAY/, '... and no later day');
    like($said, qr/^rows transaction_record: 40$/m, '... 40 rows');
    like($said, qr/^$_: 1$/m, "... 1 of $_")
      for 'jobs', 'dead letters', 'audit entries', 'kept answers';
    like($said, qr/^inactive accounts: 2$/m, '... accounts that nobody used');
    is(days_read(), $all, 'every day is there');
    is(rows_left(), $rows, 'every row, too');
    is($db->value('SELECT COUNT(*) FROM transaction_record'), 80, 'those of the dataset, too');
};

subtest 'the schedule removes it' => sub {
    $stack->ctl('schedule', 'run', 'retention');
    is(days_read(), "$EDGE $TODAY", 'days before the limit are 404, the day at the limit is read');
    is(join(' ', grep { -e "$stack->{dir}/lake/$TOPIC/dt=$_" } $OLDER, $OLD),
        '', 'their folders are gone');
    is($db->value('SELECT COUNT(*) FROM transaction_record'), 40, 'their rows, too');
    is_deeply(totals(), wanted($OLDER, $OLD), '... with what they had added up to');
    is(rows_left(), 'job2 letter2 audit2 key-new', 'old jobs, letters, entries, answers are gone, the others not');
    is($client{admin}->get("/api/datasets/$TOPIC/")->{json}{retention_days}, 5,
        'the dataset tells its days');
    is_sound('removed');
    my $run = $client{admin}->get('/api/schedules/')->{json}{schedules};
    my ($last) = map { $_->{runs}[0] } grep { $_->{name} eq 'retention' } @$run;
    is($last->{state}, 'Succeeded', 'the run is recorded');
    like($last->{detail}, qr/^2 days of the lake, 40 rows and \d+ others removed$/, '... with what it did');
};

subtest 'accounts that nobody used are deleted, the last admin is not' => sub {
    $stack->ctl('schedule', 'run', 'inactive-accounts');
    my %deleted = map { @$_ } $db->rows('SELECT username, deleted_at IS NOT NULL FROM app_user');
    is_deeply(\%deleted, { admin => 0, alice => 1, bob => 0 }, 'alice is, admin and bob are not');
    wait_until('her token is refused',
        sub { $client{alice}->get('/user/me')->{status} == 401 }, 60);
    pass('her token is refused');
    $stack->ctl('user', 'undelete', 'alice');
    ok(!defined $db->value(q{SELECT deleted_at FROM app_user WHERE username = 'alice'}),
        'an operator can undo it');
};

subtest 'killed while a day goes' => sub {
    for my $label (qw(retire-moved retire-recorded retire-published retire-done)) {
        produce(5, $_) for $OLDER, $OLD;
        wait_for_all();
        my ($before) = lake_dump("$stack->{dir}/lake", $TOPIC);
        my $kept = [ grep { $_->[0] gt $OLD } @$before ];
        my $left = $label =~ /moved|recorded/
          ? $before
          : [ grep { $_->[0] gt $OLDER } @$before ];
        {
            local $ENV{DL_CRASH_AT} = "$label:1";
            is(($stack->try_ctl('retention'))[0], 137, "it dies at $label");
        }
        is_deeply((lake_dump("$stack->{dir}/lake", $TOPIC))[0], $left,
            '... the first day is wholly there, or gone once that was published');
        $stack->ctl('retention');
        is_deeply((lake_dump("$stack->{dir}/lake", $TOPIC))[0], $kept,
            '... the next run has removed what was old, and nothing else');
        is_sound("after $label");
        is_deeply(totals(), wanted($OLDER, $OLD), '... the totals are those of what is left');
    }
};

# --- Files of the audit log --------------------------------------------------

# RFC 3339 of N days ago.
sub days_ago { return strftime('%Y-%m-%dT%H:%M:%S.000000Z', gmtime($NOW - 86400 * shift)); }

# The files of the audit folder that belong to the chain NAME, by their ends.
sub files_of {
    my ($name) = @_;
    return join ' ', map { /\.(\d+\.\w+)$/ } sort glob $stack->audit_dir . "/$name.*";
}

# What datalakectl says of the audit log, and its status.
sub verified { return $stack->try_ctl('audit', 'verify', @_); }

subtest 'files of the audit log go' => sub {
    my ($gone, $part) = ('20200518T093000Z-0123456789abcdef', '20200519T093000Z-0123456789abcdef');
    my $log = DataLake::AuditLog->new(dir => $stack->audit_dir,
        key => slurp("$stack->{dir}/secrets/audit.key") =~ s/\n\z//r);
    my $heads = sub {
        return $db->value('SELECT (SELECT COUNT(*) FROM audit_file WHERE chain = ?)'
              . ' + (SELECT COUNT(*) FROM audit_head WHERE chain = ?)', $_[0], $_[0]);
    };
    $log->write_chain($gone, [ map { days_ago($_) } 401, 400 ], [ days_ago(380) ]);
    $log->write_chain($part, [ days_ago(400) ], [ days_ago(380), days_ago(364) ], [ days_ago(10) ]);
    wait_until('they are loaded', sub { return $heads->($gone) >= 2 && $heads->($part) >= 3; }, 60);
    is((verified())[0], 0, 'given chains that are old as a whole and in part');
    like($stack->ctl('retention', '--dry-run'), qr/^audit files: 3$/m, 'a dry run tells how many files would go');
    is(files_of($gone) . ' ' . files_of($part), '000001.log 000002.log 000001.log 000002.log 000003.log', '... and none goes');
    $stack->httpd->reload;
    wait_until('they are removed', sub {
            $client{admin}->get('/api/resources/');
            return files_of($gone) eq '' && files_of($part) eq '000001.cut 000002.log 000003.log'; }, 60);
    pass('the web server removes those of which every entry is older than 365 days');
    ok(
        wait_until('the log', sub { $stack->httpd->log_text =~ /DL1320 audit: $gone: 2 files of 3 entries .*nothing is left/ }),
        '... and says so'
    );
    my ($status, $said) = verified();
    is($status, 0, 'the rest verifies') or diag $said;
    like($said, qr/first files of 1 chains and all files of 1 others/, '... and what is gone is told');
    is(join('; ', $log->read->faults), '', 'so says another program that knows the format');
    $stack->ctl('schedule', 'run', 'retention');
    is($heads->($gone), 0, 'retention forgets what the warehouse knew of a chain that is gone');
    is($heads->($part) > 0 ? 1 : 0, 1, '... and not of one that is there');
    is((verified())[0], 0, '... and the rest verifies');

    # By somebody who can write in the folder, without the key.
    my $file = $stack->audit_dir . "/$part.000002.log";
    rename $file, "$stack->{dir}/away" or die "$file: $!";
    my ($bad, $why) = verified('--offline');
    ok($bad == 1 && $why =~ /missing/, 'a file that went with no cut is missed, without the warehouse, too');
    rename "$stack->{dir}/away", $file or die "$file: $!";
    rename $stack->audit_dir . "/$part.000001.cut", $stack->audit_dir . "/$part.000002.cut" or die $!;
    ($bad, $why) = verified('--offline');
    ok($bad == 1 && $why =~ /another file's name/, 'a cut that was renamed to stand for more is found');
    rename $stack->audit_dir . "/$part.000002.cut", $stack->audit_dir . "/$part.000001.cut" or die $!;

    # By somebody with the key.
    unlink glob $stack->audit_dir . "/$part.*";
    ($bad, $why) = verified();
    ok($bad == 1 && $why =~ /$part.*gone/, 'entries that went before their time are missed by the warehouse');
    $stack->ctl('schedule', 'run', 'retention');
    is((verified())[0], 1, '... which does not forget them');
};

subtest 'a wrong setting is refused' => sub {
    for ([ 'transaction_log = 5', 'a number without unit' ], [ 'transaction_log = 36 h', 'a part of a day' ],
        [ "transaction_log = 5 d\ntransaction_log = 6 d", 'one that stands twice' ])
    {
        my ($text, $name) = @$_;
        my $file = "$stack->{dir}/wrong.ini";
        open my $out, '>', $file or die $!;
        print $out "[retention]\n$text\n";
        close $out or die $!;
        my ($status, $said) = $stack->try_program('datalakectl', '-c', $file, 'ls');
        isnt($status, 0, $name);
        like($said, qr/\[retention\] transaction_log/, '... and says where');
    }
};

done_testing;
