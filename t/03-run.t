# 03-run.t - `make run` and its relatives, in a folder of their own.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use DataLake::Http;
use DataLake::MariaDB;
use DataLake::Process qw(port_answers slurp spit);
use DataLake::Stack;
use DataLake::Stopwatch;

my $top = $DataLake::Stack::TOP;
my $dir = "$top/build/t/03-run";
my @folders;

# (exit status, output) of the runner with WORDS in FOLDER.
sub runner {
    my ($folder, @words) = @_;
    local $ENV{DL_STACK_DIR} = $folder;
    my $out = qx('$top/t/lib/stack' @words 2>&1);
    return ($? >> 8, $out);
}

# The assignments of FOLDER/env, as sh reads them.
sub environment {
    my ($folder) = @_;
    return map { /^(DATALAKE_\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/,
      qx(env -i sh -c '. "$folder/env"; set' | sed "s/='\\(.*\\)'\$/=\\1/");
}

# {program => [state, pid, port]} as `stack status` prints it, without how far
# behind each is.
sub status {
    my ($folder) = @_;
    my ($code, $out) = runner($folder, 'status');
    return map { my ($name, @rest) = split; ($name => [ @rest[ 0 .. 2 ] ]) } split /\n/,
      $out;
}

# A new folder for a stack.
sub folder {
    my ($name) = @_;
    my $folder = "$dir-$name";
    runner($folder, 'stop') if -e $folder;
    remove_tree($folder);
    push @folders, $folder;
    return $folder;
}

END {
    my $status = $?;
    runner($_, 'stop') for reverse @folders;
    $? = $status;
}

my $own = folder('own');
my %env;

subtest 'the first run ends with everything up' => sub {
    my ($code, $out) = runner($own, 'run');
    is($code, 0, 'it succeeds') or diag($out);
    like($out, qr{API +http://127}, 'it prints the address');
    %env = environment($own);
    my ($try) = $out =~ /^Try:\n\n(.*?)\n\n/ms;
    my @try = split /\n/, $try // '';
    cmp_ok(scalar @try, '>=', 10, 'and what to try');
    my $printed = qx(bash -c 'set -o pipefail -e\n$try' 2>&1);
    is($?, 0, 'whose commands succeed') or diag($printed);
    unlike($printed, qr{"/problems/}, 'and are answered');
    my @names = map { "DATALAKE_$_" } qw(URL KAFKA LAKE DSN ADMIN_DSN
      ADMIN_USER ADMIN_PASSWORD_FILE TOKEN_FILE CTL INI COLLECT);
    is(join(' ', grep { !$env{$_} } @names), '', 'env names every part');
    is((stat "$own/env")[2] & 0777, 0600, 'env is for its owner alone');
    is(
        join(' ', grep { (stat)[2] & 077 } glob "$own/secrets/*"),
        '', 'so is every secret'
    );
    my %status = status($own);
    is(
        join(' ', grep { $status{$_}[0] eq 'down' } sort keys %status),
        '', 'status says that no part is down'
    );
    for my $program (qw(kafka mariadb apache2 datalake-lake
        datalake-warehouse datalake-jobs datalake-collect)) {
        my ($pid) = (slurp("$own/run/$program.pid") // '') =~ /^(\d+)\s*$/;
        is($pid, $status{$program}[1], "run/$program.pid holds its pid");
        ok($pid && kill(0, $pid), "$program runs");
    }
};

subtest 'the token opens the sample data' => sub {
    my $token = slurp($env{DATALAKE_TOKEN_FILE});
    chomp $token;
    my ($port) = $env{DATALAKE_URL} =~ /:(\d+)$/;
    my $client = DataLake::Http->new(port => $port, token => $token);
    for my $path (
        '/api/metrics/top-products/?x=3', '/api/metrics/total-by-user/',
        '/api/metrics/last-5min/',        '/api/resources/'
      )
    {
        my $answer = $client->get($path);
        is($answer->{status}, 200, "$path is answered");
        ok(length $answer->{body} > 20, 'with data');
        is($client->get($path, token => '')->{status},
            401, 'not without a token');
    }
    my %count = (
        'logs/count'         => { total_logs         => 2000 },
        'social/count'       => { total_posts        => 300 },
        'transactions/count' => { total_transactions => 1500 },
    );
    for my $path (sort keys %count) {
        is_deeply($client->get("/v1/$path")->{json},
            $count{$path}, "/v1/$path: what was collected is there");
    }
    for my $path ('logs/198.51.100.7', 'social/sample-1', 'social/user/greta',
        'transactions/1042')
    {
        is($client->get("/v1/$path")->{status}, 200, "/v1/$path has something");
    }
    like(
        $client->get('/metrics')->{body},
        qr/^datalake_collector_records_total\{collector="sample_logs"\} 2000$/m,
        '/metrics counts what a collector brought in'
    );
    like($client->get('/v1/transactions/1042')->{body},
        qr/"email":"\w+\@example\.org"/, 'a client is known with its payments');
    my $days = $client->get('/api/resources/')->{json};
    cmp_ok(scalar @{ $days->{resources} }, '>=', 3, 'the sample has several days');
    cmp_ok(
        $client->get('/api/metrics/last-5min/')->{json}{total_transactions},
        '>', 0, 'and the last minutes are not empty'
    );
    my $reader = DataLake::MariaDB::connect_dsn($env{DATALAKE_DSN});
    my ($rows) =
      $reader->selectrow_array('SELECT COUNT(*) FROM transaction_record');
    is($rows, 5000, 'the warehouse holds the sample');
    ok(!eval { $reader->do('DELETE FROM transaction_record'); 1 },
        'the account of DATALAKE_DSN only reads');
};

subtest 'a second run changes nothing that runs' => sub {
    my %before = status($own);
    my $watch  = DataLake::Stopwatch->new;
    my ($code, $out) = runner($own, 'run');
    is($code, 0, 'it succeeds') or diag($out);
    cmp_ok($watch->seconds, '<=', 20, 'within 20 s');
    is_deeply({ status($own) }, \%before, 'the same pids and ports');
    is_deeply({ environment($own) }, \%env, 'the same addresses');
};

subtest 'a token that will not do is replaced' => sub {
    my $was = slurp($env{DATALAKE_TOKEN_FILE});
    runner($own, 'run');
    is(slurp($env{DATALAKE_TOKEN_FILE}), $was, 'one that will do stays');
    for my $ends ('in half an hour', 'with the log-in') {
        my $text = qx($env{DATALAKE_CTL} token $env{DATALAKE_ADMIN_USER});
        $text = $was =~ s/\.[^.]*$/.AAAA/r if $ends =~ /log-in/;
        spit($env{DATALAKE_TOKEN_FILE}, $text, 0600);
        my ($code, $out) = runner($own, 'run');
        my $now = slurp($env{DATALAKE_TOKEN_FILE}) =~ s/\s+\z//r;
        isnt("$now\n", $text, "one that ends $ends does not");
        like($out, qr/token +\Q$now\E$/m, '... and the new one is printed');
    }
};

subtest 'one program stops and starts' => sub {
    my ($code) = runner($own, qw(stop mariadb));
    is($code, 0, 'stop-mariadb succeeds');
    my %status = status($own);
    is($status{mariadb}[0], 'down', 'status says so');
    is($status{kafka}[0],   'up',   'the broker still runs');
    runner($own, qw(start mariadb));
    my %again = status($own);
    is($again{mariadb}[0], 'up', 'start-mariadb brings it back');
    ok(DataLake::MariaDB::connect_dsn($env{DATALAKE_DSN})->ping,
        'at the same address');
    ($code, my $out) = runner($own, qw(stop nonsense));
    is($code, 1, 'an unknown program is an error');
    like($out, qr/unknown program nonsense: one of/, 'that says what is known');
};

subtest 'servers that exist are used instead' => sub {
    my $other = folder('other');
    local $ENV{STACK_KAFKA} = $env{DATALAKE_KAFKA};
    local $ENV{STACK_DSN}   = $env{DATALAKE_ADMIN_DSN} . 'other_lake';
    my ($code, $out) = runner($other, 'run');
    is($code, 0, 'run succeeds') or diag($out);
    my %status = status($other);
    is($status{kafka}[0],   'foreign', 'no broker is started');
    is($status{mariadb}[0], 'foreign', 'no database is started');
    is($status{apache2}[0], 'up',      'httpd is');
    my %there = environment($other);
    is($there{DATALAKE_KAFKA}, $env{DATALAKE_KAFKA}, 'env names the broker');
    my $reader = DataLake::MariaDB::connect_dsn($there{DATALAKE_DSN});
    is($reader->selectrow_array('SELECT DATABASE()'),
        'other_lake', 'and the database');
    runner($other, 'reset');
    ok(!-e $other, 'reset removes the folder');
    ok(port_answers(($env{DATALAKE_KAFKA} =~ /:(\d+)/)[0]),
        'and leaves the foreign broker alone');
};

subtest 'stop ends everything' => sub {
    my %before = status($own);
    my ($code, $out) = runner($own, 'stop');
    is($code, 0, 'it succeeds');
    unlike($out, qr/ignored|killed/, 'nothing had to be killed');
    my @left = grep { /^\d+$/ && DataLake::Process::start_time($_) }
      map { $_->[1] } values %before;
    is(scalar @left, 0, 'no process is left');
};

done_testing;
