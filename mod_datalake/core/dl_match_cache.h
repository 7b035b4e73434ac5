/* dl_match_cache.h - Which lines of which parts match which query, as far as
 * somebody has looked.
 *
 * Committed lines of a part never change, and a part that is rewritten gets
 * another uid: so an entry, which is for one query and one part, is never
 * wrong.  It says for the first lines of the part which of them match, and
 * grows when more are looked at.  A count, and where page N begins, are then
 * there without reading a line.
 *
 * Memory is bounded in bytes; the entry unused for longest goes first.  No
 * entry takes more than a quarter of it: what lies behind is looked at each
 * time.  What 32 MiB hold: a query with a match in every second line of a
 * lake of 10 GB sixteen times; rare matches take two bytes each.
 *
 * Thread: any; one mutex inside, held for a look-up and a copy only.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_MATCH_CACHE_H
#define DL_MATCH_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

/* Bytes that tell queries apart. */
#define DL_MATCH_QUERY 16

/* A cache. */
typedef struct dl_match_cache dl_match_cache;

/* What an entry is for. */
typedef struct dl_match_key {
    unsigned char query[DL_MATCH_QUERY]; /* dl_query_mark */
    uint64_t uid;                        /* of the part */
    int64_t born_ms;                     /* its first commit */
} dl_match_key;

/* What is asked of an entry; lines of the part, from 0. */
typedef struct dl_match_ask {
    uint64_t count_from; /* matches are counted from this line on */
    uint64_t from;       /* lines are taken from this one on */
    uint64_t to;         /* all that is before this one */
    uint64_t skip;       /* matches from FROM on that are not taken */
    int max;             /* most lines to take */
} dl_match_ask;

/* What an entry knows. */
typedef struct dl_match_known {
    uint64_t covered; /* everything before this line, at most TO */
    uint64_t count;   /* matches from COUNT_FROM to there */
    uint64_t skipped; /* matches from FROM to there that were not taken, at
                         most SKIP */
    int n;            /* lines taken */
} dl_match_known;

/* Return a cache of at most MAX_BYTES, freed with POOL.  Thread: the owner of
 * the pool. */
dl_match_cache *dl_match_cache_create(size_t max_bytes, apr_pool_t *pool);

/* Set *KNOWN to what CACHE knows for KEY of what ASK asks, and LINES, room for
 * ASK->max, to the lines taken. */
void dl_match_cache_find(dl_match_known *known, uint64_t *lines,
                         dl_match_cache *cache, const dl_match_key *key,
                         const dl_match_ask *ask);

/* Tell CACHE that of the lines from FROM to TO of KEY's part the N at LINES,
 * rising, match, and no others. */
void dl_match_cache_add(dl_match_cache *cache, const dl_match_key *key,
                        uint64_t from, uint64_t to, const uint64_t *lines,
                        int n);

/* Return how many bytes CACHE takes now. */
size_t dl_match_cache_bytes(dl_match_cache *cache);

#endif
