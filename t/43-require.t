# 43-require.t - Require datalake-grant and datalake-role on a folder and on a
# back end behind mod_proxy_http: the example of conf/datalake-vhost.conf.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use DataLake::AuditLog;
use DataLake::Http;
use DataLake::Httpd;
use DataLake::Process qw(free_port slurp spit wait_until);
use DataLake::Stack;
use File::Path qw(make_path);
use IO::Socket::INET;
use Time::HiRes qw(sleep time);

# --- A back end that tells what it got ------------------------------------------

my $listen = IO::Socket::INET->new(
    LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 64, ReuseAddr => 1
) or die "back end: $!\n";
my $backend = fork // die "fork: $!\n";
if ($backend == 0) {
    $SIG{TERM} = $SIG{INT} = sub { POSIX::_exit(0) };
    require POSIX;
    while (1) {
        my $client = $listen->accept or next;
        my $head = '';
        while (my $line = <$client>) {
            last if $line =~ /^\r?\n$/;
            $head .= $line;
        }
        my ($path)  = $head =~ m{^\S+ (\S+)};
        my $status  = $path =~ /absent/ ? '404 Not Found' : $path =~ /closed/ ? '403 Forbidden' : '200 OK';
        print {$client} "HTTP/1.1 $status\r\nContent-Type: text/plain\r\nContent-Length: "
          . length($head)
          . "\r\nConnection: close\r\n\r\n$head";
        close $client;
    }
}
END { kill 'TERM', $backend if $backend; }

# --- The server -------------------------------------------------------------------

my $port  = free_port();
my $stack = DataLake::Stack->new(
    name    => '43-require',
    mariadb => 1,
    later   => 1,
    durable => 0,
    users   => { (map { ($_ => 'user') } qw(alice bob)), auditor => 'auditor' },
);
my $reports = "/tmp/datalake-reports-$$";
make_path("$reports/deep");
END { system 'rm', '-rf', $reports if $reports && $backend; }
spit("$reports/index.html",      "the index\n");
spit("$reports/report.txt",      "the report\n");
spit("$reports/deep/index.html", "the deep index\n");
my $modules = DataLake::Httpd::MODULES;
$stack->{httpd} = {
    server => join '', map { "$_\n" } (
        (map { "LoadModule ${_}_module $modules/mod_$_.so" }
            qw(alias dir proxy proxy_http)),
        "Listen 127.0.0.1:$port",
        "Define DATALAKE_VHOST 127.0.0.1:$port",
        "Define DATALAKE_REPORTS $reports",
        'Define DATALAKE_BACKEND http://127.0.0.1:' . $listen->sockport . '/',
        "Include $DataLake::Stack::TOP/conf/datalake-vhost.conf",
        # Where nobody said AuthzSendForbiddenOnFailure.
        '<Location "/reports/plain">',
        'AuthzSendForbiddenOnFailure Off',
        'Require datalake-grant read transaction_log',
        '</Location>',
    )
};
$stack->start_all;
my %client = map {
    ($_ => DataLake::Http->new(port => $port, token => $stack->token($_)))
} qw(admin auditor alice bob);
my $nobody = DataLake::Http->new(port => $port);
my $admin  = $stack->client('admin');

sub grant {
    my ($name, $resource, $level) = @_;
    my $answer = $admin->post('/api/access/grant/',
        { username => $name, resource => $resource, access => $level });
    return $answer->{status};
}

sub revoke {
    my ($name, $resource) = @_;
    return $admin->post('/api/access/revoke/',
        { username => $name, resource => $resource })->{status};
}

# ANSWER is a problem of STATUS, with MISSING.
sub is_problem {
    my ($answer, $status, $missing, $sentence) = @_;
    is($answer->{status}, $status, $sentence);
    is($answer->{headers}{'content-type'},
        'application/problem+json', '... as a problem');
    is($answer->{json}{missing}, $missing, '... that says what is missing');
    is($answer->{json}{request_id}, $answer->{headers}{'x-request-id'},
        '... under its id');
    my $want = $status == 403 ? 'Bearer error="insufficient_scope"'
      : 'Bearer realm="datalake"';
    like($answer->{headers}{'www-authenticate'}, qr/^\Q$want/, '... and the header');
    return;
}

my $READ  = 'grant(transaction_log,read)';
my $WRITE = 'grant(transaction_log,write)';

