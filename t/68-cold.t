# 68-cold.t - days that became cold answer as before: every route and command,
# byte for byte, with the same ETag, through the schedule, after kills at each
# point of it, without the directory of their frames, and with late records;
# zstd and DuckDB read the files as they stand.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy);
use Time::HiRes qw(time);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Python qw(python_with);
use DataLake::Stack;

my $TOPIC  = 'transaction_log';
my @DAYS   = map { "2026-05-0$_" } 1 .. 6;
my $python = python_with('duckdb==1.5.5');
my $stack  = DataLake::Stack->new(
    name    => '68-cold',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
    users   => { alice => 'user' },
    grants  => { alice => ['*'] },
    ini     => { lake => { zstd_after => '30 d' } },
);
my $lake   = "$stack->{dir}/lake";
my $idx    = "$lake/_lake/$TOPIC/idx";
my $client = $stack->client('alice');
my $MAKE   = "$DataLake::Stack::BUILD/tools/lake_make";

sub make_lake {
    my $told = `$MAKE $lake --bytes 12M --days 6 --parts 2 --hostile 0.05`;
    is($?, 0, 'given six days of two parts each, some texts hard to read') or BAIL_OUT($told);
    return;
}

# The test runs as root, the server does not.
sub share {
    system('chgrp', '-R', 'www-data', $lake);
    system('chmod', '-R', 'g+rX', $lake);
    return;
}

sub files {
    my ($day) = @_;
    return join ' ', map { s{.*/}{}r } sort glob "$lake/$TOPIC/dt=$day/*";
}

# --- What is asked ----------------------------------------------------------------

my @PATHS = (
    map({ ("/api/audit/version/?date=$_&format=ndjson", "/api/audit/version/?date=$_&version=2&format=csv") } @DAYS),
    "/api/audit/version/?date=$DAYS[1]&meta=true",
    map({ "/api/data/?resource=$TOPIC/$DAYS[1].json&$_" }
        'page_size=50', 'page=40&page_size=50', 'format=ndjson&page_size=1000',
        'status=pending&page_size=20', 'amount__gt=900&sort=-amount&page_size=25',
        'payment_method__contains=ar&page_size=20',
        'user_id=77&count=none', 'meta=true&page=9'),
    '/api/search/?q=quixotry&limit=50', '/api/search/?q=parcel&limit=20',
    '/api/fulltext_search/quixotry?limit=50',
    '/api/resources/', '/api/audit/resources/',
);

