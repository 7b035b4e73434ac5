#!/usr/bin/env perl
# f22-corruption.t - one byte of the lake is flipped, again and again (F22):
# fsck finds it, the damaged day is refused, all else answers as before, and a
# damaged index changes no answer.
#
# A lake of four days (cold, joined, sealed in parts, open) with indexes, quarantine
# and a second dataset; each run flips one bit of one committed byte, asks fsck,
# httpd and a reader of its own, and puts the byte back.  LOCK is left out: it
# holds a process id for people.
#
# usage: f22-corruption.t [--self-test]
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Process qw(slurp spit);
use DataLake::Stack;
use Time::HiRes qw(time);

my $TOPIC = 'transaction_log';
my $OTHER = 'rawticker';
my @DAYS  = qw(2026-05-17 2026-05-18 2026-05-19 2026-05-20);
my $DAY0  = 20590;
my $US    = 86_400_000_000;
my $RUNS  = full_size() ? 1000 : 120;
srand hex run_number();

# --- Judging --------------------------------------------------------------------

# What is damaged: a class, and the day it belongs to ('' for all of them).
#   part        the bytes of the day: reading it whole must fail
#   cold        its frames: reading the day may fail; a bit that zstd does not
#               look at changes no answer
#   trail       what checks them: reading the day may fail
#   index       a remark: nothing may change
#   log         journal, quarantine, CURRENT: no reader needs them
#   state       head, manifest: the dataset may be refused
my %MAY_REFUSE = (part => 1, cold => 1, trail => 1, state => 1);

# The violations of a run: CLASS and DAY of the damage, what fsck said, GOT and
# GOOD as {name => [day, status, body]}; a name that begins with "whole" reads
# all of its day, with "other" another dataset.
sub judge {
    my ($class, $day, $fsck, $got, $good) = @_;
    my @wrong;
    push @wrong, 'missed: fsck finds nothing' if $fsck != 1;
    for my $name (sort keys %$good) {
        my ($of, $status, $body) = @{ $got->{$name} };
        my $hit = $name !~ /^other/ && $MAY_REFUSE{$class}
          && ($class eq 'state' || $of eq '' || $of eq $day);
        my $same = $status == 200 && $body eq $good->{$name}[2];
        my $cut  = $status == 200 && $name =~ /^whole/
          && length $body < length $good->{$name}[2]
          && substr($good->{$name}[2], 0, length $body) eq $body;
        if ($class eq 'part' && $hit && $name =~ /^whole/ && $same) {
            push @wrong, "undetected: $name is answered";
        }
        next if $same;
        if    ($status == 200 && !$cut) { push @wrong, "garbage: $name"; }
        elsif (!$hit)                   { push @wrong, "refused: $name $status"; }
        elsif ($status != 200 && $status != 503) {
            push @wrong, "crash: $name $status";
        }
    }
    return @wrong;
}

sub self_test {
    my %good = map { ("whole $_" => [ $_, 200, "$_ lines\n" ]) } @DAYS;
    $good{'search'} = [ '', 200, '[]' ];
    $good{"other $OTHER"} = [ '', 200, "ticks\n" ];
    my $with = sub { return { %good, @_ } };
    my $cut  = [ $DAYS[0], 200, '2026' ];
    my $away = [ $DAYS[0], 503, '' ];
    my $w0   = "whole $DAYS[0]";
    my $seen = sub { my ($pattern, $name, @run) = @_;
        like(join("\n", judge(@run)), $pattern, $name); };
    is(join("\n", judge('part', $DAYS[0], 1, $with->($w0 => $away), \%good)),
        '', 'a refused day is good');
    is(join("\n", judge('part', $DAYS[0], 1, $with->($w0 => $cut), \%good)),
        '', 'so is one that is cut');
    is(join("\n", judge('index', $DAYS[0], 1, \%good, \%good)), '',
        'an index changes nothing');
    $seen->(qr/missed/, 'fsck that finds nothing is seen', 'part', $DAYS[0], 0,
        $with->($w0 => $away), \%good);
    $seen->(qr/undetected/, 'a damaged day that is answered is seen', 'part',
        $DAYS[0], 1, \%good, \%good);
    $seen->(qr/garbage/, 'a changed row is seen', 'part', $DAYS[0], 1,
        $with->($w0 => [ $DAYS[0], 200, "2026-05-18 linez\n" ]), \%good);
    $seen->(qr/garbage/, 'a changed page of a search is seen', 'index',
        $DAYS[0], 1, $with->(search => [ '', 200, '' ]), \%good);
    $seen->(qr/refused/, 'another day that is refused is seen', 'part',
        $DAYS[1], 1, $with->($w0 => $away, "whole $DAYS[1]" => [ $DAYS[1], 503, '' ]), \%good);
    $seen->(qr/refused/, 'a search that fails for an index is seen', 'index',
        $DAYS[0], 1, $with->(search => [ '', 503, '' ]), \%good);
    $seen->(qr/refused/, 'another dataset that is refused is seen', 'state', '',
        1, $with->("other $OTHER" => [ '', 503, '' ]), \%good);
    $seen->(qr/crash/, 'a 500 is seen', 'part', $DAYS[0], 1,
        $with->($w0 => [ $DAYS[0], 500, '' ]), \%good);
    $seen->(qr/crash/, 'a dead server is seen', 'part', $DAYS[0], 1,
        $with->($w0 => [ $DAYS[0], 0, '' ]), \%good);
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit 0;
}

