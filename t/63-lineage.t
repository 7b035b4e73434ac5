# 63-lineage.t - lineage: from a record to its message, its bytes in the lake,
# its row and its copies, and back; the same before and after sealing and
# compaction.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use DataLake::Process qw(slurp spit);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '63-lineage',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    users   => { alice => 'user', bob => 'user' },
    grants  => { alice => ['transaction_log'] },
);
my $alice  = $stack->client('alice');
my $db     = $stack->mariadb;
my $BUILD  = $DataLake::Stack::BUILD;
my $lake   = "$stack->{dir}/lake";
my $DAY_US = 86_400_000_000;
my $DAY    = 20591;                                # 2026-05-18
my @DAYS   = ('2026-05-18', '2026-05-19');

# --- A lake whose every line is known --------------------------------------------

my %text    = map { $_ => '' } @DAYS;    # the day as it stands
my %commits = map { $_ => 0 } @DAYS;     # its versions
my @stored;                              # all lines: see put()
my @next = (0, 0, 0);
my $now  = ($DAY + 20) * $DAY_US;

# A record of KEY in partition P on DATE, stored by the next commit.
sub put {
    my ($key, $p, $date) = @_;
    my $o    = $next[$p];
    my $day  = $date eq $DAYS[0] ? $DAY : $DAY + 1;
    my $time = $day * $DAY_US + @stored * 1_000_000;
    my $line = sprintf '{"transaction_id":"%s","note":"%s","pad":"%s"}', $key,
      ('Straße', 'lamp \\"q\\"', 'ΣΊΣΥΦΟΣ')[ @stored % 3 ], 'x' x int rand 300;
    push @stored, { key => $key, partition => $p, offset => $o, date => $date,
        time => 1_700_000_000_000_000 + $o * 1000, text => $line, line => 1 + ($text{$date} =~ tr/\n//), start => length $text{$date},
        version => $commits{$date} + 1 };
    $text{$date} .= "$line\n";
    $next[$p] += 1 + ($o % 7 == 3 ? 2 : 0);    # with gaps
    return "R $p $o $time $line";
}

sub drive {
    my (@lines) = @_;
    my $script = "$stack->{dir}/script";
    spit($script, join '', map { "$_\n" } @lines);
    system("$BUILD/tools/lake_driver", $lake, 'transaction_log', $script) == 0
      or die "lake_driver failed\n";
    system('chgrp', '-R', 'www-data', $lake) if $> == 0;
    return;
}

# N commits of some records each, most with a key of their own.
sub commits {
    my ($n) = @_;
    my @lines;
    for (1 .. $n) {
        my %touched;
        for (1 .. 5 + int rand 20) {
            my $date = $DAYS[ int rand 2 ];
            my $key  = @stored % 9 == 4 ? 'TX-again' : 'TX-' . @stored;
            push @lines, put($key, int rand 3, $date);
            $touched{$date} = 1;
        }
        $now += 100_000;
        push @lines, "C $now";
        $commits{$_}++ for keys %touched;
    }
    drive(@lines);
    return;
}

sub iso {
    my ($us) = @_;
    return strftime('%Y-%m-%dT%H:%M:%S', gmtime int $us / 1e6) . sprintf '.%06dZ', $us % 1_000_000;
}

# As the warehouse orders messages.
sub newest_first {
    return sort { $b->{time} <=> $a->{time} || $b->{partition} <=> $a->{partition} } @_;
}

sub lineage { return $alice->get('/api/lineage/record/?' . join '&', @_); }

# What the answer about RECORD has to be, but for the warehouse.
sub expected {
    my ($record) = @_;
    my @copies = newest_first grep { $_->{key} eq $record->{key} && $_ != $record } @stored;
    return {
        dataset => 'transaction_log',
        key     => $record->{key},
        kafka   => {
            topic     => 'transaction_log',
            partition => $record->{partition},
            offset    => $record->{offset},
            timestamp => iso($record->{time}),
            key       => $record->{key},
            headers   => {},
        },
        lake => {
            resource   => "transaction_log/$record->{date}.json",
            line       => $record->{line},
            byte_start => $record->{start},
            byte_end   => $record->{start} + length $record->{text},
            version    => $record->{version},
            sha256     => sha256_hex($record->{text}),
        },
        origin => { origin => 'unknown', replay_id => undef, request_id => undef },
        copies => [
            map {
                {
                    partition => $_->{partition}, offset => $_->{offset},
                    resource => "transaction_log/$_->{date}.json", line => $_->{line}
                }
            } @copies
        ],
    };
}

# Ask for some records by both ways.
sub check_all {
    my ($when) = @_;
    my (@wrong, $asked);
    for my $record (grep { rand() < 0.3 || $_->{key} eq 'TX-again' || $_ == $stored[-1] } @stored) {
        my $want   = expected($record);
        my $answer = lineage("partition=$record->{partition}", "offset=$record->{offset}");
        delete $answer->{json}{warehouse} if $answer->{json};
        $asked++;
        push @wrong, "$record->{key} by place: $answer->{body}"
          unless eq_hash($answer->{json} // {}, $want);
        next if $record->{key} eq 'TX-again';
        $answer = lineage("id=$record->{key}");
        delete $answer->{json}{warehouse} if $answer->{json};
        push @wrong, "$record->{key} by key: $answer->{body}"
          unless eq_hash($answer->{json} // {}, $want);
    }
    is_deeply(\@wrong, [], "$when: $asked records are traced to the byte");
    my ($newest) = newest_first grep { $_->{key} eq 'TX-again' } @stored;
    my $answer = lineage('id=TX-again');
    delete $answer->{json}{warehouse};
    is_deeply($answer->{json}, expected($newest), "$when: of one key the newest message, then its copies");
    return;
}

commits(8);
check_all('parts are open');

subtest 'what is not there' => sub {
    is(lineage('id=TX-no-such')->{status}, 404, 'a key nobody has is 404');
    is(lineage('partition=0', 'offset=1000000')->{status}, 404, 'an offset that was not stored');
    is(lineage('partition=9', 'offset=0')->{status}, 404, 'a partition that does not exist');
    my ($gap) = map { $_->{offset} + 1 } grep { $_->{offset} % 7 == 3 && $_->{partition} == 0 } @stored;
    is(lineage('partition=0', "offset=$gap")->{status}, 404, 'an offset in a gap') if defined $gap;
    is(lineage()->{status}, 400, 'nothing asked is 400');
    is($stack->client('admin')->get("/api/lineage/record/?dataset=no_such&$_")->{status}, 404, "an unknown dataset: $_")
      for 'id=1', 'partition=0&offset=0';
    is(lineage('partition=0')->{status}, 400, 'a partition without offset');
    is(lineage('offset=0')->{status}, 400, 'an offset without partition');
    is(lineage('id=a', 'partition=0', 'offset=0')->{status}, 400, 'both ways at once');
    is(lineage('dataset=no_such', 'partition=0', 'offset=0')->{status}, 403, 'a dataset without a right to it');
    is($stack->client('admin')->get('/api/lineage/record/?dataset=no_such&partition=0&offset=0')->{status},
        404, 'a dataset that is not there');
    is($stack->client('bob')->get('/api/lineage/record/?id=TX-0')->{status}, 403, 'no grant is 403');
    is($stack->client->get('/api/lineage/record/?id=TX-0')->{status}, 401, 'no token is 401');
};

subtest 'the row in the warehouse' => sub {
    my $record = $stored[0];
    my $none   = { table => 'transaction_record', present => JSON::PP::false(), current => JSON::PP::false() };
    is_deeply(lineage("id=$record->{key}")->{json}{warehouse}, $none, 'there is none yet');
    my $add = sub {
        $db->run(
            'INSERT INTO transaction_record (transaction_id, timestamp, src_generation, src_partition,'
              . ' src_offset, src_time) VALUES (?, ?, 0, ?, ?, ?)',
            $_[0], '2026-05-18 00:00:00', $_[1], $_[2], '2026-05-18 00:00:00');
    };
    $add->($record->{key}, $record->{partition}, $record->{offset});
    is_deeply(lineage("id=$record->{key}")->{json}{warehouse},
        { %$none, present => JSON::PP::true(), current => JSON::PP::true() },
        'present, and from this very message');
    my ($newest, $older) =
      newest_first grep { $_->{key} eq 'TX-again' } @stored;
    $add->('TX-again', $newest->{partition}, $newest->{offset});
    is_deeply(
        lineage("partition=$older->{partition}", "offset=$older->{offset}")->{json}{warehouse},
        { %$none, present => JSON::PP::true() },
        'a message that was superseded: present, not current'
    );
};

drive('S ' . ($now += 1000));
check_all('parts are sealed, without index');
drive('I ' . ($now += 1000));
check_all('parts have indexes');
commits(5);
drive('S ' . ($now += 1000), 'K ' . ($now += 1000));
commits(2);
check_all('days are joined, parts follow');
like($stack->try_ctl('fsck'), qr/\A0 problems/, 'fsck finds nothing wrong');
done_testing();
