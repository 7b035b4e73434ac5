# 02-runner.t - servers die with their test, and only with it.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(free_port port_answers slurp spit wait_until);
use DataLake::Stack;

# A test of its own that starts httpd and waits.  Returns its process and the
# port.
sub sleeper {
    my ($name, $ending) = @_;
    my $dir   = "$DataLake::Stack::TOP/build/t/02-$name";
    my $child = DataLake::Process->new(
        name    => $name,
        log     => "$dir.log",
        command => [
            $^X, "-I$FindBin::Bin/lib", '-MDataLake::Stack', '-e',
            "my \$s = DataLake::Stack->new(name => '02-$name', bare => 1, "
              . "httpd => { module => '' }); "
              . "DataLake::Process::spit('$dir.port', \$s->httpd->{port}); "
              . "select undef, undef, undef, 0.01 until -e '$dir.go'; "
              . $ending
        ],
    );
    unlink "$dir.port", "$dir.go";
    $child->start->ready(sub { -s "$dir.port" });
    my $port = slurp("$dir.port");
    spit("$dir.go", '');
    return ($child, $port);
}

for my $signal (qw(TERM KILL)) {
    my ($child, $port) = sleeper("signal-$signal", 'sleep 600');
    ok(port_answers($port), 'its server answers');
    $child->signal($signal);
    $child->wait;
    ok(
        wait_until('it is gone', sub { !port_answers($port) }),
        "SIG$signal to the test ends its server"
    );
}

subtest 'a test that dies leaves nothing and fails' => sub {
    my $dir = "$DataLake::Stack::TOP/build/t/02-dies";
    my ($child, $port) = sleeper('dies', 'die "planted"');
    my $status = $child->wait;
    isnt($status, 0, 'its exit status says so');
    ok(!port_answers($port), 'its server is gone');
    like(slurp("$dir.log"), qr/planted/, 'its message is kept');
};

subtest 'a crash in a log fails the test that looked elsewhere' => sub {
    my $log = "$DataLake::Stack::TOP/build/t/02-crash/apache2/error.log";
    my ($child) = sleeper('crash',
            "open my \$o, '>>', '$log'; "
          . 'print $o "child pid 7 exit signal Segmentation fault (11)\n"; '
          . 'close $o; exit 0');
    isnt($child->wait, 0, 'its exit status says so');
};

subtest 'a reused pid is not taken for ours' => sub {
    my $file    = "$DataLake::Stack::TOP/build/t/02-reused.pid";
    my $process = DataLake::Process->new(
        log      => "$file.log",
        pid_file => $file,
        command  => [ 'sleep', '600' ]
    )->start;
    my $other = DataLake::Process->new(name => 'other', pid_file => $file);
    is($other->pid, $process->{pid}, 'the pid file names the process');
    DataLake::Process::spit("$file.start", '1');
    is($other->pid, undef, 'with another start time it is a stranger');
    ok(!defined $other->stop, 'a stranger is not stopped');
    ok($process->running,     'it still runs');
    $process->kill_now;
};

subtest 'a server that fails to start tells why' => sub {
    my $ok = eval {
        DataLake::Stack->new(
            name  => '02-wrong',
            bare  => 1,
            httpd => { module => '', server => "Nonsense On\n" }
        );
        1;
    };
    ok(!$ok, 'the start fails');
    like($@, qr/Invalid command 'Nonsense'/, 'with the reason');
};

# Whether the suites below let no skip pass: theirs to say, not the run's that
# this test is a part of.
our $no_skip = 0;

# The output and exit status of t/lib/suite over tests of the texts TEXT.
sub suite_over {
    my (@text) = @_;
    my $dir = "$DataLake::Stack::TOP/build/t/02-suite";
    my @file;
    for my $i (0 .. $#text) {
        push @file, "$dir/$i.t";
        DataLake::Process::spit($file[-1],
            "use Test::More;\n$text[$i]\ndone_testing;\n");
    }
    local $ENV{HARNESS_ACTIVE};
    local $ENV{DL_NO_SKIP} = $no_skip;
    my $out = qx($^X $FindBin::Bin/lib/suite -j2 @file 2>&1);
    return ($out, $? >> 8);
}

subtest 'a skip is never silent' => sub {
    my $good = 'ok 1;';
    my $why  = 'SKIP: { skip "no strace here", 2; }';
    my ($out, $code) = suite_over($good);
    like($out, qr/^# 0 skipped$/m, 'without one the count is 0');
    is($code, 0, 'and all is well');
    ($out, $code) = suite_over(
        $good, $why,
        "subtest inner => sub { $good subtest deep => sub { $good $why } };",
        'subtest whole => sub { plan skip_all => "no browser" };',
    );
    like($out, qr/^# 5 skipped:$/m, 'skips are counted, at any depth');
    like($out, qr/^#   \S+1\.t: no strace here$/m, 'with file and reason');
    like($out, qr/^#   \S+2\.t: no strace here$/m, '... in a subtest too');
    like($out, qr/^#   \S+3\.t: no browser$/m,     '... or a whole one');
    is($code, 0, 'a skip with its reason passes');
    ($out, $code) = suite_over('plan skip_all => "needs root"; ');
    like($out, qr/^# 1 skipped:\n#   \S+0\.t: needs root$/m,
        'so does a whole file');
    ($out, $code) = suite_over($good, 'SKIP: { skip "", 1; }');
    like($out, qr/NO REASON GIVEN/, 'one without a reason is shown');
    isnt($code, 0, 'and fails the run');
    local $no_skip = 1;
    ($out, $code) = suite_over($good, $why);
    isnt($code, 0, 'DL_NO_SKIP=1 lets none pass');
};

subtest 'free ports differ' => sub {
    my %seen;
    $seen{ free_port() }++ for 1 .. 50;
    is(scalar keys %seen, 50, 'fifty calls give fifty ports');
};

done_testing;