sub without_cursor { return $_[0] =~ s/(?:cursor=|"next_cursor":")[^"]*"//gr; }

# Path => [status, ETag, body] of every question.
sub ask_all {
    return {
        map {
            my $answer = $client->get($_);
            # Cursors are sealed anew each time.
            ($_ => [ $answer->{status}, $answer->{headers}{etag} // '', without_cursor($answer->{body}) ])
        } @PATHS
    };
}

# The paths of GOOD that are answered otherwise now.
sub changed {
    my ($good) = @_;
    my $now = ask_all();
    return grep {
        my $path = $_;
        grep { $now->{$path}[$_] ne $good->{$path}[$_] } 0 .. 2
    } @PATHS;
}

sub same {
    my ($good, $name) = @_;
    my @other = changed($good);
    is("@other", '', $name);
    return;
}

sub fsck_finds {
    my ($want, $name) = @_;
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, $want, $name) or diag $said;
    return;
}

# --- Tests ------------------------------------------------------------------------

make_lake();
$stack->ctl('index', 'build', $TOPIC);
share();
my $good = ask_all();
my %sum  = map { ($_ => sha256_hex($stack->ctl('cat', "$TOPIC/$_"))) } @DAYS;
my ($stat) = $stack->ctl('stat', "$TOPIC/$DAYS[0]") =~ /^sha256\s+(\w+)/m;
my $grep = $stack->ctl('grep', 'quixotry', $TOPIC);
is(join(' ', grep { $good->{$_}[0] != 200 } @PATHS), '', 'everything answers');
is($stat, $sum{ $DAYS[0] }, 'the sum of a day is that of its lines');
my $page  = "/api/data/?resource=$TOPIC/$DAYS[1].json&page_size=100";
my $first = $client->get($page);
my $next  = $first->{json}{next};
my $second = without_cursor($client->get($next)->{body});

subtest 'killed while days become cold' => sub {
    for my $label (qw(compact-written cold-packed compact-recorded compact-exchanged compact-published)) {
        # Six days are joined first.
        local $ENV{DL_CRASH_AT} = $label . ($label eq 'compact-written' ? ':7' : ':1');
        is(($stack->try_ctl('compact', $TOPIC))[0], 137, "it dies at $label");
        share();
        same($good, '... every answer is as it was');
        # In between the head still names what was.
        fsck_finds(0, '... and fsck finds nothing') if $label !~ /recorded|exchanged/;
    }
};

subtest 'the schedule makes old days cold' => sub {
    my $jobs = $stack->start_daemon('datalake-jobs');
    $stack->ctl('schedule', 'run', 'compact');
    wait_until('each day is cold', sub { !grep { files($_) ne "$_.json.zst" } @DAYS }, 60);
    wait_until('the log tells', sub { $stack->daemon_log('datalake-jobs') =~ /DL0803 $TOPIC: \d days are cold now/ }, 60);
    pass('each is one file, D.json.zst');
    $jobs->kill_now;
    share();
    same($good, 'every answer has the same bytes and the same ETag');
    fsck_finds(0, 'fsck finds nothing');
    for my $path (grep { $good->{$_}[1] ne '' } @PATHS[ 0, 1, 12 ]) {
        is($client->get($path, headers => { 'If-None-Match' => $good->{$path}[1] })->{status},
            304, 'an ETag of before is 304');
    }
    my $on = $client->get($next);
    is(without_cursor($on->{body}), $second, 'a cursor of before goes on');
    my $ratio = length($good->{ $PATHS[0] }[2]) / -s "$lake/$TOPIC/dt=$DAYS[0]/$DAYS[0].json.zst";
    cmp_ok($ratio, '>', 4, sprintf 'a day takes %.1f times less room', $ratio);
};

subtest 'the command line' => sub {
    is(sha256_hex($stack->ctl('cat', "$TOPIC/$_")), $sum{$_}, "cat of $_ gives the same bytes") for @DAYS;
    is($stack->ctl('grep', 'quixotry', $TOPIC), $grep, 'grep finds the same');
    my $told = $stack->ctl('stat', "$TOPIC/$DAYS[0]");
    like($told, qr/^sha256\s+$sum{$DAYS[0]}/m, 'stat has the same sum');
    like($told, qr/: cold\n.*\.json\.zst$/m, '... and says that the day is cold');
    is(($stack->try_ctl('index', 'verify', $TOPIC))[0], 0, 'its index verifies');
    $stack->ctl('index', 'drop', $TOPIC);
    is(scalar(() = glob "$idx/*.frames"), scalar @DAYS, 'drop leaves the directories of frames');
    share();
    same($good, 'without indexes every answer is as it was');
    $stack->ctl('index', 'build', $TOPIC);
    share();
    same($good, '... and with those that were made of cold days');
};

subtest 'other programs' => sub {
    for my $day (@DAYS) {
        my $text = `zstd -dc $lake/$TOPIC/dt=$day/$day.json.zst`;
        is(sha256_hex($text), $sum{$day}, "zstd gives the bytes of $day");
    }
    my $schema = $stack->ctl('schema', 'duckdb', $TOPIC);
    spit("$stack->{dir}/schema.sql", $schema);
    spit("$stack->{dir}/query.py", <<'PY');
import sys, duckdb, time
duckdb.execute(open(sys.argv[1]).read())
begin = time.time()
print(*duckdb.execute("SELECT count(*), count(transaction_id) FROM transaction_log").fetchone())
print("# DuckDB: all days in %.2f s" % (time.time() - begin))
PY
    my @said = `$python $stack->{dir}/query.py $stack->{dir}/schema.sql`;
    my $all  = 0;
    $all += () = $good->{"/api/audit/version/?date=$_&format=ndjson"}[2] =~ /\n/g for @DAYS;
    is($said[0], "$all $all\n", 'DuckDB counts every record by the printed schema');
    diag $said[1] // '';
};

subtest 'the directory of frames is a remark' => sub {
    my @frames = glob "$idx/*.frames";
    my @kept   = map { slurp($_) } @frames;
    unlink @frames;
    $stack->httpd->restart if $stack->httpd->can('restart');
    same($good, 'without them every answer is as it was');
    fsck_finds(0, 'and fsck finds nothing');
    spit($frames[$_], substr($kept[$_], 0, 100) . 'X' . substr $kept[$_], 101) for 0 .. $#frames;
    share();
    is(sha256_hex($stack->ctl('cat', "$TOPIC/$DAYS[2]")), $sum{ $DAYS[2] }, 'damaged, cat is as it was');
    fsck_finds(1, 'but fsck finds the damage');
    spit($frames[$_], $kept[$_]) for 0 .. $#frames;
    share();
    fsck_finds(0, 'put back, it finds nothing');
};

subtest 'late records' => sub {
    my $driver = "$DataLake::Stack::BUILD/tools/lake_driver";
    my $us     = 1_777_680_000_000_000;    # 2026-05-02
    my $now = int(time) . '000000';
    spit("$stack->{dir}/script", join '', map { "$_\n" }
          map({ my $o = 90_000_000 + $_; "R 0 $o @{[$us + $_]} {\"transaction_id\":\"late$_\",\"timestamp\":\"2026-05-02T00:00:00Z\"}" } 1 .. 30),
          "C $now", "S $now");
    is(system("$driver $lake $TOPIC $stack->{dir}/script >$stack->{dir}/driver.out 2>&1"), 0, 'come for a cold day')
      or diag slurp("$stack->{dir}/driver.out");
    share();
    like(files($DAYS[1]), qr/^$DAYS[1]\.\d+\.json $DAYS[1]\.json\.zst$/, 'they are a part of their own');
    my $path  = "/api/audit/version/?date=$DAYS[1]&format=ndjson";
    my $whole = $client->get($path)->{body};
    is(substr($whole, 0, length $good->{$path}[2]), $good->{$path}[2], 'behind what was there');
    is(scalar(() = $whole =~ /"late\d+"/g), 30, 'all of them');
    like($stack->ctl('compact', $TOPIC), qr/1 days of 2 parts.*1 days are cold now/s,
        'the next compaction joins them, and the day is cold again');
    share();
    is(files($DAYS[1]), "$DAYS[1].json.zst", 'as one file');
    is($client->get($path)->{body}, $whole, 'with the same answer');
    fsck_finds(0, 'fsck finds nothing');
};

done_testing;
