# f10-access-matrix.t - every route x caller x method x object answers as the
# contract's table of classes says; a right that is taken is gone with the
# next request; nothing tells of what is hidden.
#
# What is expected is worked out here from t/lib/contract-routes.tsv, the
# contract's own list, and not from the module's table: that one is compared
# with it first, row by row.  Each request carries a parameter that no route
# has: access is decided before parameters, so whoever may gets exactly 400
# and nothing changes, and whoever may not gets 401 or 403.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(hmac_sha256);
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use Time::HiRes qw(sleep time);
use DataLake::Figure qw(figure run_number);
use DataLake::Httpd;
use DataLake::Process qw(slurp spit);
use DataLake::Routes qw(routes);
use DataLake::Stack;
use DataLake::Stopwatch;

my $TOP     = $DataLake::Stack::TOP;
my @METHODS = qw(GET HEAD POST PUT PATCH DELETE OPTIONS TRACE);

# --- The law ----------------------------------------------------------------------

# {"METHOD path" => class} as the contract lists them.
sub contract {
    my %class;
    for (split /\n/, slurp("$FindBin::Bin/lib/contract-routes.tsv")) {
        my ($method, $path, $class) = split /\t/;
        $class{"$method $path"} = $class if $method ne 'method';
    }
    return \%class;
}

