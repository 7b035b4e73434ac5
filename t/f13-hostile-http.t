# f13-hostile-http.t - broken and hostile HTTP: refused as a problem, the
# connection closed after a framing error, and never two answers to one
# request.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use DataLake::Figure qw(figure);
use DataLake::Stack;

my $CRLF = "\r\n";
my $HOST = "Host: 127.0.0.1$CRLF";
my $LIVE = "GET /health/live HTTP/1.1$CRLF$HOST";

# Name, bytes, status expected (a pattern), and whether the connection has to
# be closed behind it ("close") or may go on ("open").
my @cases = (
    # --- Framing -------------------------------------------------------------
    [ 'Content-Length and Transfer-Encoding', "POST /health/live HTTP/1.1$CRLF${HOST}Content-Length: 5${CRLF}Transfer-Encoding: chunked$CRLF${CRLF}0$CRLF$CRLF", 400, 'close' ],
    [ 'the same, the other way round', "POST /health/live HTTP/1.1$CRLF${HOST}Transfer-Encoding: chunked${CRLF}Content-Length: 5$CRLF${CRLF}0$CRLF$CRLF", 400, 'close' ],
    [ 'the same with GET', "${LIVE}Transfer-Encoding: chunked${CRLF}Content-Length: 0$CRLF${CRLF}0$CRLF$CRLF", 400, 'close' ],
    [ 'two Transfer-Encodings', "${LIVE}Transfer-Encoding: chunked${CRLF}Transfer-Encoding: identity$CRLF${CRLF}0$CRLF$CRLF", '4..|501', 'close' ],
    [ 'chunked twice', "${LIVE}Transfer-Encoding: chunked, chunked$CRLF${CRLF}0$CRLF$CRLF", '4..|501', 'close' ],
    [ 'an unknown Transfer-Encoding', "${LIVE}Transfer-Encoding: xchunked$CRLF${CRLF}0$CRLF$CRLF", '4..|501', 'close' ],
    [ 'Transfer-Encoding gzip', "${LIVE}Transfer-Encoding: gzip$CRLF$CRLF", '4..|501', 'close' ],
    [ 'Transfer-Encoding identity', "${LIVE}Transfer-Encoding: identity$CRLF$CRLF", '4..|501', 'close' ],
    [ 'an empty Transfer-Encoding', "${LIVE}Transfer-Encoding:$CRLF$CRLF", '4..|501', 'close' ],
    [ 'Transfer-Encoding behind a tab', "${LIVE}Transfer-Encoding:\tchunked x$CRLF$CRLF", '4..|501', 'close' ],
    [ 'two different Content-Lengths', "${LIVE}Content-Length: 5${CRLF}Content-Length: 6$CRLF${CRLF}abcdef", 400, 'close' ],
    [ 'two equal Content-Lengths', "${LIVE}Content-Length: 5${CRLF}Content-Length: 5$CRLF${CRLF}abcde", 400, 'close' ],
    [ 'a list as Content-Length', "${LIVE}Content-Length: 5, 5$CRLF${CRLF}abcde", 400, 'close' ],
    [ 'a negative Content-Length', "${LIVE}Content-Length: -1$CRLF$CRLF", 400, 'close' ],
    [ 'a signed Content-Length', "${LIVE}Content-Length: +5$CRLF${CRLF}abcde", 400, 'close' ],
    [ 'a hexadecimal Content-Length', "${LIVE}Content-Length: 0x5$CRLF${CRLF}abcde", 400, 'close' ],
    [ 'a Content-Length that is text', "${LIVE}Content-Length: five$CRLF$CRLF", 400, 'close' ],
    [ 'an empty Content-Length', "${LIVE}Content-Length:$CRLF$CRLF", 400, 'close' ],
    [ 'a Content-Length of 2^64', "${LIVE}Content-Length: 18446744073709551616$CRLF$CRLF", '400|413', 'close' ],
    [ 'a Content-Length of 10 GB', "POST /health/live HTTP/1.1$CRLF${HOST}Content-Length: 10737418240$CRLF$CRLF", '405|413', 'any' ],
    [ 'a body with GET', "${LIVE}Content-Length: 5$CRLF${CRLF}abcde", 400, 'close' ],
    [ 'a chunked body with GET', "${LIVE}Transfer-Encoding: chunked$CRLF${CRLF}5${CRLF}abcde${CRLF}0$CRLF$CRLF", 400, 'close' ],
    [ 'a chunk size that is text', "${LIVE}Transfer-Encoding: chunked$CRLF${CRLF}zz${CRLF}abcde$CRLF", 400, 'close' ],
    [ 'a chunk size of 20 digits', "${LIVE}Transfer-Encoding: chunked$CRLF${CRLF}FFFFFFFFFFFFFFFFFFFF${CRLF}a$CRLF", '400|413', 'close' ],
    [ 'a negative chunk size', "${LIVE}Transfer-Encoding: chunked$CRLF${CRLF}-1${CRLF}a$CRLF", 400, 'close' ],
    # --- Request line ----------------------------------------------------------
    [ 'HTTP/0.9', "GET /health/live$CRLF", '400|505', 'close' ],
    [ 'HTTP/0.9 by version', "GET /health/live HTTP/0.9$CRLF$CRLF", '400|505', 'close' ],
    [ 'HTTP/2.0 in the request line', "GET /health/live HTTP/2.0$CRLF$HOST$CRLF", '400|505', 'close' ],
    [ 'HTTP/3.0 in the request line', "GET /health/live HTTP/3.0$CRLF$HOST$CRLF", 505, 'close' ],
    [ 'HTTP/1.2', "GET /health/live HTTP/1.2$CRLF$HOST$CRLF", 505, 'close' ],
    [ 'HTTP/1.10', "GET /health/live HTTP/1.10$CRLF$HOST$CRLF", '400|505', 'close' ],
    [ 'HTTP/9.9', "GET /health/live HTTP/9.9$CRLF$HOST$CRLF", '400|505', 'close' ],
    [ 'http in lower case', "GET /health/live http/1.1$CRLF$HOST$CRLF", '400|505', 'close' ],
    [ 'a version that is no HTTP', "GET /health/live ICY/1.1$CRLF$HOST$CRLF", '400|505', 'close' ],
    [ 'two spaces before the path', "GET  /health/live HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a tab before the path', "GET\t/health/live HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a space in the path', "GET /health /live HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a space before the method', " GET /health/live HTTP/1.1$CRLF$HOST$CRLF", '400|501', 'close' ],
    [ 'no method', "/health/live HTTP/1.1$CRLF$HOST$CRLF", '400|501', 'close' ],
    [ 'a method that nobody knows', "FROB /health/live HTTP/1.1$CRLF$HOST$CRLF", 501, 'any' ],
    [ 'a method in lower case', "get /health/live HTTP/1.1$CRLF$HOST$CRLF", 501, 'any' ],
    [ 'a method of WebDAV', "PROPFIND /health/live HTTP/1.1$CRLF$HOST$CRLF", 501, 'any' ],
    [ 'CONNECT', "CONNECT 127.0.0.1:80 HTTP/1.1$CRLF$HOST$CRLF", '400|405|501', 'any' ],
    [ 'TRACE', "TRACE /health/live HTTP/1.1$CRLF$HOST$CRLF", 405, 'any' ],
    [ 'a method of 100 letters', ('A' x 100) . " / HTTP/1.1$CRLF$HOST$CRLF", '400|501', 'any' ],
    [ 'a bare CR in the request line', "GET /health/live\rX HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a NUL in the request line', "GET /health/live\0 HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a byte above 0x7F in the path', "GET /health/\xE9 HTTP/1.1$CRLF$HOST$CRLF", '400|404', 'any' ],
    [ 'a control byte in the path', "GET /health/\x01 HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a path of 100 KB', 'GET /' . ('a' x 102_400) . " HTTP/1.1$CRLF$HOST$CRLF", 414, 'close' ],
    [ 'a path without a slash', "GET health/live HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a path above the root', "GET /../health/live HTTP/1.1$CRLF$HOST$CRLF", 400, 'any' ],
    [ 'an escape that is none', "GET /health/%zz HTTP/1.1$CRLF$HOST$CRLF", 400, 'any' ],
    [ 'an escape that is cut off', "GET /health/% HTTP/1.1$CRLF$HOST$CRLF", 400, 'any' ],
    [ 'a fragment', "GET /health/live#x HTTP/1.1$CRLF$HOST$CRLF", '400|404', 'any' ],
    [ 'a foreign host in absolute form', "GET http://other.example/health/live HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'another scheme in absolute form', "GET ftp://127.0.0.1/health/live HTTP/1.1$CRLF$HOST$CRLF", 400, 'close' ],
    # --- Host and other fields ---------------------------------------------------
    [ 'no Host', "GET /health/live HTTP/1.1$CRLF$CRLF", 400, 'close' ],
    [ 'two Hosts', "${LIVE}Host: other.example$CRLF$CRLF", 400, 'close' ],
    [ 'an empty Host with a port', "GET /health/live HTTP/1.1${CRLF}Host: :80$CRLF$CRLF", 400, 'close' ],
    [ 'a Host with a slash', "GET /health/live HTTP/1.1${CRLF}Host: a/b$CRLF$CRLF", 400, 'close' ],
    [ 'a Host with user information', "GET /health/live HTTP/1.1${CRLF}Host: u\@127.0.0.1$CRLF$CRLF", 400, 'close' ],
    [ 'a Host with a port that is none', "GET /health/live HTTP/1.1${CRLF}Host: 127.0.0.1:99999$CRLF$CRLF", 400, 'close' ],
    [ 'a space behind a field name', "${LIVE}X-A : b$CRLF$CRLF", 400, 'close' ],
    [ 'a space in a field name', "${LIVE}X A: b$CRLF$CRLF", 400, 'close' ],
    [ 'no field name', "${LIVE}: b$CRLF$CRLF", 400, 'close' ],
    [ 'a field without a colon', "${LIVE}X-A$CRLF$CRLF", 400, 'close' ],
    [ 'a byte above 0x7F in a field name', "${LIVE}X-\xE9: b$CRLF$CRLF", 400, 'close' ],
    [ 'a NUL in a value', "${LIVE}X-A: a\0b$CRLF$CRLF", 400, 'close' ],
    [ 'a bare CR in a value', "${LIVE}X-A: a\rb$CRLF$CRLF", 400, 'close' ],
    [ 'a control byte in a value', "${LIVE}X-A: a\x01b$CRLF$CRLF", 400, 'close' ],
    [ 'a first field that begins with a space', "GET /health/live HTTP/1.1$CRLF X: y$CRLF$HOST$CRLF", 400, 'close' ],
    [ 'a field of 9 KB', "${LIVE}X-A: " . ('a' x 9216) . "$CRLF$CRLF", 400, 'close' ],
    [ '65 fields', $LIVE . join('', map { "X-$_: a$CRLF" } 1 .. 65) . $CRLF, 400, 'close' ],
    [ 'an Expect that nobody knows', "${LIVE}Expect: magic$CRLF$CRLF", 417, 'any' ],
    [ 'two Authorizations', "GET /api/resources/ HTTP/1.1$CRLF${HOST}Authorization: Bearer a${CRLF}Authorization: Bearer b$CRLF$CRLF", 400, 'any' ],
);

# What is wrong with the answer TEXT, after which the connection was CLOSED or
# not, when STATUS and END were expected.
sub faults_of {
    my ($text, $closed, $status, $end) = @_;
    my ($got) = $text =~ m{\AHTTP/1\.1 (\d{3})};
    my @fault;
    push @fault, 'status ' . ($got // 'none') . ", not $status"
      unless defined $got && $got =~ /^(?:$status)$/;
    push @fault, 'no problem+json'
      unless $text =~ m{^Content-Type: application/problem\+json\r$}mi;
    push @fault, 'HTML'              if $text =~ /<html|<!DOCTYPE/i;
    push @fault, 'tells its version' if $text =~ m{Apache/\d|Debian};
    push @fault, 'no X-Request-Id'
      if $text !~ /^X-Request-Id: [0-9a-f]{32}\r$/mi;
    push @fault, 'left open' if $end eq 'close' && !$closed;
    push @fault, count_answers($text) . ' answers' if count_answers($text) != 1;
    return @fault;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    my $right = join $CRLF, 'HTTP/1.1 400 Bad Request',
      'Content-Type: application/problem+json', 'X-Request-Id: ' . 'a' x 32,
      '', '{}';
    is(scalar(my @none = faults_of($right, 1, 400, 'close')),
        0, 'a right answer is right');
    my @planted = (
        [ $right, 0, 400, 'close' ],
        [ $right, 1, 505, 'close' ],
        [ "$right$right", 1, 400, 'close' ],
        [ "$right<html>", 1, 400, 'close' ],
        [ $right =~ s/X-Request-Id/X-Other/r, 1, 400, 'close' ],
        [ $right =~ s/problem\+//r, 1, 400, 'close' ],
        [ '', 1, 400, 'close' ],
    );
    cmp_ok(scalar(my @found = faults_of(@$_)), '>', 0, 'a planted fault is found')
      for @planted;
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(name => 'f13', httpd => 1, bare => 1);
my $port  = $stack->httpd->{port};

# Everything the server sends for BYTES, followed by a second request when the
# connection is left open; [text, closed].
sub send_raw {
    my ($bytes) = @_;
    my $socket = IO::Socket::INET->new(
        PeerAddr => "127.0.0.1:$port",
        Timeout  => 5
    ) or die "connect: $@";
    local $SIG{PIPE} = 'IGNORE';
    syswrite $socket, $bytes;
    my ($text, $closed) = ('', 0);
    # The first byte may take its time; nothing for a second behind it is the end.
    while (IO::Select->new($socket)->can_read($text eq '' ? 20 : 1.5)) {
        my $n = sysread $socket, $text, 65536, length $text;
        if (!$n) { $closed = 1; last; }
    }
    return ($text, $closed);
}

# How many answers begin in TEXT.
sub count_answers { my ($text) = @_; return scalar(() = $text =~ m{HTTP/1\.[01] \d{3} }g); }

my $wrong = 0;
for my $case (@cases) {
    my ($name, $bytes, $status, $end) = @$case;
    my ($text, $closed) = send_raw($bytes);
    my @fault = faults_of($text, $closed, $status, $end);
    $wrong++ if @fault;
    ok(!@fault, "$name is refused") or diag(join '; ', @fault, $text);
}

my $desync = 0;
subtest 'nothing behind a refused frame is taken for a request' => sub {
    my $hidden = "GET /problems/internal HTTP/1.1$CRLF$HOST$CRLF";
    my %smuggle = (
        'CL.TE' => "POST /health/live HTTP/1.1$CRLF${HOST}Content-Length: 6${CRLF}Transfer-Encoding: chunked$CRLF${CRLF}0$CRLF$CRLF$hidden",
        'TE.CL' => "POST /health/live HTTP/1.1$CRLF${HOST}Transfer-Encoding: chunked${CRLF}Content-Length: 4$CRLF${CRLF}5c$CRLF$hidden${CRLF}0$CRLF$CRLF",
        'TE.TE' => "POST /health/live HTTP/1.1$CRLF${HOST}Transfer-Encoding: chunked${CRLF}Transfer-encoding: cow$CRLF${CRLF}0$CRLF$CRLF$hidden",
        'CL.CL' => "GET /health/live HTTP/1.1$CRLF${HOST}Content-Length: 0${CRLF}Content-Length: 44$CRLF$CRLF$hidden",
        'a GET with a body' => "GET /health/live HTTP/1.1$CRLF${HOST}Content-Length: " . length($hidden) . "$CRLF$CRLF$hidden",
    );
    for my $name (sort keys %smuggle) {
        my ($text, $closed) = send_raw($smuggle{$name});
        is(count_answers($text), 1, "$name gets one answer") || $desync++;
        unlike($text, qr/"title":"Internal error","status":500,"description"/, "$name reaches nothing hidden");
        ok($closed, "$name is closed");
    }
};

subtest 'what is well-formed goes on' => sub {
    my ($text) = send_raw($LIVE . $CRLF x 1 . ($LIVE . $CRLF) x 7);
    is(count_answers($text), 8, '8 requests at once get 8 answers');
    is(scalar(() = $text =~ /"alive"/g), 8, 'all of them the right one');
    ($text) = send_raw("${LIVE}X-A: one$CRLF two$CRLF$CRLF");
    like($text, qr{\AHTTP/1\.1 200}, 'a folded field is read as one');
    ($text) = send_raw("GET /health/live HTTP/1.0$CRLF$CRLF");
    like($text, qr{\AHTTP/1\.1 200}, 'HTTP/1.0 needs no Host');
    ($text) = send_raw("GET http://127.0.0.1:$port/health/live HTTP/1.1$CRLF$HOST$CRLF");
    like($text, qr{\AHTTP/1\.1 200}, 'the absolute form may name this server');
    ($text) = send_raw("$CRLF${LIVE}$CRLF");
    like($text, qr{\AHTTP/1\.1 200}, 'an empty line before the request is ignored');
};

subtest 'a client that goes away early harms nobody' => sub {
    for my $bytes ("GET /hea", $LIVE, "POST /health/live HTTP/1.1$CRLF${HOST}Content-Length: 100$CRLF${CRLF}abc") {
        my $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
        syswrite $socket, $bytes;
        close $socket;
    }
    my ($text) = send_raw("$LIVE$CRLF");
    like($text, qr{\AHTTP/1\.1 200}, 'the server answers on');
    unlike($stack->httpd->log_text, qr/exit signal|Segmentation|Sanitizer/, 'and no child has died');
};

figure('F13', [ cases => scalar @cases, wrong => $wrong, desync => $desync ],
    @cases >= 60 && !$wrong && !$desync);
done_testing;
