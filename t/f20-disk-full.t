# f20-disk-full.t - the lake's volume fills while records arrive: the daemon
# lives, says so, reads go on; with room again it resumes by itself and
# nothing is lost, doubled or torn.  Then the same with no descriptors left.
#
# Needs root for the small volume (a tmpfs of 8 MiB).
#
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Figure qw(figure run_number);
use DataLake::Ledger qw(lake_dump no_faults total);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use Time::HiRes qw(sleep time);

my $TOPIC  = 'transaction_log';
my $ledger = DataLake::Ledger->new(run => hex run_number(), resend => 0,
    base_ms => int(time - 10) * 1000);
my @placed;

# The checker: a lake from which one record in a hundred was taken, or doubled,
# is reported.
sub self_test {
    my $small = DataLake::Ledger->new(run => 1, resend => 0);
    my %next;
    $small->generate(300);
    $small->placed([ map { [ $_->{partition}, $next{ $_->{partition} }++ ] }
              @{ $small->{messages} } ]);
    my (@records, @rejects, %line);
    for my $message (@{ $small->{messages} }) {
        my ($day, @rest) = @$message{qw(day partition offset)};
        push @rejects, [ @rest, @$message{qw(reason sha)} ]
          if $message->{reason};
        push @records, [ $day, ++$line{$day}, @rest, $message->{sha} ]
          if !$message->{reason};
    }
    is(total($small->check_lake(\@records, \@rejects)), 0,
        'a whole lake is whole');
    my @cut = @records[ 0 .. $#records - 3 ];
    is($small->check_lake(\@cut, \@rejects)->{lost}, 3,
        'three records lost to a full disk are reported');
    push @records, @records[ 10, 11 ];
    is($small->check_lake(\@records, \@rejects)->{dup}, 2,
        'two records stored again after a retry are reported');
    $records[5][4] = 'torn';
    is($small->check_lake(\@records, \@rejects)->{torn}, 1,
        'a torn record is reported');
    return;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    self_test();
    done_testing;
    exit 0;
}
plan skip_all => 'mounting a small volume needs root' if $> != 0;

my $stack = DataLake::Stack->new(
    name    => 'f20',
    kafka   => 1,
    mariadb => 1,
    later   => 1,
    users   => { alice => 'user' },
    grants  => { alice => ['transaction_log'] },
);
my $volume = "$stack->{dir}/lake";
my $httpd  = getgrnam('www-data') // die "no group www-data\n";
system('mount', '-t', 'tmpfs', '-o', "size=8m,mode=2750,gid=$httpd", 'tmpfs',
    $volume) == 0
  or die "cannot mount a tmpfs\n";

END { system("umount -l '$volume' 2>/dev/null") if defined $volume; }

$stack->start_all;
$stack->start_daemon($_) for qw(datalake-lake datalake-warehouse);
$stack->start_httpd;
my $client = $stack->client('alice');

sub feed {
    my ($count) = @_;
    push @placed,
      $stack->kafka->produce($TOPIC, [ $ledger->generate($count) ]);
    return;
}

# How many records the lake has; none before its dataset is there.
sub stored {
    my ($records, $rejects) = eval { lake_dump($volume, $TOPIC) };
    return $records ? @$records + @$rejects : 0;
}

# What /health/ready says is wrong, as one text.
sub reasons {
    my $answer = $client->get('/health/ready');
    return $answer->{status} == 503 ? join ', ', @{ $answer->{json}{reasons} }
      : '';
}

sub is_intact {
    my ($name) = @_;
    my $sent = @{ $ledger->{messages} };
    wait_until('all is in the lake', sub { stored() >= $sent }, 60);
    $ledger->placed(\@placed);
    my $faults = $ledger->check_lake(lake_dump($volume, $TOPIC));
    is_deeply($faults, no_faults(), "$name: nothing lost, doubled or torn");
    my ($status, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($status, 0, "$name: fsck finds nothing") or diag $said;
    return $faults;
}

feed(2000);
wait_until('the first records', sub { stored() >= 2000 }, 60);
my $day = $ledger->{messages}[0]{day};

# Fill: more bytes than the volume has.
feed(18_000);
my $begin = time;
wait_until('the daemon says so', sub { reasons() =~ /lake/i }, 60);
diag sprintf 'degraded after %.1f s: %s', time - $begin, reasons();
sleep 2;
ok($stack->daemon('datalake-lake')->running, 'the daemon lives');
my $before = stored();
is($client->get("/api/audit/version/?date=$day")->{status},
    200, 'reads go on');
cmp_ok($before, '<', 20_000, 'not everything fits');

system('mount', '-o', 'remount,size=64m', $volume) == 0
  or die "cannot enlarge the tmpfs\n";
$begin = time;
wait_until('the daemon resumes', sub { stored() > $before }, 60);
diag sprintf 'resumed after %.1f s', time - $begin;
my $disk = is_intact('disk full');

# No descriptors: below what the daemon has open now.
my $pid = $stack->daemon('datalake-lake')->pid;
my $open = () = glob "/proc/$pid/fd/*";
system('prlimit', "--pid=$pid", "--nofile=$open:");
feed(300);
sleep 1;
ok($stack->daemon('datalake-lake')->running, 'it lives without descriptors');
system('prlimit', "--pid=$pid", '--nofile=1024:');
my $descriptors = is_intact('no descriptors');

my $violations = total($disk) + total($descriptors);
ok(
    figure('F20', [ violations => $violations ],
        $violations == 0 && Test::More->builder->is_passing),
    'the goal is met'
);
done_testing;
