#!/usr/bin/env perl
# f03-io-errors.t - a failing system call loses nothing and doubles nothing (F3).
#
# A driver writes a lake from a script while strace lets one call fail: each
# kind of call, each error, at the N-th time, once or from then on for ever.
# The driver may retry, stop with a failure or abort (a failed sync), but never
# say that it is done when it is not.  Then the faults end, the script is run
# again, and everything must be there once.
#
# usage: f03-io-errors.t [--self-test]
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 't/lib';
use DataLake::Figure qw(figure full_size run_number);
use DataLake::LakeScript;
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

my $DRIVER = 'build/tools/lake_driver';
my $DUMP   = 'build/tools/lake_dump';
my $GOAL   = full_size() ? 2000 : 200;
my $LIMIT  = full_size() ? 3600 : 60;
my $TRIES  = 4;

# What strace is told to break: the calls by their names in the kernel.
my @CALLS = qw(pwrite64 write fdatasync fsync ftruncate openat renameat renameat2 unlinkat
  mkdirat linkat pread64);
my @ERRORS = qw(EIO ENOSPC EDQUOT EMFILE EINTR);

my %outcomes = (done => 0, failed => 0, aborted => 0);    # of the driver

srand hex run_number();
plan skip_all => 'strace is not installed' if system('command -v strace >/dev/null') != 0;
# Small buffers: the thread that writes behind has its share of the faults.
$ENV{LAKE_DRIVER_BUFFER} = 8192;
my $script  = DataLake::LakeScript->new(batches => 10, records => 5, pad => 4000, cold => 1, notes => 1);
my $scratch = tempdir('dl_f03.XXXXXX', DIR => -d '/dev/shm' ? '/dev/shm' : '/tmp', CLEANUP => 1);
$script->save("$scratch/script");

sub capture {
    my ($command) = @_;
    my $text = `$command`;
    return ($?, $text);
}

sub fresh {
    my $root = "$scratch/lake";
    remove_tree($root);
    mkdir $root or die "$root: $!\n";
    return $root;
}

# For each kind of call the numbers at which it concerns the lake.
sub count_calls {
    my $root = fresh();
    my (%seen, %numbers);
    my $calls = join ',', @CALLS;
    system("strace -f -y -o $scratch/log -e trace=$calls $DRIVER $root d $scratch/script"
          . ' >/dev/null') == 0
      or die "the driver failed\n";
    open my $in, '<', "$scratch/log" or die $!;
    while (<$in>) {
        my ($call, $arguments) = /^\d+\s+(\w+)\((.*)/ or next;
        my $number = ++$seen{$call};
        push @{ $numbers{$call} }, $number
          if $arguments =~ /\Q$root\E/ || $arguments =~ /^1</;
    }
    return \%numbers;
}

# The newest commit that the driver's OUTPUT acknowledges.
sub acked {
    my ($output) = @_;
    my @acks = grep { /^ack .*\n/ } split /^/, $output;
    return @acks ? $script->acked($acks[-1]) : 0;
}

# Run the script once with FAULT (an argument of strace's inject); return what
# is wrong, ''.
sub judge_fault {
    my ($fault) = @_;
    my $root = fresh();
    my ($call) = $fault =~ /^(\w+)/;    # what is not traced is not injected
    my ($status, $output) = capture("timeout -s KILL 20 strace -f -o /dev/null -e trace=$call"
          . " -e inject=$fault $DRIVER $root d $scratch/script $TRIES 2>$scratch/err");
    return 'it hangs' if $status == 137 << 8 || ($status & 127) == 9;
    my $acked = acked($output);
    $outcomes{ $status == 0 ? 'done' : ($status & 127) || $status >> 8 > 128 ? 'aborted' : 'failed' }++;
    return judge_after($root, $acked, $status == 0);
}

# Judge ROOT after faults: ACKED commits were told, DONE says that the driver
# claimed success.
sub judge_after {
    my ($root, $acked, $done) = @_;
    my ($status, $text) = capture("$DRIVER $root d --check 2>&1");
    return "recovery or fsck: $text" if $status != 0;
    ($status, $text) = capture("$DUMP $root d " . $script->mode . " 2>&1");
    return "dump: $text" if $status != 0;
    my $wrong = $script->judge($text, $done ? $script->commits : $acked);
    return ($done ? 'exit status 0: ' : '') . $wrong if $wrong ne '';
    ($status, $text) = capture("$DRIVER $root d $scratch/script 2>&1 >/dev/null");
    return "after the faults: $text" if $status != 0;
    ($status, $text) = capture("$DUMP $root d " . $script->mode . " 2>&1");
    return $text eq $script->last ? '' : 'after the faults the content is wrong';
}

# All faults, in an order made by chance.
sub faults {
    my ($numbers) = @_;
    my @all;
    for my $call (sort keys %$numbers) {
        for my $error (@ERRORS) {
            push @all, map { ("$call:error=$error:when=$_", "$call:error=$error:when=$_+") }
              @{ $numbers->{$call} };
        }
    }
    for my $i (reverse 1 .. $#all) {
        my $j = int rand $i + 1;
        @all[ $i, $j ] = @all[ $j, $i ];
    }
    return spread(@all);
}

# One of each kind and error first, so that a short run has them all.
sub spread {
    my (%first, @first, @rest);
    for my $fault (@_) {
        my $key = $fault =~ s/when=\d+/when=N/r;
        if ($first{$key}++ < 2) { push @first, $fault }
        else                    { push @rest,  $fault }
    }
    my @all = (@first, @rest);
    return @all;
}

sub self_test {
    my $root = fresh();
    my ($status, $output) = capture("$DRIVER $root d $scratch/script");
    is(acked($output), $script->commits, 'without a fault all commits are acknowledged');
    is(judge_after($root, $script->commits, 1), '', 'and the lake is good');
    my ($part) = glob "$root/d/*/*.json*";
    open my $io, '+<:raw', $part or die "$part: $!\n";
    seek $io, 33, 0;
    print {$io} "\x01";
    close $io or die $!;
    isnt(judge_after($root, 0, 0), '', 'a flipped byte is seen');
    $root = fresh();
    isnt(judge_after($root, 1, 0), '', 'a lost commit is seen');
    $root = fresh();
    isnt(judge_after($root, 0, 1), '', 'a false success is seen');
    is(scalar faults({ pwrite64 => [ 1 .. 3 ], openat => [5] }), 40, 'all faults are made');
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing();
    exit 0;
}
my $started = time;
my ($injections, $violations, %kinds) = (0, 0);
for my $fault (faults(count_calls())) {
    my $wrong = judge_fault($fault);
    $injections++;
    $kinds{ $fault =~ s/:when.*//r }++;
    if ($wrong ne '') {
        $violations++;
        diag "$fault: $wrong" if $violations <= 20;
    }
    last if time - $started > $LIMIT;
}
is($violations, 0, 'no fault loses, doubles or hides anything');
cmp_ok($injections, '>=', $GOAL, "at least $GOAL faults were injected");
cmp_ok($outcomes{$_}, '>', 0, "faults made the driver end as '$_'") for sort keys %outcomes;
diag keys(%kinds) . " kinds of call and error; the driver was done $outcomes{done} times, failed"
  . " $outcomes{failed}, aborted $outcomes{aborted}";
done_testing();
figure('F03', [ injections => $injections, kinds => scalar keys %kinds, violations => $violations ],
    $violations == 0 && $injections >= $GOAL);
