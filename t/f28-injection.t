# f28-injection.t - hostile texts in every parameter, member and header: no
# 5xx, no word of the database in an answer, no delay, and the server's own log
# shows texts of sql/statements.sql alone, each value a literal.  No call in
# the sources passes a text that was built.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure full_size);
use DataLake::Process qw(slurp);
use DataLake::Routes qw(address routes sample);
use DataLake::Source qw(bare functions sources);
use DataLake::Sql qw(named);
use DataLake::Stack;

my $TOP = $DataLake::Stack::TOP;
chdir $TOP or die "$TOP: $!\n";

# --- What is judged --------------------------------------------------------------

# A refusal that a guard may give however often it is asked.
my %GUARD = map { ("/problems/$_" => 1) } qw(login-throttled);

# Routes that send a record before they answer: there is no broker here, and
# they say so.
my %SENDS = ('POST /api/repush/transaction/' => 1);

# What is wrong with ANSWER of ROUTE ("METHOD PATH"), whatever was sent.
sub faults_of {
    my ($answer, $route) = @_;
    my @fault;
    my $type =
      ref $answer->{json} eq 'HASH' ? $answer->{json}{type} // '' : '';
    push @fault, "status $answer->{status}"
      if $answer->{status} >= 500
      && !( $SENDS{$route}
        && "$answer->{status} $type" eq '503 /problems/broker-unavailable');
    push @fault, 'the quota is used up: nothing was tested'
      if $answer->{status} == 429 && !$GUARD{$type};
    push @fault, sprintf '%.1f s', $answer->{seconds}
      if $answer->{seconds} > 2;
    push @fault, "tells of the database: $1"
      if $answer->{body} =~ /(SQL\ syntax|MariaDB|MySQL|SQLSTATE|near\ '
          |Unknown\ column|Duplicate\ entry|XPATH|mysql\.|information_schema\.
          |argon2id\$)/xi;
    return @fault;
}

# TEXT of SQL with single spaces.
sub flat {
    my ($text) = @_;
    return $text =~ s/\s+/ /gr =~ s/^ | ;? ?$//gr;
}

# The pattern of the template SQL of a change (dl_change_apply.c), in which
# VALUE stands for each parameter: its words are names of declarations.
sub change_pattern {
    my ($sql, $value) = @_;
    my $name  = qr/`[A-Za-z]\w*`/;
    my $place = qr/$name\.$name/;
    my $below = quotemeta('OR (src_generation = ? AND src_partition = ? AND src_offset < ?)') =~ s/\\\?/$value/gr;
    my $and   = sub { my ($one, $between) = @_; return "$one(?:$between$one)*"; };
    my $case  = "CASE WHEN $value THEN $value ELSE $name END";
    my $set   = "$name = $case";
    my %word  = (
        table       => $name,
        child       => $name,
        set         => $and->($set, ', ') . "(?:, $name = TIMESTAMP\\(DATE\\($case\\), TIME\\($case\\)\\))?",
        where       => $and->("$place = $value(?: AND OCTET_LENGTH\\($place\\) = $value)?", ' AND '),
        below       => "src_generation < $value(?: $below)*",
        child_match => $and->("$place = $place", ' AND '),
        columns     => $and->($name, ', '),
        values      => $and->("(?:$place|$value)", ', '),
        assign      => $and->("$name = VALUES\\($name\\)", ', '),
    );
    return join '', map { /^\{(\w+)\}\z/ ? $word{$1} : quotemeta }
      split /(\{\w+\})/, $sql;
}

# Patterns of the statements TEXT ({name => SQL}): (prepared, executed).
# Templates of declared tables are not for requests and match nothing, but for
# those of changes.
sub patterns {
    my ($text) = @_;
    my $literal = qr/(?:'(?:[^'\\]|\\.|'')*+'|NULL|-?\d[\d.]*(?:e[+-]?\d+)?)/s;
    my (@prepared, @executed);
    my $range = flat($text->{STMT_WORD_RANGE} // '');
    for my $name (grep { !/^STMT_WORD_/ } sort keys %$text) {
        my $sql = flat($text->{$name});
        if ($name =~ /^STMT_CHANGE_/) {
            push @prepared, change_pattern($sql, '\?');
            push @executed, change_pattern($sql, $literal);
            next;
        }
        next if $sql =~ s/\{tail\}/\0/gr =~ /\{\w+\}/;
        for my $value ('?', $literal) {
            my $put = sub { join $value eq '?' ? '\?' : $value, @_ };
            my $plain = sub {
                join '', $put->(map { quotemeta } split /\?/, $_[0], -1);
            };
            my $one     = $plain->($range);
            my $pattern = join "(?:$one)(?: OR (?:$one))*",
              map { $plain->($_) } split /\{tail\}/, $sql, -1;
            push @{ $value eq '?' ? \@prepared : \@executed }, $pattern;
        }
    }
    return map { my $all = join '|', @$_; qr/\A(?:$all)\z/s }
      (\@prepared, \@executed);
}

