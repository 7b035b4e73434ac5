# f25-secrets.t - secrets stay where they are: canaries are looked for in logs,
# answers, configuration dumps, command lines and environments; a bad key file
# refuses the start; keys rotate by kid without one refused request.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Find qw(find);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Time::HiRes qw(sleep time);
use DataLake::Process qw(slurp spit);
use DataLake::Figure qw(figure full_size);
use DataLake::Stack;
use DataLake::Token qw(claims_of header_of);

# Secrets by name; what holds one of them, once found: "place: name".
my (%canary, %found);

# Look for canaries in TEXT, which came from PLACE; how many new places.
sub look {
    my ($place, $text) = @_;
    return 0 if !defined $text || $text eq '';
    my $n = 0;
    for my $name (sort keys %canary) {
        next if index($text, $canary{$name}) < 0;
        $n++ if !$found{"$place: $name"}++;
    }
    return $n;
}

# Look into every file below FOLDERS but those of SKIP (a pattern); how many
# files were read.
sub look_in_files {
    my ($skip, @folder) = @_;
    my $n = 0;
    find(
        {
            no_chdir => 1,
            wanted   => sub {
                return if -l || !-f || m{$skip};
                look($_, slurp($_));
                $n++;
            }
        },
        grep { -e } @folder
    );
    return $n;
}

# Look into command line and environment of every process; how many.
sub look_in_processes {
    my $n = 0;
    for my $dir (glob '/proc/[0-9]*') {
        for my $file (qw(cmdline environ)) {
            open my $in, '<', "$dir/$file" or next;
            local $/ = undef;
            $n += look("$dir/$file", scalar <$in>) ? 0 : 1;
        }
    }
    return $n;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    %canary = (key => 'Yq7canary' . $$, word => 'pass word' . $$);
    is(look('nowhere', 'nothing of it'), 0, 'a clean text is clean');
    is(look('a log', "12:00 key Yq7canary$$ used"), 1, 'a planted key is found');
    my $dir = "/tmp/f25-self-test-$$";
    mkdir $dir;
    spit("$dir/error.log", "POST password=pass word$$\n");
    spit("$dir/secret",    "Yq7canary$$\n");
    look_in_files(qr{/secret$}, $dir);
    ok($found{"$dir/error.log: word"}, 'a planted password is found in a file');
    ok(!$found{"$dir/secret: key"}, 'where it belongs it is not looked for');
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        local $ENV{DB_PASSWORD} = "pass word$$";
        $ENV{DB_PASSWORD} = $canary{word};
        exec 'sleep', '30', or exit 1;
    }
    my $begin = time;
    sleep 0.02
      while !grep({ m{^/proc/$pid/} } keys %found)
      && (look_in_processes() || 1)
      && time - $begin < 10;
    ok(scalar(grep { m{^/proc/$pid/environ: word} } keys %found),
        'and in an environment');
    kill 'KILL', $pid;
    waitpid $pid, 0;
    unlink glob "$dir/*";
    rmdir $dir;
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(
    name       => 'f25',
    mariadb    => 1,
    httpd      => { server => "LoadModule info_module /usr/lib/apache2/modules/mod_info.so\n<Location /server-info>\nSetHandler server-info\n</Location>\n" },
    users      => { alice => 'user', bob => 'user' },
    daemons    => ['datalake-jobs'],
    directives => "DataLakeMetricsAllow none\n",
);
my $secrets = "$stack->{dir}/secrets";
my $file    = "$secrets/token.key";
my $httpd   = $stack->httpd;

# --- The canaries --------------------------------------------------------------------

my ($secret) = slurp($file) =~ /^(\S+)/;
my $pair = DataLake::Token->generate('ES256', $secrets, kid => 'pair');
for my $name (glob "$secrets/{db,user}-*") {
    ($canary{ $name =~ s{.*/}{}r }) = slurp($name) =~ /^(.+)/;
}
$canary{'audit key'}     = slurp("$secrets/audit.key") =~ s/\s+\z//r;
$canary{'token key'}     = $secret;
$canary{'private key'}   = (split /\n/, $pair->{pem})[1];
$canary{'client secret'} = "clientsecret$$" . 'Xu7';
$canary{'wrong word'}    = "wrong word $$ Zk4";
$canary{'new word'}      = "new word $$ Mw9";
$canary{'header'}        = "Basicsecret$$" . 'Pq2';
my $basic = encode_base64("admin:$canary{header}", '');
$canary{'header in base64'} = $basic;

