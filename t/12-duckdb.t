# 12-duckdb.t - DuckDB reads the dataset's folder as it stands: the same count
# and the same exact sum as the table, and never a torn line while a writer
# runs.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Ledger;
use DataLake::Process qw(spit wait_until);
use DataLake::Python qw(python_with);
use DataLake::Stack;

my $TOPIC  = 'transaction_log';
my $python = python_with('duckdb==1.5.5');
my $stack  = DataLake::Stack->new(
    name    => '12-duckdb',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-warehouse)],
    ini     => { lake => { seal_age => '1s', seal_size => '64KiB' } },
);
my $ledger = DataLake::Ledger->new(run => 12, resend => 0);

# Run SCRIPT with DuckDB, the printed schema as its argument; its lines.
sub duckdb {
    my ($script) = @_;
    spit("$stack->{dir}/schema.sql", $stack->ctl('schema', 'duckdb', $TOPIC));
    spit("$stack->{dir}/query.py",   $script);
    open my $out, '-|', $python, "$stack->{dir}/query.py",
      "$stack->{dir}/schema.sql"
      or die "python: $!\n";
    my @lines = <$out>;
    ok(close $out, 'DuckDB meets no error');
    chomp @lines;
    return @lines;
}

my $COUNT_AND_SUM = <<'PY';
import sys, duckdb
duckdb.execute(open(sys.argv[1]).read())
n, total = duckdb.execute(
    "SELECT count(*), sum(amount) FROM transaction_log").fetchone()
print(n, total)
PY

# Asks again and again until the producer's mark appears; prints how often,
# and whether a count ever went down.
my $WHILE_WRITING = <<'PY';
import os, sys, duckdb
duckdb.execute(open(sys.argv[1]).read())
last = rounds = 0
done = os.path.dirname(sys.argv[1]) + "/produced"
while rounds < 20 or not os.path.exists(done):
    n, ids = duckdb.execute("SELECT count(*), count(transaction_id)"
                            " FROM transaction_log").fetchone()
    assert n == ids, "a line without an id: torn"
    assert n >= last, "the count went down"
    last = n
    rounds += 1
print(rounds, last)
PY

# Produce COUNT messages and wait until table and lake, which do not wait for
# each other, have all good ones.
sub produce_and_wait {
    my ($count) = @_;
    $stack->kafka->produce($TOPIC, [ $ledger->generate($count) ]);
    my $good = grep { !$_->{reason} } @{ $ledger->{messages} };
    wait_until(
        'the table does not catch up',
        sub {
            $stack->mariadb->value('SELECT COUNT(*) FROM transaction_record')
              == $good;
        },
        60
    );
    system("$DataLake::Stack::BUILD/tools/lake_watch '$stack->{dir}/lake' $TOPIC $good 60 >&2") == 0
      or die "the lake does not catch up\n";
    return $good;
}

subtest 'count and sum are those of the table' => sub {
    my $good = produce_and_wait(5000);
    $stack->ctl('seal', $TOPIC);
    my ($answer) = duckdb($COUNT_AND_SUM);
    my ($count, $sum) = split ' ', $answer;
    is($count, $good, 'every record is counted');
    my $want =
      $stack->mariadb->value('SELECT SUM(amount) FROM transaction_record');
    $_ =~ s/\.?0+$// for $sum, $want;
    is($sum, $want, 'the sum is exact');
};

subtest 'no torn line while a writer runs' => sub {
    my $pid = fork() // die "fork: $!\n";
    if ($pid == 0) {
        $stack->kafka->produce($TOPIC, [ $ledger->generate(400) ])
          for 1 .. 40;
        spit("$stack->{dir}/produced", '');
        POSIX::_exit(0);
    }
    my ($answer) = duckdb($WHILE_WRITING);
    waitpid $pid, 0;
    my ($rounds, $last) = split ' ', $answer;
    cmp_ok($rounds, '>=', 20, "$rounds queries while parts were sealed");
    cmp_ok($last,   '>',  0,  "the last one saw $last records");
};

done_testing;
