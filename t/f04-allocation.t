# f04-allocation.t - every allocation of core's scenarios fails once: no crash,
# no leak, no success that is none, nothing acknowledged is lost.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size);
use Test::More;

chdir "$FindBin::Bin/.." or die "$!\n";

# Scenarios that have to be there, and whether they allocate.
my %SCENARIO = (
    'token'       => 1,
    'key-file'    => 1,
    'key-pem'     => 1,
    'json'        => 1,
    'json-write'  => 1,
    'form'        => 0,
    'date'        => 1,
    'config'      => 1,
    'declaration' => 0,
    'record'      => 1,
    'grant'       => 0,
    'audit-line'  => 1,
    'audit-file'  => 1,
    'stats'       => 1,
    'lake-write'  => 1,
    'lake-keep'   => 1,
    'index'       => 1,
    'mapping'     => 1,
    'split'       => 1,
    'log-line'    => 1,
    'change'      => 1,
    'source-config' => 0,
);
my @BAD = qw(wrong crash leak);

# The results of the torture of SCENARIOS, at most MOST runs each, a hash a
# line: {name, without, allocations, right, refused, ended, wrong ...}.
sub torture {
    my ($most, @scenarios) = @_;
    local $ENV{ASAN_OPTIONS} = 'exitcode=99:abort_on_error=0:'
      . 'allocator_may_return_null=1';
    local $ENV{UBSAN_OPTIONS} = 'exitcode=99';
    local $ENV{LSAN_OPTIONS} =
      "suppressions=$FindBin::Bin/lib/lsan.txt:print_suppressions=0";
    local $ENV{DL_PRELOAD};
    open my $in, '-|', "build/fuzz/torture $most @scenarios 2>&1"
      or die "build/fuzz/torture: $!\n";
    my @lines;
    while (<$in>) {
        if (/^\S+ without=/) {
            my ($name) = /^(\S+)/;
            push @lines, { name => $name, /(\w+)=(\w+)/g };
        }
        elsif (/^# |Sanitizer:|^\s+#[0-4] /) {
            diag $_ unless $ENV{DL_TORTURE_PLANT};
        }
    }
    close $in;
    return @lines;
}

# What is wrong with the result LINE.
sub faults_of {
    my ($line) = @_;
    my @fault = map { "$_ $line->{$_} times" } grep { $line->{$_} } @BAD;
    push @fault, "without a failure it is $line->{without}"
      if $line->{without} ne 'right';
    my $runs = 0;
    $runs += $line->{$_} for qw(right refused ended), @BAD;
    push @fault, 'nothing has failed'
      if $SCENARIO{ $line->{name} } && !$runs;
    return @fault;
}

system('t/fuzz/run', '--build') == 0 or die "the torture does not build\n";

if (@ARGV && $ARGV[0] eq '--self-test') {
    for my $kind (@BAD) {
        local $ENV{DL_TORTURE_PLANT} = $kind;
        my ($line) = torture(3, 'token');
        my @fault = faults_of($line);
        ok(scalar(grep { /^$kind/ } @fault), "a planted $kind is found");
    }
    my ($line) = torture(0, 'token');
    my @fault = faults_of($line);
    is("@fault", 'nothing has failed', 'as is a torture that hurts nobody');
    done_testing;
    exit;
}

my @lines = torture(full_size() ? 1_000_000 : 120);
is(join(' ', sort map { $_->{name} } @lines),
    join(' ', sort keys %SCENARIO), 'every scenario was there');
my %sum = map { ($_ => 0) } qw(allocations right refused ended), @BAD;
my $faults = 0;
for my $line (@lines) {
    my @fault = faults_of($line);
    is("@fault", '',
        "$line->{name}: of $line->{allocations} allocations, failing once, "
          . join ', ', map { "$line->{$_} $_" } qw(right refused ended));
    $sum{$_} += $line->{$_} for keys %sum;
    $faults++ if @fault;
}
figure('F04', [ scenarios => scalar @lines,
        map { ($_ => $sum{$_}) } qw(allocations right refused ended), @BAD ],
    !$faults && @lines == keys %SCENARIO);
done_testing;
