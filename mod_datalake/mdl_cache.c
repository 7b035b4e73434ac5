/* mdl_cache.c - The answer cache: a hash table in order of last use.
 *
 * An entry is a malloc block for the key and one for the answer.  Those who
 * wait for an answer sleep on the cache's condition variable.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "dl_thread.h"
#include "dl_time.h"
#include "mdl_thread.h"

#define BUCKETS 1024 /* a power of two; chains stay short at any bound */

/* A finished answer; one malloc block with its texts. */
typedef struct made {
    mdl_cache_answer answer; /* pointers into this block */
    const char *stamp;       /* the state it was made from, in this block */
    int64_t born_us;         /* monotonic, since when it lives */
    unsigned given;          /* how often it was an answer */
    size_t size;             /* bytes of the block */
} made;

/* What is known under one key. */
typedef struct entry {
    struct entry *chain;         /* next in the bucket */
    struct entry *newer, *older; /* in order of last use */
    made *kept;                  /* the newest answer, NULL: none yet */
    int64_t promised_us;         /* when a thread began to make one; 0: none */
    size_t size;                 /* bytes of this block */
    unsigned hash;               /* of the key */
    char key[];                  /* NUL-terminated */
} entry;

struct mdl_cache {
    pthread_mutex_t mutex;  /* guards everything below */
    pthread_cond_t wake;    /* a promise was kept or given up */
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
    cache->stats.bytes -= e->size + (e->kept != NULL ? e->kept->size : 0);
    cache->stats.entries--;
    free(e->kept);
    free(e);
}

