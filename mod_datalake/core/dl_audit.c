/* dl_audit.c - The audit key and the chain that HMAC-SHA256 makes of lines.
 *
 * HMAC is written out over OpenSSL's SHA-256: the two states behind the key's
 * blocks are made once and copied for each line.  That is a third of the cost
 * of an EVP_MAC context and, unlike it, cannot fail between two lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "dl_audit.h"

#include <string.h>

#include <openssl/sha.h>

#include "dl_secret.h"

/* What a chain's name is signed with to begin it. */
#define BEGIN "datalake audit 1\n"

enum {
    BLOCK = 64
};

struct dl_audit_key {
    SHA256_CTX inner; /* behind the block key ^ 0x36 */
    SHA256_CTX outer; /* behind the block key ^ 0x5c */
};

struct dl_audit_chain {
    const dl_audit_key *key;             /* what signs */
    unsigned char value[DL_AUDIT_VALUE]; /* behind the last line */
    int64_t length;                      /* lines so far */
};

/* Set CONTEXT to the state behind the block of KEY with each byte ^ PAD. */
static void begin_block(SHA256_CTX *context, const unsigned char key[BLOCK],
                        unsigned char pad)
{
    unsigned char block[BLOCK];

    for (size_t i = 0; i < BLOCK; i++) {
        block[i] = key[i] ^ pad;
    }
    SHA256_Init(context);
    SHA256_Update(context, block, BLOCK);
    dl_secret_wipe(block, sizeof block);
}

static apr_status_t wipe_key(void *key)
{
    dl_secret_wipe(key, sizeof(dl_audit_key));
    return APR_SUCCESS;
}

dl_status dl_audit_key_load(const dl_audit_key **key, const char *path,
                            dl_error *err, apr_pool_t *result_pool)
{
    dl_audit_key *made = apr_pcalloc(result_pool, sizeof *made);
    unsigned char block[BLOCK] = {0};
    dl_secret *secret;

    DL_TRY(dl_secret_load(&secret, path, err, result_pool));
    if (secret->len < DL_AUDIT_KEY_MIN) {
        return dl_fail(err, DL_INVALID, 0,
                       "the audit key in %s has %zu bytes, it must have at "
                       "least %d",
                       path, secret->len, DL_AUDIT_KEY_MIN);
    }
    if (secret->len > BLOCK) {
        SHA256((const unsigned char *)secret->data, secret->len, block);
    }
    else {
        memcpy(block, secret->data, secret->len);
    }
    apr_pool_cleanup_register(result_pool, made, wipe_key,
                              apr_pool_cleanup_null);
    begin_block(&made->inner, block, 0x36);
    begin_block(&made->outer, block, 0x5c);
    dl_secret_wipe(block, sizeof block);
    *key = made;
    return DL_OK;
}

dl_audit_chain *dl_audit_chain_create(const dl_audit_key *key,
                                      apr_pool_t *result_pool)
{
    dl_audit_chain *chain = apr_pcalloc(result_pool, sizeof *chain);

    chain->key = key;
    return chain;
}

/* Set CHAIN's value to the MAC of what CONTEXT, begun from the inner state,
 * has read. */
static void finish(dl_audit_chain *chain, SHA256_CTX *context)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX outer = chain->key->outer;

    SHA256_Final(digest, context);
    SHA256_Update(&outer, digest, sizeof digest);
    SHA256_Final(chain->value, &outer);
}

void dl_audit_chain_begin(dl_audit_chain *chain, const char *name)
{
    SHA256_CTX context = chain->key->inner;

    SHA256_Update(&context, BEGIN, sizeof BEGIN - 1);
    SHA256_Update(&context, name, strlen(name));
    finish(chain, &context);
    chain->length = 0;
}

void dl_audit_chain_resume(dl_audit_chain *chain,
                           const unsigned char value[DL_AUDIT_VALUE],
                           int64_t length)
{
    memmove(chain->value, value, DL_AUDIT_VALUE);
    chain->length = length;
}

void dl_audit_chain_add(dl_audit_chain *chain, const char *sealed, size_t len)
{
    SHA256_CTX context = chain->key->inner;

    SHA256_Update(&context, chain->value, DL_AUDIT_VALUE);
    SHA256_Update(&context, sealed, len);
    finish(chain, &context);
    chain->length++;
}

const unsigned char *dl_audit_chain_value(const dl_audit_chain *chain)
{
    return chain->value;
}

int64_t dl_audit_chain_length(const dl_audit_chain *chain)
{
    return chain->length;
}

void dl_audit_hex(char out[2 * DL_AUDIT_VALUE],
                  const unsigned char value[DL_AUDIT_VALUE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DL_AUDIT_VALUE; i++) {
        out[2 * i] = digits[value[i] >> 4];
        out[2 * i + 1] = digits[value[i] & 15];
    }
}
