# DataLake::Cost - processor time of servers under load, for the benchmarks.
#
#   my $before = cpu_of(@pids);
#   my $load   = hload($stack, '/path', seconds => 10, token_file => ...);
#   my $each   = (cpu_of(@pids) - $before) / $load->{requests};
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Cost;
use strict;
use warnings;
use Exporter 'import';
use POSIX ();

our @EXPORT_OK = qw(children_of cpu_of hload median worst);

my $tick = POSIX::sysconf(POSIX::_SC_CLK_TCK());

# PID's children.
sub children_of {
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/task/$pid/children" or return ();
    return split ' ', <$file> // '';
}

# User and system seconds that PIDS have used, threads included.
sub cpu_of {
    my (@pids) = @_;
    my $ticks = 0;
    for my $pid (@pids) {
        open my $file, '<', "/proc/$pid/stat" or die "process $pid is gone\n";
        my ($rest) = <$file> =~ /\) (.*)/;
        my @field = split ' ', $rest;
        $ticks += $field[11] + $field[12];
    }
    return $ticks / $tick;
}

# Ask PATH of the stack's httpd.  Options: connections (4), rate (0: as fast
# as it goes), seconds (10), token_file.  Returns what hload printed as a hash.
sub hload {
    my ($stack, $path, %option) = @_;
    my @command = (
        "$stack->{top}/build/tools/hload",
        '-c', $option{connections} // 4,
        '-r', $option{rate}        // 0,
        '-s', $option{seconds}     // 10,
        ($option{token_file} ? ('-H', "\@$option{token_file}") : ()),
        $stack->httpd->{port}, $path
    );
    open my $out, '-|', @command or die "hload: $!\n";
    my %got = map { /^(\w+)=(.*)$/ } split ' ', <$out> // '';
    close $out;
    die "hload $path: $got{errors} errors\n" if $got{errors};
    return \%got;
}

# The middle of VALUES.
sub median {
    my @sorted = sort { $a <=> $b } @_;
    my $n      = @sorted;
    return $n % 2
      ? $sorted[ $n / 2 ]
      : ($sorted[ $n / 2 - 1 ] + $sorted[ $n / 2 ]) / 2;
}

# The largest of VALUES.
sub worst {
    return (sort { $a <=> $b } @_)[-1];
}

1;
