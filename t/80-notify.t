# 80-notify.t - failed runs of schedules are mailed: once, to all addresses, as
# soon as the mail server is there, by one of several programs; what the error
# holds does no harm; a program that dies at it leaves one more mail at most;
# without a server nothing is sent.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(free_port port_answers spit wait_until);
use DataLake::Smtp;
use DataLake::Stack;
use JSON::PP ();
use MIME::QuotedPrint qw(decode_qp);

my $stack = DataLake::Stack->new(
    name    => '80-notify',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
);
my $db       = $stack->mariadb;
my $JOBS     = 'datalake-jobs';
my $PORT     = free_port();
my $FILE     = "$stack->{dir}/mails";
my $PASSWORD = 'kept-to-itself';

# The mails that came, of run ID alone when it is given.
sub mails {
    my ($id) = @_;
    return grep { !defined $id || $_->{id} =~ /^<run-$id\./ } DataLake::Smtp::mails($FILE);
}

# Add a failed run of NAME that ended AGO seconds ago; MORE: columns of it.
sub failed {
    my ($name, $error, $ago, %more) = @_;
    my $later = exists $more{mail_after} ? 'UTC_TIMESTAMP(6) + INTERVAL ? SECOND' : '?';
    $db->run("INSERT INTO pipeline_run (name, state, `trigger`, started_at, finished_at, detail,
        mail_after) VALUES (?, 'Failed', 'calendar', UTC_TIMESTAMP(6) - INTERVAL 2 DAY,
          UTC_TIMESTAMP(6) - INTERVAL ? SECOND, ?, $later)",
        $name, $ago // 0, $error, $more{mail_after});
    return $db->value('SELECT MAX(run_id) FROM pipeline_run');
}

# Whether run ID is noted as mailed.
sub noted {
    return $db->value('SELECT mailed_at IS NOT NULL FROM pipeline_run WHERE run_id = ?', shift);
}

sub await_mail {
    my ($what, $id) = @_;
    wait_until("$what is mailed", sub { noted($id) }, 20);
    return (mails($id))[0];
}

sub log_has {
    my ($re, $what) = @_;
    return wait_until($what, sub { $stack->daemon_log($JOBS) =~ $re }, 20);
}

# Start the program with MORE settings of [notify].
sub start_with {
    my (%notify) = @_;
    $stack->{ini}{notify} = \%notify;
    $stack->write_ini;
    return $stack->start_daemon($JOBS);
}

my %NOTIFY = (
    smtp_url           => "smtp://127.0.0.1:$PORT",
    smtp_user          => 'lake',
    smtp_password_file => "$stack->{dir}/secrets/smtp",
    from               => 'lake@example.org',
);
spit($NOTIFY{smtp_password_file}, "$PASSWORD\n", 0600);

subtest 'who is mailed' => sub {
    my $list = sub {
        my ($status, $out) = $stack->try_ctl('--json', 'notify', @_);
        return $status ? "$status: $out" : JSON::PP::decode_json($out);
    };
    is_deeply($list->('list'), [], 'nobody at first');
    is_deeply($list->('add', 'bob@example.org'), [ { email => 'bob@example.org', name => '' } ], 'an address is added');
    $list->('add', 'bob@example.org', '--name', 'Bob');
    is_deeply($list->('add', 'ann@example.org', '--name', 'Ann'),
        [ map { +{ email => lc "$_\@example.org", name => $_ } } qw(Ann Bob) ],
        'one that is there gets the name; they are in order');
    is(scalar @{ $list->('add', 'x@example.org') }, 3, 'a third one');
    is(scalar @{ $list->('remove', 'x@example.org') }, 2, '... is removed');
    like($list->('remove', 'x@example.org'), qr/^1: .*nobody is mailed at "x\@example\.org"/, '... once');
    my (undef, $text) = $stack->try_ctl('notify', 'list');
    is($text, join('', map { sprintf "%-32s%s\n", lc "$_\@example.org", $_ } qw(Ann Bob)), 'a line for each');
};

# A run that fails: no program knows the schedule.
sub fail_really {
    my ($name) = @_;
    $db->run(q{INSERT INTO schedule (name, calendar, time_zone, next_run)
        VALUES (?, '*-01-01 00:00', 'UTC', UTC_TIMESTAMP(6) - INTERVAL 1 SECOND)}, $name);
    my $run;
    wait_until("the run of $name failed", sub {
            ($run) = $db->rows(q{SELECT run_id, started_at, finished_at, job_id
                FROM pipeline_run WHERE name = ? AND state = 'Failed'}, $name);
            return $run; }, 20);
    return @$run;
}

# A time of the database as RFC 3339.
sub rfc { return shift =~ tr/ /T/r . 'Z'; }

