/* mdl_cache.h - Finished answers, kept while the data stands still.
 *
 * The key of an answer names the route and its parameters, its stamp the state
 * of the data it was made from: the loader's commit counter, the time window.
 * An answer is found while its stamp is the asker's; nothing is ever
 * invalidated.  It also dies MDL_CACHE_LIFE_MS after it was stored, or after
 * its data was read when the maker says since when, which bounds what a change
 * without a commit (currency rates, a loader on another host) can hide.
 *
 * One thread makes an answer; who asks meanwhile gets the one before it, when
 * that is younger than MDL_CACHE_OLD_MS, and otherwise waits:
 *
 *     mdl_cache_find(&hit, cache, key, stamp, pool)
 *       MDL_CACHE_HIT    answer with hit
 *       MDL_CACHE_MINE   make it, then mdl_cache_put or mdl_cache_abandon
 *       MDL_CACHE_ALONE  make it, do not store it (the maker took too long)
 *
 * An answer that is asked for often is made anew behind the answers, and not
 * more than once a second: who may (mdl_cache_find_hot) is given the one
 * before, and the first after that second makes the new one when its client
 * has been served:
 *
 *       MDL_CACHE_OLD    answer with hit, then make it as MINE
 *
 * Memory is bounded in bytes; the entry unused for longest goes first.
 *
 * Thread: any; one mutex inside, held for a look-up and a copy only.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CACHE_H
#define MDL_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

/* An answer is found for at most this long, whatever its key says. */
#define MDL_CACHE_LIFE_MS 2000

/* While a newer one is made, an answer of at most this age will do. */
#define MDL_CACHE_OLD_MS 1200

/* An answer that was given so many times since it was made is asked for
 * often. */
#define MDL_CACHE_HOT 4

/* It is not made anew before this age. */
#define MDL_CACHE_HOT_MS 1000

/* A second asker waits this long for the first one's answer. */
#define MDL_CACHE_WAIT_MS 200

/* The answers of one child. */
typedef struct mdl_cache mdl_cache;

/* What the asker has to do. */
typedef enum mdl_cache_verdict {
    MDL_CACHE_HIT,   /* it is there */
    MDL_CACHE_MINE,  /* this caller makes it and puts or abandons it */
    MDL_CACHE_ALONE, /* this caller makes it for itself */
    MDL_CACHE_OLD    /* an older one is there; when it has been sent, this
                        caller makes the new one and puts or abandons it */
} mdl_cache_verdict;

/* One answer. */
typedef struct mdl_cache_answer {
    const char *body;   /* the whole body */
    size_t len;         /* bytes of it */
    const char *cursor; /* cursor of the next page, NULL: none */
    int64_t since_us;   /* monotonic, when its data was begun to be read, from
                           which its life counts; 0: when it is stored */
} mdl_cache_answer;

/* Figures for /metrics, since child start. */
typedef struct mdl_cache_stats {
    unsigned long hits;   /* answered from the cache */
    unsigned long misses; /* made */
    size_t bytes;         /* bytes kept now */
    size_t entries;       /* answers kept now */
} mdl_cache_stats;

/* Return a cache that keeps at most MAX_BYTES of answers and keys; closed and
 * freed with POOL.  Thread: child start only. */
mdl_cache *mdl_cache_create(size_t max_bytes, apr_pool_t *pool);

/* Look KEY up for the state STAMP.  On MDL_CACHE_HIT *ANSWER is a copy in
 * RESULT_POOL; otherwise it is zeroed.  Thread: any. */
mdl_cache_verdict mdl_cache_find(mdl_cache_answer *answer, mdl_cache *cache,
                                 const char *key, const char *stamp,
                                 apr_pool_t *result_pool);

/* The same for a caller that can answer first and make the answer afterwards:
 * may also return MDL_CACHE_OLD.  Thread: any. */
mdl_cache_verdict mdl_cache_find_hot(mdl_cache_answer *answer, mdl_cache *cache,
                                     const char *key, const char *stamp,
                                     apr_pool_t *result_pool);

/* Store a copy of ANSWER, made from the state STAMP, under KEY, which
 * mdl_cache_find called MINE, and wake those who wait for it.  Too large an
 * answer is not kept.  Thread: any. */
void mdl_cache_put(mdl_cache *cache, const char *key, const char *stamp,
                   const mdl_cache_answer *answer);

/* Give up making the answer of KEY: the next asker makes it.  Thread: any. */
void mdl_cache_abandon(mdl_cache *cache, const char *key);

/* Set *STATS.  Thread: any. */
void mdl_cache_read_stats(mdl_cache_stats *stats, mdl_cache *cache);

#endif
