# f08-json.t - our JSON cases: all that must be taken are, all that must be
# refused are, for the stated reason.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure);
use Test::More;

chdir "$FindBin::Bin/.." or die "$!\n";
my $build = $ENV{DL_BUILD} // 'build';
my @programs = map { "$build/unit/test_$_" } qw(json_cases json_cases_text);

# Run all cases; return how many there are and the names of the wrong ones.
sub run_cases {
    my ($cases, @wrong) = (0);
    for my $program (@programs) {
        open my $in, '-|', $program or die "$program: $!\n";
        while (<$in>) {
            next unless /^(not )?ok \d+ - (.*)/;
            $cases++;
            push @wrong, $2 if $1;
        }
        close $in;
    }
    return ($cases, @wrong);
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    local $ENV{DL_PLANT} = 7;
    my (undef, @wrong) = run_cases();
    is scalar @wrong, 2, 'a wrong expectation in each table is reported';
    done_testing;
    exit;
}

my ($cases, @wrong) = run_cases();
cmp_ok $cases, '>=', 280, 'there are enough cases';
is "@wrong", '', 'each came out as it must';
figure('F08', [ cases => $cases, wrong => scalar @wrong ],
    $cases >= 280 && !@wrong);
done_testing;