# --- The lake -------------------------------------------------------------------

my $stack = DataLake::Stack->new(
    name    => 'f22',
    mariadb => 1,
    httpd   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
);
my $lake   = "$stack->{dir}/lake";
my $driver = "$DataLake::Stack::BUILD/tools/lake_driver";
my $offset = 0;

sub record {
    my ($day, $i) = @_;
    return sprintf 'R 0 %d %d {"transaction_id":"TX%08d","timestamp":'
      . '"%sT00:%02d:%02dZ","amount":%d.25,"status":"completed","note":"%s"}',
      $offset++, ($DAY0 + $day) * $US + $i, $i, $DAYS[$day],
      $i / 60 % 60, $i % 60, $i, join '', map { sprintf '%07x ', rand 0xfffffff } 1 .. 80;
}

# COUNT records of day number DAY, in commits of 300, some set aside.
sub batch {
    my ($day, $count) = @_;
    my @lines;
    for my $i (1 .. $count) {
        push @lines, record($day, $i);
        push @lines, 'Q 1 ' . $offset . ' schema bad' if $i % 97 == 0;
        push @lines, 'C ' . (($DAY0 + 20) * $US + $offset * 1000)
          if $i % 300 == 0 || $i == $count;
    }
    return @lines;
}

sub drive {
    my ($dataset, @lines) = @_;
    spit("$stack->{dir}/script", join '', map { "$_\n" } @lines);
    system("$driver $lake $dataset $stack->{dir}/script >/dev/null") == 0
      or die "lake_driver failed\n";
    return;
}

my $late = ($DAY0 + 20) * $US + 3_600_000_000;
drive($TOPIC, map({ (batch($_, 900), "S $late", batch($_, 900), "S $late") } 0, 1),
    "Z " . ($DAY0 + 2) * $US, batch(2, 900), "S $late", batch(2, 900),
    "S $late", batch(3, 6600), "I $late");
drive($OTHER, 'R 0 0 ' . $DAY0 * $US . ' {"pair":"XBT/EUR","last":"1.5"}', "S $late");
system('chgrp', '-R', 'www-data', $lake);
system('chmod', '-R', 'g+rX', $lake);
my $meta = "$lake/_lake/$TOPIC";

# [class, day, file] of everything that may be damaged.
sub targets {
    my @targets;
    my %day = map { ($_->{uid} => $_->{day}) } parts();
    for my $file (glob "$lake/$TOPIC/dt=*/*.json $meta/open/*.json") {
        push @targets, [ 'part', $file =~ m{/(\d{4}-\d\d-\d\d)[^/]*$}, $file ];
    }
    push @targets, map { [ 'cold', m{/(\d{4}-\d\d-\d\d)[^/]*$}, $_ ] } glob "$lake/$TOPIC/dt=*/*.zst";
    push @targets, map { [ 'trail', $day{ (m{/(\w+)\.})[0] }, $_ ] } glob "$meta/idx/*.trail";
    push @targets, map { [ 'index', $day{ (m{/(\w+)\.})[0] }, $_ ] } glob "$meta/idx/*.index $meta/idx/*.grow $meta/idx/*.frames";
    push @targets, map { [ 'log', '', $_ ] } "$meta/journal", "$meta/CURRENT", glob "$meta/quarantine/*";
    push @targets, map { [ 'state', '', $_ ] } "$meta/head", glob "$meta/m/*";
    return @targets;
}

# uid and day of each part, from the sizes of data and index headers.
sub parts {
    my @parts;
    for my $file (glob "$meta/idx/*.trail") {
        my ($uid) = $file =~ m{/(\w+)\.};
        my $day = unpack 'x8 l<', slurp($file);
        push @parts, { uid => $uid, day => $DAYS[ $day - $DAY0 ] };
    }
    return @parts;
}

# --- Asking ---------------------------------------------------------------------

my $client = $stack->client('alice');

