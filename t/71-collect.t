# 71-collect.t - files become records: CSV, JSON arrays, lines, logs; broken
# rows with their place; followed files through renaming and cutting; each row
# once, also after a kill.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Time::HiRes qw(sleep);
use DataLake::Ledger qw(lake_dump);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '71-collect',
    kafka   => 1,
    mariadb => 1,
    durable => 0,
    ini     => { warehouse => { accept_unsafe_flush => 'on' } },
);
my $in = "$stack->{dir}/in";
mkdir $in or die "$in: $!\n" unless -d $in;
my $json = JSON::PP->new->canonical;

# Add the source NAME with KEYS to the settings.
sub source {
    my ($name, %keys) = @_;
    open my $ini, '>>', $stack->ini_file or die "$!\n";
    print $ini "[source $name]\n", map { "$_ = $keys{$_}\n" } sort keys %keys;
    close $ini or die "$!\n";
    return;
}

# (status, output) of datalake-collect with WORDS.
sub collect {
    my (@words) = @_;
    return $stack->try_program('datalake-collect', '-c', $stack->ini_file,
        @words);
}

# What a dry run of SOURCE prints.
sub dry {
    my ($source) = @_;
    my ($status, $text) = collect('--dry-run', $source);
    return $status ? "status $status\n$text" : join '',
      grep { !/ datalake-collect\[\d+\] DL/ } map { "$_\n" } split /\n/, $text;
}

# Append TEXT to the file NAME.
sub append {
    my ($name, $text) = @_;
    open my $out, '>>:raw', "$in/$name" or die "$in/$name: $!\n";
    print $out $text;
    close $out or die "$!\n";
    return;
}

# What TOPIC has, and how many that is.
sub sent    { return $stack->kafka->consume(shift) }
sub records { return scalar(my @sent = sent(shift)) }

# Wait until TOPIC has COUNT records.
sub wait_sent {
    my ($topic, $count) = @_;
    my @sent;
    wait_until(
        "$topic has $count records",
        sub { @sent = sent($topic); return @sent >= $count },
        60
    );
    return @sent;
}

