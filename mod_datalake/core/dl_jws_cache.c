/* dl_jws_cache.c - The places of the cache.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_jws_cache.h"

#include <stdatomic.h>
#include <string.h>

#include <sodium.h>

#define WAYS         8
#define SECRET_BYTES 32

/* One token; all zero: empty. */
typedef struct place {
    _Atomic uint64_t word[4]; /* its mark */
    _Atomic uint32_t used;    /* 1: found since the hand last passed */
} place;

/* Places that compete. */
typedef struct place_set {
    _Atomic uint32_t hand; /* counts the places given up */
    place places[WAYS];
} place_set;

/* The memory. */
typedef struct segment {
    unsigned char secret[SECRET_BYTES]; /* keys the marks */
    _Atomic uint32_t ready;             /* secret is there */
    place_set sets[];
} segment;

struct dl_jws_cache {
    segment *shared;
    uint64_t n_sets; /* a power of two */
};

static uint64_t count_sets(int tokens)
{
    uint64_t n = 1;

    while (n * WAYS < (uint64_t)tokens) {
        n *= 2;
    }
    return n;
}

size_t dl_jws_cache_size(int tokens)
{
    return sizeof(segment) + count_sets(tokens) * sizeof(place_set);
}

dl_status dl_jws_cache_attach(dl_jws_cache **cache, void *memory, int tokens,
                              dl_error *err, apr_pool_t *result_pool)
{
    dl_jws_cache *made = apr_pcalloc(result_pool, sizeof *made);

    if (sodium_init() < 0) {
        return dl_fail(err, DL_INTERNAL, 0, "libsodium cannot start");
    }
    made->shared = memory;
    made->n_sets = count_sets(tokens);
    if (atomic_load(&made->shared->ready) == 0) {
        randombytes_buf(made->shared->secret, SECRET_BYTES);
        atomic_store(&made->shared->ready, 1);
    }
    *cache = made;
    return DL_OK;
}

void dl_jws_cache_mark(dl_jws_mark *mark, const dl_jws_cache *cache,
                       const dl_jws_key *key, const dl_jws_input *input,
                       const unsigned char *signature, size_t len)
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, cache->shared->secret, SECRET_BYTES,
                            sizeof *mark);
    crypto_generichash_update(&state, dl_jws_key_fingerprint(key),
                              DL_FINGERPRINT);
    /* The signature's length is the key's, so the parts cannot be shifted. */
    crypto_generichash_update(&state, signature, len);
    crypto_generichash_update(&state, input->data, input->len);
    crypto_generichash_final(&state, (unsigned char *)mark, sizeof *mark);
}

static place_set *set_of(const dl_jws_cache *cache, const dl_jws_mark *mark)
{
    return &cache->shared->sets[mark->word[0] & (cache->n_sets - 1)];
}

static bool holds(const place *p, const dl_jws_mark *mark)
{
    uint64_t differs = 0;

    for (int i = 0; i < 4; i++) {
        differs |= atomic_load_explicit(&p->word[i], memory_order_relaxed) ^
                   mark->word[i];
    }
    return differs == 0;
}

bool dl_jws_cache_has(const dl_jws_cache *cache, const dl_jws_mark *mark)
{
    place_set *set = set_of(cache, mark);

    for (int i = 0; i < WAYS; i++) {
        place *p = &set->places[i];

        if (holds(p, mark)) {
            if (atomic_load_explicit(&p->used, memory_order_relaxed) == 0) {
                atomic_store_explicit(&p->used, 1, memory_order_relaxed);
            }
            return true;
        }
    }
    return false;
}

/* The place that makes room: the first behind the hand that was not used
 * since it last passed; after two rounds, any. */
static place *choose_place(place_set *set)
{
    place *p = NULL;

    for (int i = 0; i < 2 * WAYS; i++) {
        uint32_t hand =
            atomic_fetch_add_explicit(&set->hand, 1, memory_order_relaxed);

        p = &set->places[hand % WAYS];
        if (atomic_exchange_explicit(&p->used, 0, memory_order_relaxed) == 0) {
            break;
        }
    }
    return p;
}

void dl_jws_cache_put(const dl_jws_cache *cache, const dl_jws_mark *mark)
{
    place *p = choose_place(set_of(cache, mark));

    for (int i = 0; i < 4; i++) {
        atomic_store_explicit(&p->word[i], mark->word[i], memory_order_relaxed);
    }
}