# [day, status, body] of a request; status 0: no whole answer.
sub ask {
    my ($day, $path) = @_;
    my $answer = eval { $client->get($path) };
    if (!$answer) {
        $client->close;
        return [ $day, 0, '' ];
    }
    # An answer that was cut ends its connection.
    $client->close if $answer->{status} != 200 || ($answer->{headers}{connection} // '') eq 'close';
    return [ $day, $answer->{status}, $answer->{body} ];
}

# What a fresh process reads: [day, 200 or 503, lines].
sub cat {
    my ($day) = @_;
    open my $out, '-|', "$DataLake::Stack::BUILD/bin/datalakectl -c @{[$stack->ini_file]}"
      . " cat $TOPIC/$day 2>/dev/null" or die "cat: $!\n";
    local $/;
    my $body = <$out> // '';
    close $out;
    return [ $day, $? == 0 || length $body ? 200 : ($? >> 8) == 1 ? 503 : 0, $body ];
}

my @ASKED = (
    map({ ("whole version $_" => [ $_, "/api/audit/version/?date=$_&format=ndjson" ]) } @DAYS),
    "search" => [ '', '/api/search/?q=TX00000450&limit=100' ],
    "text"   => [ '', "/api/fulltext_search/450.25?limit=100" ],
    map({ ("data $_" => [ $_, "/api/data/?resource=$TOPIC/$_.json&transaction_id=TX00000777&count=none" ]) } @DAYS),
    "other $OTHER" => [ '', "/api/audit/version/?date=$DAYS[0]&dataset=$OTHER&format=ndjson" ],
);

sub ask_all {
    my ($day) = @_;
    my %asked = @ASKED;
    my %got = map { ($_ => ask(@{ $asked{$_} })) } sort keys %asked;
    $got{"whole cat $_"} = cat($_) for $day eq '' ? $DAYS[ rand @DAYS ] : $day;
    return \%got;
}

# --- Runs -----------------------------------------------------------------------

sub flip {
    my ($file, $at, $bit) = @_;
    open my $io, '+<:raw', $file or die "$file: $!\n";
    sysseek $io, $at, 0;
    sysread $io, my $byte, 1;
    sysseek $io, $at, 0;
    syswrite $io, $byte ^ chr(1 << $bit);
    close $io or die "$file: $!\n";
    return;
}

my $good = ask_all($DAYS[0]);
$good->{"whole cat $_"} = cat($_) for @DAYS;
is(join(' ', map { $good->{$_}[1] } sort keys %$good),
    join(' ', (200) x keys %$good), 'everything answers before');
cmp_ok(length $good->{"whole version $DAYS[3]"}[2], '>', 4e6, 'the open day is big enough for a .grow');
like($good->{search}[2], qr/TX00000450/, 'the search finds something');
is(($stack->try_ctl('fsck'))[0], 0, 'and fsck finds nothing');

my @targets = targets();
my %count;
$count{ $_->[0] }++ for @targets;
is_deeply([ sort keys %count ], [qw(cold index log part state trail)], 'each class has files');
is(scalar(grep { $_->[2] =~ /\.grow$/ } @targets), 1, 'a .grow is among them');
is(scalar(grep { $_->[2] =~ /\.frames$/ } @targets), 1, 'and the directory of the cold day');

my (%wrong, %runs, $violations);
my ($missed, $begin) = (0, time);
for my $run (1 .. $RUNS) {
    my $target = $targets[ $run % @targets ];
    my ($class, $day, $file) = @$target;
    my $at  = int rand -s $file;
    my $bit = int rand 8;
    flip($file, $at, $bit);
    my ($fsck, $said) = $stack->try_ctl('fsck', $TOPIC);
    my $got = ask_all($day);
    my %want = map { ($_ => $good->{$_}) } keys %$got;
    my @wrong = judge($class, $day, $fsck, $got, \%want);
    flip($file, $at, $bit);
    $runs{$class}++;
    $missed++ if grep { /^missed/ } @wrong;
    next if !@wrong;
    $violations += @wrong;
    (my $name = $file) =~ s{^\Q$lake\E/}{};
    diag "run $run: $class $name byte $at bit $bit of " . -s $file, map { "\n  $_" } @wrong
      if ++$wrong{$class} <= 4;
}
$violations //= 0;
diag sprintf '%d runs in %.0f s: %s', $RUNS, time - $begin,
  join ', ', map { "$_ $runs{$_}" } sort keys %runs;
is($missed, 0, 'fsck finds every flipped byte');
is($violations, 0, 'a damaged day is refused, all else answers as before');

# --- Afterwards -----------------------------------------------------------------

is(($stack->try_ctl('fsck'))[0], 0, 'with every byte put back fsck finds nothing');
my $after = ask_all($DAYS[0]);
is(scalar(grep { $after->{$_}[2] ne $good->{$_}[2] } keys %$after), 0, 'and everything answers as before');
my $log = join '', map { slurp($_) // '' } glob "$stack->{dir}/apache2/*log* $stack->{dir}/log/*";
unlike($log, qr/exit signal|AddressSanitizer|runtime error/, 'no process crashed');

# The manual's way: drop and build.
my ($broken) = grep { $_->[2] =~ /\.index$/ } @targets;
flip($broken->[2], 30, 3);
is(($stack->try_ctl('fsck', $TOPIC))[0], 1, 'a damaged index is found');
$stack->ctl('index', 'drop', $TOPIC);
$stack->ctl('index', 'build', $TOPIC);
is(($stack->try_ctl('fsck', $TOPIC))[0], 0, 'drop and build mend it, as the manual says');

ok(
    figure('F22', [ runs => $RUNS, missed => $missed, violations => $violations ],
        $missed == 0 && $violations == 0 && Test::More->builder->is_passing),
    'the goal is met'
);
done_testing;
