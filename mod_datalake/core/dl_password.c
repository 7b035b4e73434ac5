/* dl_password.c - Argon2id by libsodium.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_password.h"

#include <string.h>

#include <sodium.h>

#define OPSLIMIT 2
#define MEMLIMIT ((size_t)19 * 1024 * 1024)

/* The hash of a random password nobody knows: an unknown account costs the
 * same work as a known one. */
static const char NOBODY[] =
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

_Static_assert(DL_PASSWORD_HASH >= crypto_pwhash_argon2id_STRBYTES,
               "libsodium's hash text must fit");

dl_status dl_password_check(const char *password, size_t len,
                            const char *username, dl_error *err)
{
    if (len < DL_PASSWORD_MIN || len > DL_PASSWORD_MAX) {
        return dl_fail(err, DL_INVALID, 0,
                       "a password must have %d to %d bytes, this has %zu",
                       DL_PASSWORD_MIN, DL_PASSWORD_MAX, len);
    }
    if (memchr(password, '\0', len) != NULL) {
        return dl_fail(err, DL_INVALID, 0,
                       "a password must not hold a NUL byte");
    }
    if (username != NULL && strlen(username) == len &&
        memcmp(username, password, len) == 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "a password must not be the name of the account");
    }
    return DL_OK;
}

dl_status dl_password_hash(char out[DL_PASSWORD_HASH], const char *password,
                           size_t len, dl_error *err)
{
    if (sodium_init() < 0) {
        return dl_fail(err, DL_INTERNAL, 0, "libsodium cannot start");
    }
    if (crypto_pwhash_argon2id_str(out, password, len, OPSLIMIT, MEMLIMIT) !=
        0) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "no memory for a password hash");
    }
    return DL_OK;
}

dl_status dl_password_verify(bool *match, const char *hash,
                             const char *password, size_t len, dl_error *err)
{
    int differs;

    *match = false;
    if (sodium_init() < 0) {
        return dl_fail(err, DL_INTERNAL, 0, "libsodium cannot start");
    }
    differs = crypto_pwhash_argon2id_str_verify(hash != NULL ? hash : NOBODY,
                                                password, len);
    *match = differs == 0 && hash != NULL;
    return DL_OK;
}