# The member NAME of records.
sub members {
    my ($name, @sent) = @_;
    return join ' ', sort map { eval { $json->decode($_->{value})->{$name} } // '-' } @sent;
}

# The positions of a partition's records rise, in each of them.
sub rising {
    my (@sent) = @_;
    my (%last, $bad);
    for my $record (@sent) {
        my (undef, $turn, $number) =
          split / /, $record->{headers}{'dl-source-pos'} // '- -1 -1';
        my $last = $last{ $record->{partition} } // [ 0, 0 ];
        $bad++
          unless $turn > $last->[0]
          || $turn == $last->[0] && $number > $last->[1];
        $last{ $record->{partition} } = [ $turn, $number ];
    }
    return !$bad;
}

subtest 'what a file is read as' => sub {
    spit("$in/f.csv", "\xEF\xBB\xBFid;name;mail;since\r\n"
          . "1;\"Dupont; \"\"J\"\"\r\n2\";A\@X.FR;01/02/2020\r\n"
          . "2;x\r\n3;\"open;y;z\r\n4;\xE9;b;02/02/2020\r\n");
    source(
        'csv',
        dataset             => 'clients',
        path                => "$in/f.csv",
        separator           => ';',
        encoding            => 'windows-1252',
        mapping             => 'client_id = id, nom = name, email = mail',
        'transform.email'   => 'lower',
    );
    is(
        dry('csv'),
        "$in/f.csv:4: it has not as many fields as there are names\n"
          . "$in/f.csv:5: a quotation mark is not closed\n"
          . "1\t{\"client_id\":\"1\",\"nom\":\"Dupont; \\\"J\\\"\\r\\n2\",\"email\":\"a\@x.fr\"}\n"
          . "csv\t2;x\ncsv\t3;\"open;y;z\n"
          . "4\t{\"client_id\":\"4\",\"nom\":\"\xC3\xA9\",\"email\":\"b\"}\n",
        'CSV: separator, quotes over lines, encoding, mapping; broken rows as they are'
    );
    spit("$in/marked.csv", "\xEF\xBB\xBF\"client_id\",\"nom\"\n1,\"a\"\n");
    source('marked', dataset => 'clients', path => "$in/marked.csv");
    is(dry('marked'), qq(1\t{"client_id":"1","nom":"a"}\n), '... a byte order mark before a quoted name is none of it');
    spit("$in/f.json", qq([\n {"post_id":"p1","user":{"user_id":"u"},)
          . qq("content":"}"},\n {"post_id":tru}, 7,\n{"post_id":"p2"}]\n));
    source('json', dataset => 'social_posts', path => "$in/f.json",
        format => 'json');
    my $text = dry('json');
    like($text, qr/^p1\t\{"post_id":"p1","user"/m, 'a JSON array: an object is a record');
    like($text, qr/^\Q$in\E\/f.json:3: .*\n.*^json\t\{"post_id":tru\}$/ms,
        'an element that is not JSON is sent as it is, its line told');
    like($text, qr/^json\t7$/m, '... one that is no object, too');
    like($text, qr/^p2\t/m,     '... and the next one is a record');
    spit("$in/f.log",
            '192.0.2.1 - - [20/Jan/2023:12:37:58 +0100] "GET /a?b HTTP/1.1"'
          . ' 200 512 "-" "curl"' . "\nnonsense\n");
    source('log', dataset => 'network_logs', path => "$in/f.log",
        format => 'combined',
        'transform.referer' => 'drop', 'transform.user_agent' => 'drop');
    like(
        dry('log'),
        qr/^192\.0\.2\.1\t\{"IP_Address":"192\.0\.2\.1","Date":"20\/Jan\/2023","Time":"11:37:58","Method":"GET","URL":"\/a\?b","HTTP_Version":"HTTP\/1\.1","Status_Code":"200","Response_Size":"512"\}$/m,
        "a log's line has the members of network_logs, in UTC"
    );
    is(join(' ', sort map { $_->{value} } map { sent($_) } qw(clients social_posts network_logs)),
        '', 'a dry run sends nothing');
};

subtest 'settings are checked' => sub {
    my ($status, $text) = collect('--check-config');
    is($status, 0, 'good ones') or diag $text;
    ($status, $text) = collect('--once', 'nobody');
    is($status, 2, 'a source that is not declared is refused');
    like($text, qr/nobody: .* has no section \[source nobody\]/, '... and named');
    ($status, $text) = collect('--once', '--follow');
    is($status, 2, '--once and --follow exclude each other');
    my $ini = slurp($stack->ini_file);
    source('wrong', dataset => 'clients', path => '/x', 'transform.nom' => 'sing');
    ($status, $text) = collect('--check-config');
    is($status, 2, 'an unknown transform is refused');
    like($text, qr/datalake\.ini:\d+: \[source wrong\].*sing/, '... and named, with file and line');
    for my $listen (qw(127.0.0.1:99999 127.0.0.1:0 localhost:5140 5140 ::1:5140 [::1] [127.0.0.1]:5140 127.0.0.1:5140x :5140)) {
        spit($stack->ini_file, $ini);
        source('wrong', dataset => 'clients', type => 'socket', listen => $listen);
        ($status, $text) = collect('--check-config');
        like("$status $text", qr/\A2 .*datalake\.ini:\d+: \[source wrong\] listen = \Q$listen\E: must be ADDRESS:PORT/s, "listen = $listen is refused");
    }
    for my $listen (qw(0.0.0.0:65535 [::1]:1 [fe80::1%lo]:5140)) {
        spit($stack->ini_file, $ini);
        source('right', dataset => 'clients', type => 'socket', listen => $listen);
        is((collect('--check-config'))[0], 0, "... $listen is not");
    }
    spit($stack->ini_file, $ini);
};

subtest 'once' => sub {
    spit("$in/c1.csv", "client_id,nom\n" . join '', map { "$_,n$_\n" } 1 .. 500);
    spit("$in/c2.csv", "nom,client_id\n" . join '', map { "m$_,$_\n" } 501 .. 600);
    append('c2.csv', 'half,601');
    source('c', dataset => 'clients', path => "$in/c?.csv");
    my ($status, $text) = collect('--once', 'c');
    is($status, 0, 'two files are collected') or diag $text;
    my @sent = sent('clients');
    is(members('client_id', @sent), join(' ', sort 1 .. 601),
        'each row is a record, the last one too, which no line end ends');
    ok(rising(@sent), 'positions rise in each partition');
    is_deeply(
        [ grep { $_->{headers}{'dl-origin'} ne 'collector' } @sent ],
        [], 'each record says that a collector sent it');
    is(scalar(grep { $_->{key} ne $json->decode($_->{value})->{client_id} } @sent),
        0, 'the key is that of the dataset');
    collect('--once', 'c');
    is(records('clients'), 601, 'once more, nothing is sent');
    append('c2.csv', "\nlast,602\n");
    collect('--once', 'c');
    is(records('clients'), 602, 'a row that was added is');
    is($stack->mariadb->value('SELECT COUNT(*) FROM collector_state WHERE collector = ?', 'c'),
        3, 'a position is stored for each file, and the turn');
    unlink "$in/c1.csv";
    collect('--once', 'c');
    is($stack->mariadb->value('SELECT COUNT(*) FROM collector_state WHERE collector = ?', 'c'),
        2, 'a file that is gone is forgotten');
};

# Clock ticks that the threads of PID have used, without those of librdkafka,
# which keep looking for a broker that stands still.
sub own_ticks {
    my ($pid) = @_;
    my $ticks = 0;
    for my $file (glob "/proc/$pid/task/*/stat") {
        my ($name, $rest) = (slurp($file) // '') =~ /\((.*)\) (.*)/ or next;
        next if $name =~ /^rdk:/;
        my @field = split ' ', $rest;
        $ticks += $field[11] + $field[12];
    }
    return $ticks;
}

# Wait until COLLECTOR, which had used IDLE ticks before there was work, works
# no more.
sub await_full {
    my ($collector, $idle) = @_;
    my $before = $idle;
    wait_until(
        'it waits for room',
        sub {
            my $spent = own_ticks($collector->pid);
            my $waits = $spent > $idle && $spent - $before < 2;
            $before = $spent;
            sleep 0.3;
            return $waits;
        },
        60
    );
    return;
}

subtest 'records that are gathered by partition' => sub {
    # Few small ones, one that is longer than all that is gathered, many.
    my $post = sub {
        my ($id, $size) = @_;
        return qq({"post_id":"$id","user":{"user_id":"$id"},"content":") . 'x' x $size . qq("}\n);
    };
    spit("$in/posts.ndjson", join '', (map { $post->("s$_", 10) } 1 .. 5),
        $post->('long', 700_000),
        map { $post->("m$_", 1_000 + $_ % 7) } 1 .. 3_000);
    source('posts', dataset => 'social_posts', path => "$in/posts.ndjson", format => 'ndjson');
    my ($status, $text) = collect('--once', 'posts');
    is($status, 0, 'short and long rows are collected') or diag $text;
    my @sent = sent('social_posts');
    is(members('post_id', @sent), join(' ', sort 'long', (map { "s$_" } 1 .. 5), map { "m$_" } 1 .. 3_000),
        'each is a record');
    ok(rising(@sent), 'in each partition they stand as in the file');
    cmp_ok(scalar keys %{ { map { ($_->{partition} => 1) } @sent } }, '>', 1, '... of which there are several');
    my %of = map { ("$_->{key} $_->{partition}" => 1) } @sent;
    is(scalar keys %of, scalar @sent, 'a key goes to one');

    # The broker stands still until the collector has no room for more.
    my $broker = $stack->kafka->{process};
    spit("$in/more.ndjson", $post->('n0', 10));
    source('more', dataset => 'social_posts', path => "$in/more.ndjson", format => 'ndjson');
    my $collector = $stack->start_daemon('datalake-collect', arguments => [ '--follow', 'more' ]);
    wait_sent('social_posts', 3_007);
    $broker->signal('STOP');
    my $idle = own_ticks($collector->pid);
    append('more.ndjson', join '', map { $post->("n$_", 100) } 1 .. 60_000);
    await_full($collector, $idle);
    $broker->signal('CONT');
    wait_until(
        'all is sent',
        sub {
            my $n = 0;
            $n += $_->[1] for $stack->kafka->watermarks('social_posts');
            return $n >= 3_006 + 60_001;
        },
        60
    );
    @sent = grep { $_->{key} =~ /^n/ } sent('social_posts');
    is(scalar(keys %{ { map { ($_->{key} => 1) } @sent } }), 60_001, 'a full queue loses no record');
    ok(rising(@sent), '... and keeps their order');

    # It is asked to stop while a row waits for room, which comes then.
    $broker->signal('STOP');
    $idle = own_ticks($collector->pid);
    append('more.ndjson', join '', map { $post->("o$_", 100) } 1 .. 60_000);
    await_full($collector, $idle);
    $collector->ask_to_stop;
    sleep 0.5;
    $broker->signal('CONT');
    $collector->await_end;
    $collector = $stack->start_daemon('datalake-collect', arguments => [ '--follow', 'more' ]);
    my %seen;
    eval {
        wait_until('all is sent',
            sub { %seen = map { ($_->{key} => 1) } grep { $_->{key} =~ /^o/ } sent('social_posts'); keys %seen == 60_000 }, 30);
    };
    is(scalar keys %seen, 60_000, 'a stop meanwhile loses none either');
    $collector->stop;
};

subtest 'follow' => sub {
    my $line = sub { join '', map { qq({"IP_Address":"h$_","Date":"20/Jan/2023","Time":"11:37:58"}\n) } @_ };
    source('f', dataset => 'network_logs', path => "$in/app.log", format => 'ndjson');
    my $daemon = $stack->start_daemon('datalake-collect', arguments => [ '--follow', 'f' ]);
    append('app.log', $line->(1 .. 3) . '{"IP_Address":"h4","Date":"20/J');
    my @sent = wait_sent('network_logs', 3);
    is(members('IP_Address', @sent), 'h1 h2 h3', 'lines are sent, half a one waits');
    append('app.log', qq(an/2023","Time":"11:37:58"}\n));
    is(members('IP_Address', wait_sent('network_logs', 4)), 'h1 h2 h3 h4', '... until it is whole');
    append('app.log', $line->(5));
    rename "$in/app.log", "$in/app.log.1";
    append('app.log',   $line->(6, 7));
    append('app.log.1', $line->(8));
    is(members('IP_Address', wait_sent('network_logs', 8)), 'h1 h2 h3 h4 h5 h6 h7 h8',
        'a renamed file is read to its end, and its successor');
    spit("$in/app.log", $line->(9));
    is(scalar(@sent = wait_sent('network_logs', 9)), 9, 'a file that was cut off is read anew');
    append('app.log', "not json\n" . $line->(10));
    @sent = wait_sent('network_logs', 11);
    my ($broken) = grep { $_->{value} eq 'not json' } @sent;
    is($broken->{headers}{'dl-source-line'}, "$in/app.log:2", 'a broken line has its place in a header');
    ok($broken->{headers}{'dl-source-fault'}, '... and what is wrong');
    my ($other, $text) = collect('--once', 'f');
    is($other, 1, 'a second collector of the source is refused');
    like($text, qr/another process collects source f/, '... and says so');
    collect($_, 'c') for qw(--once --dry-run);
    is(slurp("$stack->{dir}/run/datalake-collect.pid"), $daemon->pid . "\n",
        'who collects another source for a moment leaves the pid file alone');
    ok(-e "$stack->{dir}/run/datalake-collect.stats", '... and the numbers');
    ($other, $text) = collect('c');
    is($other, 1, 'a second process of one name is refused');
    like($text, qr/another process is datalake-collect here: it holds \S+; give this one a --name/, '... and says so');
    $daemon->kill_now;
    append('app.log', $line->(11));
    rename "$in/app.log", "$in/app.log.2";
    append('app.log', $line->(12));
    $stack->start_daemon('datalake-collect', arguments => ['f']);
    wait_until('all is sent', sub { members('IP_Address', sent('network_logs')) =~ /h11\b.*h12\b/ }, 60);
    @sent = sent('network_logs');
    my %marked = map { ("$_->{partition} $_->{headers}{'dl-source-pos'}" => $_->{value}) } @sent;
    is(scalar keys %marked, 13,
        'after a kill and a renaming each row has one position, however often it was sent');
    cmp_ok($stack->daemon('datalake-collect')->stop, '<', 5, 'a stop is quick');
    like($stack->daemon_log('datalake-collect'), qr/DL0742/, '... and clean');
};

# Write TEXT to the file NAME, which stays the file it is.
sub overwrite {
    my ($name, $text) = @_;
    open my $out, '+<:raw', "$in/$name" or die "$in/$name: $!\n";
    truncate $out, 0 or die "$!\n";
    print $out $text;
    close $out or die "$!\n";
    return;
}

subtest 'files that cannot be read' => sub {
    mkdir "$in/shop" or die "$!\n";
    spit("$in/shop/1.csv", "client_id,client_id\n1,2\n");
    spit("$in/shop/2.csv", "client_id,nom\n5001,fine\n");
    spit("$in/shop/3.csv", qq("client_id,nom\n1,2\n));
    spit("$in/shop/4.csv", "client_id,nom\n5002,fine\n");
    source('shop', dataset => 'clients', path => "$in/shop/*.csv");
    my ($status, $text) = collect('--once', 'shop');
    is($status, 1, 'some of several cannot be read');
    like($text, qr{DL0940 source shop: .*/1\.csv: column client_id comes twice.*DL0940 source shop: .*/3\.csv has no line of names}s,
        '... which is said of each');
    my @sent = grep { $_->{value} =~ /fine/ } sent('clients');
    is(members('client_id', @sent), '5001 5002', '... the others are');
    my $collector = $stack->start_daemon('datalake-collect', arguments => [ '--follow', 'shop' ]);
    wait_until('it says so', sub { $stack->daemon_log('datalake-collect') =~ /DL0940/ });
    overwrite('shop/1.csv', "client_id,nom\n5003,fine\n");
    wait_until('the mended file is read', sub { grep { $_->{value} =~ /5003/ } sent('clients') });
    @sent = grep { $_->{value} =~ /fine/ } sent('clients');
    is(members('client_id', @sent), '5001 5002 5003', 'one that is mended is read, what was read is not sent again');
    $collector->stop;
};

subtest 'files that are written anew' => sub {
    my $line = sub { join '', map { sprintf qq({"IP_Address":"%s","Date":"20/Jan/2023","Time":"11:37:58"}\n), $_ } @_ };
    my $of   = sub { my ($mark) = @_; return grep { $_->{value} =~ /"$mark/ || $_->{headers}{'dl-source-fault'} && $_->{headers}{'dl-source-line'} =~ m{/anew/} } sent('network_logs') };
    mkdir "$in/anew" or die "$!\n";
    spit("$in/anew/a.log", $line->(map { "a$_" } 10 .. 19));
    spit("$in/anew/b.log", $line->(map { "b$_" } 10 .. 19));
    source('anew', dataset => 'network_logs', path => "$in/anew/*.log", format => 'ndjson');
    my $collector = $stack->start_daemon('datalake-collect', arguments => [ '--follow', 'anew' ]);
    wait_until('both are read', sub { (my @a = $of->('[ab]\d\d"')) == 20 }, 60);
    overwrite('anew/a.log', $line->(map { "c$_" } 10 .. 19));
    wait_until('the first is read anew', sub { (my @c = $of->('c')) >= 10 }, 60);
    is(members('IP_Address', $of->('c')), join(' ', map { "c$_" } 10 .. 19), 'at the same length, though another file was read last');
    $collector->signal('STOP');
    overwrite('anew/a.log', $line->(map { "other$_" } 1_000 .. 1_099));
    $collector->signal('CONT');
    wait_until('it is read anew', sub { (my @d = $of->('other')) >= 100 }, 60);
    is(members('IP_Address', $of->('other')), join(' ', map { "other$_" } 1_000 .. 1_099), 'longer, at once: each row, and nothing from its middle');
    $collector->stop;
    overwrite('anew/b.log', $line->(map { "d$_" } 10 .. 19));
    my ($status, $text) = collect('--once', 'anew');
    is($status, 0, 'a run later') or diag $text;
    is(members('IP_Address', $of->('d')), join(' ', map { "d$_" } 10 .. 19), '... sees what was written anew while nobody looked');
};

subtest 'the lake and the warehouse' => sub {
    $stack->start_daemon($_) for qw(datalake-lake datalake-warehouse);
    my $db = $stack->mariadb;
    wait_until('all rows are loaded',
        sub { $db->value('SELECT COUNT(*) FROM client') == 605
              && $db->value('SELECT COUNT(*) FROM network_log') == 12 + 20 + 10 + 100 + 10 }, 60);
    is($db->value('SELECT nom FROM client WHERE client_id = 501'), 'm501', 'have each row');
    wait_until(
        'the lake has them',
        sub {
            my ($records) = eval { lake_dump("$stack->{dir}/lake", 'clients') };
            return $records && @$records == 605;
        },
        60
    );
    pass('the lake has each row once');
};

done_testing;
