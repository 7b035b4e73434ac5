# DataLake::LakeScript - a script for lake_driver, and what must come of it.
#
#   my $script = DataLake::LakeScript->new(batches => 20, records => 10,
#       pad => 300,                   # characters a record has at most
#       index => 1,                   # make indexes, too
#       cold => 1,                    # what is compacted becomes cold, too
#       remove => 1,                  # and remove the first day at the end
#       notes => 1);                  # half of the records have headers and a
#                                     # position; one a batch comes again
#   $script->save($file);
#   $script->judge($dump, $acked);    # '' or what is wrong
#
# The script appends records of three partitions, some of them set aside, to
# two days, seals twice and compacts once; with cold days twice, the second time
# with parts that came for a cold day.  After commit number I the lake must
# hold exactly $script->expected($i), as `lake_dump ROOT d MODE` prints it with
# the MODE that $script->mode tells.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::LakeScript;
use strict;
use warnings;

use constant { DAY => 20591, US => 86_400_000_000 };

my %NAME = (DAY, '2026-05-18', DAY + 1, '2026-05-19');

sub new {
    my ($class, %o) = @_;
    my $self = bless { pad => $o{pad} // 300, index => $o{index}, cold => $o{cold}, notes => $o{notes}, remove => $o{remove}, lines => [], expected => [''], ack => { 'ack' => 0 } }, $class;
    my $state = { next => [ 0, 0, 0 ], now => DAY * US + 3_600_000_000, days => {}, aside => [], mark => {} };
    for my $batch (1 .. $o{batches}) {
        $self->add_record($state) for 1 .. $o{records};
        $self->add_repeat($state) if $o{notes};
        $self->add_commit($state);
        $self->add_work($state, $batch, $o{batches});
    }
    return $self;
}

sub add_record {
    my ($self, $state) = @_;
    my $p = int rand 3;
    my $o = $state->{next}[$p];
    $state->{next}[$p] += 1 + (rand() < 0.2);
    $state->{seen}[$p] = $o + 1;
    if (rand() < 0.1) {
        push @{ $self->{lines} }, "Q $p $o schema bad-$o";
        push @{ $state->{aside} }, "Q\t0\t$p\t$o\tschema\tbad-$o\n";
        return;
    }
    my $day  = rand() < 0.5 ? DAY : DAY + 1;
    my $text = sprintf '{"p":%d,"o":%d,"pad":"%s"}', $p, $o, 'x' x rand $self->{pad};
    my $time = $day * US + int rand 1e10;
    if ($self->{notes} && rand() < 0.5) {
        $self->add_noted($state, $p, $o, $day, $time, $text);
        return;
    }
    push @{ $self->{lines} }, "R $p $o $time $text";
    push @{ $state->{days}{$day} }, "0\t$p\t$o\t$text\n" . ($self->{notes} ? "N\tsame\t\n" : '');
}

# A message with headers and the next position of one of three sources.
sub add_noted {
    my ($self, $state, $p, $o, $day, $time, $text) = @_;
    my $source   = 's' . int rand 3;
    my $position = $state->{mark}{"$p $source"} += 1 + int rand 3;
    my @headers  = rand() < 0.5 ? () : ('dl-origin=repush', 'dl-replay-id=r' . int rand 1e6);
    push @{ $self->{lines} }, "N $p $o $time $source 1 $position " . (join(',', @headers) || '-') . " $text";
    push @{ $state->{days}{$day} },
      "0\t$p\t$o\t$text\n" . join("\t", "N\tsame\t", @headers, "dl-source-pos=$source 1 $position") . "\n";
}

# What a source sends again: it is dropped, and accounted for.
sub add_repeat {
    my ($self, $state) = @_;
    my @marks = sort keys %{ $state->{mark} } or return;
    my ($p, $source) = split / /, $marks[ rand @marks ];
    my $position = 1 + int rand $state->{mark}{"$p $source"};
    my $o = $state->{next}[$p]++;
    $state->{seen}[$p] = $o + 1;
    push @{ $self->{lines} }, sprintf 'N %d %d %d %s 1 %d - {"p":%d,"again":true}', $p, $o, DAY * US, $source, $position, $p;
    push @{ $state->{aside} }, "D\t0\t$p\t$o\t1\t$source\t1\t$position\n";
}

sub add_commit {
    my ($self, $state) = @_;
    $state->{now} += 100_000;
    push @{ $self->{lines} }, "C $state->{now}";
    push @{ $self->{expected} }, dump_of($state);
    my @seen = grep { defined $state->{seen}[$_] } 0 .. 2;
    my $ack  = join ' ', 'ack', map { "$_:$state->{seen}[$_]" } @seen;
    $self->{ack}{$ack} = $#{ $self->{expected} };
}

sub add_work {
    my ($self, $state, $batch, $batches) = @_;
    my %at = map { $_ => 1 } int($batches * 0.35), int($batches * 0.6);
    push @{ $self->{lines} }, "S $state->{now}" if $at{$batch};
    push @{ $self->{lines} }, "I $state->{now}" if $at{$batch} && $self->{index};
    my $compact = sprintf '%s %d', $self->{cold} ? 'Z' : 'K', (DAY + 9) * US;
    push @{ $self->{lines} }, $compact if $batch == int $batches * 0.7;
    push @{ $self->{lines} }, "S $state->{now}", $compact
      if $self->{cold} && $batch == int $batches * 0.9;
    push @{ $self->{lines} }, "I $state->{now}"
      if $batch == int $batches * 0.8 && $self->{index};
    return if $batch != $batches || !$self->{remove};

    # All is sealed, so that all of the day goes, also when the script is run
    # again on what it had reached.
    push @{ $self->{lines} }, "S $state->{now}", sprintf 'D %d', (DAY + 1) * US;
    delete $state->{days}{ (DAY) };
    $self->{removed} = dump_of($state);
}

sub dump_of {
    my ($state) = @_;
    my $text = '';
    for my $day (sort keys %{ $state->{days} }) {
        my $line = 0;
        $text .= "R\t$NAME{$day}\t" . ++$line . "\t$_" for @{ $state->{days}{$day} };
    }
    return $text . join '', @{ $state->{aside} };
}

sub save {
    my ($self, $file) = @_;
    open my $out, '>', $file or die "$file: $!\n";
    print {$out} "$_\n" for @{ $self->{lines} };
    close $out or die "$file: $!\n";
}

sub expected { return $_[0]{expected}[ $_[1] ] }
sub last     { return $_[0]{removed} // $_[0]{expected}[-1] }
sub mode     { return $_[0]{notes} ? 'notes' : 'lines' }
sub commits  { return $#{ $_[0]{expected} } }

# The number of the commit that the line ACK of the driver tells about.
sub acked {
    my ($self, $ack) = @_;
    $ack =~ s/\s+$//;
    return $self->{ack}{$ack} // die "no commit says '$ack'\n";
}

# '' when DUMP is what some commit left, not before number ACKED; else a
# sentence.
sub judge {
    my ($self, $dump, $acked) = @_;
    my $expected = $self->{expected};
    for my $i ($acked .. $#$expected) {
        return '' if $dump eq $expected->[$i];
    }
    return '' if $dump eq $self->last;
    for my $i (0 .. $acked - 1) {
        return 'acknowledged commit ' . ($i + 1) . ' is lost' if $dump eq $expected->[$i];
    }
    return 'the content is that of no commit';
}

1;