/* Drop what was unused for longest until the bound holds; E stays. */
static void shrink(mdl_cache *cache, const entry *e)
{
    entry *last = cache->oldest;

    while (cache->stats.bytes > cache->max_bytes && last != e) {
        entry *next = last->newer;

        drop(cache, last);
        last = next;
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

/* Return a new entry for KEY; NULL when there is no memory. */
static entry *entry_create(mdl_cache *cache, const char *key, unsigned hash)
{
    size_t key_len = strlen(key) + 1;
    entry *e = calloc(1, sizeof(*e) + key_len);

    if (e == NULL) {
        return NULL;
    }
    memcpy(e->key, key, key_len);
    e->hash = hash;
    e->size = sizeof(*e) + key_len;
    e->chain = cache->bucket[hash % BUCKETS];
    cache->bucket[hash % BUCKETS] = e;
    link_newest(cache, e);
    cache->stats.bytes += e->size;
    cache->stats.entries++;
    shrink(cache, e);
    return e;
}

static apr_status_t cache_cleanup(void *data)
{
    mdl_cache *cache = data;

    entry *last = cache->oldest;

    while (last != NULL) {
        entry *next = last->newer;

        drop(cache, last);
        last = next;
    }
    pthread_cond_destroy(&cache->wake);
    pthread_mutex_destroy(&cache->mutex);
    return APR_SUCCESS;
}

mdl_cache *mdl_cache_create(size_t max_bytes, apr_pool_t *pool)
{
    mdl_cache *cache = apr_pcalloc(pool, sizeof(*cache));

    cache->max_bytes = max_bytes;
    mdl_thread_mutex_init(&cache->mutex);
    dl_thread_cond_init(&cache->wake);
    apr_pool_cleanup_register(pool, cache, cache_cleanup,
                              apr_pool_cleanup_null);
    return cache;
}

/* Copy the answer that E keeps to ANSWER. */
static mdl_cache_verdict hit(mdl_cache_answer *answer, mdl_cache *cache,
                             entry *e, apr_pool_t *pool)
{
    const mdl_cache_answer *kept = &e->kept->answer;

    unlink_use(cache, e);
    link_newest(cache, e);
    cache->stats.hits++;
    e->kept->given++;
    answer->body = apr_pmemdup(pool, kept->body, kept->len);
    answer->len = kept->len;
    answer->cursor = apr_pstrdup(pool, kept->cursor);
    return MDL_CACHE_HIT;
}

/* Return whether E keeps an answer younger than MS. */
static int younger(const entry *e, int64_t ms)
{
    return e != NULL && e->kept != NULL &&
                   dl_time_monotonic_us() - e->kept->born_us < ms * 1000
               ? 1
               : 0;
}

/* Return whether E keeps an answer for STAMP that still lives. */
static int good(const entry *e, const char *stamp)
{
    return younger(e, MDL_CACHE_LIFE_MS) != 0 &&
                   strcmp(e->kept->stamp, stamp) == 0
               ? 1
               : 0;
}

/* Return whether the answer that E keeps, if any, is asked for often. */
static int is_hot(const entry *e)
{
    return e != NULL && e->kept != NULL && e->kept->given >= MDL_CACHE_HOT ? 1
                                                                           : 0;
}

/* Return whether the answer of E, made from another state, will do: another
 * one is being made, or, with HOT, it is hardly a second old. */
static int will_do(const entry *e, int hot)
{
    if (e != NULL && e->promised_us != 0) {
        return younger(e, MDL_CACHE_OLD_MS);
    }
    return hot != 0 && is_hot(e) != 0 ? younger(e, MDL_CACHE_HOT_MS) : 0;
}

/* Wait while somebody makes the answer of E, no longer than MDL_CACHE_WAIT_MS
 * after the promise.  Return the entry of KEY then, NULL when it is gone. */
static entry *wait_for(mdl_cache *cache, entry *e, const char *key,
                       unsigned hash)
{
    while (e != NULL && e->promised_us != 0) {
        int64_t until_us = e->promised_us + MDL_CACHE_WAIT_MS * INT64_C(1000);
        struct timespec until = {.tv_sec = until_us / DL_SECOND_US,
                                 .tv_nsec = until_us % DL_SECOND_US * 1000};

        if (dl_time_monotonic_us() >= until_us) {
            return e;
        }
        pthread_cond_timedwait(&cache->wake, &cache->mutex, &until);
        e = find(cache, key, hash);
    }
    return e;
}

/* Promise the answer of E, which nobody makes. */
static void promise(mdl_cache *cache, entry *e)
{
    cache->stats.misses++;
    e->promised_us = dl_time_monotonic_us();
}

/* mdl_cache_find with the mutex held; HOT: mdl_cache_find_hot. */
static mdl_cache_verdict find_locked(mdl_cache_answer *answer, mdl_cache *cache,
                                     const char *key, const char *stamp,
                                     apr_pool_t *pool, int hot)
{
    unsigned hash = hash_key(key);
    entry *e = find(cache, key, hash);

    if (good(e, stamp) != 0 || will_do(e, hot) != 0) {
        return hit(answer, cache, e, pool);
    }
    if (hot != 0 && is_hot(e) != 0 && e->promised_us == 0 &&
        younger(e, MDL_CACHE_OLD_MS) != 0) {
        promise(cache, e);
        (void)hit(answer, cache, e, pool);
        return MDL_CACHE_OLD;
    }
    e = wait_for(cache, e, key, hash);
    if (good(e, stamp) != 0) {
        return hit(answer, cache, e, pool);
    }
    if (e == NULL) {
        e = entry_create(cache, key, hash);
    }
    if (e == NULL || e->promised_us != 0) {
        cache->stats.misses++;
        return MDL_CACHE_ALONE;
    }
    promise(cache, e);
    return MDL_CACHE_MINE;
}

static mdl_cache_verdict ask(mdl_cache_answer *answer, mdl_cache *cache,
                             const char *key, const char *stamp,
                             apr_pool_t *pool, int hot)
{
    mdl_cache_verdict verdict;

    memset(answer, 0, sizeof(*answer));
    pthread_mutex_lock(&cache->mutex);
    verdict = find_locked(answer, cache, key, stamp, pool, hot);
    pthread_mutex_unlock(&cache->mutex);
    return verdict;
}

mdl_cache_verdict mdl_cache_find(mdl_cache_answer *answer, mdl_cache *cache,
                                 const char *key, const char *stamp,
                                 apr_pool_t *result_pool)
{
    return ask(answer, cache, key, stamp, result_pool, 0);
}

mdl_cache_verdict mdl_cache_find_hot(mdl_cache_answer *answer, mdl_cache *cache,
                                     const char *key, const char *stamp,
                                     apr_pool_t *result_pool)
{
    return ask(answer, cache, key, stamp, result_pool, 1);
}

/* Return a block with a copy of ANSWER and STAMP, or NULL. */
static made *made_create(const mdl_cache_answer *answer, const char *stamp)
{
    size_t stamp_len = strlen(stamp) + 1;
    size_t cursor_len = answer->cursor != NULL ? strlen(answer->cursor) + 1 : 0;
    size_t size = sizeof(made) + stamp_len + cursor_len + answer->len;
    made *m = malloc(size);
    char *at;

    if (m == NULL) {
        return NULL;
    }
    memset(m, 0, sizeof(*m));
    at = (char *)(m + 1);
    m->stamp = memcpy(at, stamp, stamp_len);
    if (cursor_len > 0) {
        m->answer.cursor = memcpy(at + stamp_len, answer->cursor, cursor_len);
    }
    m->answer.body =
        memcpy(at + stamp_len + cursor_len, answer->body, answer->len);
    m->answer.len = answer->len;
    m->born_us =
        answer->since_us != 0 ? answer->since_us : dl_time_monotonic_us();
    m->size = size;
    return m;
}

/* Keep M (NULL: nothing) as the answer of KEY, whose promise is over; return
 * what has to be freed.  The mutex is held. */
static made *keep(mdl_cache *cache, const char *key, made *m)
{
    entry *e = find(cache, key, hash_key(key));
    made *old = m;

    if (e != NULL) {
        e->promised_us = 0;
        if (m != NULL && m->size <= cache->max_bytes / 4) {
            old = e->kept;
            cache->stats.bytes -= old != NULL ? old->size : 0;
            cache->stats.bytes += m->size;
            e->kept = m;
            shrink(cache, e);
        }
    }
    pthread_cond_broadcast(&cache->wake);
    return old;
}

void mdl_cache_put(mdl_cache *cache, const char *key, const char *stamp,
                   const mdl_cache_answer *answer)
{
    made *m = made_create(answer, stamp);

    pthread_mutex_lock(&cache->mutex);
    m = keep(cache, key, m);
    pthread_mutex_unlock(&cache->mutex);
    free(m);
}

void mdl_cache_abandon(mdl_cache *cache, const char *key)
{
    pthread_mutex_lock(&cache->mutex);
    (void)keep(cache, key, NULL);
    pthread_mutex_unlock(&cache->mutex);
}

void mdl_cache_read_stats(mdl_cache_stats *stats, mdl_cache *cache)
{
    pthread_mutex_lock(&cache->mutex);
    *stats = cache->stats;
    pthread_mutex_unlock(&cache->mutex);
}
