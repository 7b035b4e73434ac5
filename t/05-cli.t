# 05-cli.t - datalakectl and datalake-simulate as they are typed: every flag
# with a wrong value, exit statuses, manuals, accounts, tokens, the demo's data.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 sha256_hex);
use FindBin;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(decode_base64url);
use Test::More;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit);
use DataLake::Stack;
use DataLake::Stopwatch;

chdir "$FindBin::Bin/.." or die "$!\n";
my $stack = DataLake::Stack->new(
    name    => '05-cli',
    kafka   => 1,
    mariadb => 1,
    bare    => 1,
);
$stack->write_directives;
my $scratch = $stack->{dir};
my $json    = JSON::PP->new->utf8;

sub ctl      { return $stack->try_ctl(@_); }
sub simulate { return $stack->try_program('datalake-simulate', @_); }

# One call that must be refused: STATUS, a pattern of the sentence, the words.
sub refused {
    my ($program, $status, $pattern, @words) = @_;
    my ($got, $out) = $program->(@words);
    is($got, $status, "status $status: @words") or diag $out;
    like($out, $pattern, "... and says why");
    return;
}

subtest 'datalakectl refuses a wrong command line with 2' => sub {
    my @cases = (
        [ qr/a command is missing/ ],
        [ qr/unknown command "frobnicate"/, 'frobnicate' ],
        [ qr/unknown option "--frob"/,      '--frob', 'topics' ],
        [ qr/unknown option "-z"/,          '-z', 'topics' ],
        [ qr/--json takes no value/,        '--json=1', 'topics' ],
        [ qr/--json is given twice/,        '--json', '--json', 'topics' ],
        [ qr/unexpected argument "more"/,   'topics', 'more' ],
        [ qr/--replication must be a whole number from 1/,
            'topics', '--replication', '0' ],
        [ qr/--replication must be .*not "1e3"/,
            'topics', '--replication', '1e3' ],
        [ qr/--replication wants a value: N/, 'topics', '--replication' ],
        [ qr/unknown option "--frob"/,      'topics', '--frob' ],
        [ qr/unexpected argument/,          'migrate', 'now' ],
        [ qr/unexpected argument/,          'doctor', 'please' ],
        [ qr/an argument is missing/,       'resume' ],
        [ qr/an argument is missing/,       'schema', 'duckdb' ],
        [ qr/must be duckdb, spark or trino, not "sql"/,
            'schema', 'sql', 'transaction_log' ],
        [ qr/an argument is missing/,       'token' ],
        [ qr/unexpected argument "bob"/,    'token', 'alice', 'bob' ],
        [ qr/--ttl must be a time/,         'token', 'alice', '--ttl', '0' ],
        [ qr/--ttl must be a time/,         'token', 'alice', '--ttl', '-5' ],
        [ qr/--ttl must be a time/,         'token', 'alice', '--ttl', '5w' ],
        [ qr/--ttl must be a time/,
            'token', 'alice', '--ttl', '99999999999999999999' ],
        [ qr/--ttl wants a value, not ""/,  'token', 'alice', '--ttl', '' ],
        [ qr/an argument is missing/,       'user' ],
        [ qr/unknown verb "make"/,          'user', 'make' ],
        [ qr/an argument is missing/,       'user', 'add' ],
        [ qr/a role is missing/,            'user', 'add', 'alice' ],
        [ qr/the role must be user, auditor or admin, not "root"/,
            'user', 'add', 'alice', '--role', 'root' ],
        [ qr/3 to 100 characters, this has 2/,
            'user', 'add', 'al', '--role', 'user' ],
        [ qr/must consist of/, 'user', 'add', 'a b c', '--role', 'user' ],
        [ qr/must consist of/, 'user', 'add', "ali\x{c3}\x{a9}",
            '--role', 'user' ],
        [ qr/--email must be an address/,
            'user', 'add', 'alice', '--role', 'user', '--email', 'nowhere' ],
        [ qr/unexpected argument "x"/,      'user', 'list', 'x' ],
        [ qr/the role is given twice/,
            'user', 'role', 'alice', 'user', '--role', 'admin' ],
        [ qr/a kind must follow run/,       'job', 'run' ],
        [ qr/a kind must follow run/,       'job', 'run', 'compact' ],
        [ qr/must be completed or amount, not "size"/,
            'job', 'run', 'train', 'size' ],
        [ qr/not of "social_posts"/,
            'job', 'run', 'train', 'amount', 'social_posts' ],
        [ qr/either numbers of dead letters or/, 'job', 'run', 'redrive' ],
        [ qr/either numbers of dead letters or/,
            'job', 'run', 'redrive', '1', '--topic', 'clients' ],
        [ qr/"-1x" is no number|unknown option/, 'job', 'run', 'redrive', '-1x' ],
        [ qr/--reason must be not-json,/,
            'job', 'run', 'redrive', '--reason', 'none' ],
        [ qr/--from must be a date/,
            'job', 'run', 'redrive', '--from', 'now' ],
        [ qr/"amount" is not FIELD=VALUE/,
            'job', 'run', 'repush-all', 'amount' ],
        [ qr/--state must be queued,/,      'job', 'list', '--state', 'over' ],
        [ qr/an argument is missing/,       'notify', 'add' ],
        [ qr/unknown verb "mail"/,          'notify', 'mail' ],
        [ qr/unexpected argument "x"/,      'notify', 'list', 'x' ],
        [ qr/"nobody" is no address/,       'notify', 'add', 'nobody' ],
        [ qr/is no address such as/,
            'notify', 'add', "a\@example.org\r\nRSET" ],
        [ qr/--name must be UTF-8/,
            'notify', 'add', 'a@example.org', '--name', "\x{ff}" ],
        [ qr/--name belongs to add/,
            'notify', 'remove', 'a@example.org', '--name', 'a' ],
        [ qr/"amount" is not FIELD=VALUE/,  'replay', 'amount' ],
        [ qr/"=5" is not FIELD=VALUE/,      'replay', '=5' ],
        [ qr/amount is given twice/,        'replay', 'amount=1', 'amount=2' ],
        [ qr/the filter "user_id" is not UTF-8/, 'replay', "user_id=\x{ff}" ],
        [ qr/--from must be a date or a time with a zone/,
            'replay', '--from', '2026-05-18T09:30:00' ],
        [ qr/--to must be a date or a time with a zone/,
            'replay', '--to', '2026-02-30' ],
        [ qr/--to must lie behind --from/,
            'replay', '--from', '2026-05-19', '--to', '2026-05-18' ],
    );
    refused(\&ctl, 2, @$_) for @cases;
    my ($status, $out) = ctl('replay', 'user_id=' . 'x' x 40_000);
    is($status, 2, 'status 2: a filter that is too long does not become none');
    like($out, qr/the filter has more than 32768 bytes/, '... and says why');
};

