# DataLake::Sample - what `make run` collects: a web server's log (CSV), posts
# (JSON) and a shop's database (SQLite), made anew, always the same but for
# today's date.
#
# The files lie in a folder of their own; sections() are the lines of
# datalake.ini that bring them in, and serve as an example of such lines.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Sample;
use strict;
use warnings;
use Exporter 'import';
use File::Path qw(make_path);
use JSON::PP;
use POSIX qw(strftime);
use DataLake::Process qw(spit);

our @EXPORT_OK = qw(sections make_files counts);

my %COUNT = (logs => 2000, posts => 300, clients => 100, payments => 1500);
my @NAMES = qw(Anna Bruno Chloe David Elif Farid Greta Hugo Irma Jonas);

# How many of each there are.
sub counts { return {%COUNT}; }

# {section => {key => value}} for the files below FOLDER.
sub sections {
    my ($folder) = @_;
    return {
        'source sample_logs' => {
            dataset   => 'network_logs',
            path      => "$folder/logs.csv",
            separator => 'semicolon',
            mapping   => 'IP_Address = address, Date = time, Time = time, '
              . 'Method = method, URL = url, HTTP_Version = version, '
              . 'Status_Code = status, Response_Size = bytes',
            'transform.Date'   => 'date %Y-%m-%d %H:%M:%S to %d/%b/%Y',
            'transform.Time'   => 'date %Y-%m-%d %H:%M:%S to %H:%M:%S',
            'transform.Method' => 'trim, upper',
        },
        'source sample_posts' => {
            dataset => 'social_posts',
            path    => "$folder/posts.json",
            format  => 'json',
        },
        'source sample_clients' => {
            dataset           => 'clients',
            type              => 'sqlite',
            path              => "$folder/shop.db",
            table             => 'client',
            key               => 'client_id',
            'transform.email' => 'trim, lower',
        },
        'source sample_payments' => {
            dataset => 'transactions',
            type    => 'sqlite',
            path    => "$folder/shop.db",
            table   => 'payment',
            key     => 'id',
            mapping => 'transaction_id = id, client_id = client, '
              . 'montant = amount, date_transaction = paid',
            'transform.montant'          => 'decimal comma',
            'transform.date_transaction' => 'date %d/%m/%Y %H:%M:%S',
        },
    };
}

# An instant of the last three days before NOW, as FORMAT.
sub moment {
    my ($format, $now) = @_;
    return strftime($format, gmtime($now - int rand 3 * 86400));
}

# One of LIST.
sub one_of { return $_[ int rand @_ ]; }

# Write the files to FOLDER, as of NOW.
sub make_files {
    my ($folder, $now) = @_;
    make_path($folder);
    srand 7;
    spit("$folder/logs.csv", log_text($now));
    spit(
        "$folder/posts.json",
        JSON::PP->new->utf8->canonical->encode(
            [ map { post($_, $now) } 1 .. $COUNT{posts} ])
    );
    make_shop("$folder/shop.db", $now);
    srand;
    return;
}

sub log_text {
    my ($now) = @_;
    my $text = "address;time;method;url;version;status;bytes\n";
    for my $n (1 .. $COUNT{logs}) {
        my $address = $n % 4 ? '198.51.100.' . (1 + int rand 40) : '2001:db8::' . (1 + int rand 9);
        $text .= join(';',
            $address, moment('%F %T', $now),
            one_of(qw(get get get post)) . ' ',
            one_of('/', '/cart', '/login', '"/find?q=a;b"', '/products/' . int rand 50),
            'HTTP/1.1', one_of(200, 200, 200, 301, 404, 500), int rand 50_000)
          . "\n";
    }
    return $text;
}

sub post {
    my ($n, $now) = @_;
    my $name = one_of(@NAMES);
    return {
        post_id => "sample-$n",
        user    => {
            user_id   => lc $name,
            name      => $name,
            followers => 10 * ord $name
        },
        content   => one_of('Hello', 'A good day', "Caf\x{e9}?", 'On sale today') . " #$n",
        timestamp => moment('%FT%TZ', $now),
        likes     => int rand 100,
        comments  => [
            map {
                {
                    comment_id => "c$_",
                    user       => one_of(@NAMES),
                    text       => one_of('Yes', 'No', 'Why?', 'Nice'),
                    timestamp  => moment('%FT%TZ', $now)
                }
            } 1 .. int rand 4
        ],
    };
}

# The shop's database, in WAL mode, as a shop would keep it.
sub make_shop {
    my ($file, $now) = @_;
    unlink $file, "$file-wal", "$file-shm";
    open my $sql, '|-', 'sh', '-c', 'exec sqlite3 -batch "$0" >"$0.log"', $file
      or die "sqlite3: $!\n";
    print {$sql} "BEGIN; CREATE TABLE client (client_id INTEGER PRIMARY KEY,"
      . " nom TEXT, email TEXT, date_inscription TEXT);"
      . " CREATE TABLE payment (id INTEGER PRIMARY KEY, client INT,"
      . " amount TEXT, paid TEXT);\n";
    for my $n (1 .. $COUNT{clients}) {
        my $name = one_of(@NAMES);
        printf {$sql} "INSERT INTO client VALUES (%d, '%s %d', '%s%d\@Example.org', '%s');\n",
          1000 + $n, $name, $n, $name, $n, strftime('%F', gmtime($now - 86400 * $n));
    }
    for my $n (1 .. $COUNT{payments}) {
        printf {$sql} "INSERT INTO payment VALUES (%d, %d, '%d,%02d', '%s');\n",
          50_000 + $n, 1001 + int rand $COUNT{clients}, rand 900, rand 100,
          moment('%d/%m/%Y %T', $now);
    }
    print {$sql} "COMMIT; PRAGMA journal_mode = WAL;\n";
    close $sql or die "sqlite3 could not make $file\n";
    return;
}

1;
