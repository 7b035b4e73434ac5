/* mdl_cursor.h - Page cursors: opaque, signed, bound to one list.
 *
 * A list answers its pages by keyset: the cursor says behind which row the
 * next page begins.  A client gets it as text it cannot read or forge:
 *
 *   base64url( version 1 | made at, unix seconds, 8 bytes big-endian |
 *              position | HMAC-SHA256 cut to 16 bytes )
 *
 * The signature also covers the binding: the route's template and the
 * parameters of the list, cursor excepted.  So a cursor of another route or
 * of other parameters is as wrong as a forged one, and all of them, the old
 * ones included, are one answer: 400 cursor-invalid.  All servers with one
 * token key accept each other's cursors.
 *
 * Thread: any; nothing here has state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CURSOR_H
#define MDL_CURSOR_H

#include <stddef.h>

#include <apr_pools.h>
#include <sodium.h>

#include "dl_error.h"
#include "dl_time.h"

/* The longest position in bytes: two keys of 255 characters and a number. */
#define MDL_CURSOR_POSITION_MAX 2200

/* How long a cursor is accepted. */
#define MDL_CURSOR_LIFE_S INT64_C(86400)

/* What signs cursors. */
typedef struct mdl_cursor_key {
    unsigned char bytes[32]; /* derived from the token key, never printed */
    crypto_auth_hmacsha256_state begun; /* an HMAC by it, of nothing yet */
} mdl_cursor_key;

/* What a cursor is valid for. */
typedef struct mdl_cursor_binding {
    const char *route;      /* the route's template, "/api/resources/" */
    const char *parameters; /* the list's parameters in one fixed order and
                               spelling, "" when there are none */
} mdl_cursor_binding;

/* Derive KEY from the LEN bytes of SECRET (the token key), so that a cursor
 * can never pass as a token.  Thread: start only. */
void mdl_cursor_key_derive(mdl_cursor_key *key, const void *secret, size_t len);

/* Return the text of a cursor for the LEN bytes of POSITION (at most
 * MDL_CURSOR_POSITION_MAX), made at NOW and valid for BINDING.  It holds only
 * letters, digits, '-' and '_'.  Lives in RESULT_POOL.  Thread: any. */
const char *mdl_cursor_encode(const mdl_cursor_key *key,
                              const mdl_cursor_binding *binding,
                              const char *position, size_t len, dl_time now,
                              apr_pool_t *result_pool);

/* Set *POSITION to the NUL-terminated position inside TEXT, in RESULT_POOL,
 * when KEY signed it for BINDING less than MDL_CURSOR_LIFE_S before NOW.
 * DL_INVALID: it did not, whatever the cause.  Thread: any. */
DL_MUSTCHECK dl_status mdl_cursor_decode(const char **position,
                                         const mdl_cursor_key *key,
                                         const mdl_cursor_binding *binding,
                                         const char *text, dl_time now,
                                         apr_pool_t *result_pool);

#endif
