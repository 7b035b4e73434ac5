# 48-walk.t - the commands of README.md, sections "Reading the lake" to "Who may
# do what", do what stands below each, beside the sample data of `make run`.
#
# A line "#> TEXT" tells what the command above prints, line by line; "..."
# stands for anything, a last line "..." for any lines.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Sample ();
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

# The commands of the section HEADING, a text a block, their files those of
# this stack.
sub blocks_of {
    my ($heading) = @_;
    my ($section) = $readme =~ /^## \Q$heading\E\n(.*?)(?=^## )/ms;
    my @blocks = ($section // '') =~ /^```sh\n(.*?)^```/msg;
    ok(@blocks > 0, "README.md, $heading: a block of commands");
    return map { s{build/stack/env}{$dir/env}gr } @blocks;
}

# A reader waits two seconds; a busy machine, until what was sent is there.
my $settle = <<'SH';
settle_audit() {
  for _ in $(seq 300); do
    n=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?resource=transaction_log&method=GET&user=alice&format=csv" | wc -l)
    m=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?method=POST&user=alice&format=csv" | wc -l)
    g=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?resource=transaction_log&method=POST&format=csv" | grep -c '""alice""')
    [ "$n" -lt 4 ] || [ "$m" -lt 3 ] || [ "$g" -lt 1 ] || return 0
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
settle_repush() {
  for _ in $(seq 300); do # the one that was sent: the first is there already
    curl -s -H "$T" "$DATALAKE_URL/api/lineage/record/?id=$ID" | grep -q '"repush"' || { sleep 0.1; continue; }
    curl -s -H "$T" "$DATALAKE_URL/api/repush/check/?id=$ID" | grep -q '"found":true.*"warehouse":true' && return 0
    sleep 0.1
  done
}
settle_jobs() {
  for _ in $(seq 300); do
    curl -s -H "$T" $DATALAKE_URL/api/jobs/$JOB/ | grep -q '"state":"succeeded"' && return 0
    sleep 0.1
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

# Whether LINES are as WANTED.
sub alike {
    my ($lines, $wanted) = @_;
    my @wanted = @$wanted;
    my $open   = @wanted && $wanted[-1] eq '...' && pop @wanted;
    return 0 if $open ? @$lines < @wanted : @$lines != @wanted;
    for my $i (0 .. $#wanted) {
        my $pattern = join '.*?', map { quotemeta } split /\.\.\./, $wanted[$i], -1;
        return 0 if $lines->[$i] !~ /^$pattern\r?$/;
    }
    return 1;
}

# One shell runs all commands of BLOCK, SETTLE instead of its pause; a mark
# stands between their outputs.
sub walk_block {
    my ($block, $settle_by) = @_;
    my @steps = steps_of($block =~ s{^sleep \d;}{$settle_by;}mgr);
    cmp_ok(scalar @steps, '>=', 3, 'there are steps');
    my $mark = '--- next ---';
    spit("$dir/walk.sh", join '', $settle,
        map { "$_->[0]\necho; echo '$mark'\n" } @steps);
    my @printed = split /\n*\Q$mark\E\n/, qx(bash '$dir/walk.sh' 2>&1);
    for my $i (0 .. $#steps) {
        my ($command, $wanted) = @{ $steps[$i] };
        my @lines = split /\r?\n/, $printed[$i] // '';
        my ($last) = $command =~ /([^\n]*)\z/;
        ok(alike(\@lines, $wanted), substr($last, 0, 100))
          or diag("printed:\n$printed[$i]\nwanted:\n" . join "\n", @$wanted);
    }
    return;
}

# The blocks of HEADING, each with what WAITS does instead of its pause.
sub walk {
    my ($heading, @waits) = @_;
    my @blocks = blocks_of($heading);
    is(scalar @blocks, scalar @waits, '... as many as are known here');
    walk_block($blocks[$_], $waits[$_]) for 0 .. $#blocks;
    return;
}

# What `make run` feeds, and collects.
system("$DataLake::Stack::BUILD/bin/datalake-simulate", '--brokers', $stack->brokers,
    qw(--topic transaction_log --seed 7 --count 2000 --span 3d --quiet)) == 0
  or die "datalake-simulate failed\n";
my $files    = "$dir/sample-files";
my $sections = DataLake::Sample::sections($files);
DataLake::Sample::make_files($files, time);
spit("$dir/sample.ini", join '', slurp($stack->ini_file), map {
    my $keys = $sections->{$_};
    ("[$_]\n", map { "$_ = $keys->{$_}\n" } sort keys %$keys);
} sort keys %$sections);
my ($status, $out) = $stack->try_program('datalake-collect', '-c', "$dir/sample.ini", '--once');
is($status, 0, 'the sample is collected') or diag($out);
wait_until('all of it is in the warehouse', sub {
    my $db = $stack->mariadb;
    $db->value('SELECT COUNT(*) FROM transaction_record') == 2000
      && $db->value('SELECT COUNT(*) FROM client_transaction') == 1500
      && $db->value('SELECT COUNT(*) FROM social_post') == 300;
}, 60);
wait_until('and in the lake', sub {
    my $text = qx($stack->{top}/build/tools/stats_text $dir/run);
    my %n = $text =~ /^datalake_lake_records\{dataset="(\w+)"\} (\d+)$/mg;
    return ($n{transaction_log} // 0) >= 2000 && ($n{social_posts} // 0) >= 300;
}, 60);

walk('Reading the lake', 'settle_lake');
walk('Repush', 'settle_repush', 'settle_jobs');
walk('Models', 'settle_models');
walk('The multi-source lake', 'settle_sources');
walk('Collecting', 'settle_collected');
walk('Dead letters', 'settle_letters');
walk('Who may do what', 'settle_audit');

done_testing;
