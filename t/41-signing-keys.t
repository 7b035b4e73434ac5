# 41-signing-keys.t - RS256, ES256 and EdDSA against a real server: signing,
# rotation by kid, public keys of others, the JWK Set, and refused key files.
# SPDX-License-Identifier: Apache-2.0
use strict;
use warnings;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP ();
use DataLake::Process qw(slurp spit);
use DataLake::Stack;
use DataLake::Token qw(claims_of header_of);

my $stack = DataLake::Stack->new(
    name       => '41-signing-keys',
    mariadb    => 1,
    httpd      => 1,
    users      => { alice => 'user' },
    directives => "DataLakeMetricsAllow none\n",
);
my $secrets = "$stack->{dir}/secrets";
my $file    = "$secrets/token.key";
my ($secret)   = slurp($file) =~ /^(\S+)/;
my ($password) = slurp("$secrets/user-alice") =~ /^(\S+)/;
my $json = JSON::PP->new->canonical->utf8;

sub status {
    my ($token) = @_;
    return $stack->httpd->client->get('/metrics', token => $token)->{status};
}

sub log_in {
    return $stack->httpd->client->post('/user/login',
        { username => 'alice', password => $password })->{json};
}

# Let the server go on with KEYS, the first of which signs.
sub use_keys {
    my (@key) = @_;
    spit($file, join '', map { $_->lines } @key);
    chmod 0640, $file;
    $stack->httpd->reload;
    return;
}

my $hs = DataLake::Token->secret($secret);
is($stack->httpd->client->get('/.well-known/jwks.json')->{status},
    404, 'a server with a shared secret publishes no key');

my $before = $hs;
for my $alg (qw(RS256 ES256 EdDSA)) {
    subtest "$alg signs, and the key before it still verifies" => sub {
        my $old   = log_in();
        my $key   = DataLake::Token->generate($alg, $secrets);
        my $start = time;
        use_keys($key, $before);
        is(status($old->{access_token}), 403,
            'a token of the old key goes on');
        my $new = log_in();
        is_deeply(
            header_of($new->{access_token}),
            { alg => $alg, typ => 'JWT', kid => $key->{kid} },
            'the new key signs'
        );
        ok($key->verify($new->{$_}), "openssl verifies the $_")
          for qw(access_token refresh_token);
        is(status($new->{access_token}), 403, 'the server does') for 1 .. 3;
        my $ctl = $stack->token('admin');
        is(header_of($ctl)->{kid}, $key->{kid},
            'datalakectl signs with the same key');
        is(status($ctl), 200, 'which the server takes');
        my $next = $stack->httpd->client->post('/api/token/refresh/',
            { refresh => $old->{refresh_token} });
        is($next->{status}, 200, 'the old refresh token is exchanged');
        is(header_of($next->{json}{access})->{kid},
            $key->{kid}, 'for tokens of the new key');
        my $answer = $stack->httpd->client->get('/.well-known/jwks.json');
        is($answer->{status}, 200, 'the public keys are published');
        my ($mine) =
          grep { $_->{kid} eq $key->{kid} } @{ $answer->{json}{keys} };
        is_deeply($mine, $key->jwk, 'this one as it is');
        unlike($answer->{body}, qr/"(?:d|p|q|k|dp|dq|qi)":/,
            'and nothing private');
        my @part = split /\./, $new->{access_token};
        $part[2] = ($part[2] =~ /^A/ ? 'B' : 'A') . substr $part[2], 1;
        is(status(join '.', @part), 401,
            'a token that was verified before, but for one character');
        $stack->httpd->client->post('/api/token/revoke/',
            { token => $new->{access_token} });
        is(status($new->{access_token}),
            401, 'a revoked token that was verified before');
        use_keys($key);
        is(status($old->{access_token}), 401, 'without its key it is 401');
        is(status($next->{json}{access}), 403, 'the others go on');
        $before = $key;
    };
}

subtest 'an expired token that was verified before' => sub {
    my $claims = claims_of(log_in()->{access_token});
    my ($token, $status);
    for (1 .. 5) {    # it must be asked for while it is good
        $token = $before->sign($before->header,
            $json->encode({ %$claims, exp => time + 2, iat => time - 5 }));
        $status = status($token);
        last if time < claims_of($token)->{exp};
    }
    is($status, 403, 'it is good');
    sleep 1 while time < claims_of($token)->{exp};
    is(status($token), 401, 'until it expires');
};

subtest 'public keys of others' => sub {
    my $other = DataLake::Token->generate('ES256', $secrets, kid => 'other');
    my $claims = claims_of(log_in()->{access_token});
    my $token  = $other->sign($other->header, $json->encode($claims));
    is(status($token), 401, 'a key that is not known is 401');
    spit("$secrets/jwks.json", $json->encode({ keys => [ $other->jwk ] }));
    chmod 0644, "$secrets/jwks.json";
    local $stack->httpd->{directives} =
      $stack->httpd->{directives} . "DataLakeJWKSFile $secrets/jwks.json\n";
    $stack->httpd->configure->reload;
    is(status($token), 403, 'one of the JWKS file is taken');
    is(status(log_in()->{access_token}), 403, 'beside our own');
    my $twin = $other->sign(
        qq({"alg":"ES256","kid":"$before->{kid}"}),
        $json->encode($claims)
    );
    is(status($twin), 401, 'but not under the kid of another');
};
$stack->httpd->configure->reload;

subtest 'a key file that is not right refuses the start' => sub {
    my $ed   = DataLake::Token->generate('EdDSA', $secrets, kid => 'ed');
    my $good = slurp($file);
    my @case = (
        [ $ed->lines, 0644, qr/open to everybody.*chmod o-rwx/s, 'mode 0644' ],
        [ 'short',    0600, qr/at least 32 bytes/, '5 bytes' ],
        [ 'a' x 40,   0600, qr/fewer than 10 different/, 'one letter' ],
        [
            'a-string-secret-at-least-256-bits-long', 0600,
            qr/sample from documentation/, 'a well-known secret'
        ],
        [
            "-----BEGIN PRIVATE KEY-----\n"
              . "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
              . "-----END PRIVATE KEY-----\n",
            0600, qr/sample from documentation/, 'the key of RFC 8037'
        ],
        [ $ed->lines(1), 0600, qr/must be a private one/, 'a public key' ],
        [ "kid a\n",     0600, qr/in PEM on the next line/, 'a kid alone' ],
        [ '',            0600, qr/is empty/, 'nothing' ],
    );
    for my $case (@case) {
        my ($text, $mode, $why, $name) = @$case;
        unlink $file;
        spit($file, $text);
        chmod $mode, $file;
        my $said = $stack->httpd->check;
        like($said, qr/DL1001 DataLakeTokenKeyFile: /, "$name is refused");
        (my $flat = $said) =~ s/\s+/ /g;
        like($flat, $why, 'with the reason');
    }
    unlink $file;
    like($stack->httpd->check, qr/DL1001 DataLakeTokenKeyFile: .*cannot open/,
        'a file that is not there is refused');
    spit($file, $good);
    chmod 0640, $file;
};

my $log = $stack->httpd->log_text;
unlike($log, qr/BEGIN|eyJhbGciOiJ|\Q$secret\E/, 'no key or token in the log');
unlike($log, qr/exit signal|Sanitizer/, 'no child has crashed');
done_testing;
