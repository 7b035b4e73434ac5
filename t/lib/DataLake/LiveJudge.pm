# DataLake::LiveJudge - whether answers about a growing lake are right.
#
# A lake that gets its records from one partition has, at each commit, a prefix
# of them.  An answer is right when there is a prefix that it is right for, not
# shorter than what was known before the question and not longer than what was
# produced when the answer came; all pages of a list are of one prefix; and a
# version of a day is the same prefix of the day for ever.
#
#   my $judge = DataLake::LiveJudge->new(records => $records);
#   my $wrong = $judge->list(items => \@items, of => sub {...}, ...);
#
# Each judgement returns '' or a sentence.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::LiveJudge;
use strict;
use warnings;
use DataLake::LiveRecords qw(fold);

# Characters around a hit.
use constant AROUND => 60;

# Options: records (DataLake::LiveRecords).
sub new {
    my ($class, %option) = @_;
    return bless { version => {}, seen => {}, %option }, $class;
}

# All pages of a list, or one.  Options:
#
#   items   texts of the answer, in order
#   of      which records match, code
#   form    the text of a record, code
#   least   records that were there before the question
#   most    records produced when the first page came
#   count   matches, as the answer says; undef: it does not
#   sort    [path, 1 or -1]; undef: by day and line
#   from, size   the items are this part of the matches (needs count)
sub list {
    my ($self, %o) = @_;
    my $records = $self->{records};
    my @match   = $records->arrived($o{most}, $o{of});
    my $least   = grep { $_->{n} < $o{least} } @match;
    my $n       = defined $o{size} ? $o{count} : @{ $o{items} };
    return sprintf 'counts %s of %d', $o{count}, $n if defined $o{count} && $o{count} != $n;
    return sprintf '%d matches, not %d to %d', $n, $least, scalar @match
      if $n < $least || $n > @match;
    my @want = DataLake::LiveRecords::in_order(@match[ 0 .. $n - 1 ]);
    @want = $records->sorted(@{ $o{sort} }, @want) if $o{sort};
    @want = grep { defined } @want[ $o{from} .. $o{from} + $o{size} - 1 ] if defined $o{size};
    return sprintf '%d items, not %d', scalar @{ $o{items} }, scalar @want if @{ $o{items} } != @want;
    for my $i (0 .. $#want) {
        my $want = $o{form}->($want[$i]);
        return "item $i is $o{items}[$i], not $want" if $o{items}[$i] ne $want;
    }
    return '';
}

# What the full text search shows of RECORD, which holds the folded text
# FOLDED; characters.
sub excerpt {
    my ($record, $folded) = @_;
    my $at    = index $record->{folded}, $folded;
    my $end   = $at + length $folded;
    my $from  = $at > AROUND ? $at - AROUND : 0;
    my $shown = substr $record->{text}, $from, $end + AROUND - $from;
    my $more  = $end + AROUND < length $record->{text};
    return ($from > 0 ? '...' : '') . $shown . ($more ? '...' : '');
}

# The LINES (texts without newline) of DAY as version NUMBER, asked when LEAST
# records of all were known, answered when MOST were produced; LATEST: it is
# the newest one.
sub version {
    my ($self, %o) = @_;
    my $all  = $self->{records}{day}{ $o{day} };
    my $n    = @{ $o{lines} };
    my $same = $self->{version}{ $o{day} }{ $o{number} };
    return "version $o{number} had $same records, now $n" if defined $same && $same != $n;
    return "$n records, more than were produced" if $n > @$all || $n > 0 && $all->[ $n - 1 ]{n} >= $o{most};
    return "$n records, fewer than were there"
      if $o{latest} && $n < @$all && $all->[$n]{n} < $o{least};
    for my $i (0 .. $n - 1) {
        return "line $i is $o{lines}[$i], not $all->[$i]{line}" if $o{lines}[$i] ne $all->[$i]{line};
    }
    my $known = $self->{version}{ $o{day} };
    for my $other (keys %$known) {
        return "versions $other and $o{number} are out of order"
          if ($other <=> $o{number}) != ($known->{$other} <=> $n);
    }
    $known->{ $o{number} } = $n;
    $self->{version}{ $o{day} } = $known;
    return '';
}

# Note that NUMBER was the newest version of DAY at some moment between the
# times SENT and GOT.
sub newest {
    my ($self, $day, $number, $sent, $got) = @_;
    push @{ $self->{seen}{$day} }, [ $sent, $got, $number ];
    return;
}

# Version NUMBER of DAY (0: there was none) as the one at the time AT.
sub as_of {
    my ($self, $day, $at, $number) = @_;
    for my $seen (@{ $self->{seen}{$day} // [] }) {
        my ($sent, $got, $newest) = @$seen;
        # Commits have times in milliseconds, rounded up.
        return "version $number at $at, but $newest was there at $got"
          if $got < $at - 0.002 && $number < $newest;
        return "version $number at $at, but $newest was the newest at $sent"
          if $sent > $at + 0.002 && $number > $newest;
    }
    return '';
}

1;
