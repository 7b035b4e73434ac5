# 76-multi-write.t - logs, posts and payments are changed and deleted by their
# keys: in the warehouse at once, as one event each in the lake within 5 s, and
# again in a warehouse that is made of the lake.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;
use JSON::PP;
use POSIX qw(strftime);
use Time::HiRes qw(time);

my $json  = JSON::PP->new->canonical->utf8->allow_nonref;
my $stack = DataLake::Stack->new(
    name    => '76-multi-write',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    httpd   => 1,
    users   => { writer => 'user', reader => 'user' },
    grants  => { reader => ['*'] },
);
$stack->grant('writer', $_, 'write')
  for qw(network_logs social_posts transactions);
$stack->ctl('topics');
my $db     = $stack->mariadb;
my $writer = $stack->client('writer');
my $reader = $stack->client('reader');
my $begun  = time;
my %sent;    # event => how many requests made one, by topic

# Send VALUES, each [partition, key, object], to TOPIC and wait for them in
# the warehouse.
sub produce {
    my ($topic, @values) = @_;
    $stack->kafka->produce($topic,
        [ map { { partition => $_->[0], key => "$_->[1]", value => $json->encode($_->[2]) } } @values ]);
    return $stack->await_loaded($topic);
}

# Ask WHO for METHOD PATH with BODY and HEADERS; the answer.
sub ask {
    my ($method, $path, $body, %more) = @_;
    my $who = delete $more{as} // $writer;
    return $who->request($method, $path, (defined $body ? (body => $body) : ()), %more);
}

# The same, which must answer STATUS and BODY.
sub answers {
    my ($method, $path, $body, $status, $want, %more) = @_;
    my $got = ask($method, $path, $body, %more);
    is("$got->{status} " . (ref $want ? $json->encode($got->{json}) : ''),
        "$status " . (ref $want ? $json->encode($want) : ''), "$method $path: $status")
      or diag $got->{body};
    if ($status == 200 && $method ne 'GET') {
        my ($topic) = $path =~ m{(logs|social|transactions)};
        $sent{$topic}++;
    }
    return $got;
}

sub line {
    my (%other) = @_;
    return { IP_Address => '192.0.2.7', Date => '20/Jan/2023', Time => '11:37:58', Method => 'GET',
        URL => '/', HTTP_Version => 'HTTP/1.1', Status_Code => '200', Response_Size => '512', %other };
}

sub post {
    my ($id, $likes, @comments) = @_;
    return { post_id => $id, user => { user_id => 'u1', name => 'Ada', followers => 3 }, content => 'Text',
        timestamp => '2023-01-20T11:37:58Z', likes => $likes,
        comments => [ map { { comment_id => $_, user => 'Bob', text => "of $id", timestamp => '2023-01-20T12:00:00Z' } } @comments ] };
}

sub payment {
    my ($id, $client, $montant, $second) = @_;
    return { transaction_id => $id, client_id => $client, montant => $montant,
        date_transaction => sprintf('2023-01-20 11:37:%02d', $second) };
}

produce('network_logs', (map { [ 0, '192.0.2.7', line(Time => "11:37:0$_", URL => "/$_") ] } 0 .. 4),
    (map { [ 1, "198.51.100.$_", line(IP_Address => "198.51.100.$_") ] } 1 .. 5),
    [ 2, '2001:db8::1', line(IP_Address => '2001:db8::1') ]);
produce('social_posts', map { [ 0, "p$_", post("p$_", $_, 'c1', 'c2') ] } 1 .. 6);
produce('clients', map { [ 0, $_, { client_id => $_, nom => "Nom $_", email => "c$_\@example.org", date_inscription => '2020-02-03' } ] } 7 .. 9);
produce('transactions', (map { [ 0, 7, payment(100 + $_, 7, "$_.5", $_) ] } 0 .. 3), [ 1, 8, payment(200, 8, 1, 1) ],
    [ 1, 8, payment(201, 8, 2, 2) ], [ 2, 10, payment(300, 10, 3, 3) ]);

