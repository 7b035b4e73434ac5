# 75-multi-read.t - logs, posts and clients are read by their keys: the rows
# of the warehouse in a total order, page by page, by index, under /v1 and
# without, to those who may and 100 times an hour.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Cursor qw(aged);
use DataLake::Process qw(wait_until);
use DataLake::Sql qw(named);
use DataLake::Stack;
use JSON::PP;
use POSIX ();
use Time::HiRes qw(time);

my $stack = DataLake::Stack->new(
    name    => '75-multi-read',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    quota   => 1,
    users   => { map { ($_ => 'user') } qw(counted nobody logs table) },
    grants  => { counted => ['*'], logs => ['network_logs'] },
);
$stack->grant('table', 'table:client_transaction');
my $db    = $stack->mariadb;
my $admin = $stack->client('admin');
my $places = 0;

# Put the ROWS, hashes, into TABLE, each with the place of a record.
sub fill {
    my ($table, @rows) = @_;
    for my $row (@rows) {
        my %row = (
            $table eq 'social_comment' ? () : (
                src_generation => 0, src_partition => 0,
                src_offset     => $places++, src_time => '2026-01-01'
            ),
            %$row
        );
        my @names = sort keys %row;
        $db->run("INSERT INTO $table (" . join(', ', map { "`$_`" } @names) . ') VALUES ('
              . join(', ', ('?') x @names) . ')', @row{@names});
    }
    return;
}

# A line of ADDRESS at SECOND of a day, with MORE.
sub line {
    my ($address, $second, %more) = @_;
    my $time = sprintf '%02d:%02d:%02d', int($second / 3600), int($second / 60) % 60, $second % 60;
    return {
        id => $places, IP_Address => $address, Date => '20/Jan/2023', Time => $time,
        Method => 'GET', URL => "/$places", HTTP_Version => 'HTTP/1.1',
        Status_Code => '200', Response_Size => '512', timestamp => "2023-01-20 $time",
        line_hash => sprintf('%064d', $places), %more
    };
}

