# f12-contract.t - schemathesis reads the API description and tries what it
# allows and what it forbids on every operation, with all its checks.
#
# What JSON Schema cannot say about requests stands in lib/contract_hooks.py.
# A method nobody knows is 501 by the contract, so QUERY is not asked for.
#
# F12 operations=44 cases=2800 failures=0
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use DataLake::Figure qw(figure full_size run_number);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Python qw(python_with);
use DataLake::Stack;

my $SETTINGS = <<'TOML';
[checks]
# A valid request may name what is not there, or what is there already.
positive_data_acceptance.expected-statuses = ["2xx", "3xx", "401", "403", "404", "409", "412", "429"]
negative_data_rejection.expected-statuses = ["400", "401", "403", "404", "406", "409", "412", "413", "415", "422", "429"]

[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "PATCH", "DELETE", "TRACE"]

[generation]
# Lengths of the API count bytes, those of JSON Schema characters.
codec = "ascii"
TOML

my $json = JSON::PP->new->utf8->canonical;
my $dir;    # of the stack

# Run schemathesis on the description FILE with WORDS; what it printed.
sub schemathesis {
    my ($url, $token, $file, @words) = @_;
    my $python = python_with('schemathesis==4.32.5');
    my $home   = "$dir/schemathesis";
    spit("$home/schemathesis.toml",
        ($token ? qq(headers = { Authorization = "Bearer $token" }\n) : '')
          . $SETTINGS);
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if ($pid == 0) {
        chdir $home or die "$home: $!\n";
        open STDERR, '>&', \*STDOUT;
        $ENV{SCHEMATHESIS_HOOKS} = 'contract_hooks';
        $ENV{PYTHONPATH}         = "$FindBin::Bin/lib";
        $ENV{PYTHONDONTWRITEBYTECODE} = 1;
        exec $python =~ s/python3$/schemathesis/r, 'run', $file, '--url', $url,
          '--continue-on-failure', '--workers=1', '--seed=' . hex run_number(),
          @words;
        die "schemathesis: $!\n";
    }
    local $/;
    my $text = <$out>;
    close $out;
    spit("$home/report.txt", $text);
    return $text;
}

# The findings of the report TEXT: "METHOD /path: ST108 what".
sub findings {
    my ($text) = @_;
    my @found;
    for my $block (split /\n(?=_{5,} )/, $text) {
        my ($where) = $block =~ /^_+ (\S+ \S+) _+\n/ or next;
        my %seen = map { ($_ => 1) } $block =~ /^- (ST\d+ .*)$/mg;
        $seen{$1}++ while $block =~ /^((?:Runtime|Network|Schema) Error)$/mg;
        push @found, map { "$where: $_" } sort keys %seen;
    }
    return @found;
}

# --- The checker finds what is planted ------------------------------------------------

if (@ARGV && $ARGV[0] eq '--self-test') {
    my $stack = DataLake::Stack->new(name => 'f12-self', httpd => 1, bare => 1);
    $dir = $stack->{dir};
    my $right = slurp_description($stack->httpd->client);
    my @live  = ('/health/live', 'get');
    my %plant = (
        'nothing' => sub { },
        'a body against its schema' => sub {
            $_[0]{responses}{200}{content}{'application/json'}{schema} =
              { type => 'array' };
        },
        'a status that is not told' => sub { delete $_[0]{responses}{200} },
        'a type that is not told'   => sub {
            my $content = $_[0]{responses}{200}{content};
            $content->{'text/csv'} = delete $content->{'application/json'};
        },
        'a parameter that is refused' => sub {
            push @{ $_[0]{parameters} },
              { name => 'planted', in => 'query', required => JSON::PP::true,
                schema => { type => 'integer' } };
        },
        'a header that never comes' => sub {
            $_[0]{responses}{200}{headers}{'X-Planted'} =
              { required => JSON::PP::true, schema => { type => 'string' } };
        },
    );
    my %wanted = (
        'nothing'                     => qr/^$/,
        'a body against its schema'   => qr/ST108/,
        'a status that is not told'   => qr/ST10\d/,
        'a type that is not told'     => qr/ST10\d/,
        'a parameter that is refused' => qr/ST202/,
        'a header that never comes'   => qr/ST10\d/,
    );
    for my $name (sort keys %plant) {
        my $document = $json->decode($right);
        $document->{paths} = { $live[0] => $document->{paths}{ $live[0] } };
        $plant{$name}->($document->{paths}{ $live[0] }{ $live[1] });
        spit("$dir/schemathesis/planted.json", $json->encode($document));
        my $text = schemathesis($stack->httpd->url, undef,
            "$dir/schemathesis/planted.json", '--phases=examples,coverage');
        like(join(', ', findings($text)), $wanted{$name}, "$name is found");
        like($text, qr/(\d+) generated/, '... by requests');
    }
    done_testing;
    exit 0;
}

sub slurp_description {
    my ($client) = @_;
    my $answer = $client->get('/openapi.json');
    die "no description: $answer->{status}\n" if $answer->{status} != 200;
    return $answer->{body};
}

# --- The API ------------------------------------------------------------------------------

my $stack = DataLake::Stack->new(
    name    => 'f12-contract',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    # Jobs that nobody works on would be watched for ever.
    daemons => [qw(datalake-lake datalake-warehouse datalake-jobs)],
    users   => { alice => 'user' },
);
$dir = $stack->{dir};
my $client = $stack->httpd->client;
my $text   = slurp_description($client);
spit("$dir/openapi.json", $text);
my @paths = map { keys %$_ } values %{ $json->decode($text)->{paths} };

$stack->kafka->produce(
    'transaction_log',
    [
        map {
            {
                value => qq({"transaction_id":"TX$_","timestamp":"2026-05-18T09:30:00Z","amount":49.99,"currency":"EUR","status":"completed","transaction_type":"purchase","user_id":"U$_"})
            }
        } 1 .. 3
    ]
);
wait_until('the records are there',
    sub { $stack->mariadb->value('SELECT COUNT(*) FROM transaction_record') == 3 });

my $report = schemathesis(
    $stack->httpd->url, $stack->token('admin'),
    "$dir/openapi.json", '--max-examples=' . (full_size() ? 1000 : 8),
    '--phases=examples,coverage,fuzzing'
);
my @found = findings($report);
my ($cases) = $report =~ /(\d+) generated/;
my ($done)  = $report =~ /Tested: (\d+)/;
cmp_ok($cases // 0, '>', 1000, 'there were cases');
is($done // 0, scalar @paths, 'every operation was tried');
is(scalar @found, 0, 'no check fails') or diag(join "\n", @found, "see $dir/schemathesis/report.txt");

subtest 'what no route names is 404, as a problem' => sub {
    for my $path ('/admin/', '/api/', '/v2/token', '/openapi.yaml', '/docs/x',
        '/.git/config', '/api/access/grant/x', '/user/', '/static/', '/%7Eroot') {
        my $answer = $client->get($path);
        is($answer->{status}, 404, $path);
        is($answer->{headers}{'content-type'}, 'application/problem+json', '... a problem');
        is($answer->{json}{type}, '/problems/not-found', '... of its type');
    }
};

my $log = $stack->httpd->log_text;
unlike($log, qr/exit signal|Sanitizer/, 'no child has crashed');

figure('F12', [ operations => $done // 0, cases => $cases // 0,
        failures => scalar @found ],
    $cases && !@found && $done == @paths);
done_testing;
