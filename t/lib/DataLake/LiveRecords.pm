# DataLake::LiveRecords - records with hostile texts, in the order in which a
# lake gets them, and what the contract says about any prefix of them.
#
#   my $records = DataLake::LiveRecords->new(count => 5000, days => 4);
#   my @now     = $records->matching($filters, $n);    # of the first $n
#
# A record is a hash:
#
#   n       place in the order of arrival, from 0: its Kafka offset
#   day     'YYYY-MM-DD', and line, its number there, from 1
#   line    as it is stored, bytes; sent: as it is sent, bytes
#   raw     {dotted member} => JSON text, bytes
#   text    the whole line, characters, \u escapes decoded; folded: simple
#           case folding of it; values: folded values, each behind BREAK
#
# It is written from the contract (1.3, 3.2, 3.3, 11): nothing here reads the
# product's code, and lines are put together, not parsed.  Randomness is
# rand(): the caller seeds it.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::LiveRecords;
use strict;
use warnings;
use utf8;
use Encode qw(encode);
use Exporter 'import';
use List::Util qw(shuffle);
use Math::BigFloat;
use POSIX qw(strftime);
use Unicode::UCD qw(all_casefolds);

our @EXPORT_OK = qw(any fold);

# The first day: 2026-05-18.
use constant FIRST => 1_779_062_400;

# Stands before each value; no text that is looked for has it.
use constant BREAK => "\x{10fffe}";

# Members that a filter may name, and their types.
our %TYPE = (
    transaction_id     => 'text',
    timestamp          => 'time',
    user_id            => 'text',
    amount             => 'number',
    status             => 'text',
    product_name       => 'text',
    quantity           => 'number',
    customer_rating    => 'number',
    discount_code      => 'text',
    'location.country' => 'text',
    'location.city'    => 'text',
);

my @STATUS = qw(completed completed completed pending failed Completed);
my @CITY   = ('Paris', 'paris', 'Köln', "Ko\x{308}ln", 'İstanbul', 'São Paulo', '東京', '');
my @LAND   = qw(FR DE fr JP);

# Characters as they are meant.  What has to be escaped, is; beside it stand
# characters that fold to another length in bytes or only look alike.
our @PIECES = (
    'lamp', 'LAMP', 'Lamp', 'Straße', 'STRAẞE', 'strasse', 'İ', 'ı', 'I', 'i', "i\x{307}",
    "e\x{301}t\x{e9}", 'ÉTÉ', 'ſold', 'SOLD', "\x{212a}elvin", 'kelvin', 'ΣΊΣΥΦΟΣ', 'σίσυφος',
    "\x{1f600}", "\x{10400}\x{10428}", "\x{1d4b3}", 'aaaaaaab', 'aab', 'abaabaab', ' ', ',', ':',
    '{"a":1}', '[]', 'true', 'null', '12.50', '"quoted"', 'back\\slash', '\\u0041', '\\n',
    "tab\there", "line\nbreak", 'a/b', "bell\x{7}", "\x{200b}zero", "soft\x{ad}hyphen",
    "\x{202e}bidi", "\x{85}next", "\x{2028}line", "\x{e0041}tag", "\x{fffd}", '%', "'", '=1+1',
    'ǅ', 'ǆ', 'Ω', "\x{2126}", 'å', "\x{212b}", 'ﬀ', 'ᲀ', 'ẛ',
);

# What a string may say other than by itself, and is kept as it came: code
# points that a reader does not print.
my $HIDDEN = qr/[\x00-\x1f\x7f-\x9f\x{ad}\x{200b}\x{2028}\x{202e}]/;

