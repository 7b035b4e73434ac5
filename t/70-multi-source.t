# 70-multi-source.t - lines of logs, clients, payments and posts go from Kafka
# to lake, warehouse and HTTP by their declarations alone.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use Digest::SHA qw(sha256_hex);
use JSON::PP;

my $json  = JSON::PP->new->canonical->utf8;
my $stack = DataLake::Stack->new(
    name    => '70-multi-source',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-warehouse)],
    httpd   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
);
my $client = $stack->client('alice');

# Send VALUES, each [partition, key, object], to TOPIC.
sub produce {
    my ($topic, @values) = @_;
    $stack->kafka->produce(
        $topic,
        [
            map {
                {
                    partition => $_->[0],
                    key       => "$_->[1]",
                    value     => ref $_->[2] ? $json->encode($_->[2]) : $_->[2]
                }
            } @values
        ]
    );
    return;
}

# The rows of SQL, once there are COUNT of them.
sub rows_of {
    my ($count, $sql) = @_;
    my @rows;
    wait_until(
        "no $count rows: $sql",
        sub { (@rows = $stack->mariadb->rows($sql)) >= $count },
        60
    );
    return \@rows;
}

# The records of DATASET on DAY, once there are COUNT of them.
sub records_of {
    my ($dataset, $day, $count) = @_;
    my $records;
    wait_until(
        "$dataset has not $count records on $day",
        sub {
            my $answer = $client->get(
                "/api/audit/version/?dataset=$dataset&date=$day");
            $records = $answer->{status} == 200 ? $answer->{json} : [];
            return @$records >= $count;
        },
        60
    );
    return $records;
}

# A line of a log as the topic has it.
sub line {
    my (%other) = @_;
    return {
        IP_Address    => '192.0.2.7',
        Date          => '20/Jan/2023',
        Time          => '11:37:58',
        Method        => 'GET',
        URL           => '/index.html',
        HTTP_Version  => 'HTTP/1.1',
        Status_Code   => '200',
        Response_Size => '512',
        %other
    };
}

# Its hash: each member with its length, those that are missing as a dash.
sub hash_of {
    my ($line) = @_;
    return sha256_hex(
        join '',
        map { defined $line->{$_} ? length($line->{$_}) . ":$line->{$_}," : '-,' }
          qw(IP_Address Date Time Method URL HTTP_Version Status_Code
          Response_Size)
    );
}

subtest 'lines of logs' => sub {
    my $short = line(Time => '23:59:59');
    delete $short->{Response_Size};
    produce(
        'network_logs',
        [ 0, '192.0.2.7',   line() ],
        [ 0, '192.0.2.7',   $short ],
        [ 0, '192.0.2.7',   line() ],
        [ 2, '2001:db8::1', line(IP_Address => '2001:db8::1') ],
        [ 2, '2001:db8::1', line(Date => '20/Foo/2023') ],
        [ 2, '2001:db8::1', { Date => '20/Jan/2023', Time => '11:37:58' } ],
    );
    is(scalar @{ records_of('network_logs', '2023-01-20', 4) },
        4, 'are in the lake on the day they tell, a repeated one twice');
    my $rows = rows_of(3,
            'SELECT id, IP_Address, `timestamp`, Response_Size, line_hash'
          . ' FROM network_log ORDER BY id');
    is_deeply(
        $rows,
        [
            [
                0,                            '192.0.2.7',
                '2023-01-20 11:37:58.000000', '512',
                hash_of(line())
            ],
            [
                1, '192.0.2.7', '2023-01-20 23:59:59.000000', undef,
                hash_of($short)
            ],
            [
                2 << 40,                      '2001:db8::1',
                '2023-01-20 11:37:58.000000', '512',
                hash_of(line(IP_Address => '2001:db8::1'))
            ],
        ],
        'are rows with the time of both members; a repeated line is one row'
    );
    my @reasons;
    wait_until(
        'no two dead letters',
        sub {
            @reasons = qx($stack->{top}/build/tools/lake_dump $stack->{dir}/lake network_logs)
              =~ /^Q\s.*?\b(bad-time|schema)\b/mg;
            return @reasons == 2;
        },
        60
    );
    is("@reasons", 'bad-time schema',
        'no month, no address: two dead letters');
    my $page = $client->get('/api/data/?resource=network_logs&Status_Code=200'
          . '&fields=IP_Address,Time&Date=20/Jan/2023');
    is($page->{json}{count}, 4, 'filters take them as texts');
};

