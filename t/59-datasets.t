# 59-datasets.t - which datasets there are, what they hold, and who is told.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '59-datasets',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    ini     => { datasets => { topics => 'sensor_a,sensor_b' } },
    users   => { map { ($_ => 'user') } qw(alice bob) },
    grants  => { alice => [qw(transaction_log sensor_b)], bob => ['transaction_log/2026-05-18'] },
);
my %client = map { ($_ => $stack->client($_)) } qw(admin alice bob);

# All there are: the declared ones that are shipped, and two without.
my @all = sort qw(sensor_a sensor_b), map { m{([^/]+)\.json$} } glob "$stack->{top}/conf/datasets/*.json";

# The datasets that WHO is told of, by name.
sub told {
    my ($who) = @_;
    my $answer = $client{$who}->get('/api/datasets/');
    return { map { ($_->{dataset} => $_) } @{ $answer->{json}{datasets} } };
}

sub numbers {
    my ($row) = @_;
    return { %$row, map { ($_ => defined $row->{$_} ? 0 + "$row->{$_}" : undef) }
          qw(records bytes lag_records freshness_seconds) };
}

subtest 'before anything is stored' => sub {
    my $row = told('alice')->{transaction_log};
    is_deeply(
        numbers($row),
        {
            dataset => 'transaction_log', topic => 'transaction_log',
            records => 0, bytes => 0, first_date => undef, last_date => undef,
            retention_days => undef, lag_records => 0, freshness_seconds => undef
        },
        'a declared dataset is there, and empty; nobody tells how far it is behind'
    );
};

subtest 'who is told of which' => sub {
    is_deeply([ sort keys %{ told('admin') } ], \@all, 'role admin of all');
    is_deeply([ sort keys %{ told('alice') } ], [qw(sensor_b transaction_log)], 'others of what they may read');
    is_deeply([ sort keys %{ told('bob') } ], [], 'whose grant is for one day sees no sums of the others');
    is($client{bob}->get('/api/datasets/transaction_log/')->{status}, 403, '... nor of that one');
    is($client{alice}->get('/api/datasets/sensor_a/')->{status}, 403, 'without a grant one is 403');
    is($client{alice}->get('/api/datasets/nothing/')->{status}, 403, '... whether it exists or not');
    is($client{admin}->get('/api/datasets/nothing/')->{status}, 404, 'for an admin it is 404');
    is($client{admin}->get('/api/datasets/..%2Fx/')->{status}, 404, '... as is a path');
    is($stack->client->get('/api/datasets/')->{status}, 401, 'nobody is told nothing');
    is($client{admin}->get('/api/datasets/?x=1')->{status}, 400, 'it takes no x');
};

subtest 'the fields of one' => sub {
    my $one = $client{alice}->get('/api/datasets/transaction_log/')->{json};
    my %field = map { ($_->{name} => $_) } @{ $one->{fields} };
    is($one->{dataset}, 'transaction_log', 'it is a dataset');
    is($one->{fields}[0]{name}, 'transaction_id', '... with fields in order');
    is_deeply([ map { "$field{$_}{type} $field{$_}{required}" } qw(transaction_id amount timestamp location.city) ],
        [ 'str 1', 'dec 0', 'time 0', 'str 0' ], '... of their types');
    my $other = $client{alice}->get('/api/datasets/sensor_b/')->{json};
    is_deeply([ map { $_->{name} } @{ $other->{fields} } ], ['timestamp'], 'without declaration: the event time');
};

subtest 'pages' => sub {
    my (@seen, $cursor);
    do {
        my $page = $client{admin}->get('/api/datasets/?limit=1' . ($cursor ? "&cursor=$cursor" : ''));
        is($page->{status}, 200, 'a page') or return;
        push @seen, map { $_->{dataset} } @{ $page->{json}{datasets} };
        $cursor = $page->{json}{next_cursor};
    } while ($cursor);
    is_deeply(\@seen, \@all, 'joined are the list');
    is($client{admin}->get('/api/datasets/?cursor=x')->{status}, 400, 'a wrong cursor is 400');
};

subtest 'what is stored' => sub {
    my @messages = map {
        { partition => $_ % 3, value => sprintf '{"transaction_id":"TX%d","timestamp":"2026-05-%02dT09:30:00Z"}', $_, 10 + $_ }
    } 1 .. 9;
    $stack->kafka->produce('transaction_log', \@messages);
    $stack->start_daemon('datalake-lake');
    wait_until('it is stored', sub { told('alice')->{transaction_log}{records} == 9 }, 60);
    my $bytes = 0;
    $bytes += length($_->{value}) + 1 for @messages;
    my $row = numbers(told('alice')->{transaction_log});
    is_deeply([ @$row{qw(bytes first_date last_date)} ], [ $bytes, '2026-05-11', '2026-05-19' ], 'is summed up');
    wait_until('nothing waits', sub {
        my $now = numbers(told('alice')->{transaction_log});
        $now->{lag_records} == 0 && defined $now->{freshness_seconds} && $now->{freshness_seconds} < 60;
    }, 60);
    my $lake = $stack->daemon('datalake-lake');
    $lake->signal('STOP');
    $stack->kafka->produce('transaction_log', [ map { { partition => 0, value => "{\"transaction_id\":\"L$_\"}" } } 1 .. 5 ]);
    is(numbers(told('alice')->{transaction_log})->{records}, 9, 'what is not stored is not summed up');
    $lake->signal('CONT');
    wait_until('the rest', sub { told('alice')->{transaction_log}{records} == 14 }, 60);
};

done_testing;
