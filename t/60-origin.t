# 60-origin.t - a record says where it came from: headers and key of its
# message are kept with its line, through compaction, and what a source sends
# again is dropped and accounted for.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $TOPIC = 'transaction_log';
my $REPLAY = '7d0e5e52-9a52-4d7e-a1a7-0a8a6b1f3c11';
my $stack = DataLake::Stack->new(
    name  => '60-origin',
    kafka => 1,
    later => 1,
    ini   => {
        datasets => { topics   => 'plain_feed' },
        lake     => { seal_age => '1s' },
    },
);
$stack->start_all;
$stack->kafka->create_topic('plain_feed', partitions => 1);
my $lake = $stack->start_daemon('datalake-lake');

# What lake_dump tells of DATASET: [records, repeats], a record as
# {line, coordinates, key, headers}.
sub look {
    my ($dataset) = @_;
    my (@records, @repeats);
    for my $row (split /\n/,
        qx($stack->{top}/build/tools/lake_dump $stack->{dir}/lake $dataset notes)
      )
    {
        my ($type, @field) = split /\t/, $row, -1;
        push @records, { day => $field[0], at => "$field[3]:$field[4]",
            line => $field[5] }
          if $type eq 'R';
        @{ $records[-1] }{qw(kind key headers)} =
          (@field[ 0, 1 ], join ' ', @field[ 2 .. $#field ])
          if $type eq 'N';
        push @repeats, join ' ', @field if $type eq 'D';
    }
    return (\@records, \@repeats);
}

# The same, once DATASET has RECORDS lines and repeats of REPEATS messages.
sub wait_for {
    my ($dataset, $records, $repeats) = @_;
    my @found;
    wait_until(
        "$dataset has not $records records and $repeats repeats",
        sub {
            @found = look($dataset);
            my $dropped = 0;
            $dropped += (split / /)[3] for @{ $found[1] };
            return @{ $found[0] } >= $records && $dropped >= $repeats;
        },
        60
    );
    return @found;
}

sub transaction {
    my ($id, $day) = @_;
    return qq({"transaction_id":"$id","timestamp":"${day}T09:30:00Z","n":1});
}

# Send MESSAGES, whose headers are a text NAME=VALUE,NAME=VALUE.
sub send_all {
    my ($topic, @messages) = @_;
    for my $message (@messages) {
        my @pairs = split /,/, $message->{headers} // '';
        $message->{headers} = [ map { [ split /=/, $_, 2 ] } @pairs ];
    }
    return $stack->kafka->produce($topic, \@messages);
}

subtest 'headers and keys are kept' => sub {
    my $from = "dl-origin=repush,dl-replay-id=$REPLAY";
    send_all(
        $TOPIC,
        map { { partition => 1, %$_ } } (
            { key => 'A1', value => transaction('A1', '2026-05-18') },
            (map { {
                key     => "A$_",
                headers => $from,
                value   => transaction("A$_", '2026-05-18')
            } } 2 .. 4),
            { value => transaction('A5', '2026-05-18') },
            {
                key     => 'other',
                headers => "traceparent=00-1,dl-origin=api,dl-request-id=r7",
                value   => transaction('A6', '2026-05-18')
            },
        )
    );
    my ($records) = wait_for($TOPIC, 6, 0);
    is_deeply(
        [ map { [ @$_{qw(at kind key headers)} ] } @$records ],
        [
            [ '1:0', 'same', '', '' ],
            (map { [ "1:$_", 'same', '',
                "dl-origin=repush dl-replay-id=$REPLAY" ] } 1 .. 3),
            [ '1:4', 'none', '', '' ],
            [ '1:5', 'kept', 'other', 'dl-origin=api dl-request-id=r7' ],
        ],
        'of each message: those that begin with dl-, and another key'
    );
    send_all(
        'plain_feed',
        { key => 'k1', value => '{"timestamp":1779096600,"a":1}' },
        { key => 'k1', value => '{"timestamp":1779096600,"a":2}' },
        { value => '{"timestamp":1779096600,"a":3}' },
    );
    ($records) = wait_for('plain_feed', 3, 0);
    is_deeply([ map { "$_->{kind} $_->{key}" } @$records ],
        [ 'kept k1', 'kept k1', 'none ' ],
        'a dataset without declaration keeps every key');
};

subtest 'they outlive sealing and compaction' => sub {
    my ($before) = look($TOPIC);
    send_all($TOPIC,
        { partition => 1, key => 'B1', value => transaction('B1', '2026-05-18') });
    wait_for($TOPIC, 7, 0);
    $stack->ctl('seal', $TOPIC);
    send_all($TOPIC,
        { partition => 1, key => 'B2', value => transaction('B2', '2026-05-18'),
          headers => 'dl-origin=redrive' });
    wait_for($TOPIC, 8, 0);
    $stack->ctl('seal', $TOPIC);
    $stack->ctl('compact', $TOPIC);
    my ($records) = look($TOPIC);
    is_deeply([ @$records[ 0 .. 5 ] ], $before, 'those of before are the same');
    is($records->[7]{headers}, 'dl-origin=redrive', 'and those behind');
    ok(-s "$stack->{dir}/lake/$TOPIC/dt=2026-05-18/2026-05-18.json",
        'in one file of the day');
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, 'datalakectl fsck has nothing to say') or diag $said;
};

# Messages of a source with POSITIONS of EPOCH, each its own transaction.
sub positions {
    my ($epoch, @positions) = @_;
    return map { {
        partition => 2,
        key       => "S$epoch-$_",
        headers   => "dl-origin=collector,dl-source-pos=till 9$epoch $_",
        value     => transaction("S$epoch-$_", '2026-05-19')
    } } @positions;
}

subtest 'what a source sends again is dropped' => sub {
    send_all($TOPIC, positions(0, 1 .. 40));
    wait_for($TOPIC, 48, 0);
    send_all($TOPIC, positions(0, 31 .. 45));
    my ($records, $repeats) = wait_for($TOPIC, 53, 10);
    is(scalar(grep { $_->{line} =~ /"S0-/ } @$records), 45,
        'each position is stored once');
    # A row for each commit that they came in.
    my ($first, $last) = map { [ split / / ] } @$repeats[ 0, -1 ];
    my $number = 0;
    $number += (split / /)[3] for @$repeats;
    is("@$first[ 0 .. 2 ] $number @$last[ 4 .. 6 ]", '0 2 40 10 till 90 40',
        'the repeats are in quarantine: generation, partition, offset, number'
        . ', source, epoch and position of the last');
    $lake->kill_now;
    send_all($TOPIC, positions(0, 44 .. 46), positions(1, 1 .. 2));
    $lake = $stack->start_daemon('datalake-lake');
    ($records, $repeats) = wait_for($TOPIC, 56, 12);
    is(scalar(grep { $_->{line} =~ /"S0-/ } @$records), 46,
        'a killed writer remembers what it had');
    is(scalar(grep { $_->{line} =~ /"S1-/ } @$records), 2,
        'a greater epoch begins anew');
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, 'datalakectl fsck has nothing to say') or diag $said;
};

subtest 'a position that is none drops nothing' => sub {
    send_all(
        $TOPIC,
        map { {
            partition => 2,
            key       => 'X1',
            headers   => "dl-source-pos=$_",
            value     => transaction('X1', '2026-05-19')
        } } 'till 90 1x', 'till 90', 'a b 1 2', 'till -1 5'
    );
    my ($records) = wait_for($TOPIC, 60, 12);
    is(scalar(grep { $_->{line} =~ /"X1"/ } @$records), 4, 'all are stored');
};

subtest 'a change event lies on the day of its change' => sub {
    my $event = '{"_event":"update","key":{"transaction_id":"A1"},'
      . '"changes":{"amount":5},"by":"alice",'
      . '"at":"2026-05-21T10:00:00.000000Z","request_id":"r1","upto":{"1":8}}';
    send_all(
        $TOPIC,
        map { {
            partition => 1,
            key       => 'A1',
            headers   => "dl-event=update,dl-change-id=$_",
            value     => $event
        } } 7, 7, 6, 8
    );
    my ($records, $repeats) = wait_for($TOPIC, 62, 14);
    my @events = grep { $_->{headers} =~ /dl-event/ } @$records;
    is_deeply([ map { $_->{day} } @events ], [ ('2026-05-21') x 2 ],
        'though no member that the declaration asks for is there');
    is_deeply(
        [ map { $_->{headers} } @events ],
        [ map { "dl-event=update dl-change-id=$_" } 7, 8 ],
        'an id that is not above the last one is dropped'
    );
    is($events[0]{line}, $event, 'the line is the event');
};

$lake->stop;
done_testing();