subtest 'clients and payments' => sub {
    produce(
        'clients',
        [
            1, 7,
            {
                client_id => 7, nom => 'Zoé', email => 'z@example.org',
                date_inscription => '2020-02-03'
            }
        ],
        [ 1, 7, { client_id => 7, nom => 'Zoé B.' } ],
    );
    produce(
        'transactions',
        [
            1, 7,
            '{"transaction_id":10,"client_id":7,"montant":12.5,'
              . '"date_transaction":"2023-01-20 11:37:58"}'
        ],
        [
            1, 7,
            '{"transaction_id":9007199254740993,"client_id":7,"montant":'
              . '"0.1000000001","date_transaction":"2023-01-21 00:00:00"}'
        ],
        [
            1, 7,
            '{"transaction_id":10,"client_id":7,"montant":13,'
              . '"date_transaction":"2023-01-20 11:37:59"}'
        ],
    );
    is_deeply(
        rows_of(
            1, 'SELECT client_id, nom, email FROM client WHERE email IS NULL'),
        [ [ 7, 'Zoé B.', undef ] ],
        'the later record of a client replaces the one before, whole'
    );
    is_deeply(
        rows_of(
            2,
            'SELECT transaction_id, montant, date_transaction'
              . ' FROM client_transaction WHERE src_offset > 0'
              . ' ORDER BY transaction_id'
        ),
        [
            [ 10,                 '13.0000000000', '2023-01-20 11:37:59.000000' ],
            [ '9007199254740993', '0.1000000001',  '2023-01-21 00:00:00.000000' ],
        ],
        'and that of a payment; numbers past 2^53 and ten digits are exact'
    );
    is(scalar @{ records_of('transactions', '2023-01-20', 2) },
        2, 'a payment lies on the day it was made');
};

# A post with COMMENTS, each [id, text].
sub post {
    my ($id, $likes, @comments) = @_;
    return {
        post_id   => $id,
        user      => { user_id => 'u1', name => 'Ann', followers => 3 },
        content   => "a\ttab",
        timestamp => '2023-01-20T11:37:58Z',
        likes     => $likes,
        comments  => [
            map {
                {
                    comment_id => $_->[0],
                    user       => 'Bob',
                    text       => $_->[1],
                    timestamp  => '2023-01-20T12:00:00Z'
                }
            } @comments
        ]
    };
}

# Comments in the database, "post comment text".
sub comments {
    return [
        map { "@$_" } $stack->mariadb->rows(
            'SELECT post_id, comment_id, `text` FROM social_comment'
              . ' ORDER BY post_id, comment_id'
        )
    ];
}

# Wait until the row of post ID has LIKES.
sub liked {
    my ($id, $likes) = @_;
    return rows_of(1,
        "SELECT name, followers, content FROM social_post WHERE post_id = '$id'"
          . " AND likes = $likes");
}

