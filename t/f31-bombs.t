# f31-bombs.t - requests that are small to send and dear to take: each is
# refused at once and costs neither time nor memory.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Compress::Gzip qw(gzip $GzipError);
use List::Util qw(max min);
use Time::HiRes qw(sleep time);
use DataLake::Figure qw(figure);
use DataLake::Process qw(slurp);
use DataLake::Routes qw(address routes sample);
use DataLake::Stack;

# The longest answer in seconds (the best of three tries: the machine is
# shared), the growth of a child in kB, the longest answer in bytes.
my ($SECONDS, $GROWTH, $ANSWER) = (0.05, 4096, 65536);

# A sanitizer costs what it costs.
my $judged = !$ENV{DL_PRELOAD};

# What is wrong with the answers ALL to one bomb; STATUS is the pattern they
# have to match.
sub faults_of {
    my ($status, @all) = @_;
    my @fault;
    for my $answer (@all) {
        push @fault, 'no answer' and next unless $answer;
        push @fault, "status $answer->{status}"
          unless $answer->{status} =~ /^(?:$status)$/;
        push @fault, length($answer->{body}) . ' bytes of answer'
          if length($answer->{body}) > $ANSWER;
        push @fault, 'not a problem'
          if $answer->{status} >= 400
          && ($answer->{headers}{'content-type'} // '') ne
          'application/problem+json';
    }
    my $best = min(map { $_ ? $_->{seconds} : 9 } @all);
    push @fault, sprintf '%.0f ms', 1000 * $best
      if $judged && $best > $SECONDS;
    my %seen;
    return grep { !$seen{$_}++ } @fault;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    $judged = 1;
    my %right = (
        status  => 413,
        headers => { 'content-type' => 'application/problem+json' },
        body    => '{}',
        seconds => 0.01
    );
    my @found = faults_of('413', \%right, { %right, seconds => 3 });
    is("@found", '', 'a refusal in time is right, one late try is forgiven');
    for my $fault (
        { status  => 200 },
        { status  => 500 },
        { seconds => 0.2 },
        { headers => { 'content-type' => 'text/html' } },
        { body    => 'x' x 100_000 }
      )
    {
        @found = faults_of('413', { %right, %$fault });
        is(scalar @found, 1, 'a planted fault is found');
    }
    @found = faults_of('413', undef);
    is($found[0], 'no answer', 'as is silence');
    done_testing;
    exit;
}

my $TOP   = $DataLake::Stack::TOP;
my $roomy =
  slurp("$TOP/conf/datalake.conf") =~ /DataLakeQuota\b/
  ? join '', map { "DataLakeQuota $_ admin 9000000/1h\n" } qw(/ /v1/)
  : '';
my $stack = DataLake::Stack->new(
    name       => 'f31',
    mariadb    => 1,
    durable    => 0,
    httpd      => 1,
    directives => $roomy,
);
my $token = $stack->token('admin');
my $port  = $stack->httpd->{port};

# --- The bombs ----------------------------------------------------------------------

# As many of "KEY":1 as fit into SIZE bytes; KEY of a number.
sub keys_up_to {
    my ($size, $key) = @_;
    my ($body, $i) = ('{', 0);
    while (length($body) < $size - 80) {
        $body .= ',' if $i;
        $body .= '"' . $key->($i++) . '":1';
    }
    return "$body}";
}

# Names that a hash of multiply-and-add takes for one.
sub colliding {
    my ($i) = @_;
    return join '', map { $i >> $_ & 1 ? 'Aa' : 'BB' } 0 .. 12;
}

# Bombs that are right for a route: it begins a job, or one is queued already.
my %RIGHT = ('POST /api/repush/all/ white space' => '202|409');

# The bombs in a JSON body of at most SIZE bytes: [name, status, body].
sub json_bombs {
    my ($size) = @_;
    my $fill = $size - 100;
    return (
        [ 'arrays as deep as fit', '400', '[' x $fill ],
        [ 'objects as deep as fit', '400', '{"a":' x ($fill / 5) ],
        [ 'depth 65', '400', '{"a":' . '[' x 65 . ']' x 65 . '}' ],
        [ 'as many names as fit', '400|422', keys_up_to($fill, sub { $_[0] }) ],
        [ 'colliding names', '400|422', keys_up_to($fill, \&colliding) ],
        [
            'long names that differ at the end', '400|422',
            keys_up_to($fill, sub { 'x' x 200 . $_[0] })
        ],
        [
            'one name, as often as it fits',
            '400', keys_up_to($fill, sub { 'username' })
        ],
        [ 'commas', '400', '{"a":[' . '0,' x ($fill / 2 - 5) . '0]}' ],
        [ 'a number of digits', '400|422', '{"username":' . '9' x $fill . '}' ],
        [
            'a number with an endless exponent', '400|422',
            '{"username":1e' . '9' x $fill . '}'
        ],
        [ 'an endless string', '400|422', '{"username":"' . 'a' x $fill . '"}' ],
        [ 'a string that never ends', '400', '{"username":"' . 'a' x $fill ],
        [ 'escapes', '400|422', '{"username":"' . '\u0041' x ($fill / 7) . '"}' ],
        [ 'backslashes', '400|422',
            '{"username":"' . '\\\\' x ($fill / 2 - 8) . '"}' ],
        # Right for a row without required members, whose address names nothing.
        [ 'white space', '400|404|422', ' ' x $fill . '{}' ],
        [ 'NULs', '400', "\0" x $fill ],
        [ 'bytes that are no text', '400', "\xff" x $fill ],
    );
}

# The bombs in a form of at most SIZE bytes.
sub form_bombs {
    my ($size) = @_;
    my $fill = $size - 100;
    return (
        [ 'as many fields as fit', '400|422', join '&', map { "a$_=1" } 1 .. 6000 ],
        [ 'one field, often', '400|422', 'username=a&' x ($fill / 11) ],
        [ 'ampersands',       '400|422', '&' x $fill ],
        [ 'percent signs',    '400|422', 'username=' . '%' x $fill ],
        [ 'escapes',          '400|422', 'username=' . '%41' x ($fill / 3 - 9) ],
        [ 'brackets', '400|422', 'a' . '[b]' x ($fill / 3 - 9) . '=1' ],
        [ 'no sign of equality', '400|422', 'a' x $fill ],
    );
}

gzip(\('{"username":"' . 'a' x 10_000_000 . '"}') => \my $gz, -Level => 9)
  or die "gzip: $GzipError\n";

# Bombs by header: [name, status, headers, what is sent of the body].
sub header_bombs {
    my ($route) = @_;
    my $over = $route->{limit} + 1;
    return (
        (
            map { [ "Content-Encoding $_", '415',
                    [ 'Content-Encoding' => $_, 'Content-Length' => length $gz ],
                    $gz ] } 'gzip', 'deflate', 'br', 'gzip, gzip', 'identity'
        ),
        [
            '10 GB announced', '413',
            [ 'Content-Length' => 10 * 2**30 ], '{"username":"a'
        ],
        [
            'a number of 1 GB', '413',
            [ 'Content-Length' => 1_000_000_000 ],
            '{"username":' . '9' x 8000
        ],
        [
            'a million names announced', '413',
            [ 'Content-Length' => 10_000_000 ],
            keys_up_to(8000, sub { $_[0] })
        ],
        [
            '10 GB and Expect', '413|417',
            [ 'Content-Length' => 10 * 2**30, Expect => '100-continue' ], ''
        ],
        [
            '2^64 announced', '400|413',
            [ 'Content-Length' => '18446744073709551616' ], ''
        ],
        [
            'one byte too many announced', '413',
            [ 'Content-Length' => $over ], ''
        ],
        [
            'a chunk of 2^60', '400|413',
            [ 'Transfer-Encoding' => 'chunked' ],
            "1000000000000000\r\n" . '[' x $over
        ],
        [
            'one chunk too much', '413',
            [ 'Transfer-Encoding' => 'chunked' ],
            sprintf("%x\r\n", $over) . ' ' x $over . "\r\n0\r\n\r\n"
        ],
        [
            'an endless chunk extension', '400|413',
            [ 'Transfer-Encoding' => 'chunked' ], '1;' . 'a=b;' x 4000
        ],
        [
            'endless trailers', '400|413|422',
            [ 'Transfer-Encoding' => 'chunked' ],
            "2\r\n{}\r\n0\r\n"
              . join('', map { "X-$_: y\r\n" } 1 .. 500) . "\r\n"
        ],
    );
}

# Whether one of the answers ALL came in time.
sub in_time {
    return min(map { $_ ? $_->{seconds} : 9 } @_) <= $SECONDS;
}

# Send METHOD PATH with HEADERS and the bytes BODY three times, each on a
# connection of its own; when none is answered in time on a machine that has
# other work, up to twelve times.
sub bomb {
    my ($method, $path, $headers, $body) = @_;
    my @all;
    for my $try (1 .. 12) {
        last if $try > 3 && in_time(@all);
        sleep 0.05 * ($try - 3) if $try > 3;
        my $client = $stack->httpd->client(seconds => 10);
        my $text   = "$method $path HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n"
          . "Authorization: Bearer $token\r\n";
        my @pairs = @$headers;
        while (my ($name, $value) = splice @pairs, 0, 2) {
            $text .= "$name: $value\r\n";
        }
        push @all, eval { $client->exchange("$text\r\n$body") };
        $client->close;
    }
    return @all;
}

# --- Memory ------------------------------------------------------------------------

# {pid => kB} of FIELD of httpd's children.
sub memory {
    my ($field) = @_;
    my $parent = $stack->httpd->{process}->pid;
    my %of;
    for my $file (glob '/proc/[0-9]*/status') {
        my $text = slurp($file) // next;
        my ($pid) = $file =~ /(\d+)/;
        next unless $text =~ /^PPid:\s+$parent$/m;
        ($of{$pid}) = $text =~ /^$field:\s+(\d+)/m;
    }
    return %of;
}

my %TYPE = (
    JSON => 'application/json',
    FORM => 'application/x-www-form-urlencoded'
);
my (@wrong, $bombs, $worst);
($bombs, $worst) = (0, 0);

# Judge the answers ALL to the bomb NAME.
sub judge {
    my ($name, $status, @all) = @_;
    $bombs++;
    $worst = max($worst, min(map { $_ ? $_->{seconds} : 9 } @all));
    push @wrong, map { "$name: $_" } faults_of($status, @all);
    return;
}

my @with_body = grep { $_->{body} } routes();
my $JUST_GET  = '/api/audit/version/?date=2026-01-01';

# The bombs of MEDIA in a body of at most SIZE bytes, made once.
my %made;

sub bombs_of {
    my ($media, $size) = @_;
    my %set = (JSON => \&json_bombs, FORM => \&form_bombs);
    return @{ $made{$media}{$size} //= [ $set{$media}->($size) ] };
}

sub bomb_bodies {
    for my $route (@with_body) {
        my ($method, $path) = ($route->{method}, address($route));
        my $where = "$method $route->{template}";
        my $size  = $route->{limit};
        for my $media (@{ $route->{media} }) {
            my @type = ('Content-Type' => $TYPE{$media});
            for (bombs_of($media, $size)) {
                my ($name, $status, $body) = @$_;
                $status = $RIGHT{"$where $name"} // $status;
                judge("$where $media $name", $status,
                    bomb($method, $path,
                        [ @type, 'Content-Length' => length $body ], $body));
            }
        }
        my @type = ('Content-Type' => $TYPE{ $route->{media}[0] });
        for (header_bombs($route)) {
            my ($name, $status, $headers, $body) = @$_;
            judge("$where $name", $status,
                bomb($method, $path, [ @type, @$headers ], $body));
        }
    }
    return;
}

sub bomb_the_rest {
    for my $route (grep { $_->{method} eq 'GET' } routes()) {
        for my $row (grep { $_->{name} =~ /^(?:limit|x|page_size)$/ }
            @{ $route->{params} })
        {
            judge("$route->{template} $row->{name}=$_", '400',
                bomb('GET', address($route, $row->{name} => $_), [], ''))
              for 1_000_000_000, '9' x 4000;
        }
    }
    for (
        [ 'a body of 10 GB on GET', '400|413',
            [ 'Content-Length' => 10 * 2**30 ], '[' x 1000 ],
        [ 'a compressed body on GET', '400|415',
            [ 'Content-Encoding' => 'gzip', 'Content-Length' => length $gz ],
            $gz ],
        [ 'ranges', '200|404|416',
            [ Range => 'bytes=' . join ',', map { "$_-" } 0 .. 1200 ], '' ],
        [ 'ranges that overlap', '200|404|416',
            [ Range => 'bytes=' . '0-,' x 2000 . '0-' ], '' ],
        [ 'Accept of 8 KB', '200|400|404|406',
            [ Accept => 'a/b;q=0.1,' x 800 ], '' ],
        [ 'If-None-Match of 8 KB', '200|304|400|404',
            [ 'If-None-Match' => '"a",' x 2000 ], '' ],
        [ 'Prefer of 8 KB', '200|400|404', [ Prefer => 'a=b;' x 2000 ], '' ],
        [ '60 headers', '200|400|404', [ map { ("X-$_" => 'y' x 100) } 1 .. 55 ],
            '' ],
      )
    {
        my ($name, $status, $headers, $body) = @$_;
        judge($name, $status, bomb('GET', $JUST_GET, $headers, $body));
    }
    judge('a query of 8 KB of parameters', '400',
        bomb('GET', '/api/resources/?' . 'a=b&' x 1900, [], ''));
    judge('a query of escapes', '400',
        bomb('GET', '/api/resources/?limit=' . '%31' x 2500, [], ''));
    judge('a path of segments', '404', bomb('GET', '/a' x 3900, [], ''));
    judge('a path of dots', '400|404', bomb('GET', '/..' x 2600, [], ''));
    return;
}

# To warm up, until every thread has met some: what it keeps is no growth.
for (1 .. 3) {
    bomb_bodies();
    bomb_the_rest();
}
($bombs, $worst, @wrong) = (0, 0);
my %before = memory('VmRSS');
for my $pid (keys %before) {    # the high-water mark begins anew
    open my $mark, '>', "/proc/$pid/clear_refs" or die "clear_refs: $!\n";
    print $mark "5\n";
    close $mark or die "clear_refs: $!\n";
}
bomb_bodies();
bomb_the_rest();
my %after  = memory('VmHWM');
my $growth = max(map { $after{$_} - $before{$_} } grep { $after{$_} }
      keys %before);
is(join("\n", @wrong[ 0 .. min(20, $#wrong) ]), '', 'each bomb is refused in time');
cmp_ok(scalar @with_body, '>=', 1, 'there are routes with a body');
is(join(' ', sort { $a <=> $b } keys %after),
    join(' ', sort { $a <=> $b } keys %before), 'no child has ended');
if ($judged) {
    cmp_ok($growth, '<', $GROWTH, "a child grew by $growth kB at most");
}
is($stack->client('admin')->get('/api/v1/health/')->{status},
    200, 'and the server answers');

figure('F31', [ bombs => $bombs, wrong => scalar @wrong,
        ms => sprintf('%.1f', 1000 * $worst), grown_kb => $growth ],
    !@wrong && (!$judged || $growth < $GROWTH));
done_testing;
