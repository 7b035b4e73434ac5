# 77-row-count.t - the number of rows that is kept with a table is the number of
# its rows, whatever took rows away: requests, retention, a rebuild, a restore;
# and what goes with a row goes with it.
#
# No broker: the daemons read files.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $NOW    = int time;
my $OLD    = $NOW - 40 * 86400;
my $json   = JSON::PP->new->canonical->utf8;
my $SOURCE = "$DataLake::Stack::TOP/build/t/77-row-count/source";
my $stack  = DataLake::Stack->new(
    name    => '77-row-count',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    ini     => {
        kafka     => { brokers             => "file:$SOURCE" },
        lake      => { seal_age            => '1s' },
        warehouse => { accept_unsafe_flush => 'on' },
        retention => { map { ($_ => '5 d') } qw(network_logs social_posts transactions) },
    },
);
my $db     = $stack->mariadb;
my $admin  = $stack->client('admin');
my %TABLE  = (network_logs => 'network_log', social_posts => 'social_post', transactions => 'client_transaction', clients => 'client');
my @TOPICS = sort keys %TABLE;
my %length;
my %gone = map { ($_ => 0) } @TOPICS;    # records of days that the lake has not any more

# Put records behind the file of TOPIC: [key, value].
sub put {
    my ($topic, @records) = @_;
    mkdir $SOURCE;
    open my $out, '>>:raw', "$SOURCE/$topic" or die "$topic: $!\n";
    for my $record (@records) {
        my ($key, $value) = @$record;
        printf $out "0 %d %d %s\t%s\n", $length{$topic}++, $NOW * 1000, $key, $json->encode($value);
    }
    close $out or die $!;
    return;
}

sub logged {
    my ($n, $time) = @_;
    return [ "192.0.2.$n", {
            IP_Address => "192.0.2.$n", Date => strftime('%d/%b/%Y', gmtime $time), Time => strftime('%H:%M:%S', gmtime $time),
            Method => 'GET', URL => "/$n", HTTP_Version => 'HTTP/1.1', Status_Code => '200', Response_Size => '1' } ];
}

sub post {
    my ($n, $time) = @_;
    return [ "p$n", { post_id => "p$n", user => { user_id => 'u1', name => 'Ada' }, content => 'x', likes => 1,
            timestamp => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime $time),
            comments => [ map { { comment_id => "c$_", user => 'Bob', text => 'y' } } 1 .. 3 ] } ];
}

sub payment {
    my ($n, $time) = @_;
    return [ $n % 9, { transaction_id => $n, client_id => $n % 9, montant => 1,
            date_transaction => strftime('%Y-%m-%d %H:%M:%S', gmtime $time) } ];
}

# Records NUMBERS of each topic but clients, which happened at TIME.
sub put_all {
    my ($time, @numbers) = @_;
    put('network_logs', map { logged($_, $time + $_) } @numbers);
    put('social_posts', map { post($_, $time + $_) } @numbers);
    put('transactions', map { payment($_, $time + $_) } @numbers);
    return;
}