subtest 'without a mail server nothing is done' => sub {
    start_with();
    my ($id) = fail_really('nothing-known');
    is($db->value('SELECT mail_after IS NULL AND mailed_at IS NULL FROM pipeline_run'
              . ' WHERE run_id = ?', $id), 1, 'the run stays as it is');
    unlike($stack->daemon_log($JOBS), qr/notify/, 'nothing is said');
    $stack->daemon($JOBS)->stop;
    $db->run('UPDATE pipeline_run SET mailed_at = UTC_TIMESTAMP(6)');
};

my $server;
subtest 'a server that is away' => sub {
    start_with(%NOTIFY);
    my ($id, $started, $finished, $job) = fail_really('not-known');
    log_has(qr/DL0960 notify: mails about failed runs wait: /, 'it is said that mails wait');
    is(noted($id), 0, 'a mail waits');
    $server = DataLake::Smtp->new(file => $FILE, port => $PORT, refuse => qr/^nobody/);
    my $mail = await_mail('the run', $id);
    is(scalar(mails()), 1, 'it comes once when the server is there');
    is_deeply($mail->{to}, [ 'ann@example.org', 'bob@example.org' ], 'for both addresses');
    is($mail->{from}, 'lake@example.org', 'from the sender that is set');
    is($mail->{auth}, "lake $PASSWORD",   'with name and password');
    my ($head, $body) = split /\r\n\r\n/, $mail->{text}, 2;
    unlike($mail->{text}, qr/ann|bob/, 'no receiver sees another');
    like($head, qr/^To: undisclosed-recipients:;\r$/m,                      '... but that there are some');
    like($head, qr/^Subject: data lake: run $id of not-known failed\r$/m, 'its subject names the run');
    like($head, qr/^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r$/m, 'it has a date');
    $body = decode_qp($body);
    like($body, qr/^Schedule:  not-known\r?$/m, 'it names the schedule');
    like($body, qr/^Job:       $job\r?$/m,      '... the job');
    like($body, qr/^Started:   \Q@{[rfc($started)]}\E\r?$/m,  '... when it began');
    like($body, qr/^Finished:  \Q@{[rfc($finished)]}\E\r?$/m, '... and ended');
    like($body, qr/does not know the schedule "not-known"/,   '... and why it failed');
    log_has(qr/DL0961/, 'it is said that mails go again');
};

subtest 'an address that is refused' => sub {
    $db->run('INSERT INTO users_notification (email, name) VALUES (?, ?)', $_, 'x')
      for 'aa>, <x', 'nobody@example.org', "zz\@example.org\r\nRSET";
    my $mail = await_mail('the run', failed('some', 'why'));
    is_deeply($mail->{to}, [ 'ann@example.org', 'bob@example.org' ], 'does not keep the mail from others');
    log_has(qr/DL0963 .*: 1 of 3 addresses were refused: 550 no such user/, 'it is said');
    log_has(qr/DL0964 notify: 2 rows/, 'rows that hold no address are passed over');
    $db->run("DELETE FROM users_notification WHERE name = 'x'");
};

subtest 'an error with line ends and points' => sub {
    my $error = "first\r\n.\r\nRCPT TO:<eve\@example.org>\r\n..\n\x{20ac}";
    my $id    = failed("a\r\nBcc: eve\@example.org", $error);
    my $mail  = await_mail('the run', $id);
    my ($head, $body) = split /\r\n\r\n/, $mail->{text}, 2;
    unlike($head, qr/^Bcc/m, 'a name begins no header');
    like(decode_qp($body), qr/first\r?\n  \.\r?\n  RCPT TO:<eve\@example.org>\r?\n  \.\.\r?\n  \xE2\x82\xAC\r?\n\z/,
        'the mail has all of the error');
    is_deeply($mail->{to}, [ 'ann@example.org', 'bob@example.org' ], 'nobody else gets it');
};

subtest 'killed and started again' => sub {
    my $before = mails();
    $stack->daemon($JOBS)->kill_now;
    my $old   = failed('old',   'why', 90_000, mail_after => -9);    # tried in vain
    my $never = failed('never', 'why', 90_000);
    my $taken = failed('taken', 'why', 0, mail_after => 600);        # by another
    my $new   = failed('new',   'why');
    start_with(%NOTIFY);
    await_mail('what failed meanwhile', $new);
    is(scalar(mails()), $before + 1, 'it alone is mailed, not what was before');
    log_has(qr/DL0962 notify: run $old of old .*given up/, 'what waited for a day is given up');
    is(noted($_), 0, 'and not noted as mailed') for $old, $never;
    is(noted($taken), 0, 'what another has taken is left to it');
    $db->run('UPDATE pipeline_run SET mail_after = UTC_TIMESTAMP(6) WHERE run_id = ?', $taken);
    await_mail('what it did not mail in time', $taken);
    is(() = $stack->daemon_log($JOBS) =~ /DL0962/g, 1, 'it is said once');
};

# The run of NAME, which the mail server has and the program does not know of.
sub held {
    my ($name) = @_;
    spit("$FILE.hold", '');
    my $id = failed($name, 'why');
    wait_until('the server has it', sub { mails($id) }, 20);
    return $id;
}

