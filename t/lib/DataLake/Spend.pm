# DataLake::Spend - the spend metrics, computed anew from what was produced.
#
#   my $spend = DataLake::Spend->new(
#       base  => 'EUR',
#       rates => { USD => [ [ '1970-01-01', '0.92' ] ] });
#   $spend->add($record, timestamp => 1700000000123,
#       partition => 2, offset => 7);
#   my $rows = $spend->total_by_user(status => ['completed']);
#
# Nothing of the product is used: no SQL, no C, whole numbers of 10^-10 only.
# A record is a hash with the members of topic transaction_log; its decimals
# are texts, its event time is given in microseconds as `_event`.
#
# Every query takes status => [...], transaction_type => [...] (undef: all;
# absent: the contract's selection) and currency => 'USD'.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Spend;
use strict;
use warnings;
use Math::BigInt;
use POSIX ();

use constant UNIT => Math::BigInt->new('10000000000');

sub new {
    my ($class, %option) = @_;
    return bless { base => 'EUR', rates => {}, row => {}, name => {}, %option },
      $class;
}

# The number TEXT as a whole number of 10^-10, half away from zero.
sub units {
    my ($text) = @_;
    my ($sign, $whole, $fraction) = $text =~ /^(-?)(\d+)(?:\.(\d+))?$/
      or die "not a plain decimal: $text\n";
    $fraction = substr(($fraction // '') . '0' x 11, 0, 11);
    my $units = Math::BigInt->new($whole . substr $fraction, 0, 10);
    $units->binc if substr($fraction, 10) >= 5;
    return $sign ? $units->bneg : $units;
}

# The number TEXT (at most 18 digits before the point, 10 behind it) as whole
# part and units behind it, both plain integers of one sign: sums of them are
# many times faster than those of Math::BigInt.
sub parts {
    my ($text) = @_;
    my ($sign, $whole, $fraction) = $text =~ /^(-?)(\d{1,18})(?:\.(\d{1,10}))?$/
      or die "not a decimal of 28 digits: $text\n";
    $fraction = substr(($fraction // '') . '0' x 10, 0, 10) + 0;
    return $sign ? [ -$whole, -$fraction ] : [ $whole + 0, $fraction ];
}

# Units (a Math::BigInt) as parts, and parts or sums of them as units.
sub split_units {
    my ($units) = @_;
    my $digits = $units->copy->babs->bstr;
    $digits = '0' x (11 - length $digits) . $digits if length $digits < 11;
    my @parts = (substr($digits, 0, -10) + 0, substr($digits, -10) + 0);
    return $units->is_neg ? [ map { -$_ } @parts ] : \@parts;
}

sub join_parts {
    my ($whole, $rest) = @_;
    return Math::BigInt->new($whole)->bmul(UNIT)->badd($rest);
}

# PARTS x RATE (units), half away from zero; without Math::BigInt for whole
# hundredths up to a million.
sub converted {
    my ($parts, $rate) = @_;
    my ($whole, $rest) = @$parts;
    return split_units(product(join_parts(@$parts), $rate))
      if $rest % 100_000_000 || abs $whole >= 1_000_000;
    use integer;
    my $plain  = "$rate" + 0;
    my $cents  = $whole * 100 + $rest / 100_000_000;
    my $minus  = $cents < 0;
    my $scaled = ($minus ? -$cents : $cents) * $plain;
    my $units  = $scaled / 100 + ($scaled % 100 >= 50 ? 1 : 0);
    $units = -$units if $minus;
    return [ $units / 10_000_000_000, $units % 10_000_000_000 ];
}

# UNITS as the contract prints a decimal.
sub printed {
    my ($units) = @_;
    my $digits = $units->copy->babs->bstr;
    $digits = '0' x (11 - length $digits) . $digits if length $digits < 11;
    my $fraction = substr $digits, -10;
    $fraction =~ s/0{1,8}$//;
    return ($units->is_neg ? '-' : '')
      . substr($digits, 0, -10) . ".$fraction";
}

# A message: the later one of a transaction_id wins, by broker timestamp, then
# partition, then offset.
sub add {
    my ($self, $record, %at) = @_;
    my $id    = $record->{transaction_id};
    my @place = @at{qw(timestamp partition offset)};
    if (defined $record->{product_id} && defined $record->{product_name}) {
        my $known = $self->{name}{ $record->{product_id} };
        $self->{name}{ $record->{product_id} } =
          { place => \@place, name => $record->{product_name} }
          if !$known || later(\@place, $known->{place});
    }
    my $row = $self->{row}{$id};
    $self->{row}{$id} = { %$record, place => \@place }
      if !$row || later(\@place, $row->{place});
    return;
}

sub later {
    my ($new, $old) = @_;
    for my $i (0 .. 2) {
        return $new->[$i] > $old->[$i] if $new->[$i] != $old->[$i];
    }
    return 0;
}

# The newest rate of CURRENCY valid on the UTC date DAY, in units; undef.
sub rate {
    my ($self, $currency, $day) = @_;
    return UNIT if $currency eq $self->{base};
    my $best;
    for my $rate (@{ $self->{rates}{$currency} // [] }) {
        $best = $rate->[1] if $rate->[0] le $day;
    }
    return defined $best ? units($best) : undef;
}

# A x B of two numbers of units, half away from zero.
sub product {
    my ($x, $y) = @_;
    my $full = $x->copy->bmul($y);
    my $sign = $full->is_neg;
    my ($quotient, $rest) = $full->babs->bdiv(UNIT);
    $quotient->binc if $rest->bmul(2)->bcmp(UNIT) >= 0;
    return $sign ? $quotient->bneg : $quotient;
}

# The rows a query selects; each with `sum` (parts, or undef when there is
# nothing to add) and `unconverted` (0 or 1).
sub selected {
    my ($self, %query) = @_;
    $query{status} = ['completed'] unless exists $query{status};
    $query{transaction_type} = [qw(purchase payment)]
      unless exists $query{transaction_type};
    my @rows;
    for my $row (values %{ $self->{row} }) {
        next if !chosen($row->{status}, $query{status});
        next if !chosen($row->{transaction_type}, $query{transaction_type});
        my $currency = uc($row->{currency} // '');
        next if defined $query{currency} && $currency ne uc $query{currency};
        my %found = (row => $row, sum => undef, unconverted => 0);
        if (defined $row->{amount}) {
            $self->convert($row) if !$row->{_units};
            $found{sum} =
              defined $query{currency} ? $row->{_units} : $row->{_base};
            $found{unconverted} = defined $found{sum} ? 0 : 1;
        }
        push @rows, \%found;
    }
    return @rows;
}

# Give ROW, which has an amount, its parts and, where there is a rate, those of
# the base currency.
sub convert {
    my ($self, $row) = @_;
    my $day = POSIX::strftime('%Y-%m-%d',
        gmtime POSIX::floor($row->{_event} / 1e6));
    my $rate = $self->rate(uc($row->{currency} // ''), $day);
    $row->{_units} = parts($row->{amount});
    $row->{_base}  = converted($row->{_units}, $rate) if defined $rate;
    return;
}

# The rows that count: the latest of each transaction_id.
sub rows { my ($self) = @_; return values %{ $self->{row} }; }

# Whether VALUE is in LIST; an undefined list is everything.
sub chosen {
    my ($value, $list) = @_;
    return 1 if !defined $list;
    return scalar grep { defined $value && $_ eq $value } @$list;
}

sub top_products {
    my ($self, $x, %query) = @_;
    my %product;
    for my $found ($self->selected(%query)) {
        my $id = $found->{row}{product_id} // next;
        $product{$id}{quantity} += $found->{row}{quantity} // 1;
        $product{$id}{total}++;
    }
    my @order = sort {
        $product{$b}{quantity} <=> $product{$a}{quantity} || $a cmp $b
    } keys %product;
    splice @order, $x if @order > $x;
    return [
        map {
            {
                product_id => $_,
                product    => $self->{name}{$_} ? $self->{name}{$_}{name} : $_,
                %{ $product{$_} }
            }
        } @order
    ];
}

# Add what was FOUND to the sum SUM.
sub collect {
    my ($sum, $found) = @_;
    $sum->{whole} += 0;
    $sum->{rest}  += 0;
    if (my $parts = $found->{sum}) {
        $sum->{whole} += $parts->[0];
        $sum->{rest}  += $parts->[1];
    }
    $sum->{unconverted} += $found->{unconverted};
    return;
}

# The units of SUM.
sub total { return join_parts(@{ $_[0] }{qw(whole rest)}); }

# `unconverted` when there is something to tell.
sub unconverted {
    my ($sum) = @_;
    return $sum->{unconverted} ? (unconverted => $sum->{unconverted}) : ();
}

sub total_by_user {
    my ($self, %query) = @_;
    my (%user, %category, %type);
    for my $found ($self->selected(%query)) {
        my $row = $found->{row};
        my $id  = $row->{user_id} // next;
        collect($user{$id} //= {}, $found);
        collect($category{$id}{ $row->{product_category} // 'unknown' } //= {},
            $found);
        collect($type{$id}{ $row->{transaction_type} // 'unknown' } //= {},
            $found);
    }
    my %total = map { ($_ => total($user{$_})) } keys %user;
    my @order =
      sort { $total{$b}->bcmp($total{$a}) || $a cmp $b } keys %user;
    return [
        map {
            my $id = $_;
            {
                user_id     => $id,
                total       => printed(total($user{$id})),
                by_category => {
                    map { ($_ => printed(total($category{$id}{$_}))) }
                      keys %{ $category{$id} }
                },
                by_type => {
                    map { ($_ => printed(total($type{$id}{$_}))) }
                      keys %{ $type{$id} }
                },
                unconverted($user{$id})
            }
        } @order
    ];
}

sub total_by_user_type {
    my ($self, %query) = @_;
    my %sum;
    for my $found ($self->selected(%query)) {
        my $id = $found->{row}{user_id} // next;
        collect($sum{$id}{ $found->{row}{transaction_type} // 'unknown' } //=
              {}, $found);
    }
    my @rows;
    for my $id (sort keys %sum) {
        push @rows,
          {
            user_id          => $id,
            transaction_type => $_,
            total_spent      => printed(total($sum{$id}{$_})),
            unconverted($sum{$id}{$_})
          }
          for sort keys %{ $sum{$id} };
    }
    return \@rows;
}

# What happened in [FROM, TO), microseconds.
sub window {
    my ($self, $from, $to, %query) = @_;
    my $sum = { whole => 0, rest => 0, unconverted => 0 };
    my $n   = 0;
    for my $found ($self->selected(%query)) {
        my $event = $found->{row}{_event};
        next if $event < $from || $event >= $to;
        $n++;
        collect($sum, $found);
    }
    return {
        total_transactions   => $n,
        total_amount         => printed(total($sum)),
        total_last_5_minutes => printed(total($sum)),
        unconverted          => $sum->{unconverted},
        currency             => uc($query{currency} // $self->{base}),
    };
}

1;
