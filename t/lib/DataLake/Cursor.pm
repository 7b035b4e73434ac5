# DataLake::Cursor - page cursors as the server would have signed them earlier.
#
#   my $old = aged($stack, $cursor, '/api/models/', '50', 86_460);
#
# The layout and what is signed are in mod_datalake/mdl_cursor.h.
#
# SPDX-License-Identifier: Apache-2.0
package DataLake::Cursor;
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use MIME::Base64 qw(decode_base64url encode_base64url);

our @EXPORT_OK = qw(aged);

# CURSOR of the list ROUTE with PARAMETERS, the text it is bound to, as if it
# were made SECONDS ago: signed anew with the key that STACK's server derives
# from the token key.  undef: CURSOR is not of this list.
sub aged {
    my ($stack, $cursor, $route, $parameters, $seconds) = @_;
    my $key = hmac_sha256("datalake page cursor 1\0",
        hmac_sha256('datalake cursor key, version 1', $stack->secret('token.key')));
    my $raw   = decode_base64url($cursor);
    my $mac   = substr $raw, -16, 16, '';
    my $bound = "cursor\0$route\0$parameters\0";
    return undef if $mac ne substr hmac_sha256($bound . $raw, $key), 0, 16;
    substr $raw, 1, 8, pack 'Q>', time - $seconds;
    return encode_base64url($raw . substr hmac_sha256($bound . $raw, $key), 0, 16);
}

1;