subtest 'datalake-simulate refuses a wrong command line with 2' => sub {
    my @cases = (
        [ qr/unknown option "--nix"/,               '--nix' ],
        [ qr/unexpected argument "now"/,            'now' ],
        [ qr/--threads must be .* from 1 to 256/,   '--threads', '0' ],
        [ qr/--threads must be .* from 1 to 256/,   '--threads', '257' ],
        [ qr/--count must be a whole number/,       '--count', '-1' ],
        [ qr/--count must be a whole number/,       '--count', '1.5' ],
        [ qr/--count must be a whole number/,       '--count', 'abc' ],
        [ qr/--rate must be a whole number/,        '--rate', '1e3' ],
        [ qr/--seed must be a whole number/,        '--seed', '2^64' ],
        [ qr/--seed must be a whole number/,
            '--seed', '18446744073709551616' ],
        [ qr/--users must be .* from 1/,            '--users', '0' ],
        [ qr/--span must be a time/,                '--span', '0' ],
        [ qr/--span must be a time/,                '--span', '1y' ],
        [ qr/--until must be a time with a zone/,   '--until', 'yesterday' ],
        [ qr/--until must be a time with a zone/,
            '--until', '2026-05-18T09:30:00' ],
        [ qr/--until must be a time with a zone/,
            '--until', '2026-02-30T09:30:00Z' ],
        [ qr/lies before 1970/,
            '--until', '1970-01-01T00:00:00Z', '--span', '1h' ],
        [ qr/--times must be a comma list/,         '--times', 'noon' ],
        [ qr/--times must be a comma list/,         '--times', 'zulu,' ],
        [ qr/--style must be compact/,              '--style', 'xml' ],
        [ qr/--resend must be a share/,             '--resend', '1.1' ],
        [ qr/--resend must be a share/,             '--resend', '5%' ],
        [ qr/--resend must be a share/,             '--resend', '.5' ],
        [ qr/--resend must be a share/,             '--resend', '0.' ],
        [ qr/--bad must be a whole number/,         '--bad', '-1' ],
        [ qr/--topic must be 1 to 249 characters/,  '--topic', 'a/b' ],
        [ qr/--seed is given twice/,    '--seed', '1', '--seed', '2' ],
        [ qr/--print takes no value/,   '--print=yes' ],
        [ qr/--brokers wants a value/,  '--brokers' ],
    );
    refused(\&simulate, 2, @$_) for @cases;
};

