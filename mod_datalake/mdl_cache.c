/* mdl_cache.c - The answer cache: a hash table in order of last use.
 *
 * An entry is one malloc block: the struct, the key, the body and the
 * cursor.  `making` entries have no body yet; those who wait for one sleep on
 * the cache's condition variable.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "dl_time.h"

#define BUCKETS 1024 /* a power of two; chains stay short at any bound */

/* One answer, or the promise of one. */
typedef struct entry {
    struct entry *chain;         /* next in the bucket */
    struct entry *newer, *older; /* in order of last use */
    mdl_cache_answer answer;     /* pointers into this block */
    int64_t born_us;             /* monotonic, when made or promised */
    size_t size;                 /* bytes of the block */
    unsigned hash;               /* of the key */
    int making;                  /* 1: promised, no answer yet */
    char key[];                  /* NUL-terminated, the answer behind it */
} entry;

struct mdl_cache {
    pthread_mutex_t mutex;  /* guards everything below */
    pthread_cond_t made;    /* a promise was kept or given up */
    size_t max_bytes;       /* bound of stats.bytes */
    mdl_cache_stats stats;  /* bytes and entries are kept here too */
    entry *newest, *oldest; /* by last use */
    entry *bucket[BUCKETS]; /* chains by hash */
};

static unsigned hash_key(const char *key)
{
    unsigned hash = 2166136261U;

    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 16777619U;
    }
    return hash;
}

/* Take E out of the order of use. */
static void unlink_use(mdl_cache *cache, entry *e)
{
    if (e->newer != NULL) {
        e->newer->older = e->older;
    }
    else {
        cache->newest = e->older;
    }
    if (e->older != NULL) {
        e->older->newer = e->newer;
    }
    else {
        cache->oldest = e->newer;
    }
}

/* Make E the one used last. */
static void link_newest(mdl_cache *cache, entry *e)
{
    e->newer = NULL;
    e->older = cache->newest;
    if (cache->newest != NULL) {
        cache->newest->newer = e;
    }
    else {
        cache->oldest = e;
    }
    cache->newest = e;
}

/* Take E out of the table and free it. */
static void drop(mdl_cache *cache, entry *e)
{
    entry **at = &cache->bucket[e->hash % BUCKETS];

    while (*at != e) {
        at = &(*at)->chain;
    }
    *at = e->chain;
    unlink_use(cache, e);
    cache->stats.bytes -= e->size;
    cache->stats.entries--;
    free(e);
}

/* Put E, filled but for its links, into the table. */
static void insert(mdl_cache *cache, entry *e)
{
    e->chain = cache->bucket[e->hash % BUCKETS];
    cache->bucket[e->hash % BUCKETS] = e;
    link_newest(cache, e);
    cache->stats.bytes += e->size;
    cache->stats.entries++;
    while (cache->stats.bytes > cache->max_bytes && cache->oldest != e) {
        drop(cache, cache->oldest);
    }
}

static entry *find(mdl_cache *cache, const char *key, unsigned hash)
{
    entry *e = cache->bucket[hash % BUCKETS];

    while (e != NULL && (e->hash != hash || strcmp(e->key, key) != 0)) {
        e = e->chain;
    }
    return e;
}

/* Return a new block for KEY with MORE bytes behind the key; NULL when there
 * is no memory, and then nothing is cached. */
static entry *entry_create(const char *key, unsigned hash, size_t more)
{
    size_t key_len = strlen(key) + 1;
    entry *e = calloc(1, sizeof(*e) + key_len + more);

    if (e != NULL) {
        memcpy(e->key, key, key_len);
        e->hash = hash;
        e->size = sizeof(*e) + key_len + more;
        e->born_us = dl_time_monotonic_us();
    }
    return e;
}

static apr_status_t cache_cleanup(void *data)
{
    mdl_cache *cache = data;

    while (cache->oldest != NULL) {
        drop(cache, cache->oldest);
    }
    pthread_cond_destroy(&cache->made);
    pthread_mutex_destroy(&cache->mutex);
    return APR_SUCCESS;
}

mdl_cache *mdl_cache_create(size_t max_bytes, apr_pool_t *pool)
{
    mdl_cache *cache = apr_pcalloc(pool, sizeof(*cache));
    pthread_condattr_t attributes;

    cache->max_bytes = max_bytes;
    pthread_mutex_init(&cache->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cache->made, &attributes);
    pthread_condattr_destroy(&attributes);
    apr_pool_cleanup_register(pool, cache, cache_cleanup,
                              apr_pool_cleanup_null);
    return cache;
}

/* Copy the answer of E to ANSWER. */
static void copy_out(mdl_cache_answer *answer, const entry *e, apr_pool_t *pool)
{
    answer->body = apr_pmemdup(pool, e->answer.body, e->answer.len);
    answer->len = e->answer.len;
    answer->cursor = apr_pstrdup(pool, e->answer.cursor);
}

