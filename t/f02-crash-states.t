#!/usr/bin/env perl
# f02-crash-states.t - every state a power cut may leave is recovered (F2).
#
# A driver writes 200 records in 20 batches into two days, half of them with headers and positions of sources, and one
# repeat a batch, with seals, indexes,
# compactions, cold days and the removal of a day, under strace; its buffers are so small that most of them are
# written as whole blocks by the second thread, past the page cache.  From each prefix of its system calls states are
# built in which pending writes and folder entries are kept, dropped or torn;
# each is recovered, checked by fsck, and its whole content compared with what
# it was after some commit, not before the last one acknowledged.
#
# usage: f02-crash-states.t [--self-test]
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use lib 't/lib';
use Cwd qw(abs_path);
use DataLake::Crash;
use DataLake::Figure qw(figure full_size run_number);
use DataLake::LakeScript;
use Digest::MD5 qw(md5_hex);
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(time);

my $DRIVER = 'build/tools/lake_driver';
my $DUMP   = 'build/tools/lake_dump';
my $GOAL   = full_size() ? 5000 : 1000;
my $LIMIT  = full_size() ? 3600 : 300; # seconds; the count is the size

srand hex run_number();
plan skip_all => 'strace is not installed' if system('command -v strace >/dev/null') != 0;
$ENV{LAKE_DRIVER_BUFFER} = 8192;
my $script  = DataLake::LakeScript->new(batches => 20, records => 10, pad => 2000, index => 1, cold => 1, remove => 1, notes => 1);
my $scratch = tempdir('dl_f02.XXXXXX', DIR => -d '/dev/shm' ? '/dev/shm' : '/tmp', CLEANUP => 1);
my $disk    = tempdir('dl_f02.XXXXXX', DIR => -w 'build' ? 'build' : '/tmp', CLEANUP => 1);

# --- The log -------------------------------------------------------------------

sub run_traced {
    # On a disk, where writes may go past the page cache.
    my $root = abs_path($disk) . '/traced';
    mkdir $root or die "$root: $!\n";
    $script->save("$scratch/script");
    my $calls = join ',', qw(openat mkdirat pwrite64 ftruncate fdatasync fsync syncfs
      renameat renameat2 unlinkat linkat write);
    system("strace -f -y -xx -s 1000000 -o $scratch/log -e trace=$calls $DRIVER $root d"
          . " $scratch/script >$scratch/out") == 0
      or die "the driver failed\n";
    return DataLake::Crash->new($root, "$scratch/log");
}

# --- Judging a state ---------------------------------------------------------

sub capture {
    my ($command) = @_;
    my $text = `$command 2>&1`;
    return ($? >> 8, $text);
}

