# 61-letters-many.t - 20,000 messages with 1,000 bad ones of each kind: what
# came in is in the lake or a dead letter, and corrected it comes in, once.
#
# Of too-big, 50, and of each kind 50 are corrected; DL_SIZE=S: all.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use List::Util qw(shuffle sum0);
use DataLake::Figure qw(full_size);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use Time::HiRes qw(time);

my $FULL  = full_size();
my $TOPIC = 'transaction_log';
my $LIST  = '/api/deadletters/';
my $GOOD  = 14_000;
my $MEND  = $FULL ? 1_000_000 : 50;
my %BAD   = (
    'not-json'   => sub { "no json $_[0]" },
    'not-object' => sub { "[$_[0]]" },
    'encoding'   => sub { qq({"transaction_id":"\xff$_[0]"}) },
    'too-big'    => sub { qq({"transaction_id":"t$_[0]","x":") . 'y' x 1_100_000 . '"}' },
    'schema'     => sub { qq({"amount":$_[0]}) },
    'bad-time'   => sub { qq({"transaction_id":"t$_[0]","timestamp":"yesterday"}) },
);
my %COUNT = map { ($_ => $_ eq 'too-big' && !$FULL ? 50 : 1000) } keys %BAD;
my $LETTERS = sum0(values %COUNT);

sub good {
    my ($id) = @_;
    return qq({"transaction_id":"$id","amount":1.25,"user_id":"u1",)
      . q("timestamp":"2026-05-18T09:30:00Z","currency":"EUR",)
      . q("transaction_type":"purchase","status":"completed"});
}

my $stack = DataLake::Stack->new(
    name    => '61-letters-many',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    ini     => {
        kafka     => { dead_letter_share   => 100 },
        warehouse => { accept_unsafe_flush => 'on' },
    },
);
my $db    = $stack->mariadb;
my $admin = $stack->client('admin');

sub count {
    my ($where, @values) = @_;
    return $db->value("SELECT COUNT(*) FROM dead_letter WHERE $where", @values);
}

# What reconcile says, when the lake has read all and it says that all is well.
sub reconciled {
    my $found;
    wait_until('reconcile is ok', sub {
        $found = $admin->get("/api/ingest/reconcile/?topic=$TOPIC")->{json};
        return $found->{ok} && $found->{lake_records} + $found->{dead_letters} >= $found->{kafka_records};
    }, 60);
    return $found;
}

my @bad = map { my $reason = $_; map { $BAD{$reason}->($_) } 1 .. $COUNT{$reason} } sort keys %BAD;
my @messages = shuffle((map { { key => "g$_", value => good("g$_") } } 1 .. $GOOD),
    map { { key => "b$_", value => $bad[$_] } } 0 .. $#bad);
my $sent = @messages;
my $begin = time;
$stack->kafka->produce($TOPIC, \@messages);
printf "# %d messages sent in %.1f s\n", $sent, time - $begin;
@messages = @bad = ();
wait_until('all rows', sub { $db->value('SELECT COUNT(*) FROM transaction_record') == $GOOD }, 120);
wait_until('all dead letters', sub { count('1') >= $LETTERS }, 60);
is(count('reason = ?', $_), $COUNT{$_}, "$COUNT{$_} of $_") for sort keys %COUNT;
is(count('1'), $LETTERS, 'and no more');
my $found = reconciled();
is_deeply([ @$found{qw(kafka_records lake_records warehouse_records dead_letters missing duplicate)} ],
    [ $sent, $GOOD, $GOOD, $LETTERS, 0, 0 ], 'reconcile: in = lake + dead letters');

my $mended = 0;
$begin = time;
my %answers;
for my $reason (sort keys %COUNT) {
    my @ids = map { $_->[0] } $db->rows('SELECT id FROM dead_letter WHERE reason = ? ORDER BY id', $reason);
    for my $id (@ids[ 0 .. ($MEND < @ids ? $MEND : @ids) - 1 ]) {
        my $value = JSON::PP::decode_json(good("mended-$id"));
        $answers{ $admin->post("$LIST$id/redrive/", { value => $value })->{status} }++;
        $mended++;
    }
}
printf "# %d corrected in %.1f s\n", $mended, time - $begin;
is_deeply(\%answers, { 202 => $mended }, 'corrected they are taken');
my @some = map { $_->[0] } $db->rows(q{SELECT id FROM dead_letter WHERE state = 'redriven' ORDER BY id LIMIT 20});
is_deeply([ map { $admin->post("$LIST$_/redrive/")->{status} } @some ], [ (409) x @some ], 'once');
wait_until('their rows', sub { $db->value('SELECT COUNT(*) FROM transaction_record') == $GOOD + $mended }, 60);
is($db->value(q{SELECT COUNT(*) FROM transaction_record WHERE transaction_id LIKE 'mended-%'}), $mended, 'they come in');
$found = reconciled();
is_deeply([ @$found{qw(kafka_records lake_records warehouse_records dead_letters missing duplicate)} ],
    [ $sent + $mended, $GOOD + $mended, $GOOD + $mended, $LETTERS, 0, 0 ], 'reconcile: each once');
is(count(q{state = 'redriven'}), $mended, 'they are redriven');
is(count(q{state = 'open'}), $LETTERS - $mended, 'the others open');

done_testing;
