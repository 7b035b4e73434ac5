# 57-sort-limit.t - sorting takes up to 100,000 matches; beyond that it says
# so, and what narrows the matches helps.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Stack;

my $stack = DataLake::Stack->with_lake('57-sort-limit', qw(--records 100001 --days 2));
my $lake  = $stack->{ini}{lake}{path};
my $alice = $stack->client('alice');

# The amounts of the page that QUERY finds, or what is wrong with it.
sub amounts {
    my ($query) = @_;
    my $answer = $alice->get("/api/data/?fields=amount&page_size=5&$query");
    return $answer->{status} == 200
      ? [ map { $_->{amount} } @{ $answer->{json}{results} } ]
      : "$answer->{status} $answer->{json}{errors}[0]{code} $answer->{json}{errors}[0]{parameter}";
}

# All amounts, as the files have them.
my @all;
for my $file (sort glob "$lake/transaction_log/dt=*/*.json") {
    open my $in, '<', $file or die "$file: $!\n";
    while (<$in>) { push @all, 0 + $1 if /"amount":"?([0-9.]+)/ }
}
is(scalar @all, 100_001, 'each has an amount');

is(amounts('sort=-amount'), '400 sort-too-large sort', 'one match too many is refused');
is(amounts('sort=amount&status__ne=nothing'), '400 sort-too-large sort', '... with a filter, too');
my ($day) = map { /dt=(\S{10})/ } sort glob "$lake/transaction_log/dt=*";
is(ref amounts("sort=-amount&resource=transaction_log/$day.json"), 'ARRAY', 'a day of them is sorted');
my @few = (sort { $b <=> $a } grep { $_ > 900 } @all)[ 0 .. 4 ];
is_deeply([ map { 0 + $_ } @{ amounts('sort=-amount&amount__gt=900') } ],
    \@few, 'as are those that a filter leaves, the largest first');
is(scalar @{ amounts('amount__gt=0') }, 5, 'without an order any number is paged');
like($stack->httpd->log_text, qr/resuming normal operations/, 'the server runs');
unlike($stack->httpd->log_text, qr/exit signal/, '... and no child has crashed');

system('rm', '-rf', $lake);
done_testing;
