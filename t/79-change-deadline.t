# 79-change-deadline.t - a change that is not done after 30 s, whatever it spends
# them on, is 503 with nothing changed, beside others that go on.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(time);

my $LIMIT  = 30;
my $json   = JSON::PP->new->canonical->utf8;
my $stack  = DataLake::Stack->new(name => '79-change-deadline', mariadb => 1, httpd => 1, durable => 0, later => 1);
my @TABLES = qw(network_log social_post social_comment client client_transaction change_outbox row_count);
$stack->start_all;
my $db = $stack->mariadb;

# --- Rows -----------------------------------------------------------------------

my $src = '0, 0, seq, NOW()';
$db->run("INSERT INTO $_") for
  "network_log SELECT seq, IF(seq <= 4000, CONCAT('192.0.2.', 1 + seq % 2), CONCAT('10.0.', seq % 200, '.1')), '20/Jan/2023', '11:37:58', 'GET', '/',"
  . " 'HTTP/1.1', '200', '1', NOW(), seq, $src FROM seq_1_to_40000",
  "social_post SELECT CONCAT('p', seq), 'u', 'Ada', 1, 'x', NOW(), 1, $src FROM seq_1_to_9",
  "social_comment SELECT CONCAT('p', 1 + seq % 9), CONCAT('c', seq), 'Bob', 'y', NOW() FROM seq_1_to_90",
  "client SELECT seq, 'N', 'e', '', $src FROM seq_1_to_9",
  "client_transaction SELECT seq, 1 + seq % 9, 1, NOW() - INTERVAL seq SECOND, $src FROM seq_1_to_90",
  map({ "sink_offset (sink, topic, `partition`, next_offset, generation, cluster_id) VALUES ('warehouse', '$_', 0, 100000, 0, '')" }
    qw(network_logs social_posts clients transactions)),
  map({ "row_count (name, slot, n) SELECT '$_', -1, COUNT(*) FROM $_" } qw(network_log social_post client client_transaction));

$db->run('ANALYZE TABLE network_log');

# A row takes a while: 2,000 of an address 40 s in one statement; ten comments
# and their post 20 s each, in two.
$db->run("CREATE TRIGGER $_") for
  q(slow_line BEFORE UPDATE ON network_log FOR EACH ROW IF OLD.IP_Address = '192.0.2.1' THEN DO SLEEP(0.02); END IF),
  q(slow_end BEFORE DELETE ON network_log FOR EACH ROW IF OLD.IP_Address = '192.0.2.2' THEN DO SLEEP(0.02); END IF),
  q(slow_post BEFORE UPDATE ON social_post FOR EACH ROW IF OLD.post_id = 'p1' THEN DO SLEEP(20); END IF),
  q(slow_comment BEFORE DELETE ON social_comment FOR EACH ROW IF OLD.post_id = 'p1' THEN DO SLEEP(2); END IF);

# A lock is waited for so long, then it is asked for again.
$db->run('SET GLOBAL innodb_lock_wait_timeout = 25');

sub rows_of {
    my ($table) = @_;
    return join "\n", sort map { join "\t", map { $_ // 'NULL' } @$_ } $db->rows("SELECT * FROM $table");
}

# --- Changes --------------------------------------------------------------------

# METHOD PATH with BODY by another process: a handle that gives what came of it.
sub change_beside {
    my ($method, $path, $body) = @_;
    pipe my $in, my $out or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        my $began = time;
        my $told = eval { $stack->client('admin', seconds => 200)->request($method, $path, $body ? (body => $body) : ()) };
        syswrite $out, $json->encode({
                seconds => time - $began, status => $told->{status}, retry => $told->{headers}{'retry-after'},
                type    => $told->{body} =~ m{"type":"([^"]+)"} ? $1 : '' }) . "\n";
        POSIX::_exit(0);
    }
    close $out;
    return sub { my $line = readline $in; waitpid $pid, 0; return $json->decode($line); };
}

my $admin = $stack->client('admin');

# Change PATH by BODY; while the machine is so slow that no server answers, again.
sub changes {
    my ($path, $body, $name) = @_;
    my $told;
    eval { wait_until($path, sub { $told = $admin->request('PUT', $path, body => $body); $told->{status} != 503 }, 30) };
    is($told->{status}, 200, $name) or diag $told->{body};
    return;
}

my %before = map { ($_ => rows_of($_)) } @TABLES;
my $holder = $db->dbh;
$holder->begin_work;
$holder->selectall_arrayref('SELECT * FROM client_transaction WHERE client_id = 1 FOR UPDATE');
my @slow = (
    [ 'a change of 2,000 rows',           'PUT',    '/v1/logs/192.0.2.1', { Method => 'HEAD' } ],
    [ 'a deletion of 2,000 rows',         'DELETE', '/v1/logs/192.0.2.2' ],
    [ 'a change of several statements',   'PUT',    '/v1/social/p1', { likes => 7, comments => [] } ],
    [ 'a change that waits for another',  'PUT',    '/v1/transactions/1', { montant => 7 } ],
);
my $beside = 0;

# What becomes of them.
sub one_round {
    my @answers = map { change_beside(@$_[ 1 .. $#$_ ]) } @slow;
    eval { wait_until('the changes are at it', sub {
                $db->value(q{SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Execute'
                    AND (state = 'User sleep' OR time_ms > 300)}) >= @slow }, 20) };
    $beside++ if $admin->request('PUT', '/v1/social/p2', body => { likes => 5 })->{status} == 200;
    return map { $_->() } @answers;
}

# A database that nobody hears of is given up earlier (the breaker): a machine
# that stands still makes it so, and says nothing about the changes.
my @told;
for my $round (1 .. 3) {
    my $opened = () = $stack->httpd->log_text =~ /DL1100/g;
    @told = one_round();
    last if $opened == (() = $stack->httpd->log_text =~ /DL1100/g);
}
cmp_ok($beside, '>', 0, 'others go on beside them');
for my $i (0 .. $#slow) {
    my $told = $told[$i];
    is("$told->{status} $told->{type}", '503 /problems/deadline', "$slow[$i][0] is 503");
    cmp_ok($told->{seconds}, '>', $LIMIT - 1, '... not before 30 s');
    cmp_ok($told->{seconds}, '<', 3 * $LIMIT, '... and not after several times as long');
    ok($told->{retry}, '... with a time to come back');
}
$holder->rollback;
$holder->do('SET lock_wait_timeout = 120');
$holder->do('LOCK TABLES ' . join ', ', map { "$_ WRITE" } @TABLES);    # the server has given all of them up
$holder->do('UNLOCK TABLES');
for my $table (qw(network_log social_comment client client_transaction)) {
    is(rows_of($table) eq $before{$table}, 1, "$table: nothing has changed");
}
is($db->value('SELECT COUNT(*) FROM change_outbox'), $beside, 'there are the events of the other changes alone');
is($db->value("SELECT SUM(n) FROM row_count WHERE name = 'network_log'"), 40_000, 'the rows that are kept are those that there are');

# --- Behind it ------------------------------------------------------------------

changes('/v1/transactions/1', { montant => 8 }, 'the same change goes well then');
changes('/v1/logs/10.0.7.1', { Method => 'HEAD' }, 'so do others');
unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');
done_testing();