# Send a request; its answer must hold none of the secrets it was sent.
sub send_it {
    my ($method, $path, %option) = @_;
    my $answer = $httpd->client->request($method, $path, %option);
    look("answer of $method $path", $answer->{raw_head} . $answer->{body});
    return $answer;
}

# The processes are watched by one of their own, all the time.
my $watch = "$stack->{dir}/watched";
my $watcher = fork // die "fork: $!\n";
if (!$watcher) {
    $SIG{TERM} = sub { spit($watch, join "\n", sort keys %found); exec 'true' };
    look_in_processes(), sleep 0.02 while 1;
}

my $turns = full_size() ? 50 : 5;
my %token;
for my $turn (1 .. $turns) {
    my $form = [ 'Content-Type' => 'application/x-www-form-urlencoded' ];
    my %alice = (username => 'alice', password => $canary{'user-alice'});
    my $other = $turn < 3 ? 'bob' : "ghost$turn";    # 5 failures are allowed
    my $in = send_it('POST', '/user/login',
        body => { %alice, client_secret => $canary{'client secret'} });
    is($in->{status}, 200, "turn $turn: a log-in") if $turn == 1;
    $token{access}  = $in->{json}{access_token};
    $token{refresh} = $in->{json}{refresh_token};
    my $next = send_it('POST', '/api/token/refresh/',
        body => { refresh => $token{refresh} });
    $token{next} = $next->{json}{access};
    # From now on no log may have the tokens either.
    $canary{"token $_ $turn"} = $token{$_} for keys %token;
    send_it('POST', '/token',
        headers => $form,
        body    => "username=$other&password="
          . ($canary{'wrong word'} =~ s/ /+/gr)
          . "&client_secret=$canary{'client secret'}");
    send_it('POST', '/token',
        body => { username => $other,
            password => $canary{'wrong word'} . $turn });
    send_it('POST', '/token',
        body => { %alice, client_secret => { x => $canary{'client secret'} } });
    send_it('POST', '/token', headers => [ 'Content-Type' => 'application/json' ],
        body => qq({"username":"alice","password":"$canary{'wrong word'}"));
    send_it('POST', '/user/register',
        body => { username => "new$turn", password => $canary{'new word'},
            email => "new$turn\@example.org", consent_given => JSON::PP::true });
    send_it('POST', '/user/register',
        body => { username => 'x', password => $canary{'new word'},
            role => 'admin', current_password => $canary{'new word'} });
    send_it('PATCH', '/user/me',
        token => $token{next},
        body  => { password => $canary{'new word'},
            current_password => $canary{'wrong word'} })
      if $turn < 3;
    send_it('GET', '/user/me', token => $token{next});
    send_it('GET', '/user/me/export', token => $token{next});
    send_it('GET', '/metrics', headers => [ Authorization => "Basic $basic" ]);
    send_it('GET', '/metrics', token => "$token{next}x");
    send_it('GET', "/metrics?access_token=x", token => $token{next});
    send_it('POST', '/api/token/revoke/', body => { token => $token{access} });
    send_it('POST', '/api/token/refresh/',
        body => { refresh => $token{refresh} });
}
my $info = send_it('GET', '/server-info?config');
is($info->{status}, 200, 'the configuration is shown by mod_info');
like($info->{body}, qr/DataLakeTokenKeyFile/, 'with our directives');
send_it('GET', $_) for '/server-info', '/openapi.json', '/health/ready',
  '/api/v1/health/', '/.well-known/jwks.json', '/problems/unauthorized';
my $admin = $stack->token('admin');
send_it('GET', $_, token => $admin)
  for '/metrics', '/api/audit/', '/api/audit/?limit=1000';

# --- Dumps and programs ----------------------------------------------------------------

sub output_of {
    my (@word) = @_;
    my $command = join ' ', map { "'" . s/'/'\\''/gr . "'" } @word;
    return scalar qx($command 2>&1);
}

subtest 'configuration dumps' => sub {
    for my $what (qw(CONFIG VHOSTS RUN_CFG MODULES INCLUDES)) {
        my $text = output_of($httpd->command('-t', '-D', "DUMP_$what"));
        cmp_ok(length $text, '>', 20, "DUMP_$what says something");
        look("DUMP_$what", $text);
    }
    for my $words ([qw(doctor)], [qw(--json doctor)], [qw(user list)],
        [ 'user', 'passwd', 'bob', '--password-file', "$secrets/user-bob" ],
        [qw(token bob --key-file /nonexistent)])
    {
        my ($status, $text) = $stack->try_ctl(@$words);
        look("datalakectl @$words", $text // $status);
    }
    for my $program (qw(datalake-jobs datalake-lake datalake-warehouse)) {
        my $text = output_of("$DataLake::Stack::BUILD/bin/$program",
            '-c', $stack->ini_file, '--check-config');
        look("$program --check-config", $text);
    }
};

subtest 'a child that dies leaves no core with secrets' => sub {
    my ($parent) = $httpd->{process}{pid};
    my ($text)   = slurp("/proc/$parent/task/$parent/children");
    my ($child)  = split ' ', $text;
    kill 'SYS', $child;    # a signal that writes a core, if one may be
    my $begin = time;
    sleep 0.05 while -e "/proc/$child" && time - $begin < 10;
    ok(!-e "/proc/$child", 'a child is gone');
    my @core;
    find(sub { push @core, $File::Find::name if /^core(?:\.\d+)?$/ && -f },
        "$stack->{dir}/apache2", "$stack->{dir}/run");
    is("@core", '', 'and wrote none');
    for my $unit (glob "$stack->{top}/conf/systemd/*.service") {
        like(slurp($unit), qr/^LimitCORE=0$/m, "$unit says LimitCORE=0");
    }
};

kill 'TERM', $watcher;
waitpid $watcher, 0;
$found{"process $_"} = 1 for split /\n/, slurp($watch) // '';

subtest 'logs, the audit log, the database' => sub {
    cmp_ok(
        look_in_files(
            qr{/secrets/|/watched$|\.sock$|/pair\.pem},
            map { "$stack->{dir}/$_" } qw(apache2 run audit)
        ),
        '>',
        3,
        'files of the servers'
    );
    look_in_files(qr{/secrets/|ib_logfile|ibtmp|undo},
        grep { -f } glob "$stack->{dir}/*.log $stack->{dir}/*/*.log");
    my $rows = 0;
    my $dbh  = $stack->mariadb->dbh('datalake');
    for my $table (map { $_->[0] } @{ $dbh->selectall_arrayref('SHOW TABLES') })
    {
        next if $table =~ /^api_/;
        for my $row (@{ $dbh->selectall_arrayref("SELECT * FROM `$table`") }) {
            $rows++;
            look("table $table", join "\0", map { $_ // '' } @$row);
        }
    }
    cmp_ok($rows, '>', 20, "$rows rows of the database");
    is($dbh->selectrow_array(
            q(SELECT COUNT(*) FROM app_user WHERE password_hash NOT LIKE)
              . q( '$argon2id$v=19$m=19456,t=2,p=1$%')),
        0, 'each password is an Argon2id hash');
};
is(join('; ', sort keys %found), '', 'no canary is anywhere');

# --- Files that refuse the start ---------------------------------------------------------

my $refused = 0;
subtest 'a key file that is not right refuses the start' => sub {
    my $good = slurp($file);
    my @case = (
        [ $good,                                   0644, 'the world may read it' ],
        [ $pair->lines,                            0604, 'so it may a private key' ],
        [ substr($secret, 0, 31),                  0600, '31 bytes' ],
        [ 'your-256-bit-secret',                   0600, 'a short sample' ],
        [ 'a-string-secret-at-least-256-bits-long', 0600, 'a long sample' ],
        [ 'abababab' x 8,                          0600, 'two letters' ],
    );
    for my $case (@case) {
        my ($text, $mode, $name) = @$case;
        unlink $file;
        spit($file, "$text\n");
        chmod $mode, $file;
        my $said = $httpd->check;
        my $told = $said =~ /DL1001 DataLakeTokenKeyFile/ && $? != 0;
        $refused++ if $told;
        ok($told, "$name: httpd does not start") or diag($said);
        look("apachectl -t: $name", $said);
    }
    unlink $file;
    spit($file, $good);
    chmod 0640, $file;
    for my $password ("$secrets/db-api", "$secrets/db-jobs") {
        chmod 0644, $password;
        my $said =
          $password =~ /api/
          ? $httpd->check
          : output_of('timeout', 10, "$DataLake::Stack::BUILD/bin/datalake-jobs",
            '-c', $stack->ini_file, '--name', 'second');
        my $told = $said =~ /open to everybody/ && $? != 0;
        $refused++ if $told;
        ok($told, "a password that the world may read: no start")
          or diag($said);
        chmod 0600, $password;
    }
};

# --- Rotation ------------------------------------------------------------------------------

# Ask with fresh and old tokens until the file STOP is there; a line for each
# answer that is no success to OUT.
sub ask_until {
    my ($stop, $out) = @_;
    my $client = $httpd->client;
    my %sent   = (username => 'alice', password => $canary{'user-alice'});
    my ($n, @bad) = (0);
    my $pair = $client->post('/api/token/', \%sent)->{json};
    while (!-e $stop) {
        my @answer = map { $client->get('/user/me', token => $pair->{access}) }
          1 .. 10;
        my $next =
          $client->post('/api/token/refresh/', { refresh => $pair->{refresh} });
        push @answer, $next;
        $pair = $next->{json} if $next->{status} == 200;
        $n += @answer;
        push @bad, map { $_->{status} } grep { $_->{status} != 200 } @answer;
    }
    spit($out, "$n @bad\n");
    return;
}

my ($asked, @failed) = (0);
subtest 'a rotation with two kids refuses nobody' => sub {
    my $new  = $pair;
    my $old  = DataLake::Token->secret($secret);
    my $stop = "$stack->{dir}/stop";
    my @pid;
    for my $i (1 .. 3) {
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
            ask_until($stop, "$stack->{dir}/asked-$i");
            exec 'true';
        }
        push @pid, $pid;
    }
    my $first = $stack->httpd->client->post('/api/token/',
        { username => 'alice', password => $canary{'user-alice'} })->{json};
    for my $step ([ $old, $new ], [ $new, $old ]) {
        spit($file, join '', map { $_->lines } @$step);
        chmod 0640, $file;
        $httpd->reload;
        my $in = $httpd->client->post('/api/token/',
            { username => 'alice', password => $canary{'user-alice'} })->{json};
        is(header_of($in->{access})->{kid}, $step->[0]{kid},
            "the key $step->[0]{kid} signs");
        my $begin = time;
        sleep 0.1 while time - $begin < (full_size() ? 10 : 1);
    }
    is($httpd->client->get('/user/me', token => $first->{access})->{status},
        200, 'a token of the old key is still good');
    spit($stop, '');
    waitpid $_, 0 for @pid;
    for my $i (1 .. 3) {
        my ($n, @bad) = split ' ', slurp("$stack->{dir}/asked-$i") // '0 none';
        $asked += $n;
        push @failed, @bad;
    }
    cmp_ok($asked, '>', 50, "$asked requests meanwhile");
    is("@failed", '', 'and none of them failed');
    spit($file, $new->lines);
    chmod 0640, $file;
    $httpd->reload;
    is($httpd->client->get('/user/me', token => $first->{access})->{status},
        401, 'without its key it is refused');
};

figure(
    'F25',
    [
        canaries => scalar keys %canary,
        found    => scalar keys %found,
        refused  => "$refused/8",
        rotation => "$asked/" . @failed
    ],
    !%found && $refused == 8 && $asked && !@failed
);
done_testing;
