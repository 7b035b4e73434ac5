/* dl_sha256.c - SHA-256 by OpenSSL's plain interface.
 *
 * The EVP interface hides the state between two pieces, which dl_sha256_save
 * has to write; SHA256_CTX shows it and uses the same processor
 * instructions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "dl_sha256.h"

#include <stdint.h>
#include <string.h>

#include <openssl/sha.h>

/* Places in a saved state. */
enum {
    STATE_COUNT = 32,
    STATE_BLOCK = 40,
    BLOCK = 64
};

struct dl_sha256 {
    SHA256_CTX context; /* OpenSSL's state */
};

dl_sha256 *dl_sha256_create(apr_pool_t *pool)
{
    dl_sha256 *sum = apr_pcalloc(pool, sizeof *sum);

    SHA256_Init(&sum->context);
    return sum;
}

void dl_sha256_add(dl_sha256 *sum, const void *data, size_t len)
{
    SHA256_Update(&sum->context, data, len);
}

void dl_sha256_digest(unsigned char out[DL_SHA256_SIZE], dl_sha256 *sum)
{
    SHA256_Final(out, &sum->context);
    SHA256_Init(&sum->context);
}

void dl_sha256_text(char out[DL_SHA256_TEXT], dl_sha256 *sum)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[DL_SHA256_SIZE];

    dl_sha256_digest(digest, sum);
    for (size_t i = 0; i < sizeof digest; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[DL_SHA256_TEXT - 1] = '\0';
}

static void put_u32(unsigned char *out, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (unsigned char)(value >> 8 * i);
    }
}

static uint32_t get_u32(const unsigned char *in)
{
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 |
           (uint32_t)in[3] << 24;
}

void dl_sha256_save(unsigned char out[DL_SHA256_STATE], const dl_sha256 *sum)
{
    const SHA256_CTX *context = &sum->context;
    uint64_t bits = (uint64_t)context->Nh << 32 | context->Nl;

    memset(out, 0, DL_SHA256_STATE);
    for (size_t i = 0; i < 8; i++) {
        put_u32(out + 4 * i, context->h[i]);
    }
    put_u32(out + STATE_COUNT, (uint32_t)(bits / 8));
    put_u32(out + STATE_COUNT + 4, (uint32_t)(bits / 8 >> 32));
    memcpy(out + STATE_BLOCK, context->data, context->num);
}

void dl_sha256_load(dl_sha256 *sum, const unsigned char in[DL_SHA256_STATE])
{
    SHA256_CTX *context = &sum->context;
    uint64_t count = (uint64_t)get_u32(in + STATE_COUNT + 4) << 32 |
                     get_u32(in + STATE_COUNT);

    SHA256_Init(context);
    for (size_t i = 0; i < 8; i++) {
        context->h[i] = get_u32(in + 4 * i);
    }
    context->Nl = (SHA_LONG)(count * 8);
    context->Nh = (SHA_LONG)(count * 8 >> 32);
    context->num = (unsigned)(count % BLOCK);
    memcpy(context->data, in + STATE_BLOCK, context->num);
}
