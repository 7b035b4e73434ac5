# DataLake::Figure - a measured value beside its goal, and the run number.
#
#   use DataLake::Figure qw(figure run_number full_size);
#   srand hex run_number();
#   figure('F01', { lost => 0, dup => 0, kills => 40 }, $lost == 0);
#
# prints "F01 lost=0 dup=0 kills=40 run=7f3a goal=met", keeps the line under
# build/figures for `make figures`, and returns whether the goal is met.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Figure;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use DataLake::Process qw(slurp spit);

our @EXPORT_OK = qw(figure figures full_size run_number);

my $FOLDER = abs_path(dirname(__FILE__) . '/../../..') . '/build/figures';

# The number from which every random choice of this run comes: DL_RUN, or a
# new one.
my $run;

sub run_number {
    return $run //= $ENV{DL_RUN} // sprintf '%04x', (time ^ $$ * 40503) & 0xffff;
}

# Whether the sizes of `make soak` are asked for.
sub full_size { return ($ENV{DL_SIZE} // 'Q') eq 'S'; }

# Print and keep the figure NAME with VALUES (a hash, or a list of pairs when
# the order matters); MET says whether the goal is met.
sub figure {
    my ($name, $values, $met) = @_;
    my @pairs = ref $values eq 'HASH'
      ? map { ($_, $values->{$_}) } sort keys %$values
      : @$values;
    my $line = $name;
    while (my ($key, $value) = splice @pairs, 0, 2) {
        $line .= " $key=$value";
    }
    $line .= ' run=' . run_number() . ' goal=' . ($met ? 'met' : 'missed');
    spit("$FOLDER/$name", "$line\n");
    print "$line\n";
    return $met;
}

# Every figure kept so far, one a line.
sub figures {
    return map { slurp($_) } sort glob "$FOLDER/*";
}

1;