# Words of the form --name in TEXT.
sub flags {
    my ($text) = @_;
    my %found = map { ($_ => 1) } $text =~ /(?<![\w-])--([a-z][a-z-]+)/g;
    delete @found{qw(config)};
    return join ' ', sort keys %found;
}

subtest 'help and manual name the same things' => sub {
    my ($status, $help) = simulate('--help');
    is($status, 0, 'datalake-simulate --help succeeds');
    my $page = slurp('consumers/datalake-simulate.1');
    my ($options) = $page =~ /^The options are:\n(.*?)^\.Sh/ms;
    $options =~ s/Fl -(?=[a-z])/--/g;
    is(flags($options), flags($help),
        'datalake-simulate(1) has exactly the options of --help');
    my ($ok, $ctl_help) = ctl('--help');
    is($ok, 0, 'datalakectl --help succeeds');
    my %commands = map { ($_ => 1) } $ctl_help =~ /^  ([a-z][a-z-]*)/mg;
    my $manual   = slurp('consumers/datalakectl.8');
    my ($section) = $manual =~ /^\.Sh COMMANDS\n(.*?)^\.Sh/ms;
    my %described = map { ($_ => 1) } $section =~ /^\.It Cm ([a-z][a-z-]*)/mg;
    is_deeply([ grep { !$described{$_} } sort keys %commands ],
        [], 'datalakectl(8) describes every command');
    for my $command (sort keys %commands) {
        my ($code, $out) = ctl($command, '--help');
        is($code, 0, "datalakectl $command --help succeeds");
        like($out, qr/^usage: datalakectl .*\Q$command\E/m,
            "... and prints the usage of $command");
    }
    my ($version) = slurp('Makefile') =~ /^VERSION := (\S+)/m;
    is((ctl('--version'))[1], "datalakectl $version\n", 'datalakectl has a '
          . 'version');
    is((simulate('--version'))[1], "datalake-simulate $version\n",
        'datalake-simulate too');
};

subtest 'what is away is 3, what is wrong is 1' => sub {
    my ($status, $out) = $stack->try_program('datalakectl', '-c', '/nix.ini',
        'topics');
    is($status, 1, 'no settings is 1');
    like($out, qr{/nix\.ini}, '... and names the file');
    refused(\&simulate, 3, qr/broker|transport/i, '--brokers', '127.0.0.1:1');
    my $closed = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');
    my $port   = $closed->sockport;
    close $closed;
    my $ini = slurp($stack->ini_file);
    $ini =~ s/^brokers = .*/brokers = 127.0.0.1:$port/m;
    $ini =~ s/^port = .*/port = $port/m;
    spit("$scratch/away.ini", $ini);
    my @away = ('-c', "$scratch/away.ini");
    for my $words ([qw(topics)], [qw(migrate)], [qw(user list)],
        [qw(token alice)], [qw(doctor)])
    {
        ($status, $out) = $stack->try_program('datalakectl', @away, @$words);
        is($status, 3, "without servers it is 3: @$words") or diag $out;
    }
    $ini =~ s/^port = \d+/port = yes/m;
    spit("$scratch/wrong.ini", $ini);
    ($status, $out) =
      $stack->try_program('datalakectl', '-c', "$scratch/wrong.ini", 'topics');
    is($status, 1, 'a wrong setting is 1');
    like($out, qr{wrong\.ini:\d+: \[warehouse\] port}, '... with its line');
};

