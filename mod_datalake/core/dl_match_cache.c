/* dl_match_cache.c - A hash table of sets in order of last use.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_match_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dl_line_set.h"

#define BUCKETS 16384 /* a power of two */

/* One query and one part. */
typedef struct entry {
    struct entry *chain;         /* next in the bucket */
    struct entry *newer, *older; /* in order of last use */
    dl_match_key key;            /* what it is for */
    dl_line_set *set;            /* what is known */
} entry;

struct dl_match_cache {
    pthread_mutex_t mutex;   /* guards everything below */
    size_t max_bytes;        /* bound of bytes */
    size_t bytes;            /* of all entries */
    entry *newest, *oldest;  /* by last use */
    entry *buckets[BUCKETS]; /* chains by hash */
};

static size_t bytes_of(const entry *e)
{
    return sizeof *e + dl_line_set_bytes(e->set);
}

static entry **bucket_of(dl_match_cache *cache, const dl_match_key *key)
{
    uint64_t hash;

    memcpy(&hash, key->query, sizeof hash);
    hash = (hash ^ key->uid) * UINT64_C(0x9E3779B97F4A7C15);
    return &cache->buckets[(hash >> 40) % BUCKETS];
}

/* Take E out of the order of use. */
static void unlink_use(dl_match_cache *cache, entry *e)
{
    *(e->newer != NULL ? &e->newer->older : &cache->newest) = e->older;
    *(e->older != NULL ? &e->older->newer : &cache->oldest) = e->newer;
}

/* Make E the one used last. */
static void link_newest(dl_match_cache *cache, entry *e)
{
    e->newer = NULL;
    e->older = cache->newest;
    *(e->older != NULL ? &e->older->newer : &cache->oldest) = e;
    cache->newest = e;
}

static void drop(dl_match_cache *cache, entry *e)
{
    entry **at = bucket_of(cache, &e->key);

    while (*at != e) {
        at = &(*at)->chain;
    }
    *at = e->chain;
    unlink_use(cache, e);
    cache->bytes -= bytes_of(e);
    dl_line_set_free(e->set);
    free(e);
}

/* Drop what was unused for longest until the bound holds; E stays. */
static void shrink(dl_match_cache *cache, const entry *e)
{
    entry *last = cache->oldest;

    while (cache->bytes > cache->max_bytes && last != NULL && last != e) {
        entry *next = last->newer;

        drop(cache, last);
        last = next;
    }
}

/* Return the entry of KEY, used now, or NULL. */
static entry *find(dl_match_cache *cache, const dl_match_key *key)
{
    entry *e = *bucket_of(cache, key);

    while (e != NULL &&
           (e->key.uid != key->uid || e->key.born_ms != key->born_ms ||
            memcmp(e->key.query, key->query, DL_MATCH_QUERY) != 0)) {
        e = e->chain;
    }
    if (e != NULL && e != cache->newest) {
        unlink_use(cache, e);
        link_newest(cache, e);
    }
    return e;
}

/* Return a new entry for KEY. */
static entry *entry_create(dl_match_cache *cache, const dl_match_key *key)
{
    entry **at = bucket_of(cache, key);
    entry *e = calloc(1, sizeof *e);

    if (e == NULL) {
        abort();
    }
    e->key = *key;
    e->set = dl_line_set_create();
    e->chain = *at;
    *at = e;
    link_newest(cache, e);
    cache->bytes += bytes_of(e);
    return e;
}

static apr_status_t cache_cleanup(void *data)
{
    dl_match_cache *cache = data;

    cache->max_bytes = 0;
    shrink(cache, NULL);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
    return APR_SUCCESS;
}

dl_match_cache *dl_match_cache_create(size_t max_bytes, apr_pool_t *pool)
{
    dl_match_cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL) {
        abort();
    }
    cache->max_bytes = max_bytes;
    pthread_mutex_init(&cache->mutex, NULL);
    apr_pool_cleanup_register(pool, cache, cache_cleanup,
                              apr_pool_cleanup_null);
    return cache;
}

void dl_match_cache_find(dl_match_known *known, uint64_t *lines,
                         dl_match_cache *cache, const dl_match_key *key,
                         const dl_match_ask *ask)
{
    const entry *e;

    memset(known, 0, sizeof *known);
    pthread_mutex_lock(&cache->mutex);
    e = find(cache, key);
    if (e != NULL) {
        uint64_t covered = dl_line_set_covered(e->set);
        uint64_t to = covered < ask->to ? covered : ask->to;
        uint64_t end = dl_line_set_rank(e->set, to);
        uint64_t count_from = dl_line_set_rank(e->set, ask->count_from);
        uint64_t from = dl_line_set_rank(e->set, ask->from);

        known->covered = to;
        known->count = end > count_from ? end - count_from : 0;
        known->skipped = end > from ? end - from : 0;
        if (known->skipped > ask->skip) {
            known->skipped = ask->skip;
            known->n =
                dl_line_set_take(lines, ask->max, e->set, from + ask->skip, to);
        }
    }
    pthread_mutex_unlock(&cache->mutex);
}

/* Put what is new of LINES into SET, which covers the lines before FROM. */
static void extend(dl_line_set *set, uint64_t to, const uint64_t *lines, int n)
{
    uint64_t covered = dl_line_set_covered(set);
    int i;

    for (i = 0; i < n; i++) {
        if (lines[i] >= covered) {
            dl_line_set_add(set, lines[i]);
        }
    }
    dl_line_set_cover(set, to);
}

void dl_match_cache_add(dl_match_cache *cache, const dl_match_key *key,
                        uint64_t from, uint64_t to, const uint64_t *lines,
                        int n)
{
    entry *e;

    pthread_mutex_lock(&cache->mutex);
    e = find(cache, key);
    if (e == NULL && from == 0) {
        e = entry_create(cache, key);
    }
    /* Behind a hole nothing is kept: it was dropped meanwhile. */
    if (e != NULL && from <= dl_line_set_covered(e->set) &&
        to > dl_line_set_covered(e->set) &&
        bytes_of(e) < cache->max_bytes / 4) {
        cache->bytes -= bytes_of(e);
        extend(e->set, to, lines, n);
        cache->bytes += bytes_of(e);
        shrink(cache, e);
    }
    pthread_mutex_unlock(&cache->mutex);
}

size_t dl_match_cache_bytes(dl_match_cache *cache)
{
    size_t bytes;

    pthread_mutex_lock(&cache->mutex);
    bytes = cache->bytes;
    pthread_mutex_unlock(&cache->mutex);
    return bytes;
}