# A digest of everything a second recovery must not change.
sub tree {
    my ($root) = @_;
    my @files = sort glob "$root/d/*/* $root/_lake/d/open/* $root/_lake/d/idx/*"
      . " $root/_lake/d/m/* $root/_lake/d/quarantine/* $root/_lake/d/compact/* $root/_lake/d/CURRENT";
    my $all = '';
    for my $file (@files) {
        open my $in, '<:raw', $file or next;
        local $/;
        $all .= "$file\0" . (<$in> // '') . "\0";
    }
    return md5_hex($all);
}

# Recover the lake ROOT twice and judge it.
sub judge {
    my ($root, $acked) = @_;
    my ($exit, $text) = capture("$DRIVER $root d --check");
    return "recovery or fsck: $text" if $exit != 0;
    my $before = tree($root);
    ($exit, $text) = capture("$DRIVER $root d --check");
    return "second recovery: $text" if $exit != 0;
    return 'the second recovery changes something' if tree($root) ne $before;
    ($exit, $text) = capture("$DUMP $root d " . $script->mode);
    return "dump: $text" if $exit != 0;
    return $script->judge($text, $acked);
}

# Go on with the script on the recovered lake; everything must be there.
sub judge_rest {
    my ($root) = @_;
    my ($exit, $text) = capture("$DRIVER $root d $scratch/script >/dev/null");
    return "going on: $text" if $exit != 0;
    ($exit, $text) = capture("$DUMP $root d " . $script->mode);
    return $text eq $script->last ? '' : 'after going on the content is wrong';
}

sub fresh {
    my $root = "$scratch/state";
    remove_tree($root);
    mkdir $root or die "$root: $!\n";
    return $root;
}

# --- All states --------------------------------------------------------------

my @HOW = (
    [ 'keep', 'keep' ], [ 'drop', 'drop' ], [ 'drop', 'keep' ], [ 'keep', 'drop' ],
    [ '512', 'keep' ], [ '4096', 'keep' ], [ 'zero', 'keep' ],
);

sub check_states {
    my ($crash) = @_;
    my $started = time;
    my ($states, $violations, $rest, %seen) = (0, 0, 0);
    my $rounds = full_size() ? 14 : 4;
    while ($crash->step) {
        my $pending = $crash->pending;
        my @how     = $pending == 0 ? ($HOW[0]) : (@HOW, ([ 'random', 'random' ]) x $rounds);
        @how = ($HOW[0], map { $how[ rand @how ] } 1 .. 4) if !full_size() && $pending > 0;
        for my $how (@how) {
            my $state = $crash->state(@$how);
            my $key   = md5_hex(join "\0",
                map { ($_, $state->{$_} // 'folder') } sort keys %$state)
              . $crash->acknowledged;
            next if $seen{$key}++;
            my $root = fresh();
            DataLake::Crash::build($root, $state);
            my $wrong = judge($root, $crash->acknowledged);
            if ($wrong eq '' && ++$rest % 10 == 0) {
                $wrong = judge_rest($root);
            }
            $states++;
            next if $wrong eq '';
            $violations++;
            diag "call $crash->{at} data=$how->[0] entries=$how->[1]: $wrong"
              if $violations <= 10;
            keep_state($state, $crash->{at}) if $violations == 1;
        }
        last if time - $started > $LIMIT;
    }
    my $left = @{ $crash->{calls} } - $crash->{at};
    return ($states, $violations, $left < 0 ? 0 : $left);
}

# Keep the first bad state for a person to look at.
sub keep_state {
    my ($state, $at) = @_;
    my $root = 'build/t/f02-state';
    remove_tree($root);
    system 'mkdir', '-p', $root;
    DataLake::Crash::build($root, $state);
    diag "kept in $root";
}

# --- Self-test: planted damage must be seen ----------------------------------

sub whole_lake {
    my ($crash) = @_;
    1 while $crash->step;
    my $root = fresh();
    DataLake::Crash::build($root, $crash->state('keep', 'keep'));
    return $root;
}

sub spoil {
    my ($file, $how) = @_;
    open my $io, '+<:raw', $file or die "$file: $!\n";
    local $/;
    my $bytes = <$io>;
    $bytes = $how->($bytes);
    seek $io, 0, 0;
    print {$io} $bytes;
    truncate $io, length $bytes;
    close $io or die $!;
}

sub self_test {
    my ($crash) = @_;
    my $root  = whole_lake($crash);
    my $acked = $crash->acknowledged;
    is($acked, 20, 'the driver acknowledged its 20 commits');
    is(judge($root, $acked), '', 'the lake as it was left is good');
    is((capture("$DUMP $root d " . $script->mode))[1], $script->last, '... without the day that was removed');
    my @lines = split /^/, $script->last;
    isnt($script->judge(join('', @lines[ 1 .. $#lines ]), $acked), '', 'a dropped line is seen');
    isnt($script->judge(join('', @lines, $lines[-1]), $acked), '', 'a doubled line is seen');
    isnt($script->judge(join('', @lines[ 1, 0, 2 .. $#lines ]), $acked), '', 'swapped lines are seen');
    isnt($script->judge($script->expected(19), 20), '', 'a lost acknowledged commit is seen');
    for (
        [ 'a note that was lost',        qr/^(N\tsame\t)[^\n]*dl-[^\n]*\n/m,  sub { "$1\n" } ],
        [ 'a note of another message',   qr/(dl-source-pos=s\d 1 )(\d+)/,       sub { $1 . ($2 + 1) } ],
        [ 'a repeat that was forgotten', qr/^D\t[^\n]*\n/m,                    sub { '' } ],
        [ 'a repeat of another message', qr/^(D\t[^\n]*\t)(\d+)\n/m,           sub { $1 . ($2 + 1) . "\n" } ],
        [ 'a repeat that was stored',    qr/^(R\t2026-05-19)(\t\d+)([^\n]*\n)/m, sub { "$1$2$3N\tsame\t\n$1\t9$3" } ],
      )
    {
        my ($name, $what, $with) = @$_;
        my $text = $script->last;
        ok($text =~ s/$what/$with->()/e, "given $name");
        isnt($script->judge($text, $acked), '', '... it is seen');
    }
    is($script->judge($script->expected(20), 19), '', 'an unacknowledged commit may be there');
    cmp_ok($crash->written_behind, '>', 10, 'blocks were written by the second thread');
    my ($part) = glob "$root/d/*/*.json*";
    spoil($part, sub { my $b = shift; substr($b, 40, 1) ^= "\x01"; $b });
    isnt(judge($root, $acked), '', 'a flipped byte in a sealed file is seen');
    my $blind = DataLake::Crash->new(abs_path($disk) . '/traced', "$scratch/log");
    {
        no warnings 'redefine';
        local *DataLake::Crash::sync = sub { };
        my $wrong = 0;
        for (1 .. 200) {
            $blind->step;
        }
        $root = fresh();
        DataLake::Crash::build($root, $blind->state('drop', 'keep'));
        isnt(judge($root, $blind->acknowledged), '', 'a disk that lies about syncs is seen');
    }
}

my $crash = run_traced();
if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test($crash);
    done_testing();
    exit 0;
}
my $behind = $crash->written_behind;
my ($states, $violations, $left) = check_states($crash);
is($violations, 0, 'no state breaks a promise');
cmp_ok($states, '>=', $GOAL, "at least $GOAL different states were built");
is($left, 0, 'every prefix of the log was visited');
cmp_ok($behind, '>', 10, 'blocks were written by the second thread');
done_testing();
figure('F02', [ states => $states, violations => $violations, behind => $behind ],
    $violations == 0 && $states >= $GOAL && $left == 0 && $behind > 10);
