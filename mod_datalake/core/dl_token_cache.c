/* dl_token_cache.c - The places of verified tokens.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_token_cache.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define WAYS 8

/* Bytes of the signature's end that choose the set. */
#define TAIL sizeof(uint64_t)

/* One token; len 0: empty. */
typedef struct place {
    uint64_t tail;                  /* its last bytes */
    uint32_t len;                   /* its bytes */
    uint32_t used;                  /* 1: found since the hand last passed */
    dl_claims claims;               /* what it says */
    char text[DL_TOKEN_CACHE_TEXT]; /* the token; words, so aligned */
} place;

_Static_assert(DL_TOKEN_CACHE_TEXT % sizeof(uint64_t) == 0,
               "a token is compared word by word");

/* Places that compete. */
typedef struct place_set {
    pthread_mutex_t mutex; /* guards the rest; held for a copy at most */
    uint32_t hand;         /* counts the places given up */
    place places[WAYS];
} place_set;

struct dl_token_cache {
    const dl_keyset *keys;       /* decide about signatures */
    const dl_token_rules *rules; /* ... and about claims */
    place_set *sets;             /* mapped */
    size_t n_sets;               /* a power of two */
};

static apr_status_t unmap(void *data)
{
    dl_token_cache *cache = data;

    munmap(cache->sets, cache->n_sets * sizeof(place_set));
    return APR_SUCCESS;
}

dl_status dl_token_cache_create(dl_token_cache **cache, const dl_keyset *keys,
                                const dl_token_rules *rules, int tokens,
                                dl_error *err, apr_pool_t *result_pool)
{
    dl_token_cache *made = apr_pcalloc(result_pool, sizeof *made);
    size_t size;
    void *memory;

    made->keys = keys;
    made->rules = rules;
    made->n_sets = 1;
    while (made->n_sets * WAYS < (size_t)tokens) {
        made->n_sets *= 2;
    }
    size = made->n_sets * sizeof(place_set);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return dl_fail(err, DL_UNAVAILABLE, errno,
                       "no memory for %d verified tokens", tokens);
    }
    (void)madvise(memory, size, MADV_DONTDUMP);
    made->sets = memory;
    for (size_t i = 0; i < made->n_sets; i++) {
        pthread_mutex_init(&made->sets[i].mutex, NULL);
    }
    apr_pool_cleanup_register(result_pool, made, unmap, apr_pool_cleanup_null);
    *cache = made;
    return DL_OK;
}

static uint64_t tail_of(const dl_token_query *query)
{
    uint64_t tail;

    memcpy(&tail, query->text + query->len - sizeof tail, sizeof tail);
    return tail;
}

static place_set *set_of(const dl_token_cache *cache, uint64_t tail)
{
    return &cache->sets[tail * 0x9E3779B97F4A7C15u >> 40 & (cache->n_sets - 1)];
}

/* Whether P holds the token of QUERY; the time depends on its length only. */
static bool holds(const place *p, const dl_token_query *query)
{
    size_t len = query->len;
    uint64_t differs = 0;
    size_t at;

    if (p->len != len) {
        return false;
    }
    for (at = 0; at + sizeof differs <= len; at += sizeof differs) {
        uint64_t kept;
        uint64_t sent;

        memcpy(&kept, p->text + at, sizeof kept);
        memcpy(&sent, query->text + at, sizeof sent);
        differs |= kept ^ sent;
    }
    for (; at < len; at++) {
        differs |= (unsigned char)(p->text[at] ^ query->text[at]);
    }
    return differs == 0;
}

/* Fill CLAIMS from the place of QUERY's token; false: there is none. */
static bool find(dl_claims *claims, const dl_token_cache *cache,
                 const dl_token_query *query)
{
    uint64_t tail = tail_of(query);
    place_set *set = set_of(cache, tail);
    bool found = false;

    pthread_mutex_lock(&set->mutex);
    for (int i = 0; i < WAYS && !found; i++) {
        place *p = &set->places[i];

        if (p->tail == tail && holds(p, query)) {
            p->used = 1;
            *claims = p->claims;
            found = true;
        }
    }
    pthread_mutex_unlock(&set->mutex);
    return found;
}

/* The place of SET that makes room. */
static place *choose_place(place_set *set)
{
    for (;;) {
        place *p = &set->places[set->hand++ % WAYS];

        if (p->used == 0) {
            return p;
        }
        p->used = 0;
    }
}

/* Remember that the token of QUERY says CLAIMS. */
static void put(const dl_token_cache *cache, const dl_token_query *query,
                const dl_claims *claims)
{
    uint64_t tail = tail_of(query);
    place_set *set = set_of(cache, tail);
    place *p;

    pthread_mutex_lock(&set->mutex);
    p = choose_place(set);
    p->tail = tail;
    p->len = (uint32_t)query->len;
    p->claims = *claims;
    memcpy(p->text, query->text, query->len);
    pthread_mutex_unlock(&set->mutex);
}

dl_status dl_token_cache_verify(dl_claims *claims, dl_token_cache *cache,
                                const dl_token_query *query, dl_error *err)
{
    bool fits = query->len >= TAIL && query->len <= DL_TOKEN_CACHE_TEXT;

    if (fits && find(claims, cache, query) && claims->type == query->type) {
        return dl_token_judge_times(claims, query->now, err);
    }
    DL_TRY(dl_token_verify(claims, cache->keys, cache->rules, query, err));
    if (fits) {
        put(cache, query, claims);
    }
    return DL_OK;
}
