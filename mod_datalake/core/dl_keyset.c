/* dl_keyset.c - Reading signing keys, and a MAC context per thread and key.
 *
 * Making an EVP_MAC context costs more than the MAC of a token, so each
 * thread keeps one per key.  They hang on a pthread key of the key set: a
 * thread that ends frees its own, the end of the key set frees the rest.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_keyset.h"

#include "dl_secret.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#define KEYS_MAX      16
#define KEY_DIFFERENT 10

/* One key. */
typedef struct keyset_key {
    char kid[DL_KID_MAX + 1]; /* its name */
    dl_secret *secret;        /* its bytes */
} keyset_key;

/* What one thread keeps for one key set. */
typedef struct thread_macs {
    dl_keyset *keys;            /* the set it belongs to */
    struct thread_macs *next;   /* chain of the set, under its mutex */
    struct thread_macs **back;  /* what points to this one */
    EVP_MAC_CTX *mac[KEYS_MAX]; /* keyed contexts */
} thread_macs;

struct dl_keyset {
    int n;                    /* keys in use */
    keyset_key key[KEYS_MAX]; /* the keys; 0 signs */
    EVP_MAC *hmac;            /* the algorithm, fetched once */
    pthread_key_t slot;       /* each thread's thread_macs */
    pthread_mutex_t mutex;    /* guards threads */
    thread_macs *threads;     /* all of them */
};

/* Secrets printed in documentation; a copy of one is no secret. */
static const char *const SAMPLES[] = {
    "a-string-secret-at-least-256-bits-long",
    "your-256-bit-secret",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    ("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcg"
     "UuTwjAzZr1Z9CAow"),
    "GawgguFyGrWKav7AX4VKUg",
    "0123456789abcdef0123456789abcdef",
    "abcdefghijklmnopqrstuvwxyz012345",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
};

/* --- Contexts of a thread ------------------------------------------------- */

static void free_macs(thread_macs *macs)
{
    *macs->back = macs->next;
    if (macs->next != NULL) {
        macs->next->back = macs->back;
    }
    for (int i = 0; i < KEYS_MAX; i++) {
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

dl_status dl_keyset_mac(unsigned char out[DL_HS256_BYTES],
                        const dl_keyset *keys, int i, const void *data,
                        size_t len, dl_error *err)
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
        EVP_MAC_update(macs->mac[i], data, len) != 1 ||
        EVP_MAC_final(macs->mac[i], out, &got, DL_HS256_BYTES) != 1 ||
        got != DL_HS256_BYTES) {
        return dl_fail(err, DL_INTERNAL, 0, "HMAC-SHA256 failed");
    }
    return DL_OK;
}

/* --- The set -------------------------------------------------------------- */