subtest 'a folder' => sub {
    is_problem($nobody->get('/reports/report.txt'), 401, undef, 'without a token');
    is_problem($nobody->get('/reports/report.txt', token => 'a.b.c'),
        401, undef, 'with a bad one');
    is_problem($client{alice}->get('/reports/report.txt'), 403, $READ, 'without a grant');
    is_problem($client{alice}->get('/reports/absent.txt'),
        403, $READ, 'what is not there, alike');
    is_problem($client{auditor}->get('/reports/report.txt'), 403, $READ, 'an auditor');
    is($client{admin}->get('/reports/report.txt')->{body}, "the report\n", 'an admin');
    is(grant('alice', 'transaction_log', 'read'), 201, 'a grant');
    is($client{alice}->get('/reports/report.txt')->{body}, "the report\n", 'opens it');
    is($client{alice}->get('/reports/')->{body}, "the index\n", 'with its index');
    is($client{alice}->get('/reports/deep/')->{body}, "the deep index\n", 'deeper, too');
    is($client{alice}->head('/reports/')->{status}, 200, 'HEAD, too');
    is($client{alice}->get('/reports/absent.txt')->{status}, 404, 'what is not there is 404');
    is($client{bob}->get('/reports/deep/')->{status}, 403, 'others stay out');
    is(revoke('alice', 'transaction_log'), 200, 'revoked');
    is_problem($client{alice}->get('/reports/report.txt'), 403, $READ, 'the next request is refused');
    is($client{alice}->get('/reports/')->{status}, 403, 'the index, too');
    is_problem($client{alice}->get('/reports/plain/x'), 403, $READ,
        'where httpd would say 401 it is 403 as well');
    for my $path ('/reports/../reports/report.txt', '/reports/%2e/report.txt',
        '//reports//report.txt', '/%72eports/report.txt', '/reports/./deep/../report.txt')
    {
        is($client{alice}->get($path)->{status}, 403, "$path is no way around");
    }
};

subtest 'a back end' => sub {
    is_problem($nobody->get('/workbench/x'), 401, undef, 'without a token');
    is_problem($client{alice}->get('/workbench/x'), 403, $WRITE, 'without a grant');
    grant('alice', 'transaction_log', 'read');
    is_problem($client{alice}->get('/workbench/x'), 403, $WRITE, 'with too small a grant');
    grant('alice', 'transaction_log', 'write');
    my $answer = $client{alice}->get('/workbench/x?y=1');
    is($answer->{status}, 200, 'with the grant');
    like($answer->{body}, qr{^GET /x\?y=1 HTTP}, 'the back end gets the request');
    like($answer->{body}, qr{^X-Remote-User: alice\r?$}m, 'and the name');
    unlike($answer->{body}, qr{Authorization|eyJ}i, 'and never the token');
    unlike($client{alice}->get('/workbench/x', headers => { 'X-Remote-User' => 'admin' })
          ->{body}, qr{X-Remote-User: admin}, 'nobody chooses his name');
    is($client{auditor}->get('/workbench/x')->{status}, 200, 'the other line lets an auditor in');
    $answer = $client{auditor}->get('/workbench/absent');
    is($answer->{status}, 404, 'what the back end does not have is its 404');
    is($answer->{headers}{'content-type'}, 'text/plain', '... in its words');
    is($answer->{headers}{'www-authenticate'}, undef, '... without ours');
    is($client{auditor}->get('/workbench/closed')->{headers}{'content-type'},
        'text/plain', 'as is its 403');
    is($client{auditor}->post('/workbench/x', 'abc',
            headers => { 'Content-Type' => 'text/plain' })->{status},
        200, 'POST goes through');
    revoke('alice', 'transaction_log');
    is($client{alice}->get('/workbench/x')->{status}, 403, 'revoked, it is closed');
};

subtest 'a role' => sub {
    is_problem($client{auditor}->get('/workbench/admin/x'),
        403, 'role admin', 'an auditor is no admin');
    is($client{admin}->get('/workbench/admin/x')->{status}, 200, 'an admin is');
    $stack->ctl(qw(user role bob admin));
    is($client{bob}->get('/workbench/admin/x')->{status}, 200, 'who becomes one is');
    $stack->ctl(qw(user role bob user));
    is($client{bob}->get('/workbench/admin/x')->{status}, 403, 'who was one is not');
};

