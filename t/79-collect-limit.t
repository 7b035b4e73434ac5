# 79-collect-limit.t - a row that its topic does not take becomes a dead letter
# with file, line and reason; those around it go on.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use JSON::PP;

my $stack = DataLake::Stack->new(
    name    => '79-collect-limit',
    kafka   => 1,
    mariadb => 1,
    daemons => [qw(datalake-lake datalake-jobs)],
);
my ($dir, $kafka) = ($stack->{dir}, $stack->kafka);
my $json = JSON::PP->new->utf8;

# Append LINES to the file of the source.
sub grow {
    my (@lines) = @_;
    open my $out, '>>', "$dir/clients.csv" or die "$!\n";
    print $out map { "$_\n" } @lines;
    close $out or die "$!\n";
    return;
}

# Records of TOPIC in the order of offsets: value as JSON where it is some.
sub records {
    my ($topic) = @_;
    return map { { %$_, value => eval { $json->decode($_->{value}) } // $_->{value} } }
      $kafka->consume($topic);
}

# The client of each record, or -; sorted, each once.
sub clients {
    my %is = map { ((ref $_->{value} ? $_->{value}{client_id} : '-') => 1) } records('clients');
    return [ sort keys %is ];
}

sub collect {
    my (@words) = @_;
    return $stack->try_program('datalake-collect', '-c', $stack->ini_file, @words);
}

$stack->{ini}{'source clients'} = { dataset => 'clients', path => "$dir/clients.csv" };
$stack->write_ini;

# --- A topic that takes little -------------------------------------------------

$kafka->set_topic('clients', 'max.message.bytes', 20_000);
# It looks at what is left of them when they are packed.
my @letters = ('a' .. 'z', 'A' .. 'Z', 0 .. 9);
my $long    = 'caf\xc3\xa9 ' . join '', map { $letters[ rand @letters ] } 1 .. 30_000;
grow('client_id,nom', '1,a', "2,$long", '3,c', map { "1000,$_" } 1 .. 3000);
my ($status, $out) = collect('--once', 'clients');
is($status, 0, 'rows go on behind one that its topic does not take') or diag $out;
is_deeply(clients(), [ '-', 1, 1000, 3 ], 'the others are there, in batches that fit');
my ($letter) = grep { !ref $_->{value} } records('clients');
like($letter->{value}, qr/^datalake-collect: a row of \d+ bytes, which topic clients does not take; it begins with: 2,caf/,
    'a short text is sent in its place');
cmp_ok(length $letter->{value}, '<', 1200, '... really short');
is($letter->{headers}{'dl-source-line'}, "$dir/clients.csv:3", 'its headers have file and line');
like($letter->{headers}{'dl-source-fault'}, qr/^\d+ bytes are more than max\.message\.bytes \(20000\)/, '... and the reason');
like($letter->{headers}{'dl-source-pos'}, qr/^clients \d+ \d+$/, '... and the position of the row');
wait_until('the lake does not list it',
    sub { $stack->mariadb->value("SELECT COUNT(*) FROM dead_letter WHERE topic = 'clients' AND reason = 'not-json'") == 1 }, 60);
pass('it is a dead letter');

# --- One that takes less than it did -------------------------------------------

$stack->start_daemon('datalake-collect');
grow('4,d');
wait_until('rows do not come', sub { grep { $_ eq 4 } @{ clients() } }, 60);
$kafka->set_topic('clients', 'max.message.bytes', 5_000);
grow('5,e', '6,' . substr($long, 0, 15_000), '7,f');
wait_until('the rows around do not come',
    sub { my %is = map { ($_ => 1) } @{ clients() }; $is{5} && $is{7} }, 60);
pass('when a broker takes less than it said, no row is passed over');
like($stack->daemon_log('datalake-collect'), qr/DL0910 source clients waits.*asked again/, 'the log says why it waits');
# It may lie in another partition than the rows around it.
wait_until('the one that is too long is no dead letter',
    sub { grep { !ref $_->{value} && $_->{headers}{'dl-source-fault'} =~ /\(5000\)/ } records('clients') }, 60);
is(scalar(grep { !ref $_->{value} && $_->{headers}{'dl-source-fault'} =~ /\(5000\)/ } records('clients')), 1,
    'the one that is too long is a dead letter, too');
$stack->daemon('datalake-collect')->stop;

# --- A row that no topic of ours takes --------------------------------------------

system('sqlite3', "$dir/big.db",
        'CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT);'
      . " INSERT INTO t VALUES (1, 'a'), (2, hex(zeroblob(6000000))), (3, 'c')") == 0
  or die "sqlite3: $?\n";
$stack->{ini}{'source big'} = {
    dataset => 'transactions',
    type    => 'sqlite',
    path    => "$dir/big.db",
    table   => 't',
    key     => 'id',
    mapping => 'transaction_id = id, client_id = id, note',
};
$stack->write_ini;
($status, $out) = collect('--once', 'big');
is($status, 0, 'a row of 12 MB stops nothing') or diag $out;
is_deeply([ sort map { ref $_->{value} ? $_->{value}{transaction_id} : substr $_->{value}, 0, 16 } records('transactions') ],
    [ 1, 3, 'datalake-collect' ], 'it is a dead letter, those around it are there');
done_testing;