# What is wrong with a line of the server's log: COMMAND and ARGUMENT.
sub log_faults {
    my ($prepared, $executed, $command, $argument) = @_;
    return () if $command =~ /^(?:Connect|Quit|Close stmt|Reset stmt|Ping)$/;
    my $sql = flat($argument);
    return () if $command =~ /^(?:Prepare|Query)$/ && $sql =~ $prepared;
    # The server leaves the marks in when it began to log just now.
    return () if $command eq 'Execute' && $sql =~ /$executed|$prepared/;
    return ("$command: " . substr $sql, 0, 200);
}

# --- The gate over the sources ------------------------------------------------

# Functions that run a template, filled with names of declarations and never
# with a value; none of them is on the request side's path but the first, whose
# word is repeated as often as there are partitions, and dl_wh_sink, which has a
# constant for each table it knows; dlc_audit_store stores one row or, by the same
# words repeated, sixteen; a collector reads the table that its section
# of the ini names.  dl_wh_fill puts the rows of a backup back,
# each value escaped by the client library.
my %TEMPLATE = map { ($_ => 0) } qw(
  dl_wh_metrics.c:prepare
  dl_wh.c:dl_wh_load
  dl_wh_rows.c:read_before
  dl_wh_migrate.c:migration_apply
  dl_wh_migrate.c:line_run
  dlc_collect_mysql.c:read_rows
  dlc_collect_mysql.c:read_top
  dlc_deep_rows.c:read_page
  dlc_audit_store.c:add_rows
  dlc_wh_advance.c:*
  dlc_wh_fact.c:*
  dlc_wh_split.c:*
  dlc_spend.c:*
  dlc_rates.c:*
  dlc_rebuild.c:empty_table
  dlc_retention.c:*
  dlc_retention_rows.c:*
  dl_change_apply.c:prepare
  dlc_wh_child.c:dlc_wh_child_store
  dl_wh_fill.c:*
  dl_wh_sink.c:dl_wh_sink_row
);