subtest 'all lines of an address' => sub {
    answers('PUT', '/v1/logs/192.0.2.7', { Status_Code => 404, Response_Size => '0', Method => 'HEAD' }, 200, { updated => 5 });
    my $rows = $reader->get('/v1/logs/192.0.2.7')->{json};
    is_deeply([ map { "$_->{Status_Code} $_->{Response_Size} $_->{Method} $_->{URL}" } @$rows ],
        [ map { "404 0 HEAD /$_" } reverse 0 .. 4 ], 'have the values, numbers as digits');
    answers('PUT', '/logs/192.0.2.7/', { Method => 'HEAD' }, 200, { updated => 5 });
    answers('PUT', '/v1/logs/198.51.100.1', { Date => '21/Jan/2023' }, 200, { updated => 1 });
    is($reader->get('/v1/logs/198.51.100.1')->{json}[0]{timestamp}, '2023-01-21T11:37:58.000000Z', 'another day, the same time');
    answers('PUT', '/v1/logs/198.51.100.2', { Time => '00:00:01' }, 200, { updated => 1 });
    is($reader->get('/v1/logs/198.51.100.2')->{json}[0]{timestamp}, '2023-01-20T00:00:01.000000Z', 'the same day, another time');
    answers('PUT', '/v1/logs/2001:DB8:0::1', { URL => '/six' }, 200, { updated => 1 });
    answers('DELETE', '/v1/logs/198.51.100.3', undef, 200, { deleted => 1 });
    answers('DELETE', '/v1/logs/198.51.100.3', undef, 404);
    answers('GET', '/v1/logs/198.51.100.3', undef, 404, undef, as => $reader);
};

subtest 'a post' => sub {
    answers('PUT', '/v1/social/p1', { content => "a\nb", likes => 9, timestamp => '2024-02-29T00:00:00+01:00',
            user => { followers => 4 }, comments => [ { comment_id => 'c2', text => 'new' } ] }, 200, { updated => 1 });
    is_deeply($reader->get('/v1/social/p1')->{json}, { post_id => 'p1', user => { user_id => 'u1', name => 'Ada', followers => 4 },
            content => "a\nb", timestamp => '2024-02-28T23:00:00.000000Z', likes => 9,
            comments => [ { comment_id => 'c2', user => undef, text => 'new', timestamp => undef } ] }, 'comments are replaced as a whole');
    answers('PUT', '/social/p2', { user => { name => 'Eve' }, comments => [] }, 200, { updated => 1 });
    is_deeply($reader->get('/v1/social/p2')->{json}{comments}, [], 'or taken away');
    answers('DELETE', '/v1/social/p3', undef, 200, { deleted => 1 });
    is($db->value("SELECT COUNT(*) FROM social_comment WHERE post_id = 'p3'"), 0, 'comments go with their post');
    answers('DELETE', '/v1/social/p3', undef, 404);
    answers('PUT', '/v1/social/p2', { timestamp => '9999-12-31T23:59:59.999999Z' }, 200, { updated => 1 });
    is($reader->get('/v1/social/user/u1?limit=1')->{json}[0]{post_id}, 'p2', 'the last moment there is is in the list of its user');
};

subtest 'a key is what it is, with the spaces at its end' => sub {
    produce('social_posts', [ 0, 'q1 ', post('q1 ', 1) ]);
    answers($_, '/v1/social/p4%20', $_ eq 'PUT' ? { likes => 1 } : undef, 404) for qw(PUT DELETE);
    answers('GET', '/v1/social/p4%20', undef, 404, undef, as => $reader);
    answers('GET', '/v1/social/q1',    undef, 404, undef, as => $reader);
    answers('DELETE', '/v1/social/q1', undef, 404);
    is($reader->get('/v1/social/q1%20')->{json}{post_id}, 'q1 ', 'one that ends in a space is found');
    answers('DELETE', '/v1/social/q1%20', undef, 200, { deleted => 1 });
    is($reader->get('/v1/social/p4')->{json}{likes}, 4, 'a post of another key stays as it was');
};

subtest 'payments of a client, and the client' => sub {
    answers('PUT', '/v1/transactions/7', { montant => 12.34 }, 200, { updated => 1 });
    is($db->value('SELECT montant FROM client_transaction WHERE transaction_id = 103'), '12.3400000000', 'the newest one');
    answers('PUT', '/v1/transactions/7?transaction_id=101', { date_transaction => '2023-02-01 00:00:00' }, 200, { updated => 1 });
    answers('PUT', '/v1/transactions/7', { montant => -1, nom => "N\x{e9}", email => 'n@example.org' }, 200, { updated => 2 });
    my $view = $reader->get('/v1/transactions/7')->{json};
    is("$view->{transaction_id} $view->{montant} $view->{nom}", "101 -1 N\x{e9}", 'which is another one then');
    answers('PUT', '/transactions/9', { nom => 'X' }, 404);
    answers('PUT', '/transactions/8', { nom => 'X' }, 200, { updated => 1 });
    answers('DELETE', '/v1/transactions/7?transaction_id=999', undef, 404);
    answers('DELETE', '/v1/transactions/7?transaction_id=200', undef, 404);
    answers('DELETE', '/v1/transactions/8?transaction_id=200', undef, 200, { deleted => 1 });
    answers('PUT', '/v1/transactions/8', { date_transaction => '9999-12-31 23:59:59' }, 200, { updated => 1 });
    is($reader->get('/v1/transactions/8?limit=1')->{json}{transactions}[0]{transaction_id}, 201, 'the last second there is is in the list');
    answers('DELETE', '/v1/transactions/10', undef, 200, { deleted => 1 });
    answers('DELETE', '/v1/transactions/10', undef, 404);
};