# The audit entries of the request that got ANSWER, on disk by now.
sub entries_of {
    my ($answer) = @_;
    my $id = $answer->{headers}{'x-request-id'};
    return grep { $_->{request_id} eq $id } DataLake::AuditLog->new(
        dir => $stack->audit_dir,
        key => slurp("$stack->{dir}/secrets/audit.key") =~ s/\n\z//r
    )->read->entries;
}

subtest 'each request is one entry of the audit log' => sub {
    my @post = ('/workbench/x?token=s', 'abc', headers => { 'Content-Type' => 'text/plain' });
    my ($entry, @more) = entries_of($client{auditor}->post(@post));
    is(@more, 0, 'a change is one, before its answer');
    is_deeply(
        [ @$entry{qw(user method endpoint action status)} ],
        [ 'auditor', 'POST', '/workbench/x', 'write', 200 ],
        '... saying who did what'
    );
    unlike($entry->{query_params}, qr/"s"/, '... without secrets');
    ($entry) = entries_of($client{alice}->post(@post));
    is($entry->{status}, 403, 'a refused change, too');
    is($entry->{resource}, 'transaction_log', '... with what it was about');
    for my $case ([ $client{admin}, '/reports/', 200 ],
        [ $client{admin}, '/reports/absent.txt', 404 ],
        [ $client{alice}, '/reports/deep/',      403 ])
    {
        my ($client, $path, $status) = @$case;
        my $answer = $client->get($path);
        wait_until("the entry of $path", sub { scalar entries_of($answer) }, 60);
        my @entry = entries_of($answer);
        is(@entry, 1, "a read of $path is one, soon");
        is_deeply(
            [ @{ $entry[0] }{qw(action status resource)} ],
            [ 'read', $status, 'transaction_log' ],
            '... saying what'
        );
    }
    is(entries_of($nobody->get('/reports/')), 0, 'a stranger leaves none');
};

subtest 'accounts' => sub {
    grant('bob', '*', 'write');
    is($client{bob}->get('/reports/')->{status}, 200, 'an active account');
    $stack->mariadb->run("UPDATE app_user SET consent_given = FALSE WHERE username = 'bob'");
    $stack->grant('bob', '*', 'write');
    wait_until('it is known', sub { $client{bob}->get('/reports/')->{status} != 200 });
    my $answer = $client{bob}->get('/reports/');
    is($answer->{status}, 403, 'one without consent is refused');
    is($answer->{json}{type}, '/problems/consent-required', '... for that reason');
    $stack->mariadb->run("UPDATE app_user SET consent_given = TRUE WHERE username = 'bob'");
    $stack->ctl(qw(user disable bob));
    is_problem($client{bob}->get('/reports/'), 401, undef, 'a disabled one is 401');
    is_problem($client{bob}->get('/workbench/x'), 401, undef, '... at the back end, too');
};

subtest 'routes are served beside them' => sub {
    is($nobody->get('/health/live')->{status}, 200, 'public ones');
    is($client{alice}->get('/api/metrics/last-5min/')->{status}, 403, 'and others');
    is($nobody->get('/nothing')->{status}, 404, 'what is neither is 404');
};

subtest 'while the warehouse is away' => sub {
    grant('alice', 'transaction_log', 'read');
    is($client{alice}->get('/reports/')->{status}, 200, 'a known account');
    $stack->mariadb->{process}->signal('STOP');
    is($client{alice}->get('/reports/')->{status}, 200, 'goes on');
    my $fresh = $client{auditor}->get('/reports/')->{status};
    is($fresh, 403, 'and another is refused as before');
    $stack->mariadb->{process}->signal('CONT');
};

subtest 'a wrong line stops the start' => sub {
    my $httpd = $stack->httpd;
    my $right = $httpd->{server};
    for my $wrong (
        'datalake-grant', 'datalake-grant read', 'datalake-grant own transaction_log',
        'datalake-grant read a**', 'datalake-grant read a b', 'datalake-role',
        'datalake-role root', 'datalake-role user root'
      )
    {
        $httpd->{server} = $right . "<Location /wrong>\nRequire $wrong\n</Location>\n";
        like($httpd->check, qr/Require datalake-(?:grant|role).*must be/, "Require $wrong");
    }
    $httpd->{server} = $right;
    like($httpd->check, qr/Syntax OK/, 'and a right one does not');
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');

done_testing;
