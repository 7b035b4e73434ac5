# 74-collect-socket.t - lines over TCP and syslog datagrams become records,
# however senders behave.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(free_port slurp wait_until);
use DataLake::Stack;
use IO::Socket::INET;
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER);

my ($tcp, $udp, $short) = map { free_port() } 1 .. 3;
my $stack = DataLake::Stack->new(
    name    => '74-collect-socket',
    kafka   => 1,
    mariadb => 1,
    ini     => {
        datasets           => { topics => 'machine_log' },
        'source lines'     => {
            dataset  => 'clients',
            type     => 'socket',
            listen   => "127.0.0.1:$tcp",
            protocol => 'tcp',
        },
        'source hurried'   => {
            dataset  => 'transactions',
            type     => 'socket',
            listen   => "127.0.0.1:$short",
            protocol => 'tcp',
            idle     => '1 s',
        },
        'source syslog' => {
            dataset  => 'machine_log',
            type     => 'socket',
            listen   => "127.0.0.1:$udp",
            protocol => 'syslog-udp',
        },
    },
);
$stack->ctl('topics');
$stack->kafka->create_topic('machine_log');
$stack->start_daemon('datalake-collect');
my $json = JSON::PP->new->utf8;

# Values of TOPIC once there are COUNT, as JSON where they are some.
sub values_of {
    my ($topic, $count) = @_;
    my @records;
    wait_until("$topic has not $count records",
        sub { (@records = $stack->kafka->consume($topic)) >= $count }, 60);
    return map { eval { $json->decode($_->{value}) } // $_->{value} } @records;
}

# A connection to PORT, once somebody listens.
sub connection {
    my ($port) = @_;
    my $socket;
    wait_until('nobody listens', sub {
        $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . ($port // $tcp));
    });
    return $socket;
}

# How many lines of SOURCE are counted as lost.
sub lost {
    my ($source) = @_;
    open my $in, '-|', "$DataLake::Stack::BUILD/tools/stats_text", "$stack->{dir}/run"
      or die "stats_text: $!\n";
    local $/;
    my ($n) = (<$in> // '') =~
      /datalake_collector_errors_total\{[^}]*collector="$source",cause="lost"[^}]*\} (\d+)/;
    close $in;
    return $n;
}

# --- TCP ----------------------------------------------------------------------

my @senders = map { connection() } 1 .. 3;
syswrite $senders[0], qq({"client_id": 1, "nom": "a"}\r\n{"client_id": 2, "n);
syswrite $senders[1], qq({"client_id": 3}\n\n\n{"client_id": 4}\n);
is_deeply([ sort map { $_->{client_id} } values_of('clients', 3) ],
    [ 1, 3, 4 ], 'whole lines of several senders come in');
syswrite $senders[0], qq(om": "b"}\n);
is_deeply([ grep { $_->{client_id} == 2 } values_of('clients', 4) ],
    [ { client_id => 2, nom => 'b' } ], 'a line may come in pieces');
syswrite $senders[1], '{"client_id": 5}';
close $senders[1];
is(scalar(grep { $_->{client_id} == 5 } values_of('clients', 5)), 1,
    'a last line needs no end when its sender says goodbye');

my $long = 'x' x 700_000;
my $sent = 0;
$sent += syswrite($senders[2], $long, length($long) - $sent, $sent) // 0
  while $sent < length $long;
syswrite $senders[2], qq(\n{"client_id": 6}\n);
my @got = values_of('clients', 7);
is_deeply([ map { length } grep { !ref } @got ], [ 256 * 1024 ],
    'a line that is too long is cut to 256 KiB, a dead letter');
is(scalar(grep { ref && $_->{client_id} == 6 } @got), 1,
    'the one behind it is read');

# A line of just so many bytes, whose end comes later.
my $full = '{"client_id": 7, "nom": "' . 'x' x (256 * 1024 - 27) . '"}';
my $slow = connection();
for my $part ($full, "\n") {
    my $done = 0;
    $done += syswrite($slow, $part, length($part) - $done, $done) // 0 while $done < length $part;
    wait_until('it is not taken', sub {
        my ($queued) = map { hex((split /[ :]+/)[7]) } grep { /^\s*\d+: 0100007F:@{[ sprintf '%04X', $slow->sockport ]} / } split /\n/, slurp('/proc/net/tcp');
        my ($waiting) = map { hex((split /[ :]+/)[8]) } grep { /^\s*\d+: 0100007F:@{[ sprintf '%04X', $tcp ]} 0100007F:@{[ sprintf '%04X', $slow->sockport ]} / } split /\n/, slurp('/proc/net/tcp');
        return $queued == 0 && $waiting == 0;
    }, 10);
}
@got = values_of('clients', 8);
is(scalar(grep { ref && $_->{client_id} == 7 } @got), 1, 'a line of 256 KiB is taken, when its end comes late, too');

# More than are taken: all of them in the end.
my @many = map { connection() } 1 .. 80;
syswrite $many[$_], qq({"client_id": @{[ 1000 + $_ ]}}\n) for 0 .. $#many;
wait_until('those who were first are not read',
    sub { my @now = $stack->kafka->consume('clients'); @now >= 8 + 60 }, 60);
close $_ for @many, $senders[0], $senders[2];
@got = values_of('clients', 8 + 80);
my %seen = map { ($_->{client_id} => 1) } grep { ref } @got;
is(scalar(grep { $seen{ 1000 + $_ } } 0 .. 79), 80,
    'of 80 senders those past the bound wait, none is lost');

# Those that say nothing make room when others wait.
my @silent = map { connection($short) } 1 .. 64;
syswrite $silent[0], '{"transaction_id": 1, ';
syswrite $_, qq({"transaction_id": 2, "client_id": 2}\n) for @silent[ 1 .. 63 ];
values_of('transactions', 63);
my $late = connection($short);
syswrite $late, qq({"transaction_id": 3, "client_id": 3}\n);
is(scalar(grep { ref && $_->{transaction_id} == 3 } values_of('transactions', 64)), 1,
    'where all places are taken by senders that are silent one more is taken');
is(sysread($silent[0], my $byte, 1) // $!, 0, 'in the place of the one that was silent for longest');
wait_until('half a line is not counted', sub { lost('hurried') == 1 });
pass('what it had sent of a line is counted as lost');
is(lost('lines'), 0, 'elsewhere nothing is');
close $_ for @silent, $late;

# --- UDP ----------------------------------------------------------------------

my $sender = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$udp", Proto => 'udp')
  or die "udp: $!\n";
$sender->send($_)
  for '<34>1 2023-10-11T22:14:15.003Z host su 77 ID47 [ex@1 a="b"] text',
  '<13>Oct 11 22:14:15 host su[12]: old', 'no syslog at all', "caf\xe9";
@got = values_of('machine_log', 4);
is_deeply(
    [ grep { ref && ($_->{msgid} // '') eq 'ID47' } @got ],
    [
        {
            facility        => 4,
            severity        => 2,
            timestamp       => '2023-10-11T22:14:15.003Z',
            host            => 'host',
            program         => 'su',
            pid             => '77',
            msgid           => 'ID47',
            structured_data => { 'ex@1' => { a => 'b' } },
            message         => 'text'
        }
    ],
    'a message of RFC 5424 has its parts'
);
my ($old) = grep { ref && ($_->{message} // '') eq 'old' } @got;
is("$old->{program} $old->{pid}", 'su 12', 'one of RFC 3164, too');
like($old->{timestamp}, qr/^\d{4}-10-11T22:14:15$/, 'with a year');
is(scalar(grep { ref && ($_->{message} // '') eq 'no syslog at all' } @got), 1,
    'what is none is a message');
is(scalar(grep { !ref && $_ eq "caf\xe9" } @got), 1,
    'what is not UTF-8 goes as it is, to become a dead letter');

# More than the kernel has room for while nobody reads.
my $collector = $stack->daemon('datalake-collect');
my $drops = sub {
    open my $in, '<', '/proc/net/udp' or die "$!\n";
    my ($line) = grep { /^\s*\d+: \w+:@{[ sprintf '%04X', $udp ]} / } <$in>;
    return (split ' ', $line)[-1];
};
$collector->signal('STOP');
my $datagrams = 0;
while ($drops->() < 10 && $datagrams < 100_000) {
    $sender->send("<13>1 - - - - - - $datagrams " . 'x' x 8_000);
    $datagrams++;
}
my $dropped = $drops->();
$collector->signal('CONT');
wait_until('the kernel\'s drops are not counted', sub { lost('syslog') == $dropped }, 60);
cmp_ok($dropped, '>=', 10, "datagrams the kernel had no room for are counted: $dropped of $datagrams");
is(scalar values_of('machine_log', 4 + $datagrams - $dropped), 4 + $datagrams - $dropped,
    'the others are records');

$stack->daemon('datalake-collect')->stop;
like($stack->daemon_log('datalake-collect'), qr/DL0742/,
    'the collector ends as asked');
done_testing;