subtest 'what is refused, with nothing changed' => sub {
    my $before = $db->value('SELECT COUNT(*) FROM change_outbox');
    my @cases = (
        [ logs => 'logs/192.0.2.7', { IP_Address => '1.2.3.4' }, {}, { Method => 1 }, { Method => undef }, { nope => 1 },
            { Date => '2023-01-20' }, { Date => '31/Feb/2023' }, { Time => '25:00:00' }, { Status_Code => 99 }, { Status_Code => 600 },
            { Status_Code => 200.5 }, { Status_Code => 'ok' }, { Status_Code => JSON::PP::true }, { Response_Size => -1 }, { Response_Size => [] },
            { Method => 'x' x 256 }, { URL => 'x' x 2049 } ],
        [ social => 'social/p4', { post_id => 'p9' }, { user_id => 'u' }, {}, { likes => '1' }, { likes => 1.5 }, { content => 1 },
            { timestamp => 'soon' }, { comments => {} }, { comments => [ {} ] }, { comments => [7] }, { comments => [ { comment_id => 1 } ] },
            { comments => [ { comment_id => 'a', more => 1 } ] }, { comments => [ { comment_id => 'a' }, { comment_id => 'a' } ] },
            { comments => [ { comment_id => 'a', timestamp => 'soon' } ] }, { user => {} }, { user => { user_id => 'x' } }, { user => 'x' },
            { user => { followers => 'many' } }, { user => { name => 7 } }, { user => { "name\0x" => 'y' } }, { user => { followers => -1 } },
            { user => { followers => '1' } }, { user => { name => undef } }, { comments => [ { comment_id => 'a', "text\0x" => 'y' } ] },
            { comments => [ { comment_id => 'a' }, { comment_id => 'a ' } ] }, { comments => [ { comment_id => 'x' x 65 } ] },
            { comments => [ { comment_id => 'a', timestamp => '2023-01-20 11:00:00' } ] }, { content => 'x' x 16_384 } ],
        [ transactions => 'transactions/8', { client_id => 1 }, { transaction_id => 1 }, {}, { montant => 'x' }, { montant => '1.5' },
            { montant => undef }, { date_transaction => 'soon' }, { date_transaction => 5 }, { nom => 1 }, { nom => 'x' x 256 } ]
    );
    for my $case (@cases) {
        my ($name, $path, @bodies) = @$case;
        is(join(' ', map { ask('PUT', "/v1/$path", $_)->{status} } @bodies), join(' ', ('422') x @bodies),
            "$name: " . @bodies . ' bodies are 422');
    }
    for my $case ([ '/comments/1/comment_id', 'required' => { comments => [ { comment_id => 'a' }, {} ] } ], [ '/user/user_id', 'unknown' => { user => { user_id => 'x' } } ],
        [ '/comments/0/timestamp', 'time-zone-missing' => { comments => [ { comment_id => 'a', timestamp => '2023-01-20T11:00:00' } ] } ]) {
        my ($pointer, $code, $body) = @$case;
        my $fault = ask('PUT', '/v1/social/p4', $body)->{json}{errors}[0];
        is("$fault->{pointer} $fault->{code}", "$pointer $code", 'what is wrong inside is pointed at');
    }
    is(ask('PUT', '/v1/transactions/8', '{"montant":1234567890123456789}', headers => [ 'Content-Type' => 'application/json' ])->{status},
        422, 'an amount of 19 digits');
    answers('PUT',    '/v1/logs/nowhere',         { Method => 'GET' }, 400);
    answers('DELETE', '/v1/logs/1.2.3',           undef,               400);
    answers('PUT',    '/v1/transactions/x',       { montant => 1 },    400);
    answers('DELETE', '/v1/transactions/7?all=1', undef,               400);
    answers('PUT',    '/v1/social/nobody',        { likes => 1 },      404);
    answers('PUT',    '/v1/logs/203.0.113.1',     { URL => '/' },      404);
    answers('PUT',    "/v1/$_", { likes => 1 }, 403, undef, as => $reader) for qw(social/p4 social/nobody);
    answers('DELETE', '/v1/social/p4', undef, 401, undef, as => $stack->client);
    is($db->value('SELECT COUNT(*) FROM change_outbox'), $before, 'no event was made');
};

