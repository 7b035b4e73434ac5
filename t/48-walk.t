# 48-walk.t - the commands of README.md, section "Who may do what", do what
# stands below each.
#
# A line "#> TEXT" tells what the command above prints, line by line; "..."
# stands for anything.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit);
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
    "DATALAKE_URL='@{[$stack->httpd->url]}'\nDATALAKE_TOKEN_FILE='$dir/token'\n");

my ($section) = slurp("$stack->{top}/README.md") =~
  /^## Who may do what\n(.*?)(?=^## )/ms;
ok(defined $section, 'README.md has the section');
my ($block) = ($section // '') =~ /^```sh\n(.*?)^```/ms;
ok(defined $block, '... and a block of commands');
$block =~ s{build/stack/env}{$dir/env}g;

# A reader waits two seconds; a busy machine, until the entries are there.
$block =~ s{^sleep 2;}{settle;}mg;
my $settle = <<'SH';
settle() {
  for _ in $(seq 300); do
    n=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?resource=transaction_log&format=csv" | wc -l)
    m=$(curl -s -H "$ADMIN" "$DATALAKE_URL/api/audit/?method=POST&format=csv" | wc -l)
    [ "$n" -lt 5 ] || [ "$m" -lt 4 ] || return 0
    sleep 0.1
  done
}
SH

# [command, lines it prints]... of the block.
my @steps;
for my $line (split /\n/, $block // '') {
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
cmp_ok(scalar @steps, '>=', 8, 'there are steps');

chdir $stack->{top} or die "$!\n";

# One shell runs all of them; a mark stands between their outputs.
my $mark = '--- next ---';
spit("$dir/walk.sh", join '', $settle, map { "$_->[0]\necho; echo '$mark'\n" } @steps);
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

done_testing;
