# DataLake::Transactions - messages of topic transaction_log in every shape the
# contract allows and many it does not, each with what has to become of it.
#
#   my $maker = DataLake::Transactions->new(clock => $now_in_ms);
#   my @messages = $maker->make(100_000);
#
# A message is what DataLake::Kafka->produce takes, and `expect`:
#
#   reason   of the dead letter, or undef for a good record
#   line     the canonical line, without newline (bytes)
#   event    event time in microseconds
#   columns  text of each column of transaction_record but src_*, undef: NULL
#
# Both forms, as sent and as kept, are written side by side from the same
# characters: nothing here reads JSON, and nothing of the product is used.
# Randomness is rand(): the caller seeds it.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Transactions;
use strict;
use warnings;
use Math::BigInt;
use POSIX qw(floor strftime);

# Summer time of Europe/Paris in 2026, seconds UTC: +2 h inside, +1 h outside.
use constant SUMMER => (1774746000, 1792890000);

# Local times without zone are read in this zone.
use constant ZONE => 'Europe/Paris';

sub new {
    my ($class, %option) = @_;
    return bless { ids => [], n => 0, %option }, $class;
}

# One of LIST.
sub any { return $_[ int rand @_ ]; }

# COUNT messages; one of a hundred is bad.
sub make {
    my ($self, $count) = @_;
    return map { rand() < 0.01 ? $self->bad : $self->good } 1 .. $count;
}

# --- Values ------------------------------------------------------------------

# STRING (characters) as sent in STYLE and as kept: two byte strings with
# quotes.  Some characters are sent as \uXXXX; what is not printable stays so.
# Eight ways to write a string are made once and then drawn from.
my %ways;

sub string {
    my ($string, $style) = @_;
    return (qq("$string"), qq("$string"))
      if $string =~ /^[\x20\x21\x23-\x2e\x30-\x5b\x5d-\x7e]*$/;
    my $ways = $ways{$style}{$string} //=
      [ map { [ string_way($string, $style) ] } 1 .. 8 ];
    return @{ $ways->[ rand @$ways ] };
}

sub string_way {
    my ($string, $style) = @_;
    my ($sent, $kept) = ('', '');
    for my $char (split //, $string) {
        my ($s, $k) = character($char, $style);
        $sent .= $s;
        $kept .= $k;
    }
    return (qq("$sent"), qq("$kept"));
}

# One character as sent and as kept.
sub character {
    my ($char, $style) = @_;
    my $code = ord $char;
    utf8::encode(my $raw = $char);
    my $unit = sprintf any('\\u%04x', '\\u%04X'), $code;
    return ($unit, $unit) if $code < 0x20;
    if ($char eq '"' || $char eq '\\') {
        my $sent = any("\\$char", $unit);
        return ($sent, $sent);
    }
    return ('\\/', '\\/') if $char eq '/' && rand() < 0.5;
    return ($raw, $raw)   if $style ne 'escaped' && $code < 0x80;
    return ($raw, $raw)   if $style eq 'compact' || rand() < 0.3;
    if ($code > 0xffff) {
        my $rest = $code - 0x10000;
        return (sprintf('\\u%04x\\u%04x', 0xd800 + ($rest >> 10),
                0xdc00 + ($rest & 0x3ff)), $raw);
    }
    return ($unit, $unit) if $code >= 0x7f && $code <= 0x9f;
    return ($unit, $unit)
      if $code == 0xad || $code == 0x200b || $code == 0x2028
      || $code == 0x202e
      || $code == 0xfeff;
    return ($unit, $raw);
}