subtest 'If-Match' => sub {
    for my $case ([ 'logs/192.0.2.7', { URL => '/a' } ], [ 'social/p4', { likes => 1 } ], [ 'transactions/8', { montant => 7 } ]) {
        my ($path, $body) = @$case;
        my $etag = $reader->get("/v1/$path")->{headers}{etag};
        my $told = ask('PUT', "/v1/$path", $body, headers => [ 'If-Match' => '"other"' ]);
        is($told->{status}, 412, "$path: another validator is 412");
        $told = ask('PUT', "/v1/$path", $body, headers => [ 'If-Match' => $etag ]);
        is($told->{status}, 200, '... the present one changes it') or diag $told->{body};
        $sent{ $path =~ s{/.*}{}r }++;
        $told = ask('DELETE', "/v1/$path", undef, headers => [ 'If-Match' => $etag ]);
        is($told->{status}, 412, '... and is stale then');
    }
};

subtest 'what one server changes another one tells within two seconds' => sub {
    my $other  = $stack->start_other_httpd;
    my %server = (here => $stack->httpd, there => $other);
    my %case   = (    # what is read => what changes it, and what is seen
        '/v1/logs/198.51.100.5' => [ '/v1/logs/198.51.100.5', 'Method', sub { $_[0][0]{Method} } ],
        '/v1/social/p6'         => [ '/v1/social/p6', 'content', sub { $_[0]{content} } ],
        '/v1/social/user/u1'    => [ '/v1/social/p5', 'content', sub { (map { $_->{content} } grep { $_->{post_id} eq 'p5' } @{ $_[0] })[0] } ],
        '/v1/transactions/8'    => [ '/v1/transactions/8', 'nom', sub { $_[0]{nom} } ],
    );

    # No event comes back through the loader, whose commits end every answer
    # that is kept: two seconds are all that does.
    $stack->await_loaded($_) for qw(network_logs social_posts transactions);
    $stack->daemon('datalake-jobs')->signal('STOP');
    my $oldest = 0;
    for my $case ([ 'here', 'there', 1 ], [ 'there', 'here', 2 ]) {
        my ($at, $elsewhere, $round) = @$case;
        my $changer = $server{$at}->client(token => $writer->{token});
        my @near    = map { $server{$at}->client(token => $reader->{token}) } 1 .. 4;
        my @far     = map { $server{$elsewhere}->client(token => $reader->{token}) } 1 .. 4;
        my (%changed, %old);
        for my $client (@near, @far) {    # kept by the children from now on
            $client->get($_) for sort keys %case;
        }
        for my $path (sort keys %case) {
            my ($target, $member, $seen) = @{ $case{$path} };
            answers('PUT', $target, { $member => "M$round" }, 200, { updated => 1 }, as => $changer);
            $changed{$path} = time;
            is_deeply([ map { $seen->($_->get($path)->{json}) } @near ], [ ("M$round") x @near ], "$path: $at sees it at once");
            $old{"$path $_"} = [ $path, $far[$_] ] for 0 .. $#far;
        }
        while (%old && $oldest < 5) {
            for my $name (sort keys %old) {
                my ($path, $client) = @{ $old{$name} };
                my $age = time - $changed{$path};
                if ($case{$path}[2]->($client->get($path)->{json}) eq "M$round") {
                    delete $old{$name};
                }
                elsif ($age > $oldest) {
                    $oldest = $age;
                }
            }
            select undef, undef, undef, 0.05;
        }
        is(join(' ', sort keys %old), '', "... and $elsewhere in time");
    }
    cmp_ok($oldest, '<=', 2, sprintf 'the oldest answer elsewhere was given %.2f s behind the change', $oldest);
    cmp_ok($oldest, '>', 0.2, '... and answers are kept there');
    $stack->daemon('datalake-jobs')->signal('CONT');
    $other->stop;
};

