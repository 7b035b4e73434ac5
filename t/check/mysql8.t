# mysql8.t - the schema, every statement and the loader on MySQL 8: rows and
# rollups are what was sent, and the API answers as it does on MariaDB.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use DataLake::Figure qw(run_number);
use DataLake::Ledger qw(total);
use DataLake::MySQL;
use DataLake::Process qw(spit wait_until);
use DataLake::Sql qw(named prepared);
use DataLake::Stack;

plan skip_all => 'the server is built for amd64 alone'
  if qx(uname -m) !~ /^x86_64/;

my $TOP    = $DataLake::Stack::TOP;
my $COUNT  = 2000;
my $source = "$TOP/build/t/mysql8-source";
my $ledger = DataLake::Ledger->new(run => hex run_number(), partitions => 2);
printf "# DL_RUN=%s\n", run_number();
write_source();

# Write the messages where the daemons read them.
sub write_source {
    my (%next, @placed);
    my $text = '';
    for my $message ($ledger->generate($COUNT)) {
        my $offset = $next{ $message->{partition} }++ // 0;
        push @placed, [ $message->{partition}, $offset ];
        $text .= join(' ', $message->{partition}, $offset,
            @$message{qw(timestamp key)}) . "\t$message->{value}\n";
    }
    spit($source, $text);
    $ledger->placed(\@placed);
    return;
}

# A stack NAME that reads them, not started.
sub stack_of {
    my ($name) = @_;
    return DataLake::Stack->new(
        name    => $name,
        mariadb => 1,
        httpd   => 1,
        later   => 1,
        ini     => { kafka => { brokers => "file:$source" } },
    );
}

# Load everything into STACK; its tables are what was sent.
sub loads_well {
    my ($stack, $engine) = @_;
    my $db = $stack->mariadb;
    $stack->start_daemon('datalake-warehouse');
    my $want = keys %{ $ledger->winners };
    wait_until(
        "$engine: all rows",
        sub {
            $db->value('SELECT COUNT(*) FROM transaction_record') >= $want
              && !$db->value(
                'SELECT COUNT(*) FROM sink_offset w LEFT JOIN sink_offset r'
                  . " ON r.sink = 'rollup' AND r.topic = w.topic AND"
                  . ' r.`partition` = w.`partition` WHERE w.sink ='
                  . " 'warehouse' AND (r.next_offset IS NULL OR"
                  . ' r.next_offset < w.next_offset)');
        },
        30
    );
    my $table = $ledger->check_table(
        [ $db->rows(
            'SELECT transaction_id, amount, currency, src_partition,'
              . ' src_offset FROM transaction_record') ]
    );
    my $rollup = $ledger->check_rollup(
        [ $db->rows(
            'SELECT user_id, currency, transaction_type, status,'
              . ' product_category, n, amount FROM spend_user') ]
    );
    is(total($table),  0, "$engine: every row is there once") or diag explain $table;
    is(total($rollup), 0, "$engine: the rollups are their sums") or diag explain $rollup;
    return;
}

my $mysql = stack_of('mysql8');
$mysql->{mariadb_server} = DataLake::MySQL->new(
    $mysql->place('mysql'),
    secrets  => "$mysql->{dir}/secrets",
    database => $mysql->{database},
);
$mysql->start_all;
like($mysql->mariadb->value('SELECT VERSION()'), qr/^8\./, 'it is MySQL 8');
like($mysql->ctl('migrate'), qr/\S/, 'migrating again is well');
my ($text) = named("$TOP/sql/statements.sql");
for (prepared($text, $mysql->mariadb->dbh)) {
    my ($name, $error) = @$_;
    is($error, '', "$name prepares");
}
loads_well($mysql, 'LOAD DATA');
unlike($mysql->daemon_log('datalake-warehouse'),
    qr/DL0502/, 'LOAD DATA LOCAL was used');

my $maria = stack_of('mysql8-mariadb');
$maria->start_all;
loads_well($maria, 'MariaDB');
for my $sql (
    'SELECT COUNT(*), SUM(amount), SUM(amount_base) FROM transaction_record',
    'SELECT SUM(n), SUM(amount), SUM(amount_base) FROM spend_user',
    'SELECT SUM(n), SUM(amount), SUM(amount_base) FROM spend_second',
    'SELECT SUM(n), SUM(amount), SUM(quantity) FROM product_sale',
    'SELECT SUM(n), SUM(quantity) FROM product_total',
    'SELECT COUNT(*), MIN(name), MAX(name) FROM product',
  )
{
    is_deeply([ $mysql->mariadb->rows($sql) ],
        [ $maria->mariadb->rows($sql) ], "as on MariaDB: $sql");
}
for my $path (
    '/api/metrics/top-products/?x=100',
    '/api/metrics/total-by-user/?decimals=string',
    '/api/metrics/total-by-user/?status=*&transaction_type=*&currency=USD',
    '/api/metrics/total_by_user/?decimals=string',
  )
{
    my ($answer, $model) =
      map { $_->client('admin')->get($path) } $mysql, $maria;
    is($answer->{status}, 200, "$path is answered") or diag $answer->{body};
    is_deeply($answer->{json}, $model->{json}, '  as on MariaDB');
}
is($mysql->client('admin')->get('/api/metrics/last-5min/')->{status},
    200, 'last-5min is answered');

done_testing;
