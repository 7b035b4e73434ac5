# 79-change-restore.t - a backup made while change events wait, some without a
# number yet; they are sent, then all goes back to the backup and they are sent
# again: each is in the lake once, in order.
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp wait_until);
use DataLake::Stack;
use JSON::PP;

my $json   = JSON::PP->new->canonical->utf8;
my @READ   = qw(datalake-lake datalake-warehouse);
my $stack  = DataLake::Stack->new(name => '79-change-restore', kafka => 1, mariadb => 1, httpd => 1, daemons => [ @READ, 'datalake-jobs' ]);
my $db     = $stack->mariadb;
my $admin  = $stack->client('admin');
my $backup = "$stack->{dir}/backup";
my @asked;

# Change the likes of post P1; the change is remembered in @asked.
sub likes {
    my ($n) = @_;
    my $told;
    wait_until("likes $n", sub { $told = $admin->request('PUT', '/v1/social/p1', body => { likes => $n }); $told->{status} == 200 }, 20);
    push @asked, $told->{headers}{'x-request-id'};
    return;
}

# Request ids of the events in the lake, in order.
sub events {
    open my $in, '-|', "$stack->{top}/build/tools/lake_dump", "$stack->{dir}/lake", 'social_posts', 'notes' or die "lake_dump: $!\n";
    my @found = map { /^N\t.*dl-change-id=\d.*dl-request-id=([\w-]+)/ ? $1 : () } <$in>;
    close $in or die "lake_dump failed\n";
    return @found;
}

# All events are with the broker, and all messages in the lake and the loader.
sub await_all {
    wait_until('events wait', sub { !$db->value('SELECT COUNT(*) FROM change_outbox WHERE sent_at IS NULL') }, 30);
    wait_until('lake and loader are behind', sub {
            my $told = $admin->get('/api/ingest/reconcile/?topic=social_posts')->{json} or return 0;
            return !grep { ($_->{lake_next} // 0) < $_->{kafka_high} || ($_->{warehouse_next} // 0) < $_->{kafka_high} } @{ $told->{partitions} // [ {} ] };
    }, 30);
    return;
}

sub row { return $db->value(q{SELECT likes FROM social_post WHERE post_id = 'p1'}); }

$stack->kafka->produce('social_posts', [ { partition => 0, key => 'p1', value => $json->encode({
                post_id => 'p1', user => { user_id => 'u', name => 'Ada' }, content => 'x', timestamp => '2023-01-20T11:37:58Z', likes => 0, comments => [] }) } ]);
wait_until('the post is not loaded', sub { defined row() }, 30);
likes(1);
await_all();
is_deeply([ events() ], \@asked, 'given an event that was sent');

$stack->daemon('datalake-jobs')->stop;
likes($_) for 2 .. 4;
is($db->value('SELECT COUNT(*) FROM change_outbox WHERE change_id IS NULL'), 3, '... and three without a number');
my ($status, $said) = $stack->try_ctl('backup', $backup);
is($status, 0, 'a backup') or diag $said;
is($db->value('SELECT COUNT(*) FROM change_outbox WHERE change_id IS NULL'), 0, 'gives them their numbers');
likes(5);
$stack->start_daemon('datalake-jobs');
await_all();
is_deeply([ events() ], \@asked, 'all are sent behind it, and one more');

sub restored {
    $stack->daemon($_)->stop for 'datalake-jobs', @READ;
    my ($restored, $why) = $stack->try_ctl('restore', '--replace', $backup);
    is($restored, 0, 'datalakectl restore --replace') or diag $why;
    delete $stack->{tokens}{admin};
    $admin = $stack->client('admin');
    is(row(), 4, 'the row is that of the backup');
    is(scalar(events()), 1, 'so are the events in the lake');
    return;
}

subtest 'back to the backup, the events still to be read' => sub {
    restored();
    $stack->start_daemon($_) for @READ, 'datalake-jobs';
    likes(6);
    await_all();
    is_deeply([ events() ], \@asked, 'each event is in the lake once, in order');
};

subtest 'once more, the events sent before the lake is read' => sub {
    restored();
    $stack->start_daemon('datalake-jobs');
    wait_until('events wait', sub { !$db->value('SELECT COUNT(*) FROM change_outbox WHERE sent_at IS NULL') }, 30);
    $stack->start_daemon($_) for @READ;
    await_all();
    is_deeply([ events() ], \@asked, 'each event is in the lake once, in order');
    is(row(), 4, 'what requests changed behind the backup is not in the table');
    $stack->daemon('datalake-warehouse')->stop;
    my ($rebuilt, $why) = $stack->try_ctl('rebuild-warehouse');
    is($rebuilt, 0, 'datalakectl rebuild-warehouse') or diag $why;
    is(row(), 6, '... but in the lake, which brings it back');
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');
done_testing;
