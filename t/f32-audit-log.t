# f32-audit-log.t - the audit log under hostile texts, damage, kill -9 and a full
# volume: one request is one line without a secret, what was changed later is
# found, no answered change is missing, and without room nothing is changed.
#
# Needs root for the small volume (a tmpfs of 12 MiB); without it that part is
# left out.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use JSON::PP ();
use Time::HiRes qw(sleep time);
use DataLake::AuditLog;
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

srand hex run_number();
my $SECRET = 'cAnArY-s3cret-' . run_number();
my $SIZE   = full_size() ? { kills => 40, flips => 400 } : { kills => 5, flips => 12 };

# What is wrong with LOG, for the requests answered in ANSWERED (id => 1): a
# line too few or too many, damage, a secret.
sub faults_of {
    my ($log, $answered, $text) = @_;
    my @fault = $log->faults;
    my %lines;
    $lines{ $_->{request_id} }++ for $log->entries;
    push @fault, map { ($lines{$_} // 0) . " lines of request $_" }
      grep { ($lines{$_} // 0) != 1 } sort keys %$answered;
    push @fault, map { "$lines{$_} lines of request $_" }
      grep { $lines{$_} > 1 && !$answered->{$_} } sort keys %lines;
    push @fault, 'a secret' if $text =~ /\Q$SECRET\E/;
    return @fault;
}

# --- Self-test -----------------------------------------------------------------

sub self_test {
    my $dir = "$DataLake::Stack::TOP/build/t/f32-self";
    remove_tree($dir);
    make_path($dir);
    my $path = "$dir/20260518T093000Z-0123456789abcdef.000001.log";
    my $key  = 'k' x 32;
    my $log  = DataLake::AuditLog->new(dir => $dir, key => $key);
    my $hash = 'd' x 64;
    my $blank = '0' x 64;
    my $lines = qq({"audit":1,"id":"x","chain":"$blank"}\n);
    $lines .= qq({"request_id":"$_","user_sha256":null,"chain":"$blank","open":{}}\n)
      for 'a' .. 'd';
    spit($path, $lines);
    my $whole = $log->rebuild($path, sub { });
    my $look  = sub {
        my ($text) = @_;
        spit($path, $text);
        my $new = DataLake::AuditLog->new(dir => $dir, key => $key)->read;
        return join '; ', faults_of($new, { map { ($_ => 1) } 'a' .. 'd' }, $text);
    };
    is($look->($whole), '', 'a whole log has no fault');
    (my $bad = $whole) =~ s/"b"/"x"/;
    like($look->($bad), qr/another value/, 'a changed byte is reported');
    ($bad = $whole) =~ s/^[^\n]*"c"[^\n]*\n//m;
    like($look->($bad), qr/0 lines of request c/, 'a missing line is reported');
    ($bad = $whole) =~ s/^([^\n]*"c"[^\n]*\n)/$1$1/m;
    like($look->($bad), qr/2 lines of request c/, 'a doubled line is reported');
    ($bad = $whole) =~ s/"a"/"\x1b"/;
    like($look->($bad), qr/not printable/, 'a control character is reported');
    ($bad = $whole) =~ s/"a"/"a","body":"$SECRET"/;
    like($look->($bad), qr/a secret/, 'a secret is reported');
    ($bad = $whole) =~
      s/"open":\{\}/"open":{"user":{"salt":"s","value":"eve"}}/;
    like($look->($bad), qr/user does not match/, 'an exchanged text is reported');
    remove_tree($dir);
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit 0;
}

# --- The stack -------------------------------------------------------------------

my $stack = DataLake::Stack->new(
    name       => 'f32',
    mariadb    => 1,
    later      => 1,
    durable    => 0,
    users      => { alice => 'user', auditor => 'auditor' },
    directives => "DataLakeAuditBuffer 1M\n",
);
my $dir   = $stack->audit_dir;
my $small = $> == 0;
if ($small) {
    system('mount', '-t', 'tmpfs', '-o', 'size=12m,mode=2750,uid=www-data',
        'tmpfs', $dir) == 0
      or die "cannot mount a tmpfs\n";
}
END { system("umount -l '$dir' 2>/dev/null") if $small && defined $dir; }

$stack->start_mariadb;
$stack->write_ini->set_up;
$stack->start_daemon('datalake-jobs');
$stack->start_httpd;
my $httpd  = $stack->httpd;
my %client = map { ($_ => $stack->client($_)) } qw(admin alice auditor);
my $nobody = $httpd->client;
my $db     = $stack->mariadb->dbh;
my $key    = slurp("$stack->{dir}/secrets/audit.key") =~ s/\n\z//r;

# Request ids that were answered and have to be in the log once.
my %answered;

sub answered {
    my ($answer) = @_;
    $answered{ $answer->{headers}{'x-request-id'} } = 1;
    return $answer;
}

sub read_log {
    my ($in) = @_;
    return DataLake::AuditLog->new(dir => $in // $dir, key => $key)->read;
}

# Everything the folder holds.
sub log_text { return join '', map { slurp($_) // '' } glob "$dir/*"; }

# Wait until the log has a line of each answered request, or a second is over.
sub settle {
    eval {
        wait_until(
            'the lines are there',
            sub {
                my %seen = map { ($_->{request_id} => 1) } read_log()->entries;
                return !grep { !$seen{$_} } keys %answered;
            },
            60
        );
    };
    return;
}

# datalakectl audit verify with WORDS on the folder IN: (status, output).
sub verify {
    my ($in, @words) = @_;
    my $text = slurp("$stack->{dir}/apache2/datalake.conf");
    $text =~ s/^DataLakeAuditDir .*$/DataLakeAuditDir "$in"/m;
    spit("$stack->{dir}/verify.conf", $text);
    my $ini = slurp($stack->ini_file);
    $ini =~ s{^httpd_conf = .*$}{httpd_conf = $stack->{dir}/verify.conf}m;
    spit("$stack->{dir}/verify.ini", $ini);
    return $stack->try_program('datalakectl', '-c', "$stack->{dir}/verify.ini",
        'audit', 'verify', @words);
}

# --- Hostile texts -----------------------------------------------------------------

# Each as it is sent in a query, in a form, and as a JSON escape.
my @HOSTILE = (
    [ 'CR',         '%0d',          '\\r' ],
    [ 'LF',         '%0a',          '\\n' ],
    [ 'CR LF',      '%0d%0a',       '\\r\\n' ],
    [ 'ESC',        '%1b%5b2J',     '\\u001b[2J' ],
    [ 'NUL',        '%00',          '\\u0000' ],
    [ 'U+2028',     '%e2%80%a8',    '\\u2028' ],
    [ 'U+202E',     '%e2%80%ae',    "\xe2\x80\xae" ],
    [ 'no UTF-8',   '%ff%fe',       "\xff" ],
    [ 'a quotation mark', '%22%7d', '\\"}' ],
    [ 'a backslash', '%5c',         '\\\\' ],
);
my $JSON = [ 'Content-Type', 'application/json' ];
my $FORM = [ 'Content-Type', 'application/x-www-form-urlencoded' ];

for my $hostile (@HOSTILE) {
    my ($name, $query, $json) = @$hostile;
    my $alice = $client{alice};
    answered($alice->get("/api/resources/?limit=1$query"));
    answered($alice->get("/api/resources/?x$query=1&password=$SECRET"));
    answered($alice->get("/api/access/?user=$query&access_tok%65n=$SECRET$query"));
    answered($nobody->post('/user/login',
            qq({"username":"eve$json","password":"$SECRET$json"}),
            headers => $JSON));
    answered($nobody->post('/token',
            "username=eve$query&password=$SECRET$query&client_secret=$SECRET",
            headers => $FORM));
    answered($nobody->post('/token', "p%61ssword=$SECRET$query",
            headers => $FORM));
    answered($client{admin}->post('/api/access/grant/',
            qq({"username":"alice$json","resource":"transaction_log$json","token":"$SECRET"}),
            headers => $JSON));
    answered($client{admin}->post('/api/access/grant/',
            qq({"a":{"b":[{"Authorization":"$SECRET$json"}]},"refresh":{"x":"$SECRET"}}),
            headers => $JSON));
    answered($nobody->post('/user/register',
            qq({"username":"new$json","password":"$SECRET","email":"a$json\@example.org","consent_given":true}),
            headers => $JSON));
    answered($nobody->post('/api/token/revoke/', qq({"token":"$SECRET$json"}),
            headers => $JSON));
}
answered($nobody->post('/user/login', qq({"username":"eve","password":"$SECRET"),
        headers => $JSON));
answered($nobody->post('/user/login', qq({"username":"eve","password":"$SECRET"}),
        headers => $JSON));
answered($client{alice}->request('GET', '/api/resources/',
        headers => [ 'User-Agent', "x $SECRET", 'X-Forwarded-For', '6.6.6.6' ]));
settle();
my $hostile = keys %answered;
my @faults  = faults_of(read_log(), \%answered, log_text());
is("@faults", '', "$hostile hostile requests: a line each, printable, whole, no secret");
# (The access log holds the request line as it was sent: it is httpd's.)
my $secret = grep { (slurp($_) // '') =~ /\Q$SECRET\E/ }
  glob "$stack->{dir}/log/*.log $stack->{dir}/apache2/error.log";
is($secret, 0, 'no log of a program has a secret');
my ($login) = grep { ($_->{user} // '') eq 'eve' && $_->{action} eq 'login' }
  read_log()->entries;
ok($login && $login->{body} =~ /"password":"\*\*\*"/, 'a log-in attempt names its user, its password is ***');
wait_until(
    'the warehouse has every line',
    sub {
        return $db->selectrow_array(
            'SELECT COUNT(*) FROM datalake.audit_entry') >=
          grep { $_->{request_id} } read_log()->entries;
    }
);
is(
    scalar $db->selectrow_array(
        'SELECT COUNT(*) FROM datalake.audit_entry WHERE body LIKE ? OR query_params LIKE ?',
        undef, "%$SECRET%", "%$SECRET%"
    ),
    0, 'the warehouse has no secret'
);
is(
    scalar $db->selectrow_array(
        'SELECT COUNT(*) - COUNT(DISTINCT request_id) FROM datalake.audit_entry'),
    0, '... and no line twice'
);

# --- kill -9 of children ---------------------------------------------------------------

# The children of httpd.
sub children {
    my $parent = $httpd->{process}->pid;
    return split ' ', slurp("/proc/$parent/task/$parent/children") // '';
}

my ($kills, $changes) = (0, 0);
for my $round (1 .. $SIZE->{kills}) {
    my $until = time + 0.4;
    my $kill  = time + rand 0.3;
    while (time < $until) {
        my $day = sprintf '2026-%02d-%02d', 1 + int rand 12, 1 + int rand 28;
        my $admin = $stack->client('admin');
        my $answer = eval {
            $admin->post('/api/access/grant/',
                { username => 'alice', resource => "transaction_log/$day.json" });
        };
        if ($answer && $answer->{status} < 300) {
            answered($answer);
            $changes++;
        }
        if ($kill && time > $kill) {
            my @children = children();
            kill 'KILL', $children[ rand @children ];
            $kills++;
            $kill = 0;
        }
    }
}
settle();
@faults = faults_of(read_log(), \%answered, log_text());
is("@faults", '', "$kills children killed: every one of $changes answered changes has its line");
kill 'KILL', children();
my ($status, $out);
wait_until(
    'the files of the killed are ended',
    sub {
        ($status, $out) = verify($dir);
        return $status == 0;
    },
    60
);
is($status, 0, 'and the log verifies') or diag $out;

# --- Damage ----------------------------------------------------------------------------

my $copy = "$stack->{dir}/copy";
my ($found, $planted) = (0, 0);

# A fresh copy of the folder; returns its finished files, the longest first.
sub fresh_copy {
    remove_tree($copy);
    make_path($copy);
    copy($_, $copy) for glob "$dir/*.log";
    return sort { -s $b <=> -s $a } glob "$copy/*.log";
}

# Whether datalakectl finds what was done to the copy, and says WHAT.
sub judge {
    my ($what, $name) = @_;
    my ($code, $text) = verify($copy);
    $planted++;
    if ($code == 1 && $text =~ $what) {
        $found++;
        return 1;
    }
    diag "not found: $name: status $code\n$text";
    return 0;
}

$stack->httpd->stop;
wait_until('all lines are loaded', sub {
    my $lines = () = log_text() =~ /\n/g;
    return $db->selectrow_array(
        'SELECT SUM(position) FROM datalake.audit_file') == length log_text();
}, 60);
($status, $out) = verify($dir);
is($status, 0, 'a log at rest has no fault') or diag $out;
my @files = fresh_copy();
for my $n (1 .. $SIZE->{flips}) {
    my $file = $files[ rand @files ];
    my $text = slurp($file);
    my $at   = int rand length $text;
    my $bad  = $text;
    substr($bad, $at, 1) ^= chr(1 << int rand 7);
    spit($file, $bad);
    judge(qr/faults/, "bit at $at of $file");
    spit($file, $text);
}
for my $n (1 .. 4) {
    my ($file) = fresh_copy();
    my $text = slurp($file);
    spit($file, substr $text, 0, 300 + int rand(length($text) - 301));
    judge(qr/torn|cut off/, "cut tail of $file");
}
{
    my ($file) = fresh_copy();
    unlink $file;
    judge(qr/gone/, "removed $file");
    ($file) = fresh_copy();
    my $text = slurp($file);
    $text =~ s/\n[^\n]*\n[^\n]*\n\z/\n/;
    spit($file, $text);
    judge(qr/cut off/, 'a cut at a line');
    ($file) = fresh_copy();
    spit($file, read_log()->rebuild($file, sub { s/"duration_ms":\d+/"duration_ms":77/ }));
    my ($code, $text2) = verify($copy, '--offline');
    is($code, 0, 'a chain computed anew is whole in itself') or diag $text2;
    judge(qr/computed anew/, 'a chain computed anew');
    for ([ $key, qr/not old enough/, 'with the key' ], [ 'x' x 32, qr/not signed/, 'without it' ]) {
        my ($with, $what, $who) = @$_;
        ($file) = fresh_copy();
        read_log()->cut_away($file, $with);
        judge($what, "a file replaced by a cut made by somebody $who");
    }
}
is($found, $planted, "$planted planted damages are found");
remove_tree($copy);

# --- A full volume -----------------------------------------------------------------------

my %full = (refused => 0, changed => 0, reads => 0);
SKIP: {
    skip 'mounting a small volume needs root', 1 unless $small;
    $stack->start_httpd;
    %client = map { ($_ => $httpd->client(token => $stack->{tokens}{$_})) }
      qw(admin alice);
    my $count = 'SELECT COUNT(*) FROM datalake.access_grant';
    system("dd if=/dev/zero of=$dir/filler bs=64k 2>/dev/null");
    my ($before, $answer);
    for my $n (1 .. 400) {
        $before = $db->selectrow_array($count);
        $answer = $client{admin}->post('/api/access/grant/',
            { username => 'auditor', resource => "full$n*" });
        $answer = $client{admin}->post('/api/access/grant/',
            { username => 'auditor', resource => sprintf 'transaction_log/2025-%02d-%02d.json', 1 + $n / 28, 1 + $n % 28 })
          if $answer->{status} != 507;
        last if $answer->{status} == 507;
    }
    is($answer->{status}, 507, 'on a full volume a change is refused');
    is($answer->{json}{type}, '/problems/storage-full', '... as storage-full');
    ok($answer->{headers}{'retry-after'}, '... with Retry-After');
    $before = $db->selectrow_array($count);
    for my $n (1 .. 20) {
        $answer = $client{admin}->post('/api/access/grant/',
            { username => 'auditor', resource => sprintf 'transaction_log/2024-01-%02d.json', $n });
        $full{refused}++ if $answer->{status} == 507;
    }
    is($full{refused}, 20, 'every one');
    $full{changed} = $db->selectrow_array($count) - $before;
    is($full{changed}, 0, 'and nothing is changed');
    is($nobody->post('/user/login', '{"username":"alice","password":"12345678"}',
            headers => $JSON)->{status}, 507, 'a log-in too');
    my %status;
    for my $n (1 .. 20000) {
        my $code = $client{alice}->get('/api/resources/')->{status};
        $status{$code}++;
        last if $code == 507;
    }
    $full{reads} = $status{200} // 0;
    cmp_ok($full{reads}, '>', 100, 'reads go on');
    ok($status{507}, '... until the buffer is full, then 507');
    is($httpd->client->get('/health/live')->{status}, 200, 'what is not logged is answered');
    unlink "$dir/filler";
    my $begin = time;
    wait_until('changes work again', sub {
        return $client{admin}->post('/api/access/grant/',
            { username => 'auditor', resource => 'transaction_log/2023-01-01.json' })->{status} < 300;
    }, 60);
    $full{back_s} = sprintf '%.1f', time - $begin;
    $httpd->stop;
    my $reads = grep { $_->{endpoint} eq '/api/resources/' && $_->{status} == 200 } read_log()->entries;
    cmp_ok($reads, '>=', $full{reads}, 'no read that was answered is missing');
    ($status, $out) = verify($dir);
    is($status, 0, 'and the log verifies') or diag $out;
}

my $lost = grep { /^0 lines/ } @faults;
my $met  = Test::More->builder->is_passing;
figure('F32', [
    requests => scalar(keys %answered), hostile => $hostile, kills => $kills,
    lost => $lost, planted => $planted, found => $found,
    full_refused => $full{refused}, full_changed => $full{changed}
], $met);
ok($met, 'F32 is met');
done_testing;