static dl_status create(dl_keyset **keys, dl_error *err, apr_pool_t *pool)
{
    dl_keyset *made = apr_pcalloc(pool, sizeof *made);

    made->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (made->hmac == NULL) {
        return dl_fail(err, DL_INTERNAL, 0, "libcrypto has no HMAC");
    }
    if (pthread_key_create(&made->slot, thread_ended) != 0) {
        EVP_MAC_free(made->hmac);
        return dl_fail(err, DL_UNAVAILABLE, 0, "no thread key left");
    }
    pthread_mutex_init(&made->mutex, NULL);
    apr_pool_cleanup_register(pool, made, keyset_ended, apr_pool_cleanup_null);
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

static bool is_sample(const char *data, size_t len)
{
    for (size_t i = 0; i < sizeof SAMPLES / sizeof SAMPLES[0]; i++) {
        if (strlen(SAMPLES[i]) == len && memcmp(SAMPLES[i], data, len) == 0) {
            return true;
        }
    }
    return false;
}

/* A key as it is read, before it is trusted. */
typedef struct new_key {
    const char *kid;    /* need not end in NUL */
    size_t kid_len;     /* its bytes */
    const char *secret; /* need not end in NUL */
    size_t secret_len;  /* its bytes */
} new_key;

static dl_status add_key(dl_keyset *keys, const new_key *key, dl_error *err,
                         apr_pool_t *pool)
{
    keyset_key *slot;

    if (!kid_is_valid(key->kid, key->kid_len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "a kid must be 1 to %d characters of A-Z a-z 0-9 _ -",
                       DL_KID_MAX);
    }
    if (dl_keyset_find(keys, key->kid, key->kid_len) >= 0) {
        return dl_fail(err, DL_INVALID, 0, "kid %.*s is there twice",
                       (int)key->kid_len, key->kid);
    }
    if (keys->n == KEYS_MAX) {
        return dl_fail(err, DL_INVALID, 0, "more than %d keys", KEYS_MAX);
    }
    DL_TRY(check_strength(key->secret, key->secret_len, err));
    slot = &keys->key[keys->n];
    memcpy(slot->kid, key->kid, key->kid_len);
    DL_TRY(
        dl_secret_copy(&slot->secret, key->secret, key->secret_len, err, pool));
    keys->n++;
    return DL_OK;
}

/* Add the key of one line "kid KID SECRET" of LEN bytes, or nothing for a
 * comment or an empty line. */
static dl_status add_line(dl_keyset *keys, const char *line, size_t len,
                          dl_error *err, apr_pool_t *pool)
{
    const char *blank;
    new_key key = {NULL, 0, NULL, 0};

    if (len == 0 || line[0] == '#') {
        return DL_OK;
    }
    blank = len > 4 ? memchr(line + 4, ' ', len - 4) : NULL;
    if (blank == NULL || memcmp(line, "kid ", 4) != 0) {
        return dl_fail(err, DL_INVALID, 0,
                       "must be \"kid KID SECRET\", empty, or a # comment");
    }
    key.kid = line + 4;
    key.kid_len = (size_t)(blank - key.kid);
    key.secret = blank + 1;
    key.secret_len = len - (size_t)(key.secret - line);
    if (memchr(key.secret, ' ', key.secret_len) != NULL ||
        memchr(key.secret, '\t', key.secret_len) != NULL) {
        return dl_fail(err, DL_INVALID, 0, "a secret must not hold blanks");
    }
    if (is_sample(key.secret, key.secret_len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "the secret is a sample from documentation");
    }
    return add_key(keys, &key, err, pool);
}

static dl_status load_lines(dl_keyset *keys, const dl_secret *file,
                            const char *path, dl_error *err, apr_pool_t *pool)
{
    const char *line = file->data;
    const char *end = file->data + file->len;

    for (int n = 1; line < end; n++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((stop != NULL ? stop : end) - line);
        size_t text = len > 0 && line[len - 1] == '\r' ? len - 1 : len;

        if (add_line(keys, line, text, err, pool) != DL_OK) {
            return dl_wrap(err, "%s:%d", path, n);
        }
        line += len + 1;
    }
    if (keys->n == 0) {
        return dl_fail(err, DL_INVALID, 0, "%s: no line \"kid KID SECRET\"",
                       path);
    }
    return DL_OK;
}

dl_status dl_keyset_load(dl_keyset **keys, const char *path, dl_error *err,
                         apr_pool_t *result_pool)
{
    dl_secret *file;
    new_key key = {"default", 7, NULL, 0};

    DL_TRY(dl_secret_load(&file, path, err, result_pool));
    DL_TRY(create(keys, err, result_pool));
    if (file->data[0] == '#' ||
        (file->len > 4 && memcmp(file->data, "kid ", 4) == 0)) {
        return load_lines(*keys, file, path, err, result_pool);
    }
    if (is_sample(file->data, file->len)) {
        return dl_fail(err, DL_INVALID, 0,
                       "%s: the secret is a sample from documentation", path);
    }
    key.secret = file->data;
    key.secret_len = file->len;
    if (add_key(*keys, &key, err, result_pool) != DL_OK) {
        return dl_wrap(err, "%s", path);
    }
    return DL_OK;
}

dl_status dl_keyset_create(dl_keyset **keys, const char *kid,
                           const void *secret, size_t len, dl_error *err,
                           apr_pool_t *result_pool)
{
    new_key key = {kid, strlen(kid), secret, len};

    DL_TRY(create(keys, err, result_pool));
    return add_key(*keys, &key, err, result_pool);
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

const char *dl_keyset_algorithm(const dl_keyset *keys, int i)
{
    (void)keys;
    (void)i;
    return "HS256";
}
