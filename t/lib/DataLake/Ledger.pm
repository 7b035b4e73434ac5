# DataLake::Ledger - what was produced, and the judge of what became of it.
#
#   my $ledger = DataLake::Ledger->new(run => 0x7f3a, partitions => 6);
#   my @messages = $ledger->generate(100_000);     # in the order of sending
#   $ledger->placed(\@placed);                     # [partition, offset] each
#   my $found = $ledger->check_lake($records, $rejects);
#
# The ledger never asks the product what is right: it keeps the SHA-256 of
# every value it made, knows which are dead letters and why, and which record
# of an id is the later one.  A check returns counts of what is wrong by kind;
# all zero is good.
#
# With `notes => 0.5` half of the messages have headers: where they came from,
# and a position of one of three sources; of these some come again, later, as a
# source sends them that does not know whether they arrived.  The lake must keep
# the headers and drop and account for the repeats.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Ledger;
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use POSIX qw(strftime);

our @EXPORT_OK = qw(dumped lake_dump no_faults total);

my $DUMP = abs_path(dirname(__FILE__) . '/../../..')
  . '/build/tools/lake_dump';

my @STATUSES   = (('completed') x 7, qw(pending failed processing cancelled));
my @TYPES      = (('purchase') x 5, 'payment', 'refund', 'withdrawal');
my @CURRENCIES = (('EUR') x 6, 'USD', 'USD', 'GBP', 'JPY');
my @CATEGORIES = qw(books garden music sport);
my @BAD        = qw(not-json not-object encoding schema bad-time);

sub new {
    my ($class, %option) = @_;
    my $self = bless { partitions => 6, bad => 0.01, resend => 0.05, notes => 0, mark => {}, %option },
      $class;
    srand $self->{run};
    # Well before now: a broker refuses times ahead of its own.
    $self->{base_ms} //= (int(time / 86400) * 86400 - 3600) * 1000;
    $self->{messages} = [];
    return $self;
}

# Make COUNT messages, with Kafka times one millisecond apart; returns them as
# DataLake::Kafka::produce wants them.
sub generate {
    my ($self, $count) = @_;
    my $messages = $self->{messages};
    for my $i (1 .. $count) {
        next if $self->{notes} && rand() < 0.05 && $self->add_repeat;
        my $id = @$messages && rand() < $self->{resend} ? $self->old_id : undef;
        $id //= sprintf 'TX%04x%08d', $self->{run} & 0xffff,
          scalar @$messages;
        my $message = {
            id        => $id,
            partition => unpack('%32C*', $id) % $self->{partitions},
            timestamp => $self->{base_ms} + @$messages,
            key       => $id,
        };
        if (rand() < $self->{bad}) {
            $self->fill_bad($message);
        }
        else {
            $self->fill_good($message);
        }
        $self->add_headers($message) if rand() < $self->{notes};
        $message->{sha} = sha256_hex($message->{value});
        push @$messages, $message;
    }
    return @$messages[ -$count .. -1 ];
}

# Let MESSAGE say where it came from.
sub add_headers {
    my ($self, $message) = @_;
    my $source = pick(qw(a b c));
    my $place  = "$message->{partition} $source";
    my $position = $self->{mark}{$place} += 1 + int rand 3;
    $message->{position} = "$source 1 $position";
    $message->{headers}  = [
        rand() < 0.5 ? () : ([ 'dl-origin', 'repush' ], [ 'dl-replay-id', 'r' . int rand 1e6 ]),
        [ 'dl-source-pos', $message->{position} ]
    ];
    return;
}

# Send one of the last good messages with a position again; false: there is
# none.
sub add_repeat {
    my ($self) = @_;
    my $messages = $self->{messages};
    my $from = @$messages < 2000 ? 0 : @$messages - 2000;
    for (1 .. 20) {
        my $first = $messages->[ $from + int rand(@$messages - $from) ] // return 0;
        next if !$first->{position} || $first->{reason} || $first->{again};
        push @$messages, { %$first, again => 1, timestamp => $self->{base_ms} + @$messages };
        return 1;
    }
    return 0;
}

# An id that was sent before.
sub old_id {
    my ($self) = @_;
    return $self->{messages}[ rand @{ $self->{messages} } ]{id};
}

sub pick { return $_[ rand @_ ]; }

