# 16-processes.t - the module on each way httpd has of sharing work, and over
# graceful restarts while requests come in.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use Time::HiRes qw(sleep time);
use DataLake::Process qw(wait_until);
use DataLake::Stack;
use DataLake::Stopwatch;

my $stack = DataLake::Stack->new(
    name    => '16-processes',
    mariadb => 1,
    users   => { alice => 'user' },
    later   => 1,
);
$stack->{directives} = "DataLakeMetricsAllow none\n";
$stack->start_all;
my %token = map { ($_ => $stack->token($_)) } qw(admin alice);

# Seconds until CODE was asked and true; undef when it is false after LIMIT.
sub seconds_until {
    my ($limit, $code) = @_;
    my $watch = DataLake::Stopwatch->new;
    while (1) {
        my $seconds = $watch->seconds;
        return $seconds if $code->();
        return undef    if $seconds > $limit;
        sleep 0.02;
    }
}

for my $mpm (qw(event worker prefork)) {
    subtest "on $mpm" => sub {
        $stack->{httpd} = { mpm => $mpm };
        delete $stack->{httpd_server};
        my $httpd  = $stack->start_httpd;
        my $status = sub {
            return $httpd->client->get('/metrics', token => $_[0])->{status};
        };
        is($httpd->client->get('/health/live')->{status}, 200, 'it answers');
        is($status->($token{admin}), 200, 'the admin gets in');
        is($status->($token{alice}), 403, 'a user does not');
        is($status->(''),            401, 'nor does nobody');
        $stack->ctl(qw(user disable alice));
        ok(defined seconds_until(1.5, sub { $status->($token{alice}) == 401 }),
            'a change of an account arrives');
        $stack->ctl(qw(user enable alice));
        ok(
            defined seconds_until(
                1.5, sub { $status->($token{alice} = $stack->token('alice')) == 403 }
            ),
            'and back'
        );
        my ($before) = metric($httpd);
        $httpd->reload;
        is($status->($token{admin}), 200, 'it answers after a restart');
        cmp_ok(metric($httpd), '>=', $before, 'and has not forgotten its counters');
        $httpd->stop;
        like($httpd->log_text, qr/mpm_$mpm:notice/, 'httpd runs it');
        unlike($httpd->log_text, qr/exit signal|Sanitizer/,
            'no child has crashed');
        unlike($httpd->log_text, qr/AH00045|AH00046|still did not exit/,
            'all of them went when they were told');
        unlink "$httpd->{dir}/error.log";
    };
}

# How many requests of /health/live were counted.
sub metric {
    my ($httpd) = @_;
    my $text = $httpd->client->get('/metrics', token => $token{admin})->{body};
    my $sum = 0;
    $sum += $1
      while $text =~ m{^datalake_http_requests_total\{route="/health/live"[^\n]*\} (\d+)}mg;
    return $sum;
}

subtest 'graceful restarts cut nobody off' => sub {
    $stack->{httpd} = { mpm => 'event' };
    delete $stack->{httpd_server};
    my $httpd = $stack->start_httpd;
    my @client;
    my $until = time + 6;
    for my $n (1 .. 4) {
        pipe my $in, my $out or die;
        my $pid = fork // die;
        if (!$pid) {
            my ($asked, $wrong) = (0, 0);
            while (time < $until) {
                my $client = $httpd->client;    # a fresh connection
                my $answer = eval {
                    $client->get('/metrics', token => $token{admin});
                };
                $asked++;
                $wrong++
                  if !$answer || $answer->{status} != 200 || $answer->{cut};
            }
            syswrite $out, "$asked $wrong\n";
            POSIX::_exit(0);
        }
        push @client, [ $pid, $in ];
    }
    for (1 .. 5) { sleep 0.7; $httpd->reload; }
    my ($asked, $wrong) = (0, 0);
    for my $client (@client) {
        my ($a, $w) = split ' ', readline $client->[1];
        waitpid $client->[0], 0;
        $asked += $a;
        $wrong += $w;
    }
    cmp_ok($asked, '>', 20, "$asked requests were made");
    is($wrong, 0, 'each was answered whole');
    unlike($httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');
    ok(
        wait_until(
            'four children at most',
            sub { DataLake::Httpd::children_of($httpd->{process}{pid}) <= 4 }
        ),
        'no child of a former generation stays'
    );
};

done_testing;