# Start the program again behind its kill: run ID, which the killed one had
# taken, is mailed once more.
sub once_more {
    my ($id) = @_;
    is(noted($id), 0, 'the mail is not noted');
    is($db->value('SELECT mail_after > UTC_TIMESTAMP(6) - INTERVAL 30 SECOND AND mail_after <='
              . ' UTC_TIMESTAMP(6) + INTERVAL 60 SECOND FROM pipeline_run WHERE run_id = ?', $id), 1, 'the run is taken for a minute');
    $db->run('UPDATE pipeline_run SET mail_after = UTC_TIMESTAMP(6) WHERE run_id = ?', $id);
    start_with(%NOTIFY);
    await_mail('it', $id);
    await_mail('another run', failed('behind it', 'why'));
    my @both = mails($id);
    is(scalar @both, 2, 'there is one more mail');
    is($both[1]{id}, $both[0]{id}, '... with the same id, so that a mailbox may tell');
    return;
}

subtest 'killed before the answer of the mail server' => sub {
    my $id = held('no answer');
    $stack->daemon($JOBS)->kill_now;
    unlink "$FILE.hold";
    once_more($id);
};

subtest 'killed between the answer and its note' => sub {
    my $id  = held('no note');
    my $dbh = $db->dbh;
    my $at;
    $dbh->begin_work;
    $dbh->selectall_arrayref('SELECT * FROM pipeline_run WHERE run_id = ? FOR UPDATE', undef, $id);
    unlink "$FILE.hold";
    wait_until('no note is on its way', sub {
            $at = $db->value(q{SELECT id FROM information_schema.processlist
                WHERE info LIKE 'UPDATE pipeline_run SET mailed_at%' AND time_ms > 50}); }, 20);
    $stack->daemon($JOBS)->kill_now;
    $db->run("KILL $at");    # else the server finishes what it was asked for
    wait_until('it is gone', sub {
            !$db->value('SELECT COUNT(*) FROM information_schema.processlist WHERE id = ?', $at) }, 20);
    $dbh->rollback;
    once_more($id);
};

subtest 'two programs' => sub {
    my $first = $stack->daemon($JOBS);
    my $log   = $stack->daemon_log($JOBS);
    unlike($log, qr/$PASSWORD/, 'the log never has the password');
    $stack->start_daemon($JOBS, arguments => [ '--name', 'other' ]);
    spit("$FILE.slow", '');    # so that both are at it
    my @ids = map { failed("many-$_", 'why') } 1 .. 30;
    wait_until('all are mailed', sub { !grep { !noted($_) } @ids }, 20);
    is(join(' ', map { scalar(my @m = mails($_)) } @ids), join(' ', (1) x 30), 'mail each run once');
    unlink "$FILE.slow";
    $_->stop for $first, $stack->daemon($JOBS);
};

subtest 'a server elsewhere' => sub {
    my $id = failed('unsafe', 'why');
    start_with(%NOTIFY, smtp_url => "smtp://0.0.0.0:$PORT");
    log_has(qr/DL0960 .*STARTTLS/, 'it is said that it has no TLS');
    $stack->daemon($JOBS)->stop;
    unlike((DataLake::Smtp::commands($FILE))[-1], qr/AUTH|MAIL/, 'and gets no password');
    my ($port, $key) = (free_port(), "$stack->{dir}/tls");
    system("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout $key.key"
          . " -out $key.crt 2>$key.log") == 0 or die "openssl req failed\n";
    my $pretender = DataLake::Process->new(
        name    => 'pretender',
        command => [ 'openssl', 's_server', '-quiet', '-accept', "127.0.0.1:$port", '-key', "$key.key",
            '-cert', "$key.crt" ],
        log => "$stack->{dir}/log/pretender.log"
    );
    $pretender->start;
    wait_until('it listens', sub { port_answers($port) }, 20);
    start_with(%NOTIFY, smtp_url => "smtps://localhost:$port");
    log_has(qr/DL0960 .*certificate/, 'nor does one that nobody vouches for');
    is(noted($id), 0, 'nothing is mailed');
    $_->stop for $stack->daemon($JOBS), $pretender;
};

subtest 'settings' => sub {
    for my $case (
        [ { %NOTIFY, smtp_url => 'ldap://127.0.0.1' }, qr/datalake\.ini:\d+: \[notify\] smtp_url = .*must be smtp:/ ],
        [ { %NOTIFY, from     => 'a b' },              qr/datalake\.ini:\d+: \[notify\] from = a b: must be/ ],
        [ { %NOTIFY, from     => undef },              qr/\[notify\] from: must stand beside smtp_url/ ],
      )
    {
        $stack->{ini}{notify} = $case->[0];
        $stack->write_ini;
        my ($status, $said) = $stack->try_program($JOBS, '-c', $stack->ini_file, '--check-config');
        is($status, 2, 'a mistake is refused');
        like($said, $case->[1], '... with its place');
    }
};

$server->stop;
done_testing;
