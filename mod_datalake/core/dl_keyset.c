/* dl_keyset.c - The keys of a set, and a MAC context per thread and secret.
 *
 * Making an EVP_MAC context costs more than the MAC of a token, so each
 * thread keeps one per secret.  They hang on a pthread key of the key set: a
 * thread that ends frees its own, the end of the key set frees the rest.
 *
 * Files are read in dl_keyset_file.c and dl_keyset_jwks.c.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_keyset.h"

#include "dl_jws_cache.h"
#include "dl_secret.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define KEY_DIFFERENT 10

/* One key: a secret or a pair. */
typedef struct keyset_key {
    char kid[DL_KID_MAX + 1]; /* its name */
    dl_secret *secret;        /* its bytes, NULL: a pair */
    const dl_jws_key *pair;   /* the pair, NULL: a secret */
} keyset_key;

/* What one thread keeps for one key set. */
typedef struct thread_macs {
    dl_keyset *keys;               /* the set it belongs to */
    struct thread_macs *next;      /* chain of the set, under its mutex */
    struct thread_macs **back;     /* what points to this one */
    EVP_MAC_CTX *mac[DL_KEYS_MAX]; /* keyed contexts */
} thread_macs;

struct dl_keyset {
    int n;                       /* keys in use */
    keyset_key key[DL_KEYS_MAX]; /* the keys; 0 signs */
    struct dl_jws_cache *cache;  /* right signatures, NULL: none is kept */
    EVP_MAC *hmac;               /* the algorithm, fetched once */
    pthread_key_t slot;          /* each thread's thread_macs */
    pthread_mutex_t mutex;       /* guards threads */
    thread_macs *threads;        /* all of them */
};

/* --- Contexts of a thread ------------------------------------------------- */

static void free_macs(thread_macs *macs)
{
    *macs->back = macs->next;
    if (macs->next != NULL) {
        macs->next->back = macs->back;
    }
    for (int i = 0; i < DL_KEYS_MAX; i++) {
        EVP_MAC_CTX_free(macs->mac[i]);
    }
    free(macs);
}

/* Run by pthread at the end of a thread. */
static void thread_ended(void *data)
{
    thread_macs *macs = data;
    dl_keyset *keys = macs->keys;

    pthread_mutex_lock(&keys->mutex);
    free_macs(macs);
    pthread_mutex_unlock(&keys->mutex);
}

/* Run with the pool the set lives in; no thread uses it any more. */
static apr_status_t keyset_ended(void *data)
{
    dl_keyset *keys = data;

    pthread_key_delete(keys->slot);
    while (keys->threads != NULL) {
        free_macs(keys->threads);
    }
    EVP_MAC_free(keys->hmac);
    pthread_mutex_destroy(&keys->mutex);
    return APR_SUCCESS;
}

static EVP_MAC_CTX *make_context(const dl_keyset *keys, int i)
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(keys->hmac);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    const dl_secret *secret = keys->key[i].secret;

    if (context == NULL ||
        EVP_MAC_init(context, (const unsigned char *)secret->data, secret->len,
                     params) != 1) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    return context;
}

/* The calling thread's contexts, made at its first call; NULL: no memory. */
static thread_macs *my_macs(const dl_keyset *shared)
{
    thread_macs *macs = pthread_getspecific(shared->slot);
    dl_keyset *keys;

    if (macs != NULL) {
        return macs;
    }
    macs = calloc(1, sizeof *macs);
    if (macs == NULL || pthread_setspecific(shared->slot, macs) != 0) {
        free(macs);
        return NULL;
    }
    /* The keys never change; the chain of threads is not a part of them. */
    memcpy(&keys, &shared, sizeof keys);
    macs->keys = keys;
    pthread_mutex_lock(&keys->mutex);
    macs->next = keys->threads;
    macs->back = &keys->threads;
    if (macs->next != NULL) {
        macs->next->back = &macs->next;
    }
    keys->threads = macs;
    pthread_mutex_unlock(&keys->mutex);
    return macs;
}

