# f09-tokens.t - hostile tokens: each presentation is refused as it should be,
# with one body for every cause, and nothing ends in a 5xx.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url encode_base64);
use Time::HiRes qw(sleep time);
use DataLake::Process qw(slurp);
use DataLake::Figure qw(figure);
use DataLake::Stack;

# The body every refusal has, once seen.
my $body;

# What is wrong with ANSWER, which has to be the one refusal.
sub faults_of {
    my ($answer) = @_;
    my @fault;
    push @fault, "status $answer->{status}" if $answer->{status} != 401;
    push @fault, 'WWW-Authenticate'
      if ($answer->{headers}{'www-authenticate'} // '') ne
      'Bearer realm="datalake", error="invalid_token"';
    my %rest = %{ $answer->{json} // {} };
    delete @rest{qw(instance request_id)};
    my $text = JSON::PP->new->canonical->encode(\%rest);
    $body //= $text;
    push @fault, 'another body' if $text ne $body;
    return @fault;
}

if (@ARGV && $ARGV[0] eq '--self-test') {
    my %right = (
        status  => 401,
        headers => {
            'www-authenticate' =>
              'Bearer realm="datalake", error="invalid_token"'
        },
        json => { title => 'Unauthorized', request_id => 'a' }
    );
    my @none = faults_of(\%right);
    is(scalar @none, 0, 'a refusal is a refusal');
    for my $fault (
        { status  => 200 },
        { status  => 500 },
        { headers => { 'www-authenticate' => 'Bearer realm="datalake"' } },
        { json    => { title => 'Unauthorized', cause => 'expired' } }
      )
    {
        my @found = faults_of({ %right, %$fault });
        is(scalar @found, 1, 'a planted fault is found');
    }
    done_testing;
    exit;
}

my $stack = DataLake::Stack->new(
    name       => 'f09',
    mariadb    => 1,
    httpd      => 1,
    users      => { dora => 'admin', eve => 'user' },
    directives => "DataLakeMetricsAllow none\n",
);
my ($secret) = slurp("$stack->{dir}/secrets/token.key") =~ /^(\S+)/;
my $json  = JSON::PP->new->canonical->utf8;
my $valid = $stack->token('admin');
my %claim = %{ $json->decode(decode_base64url((split /\./, $valid)[1])) };
my $HEAD  = '{"alg":"HS256","typ":"JWT"}';

# --- Making tokens ---------------------------------------------------------------

# A token of the JSON texts HEADER and PAYLOAD; KEY and MAC as wanted.
sub sign {
    my ($header, $payload, $key, $mac) = @_;
    my $text =
      encode_base64url($header) . '.' . encode_base64url($payload);
    $mac //= \&hmac_sha256;
    return "$text." . encode_base64url($mac->($text, $key // $secret));
}

# Our claims with CHANGES; a value of undef takes the claim out.
sub claims {
    my (%change) = @_;
    my %all = (%claim, %change);
    delete @all{ grep { !defined $all{$_} } keys %all };
    return $json->encode(\%all);
}

# The JSON text of our claims with the member NAME written as RAW.
sub raw_claim {
    my ($name, $raw) = @_;
    my $text = claims($name => undef);
    $text =~ s/\}$/,"$name":$raw}/;
    return $text;
}

my $good = sign($HEAD, claims());
my ($h, $p, $s) = split /\./, $good;
my @refused;    # [name, token]
sub refuse { push @refused, [@_]; return; }

# alg x signature
for my $alg ('"none"', '"None"', '"NONE"', '"nOnE"', '""', 'null', undef, '0',
    '[]', '{}')
{
    my $header = defined $alg ? qq({"alg":$alg,"typ":"JWT"}) : '{"typ":"JWT"}';
    my $text = encode_base64url($header) . '.' . encode_base64url(claims());
    my $name = 'alg ' . ($alg // 'missing');
    refuse("$name, no signature",      "$text.");
    refuse("$name, no last part",      $text);
    refuse("$name, garbage signature", "$text.AAAA");
    refuse("$name, our signature",     sign($header, claims()));
}

# Other algorithms on a key bound to HS256
my %mac = (HS384 => \&hmac_sha384, HS512 => \&hmac_sha512);
for my $alg (qw(HS384 HS512 RS256 RS384 RS512 PS256 ES256 ES384 ES512 EdDSA
    hs256 Hs256), 'HS256 ', "HS256\\u0000", ' HS256')
{
    refuse("alg \"$alg\"",
        sign(qq({"alg":"$alg","typ":"JWT"}), claims(), undef, $mac{$alg}));
}
refuse('alg ["HS256"]', sign('{"alg":["HS256"],"typ":"JWT"}', claims()));

# Keys
my $jwk = $json->encode({ kty => 'oct', k => encode_base64url($secret) });
for my $key ('', 'secret', 'password', 'your-256-bit-secret', 'datalake',
    'changeme', "\0" x 32, "-----BEGIN PUBLIC KEY-----\n",
    "-----BEGIN CERTIFICATE-----", $jwk, "$secret\n", " $secret", lc $secret,
    substr($secret, 1), $secret x 2)
{
    (my $name = substr $key, 0, 20) =~ s/[^ -~]/?/g;
    next if $key eq $secret;
    refuse("signed with '$name...' instead of our key",
        sign($HEAD, claims(), $key));
}

# Header members
for my $more (
    qq("jwk":$jwk), '"jku":"http://127.0.0.1/keys"',
    '"x5u":"http://127.0.0.1/cert"', '"x5c":["MIIB"]', '"x5t":"abc"',
    '"crit":["exp"]', '"crit":["unknown"]', '"crit":[]', '"b64":false',
    '"zip":"DEF"', '"cty":"JWT"', '"typ":"at+jwt"', '"typ":"jwt"',
    '"typ":null', '"kid":"../../etc/passwd"', q("kid":"' OR 1=1"),
    '"kid":"a\\u0000b"', '"kid":"' . ('k' x 1024) . '"', '"kid":1',
    '"kid":["default"]', '"kid":"unknown"', '"kid":""', '"alg":"none"',
    '"kid":"default","kid":"default"', '"x":{"alg":"none"}'
  )
{
    my $header =
        $more =~ /^"typ"/ ? qq({"alg":"HS256",$more})
      : qq({"alg":"HS256","typ":"JWT",$more});
    refuse('header with ' . substr($more, 0, 30), sign($header, claims()));
}

# Shape
refuse('one part',                 $h);
refuse('two parts',                "$h.$p");
refuse('four parts',               "$good.x");
refuse('five parts',               "$good.x.y");
refuse('an empty last part',       "$h.$p.");
refuse('an empty payload',         sign($HEAD, ''));
refuse('an empty header',          sign('', claims()));
refuse('all empty',                '..');
refuse('no token at all',          '');
refuse('a leading dot',            ".$good");
refuse('a trailing dot',           "$good.");
refuse('quotes around it',         "\"$good\"");
refuse('a space inside',           "$h. $p.$s");
refuse('a tab inside',             "$h.\t$p.$s");
refuse('padding in the header',    "$h=.$p.$s");
refuse('padding in the payload',   "$h.$p=.$s");
refuse('padding in the signature', "$h.$p.$s=");
refuse('+ in the signature', "$h.$p." . '+' . substr $s, 1);
refuse('/ in the signature', "$h.$p." . '/' . substr $s, 1);
refuse('a signature cut by one',   substr $good, 0, -1);
refuse('a signature cut to half',  "$h.$p." . substr $s, 0, 20);
refuse('a signature one longer',   "${good}A");
refuse('a signature of zeros',     "$h.$p." . ('A' x 43));
refuse('a signature in hex',       "$h.$p." . unpack 'H*', decode_base64url($s));
refuse('a signature turned round', "$h.$p." . reverse $s);
refuse('payload and header swapped', "$p.$h.$s");
refuse('Unicode dots',             "$h\xe2\x80\xa4$p\xe2\x80\xa4$s");
refuse('percent-encoded dots',     "$h%2E$p%2E$s");
refuse('the JSON form',
    $json->encode({ protected => $h, payload => $p, signature => $s }));
refuse('a header that is an array',  sign('["HS256"]', claims()));
refuse('a header that is a string',  sign('"HS256"',   claims()));
refuse('a header cut off',           sign('{"alg":"HS256"', claims()));
refuse('a header with a remark',     sign('{"alg":"HS256"}//', claims()));
refuse('a header with a BOM', sign("\xEF\xBB\xBF$HEAD", claims()));
refuse('a payload that is an array', sign($HEAD, '[' . claims() . ']'));
refuse('a payload that is a string', sign($HEAD, '"x"'));
refuse('a payload that is null',     sign($HEAD, 'null'));
refuse('a payload cut off',          sign($HEAD, substr claims(), 0, -1));
refuse('two payloads',               sign($HEAD, claims() . claims()));
refuse('a token of 5 KB',
    sign($HEAD, claims(note => 'x' x 4000)));
for my $at (0, 10, 20, 42) {
    my $other = $s;
    substr($other, $at, 1) = substr($other, $at, 1) eq 'B' ? 'Q' : 'B';
    refuse("the signature's character $at changed", "$h.$p.$other");
}
for my $at (5, 50, length($p) - 1) {
    my $other = $p;
    substr($other, $at, 1) = substr($other, $at, 1) eq 'B' ? 'Q' : 'B';
    refuse("the payload's character $at changed", "$h.$other.$s");
}

# Claims
my $now = time;
for my $case (
    [ 'expired long ago',      exp       => '1000000000' ],
    [ 'expired a minute ago',  exp       => int($now) - 60 ],
    [ 'exp as text',           exp       => '"' . (int($now) + 600) . '"' ],
    [ 'a negative exp',        exp       => '-1' ],
    [ 'exp 1e400',             exp       => '1e400' ],
    [ 'exp 2^63',              exp       => '9223372036854775808' ],
    [ 'exp with an exponent',  exp       => '4e9' ],
    [ 'exp null',              exp       => 'null' ],
    [ 'exp in an array',       exp       => '[4102444800]' ],
    [ 'nbf in the future',     nbf       => int($now) + 600 ],
    [ 'iat in the future',     iat       => int($now) + 600 ],
    [ 'auth_time in the future', auth_time => int($now) + 600 ],
    [ 'another aud',           aud       => '"other"' ],
    [ 'aud in an array',       aud       => '["datalake"]' ],
    [ 'aud in capitals',       aud       => '"DATALAKE"' ],
    [ 'another iss',           iss       => '"other"' ],
    [ 'an unknown sub',        sub       => '"nobody"' ],
    [ 'sub in capitals',       sub       => '"ADMIN"' ],
    [ 'sub of another account', sub      => '"eve"' ],
    [ 'an empty sub',          sub       => '""' ],
    [ 'sub that is a number',  sub       => '1' ],
    [ 'sub with a NUL',        sub       => '"admin\u0000"' ],
    [ 'an unknown user_id',    user_id   => '999999999' ],
    [ 'user_id 0',             user_id   => '0' ],
    [ 'a negative user_id',    user_id   => '-1' ],
    [ 'user_id as text',       user_id   => "\"$claim{user_id}\"" ],
    [ 'an unknown role',       role      => '"root"' ],
    [ 'a refresh token',       token_type => '"refresh"' ],
    [ 'an unknown token_type', token_type => '"admin"' ],
    [ 'a jti that is too long', jti      => '"' . ('j' x 100) . '"' ],
    [ 'a sid with a quote',    sid       => q("a'b") ],
  )
{
    my ($name, $member, $raw) = @$case;
    refuse($name, sign($HEAD, raw_claim($member, $raw)));
}
for my $member (qw(exp iat iss aud sub jti sid token_type user_id role
    auth_time))
{
    refuse("$member missing", sign($HEAD, claims($member => undef)));
}
(my $twice = claims()) =~ s/\}$/,"sub":"eve"}/;
refuse('sub twice', sign($HEAD, $twice));
($twice = claims()) =~ s/\}$/,"exp":4102444800}/;
refuse('exp twice', sign($HEAD, $twice));
(my $deep = claims()) =~ s/\}$/',"x":' . ('[' x 100) . (']' x 100) . '}'/e;
refuse('100 arrays deep', sign($HEAD, $deep));
(my $bytes = claims()) =~ s/\}$/,"x":"\xFF"}/;
refuse('a payload that is not UTF-8', sign($HEAD, $bytes));
refuse('a payload with a BOM', sign($HEAD, "\xEF\xBB\xBF" . claims()));

