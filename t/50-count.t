# 50-count.t - the count of GET /api/data/ when finding it takes longer than
# anybody has to wait for it (contract 3.3).
#
# The lake has no index, and each read of httpd's children waits before it
# begins (strace), so that a count through all lines takes seconds on any
# machine.  Nothing is judged by a clock: the waits are counted.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use DataLake::Cost qw(children_of);
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;

plan skip_all => 'strace is not installed' if system('command -v strace >/dev/null') != 0;

my $WAIT_MS = 50;    # of each read
my $TOP     = $DataLake::Stack::TOP;
my $lake    = "$TOP/build/t/50-count-lake";
mkdir "$TOP/build/t";
system('rm', '-rf', $lake);
mkdir $lake;
system("$TOP/build/tools/lake_make $lake --bytes 24M --days 2 --parts 2 > $lake.json") == 0
  or die "lake_make failed\n";
DataLake::Stack::share_lake($lake) if $> == 0;

# How many records have which status, of all.
my ($all, %with) = (0);
for my $file (glob "$lake/transaction_log/dt=*/*.json") {
    open my $in, '<:raw', $file or die "$file: $!\n";
    while (my $line = <$in>) {
        $all++;
        $with{$1}++ if $line =~ /"status":"(\w+)"/;
    }
}

# One child: what one answer has counted, the next one knows.
my $stack = DataLake::Stack->new(
    name    => '50-count',
    mariadb => 1,
    durable => 0,
    httpd   => { server => "StartServers 1\nServerLimit 1\nMaxConnectionsPerChild 0\n" },
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
    ini     => { lake => { path => $lake } },
);
my $alice = $stack->client('alice');
is($alice->get('/api/data/?page_size=1')->{json}{count}, $all, 'without a filter the count is known');

my $log    = "$stack->{dir}/reads";
my $tracer = fork // die "fork: $!\n";
if (!$tracer) {
    open STDERR, '>', "$stack->{dir}/strace.log";
    no warnings 'exec';
    exec 'strace', '-f', '-qq', '-y', '-o', $log, '-e', 'trace=pread64', '-e', "inject=pread64:delay_enter=${WAIT_MS}ms",
      map { ('-p', $_) } children_of($stack->httpd->{process}{pid});
    POSIX::_exit(127);
}

# Milliseconds that reads of the day's files have waited.
sub waited { return $WAIT_MS * (() = (slurp($log) // '') =~ m{^.*pread64\(\d+<[^>]*/dt=}mg); }

# (status, count, X-Count) of the answer to QUERY, and how long reads waited.
sub asked {
    my ($query) = @_;
    my $before = waited();
    my $answer = $alice->get("/api/data/?page_size=2&$query");
    my $told   = join ' ', $answer->{status}, $answer->{json}{count} // 'null', $answer->{headers}{'x-count'} // '-';
    return ($told, waited() - $before, $answer);
}

wait_until('reads are slow', sub {
    asked('count=none&status=refunded&amount__gt=' . rand);
    return waited() > 0;
}, 60);

subtest 'count=auto of a count that is not known within a second' => sub {
    my ($told, $ms, $answer) = asked('status=completed');
    is($told, '200 null unknown', 'is null, with X-Count: unknown');
    cmp_ok($ms, '<=', 1000 + 2 * $WAIT_MS, "... after reads that waited $ms ms");
    is((grep { $_->{status} eq 'completed' } @{ $answer->{json}{results} }), 2, '... and the page is whole');
    ok(defined $answer->{json}{next_cursor}, '... with a cursor of the next one');
    is($answer->{headers}{etag}, undef, '... but no validator: a moment later the count may be known');
    is((asked('status=completed&count=none'))[0], '200 null -', 'count=none is null, and says no more');
    my ($then, $tries) = ('', 0);
    ($then) = asked('status=completed&count=auto') while $then !~ / -$/ && $tries++ < 200;
    is($then, "200 $with{completed} -", 'who asks again has it in the end');
    cmp_ok($tries, '>', 1, '... and not the next time');
};

subtest 'count=exact waits' => sub {
    my ($told, $ms) = asked('status=pending&count=exact');
    is($told, "200 $with{pending} -", 'is the number of matches');
    cmp_ok($ms, '>', 2000, "... though reads waited $ms ms");
    is((asked('status=pending'))[0], "200 $with{pending} -", 'then count=auto knows it, too');
};

kill 'TERM', $tracer;
waitpid $tracer, 0;
$stack->stop;
system('rm', '-rf', $lake);
done_testing;
