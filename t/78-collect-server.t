# 78-collect-server.t - a table of a server is collected while writers commit
# in another order than they took their numbers, and while collector, that
# server and the connections to it are killed: every row is once in the lake
# and once in its table.
#
# Q: 6 kills; S (DL_SIZE=S): 50.  --self-test: rows that are planted as lost and
# as double are found.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Handle;
use POSIX ();
use Time::HiRes qw(sleep time);
use DataLake::Collected;
use DataLake::FaultProxy;
use DataLake::Figure qw(full_size run_number);
use DataLake::MariaDB;
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

my $KILLS  = full_size() ? 50 : 6;
my $SETTLE = 3;
my $parent = $$;
srand hex run_number();
diag 'DL_RUN=' . run_number();

if (grep { $_ eq '--self-test' } @ARGV) {
    DataLake::Collected::self_test();
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(
    name    => '78-collect-server',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-warehouse)],
);
my $dir  = $stack->{dir};
my $shop = DataLake::MariaDB->new(
    top     => $stack->{top},
    dir     => "$dir/shop",
    secrets => "$dir/shop-secrets",
    durable => 0
);
mkdir $_ for "$dir/shop", "$dir/shop-secrets";
$shop->prepare->start;
my $proxy = DataLake::FaultProxy->new(to => $shop->{port}, dir => $dir);
$shop->dbh->do($_)
  for 'CREATE DATABASE shop',
  'CREATE TABLE shop.visit (id INT PRIMARY KEY AUTO_INCREMENT, said VARCHAR(200))',
  q(CREATE VIEW shop.web AS SELECT id, '10.1.2.3' AS IP_Address, '20/Jan/2023' AS Date,)
  . q( '11:37:58' AS Time, CONCAT('/', id) AS URL, said AS Method FROM shop.visit),
  q(CREATE USER 'col'@'%' IDENTIFIED BY 'secret'), q(GRANT SELECT ON shop.web TO 'col'@'%');
spit("$dir/secrets/shop", "mysql://col:secret\@127.0.0.1:@{[$proxy->port]}/shop\n", 0600);

# Set the keys of the source WEB beside those it always has.
sub configure {
    my (%more) = @_;
    $stack->{ini}{'source web'} = {
        dataset  => 'network_logs',
        type     => 'mysql',
        dsn_file => "$dir/secrets/shop",
        table    => 'web',
        key      => 'id',
        mapping  => 'IP_Address, Date, Time, URL, Method',
        %more
    };
    $stack->write_ini;
    return;
}

sub sent { return DataLake::Collected::sent($stack); }

# Wait until the records of IDS are there.
sub await_sent {
    my ($seconds, @ids) = @_;
    return wait_until("rows @ids come", sub { my %is = map { ($_ => 1) } sent(); !grep { !$is{$_} } @ids },
        $seconds);
}

# --- Two sessions ------------------------------------------------------------

