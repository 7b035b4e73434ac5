# DataLake::HostileTokens - tokens that nobody may accept, for one key.
#
#   my @case = hostile_tokens($key, \%claims, several => 1);
#   for my $case (@case) { my ($name, $token) = @$case; ... }
#
# KEY is a DataLake::Token that the server trusts, CLAIMS those of a token that
# would be accepted.  Each case changes one thing; where the thing lies under
# the signature, the signature is right.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::HostileTokens;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);
use DataLake::Token;

our @EXPORT_OK = qw(hostile_tokens json_claims raw_claim);

my $json = JSON::PP->new->canonical->utf8;

# The JSON text of CLAIMS with CHANGES; a value of undef takes one out.
sub json_claims {
    my ($claims, %change) = @_;
    my %all = (%$claims, %change);
    delete @all{ grep { !defined $all{$_} } keys %all };
    return $json->encode(\%all);
}

# The same with the member NAME written as RAW.
sub raw_claim {
    my ($claims, $name, $raw) = @_;
    my $text = json_claims($claims, $name => undef);
    $text =~ s/\}$/,"$name":$raw}/;
    return $text;
}

# All cases for KEY; SEVERAL: the server has more keys than this one.
sub hostile_tokens {
    my ($key, $claims, %option) = @_;
    return (
        algorithms($key, $claims),
        foreign_keys($key, $claims),
        headers($key, $claims, $option{several}),
        shapes($key, $claims),
        signatures($key, $claims),
        claim_cases($key, $claims),
        payloads($key, $claims)
    );
}

# A token of the texts HEADER and PAYLOAD, signed by MAC with SECRET.
sub with_mac {
    my ($header, $payload, $secret, $mac) = @_;
    $mac //= \&hmac_sha256;
    my $text = encode_base64url($header) . '.' . encode_base64url($payload);
    return "$text." . encode_base64url($mac->($text, $secret));
}