/* Promise the answer of KEY; the caller found none and holds the mutex. */
static mdl_cache_verdict promise(mdl_cache *cache, const char *key,
                                 unsigned hash)
{
    entry *e = entry_create(key, hash, 0);

    cache->stats.misses++;
    if (e == NULL) {
        return MDL_CACHE_ALONE;
    }
    e->making = 1;
    insert(cache, e);
    return MDL_CACHE_MINE;
}

/* Wait for the answer promised under KEY, but no longer than MDL_CACHE_WAIT_MS
 * after the promise.  Return its entry, or NULL when there is none; *LATE is 1
 * when a promise took too long. */
static entry *wait_for(mdl_cache *cache, const char *key, unsigned hash,
                       int *late)
{
    entry *e = find(cache, key, hash);

    *late = 0;
    while (e != NULL && e->making != 0) {
        int64_t until_us = e->born_us + MDL_CACHE_WAIT_MS * INT64_C(1000);
        struct timespec until = {.tv_sec = until_us / DL_SECOND_US,
                                 .tv_nsec = until_us % DL_SECOND_US * 1000};

        if (dl_time_monotonic_us() >= until_us) {
            *late = 1;
            return NULL;
        }
        pthread_cond_timedwait(&cache->made, &cache->mutex, &until);
        e = find(cache, key, hash);
    }
    return e;
}

/* mdl_cache_find with the mutex held. */
static mdl_cache_verdict find_locked(mdl_cache_answer *answer, mdl_cache *cache,
                                     const char *key, apr_pool_t *pool)
{
    unsigned hash = hash_key(key);
    int64_t now_us = dl_time_monotonic_us();
    int late;
    entry *e = wait_for(cache, key, hash, &late);

    if (e != NULL && now_us - e->born_us < MDL_CACHE_LIFE_MS * INT64_C(1000)) {
        unlink_use(cache, e);
        link_newest(cache, e);
        cache->stats.hits++;
        copy_out(answer, e, pool);
        return MDL_CACHE_HIT;
    }
    if (late != 0) {
        cache->stats.misses++;
        return MDL_CACHE_ALONE;
    }
    if (e != NULL) {
        drop(cache, e);
    }
    return promise(cache, key, hash);
}

mdl_cache_verdict mdl_cache_find(mdl_cache_answer *answer, mdl_cache *cache,
                                 const char *key, apr_pool_t *result_pool)
{
    mdl_cache_verdict verdict;

    memset(answer, 0, sizeof(*answer));
    pthread_mutex_lock(&cache->mutex);
    verdict = find_locked(answer, cache, key, result_pool);
    pthread_mutex_unlock(&cache->mutex);
    return verdict;
}

/* Return an entry that holds a copy of ANSWER under KEY, or NULL. */
static entry *entry_fill(const char *key, const mdl_cache_answer *answer)
{
    size_t cursor_len = answer->cursor != NULL ? strlen(answer->cursor) + 1 : 0;
    entry *e = entry_create(key, hash_key(key), answer->len + cursor_len);
    char *at;

    if (e == NULL) {
        return NULL;
    }
    at = e->key + strlen(key) + 1;
    if (cursor_len > 0) {
        memcpy(at, answer->cursor, cursor_len);
        e->answer.cursor = at;
    }
    memcpy(at + cursor_len, answer->body, answer->len);
    e->answer.body = at + cursor_len;
    e->answer.len = answer->len;
    return e;
}

/* Drop the promise under KEY, if the bound has not already, and wake those
 * who wait.  The mutex is held. */
static void promise_end(mdl_cache *cache, const char *key)
{
    entry *e = find(cache, key, hash_key(key));

    if (e != NULL && e->making != 0) {
        drop(cache, e);
    }
    pthread_cond_broadcast(&cache->made);
}

void mdl_cache_put(mdl_cache *cache, const char *key,
                   const mdl_cache_answer *answer)
{
    entry *e = entry_fill(key, answer);

    pthread_mutex_lock(&cache->mutex);
    promise_end(cache, key);
    if (e != NULL && e->size <= cache->max_bytes / 4 &&
        find(cache, key, e->hash) == NULL) {
        insert(cache, e);
        e = NULL;
    }
    pthread_mutex_unlock(&cache->mutex);
    free(e);
}

void mdl_cache_abandon(mdl_cache *cache, const char *key)
{
    pthread_mutex_lock(&cache->mutex);
    promise_end(cache, key);
    pthread_mutex_unlock(&cache->mutex);
}

void mdl_cache_read_stats(mdl_cache_stats *stats, mdl_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    *stats = cache->stats;
    pthread_mutex_unlock(&cache->mutex);
}