# The arguments of the call whose parenthesis opens at POSITION of TEXT.
sub arguments {
    my ($text, $position) = @_;
    my ($depth, $now, @found) = (0, '');
    for my $i ($position .. length($text) - 1) {
        my $c = substr $text, $i, 1;
        $depth++ if $c eq '(';
        $depth-- if $c eq ')';
        if ($depth == 0 || $depth == 1 && $c eq ',') {
            push @found, $now =~ s/^[\s(]+|\s+$//gr;
            $now = '';
            last if !$depth;
        }
        else { $now .= $c; }
    }
    return @found;
}

# The function of FILE (as functions() gives them) that holds LINE.
sub function_at {
    my ($line, @all) = @_;
    my ($in) = grep { $_->{line} <= $line } reverse @all;
    return $in ? $in->{name} : '?';
}

# Whether every call of the function NAME in TEXT passes a constant of
# statements.sql; its definition is no call.
sub passes_constants {
    my ($text, $name) = @_;
    my $calls = 0;
    while ($text =~ /\b\Q$name\E\s*(?=\()/g) {
        my @argument = arguments($text, $+[0]);
        next if grep { /^const char \*\s*sql$/ } @argument;
        return 0 unless grep { /^STMT_\w+$/ } @argument;
        $calls++;
    }
    return $calls;
}

# Calls of TEXT (of FILE) that pass SQL which is no constant of
# statements.sql; COUNT gets the number of calls.
sub built_queries {
    my ($file, $text, $count, @functions) = @_;
    my %place = (prepare => 2, ask => 2, exec => 1);
    my ($base) = $file =~ m{([^/]+)$};
    my @found;
    while ($text =~ /\bdl_wh_(prepare|ask|exec)\s*(?=\()/g) {
        my ($call, $at) = ($1, $+[0]);
        my $line     = 1 + (substr($text, 0, $at) =~ tr/\n//);
        my @argument = arguments($text, $at);
        my $sql      = $argument[ $place{$call} ] // '';
        next if $sql =~ /^const char \*/;    # the definition
        $$count++;
        my $in = function_at($line, @functions);
        next if $sql =~ /^STMT_\w+$/;
        next if $sql =~ /\?\s*STMT_\w+\s*:\s*STMT_\w+$/;
        next if $sql eq 'sql' && passes_constants($text, $in);
        my ($known) = grep { defined $TEMPLATE{$_} } "$base:$in", "$base:*";
        next if $known && ++$TEMPLATE{$known};
        push @found, "$file:$line: $in: $sql";
    }
    while ($text =~ /\b(mysql_(?:real_)?query|mysql_send_query
          |mysql_stmt_prepare|mysql_set_server_option
          |CLIENT_MULTI_STATEMENTS|MYSQL_OPTION_MULTI_STATEMENTS_ON)\b/gx)
    {
        my $what = $1;
        $$count++;
        next if "$base:$what" =~
          /^(?:dl_wh(?:_dump)?\.c:mysql_real_query
            |dl_wh\.c:mysql_send_query
            |dl_wh_stmt\.c:mysql_stmt_prepare)$/x;
        push @found, "$file: $what";
    }
    return @found;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    my %right = (
        status  => 400,
        json    => { type => '/problems/invalid-parameter' },
        body    => '{"detail":"Parameter x"}',
        seconds => 0.1
    );
    my @none = faults_of(\%right, 'GET /');
    is(scalar @none, 0, 'a right answer is right');
    my %away = (
        %right,
        status => 503,
        json   => { type => '/problems/broker-unavailable' }
    );
    my ($sends) = keys %SENDS;
    @none = faults_of(\%away, $sends);
    is(scalar @none, 0, '... and that the broker is away, of who needs it');
    my @one = faults_of(\%away, 'GET /');
    is(scalar @one, 1, '... and of nobody else');
    for my $fault (
        { status  => 500 },
        { status  => 429, json => { type => '/problems/quota-exceeded' } },
        { seconds => 3 },
        { body    => "You have an error in your SQL syntax" },
        { body    => q(near 'x' at line 1) },
        { body    => '$argon2id$v=19$m=19456' },
      )
    {
        my @found = faults_of({ %right, %$fault }, 'GET /');
        is(scalar @found, 1, 'a planted fault is found');
    }
    my ($prepared, $executed) = patterns(
        {
            STMT_A => "SELECT a FROM t\nWHERE b = ? AND c > ?",
            STMT_B => 'SELECT a FROM t WHERE ({tail})',
            STMT_WORD_RANGE => '(p = ? AND o >= ?)',
            STMT_C => 'DELETE FROM {table}',
            STMT_CHANGE_D => 'UPDATE {table} SET {set} WHERE {where} AND ({below})',
            STMT_D => 'COMMIT',
        }
    );
    for my $good (
        [ Prepare => 'SELECT a FROM t WHERE b = ? AND c > ?' ],
        [ Prepare => 'SELECT a FROM t WHERE ((p = ? AND o >= ?) OR '
              . '(p = ? AND o >= ?))' ],
        [ Execute => q(SELECT a FROM t WHERE b = 'x\\' OR 1=1' AND c > -1.5) ],
        [ Execute => q(SELECT a FROM t WHERE b = NULL AND c > 'it''s') ],
        [ Prepare => 'UPDATE `t` SET `a` = CASE WHEN ? THEN ? ELSE `a` END WHERE `t`.`k` = ?'
              . ' AND OCTET_LENGTH(`t`.`k`) = ? AND `t`.`l` = ? AND (src_generation < ?'
              . ' OR (src_generation = ? AND src_partition = ? AND src_offset < ?))' ],
        [ Query => 'COMMIT' ],
        [ Quit  => '' ],
      )
    {
        my @found = log_faults($prepared, $executed, @$good);
        is("@found", '', "good: @$good");
    }
    for my $bad (
        [ Query   => "SELECT a FROM t WHERE b = 'x' AND c > 1" ],
        [ Prepare => "SELECT a FROM t WHERE b = 'x' AND c > ?" ],
        [ Prepare => 'SELECT a FROM t WHERE b = ? AND c > ? OR 1=1' ],
        [ Execute => q(SELECT a FROM t WHERE b = 'x' OR 1=1 AND c > 1) ],
        [ Execute => q(SELECT a FROM t WHERE b = 'x' -- ' AND c > 1) ],
        [ Query   => 'COMMIT; DROP TABLE t' ],
        [ Query   => 'DELETE FROM t' ],
        [ 'Init DB' => 'mysql' ],
      )
    {
        my @found = log_faults($prepared, $executed, @$bad);
        is(scalar @found, 1, "planted: @$bad");
    }
    my @planted = (
        'dl_wh_prepare(&st, wh, apr_psprintf(p, "SELECT %s", x), err)',
        'dl_wh_prepare(&st, wh, sql, err)',
        'dl_wh_exec(wh, "SELECT 1", NULL, err)',
        'dl_wh_ask(&v, wh, x ? STMT_A : text, err, pool)',
        'mysql_query(m, "SELECT 1")',
        'mysql_real_query(m, s, n)',
        'mysql_send_query(m, s, n)',
        'mysql_stmt_prepare(s, t, n)',
        'mysql_real_connect(m, h, u, p, d, 0, 0, CLIENT_MULTI_STATEMENTS)',
    );
    for my $call (@planted) {
        my $n     = 0;
        my @found = built_queries('x/mdl_api_x.c', "{ $call; }", \$n);
        is(scalar @found, 1, "planted: $call");
    }
    my $n   = 0;
    my $add = 'void add(dl_wh *wh, const char *sql) '
      . '{ dl_wh_prepare(&st, wh, sql, err); } void f(void) ';
    my @in    = ({ name => 'add', line => 1 });
    my @found = built_queries('x.c', $add . '{ add(wh, STMT_A); }', \$n, @in);
    is(scalar @found, 0, 'SQL that all callers pass as a constant is good');
    @found =
      built_queries('x.c', $add . '{ add(wh, STMT_A); add(wh, t); }', \$n, @in);
    is(scalar @found, 1, 'planted: one caller does not');
    $n     = 0;
    @found = built_queries(
        'x.c',
        'dl_wh_prepare(&st, wh, STMT_A, err); '
          . 'dl_wh_exec(wh, f(a, b) ? STMT_A : STMT_B, NULL, err)',
        \$n
    );
    is("@found $n", ' 2', 'a constant, or one of two, is good');
    done_testing;
    exit;
}

my ($calls, @built) = 0;
for my $file (grep { /\.c$/ } sources('mod_datalake', 'consumers')) {
    push @built,
      built_queries($file, bare(slurp($file)), \$calls, functions($file));
}
cmp_ok($calls, '>=', 60, "$calls calls pass SQL");
is(join("\n", @built), '', 'each passes a constant of statements.sql');
is(join(' ', grep { !$TEMPLATE{$_} } sort keys %TEMPLATE),
    '', 'and there is no exception for nothing');

# --- The texts --------------------------------------------------------------------

my @QUOTES = (
    q('), q("), q(`), q(\\'), q(''), "')", '")', q(%27), q(%2527),
    "\xca\xbc", "\xe2\x80\x99", "\xef\xbc\x87", "\xbf'", "'\0", '', '1',
);
my @TAILS = ('-- -', '#', '/*', ';', q( AND '1'='1));
my @INNER = (
    ' OR 1=1',
    ' OR SLEEP(3)',
    ' UNION SELECT password_hash FROM app_user',
    '; DROP TABLE app_user',
    ' AND EXTRACTVALUE(1,CONCAT(0x7e,VERSION()))',
);

sub texts {
    my @text = (
        q(' OR ''='), q(' OR 1=1 LIMIT 1 -- -), q(admin' -- ), q(admin'/*),
        q(' HAVING 1=1 -- ), q(' GROUP BY 1 -- ), q(' ORDER BY 99 -- ),
        q(1 OR BENCHMARK(99999999,MD5(1))), q(1;SELECT SLEEP(3)),
        q(1 AND (SELECT 1 FROM(SELECT SLEEP(3))a)), q('XOR(SLEEP(3))XOR'),
        q(' INTO OUTFILE '/tmp/datalake-injected' -- ),
        q(' UNION SELECT LOAD_FILE('/etc/passwd') -- ),
        q(' AND UPDATEXML(1,CONCAT(0x7e,USER()),1) -- ),
        q(' PROCEDURE ANALYSE() -- ), q(/*!50000 OR 1=1*/), q(\\), q(\\\\),
        q(%), q(_), q(%_%), q(a%' AND '1'='1), q(@@version), q(:1), q(?),
        q({table}), q({tail}), q($1), q(%s%n), q(0x27204f5220313d31),
        q(CHAR(39)), q(1e308), q(-1), q(0), q(NULL), q(true), q(1.0),
        q([]), q({}), q(["x"]), q({"$gt":""}), q({"$where":"sleep(3000)"}),
        q(|| 1=1), q(&& 1=1), q(' || '1), q(<!--), q(<script>alert(1)</script>),
        q(${jndi:ldap://127.0.0.1/x}), q({{7*7}}), q($(sleep 3)), q(`sleep 3`),
        q(;sleep 3), q(| sleep 3), "\r\nSet-Cookie: x=1", "\x1b[2J",
        "\xe2\x80\xa8' OR 1=1", "\xe2\x80\xae' OR 1=1", "\xc0\xa7 OR 1=1",
        "\xed\xa0\x80'", "\xff'", "a\0' OR 1=1", "' OR 1=1" . ' ' x 300,
        q(') x 200, q(") x 200, '\\' x 255, 'a' x 5000 . q(' OR 1=1),
        '*)(uid=*))(|(uid=*', q(../../etc/passwd), q(x' AND 1=2 UNION ALL)
          . q( SELECT 1,2,3,4,5,6,7,8,9,10,11,12 -- ),
    );
    for my $i (0 .. $#QUOTES) {
        for my $j (0 .. $#INNER) {
            push @text, $QUOTES[$i] . $INNER[$j] . $TAILS[$_]
              for full_size() ? 0 .. $#TAILS : ($i + $j) % 5, ($i + 2) % 5;
        }
    }
    my %seen;
    return grep { !$seen{$_}++ } @text;
}

my @text   = texts();
my @routes = routes();
cmp_ok(scalar @text,   '>=', 200, scalar(@text) . ' texts');
cmp_ok(scalar @routes, '>=', 15,  scalar(@routes) . ' routes');

# --- The server ---------------------------------------------------------------------

my $roomy =
  slurp("$TOP/conf/datalake.conf") =~ /DataLakeQuota\b/
  ? join '', map { "DataLakeQuota $_ admin 9000000/1h\n" } qw(/ /v1/)
  : '';
my $stack = DataLake::Stack->new(
    name       => 'f28',
    mariadb    => 1,
    durable    => 0,
    httpd      => 1,
    directives => $roomy,
);
my $db     = $stack->mariadb;
my $client = $stack->client('admin');
my $api    = "$stack->{database}_api";

# What must not change, however the requests end.
sub standing {
    return join "\n", map { join ' ', map { $_ // 'NULL' } @$_ } $db->rows(
        q{SELECT COUNT(*), (SELECT COUNT(*) FROM app_user WHERE role <> 'user'),
            (SELECT MD5(GROUP_CONCAT(password_hash)) FROM app_user
              WHERE role <> 'user'),
            (SELECT COUNT(*) FROM mysql.global_priv)
          FROM information_schema.tables WHERE table_schema = DATABASE()}
    );
}
my $before = standing();
$db->run("SET GLOBAL log_output = 'TABLE'");
$db->run('TRUNCATE TABLE mysql.general_log');
$db->run('SET GLOBAL general_log = 1');

# TEXT as a JSON string; its bytes stay as they are.
sub quoted {
    my ($text) = @_;
    $text =~ s/(["\\])/\\$1/g;
    $text =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
    return "\"$text\"";
}

# A member's sample as JSON.
sub json_sample {
    my ($row) = @_;
    my $text = sample($row);
    return $row->{type} =~ /^(?:INT|BOOL|ANY)$/ ? $text : quoted($text);
}

# The body of ROUTE with TEXT in its member NAME, as JSON or as a form.
sub body {
    my ($route, $media, $name, $text) = @_;
    my @part;
    for my $row (@{ $route->{members} }) {
        my $is = $row->{name} eq $name;
        next unless $is || $row->{required};
        push @part, $media eq 'JSON'
          ? quoted($row->{name}) . ':' . ($is ? quoted($text) : json_sample($row))
          : "$row->{name}="
          . (($is ? $text : sample($row)) =~
              s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger);
    }
    return $media eq 'JSON' ? '{' . join(',', @part) . '}' : join '&', @part;
}

my %TYPE = (
    JSON => 'application/json',
    FORM => 'application/x-www-form-urlencoded'
);
my (%status, @wrong);
my ($requests, $targets) = (0, 0);

# Send METHOD PATH and judge the answer; NAME says what was hostile.
sub try_one {
    my ($name, $method, $path, %more) = @_;
    my $answer = $client->request($method, $path, %more);
    $requests++;
    $status{ $answer->{status} }++;
    push @wrong, map { "$name: $_" }
      faults_of($answer, "$method " . $path =~ s/\?.*//sr);
    return;
}

# All texts for the first row of a handler, a fifth for its other spellings.
my %known;

sub texts_for {
    my ($route) = @_;
    my $turn = $known{ $route->{handler} }++;
    return @text if !$turn || full_size();
    return @text[ grep { ($_ + $turn) % 5 == 0 } 0 .. $#text ];
}

my $long = qr/^.{3000}/s;    # an URL may be refused before the parameter is
for my $route (@routes) {
    my $where = "$route->{method} $route->{template}";
    my @these = texts_for($route);
    for my $row (@{ $route->{params} }) {
        $targets++;
        try_one("$where $row->{name}: $_", $route->{method},
            address($route, $row->{name} => $_))
          for grep { $_ !~ $long } @these;
    }
    for my $row (@{ $route->{members} }) {
        for my $media (@{ $route->{media} }) {
            $targets++;
            try_one(
                "$where $media $row->{name}: $_",
                $route->{method},
                address($route),
                body    => body($route, $media, $row->{name}, $_),
                headers => [ 'Content-Type' => $TYPE{$media} ]
            ) for @these;
        }
    }
}
my $version = '/api/audit/version/?date=2026-01-01';
for my $header (qw(User-Agent Referer Accept Prefer Cookie Origin If-None-Match
    Idempotency-Key X-Request-Id X-Forwarded-For))
{
    $targets++;
    for my $text (grep { !/[\0\r\n\x1b]/ } @text) {
        try_one("$header: $text", 'GET', $version, headers => [ $header => $text ]);
    }
}
is(join("\n", @wrong[ 0 .. ($#wrong > 20 ? 20 : $#wrong) ]),
    '', "$requests requests: no 5xx, no delay, no word of the database");
note join ', ', map { "$_: $status{$_}" } sort keys %status;
is(standing(), $before, 'tables, administrators and accounts are as before');
ok(!-e '/tmp/datalake-injected', 'no file was written');

# --- What the server was told --------------------------------------------------------

$db->run('SET GLOBAL general_log = 0');
my ($prepared, $executed) = patterns((named('sql/statements.sql'))[0]);
my ($lines, %foreign) = 0;
for ($db->rows(
        'SELECT command_type, CONVERT(argument USING utf8mb4), COUNT(*)
         FROM mysql.general_log WHERE user_host LIKE ? GROUP BY 1, 2', "%$api%"
    ))
{
    my ($command, $argument, $count) = @$_;
    $lines += $count;
    $foreign{$_}++
      for log_faults($prepared, $executed, $command, $argument // '');
}
cmp_ok($lines, '>=', 500, "$lines lines of the server's log");
my @foreign = sort keys %foreign;
is(join("\n", @foreign[ 0 .. ($#foreign > 20 ? 20 : $#foreign) ]),
    '', 'only texts of statements.sql, and every value a literal');

figure('F28', [ texts => scalar @text, targets => $targets,
        requests => $requests, wrong => scalar @wrong,
        foreign => scalar @foreign, built => scalar @built ],
    @text >= 200 && !@wrong && !@foreign && !@built);
done_testing;
