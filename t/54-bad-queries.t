# 54-bad-queries.t - The lines of contract 14 that are about queries, and what
# contract 3.3 says of /api/data/, asked literally.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Cursor qw(aged);
use DataLake::Process qw(spit wait_until);
use DataLake::Stack;

my $TOP = $DataLake::Stack::TOP;

# id, day of May 2026, members.
my @records = (
    [ 'TX12345', 18, '"amount":49.99,"payment_method":"paypal","location":{"country":"FR","city":"Paris"},"customer_rating":5' ],
    [ 'TX2', 18, '"amount":"40.00","payment_method":"paypal","location":{"country":"DE"},"customer_rating":3' ],
    [ 'TX3', 18, '"amount":100,"payment_method":"card","discount_code":null,"customer_rating":4' ],
    [ 'TX4', 19, '"amount":4e1,"payment_method":"PayPal","discount_code":"Summer"' ],
    [ 'TX5', 20, '"amount":9.999,"payment_method":"cash","discount_code":"SUMMER sale"' ],
);
my $offset = 0;
mkdir "$TOP/build/t";
my $source = "$TOP/build/t/54-bad-queries-source";
spit($source, join '', map {
        sprintf "0 %d %d %s\t%s\n", $offset++, 1_779_408_000_000, $_->[0],
          qq({"transaction_id":"$_->[0]","timestamp":"2026-05-$_->[1]T09:30:00Z",$_->[2]})
} @records);

