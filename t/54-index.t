# 54-index.t - datalake-lake makes indexes by itself, of sealed parts and of the
# open one; a kill anywhere, damage and a full volume do no harm; and what
# `datalakectl index` says and does.
#
# No broker: the daemon reads a file that grows.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Http;
use DataLake::Ledger qw(lake_dump);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Stack;
use POSIX qw(strftime);
use Time::HiRes qw(sleep time);

my $TOPIC = 'transaction_log';
my $stack = DataLake::Stack->new(
    name  => '54-index',
    later => 1,
    ini   => {
        kafka => { brokers => "file:$DataLake::Stack::TOP/build/t/54-index/source" },
        lake  => { seal_age => '1h', index => 'dense' },
    },
);
my $idx  = "$stack->{dir}/lake/_lake/$TOPIC/idx";
my $json = DataLake::Http::json();
my $sent = 0;
$stack->write_ini;

# Append MEGABYTES of records of DAY to what the daemon reads.
sub produce {
    my ($megabytes, $day) = @_;
    open my $out, '>>:raw', "$stack->{dir}/source" or die "source: $!\n";
    for (1 .. $megabytes * 1000) {
        printf $out "0 %d %d k\t%s\n", $sent, 1779300000000 + $sent,
          sprintf '{"transaction_id":"t%d","timestamp":"%sT09:30:00Z",'
          . '"amount":"%d.25","note":"%s"}', $sent, $day, $sent,
          join '', map { sprintf '%07x ', rand 0xfffffff } 1 .. 116;
        $sent++;
    }
    close $out or die "source: $!\n";
    return;
}