# What a row of the module's table says, in the words of the contract.
sub words_of {
    my ($route) = @_;
    my %word = (
        PUBLIC  => 'public',  ANONYMOUS => 'anonymous', USER => 'user',
        AUDITOR => 'auditor', ADMIN     => 'admin',     SCRAPER => 'admin'
    );
    return $word{ $route->{class} } if $word{ $route->{class} };
    my $level = $route->{class} eq 'WRITE' ? 'write' : 'read';
    my $text  = join '+',
      map { s/\|table$//r } split / \+ /, $route->{resource} // '';
    $text =~ s/([^+]+)/grant($1,$level)/g;
    return $route->{class} eq 'READ_OR_AUDITOR' ? "$text|auditor"
      : $route->{class} =~ /^(?:READ|WRITE)$/   ? $text
      :                                           'nobody';
}

# --- The callers ------------------------------------------------------------------

# Name => [token: none, good or bad; role; grants as [resource, level]].
my %CALLER = (
    'none'          => ['none'],
    'garbage'       => ['bad'],
    'expired'       => ['bad'],
    'other key'     => ['bad'],
    'disabled'      => [ 'bad', 'user', [ '*', 'admin' ] ],
    'erased'        => [ 'bad', 'user', [ '*', 'admin' ] ],
    'user'          => [ 'good', 'user' ],
    'user+read'     => [ 'good', 'user', [ 'transaction_log', 'read' ] ],
    'user+write'    => [ 'good', 'user', [ 'transaction_log', 'write' ] ],
    'user+prefix'   => [ 'good', 'user', [ 'transaction*', 'read' ] ],
    'user+all'      => [ 'good', 'user', [ '*', 'admin' ] ],
    'user+day'      => [ 'good', 'user', [ 'transaction_log/2026-05-18.json', 'read' ] ],
    'user+month'    => [ 'good', 'user', [ 'transaction_log/2026-05-*', 'write' ] ],
    'user+table'    => [ 'good', 'user', [ 'table:transaction_record', 'write' ] ],
    'other dataset' => [ 'good', 'user', [ 'rawticker', 'admin' ] ],
    'ended'         => [ 'good', 'user' ],
    'no consent'    => [ 'good', 'user', [ '*', 'admin' ] ],
    'auditor'       => [ 'good', 'auditor' ],
    'admin'         => [ 'good', 'admin' ],
);

# --- The oracle -------------------------------------------------------------------

# Whether the grant HELD covers the resource WANTED, by the words of the
# contract.
sub covers {
    my ($held, $wanted) = @_;
    return 1 if $held eq '*';
    return $held eq $wanted if "$held $wanted" =~ /\btable:/;
    return index($wanted, $1) == 0 if $held =~ /^(.+)\*$/;
    return $held eq $wanted || index($wanted, "$held/") == 0;
}

my %LEVEL = (read => 1, write => 2, admin => 3);
my %TABLE = (
    transaction_log => 'transaction_record', network_logs => 'network_log',
    social_posts    => 'social_post', transactions => 'client_transaction',
    piezo_raw       => 'piezo_level', meteo_raw => 'weather_day'
);

# Paths of one dataset that the lake answers: its table gives no right to them
# (contract 2.3 names those that the warehouse answers).
my $OF_LAKE = qr{^/api/(?:repush|train|models|predict)/};

# Whether the grants of CALLER allow CLASS of PATH on OBJECT {dataset, date}.
sub is_granted {
    my ($caller, $class, $path, $object) = @_;
    my @held = @{ $CALLER{$caller} }[ 2 .. $#{ $CALLER{$caller} } ];
    while ($class =~ /grant\(([^,]+),(\w+)\)/g) {
        my ($resource, $level) = ($1, $2);
        my $in_warehouse = $resource !~ /\{/ && $path !~ $OF_LAKE;
        $resource =~ s/\{dataset\}/$object->{dataset}/;
        $resource =~ s/\{date\}/$object->{date}.json/;
        $resource =~ s/\{resource\}/$object->{resource}/;
        my @wanted = ($resource);
        push @wanted, "table:$TABLE{$resource}"
          if $in_warehouse && $TABLE{$resource};
        my $found = 0;
        for my $wanted (@wanted) {
            $found += covers($_->[0], $wanted) && $LEVEL{ $_->[1] } >= $LEVEL{$level}
              for @held;
        }
        return 0 unless $found;
    }
    return 1;
}

# The status that CALLER has to get for METHOD of PATH, whose methods have the
# classes CLASSES, on OBJECT.
sub expected {
    my ($caller, $method, $path, $classes, $object) = @_;
    return 204 if $method eq 'OPTIONS';
    my $class = $classes->{ $method eq 'HEAD' ? 'GET' : $method };
    return 405 unless defined $class;
    return 400 if $class eq 'public';
    my ($token, $role) = @{ $CALLER{$caller} };
    return 401 if $token eq 'bad';
    return $class eq 'anonymous' ? 400 : 401 if $token eq 'none';
    return 403 if $caller eq 'no consent' && $path !~ m{^/user/};
    return 400 if $class =~ /^(?:anonymous|user)$/ || $role eq 'admin';
    return $role eq 'auditor' ? 400 : 403 if $class eq 'auditor';
    return 403 if $class eq 'admin';
    return 400 if $class =~ /\|auditor$/ && $role eq 'auditor';
    return is_granted($caller, $class, $path, $object) ? 400 : 403;
}

# What is wrong with ANSWER to METHOD, where STATUS was expected; '' if nothing.
sub fault_of {
    my ($answer, $method, $status) = @_;
    return "status $answer->{status}, not $status" if $answer->{status} != $status;
    my $header = $answer->{headers}{'www-authenticate'} // '';
    return 'no WWW-Authenticate' if $status == 401 && $header !~ /^Bearer /;
    return '' if $status == 204 || $method eq 'HEAD';
    my $type = $answer->{json}{type} // '';
    if ($status == 400) {
        my @named = map { $_->{parameter} // '' } @{ $answer->{json}{errors} // [] };
        return "for the parameters '@named'"
          unless grep { /^(?:nonsense|limit|page_size)$/ } @named;
    }
    if ($status == 403 && $type ne '/problems/consent-required') {
        return 'no insufficient_scope'
          if $header ne 'Bearer error="insufficient_scope"';
        return 'missing is missing' unless length($answer->{json}{missing} // '');
    }
    my %want = (
        400 => 'invalid-parameter', 401 => 'unauthorized',
        403 => '(?:forbidden|consent-required)', 405 => 'method-not-allowed'
    );
    return "type $type" if $type !~ m{^/problems/$want{$status}$};
    return '';
}

# --- Self-test --------------------------------------------------------------------

if (@ARGV && $ARGV[0] eq '--self-test') {
    my %open = (
        status  => 400, headers => {},
        json    => { type => '/problems/invalid-parameter',
            errors => [ { parameter => 'nonsense' } ] }
    );
    my %closed = (
        status  => 403,
        headers => { 'www-authenticate' => 'Bearer error="insufficient_scope"' },
        json    => { type => '/problems/forbidden', missing => 'x' }
    );
    is(fault_of(\%open,   'GET', 400), '', 'an open route is open');
    is(fault_of(\%closed, 'GET', 403), '', 'a closed one is closed');
    my @planted = (
        [ 'a route that forgot its class',  \%open,                     403 ],
        [ 'a route that lets nobody in',    \%closed,                   400 ],
        [ 'an answer that was given',       { %open, status => 200 },   403 ],
        [ 'a crash',                        { %open, status => 500 },   400 ],
        [ 'existence told before access',   { %open, status => 404 },   403 ],
        [ 'a refusal without its reason',   { %closed, json => { type => '/problems/forbidden' } }, 403 ],
        [ 'a refusal without its header',   { %closed, headers => {} }, 403 ],
        [ 'another problem',                { %closed, json => { type => '/problems/not-found', missing => 'x' } }, 403 ],
        [ 'a 400 for something else',       { %open, json => { type => '/problems/invalid-parameter', errors => [] } }, 400 ],
    );
    isnt(fault_of($_->[1], 'GET', $_->[2]), '', "$_->[0] is found") for @planted;
    my $class = 'grant(transaction_log,read)';
    my %log   = (dataset => 'transaction_log', date => '2026-05-18');
    my $get   = sub { expected($_[0], 'GET', '/x', { GET => $_[1] // $class }, \%log) };
    is($get->('user'),          403, 'the oracle refuses a user');
    is($get->('user+read'),     400, 'and lets a holder in');
    is($get->('user+table'),    400, 'by the table, too');
    is($get->('user+day'),      403, 'and not by a day');
    is($get->('user+day',   'grant({dataset}/{date},read)'), 400, 'unless it is the day');
    is($get->('user+table', 'grant({dataset}/{date},read)'), 403, 'nor by a table in the lake');
    is($get->('admin', 'admin'), 400, 'an admin is one');
    is($get->('none'),           401, 'nobody is asked who he is');
    is(words_of({ class => 'NONE' }), 'nobody', 'a row without class is told');
    done_testing;
    exit;
}

# --- Both tables are one ------------------------------------------------------------

my $law    = contract();
my @routes = routes();
cmp_ok(scalar keys %$law, '>', 140, 'the contract lists its routes');
cmp_ok(scalar @routes,    '>', 30,  'the module has some of them');
my @other = grep { ($law->{"$_->{method} $_->{template}"} // 'not listed') ne words_of($_) } @routes;
is(join(', ', map { "$_->{method} $_->{template}: " . words_of($_) } @other),
    '', 'each in the class that the contract gives it');
my %class;    # template => {method => class}
$class{ $_->{template} }{ $_->{method} } = words_of($_) for @routes;

subtest 'a row without a class does not build' => sub {
    my ($flags) = map { /^\S+ (.*)/ } grep { m{^mod_datalake/mdl_route\.c } }
      split /\n/, qx(make -s -C '$TOP' --no-print-directory flags);
    my $dir = "$TOP/build/t/f10-row";
    mkdir "$TOP/build/t";
    mkdir $dir;
    for my $case ([ 'USER, NULL', 0 ], [ ', NULL', 1 ], [ 'SOMEBODY, NULL', 1 ], [ 'NULL', 1 ]) {
        spit("$dir/row.c", qq(#include "mdl_route.h"\nextern const mdl_route rows[];\n)
              . qq(const mdl_route rows[] = {MDL_ROUTE(GET, "/x", $case->[0], JSON, 1, NULL, NULL, NULL, "x")};\n));
        my $out = qx(cd '$TOP' && gcc $flags -fsyntax-only '$dir/row.c' 2>&1);
        is($? != 0 ? 1 : 0, $case->[1], "class '" . ($case->[0] =~ s/,.*//r) . "': "
              . ($case->[1] ? 'refused' : 'taken')) or diag $out;
    }
};

# --- The server ---------------------------------------------------------------------

my %account = map { ($_ => 'f10.' . s/[^a-z]/./gr) } grep { $CALLER{$_}[1] } keys %CALLER;
my $stack   = DataLake::Stack->new(
    name       => 'f10',
    mariadb    => 1,
    httpd      => 1,
    durable    => 0,
    users      => { target => 'user', map { ($account{$_} => $CALLER{$_}[1]) } keys %account },
    directives => "DataLakeMetricsAllow none\n",
);
my $db = $stack->mariadb;
for my $caller (keys %account) {
    $stack->grant($account{$caller}, @$_)
      for @{ $CALLER{$caller} }[ 2 .. $#{ $CALLER{$caller} } ];
}
$stack->grant($account{ended}, 'transaction_log', 'admin');
$db->run("UPDATE access_grant SET expires_at = '2020-01-01' WHERE user_id ="
      . ' (SELECT id FROM app_user WHERE username = ?)', $account{ended});
$db->run('UPDATE app_user SET consent_given = FALSE WHERE username = ?', $account{'no consent'});

# Days of two datasets, without a broker.
sub fill {
    my ($dataset, @days) = @_;
    my $offset = 0;
    my $script = '';
    for my $day (@days) {
        my $us = 1_000_000 * `date -u -d $day +%s` + 3_600_000_000;
        $script .= "R 0 $offset $us {\"n\":" . $offset++ . "}\n";
    }
    spit("$stack->{dir}/script", "${script}C 1780400000000000\n");
    qx($DataLake::Stack::BUILD/tools/lake_driver $stack->{dir}/lake $dataset $stack->{dir}/script 2>&1);
    return $? == 0;
}
ok(fill('transaction_log', qw(2026-05-17 2026-05-18 2026-06-01)), 'a dataset');
ok(fill('rawticker', qw(2026-05-18)), 'and another');

my ($secret) = slurp("$stack->{dir}/secrets/token.key") =~ /^(\S+)/;

# The token TEXT with CHANGE in its claims, signed with KEY.
sub forge {
    my ($text, $key, %change) = @_;
    my ($head, $payload) = split /\./, $text;
    my %claim = (%{ JSON::PP::decode_json(decode_base64url($payload)) }, %change);
    my $made = "$head." . encode_base64url(JSON::PP->new->canonical->encode(\%claim));
    return "$made." . encode_base64url(hmac_sha256($made, $key));
}

my $admin = $stack->token($account{admin});
my %token = (none => '', garbage => 'a.b.c');
$token{$_} = $stack->token($account{$_}) for keys %account;
$token{expired} = forge($admin, $secret, iat => time - 7200, exp => int(time) - 3600);
$token{'other key'} = forge($admin, 'x' x 40);
my %client = map { ($_ => $stack->client(undef, token => $token{$_})) } keys %CALLER;
$stack->ctl('user', 'disable', $account{disabled});
my $id = $db->value('SELECT id FROM app_user WHERE username = ?', $account{erased});
$db->run('DELETE FROM app_user WHERE id = ?', $id);
$db->run('INSERT INTO identity_change (user_id, at) VALUES (?, UTC_TIMESTAMP(6))', $id);

# --- The matrix ---------------------------------------------------------------------

# The objects that a route which names one is asked for.
my @OBJECTS = (
    { dataset => 'transaction_log', date => '2026-05-18' },
    { dataset => 'transaction_log', date => '2026-05-17' },
    { dataset => 'transaction_log', date => '2026-06-01' },
    { dataset => 'transaction_log', date => '1999-01-01' },
    { dataset => 'rawticker',       date => '2026-05-18' },
    { dataset => 'nothing',         date => '2026-05-18' },
);
$_->{resource} = "$_->{dataset}/$_->{date}.json" for @OBJECTS;
push @OBJECTS,
  map { { %{ $OBJECTS[0] }, dataset => $_, resource => $_ } }
  qw(transaction_log rawticker nothing);

# The address of TEMPLATE for OBJECT, with the parameter that no route has; a
# route whose parameters are members of records gets a limit that is none.
sub address_of {
    my ($template, $object) = @_;
    my $path  = $template =~ s/\{(\w+)\}/$object->{$1} \/\/ 'x'/ger;
    my ($row) = grep { $_->{template} eq $template && $_->{method} eq 'GET' } @routes;
    my @query = map { "$_=$object->{$_}" } grep { $template !~ /\{$_\}/ }
      grep { my $name = $_; $row && grep { $_->{name} eq $name } @{ $row->{params} } }
      qw(dataset date resource);
    my $filters = grep { /^resource=/ } @query;
    return "$path?" . join '&', @query, $filters ? 'limit=0' : 'nonsense=1';
}

my ($cells, @wrong) = (0);
for my $template (sort keys %class) {
    my $names = grep { ($_->{resource} // '') =~ /\{/ && $_->{template} eq $template } @routes;
    for my $object ($names ? @OBJECTS : $OBJECTS[0]) {
        my $address = address_of($template, $object);
        for my $caller (sort keys %CALLER) {
            for my $method (@METHODS) {
                next if $names && $object != $OBJECTS[0] && $method !~ /^(?:GET|HEAD)$/;
                my $want   = expected($caller, $method, $template, $class{$template}, $object);
                my $answer = $client{$caller}->request($method, $address);
                my $fault  = fault_of($answer, $method, $want);
                $cells++;
                push @wrong, "$caller: $method $address: $fault" if $fault ne '';
            }
        }
    }
}
cmp_ok($cells, '>=', 600, "$cells cells were asked");
is(scalar @wrong, 0, 'each answered as declared');
diag $_ for @wrong[ 0 .. ($#wrong < 30 ? $#wrong : 30) ];

# --- What the body names ------------------------------------------------------------

# Who may grant what, asked for an account that is there and one that is not.
my @named_wrong;
my $named = 0;
for my $caller (sort keys %CALLER) {
    my ($token, $role, @held) = @{ $CALLER{$caller} };
    for my $resource ('transaction_log', 'transaction_log/2026-05-18.json', 'rawticker', 'table:ticker', '*') {
        for my $level (qw(read admin)) {
            my $may = ($role // '') eq 'admin'
              || ($level ne 'admin' && grep { $_->[1] eq 'admin' && covers($_->[0], $resource) } @held);
            my $want = $token ne 'good' ? 401 : $caller eq 'no consent' || !$may ? 403 : 404;
            my $answer = $client{$caller}->post('/api/access/grant/',
                { username => 'nobody.at.all', resource => $resource, access => $level });
            $named++;
            push @named_wrong, "$caller grants $level on $resource: $answer->{status}, not $want"
              if $answer->{status} != $want;
        }
    }
    next unless $token eq 'good';
    for my $case ([ '/api/access/?user=target', 'GET' ], [ '/api/access/check/', 'POST' ]) {
        my $answer = $client{$caller}->request($case->[1], $case->[0],
            $case->[1] eq 'POST' ? (body => { resource => 'transaction_log', username => 'target' }) : ());
        my $want = $role eq 'admin' ? 200 : 403;
        $named++;
        push @named_wrong, "$caller: $case->[0] of another: $answer->{status}, not $want"
          if $answer->{status} != $want;
    }
}
is(scalar @named_wrong, 0, "$named times what the body names was judged");
diag $_ for @named_wrong;

# --- A right that is taken ------------------------------------------------------------

my $METRIC = '/api/metrics/last-5min/';
my @open   = map { $stack->client(undef, token => $token{user}) } 1 .. 40;
my $late   = 0;
for my $round (1 .. 10) {
    my %body = (username => $account{user}, resource => 'transaction_log');
    my $given = $client{admin}->post('/api/access/grant/', \%body)->{status};
    my @got   = map { $_->get($METRIC)->{status} } @open;
    $late += grep { $_ != 200 } $given == 201 ? @got : 'x';
    my $taken = $client{admin}->post('/api/access/revoke/', \%body)->{status};
    @got = map { $_->get($METRIC)->{status} } @open;
    $late += grep { $_ != 403 } $taken == 200 ? @got : 'x';
}
is($late, 0, '800 requests over all children knew of the change before them');

# Milliseconds until CODE is true, 9999 when it never is.
sub delay {
    my ($code) = @_;
    my $watch = DataLake::Stopwatch->new;
    while (1) {
        my $seconds = $watch->seconds;
        return int 1000 * $seconds if $code->();
        return 9999 if $seconds > 5;
        sleep 0.005;
    }
}

my $other = $stack->start_other_httpd;
my $there = $other->client(token => $token{user});
my $here  = $client{user};
my @delays;
for my $round (1 .. 5) {
    my %body = (username => $account{user}, resource => 'transaction_log');
    my @steps = (
        [ 200, sub { $client{admin}->post('/api/access/grant/',  \%body) } ],
        [ 403, sub { $client{admin}->post('/api/access/revoke/', \%body) } ],
    );
    for my $step (@steps) {
        $step->[1]->();
        push @delays, delay(sub { $there->get($METRIC)->{status} == $step->[0] });
    }
    for my $step ([ 'admin', 200 ], [ 'user', 403 ]) {
        $stack->ctl('user', 'role', $account{user}, $step->[0]);
        for my $server ($here, $there) {
            push @delays, delay(sub { $server->get($METRIC)->{status} == $step->[1] });
        }
    }
}
# A busy machine may be late once.
my $elsewhere = (sort { $a <=> $b } @delays)[-2];
cmp_ok($elsewhere, '<', 1000, "changed elsewhere, it held after $elsewhere ms");
$other->stop;

# --- Nothing tells of what is hidden ----------------------------------------------------

my @watch = (
    '/api/resources/',
    '/api/resources/?limit=1',
    '/api/audit/version/?date=2026-05-18',
    '/api/audit/version/?date=2026-05-17',
    '/api/audit/resources/?dataset=sentiment',
    '/api/audit/version/?dataset=sentiment&date=2026-05-18',
    '/api/access/',
);

# What a holder of one day is told, without what differs each time.
sub told {
    return map {
        my $answer = $client{'user+day'}->get($_);
        my $body   = $answer->{body} =~ s/[0-9a-f]{32}/ID/gr;
        $body =~ s/"next_cursor":"[^"]*"/CURSOR/;
        join ' ', $_, $answer->{status}, $answer->{headers}{etag} // '-', $body;
    } @watch;
}

my @before = told();
ok(fill('sentiment', qw(2026-05-17 2026-05-18)), 'a dataset appears');
fill('rawticker', qw(2026-05-18 2026-05-19 2026-05-20));
$client{admin}->post('/api/access/grant/', { username => 'target', resource => 'sentiment' });
sleep 0.2;
my @after = told();
my $leaks = grep { $before[$_] ne $after[$_] } 0 .. $#before;
is_deeply(\@after, \@before, 'who may not see it sees the same bytes and validators');
is(scalar @{ $client{admin}->get('/api/resources/')->{json}{resources} },
    3 + 3 + 2, 'and it is there');

my $wrong = @wrong + @named_wrong;
ok(
    figure(
        'F10',
        [
            cells        => $cells + $named,
            wrong        => $wrong,
            classes_off  => scalar @other,
            revoked_late => $late,
            elsewhere_ms => $elsewhere,
            leaks        => $leaks
        ],
        $cells >= 600 && !$wrong && !@other && !$late && $elsewhere < 1000 && !$leaks
    ),
    'the matrix holds'
);
unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');

done_testing;