# Give MESSAGE a value in the stored (canonical) form.
sub fill_good {
    my ($self, $message) = @_;
    my $cents = 1 + int rand 500_000;
    my $time  = $message->{timestamp} / 1000 - rand 3 * 86400;
    @$message{qw(user currency type status category)} = (
        'U' . int(rand 200), pick(@CURRENCIES), pick(@TYPES),
        pick(@STATUSES), pick(@CATEGORIES)
    );
    $message->{cents} = $cents;
    $message->{day}   = strftime('%Y-%m-%d', gmtime $time);
    $message->{value} = sprintf
      '{"transaction_id":"%s","timestamp":"%s.%03dZ","user_id":"%s",'
      . '"user_name":"Zoé %s","product_id":"P%d","product_name":"thing",'
      . '"amount":%d.%02d,"currency":"%s","transaction_type":"%s",'
      . '"status":"%s","product_category":"%s","quantity":%d,'
      . '"location":{"city":"Köln","country":"DE"},"note":"%s"}',
      $message->{id}, strftime('%Y-%m-%dT%H:%M:%S', gmtime $time),
      int rand 1000, $message->{user}, $message->{user}, rand 50,
      int($cents / 100), $cents % 100,
      @$message{qw(currency type status category)}, 1 + rand 5,
      'x' x rand 300;
    utf8::encode($message->{value}) if utf8::is_utf8($message->{value});
    return;
}

# Give MESSAGE a value that is a dead letter, and its reason.
sub fill_bad {
    my ($self, $message) = @_;
    my $reason = $message->{reason} = pick(@BAD);
    my $id     = $message->{id};
    $message->{value} =
        $reason eq 'not-json'   ? "{\"transaction_id\":\"$id\",}"
      : $reason eq 'not-object' ? "[\"$id\"]"
      : $reason eq 'encoding'   ? "{\"transaction_id\":\"$id\",\"n\":\"\xc3\"}"
      : $reason eq 'schema'     ? "{\"transaction\":\"$id\"}"
      :   "{\"transaction_id\":\"$id\",\"timestamp\":\"yesterday\"}";
    return;
}

# Note where the messages went: [partition, offset] in the order of sending.
sub placed {
    my ($self, $placed) = @_;
    my $messages = $self->{messages};
    die 'placed ' . @$placed . ' of ' . @$messages . "\n"
      if @$placed != @$messages;
    for my $i (0 .. $#$messages) {
        @{ $messages->[$i] }{qw(partition offset)} = @{ $placed->[$i] };
    }
    return;
}

# Where each message lies: {partition}{offset} => message.
sub by_place {
    my ($self) = @_;
    my %at;
    $at{ $_->{partition} }{ $_->{offset} } = $_ for @{ $self->{messages} };
    return \%at;
}

sub no_faults {
    return { lost => 0, dup => 0, reordered => 0, torn => 0, wrong => 0 };
}

sub total {
    my ($faults) = @_;
    my $sum = 0;
    $sum += $_ for values %$faults;
    return $sum;
}

