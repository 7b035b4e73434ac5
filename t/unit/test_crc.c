/* test_crc.c - Checksums against values of their standards.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_crc.h"
#include "dl_sha256.h"

#include "tap.h"

#include <stdlib.h>

#include <apr_general.h>

static void test_crc(void)
{
    static unsigned char bytes[5000];
    bool same = true;

    memset(bytes, 0, sizeof bytes);
    is_int(dl_crc32c(0, "123456789", 9), 0xe3069283, "the check value");
    is_int(dl_crc32c(0, bytes, 32), 0x8a9136aa, "32 zeros (RFC 3720, B.4)");
    memset(bytes, 0xff, 32);
    is_int(dl_crc32c(0, bytes, 32), 0x62a8ab43, "32 ones (RFC 3720, B.4)");
    is_int(dl_crc32c(0, "", 0), 0, "nothing");
    is_int(dl_crc32c(dl_crc32c(0, "1234", 4), "56789", 5), 0xe3069283,
           "in pieces it is the same");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * 37 + 11);
    }
    for (size_t n = 0; n < sizeof bytes; n++) {
        same = same && dl_crc32c(7, bytes, n) == dl_crc32c_table(7, bytes, n);
    }
    ok(same, "instruction and table agree on 5,000 lengths");
}

static void test_sha256(apr_pool_t *pool)
{
    dl_sha256 *sum = dl_sha256_create(pool);
    dl_sha256 *other = dl_sha256_create(pool);
    unsigned char state[DL_SHA256_STATE];
    char text[DL_SHA256_TEXT];
    char bytes[1000];

    dl_sha256_add(sum, "abc", 3);
    dl_sha256_text(text, sum);
    is_str(text,
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "the digest of abc (FIPS 180)");
    dl_sha256_text(text, sum);
    is_str(text,
           "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
           "a digest begins anew: that of nothing");
    memset(bytes, 'x', sizeof bytes);
    dl_sha256_add(sum, bytes, 700);
    dl_sha256_save(state, sum);
    dl_sha256_load(other, state);
    dl_sha256_add(sum, bytes, 300);
    dl_sha256_add(other, bytes, 300);
    dl_sha256_text(text, sum);
    is_str(text,
           "44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2ae7c7f",
           "a thousand x");
    dl_sha256_text(bytes, other);
    is_str(bytes, text, "a saved state goes on elsewhere");
}

int main(void)
{
    apr_pool_t *pool;

    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    test_crc();
    test_sha256(pool);
    apr_terminate();
    return done();
}
