# 42-grant.t - who may do what: the decision of each route, /api/access/*, what
# a list shows, and how fast a right is gone.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Httpd;
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);

my $stack = DataLake::Stack->new(
    name    => '42-grant',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    users   => {
        (map { ($_ => 'user') } qw(alice bob carol dave many)),
        auditor => 'auditor'
    },
);
my %client = map { ($_ => $stack->client($_)) }
  qw(admin auditor alice bob carol dave many);
my $nobody = $stack->client;
my $db     = $stack->mariadb;

# The days of two datasets, without a broker.
my @DAYS = qw(2026-05-17 2026-05-18 2026-05-19 2026-06-01);
for my $dataset (qw(transaction_log rawticker)) {
    my $script = '';
    my $offset = 0;
    for my $day (@DAYS) {
        my $us = 1_000_000 * `date -u -d $day +%s` + 3_600_000_000;
        $script .= "R 0 $offset $us {\"day\":\"$day\",\"n\":" . $offset++ . "}\n";
    }
    spit("$stack->{dir}/script", "${script}C 1780400000000000\n");
    my $out = qx($DataLake::Stack::BUILD/tools/lake_driver $stack->{dir}/lake $dataset $stack->{dir}/script 2>&1);
    is($?, 0, "the lake has $dataset") or diag $out;
}

# --- What the tests say --------------------------------------------------------

my $GRANT  = '/api/access/grant/';
my $REVOKE = '/api/access/revoke/';
my $CHECK  = '/api/access/check/';
my $METRIC = '/api/metrics/last-5min/';
my $DAYS   = '/api/audit/resources/';

sub day { my ($day, $dataset) = @_; return "/api/audit/version/?date=$day" . ($dataset ? "&dataset=$dataset" : ''); }

sub status { my ($who, $path) = @_; return $client{$who}->get($path)->{status}; }

# WHO lets NAME do LEVEL with RESOURCE.
sub grant {
    my ($who, $name, $resource, $level, %more) = @_;
    my %body = (username => $name, resource => $resource, %more);
    $body{access} = $level if defined $level;
    return $client{$who}->post($GRANT, \%body);
}

sub revoke {
    my ($who, $name, $resource) = @_;
    return $client{$who}->post($REVOKE,
        { username => $name, resource => $resource });
}

