# 46-audit.t - the audit log as it is asked: what is logged, filters, pages,
# formats, who may read it, and how it gets into the warehouse.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use Time::Local qw(timegm);
use Time::HiRes qw(sleep time);
use DataLake::AuditLog;
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;

my $stack = DataLake::Stack->new(
    name    => '46-audit',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    daemons => ['datalake-jobs'],
    users   => { (map { ($_ => 'user') } qw(alice bob)), auditor => 'auditor' },
);
my %client = map { ($_ => $stack->client($_)) } qw(admin auditor alice bob);
my $nobody = $stack->client;
my $db     = $stack->mariadb->dbh;
my $LOG    = '/api/audit/';
my $ACCESS = '/api/audit/access-log/';
my @JSON   = (headers => [ 'Content-Type', 'application/json' ]);
my @FORM =
  (headers => [ 'Content-Type', 'application/x-www-form-urlencoded' ]);

# A day in the lake, without a broker.
{
    my $us     = 1_000_000 * `date -u -d 2026-05-18 +%s`;
    my @record = (
        '{"id":"A","n":1.50,"who":{"name":"x,y","city":{"zip":"=1+1"}}}',
        '{"id":"B","tags":["a",{"b":1}],"who":{"name":"-z"},"n":-2}',
        '{"id":"C","text":"l1\nl2\"q\"","who":null}',
    );
    my $script = '';
    $script .= "R 0 $_ " . ($us + $_) . " $record[$_]\n" for 0 .. $#record;
    spit("$stack->{dir}/script", "${script}C 1780400000000000\n");
    my $out = qx($DataLake::Stack::BUILD/tools/lake_driver $stack->{dir}/lake transaction_log $stack->{dir}/script 2>&1);
    is($?, 0, 'given a day of three records') or diag $out;
}

sub id_of { my ($answer) = @_; return $answer->{headers}{'x-request-id'}; }

# The entry of the request that got ANSWER, as the route tells it; undef when
# it does not come.
sub entry_of {
    my ($answer) = @_;
    my $id = id_of($answer);
    eval {
        wait_until('an entry', sub { return defined action_of($answer) }, 60);
        1;
    } or return;
    my $page = $client{auditor}->get("$LOG?limit=1000")->{json};
    my ($entry) = grep { $_->{request_id} eq $id } @{ $page->{results} };
    return $entry;
}

# TIME as seconds.
sub seconds {
    my ($year, $month, $day, $h, $m, $s) = $_[0] =~ /^(\d+)-(\d\d)-(\d\d)T(\d\d):(\d\d):([\d.]+)Z/;
    return timegm(0, $m, $h, $day, $month - 1, $year) + $s;
}

sub action_of {
    my ($answer) = @_;
    return scalar $db->selectrow_array(
        'SELECT action FROM datalake.audit_entry WHERE request_id = ?',
        undef, id_of($answer));
}

# --- What is logged --------------------------------------------------------------

my @took;    # seconds until entries were there
subtest 'every request of a known caller is an entry within 2 seconds' => sub {
    my %wanted = (
        'a read'         => [ 'GET', '/api/audit/version/?date=2026-05-18', 'admin', 200 ],
        'a refused read' => [ 'GET', '/api/audit/version/?date=2026-05-18', 'alice', 403 ],
        'an absent day'  => [ 'GET', '/api/audit/version/?date=2020-01-01', 'admin', 404 ],
        'a bad query'    => [ 'GET', '/api/resources/?limit=x', 'alice', 400 ],
        'HEAD'           => [ 'HEAD', '/api/resources/', 'alice', 200 ],
    );
    for my $name (sort keys %wanted) {
        my ($method, $path, $who, $status) = @{ $wanted{$name} };
        my $answer = $client{$who}->request($method, $path);
        my $watch  = DataLake::Stopwatch->new;
        is($answer->{status}, $status, "$name is $status");
        my $entry = entry_of($answer) // {};
        push @took, $watch->seconds;
        is($entry->{status}, $status, '... and its entry says so');
        is($entry->{method}, $method, '... the method');
        is($entry->{user},   $who,    '... the caller');
        (my $plain = $path) =~ s/\?.*//;
        is($entry->{endpoint}, $plain, '... the path');
        is($entry->{bytes}, $method eq 'HEAD' ? 0 : length $answer->{body}, '... the bytes');
    }
    # Each second they are looked for; a busy machine may be late with one.
    cmp_ok((sort { $a <=> $b } @took)[ @took / 2 ], '<', 2, 'in time');
};

