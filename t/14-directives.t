# 14-directives.t - every directive is told in conf/datalake.conf and checked
# by `apachectl -t`; a restart with a mistake keeps what was.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::Process qw(slurp spit);
use DataLake::Stack;

my $stack = DataLake::Stack->new(
    name  => '14-directives',
    httpd => 1,
    bare  => 1,
    later => 1,
);
$stack->write_ini;
my $key   = "$stack->{dir}/secrets/token.key";
my $files = "DataLakeConfig \"@{[$stack->ini_file]}\"\n"
  . "DataLakeTokenKeyFile \"$key\"\n"
  . "DataLakeAuditDir \"$stack->{dir}/audit\"\n"
  . "DataLakeAuditKeyFile \"$stack->{dir}/secrets/audit.key\"\n";
$stack->start_httpd;
my $httpd = $stack->httpd;

# What `apachectl -t` says to DIRECTIVES, without line ends.
sub check {
    my ($directives) = @_;
    local $httpd->{directives} = $directives;
    (my $text = $httpd->check) =~ s/\s+/ /g;
    return $text;
}

subtest 'the sample file tells every directive once with its default' => sub {
    my ($sample) = slurp("$stack->{top}/conf/datalake.conf");
    my $source = slurp("$stack->{top}/mod_datalake/mdl_config.c");
    my @known  = $source =~ /AP_INIT_\w+\("(DataLake\w+)"/g;
    my @told   = $sample =~ /^(DataLake\w+) /mg;
    cmp_ok(scalar @known, '>', 10, 'there are directives to compare');
    is_deeply([ sort @told ], [ sort @known ], 'both name the same ones');
    my @naked = grep { $sample !~ /^#[^\n]+\n(?:DataLake\w+ [^\n]+\n)*$_ /m } @told;
    is_deeply(\@naked, [], 'each stands under a remark');
    $sample =~ s/^DataLake(?:Config|TokenKeyFile|AuditDir|AuditKeyFile) .*$//mg;
    like(check($files . $sample), qr/Syntax OK/, 'and httpd takes it');
};

subtest 'a wrong value is found with what would be right' => sub {
    my @wrong = (
        [ 'DataLakeEngine maybe', qr/must be On or Off/ ],
        [ 'DataLakeConfig ""', qr{takes one argument, Path of datalake\.ini} ],
        [ 'DataLakeIssuer "a b"', qr/must be 1 to 255 visible ASCII/ ],
        [ 'DataLakeWebDir ""', qr{takes one argument, Folder of the pages} ],
        [ 'DataLakeAudience ""', qr{takes one argument, Claim aud} ],
        [ 'DataLakeTokenTTL 5', qr/must be a time from 60 s to 1 d/ ],
        [ 'DataLakeTokenTTL 30min 1000d', qr/from 60 s to 90 d/ ],
        [ 'DataLakeTokenTTL 30 min 1d', qr/takes 1-2 arguments/ ],
        [ 'DataLakeTokenTTL soon', qr/such as 30min/ ],
        [ 'DataLakeJWKSFile ""', qr{takes one argument, Path of a JWK Set} ],
        [ 'DataLakeTokenCache 10', qr/whole number from 1024 to 1048576/ ],
        [ 'DataLakeTokenCache 16M', qr/whole number from 1024 to 1048576/ ],
        [ 'DataLakeTokenClaims 0', qr/whole number from 64 to 65536/ ],
        [ 'DataLakeIdentityMaxStale 0', qr/must be a time from 1 s to 1 d/ ],
        [ 'DataLakeIdentityMaxStale -1', qr/must be a time from 1 s/ ],
        [ 'DataLakeIdentityMaxStale 1.5h', qr/must be a time from 1 s/ ],
        [ 'DataLakeIdentityMaxStale 99999999999999999999', qr/must be a time/ ],
        [ 'DataLakeIdentityAccounts 10', qr/whole number from 1024 to/ ],
        [ 'DataLakeIdentityAccounts 1e6', qr/whole number from 1024 to/ ],
        [ 'DataLakeWarehouseConnections 0', qr/whole number from 1 to 64/ ],
        [ 'DataLakeWarehouseConnections 65', qr/whole number from 1 to 64/ ],
        [ 'DataLakeAnswerCache 1K', qr/a size from 64K to 1024M/ ],
        [ 'DataLakeAnswerCache 16MB', qr/a size from 64K to 1024M/ ],
        [ 'DataLakeReadLimit 301', qr/must be a time from 1 s to 300 s/ ],
        [ 'DataLakeDefaultGrants Raw', qr/must be none, or a resource/ ],
        [ 'DataLakeDefaultGrants rawticker=own', qr/must be none, or a res/ ],
        [ 'DataLakeDefaultGrants rawticker=', qr/must be none, or a resource/ ],
        [ 'DataLakeMarketDataAnonymous perhaps', qr/must be On or Off/ ],
        [ 'DataLakeMetricsAllow localhost', qr/must be loopback, none/ ],
        [ 'DataLakeMetricsAllow 10.0.0.0/33', qr/must be loopback, none/ ],
        [ 'DataLakeMetricsAllow 300.1.1.1', qr/must be loopback, none/ ],
        [ 'DataLakeAuditBuffer 64K', qr/a size from 1M to 1024M/ ],
        [ 'DataLakeAuditDir /nonexistent', qr{DL1001 DataLakeAuditDir /nonexistent is no folder} ],
        [ 'DataLakeAuditKeyFile /nonexistent/audit.key', qr{DL1001 DataLakeAuditKeyFile: .*/nonexistent/audit\.key} ],
        [ 'DataLakeCORSOrigins *', qr/must be none, or up to 64 origins/ ],
        [ 'DataLakeCORSOrigins https://a.example/', qr/must be none, or up to/ ],
        [ 'DataLakeCORSOrigins https://*.example', qr/must be none, or up to/ ],
        [ 'DataLakeCORSOrigins null', qr/must be none, or up to/ ],
        [ 'DataLakeCORSOrigins https://A.example', qr/must be none, or up to/ ],
        [ 'DataLakeCORSOrigins https://a.example:443', qr/must be none, or up/ ],
        [ 'DataLakeQuota / user', qr/takes a path, a role and a limit/ ],
        [ 'DataLakeQuota v1 user 10/1h', qr{the path must begin with /} ],
        [ 'DataLakeQuota //x user 10/1h', qr{the path must begin with /} ],
        [ 'DataLakeQuota / root 10/1h', qr/anonymous, user, auditor or admin/ ],
        [ 'DataLakeQuota / user 10', qr{such as 1000/1h} ],
        [ 'DataLakeQuota / user 10/1d', qr{such as 1000/1h} ],
        [ 'DataLakeQuota / user -1/1h', qr{such as 1000/1h} ],
        [ 'DataLakeQuota / user 67108864/1h', qr/from 0 to 67108863/ ],
        [ 'DataLakeQuota / user 10/1h rows=0', qr/an option must be rows=/ ],
        [ 'DataLakeQuota / user 10/1h bytes=10', qr/with K, M or G/ ],
        [ 'DataLakeQuota / user 10/1h bytes=64G', qr/up to 63G/ ],
        [ 'DataLakeQuota / user 10/1h calls=3', qr/an option must be rows=/ ],
        [ 'DataLakeQuotaWindows 10', qr/whole number from 1024 to/ ],
        [ 'DataLakeNothing On', qr/Invalid command 'DataLakeNothing'/ ],
    );
    for my $case (@wrong) {
        my ($directive, $sentence) = @$case;
        my $text = check("$files$directive\n");
        like($text, $sentence, $directive);
        unlike($text, qr/Syntax OK/, '... is refused');
    }
};

subtest 'right values are taken' => sub {
    for my $directive (
        'DataLakeEngine Off', 'DataLakeTokenTTL 1h',
        'DataLakeTokenTTL 1800 1d', 'DataLakeIdentityMaxStale 5min',
        'DataLakeAnswerCache 65536', 'DataLakeMetricsAllow none',
        'DataLakeMetricsAllow 10.0.0.0/8 ::1 2001:db8::/32 loopback',
        'DataLakeIssuer https://lake.example/',
        'DataLakeCORSOrigins https://a.example http://localhost:3000',
        'DataLakeCORSOrigins none',
        'DataLakeQuota / anonymous 0/1h',
        'DataLakeQuota /api/a/very/long/path user 10/1h rows=5 bytes=63G',
      )
    {
        like(check("$files$directive\n"), qr/Syntax OK/, $directive);
    }
};

subtest 'the files that are named are read' => sub {
    like(check(''), qr{DL1001 DataLakeConfig: .*/etc/datalake/datalake\.ini},
        'the default is the installed file');
    like(check("DataLakeConfig /nonexistent/x.ini\nDataLakeTokenKeyFile $key\n"),
        qr{DL1001 DataLakeConfig: .*/nonexistent/x\.ini}, 'a missing ini');
    my $bad = "$stack->{dir}/bad.ini";
    spit($bad, "[lake]\nseal_age = soon\n");
    like(check("DataLakeConfig $bad\nDataLakeTokenKeyFile $key\n"),
        qr{bad\.ini:2: .*seal_age.*must be}, 'a wrong setting by its line');
    my $datasets = "$stack->{dir}/datasets";
    mkdir $datasets;
    spit("$datasets/oops.json", "{\n  \"name\": 1\n}\n");
    (my $ini = slurp($stack->ini_file)) =~ s{^dir = .*datasets$}{dir = $datasets}m;
    spit($bad, $ini);
    like(check("DataLakeConfig $bad\nDataLakeTokenKeyFile $key\n"),
        qr{DL1001 DataLakeConfig: .*oops\.json:\d+: }, 'a wrong declaration');
    my $short = "$stack->{dir}/short.key";
    spit($short, "short\n", 0600);
    like(check("DataLakeConfig @{[$stack->ini_file]}\nDataLakeTokenKeyFile $short\n"),
        qr{DL1001 DataLakeTokenKeyFile: .*32}, 'a key that is too short');
    spit($short, ('0123456789abcdefXYZ' x 3) . "\n", 0644);
    chmod 0644, $short;
    my $text = check("DataLakeConfig @{[$stack->ini_file]}\nDataLakeTokenKeyFile $short\n");
    like($text, qr{DL1001 DataLakeTokenKeyFile: .*short\.key},
        'a key that others may read');
    unlike($text, qr/0123456789abcdefXYZ/, '... is not printed');
    is(scalar(() = check("DataLakeConfig /nonexistent/x.ini\nDataLakeTokenKeyFile $key\nDataLakeEngine Off\n") =~ /Syntax OK/),
        1, 'with DataLakeEngine Off nothing is read');
};

subtest 'a graceful restart with a mistake keeps what was' => sub {
    is($httpd->client->get('/health/live')->{status}, 200, 'it runs');
    my $good = slurp($stack->ini_file);
    spit($stack->ini_file, "[lake]\nseal_age = soon\n");
    $httpd->reload;
    is($httpd->client->get('/health/live')->{status},
        200, 'it runs with a broken ini');
    is($httpd->client->get('/api/resources/')->{status},
        401, 'the gate stands');
    like($httpd->log_text, qr/DL1004 the former settings go on: .*seal_age/,
        'the log says why');
    $httpd->reload;
    is($httpd->client->get('/health/live')->{status},
        200, 'and after another restart');
    spit($stack->ini_file, $good);
    $httpd->reload;
    is($httpd->client->get('/health/live')->{status}, 200, 'and repaired');
};

subtest 'a server that is off is left alone' => sub {
    local $httpd->{directives} = "${files}DataLakeEngine Off\n";
    $httpd->reload;
    my $answer;
    for (1 .. 50) {    # a child of the former generation may take a few
        $answer = $httpd->client->get('/health/live');
        last if $answer->{status} == 404;
        select undef, undef, undef, 0.1;
    }
    is($answer->{status}, 404, 'it has no routes');
    ok(!exists $answer->{headers}{'x-request-id'}, 'and no ids');
};

unlike($httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');

done_testing;
