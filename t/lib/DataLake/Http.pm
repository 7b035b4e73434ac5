# DataLake::Http - a small HTTP/1.1 client that hides nothing.
#
# One connection, kept open; a request may be any bytes.  An answer is a hash:
#   status, reason, headers (name in lower case => last value), all (list of
#   [name, value] as they came), body, raw_head, json (decoded when the type
#   says so; numbers keep their digits, as Math::BigFloat or Math::BigInt),
#   seconds (until it was there, while the machine ran).
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Http;
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;
use JSON::PP ();
use Scalar::Util qw(weaken);
use DataLake::Stopwatch;

# Every client of this process, for close_all.
my @clients;

# Options: port, host, token (sent as Bearer), seconds (30: an answer's time),
# plain (1: no `json` in answers; decoding large ones takes long).
sub new {
    my ($class, %option) = @_;
    my $self = bless { host => '127.0.0.1', seconds => 30, %option }, $class;
    @clients = grep { defined } @clients;
    push @clients, $self;
    weaken($_) for @clients;
    return $self;
}

# Close the connections of all clients: a server that stops waits for them.
sub close_all {
    $_->close for grep { defined } @clients;
    return;
}

# What reads answers: the same in C, fifty times as fast, where it is there.
my $READER =
  eval { require Cpanel::JSON::XS; 1 } ? 'Cpanel::JSON::XS' : 'JSON::PP';