# --- The battery -------------------------------------------------------------------

my @routes = ('/metrics', '/api/resources/');

sub ask {
    my ($route, @header) = @_;
    return $stack->httpd->client->get($route, headers => \@header);
}

cmp_ok(scalar @refused, '>=', 164, scalar(@refused) . ' hostile tokens');
for my $route (@routes) {
    is(ask($route, Authorization => "Bearer $good")->{status},
        200, "a token made here by the rules opens $route");
}
my $wrong = 0;
for my $case (@refused) {
    my ($name, $token) = @$case;
    my @fault;
    for my $route (@routes) {
        my $answer = ask($route, Authorization => "Bearer $token");
        push @fault, map { "$route: $_" } faults_of($answer);
    }
    $wrong++ if @fault;
    ok(!@fault, "$name: 401") or diag(join '; ', @fault);
}

subtest 'what a token may be' => sub {
    my %taken = (
        'without typ'      => sign('{"alg":"HS256"}', claims()),
        'with our kid'     =>
          sign('{"alg":"HS256","typ":"JWT","kid":"default"}', claims()),
        'with white space' =>
          sign('{ "alg" : "HS256" , "typ" : "JWT" }', claims()),
        'with more claims' => sign($HEAD, claims(note => 'x', more => 1)),
        'exp with a fraction' =>
          sign($HEAD, raw_claim('exp', int($now + 600) . '.5')),
        'iat 20 s ahead'   => sign($HEAD, claims(iat => int(time) + 20)),
        'nbf 20 s ahead'   => sign($HEAD, claims(nbf => int(time) + 20)),
    );
    is(ask('/metrics', Authorization => "Bearer $taken{$_}")->{status},
        200, $_)
      for sort keys %taken;
    my $low = sign($HEAD, claims(role => 'user'));
    is(ask('/metrics', Authorization => "Bearer $low")->{status},
        200, 'a role that the account has outgrown does not count');
    my $eve = $json->decode(
        decode_base64url((split /\./, $stack->token('eve'))[1]));
    my $raised = sign($HEAD, $json->encode({ %$eve, role => 'admin' }));
    is(ask('/metrics', Authorization => "Bearer $raised")->{status},
        403, 'nor does one it never had');
};

