# DataLake::Token - tokens made by hand, signed by Digest::SHA or the openssl
# program, so that a test does not trust the code it tests.
#
#   my $key   = DataLake::Token->secret($secret, kid => 'default');
#   my $other = DataLake::Token->generate('ES256', $dir, kid => 'k2');
#   my $token = $key->sign('{"alg":"HS256"}', '{"sub":"alice"}');
#
# Texts are taken as they are: a hostile header is the caller's to write.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Token;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use JSON::PP ();
use MIME::Base64 qw(decode_base64url encode_base64url);
use DataLake::Process qw(slurp spit);

our @EXPORT_OK = qw(claims_of header_of);

my %GENERATE = (
    RS256 => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    ES256 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    EdDSA => [qw(-algorithm ed25519)],
);

# A key of the algorithm HS256 that is the text SECRET.
sub secret {
    my ($class, $secret, %option) = @_;
    return bless { alg => 'HS256', secret => $secret, kid => 'default',
        %option }, $class;
}

# A fresh key of ALG; its file and work files lie in FOLDER.
sub generate {
    my ($class, $alg, $folder, %option) = @_;
    my $self = bless { alg => $alg, folder => $folder, kid => "key-$alg",
        %option }, $class;
    $self->{file} = "$folder/$self->{kid}.pem";
    system("openssl genpkey @{ $GENERATE{$alg} } -out $self->{file}"
          . ' 2>/dev/null') == 0
      or die "openssl genpkey $alg\n";
    $self->{pem} = slurp($self->{file});
    system("openssl pkey -in $self->{file} -pubout -out $self->{file}.pub") == 0
      or die "openssl pkey $alg\n";
    $self->{public} = slurp("$self->{file}.pub");
    return $self;
}

# The lines of a key file that hold this key; PUBLIC: without its private part.
sub lines {
    my ($self, $public) = @_;
    return "kid $self->{kid} $self->{secret}\n" if defined $self->{secret};
    return "kid $self->{kid}\n" . ($public ? $self->{public} : $self->{pem});
}

# The header that the product writes.
sub header {
    my ($self) = @_;
    return qq({"alg":"$self->{alg}","typ":"JWT","kid":"$self->{kid}"});
}

# The token of the texts HEADER and PAYLOAD, rightly signed.
sub sign {
    my ($self, $header, $payload) = @_;
    my $text = encode_base64url($header) . '.' . encode_base64url($payload);
    return "$text." . encode_base64url($self->signature($text));
}

# The bytes that sign TEXT.
sub signature {
    my ($self, $text) = @_;
    return hmac_sha256($text, $self->{secret}) if defined $self->{secret};
    my $in = "$self->{folder}/$self->{kid}.in";
    spit($in, $text);
    my $how =
      $self->{alg} eq 'EdDSA'
      ? "pkeyutl -sign -rawin -inkey $self->{file} -in $in"
      : "dgst -sha256 -sign $self->{file} -binary $in";
    my $bytes = qx(openssl $how);
    die "openssl $how\n" if $?;
    return $self->{alg} eq 'ES256' ? from_der($bytes) : $bytes;
}

# Whether TOKEN is rightly signed with this key.
sub verify {
    my ($self, $token) = @_;
    my ($text, $last) = $token =~ /^(.*)\.(.*)$/;
    my $signature = decode_base64url($last);
    return hmac_sha256($text, $self->{secret}) eq $signature
      if defined $self->{secret};
    my $in = "$self->{folder}/$self->{kid}.in";
    spit($in, $text);
    spit("$in.sig",
        $self->{alg} eq 'ES256' ? to_der($signature) : $signature);
    my $how =
      $self->{alg} eq 'EdDSA'
      ? "pkeyutl -verify -rawin -pubin -inkey $self->{file}.pub -in $in -sigfile $in.sig"
      : "dgst -sha256 -verify $self->{file}.pub -signature $in.sig $in";
    return system("openssl $how >/dev/null 2>&1") == 0;
}

# An ECDSA signature in DER as two numbers of 32 bytes, and back.
sub from_der {
    my ($der) = @_;
    my @number;
    my $at = 2;
    for (0, 1) {
        my $len = ord substr $der, $at + 1, 1;
        my $n = substr $der, $at + 2, $len;
        $n =~ s/^\0+//;
        push @number, ("\0" x (32 - length $n)) . $n;
        $at += 2 + $len;
    }
    return join '', @number;
}

sub to_der {
    my ($raw) = @_;
    my $body = '';
    for my $at (0, 32) {
        my $n = substr $raw, $at, 32;
        $n =~ s/^\0+//;
        $n = "\0$n" if $n eq '' || ord $n > 127;
        $body .= "\x02" . chr(length $n) . $n;
    }
    return "\x30" . chr(length $body) . $body;
}

# The public key as a JWK.
sub jwk {
    my ($self) = @_;
    my $der = qx(openssl pkey -in $self->{file} -pubout -outform DER);
    my %jwk = (kid => $self->{kid}, use => 'sig', alg => $self->{alg});
    if ($self->{alg} eq 'EdDSA') {
        @jwk{qw(kty crv x)} =
          ('OKP', 'Ed25519', encode_base64url(substr $der, -32));
    }
    elsif ($self->{alg} eq 'ES256') {
        @jwk{qw(kty crv x y)} = (
            'EC', 'P-256',
            encode_base64url(substr $der, -64, 32),
            encode_base64url(substr $der, -32)
        );
    }
    else {
        my ($hex) =
          qx(openssl rsa -in $self->{file} -noout -modulus) =~ /=([0-9A-F]+)/;
        @jwk{qw(kty n e)} = ('RSA', encode_base64url(pack 'H*', $hex), 'AQAB');
    }
    return \%jwk;
}

# The claims and the header of TOKEN.
sub claims_of { return part_of($_[0], 1); }
sub header_of { return part_of($_[0], 0); }

sub part_of {
    my ($token, $i) = @_;
    return JSON::PP::decode_json(decode_base64url((split /\./, $token)[$i]));
}

1;