/* Write the MAC of INPUT under secret I to OUT, with this thread's context. */
static dl_status make_mac(unsigned char out[DL_HS256_BYTES],
                          const dl_keyset *keys, int i,
                          const dl_jws_input *input, dl_error *err)
{
    thread_macs *macs = my_macs(keys);
    size_t got = 0;

    if (macs != NULL && macs->mac[i] == NULL) {
        macs->mac[i] = make_context(keys, i);
    }
    if (macs == NULL || macs->mac[i] == NULL) {
        return dl_fail(err, DL_INTERNAL, 0, "no HMAC-SHA256 context");
    }
    /* A NULL key starts anew with the key the context has. */
    if (EVP_MAC_init(macs->mac[i], NULL, 0, NULL) != 1 ||
        EVP_MAC_update(macs->mac[i], input->data, input->len) != 1 ||
        EVP_MAC_final(macs->mac[i], out, &got, DL_HS256_BYTES) != 1 ||
        got != DL_HS256_BYTES) {
        return dl_fail(err, DL_INTERNAL, 0, "HMAC-SHA256 failed");
    }
    return DL_OK;
}

/* --- Signatures ----------------------------------------------------------- */

static dl_status verify_mac(const dl_keyset *keys, int i,
                            const dl_jws_input *input,
                            const unsigned char *signature, dl_error *err)
{
    unsigned char want[DL_HS256_BYTES];

    DL_TRY(make_mac(want, keys, i, input, err));
    if (CRYPTO_memcmp(want, signature, DL_HS256_BYTES) != 0) {
        return dl_fail(err, DL_INVALID, 0, "the signature is wrong");
    }
    return DL_OK;
}

static dl_status verify_pair(const dl_keyset *keys, int i,
                             const dl_jws_input *input,
                             const unsigned char *signature, dl_error *err)
{
    const dl_jws_key *pair = keys->key[i].pair;
    size_t len = dl_jws_key_length(pair);
    dl_jws_mark mark;

    if (keys->cache == NULL) {
        return dl_jws_key_verify(pair, input, signature, len, err);
    }
    dl_jws_cache_mark(&mark, keys->cache, pair, input, signature, len);
    if (dl_jws_cache_has(keys->cache, &mark)) {
        return DL_OK;
    }
    DL_TRY(dl_jws_key_verify(pair, input, signature, len, err));
    dl_jws_cache_put(keys->cache, &mark);
    return DL_OK;
}

dl_status dl_keyset_verify(const dl_keyset *keys, int i,
                           const dl_jws_input *input,
                           const unsigned char *signature, dl_error *err)
{
    return keys->key[i].pair != NULL
               ? verify_pair(keys, i, input, signature, err)
               : verify_mac(keys, i, input, signature, err);
}

dl_status dl_keyset_sign(unsigned char out[DL_SIGNATURE_MAX],
                         const dl_keyset *keys, int i,
                         const dl_jws_input *input, dl_error *err)
{
    size_t len = 0;

    if (keys->key[i].pair == NULL) {
        return make_mac(out, keys, i, input, err);
    }
    DL_TRY(dl_jws_key_sign(out, &len, keys->key[i].pair, input, err));
    if (len != dl_jws_key_length(keys->key[i].pair)) {
        return dl_fail(err, DL_INTERNAL, 0, "a signature of %zu bytes", len);
    }
    return DL_OK;
}

dl_status dl_keyset_derive(unsigned char out[32], const dl_keyset *keys,
                           const char *purpose, dl_error *err)
{
    const dl_secret *secret = keys->key[0].secret;

    if (secret == NULL) {
        return dl_jws_key_derive(out, keys->key[0].pair, purpose, err);
    }
    if (HMAC(EVP_sha256(), secret->data, (int)secret->len,
             (const unsigned char *)purpose, strlen(purpose), out,
             NULL) == NULL) {
        return dl_fail(err, DL_INTERNAL, 0, "HMAC-SHA256 failed");
    }
    return DL_OK;
}

/* --- The set -------------------------------------------------------------- */

dl_status dl_keyset_begin(dl_keyset **keys, dl_error *err,
                          apr_pool_t *result_pool)
{
    dl_keyset *made = apr_pcalloc(result_pool, sizeof *made);

    made->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (made->hmac == NULL) {
        return dl_fail(err, DL_INTERNAL, 0, "libcrypto has no HMAC");
    }
    if (pthread_key_create(&made->slot, thread_ended) != 0) {
        EVP_MAC_free(made->hmac);
        return dl_fail(err, DL_UNAVAILABLE, 0, "no thread key left");
    }
    pthread_mutex_init(&made->mutex, NULL);
    apr_pool_cleanup_register(result_pool, made, keyset_ended,
                              apr_pool_cleanup_null);
    *keys = made;
    return DL_OK;
}

