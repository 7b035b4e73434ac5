/* test_password.c - Password rules and Argon2id hashes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_password.h"
#include "dl_secret.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

static void test_rules(void)
{
    char long_one[258];

    memset(long_one, 'x', sizeof long_one);
    is_int(dl_password_check("1234567", 7, NULL, NULL), DL_INVALID,
           "seven bytes are too few");
    is_int(dl_password_check("12345678", 8, NULL, NULL), DL_OK,
           "eight bytes are enough");
    is_int(dl_password_check(long_one, 256, NULL, NULL), DL_OK,
           "256 bytes are allowed");
    is_int(dl_password_check(long_one, 257, NULL, NULL), DL_INVALID,
           "257 bytes are too many");
    is_int(dl_password_check("1234\0005678", 9, NULL, NULL), DL_INVALID,
           "a NUL byte is refused");
    is_int(dl_password_check("alice.b1", 8, "alice.b1", NULL), DL_INVALID,
           "the account's name is refused");
}

static void test_hashes(void)
{
    char hash[DL_PASSWORD_HASH] = "";
    char again[DL_PASSWORD_HASH] = "";
    bool match = false;

    is_int(dl_password_hash(hash, "correct horse", 13, NULL), DL_OK,
           "a password is hashed");
    ok(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31) == 0,
       "with Argon2id, 19 MiB, two passes, one lane");
    ok(dl_password_hash(again, "correct horse", 13, NULL) == DL_OK &&
           strcmp(hash, again) != 0,
       "twice with different salts");
    ok(dl_password_verify(&match, hash, "correct horse", 13, NULL) == DL_OK &&
           match,
       "the right password matches");
    ok(dl_password_verify(&match, hash, "Correct horse", 13, NULL) == DL_OK &&
           !match,
       "a wrong one does not");
    ok(dl_password_verify(&match, NULL, "correct horse", 13, NULL) == DL_OK &&
           !match,
       "an unknown account never matches");
    ok(dl_password_verify(&match, "no hash", "correct horse", 13, NULL) ==
               DL_OK &&
           !match,
       "a stored text that is no hash never matches");
}

static void test_wiping(apr_pool_t *pool)
{
    dl_secret *secret = NULL;
    char bytes[4] = "abc";

    is_int(dl_secret_copy(&secret, bytes, 3, NULL, pool), DL_OK,
           "a secret is copied to guarded memory");
    is_str(secret->data, "abc", "with its bytes and a NUL");
    dl_secret_wipe(bytes, sizeof bytes);
    ok(memcmp(bytes, "\0\0\0", 4) == 0, "wiped bytes are zero");
    is_str(secret->data, "abc", "the copy stays");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_rules();
    test_hashes();
    test_wiping(pool);
    apr_terminate();
    return done();
}