subtest 'topics and schema come into being, and again nothing changes' => sub {
    my ($status, $out) = ctl('topics');
    is($status, 0, 'topics are made');
    like($out, qr/^transaction_log: made, 6 partitions$/m, '... with theirs');
    is(
        (ctl('topics'))[1],
        join('',
            map { "$_->[0]: was there, $_->[1] partitions\n" }
              [ clients         => 3 ],
            [ network_logs    => 3 ],
            [ social_posts    => 3 ],
            [ transaction_log => 6 ],
            [ transactions    => 3 ]),
        'a second time they were there'
    );
    my $list = $json->decode((ctl('topics', '--json'))[1]);
    is_deeply(
        [ grep { $_->{topic} eq 'transaction_log' } @$list ]->[0],
        {
            topic               => 'transaction_log',
            made                => JSON::PP::false,
            partitions          => 6,
            declared_partitions => 6
        },
        'a program can read it'
    );
    is((ctl('migrate'))[0], 0, 'the schema is made');
    my $again = $json->decode((ctl('--json', 'migrate'))[1]);
    is($again->{before}, $again->{after}, 'a second time nothing changes');
};

my $password = "$scratch/secrets/alice";
spit($password, "correct horse\n", 0600);

# The accounts by name.
sub accounts {
    return { map { ($_->{username} => $_) }
          @{ $json->decode((ctl('user', 'list', '--json'))[1]) } };
}

sub changes {
    return scalar $stack->mariadb->value(
        'SELECT COUNT(*) FROM identity_change');
}

subtest 'accounts' => sub {
    my @as = ('--password-file', $password);
    is((ctl(qw(user add admin --role admin), @as))[0], 0, 'an admin is made');
    is((ctl(qw(user add Alice --role user --email a@example.org), @as))[0],
        0, 'an account is made');
    my $alice = accounts()->{Alice};
    is($alice->{role},  'user',          'it has its role');
    is($alice->{email}, 'a@example.org', 'and its address');
    like($alice->{created_at}, qr/^\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z$/,
        'and the time it was made');
    like(
        $stack->mariadb->value(
            q(SELECT password_hash FROM app_user WHERE username = 'alice')),
        qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
        'its password is stored with Argon2id'
    );
    refused(\&ctl, 1, qr/is taken/, qw(user add ALICE --role user), @as);
    refused(\&ctl, 1, qr/is taken/,
        qw(user add bob --role user --email A@EXAMPLE.org), @as);
    spit("$scratch/secrets/short", "1234567\n", 0600);
    refused(\&ctl, 2, qr/8 to 256 bytes, this has 7/,
        qw(user add bob --role user --password-file),
        "$scratch/secrets/short");
    spit("$scratch/secrets/same", "carol-anne\n", 0600);
    refused(\&ctl, 2, qr/must not be the name/,
        qw(user add carol-anne --role user --password-file),
        "$scratch/secrets/same");
    refused(\&ctl, 1, qr/cannot open password file/,
        qw(user add bob --role user --password-file /nix));
    refused(\&ctl, 1, qr/there is no account "nobody"/,
        qw(user disable nobody));
    my $before = changes();
    is((ctl(qw(user role alice auditor)))[0], 0, 'a role is changed');
    is(accounts()->{Alice}{role}, 'auditor', '... to the new one');
    is((ctl(qw(user disable alice)))[0], 0, 'an account is disabled');
    ok(!accounts()->{Alice}{is_active}, '... and inactive');
    refused(\&ctl, 1, qr/Alice is disabled/, qw(token alice));
    is((ctl(qw(user enable alice)))[0], 0, 'and enabled');
    is(changes() - $before, 3, 'each change told the mirrors once');
    refused(\&ctl, 1, qr/last active admin/, qw(user disable admin));
    refused(\&ctl, 1, qr/last active admin/, qw(user role admin user));
    refused(\&ctl, 1, qr/it is not deleted/, qw(user undelete alice));
    $stack->mariadb->run(q(UPDATE app_user SET is_active = FALSE,
        deleted_at = '2026-05-18' WHERE username = 'alice'));
    refused(\&ctl, 1, qr/deletion was asked for/, qw(user enable alice));
    refused(\&ctl, 1, qr/Alice is deleted/, qw(token alice));
    is((ctl(qw(user undelete alice)))[0], 0, 'a deletion is taken back');
    ok(accounts()->{Alice}{is_active}, '... and the account works');
};

sub sessions {
    return scalar $stack->mariadb->value(
        'SELECT COUNT(*) FROM session WHERE revoked_at IS NULL');
}