static bool kid_is_valid(const char *kid, size_t len)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789_-";

    return len >= 1 && len <= DL_KID_MAX && strspn(kid, allowed) >= len;
}

static int count_different(const char *data, size_t len)
{
    bool seen[256] = {false};
    int n = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];

        n += seen[c] ? 0 : 1;
        seen[c] = true;
    }
    return n;
}

static dl_status check_strength(const char *data, size_t len, dl_error *err)
{
    if (len < DL_KEY_MIN) {
        return dl_fail(err, DL_INVALID, 0,
                       "a key must have at least %d bytes, this has %zu; make "
                       "one with: openssl rand -base64 48",
                       DL_KEY_MIN, len);
    }
    if (count_different(data, len) < KEY_DIFFERENT) {
        return dl_fail(err, DL_INVALID, 0,
                       "the key has fewer than %d different bytes; make one "
                       "with: openssl rand -base64 48",
                       KEY_DIFFERENT);
    }
    return DL_OK;
}

/* Name the place behind the last key KID; it is not counted yet. */
static dl_status name_next(dl_keyset *keys, const dl_kid *kid, dl_error *err)
{
    char *name;

    if (!kid_is_valid(kid->text, kid->len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "a kid must be 1 to %d characters of A-Z a-z 0-9 _ -",
                       DL_KID_MAX);
    }
    if (dl_keyset_find(keys, kid->text, kid->len) >= 0) {
        return dl_fail(err, DL_INVALID, 0, "kid %.*s is there twice",
                       (int)kid->len, kid->text);
    }
    if (keys->n == DL_KEYS_MAX) {
        return dl_fail(err, DL_INVALID, 0, "more than %d keys", DL_KEYS_MAX);
    }
    name = keys->key[keys->n].kid;
    memcpy(name, kid->text, kid->len);
    name[kid->len] = '\0';
    return DL_OK;
}

dl_status dl_keyset_add_secret(dl_keyset *keys, const dl_kid *kid,
                               const char *secret, size_t len, dl_error *err,
                               apr_pool_t *pool)
{
    DL_TRY(name_next(keys, kid, err));
    DL_TRY(check_strength(secret, len, err));
    DL_TRY(dl_secret_copy(&keys->key[keys->n].secret, secret, len, err, pool));
    keys->n++;
    return DL_OK;
}

dl_status dl_keyset_add_pair(dl_keyset *keys, const dl_kid *kid,
                             const dl_jws_key *pair, dl_error *err)
{
    DL_TRY(name_next(keys, kid, err));
    if (keys->n == 0 && !dl_jws_key_signs(pair)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the first key signs, so it must be a private one");
    }
    keys->key[keys->n].pair = pair;
    keys->n++;
    return DL_OK;
}

dl_status dl_keyset_create(dl_keyset **keys, const char *kid,
                           const void *secret, size_t len, dl_error *err,
                           apr_pool_t *result_pool)
{
    dl_kid name = {kid, strlen(kid)};

    DL_TRY(dl_keyset_begin(keys, err, result_pool));
    return dl_keyset_add_secret(*keys, &name, secret, len, err, result_pool);
}

void dl_keyset_remember(dl_keyset *keys, struct dl_jws_cache *cache)
{
    keys->cache = cache;
}

int dl_keyset_count(const dl_keyset *keys)
{
    return keys->n;
}

const char *dl_keyset_kid(const dl_keyset *keys, int i)
{
    return keys->key[i].kid;
}

int dl_keyset_find(const dl_keyset *keys, const char *kid, size_t len)
{
    for (int i = 0; i < keys->n; i++) {
        if (strlen(keys->key[i].kid) == len &&
            memcmp(keys->key[i].kid, kid, len) == 0) {
            return i;
        }
    }
    return -1;
}

const dl_jws_key *dl_keyset_pair(const dl_keyset *keys, int i)
{
    return keys->key[i].pair;
}

const char *dl_keyset_algorithm(const dl_keyset *keys, int i)
{
    const dl_jws_key *pair = keys->key[i].pair;

    return pair != NULL ? dl_jws_key_algorithm(pair) : "HS256";
}

size_t dl_keyset_length(const dl_keyset *keys, int i)
{
    const dl_jws_key *pair = keys->key[i].pair;

    return pair != NULL ? dl_jws_key_length(pair) : DL_HS256_BYTES;
}
