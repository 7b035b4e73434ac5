/* dl_offset_set.c - Bits of offsets, by chunks in order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_offset_set.h"

#include <stdlib.h>
#include <string.h>

#define WORDS (DL_OFFSET_CHUNK / 64)

/* The bits of DL_OFFSET_CHUNK offsets. */
typedef struct chunk {
    int64_t number; /* the first offset / DL_OFFSET_CHUNK */
    uint32_t n;     /* offsets in it */
    uint64_t *bits; /* malloc; NULL: all offsets are in it */
} chunk;

struct dl_offset_set {
    size_t max;    /* chunks with bits, at most */
    size_t n_bits; /* chunks with bits */
    chunk *chunks; /* by number; malloc */
    size_t n;      /* chunks */
    size_t size;   /* room */
    size_t last;   /* the one asked for last */
};

static apr_status_t free_set(void *context)
{
    dl_offset_set *set = context;
    size_t i;

    for (i = 0; i < set->n; i++) {
        free(set->chunks[i].bits);
    }
    free(set->chunks);
    return APR_SUCCESS;
}

dl_offset_set *dl_offset_set_create(size_t max_bytes, apr_pool_t *pool)
{
    dl_offset_set *set = apr_pcalloc(pool, sizeof *set);

    set->max = max_bytes / (WORDS * sizeof(uint64_t));
    apr_pool_cleanup_register(pool, set, free_set, apr_pool_cleanup_null);
    return set;
}

/* Set *AT to the place of the chunk NUMBER, or to where it would be; return
 * whether it is there. */
