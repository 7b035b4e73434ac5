# 47-openapi.t - the API description: whole, true, valid, and shown by two
# pages that ask no foreign host.
#
# Every example of a request is sent to a real server; how one is prepared
# stands beside it ("replay" in mod_datalake/openapi/).
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use JSON::PP ();
use DataLake::Browser qw(browse has_browser);
use DataLake::Process qw(slurp spit wait_until);
use DataLake::Python qw(python_with);
use DataLake::Routes qw(routes);
use DataLake::Stack;

my @PYTHON = qw(openapi-spec-validator==0.9.0 jsonschema==4.26.0
  schemathesis==4.32.5);
my $DAY = '2026-05-18';    # the day of the examples

my $stack = DataLake::Stack->new(
    name    => '47-openapi',
    kafka   => 1,
    mariadb => 1,
    httpd   => 1,
    daemons => [qw(datalake-lake datalake-warehouse)],
    users   => { olga => 'auditor', reader => 'user' },
    grants  => { reader => [qw(transaction_log network_logs social_posts transactions)] },
);
my $json   = JSON::PP->new->utf8->canonical;
my $client = $stack->httpd->client;
my $answer = $client->get('/openapi.json');
is($answer->{status}, 200, 'there is a description');
my $document = $json->decode($answer->{body});
my $file     = "$stack->{dir}/openapi.json";
spit($file, $answer->{body});

# Every operation as {method, path, operation}.
my @operations = map {
    my $path = $_;
    map { { method => uc, path => $path, operation => $document->{paths}{$path}{$_} } }
      sort keys %{ $document->{paths}{$path} }
} sort keys %{ $document->{paths} };

# key => its words.
my %words;
for my $name (glob "$stack->{top}/mod_datalake/openapi/*.json") {
    my $family = $json->decode(slurp($name))->{operations} // {};
    @words{ keys %$family } = values %$family;
}

# The routes as {"METHOD path" => row}.
my %route = map { ("$_->{method} $_->{template}" => $_) } routes();

# --- The document -----------------------------------------------------------------

