# f23-quota-races.t - a thousand requests at once pass exactly the quota, and
# nothing but the end of the window gives any of it back.
#
# A round has a caller of its own, who may call 100 times an hour, and 50
# connections with 20 requests each.  Of every connection all but the last byte
# of the first request is sent; then the last bytes go out together, each with
# the other 19 requests behind it.  Half of the rounds are an account with two
# tokens, half an address without any.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::INET;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(time sleep);
use DataLake::Figure qw(figure run_number);
use DataLake::Httpd;
use DataLake::Process qw(wait_until);
use DataLake::Stack;

use constant {
    QUOTA       => 100,
    CONNECTIONS => 50,
    EACH        => 20,
    ROUNDS      => 20,
};

srand hex run_number();

# --- Judging -----------------------------------------------------------------

# What is wrong with the ANSWERS of a round whose passing status is PASS and
# whose window began at BEGAN: list of faults.
sub faults_of {
    my ($answers, $pass, $began) = @_;
    my (@fault, %left, %status);
    for my $a (@$answers) {
        $status{ $a->{status} }++;
        my ($r, $t) = ($a->{ratelimit} // '') =~ /^"hour";r=(\d+);t=(\d+)$/;
        if (!defined $t || ($a->{'ratelimit-policy'} // '') ne
            '"hour";q=' . QUOTA . ';w=3600')
        {
            push @fault, 'no RateLimit';
            next;
        }
        # The window ends when it ends, whoever asks.
        push @fault, "the end moves: t=$t"
          if abs($began + 3600 - ($a->{at} + $t)) > 3;
        if ($a->{status} == 429) {
            push @fault, '429 with something left' if $r != 0;
            push @fault, 'Retry-After is not the end'
              if ($a->{'retry-after'} // '') ne $t;
        }
        else {
            push @fault, "r=$r twice" if $left{$r}++;
            push @fault, 'Retry-After for one that passed'
              if defined $a->{'retry-after'};
        }
    }
    my $all = CONNECTIONS * EACH;
    push @fault, "$pass: " . ($status{$pass} // 0)
      if ($status{$pass} // 0) != QUOTA;
    push @fault, '429: ' . ($status{429} // 0)
      if ($status{429} // 0) != $all - QUOTA;
    return @fault;
}

# A round as it should be, at 1000 s.
sub right_round {
    my @round;
    for my $n (1 .. CONNECTIONS * EACH) {
        my $left = $n <= QUOTA ? QUOTA - $n : 0;
        push @round,
          {
            status             => $n <= QUOTA ? 200 : 429,
            at                 => 1000,
            ratelimit          => "\"hour\";r=$left;t=3600",
            'ratelimit-policy' => '"hour";q=' . QUOTA . ';w=3600',
            'retry-after'      => $n <= QUOTA ? undef : 3600,
          };
    }
    return \@round;
}

sub self_test {
    is_deeply([ faults_of(right_round(), 200, 1000) ], [], 'a right round');
    my @planted = (
        [ 'one too many',    sub { $_[0][100]{status} = 200 } ],
        [ 'one too few',     sub { $_[0][99]{status} = 429 } ],
        [ 'one is lost',     sub { pop @{ $_[0] } } ],
        [ 'an error',        sub { $_[0][500]{status} = 500 } ],
        [ 'two took the same', sub { $_[0][7]{ratelimit} = $_[0][8]{ratelimit} } ],
        [ 'no Retry-After',  sub { $_[0][900]{'retry-after'} = undef } ],
        [ 'a wrong Retry-After', sub { $_[0][900]{'retry-after'} = 60 } ],
        [ 'an end that moves',
            sub { @{ $_[0][900] }{qw(ratelimit retry-after)} =
                ('"hour";r=0;t=3000', 3000) } ],
        [ 'no RateLimit',    sub { delete $_[0][3]{ratelimit} } ],
        [ 'another policy',
            sub { $_[0][3]{'ratelimit-policy'} = '"hour";q=1000;w=3600' } ],
        [ '429 with calls left',
            sub { $_[0][900]{ratelimit} = '"hour";r=1;t=3600' } ],
    );
    for my $fault (@planted) {
        my ($name, $plant) = @$fault;
        my $round = right_round();
        $plant->($round);
        cmp_ok(scalar(() = faults_of($round, 200, 1000)),
            '>', 0, "found: $name");
    }
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit;
}

# --- The stack ---------------------------------------------------------------

my $PATH     = '/api/resources/';
my $REMOTEIP = DataLake::Httpd::MODULES . '/mod_remoteip.so';
my @users    = map { "racer$_" } 1 .. ROUNDS / 2;
my $stack    = DataLake::Stack->new(
    name    => 'f23',
    mariadb => 1,
    httpd   => {
        server => "LoadModule remoteip_module \"$REMOTEIP\"\n"
          . "RemoteIPHeader X-Client\nRemoteIPInternalProxy 127.0.0.1\n"
          # A connection whose request is not complete keeps a thread.
          . "StartServers 4\nMinSpareThreads 100\nMaxSpareThreads 100\n"
    },
    quota      => 1,
    users      => { map { ($_ => 'user') } @users, 'last' },
    directives => "DataLakeQuota $PATH user @{[QUOTA]}/1h\n"
      . "DataLakeQuota $PATH anonymous @{[QUOTA]}/1h\n",
);

# One request of CALLER: {tokens}, or {address}; what must not matter differs.
sub request_text {
    my ($caller, $more) = @_;
    my $method = rand() < 0.3 ? 'HEAD' : 'GET';
    my $text   = "$method $PATH HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    $text .= "X-Client: $caller->{address}\r\n" if $caller->{address};
    $text .= sprintf "X-Forwarded-For: 192.0.2.%d\r\n", rand 250
      if rand() < 0.5;
    $text .= $more // '';
    my $tokens = $caller->{tokens} // [];
    $text .= "Authorization: Bearer $tokens->[rand @$tokens]\r\n" if @$tokens;
    return "$text\r\n";
}

# The answers in TEXT, each a hash of status and headers.
sub answers_in {
    my ($text, $at) = @_;
    my @answers;
    for my $part (split m{(?=HTTP/1\.1 \d{3} )}, $text) {
        my ($head) = split /\r\n\r\n/, $part;
        my %answer = (at => $at);
        ($answer{status}) = $head =~ m{^HTTP/1\.1 (\d{3})} or next;
        $answer{ lc $1 } = $2
          while $head =~ /^(RateLimit|RateLimit-Policy|Retry-After):\s*(.*?)\r?$/mg;
        push @answers, \%answer;
    }
    return @answers;
}

# Send the requests of CALLER on all connections at once; all answers.
sub race {
    my ($caller) = @_;
    my (%text, %rest, %socket);
    for my $n (1 .. CONNECTIONS) {
        my $socket = $socket{$n} = IO::Socket::INET->new(
            PeerAddr => '127.0.0.1',
            PeerPort => $stack->httpd->{port},
            Timeout  => 5
        ) or die "connect: $@\n";
        setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
        my $first = request_text($caller);
        my $more  = join '', map { request_text($caller) } 3 .. EACH;
        $more .= request_text($caller, "Connection: close\r\n");
        syswrite $socket, substr $first, 0, -1;
        $rest{$n} = substr($first, -1) . $more;
        $text{$n} = '';
    }
    sleep 0.05;    # all heads have arrived but for their last byte
    syswrite $socket{$_}, $rest{$_} for sort { $a <=> $b } keys %socket;
    my %number = map { (fileno $socket{$_} => $_) } keys %socket;
    my $select = IO::Select->new(values %socket);
    my $until  = time + 20;
    while ($select->count && time < $until) {
        for my $socket ($select->can_read(0.5)) {
            my $n = $number{ fileno $socket };
            sysread $socket, $text{$n}, 65536, length $text{$n}
              or $select->remove($socket);
        }
    }
    my $at = time;
    return map { answers_in($_, $at) } values %text;
}

# The processes of httpd: parent, children.
sub processes {
    my $parent = $stack->httpd->{process}->pid;
    my @children;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $in, '<', $file or next;
        my $line = <$in> // next;
        push @children, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/ && $2 == $parent;
    }
    return ($parent, @children);
}

# --- Calls that a kill of the whole server may lose ---------------------------

# They are spread over all that follows, so that some are older than 10 s when
# the server is killed.
my $token = $stack->token('last');
my $last  = { tokens => [$token] };
my @taken;    # when each call was taken

sub take {
    my $answer = $stack->httpd->client->request('GET', $PATH, token => $token);
    push @taken, time if $answer->{status} == 200;
    return ($answer->{headers}{ratelimit} // '') =~ /r=(\d+)/ ? $1 : undef;
}

# Whether the server answers what costs nothing.
sub serves {
    return eval { $stack->httpd->client->get('/health/live')->{status} == 200 };
}

# One more when the last is a third of a second ago.
sub take_if_due {
    take() if time > $taken[-1] + 0.3;
    return;
}

take() for 1 .. 20;

# --- The rounds --------------------------------------------------------------

my (@callers, $rounds, $requests, $passed, $refused, @fault);
for my $n (0 .. ROUNDS - 1) {
    push @callers,
      $n % 2
      ? { pass => 401, address => sprintf '198.18.%d.%d', $n, rand 250 }
      : {
        pass   => 200,
        tokens => [ map { $stack->token($users[ $n / 2 ]) } 1 .. 2 ]
      };
}
$stack->client(undef)->get('/health/live');
for my $n (0 .. $#callers) {
    my $caller  = $callers[$n];
    my $began   = time;
    my @answers = race($caller);
    take_if_due();
    my @found   = faults_of(\@answers, $caller->{pass}, $began);
    $rounds++;
    $requests += @answers;
    $passed   += grep { $_->{status} == $caller->{pass} } @answers;
    $refused  += grep { $_->{status} == 429 } @answers;
    push @fault, @found;
    is("@found[0 .. ($#found < 4 ? $#found : 4)]", '', "round $n");
}

# --- What must not bring anything back ---------------------------------------

# How many of 20 requests of each CALLER are answered by anything but 429.
sub slipped {
    my @who = @_;
    my $n   = 0;
    for my $caller (@who) {
        my $client = $stack->httpd->client;
        for (1 .. 20) {
            my $text   = request_text($caller);
            my $answer = $client->exchange($text, $text =~ /^HEAD/);
            $n++ if !$answer || $answer->{status} != 429;
        }
    }
    return $n;
}

my $slipped = 0;
my @some    = @callers[ 0, 1, -2, -1 ];
sub nothing_back {
    my ($after) = @_;
    my $n = slipped(@some);
    $slipped += $n;
    is($n, 0, "$after gives nothing back");
    take_if_due();
    return;
}

push @{ $callers[0]{tokens} }, $stack->token($users[0]);
nothing_back('a new token, HEAD, X-Forwarded-For');
$stack->httpd->reload;
nothing_back('a graceful restart');
my ($parent, @children);
wait_until(
    'several children serve',
    sub { ($parent, @children) = processes(); return @children > 1 }, 60
);
for my $child (@children) {
    kill 'KILL', $child;
}
wait_until(
    'other children serve',
    sub {
        my %old = map { ($_ => 1) } @children;
        my (undef, @now) = processes();
        return @now && !grep { $old{$_} } @now;
    },
    60
);
nothing_back('another child');

# --- A full restart ----------------------------------------------------------

wait_until('the oldest calls are older than 10 s',
    sub { take_if_due(); return time > $taken[0] + 11 }, 60);
my $killed = time;
# All at once, also a child that is just being made: they are a group.
kill 'KILL', -$parent;
eval { $stack->httpd->stop };
wait_until('httpd is dead', sub { !kill 0, $parent }, 60);
my $before = @taken;
$stack->httpd->start;
wait_until('it serves again', \&serves, 60);
my $left = take();
my $lost = $before + 1 - (QUOTA - $left);
my $old  = grep { $killed - $_ > 10 } @taken;
my $old_lost = $lost - ($before - $old);
cmp_ok($old_lost, '<=', 0, 'kill -9 of the whole server loses the last 10 s at most');
note "$before calls, $lost of them lost, $old were older than 10 s";
nothing_back('kill -9 of the whole server');
$before = @taken;
$stack->httpd->stop;
$stack->httpd->start;
wait_until('it serves again', \&serves, 60);
$left = take();
is(QUOTA - $left, $before + 1 - $lost, 'a stop loses nothing');

ok(
    figure(
        'F23',
        [
            rounds   => $rounds,
            requests => $requests,
            passed   => $passed,
            refused  => $refused,
            faults   => scalar @fault,
            slipped  => $slipped,
            lost_older_than_10s => $old_lost > 0 ? $old_lost : 0,
        ],
        !@fault && !$slipped && $old_lost <= 0
          && $passed == ROUNDS * QUOTA
    ),
    'F23'
);
done_testing;