subtest 'tokens' => sub {
    my $before = time;
    my ($status, $token) = ctl(qw(token alice));
    my $after = time;
    is($status, 0, 'a token is printed');
    like($token, qr/^[\w-]+\.[\w-]+\.[\w-]+\n$/, '... and nothing else');
    chomp $token;
    my ($head, $body, $signature) = split /\./, $token;
    is_deeply($json->decode(decode_base64url($head)),
        { alg => 'HS256', typ => 'JWT', kid => 'default' }, 'its header');
    (my $key = slurp("$scratch/secrets/token.key")) =~ s/\n\z//;
    is(
        decode_base64url($signature),
        hmac_sha256("$head.$body", $key),
        'is signed with the key that httpd has'
    );
    my $claims = $json->decode(decode_base64url($body));
    is_deeply([ sort keys %$claims ],
        [ sort qw(iss aud sub user_id role token_type iat exp jti sid
              auth_time) ],
        'it has the claims of the contract and no other');
    is("@$claims{qw(iss aud sub role token_type)}",
        'datalake datalake Alice auditor access', 'with their values');
    is($claims->{exp} - $claims->{iat}, 1800, 'it lives 30 minutes');
    ok($claims->{iat} >= $before - 1 && $claims->{iat} <= $after + 1 && $claims->{auth_time} ==
        $claims->{iat}, 'from now on');
    is(
        $stack->mariadb->value(
            'SELECT user_id FROM session WHERE sid = ?', $claims->{sid}
        ),
        $claims->{user_id},
        'its log-in is stored'
    );
    my $long = $json->decode((ctl(qw(token alice --ttl 2h --json)))[1]);
    is($long->{expires_in}, 7200, '--ttl is its life');
    isnt($long->{sid}, $claims->{sid}, 'each token has a log-in of its own');
    my $sessions = sessions();
    is((ctl('token', '--revoke', $long->{sid}))[0], 0, 'one is revoked');
    is(sessions(), $sessions - 1, '... alone');
    refused(\&ctl, 1, qr/no such session, or it is revoked/,
        'token', '--revoke', $long->{sid});
    refused(\&ctl, 1, qr/there is no account/, qw(token nobody));
    spit("$scratch/secrets/weak", "short\n", 0600);
    refused(\&ctl, 1, qr/at least 32 bytes/,
        'token', 'alice', '--key-file', "$scratch/secrets/weak");
    spit("$scratch/secrets/open", "$key\n", 0644);
    refused(\&ctl, 1, qr/open to everybody/,
        'token', 'alice', '--key-file', "$scratch/secrets/open");
    is((ctl(qw(user passwd alice --password-file), $password))[0],
        0, 'a new password is set');
    is(
        $stack->mariadb->value(
            'SELECT COUNT(*) FROM session WHERE user_id = ? AND '
              . 'revoked_at IS NULL', $claims->{user_id}
        ),
        0,
        '... and all tokens of the account end'
    );
};

subtest 'doctor' => sub {
    my ($status, $out) = ctl(qw(doctor --json));
    is($status, 0, 'everything is there') or diag $out;
    my %state = map { ($_->{check} => $_->{state}) } @{ $json->decode($out) };
    is($state{$_}, 'ok', "$_ is ok")
      for 'declarations', 'lake', 'run folder', 'topics', 'account ingest',
      'account api', 'account jobs', 'durability', 'administrator',
      'token key';
    is($state{$_}, 'warning', "$_ does not run")
      for 'datalake-lake', 'datalake-warehouse', 'datalake-jobs';
    chmod 0644, "$scratch/secrets/token.key";
    ($status, $out) = ctl('doctor');
    is($status, 1, 'an open token key is 1');
    like($out, qr/^failed\s+token key .*chmod o-rwx/m, '... and said');
    chmod 0600, "$scratch/secrets/token.key";
    unlike($out, qr/\e/, 'no colours where there is no terminal');
};

# --- The demo producer -------------------------------------------------------

my @plan = (qw(--seed 7 --until 2026-05-18T10:00:00Z --quiet));

sub records {
    my ($status, $out) = simulate(@plan, '--print', @_);
    return map { [ split /\t/, $_, 2 ] } split /\n/, $out;
}

subtest 'the demo is the same for the same seed' => sub {
    my $first = sha256_hex((simulate(@plan, '--print', '--bad', '3'))[1]);
    is(sha256_hex((simulate(@plan, '--print', '--bad', '3'))[1]), $first,
        'the same seed gives the same bytes');
    my @other = (qw(--seed 8 --quiet --print --bad 3), @plan[ 2, 3 ]);
    isnt(sha256_hex((simulate(@other))[1]), $first, 'another seed others');
    my @few = records(qw(--threads 1 --count 20));
    my @all = records(qw(--threads 1 --count 40));
    is_deeply([ @all[ 0 .. 19 ] ], \@few, 'a longer run begins the same');
    is(scalar records(), 5000, 'ten threads make 500 records each');
};

