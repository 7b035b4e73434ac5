# f27-database-rights.t - what the accounts of the running programs may not do
# in the database: every forbidden statement is refused, and refused for want
# of a right; their grants are those of sql/accounts.sql and no other.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use DataLake::Figure qw(figure);
use DataLake::Process qw(slurp);
use DataLake::Stack;

my $TOP   = $DataLake::Stack::TOP;
my @ROLES = qw(api ingest jobs);
my @VERBS = qw(SELECT INSERT UPDATE DELETE);

# The server's errors that mean: you have not the right.  Anything else (a
# slip in the statement, a table that is not there) is no proof.
my %DENIED = map { ($_ => 1) } (
    1044,    # to this schema
    1045,    # FILE
    1095,    # another's thread
    1142,    # this command on this table
    1143,    # this column
    1227,    # needs one of these privileges
    1370,    # this routine
    1410,    # may not make accounts with GRANT
    1959,    # this role
);

# What is wrong with a forbidden statement that ended with the error number
# ERROR (0: it ran) and, when it ran, gave VALUE.
sub faults_of {
    my ($error, $value) = @_;
    return () if $DENIED{$error};
    return () if !$error && ref $value && !defined $$value;  # LOAD_FILE: NULL
    return $error ? "error $error is not a denial" : 'it was done';
}

# {role}{object} = "SELECT, UPDATE" as ACCOUNTS (text of accounts.sql) says,
# with TABLES for {table}.
sub promised {
    my ($accounts, @tables) = @_;
    my %may;
    while ($accounts =~ /^GRANT (.+) ON \{db\}\.(\S+) TO \{(\w+)\};$/mg) {
        my ($rights, $on, $role) = ($1, $2, $3);
        for my $object ($on eq '{table}' ? @tables : $on) {
            die "$role has two lines for $object\n" if $may{$role}{$object};
            $may{$role}{$object} = join ', ', sort split /,\s*/, $rights;
        }
    }
    return \%may;
}

