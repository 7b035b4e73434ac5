# f29-path-and-date.t - whatever is sent as a date, a dataset or a segment is
# 400 or 404, opens nothing outside the lake and hangs nowhere.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(mkfifo);
use Time::HiRes qw(sleep time);
use DataLake::Process qw(slurp spit);
use DataLake::Figure qw(figure);
use DataLake::Stack;

# What is wrong with ANSWER to PATH, given below the folder DIR.
sub faults_of {
    my ($path, $answer, $dir) = @_;
    my @fault;
    push @fault, "status $answer->{status}"
      unless $answer->{status} =~ /^40[04]$/
      || $answer->{status} == 414 && length $path > 8000;
    push @fault, 'not a problem'
      unless ($answer->{headers}{'content-type'} // '') eq
      'application/problem+json' && $answer->{json};
    push @fault, "$answer->{seconds} s" if $answer->{seconds} > 2;
    push @fault, 'tells a path'
      if $answer->{body} =~ m{\Q$dir\E|/etc/[^p]|canary|root:};
    return @fault;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    my %right = (
        status  => 400,
        headers => { 'content-type' => 'application/problem+json' },
        json    => {},
        body    => '{}',
        seconds => 0.1
    );
    my @planted = (
        { status  => 200 },
        { status  => 503 },
        { headers => { 'content-type' => 'text/html' } },
        { seconds => 3 },
        { body    => 'root:x:0:0' },
        { body    => '{"detail":"/lake/x is not there"}' },
    );
    my @none = faults_of('/', \%right, '/lake');
    is(scalar @none, 0, 'a right answer is right');
    for my $fault (@planted) {
        my @found = faults_of('/', { %right, %$fault }, '/lake');
        is(scalar @found, 1, 'a planted fault is found');
    }
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(
    name    => 'f29',
    mariadb => 1,
    httpd   => 1,
);
my $client = $stack->client('admin');

# What must never be reached: names in the lake that lead out of it or block.
my $lake = "$stack->{dir}/lake";
spit("$stack->{dir}/outside.json", "{\"canary\":1}\n");
mkdir "$lake/_lake";
for my $name (qw(evil transaction_log)) {
    mkdir "$lake/$name";
    mkdir "$lake/_lake/$name";
    symlink '/etc', "$lake/$name/dt=2026-01-01";
    mkdir "$lake/$name/dt=2026-01-02";
    symlink "$stack->{dir}/outside.json",
      "$lake/$name/dt=2026-01-02/2026-01-02.json";
    mkdir "$lake/$name/dt=2026-01-03";
    mkfifo "$lake/$name/dt=2026-01-03/2026-01-03.json", 0644;
}
mkfifo "$lake/_lake/pipe", 0644;
spit("$lake/_lake/plain", "{\"canary\":1}\n");
symlink "$lake/_lake/evil", "$lake/_lake/linked";
symlink '/etc', "$lake/link";
mkfifo "$lake/fifo",       0644;

sub escape {
    my ($text) = @_;
    $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ge;
    return $text;
}

my @hostile = (
    '../',                '..',             '.',
    '../../etc/passwd',   '/etc/passwd',    '//etc/passwd',
    '..\\..\\etc\\passwd', '%2e%2e%2f',     '%252e%252e%252f',
    "\0",                 "a\0b",           "\x01",
    "\n",                 "\r\nX: y",       "\t",
    "\x7f",               "\xff\xfe",       "\xc0\xaf",
    "\xc0\xae\xc0\xae/",  "\xed\xa0\x80",   "\xef\xbc\x8e\xef\xbc\x8e",
    "\xef\xbb\xbf",       "\xe2\x80\xae",   'file:///etc/passwd',
    'http://127.0.0.1/',  '|id',            ';id',
    '$(id)',              '`id`',           "' OR '1'='1",
    '" OR ""="',          '%s%s%s%n',       '%x' x 20,
    '{{7*7}}',            '<script>',       '*',
    '?',                  'CON',            '~root',
    'evil/../..',         'a' x 300,        'a' x 5000,
);
my @dates = (
    @hostile,
    '2025-02-29', '2025-02-30', '2025-13-01', '2025-00-01', '2025-01-00',
    '2025-01-32', '0000-00-00', '0001-01-01', '1969-12-31', '10000-01-01',
    '99999-01-01', '-2025-01-01', '+2025-01-01', '2025-1-1', '2025-01-1',
    '20250101', '2025/01/01', '2025-01-01T00:00:00Z', '2025-01-01 ',
    ' 2025-01-01', '2025-01-01.json', 'dt=2025-01-01', '2025-01-01/..',
    '2025-01-01%00', "2025-01-01\0", '2025-01-0x', '2025-O1-01',
    "\xd9\xa2\xd9\xa0\xd9\xa2\xd9\xa5-01-01",
    "\xef\xbc\x92\xef\xbc\x90\xef\xbc\x92\xef\xbc\x95-01-01", 'today',
    'now', 'null', 'NaN', '0', '-1', '1e3', '18:00', '2025-01-01,2025-01-02',
    '1735689600', '2025-W01-1', '2025-001',
);
my @datasets = (
    @hostile,
    qw(_lake link fifo _lake/fifo pipe plain linked transaction_log/dt=2026-01-01 evil
      TRANSACTION_LOG transaction_log/ /transaction_log transaction_log%20),
    'transaction_log ', ' transaction_log', 'transaction_log.json', 'lake',
    'transaction_log,evil', 'transaction_record', 'app_user',
);
my @days   = map { "2026-01-0$_" } 1 .. 3;
my @numbers = ('0', '-1', '1.5', 'abc', '1e3', "\xd9\xa1", '18446744073709551616',
    '99999999999999999999999', '0x10', '+1', ' 1', '1 ', '--1', '1_000', '');

# [what is said, path], every one of which is 400 or 404
my @cases = (
    (map { [ "date $_", '/api/audit/version/?date=' . escape($_) ] } @dates),
    (map { [ "dataset $_", '/api/audit/version/?date=2026-01-01&dataset=' . escape($_) ] } @datasets),
    (map { [ "days of $_", '/api/audit/resources/?dataset=' . escape($_) ] } @datasets),
    (map { [ "day $_ of evil", "/api/audit/version/?dataset=evil&date=$_" ] } @days),
    (map { [ "day $_", "/api/audit/version/?date=$_" ] } @days),
    (map { [ "version $_", '/api/audit/version/?date=2026-05-18&version=' . escape($_) ] } @numbers),
    (map { [ "as_of $_", '/api/audit/version/?date=2026-05-18&as_of=' . escape($_) ] } @hostile),
    (map { [ "x $_", '/api/metrics/top-products/?x=' . escape($_) ] } @numbers, '1001'),
    (map { [ "minutes $_", '/api/metrics/last-5min/?minutes=' . escape($_) ] } @numbers, '1441'),
    (map { [ "limit $_", '/api/resources/?limit=' . escape($_) ] } @numbers, '1001'),
    (map { [ "cursor $_", '/api/resources/?cursor=' . escape($_) ] } @hostile),
    (map { [ "problem $_", '/problems/' . escape($_) ] } grep { $_ ne '.' && $_ ne '..' } @hostile),
);

# The first bytes of text that can be printed.
sub shown {
    my ($text) = @_;
    $text =~ s/[^ -~]/?/g;
    return length $text > 50 ? substr($text, 0, 50) . '...' : $text;
}

my $tracer;
my $trace = "$stack->{dir}/opens.txt";
if (-x '/usr/bin/strace') {
    $client->get('/health/live');    # then there are children
    my @children = split ' ', qx(pgrep -P $stack->{httpd_server}{process}{pid});
    $tracer = fork // die;
    if (!$tracer) {
        open STDERR, '>', "$stack->{dir}/strace.log";
        no warnings 'exec';
        exec 'strace', '-f', '-qq', '-e', 'trace=open,openat,openat2,execve',
          '-o', $trace, map { ('-p', $_) } @children;
        POSIX::_exit(127);
    }
    for (1 .. 50) { last if -e $trace; sleep 0.1; }
    sleep 0.3;
}

cmp_ok(scalar @cases, '>=', 200, scalar(@cases) . ' values');
my $wrong = 0;
for my $case (@cases) {
    my ($name, $path) = @$case;
    my $answer = $client->get($path);
    my @fault = faults_of($path, $answer, $stack->{dir});
    $wrong++ if @fault;
    ok(!@fault, shown($name)) or diag(join '; ', @fault, $answer->{body});
}

subtest 'a value of a million characters' => sub {
    for my $path ('/problems/' . 'a' x 1e6,
        '/api/audit/version/?date=' . '1' x 1e6)
    {
        my $answer = eval { $stack->httpd->client->get($path) };
        ok(!$answer || $answer->{status} == 414, 'is too long');
    }
    is($client->get('/health/live')->{status}, 200, 'and harms nobody');
};

my $opened = 0;
SKIP: {
    skip 'strace is not installed', 4 unless $tracer;
    sleep 0.3;
    kill 'TERM', $tracer;
    waitpid $tracer, 0;
    my @opens = grep { /open|execve/ } split /\n/, slurp($trace) // '';
    ok(scalar @opens, scalar(@opens) . ' opens were seen');
    ok(!grep({ /execve/ } @opens), 'no program was run');
    # Relative names are opened below a descriptor of the lake; absolute ones
    # can only be the system's own (libraries, hosts) or what lies in /proc.
    my @foreign =
      grep { m{"(/[^"]*|[^"]*\.\.[^"]*)"} && $1 !~ m{^/(?:proc|sys|dev|usr|lib)/|^/etc/(?:hosts|resolv\.conf|nsswitch\.conf|ld\.so\.cache|gai\.conf|host\.conf|services|ssl/|localtime|mysql|my\.cnf)|^\Q$stack->{dir}\E/(?:run|apache2)/} } @opens;
    $opened = scalar @foreign;
    is($opened, 0, 'nothing outside the lake was opened')
      or diag(join "\n", @foreign[ 0 .. ($#foreign > 9 ? 9 : $#foreign) ]);
    unlike(slurp($trace) // '', qr/passwd|shadow|outside\.json/,
        'nor what was planted');
}
unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/,
    'no child has crashed');

figure('F29', [ values => scalar @cases, wrong => $wrong, opens => $opened ],
    @cases >= 200 && !$wrong && !$opened);
done_testing;