subtest 'what the demo makes' => sub {
    my @made = records(qw(--count 4000 --resend 0.1 --times mixed --span 2d));
    my (%seen, %form, %times, $outside, $keys);
    my $from = 1779098400 - 2 * 86400;    # --until minus --span
    for my $record (@made) {
        my $value = $json->decode($record->[1]);
        $keys++ if $value->{transaction_id} eq $record->[0];
        $seen{ $record->[0] }++;
        $times{$_}++ for keys %$value;
        my $at = $value->{timestamp};
        $form{  $at =~ /Z$/             ? 'zulu'
              : $at =~ /[+-]\d\d:\d\d$/ ? 'offset'
              : $at =~ / /              ? 'local'
              :                           'unix' }++;
        $outside++
          if $at =~ /^\d+\.\d{6}$/ && ($at < $from || $at >= 1779098400);
    }
    is($keys, 4000, 'the key of a record is its transaction_id');
    is($outside, undef, 'event times lie in the span');
    is_deeply(
        \%form,
        { zulu => 1000, offset => 1000, local => 1000, unix => 1000 },
        'the four forms of time take turns'
    );
    my $resent = 4000 - keys %seen;
    ok($resent > 300 && $resent < 500, "a tenth was sent again ($resent)");
    my @members = qw(transaction_id timestamp user_id user_name product_id
      product product_name amount currency transaction_type status
      payment_method product_category quantity location shipping_address
      device_info customer_rating discount_code tax_amount thread
      message_number timestamp_of_reception_log);
    is(join(' ', sort keys %times), join(' ', sort @members),
        'every member of the contract is there, no other');
    ok($times{quantity} < 4000 && $times{quantity} > 3700,
        'an optional one is missing now and then');
    my @bad = grep { !defined eval { $json->decode($_->[1]) } }
      records(qw(--count 0 --bad 7));
    ok(@bad >= 7, 'bad ones of kind not-json are not JSON');
};

subtest 'the demo reaches the broker' => sub {
    my ($status, $out) = simulate(
        '-c', $stack->ini_file, qw(--seed 3 --count 2000 --threads 4
          --bad 2 --resend 0.05 --json --quiet)
    );
    is($status, 0, 'every record is delivered') or diag $out;
    my ($line) = $out =~ /^(\{.*\})$/m;
    my $told = $json->decode($line);
    is($told->{delivered}, 2012, '... 2000 and two of each bad kind');
    is($told->{bad},       12,   '... which are counted');
    my $stored = 0;
    $stored += $_->[1] - $_->[0]
      for $stack->kafka->watermarks('transaction_log');
    is($stored, 2012, 'the broker has them, once');
    refused(
        \&simulate, 1, qr/topic nix does not exist; datalakectl topics/,
        '-c', $stack->ini_file, '--topic', 'nix'
    );
    my $watch = DataLake::Stopwatch->new;
    ($status) = simulate('-c', $stack->ini_file,
        qw(--count 300 --rate 100 --quiet));
    my $took = $watch->seconds;
    ok($status == 0 && $took >= 1.9 && $took <= 15,
        "300 records at 100 a second take three seconds ($took)");
};

subtest 'other engines' => sub {
    my ($status, $out) = ctl(qw(schema duckdb transaction_log));
    is($status, 0, 'DuckDB gets a definition');
    like($out, qr/'amount': 'DECIMAL\(28,10\)'/, '... with exact amounts');
    like($out, qr/'location': 'STRUCT\("city" VARCHAR, "country" VARCHAR\)'/,
        '... and nested members');
    like($out, qr{'\Q$scratch\E/lake/transaction_log/\*/\*\.json\*'},
        '... over the sealed parts');
    like((ctl(qw(schema spark transaction_log)))[1],
        qr/`amount` DECIMAL\(28,10\)/, 'Spark gets one');
    like((ctl(qw(schema trino transaction_log)))[1],
        qr/"amount" decimal\(28,10\)/, 'Trino gets one');
    refused(\&ctl, 1, qr/no dataset "x"; there are: clients, .*transaction_log/,
        qw(schema duckdb x));
    refused(\&ctl, 3, qr/neither datalake-lake nor/,
        qw(resume transaction_log));
};

done_testing();