# All rows of the list PATH by its Link headers: (rows, number of pages).
sub walk {
    my ($path) = @_;
    my (@rows, $pages);
    while (defined $path && ++$pages < 100) {
        my $answer = $admin->get($path);
        is($answer->{status}, 200, "page $pages") or last;
        push @rows, @{ ref $answer->{json} eq 'HASH' ? $answer->{json}{transactions} : $answer->{json} };
        ($path) = ($answer->{headers}{link} // '') =~ /^<([^>]+)>; rel="next"$/;
    }
    return (\@rows, $pages);
}

# What CODE answers, once its status is STATUS: answers are kept for a moment,
# and who changes rows past the server does not say so.
sub later {
    my ($code, $status) = @_;
    my $answer;
    eval { wait_until('the change is seen', sub { ($answer = $code->())->{status} == $status }, 5) };
    return $answer;
}

# The rows that the tests below look for, among others of other keys.
fill('network_log', line('192.0.2.7', int($_ / 3))) for 0 .. 59;
fill('network_log', line('192.0.2.70', $_)) for 0 .. 9;
fill('network_log', line('2001:db8::1', 41878, Method => undef, URL => undef, HTTP_Version => undef,
        Status_Code => undef, Response_Size => undef));
fill('network_log', line('2001:DB8::2', 1));
fill('network_log', line('not.an.address', 1));
fill('social_post', {
        post_id => "p$_", user_id => 'u1', name => 'Ada', followers => 12, content => "Text \"$_\"",
        timestamp => '2023-01-20 11:37:' . (10 + int $_ / 2), likes => $_
    }) for 10 .. 34;
fill('social_post', { post_id => 'bare', user_id => 'u/2', timestamp => '2023-01-20 11:37:58.25' });
fill('social_comment',
    { post_id => 'p10', comment_id => 'b', user => 'Bob', text => 'first', timestamp => '2023-01-20 12:00:00' },
    { post_id => 'p10', comment_id => 'a', user => 'Cy', text => 'second', timestamp => '2023-01-20 12:00:01' },
    { post_id => 'p10', comment_id => 'c' },
    { post_id => 'p11', comment_id => 'b', user => 'Bob', text => 'other', timestamp => '2023-01-20 12:00:00' });
fill('client', { client_id => 42, nom => 'Durand', email => 'durand@example.org', date_inscription => '2022-05-01' });
fill('client_transaction', {
        transaction_id => 100 + $_, client_id => 42, montant => "$_.5",
        date_transaction => '2023-01-20 11:37:' . (10 + int $_ / 3)
    }) for 0 .. 59;
fill('client_transaction',
    { transaction_id => '9007199254740993', client_id => 7, date_transaction => '2023-01-20 11:37:58.000001' });
# All of that is loaded.
$db->run("INSERT INTO sink_offset (sink, topic, `partition`, next_offset, generation, cluster_id)"
      . " VALUES ('warehouse', 'social_posts', 0, 1000000, 0, '')");
my %total = (logs => 73, posts => 26, transactions => 61);

subtest 'the greeting is for everybody' => sub {
    my $answer = $stack->client->get('/v1/');
    is($answer->{status}, 200, '/v1/');
    is($answer->{body}, '{"message":"Welcome to the DataLake API"}', '... greets');
    is($stack->client->get('/v1')->{body}, $answer->{body}, '/v1 too');
};

subtest 'counts' => sub {
    my %path = (logs => 'logs', posts => 'social', transactions => 'transactions');
    for my $what (sort keys %path) {
        for my $path ("/v1/$path{$what}/count", "/$path{$what}/count/") {
            is($admin->get($path)->{body}, "{\"total_$what\":$total{$what}}", $path);
        }
    }
};

subtest 'the lines of an address' => sub {
    my $answer = $admin->get('/v1/logs/2001:db8::1');
    is($answer->{status}, 200, 'an address of IPv6');
    is($answer->{body},
        '[{"IP_Address":"2001:db8::1","Date":"20/Jan/2023","Time":"11:37:58","Method":null,"URL":null,'
          . '"HTTP_Version":null,"Status_Code":null,"Response_Size":null,"source":"kafka",'
          . '"timestamp":"2023-01-20T11:37:58.000000Z"}]', 'what a line lacks is null');
    is($admin->get("/logs/$_")->{body}, $answer->{body}, "... also as $_")
      for qw(2001:DB8:0::1 2001:0db8:0000:0000:0000:0000:0000:0001 2001%3Adb8%3A%3A1/);
    is($admin->get('/logs/2001:DB8::2')->{json}[0]{IP_Address}, '2001:DB8::2', 'as it was produced');
    is_deeply([ map { $_->{URL} } @{ $admin->get('/v1/logs/192.0.2.7')->{json} } ],
        [ map { "/$_" } reverse 10 .. 59 ], 'fifty unless limit says otherwise, newest first');
    my ($rows, $pages) = walk('/v1/logs/192.0.2.7?limit=7');
    is($pages, 9, 'pages of seven');
    is_deeply([ map { $_->{URL} } @$rows ], [ map { "/$_" } reverse 0 .. 59 ],
        'have all lines once, those of one second by their number');
    my $first = $admin->get('/logs/192.0.2.7?limit=7');
    my ($cursor) = $first->{headers}{link} =~ /cursor=([^>]+)>/;
    fill('network_log', line('192.0.2.7', 50000));
    is($admin->get("/v1/logs/192.0.2.7?limit=7&cursor=$cursor")->{json}[0]{URL}, '/52',
        'a cursor of the path without /v1 is good with it, and a new line moves nothing');
    is($admin->get($_)->{json}{errors}[0]{code}, 'cursor-invalid', $_)
      for "/v1/logs/192.0.2.7?limit=8&cursor=$cursor", "/v1/logs/192.0.2.70?limit=7&cursor=$cursor",
      '/v1/logs/192.0.2.7?cursor=x',
      '/v1/logs/192.0.2.7?limit=7&cursor=' . aged($stack, $cursor, '/v1/logs/{ip}', "192.0.2.7\x1f7", 86_460);
    $db->run('DELETE FROM network_log WHERE timestamp > ?', '2023-01-20 13:00:00');
};

subtest 'what is no address, and who has no line' => sub {
    for my $text (qw(x 1.2.3 1.2.3.256 01.2.3.4 1.2.3.4.5 ::g 1::2::3 fe80::1%25eth0 not.an.address
        192.0.2.7%20 %31%39%32), '1' x 200, "1.2.3.4%00") {
        my $answer = $admin->get("/v1/logs/$text");
        my $wanted = $text =~ /%00/ ? 404 : 400;
        is($answer->{status}, $wanted, 'as an address: ' . substr $text, 0, 40);
        is($answer->{json}{errors}[0]{parameter}, 'ip', '... is named') if $wanted == 400;
    }
    is($admin->get('/v1/logs/198.51.100.1')->{status}, 404, 'no line');
    is($admin->get('/v1/logs/198.51.100.1?limit=0')->{status}, 400, 'a limit is judged first');
};

subtest 'a post' => sub {
    my $answer = $admin->get('/v1/social/p10');
    is($answer->{body},
        '{"post_id":"p10","user":{"user_id":"u1","name":"Ada","followers":12},"content":"Text \"10\"",'
          . '"timestamp":"2023-01-20T11:37:15.000000Z","likes":10,"comments":['
          . '{"comment_id":"c","user":null,"text":null,"timestamp":null},'
          . '{"comment_id":"b","user":"Bob","text":"first","timestamp":"2023-01-20T12:00:00.000000Z"},'
          . '{"comment_id":"a","user":"Cy","text":"second","timestamp":"2023-01-20T12:00:01.000000Z"}]}',
        'with its comments by time');
    is($admin->get('/social/p10')->{body}, $answer->{body}, 'without /v1');
    is($admin->get('/v1/social/bare')->{body},
        '{"post_id":"bare","user":{"user_id":"u/2","name":null,"followers":null},"content":null,'
          . '"timestamp":"2023-01-20T11:37:58.250000Z","likes":null,"comments":[]}', 'what it lacks is null');
    is($admin->get('/v1/social/p9')->{status}, 404, 'no post');
    is($admin->get('/v1/social/' . 'p' x 300)->{status}, 400, 'no key is so long');
};

subtest 'the posts of a user' => sub {
    my ($rows, $pages) = walk('/v1/social/user/u1?limit=4');
    is($pages, 7, 'pages of four');
    is_deeply([ map { $_->{post_id} } @$rows ], [ map { "p$_" } reverse 10 .. 34 ], 'all of them once, newest first');
    is_deeply([ map { scalar @{ $_->{comments} } } @$rows[ -3 .. -1 ] ], [ 0, 1, 3 ], 'each with its comments');
    is_deeply($rows->[-1], $admin->get('/v1/social/p10')->{json}, '... as the post alone');
    is($admin->get('/social/user/u1?limit=1')->{json}[0]{post_id}, 'p34', 'without /v1');
    is($admin->get('/v1/social/user/nobody')->{body}, '[]', 'who wrote none has an empty list');
    is($admin->get('/v1/social/user/u%2F2')->{status}, 404, 'no slash in a segment');
};

subtest 'large posts end a page early' => sub {
    my $text = 'x' x 16000;
    fill('social_post', {
            post_id => "big$_", user_id => 'big', content => $text,
            timestamp => '2023-01-20 11:37:58'
        }) for 100 .. 140;
    for my $post (110, 111) {
        fill('social_comment', map { { post_id => "big$post", comment_id => $_, text => $text } } 1 .. 150);
    }
    my ($rows, $pages) = walk('/v1/social/user/big?limit=1000');
    is($pages, 2, 'two pages');
    is_deeply([ map { $_->{post_id} } @$rows ], [ map { "big$_" } reverse 100 .. 140 ], 'nothing is left out');
    is_deeply([ map { scalar @{ $_->{comments} } } @$rows[ 29, 30, 31 ] ], [ 150, 150, 0 ], 'nor a comment');
    $db->run("DELETE FROM $_ WHERE post_id LIKE 'big%'") for qw(social_post social_comment);
};

subtest 'a client' => sub {
    my $answer = $admin->get('/v1/transactions/42?limit=2');
    my $body   = $answer->{body} =~ s/"next_cursor":"[\w-]+"/NEXT/r;
    is($body,
        '{"transaction_id":159,"client_id":42,"montant":59.50,"date_transaction":"2023-01-20 11:37:29",'
          . '"nom":"Durand","email":"durand@example.org","date_inscription":"2022-05-01","count":60,"transactions":['
          . '{"transaction_id":159,"client_id":42,"montant":59.50,"date_transaction":"2023-01-20 11:37:29"},'
          . '{"transaction_id":158,"client_id":42,"montant":58.50,"date_transaction":"2023-01-20 11:37:29"}],NEXT}',
        'with its newest payments');
    is($answer->{headers}{link}, '</v1/transactions/42?limit=2&cursor=' . $answer->{json}{next_cursor}
          . '>; rel="next"', 'Link says the same');
    my $next = $admin->get("/transactions/42?limit=2&cursor=$answer->{json}{next_cursor}")->{json};
    is_deeply([ $next->{transaction_id}, $next->{count}, map { $_->{transaction_id} } @{ $next->{transactions} } ],
        [ 159, 60, 157, 156 ], 'the next page begins behind them and still tells the newest');
    my ($rows, $pages) = walk('/v1/transactions/42?limit=11');
    is($pages, 6, 'pages of eleven');
    is_deeply([ map { $_->{transaction_id} } @$rows ], [ reverse 100 .. 159 ], 'all of them once');
    is($admin->get('/v1/transactions/42?limit=1&decimals=string')->{json}{montant}, '59.50', 'decimals as strings');
    is($admin->get('/v1/transactions/7')->{body},
        '{"transaction_id":"9007199254740993","client_id":7,"montant":null,'
          . '"date_transaction":"2023-01-20 11:37:58.000001","nom":null,"email":null,"date_inscription":null,'
          . '"count":1,"transactions":[{"transaction_id":"9007199254740993","client_id":7,"montant":null,'
          . '"date_transaction":"2023-01-20 11:37:58.000001"}],"next_cursor":null}',
        'a payment of a client who is unknown');
    is($admin->get('/v1/transactions/8')->{status}, 404, 'no payment');
    for my $text (qw(x 1.5 1e3 %D9%A1 9223372036854775808 0x1)) {
        my $bad = $admin->get("/v1/transactions/$text");
        is("$bad->{status} $bad->{json}{errors}[0]{parameter}", '400 client_id', "$text is no client");
    }
};

subtest 'validators' => sub {
    my %change = (
        '/v1/logs/192.0.2.7'  => "UPDATE network_log SET Method = 'PUT' WHERE IP_Address = '192.0.2.7' AND URL = '/59'",
        '/v1/social/p10'      => "UPDATE social_comment SET text = 'x' WHERE post_id = 'p10' AND comment_id = 'c'",
        '/v1/social/user/u1'  => "UPDATE social_post SET likes = 99 WHERE post_id = 'p33'",
        '/v1/transactions/42' => "UPDATE client SET nom = 'Dupont' WHERE client_id = 42",
        '/v1/logs/count'      => "DELETE FROM network_log WHERE IP_Address = 'not.an.address'",
    );
    for my $path (sort keys %change) {
        my $etag = $admin->get($path)->{headers}{etag};
        like($etag, qr/^"[0-9a-f]{32}-json"$/, "$path has a strong one");
        my $again = $admin->get($path, headers => [ 'If-None-Match' => $etag ]);
        is("$again->{status} $again->{headers}{etag} $again->{body}", "304 $etag ", '... 304 while it is true');
        is($admin->head($path)->{headers}{etag}, $etag, '... HEAD has it');
        $db->run($change{$path});
        my $changed = later(sub { $admin->get($path, headers => [ 'If-None-Match' => $etag ]) }, 200);
        is($changed->{status}, 200, '... 200 after a change');
        isnt($changed->{headers}{etag}, $etag, '... with another');
    }
};

subtest 'a count that takes long is not made each time' => sub {
    my $path = '/v1/social/count';
    pipe my $reader, my $writer;
    my $locker = fork() // die "fork: $!\n";
    if (!$locker) {    # the count has to wait for this table
        my $dbh = DataLake::MariaDB::connect_dsn($db->dsn(undef, undef, 'datalake'));
        $dbh->do('LOCK TABLES social_post WRITE');
        syswrite $writer, 'x';
        select undef, undef, undef, 0.02
          while !$dbh->selectrow_array(q{SELECT COUNT(*) FROM information_schema.processlist
            WHERE state LIKE 'Waiting for table%'});
        select undef, undef, undef, 1;
        $dbh->do('UNLOCK TABLES');
        POSIX::_exit(0);
    }
    sysread $reader, my $ready, 1;
    wait_until('what was kept before is forgotten', sub {
        my $begin = time;
        $admin->get($path);
        return time - $begin > 0.2;
    }, 60);
    waitpid $locker, 0;
    my $made = time;
    fill('social_post', { post_id => 'late', user_id => 'late', timestamp => '2023-01-20' });
    wait_until('kept answers are over', sub { time > $made + 2.2 }, 5);
    is($admin->get($path)->{json}{total_posts}, $total{posts}, 'it stands after two seconds, too');
    is($admin->request('DELETE', '/v1/social/p12')->{json}{deleted}, 1, 'a post goes');
    is($admin->get($path)->{json}{total_posts}, $total{posts}, 'and posts are counted anew: one came, one went');
    $db->run("DELETE FROM social_post WHERE post_id = 'late'");
};

subtest 'who may' => sub {
    my %may = (
        logs   => [qw(/v1/logs/count /logs/192.0.2.7 /v1/logs/198.51.100.1)],
        table  => [qw(/v1/transactions/count /transactions/42 /v1/transactions/8)],
        nobody => [],
    );
    my @all = map { @$_ } values %may, [qw(/v1/social/p10 /social/p9 /v1/social/user/u1 /social/count)];
    for my $name (sort keys %may) {
        my %open = map { ($_ => 1) } @{ $may{$name} };
        for my $path (@all) {
            my $status = $stack->client($name)->get($path)->{status};
            my $wanted = !$open{$path} ? 403 : $path =~ /198|8$/ ? 404 : 200;
            is($status, $wanted, "$name: $path");
        }
    }
    is($stack->client->get($_)->{status}, 401, "nobody without a token: $_") for @all;
    is($admin->post('/v1/social/user/u1', {})->{status}, 405, 'nothing can be posted');
};

subtest 'one quota with /v1 and without' => sub {
    my $client = $stack->client('counted');
    my @paths  = qw(/v1/logs/count /logs/192.0.2.7 /v1/social/p10 /social/user/u1 /transactions/42 /v1/transactions/count
      /social/count /v1/logs/198.51.100.1 /v1/transactions/x);
    my %status;
    $status{ $client->get($paths[ $_ % @paths ])->{status} }++ for 1 .. 104;
    is($status{429}, 4, 'of 104 requests the last four are refused');
    my $refused = $client->get('/transactions/count');
    is($refused->{headers}{'ratelimit-policy'}, '"hour";q=100;w=3600', 'by the limit of v1');
    cmp_ok($refused->{headers}{'retry-after'}, '>', 0, 'and it says when to come again');
    is($client->get('/v1/me/quota')->{json}{remaining}, 0, '/v1/me/quota agrees');
    is($stack->client->get('/v1/')->{status}, 200, 'the greeting costs nothing');
};

subtest 'each look-up is by an index' => sub {
    my ($text) = named("$stack->{top}/sql/statements.sql");
    my $src = '1, 0, seq, NOW() FROM seq_1_to_5000';
    $db->run("INSERT INTO $_") for
      "network_log SELECT 100000 + seq, CONCAT('10.0.', seq % 100, '.1'), '', '', '', '', '', '', '',"
      . " NOW() - INTERVAL seq SECOND, CONCAT('x', seq), $src",
      "social_post SELECT CONCAT('x', seq), CONCAT('x', seq % 100), '', 1, '', NOW() - INTERVAL seq SECOND, 1, $src",
      "social_comment SELECT CONCAT('x', seq), 'a', '', '', NOW() FROM seq_1_to_5000",
      "client SELECT 1000 + seq, '', '', '', $src",
      "client_transaction SELECT 100000 + seq, 1000 + seq % 100, 1, NOW() - INTERVAL seq SECOND, $src";
    my @time = ('9999-12-31', '9999-12-31');
    my %bound = (
        STMT_LOG_NEWEST    => [ '192.0.2.7', 51 ],
        STMT_LOG_PAGE      => [ '192.0.2.7', @time, 1, 51 ],
        STMT_POST_FIND     => [ 'p10', 'p10' ],
        STMT_POST_PAGE     => [ 'u1', @time, '', 51 ],
        STMT_POST_COMMENTS => [ 'u1', @time, '', 50 ],
        STMT_CLIENT_NEWEST => [ 42, 51 ],
        STMT_CLIENT_VIEW   => [ 42, 42, 42, 42, @time, 1, 51 ],
    );
    my %index = (
        network_log        => 'network_log_ip',
        social_post        => 'PRIMARY|social_post_user',
        social_comment     => 'PRIMARY',
        client             => 'PRIMARY',
        client_transaction => 'client_transaction_page',
    );
    $db->run("ANALYZE TABLE $_") for sort keys %index;
    for my $name (sort keys %bound) {
        my @plan = $db->rows("EXPLAIN $text->{$name}", @{ $bound{$name} });
        my $seen = 0;
        for my $row (@plan) {
            my ($table, $type, $key, $extra) = ($row->[2] // '', @$row[ 3, 5 ], $row->[-1] // '');
            $table = 'social_post' if $table eq 'p';
            $table = 'social_comment' if $table eq 'c';
            next if !$index{$table};
            $seen++;
            like($type // '', qr/^(?:const|ref|range|eq_ref)$/, "$name: $table is looked up");
            like($key // '', qr/^(?:$index{$table})$/, '... by its index');
            unlike($extra, qr/filesort/, '... which has the order') if $name =~ /PAGE|VIEW|NEWEST/;
            like($extra, qr/Using index/, '... and all that is shown') if $table eq 'client_transaction';
        }
        cmp_ok($seen, '>', 0, "$name was explained");
    }
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');

done_testing;