sub type_of {
    my ($answer) = @_;
    return ($answer->{json}{type} // '') =~ s{^/problems/}{}r;
}

# ANSWER is 403 with MISSING.
sub is_refused {
    my ($answer, $missing, $sentence) = @_;
    is($answer->{status}, 403, $sentence);
    is($answer->{json}{missing}, $missing, '... and the body says what is missing');
    is($answer->{headers}{'www-authenticate'},
        'Bearer error="insufficient_scope"', '... as does the header');
    is(type_of($answer), 'forbidden', '... of the type forbidden');
    return;
}

my $READ = 'grant(transaction_log,read)';

subtest 'who holds nothing is told what is missing' => sub {
    is_refused($client{alice}->get($METRIC), $READ, 'a metric');
    is_refused($client{alice}->get($DAYS),   $READ, 'the days of a dataset');
    is_refused(
        $client{alice}->get(day('2026-05-18')),
        'grant(transaction_log/2026-05-18.json,read)',
        'a day'
    );
    is_refused(
        $client{alice}->get(day('1999-01-01')),
        'grant(transaction_log/1999-01-01.json,read)',
        'a day that is not there, alike'
    );
    is_refused(
        $client{alice}->get("$DAYS?dataset=nothing"),
        'grant(nothing,read)', 'a dataset that is not there, alike'
    );
    is_refused($client{alice}->get('/metrics'), 'role admin', 'the metrics');
    is_deeply($client{alice}->get('/api/resources/')->{json},
        { resources => [], next_cursor => undef }, 'the list is empty');
    is($nobody->get($METRIC)->{status}, 401, 'without a token it is 401');
};

subtest 'roles' => sub {
    is(status('admin', $METRIC),            200, 'admin reads a metric');
    is(status('admin', day('2026-05-18')),  200, 'and a day');
    is(status('admin', day('1999-01-01')),  404, 'and learns of one that is not');
    is(scalar @{ $client{admin}->get('/api/resources/')->{json}{resources} },
        8, 'and sees all days');
    is(status('auditor', $DAYS), 200, 'an auditor sees the days of a dataset');
    is_refused($client{auditor}->get($METRIC), $READ, 'and reads no metric');
    is_refused($client{auditor}->get(day('2026-05-18')),
        'grant(transaction_log/2026-05-18.json,read)', 'nor a day');
    is_deeply($client{auditor}->get('/api/resources/')->{json}{resources},
        [], 'nor the list of readable days');
};

subtest 'a grant' => sub {
    my $answer = grant('admin', 'alice', 'transaction_log');
    is($answer->{status}, 201, 'is made');
    my $time = qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
    like(delete $answer->{json}{granted_at}, $time, 'at a time');
    is_deeply(
        $answer->{json},
        {
            username   => 'alice',
            resource   => 'transaction_log',
            access     => 'read',
            expires_at => undef,
            granted_by => 'admin',
            message    => 'Access granted',
        },
        'and told'
    );
    is(status('alice', $METRIC),           200, 'the next request has it');
    is(status('alice', day('2026-05-18')), 200, 'a day of the dataset, too');
    is(status('alice', $DAYS),             200, 'and the list of its days');
    is(status('alice', day('1999-01-01')), 404, 'a day that is not there is 404');
    is_deeply(
        $client{alice}->get('/api/resources/')->{json}{resources},
        [ map { "transaction_log/$_.json" } @DAYS ],
        'and they are listed'
    );
    is_refused($client{alice}->get(day('2026-05-18', 'rawticker')),
        'grant(rawticker/2026-05-18.json,read)', 'another dataset is not');
    $answer = grant('admin', 'alice', 'transaction_log', 'write',
        expires_at => '2999-01-01T00:00:00Z');
    is($answer->{status}, 200, 'the same again replaces it');
    is($answer->{json}{access}, 'write', 'with the new level');
    is($answer->{json}{expires_at}, '2999-01-01T00:00:00.000000Z', 'and end');
    is(grant('admin', 'ALICE', 'transaction_log')->{json}{username},
        'alice', 'names have no case');
    $answer = revoke('admin', 'alice', 'transaction_log');
    is($answer->{status}, 200, 'is taken');
    is_deeply(
        $answer->{json},
        {
            message  => 'Access revoked',
            username => 'alice',
            resource => 'transaction_log'
        },
        'and told'
    );
    is(status('alice', $METRIC), 403, 'the next request is refused');
    is(revoke('admin', 'alice', 'transaction_log')->{status},
        404, 'twice is 404');
};

subtest 'DELETE revokes, by body or query' => sub {
    grant('admin', 'alice', 'transaction_log') for 1;
    my $query = "$REVOKE?username=alice&resource=transaction_log";
    is($client{admin}->request('DELETE', $query)->{status}, 200, 'by query');
    is($client{admin}->request('DELETE', $query)->{status}, 404, 'once');
    grant('admin', 'alice', 'transaction_log');
    my %body = (username => 'alice', resource => 'transaction_log');
    is($client{admin}->request('DELETE', $REVOKE, body => \%body)->{status},
        200, 'by body');
    my $answer = $client{admin}->request('DELETE', $REVOKE);
    is($answer->{status}, 422, 'neither is 422');
    is($client{admin}->request('DELETE', $query, body => \%body)->{status},
        400, 'both is 400');
    is($client{admin}
          ->request('DELETE', "$REVOKE?username=alice&resource=a%20b")->{status},
        400, 'a query that names no resource is 400');
};

subtest 'a table stands for its dataset where the warehouse answers' => sub {
    is(grant('admin', 'alice', 'table:transaction_record')->{status},
        201, 'a grant of the table');
    is(status('alice', $METRIC), 200, 'reads metrics');
    is(status('alice', $DAYS),   403, 'and nothing of the lake');
    revoke('admin', 'alice', 'table:transaction_record');
    is(grant('admin', 'alice', 't*')->{status}, 201, 'a prefix');
    is(status('alice', $METRIC), 200, 'has the dataset');
    is($client{alice}->post($CHECK, { resource => 'table:transaction_record' })
          ->{json}{allowed},
        JSON::PP::false(), 'and no table');
    revoke('admin', 'alice', 't*');
};

subtest 'a day opens that day and nothing else' => sub {
    my $name = 'transaction_log/2026-05-18.json';
    is(grant('admin', 'bob', $name)->{status}, 201, 'a grant of a day');
    is(status('bob', day('2026-05-18')),        200, 'the day');
    is(status('bob', day('2026-05-19')),        403, 'not the next');
    is(status('bob', day('2026-05-18', 'rawticker')), 403, 'nor another dataset\'s');
    is(status('bob', $METRIC),                  403, 'no metric');
    is(status('bob', $DAYS),                    403, 'not the dataset\'s list');
    is_deeply($client{bob}->get('/api/resources/')->{json},
        { resources => [$name], next_cursor => undef }, 'it alone is listed');
    is(status('bob', "$DAYS?dataset=$name"), 403, 'a day is no dataset');
    is($client{bob}->get("/api/audit/version/?date=2026-05-19&dataset=$name/..")
          ->{status}, 403, 'nor the beginning of a path');
    grant('admin', 'bob', 'transaction_log/2026-05-*');
    is_deeply(
        $client{bob}->get('/api/resources/')->{json}{resources},
        [ map { "transaction_log/$_.json" } grep { /-05-/ } @DAYS ],
        'a prefix lists a month'
    );
    is(status('bob', day('2026-06-01')), 403, 'and not the next one');
    revoke('admin', 'bob', $_) for $name, 'transaction_log/2026-05-*';
};

subtest 'pages of the list hide what is hidden' => sub {
    grant('admin', 'bob', "$_/2026-05-19.json")
      for qw(transaction_log rawticker);
    my @seen;
    my $cursor = '';
    for (1 .. 5) {
        my $json = $client{bob}->get("/api/resources/?limit=1$cursor")->{json};
        push @seen, @{ $json->{resources} };
        last unless $json->{next_cursor};
        $cursor = "&cursor=$json->{next_cursor}";
    }
    is_deeply(
        \@seen,
        [ 'rawticker/2026-05-19.json', 'transaction_log/2026-05-19.json' ],
        'page by page'
    );
    is(scalar @seen, 2, 'and the last page does not promise another');
    my $first = $client{admin}->get('/api/resources/?limit=1')->{json}{next_cursor};
    my $json  = $client{bob}->get("/api/resources/?limit=1&cursor=$first")->{json};
    is_deeply($json->{resources}, ['rawticker/2026-05-19.json'],
        'a cursor of somebody else shows nothing more');
    my ($mine, $all) =
      map { $client{$_}->get('/api/resources/')->{headers}{etag} } qw(bob admin);
    isnt($mine, $all, 'who sees other days gets another ETag');
    is($client{bob}->get('/api/resources/', headers => { 'If-None-Match' => $all })
          ->{status},
        200, 'and no 304 for it');
    my $day = day('2026-05-19');
    isnt($client{bob}->get($day)->{headers}{etag},
        $client{admin}->get($day)->{headers}{etag},
        'the validator of a day depends on the grants, too');
    is($client{bob}->get($day, headers =>
              { 'If-None-Match' => $client{bob}->get($day)->{headers}{etag} })
          ->{status},
        304, '... and holds while they do');
    revoke('admin', 'bob', "$_/2026-05-19.json")
      for qw(transaction_log rawticker);
    is($client{bob}->get('/api/resources/', headers => { 'If-None-Match' => $mine })
          ->{status},
        200, 'nor for what was listed before');
    is($client{bob}->get(day('2026-05-19'),
            headers => { 'If-None-Match' => '*' })->{status},
        403, 'access is decided before the validator');
};

subtest 'a grant ends by itself' => sub {
    my ($end, $given, $holds);
    for (1 .. 5) {    # it must be asked for while it holds
        $end   = int(time) + 2;
        $given = grant('admin', 'bob', 'transaction_log', 'read',
            expires_at => strftime '%Y-%m-%dT%H:%M:%SZ', gmtime $end);
        $holds = status('bob', $METRIC);
        last if time < $end;
    }
    like($given->{status}, qr/^20[01]$/, 'one of two seconds');
    is($holds, 200, 'holds');
    my $last = 0;    # when it was asked for the last time that it held
    wait_until('the grant is over', sub {
        my $asked = time;
        return 1 if status('bob', $METRIC) == 403;
        $last = $asked;
        return 0;
    });
    cmp_ok(time, '>=', $end, 'and is over');
    cmp_ok($last, '<', $end + 1, 'when it should be');
    my ($row) = @{ $client{bob}->get('/api/access/')->{json}{grants} };
    is($row->{resource}, 'transaction_log', 'its row is still listed');
    for my $past ('2020-01-01T00:00:00Z', '2020-01-01', 1_500_000_000) {
        my $answer = grant('admin', 'bob', 'rawticker', 'read', expires_at => $past);
        is($answer->{status}, 422, "an end at $past is 422");
        is($answer->{json}{errors}[0]{pointer}, '/expires_at', '... and named');
    }
    is(grant('admin', 'bob', 'rawticker', 'read', expires_at => undef)->{status},
        201, 'null is no end');
    revoke('admin', 'bob', $_) for qw(transaction_log rawticker);
};

subtest 'who may grant' => sub {
    is_refused(grant('alice', 'bob', 'transaction_log'),
        'grant(transaction_log,admin)', 'not everybody');
    is_refused(grant('alice', 'alice', 'transaction_log'),
        'grant(transaction_log,admin)', 'not to oneself');
    is(grant('admin', 'admin', 'transaction_log')->{status},
        403, 'not even an admin to himself');
    is_refused(revoke('alice', 'bob', 'transaction_log'),
        'grant(transaction_log,admin)', 'nor may everybody revoke');
    is_refused(grant('auditor', 'bob', 'transaction_log'),
        'grant(transaction_log,admin)', 'nor an auditor');
    is_refused(grant('alice', 'nobody.at.all', 'nothing'),
        'grant(nothing,admin)', 'and nobody learns who and what there is');
    is(grant('admin', 'carol', 'transaction_log', 'write')->{status},
        201, 'who holds write');
    is(grant('carol', 'bob', 'transaction_log')->{status}, 403, 'may not');
    is(grant('admin', 'carol', 'transaction_log', 'admin')->{status},
        200, 'who holds admin');
    is(grant('carol', 'bob', 'transaction_log')->{status}, 201, 'may');
    is(grant('carol', 'bob', 'transaction_log/2026-05-18.json', 'write')->{status},
        201, 'also a part');
    is(grant('carol', 'bob', 'transaction_log/2026-*')->{status},
        201, 'and a prefix inside');
    is_refused(grant('carol', 'bob', 'transaction_log*'),
        'grant(transaction_log*,admin)', 'not what reaches out of it');
    is_refused(grant('carol', 'bob', '*'), 'grant(*,admin)', 'nor everything');
    is_refused(grant('carol', 'bob', 'rawticker'),
        'grant(rawticker,admin)', 'nor something else');
    is_refused(grant('carol', 'bob', 'transaction_log', 'admin'),
        'role admin', 'nor level admin');
    is_refused(grant('carol', 'Carol', 'transaction_log', 'write'),
        'a grant by another account', 'nor to himself');
    is($client{carol}->get($METRIC)->{status}, 200, 'and reads himself');
    is(revoke('carol', 'bob', 'transaction_log')->{status}, 200, 'and takes back');
    is(revoke('carol', 'bob', "transaction_log/$_")->{status}, 200, "$_, too")
      for '2026-05-18.json', '2026-*';
    revoke('admin', 'carol', 'transaction_log');
    is(grant('carol', 'bob', 'transaction_log')->{status},
        403, 'and no more when it is gone');
};

subtest 'what is wrong is said in the order of the contract' => sub {
    for my $bad ('', 'A', '../x', 'a/b', 'a**', 'table:', "a\x{1}", 'x' x 300) {
        my $answer = grant('admin', 'bob', $bad);
        is($answer->{status}, 422, 'no resource: 422');
        is($answer->{json}{errors}[0]{pointer}, '/resource', '... and named');
    }
    is(grant('alice', 'bob', 'a b')->{status}, 422, '422 before 403');
    is(grant('admin', 'bob', 'transaction_log', 'owner')->{status},
        422, 'a level that is none');
    is(grant('admin', 'bob', 'transaction_log', 'read', role => 'admin')->{status},
        422, 'an unknown member');
    is($client{admin}->post($GRANT, {})->{status}, 422, 'nothing');
    is(scalar @{ $client{admin}->post($GRANT, {})->{json}{errors} },
        2, '... both are named');
    is(grant('admin', $_, 'transaction_log')->{status},
        404, "no account: '$_'")
      for 'nobody.at.all', 'bob ', 'b', "bob'--", 'bob%';
    for my $nothing (qw(nothing nothing/2026-05-18.json nothing* nothing/2026*
        table:nothing table:app_user))
    {
        is(grant('admin', 'bob', $nothing)->{status}, 404, "no $nothing");
    }
    for my $there (qw(rawticker raw* * table:ticker
        transaction_log/2099-01-01.json transaction_log/2099*))
    {
        is(grant('admin', 'bob', $there)->{status}, 201, "$there is there");
        is(revoke('admin', 'bob', $there)->{status}, 200, '... and gone');
    }
    is($client{admin}->request('POST', $GRANT, body => '{}',
            headers => { 'Content-Type' => 'text/plain' })->{status},
        415, 'another media type');
    is($client{admin}->get($GRANT)->{status}, 405, 'GET grants nothing');
    is($nobody->post($GRANT, {})->{status}, 401, '401 before all');
};

subtest 'the check explains' => sub {
    my $ask = sub {
        my ($who, %body) = @_;
        return $client{$who}->post($CHECK, \%body);
    };
    my $none = { kind => 'none', resource => undef, access => undef, expires_at => undef };
    is_deeply(
        $ask->('dave', resource => 'transaction_log')->{json},
        {
            allowed  => JSON::PP::false(),
            username => 'dave',
            resource => 'transaction_log',
            access   => 'read',
            rule     => $none,
            missing  => $READ
        },
        'nothing'
    );
    grant('admin', 'dave', 'transaction_log/2026-05-*', 'write',
        expires_at => '2999-01-01');
    is_deeply(
        $ask->('dave', resource => 'transaction_log/2026-05-18.json')->{json},
        {
            allowed  => JSON::PP::true(),
            username => 'dave',
            resource => 'transaction_log/2026-05-18.json',
            access   => 'read',
            rule     => {
                kind       => 'grant',
                resource   => 'transaction_log/2026-05-*',
                access     => 'write',
                expires_at => '2999-01-01T00:00:00.000000Z'
            },
            missing => undef
        },
        'a grant'
    );
    is($ask->('admin', resource => '*', access => 'admin')->{json}{rule}{kind},
        'role', 'the role');
    is($ask->('dave', resource => 'table:ticker')->{json}{rule}{kind},
        'public', 'what anybody may read');
    is($ask->('dave', resource => 'table:ticker', access => 'write')
          ->{json}{missing}, 'grant(table:ticker,write)', '... and not write');
    is($ask->('dave', resource => 'rawticker')->{json}{allowed},
        JSON::PP::false(), '... nor its dataset in the lake');
    is_refused($ask->('dave', resource => 'transaction_log', username => 'alice'),
        'role admin', 'another account needs an admin');
    is($ask->('dave', resource => 'transaction_log', username => 'Dave')->{status},
        200, 'oneself does not');
    my $json = $ask->(
        'admin',
        resource => 'transaction_log/2026-05-01.json',
        access   => 'write',
        username => 'dave'
    )->{json};
    is($json->{allowed} && $json->{username}, 'dave', 'who may ask is told');
    is($ask->('admin', resource => 'transaction_log', username => 'no.one')
          ->{status}, 404, 'an account that is not there');
    is($ask->('admin', resource => 'nothing')->{status},
        404, 'a dataset that is not there');
    is($ask->('dave', resource => 'nothing')->{status},
        200, '... but only for who sees all');
    is($ask->('dave', resource => 'a b')->{status}, 422, 'no resource');
    $stack->ctl(qw(user disable carol));
    $json = $ask->('admin', resource => 'transaction_log', username => 'carol')
      ->{json};
    is($json->{missing}, 'an active account', 'a disabled account may nothing');
    $stack->ctl(qw(user enable carol));
    revoke('admin', 'dave', 'transaction_log/2026-05-*');
};

subtest 'the list of grants' => sub {
    my @all = (
        [ alice => 'rawticker' ], [ alice => 'transaction_log' ],
        [ bob   => 'transaction_log' ], [ dave => '*' ]
    );
    grant('admin', @$_) for @all;
    my $rows = sub {
        my ($who, $query) = @_;
        my $json = $client{$who}->get('/api/access/' . ($query // ''))->{json};
        return [ map { [ @$_{qw(username resource)} ] } @{ $json->{grants} } ];
    };
    is_deeply($rows->('admin'), \@all, 'is by username and resource');
    is_deeply($rows->('admin', '?user=alice'), [ @all[ 0, 1 ] ], 'of one account');
    is_deeply($rows->('admin', '?user=nobody'), [], 'of none');
    is_deeply($rows->('admin', '?resource=transaction_log'),
        [ @all[ 1, 2 ] ], 'of one resource');
    is_deeply($rows->('admin', '?resource=transaction_log&user=bob'),
        [ $all[2] ], 'of both');
    is_deeply($rows->('bob'), [ $all[2] ], 'one\'s own without role admin');
    is_deeply($rows->('bob', '?user=bob'), [ $all[2] ], '... named or not');
    is_deeply($rows->('auditor'), [], 'an auditor, too');
    is_refused($client{bob}->get('/api/access/?user=alice'),
        'role admin', 'not another\'s');
    is_refused($client{bob}->get('/api/access/?user=alice&nonsense=1'),
        'role admin', '... which comes before other parameters');
    # A filter must not bend the order of a later list on its connection.
    for (1 .. 30) {
        $rows->('admin', '?resource=transaction_log');
        my $list = $rows->('admin');
        is_deeply($list, \@all, 'a list after a filtered one') or last
          if $_ == 30 || "@{[map { @$_ } @$list]}" ne "@{[map { @$_ } @all]}";
    }
    my @seen;
    my $cursor = '';
    do {
        my $json = $client{admin}->get("/api/access/?limit=1$cursor")->{json};
        push @seen, map { [ @$_{qw(username resource)} ] } @{ $json->{grants} };
        $cursor = $json->{next_cursor} ? "&cursor=$json->{next_cursor}" : '';
    } while ($cursor && @seen < 9);
    is_deeply(\@seen, \@all, 'page by page, each once');
    my $foreign = $client{admin}->get('/api/access/?limit=1')->{json}{next_cursor};
    is($client{bob}->get("/api/access/?limit=1&cursor=$foreign")->{status},
        400, 'a cursor of another account is 400');
    is($client{admin}->get("/api/access/?limit=$_")->{status}, 400, "limit=$_")
      for 0, -1, 1001, 'x';
    revoke('admin', @$_) for @all;
};

subtest 'an account with more grants than the mirror keeps' => sub {
    $db->run('INSERT INTO access_grant (user_id, resource, access, granted_at)'
          . " SELECT u.id, CONCAT('a', LPAD(n.id, 20, '0')), 'read',"
          . ' UTC_TIMESTAMP(6) FROM app_user u JOIN (SELECT a.a * 10 + b.a AS id'
          . ' FROM (' . join(' UNION ', map { "SELECT $_ AS a" } 0 .. 9) . ') a'
          . ' JOIN (' . join(' UNION ', map { "SELECT $_ AS a" } 0 .. 9)
          . ") b) n WHERE u.username = 'many'");
    is(status('many', $METRIC), 403, 'a hundred others do not help');
    is(grant('admin', 'many', 'transaction_log')->{status}, 201, 'the last one');
    is(status('many', $METRIC), 200, 'is found');
    is(scalar @{ $client{many}->get('/api/resources/')->{json}{resources} },
        4, 'also for the list');
    is($client{many}->post($CHECK, { resource => 'transaction_log' })->{json}{allowed},
        JSON::PP::true(), 'and the check');
    is(revoke('admin', 'many', 'transaction_log')->{status}, 200, 'and when it is taken');
    is(status('many', $METRIC), 403, 'it is gone');
};

subtest 'consent' => sub {
    grant('admin', 'dave', '*');
    is(status('dave', $METRIC), 200, 'while it stands');
    $db->run("UPDATE app_user SET consent_given = FALSE WHERE username = 'dave'");
    $stack->grant('dave', '*');    # tells the mirrors
    wait_until('it is known', sub { status('dave', $METRIC) != 200 });
    for my $path ($METRIC, $DAYS, day('2026-05-18'), '/api/resources/',
        '/api/access/', '/metrics')
    {
        my $answer = $client{dave}->get($path);
        is($answer->{status}, 403, "withdrawn, $path is refused");
        is(type_of($answer), 'consent-required', '... for that reason');
        is($answer->{json}{errors}[0]{code}, 'consent-required', '... by its code');
    }
    is($client{dave}->get('/health/live')->{status}, 200, 'public routes are open');
    my $own = $client{dave}->get('/user/me')->{status};
    isnt($own, 403, 'and his own data can be reached');
    $db->run("UPDATE app_user SET consent_given = TRUE WHERE username = 'dave'");
    $stack->grant('dave', '*');
    ok(wait_until('it is known again', sub { status('dave', $METRIC) == 200 }),
        'given again, all is as before');
    revoke('admin', 'dave', '*');
};

subtest 'a right is gone with the next request in every child' => sub {
    my @open = map { $stack->client('alice') } 1 .. 40;
    for my $round (1 .. 5) {
        grant('admin', 'alice', 'transaction_log');
        my @got = map { $_->get($METRIC)->{status} } @open;
        is(scalar(grep { $_ == 200 } @got), 40, "round $round: 40 connections read");
        revoke('admin', 'alice', 'transaction_log');
        @got = map { $_->get($METRIC)->{status} } @open;
        is(scalar(grep { $_ == 403 } @got), 40, '... and none more');
    }
};

subtest 'while the warehouse is away' => sub {
    grant('admin', 'alice', 'transaction_log');
    # An account whose change is being read when the database goes is forgotten:
    # this returns when every server knows the change before it, too.
    $stack->ctl(qw(user role dave auditor));
    is(status('alice', day('2026-05-18')), 200, 'a known account');
    $db->{process}->signal('STOP');
    is(status('alice', day('2026-05-18')), 200, 'goes on reading the lake');
    is(status('alice', day('2026-05-18', 'rawticker')), 403, 'with its rights alone');
    my $answer = grant('admin', 'bob', 'transaction_log');
    is($answer->{status}, 503, 'nothing is granted');
    is(type_of($answer), 'warehouse-unavailable', '... for that reason');
    is(status('many', $METRIC), 503,
        'who has to be asked for is not let in, nor refused');
    $db->{process}->signal('CONT');
    wait_until('the warehouse is back', sub { status('many', $METRIC) != 503 });
    is($db->value("SELECT COUNT(*) FROM access_grant g JOIN app_user u"
              . " ON u.id = g.user_id WHERE u.username = 'bob'"),
        0, 'nothing has changed');
    # A child that has not heard of it yet says 503.
    wait_until('it is taken back',
        sub { revoke('admin', 'alice', 'transaction_log')->{status} == 200 });
};

# Seconds until CODE was asked and true.
sub seconds_until {
    my ($code) = @_;
    my $watch = DataLake::Stopwatch->new;
    my $asked;
    wait_until('a change is known', sub { $asked = $watch->seconds; return $code->() });
    return $asked;
}

# The middle one of three was less than a second; a busy machine may be late
# once.
sub within_a_second {
    my ($sentence, @seconds) = @_;
    return cmp_ok((sort { $a <=> $b } @seconds)[1], '<', 1, $sentence);
}

subtest 'what has changed on another server holds within a second' => sub {
    my $other = $stack->start_other_httpd;
    my $there = $other->client(token => $client{alice}{token});
    is($there->get($METRIC)->{status}, 403, 'the other server refuses');
    my (@given, @taken, @role);
    for my $round (1 .. 3) {
        grant('admin', 'alice', 'transaction_log');
        push @given, seconds_until(sub { $there->get($METRIC)->{status} == 200 });
        revoke('admin', 'alice', 'transaction_log');
        push @taken, seconds_until(sub { $there->get($METRIC)->{status} != 200 });
        $stack->ctl(qw(user role alice admin));
        push @role, seconds_until(sub { status('alice', $METRIC) == 200 });
        $stack->ctl(qw(user role alice user));
        is(status('alice', $METRIC), 403, 'a role is taken when datalakectl has returned');
    }
    within_a_second('a right is given within a second',      @given);
    within_a_second('... and taken',                         @taken);
    within_a_second('a role given by datalakectl, too', @role);
    $other->stop;
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/,
    'no child has crashed');

done_testing;
