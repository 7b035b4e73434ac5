# 79-change-order.t - changes of rows wait for each other only where they meet:
# what each asks of the database, by which index, and how its event gets its
# number, whoever commits first and whichever program numbers.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp wait_until);
use DataLake::Sql qw(statements);
use DataLake::Stack;
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);

my $json  = JSON::PP->new->canonical->utf8;
my $stack = DataLake::Stack->new(
    name    => '79-change-order',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    httpd   => 1,
);
my $db    = $stack->mariadb;
my $admin = $stack->client('admin');

sub produce {
    my ($topic, @values) = @_;
    $stack->kafka->produce($topic, [ map { { partition => 0, key => "$_->[0]", value => $json->encode($_->[1]) } } @values ]);
    my $high = ($stack->kafka->watermarks($topic))[0][1];
    wait_until("$topic is not loaded", sub {
            my $at = $db->value("SELECT next_offset FROM sink_offset WHERE sink = 'warehouse' AND topic = ? AND `partition` = 0", $topic);
            return ($at // 0) >= $high;
    }, 60);
    return;
}

# METHOD PATH with BODY, which must be 200; its request id.
sub change {
    my ($method, $path, $body, $client) = @_;
    my $told = ($client // $admin)->request($method, $path, $body ? (body => $body) : ());
    is($told->{status}, 200, "$method $path") or diag $told->{body};
    return $told->{headers}{'x-request-id'};
}

# METHOD PATH by another process: a handle that gives the status when it is
# there.
sub change_beside {
    my ($method, $path, $body) = @_;
    pipe my $in, my $out or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $told = eval { $stack->client('admin')->request($method, $path, body => $body) };
        syswrite $out, ($told ? $told->{status} : 'none') . "\n";
        POSIX::_exit(0);
    }
    close $out;
    return { in => $in, pid => $pid };
}

sub has_answer {
    my ($change, $seconds) = @_;
    my $bits = '';
    vec($bits, fileno $change->{in}, 1) = 1;
    return scalar select $bits, undef, undef, $seconds;
}

sub status_of {
    my ($change) = @_;
    chomp(my $status = readline $change->{in});
    waitpid $change->{pid}, 0;
    return $status;
}

# [partition, number, request id] of the events of DATASET in the lake, in its
# order.
sub events {
    my ($dataset) = @_;
    my (@found, $partition);
    open my $in, '-|', "$stack->{top}/build/tools/lake_dump", "$stack->{dir}/lake", $dataset, 'notes' or die "lake_dump: $!\n";
    while (my $line = <$in>) {
        $partition = (split /\t/, $line)[4] if $line =~ /^R\t/;
        my ($id) = $line =~ /^N\t.*dl-change-id=(\d+)/ or next;
        push @found, [ $partition, $id, $line =~ /dl-request-id=([\w-]+)/ ];
    }
    close $in or die "lake_dump failed\n";
    return @found;
}

sub await_event {
    my ($dataset, $request) = @_;
    my @found;
    wait_until("no event of $request", sub { @found = grep { $_->[2] eq $request } events($dataset) }, 60);
    return $found[0][1];
}

sub post {
    my ($key) = @_;
    return [ "p$key", { post_id => "p$key", user => { user_id => 'u1', name => 'Ada' }, content => 'x', timestamp => '2023-01-20T11:37:58Z', likes => 1,
                comments => [ { comment_id => 'c1', user => 'Bob', text => 'y' } ] } ];
}

sub logged {
    my ($address, $n) = @_;
    return [ $address, { IP_Address => $address, Date => '20/Jan/2023', Time => '11:37:58', Method => 'GET', URL => "/$n",
                HTTP_Version => 'HTTP/1.1', Status_Code => '200', Response_Size => '512' } ];
}

produce('social_posts', map { post($_) } 1 .. 20);
produce('network_logs', map { logged("192.0.2.$_", $_) } 1 .. 9);
produce('clients', map { [ $_, { client_id => $_, nom => "N$_" } ] } 1 .. 9);
produce('transactions', map { [ $_ % 9 + 1, { transaction_id => $_, client_id => $_ % 9 + 1, montant => 1, date_transaction => "2023-01-20 11:37:0$_" } ] } 0 .. 9);

subtest 'what waited before the schema changed' => sub {
    my @before = statements(slurp("$stack->{top}/sql/0019-outbox.sql"));
    my @steps  = statements(slurp("$stack->{top}/sql/0020-outbox-number.sql"));
    cmp_ok(scalar @steps, '>', 8, 'the steps are found');
    my $wrong = 0;
    for my $cut (0 .. @steps) {
        $db->run("CREATE OR REPLACE DATABASE former");
        my $dbh = $db->dbh('former');
        $dbh->do($_) for @before;
        $dbh->do('INSERT INTO change_outbox VALUES (?, ?, ?, ?, NOW(6), ?)', undef, @$_)
          for [ 900, 't', 'a', '{"n":1}', undef ], [ 500, 't', 'b', '{"n":2}', '2026-01-01' ], [ 700, 's', 'c', '{"n":3}', undef ];
        $dbh->do($_) for @steps[ 0 .. $cut - 1 ];
        $dbh->disconnect;
        $dbh = $db->dbh('former');
        $dbh->do($_) for @steps;
        my $rows = join ' ', map { join ',', @$_ }
          @{ $dbh->selectall_arrayref('SELECT change_id, topic, `key`, `value`, sent_at IS NULL FROM change_outbox ORDER BY id') };
        $wrong++ if $rows ne '500,t,b,{"n":2},0 700,s,c,{"n":3},1 900,t,a,{"n":1},1';
        $dbh->do('INSERT INTO change_outbox (topic, `key`, `value`, created_at) VALUES (?, ?, ?, NOW(6))', undef, 't', 'd', '{}');
        $wrong++ if $dbh->selectrow_array('SELECT MAX(id) FROM change_outbox WHERE change_id IS NULL') != 901;
    }
    is($wrong, 0, 'keeps its number and its order, wherever the steps are cut off, and what comes is counted behind it');
    $db->run('DROP DATABASE former');
};

subtest 'two changes of a topic' => sub {
    my $dbh = $db->dbh;
    $dbh->begin_work;
    $dbh->selectall_arrayref("SELECT comment_id FROM social_comment WHERE post_id = 'p1' FOR UPDATE");
    my $held = change_beside('PUT', '/v1/social/p1', { comments => [] });
    wait_until('the change does not wait', sub {
            die 'it is ' . status_of($held) . "\n" if has_answer($held, 0);
            ($db->rows("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[0][1];
    }, 60);
    my $second = change('PUT', '/v1/social/p2', { likes => 2 });
    ok(!has_answer($held, 0), 'the second one is committed while the first, under way, waits for a row');
    await_event('social_posts', $second);
    $dbh->rollback;
    is(status_of($held), 200, 'the first is committed then');
    my $third = change_beside('PUT', '/v1/social/p3', { likes => 3 });
    is(status_of($third), 200, 'and others');
};

subtest 'an event that comes to light behind a later one' => sub {
    my $dbh = $db->dbh;
    $dbh->begin_work;
    $dbh->do(q{UPDATE social_post SET likes = 77 WHERE post_id = 'p4'});
    $dbh->do('INSERT INTO change_outbox (topic, `key`, `value`, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))', undef, 'social_posts', 'p4',
        '{"_event":"update","key":{"post_id":"p4"},"changes":{"likes":77},"by":"admin","at":"' . strftime('%Y-%m-%dT%H:%M:%S', gmtime)
          . '.000000Z","request_id":"late","upto":{"0":4}}');
    my $early  = change('PUT', '/v1/social/p5', { likes => 5 });
    my $number = await_event('social_posts', $early);
    $dbh->commit;
    cmp_ok(await_event('social_posts', 'late'), '>', $number, 'has a higher number, and is not dropped');
};

subtest 'the newest payment goes while a change of it waits' => sub {
    my $dbh = $db->dbh;
    $dbh->begin_work;
    $dbh->do('DELETE FROM client_transaction WHERE transaction_id = 9');
    my $held = change_beside('PUT', '/v1/transactions/1', { montant => 8 });
    wait_until('the change does not wait', sub {
            die 'it is ' . status_of($held) . "\n" if has_answer($held, 0);
            ($db->rows("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"))[0][1];
    }, 10);
    $dbh->commit;
    is(status_of($held), 200, 'it is done');
    is($db->value('SELECT montant FROM client_transaction WHERE transaction_id = 0') + 0, 8, '... to the one that is the newest then');
};

subtest 'what was sent long ago goes while events come' => sub {
    $stack->daemon('datalake-jobs')->stop;
    $db->run(q{INSERT INTO change_outbox (change_id, topic, `key`, `value`, created_at, sent_at)
        SELECT seq, 'social_posts', 'p4', '{}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) - INTERVAL 2 DAY FROM seq_1_to_5});
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $beside = $db->dbh;
        for my $n (1 .. 3000) {
            $beside->do('INSERT INTO change_outbox (topic, `key`, `value`, created_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6))', undef, 'social_posts', 'p4',
                '{"_event":"update","key":{"post_id":"p4"},"changes":{"likes":77},"by":"admin","at":"' . strftime('%Y-%m-%dT%H:%M:%S', gmtime)
                  . qq(.000000Z","request_id":"more$n","upto":{"0":4}}));
            sleep 0.005;
        }
        POSIX::_exit(0);
    }
    $stack->start_daemon('datalake-jobs', wait => 0);
    my $gone = eval { wait_until('they stay', sub { !$db->value('SELECT COUNT(*) FROM change_outbox WHERE change_id <= 5') }, 10); 1 };
    my $under_way = !waitpid $pid, POSIX::WNOHANG();
    kill 'KILL', $pid;
    waitpid $pid, 0;
    ok($gone, 'a day later');
    note $under_way ? 'meanwhile' : 'behind them';
};

# Let the lease end.  A program that was stopped while it holds the lease's row
# has to let go of it first.
sub end_lease {
    my (@relay) = @_;
    $db->run('SET SESSION innodb_lock_wait_timeout = 1');
    until (eval { $db->run(q{UPDATE change_relay SET lease_until = '2000-01-01'}); 1 }) {
        $@ =~ /Lock wait timeout/ or die $@;
        $_->signal('CONT') for @relay;
    }
    return;
}

subtest 'two programs that number in turn, one always stopped in the middle' => sub {
    my @relay = $stack->daemon('datalake-jobs');
    push @relay, $stack->start_daemon('datalake-jobs', wait => 0, arguments => [ '--name', 'datalake-jobs-other' ]);
    my (@asked, $turns);
    my $until = time + 6;
    my $running = 0;
    while (time < $until) {
        my $stopped = 1 - $running;
        $relay[$stopped]->signal('STOP');
        push @asked, change('PUT', '/v1/social/p' . (6 + @asked % 12), { likes => scalar @asked }) for 1 .. 1 + rand 12;
        $relay[$running]->signal('STOP') if rand() < 0.5;
        end_lease(@relay);
        $relay[$stopped]->signal('CONT');
        $relay[$running]->signal('CONT') if rand() < 0.3;
        sleep 0.4;
        $running = $stopped;
        $turns++;
    }
    $_->signal('CONT') for @relay;
    note "$turns turns, " . @asked . ' changes';
    wait_until('events wait', sub { !$db->value('SELECT COUNT(*) FROM change_outbox WHERE sent_at IS NULL') }, 60);
    my %seen;
    wait_until('events are not in the lake', sub { %seen = (); $seen{ $_->[2] }++ for events('social_posts'); !grep { !$seen{$_} } @asked }, 60);
    is(scalar(grep { $_ != 1 } values %seen), 0, 'each event is in the lake once');
    my (%last, $back);
    for my $event (events('social_posts')) {
        $back++ if $event->[1] <= ($last{ $event->[0] } // 0);
        $last{ $event->[0] } = $event->[1];
    }
    is($back // 0, 0, 'in the order of the numbers');
    is($db->value('SELECT COUNT(*) - COUNT(DISTINCT topic, change_id) FROM change_outbox'), 0, 'none has the number of another');
    my %place;
    my @numbers = map { $_->[2] } sort { $a->[1] <=> $b->[1] } events('social_posts');
    @place{@numbers} = 0 .. $#numbers;
    my @places = @place{@asked};
    is(join(' ', @places), join(' ', sort { $a <=> $b } @places), 'which are those of the changes, one after another');
    $relay[0]->stop;
};

# --- What a change asks -----------------------------------------------------------

my $src = '0, 9, seq, NOW() FROM seq_1_to_5000';
$db->run("INSERT INTO $_") for
  "network_log SELECT 100000 + seq, CONCAT('10.0.', seq % 100, '.1'), '', '', '', '', '', '', '', NOW() - INTERVAL seq SECOND, CONCAT('x', seq), $src",
  "social_post SELECT CONCAT('x', seq), CONCAT('x', seq % 100), '', 1, '', NOW() - INTERVAL seq SECOND, 1, $src",
  "social_comment SELECT CONCAT('x', seq), 'a', '', '', NOW() FROM seq_1_to_5000",
  "client SELECT 1000 + seq, '', '', '', $src",
  "client_transaction SELECT 100000 + seq, 1000 + seq % 100, 1, NOW() - INTERVAL seq SECOND, $src";
my %INDEX = (
    network_log        => 'network_log_ip',
    social_post        => 'PRIMARY',
    social_comment     => 'PRIMARY',
    client             => 'PRIMARY',
    client_transaction => 'PRIMARY|client_transaction_client|client_transaction_page',
    change_outbox      => 'PRIMARY|change_outbox_sent',
    change_topic       => 'PRIMARY',
    change_relay       => 'PRIMARY',
    sink_offset        => 'PRIMARY|sink_offset_topic',
);
$db->run("ANALYZE TABLE $_") for sort keys %INDEX;

# What the server ran for one request, transaction and all; the watcher's looks
# may come by the same connection.
sub asked_for {
    my ($method, $path, $body) = @_;
    $db->run('SET GLOBAL general_log = 0');
    $db->run('TRUNCATE TABLE mysql.general_log');
    $db->run('SET GLOBAL general_log = 1');
    change($method, $path, $body);
    $db->run('SET GLOBAL general_log = 0');
    my @all = $db->rows('SELECT thread_id, command_type, argument FROM mysql.general_log'
          . " WHERE command_type IN ('Execute', 'Query') ORDER BY event_time");
    my ($thread) = map { $_->[0] } grep { $_->[2] =~ /^INSERT INTO change_outbox/ } @all;
    return map { $_->[2] =~ s/\s+/ /gr }
      grep { $_->[0] == ($thread // 0) && $_->[2] !~ /FROM identity_change/ } @all;
}

my %explained;

sub check_plan {
    my ($sql) = @_;
    return if $sql !~ /^(?:SELECT|UPDATE|DELETE)/;
    $sql =~ s/LIMIT \?/LIMIT 256/;    # so the log has it
    my $shape = $sql =~ s/'[^']*'|\b\d+\b/?/gr;
    return if $explained{$shape}++;
    my $plan = eval { $db->dbh->selectall_arrayref("EXPLAIN $sql") };
    ok($plan, 'a statement can be explained') or diag $sql;
    for my $row (@{ $plan // [] }) {
        my ($table, $type, $key) = @$row[ 2, 3, 5 ];
        next if !$table || !$INDEX{$table};
        like($type // '', qr/^(?:const|ref|range|eq_ref|ref_or_null)$/, "$table is looked up: " . substr $sql, 0, 60) or diag $sql;
        like($key // '', qr/^(?:$INDEX{$table})$/, '... by its index');
    }
    return;
}

$db->run(q{SET GLOBAL log_output = 'TABLE'});
my @KINDS = (    # statements from the first to the commit, at most; a deletion counts its rows
    [ 6,  'PUT',    '/v1/logs/192.0.2.1', { Status_Code => 404 } ],
    [ 6,  'PUT',    '/v1/logs/192.0.2.1', { Date => '21/Jan/2023', Time => '00:00:01', Method => 'HEAD', URL => '/x', Status_Code => 404, Response_Size => 1 } ],
    [ 7,  'DELETE', '/v1/logs/192.0.2.2' ],
    [ 6,  'PUT',    '/v1/social/p10', { content => 'z', likes => 4 } ],
    [ 8,  'PUT',    '/v1/social/p11', { content => 'z', comments => [ { comment_id => 'n', text => 'z' } ] } ],
    [ 8,  'DELETE', '/v1/social/p12' ],
    [ 7,  'PUT',    '/v1/transactions/2', { montant => 5 } ],
    [ 7,  'PUT',    '/v1/transactions/3', { nom => 'Z' } ],
    [ 9,  'PUT',    '/v1/transactions/3', { montant => 5, date_transaction => '2024-01-01 00:00:00', nom => 'Z', email => 'z@example.org' } ],
    [ 7,  'DELETE', '/v1/transactions/4' ],
    [ 7,  'DELETE', '/v1/transactions/5?transaction_id=4' ],
);

subtest 'statements of a change, looked up by their indexes' => sub {
    for my $kind (@KINDS) {
        my ($most, @what) = @$kind;
        my @asked = asked_for(@what);
        cmp_ok(scalar @asked, '<=', $most, "... by $most statements at most, the transaction's own included") or diag join "\n", @asked;
        like($asked[-1] // '', qr/^COMMIT/, '... the commit last');
        check_plan($_) for @asked;
    }
    cmp_ok(scalar(keys %explained), '>=', 12, keys(%explained) . ' kinds of statements were explained');
};

subtest 'statements of the relay' => sub {
    $db->run(q{INSERT INTO change_outbox (change_id, topic, `key`, `value`, created_at, sent_at)
        SELECT seq, 'other', 'k', '{}', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM seq_1_to_5000});
    $db->run('ANALYZE TABLE change_outbox');
    $db->run('TRUNCATE TABLE mysql.general_log');
    $db->run('SET GLOBAL general_log = 1');
    await_event('social_posts', change('PUT', '/v1/social/p13', { likes => 4 }));
    wait_until('it is not noted', sub { !$db->value('SELECT COUNT(*) FROM change_outbox WHERE sent_at IS NULL') }, 60);
    $db->run('SET GLOBAL general_log = 0');
    my %kinds = map { ($_->[0] =~ s/\s+/ /gr => 1) }
      $db->rows("SELECT argument FROM mysql.general_log WHERE command_type = 'Execute' AND argument REGEXP 'change_(outbox|topic|relay)' AND user_host LIKE '%jobs%'");
    my $before = keys %explained;
    check_plan($_) for sort keys %kinds;
    cmp_ok(keys(%explained) - $before, '>=', 5, 'are looked up, too');
};

subtest 'ten thousand rows of one key' => sub {
    $stack->daemon('datalake-warehouse')->stop;    # its offsets are ours now
    $db->run(q{INSERT INTO network_log SELECT 200000 + seq, '198.51.100.1', '20/Jan/2023', '11:37:58', 'GET', '/', 'HTTP/1.1', '200', '1',
        '2023-01-20 11:37:58', CONCAT('y', seq), 0, 8, seq, NOW() FROM seq_1_to_10000});
    $db->run(q{INSERT INTO sink_offset (sink, topic, `partition`, next_offset, generation, cluster_id)
        SELECT sink, topic, 8, 10001, generation, cluster_id FROM sink_offset WHERE sink = 'warehouse' AND topic = 'network_logs' AND `partition` = 0});
    for my $what ([ 'PUT', { Status_Code => 500, Method => 'HEAD' }, 'updated' ], [ 'DELETE', undef, 'deleted' ]) {
        my ($method, $body, $name) = @$what;
        my $told = $admin->request($method, '/v1/logs/198.51.100.1', $body ? (body => $body) : ());
        is("$told->{status} " . ($told->{json}{$name} // ''), '200 10000', "$method changes all");
        note sprintf '%s: %.2f s', $method, $told->{seconds};
        cmp_ok($told->{seconds}, '<', 20, '... in a bounded time');
    }
    is($db->value(q{SELECT COUNT(*) FROM network_log WHERE IP_Address = '198.51.100.1'}), 0, 'none is left');
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');
done_testing();
