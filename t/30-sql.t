# 30-sql.t - the schema loads twice, every statement of sql/statements.sql
# prepares against it, and nothing leaves the subset that MariaDB, MySQL and
# TiDB share.  What the accounts may do: f27-database-rights.t.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp);
use DataLake::Sql qw(named plain prepared statements);
use DataLake::Stack;

my $TOP = $DataLake::Stack::TOP;

# --- The files ------------------------------------------------------------------

my @scripts = sort glob "$TOP/sql/[0-9]*.sql";
my ($text, $order) = named("$TOP/sql/statements.sql");
cmp_ok(scalar @scripts, '>=', 5,  'there are migrations');
cmp_ok(scalar @$order,  '>=', 50, 'there are named statements');

# --- The shared subset (sql.md) ---------------------------------------------------

my @FORBIDDEN = (
    [ qr/\bRETURNING\b/i,                          'RETURNING' ],
    [ qr/\bSKIP\s+LOCKED\b|\bNOWAIT\b/i,           'SKIP LOCKED, NOWAIT' ],
    [ qr/\bLOCK\s+IN\s+SHARE\b|\bFOR\s+SHARE\b/i,  'share locks' ],
    [ qr/\bLOCK\s+TABLES\b/i,                      'LOCK TABLES' ],
    [ qr/\bLATERAL\b|\bJSON_TABLE\b/i,             'LATERAL, JSON_TABLE' ],
    [ qr/\bEXCEPT\b|\bINTERSECT\b/i,               'EXCEPT, INTERSECT' ],
    [ qr/\bREPLACE\s+INTO\b|\bINSERT\s+IGNORE\b/i, 'REPLACE, IGNORE' ],
    [ qr/\bTRUNCATE\b/i,                           'TRUNCATE' ],
    [ qr/_0900_/,                                  '0900 collations' ],
    [ qr/\bSQL_CALC_FOUND_ROWS\b/i,                'SQL_CALC_FOUND_ROWS' ],
    [ qr/\bFULLTEXT\b/i,                           'full-text indexes' ],
    [ qr/\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:TRIGGER|PROCEDURE|FUNCTION|EVENT|SEQUENCE)\b/i,
        'stored programs' ],
    [ qr/\bSERIALIZABLE\b/i,                       'SERIALIZABLE' ],
    [ qr/\bTRANSACTION\s+READ\s+ONLY\b/i,          'READ ONLY transactions' ],
    [ qr/\)\s*(?:<=?|>=?)\s*\(\s*\?/,              'row constructors compared' ],
    [ qr/\bVALUES\s*\([^)]*\)\s*AS\s+new\b/i,      'AS new' ],
    [ qr/(?<![\w(.])\*\s+FROM\b/i,                 'SELECT *' ],
    [ qr/\bCREATE\s+TEMPORARY\s+TABLE\b[^;]*\bAS\s+SELECT\b/i,
        'CREATE ... AS SELECT' ],
);

# What of the list is in SQL.
sub offences {
    my ($sql) = @_;
    return map { $_->[1] } grep { $sql =~ $_->[0] } @FORBIDDEN;
}

for my $planted (
    'INSERT INTO t (a) VALUES (1) RETURNING a',
    'SELECT a FROM t FOR UPDATE SKIP LOCKED',
    'SELECT * FROM t',
    'SELECT a FROM t WHERE (a, b) > (?, ?)',
    'START TRANSACTION READ ONLY',
  )
{
    isnt(join(',', offences($planted)), '', "the check finds: $planted");
}
for my $name (@$order) {
    is(join(', ', offences($text->{$name})), '', "$name is in the subset");
}
for my $script (@scripts, "$TOP/sql/accounts.sql") {
    my ($base) = $script =~ m{([^/]+)$};
    my $sql = plain(slurp($script));
    is(join(', ', offences($sql)), '', "$base is in the subset");
    for my $create (grep { /^CREATE TABLE/ } statements($sql)) {
        my ($table) = $create =~ /EXISTS (\w+)/;
        like($create,
            qr/PRIMARY KEY.*CHARSET=utf8mb4 COLLATE=utf8mb4_bin/s,
            "$table has a primary key, character set and collation");
    }
}

# --- No SQL in C ------------------------------------------------------------------

my @sql_in_c;
for my $file (glob("$TOP/mod_datalake/*.c $TOP/mod_datalake/core/*.c"),
    glob("$TOP/consumers/*.c"))
{
    next if $file =~ /dlc_ctl_schema/;    # prints definitions for others
    my $c = slurp($file);
    push @sql_in_c, "$file: $1"
      while $c =~
      /"((?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|SET SESSION) \w[^"]*)"/g;
}
is(join("\n", @sql_in_c), '', 'C has no SQL of its own');

# --- Against the real schema ------------------------------------------------------

my $stack = DataLake::Stack->new(name => '30-sql', mariadb => 1, durable => 0);
my $db    = $stack->mariadb;

is($db->value('SELECT MAX(version) FROM schema_version'),
    scalar @scripts, 'every migration is recorded');
my $before = join "\n", map { @$_ } $db->rows('SELECT * FROM schema_version');
$stack->ctl('migrate');
is(join("\n", map { @$_ } $db->rows('SELECT * FROM schema_version')),
    $before, 'migrating again changes nothing');
for my $script (@scripts) {
    my ($base) = $script =~ m{([^/]+)$};
    ok(
        eval {
            for (1, 2) { $db->run($_) for statements(slurp($script)); }
            1;
        },
        "$base runs twice more"
    ) or diag $@;
}

$db->run('INSERT INTO schema_version (version, name, applied_at) '
      . "VALUES (9999, 'from the future', UTC_TIMESTAMP(6))");
my ($status, $out) = $stack->try_ctl('migrate');
isnt($status, 0, 'a newer schema is refused');
like($out, qr/newer than this program/, 'the refusal says why');
$db->run('DELETE FROM schema_version WHERE version = 9999');

my @silent = map { $_->[0] } $db->rows(
    q{SELECT table_name FROM information_schema.tables
      WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'
        AND table_comment = ''}
);
is("@silent", '', 'each table says what a row is');
@silent = map { "$_->[0].$_->[1]" } $db->rows(
    q{SELECT c.table_name, c.column_name FROM information_schema.columns c
      JOIN information_schema.tables t ON t.table_schema = c.table_schema
        AND t.table_name = c.table_name
      WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE'
        AND c.column_comment = ''}
);
is("@silent", '', 'each column has a comment');
is($db->value(q{SELECT CONCAT(base, currency, rate) FROM currency_rate}),
    'EUREUR1.0000000000', 'the base currency alone has a rate');

for (prepared($text, $db->dbh)) {
    my ($name, $error) = @$_;
    is($error, '', "$name prepares");
}

done_testing;