# {object} = rights of SHOW GRANTS' LINES; what goes beyond rights on one
# schema is kept under its whole line.
sub found {
    my ($database, @lines) = @_;
    my %may;
    for my $line (@lines) {
        next if $line =~ /^GRANT USAGE ON \*\.\* TO \S+ IDENTIFIED BY/
          && $line !~ /WITH /;
        if ($line =~ /^GRANT ([A-Z, ]+) ON `\Q$database\E`\.(\S+) TO \S+$/) {
            my ($rights, $object) = ($1, $2 =~ tr/`//dr);
            $may{$object} = join ', ', sort split /,\s*/, $rights;
        }
        else { $may{$line} = 'beyond'; }
    }
    return \%may;
}

# Differences of two such hashes, a sentence each.
sub differences {
    my ($want, $have) = @_;
    my %all = (%$want, %$have);
    return map {
            "$_: "
          . ($have->{$_} // 'nothing')
          . ' instead of '
          . ($want->{$_} // 'nothing')
    } grep { ($want->{$_} // '') ne ($have->{$_} // '') } sort keys %all;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    is(scalar(my @f = faults_of(1142)), 0, 'a denial is a denial');
    is(scalar(@f = faults_of(0, \undef)), 0, 'so is NULL for a file');
    is(scalar(@f = faults_of(0)),           1, 'what ran is found');
    is(scalar(@f = faults_of(0, \'root:')), 1, 'a file that was read, too');
    is(scalar(@f = faults_of(1064)),        1, 'a slip is no denial');
    is(scalar(@f = faults_of(1146)),        1, 'nor is a missing table');
    my $want = promised("GRANT SELECT, INSERT ON {db}.a TO {api};\n"
          . "GRANT SELECT ON {db}.{table} TO {api};\n", 'x', 'y')->{api};
    my @usage = ("GRANT USAGE ON *.* TO `u`\@`%` IDENTIFIED BY PASSWORD '*0'");
    my @good  = (
        'GRANT INSERT, SELECT ON `d`.`a` TO `u`@`%`',
        'GRANT SELECT ON `d`.`x` TO `u`@`%`',
        'GRANT SELECT ON `d`.`y` TO `u`@`%`'
    );
    is(join('', differences($want, found('d', @usage, @good))),
        '', 'equal grants are equal');
    my %planted = (
        'a right more'   => [ @good[ 1, 2 ], $good[0] =~ s/INS/DELETE, INS/r ],
        'a right less'   => [ @good[ 1, 2 ], $good[0] =~ s/INSERT, //r ],
        'a table more'   => [ @good, 'GRANT SELECT ON `d`.`z` TO `u`@`%`' ],
        'a table less'   => [ @good[ 0, 1 ] ],
        'a whole schema' => [ @good, 'GRANT SELECT ON `d`.* TO `u`@`%`' ],
        'another schema' => [ @good, 'GRANT SELECT ON `e`.`a` TO `u`@`%`' ],
        'a global right' => [ @good, 'GRANT FILE ON *.* TO `u`@`%`' ],
        'a column'   => [ @good, 'GRANT SELECT (`b`) ON `d`.`z` TO `u`@`%`' ],
        'GRANT'      => [ @good, "$good[1] WITH GRANT OPTION" ],
        'a role'     => [ @good, 'GRANT `r` TO `u`@`%`' ],
        'a procedure' =>
          [ @good, 'GRANT EXECUTE ON PROCEDURE `d`.`p` TO `u`@`%`' ],
    );
    for my $name (sort keys %planted) {
        my @found =
          differences($want, found('d', @usage, @{ $planted{$name} }));
        isnt(scalar @found, 0, "planted: $name");
    }
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(name => 'f27', mariadb => 1, durable => 0);
my $db    = $stack->mariadb;
my $name  = $stack->{database};

# The tables of declared datasets, as far as they exist.
my %exists = map { ($_->[0] => $_->[1]) } $db->rows(
    'SELECT table_name, table_type FROM information_schema.tables
     WHERE table_schema = ?', $name
);
my @tables = grep { defined && $exists{$_} }
  map { (($_->{table} // {})->{name}, map { $_->{table} } @{ $_->{children} // [] }) }
  map { JSON::PP->new->decode(slurp($_)) }
  glob "$TOP/conf/datasets/*.json";
my $may = promised(slurp("$TOP/sql/accounts.sql"), @tables);
cmp_ok(scalar keys %exists, '>=', 20, 'there are tables and views');
is(join(' ', sort keys %$may),
    "@ROLES", 'accounts.sql speaks of the three accounts');

# The first column of each table.
my %column = map { @$_ } $db->rows(
    'SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = ? AND ordinal_position = 1', $name
);

# What nobody may, whatever the tables are.
my @NOBODY = (
    'CREATE TABLE x (a INT PRIMARY KEY)',
    'DROP TABLE transaction_record',
    'DROP TABLE IF EXISTS schema_version',
    'ALTER TABLE transaction_record ADD x INT',
    'RENAME TABLE product TO x',
    'CREATE INDEX x ON transaction_record (city)',
    'TRUNCATE TABLE transaction_record',
    'OPTIMIZE TABLE app_user, schema_version',
    'CREATE VIEW x AS SELECT 1',
    'DROP VIEW api_transaction',
    'CREATE TRIGGER x BEFORE INSERT ON product FOR EACH ROW SET @a = 1',
    'CREATE PROCEDURE x() SELECT 1',
    'CREATE FUNCTION x() RETURNS INT RETURN 1',
    q(CREATE FUNCTION sys_exec RETURNS STRING SONAME 'lib_mysqludf_sys.so'),
    'CREATE EVENT x ON SCHEDULE EVERY 1 DAY DO SELECT 1',
    'CREATE SEQUENCE x',
    q(CREATE SERVER x FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1')),
    q(INSTALL SONAME 'ha_connect'),
    'CREATE USER x',
    'CREATE ROLE x',
    'SET ROLE datalake_migrate',
    "DROP USER ${name}_api",
    "RENAME USER ${name}_jobs TO x",
    "GRANT SELECT ON product TO ${name}_api",
    "GRANT ALL ON *.* TO ${name}_api WITH GRANT OPTION",
    "REVOKE SELECT ON product FROM ${name}_ingest",
    "SET PASSWORD FOR ${name}_migrate = PASSWORD('x')",
    "ALTER USER ${name}_migrate IDENTIFIED BY 'x'",
    "SHOW GRANTS FOR ${name}_migrate",
    "SHOW CREATE USER ${name}_migrate",
    'SELECT Priv FROM mysql.global_priv',
    'SELECT user, password FROM mysql.user',
    q(UPDATE mysql.global_priv SET Priv = '{}'),
    q(INSERT INTO mysql.db (Host, Db, User) VALUES ('%', '%', 'x')),
    'SELECT argument FROM mysql.general_log',
    "SELECT 1 INTO OUTFILE '$stack->{dir}/forbidden'",
    "SELECT 1 INTO DUMPFILE '$stack->{dir}/forbidden'",
    q{SELECT LOAD_FILE('/etc/passwd')},
    "LOAD DATA INFILE '/etc/passwd' INTO TABLE product",
    'SET GLOBAL max_connections = 1',
    'SET GLOBAL local_infile = 0',
    "SET GLOBAL general_log_file = '$stack->{dir}/forbidden'",
    'SET GLOBAL innodb_flush_log_at_trx_commit = 0',
    'SET SESSION sql_log_bin = 0',
    'LOCK TABLES product WRITE',
    'FLUSH TABLES WITH READ LOCK',
    'FLUSH PRIVILEGES',
    'BACKUP STAGE START',
    'PURGE BINARY LOGS BEFORE NOW()',
    'SHOW BINARY LOGS',
    q(CHANGE MASTER TO MASTER_HOST = '127.0.0.1'),
    'SHUTDOWN',
    'KILL {root}',
    'CREATE DATABASE x',
    "DROP DATABASE $name",
    "ALTER DATABASE $name CHARACTER SET latin1",
    'USE mysql',
    q{EXECUTE IMMEDIATE 'DROP TABLE product'},
);

# Every verb on every table that ROLE has no right to.
sub unwritten {
    my ($role) = @_;
    my @sql;
    for my $object (sort keys %exists) {
        my %right =
          map { ($_ => 1) } split /, /, $may->{$role}{$object} // '';
        my %text = (
            SELECT => "SELECT 1 FROM $object LIMIT 1",
            INSERT => "INSERT INTO $object () VALUES ()",
            UPDATE => "UPDATE $object SET `$column{$object}` = DEFAULT",
            DELETE => "DELETE FROM $object",
        );
        push @sql, map { $text{$_} } grep { !$right{$_} } @VERBS;
    }
    return @sql;
}

# Run SQL as AS; returns the error number, or 0 and a reference to the value.
sub outcome {
    my ($as, $sql) = @_;
    my $value;
    my $done = eval {
        if ($sql =~ /^SELECT LOAD_FILE/) {
            ($value) = $as->selectrow_array($sql);
        }
        else { $as->do($sql); }
        1;
    };
    return $done ? (0, $sql =~ /LOAD_FILE/ ? \$value : undef) : $as->err;
}

# Judge everything that ROLE may not; returns the number of statements and
# those that were not refused.
sub try_all {
    my ($role) = @_;
    my $secret = slurp("$stack->{dir}/secrets/db-$role");
    chomp $secret;
    my $as   = $db->dbh($name, "${name}_$role", $secret);
    my $root = $db->value('SELECT CONNECTION_ID()');
    my @sql  = (@NOBODY, unwritten($role));
    my @wrong;
    push @sql, 'CREATE TEMPORARY TABLE x (a INT PRIMARY KEY)'
      if ($may->{$role}{'*'} // '') !~ /TEMPORARY/;
    $as->{AutoCommit} = 0;
    for my $sql (map { s/\{root\}/$root/r } @sql) {
        push @wrong, map { "$sql: $_" } faults_of(outcome($as, $sql));
        $as->rollback;
    }
    is($as->selectrow_array(
            'SELECT COUNT(*) FROM information_schema.schemata
             WHERE schema_name NOT IN (?, "information_schema")',
            undef, $name), 0, "$role sees no other schema");
    is($as->selectrow_array(
            'SELECT COUNT(*) FROM information_schema.processlist
             WHERE user <> ?', undef, "${name}_$role"
        ), 0, "$role sees nobody else's statements");
    $as->disconnect;
    return (scalar @sql, @wrong);
}

my ($least, $open, $differ) = (1e9, 0, 0);
for my $role (@ROLES) {
    my ($count, @wrong) = try_all($role);
    cmp_ok($count, '>=', 40, "$role: $count forbidden statements");
    is(join("\n", @wrong), '', "$role: each is denied for want of a right");
    $least = $count if $count < $least;
    $open += @wrong;
    my @lines = map { $_->[0] } $db->rows("SHOW GRANTS FOR ${name}_$role");
    my @other = differences($may->{$role}, found($name, @lines));
    is(join("\n", @other), '', "$role: its grants are those of accounts.sql");
    $differ += @other;
}
ok(!-e "$stack->{dir}/forbidden", 'no file was written');

# The same checks on a server where a right too many was given.
$db->run("GRANT DELETE ON $name.app_user TO ${name}_api");
my (undef, @planted) = try_all('api');
is("@planted", 'DELETE FROM app_user: it was done', 'a planted right is used');
is(
    join(' ',
        differences($may->{api},
            found($name, map { $_->[0] }
                  $db->rows("SHOW GRANTS FOR ${name}_api")))),
    'app_user: DELETE, INSERT, SELECT, UPDATE instead of '
      . 'INSERT, SELECT, UPDATE',
    'and seen among the grants'
);
figure('F27', [ accounts => scalar @ROLES, statements => $least,
        allowed => $open, grants_differ => $differ ],
    $least >= 40 && !$open && !$differ);
done_testing;