static bool find_chunk(size_t *at, const dl_offset_set *set, int64_t number)
{
    size_t low = 0;
    size_t high = set->n;

    if (set->last < set->n && set->chunks[set->last].number == number) {
        *at = set->last;
        return true;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (set->chunks[middle].number < number) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    *at = low;
    return low < set->n && set->chunks[low].number == number;
}

/* Have room for one chunk more. */
static void grow(dl_offset_set *set)
{
    if (set->n == set->size) {
        set->size = set->size == 0 ? 16 : set->size * 2;
        set->chunks = realloc(set->chunks, set->size * sizeof *set->chunks);
        if (set->chunks == NULL) {
            abort();
        }
    }
}

/* Set *FOUND to the chunk NUMBER of SET, made if need be; without bits when it
 * is to be FULL. */
static dl_status need_chunk(chunk **found, dl_offset_set *set, int64_t number,
                            bool full, dl_error *err)
{
    chunk made = {.number = number};
    size_t at;

    if (!find_chunk(&at, set, number)) {
        if (!full && set->n_bits == set->max) {
            return dl_fail(err, DL_LIMIT, 0,
                           "too many offsets lie apart to be compared");
        }
        if (full) {
            made.n = DL_OFFSET_CHUNK;
        }
        else {
            made.bits = calloc(WORDS, sizeof *made.bits);
            if (made.bits == NULL) {
                abort();
            }
            set->n_bits++;
        }
        grow(set);
        memmove(&set->chunks[at + 1], &set->chunks[at],
                (set->n - at) * sizeof *set->chunks);
        set->chunks[at] = made;
        set->n++;
    }
    set->last = at;
    *found = &set->chunks[at];
    return DL_OK;
}

/* The bits FROM..TO-1 of a word. */
static uint64_t mask_of(uint32_t from, uint32_t to)
{
    uint64_t below = to == 64 ? UINT64_MAX : (UINT64_C(1) << to) - 1;

    return below & ~((UINT64_C(1) << from) - 1);
}

/* How many of the bits FROM..TO-1 are set in BITS; with SET all are then. */
static uint32_t count_bits(uint64_t *bits, uint32_t from, uint32_t to, bool set)
{
    uint32_t n = 0;

    while (from < to) {
        uint32_t word = from / 64;
        uint32_t end = (word + 1) * 64 < to ? (word + 1) * 64 : to;
        uint64_t mask = mask_of(from % 64, end - word * 64);

        n += (uint32_t)__builtin_popcountll(bits[word] & mask);
        if (set) {
            bits[word] |= mask;
        }
        from = end;
    }
    return n;
}

/* Add the offsets FROM..TO-1 of the chunk C. */
static void add_to(uint64_t *again, dl_offset_set *set, chunk *c, uint32_t from,
                   uint32_t to)
{
    uint32_t there = to - from;

    if (c->bits != NULL) {
        there = count_bits(c->bits, from, to, true);
        c->n += to - from - there;
        if (c->n == DL_OFFSET_CHUNK) {
            free(c->bits);
            c->bits = NULL;
            set->n_bits--;
        }
    }
    *again += there;
}

dl_status dl_offset_set_add(uint64_t *again, dl_offset_set *set, int64_t first,
                            int64_t next, dl_error *err)
{
    *again = 0;
    while (first < next) {
        int64_t number = first / DL_OFFSET_CHUNK;
        uint32_t from = (uint32_t)(first % DL_OFFSET_CHUNK);
        uint32_t to = next - first >= DL_OFFSET_CHUNK - (int64_t)from
                          ? DL_OFFSET_CHUNK
                          : from + (uint32_t)(next - first);
        size_t n = set->n;
        chunk *c = NULL;

        DL_TRY(need_chunk(&c, set, number, from == 0 && to == DL_OFFSET_CHUNK,
                          err));
        if (n == set->n || c->bits != NULL) {
            add_to(again, set, c, from, to);
        }
        first += to - from;
    }
    return DL_OK;
}

uint64_t dl_offset_set_count(const dl_offset_set *set, int64_t first,
                             int64_t next)
{
    uint64_t n = 0;
    size_t at;

    (void)find_chunk(&at, set, first / DL_OFFSET_CHUNK);
    for (; at < set->n; at++) {
        const chunk *c = &set->chunks[at];
        int64_t start = c->number * DL_OFFSET_CHUNK;
        uint32_t from = first > start ? (uint32_t)(first - start) : 0;
        uint32_t to = DL_OFFSET_CHUNK;

        if (start >= next) {
            break;
        }
        if (next - start < DL_OFFSET_CHUNK) {
            to = (uint32_t)(next - start);
        }
        n += c->bits == NULL ? to - from : count_bits(c->bits, from, to, false);
    }
    return n;
}

/* The first bit from FROM on of a chunk that is not WANTED; DL_OFFSET_CHUNK:
 * none. */
static uint32_t run_on(const uint64_t *bits, uint32_t from, bool wanted)
{
    while (from < DL_OFFSET_CHUNK) {
        uint64_t word = wanted ? ~bits[from / 64] : bits[from / 64];

        word &= mask_of(from % 64, 64);
        if (word != 0) {
            return from / 64 * 64 + (uint32_t)__builtin_ctzll(word);
        }
        from = (from / 64 + 1) * 64;
    }
    return DL_OFFSET_CHUNK;
}

/* The first offset from FROM on that is not there (THERE), or that is; END
 * when there is none before it. */
static int64_t first_other(const dl_offset_set *set, int64_t from, int64_t end,
                           bool there)
{
    while (from < end) {
        int64_t number = from / DL_OFFSET_CHUNK;
        int64_t start = number * DL_OFFSET_CHUNK;
        uint32_t bit = (uint32_t)(from - start);
        size_t at;

        if (!find_chunk(&at, set, number)) {
            if (there) {
                return from;
            }
            from = at < set->n ? set->chunks[at].number * DL_OFFSET_CHUNK : end;
            continue;
        }
        if (set->chunks[at].bits == NULL) {
            bit = there ? DL_OFFSET_CHUNK : bit;
        }
        else {
            bit = run_on(set->chunks[at].bits, bit, there);
        }
        if (bit < DL_OFFSET_CHUNK) {
            return start + bit < end ? start + bit : end;
        }
        from = start + DL_OFFSET_CHUNK;
    }
    return end;
}

bool dl_offset_set_gap(int64_t *first, int64_t *next, const dl_offset_set *set,
                       int64_t from, int64_t end)
{
    *first = first_other(set, from, end, true);
    if (*first >= end) {
        return false;
    }
    *next = first_other(set, *first, end, false);
    return true;
}