# The number TEXT as a column DECIMAL(28,10) shows it: rounded half away from
# zero.
sub decimal {
    my ($text) = @_;
    return "${text}00000000" if $text =~ /^(?:0|[1-9]\d*)\.\d\d\z/;
    my ($sign, $whole, $fraction, $power) =
      $text =~ /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/
      or die "not a number: $text\n";
    $fraction //= '';
    my $shift = $power // 0;
    while ($shift > 0) {
        $fraction = '0' if $fraction eq '';
        $whole .= substr $fraction, 0, 1, '';
        $shift--;
    }
    while ($shift < 0) {
        $whole = "0$whole" if length $whole < 2;
        $fraction = chop($whole) . $fraction;
        $shift++;
    }
    my $kept  = substr $fraction . '0' x 10, 0, 10;
    my $units = Math::BigInt->new($whole . $kept);
    $units->binc if (substr($fraction . '0' x 11, 10, 1)) >= 5;
    my $digits = $units->bstr;
    $digits = '0' x (11 - length $digits) . $digits if length $digits < 11;
    my $zero = $units->is_zero;
    return ($sign && !$zero ? '-' : '')
      . substr($digits, 0, -10) . '.'
      . substr($digits, -10);
}

# MICROSECONDS as a DATETIME(6).
sub datetime {
    my ($us) = @_;
    my $seconds = floor($us / 1_000_000);
    return strftime('%Y-%m-%d %H:%M:%S', gmtime $seconds)
      . sprintf '.%06d', $us - $seconds * 1_000_000;
}

# The UTC day of MICROSECONDS.
sub day {
    my ($us) = @_;
    return strftime('%Y-%m-%d', gmtime floor($us / 1_000_000));
}

# SECONDS of a Paris clock (as if UTC) as UTC: the first of two, and a time
# that was skipped moves forward.
sub from_paris {
    my ($local) = @_;
    my ($begin, $end) = SUMMER;
    my $summer = $local - 7200;
    return $summer if $summer >= $begin && $summer < $end;
    return $local - 3600;
}

# The event time US in one of the forms that producers send: JSON text as sent
# and as kept (undef: no member at all), and the event time it means.
sub time_value {
    my ($us) = @_;
    my $seconds = floor($us / 1_000_000);
    my $part    = sprintf '%06d', $us - $seconds * 1_000_000;
    my $form    = int rand 9;
    my $clock   = sub {
        return strftime "%Y-%m-%d$_[1]%H:%M:%S", gmtime $_[0];
    };
    my $same = sub { return ($_[0], $_[0], $us) };
    return $same->("$seconds.$part") if $form == 0;
    if ($form == 1) {
        return ("$seconds", "$seconds", $seconds * 1_000_000);
    }
    return $same->("$seconds.${part}9") if $form == 2;    # cut, not rounded
    return $same->(qq("@{[$clock->($seconds, 'T')]}.${part}Z"))
      if $form == 3 || $form == 4;
    if ($form == 5) {
        my $text = qq("@{[$clock->($seconds, ' ')]}Z");
        return ($text, $text, $seconds * 1_000_000);
    }
    if ($form == 6) {
        my ($offset, $minutes) =
          @{ any([ '+02:00', 120 ], [ '-05:00', -300 ], [ '+05:30', 330 ],
              [ '+14:00', 840 ], [ '-00:30', -30 ]) };
        my $there = $clock->($seconds + $minutes * 60, 'T');
        return $same->(qq("$there.${part}999$offset"));
    }
    # Without zone: the clock in Paris shows $us.
    my $text = qq("@{[$clock->($seconds, any('T', ' '))]}.$part");
    return ($text, $text, from_paris($seconds) * 1_000_000 + $part);
}

# --- Good records ------------------------------------------------------------

my @NAMES = (
    'Alice Martin', "Zo\x{eb} M\x{fc}ller", "\x{6771}\x{4eac}", "O'Brien",
    "a \"quoted\" \\ name", "tab\there", "bell\x{7}", "\x{1f600} smile",
    "soft\x{ad}hyphen", "c1\x{85}control", 'slash/es', '', "line\x{2028}sep",
);
my @AMOUNTS = (
    '0.10', '12.5', '-12.5', '0', '100', '1.005', '99999999.9999999999',
    '0.00000000005', '0.00000000004', '-0.00000000005', '1e2', '1.25E+1',
    '25e-2', '7.12345678949', '0.30000000004',
);

