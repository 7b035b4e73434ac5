# 73-collect-tables.t - tables of SQLite files and of a server that is not ours
# become records, each row once, while others write and the collector is
# killed.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;
use IO::Handle;
use JSON::PP;

my $stack = DataLake::Stack->new(
    name    => '73-collect-tables',
    kafka   => 1,
    mariadb => 1,
);
$stack->ctl('topics');
my ($dir, $db) = ($stack->{dir}, $stack->mariadb);
my $json = JSON::PP->new->utf8;

# Every record of TOPIC: {value, key, headers}, value read as JSON.
sub records {
    my ($topic) = @_;
    return
      map { { %$_, value => eval { $json->decode($_->{value}) } // $_->{value} } }
      $stack->kafka->consume($topic);
}

# Run datalake-collect with WORDS; (status, output).
sub collect {
    my (@words) = @_;
    return $stack->try_program('datalake-collect', '-c', $stack->ini_file,
        @words);
}

# A sqlite3 that is told statements line by line, in a process of its own.
sub sqlite {
    my ($file) = @_;
    open my $in, '|-', 'sqlite3', '-batch', $file or die "sqlite3: $!\n";
    $in->autoflush(1);
    return $in;
}

# Run SQL on FILE and return what it prints.
sub ask_sqlite {
    my ($file, $sql) = @_;
    open my $out, '-|', 'sh', '-c', 'exec sqlite3 -batch "$0" "$1" 2>&1', $file,
      $sql
      or die "sqlite3: $!\n";
    local $/;
    my $text = <$out> // '';
    close $out or die "sqlite3: status $?\n";
    return $text;
}

# SQL that adds the payments FROM to TO.
sub payments {
    my ($from, $to) = @_;
    return "WITH RECURSIVE n(i) AS (SELECT $from UNION ALL SELECT i + 1 FROM n"
      . " WHERE i < $to) INSERT INTO payment (id, client, amount, paid, note)"
      . " SELECT i, i % 7, printf('1.%03d,%02d', i % 1000, i % 100),"
      . " printf('%02d/01/2023 11:37', 1 + i % 28),"
      . " CASE i % 3 WHEN 0 THEN NULL ELSE ' caf' || char(233) END FROM n;\n";
}

# --- SQLite -----------------------------------------------------------------------

my $shop = "$dir/shop.db";
ask_sqlite($shop,
        'PRAGMA journal_mode = WAL; CREATE TABLE payment (id INTEGER PRIMARY '
      . 'KEY, client INT, amount TEXT, paid TEXT, note TEXT, "odd ""name" REAL);'
      . payments(1, 1200));
$stack->{ini}{'source pay'} = {
    dataset => 'transactions',
    type    => 'sqlite',
    path    => $shop,
    table   => 'payment',
    key     => 'id',
    mapping => 'transaction_id = id, client_id = client, montant = amount, '
      . 'date_transaction = paid, more.note = note, more.odd = odd "name',
    'transform.montant'          => 'decimal comma',
    'transform.date_transaction' => 'date %d/%m/%Y %H:%M',
    'transform.more.note'        => 'trim, upper',
};
$stack->write_ini;

my ($status, $out) = collect('--dry-run', 'pay');
is($status, 0, 'a dry run of a table goes well') or diag $out;
like($out, qr/^1\t\{"transaction_id":1,/m, 'and prints records with their keys');
is(scalar records('transactions'), 0, 'but sends none');

my $writer = sqlite($shop);
print {$writer} "BEGIN IMMEDIATE;\n", payments(1201, 1300);
wait_until('the writer has no lock',
    sub { !eval { ask_sqlite($shop, 'BEGIN IMMEDIATE'); 1 } });
($status, $out) = collect('--once', 'pay');
is($status, 0, 'a table is collected while a writer is in a transaction')
  or diag $out;
my @got = records('transactions');
is(scalar @got, 1200, 'what is committed is collected');
my %by_id = map { ($_->{value}{transaction_id} => $_) } @got;
is(join(',', sort { $a <=> $b } keys %by_id), join(',', 1 .. 1200),
    'every row once');
is_deeply(
    $by_id{1150}{value},
    {
        transaction_id   => 1150,
        client_id        => 2,
        montant          => '1150.50',
        date_transaction => '2023-01-03 11:37:00',
        more             => { note => "CAF\x{c9}", odd => undef }
    },
    'members are mapped, nested and transformed'
);
is($by_id{1150}{key}, '2', 'the key is the declared one');
is($by_id{1150}{headers}{'dl-origin'}, 'collector', 'a record says whence');
like($by_id{1150}{headers}{'dl-source-pos'}, qr/^pay \d+ 1151$/,
    'and where it stood');

print {$writer} "COMMIT;\n";
close $writer;
is((collect('--once', 'pay'))[0], 0, 'the next run goes on');
is(scalar records('transactions'), 1300, 'behind the last row');

# A row that cannot be mapped; rows behind it.
ask_sqlite($shop,
        "INSERT INTO payment VALUES (1301, 1, '1,5', 'soon', 'x', 0.5),"
      . " (1302, 1, '1,5', '01/02/2023 00:00', 'x', 0.5)");
($status, $out) = collect('--once', 'pay');
is($status, 0, 'a row that cannot be mapped stops nothing');
@got = records('transactions');
is_deeply([ grep { ref $_ eq 'ARRAY' } map { $_->{value} } @got ],
    [ [ 1301, 1, '1,5', 'soon', 'x', 0.5 ] ],
    'it is sent as an array of its values');
my ($broken) = grep { ref $_->{value} eq 'ARRAY' } @got;
like($broken->{headers}{'dl-source-fault'} // '', qr/date/, 'with the fault');
is(scalar(grep { ref $_->{value} eq 'HASH'
              && $_->{value}{transaction_id} == 1302 } @got),
    1, 'the one behind it follows');

# --- Killed while following ---------------------------------------------------

$stack->start_daemon('datalake-collect');
for my $round (1 .. 4) {
    my $from = 2000 + 1000 * $round;
    $writer = sqlite($shop);
    print {$writer} payments($from, $from + 499), payments($from + 500, $from + 999);
    wait_until("nothing of round $round comes",
        sub { grep { ref $_->{value} eq 'HASH'
                  && $_->{value}{transaction_id} >= $from } records('transactions') },
        60);
    $stack->daemon('datalake-collect')->kill_now;
    close $writer;
    $stack->start_daemon('datalake-collect');
}
my %place;
wait_until(
    'rows are missing',
    sub {
        %place = ();
        for my $record (grep { ref $_->{value} eq 'HASH' } records('transactions')) {
            $place{ $record->{value}{transaction_id} }
              { "$record->{partition} $record->{headers}{'dl-source-pos'}" }++;
        }
        return keys %place == 1301 + 4000;
    },
    60
);
is(scalar keys %place, 5301, 'no row is missing after four kills');
is(join(',', grep { keys %{ $place{$_} } != 1 } keys %place), '',
    'what was sent again has the partition and position it had');

# --- Locked, replaced ---------------------------------------------------------

my $locked = "$dir/old.db";
ask_sqlite($locked, 'CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT);'
      . " INSERT INTO t VALUES (0, 'zero'), (7, x'ff')");
$stack->daemon('datalake-collect')->stop;
delete $stack->{ini}{'source pay'};
$stack->{ini}{'source old'} = {
    dataset => 'clients',
    type    => 'sqlite',
    path    => $locked,
    table   => 't',
    key     => 'k',
    mapping => 'client_id = k, nom = v',
};
$stack->write_ini;
$writer = sqlite($locked);
print {$writer} "BEGIN EXCLUSIVE;\n";
wait_until('there is no lock', sub { !eval { ask_sqlite($locked, 'SELECT 1 FROM t'); 1 } });
$stack->start_daemon('datalake-collect');
wait_until('the lock is not told',
    sub { $stack->daemon_log('datalake-collect') =~ /source old.*locked/ }, 60);
pass('a file that is locked is waited for, and the log says so');
print {$writer} "COMMIT;\n";
close $writer;
wait_until('the rows do not come', sub { records('clients') == 2 }, 60);
@got = records('clients');
is_deeply([ map { $_->{value} } grep { ref $_->{value} eq 'HASH' } @got ],
    [ { client_id => 0, nom => 'zero' } ],
    'then its rows come, also that of key 0');
is(scalar(grep { ref $_->{value} eq 'ARRAY' } @got), 1,
    'bytes that are no text are a broken row');
$stack->daemon('datalake-collect')->stop;

# --- MariaDB ------------------------------------------------------------------

my $dbh = $db->dbh;
$dbh->do('CREATE DATABASE shop CHARACTER SET utf8mb4');
$dbh->do('CREATE TABLE shop.client (id INT UNSIGNED PRIMARY KEY, nom '
      . 'VARCHAR(50), since DATE, score DECIMAL(8,3), f DOUBLE, raw BLOB)');
$dbh->do("CREATE USER 'col'\@'%' IDENTIFIED BY 'p\@ss:w/rd%'");
$dbh->do("GRANT SELECT ON shop.client TO 'col'\@'%'");
$dbh->do("INSERT INTO shop.client VALUES (10, 'Zo\xc3\xab', '2021-05-06', 1.5, 0.25,"
      . " NULL), (12, NULL, NULL, -3, 1e10, 'x')");
$dbh->do('INSERT INTO shop.client (id, nom) SELECT 100 + seq, CONCAT(\'n\', seq)'
      . ' FROM seq_1_to_1500');
spit("$dir/secrets/shop",
    "mysql://col:p%40ss:w%2Frd%25\@127.0.0.1:$db->{port}/shop\n", 0600);
delete $stack->{ini}{'source old'};
$stack->{ini}{'source shop'} = {
    dataset  => 'clients',
    type     => 'mysql',
    dsn_file => "$dir/secrets/shop",
    table    => 'client',
    key      => 'id',
    settle   => '0',
    mapping  => 'client_id = id, nom, date_inscription = since, score, f, raw',
    'transform.nom' => 'lower',
};
$stack->write_ini;
($status, $out) = collect('--once', 'shop');
is($status, 0, "a server's table is collected by an account that may SELECT")
  or diag $out;
%by_id = map { ($_->{value}{client_id} => $_->{value}) }
  grep { ref $_->{value} eq 'HASH' } records('clients');
is(scalar(grep { $_ >= 10 } keys %by_id), 1502, 'every row, over pages');
is_deeply(
    $by_id{10},
    {
        client_id        => 10,
        nom              => "zo\x{eb}",
        date_inscription => '2021-05-06',
        score            => 1.5,
        f                => 0.25,
        raw              => undef
    },
    'texts, dates, numbers and NULL come over'
);
$dbh->do("INSERT INTO shop.client (id, nom) VALUES (5000, 'Last')");
is((collect('--once', 'shop'))[0], 0, 'the next run goes well');
is(scalar(grep { ref $_->{value} eq 'HASH' && $_->{value}{client_id} >= 10 }
          records('clients')),
    1503, 'and brings what is new, once');

$dbh->do("REVOKE SELECT ON shop.client FROM 'col'\@'%'");
spit("$dir/secrets/open", "mysql://col\@127.0.0.1/shop\n", 0644);
$stack->{ini}{'source shop'}{dsn_file} = "$dir/secrets/open";
$stack->write_ini;
($status, $out) = collect('--once', 'shop');
isnt($status, 0, 'a file that everybody may read is refused');
like($out, qr{secrets/open}, 'by name');
unlike($out, qr/p\@ss/, 'no password is printed');
done_testing;