my ($one, $two) = map { $shop->dbh('shop') } 1 .. 2;
my $add = 'INSERT INTO visit (said) VALUES (?)';
# Where a number is missing that will come, longer than the machine may stand
# still.
configure(settle => '30 s');
$one->begin_work;
$one->do($add, undef, 'first');
$two->do($add, undef, 'second') for 1 .. 2;
$stack->start_daemon('datalake-collect');
wait_until('the table is read',
    sub { $shop->value(q(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS)
          . q( WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE')) > 4 });
is_deeply([sent()], [], 'rows wait while a number before them is missing');
$one->commit;
await_sent(60, 1 .. 3);
is_deeply([ sort { $a <=> $b } sent() ], [ 1 .. 3 ],
    'a row that is committed behind one with a greater number is not passed over');
my $begun = time;
$two->do($add, undef, 'next');
await_sent(60, 4);
cmp_ok(time - $begun, '<', 25, 'a row without a gap before it does not wait');
$stack->daemon('datalake-collect')->stop;
configure(settle => "$SETTLE s");
$stack->start_daemon('datalake-collect');
$one->begin_work;
$one->do($add, undef, 'never');
$one->rollback;
$begun = time;
$two->do($add, undef, 'behind a hole');
await_sent(60, 6);
cmp_ok(time - $begun, '>', $SETTLE / 2, 'one behind a number that never comes waits');
$stack->daemon('datalake-collect')->stop;

# --- Once ----------------------------------------------------------------------

sub once {
    return $stack->try_program('datalake-collect', '-c', $stack->ini_file, '--once', 'web');
}
configure(settle => '30 s');
$one->begin_work;
$one->do($add, undef, 'open');
$two->do($add, undef, 'done');
$begun = time;
my $pid = fork // die "fork: $!\n";
if ($pid == 0) {
    sleep $SETTLE / 3;
    $one->commit;
    POSIX::_exit(0);
}
my ($status, $out) = once();
is($status, 0, 'a run that ends goes well') or diag $out;
cmp_ok(time - $begun, '>', $SETTLE / 3, '... when the number that was missing has come');
waitpid $pid, 0;
is_deeply([ sort { $a <=> $b } sent() ], [ 1 .. 4, 6 .. 8 ], '... and has what was committed meanwhile');
$one->{InactiveDestroy} = 1;
$one = $shop->dbh('shop');
configure(settle => '0');
$one->begin_work;
$one->do($add, undef, 'open');
$two->do($add, undef, 'done');
once();
$one->commit;
once();
is_deeply([ grep { $_ > 8 } sent() ], [10], 'without settle it would be passed over');

# --- Open for longer than it waits -------------------------------------------------

configure(settle => '1 s');
$one->begin_work;
$one->do($add, undef, 'open for too long');
$two->do($add, undef, 'done');
$stack->start_daemon('datalake-collect');
await_sent(60, 12);
$one->commit;
$two->do($add, undef, 'next');
await_sent(60, 13);
$stack->daemon('datalake-collect')->stop;
once();
is_deeply([ sort { $a <=> $b } grep { $_ > 10 } sent() ], [ 12, 13 ],
    'what stays open for longer than settle is passed over, for good, as the manual says');
$shop->dbh->do('DELETE FROM shop.visit WHERE id IN (9, 11)');
$_->disconnect for $one, $two;

# --- Killed ----------------------------------------------------------------------

# Add rows until the file STOP is there: many transactions of a few rows, some
# given up, each open for a while; whatever happens to the server.
sub write_rows {
    my ($seed) = @_;
    srand $seed;
    my $dbh;
    open my $late, '>', "$dir/late.$seed" or die "late: $!\n";
    $late->autoflush(1);
    while (!-e "$dir/stop") {
        my (@ids, $from);
        my $done = eval {
            $dbh //= $shop->dbh('shop');
            $from = time;
            $dbh->begin_work;
            $dbh->do($add, undef, 'x' x rand 200), push @ids, $dbh->{mysql_insertid} for 0 .. rand 40;
            sleep rand 0.15;
            # Longer than what the collector was told: not meant here.
            time > $from + $SETTLE / 2 || rand > 0.9 ? $dbh->rollback : $dbh->commit;
            1;
        };
        # A commit that took so long may be passed over as well.
        print {$late} map { "$_\n" } @ids if @ids && time > $from + $SETTLE - 1;
        if (!$done) {
            local $SIG{__WARN__} = sub { };
            undef $dbh;
        }
        sleep $done ? rand 0.02 : 0.1;
    }
    return;
}

configure(settle => "$SETTLE s", rate => 1000);
my @writers;
for my $n (1 .. 3) {
    my $child = fork // die "fork: $!\n";
    if ($child == 0) {
        DataLake::Process::die_with_parent($parent);
        write_rows(hex(run_number()) + $n);
        POSIX::_exit(0);
    }
    push @writers, $child;
}
my %victim = (
    collector => sub {
        $stack->daemon('datalake-collect')->kill_now;
        $stack->start_daemon('datalake-collect', wait => 0);
    },
    server     => sub { $shop->{process}->kill_now; $shop->start; },
    connection => sub { $proxy->mode('refuse'); $proxy->mode('pass'); },
    session    => sub {
        my $root = $shop->dbh;
        $root->do("KILL $_->[0]")
          for @{ $root->selectall_arrayref(q(SELECT id FROM information_schema.processlist WHERE user = 'col')) };
    },
);
my %killed = map { ($_ => 0) } keys %victim;
$stack->start_daemon('datalake-collect', wait => 0);
for my $kill (1 .. $KILLS) {
    sleep 0.3 + rand 0.9;
    my $who = (qw(collector connection session server))[ $kill % 4 ];
    eval { $victim{$who}->(); 1 } or diag "$who: $@";
    $killed{$who}++;
}
spit("$dir/stop", '');
waitpid $_, 0 for @writers;
my @ids = map { $_->[0] } @{ $shop->dbh('shop')->selectall_arrayref('SELECT id FROM visit ORDER BY id') };
cmp_ok(scalar @ids, '>', 100, @ids . ' rows were committed');
my %late = map { ($_ => 1) } map { split /\n/, slurp($_) } glob "$dir/late.*";
diag scalar(keys %late) . ' rows came later than the collector waits' if %late;
my @meant = grep { !$late{$_} } @ids;
await_sent(90, $meant[-1]);
cmp_ok($stack->daemon('datalake-collect')->stop, '<', 10, 'the collector stops');

DataLake::Collected::verdict(
    'F01-server', $stack,
    rows   => scalar @ids,
    wanted => \@meant,
    late   => \%late,
    kills  => $KILLS,
    killed => \%killed
);
done_testing;