# A random number text.
sub amount {
    return '123456789012345678.5' if rand() < 0.0002;
    return any(@AMOUNTS) if rand() < 0.1;
    return sprintf '%d.%02d', rand 5000, rand 100;
}

# The text of a string column.
sub text { return $_[0]; }

# What a record may hold: member, column, how a value is drawn.
my @MEMBERS = (
    [ user_id   => sub { sprintf 'user-%03d', rand 300 } ],
    [ user_name => sub { any(@NAMES) } ],
    [ product_id       => sub { sprintf 'p%03d', rand 120 } ],
    [ currency         => sub { any(qw(EUR EUR EUR USD USD usd GBP JPY XAU)) } ],
    [ transaction_type => sub { any(qw(purchase purchase payment refund
              withdrawal chargeback)) } ],
    [ status => sub { any(qw(completed completed completed pending failed
              processing cancelled), "d\x{e9}j\x{e0} vu") } ],
    [ payment_method   => sub { any(qw(card paypal cash)) } ],
    [ product_category => sub { any('books', 'games', "caf\x{e9}", 'tools') } ],
    [ discount_code    => sub { any('TEN', "\x{c9}T\x{c9}") } ],
    [ timestamp_of_reception_log => sub { '2026-05-18 09:30:00' } ],
);
my @NESTED = (
    [ location => [ city => 'city' ], [ country => 'country' ] ],
    [
        shipping_address => [ street => 'shipping_street' ],
        [ zip     => 'shipping_zip' ],
        [ city    => 'shipping_city' ],
        [ country => 'shipping_country' ]
    ],
    [
        device_info => [ os => 'device_os' ],
        [ browser    => 'device_browser' ],
        [ ip_address => 'device_ip' ]
    ],
);
my @PLACES = (('Paris', "K\x{f6}ln", "S\x{e3}o Paulo", 'Lyon', '') x 8,
    'x' x 255);

# The members of one record: [name, sent, kept] items; columns are set.
sub members {
    my ($self, $columns, $style) = @_;
    my @items;
    for my $member (@MEMBERS) {
        my ($name, $draw) = @$member;
        next if rand() < 0.03;
        if (rand() < 0.02) {    # there, but nothing to use
            my $json = any('null', '17', '[]', '{"a":"b"}', 'false');
            push @items, [ $name, $json, $json ];
            next;
        }
        my $value = $draw->();
        $columns->{$name} = $value;
        push @items, [ $name, string($value, $style) ];
    }
    push @items, product_names($columns, $style), numbers($columns),
      nested($columns, $style), extras($style);
    return @items;
}

# product_name, else product.
sub product_names {
    my ($columns, $style) = @_;
    my @items;
    for my $name ('product', 'product_name') {
        next if rand() < 0.2;
        if (rand() < 0.03) {
            push @items, [ $name, 'null', 'null' ];
            next;
        }
        my $value = sprintf '%s %d', any('Lamp', "Caf\x{e9}"), rand 50;
        $columns->{product_name} = $value;
        push @items, [ $name, string($value, $style) ];
    }
    return @items;
}

# Decimals and whole numbers, as numbers or as strings; ill-typed now and then.
sub numbers {
    my ($columns) = @_;
    my @items;
    for my $name (qw(amount tax_amount)) {
        next if rand() < 0.03;
        my $text = amount();
        $columns->{$name} = decimal($text);
        $text = qq("$text") if rand() < 0.1;
        if (rand() < 0.01) {
            $text = any('"n/a"', 'true', '[1]', '"1,5"', '"0x10"', '" 1"');
            delete $columns->{$name};
        }
        push @items, [ $name, $text, $text ];
    }
    for my $name (qw(quantity customer_rating thread message_number)) {
        next if rand() < 0.03;
        my $text = int rand 9;
        $columns->{$name} = $text;
        $text = qq("$text") if rand() < 0.05;
        if (rand() < 0.01) {
            $text = any('"many"', '1.5', 'null', '{}', '99999999999', '"1 "');
            delete $columns->{$name};
        }
        push @items, [ $name, $text, $text ];
    }
    return @items;
}

