# 67-sse.t - a job is told as it goes on, to those who may see it, until it is
# over or they may not any more.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use Time::HiRes qw(sleep time);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;

use constant THREADS => 60;

my $stack = DataLake::Stack->new(
    name    => '67-sse',
    mariadb => 1,
    httpd   => {
        server => "StartServers 2\nThreadsPerChild 50\nMaxRequestWorkers 150\n"
          . "MinSpareThreads 50\nMaxSpareThreads 150\n"
    },
    directives => 'DataLakeStreamThreads ' . THREADS . "\n",
    users      => { map { ($_ => 'user') } qw(alice bob carol dora) },
);
my $db    = $stack->mariadb;
my %token = map { ($_ => $stack->token($_)) } qw(admin alice bob carol dora);

# A job of OWNER that no program works on.
my $made = 0;

sub job {
    my ($owner) = @_;
    my $id = sprintf '00000000-0000-4000-8000-%012d', ++$made;
    $db->run(
        q{INSERT INTO job (id, kind, state, created_by, created_at, parameters)}
          . q{ SELECT ?, 'hubeau', 'queued', id, UTC_TIMESTAMP(6), '{"a":1}'}
          . q{ FROM app_user WHERE username = ?}, $id, $owner);
    return $id;
}

sub progress {
    my ($id, $done) = @_;
    return $db->run(q{UPDATE job SET state = 'running', done = ?, total = 10 WHERE id = ?}, $done, $id);
}

sub finish {
    my ($id) = @_;
    return $db->run(q{UPDATE job SET state = 'succeeded', finished_at = UTC_TIMESTAMP(6),}
          . q{ result = '{"n":1}' WHERE id = ?}, $id);
}

# --- A stream: {socket, raw, head, text, events, ended, comments} ---------------

sub stream {
    my ($id, $token) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $stack->httpd->{port})
      or die "connect: $@\n";
    print $socket "GET /sse/jobs/$id/ HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $token\r\n"
      . "Accept: text/event-stream\r\n\r\n";
    $socket->flush;
    return { socket => $socket, raw => '', text => '', events => [], comments => 0 };
}

my $watch = DataLake::Stopwatch->new;

# Take what has come for STREAM: whole chunks, then whole events.
sub take {
    my ($stream) = @_;
    while (!$stream->{closed} && IO::Select->new($stream->{socket})->can_read(0)) {
        sysread $stream->{socket}, $stream->{raw}, 65536, length $stream->{raw}
          or $stream->{closed} = 1;
    }
    if (!defined $stream->{head} && $stream->{raw} =~ s/^(.*?\r\n)\r\n//s) {
        $stream->{head} = $1;
        ($stream->{status}) = $1 =~ m{^HTTP/1\.1 (\d+)};
    }
    return if !defined $stream->{head} || $stream->{status} != 200;
    while ($stream->{raw} =~ /^([0-9a-f]+)\r\n/i && length $stream->{raw} >= $+[0] + 2 + hex $1) {
        my ($at, $len) = ($+[0], hex $1);
        $stream->{text} .= substr $stream->{raw}, $at, $len;
        substr($stream->{raw}, 0, $at + $len + 2) = '';
        $stream->{ended} = 1 if $len == 0;
    }
    while ($stream->{text} =~ s/^(.*?)\n\n//s) {
        my %field = map { /^(\w*): ?(.*)$/ ? ($1 => $2) : () } split /\n/, $1;
        $stream->{comments}++ if exists $field{''} || $1 =~ /^:/;
        next unless $field{event};
        push @{ $stream->{events} },
          { at => $watch->seconds, name => $field{event}, data => JSON::PP::decode_json($field{data}), id => $field{id} };
    }
    return;
}

# Wait until STREAM has an event that CODE is true for, and return it.
sub event {
    my ($stream, $what, $seconds, $code) = @_;
    my $found;
    eval {
        wait_until($what, sub {
            take($stream);
            ($found) = grep { $code->($_) } @{ $stream->{events} };
            return $found || $stream->{ended} || $stream->{closed};
        }, $seconds);
    };
    ok($found, $what) or diag explain $stream->{events};
    return $found;
}

sub ends {
    my ($stream, $what, $seconds) = @_;
    ok(eval { wait_until($what, sub { take($stream); return $stream->{ended} }, $seconds) }, $what);
    return;
}