sub stored {
    my ($records) = eval { lake_dump("$stack->{dir}/lake", $TOPIC) };
    return scalar @{ $records // [] };
}

sub files {
    my ($suffix) = @_;
    return map { s{.*/}{}r } sort glob "$idx/*.$suffix";
}

sub wait_stored {
    wait_until('all is in the lake', sub { stored() == $sent }, 60);
    return;
}

sub seal {
    wait_stored();
    $stack->ctl('seal', $TOPIC);
    return;
}

# Wait until COUNT parts have their index, and nothing half-made is left.
sub wait_indexed {
    my ($count) = @_;
    wait_until("$count indexes", sub { files('index') == $count }, 60);
    return;
}

sub stop { return $stack->daemon('datalake-lake')->stop; }

# The sums of `datalakectl index VERB --json` and its exit status.
sub index_json {
    my (@words) = @_;
    my ($status, $out) = $stack->try_ctl('index', @words, '--json');
    my $answer = eval { $json->decode($out) } // {};
    return ($status, (grep { $_->{dataset} eq $TOPIC } @{ $answer->{datasets} // [] })[0] // {}, $answer->{problems}, $out);
}

# Every index is what building anew gives; fsck finds nothing.  One that grows
# counts from its first turn on, which may come behind the records.
sub is_good {
    my ($name, $count) = @_;
    wait_until("$count indexes",
        sub { ((index_json('verify', $TOPIC))[1]{done} // 0) >= $count }, 60);
    my ($status, $sums, undef, $out) = index_json('verify', $TOPIC);
    is($status, 0, "$name: every index is good") or diag $out;
    is("$sums->{done} $sums->{equal} $sums->{missing}", "$count $count 0",
        "$name: $count of them, each as if made anew") or diag $out;
    my ($found, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($found, 0, "$name: fsck finds nothing") or diag $said;
    return;
}

# Flip a bit of FILE at AT (from its end when negative).
sub flip {
    my ($file, $at) = @_;
    my $bytes = slurp($file);
    substr($bytes, $at, 1) ^= "\x10";
    spit($file, $bytes);
    return;
}

produce(3, '2026-05-18');
$stack->start_daemon('datalake-lake');

subtest 'what is sealed gets its index' => sub {
    seal();
    wait_indexed(1);
    produce(2, '2026-05-18');
    produce(2, '2026-05-19');
    seal();
    wait_indexed(3);
    is_good('sealed', 3);
    ok(wait_until('nothing else', sub { !(my @left = (files('index.new'), files('grow'))) }),
        'nothing else is left');
};

subtest 'what is open is indexed as it grows' => sub {
    produce(6, '2026-05-20');
    wait_until('a .grow', sub { files('grow') == 1 }, 60);
    wait_stored();
    my $grow = "$idx/" . (files('grow'))[0];
    my $size = -s $grow;
    is_good('open', 4);
    produce(6, '2026-05-20');
    wait_until('it grows', sub { (-s $grow // 0) > $size }, 60);
    seal();
    wait_indexed(4);
    wait_until('the .grow is gone', sub { !files('grow') }, 60);
    is_good('sealed then', 4);
};

subtest 'killed at every point of a build' => sub {
    my %label;
    for my $file (glob "$stack->{top}/mod_datalake/core/dl_lake_*.c") {
        $label{$_} = 1 for slurp($file) =~ /DL_LAKE_CRASH\("(index-[^"]+)"\)/g;
    }
    cmp_ok(scalar keys %label, '>=', 3, scalar(keys %label) . ' crash points');
    cmp_ok(stop(), '<', 5, 'the daemon stops at once');
    for my $label (sort { ($a =~ /grow/) <=> ($b =~ /grow/) } keys %label) {
        $stack->ctl('index', 'drop', $TOPIC);
        is(scalar files('index'), 0, 'no index is left');
        my $open = $label =~ /grow/;
        produce(5, '2026-05-21') if $open;
        $stack->start_daemon('datalake-lake', wait => 0,
            environment => { DL_CRASH_AT => "$label:1" });
        wait_until("it dies at $label",
            sub { !$stack->daemon('datalake-lake')->running }, 60);
        my ($found, $said) = $stack->try_ctl('fsck', $TOPIC);
        is($found, 0, "$label: fsck finds nothing") or diag $said;
        is(stored(), $sent, "$label: every record is there") if !$open;
        $stack->start_daemon('datalake-lake');
        wait_stored();
        wait_indexed(4);
        wait_until('the .grow', sub { files('grow') == 1 }, 60) if $open;
        wait_until('no half of one', sub { !files('index.new') }, 60);
        is_good($label, $open ? 5 : 4);
        seal() if $open;
        wait_indexed(5) if $open;
        stop();
    }
};

subtest 'a compaction has its index before it is seen' => sub {
    $stack->ctl('compact', $TOPIC);
    my ($status, $sums, undef, $out) = index_json('verify', $TOPIC);
    is($status, 0, 'good') or diag $out;
    is($sums->{missing}, 0, 'none is missing');
    my %has = map { (s/\..*//r => 1) } files('index');
    is_deeply([ sort keys %has ], [ map { s/\..*//r } files('trail') ],
        'each trail has its index, no other is left');
};

subtest 'damage is found by verify and fsck, and mended' => sub {
    my $name = (files('index'))[0];
    my $size = -s "$idx/$name";
    for my $case ([ 'header', 20 ], [ 'block table', 140 ],
        [ 'rows', int $size / 2 ], [ 'last byte', $size - 1 ]) {
        my ($what, $at) = @$case;
        flip("$idx/$name", $at);
        my ($status, $sums, $problems) = index_json('verify', $TOPIC);
        is($status, 1, "$what: verify says 1");
        is($sums->{damaged}, 1, '... for one index');
        like($problems->[0]{part}, qr/^2026-05-\d\d\.json$/, '... of this part');
        my ($found, $said) = $stack->try_ctl('fsck', $TOPIC);
        is($found, 1, '... fsck, too');
        like($said, qr/\Q@{[ $name =~ s{\..*}{}r ]}\E/, '... and names it');
        $stack->ctl('index', 'build', '--all', $TOPIC);
        ($status) = index_json('verify', $TOPIC);
        is($status, 0, '... build --all mends it');
    }
    flip("$idx/$name", 20);
    spit("$idx/0000000000000001.index.new", 'x');
    $stack->start_daemon('datalake-lake');
    wait_until('the daemon mends it, too',
        sub { (index_json('verify', $TOPIC))[0] == 0 }, 60);
    wait_until('and sweeps', sub { !files('index.new') }, 60);
    pass('the daemon makes anew what does not count');
    stop();
    spit("$idx/notes", 'x');
    my ($found, $said) = $stack->try_ctl('fsck', $TOPIC);
    is($found, 1, 'a strange name in idx/ is found');
    like($said, qr{idx/notes: no file of a lake is called so}, '... and named');
    unlink "$idx/notes";
};

subtest 'a full volume' => sub {
    plan skip_all => 'mounting a small volume needs root' if $> != 0;
    my $volume = "$stack->{dir}/lake";
    rename $volume, "$volume.kept" or die "$volume: $!\n";
    mkdir $volume;
    system('mount', '-t', 'tmpfs', '-o', 'size=60m', 'tmpfs', $volume) == 0
      or die "cannot mount a tmpfs\n";
    $stack->start_daemon('datalake-lake');
    wait_stored();
    seal();
    wait_until('the daemon says so',
        sub { $stack->daemon_log('datalake-lake') =~ /DL0812 $TOPIC: indexes wait/ },
        60);
    is(join(' ', files('index'), files('index.new')), '', 'no index is begun');
    produce(1, '2026-05-18');
    wait_stored();
    pass('records are taken');
    system('mount', '-o', 'remount,size=256m', $volume) == 0
      or die "cannot enlarge the tmpfs\n";
    $stack->daemon('datalake-lake')->signal('HUP');
    wait_until('indexes are made',
        sub { (index_json('verify', $TOPIC))[1]{missing} == 0 && files('index') },
        60);
    pass('with room again, by itself');
    stop();
    system('umount', $volume) == 0 or die "umount: $?\n";
    rmdir $volume;
    rename "$volume.kept", $volume or die "$volume: $!\n";
};

END {
    local $?;
    system("umount -l '$stack->{dir}/lake' 2>/dev/null") if $stack;
}

subtest 'switched off' => sub {
    $stack->ctl('index', 'drop', $TOPIC);
    $stack->{ini}{lake}{index} = 'off';
    $stack->write_ini;
    $stack->start_daemon('datalake-lake');
    sleep 1.5; # nothing to wait for: what must not come
    is(scalar files('index'), 0, 'none is made');
    stop();
};

subtest 'datalakectl index' => sub {
    for my $case (
        [ 2, qr/an argument is missing/,                  'index' ],
        [ 2, qr/must be build, verify or drop, not "mend"/, 'index', 'mend' ],
        [ 2, qr/unknown option "--frob"/, 'index', 'build', '--frob' ],
        [ 1, qr/nosuch: /,                'index', 'build', 'nosuch' ],
        [ 0, qr/--all/,                   'index', '--help' ],
      )
    {
        my ($status, $pattern, @words) = @$case;
        my ($got, $out) = $stack->try_ctl(@words);
        is($got, $status, "status $status: @words") or diag $out;
        like($out, $pattern, '... and says why');
    }
    my ($status, $sums, $problems) = index_json('build');
    is($status, 0, 'build of all datasets');
    cmp_ok($sums->{done}, '>=', 4, '... makes what is missing');
    cmp_ok($sums->{bytes_per_s}, '>', 0, '... and says how fast');
    is_deeply($problems, [], '... without a problem');
    ($status, $sums) = index_json('build');
    is($sums->{done}, 0, 'again: nothing to do');
    is($stack->ctl('index', 'verify', $TOPIC) =~
          /^$TOPIC: \d+ indexes are good, \d+ of them as if made anew; 0 damaged/,
        1, 'verify in a sentence');
    my $tty = qx(script -qec '$DataLake::Stack::BUILD/bin/datalakectl -c @{[$stack->ini_file]} index build --all' /dev/null);
    like($tty, qr{\[#+ *\] +\d+ %  \d+ MB, \d+/s}, 'a terminal shows a bar');
    like($stack->ctl('index', 'drop'), qr/^$TOPIC: \d+ files removed$/m, 'drop');
    is(scalar files('index'), 0, '... and they are gone');
};

done_testing;