my $stack = DataLake::Stack->new(
    name    => '54-bad-queries',
    mariadb => 1,
    httpd   => 1,
    daemons => ['datalake-lake'],
    users   => { alice => 'user', bob => 'user', root => 'admin' },
    grants  => { alice => ['transaction_log'] },
    ini     => { kafka => { brokers => "file:$source" } },
);
my ($alice, $bob, $root) = map { $stack->client($_) } qw(alice bob root);
wait_until('all records', sub { ($alice->get('/api/data/')->{json}{count} // 0) == @records }, 60);

sub code { my ($answer) = @_; return "$answer->{status} " . ($answer->{json}{errors}[0]{code} // '-'); }

# The ids that the query finds.
sub ids {
    my ($query) = @_;
    my $answer = $alice->get("/api/data/?$query");
    return $answer->{status} == 200
      ? join(' ', map { $_->{transaction_id} } @{ $answer->{json}{results} })
      : code($answer);
}

subtest 'the example of 3.3' => sub {
    my $answer = $alice->get('/api/data/?payment_method=paypal&amount__gt=40&fields=transaction_id,amount&page=1');
    is($answer->{status}, 200, 'is 200');
    is($answer->{body},
        '{"count":1,"next":null,"previous":null,"results":[{"transaction_id":"TX12345","amount":49.99}],"next_cursor":null}',
        'and answers as written');
};

subtest 'the parameters of 3.3' => sub {
    is(ids(''), 'TX12345 TX2 TX3 TX4 TX5', 'by date and line');
    is(ids('resource=transaction_log/2026-05-19.json'), 'TX4', 'resource may be a day');
    is($root->get('/api/data/?resource=nothing_here')->{status}, 404, 'an unknown resource is 404');
    is($root->get('/api/data/?resource=transaction_log/2026-05-01.json')->{status}, 404, 'so is an unknown day');
    is(code($root->get('/api/data/?resource=../../etc/passwd')), '400 not-a-resource', 'bad text is 400');
    is(ids('page=2&page_size=2'), 'TX3 TX4', 'page and page_size');
    is(ids('page=2&limit=2'), 'TX3 TX4', 'limit is page_size');
    is($alice->get('/api/data/?fields=transaction_id,location.country&page_size=1&format=ndjson')->{body},
        qq({"transaction_id":"TX12345","location":{"country":"FR"}}\n), 'fields are dotted names');
    is(ids('sort=amount'), 'TX5 TX2 TX4 TX12345 TX3', 'sort');
    is(ids('sort=-amount'), 'TX3 TX12345 TX2 TX4 TX5', 'and the other way, equal ones by date and line');
    is($alice->get("/api/data/?payment_method=paypal&count=$_->[0]")->{json}{count}, $_->[1], "count=$_->[0]")
      for [ auto => 2 ], [ exact => 2 ], [ none => undef ];
    is($alice->get('/api/data/?meta=true&page=5&page_size=1')->{json}{results}[0]{_dl}{resource},
        'transaction_log/2026-05-20.json', 'meta');
};

subtest 'the filters of 3.3' => sub {
    my @cases = (
        [ 'amount=40',                 'TX2 TX4',         'numbers compare as decimals, text in number syntax too' ],
        [ 'amount__gt=40',             'TX12345 TX3',     'gt' ],
        [ 'amount__gte=40.0',          'TX12345 TX2 TX3 TX4', 'gte' ],
        [ 'amount__lt=10',             'TX5',             'lt, not by text' ],
        [ 'amount__lte=40',            'TX2 TX4 TX5',     'lte' ],
        [ 'amount__ne=40',             'TX12345 TX3 TX5', 'ne' ],
        [ 'amount__in=100,40',         'TX2 TX3 TX4',     'in takes a comma list' ],
        [ 'amount_gt=49.98',           'TX12345 TX3',     '_gt of amount' ],
        [ 'amount_lt=10',              'TX5',             '_lt' ],
        [ 'amount_eq=100.00',          'TX3',             '_eq' ],
        [ 'rating_gt=3',               'TX12345 TX3',     '_gt of rating' ],
        [ 'customer_rating_lt=4',      'TX2',             '_lt of customer_rating' ],
        [ 'rating=5',                  'TX12345',         'rating is customer_rating' ],
        [ 'country=DE',                'TX2',             'country is location.country' ],
        [ 'country=de',                '',                'text knows case' ],
        [ 'payment_method__gt=card',   'TX12345 TX2 TX5', 'text is ordered by code point' ],
        [ 'payment_method__contains=AYPA', 'TX12345 TX2 TX4', 'contains ignores case' ],
        [ 'discount_code__ne=x',       'TX12345 TX2 TX3 TX4 TX5', 'missing and null match ne' ],
        [ 'discount_code__contains=summer', 'TX4 TX5',    'and nothing else' ],
        [ 'timestamp__gte=2026-05-19', 'TX4 TX5',         'times as times' ],
        [ 'timestamp__lte=2026-05-19', 'TX12345 TX2 TX3 TX4', 'a day takes itself in' ],
        [ 'timestamp=1779096600',      'TX12345 TX2 TX3', 'unix seconds' ],
        [ 'timestamp=1779096600000',   'TX12345 TX2 TX3', 'and milliseconds' ],
        [ 'payment_method=paypal&country=FR', 'TX12345',  'joined with AND' ],
        [ 'colour=red',                '400 unknown-field', 'an unknown field is 400' ],
        [ 'fields=colour',             '400 unknown-field', 'in fields too' ],
        [ 'sort=colour',               '400 unknown-field', 'and in sort' ],
        [ 'amount=much',               '400 not-a-number',  'a value of the wrong type is 400' ],
        [ 'timestamp__gt=yesterday',   '400 not-a-time',    'of times too' ],
        [ 'timestamp__gt=2026-05-18T00:00:00', '400 time-zone-missing', 'and times without zone' ],
    );
    is(ids($_->[0]), $_->[1], "$_->[0]: $_->[2]") for @cases;
};

subtest 'x, limit, page, minutes = 0, -1, 1.5, abc, 1e3, non-ASCII digits, 2^64, empty, twice' => sub {
    for my $at ('/api/metrics/top-products/?x', '/api/metrics/total-by-user/?limit', '/api/data/?page', '/api/data/?limit',
        '/api/data/?page_size', '/api/metrics/last-5min/?minutes', '/api/resources/?limit', '/api/audit/resources/?limit',
        '/api/fulltext_search/paypal?limit', '/api/search/?q=paypal&limit')
    {
        my ($name) = $at =~ /(\w+)$/;
        for my $value ('0', '-1', '1.5', 'abc', '1e3', '%D9%A3', '18446744073709551616', '', "5&$name=5") {
            my $answer = $alice->get("$at=$value");
            is($answer->{status}, 400, "$at=$value is 400");
            like($answer->{json}{type}, qr{/problems/invalid-parameter$}, '... as invalid-parameter')
              if $value eq '0';
        }
    }
};

subtest 'any parameter on a route that has none' => sub {
    for my $path (qw(/user/me /user/me/consent /v1/me/quota /health/live /.well-known/jwks.json /openapi.json)) {
        is($alice->get("$path?x=1")->{status}, 400, "$path?x=1 is 400");
    }
};

subtest 'date missing, not YYYY-MM-DD, not a calendar day, ../' => sub {
    is($alice->get("/api/audit/version/$_")->{status}, 400, "$_ is 400")
      for '', '?date=', '?date=2026-5-18', '?date=2026-02-30', '?date=../', '?date=18.05.2026';
    for my $file (qw(2026-5-18.json 2026-02-30.json ../ 2026-05-18)) {
        is($alice->get("/api/data/?resource=transaction_log/$file")->{status}, 400, "resource=transaction_log/$file is 400");
    }
    is($alice->get('/api/audit/version/?date=2026-05-01')->{status}, 404, 'a valid day without data is 404');
    is($alice->get('/api/data/?resource=transaction_log/2026-05-01.json')->{status}, 404, '... in /api/data/ too');
    is($bob->get($_)->{status}, 403, "$_ without grant is 403")
      for '/api/audit/version/?date=2026-05-18', '/api/audit/version/?date=2026-05-01',
      '/api/data/?resource=transaction_log/2026-05-18.json', '/api/data/?resource=transaction_log/2026-05-01.json', '/api/data/';
};

subtest 'search text empty, > 256 bytes, bad UTF-8, NUL' => sub {
    is($alice->get("/api/search/?q=$_->[0]")->{status}, 400, "$_->[1] is 400")
      for [ '', 'empty' ], [ 'a' x 257, 'too long' ], [ '%FF', 'bad UTF-8' ], [ 'a%00', 'NUL' ];
    is($alice->get("/api/fulltext_search/$_->[0]")->{status}, $_->[2], "$_->[1] in the path is $_->[2]")
      for [ '', 'empty', 404 ], [ 'a%00', 'NUL', 404 ], [ 'a' x 257, 'too long', 400 ], [ '%FF', 'bad UTF-8', 400 ];
};

subtest 'tampered, foreign or old cursor; offset > 10000' => sub {
    my $query  = '/api/data/?page_size=2';
    my $cursor = $alice->get($query)->{json}{next_cursor};
    is($alice->get("$query&cursor=$cursor")->{status}, 200, 'a cursor leads on');
    (my $tampered = $cursor) =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/e;
    is(code($alice->get("$query&cursor=$_->[0]")), '400 cursor-invalid', "$_->[1] is cursor-invalid")
      for [ $tampered, 'a tampered one' ], [ substr($cursor, 0, 20), 'a part of one' ], [ 'x', 'nonsense' ];
    is(code($alice->get("/api/data/?page_size=3&cursor=$cursor")), '400 cursor-invalid', 'so is one of another list');
    is(code($alice->get("$query&status=failed&cursor=$cursor")), '400 cursor-invalid', '... of other filters');
    is(code($alice->get("$query&sort=amount&cursor=$cursor")), '400 cursor-invalid', '... of another order');
    my $sorted = $alice->get("$query&sort=amount")->{json}{next_cursor};
    is(code($alice->get("$query&cursor=$sorted")), '400 cursor-invalid', '... and the other way round');
    is(code($alice->get("/api/search/?q=paypal&cursor=$cursor")), '400 cursor-invalid', '... of another route');
    is(code($alice->get("$query&page=2&cursor=$cursor")), '400 exclusive', 'page and cursor exclude each other');
    my $deep = $alice->get('/api/data/?page=10001&page_size=1&payment_method=paypal');
    is(code($deep), '400 use-cursor', 'beyond 10000 a cursor is to be used');
    my ($url) = $deep->{json}{detail} =~ m{(/api/data/\S+)};
    is($alice->get($url =~ s/\.$//r)->{status}, 200, 'detail has the URL with it');
    is(code($alice->get('/api/data/?page=2147483647&page_size=1000&sort=amount')), '400 use-cursor', 'however deep');
};

subtest 'a cursor older than 24 hours' => sub {
    my %bound = (
        '/api/data/?page_size=2'              => [ '/api/data/', 'transaction_log', 2, '', '', 'auto', 'false' ],
        '/api/data/?page_size=1&payment_method=paypal' =>
          [ '/api/data/', 'transaction_log', 1, '', '', 'auto', 'false', 'payment_method=paypal' ],
        '/api/data/?page_size=2&sort=-amount' => [ '/api/data/', 'transaction_log', 2, '', '-amount', 'auto', 'false' ],
        '/api/search/?q=paypal&limit=1'       => [ '/api/search/', 'paypal', '', '', 'false', 1 ],
    );
    for my $query (sort keys %bound) {
        my ($route, @parameters) = @{ $bound{$query} };
        my @of     = ($route, join "\x1f", @parameters);
        my $cursor = $alice->get($query)->{json}{next_cursor};
        my $now    = aged($stack, $cursor, @of, 0);
        ok(defined $now, "$query: we can sign as the server does") or next;
        my $next = $alice->get("$query&cursor=$cursor")->{json}{results};
        is_deeply($alice->get("$query&cursor=" . aged($stack, $cursor, @of, 86_340))->{json}{results},
            $next, '... a minute before its 24 hours are over it leads on');
        is(code($alice->get("$query&cursor=" . aged($stack, $cursor, @of, $_->[0]))), '400 cursor-invalid', "... $_->[1]")
          for [ 86_460, 'a minute after, it is cursor-invalid' ], [ 30 * 86_400, 'a month after, too' ],
          [ -3600, 'and one of the future' ];
    }
};

subtest 'NaN, Infinity, 1e400' => sub {
    for my $value (qw(NaN nan Infinity -Infinity inf 1e400 -1e400 0x10 1. .5 +1 %D9%A3)) {
        is($alice->get("/api/data/?amount__gt=$value")->{status}, 400, "amount__gt=$value is 400");
        is($alice->get("/api/data/?amount__in=1,$value")->{status}, 400, '... in a list too');
    }
};

subtest 'the route itself' => sub {
    is($alice->get('/api/data')->{status}, 200, 'the final slash is optional');
    my $other = $alice->request('POST', '/api/data/', body => '{}', headers => { 'Content-Type' => 'application/json' });
    is($other->{status}, 405, 'reads answer GET alone');
    like($other->{headers}{allow}, qr/\bGET\b/, '... and Allow says so');
};

$stack->stop;
done_testing;