sub byes { return map { $_->{data}{reason} } grep { $_->{name} eq 'bye' } @{ $_[0]{events} }; }

# A stream that has begun.
sub begun {
    my ($id, $token) = @_;
    my $stream = stream($id, $token);
    wait_until('its head', sub { take($stream); return $stream->{status} }, 60);
    return $stream;
}

# How many streams /metrics counts.
sub streams {
    my ($n) = $stack->httpd->client->get('/metrics')->{body}
      =~ /^datalake_streams\{channel="jobs",transport="sse"\} (\d+)$/m;
    return $n;
}

# --- What is told ------------------------------------------------------------

subtest 'a job is told until it is over' => sub {
    my $id     = job('alice');
    my $stream = begun($id, $token{alice});
    like($stream->{head}, qr{^Content-Type: text/event-stream\r$}m, 'events');
    like($stream->{head}, qr/^Cache-Control: private, no-cache\r$/m, '... that nobody keeps');
    my $first = event($stream, 'the job as it is', 15, sub { 1 });
    is($first->{name}, 'job', '... is an event of that name');
    is($first->{id},   undef, '... without id');
    is_deeply($first->{data},
        $stack->client('alice')->get("/api/jobs/$id/")->{json}, '... with the job as data');
    is(streams(), 1, 'one stream is open');
    progress($id, 3);
    my $second = event($stream, 'a change', 15, sub { ($_[0]{data}{progress}{done} // 0) == 3 });
    is($second->{data}{state}, 'running', '... of state and progress');
    my $n = @{ $stream->{events} };
    wait_until('it is told again', sub { take($stream); return @{ $stream->{events} } > $n }, 60);
    my $again = $stream->{events}[-1];
    is_deeply($again->{data}, $second->{data}, 'without a change it is told again');
    cmp_ok($again->{at} - $second->{at}, '<', 6, '... within 5 s');
    finish($id);
    my $last = event($stream, 'the end', 15, sub { $_[0]{data}{state} eq 'succeeded' });
    is_deeply($last->{data}{result}, { n => 1 }, '... with what came of it');
    ends($stream, 'and then the stream is over', 15);
    is_deeply([ byes($stream) ], [], '... without a bye');
    print { $stream->{socket} } "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    $stream->{socket}->flush;
    $stream->{raw} = '';
    wait_until('an answer', sub { take($stream); return length $stream->{raw} }, 60);
    like($stream->{raw}, qr{^HTTP/1\.1 200 }, 'the connection goes on');
    wait_until('its place is free', sub { streams() == 0 }, 60);
};

subtest 'a job that is over is told once' => sub {
    my $id = job('alice');
    finish($id);
    my $stream = begun($id, $token{alice});
    ends($stream, 'the stream is over at once', 15);
    is(scalar @{ $stream->{events} }, 1, 'with one event');
    my $answer = $stack->client('alice')->head("/sse/jobs/$id/");
    is($answer->{status}, 200, 'HEAD is answered');
    is($answer->{headers}{'content-type'}, 'text/event-stream', '... with the headers alone');
};

subtest 'a cancelled job ends its stream' => sub {
    my $id     = job('alice');
    my $stream = begun($id, $token{alice});
    is($stack->client('alice')->request('DELETE', "/api/jobs/$id/")->{status}, 202, 'asked for');
    event($stream, 'it is told', 15, sub { $_[0]{data}{state} eq 'cancelled' });
    ends($stream, 'and over', 15);
};

subtest 'who may' => sub {
    my $id = job('alice');
    my %status = (bob => 404, alice => 200, admin => 200);
    for my $who (sort keys %status) {
        my $stream = begun($id, $token{$who});
        is($stream->{status}, $status{$who}, $who);
        close $stream->{socket};
    }
    is($stack->httpd->client->get("/sse/jobs/$id/")->{status}, 401, 'nobody: 401');
    is($stack->client('alice')->get('/sse/jobs/01234567-89ab-4cde-8f01-23456789abcd/')->{status}, 404, 'no such job: 404');
    is($stack->client('alice')->get("/sse/jobs/$id/?x=1")->{status}, 400, 'it takes no x');
    is($stack->client('alice')->get("/sse/jobs/$id/", headers => { Accept => 'application/json' })
          ->{status}, 406, 'it is no JSON');
    wait_until('a client that leaves gives its place back', sub { streams() == 0 }, 60);
};

# --- What ends it ------------------------------------------------------------

subtest 'access that is lost' => sub {
    my ($of_carol, $of_dora) = (job('carol'), job('dora'));
    my $expiring;
    for (1 .. 5) {    # its stream has to begin while it is good
        my ($short) = $stack->ctl('token', 'dora', '--ttl', 3) =~ /^(\S+)\s*$/m;
        $expiring = begun($of_dora, $short);
        last if $expiring->{status} == 200;
    }
    my $disabled = begun($of_carol, $token{carol});
    my $demoted  = begun($of_carol, $token{admin});
    is($_->{status}, 200, 'a stream') for $expiring, $disabled, $demoted;
    $stack->ctl(qw(user disable carol));
    ends($disabled, 'an account that is disabled', 15);
    is_deeply([ byes($disabled) ], ['access lost'], '... is told so');
    $stack->add_user('second', 'admin');
    $stack->ctl(qw(user role admin user));
    ends($demoted, 'an admin who is one no more', 15);
    is_deeply([ byes($demoted) ], ['access lost'], '... likewise');
    $stack->ctl(qw(user role admin admin));
    ends($expiring, 'a token that expires', 40);
    is_deeply([ byes($expiring) ], ['access lost'], '... likewise');
};

subtest 'places' => sub {
    my $id   = job('alice');
    my @mine = map { begun($id, $token{alice}) } 1 .. 50;
    is(scalar(grep { $_->{status} == 200 } @mine), 50, 'fifty of one account');
    my $more = begun($id, $token{alice});
    is($more->{status}, 429, 'the next is 429');
    like($more->{head}, qr/^Retry-After: \d+\r$/m, '... with Retry-After');
    like($more->{raw}, qr{/problems/too-many-connections}, '... by its name');
    push @mine, map { begun($id, $token{admin}) } 1 .. 10;
    is(streams(), THREADS, 'others fill the places');
    my $last = begun($id, $token{admin});
    is($last->{status}, 503, 'then the next is 503');
    like($last->{raw}, qr{/problems/overloaded}, '... overloaded');
    is($stack->httpd->client->get('/health/live')->{status}, 200, 'everything else goes on');
    close $_->{socket} for @mine;
    wait_until('they leave', sub { streams() == 0 }, 60);
    is(begun($id, $token{alice})->{status}, 200, 'and there is room again');
};

# Before children are renewed: a new one reads the last changes of accounts again,
# and one it cannot look up then it no longer knows.
subtest 'while the warehouse is away' => sub {
    my $id     = job('alice');
    my $stream = begun($id, $token{alice});
    event($stream, 'the job', 15, sub { 1 });
    $db->kill_now;
    wait_until('comments', sub { take($stream); return $stream->{comments} > 0 || $stream->{ended} }, 60);
    ok(!$stream->{ended}, 'the stream lives');
    $db->start;
    progress($id, 7);
    event($stream, 'the next change is told', 15, sub { ($_[0]{data}{progress}{done} // 0) == 7 });
};

subtest 'a child that is killed gives its places back' => sub {
    my $id     = job('alice');
    my $stream = begun($id, $token{alice});
    wait_until('it is counted', sub { streams() >= 1 }, 60);
    my $parent = $stack->httpd->{process}->pid;
    kill 'KILL', map { m{^/proc/(\d+)/} ? $1 : () }
      grep { (DataLake::Process::slurp($_) // '') =~ /^\d+ \(.*?\) \S $parent / } glob '/proc/[0-9]*/stat';
    wait_until('another child', sub { eval { streams() == 0 } }, 60);
    is(begun($id, $token{alice})->{status}, 200, 'the client comes back');
};

subtest 'a graceful restart' => sub {
    my $id     = job('alice');
    my $stream = begun($id, $token{alice});
    event($stream, 'the job', 15, sub { 1 });
    my $begin = $watch->seconds;
    $stack->httpd->reload;
    ends($stream, 'ends the stream within 5 s', 20);
    cmp_ok($watch->seconds - $begin, '<', 6, '... indeed');
    my ($bye) = grep { $_->{name} eq 'bye' } @{ $stream->{events} };
    is_deeply($bye->{data}, { type => 'bye', reason => 'restart', reconnect_after_s => 1 }, '... with a bye');
    is(begun($id, $token{alice})->{status}, 200, 'the client comes back');
};

done_testing;