subtest 'an entry has the members of the contract' => sub {
    my $answer = $client{admin}->get('/api/audit/version/?date=2026-05-18&meta=true');
    my $entry  = entry_of($answer);
    is(join(',', sort keys %$entry), join(',', sort qw(id timestamp user user_id address method
        endpoint query_params body resource status bytes duration_ms request_id)), 'these and no others');
    is_deeply($entry->{query_params}, { date => '2026-05-18', meta => 'true' }, 'the query as an object');
    is($entry->{resource}, 'transaction_log/2026-05-18.json', 'what was accessed');
    is($entry->{address}, '127.0.0.1', 'the address');
    is($entry->{body}, undef, 'no body is null');
    like($entry->{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'the time');
    ok($entry->{user_id} > 0 && $entry->{id} > 0 && $entry->{duration_ms} >= 0, 'numbers');
};

subtest 'log-ins, changes and grants are entries, with their action' => sub {
    my $right = $nobody->post('/user/login',
        JSON::PP::encode_json({ username => 'alice', password => $stack->secret('user-alice') }), @JSON);
    is($right->{status}, 200, 'a log-in');
    my $wrong = $nobody->post('/token', 'username=nobody.here&password=wrong-one', @FORM);
    is($wrong->{status}, 401, 'a wrong log-in');
    my $grant = $client{admin}->post('/api/access/grant/', { username => 'alice', resource => 'transaction_log' });
    is($grant->{status}, 201, 'a grant');
    my $check = $client{alice}->post('/api/access/check/', { resource => 'transaction_log' });
    is($check->{status}, 200, 'a check');
    my $revoke = $client{admin}->post('/api/access/revoke/', { username => 'alice', resource => 'transaction_log' });
    is($revoke->{status}, 200, 'a revocation');
    my $change = $client{alice}->request('PATCH', '/user/me', body => { first_name => 'Alice' });
    is($change->{status}, 200, 'a change');
    my $new = $nobody->post('/user/register', { username => 'newcomer', password => 'a long password',
        email => 'n@example.org', consent_given => JSON::PP::true });
    is($new->{status}, 201, 'a registration');
    is(entry_of($right)->{user}, 'alice', 'the log-in names its user');
    like(entry_of($right)->{body}, qr/"password":"\*\*\*"/, '... and hides the password');
    is(entry_of($wrong)->{user}, 'nobody.here', 'the wrong one too');
    is(entry_of($wrong)->{body}, 'username=nobody.here&password=***', '... in a form');
    like(entry_of($new)->{body}, qr/"password":"\*\*\*"/, 'the registration hides its password');
    ok(entry_of($_), 'it is an entry') for $grant, $check, $revoke, $change;
    is(action_of($right),  'login', 'a log-in is login');
    is(action_of($wrong),  'login', 'a wrong one too');
    is(action_of($grant),  'grant', 'a grant is grant');
    is(action_of($revoke), 'grant', 'a revocation too');
    is(action_of($check),  'read',  'a check by POST is read');
    is(action_of($change), 'write', 'a change is write');
};

subtest 'what nobody known asks is no entry' => sub {
    my @answers = (
        $nobody->get('/api/resources/'), $nobody->get('/api/v1/health/'),
        $nobody->get('/health/live'),    $nobody->get('/nothing'),
        $client{alice}->request('OPTIONS', '/api/resources/'),
        $client{alice}->request('DELETE',  '/api/resources/'),
        $nobody->get('/api/resources/', token => 'no.to.ken'),
    );
    ok(entry_of($client{alice}->get('/api/resources/')), 'given a later entry');
    my %seen = map { ($_->{request_id} => 1) }
      DataLake::AuditLog->new(dir => $stack->audit_dir, key => slurp("$stack->{dir}/secrets/audit.key") =~ s/\n\z//r)
      ->read->entries;
    is(join(' ', map { $_->{status} } grep { $seen{ id_of($_) } } @answers), '', 'none of them');
};

subtest 'reading the log is logged' => sub {
    my $answer = $client{auditor}->get("$LOG?limit=1");
    my $entry  = entry_of($answer);
    is($entry->{endpoint}, $LOG,      'as a request of its own');
    is($entry->{user},     'auditor', 'by the auditor');
};

# --- Asking ------------------------------------------------------------------------

subtest 'only an auditor or an administrator reads it' => sub {
    for my $path ($LOG, $ACCESS) {
        is($nobody->get($path)->{status}, 401, "$path without a token");
        my $refused = $client{alice}->get($path);
        is($refused->{status}, 403, '... as user');
        is($refused->{json}{missing}, 'role auditor', '... which says what is missing');
        is($client{$_}->get($path)->{status}, 200, "... as $_") for qw(auditor admin);
        is($client{admin}->request($_, $path)->{status}, 405, "... $_ is not for it") for qw(POST PUT PATCH DELETE);
    }
};

subtest 'filters' => sub {
    my $all = sub { my ($query, $path) = @_;
        my $json = $client{auditor}->get(($path // $LOG) . "?limit=1000&$query")->{json};
        return ref $json eq 'ARRAY' ? @$json : @{ $json->{results} } };
    my @alice = $all->('user=alice');
    ok(@alice > 3, 'alice has entries');
    is(scalar(grep { $_->{user} ne 'alice' } @alice), 0, 'user= gives hers alone');
    my @day = $all->('resource=transaction_log/2026-05-18.json');
    ok(@day > 1, 'the day has entries');
    is(scalar(grep { $_->{resource} ne 'transaction_log/2026-05-18.json' } @day), 0, 'resource= gives its alone');
    my @post = $all->('method=POST');
    is(join(',', grep { $_ ne 'POST' } map { $_->{method} } @post), '', 'method= too');
    my @both = $all->('user=alice&resource=transaction_log/2026-05-18.json&method=GET');
    is(scalar(@both), scalar(grep { ($_->{resource} // '') eq 'transaction_log/2026-05-18.json' && $_->{method} eq 'GET' } @alice), 'all of them together');
    my $middle = $alice[1]{timestamp};
    is(scalar(grep { $_->{timestamp} lt $middle } $all->("user=alice&from=$middle")), 0, 'from= is included');
    ok(scalar(grep { $_->{timestamp} eq $middle } $all->("user=alice&from=$middle")), '... itself');
    is(scalar(grep { $_->{timestamp} ge $middle } $all->("user=alice&to=$middle")), 0, 'to= is not');
    is(scalar($all->('user=nobody.else')), 0, 'no entry is an empty page');
    my @access = $all->('', $ACCESS);
    is(join(',', sort keys %{ $access[0] }), 'action,resource,timestamp,user', 'an access has four members');
    is(scalar(grep { !defined $_->{resource} } @access), 0, 'and always a resource');
    my %bad = ('method=FETCH' => 'not-a-choice', 'from=yesterday' => 'not-a-time', 'from=2026-05-18T10:00:00' => 'time-zone-missing',
        'limit=0' => 'out-of-range', 'limit=1001' => 'out-of-range', 'x=1' => 'unknown', 'user=' => 'empty', 'cursor=abc' => 'cursor-invalid');
    for my $query (sort keys %bad) {
        my $answer = $client{auditor}->get("$LOG?$query");
        is($answer->{status}, 400, "$query is refused");
        is($answer->{json}{errors}[0]{code}, $bad{$query}, "... as $bad{$query}");
    }
};

subtest 'pages go from new to old and repeat nothing while entries are added' => sub {
    my ($n) = $db->selectrow_array('SELECT COUNT(*) FROM datalake.audit_entry');
    my (@ids, $cursor);
    for (1 .. 200) {
        my $answer = $client{auditor}->get("$LOG?limit=7" . ($cursor ? "&cursor=$cursor" : ''));
        push @ids, map { $_->{id} } @{ $answer->{json}{results} };
        $cursor = $answer->{json}{next_cursor};
        is(defined $cursor ? 1 : 0, ($answer->{headers}{link} // '') =~ /rel="next"/ ? 1 : 0, 'Link and next_cursor agree')
          if @ids <= 7 || !$cursor;
        last unless $cursor;
    }
    ok(@ids >= $n, 'all entries are given');
    is(join(',', @ids), join(',', sort { $b <=> $a } @ids), 'newest first');
    my %seen;
    is(scalar(grep { $seen{$_}++ } @ids), 0, 'none twice');
    my $first = $client{auditor}->get("$LOG?limit=2")->{json}{next_cursor};
    is($client{auditor}->get("$LOG?limit=3&cursor=$first")->{status}, 400, 'a cursor belongs to its parameters');
    is($client{auditor}->get("$ACCESS?limit=2&cursor=$first")->{status}, 400, '... and its list');
    my @time = map { $_->{timestamp} } @{ $client{auditor}->get("$LOG?limit=1000")->{json}{results} };
    my @order = sort { $b cmp $a } @time;
    my $late  = grep { seconds($order[$_]) - seconds($time[$_]) > 5 } 0 .. $#time;
    is($late, 0, 'the order of ids is the order of time, but for a disk that is slow for a moment');
};

subtest 'formats' => sub {
    my $csv = $client{auditor}->get("$LOG?limit=3&format=csv");
    is($csv->{headers}{'content-type'}, 'text/csv; header=present', 'CSV has its type');
    my @lines = split /\r\n/, $csv->{body};
    is($lines[0], 'id,timestamp,user,user_id,address,method,endpoint,query_params,body,resource,status,bytes,duration_ms,request_id', 'a header');
    is(scalar @lines, 4, 'and a line a row');
    like($csv->{headers}{link} // '', qr/rel="next"/, 'the next page is in Link');
    my $lines = $client{auditor}->get("$ACCESS?limit=2", headers => [ 'Accept', 'application/x-ndjson' ]);
    is($lines->{headers}{'content-type'}, 'application/x-ndjson', 'NDJSON by Accept');
    is(scalar(grep { eval { JSON::PP::decode_json($_)->{action} } } split /\n/, $lines->{body}), 2, 'an object a line');
    is($client{auditor}->get($LOG, headers => [ 'Accept', 'text/html' ])->{status}, 406, 'no other');
};

subtest 'CSV of a day' => sub {
    my $csv = $client{admin}->get('/api/audit/version/?date=2026-05-18&format=csv');
    is($csv->{status}, 200, 'is given');
    is($csv->{body}, join("\r\n",
        'id,n,who.name,who.city.zip,tags,text,who',
        'A,1.50,"x,y","\'=1+1",,,',
        'B,-2,"\'-z",,"[""a"",{""b"":1}]",,',
        "C,,,,,\"l1\nl2\"\"q\"\"\",", ''), 'nested names by dots, texts guarded, numbers as they were');
    ok($csv->{headers}{etag}, 'with an ETag');
    is($client{admin}->get('/api/audit/version/?date=2026-05-18&format=csv', headers => [ 'If-None-Match', $csv->{headers}{etag} ])->{status}, 304, '... that is honoured');
    my $meta = $client{admin}->get('/api/audit/version/?date=2026-05-18&format=csv&meta=true');
    like($meta->{body}, qr/_dl\.topic,_dl\.partition,_dl\.offset/, 'meta has columns too');
};

# --- Into the warehouse --------------------------------------------------------------

# Ids of N requests.
sub ask {
    my ($n) = @_;
    return map { id_of($client{alice}->get('/api/resources/')) } 1 .. $n;
}

# Wait until IDS are in the warehouse; how often each is there, summed up.
sub loaded {
    my ($seconds, @ids) = @_;
    my $in  = join ',', map { "'$_'" } @ids;
    my $sql = "SELECT COUNT(DISTINCT request_id), COUNT(*) FROM datalake.audit_entry WHERE request_id IN ($in)";
    my ($distinct, $all) = (0, 0);
    eval {
        wait_until('entries', sub {
            ($distinct, $all) = $stack->mariadb->dbh->selectrow_array($sql);
            return $distinct == @ids;
        }, $seconds);
    };
    return ($distinct, $all);
}

subtest 'a killed loader loads everything once' => sub {
    my @ids;
    for (1 .. 8) {
        push @ids, ask(40);
        sleep 0.2 + rand 0.4;
        $stack->daemon('datalake-jobs')->kill_now;
        $stack->start_daemon('datalake-jobs');
    }
    is_deeply([ loaded(60, @ids) ], [ scalar @ids, scalar @ids ], scalar(@ids) . ' entries, each once');
};

subtest 'two loaders give way to each other' => sub {
    my $first = $stack->daemon('datalake-jobs');
    $stack->start_daemon('datalake-jobs', arguments => [ '--name', 'second' ]);
    my @ids = ask(200);
    is_deeply([ loaded(60, @ids) ], [ 200, 200 ], 'each entry is there once');
    $stack->daemon('datalake-jobs')->stop;
    $stack->{daemon}{'datalake-jobs'} = $first;
    push @ids, ask(5);
    is_deeply([ loaded(60, @ids) ], [ 205, 205 ], '... and goes on when one ends');
};

subtest 'the log survives the warehouse' => sub {
    $stack->mariadb->{process}->kill_now;
    my $answer = $client{auditor}->get($LOG);
    is($answer->{status}, 503, 'without it the log cannot be asked');
    my @ids = ask(50);
    wait_until('lag is shown', sub {
        my ($lag) = $nobody->get('/metrics')->{body} =~ /^datalake_audit_lag_seconds (\S+)/m;
        return ($lag // 0) > 2;
    }, 60);
    ok(1, 'the lag of the log grows');
    $stack->start_mariadb;
    is_deeply([ loaded(60, @ids) ], [ 50, 50 ], 'and is loaded, each entry once, when it is back');
    like($stack->daemon_log('datalake-jobs'), qr/DL0752.*DL0753/s, 'both are in its log');
};

subtest 'heads of the chains' => sub {
    $stack->daemon('datalake-jobs')->stop;
    my $dbh = $stack->mariadb->dbh;
    my ($heads) = $dbh->selectrow_array('SELECT COUNT(*) FROM datalake.audit_head h JOIN datalake.audit_file f USING (chain, length, hash)');
    ok($heads > 0, 'are stored when the loader ends, too');
    my ($status, $out) = $stack->try_ctl('audit', 'verify', '--json');
    is($status, 0, 'and the log verifies') or diag $out;
    ok(JSON::PP::decode_json($out)->{heads} > 0, '... against them');
    ($status, $out) = $stack->try_ctl('audit', 'check');
    is($status, 2, 'another word is refused');
};

subtest 'datalake-jobs as a program' => sub {
    my ($status, $out) = $stack->try_program('datalake-jobs', '--help');
    is($status, 0, '--help');
    like($out, qr/audit log/, '... says what it does');
    unlike($out, qr/--datasets/, '... and no option of others');
    ($status, $out) = $stack->try_program('datalake-jobs', '-c', $stack->ini_file, '--check-config');
    is($status, 0, '--check-config') or diag $out;
    ($status, $out) = $stack->try_program('datalake-jobs', '-c', '/nonexistent.ini', '--check-config');
    is($status, 2, 'a missing file is 2');
};

done_testing;
