# 56-search-limit.t - searches whose time is over at once: they say so, and who
# follows the cursors finds every match once, in order.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use Digest::MD5 qw(md5_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Stack;

my $TOP  = $DataLake::Stack::TOP;
my $lake = "$TOP/build/t/56-search-lake";
mkdir "$TOP/build/t";
system('rm', '-rf', $lake);
mkdir $lake;
is(system("$TOP/build/tools/lake_make $lake --bytes 4M --days 3 --parts 2 > $lake.json"), 0, 'a lake of 4 MB is made');
DataLake::Stack::share_lake($lake) if $> == 0;
my $stack = DataLake::Stack->new(
    name       => '56-search-limit',
    mariadb    => 1,
    durable    => 0,
    directives => "DataLakeSearchLimit 0s\nDataLakeSearchThreads 3\n",
    httpd      => 1,
    users      => { alice => 'user' },
    grants     => { alice => ['transaction_log'] },
    ini        => { lake => { path => $lake } },
);
my $alice = $stack->client('alice');

# "DAY.json:LINE" of the lines that hold TEXT, and their ids.
sub wanted {
    my ($text) = @_;
    my (@places, @ids);
    my ($last, $n) = ('', 0);
    for my $file (sort glob "$lake/transaction_log/dt=*/*.json") {
        my ($day) = $file =~ /dt=(\S{10})/;
        ($last, $n) = ($day, 0) if $day ne $last;
        open my $in, '<:raw', $file or die "$file: $!\n";
        while (my $line = <$in>) {
            $n++;
            next if index(lc $line, $text) < 0;
            push @places, "$day.json:$n";
            push @ids, $line =~ /"transaction_id":"([^"]*)"/;
        }
    }
    return (\@places, \@ids);
}

# How many elements LIST has, and which, in few words.
sub digest {
    my ($list) = @_;
    return @{$list} . ' with digest ' . md5_hex(join "\n", @{$list});
}

# Follow the cursors from URL; returns all that READ finds in the answers, the
# number of those that were cut and that of all.
sub follow {
    my ($url, $read) = @_;
    my ($cut, $pages, @all) = (0, 0);
    while (defined $url && $pages++ < 200) {
        my $answer = $alice->get($url);
        return (["status $answer->{status}"], 0, 0) if $answer->{status} != 200;
        my $truncated = ($answer->{headers}{'x-truncated'} // '') eq 'true';
        my $link      = $answer->{headers}{link} // '';
        $cut += $truncated;
        push @all, $read->($answer, $truncated);
        $url = $link =~ /^<([^>]+)>; rel="next"$/ ? $1 : undef;
        return ([ 'cut, but no cursor' ], 0, 0) if $truncated && !defined $url;
    }
    return (\@all, $cut, $pages);
}

for my $text ('signature', 'zugzwangxq') {
    my ($places, $ids) = wanted($text);
    my ($got, $cut, $pages) = follow("/api/fulltext_search/$text?limit=1000",
        sub { map { "$_->{file}:$_->{line}" } @{ $_[0]{json} } });
    is(digest($got), digest($places), "$text: each line that holds it, once and in order");
    cmp_ok($cut, '>', 3, "... though $cut of $pages answers were cut");
    my $told = 0;
    my ($found) = follow("/api/search/?q=$text&limit=1000", sub {
        my ($answer, $truncated) = @_;
        $told++ if $truncated != ($answer->{json}{truncated} // 0);
        $told++ if $truncated && !defined $answer->{json}{next_cursor};
        return map { $_->{transaction_id} } @{ $answer->{json}{results} };
    });
    is(digest($found), digest($ids), '... and each record by its values');
    is($told, 0, '... "truncated" and next_cursor say the same as the headers');
}
my ($all) = follow('/api/fulltext_search/signature?limit=7',
    sub { map { "$_->{file}:$_->{line}" } @{ $_[0]{json} } });
my ($places) = wanted('signature');
is(join(' ', @{$all}[ 0 .. 99 ]), join(' ', @{$places}[ 0 .. 99 ]), 'small pages, the same lines');

$stack->stop;
system('rm', '-rf', $lake);
done_testing;
