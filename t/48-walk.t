# 48-walk.t - the commands of README.md, sections "Reading the lake", "Dead letters", "Who may
# do what", "The multi-source lake", "Collecting" and "Models", do what stands below each.
#
# A line "#> TEXT" tells what the command above prints, line by line; "..."
# stands for anything.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '48-walk',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    quota   => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
);
my $dir = $stack->{dir};
spit("$dir/token", $stack->token('admin') . "\n");
spit("$dir/env",
    "DATALAKE_URL='@{[$stack->httpd->url]}'\nDATALAKE_TOKEN_FILE='$dir/token'\n"
      . "DATALAKE_KAFKA='@{[$stack->brokers]}'\nDATALAKE_INI='@{[$stack->ini_file]}'\n"
      . "DATALAKE_CTL='$DataLake::Stack::BUILD/bin/datalakectl -c @{[$stack->ini_file]}'\n");

my $readme = slurp("$stack->{top}/README.md");

# The commands of the section HEADING, their files those of this stack.
sub block_of {
    my ($heading) = @_;
    my ($section) = $readme =~ /^## \Q$heading\E\n(.*?)(?=^## )/ms;
    my ($block) = ($section // '') =~ /^```sh\n(.*?)^```/ms;
    ok(defined $block, "README.md, $heading: a block of commands");
    return ($block // '') =~ s{build/stack/env}{$dir/env}gr;
}

# A reader waits two seconds; a busy machine, until what was sent is there.
my $settle = <<'SH';
settle_audit() {
  for _ in $(seq 300); do
    n=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?resource=transaction_log&method=GET&user=alice&format=csv" | wc -l)
    m=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?method=POST&format=csv" | wc -l)
    [ "$n" -lt 4 ] || [ "$m" -lt 4 ] || return 0
    sleep 0.1
  done
}
settle_letters() {
  for _ in $(seq 300); do
    curl -s -H "$T" "$DATALAKE_URL/api/deadletters/" | grep -q TX9 && return 0
    sleep 0.1
  done
}
settle_sources() {
  for _ in $(seq 300); do
    n=0
    for path in logs/192.0.2.7 social/post-1; do
      curl -s -o /dev/null -w '%{http_code}\n' -H "$ADMIN" "$DATALAKE_URL/v1/$path" | grep -q 200 && n=$((n + 1))
    done
    curl -s -H "$ADMIN" "$DATALAKE_URL/v1/transactions/42" | grep -q 'Durand.*"count":2' && n=$((n + 1))
    [ "$n" -lt 3 ] || return 0
    sleep 0.1
  done
}
settle_collected() {
  for _ in $(seq 300); do
    n=$(curl -s -H "$ADMIN" "$DATALAKE_URL/v1/logs/203.0.113.5" | grep -o IP_Address | wc -l)
    m=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/deadletters/?topic=network_logs" | grep -o '"reason"' | wc -l)
    [ "$n" -lt 2 ] || [ "$m" -lt 1 ] || return 0
    sleep 0.3
  done
}
settle_models() {
  for _ in $(seq 300); do
    $DATALAKE_CTL model list | grep -q current && return 0
    sleep 0.1
  done
}
settle_lake() {
  for _ in $(seq 300); do
    n=$(curl -s -H "$T" "$DATALAKE_URL/api/data/?resource=transaction_log/2026-05-18.json&format=ndjson" | wc -l)
    curl -s -H "$T" "$DATALAKE_URL/api/lineage/record/?id=TX2" | grep -q '"table"' || n=0
    curl -s -H "$T" "$DATALAKE_URL/api/lineage/record/?id=TX3" | grep -q '"table"' || n=0
    [ "$n" -lt 3 ] || return 0
    sleep 0.1
  done
}
SH

# [command, lines it prints]... of BLOCK.
sub steps_of {
    my ($block) = @_;
    my @steps;
    for my $line (split /\n/, $block) {
        if ($line =~ /^#> (.*)/) {
            push @{ $steps[-1][1] }, $1;
        }
        elsif (@steps && !@{ $steps[-1][1] }) {
            $steps[-1][0] .= "\n$line";
        }
        else {
            push @steps, [ $line, [] ];
        }
    }
    return @steps;
}

chdir $stack->{top} or die "$!\n";

# One shell runs all commands of HEADING, SETTLE instead of its pause; a mark
# stands between their outputs.
sub walk {
    my ($heading, $wait) = @_;
    my @steps = steps_of(block_of($heading) =~ s{^sleep \d;}{$wait;}mgr);
    cmp_ok(scalar @steps, '>=', 3, 'there are steps');
    my $mark = '--- next ---';
    spit("$dir/walk.sh", join '', $settle,
        map { "$_->[0]\necho; echo '$mark'\n" } @steps);
    my @printed = split /\n*\Q$mark\E\n/, qx(bash '$dir/walk.sh' 2>&1);
    for my $i (0 .. $#steps) {
        my ($command, $wanted) = @{ $steps[$i] };
        my @lines = split /\r?\n/, $printed[$i] // '';
        my ($last) = $command =~ /([^\n]*)\z/;
        my $same = @lines == @$wanted;
        for my $j (0 .. $#$wanted) {
            my $pattern = join '.*?', map { quotemeta } split /\.\.\./, $wanted->[$j], -1;
            $same &&= $lines[$j] =~ /^$pattern\r?$/;
        }
        ok($same, substr($last, 0, 100))
          or diag("printed:\n$printed[$i]\nwanted:\n" . join "\n", @$wanted);
    }
    return;
}

walk('Reading the lake', 'settle_lake');
walk('Who may do what', 'settle_audit');
walk('Dead letters', 'settle_letters');
walk('The multi-source lake', 'settle_sources');
walk('Collecting', 'settle_collected');

# A model is made of transactions, as `make run` has them.
system("$DataLake::Stack::BUILD/bin/datalake-simulate", '--brokers', $stack->brokers,
    qw(--topic transaction_log --seed 7 --count 2000 --quiet)) == 0
  or die "datalake-simulate failed\n";
wait_until('the sample is in the warehouse', sub {
    $stack->mariadb->value('SELECT COUNT(*) FROM transaction_record') > 1000;
}, 60);
wait_until('and in the lake', sub {
    my $text = qx($stack->{top}/build/tools/stats_text $dir/run);
    my ($n) = $text =~ /^datalake_lake_records\{dataset="transaction_log"\} (\d+)$/m;
    return ($n // 0) > 2000;
}, 60);
walk('Models', 'settle_models');

done_testing;
