# 81-one-moment.t - an answer made by several statements shows one moment: what
# is committed between two of them, here while the second waits for a table, is
# in the next answer.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX qw(strftime);
use DataLake::Process qw(wait_until);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name    => '81-one-moment',
    mariadb => 1,
    httpd   => 1,
    durable => 0,
);
my $db = $stack->mariadb;
my $admin = $stack->client('admin');

# Put ROW, a hash, into TABLE.
sub fill {
    my ($table, $row) = @_;
    my @names = sort keys %$row;
    $db->run("INSERT INTO $table (" . join(', ', map { "`$_`" } @names) . ') VALUES ('
          . join(', ', ('?') x @names) . ')', @{$row}{@names});
    return;
}

# The text of an answer but for the window of time it is about.
sub timeless {
    my ($text) = @_;
    return $text =~ s/"window_(?:start|end)":"[^"]*"//gr;
}

# GET PATH with a first statement that has been answered and a second one that
# waits for TABLE; CHANGE is SQL that changes TABLE meanwhile.
sub answer_around {
    my ($path, $table, $change) = @_;
    my $holder = $db->dbh;
    $holder->do("LOCK TABLES $table WRITE");
    pipe my $read, my $write or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        $_->{InactiveDestroy} = 1 for $holder, $db->{handle};
        my $answer = $stack->client('admin')->get($path);
        syswrite $write, "$answer->{status} $answer->{body}";
        POSIX::_exit(0);
    }
    close $write;
    wait_until("a statement waits for $table", sub {
        return $db->value('SELECT COUNT(*) FROM information_schema.processlist'
              . q{ WHERE state = 'Waiting for table metadata lock'});
    });
    $holder->do($change);
    $holder->do('UNLOCK TABLES');
    my $text = do { local $/ = undef; <$read> };
    waitpid $pid, 0;
    return $text;
}

# --- The spend metrics ---------------------------------------------------------
# One transaction is in the rollups, another past the watermark.

my $now = time - 60;
my $second = strftime '%Y-%m-%d %H:%M:%S', gmtime $now;
my %kind = (currency => 'EUR', transaction_type => 'purchase', status => 'completed');
my %sums = (n => 1, amount => 10, amount_base => 10, unconverted => 0, quantity => 1);
my %key = (
    spend_user    => { user_id => 'u1', product_category => 'books' },
    spend_second  => { second => $second },
    product_total => { product_id => 'p1' },
);
for my $offset (0, 1) {
    fill('transaction_record', {
            %kind,
            transaction_id => "t$offset", timestamp => $second, user_id => 'u1', product_id => 'p1',
            product_name => 'Book', amount => 10, amount_base => 10, quantity => 1,
            product_category => 'books',
            src_generation => 0, src_partition => 0, src_offset => $offset, src_time => $second
        });
}
for my $table (sort keys %key) {
    my %row = (%{ $key{$table} }, %kind, %sums);
    delete @row{qw(amount amount_base unconverted)} if $table eq 'product_total';
    fill($table, \%row);
}
fill('sink_offset', { sink => 'warehouse', topic => 'transaction_log', partition => 0, next_offset => 2 });
fill('sink_offset', { sink => 'rollup', topic => 'transaction_log', partition => 0, next_offset => 1 });

# The rollup takes the second transaction, or gives it back.
my %rolled = (
    spend_user    => 'n = n %s 1, amount = amount %1$s 10, amount_base = amount_base %1$s 10',
    spend_second  => 'n = n %s 1, amount = amount %1$s 10, amount_base = amount_base %1$s 10',
    product_total => 'n = n %s 1, quantity = quantity %1$s 1',
);
my %metric = (
    'total-by-user' => 'spend_user',
    'total_by_user' => 'spend_user',
    'last-5min'     => 'spend_second',
    'top-products'  => 'product_total',
);
for my $metric (sort keys %metric) {
    my $table  = $metric{$metric};
    my $roll   = "UPDATE $table SET $rolled{$table}";
    my $before = $admin->get("/api/metrics/$metric/?status=completed,before");
    like($before->{body}, qr/2|20/, "$metric counts both");
    is(timeless(answer_around("/api/metrics/$metric/?status=completed,during", $table, sprintf $roll, '+')),
        q{200 } . timeless($before->{body}), '... also when one is rolled up between two statements');
    isnt(timeless($admin->get("/api/metrics/$metric/?status=completed,after")->{body}), timeless($before->{body}),
        '... which the next answer shows');
    $db->run(sprintf $roll, '-');
}

# --- Posts and their comments ----------------------------------------------------

fill('social_post', {
        post_id => 'post', user_id => 'u1', timestamp => $second, src_generation => 0,
        src_partition => 0, src_offset => 0, src_time => $second
    });
fill('social_comment', { post_id => 'post', comment_id => 'c1', text => 'first', timestamp => $second });
my $later = q{INSERT INTO social_comment (post_id, comment_id, text, timestamp)
  VALUES ('post', 'c2', 'second', '2026-01-01')};
my $during = answer_around('/v1/social/user/u1', 'social_comment', $later);
like($during, qr/^200 .*first/, 'a post comes with its comments');
unlike($during, qr/second/, '... of the moment it was read at');
wait_until('the next answer shows the later one',
    sub { $admin->get('/v1/social/user/u1')->{body} =~ /second/ });

done_testing();