subtest 'it is the table of routes, and what the contract lists' => sub {
    my %told = map { ("$_->{method} $_->{path}" => $_->{operation}) } @operations;
    cmp_ok(scalar keys %route, '>', 20, 'there are routes');
    is_deeply([ sort keys %told ], [ sort keys %route ], 'both have the same');
    my %listed = map { (/^(\S+)\t(\S+)\t(\S+)/ ? ("$1 $2" => $3) : ()) }
      split /\n/, slurp("$stack->{top}/t/lib/contract-routes.tsv");
    my @strange = grep { ($listed{$_} // 'nothing') ne $told{$_}{'x-access'} }
      sort keys %told;
    is(join(', ', map { "$_: $told{$_}{'x-access'}" } @strange),
        '', 'each in the class of the contract');
};

subtest 'nothing is left out' => sub {
    my %name;
    for my $at (@operations) {
        my $operation = $at->{operation};
        my $where     = "$at->{method} $at->{path}";
        my $class     = $route{$where}{class};
        my @fault;
        push @fault, 'no summary'   unless $operation->{summary};
        push @fault, 'no samples'   unless 2 == @{ $operation->{'x-codeSamples'} };
        push @fault, 'a name twice' if $name{ $operation->{operationId} }++;
        push @fault, 'another security'
          unless (@{ $operation->{security} } > 0) == ($class ne 'PUBLIC');
        push @fault, 'a body is missing'
          unless !$route{$where}{body} == !$operation->{requestBody};
        my %parameter = map { ($_->{name} // '' => 1) } @{ $operation->{parameters} };
        push @fault, map { "no parameter $_->{name}" }
          grep { !$parameter{ $_->{name} } } @{ $route{$where}{params} };
        for my $status (sort keys %{ $operation->{responses} }) {
            my $told = $operation->{responses}{$status};
            push @fault, "$status says nothing" unless $told->{description};
            push @fault, "$status is no problem"
              if $status >= 400 && !$told->{content}{'application/problem+json'};
        }
        push @fault, 'no 401' if $class ne 'PUBLIC' && !$operation->{responses}{401};
        push @fault, 'no 403' if $class !~ /^(?:PUBLIC|ANONYMOUS)$/
          && $at->{path} !~ m{^/user/} && !$operation->{responses}{403};
        push @fault, 'no 429' if $route{$where}{cost} && !$operation->{responses}{429};
        is(join(', ', @fault), '', $where);
    }
};

subtest 'both addresses, with a validator' => sub {
    my $other = $client->get('/api/schema/');
    is($other->{body}, $answer->{body}, 'the same document');
    is($answer->{headers}{'content-type'}, 'application/json', 'JSON');
    my $etag = $answer->{headers}{etag};
    like($etag, qr/^"[^"]+"$/, 'a strong validator');
    for my $path ('/openapi.json', '/api/schema/') {
        my $again = $client->get($path, headers => [ 'If-None-Match' => $etag ]);
        is($again->{status}, 304, "304 at $path");
        is($again->{headers}{etag}, $etag, '... with the same');
    }
    is($client->head('/openapi.json')->{headers}{'content-length'},
        length $answer->{body}, 'HEAD tells its length');
    is($client->post('/openapi.json', {})->{status}, 405, 'POST is 405');
};

subtest 'every problem type that it names can be fetched' => sub {
    my @slugs = sort keys %{ $document->{components}{examples} };
    cmp_ok(scalar @slugs, '>', 20, 'there are problems');
    is($client->get("/problems/$_")->{status}, 200, $_) for @slugs;
};

# --- The examples ---------------------------------------------------------------------

sub feed {
    my @messages = map {
        {
            value => $json->encode(
                {
                    transaction_id   => "TX1234$_",
                    timestamp        => "${DAY}T09:3$_:00Z",
                    user_id          => 'U0042',
                    product_id       => "P01$_",
                    product_name     => 'Desk lamp',
                    amount           => '49.99',
                    currency         => 'EUR',
                    status           => 'completed',
                    transaction_type => 'purchase',
                    quantity         => $_,
                }
            )
        }
    } 1 .. 5;
    $stack->kafka->produce('transaction_log', \@messages);
    feed_sources();
    wait_until(
        'the examples have their day',
        sub {
            my $day = $stack->client('reader')->get("/api/audit/version/?date=$DAY");
            return $day->{status} == 200 && @{ $day->{json} } >= 5
              && $stack->mariadb->value('SELECT COUNT(*) FROM transaction_record')
              == 5;
        },
        60
    );
    return;
}

# The example that each of the multi-source routes answers.
sub feed_sources {
    my ($log) = @{ $words{logs}{answers}{200}{example} };
    my %client = %{ $words{client}{answers}{200}{example} };
    my %value  = (
        network_logs => { %$log{ grep { !/^(?:source|timestamp)$/ } keys %$log } },
        social_posts => $words{post}{answers}{200}{example},
        clients      => { %client{qw(client_id nom email date_inscription)} },
        transactions => $client{transactions}[0],
    );
    my %table = (network_logs => 'network_log', social_posts => 'social_post',
        clients => 'client', transactions => 'client_transaction');
    $stack->kafka->produce($_, [ { value => $json->encode($value{$_}) } ])
      for sort keys %value;
    for my $table (sort values %table) {
        wait_until("$table has its example",
            sub { $stack->mariadb->value("SELECT COUNT(*) FROM $table") == 1 }, 60);
    }
    return;
}

# A new account that may write transaction_log and has just logged in: what
# the texts of a replay stand for.
my $accounts = 0;

sub fresh {
    my ($name, $other) = map { "example" . ++$accounts } 1 .. 2;
    for my $user ($name, $other) {
        $stack->add_user($user, 'user');
        $stack->grant($user, 'transaction_log', 'write');
    }
    my $password = slurp("$stack->{dir}/secrets/user-$name") =~ s/\n//r;
    my $log_in   = $client->post('/user/login',
        { username => $name, password => $password });
    my $told = $json->decode($log_in->{body});
    my ($static) = $client->get('/docs')->{body} =~ m{/static/([^"]+\.js)};
    return {
        user     => $name,
        password => $password,
        other    => $other,
        access   => $told->{access_token},
        refresh  => $told->{refresh_token},
        day      => $DAY,
        static   => $static,
        new      => "new-$name",
    };
}

# VALUE with what stands for something in its texts.
sub filled {
    my ($value, $fresh) = @_;
    return { map { ($_ => filled($value->{$_}, $fresh)) } keys %$value }
      if ref $value eq 'HASH';
    return [ map { filled($_, $fresh) } @$value ] if ref $value eq 'ARRAY';
    return $value if ref $value || !defined $value || $value !~ /\$/;
    return $value =~ s/\$(\w+)/$fresh->{$1} \/\/ "\$$1"/ger;
}

# The client of WHO: none, user, auditor, admin.
sub client_of {
    my ($who, $fresh) = @_;
    return $client if $who eq 'none';
    return $stack->httpd->client(token => $fresh->{access})
      if $who eq 'user' && $fresh;
    my %name = (user => 'reader', auditor => 'olga', admin => 'admin');
    return $stack->client($name{$who});
}

sub escaped {
    my ($text) = @_;
    $text = $text ? 'true' : 'false' if JSON::PP::is_bool($text);
    utf8::encode($text);
    return $text =~ s{([^A-Za-z0-9._~-])}{sprintf '%%%02X', ord $1}ger;
}

# Send the example of AT as its words prepare it; the answer.
sub replay {
    my ($at)    = @_;
    my $row     = $route{"$at->{method} $at->{path}"};
    my $words   = $words{ $row->{doc} };
    my $replay  = $words->{replay} // {};
    my $request = $words->{request} // {};
    my %by_class = (PUBLIC => 'none', ANONYMOUS => 'none', ADMIN => 'admin',
        SCRAPER => 'admin', AUDITOR => 'auditor');
    my $who   = $replay->{as} // $by_class{ $row->{class} } // 'user';
    my $fresh = %$replay ? fresh() : undef;
    for my $first (@{ $replay->{first} // [] }) {
        my $before = filled($first, $fresh);
        my $told   = client_of($before->{as} // 'admin', $fresh)
          ->request($before->{method}, $before->{path}, body => $before->{body});
        diag("$before->{method} $before->{path}: $told->{body}")
          if $told->{status} >= 400;
    }
    my %part = map {
        my $base = $request->{$_};
        my $over = filled($replay->{$_} // {}, $fresh);
        ($_ => ref $base || %$over ? { %{ $base // {} }, %$over } : undef)
    } qw(path query body);
    my $path = $at->{path} =~ s/\{(\w+)\}/escaped($part{path}{$1} \/\/ 'x')/ger;
    my $query = join '&',
      map { "$_=" . escaped($part{query}{$_}) } sort keys %{ $part{query} // {} };
    my @body = $row->{body} ? (body => $part{body} // {}) : ();
    return client_of($who, $fresh)
      ->request($at->{method}, $path . ($query ne '' ? "?$query" : ''), @body);
}

my @told;
subtest 'every example of a request gets the answer that is documented' => sub {
    feed();
    for my $at (@operations) {
        my $row   = $route{"$at->{method} $at->{path}"};
        my $words = $words{ $row->{doc} };
        my @wanted = ($words->{replay} // {})->{status}
          // grep { $_ != 304 } sort keys %{ $words->{answers} };
        my $got = replay($at);
        ok((grep { $_ == $got->{status} } @wanted),
            "$at->{method} $at->{path}: $got->{status}")
          or diag("@wanted was wanted: $got->{body}");
        feed_sources() if $row->{doc} =~ /^(?:log|post|client)-delete$/;
        push @told,
          {
            method => $at->{method},
            path   => $at->{path},
            status => $got->{status},
            type   => $got->{headers}{'content-type'} // '',
            body   => $got->{body},
          };
    }
};

subtest 'refusals are as they are documented' => sub {
    for my $at (@operations) {
        my $row = $route{"$at->{method} $at->{path}"};
        my @cases = ([ 400, "?no-such=1", $stack->client('admin') ]);
        push @cases, [ 401, '', $client ]
          if $row->{class} !~ /^(?:PUBLIC|ANONYMOUS|SCRAPER)$/;
        for my $case (@cases) {
            my ($status, $query, $by) = @$case;
            my $path = $at->{path} =~ s/\{\w+\}/x/gr;
            my $got = $by->request($at->{method}, "$path$query",
                $row->{body} ? (body => {}) : ());
            is($got->{status}, $status, "$at->{method} $at->{path}: $status");
            push @told,
              {
                method => $at->{method},
                path   => $at->{path},
                status => $got->{status},
                type   => $got->{headers}{'content-type'} // '',
                body   => $got->{body},
              };
        }
    }
};

subtest 'published validators find no error' => sub {
    my $python = python_with(@PYTHON);
    spit("$stack->{dir}/answers.json", $json->encode(\@told));
    open my $out, '-|', $python, "$stack->{top}/t/lib/openapi.py", $file,
      "$stack->{dir}/answers.json"
      or die "python: $!\n";
    my @lines = <$out>;
    ok(close $out, 'the validators run');
    chomp @lines;
    my $sum = pop @lines // '';
    diag($sum);
    like($sum, qr/^operations=\d+ examples=\d+ answers=\d+ faults=0$/,
        'OpenAPI 3.1, every example and every answer by its schema');
    is($lines[$_], undef, 'a fault') for 0 .. ($#lines > 19 ? 19 : $#lines);
};

subtest 'the samples of curl and Python run' => sub {
    my $python = python_with(@PYTHON);
    local $ENV{DATALAKE_URL} = $stack->httpd->url;
    local $ENV{TOKEN}        = $stack->token('reader');
    my $ran                  = 0;
    for my $at (@operations) {
        my $row   = $route{"$at->{method} $at->{path}"};
        my $words = $words{ $row->{doc} };
        my ($curl, $script) =
          map { $_->{source} } @{ $at->{operation}{'x-codeSamples'} };
        spit("$stack->{dir}/sample.sh", "$curl -o /dev/null -w '%{http_code}'\n");
        spit("$stack->{dir}/sample.py", $script);
        if ($words->{replay} || $row->{class} =~ /^(?:ADMIN|AUDITOR)$/) {
            is(system($python, '-m', 'py_compile', "$stack->{dir}/sample.py"),
                0, "$at->{method} $at->{path}: Python can read it");
            next;
        }
        $ran++;
        my ($wanted) = sort keys %{ $words->{answers} };
        is(qx(sh '$stack->{dir}/sample.sh' 2>&1),
            $wanted, "$at->{method} $at->{path}: curl gets $wanted");
    }
    cmp_ok($ran, '>', 20, "$ran samples of curl ran");
    spit("$stack->{dir}/sample.py",
        $document->{paths}{'/api/audit/version/'}{get}{'x-codeSamples'}[1]{source});
    like(qx('$python' '$stack->{dir}/sample.py' 2>&1),
        qr/^200 \[\{.*TX1234/, 'and Python gets 200');
};

# --- The pages -----------------------------------------------------------------------------

subtest 'the files of the pages' => sub {
    for my $path (qw(/docs /swagger/ /api/docs/ /redoc /api/redoc/)) {
        my $page = $client->get($path);
        is($page->{status}, 200, $path);
        like($page->{headers}{'content-type'}, qr{^text/html; charset=utf-8$}, '... HTML');
        my $policy = $page->{headers}{'content-security-policy'} // '';
        like($policy, qr/default-src 'none'; script-src 'self'; connect-src 'self'/,
            '... may load its own');
        unlike($policy, qr/unsafe|https?:|\*/, '... and nothing else');
        unlike($page->{body}, qr/<script>|\son\w+=|<style|https?:/,
            '... no script in the page, no foreign address');
        my @files = $page->{body} =~ m{"(/static/[^"]+)"}g;
        cmp_ok(scalar @files, '>', 3, '... made of files');
        for my $name (@files) {
            my $got = $client->get($name);
            is($got->{status}, 200, $name);
            my ($hash) = $name =~ /-([0-9a-f]{12})\.\w+$/;
            is($hash, substr(sha256_hex($got->{body}), 0, 12),
                '... named by its content');
            like($got->{headers}{'cache-control'}, qr/^public, immutable/, '... for ever');
            is($got->{headers}{'x-content-type-options'}, 'nosniff', '... as its type');
            is(
                $client->get($name,
                    headers => [ 'If-None-Match' => $got->{headers}{etag} ])->{status},
                304, '... with a validator'
            );
        }
    }
    my $home = $client->get('/');
    is($home->{status}, 307, '/ leads on');
    is($home->{headers}{location}, '/docs', '... to /docs');
};

subtest 'no other file comes out' => sub {
    for my $name (
        'docs.html', 'redoc.html', 'x', 'docs.js', '..%2Fopenapi.json',
        '%2e%2e%2Fmod_datalake.so', 'bundle', 'package.json',
        'a%00.js', '%5c..%5cx.js', ('a' x 4000) . '.js'
      )
    {
        my $got = $client->get("/static/$name");
        is($got->{status}, 404, substr($name, 0, 40) . ' is 404');
        is($got->{headers}{'content-type'}, 'application/problem+json', '... as a problem');
    }
};

subtest 'a browser shows both, and asks nobody else' => sub {
    plan skip_all => 'no /usr/bin/chromium here' unless has_browser();
    my $url  = $stack->httpd->url;
    my @seen = browse(
        {
            url        => "$url/docs",
            wait       => 'List the products sold most',
            click      => [
                '#operations-operations-live .opblock-summary-control',
                '#operations-operations-live .try-out__btn',
                '#operations-operations-live .execute',
            ],
            then       => '"status": "alive"',
            screenshot => "$stack->{top}/build/docs.png",
        },
        {
            url        => "$url/redoc",
            wait       => 'Download OpenAPI specification',
            screenshot => "$stack->{top}/build/redoc.png",
        },
        {
            url        => "$url/docs",
            wait       => 'List the products sold most',
            dark       => 1,
            screenshot => "$stack->{top}/build/docs-dark.png",
        },
    );
    for my $page (@seen) {
        is($page->{status}, 200, $page->{url});
        is(join("\n", @{ $page->{errors} }), '', '... nothing on the console');
        my @foreign = grep { !m{^(?:blob:)?\Q$url\E/|^data:} } @{ $page->{requests} };
        is("@foreign", '', '... no request to another host');
        cmp_ok(scalar @{ $page->{requests} }, '>', 4, '... and some to this one');
        like($page->{text}, qr/transactions/, '... shows the operations');
    }
    like($seen[0]{text}, qr/"status": "alive"/, 'an operation can be tried out');
    is($seen[0]{ground}, 'rgb(255, 255, 255)', 'the page is light');
    is($seen[2]{ground}, 'rgb(28, 32, 34)',    '... and dark where the system is');
    ok(-s "$stack->{top}/build/$_.png" > 10_000, "build/$_.png is a picture")
      for qw(docs redoc);
};

unlike($stack->httpd->log_text, qr/exit signal|Sanitizer/, 'no child has crashed');

done_testing;