subtest 'how a token may come' => sub {
    is(ask('/metrics', Authorization => "bearer $good")->{status},
        200, 'bearer in lower case');
    is(ask('/metrics', authorization => "BEARER $good")->{status},
        200, 'in capitals');
    my %no = (
        'two spaces'        => "Bearer  $good",
        'a tab'             => "Bearer\t$good",
        'no space'          => "Bearer$good",
        'only the scheme'   => 'Bearer',
        'Basic'             => 'Basic ' . encode_base64('admin:x', ''),
        'Token'             => "Token $good",
        'the bare token'    => $good,
        'a parameter'       => "Bearer token=$good",
    );
    is(ask('/metrics', Authorization => $no{$_})->{status}, 401, $_)
      for sort keys %no;
    my $none = ask('/metrics', Cookie => "access_token=$good");
    is($none->{status}, 401, 'a cookie is no token');
    is($none->{headers}{'www-authenticate'},
        'Bearer realm="datalake"', '... and none was sent');
    is(ask("/metrics?access_token=$good")->{status},
        401, 'nor is one in the URL');
    is(
        ask(
            '/metrics',
            Authorization => "Bearer $good",
            Authorization => "Bearer $good"
        )->{status},
        400,
        'two headers are malformed'
    );
    is(ask('/metrics', Authorization => 'Bearer ' . 'a' x 9216)->{status},
        400, 'a header of 9 KB, too');
};