subtest 'records that come later' => sub {
    produce('network_logs', [ 1, '198.51.100.3', line(IP_Address => '198.51.100.3') ], [ 0, '192.0.2.7', line(Time => '11:37:00', URL => '/0') ],
        [ 1, '192.0.2.7', line(URL => '/later') ]);
    is($db->value("SELECT COUNT(*) FROM network_log WHERE IP_Address = '198.51.100.3'"), 1, 'a deleted line comes again');
    is(scalar @{ $reader->get('/v1/logs/192.0.2.7')->{json} }, 6, 'an equal one is ignored, as it was first, another is new');
    produce('social_posts', [ 0, 'p1', post('p1', 1, 'c7') ], [ 0, 'p3', post('p3', 3) ]);
    is($reader->get('/v1/social/p1')->{json}{likes}, 1, 'a post replaces a changed one in every column');
    produce('clients', [ 0, 8, { client_id => 8, nom => 'Later' } ]);
    answers('PUT', '/v1/transactions/8', { email => 'late@example.org' }, 200, { updated => 1 });
    answers('DELETE', '/v1/social/p3', undef, 200, { deleted => 1 });
    answers('DELETE', '/v1/logs/192.0.2.7', undef, 200, { deleted => 6 });
};

my %dataset = (logs => 'network_logs', social => 'social_posts', transactions => 'transactions');

# The days since the test began.
sub days {
    my %is = map { (strftime('%Y-%m-%d', gmtime $_) => 1) } $begun, time;
    return sort keys %is;
}

subtest 'events in the lake' => sub {
    for my $topic (sort keys %dataset) {
        my @events;
        my $began = DataLake::Stopwatch->new;
        wait_until("no $sent{$topic} events of $topic", sub {
                @events = grep { $_->{_event} } map { $_->{status} == 200 ? @{ $_->{json} } : () }
                  map { $reader->get("/api/audit/version/?dataset=$dataset{$topic}&date=$_") } days();
                return @events >= $sent{$topic};
        }, 60);
        cmp_ok($began->seconds, '<', 5, "$topic: in time");
        is(scalar @events, $sent{$topic}, '... one for each request');
        is(join(' ', sort { $a cmp $b } keys %{ $events[0] }), '_event at by changes key request_id upto', '... of the form it should have')
          unless grep { $_->{also} } $events[0];
        is($events[0]{by}, 'writer', '... by whom');
    }
    my $count = 0;
    $count += $reader->get("/api/data/?resource=social_posts/$_.json")->{json}{count} // 0 for days();
    is($count, $sent{social}, '/api/data/ has them');
    my $origin = $reader->get("/api/lineage/record/?dataset=social_posts&partition=0&offset=8");
    is($db->value('SELECT COUNT(*) FROM change_outbox WHERE sent_at IS NULL'), 0, 'nothing waits');
    note $origin->{body};
};

my @TABLES = qw(network_log social_post social_comment client_transaction client);

sub everything {
    return { map { my $t = $_; ($t => [ sort map { join "\t", map { $_ // 'NULL' } @$_ } $db->rows("SELECT * FROM $t") ]) } @TABLES };
}

subtest 'a rebuild makes the same tables' => sub {
    $stack->await_loaded($_) for values %dataset;
    $stack->daemon('datalake-warehouse')->stop;
    my $before = everything();
    my ($status, $said) = $stack->try_ctl('rebuild-warehouse');
    is($status, 0, 'datalakectl rebuild-warehouse') or diag $said;
    note $said;
    my $after = everything();
    is_deeply($after->{$_}, $before->{$_}, "$_, " . @{ $before->{$_} } . ' rows') for @TABLES;
};

subtest 'the audit log' => sub {
    my $entries = [];
    wait_until('no entries', sub {
            $entries = $stack->client('admin')->get('/api/audit/?user=writer&resource=social_posts&limit=100')->{json}{results};
            return grep { $_->{method} eq 'DELETE' && $_->{status} == 200 } @$entries;
    }, 60);
    my ($put) = grep { $_->{method} eq 'PUT' && $_->{status} == 200 } reverse @$entries;
    like($put->{body}, qr/"likes":9/, 'has each change with its body');
    my $views = $stack->client('admin')->get('/api/audit/access-log/?user=writer&limit=100')->{json};
    my %seen = map { ("$_->{action} $_->{resource}" => 1) } @$views;
    ok($seen{$_}, $_) for 'write network_logs', 'delete network_logs', 'delete transactions';
};

done_testing();
