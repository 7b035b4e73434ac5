# DataLake::Collected - whether each row of a source is once in the lake and
# once in its table, after datalake-collect and others were killed.
#
#   use DataLake::Collected;
#   DataLake::Collected::self_test();
#   my @ids = DataLake::Collected::sent($stack);
#   DataLake::Collected::verdict('F01-collect', $stack, wanted => [ 1 .. 9 ],
#       kills => 6, killed => { broker => 2, ... }, late => \%late);
#
# Rows become lines of network_logs of 2023-01-20, whose URL is "/" and the
# number of the row.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Collected;
use strict;
use warnings;
use Test::More;
use DataLake::Figure qw(figure);
use DataLake::Process qw(wait_until);

# What GOT, a list of numbers, has of those in WANTED: how many are lost,
# double, foreign.
sub faults {
    my ($wanted, @got) = @_;
    my %seen;
    $seen{$_}++ for @got;
    my %is     = map { ($_ => 1) } @$wanted;
    my $double = 0;
    $double += $_ - 1 for values %seen;
    return {
        lost    => scalar(grep { !$seen{$_} } @$wanted),
        double  => $double,
        foreign => scalar(grep { !$is{$_} } keys %seen)
    };
}

sub self_test {
    is_deeply(faults([ 1, 3 ], 1, 3), { lost => 0, double => 0, foreign => 0 }, 'all is well');
    is(faults([ 1, 3 ], 3)->{lost},         1, 'a lost row is found');
    is(faults([ 1, 3 ], 1, 3, 3)->{double},  1, 'a double one, too');
    is(faults([ 1, 3 ], 1, 2, 3)->{foreign}, 1, '... and a foreign one');
    return;
}

# The numbers of all records of the topic, in the order of each partition.
sub sent {
    my ($stack) = @_;
    return map { $_->{value} =~ m{"URL":"/(\d+)"} ? $1 : "?$_->{value}" }
      $stack->kafka->consume('network_logs');
}

# The numbers in the table, and those in the lake.
sub in_table {
    my ($stack) = @_;
    return map { substr $_->[0], 1 } $stack->mariadb->rows('SELECT URL FROM network_log');
}

sub in_lake {
    my ($stack) = @_;
    my (undef, $text) = $stack->try_ctl(qw(cat network_logs/2023-01-20.json));
    return $text =~ m{"URL":"/(\d+)"}g;
}

# Wait until lake and table are as far as the topic, judge what they have of
# WANTED, leaving out LATE, and print the figure NAME.
sub verdict {
    my ($name, $stack, %what) = @_;
    my @sent = sent($stack);
    my %is   = map { ($_ => 1) } @sent;
    my (@table, @lake);
    wait_until(
        'lake and table are as far as the topic',
        sub {
            @table = in_table($stack);
            @lake  = in_lake($stack);
            return @lake >= keys %is && @table >= keys %is;
        },
        60
    );
    my $late = $what{late} // {};
    my ($table, $lake) = map {
        faults($what{wanted}, grep { !$late->{$_} } @$_)
    } \@table, \@lake;
    my $fine = { lost => 0, double => 0, foreign => 0 };
    is_deeply($table, $fine, 'each row is once in the table');
    is_deeply($lake,  $fine, 'each row is once in the lake');
    is($stack->mariadb->value('SELECT COUNT(*) FROM dead_letter'), 0, 'nothing is a dead letter');
    my $killed = $what{killed};
    cmp_ok($killed->{$_}, '>', 0, "the $_ was killed") for sort keys %$killed;
    my $met = !grep { $_ } values %$table, values %$lake;
    ok(
        figure($name, [
            rows => $what{rows} // scalar @{ $what{wanted} }, kills => $what{kills},
            (map { ($_ => $killed->{$_}) } sort keys %$killed),
            sent   => scalar @sent,
            lost   => $table->{lost} + $lake->{lost},
            double => $table->{double} + $lake->{double},
        ], $met),
        'the figure is met'
    );
    return;
}

1;