subtest 'an account that goes takes its tokens along' => sub {
    my $token = $stack->token('dora');
    is(ask('/metrics', Authorization => "Bearer $token")->{status},
        200, 'dora may');
    $stack->ctl('user', 'passwd', 'dora', '--password-file',
        "$stack->{dir}/secrets/user-dora");
    sleep 0.05
      while ask('/metrics', Authorization => "Bearer $token")->{status} == 200
      && time - $now < 300;
    is(ask('/metrics', Authorization => "Bearer $token")->{status},
        401, 'a new password ends her tokens');
    my $next = $stack->token('dora');
    is(ask('/metrics', Authorization => "Bearer $next")->{status},
        200, 'a new one is good');
    $stack->ctl(qw(user disable dora));
    is(ask('/metrics', Authorization => "Bearer $next")->{status},
        401, 'until she is disabled');
};

my $log = $stack->httpd->log_text;
like($log, qr/DL1030 request [0-9a-f]{32}: no access: /,
    'the log has the causes');
unlike($log, qr/\Q$good\E|\Q$secret\E|eyJhbGciOiJ/, 'but no token and no key');
unlike($log, qr/exit signal|Sanitizer/, 'no child has crashed');

figure('F09', [ tokens => scalar @refused, routes => scalar @routes,
        wrong => $wrong ], @refused >= 164 && !$wrong);
done_testing;
