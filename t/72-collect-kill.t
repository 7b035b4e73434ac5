# 72-collect-kill.t - collector, broker and database are killed again and again
# while files are collected, grow and are renamed: every row is once in the lake
# and once in its table.
#
# Q: 12,000 rows, 12 kills; S (DL_SIZE=S): 100,000 and 50.  --self-test: rows
# that are planted as lost and as double are found.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(sleep time);
use DataLake::Collected;
use DataLake::Figure qw(full_size run_number);
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my ($N, $KILLS) = full_size() ? (100_000, 50) : (12_000, 12);
srand hex run_number();
diag 'DL_RUN=' . run_number();

if (grep { $_ eq '--self-test' } @ARGV) {
    DataLake::Collected::self_test();
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(
    name    => '72-collect-kill',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-warehouse)],
);
my $in = "$stack->{dir}/in";
mkdir $in or die "$in: $!\n" unless -d $in;
open my $ini, '>>', $stack->ini_file or die "$!\n";
print $ini "[source web]\ndataset = network_logs\npath = $in/*.csv\nrate = ",
  full_size() ? 2000 : 1500, "\n";
close $ini or die "$!\n";

# Append the rows FROM..TO to the file NAME, which begins with its names.
sub grow {
    my ($name, $from, $to) = @_;
    my $new = !-e "$in/$name";
    open my $out, '>>', "$in/$name" or die "$in/$name: $!\n";
    print $out "IP_Address,Date,Time,URL\n" if $new;
    printf $out "10.0.%d.%d,20/Jan/2023,11:37:58,\"/%d\"\n", $_ / 250 % 250, $_ % 250, $_
      for $from .. $to;
    close $out or die "$!\n";
    return;
}

# Rows that are with the database by now.
sub loaded {
    return eval { $stack->mariadb->value('SELECT COUNT(*) FROM network_log') } // 0;
}

my %victim = (
    collector => sub {
        $stack->daemon('datalake-collect')->kill_now;
        $stack->start_daemon('datalake-collect', wait => 0);
    },
    broker   => sub { $stack->kafka->kill_now;   $stack->kafka->start },
    database => sub { $stack->mariadb->kill_now; $stack->mariadb->start },
);
my %killed = map { ($_ => 0) } keys %victim;

grow('a.csv', 1,                  int($N / 3));
grow('b.csv', int($N / 3) + 1,    int($N / 2));
$stack->start_daemon('datalake-collect', wait => 0);
my $next = int($N / 2) + 1;
for my $kill (1 .. $KILLS) {
    sleep 0.2 + rand 0.8;
    my $who = $kill % 6 == 3 ? 'broker' : $kill % 6 == 0 ? 'database' : 'collector';
    $victim{$who}->();
    $killed{$who}++;
    my $to = int($N / 2 + $N / 2 * $kill / $KILLS);
    grow('b.csv', $next, $to);
    $next = $to + 1;
    if ($kill == int($KILLS / 2)) {
        rename "$in/b.csv", "$in/b.csv.1";
    }
}
wait_until('all rows are loaded', sub { loaded() >= $N }, full_size() ? 240 : 90);
cmp_ok($stack->daemon('datalake-collect')->stop, '<', 10, 'the collector stops');

DataLake::Collected::verdict('F01-collect', $stack, wanted => [ 1 .. $N ], kills => $KILLS, killed => \%killed);
done_testing;