# A JSON reader that keeps the text of numbers too large or too exact for a
# double; of the class READER.
sub json {
    my ($reader) = @_;
    return ($reader // 'JSON::PP')->new->utf8->canonical->allow_nonref
      ->allow_bignum;
}

sub get  { my ($self, $path, %more) = @_; return $self->request('GET', $path, %more); }
sub head { my ($self, $path, %more) = @_; return $self->request('HEAD', $path, %more); }

sub post {
    my ($self, $path, $body, %more) = @_;
    return $self->request('POST', $path, body => $body, %more);
}

# Send METHOD PATH with OPTION: headers ([name, value, ...] or {}), body (text
# or a structure that becomes JSON), token ('' for none).
sub request {
    my ($self, $method, $path, %option) = @_;
    my @header = ref $option{headers} eq 'HASH'
      ? %{ $option{headers} }
      : @{ $option{headers} // [] };
    my %given;
    $given{ lc $header[ 2 * $_ ] } = 1 for 0 .. @header / 2 - 1;
    unshift @header, Host => "$self->{host}:$self->{port}"
      unless $given{host};
    my $token = $option{token} // $self->{token} // '';
    push @header, Authorization => "Bearer $token"
      if $token ne '' && !$given{authorization};
    my $body = $option{body};
    if (ref $body) {
        $body = json()->encode($body);
        push @header, 'Content-Type' => 'application/json'
          unless $given{'content-type'};
    }
    push @header, 'Content-Length' => length $body
      if defined $body && !$given{'content-length'};
    my $text = "$method $path HTTP/1.1\r\n";
    while (my ($name, $value) = splice @header, 0, 2) {
        $text .= "$name: $value\r\n";
    }
    $text .= "\r\n" . ($body // '');
    my $reused = $self->{socket};
    my $answer = $self->exchange($text, $method eq 'HEAD');
    if (!$answer && $reused) {    # the server closed an idle connection
        $answer = $self->exchange($text, $method eq 'HEAD');
    }
    return $answer // die "$method $path: connection closed\n";
}

# Send BYTES as they are and read one answer; undef when the server closes
# without one.  IS_HEAD: the answer has no body.
sub exchange {
    my ($self, $bytes, $is_head) = @_;
    my $watch  = DataLake::Stopwatch->new;
    my $socket = $self->open_socket;
    {
        local $SIG{PIPE} = 'IGNORE';
        my $sent = 0;
        while ($sent < length $bytes) {
            my $n = syswrite $socket, $bytes, length($bytes) - $sent, $sent;
            last unless $n;
            $sent += $n;
        }
    }
    my $answer = $self->read_answer($is_head);
    $answer->{seconds} = $watch->seconds if $answer;
    return $answer;
}

sub open_socket {
    my ($self) = @_;
    return $self->{socket} //= do {
        $self->{buffer} = '';
        IO::Socket::INET->new(
            PeerAddr  => $self->{host},
            PeerPort  => $self->{port},
            LocalAddr => $self->{local},
            Proto     => 'tcp',
            Timeout   => 5,
        ) or die "connect to port $self->{port}: $@\n";
    };
}

sub close {
    my ($self) = @_;
    CORE::close($self->{socket}) if $self->{socket};
    delete $self->{socket};
    return;
}

# Read more bytes into the buffer; false at the end of the connection.
sub fill {
    my ($self) = @_;
    IO::Select->new($self->{socket})->can_read($self->{seconds})
      or die "no answer within $self->{seconds} s\n";
    return sysread $self->{socket}, $self->{buffer}, 65536,
      length $self->{buffer};
}

# The next N bytes, or what there is before the end.
sub take {
    my ($self, $n) = @_;
    while (length $self->{buffer} < $n) {
        last unless $self->fill;
    }
    return substr $self->{buffer}, 0, $n, '';
}

# The next line without its end; undef at the end of the connection.
sub take_line {
    my ($self) = @_;
    while ($self->{buffer} !~ /\n/) {
        return undef unless $self->fill;
    }
    $self->{buffer} =~ s/^(.*?)\r?\n//s;
    return $1;
}

sub read_answer {
    my ($self, $is_head) = @_;
    my $line = $self->take_line;
    if (!defined $line) {
        $self->close;
        return undef;
    }
    my %answer = (raw_head => "$line\n", all => [], headers => {});
    @answer{qw(version status reason)} =
      $line =~ m{^(HTTP/\d\.\d) (\d{3})(?: (.*))?$}
      or die "not an answer: $line\n";
    while (defined(my $field = $self->take_line)) {
        $answer{raw_head} .= "$field\n";
        last if $field eq '';
        my ($name, $value) = $field =~ /^([^:]+):\s*(.*?)\s*$/ or next;
        push @{ $answer{all} }, [ $name, $value ];
        $answer{headers}{ lc $name } = $value;
    }
    if ($answer{status} == 100) {
        return $self->read_answer($is_head);
    }
    $answer{body} = $self->read_body(\%answer, $is_head);
    if (($answer{headers}{connection} // '') =~ /close/i) {
        $self->close;
    }
    if (!$self->{plain} && ($answer{headers}{'content-type'} // '') =~
        m{^application/(?:\w+\+)?json}) {
        $answer{json} = eval { json($READER)->decode($answer{body}) };
    }
    return \%answer;
}

sub read_body {
    my ($self, $answer, $is_head) = @_;
    my $header = $answer->{headers};
    return '' if $is_head || $answer->{status} =~ /^(?:1..|204|304)$/;
    if (($header->{'transfer-encoding'} // '') =~ /chunked/i) {
        return $self->read_chunks;
    }
    if (defined $header->{'content-length'}) {
        my $body = $self->take($header->{'content-length'});
        $answer->{cut} = 1 if length $body < $header->{'content-length'};
        return $body;
    }
    1 while $self->fill;
    my $body = $self->{buffer};
    $self->close;
    return $body;
}

sub read_chunks {
    my ($self) = @_;
    my $body = '';
    while (defined(my $line = $self->take_line)) {
        my $size = hex(($line =~ /^([0-9a-fA-F]+)/)[0] // 0);
        if ($size == 0) {
            while (defined(my $trailer = $self->take_line)) {
                last if $trailer eq '';
            }
            last;
        }
        $body .= $self->take($size);
        $self->take_line;
    }
    return $body;
}

1;