# Characters that fold to another one.
my $folds  = all_casefolds();
my %folded = map { chr $_ => chr hex $folds->{$_}{simple} }
  grep { ($folds->{$_}{simple} // '') ne '' } keys %$folds;
my $folding = join '', map { quotemeta } sort keys %folded;
$folding = qr/([$folding])/;

sub any { return $_[ rand @_ ]; }

# Simple case folding, character by character.
sub fold {
    my ($text) = @_;
    $text =~ s/$folding/$folded{$1}/g;
    return $text;
}

# --- Making them ---------------------------------------------------------------

# Options: count, days (4), long (share of records with 10 KB, 0.1).
sub new {
    my ($class, %option) = @_;
    my $self = bless { days => 4, long => 0.1, list => [], lines => {}, %option }, $class;
    $self->{amounts} = [ map { sprintf '%d.%02d', rand 1000, rand 100 } 1 .. 200 ];
    $self->add($self->record($_)) for 0 .. $self->{count} - 1;
    $self->rank_numbers;
    return $self;
}

sub all { my ($self) = @_; return @{ $self->{list} }; }

sub at { my ($self, $n) = @_; return $self->{list}[$n]; }

sub add {
    my ($self, $record) = @_;
    $record->{line_number} = ++$self->{lines}{ $record->{day} };
    push @{ $self->{list} }, $record;
    push @{ $self->{day}{ $record->{day} } }, $record;
    return;
}

# \uXXXX of the character CODE, as UTF-16.
sub unit {
    my ($code) = @_;
    my $form = any('\\u%04x', '\\u%04X');
    return sprintf $form, $code if $code < 0x10000;
    return sprintf $form x 2, 0xd800 + ($code - 0x10000 >> 10), 0xdc00 + ($code & 0x3ff);
}

# TEXT as JSON: (as sent, as stored, as the full text search sees it).
sub quoted { return map { qq("$_") } inside($_[0]); }

# The same without quotation marks.
sub inside {
    my ($text) = @_;
    return ($text, $text, $text) if $text =~ /^[\x20\x21\x23-\x2e\x30-\x5b\x5d-\x7e]*\z/;
    my ($sent, $kept, $seen) = ('', '', '');
    for my $char (split //, $text) {
        my ($s, $k, $v) = ($char) x 3;
        if ($char eq '"' || $char eq '\\') {
            $s = $k = any("\\$char", "\\$char", unit(ord $char));
            $v = length $s == 2 ? $s : $char;
        }
        elsif ($char =~ /[\n\t]/ && rand() < 0.5) {
            $s = $k = $v = $char eq "\n" ? '\\n' : '\\t';
        }
        elsif ($char eq '/' && rand() < 0.5) {
            $s = $k = $v = '\\/';
        }
        elsif ($char =~ $HIDDEN && (ord $char < 0x20 || rand() < 0.7)) {
            $s = $k = unit(ord $char);
        }
        elsif (ord $char >= 0x80 && $char !~ $HIDDEN && rand() < 0.3) {
            $s = unit(ord $char);
        }
        $sent .= $s;
        $kept .= $k;
        $seen .= $v;
    }
    return ($sent, $kept, $seen);
}

sub phrase { return join '', map { any(@PIECES) } 1 .. 1 + int rand $_[0]; }

# 10 KB that hold what looks like a beginning of the text looked for again and
# again: the text, and what quoted() says of it.
sub long_text {
    my $piece = any('aaaaaaab', 'lalalamp', 'Straße', "\x{1f600}", 'é', 'abaabaab', "\\\"");
    my $times = int(10240 / length $piece);
    my @ends  = (phrase(2), phrase(2));
    my @form  = ([ inside($ends[0]) ], [ map { $_ x $times } inside($piece) ], [ inside($ends[1]) ]);
    return ($ends[0] . $piece x $times . $ends[1],
        map { my $i = $_; '"' . join('', map { $_->[$i] } @form) . '"' } 0 .. 2);
}

sub short_text {
    my $text = phrase(6) . ' filler' x (30 + rand 30);
    return ($text, quoted($text));
}

# (microseconds, text) of a time on day D.
sub time_of {
    my ($d) = @_;
    my ($s, $u) = (FIRST + 86_400 * $d + int rand 86_400, any(0, 0, int rand 1e6));
    my $us   = $s * 1_000_000 + $u;
    my $text = any(
        sprintf('%d.%06d', $s, $u),
        strftime('"%Y-%m-%dT%H:%M:%S', gmtime $s) . sprintf('.%06dZ"', $u),
        strftime('"%Y-%m-%dT%H:%M:%S', gmtime $s - 18_000) . sprintf('.%06d-05:00"', $u)
    );
    return ($us, $text);
}

sub amount {
    my ($self) = @_;
    return any(@{ $self->{amounts} }) if rand() < 0.7;
    return any(qw(0 0.00 -1 1 1.0 10 9.99 49.9 49.90 1e2 100 0.1 0.10000000001 1E-3 0.001 -0
          123456789012345678 99999999.9999999999 "12.5" "7" null));
}

# Record number N.
sub record {
    my ($self, $n) = @_;
    my $d = rand() < 0.8 ? 0 : int rand $self->{days};    # one day is large
    my ($us, $time) = time_of($d);
    my %text = (
        transaction_id => sprintf('TX-%06d-%04x', $n, rand 65536),
        user_id        => sprintf('user-%03d', rand 60),
        status         => any(@STATUS),
        product_name   => substr(phrase(4), 0, 200),
        discount_code  => rand() < 0.5 ? phrase(2) : undef,
    );
    my %number = (
        amount          => $self->amount,
        quantity        => any(1 .. 5, 'null', '"3"'),
        customer_rating => any(1 .. 5, 'null', '4.0'),
    );
    my %form = map { $_ => [ defined $text{$_} ? quoted($text{$_}) : ('null') x 3 ] } keys %text;
    $form{$_} = [ ($number{$_}) x 3 ] for keys %number;
    $form{timestamp} = [ ($time) x 3 ];
    delete @form{ grep { rand() < 0.1 } qw(amount status product_name quantity customer_rating) };
    my %nested = (city => any(@CITY), country => any(@LAND));
    my @members = map { [ $_, $form{$_} ] } shuffle(sort keys %form);
    my %record = (n => $n, us => $us, day => strftime('%Y-%m-%d', gmtime $us / 1_000_000));
    $record{raw}{$_} = encode('UTF-8', $form{$_}[1]) for keys %form;
    if (rand() < 0.9) {
        my @parts = map { [ $_, [ quoted($nested{$_}) ] ] } sort keys %nested;
        $record{raw}{"location.$_->[0]"} = encode('UTF-8', $_->[1][1]) for @parts;
        push @members, [ location => [ map { object($_, @parts) } 0 .. 2 ] ];
        $text{"location.$_"} = $nested{$_} for keys %nested;
    }
    my ($extra, @forms) = rand() < $self->{long} ? long_text() : short_text();
    my $flag = any('true', 'false', 'null');
    push @members, [ extra => [ map { qq([$_,$flag,{"deep":-7.50}]) } @forms ] ];
    $record{id} = $text{transaction_id};
    delete $text{$_} for grep { !/\./ && !$form{$_} } keys %text;
    $record{word} = { map { $_ => $text{$_} } grep { defined $text{$_} } keys %text };
    finish(\%record, \@members, '-7.50', $extra, $flag eq 'null' ? () : $flag);
    return \%record;
}

# The object of MEMBERS in its form I: as sent, as stored, as seen.
sub object {
    my ($i, @members) = @_;
    return '{' . join(',', map { qq("$_->[0]":$_->[1][$i]) } @members) . '}';
}

# Write the lines of RECORD from MEMBERS; VALUES are those that no filter can
# name.
sub finish {
    my ($record, $members, @values) = @_;
    my $space = any('', '', ' ');
    $record->{sent} = encode('UTF-8', $space . object(0, @$members) . $space);
    $record->{line} = encode('UTF-8', object(1, @$members));
    $record->{text} = object(2, @$members);
    my $raw = $record->{raw};
    push @values, values %{ $record->{word} };
    push @values, map { $raw->{$_} =~ s/^"(.*)"$/$1/r }
      grep { !defined $record->{word}{$_} && $raw->{$_} ne 'null' } keys %{$raw};
    $record->{values} = join '', map { BREAK . fold($_) } @values;
    $record->{folded} = fold($record->{text});
    return;
}

# --- Values and filters -----------------------------------------------------------

# Give each number that occurs or may be asked for its place in their order:
# exact decimals are compared once, then places.
sub rank_numbers {
    my ($self) = @_;
    my %seen = map { $_ => Math::BigFloat->new($_) } operand_numbers(), @{ $self->{amounts} };
    for my $record ($self->all) {
        for my $path (grep { $TYPE{$_} eq 'number' } keys %TYPE) {
            my $text = $record->{raw}{$path} // next;
            $text =~ s/^"(.*)"$/$1/;
            $seen{$text} //= Math::BigFloat->new($text) if $text ne 'null';
        }
    }
    my ($place, $last) = (0, undef);
    for my $text (sort { $seen{$a}->bcmp($seen{$b}) } keys %seen) {
        $place++ if defined $last && $seen{$text}->bcmp($last) != 0;
        $self->{rank}{$text} = $place;
        $last = $seen{$text};
    }
    return;
}

sub operand_numbers { return qw(0 1 1.00 9.99 10 49.9 100 1e2 12.5 0.001 -1 3 4 500 999.99 7); }

# What RECORD has at PATH, as something to compare, or undef: texts as they
# are, times as microseconds, numbers as their place.
sub value {
    my ($self, $record, $path) = @_;
    my $type = $TYPE{$path};
    return $record->{us} if $type eq 'time';
    return $record->{word}{$path} if $type eq 'text';
    my $text = $record->{raw}{$path} // return undef;
    $text =~ s/^"(.*)"$/$1/;
    return $self->{rank}{$text};
}

sub order {
    my ($path, $x, $y) = @_;
    return $TYPE{$path} eq 'text' ? $x cmp $y : $x <=> $y;
}

# How each operator looks at what there is, $_[0], for a value.
my %NUMBER = (
    ''  => sub { my ($y) = @_; sub { $_[0] == $y } },
    ne  => sub { my ($y) = @_; sub { $_[0] != $y } },
    gt  => sub { my ($y) = @_; sub { $_[0] > $y } },
    gte => sub { my ($y) = @_; sub { $_[0] >= $y } },
    lt  => sub { my ($y) = @_; sub { $_[0] < $y } },
    lte => sub { my ($y) = @_; sub { $_[0] <= $y } },
    in  => sub { my %y = map { $_ => 1 } @{ $_[0] }; sub { $y{ $_[0] } } },
);
my %TEXT = (
    ''       => sub { my ($y) = @_; sub { $_[0] eq $y } },
    ne       => sub { my ($y) = @_; sub { $_[0] ne $y } },
    gt       => sub { my ($y) = @_; sub { $_[0] gt $y } },
    gte      => sub { my ($y) = @_; sub { $_[0] ge $y } },
    lt       => sub { my ($y) = @_; sub { $_[0] lt $y } },
    lte      => sub { my ($y) = @_; sub { $_[0] le $y } },
    in       => sub { my %y = map { $_ => 1 } @{ $_[0] }; sub { $y{ $_[0] } } },
    contains => sub { my ($y) = @_; sub { index(fold($_[0]), $y) >= 0 } },
);

# What says whether a record matches FILTER {path, op, value}.
sub matcher {
    my ($self, $filter) = @_;
    my ($path, $op) = @$filter{qw(path op)};
    my $test = ($TYPE{$path} eq 'text' ? \%TEXT : \%NUMBER)->{$op}->($filter->{value});
    my $missing = $op eq 'ne';
    return sub {
        my $have = $_[0]{cmp}{$path} //= [ $self->value($_[0], $path) ];
        return defined $have->[0] ? $test->($have->[0]) : $missing;
    };
}

# Of the first N records those that CODE likes, in the order of arrival.
sub arrived {
    my ($self, $n, $code) = @_;
    return grep { $code->($_) } @{ $self->{list} }[ 0 .. $n - 1 ];
}

# RECORDS in the lake's order: by day, then by line.
sub in_order {
    return sort { $a->{day} cmp $b->{day} || $a->{n} <=> $b->{n} } @_;
}

# RECORDS, which are in the lake's order, by PATH; SIGN -1: the other way.
sub sorted {
    my ($self, $path, $sign, @records) = @_;
    my $i    = 0;
    my @rows = map { [ $i++, scalar $self->value($_, $path), $_ ] } @records;
    return map { $_->[2] } sort {
        my $order = defined $a->[1] && defined $b->[1] ? order($path, $a->[1], $b->[1])
          : defined($a->[1]) - defined($b->[1]);
        $order * $sign || $a->[0] <=> $b->[0]
    } @rows;
}

1;
