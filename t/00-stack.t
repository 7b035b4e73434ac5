# 00-stack.t - the stack that every later test stands on: a broker, a
# database and httpd start on free ports, do their work and are gone.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep);
use DataLake::Stack;
use DataLake::Process qw(port_answers);

my $stack = DataLake::Stack->new(
    name    => '00-stack',
    kafka   => 1,
    mariadb => 1,
    httpd   => { module => '' },
    bare    => 1,
);

subtest 'the broker keeps bytes, keys, places and times' => sub {
    my $kafka = $stack->kafka;
    $kafka->create_topic('t.bytes', partitions => 3);
    my $bytes  = join '', map { chr } 0 .. 255;
    my @placed = $kafka->produce(
        't.bytes',
        [
            { partition => 2, key => 'k', value => $bytes },
            { partition => 2, key => '-', value => '' },
            {
                partition => 0,
                value     => "{\"a\":\"\x{e9}\"}",
                timestamp => 1700000000123,
                headers   => [ [ 'dl-origin', 'api' ] ]
            },
        ]
    );
    is_deeply(
        \@placed,
        [ [ 2, 0 ], [ 2, 1 ], [ 0, 0 ] ],
        'each message is acknowledged with partition and offset'
    );
    my @got = $kafka->consume('t.bytes');
    is($got[1]{value},     $bytes,        'all 256 bytes come back');
    is($got[1]{key},       'k',           'so does the key');
    is($got[2]{key},       '-',           'a key may be a minus sign');
    is($got[2]{value},     '',            'a value may be empty');
    is($got[0]{timestamp}, 1700000000123, 'a message has the time we gave it');
    is_deeply(
        [ $kafka->watermarks('t.bytes') ],
        [ [ 0, 1 ], [ 0, 0 ], [ 0, 2 ] ],
        'the watermarks say how much there is'
    );
    $kafka->trim_topic('t.bytes', 2, 1);
    is_deeply(
        [ $kafka->watermarks('t.bytes') ],
        [ [ 0, 1 ], [ 0, 0 ], [ 1, 2 ] ],
        'a trimmed partition begins later'
    );
    $kafka->delete_topic('t.bytes');
    is(scalar(() = $kafka->watermarks('t.bytes')),
        0, 'a deleted topic is gone');
};

subtest 'the broker comes back after kill -9 with what it acknowledged' =>
  sub {
    my $kafka = $stack->kafka;
    $kafka->create_topic('t.kill');
    $kafka->produce('t.kill', [ { value => 'before' } ]);
    $kafka->kill_now;
    ok(!port_answers($kafka->{kafka_port}), 'its port is closed');
    $kafka->start;
    $kafka->produce('t.kill', [ { value => 'after' } ]);
    is_deeply([ map { $_->{value} } $kafka->consume('t.kill') ],
        [ 'before', 'after' ], 'both messages are there');
  };

subtest 'the database is durable, in UTC and closed to strangers' => sub {
    my $mariadb = $stack->mariadb;
    is($mariadb->value('SELECT @@innodb_flush_log_at_trx_commit'),
        1, 'a commit is flushed');
    is($mariadb->value('SELECT @@time_zone'), '+00:00', 'times are UTC');
    is(
        $mariadb->value(
            'SELECT CAST(1234567890123456.0123456789 AS DECIMAL(28,10))'),
        '1234567890123456.0123456789',
        'decimals come as exact text'
    );
    ok(!eval { $mariadb->dbh('mysql', 'root', ''); 1 },
        'root has a password');
    ok(!eval { $mariadb->dbh('mysql', 'datalake_reader', 'x'); 1 },
        'a wrong password is refused');
    my $reader = $mariadb->dbh('datalake', 'datalake_reader',
        $stack->secret('db-reader'));
    ok(!eval { $reader->do('CREATE TABLE t (i INT)'); 1 },
        'the reader may not write');
    $mariadb->kill_now;
    $mariadb->start;
    is($mariadb->value('SELECT 1'), 1, 'it comes back after kill -9');
};

subtest 'httpd serves with the shipped settings' => sub {
    my $client = $stack->httpd->client;
    my $answer = $client->get('/none');
    is($answer->{status}, 404, 'an unknown path is 404, not 403');
    is($answer->{headers}{server}, 'Apache', 'the version is not told');
    my $raw = $stack->httpd->client->exchange("GET / HTTP/0.9\r\n\r\n");
    is($raw->{status}, 400, 'an ancient version is refused');
    is($client->request('TRACE', '/')->{status}, 405, 'TRACE is refused');
    $stack->httpd->reload;
    is($stack->httpd->client->get('/none')->{status},
        404, 'it serves after a graceful restart');
};

subtest 'httpd that has started is the one that serves, and stops at once' =>
  sub {
    my $httpd = $stack->httpd;
    $httpd->stop;
    # What is left of a server that was killed: its port answers a little more.
    my $left = IO::Socket::INET->new(
        LocalAddr => '127.0.0.1',
        LocalPort => $httpd->{port},
        Listen    => 5,
        ReuseAddr => 1
    ) or die "listen: $@\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        sleep 0.3;
        POSIX::_exit(0);
    }
    close $left;
    $httpd->start;
    is(waitpid($pid, WNOHANG), $pid, 'it starts when the old one has gone');
    my $answer = eval { $httpd->client->get('/none') };
    is($answer && $answer->{status}, 404, 'it answers the first request');
    $httpd->stop;
    for my $n (1 .. 3) {
        my @warned;
        local $SIG{__WARN__} = sub { push @warned, @_ };
        my $seconds = $httpd->start->stop;
        is("@warned", '', "a stop behind the start is heard ($n)");
        cmp_ok($seconds, '<', 10, '... and soon done');
    }
    $httpd->start;
  };

subtest 'everything is gone at the end' => sub {
    my @ports = (
        $stack->kafka->{kafka_port},
        $stack->mariadb->{port},
        $stack->httpd->{port}
    );
    $stack->stop;
    is(scalar(grep { port_answers($_) } @ports), 0, 'no port answers');
    is(scalar(() = glob "$stack->{dir}/run/*.pid"), 0, 'no pid file is left');
};

done_testing;