# Objects whose members are columns.
sub nested {
    my ($columns, $style) = @_;
    my @items;
    for my $object (@NESTED) {
        my ($name, @members) = @$object;
        next if rand() < 0.1;
        my (@sent, @kept);
        for my $member (@members) {
            next if rand() < 0.1;
            my $value = any(@PLACES);
            my ($sent, $kept) = string($value, $style);
            $columns->{ $member->[1] } = $value;
            push @sent, qq("$member->[0]":$sent);
            push @kept, qq("$member->[0]":$kept);
        }
        push @items, [ $name, '{' . join(',', @sent) . '}',
            '{' . join(',', @kept) . '}' ];
    }
    return @items;
}

# Members nobody declared are kept in the lake.
sub extras {
    my ($style) = @_;
    return () if rand() < 0.9;
    my ($sent, $kept) = string("v\x{e9}lo", $style);
    return [
        'x', any(
            [ "[1, 2,\n3]", '[1,2,3]' ],
            [ "{ \"a\" : $sent }", "{\"a\":$kept}" ],
            [ '1.50E+03', '1.50E+03' ],
            [ '[' x 50 . ']' x 50, '[' x 50 . ']' x 50 ]
        )->@*
    ];
}

# The record of ITEMS as sent in STYLE, and as kept.
sub record {
    my ($style, @items) = @_;
    my %blank = (
        compact => [ '{',  ':',  ',',  '}' ],
        escaped => [ '{',  ': ', ', ', '}' ],
        pretty  => [ "\n{\n\t", ' : ', ",\r\n\t", "\n}\n " ],
    );
    my ($open, $colon, $comma, $close) = @{ $blank{$style} };
    return (
        $open
          . join($comma, map { qq("$_->[0]"$colon$_->[1]) } @items)
          . $close,
        '{' . join(',', map { qq("$_->[0]":$_->[2]) } @items) . '}'
    );
}

# When: mostly the last three days, some of this year's changes of the clock.
sub event {
    my ($self) = @_;
    my $now = $self->{clock} * 1000;
    my $far = rand();
    return $now + int rand(20 * 3600) * 1_000_000 if $far < 0.01;
    return (any(1774746000, 1792890000) - 5400 + int rand 10800) * 1_000_000
      + int rand 1_000_000
      if $far < 0.06;
    return $now - int rand(3 * 86400) * 1_000_000 - int rand 1_000_000;
}

# Partition, Kafka timestamp, key: what surrounds a value.
sub message {
    my ($self, $value, %more) = @_;
    my $clock = $self->{clock} + int($self->{n}++ / 3);
    return {
        value     => $value,
        partition => int rand 6,
        timestamp => $clock,
        key       => $more{key},
        headers   => $more{headers},
        expect    => $more{expect}
    };
}

sub good {
    my ($self) = @_;
    my $style  = any(qw(compact compact escaped pretty));
    my $ids    = $self->{ids};
    my $resent = @$ids && rand() < 0.05;
    my $id = $resent ? any(@$ids) : sprintf 'tx-%s-%06d', $self->{run} // '0',
      scalar @$ids;
    push @$ids, $id unless $resent;
    my %columns = (transaction_id => $id);
    my @items   = $self->members(\%columns, $style);
    my ($sent, $kept, $event) = time_value($self->event);
    if (rand() < 0.01) {
        $event = undef;
    }
    else {
        splice @items, rand @items, 0, [ 'timestamp', $sent, $kept ];
    }
    splice @items, rand @items, 0, [ 'transaction_id', string($id, $style) ];
    if (rand() < 0.01) {    # the last one of a name counts
        unshift @items, [ 'amount', '1', '1' ]
          if defined $columns{amount};
    }
    my ($value, $line) = record($style, @items);
    my $message = $self->message(
        $value,
        key    => $id,
        expect => { line => $line, columns => \%columns }
    );
    # Late for its Kafka timestamp: it is older than what is stored.
    $message->{timestamp} -= int rand 60_000 if $resent && rand() < 0.3;
    if (rand() < 0.1) {
        $columns{origin} = any('api', 'collector');
        $message->{headers} = [ [ 'dl-origin', $columns{origin} ] ];
    }
    $event //= $message->{timestamp} * 1000;
    $message->{expect}{event} = $event;
    $columns{timestamp} = datetime($event);
    return $message;
}