subtest 'posts and their comments' => sub {
    my $odd = post('p2', 1, [ 'c1', 'first' ], [ 'c2', "two\nlines" ],
        [ 'c1 ', 'last counts' ]);
    push @{ $odd->{comments} }, { user => 'nobody' }, 7, [ { x => ']' } ];
    produce('social_posts',
        [ 0, 'p1', post('p1', 1, [ 'c1', 'one' ], [ 'c2', 'two' ]) ],
        [ 0, 'p2', $odd ], [ 0, 'p3', post('p3', 1) ]);
    is_deeply(liked('p3', 1), [ [ 'Ann', 3, "a\ttab" ] ], 'a post is a row');
    is_deeply(
        comments(),
        [ 'p1 c1 one', 'p1 c2 two', 'p2 c1  last counts', "p2 c2 two\nlines" ],
        'comments are rows; what has no key is none, the last of two counts'
    );
    produce(
        'social_posts',
        [ 0, 'p1', post('p1', 2, [ 'c2', 'new' ], [ 'c3', 'three' ]) ],
        [ 0, 'p2', { %{ post('p2', 2) }, comments => 'none' } ],
        [ 0, 'p4', post('p4', 1, [ 'c1', 'of p4' ]) ],
        [ 0, 'p4', post('p4', 2, [ 'c9', 'of p4 again' ]) ],
    );
    liked('p4', 2);
    is_deeply(
        comments(),
        [ 'p1 c2 new', 'p1 c3 three', 'p4 c9 of p4 again' ],
        'a later record brings its own comments and takes the others away'
    );
    produce('social_posts',
        [ 0, 'p5', post('p5', 1, [ 'c1', 'x' x 16_384 ]) ],
        [ 0, 'p6', post('p6', 1, [ 'c1', 'x' x 16_383 ]) ]);
    liked('p6', 1);
    is_deeply(
        [
            $stack->mariadb->rows(
                'SELECT post_id, CHAR_LENGTH(`text`) FROM social_comment'
                  . " WHERE post_id IN ('p5', 'p6')")
        ],
        [ [ 'p6', 16383 ] ],
        'a comment longer than its column makes the post a dead letter'
    );
    is(scalar @{ records_of('social_posts', '2023-01-20', 8) },
        8, 'the lake has them all');
    is(
        join(
            ' ',
            qx($stack->{top}/build/tools/lake_dump $stack->{dir}/lake social_posts)
              =~ /^Q\s.*?\b(schema)\b/mg
        ),
        'schema',
        '... schema, in both sinks'
    );
};

subtest 'lineage knows the row of each' => sub {
    my $row = sub {
        my ($dataset, $partition, $offset) = @_;
        my $answer = $client->get("/api/lineage/record/?dataset=$dataset&partition=$partition&offset=$offset");
        return join ' ', map { $_ // 'none' } @{ $answer->{json}{warehouse} // {} }{qw(table present current)};
    };
    is($row->('network_logs', 0, 0), 'network_log 1 1', 'a line of a log');
    is($row->('network_logs', 0, 2), 'network_log 1 0', 'the row of a repeated one is made of the first');
    is($row->('clients', 1, 0), 'client 1 0', 'a client that was replaced');
    is($row->('clients', 1, 1), 'client 1 1', '... by this one');
    is($row->('transactions', 1, 0), 'client_transaction 1 0', 'a payment that was replaced');
    is($row->('transactions', 1, 1), 'client_transaction 1 1', 'one past 2^53');
    is($row->('social_posts', 0, 0), 'social_post 1 0', 'a post that was replaced');
    $stack->mariadb->run(q{DELETE FROM social_post WHERE post_id = 'p3'});
    is($row->('social_posts', 0, 2), 'social_post 0 0', 'one whose row is gone');
};

subtest 'where LOAD DATA LOCAL is off' => sub {
    $stack->mariadb->run('SET GLOBAL local_infile = 0');
    $stack->daemon('datalake-warehouse')->stop;
    $stack->start_daemon('datalake-warehouse');
    produce('social_posts',
        [ 1, 'p8', post('p8', 1, [ 'c1', "it's" ], [ 'c2', 'b\\' ]) ],
        [ 1, 'p8', post('p8', 2, [ 'c3', 'x' ],    [ 'c4', "'" ]) ]);
    liked('p8', 2);
    is_deeply(
        [ grep { /^p8/ } @{ comments() } ],
        [ 'p8 c3 x', "p8 c4 '" ],
        'comments go by INSERT'
    );
};

done_testing();