# Records and rejects of DATASET in the lake at ROOT, as check_lake wants them;
# with NOTES its repeats [partition, offset, number, source, epoch, position],
# and the headers of each record behind its other fields.
sub lake_dump {
    my ($root, $dataset, $notes) = @_;
    my (@records, @rejects, @repeats);
    open my $in, '-|', $DUMP, $root, $dataset, $notes ? 'notes' : () or die "lake_dump: $!\n";
    while (my $line = <$in>) {
        chomp $line;
        my ($kind, @field) = split /\t/, $line;
        if ($kind eq 'R') {
            push @records, [ @field[ 0, 1, 3, 4 ], $notes ? sha256_hex($field[5]) : $field[5] ];
        }
        elsif ($kind eq 'N') {
            push @{ $records[-1] }, join "\t", @field[ 2 .. $#field ];
        }
        elsif ($kind eq 'D') {
            push @repeats, [ @field[ 1 .. 6 ] ];
        }
        else {
            push @rejects, [ @field[ 1, 2, 3 ], $notes ? sha256_hex($field[4] // '') : $field[4] ];
        }
    }
    close $in or die "lake_dump failed\n";
    return (\@records, \@rejects, \@repeats);
}

# How many messages a dump with notes accounts for.
sub dumped {
    my ($records, $rejects, $repeats) = @_;
    my $sum = @$records + @$rejects;
    $sum += $_->[2] for @$repeats;
    return $sum;
}

# Compare RECORDS ([day, line, partition, offset, sha256, headers]), REJECTS
# ([partition, offset, reason, sha256]) and REPEATS of the lake with what was
# sent; headers and repeats count when the ledger has notes.
sub check_lake {
    my ($self, $records, $rejects, $repeats) = @_;
    my $faults = no_faults();
    my $at     = $self->by_place;
    my (%seen, %last);
    for my $record (sort { $a->[0] cmp $b->[0] || $a->[1] <=> $b->[1] }
        @$records)
    {
        my ($day, $line, $partition, $offset, $sha) = @$record;
        my $sent = $at->{$partition}{$offset};
        $faults->{dup}++ if $seen{$partition}{$offset}++;
        $faults->{wrong}++
          if !$sent || $sent->{reason} || $sent->{day} ne $day
          || ($self->{notes} && ($record->[5] // '') ne headers_of($sent));
        $faults->{dup}++ if $sent && $sent->{again};
        $faults->{torn}++ if $sent && $sent->{sha} ne $sha;
        my $before = $last{$day}{$partition} // -1;
        $faults->{reordered}++ if $offset <= $before;
        $last{$day}{$partition} = $offset;
    }
    for my $reject (@$rejects) {
        my ($partition, $offset, $reason, $sha) = @$reject;
        my $sent = $at->{$partition}{$offset};
        $faults->{dup}++ if $seen{$partition}{$offset}++;
        $faults->{wrong}++ if !$sent || ($sent->{reason} // '') ne $reason;
        $faults->{torn}++  if $sent && $sent->{sha} ne $sha;
    }
    my $dropped = $self->account($repeats // [], \%seen);
    $faults->{$_} += $dropped->{$_} for keys %$dropped;
    for my $message (@{ $self->{messages} }) {
        $faults->{lost}++
          if !$seen{ $message->{partition} }{ $message->{offset} };
    }
    return $faults;
}

# The headers of MESSAGE as a dump has them.
sub headers_of {
    my ($message) = @_;
    return join "\t", map { "$_->[0]=$_->[1]" } @{ $message->{headers} // [] };
}

# Let REPEATS account for the messages that came again, noting them in SEEN: a
# row says how many offsets there are from its own on, and what the last of
# these messages said.
sub account {
    my ($self, $repeats, $seen) = @_;
    my $faults = no_faults();
    my $at     = $self->by_place;
    for my $row (@$repeats) {
        my ($partition, $offset, $number, @position) = @$row;
        for my $o ($offset .. $offset + $number - 1) {
            my $sent = $at->{$partition}{$o};
            $faults->{dup}++ if $seen->{$partition}{$o}++;
            $faults->{wrong}++ if !$sent || !$sent->{again} || $sent->{position} !~ /^\Q$position[0]\E /;
        }
        my $last = $at->{$partition}{ $offset + $number - 1 };
        $faults->{wrong}++ if !$last || ($last->{position} // '') ne "@position";
    }
    return $faults;
}

# The record of each id that is the later one: {id} => message.
sub winners {
    my ($self) = @_;
    my %winner;
    for my $message (grep { !$_->{reason} } @{ $self->{messages} }) {
        my $other = $winner{ $message->{id} };
        $winner{ $message->{id} } = $message
          if !$other
          || $message->{timestamp} > $other->{timestamp}
          || ($message->{timestamp} == $other->{timestamp}
            && $message->{offset} > $other->{offset});
    }
    return \%winner;
}

# Compare ROWS ([transaction_id, amount text, currency, partition, offset]) of
# the warehouse table with what was sent.
sub check_table {
    my ($self, $rows) = @_;
    my $faults = no_faults();
    my $winner = $self->winners;
    my %seen;
    for my $row (@$rows) {
        my ($id, $amount, $currency, $partition, $offset) = @$row;
        my $sent = $winner->{$id};
        $faults->{dup}++ if $seen{$id}++;
        $faults->{wrong}++
          if !$sent
          || $sent->{partition} != $partition
          || $sent->{offset} != $offset
          || $sent->{currency} ne $currency
          || $sent->{cents} != cents($amount);
    }
    for my $id (keys %$winner) {
        $faults->{lost}++ if !$seen{$id};
    }
    return $faults;
}

# The decimal TEXT in hundredths; -1 when it has more than that.
sub cents {
    my ($text) = @_;
    return $text =~ /^(\d+)\.(\d\d)0*$/ ? "$1$2" + 0 : -1;
}

# Compare ROWS ([user, currency, type, status, category, n, amount text]) of
# the rollup spend_user with the sums over the winners.
sub check_rollup {
    my ($self, $rows) = @_;
    my $faults = no_faults();
    my %want;
    for my $message (values %{ $self->winners }) {
        my $group = $want{ join '|',
            @$message{qw(user currency type status category)} } //= [ 0, 0 ];
        $group->[0]++;
        $group->[1] += $message->{cents};
    }
    for my $row (@$rows) {
        my @key = @$row[ 0 .. 4 ];
        my ($n, $amount) = @$row[ 5, 6 ];
        my $group = delete $want{ join '|', @key };
        next if !$group && $n == 0;
        $faults->{wrong}++
          if !$group || $group->[0] != $n || $group->[1] != cents($amount);
    }
    $faults->{lost} += keys %want;
    return $faults;
}

1;