# --- Bad records -------------------------------------------------------------

my @BAD = (
    map({ [ 'not-json', $_ ] } '', ' ', '{', '{"transaction_id":"b"',
        '{"transaction_id":"b",}', q({'transaction_id':'b'}),
        '{"transaction_id":"b"} x', '{"transaction_id":"b","amount":NaN}',
        '{"transaction_id":"b","amount":Infinity}',
        '{"transaction_id":"b","amount":01}',
        '{"transaction_id":"b","amount":+1}',
        '{"transaction_id":"b","amount":.5}',
        '{"transaction_id":"b","amount":1.}',
        '{"transaction_id":"b","amount":0x1}',
        "{\"transaction_id\":\"b\tc\"}", '{"transaction_id":"b\x"}',
        '{"transaction_id" "b"}', '{"transaction_id":"b" "a":1}',
        '{transaction_id:"b"}', 'nul', 'hello',
        "{\"transaction_id\":\"b\"}\0"),
    map({ [ 'not-object', $_ ] } '[]', '"b"', '17', 'true', 'null',
        '[{"transaction_id":"b"}]', ' [1] '),
    map({ [ 'encoding', qq({"transaction_id":"b","user_name":"$_"}) ] }
          "\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xe2\x82", "caf\xe9", '\\ud800', '\\udc00', '\\ud800x',
        '\\ud83d\\u0041'),
    map({ [ 'too-big', qq({"transaction_id":"b","x":$_}) ] }
          '[' x 200 . ']' x 200, '[0' . ',0' x 20_000 . ']'),
    map({ [ 'schema', $_ ] } '{}', '{"id":"b"}', '{"transaction_id":null}',
        '{"transaction_id":17}', '{"transaction_id":true}',
        '{"transaction_id":["b"]}', '{"transaction_id":{"a":"b"}}',
        '{"transaction_id":"' . 'b' x 65 . '"}',
        '{"transaction_id":"b","user_name":"' . "\xc3\xa9" x 256 . '"}',
        '{"transaction_id":"b","currency":"EUROMONEY"}',
        '{"transaction_id":"b","amount":1234567890123456789}',
        '{"transaction_id":"b","amount":"1234567890123456789.5"}',
        '{"transaction_id":"b","tax_amount":1e18}'),
    map({ [ 'bad-time', qq({"transaction_id":"b","timestamp":$_}) ] }
          '"yesterday"', '"2026-13-01T00:00:00Z"', '"2026-02-29T00:00:00Z"',
        '"2026-05-18T24:00:00Z"', '"2026-05-18T10:60:00Z"', '"2026-05-18"',
        '"2026-05-18T10:00:00+24:00"', '"1969-12-31T23:59:59Z"', '-1', '""',
        '"9999-12-31T23:59:59Z"', '99999999999999', 'true', '[]', '{}'),
);

sub bad {
    my ($self) = @_;
    my $case = rand() < 0.003
      ? [ 'too-big', '{"transaction_id":"b","x":"' . 'x' x 1_048_600 . '"}' ]
      : $BAD[ $self->{bad}++ % @BAD ];
    return $self->message(
        $case->[1],
        key    => any(undef, 'b', "caf\xe9"),
        expect => { reason => $case->[0] }
    );
}

1;