# alg none and its spellings, and every algorithm but the key's own.
sub algorithms {
    my ($key, $claims) = @_;
    my $payload = json_claims($claims);
    my $kid     = qq("kid":"$key->{kid}");
    my @case;
    for my $alg ('"none"', '"None"', '"NONE"', '"nOnE"', '""', 'null', undef,
        '0', '[]', '{}')
    {
        my $header =
          defined $alg ? qq({"alg":$alg,$kid}) : qq({"typ":"JWT",$kid});
        my $text =
          encode_base64url($header) . '.' . encode_base64url($payload);
        my $name = 'alg ' . ($alg // 'missing');
        push @case, [ "$name, an empty signature", "$text." ],
          [ "$name, no last part",      $text ],
          [ "$name, garbage signature", "$text.AAAA" ],
          [ "$name, our signature",     $key->sign($header, $payload) ];
    }
    my ($own) = ($key->{alg});
    for my $alg (
        grep { $_ ne $own } qw(HS256 HS384 HS512 RS256 RS384 RS512 PS256 ES256
        ES256K ES384 ES512 EdDSA Ed25519),
        lc $own, "$own ", "$own\\u0000", " $own", "\\u0000$own"
      )
    {
        push @case,
          [ "alg \"$alg\"", $key->sign(qq({"alg":"$alg",$kid}), $payload) ];
    }
    push @case,
      [ "alg [\"$own\"]", $key->sign(qq({"alg":["$own"],$kid}), $payload) ];
    my %mac = (HS384 => \&hmac_sha384, HS512 => \&hmac_sha512);
    push @case,
      map { [ "signed by $_", with_mac(qq({"alg":"$_",$kid}), $payload,
                $key->{secret} // $key->{public}, $mac{$_}) ] } sort keys %mac;
    return @case;
}

# What an attacker may have at hand instead of the key.
sub foreign_keys {
    my ($key, $claims) = @_;
    my $payload = json_claims($claims);
    my $header  = qq({"alg":"HS256","kid":"$key->{kid}"});
    my %secret  = (
        'an empty key'     => '',
        'secret'           => 'secret',
        'password'         => 'password',
        'a sample'         => 'your-256-bit-secret',
        'datalake'         => 'datalake',
        'changeme'         => 'changeme',
        '32 zeros'         => "\0" x 32,
        'a PEM line'       => "-----BEGIN PUBLIC KEY-----\n",
        'a certificate'    => '-----BEGIN CERTIFICATE-----',
        'the kid'          => $key->{kid},
    );
    if (defined $key->{secret}) {
        my $s = $key->{secret};
        %secret = (
            %secret,
            'the key and a line end' => "$s\n",
            'the key behind a space' => " $s",
            'the key cut by one'     => substr($s, 1),
            'the key twice'          => $s x 2,
            'the key as a JWK'       =>
              $json->encode({ kty => 'oct', k => encode_base64url($s) }),
        );
    }
    else {
        (my $bare = $key->{public}) =~ s/\n\z//;
        my $der = decode_pem($key->{public});
        %secret = (
            %secret,
            'the public key in PEM'         => $key->{public},
            'the same without its line end' => $bare,
            'the same behind a space'       => " $key->{public}",
            'the public key in DER'         => $der,
            'the public key as a JWK'       => $json->encode($key->jwk),
            'its base64 text'               => encode_base64($der, ''),
        );
    }
    return map { [ "HMAC under $_", with_mac($header, $payload, $secret{$_}) ] }
      sort keys %secret;
}

sub decode_pem {
    my ($pem) = @_;
    $pem =~ s/^-.*$//mg;
    return MIME::Base64::decode_base64($pem);
}

# Members that a header must not have, and kids that name no key.
sub headers {
    my ($key, $claims, $several) = @_;
    my $payload = json_claims($claims);
    my ($alg, $kid) = @$key{qw(alg kid)};
    my $jwk  = $json->encode(
        defined $key->{secret}
        ? { kty => 'oct', k => encode_base64url($key->{secret}) }
        : $key->jwk
    );
    my @case;
    for my $more (
        qq("jwk":$jwk), '"jku":"http://127.0.0.1/keys"',
        '"x5u":"http://127.0.0.1/cert"', '"x5c":["MIIB"]', '"x5t":"abc"',
        '"crit":["exp"]', '"crit":["unknown"]', '"crit":[]', '"b64":false',
        '"zip":"DEF"', '"cty":"JWT"', '"typ":"at+jwt"', '"typ":"jwt"',
        '"typ":null', '"x":{"alg":"none"}', '"x":"unknown"', '"alg":"none"',
        qq("alg":"$alg"), qq("kid":"$kid")
      )
    {
        push @case,
          [
            'header with ' . substr($more, 0, 30),
            $key->sign(qq({"alg":"$alg","kid":"$kid",$more}), $payload)
          ];
    }
    for my $other (
        '"../../etc/passwd"', q("' OR 1=1"), '"a\\u0000b"',
        qq("$kid\\u0000"), '"' . ('k' x 1024) . '"', '"' . ('k' x 3000) . '"',
        '1', 'null', qq(["$kid"]), qq({"kid":"$kid"}), '"unknown"', '""',
        '"' . uc($kid) . '"', qq(" $kid")
      )
    {
        push @case,
          [
            'kid ' . substr($other, 0, 24) . ' of ' . length $other,
            $key->sign(qq({"alg":"$alg","kid":$other}), $payload)
          ];
    }
    push @case, [ 'no kid', $key->sign(qq({"alg":"$alg"}), $payload) ]
      if $several;
    return @case;
}

# Texts that are no token.
sub shapes {
    my ($key, $claims) = @_;
    my $good = $key->sign($key->header, json_claims($claims));
    my ($h, $p, $s) = split /\./, $good;
    return (
        [ 'one part',                   $h ],
        [ 'two parts',                  "$h.$p" ],
        [ 'four parts',                 "$good.x" ],
        [ 'five parts',                 "$good.x.y" ],
        [ 'an empty last part',         "$h.$p." ],
        [ 'an empty payload',           $key->sign($key->header, '') ],
        [ 'an empty header',            $key->sign('', json_claims($claims)) ],
        [ 'all empty',                  '..' ],
        [ 'no token at all',            '' ],
        [ 'a leading dot',              ".$good" ],
        [ 'a trailing dot',             "$good." ],
        [ 'quotes around it',           "\"$good\"" ],
        [ 'a space inside',             "$h. $p.$s" ],
        [ 'a space behind the header',  "$h .$p.$s" ],
        [ 'a tab inside',               "$h.\t$p.$s" ],
        [ 'padding in the header',      "$h=.$p.$s" ],
        [ 'padding in the payload',     "$h.$p=.$s" ],
        [ 'padding in the signature',   "$h.$p.$s=" ],
        [ 'payload and header swapped', "$p.$h.$s" ],
        [ 'Unicode dots',               "$h\xe2\x80\xa4$p\xe2\x80\xa4$s" ],
        [ 'ideographic full stops',     "$h\xe3\x80\x82$p\xe3\x80\x82$s" ],
        [ 'percent-encoded dots',       "$h%2E$p%2E$s" ],
        [
            'the JSON form',
            $json->encode(
                { protected => $h, payload => $p, signature => $s })
        ],
        [
            'a token of 5 KB',
            $key->sign($key->header,
                json_claims($claims, note => 'x' x 4000))
        ],
    );
}

# Signatures that are not of this text by this key.
sub signatures {
    my ($key, $claims) = @_;
    my $good = $key->sign($key->header, json_claims($claims));
    my ($h, $p, $s) = split /\./, $good;
    my $bytes = decode_base64url($s);
    my @case  = (
        [ '+ in the signature',       "$h.$p.+" . substr $s, 1 ],
        [ '/ in the signature',       "$h.$p./" . substr $s, 1 ],
        [ 'a signature cut by one',   substr $good, 0, -1 ],
        [ 'a signature cut to half',  "$h.$p." . substr $s, 0, 20 ],
        [ 'a signature one longer',   "${good}A" ],
        [ 'a signature of zeros',     "$h.$p." . ('A' x length $s) ],
        [ 'a signature in hex',       "$h.$p." . unpack 'H*', $bytes ],
        [ 'a signature turned round', "$h.$p." . encode_base64url(scalar reverse $bytes) ],
        [ 'a signature of one byte less', "$h.$p." . encode_base64url(substr $bytes, 1) ],
        [ 'a signature of one byte more', "$h.$p." . encode_base64url("\0$bytes") ],
        [ 'the signature of another text',
            "$h.$p." . encode_base64url($key->signature("$p.$h")) ],
    );
    push @case,
      [ 'an ECDSA signature in DER',
        "$h.$p." . encode_base64url(DataLake::Token::to_der($bytes)) ]
      if $key->{alg} eq 'ES256';
    my @at = (0, 10, 20, length($s) - 1);
    for my $at (@at) {
        my $other = $s;
        substr($other, $at, 1) = substr($other, $at, 1) eq 'B' ? 'Q' : 'B';
        push @case,
          [ "the signature's character $at changed", "$h.$p.$other" ];
    }
    for my $at (5, 50, length($p) - 1) {
        my $other = $p;
        substr($other, $at, 1) = substr($other, $at, 1) eq 'B' ? 'Q' : 'B';
        push @case, [ "the payload's character $at changed", "$h.$other.$s" ];
    }
    return @case;
}

# Claims that are missing, of another type, or wrong.
sub claim_cases {
    my ($key, $claims) = @_;
    my $now = int time;
    my @case;
    for my $case (
        [ 'expired long ago',        exp        => '1000000000' ],
        [ 'expired a minute ago',    exp        => $now - 60 ],
        [ 'expired now',             exp        => $now ],
        [ 'exp as text',             exp        => '"' . ($now + 600) . '"' ],
        [ 'a negative exp',          exp        => '-1' ],
        [ 'exp 1e400',               exp        => '1e400' ],
        [ 'exp 2^63',                exp        => '9223372036854775808' ],
        [ 'exp with an exponent',    exp        => '4e9' ],
        [ 'exp null',                exp        => 'null' ],
        [ 'exp in an array',         exp        => '[4102444800]' ],
        [ 'nbf in the future',       nbf        => $now + 600 ],
        [ 'nbf as text',             nbf        => '"0"' ],
        [ 'iat in the future',       iat        => $now + 600 ],
        [ 'auth_time in the future', auth_time  => $now + 600 ],
        [ 'another aud',             aud        => '"other"' ],
        [ 'aud in an array',         aud        => '["datalake"]' ],
        [ 'aud in capitals',         aud        => '"DATALAKE"' ],
        [ 'another iss',             iss        => '"other"' ],
        [ 'iss and more',            iss        => '"datalake2"' ],
        [ 'an unknown sub',          sub        => '"nobody"' ],
        [ 'sub in capitals',         sub        => qq("\U$claims->{sub}") ],
        [ 'sub of another account',  sub        => '"eve"' ],
        [ 'an empty sub',            sub        => '""' ],
        [ 'sub that is a number',    sub        => '1' ],
        [ 'sub with a NUL',          sub        => qq("$claims->{sub}\\u0000") ],
        [ 'an unknown user_id',      user_id    => '999999999' ],
        [ 'user_id 0',               user_id    => '0' ],
        [ 'a negative user_id',      user_id    => '-1' ],
        [ 'user_id as text',         user_id    => "\"$claims->{user_id}\"" ],
        [ 'user_id with a fraction', user_id    => "$claims->{user_id}.5" ],
        [ 'an unknown role',         role       => '"root"' ],
        [ 'a refresh token',         token_type => '"refresh"' ],
        [ 'an unknown token_type',   token_type => '"admin"' ],
        [ 'token_type in capitals',  token_type => '"ACCESS"' ],
        [ 'a jti that is too long',  jti        => '"' . ('j' x 100) . '"' ],
        [ 'a sid with a quote',      sid        => q("a'b") ],
      )
    {
        my ($name, $member, $raw) = @$case;
        push @case,
          [ $name,
            $key->sign($key->header, raw_claim($claims, $member, $raw)) ];
    }
    for my $member (qw(exp iat iss aud sub jti sid token_type user_id role
        auth_time))
    {
        push @case,
          [ "$member missing",
            $key->sign($key->header, json_claims($claims, $member => undef)) ];
    }
    return @case;
}

# Payloads that are no flat object of claims.
sub payloads {
    my ($key, $claims) = @_;
    my $good  = json_claims($claims);
    my $with  = sub { (my $text = $good) =~ s/\}$/,$_[0]}/; return $text; };
    my %other = (
        'a header that is an array'    => [ qq(["$key->{alg}"]), $good ],
        'a header that is a string'    => [ qq("$key->{alg}"),   $good ],
        'a header cut off'             => [ qq({"alg":"$key->{alg}"), $good ],
        'a header with a remark'       => [ $key->header . '//', $good ],
        'a header with a BOM'          => [ "\xEF\xBB\xBF" . $key->header, $good ],
        'two headers'                  => [ $key->header x 2, $good ],
    );
    my %payload = (
        'a payload that is an array'   => "[$good]",
        'a payload that is a string'   => '"x"',
        'a payload that is null'       => 'null',
        'a payload cut off'            => substr($good, 0, -1),
        'two payloads'                 => "$good$good",
        'sub twice'                    => $with->('"sub":"eve"'),
        'exp twice'                    => $with->('"exp":4102444800'),
        'user_id twice'                => $with->('"user_id":1'),
        '100 arrays deep'              =>
          $with->('"x":' . ('[' x 100) . (']' x 100)),
        'an object inside'             => $with->('"x":{"sub":"eve"}'),
        'a payload that is not UTF-8'  => $with->(qq("x":"\xFF")),
        'a lone surrogate'             => $with->('"x":"\\ud800"'),
        'a payload with a BOM'         => "\xEF\xBB\xBF$good",
        'a payload with a NUL behind'  => "$good\0",
    );
    return (
        (map { [ $_, $key->sign(@{ $other{$_} }) ] } sort keys %other),
        (
            map { [ $_, $key->sign($key->header, $payload{$_}) ] }
            sort keys %payload
        )
    );
}

1;