# The daemons read what has been put: a file that is not the last one is read to
# its end, once.
sub load {
    $stack->start_daemon($_) for qw(datalake-lake datalake-warehouse);
    for my $topic (@TOPICS) {
        wait_until("$topic is not loaded", sub {
                ($db->value("SELECT next_offset FROM sink_offset WHERE sink = 'warehouse' AND topic = ?", $topic) // 0) >= $length{$topic} }, 20);
        wait_until("$topic is not in the lake", sub {
                my @lines = split /\n/, qx($stack->{top}/build/tools/lake_dump $stack->{dir}/lake $topic 2>&1);
                return @lines >= $length{$topic} - $gone{$topic} }, 20);
    }
    return;
}

sub unload {
    $stack->daemon($_)->stop for qw(datalake-warehouse datalake-lake);
    return;
}

sub count_of { return $db->value("SELECT COUNT(*) FROM $_[0]"); }

# Check that of each table as many rows are kept as there are: WANTED of them.
sub counted {
    my ($name, %wanted) = @_;
    for my $table (sort values %TABLE) {
        my $kept = $db->value('SELECT SUM(n) FROM row_count WHERE name = ? HAVING SUM(slot = -1) = 1', $table) // 'none';
        is($kept, count_of($table), "$name: $table, $kept rows");
        is($kept, $wanted{$table}, '... as there should be') if defined $wanted{$table};
    }
    for my $route ([ logs => 'network_log' ], [ social => 'social_post' ], [ transactions => 'client_transaction' ]) {
        my ($path, $table) = @$route;
        my $wanted = count_of($table);
        my $told;    # an answer is kept for two seconds
        eval { wait_until('a count', sub { $told = $admin->get("/v1/$path/count")->{body}; $told =~ /:$wanted\D/ }, 10) };
        like($told, qr/:$wanted\D/, "$name: /v1/$path/count says so");
    }
    is($db->value('SELECT COUNT(*) FROM social_comment WHERE post_id NOT IN (SELECT post_id FROM social_post)'), 0, '... no comment is without its post');
    return;
}

sub take_away {
    my ($path) = @_;
    my $told = $admin->request('DELETE', $path);
    is($told->{status}, 200, "DELETE $path") or diag $told->{body};
    return;
}

put('clients', map { [ $_, { client_id => $_, nom => 'N' } ] } 0 .. 8);
put_all($OLD, 1 .. 30);
put_all($NOW, 31 .. 90);

# A line whose day is old, but not the text of its day.
put('network_logs', logged(201, 1_579_953_600));
is((logged(201, 1_579_953_600))->[1]{Date}, '25/Jan/2020', 'given an old day');
load();
$stack->daemon('datalake-lake')->signal('USR1');
wait_until('days are not sealed', sub { !glob "$stack->{dir}/lake/_lake/{network_logs,social_posts,transactions}/open/*" }, 30);
counted('loaded', network_log => 91, social_post => 90, client_transaction => 90);

subtest 'rows that requests delete' => sub {
    take_away($_) for '/v1/logs/192.0.2.31', '/v1/social/p31', '/v1/transactions/5?transaction_id=32', '/v1/logs/192.0.2.2';
    counted('deleted', network_log => 89, social_post => 89, client_transaction => 89);
};

subtest 'rows that were kept for long enough' => sub {
    my ($status, $said) = $stack->try_ctl('retention', '--dry-run');
    is($status, 0, 'a dry run') or diag $said;
    like($said, qr/^rows network_log: 30$/m, 'tells how many lines of logs go');
    like($said, qr/^rows social_post: 30$/m, '... how many posts');
    counted('not yet', network_log => 89, social_post => 89, client_transaction => 89);
    ($status, $said) = $stack->try_ctl('retention');
    is($status, 0, 'retention') or diag $said;
    @gone{qw(network_logs social_posts transactions)} = (31, 30, 30);
    counted('gone', network_log => 59, social_post => 59, client_transaction => 59);
    is($db->value('SELECT COUNT(*) FROM network_log WHERE `timestamp` < UTC_TIMESTAMP() - INTERVAL 6 DAY'), 0, 'of lines the old ones, by their time');
    is(count_of('social_comment'), 3 * 59, 'comments go with their posts');
};

unload();

subtest 'a rebuild' => sub {
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse');
    is($status, 0, 'datalakectl rebuild-warehouse') or diag $said;
    counted('rebuilt', map { ($_ => 59) } qw(network_log social_post client_transaction));
    $db->run('CREATE TRIGGER a_loader AFTER DELETE ON network_log FOR EACH ROW'
          . " INSERT IGNORE INTO row_count (name, slot, n) SELECT 'network_log', -1, COUNT(*) FROM network_log");
    ($status, $said) = $stack->try_ctl('rebuild-warehouse', '--dataset', 'network_logs');
    is($status, 0, 'again, and a loader counts what it finds while the table is emptied') or diag $said;
    $db->run('DROP TRIGGER a_loader');
    counted('which goes, too', map { ($_ => 59) } qw(network_log));
};

# Put two lines of ADDRESS to the partitions 0 and 1 each, and load them.
sub put_both {
    my ($address) = @_;
    my ($line)    = logged(77, $NOW);
    my @lines     = map { { %{ $line->[1] }, IP_Address => $address, URL => "/$_" } } 1 .. 4;
    put('network_logs', map { [ $address, $_ ] } @lines[ 0, 1 ]);
    open my $out, '>>:raw', "$SOURCE/network_logs" or die "$!\n";
    printf $out "1 %d %d %s\t%s\n", $_ - 2, $NOW * 1000, $address, $json->encode($lines[$_]) for 2, 3;
    close $out or die $!;
    $gone{network_logs} -= 2;
    load();
    wait_until('the lines are not loaded', sub { lines_of($address) == 4 }, 30);
    return unload();
}

sub lines_of { return $db->value('SELECT COUNT(*) FROM network_log WHERE IP_Address = ?', $_[0]); }

subtest 'a row that a request deletes while a rebuild has loaded one half' => sub {
    put_both('192.0.2.211');
    counted('loaded', network_log => 63);
    my $held = $db->dbh;
    $held->do(q{DO GET_LOCK('held', 10)});
    $db->run('CREATE TRIGGER held BEFORE INSERT ON network_log FOR EACH ROW BEGIN'
          . ' IF NEW.src_partition = 1 THEN DO GET_LOCK(\'held\', 120); DO RELEASE_LOCK(\'held\'); END IF; END');
    my $pid = open(my $rebuild, '-|') // die "fork: $!\n";
    if (!$pid) {
        my ($status, $said) = $stack->try_ctl('rebuild-warehouse', '--dataset', 'network_logs');
        print "$status $said";
        POSIX::_exit(0);
    }
    wait_until('one half is not there', sub { lines_of('192.0.2.211') == 2 }, 60);
    my $told = $admin->request('DELETE', '/v1/logs/192.0.2.211');
    is("$told->{status} $told->{body}", '200 {"deleted":2}', 'it has what is there');
    $held->do(q{DO RELEASE_LOCK('held')});
    my $said = do { local $/ = undef; <$rebuild> };
    close $rebuild;
    $db->run('DROP TRIGGER held');
    like($said, qr/^0 /, 'the rebuild goes on') or diag $said;
    is(lines_of('192.0.2.211'), 0, 'the other half does not come back');
    counted('and is not counted', network_log => 59);
    $stack->ctl('rebuild-warehouse', '--dataset', 'network_logs');
    is(lines_of('192.0.2.211'), 0, '... nor with the next rebuild');
    is($db->value(q{SELECT COUNT(*) FROM sink_offset WHERE sink = 'rebuild'}), 0, 'nothing of a rebuild is left');
};

my $dir = "$stack->{dir}/backup";
subtest 'a restore' => sub {
    my ($status, $said) = $stack->try_ctl('backup', $dir);
    is($status, 0, 'a backup') or diag $said;
    put_all($NOW, 91 .. 120);
    load();
    take_away($_) for '/v1/logs/192.0.2.40', '/v1/social/p40', '/v1/transactions/5?transaction_id=41';
    counted('before it', map { ($_ => 88) } qw(network_log social_post client_transaction));
    unload();
    ($status, $said) = $stack->try_ctl('restore', '--replace', $dir);
    is($status, 0, 'datalakectl restore --replace') or diag $said;
    delete $stack->{tokens}{admin};
    $admin = $stack->client('admin');
    counted('restored', map { ($_ => 59) } qw(network_log social_post client_transaction));
    load();
    counted('and behind it', map { ($_ => 89) } qw(network_log social_post client_transaction));
    unload();
};

subtest 'a backup of an older schema' => sub {
    my $about = slurp("$dir/backup.json");
    my ($list) = slurp("$dir/SHA256SUMS");
    ok($about =~ s/"schema":\d+/"schema":20/, 'which had no counts');
    ok($list =~ s{^\S+  warehouse/row_count\.tsv\n}{}m, '... at all');
    unlink "$dir/warehouse/row_count.tsv";
    spit("$dir/backup.json", $about);
    my ($sum) = qx(sha256sum $dir/backup.json) =~ /^(\S+)/;
    $list =~ s{^\S+(  backup\.json)$}{$sum$1}m;
    spit("$dir/SHA256SUMS", $list);
    my ($status, $said) = $stack->try_ctl('restore', '--replace', $dir);
    is($status, 1, 'does not go over a later one');
    like($said, qr/schema 20.*drop the database/s, '... with what to do instead');
    counted('nothing has changed', map { ($_ => 89) } qw(network_log social_post client_transaction));
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');
done_testing;
