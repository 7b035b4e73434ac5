# f06-fuzz.t - every fuzz target: its whole corpus and 5 s more, without a
# crash, a leak, a slow input or a broken promise.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size run_number);
use Test::More;

chdir "$FindBin::Bin/.." or die "$!\n";
my $seconds = full_size() ? 600 : 5;
$ENV{DL_RUN} = run_number();

# Run TARGETS (all when none is named); return [passed, name, rest] a line.
sub run_targets {
    my (@targets) = @_;
    open my $in, '-|', 't/fuzz/run', @targets ? 1 : $seconds, @targets
      or die "t/fuzz/run: $!\n";
    my @lines;
    while (<$in>) {
        push @lines, [ !$1, $2, $3 ] if /^(not )?ok (\w+) (.*)/;
        diag $_ if /^#   /;
    }
    close $in;
    return @lines;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    local $ENV{DL_FUZZ_PLANT} = 1;
    my @lines = run_targets('decimal');
    is scalar @lines, 1, 'a target with a planted fault runs';
    ok !$lines[0][0], 'and its fault is found';
    unlink glob 'build/fuzz/failed/decimal-*';
    done_testing;
    exit;
}

my @sources = glob 't/fuzz/fuzz_*.c';
my @lines   = run_targets();
is scalar @lines, scalar @sources, 'every target ran';
my ($runs, $failed) = (0, 0);
for my $line (@lines) {
    my ($passed, $name, $rest) = @$line;
    ok $passed, "$name: $rest";
    $runs += $1 if $rest =~ /runs=(\d+)/;
    $failed++ unless $passed;
}
cmp_ok $runs, '>', 10_000 * @sources, 'each was given many inputs';
figure('F06', [ targets => scalar @lines, runs => $runs, failed => $failed ],
    !$failed && @lines);
done_testing;
