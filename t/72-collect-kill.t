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
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my ($N, $KILLS) = full_size() ? (100_000, 50) : (12_000, 12);
srand hex run_number();
diag 'DL_RUN=' . run_number();

# What GOT, a list of names, has of 1..N: how many are lost, double, foreign.
sub judge {
    my ($n, @got) = @_;
    my %seen;
    $seen{$_}++ for @got;
    my $lost    = grep { !$seen{$_} } 1 .. $n;
    my $foreign = grep { !/^\d+$/ || $_ < 1 || $_ > $n } keys %seen;
    my $double  = 0;
    $double += $_ - 1 for values %seen;
    return { lost => $lost, double => $double, foreign => $foreign };
}

if (grep { $_ eq '--self-test' } @ARGV) {
    is_deeply(judge(3, 1, 2, 3), { lost => 0, double => 0, foreign => 0 }, 'all is well');
    is(judge(3, 1, 3)->{lost},        1, 'a lost row is found');
    is(judge(3, 1, 2, 3, 2)->{double}, 1, 'a double one, too');
    is(judge(3, 1, 2, 3, 7)->{foreign}, 1, '... and a foreign one');
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

my @sent = map { $_->{value} =~ m{"URL":"/(\d+)"} ? $1 : "?$_->{value}" }
  $stack->kafka->consume('network_logs');
my $lake;
wait_until(
    'the lake is as far as the topic',
    sub {
        open my $out, '-|', "$DataLake::Stack::BUILD/bin/datalakectl", '-c',
          $stack->ini_file, qw(cat network_logs/2023-01-20.json)
          or die "$!\n";
        local $/;
        $lake = <$out> // '';
        close $out;
        my $n = () = $lake =~ /\n/g;
        return $n >= $N;
    },
    60
);
my $table = judge($N, map { substr $_->[0], 1 }
      @{ $stack->mariadb->dbh->selectall_arrayref('SELECT URL FROM network_log') });
my $in_lake = judge($N, $lake =~ m{"URL":"/(\d+)"}g);
is_deeply($table,   { lost => 0, double => 0, foreign => 0 }, 'each row is once in the table');
is_deeply($in_lake, { lost => 0, double => 0, foreign => 0 }, 'each row is once in the lake');
is($stack->mariadb->value("SELECT COUNT(*) FROM dead_letter"), 0, 'nothing is a dead letter');
cmp_ok($killed{$_}, '>', 0, "the $_ was killed") for sort keys %killed;
my $met = !grep { $_ } values %$table, values %$in_lake;
ok(
    figure('F01-collect', [
        rows  => $N, kills => $KILLS,
        (map { ($_ => $killed{$_}) } sort keys %killed),
        sent  => scalar @sent,
        lost  => $table->{lost} + $in_lake->{lost},
        double => $table->{double} + $in_lake->{double},
    ], $met),
    'the figure is met'
);
done_testing;
