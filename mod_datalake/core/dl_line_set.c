/* dl_line_set.c - Chunks of lines: sorted, or bits, or all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_line_set.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Lines of a chunk, and the words of its bits. */
#define CHUNK 65536u
#define WORDS (CHUNK / 64)

/* Most lines that are kept one by one; as many bytes as the bits take. */
#define LISTED_MAX 4096u

/* The lines of one chunk. */
typedef struct chunk {
    uint64_t before;  /* lines of the set in the chunks before */
    uint32_t n;       /* lines of the set in this one; CHUNK: all */
    uint32_t room;    /* entries of listed */
    uint16_t *listed; /* the lines within the chunk, rising, or NULL */
    uint64_t *bits;   /* a bit for each line, or NULL */
} chunk;

struct dl_line_set {
    uint64_t covered; /* lines looked at */
    uint64_t total;   /* lines in the set */
    size_t bytes;     /* of everything */
    size_t n;         /* chunks */
    size_t room;      /* entries of chunks */
    chunk *chunks;    /* in order */
};

dl_line_set *dl_line_set_create(void)
{
    dl_line_set *set = calloc(1, sizeof *set);

    if (set == NULL) {
        abort();
    }
    set->bytes = sizeof *set;
    return set;
}

void dl_line_set_free(dl_line_set *set)
{
    size_t i;

    for (i = 0; i < set->n; i++) {
        free(set->chunks[i].listed);
        free(set->chunks[i].bits);
    }
    free(set->chunks);
    free(set);
}

uint64_t dl_line_set_covered(const dl_line_set *set)
{
    return set->covered;
}

size_t dl_line_set_bytes(const dl_line_set *set)
{
    return set->bytes;
}

/* --- Growing --------------------------------------------------------------- */

/* Return DATA of SIZE bytes with room for more: WANTED bytes. */
static void *grow(dl_line_set *set, void *data, size_t size, size_t wanted)
{
    void *grown = realloc(data, wanted);

    if (grown == NULL) {
        abort();
    }
    set->bytes += wanted - size;
    return grown;
}

/* Return chunk I of SET, made when it is not there. */
static chunk *chunk_at(dl_line_set *set, size_t i)
{
    if (i >= set->room) {
        size_t room = i + i / 2 + 1;

        set->chunks = grow(set, set->chunks, set->room * sizeof *set->chunks,
                           room * sizeof *set->chunks);
        set->room = room;
    }
    for (; set->n <= i; set->n++) {
        memset(&set->chunks[set->n], 0, sizeof *set->chunks);
        set->chunks[set->n].before = set->total;
    }
    return &set->chunks[i];
}

/* Keep the lines of C as bits. */
static void make_bits(dl_line_set *set, chunk *c)
{
    uint32_t i;

    c->bits = calloc(WORDS, sizeof *c->bits);
    if (c->bits == NULL) {
        abort();
    }
    for (i = 0; i < c->n; i++) {
        c->bits[c->listed[i] / 64] |= UINT64_C(1) << (c->listed[i] % 64);
    }
    set->bytes += WORDS * sizeof *c->bits - c->room * sizeof *c->listed;
    free(c->listed);
    c->listed = NULL;
    c->room = 0;
}

/* Put LOW, a line within C, behind its listed lines. */
static void add_listed(dl_line_set *set, chunk *c, uint16_t low)
{
    if (c->n == c->room) {
        uint32_t room = c->room == 0 ? 4 : 2 * c->room;

        c->listed = grow(set, c->listed, c->room * sizeof *c->listed,
                         room * sizeof *c->listed);
        c->room = room;
    }
    c->listed[c->n] = low;
}

void dl_line_set_add(dl_line_set *set, uint64_t line)
{
    chunk *c = chunk_at(set, line / CHUNK);
    uint16_t low = (uint16_t)(line % CHUNK);

    if (c->bits == NULL && c->n == LISTED_MAX) {
        make_bits(set, c);
    }
    if (c->bits != NULL) {
        c->bits[low / 64] |= UINT64_C(1) << (low % 64);
    }
    else {
        add_listed(set, c, low);
    }
    set->total++;
    if (++c->n == CHUNK) {
        set->bytes -= WORDS * sizeof *c->bits;
        free(c->bits);
        c->bits = NULL;
    }
}

void dl_line_set_cover(dl_line_set *set, uint64_t bound)
{
    set->covered = bound > set->covered ? bound : set->covered;
}

/* --- Asking ---------------------------------------------------------------- */

/* How many lines of C are below LOW. */
static uint32_t rank_within(const chunk *c, uint32_t low)
{
    uint32_t from = 0;
    uint32_t to = c->n;
    uint32_t i;

    if (c->n == CHUNK) {
        return low;
    }
    if (c->bits != NULL) {
        for (i = 0; i < low / 64; i++) {
            from += (uint32_t)__builtin_popcountll(c->bits[i]);
        }
        return from + (uint32_t)__builtin_popcountll(
                          c->bits[i] & ((UINT64_C(1) << (low % 64)) - 1));
    }
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;

        if (c->listed[middle] < low) {
            from = middle + 1;
        }
        else {
            to = middle;
        }
    }
    return from;
}

uint64_t dl_line_set_rank(const dl_line_set *set, uint64_t line)
{
    const chunk *c;

    if (line / CHUNK >= set->n) {
        return set->total;
    }
    c = &set->chunks[line / CHUNK];
    return c->before + rank_within(c, (uint32_t)(line % CHUNK));
}

/* The chunk of SET in which the line stands that has RANK others before it. */
static size_t find_chunk(const dl_line_set *set, uint64_t rank)
{
    size_t low = 0;
    size_t high = set->n;

    /* The last chunk that has at most RANK before it, and the lines. */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (set->chunks[middle].before <= rank) {
            low = middle;
        }
        else {
            high = middle;
        }
    }
    return low;
}

/* Where the bits of C have the line with RANK others of it before it. */
static uint32_t find_bit(const chunk *c, uint32_t rank)
{
    uint32_t i = 0;
    uint64_t word;

    for (;; i++) {
        uint32_t n = (uint32_t)__builtin_popcountll(c->bits[i]);

        if (rank < n) {
            break;
        }
        rank -= n;
    }
    for (word = c->bits[i]; rank > 0; rank--) {
        word &= word - 1;
    }
    return 64 * i + (uint32_t)__builtin_ctzll(word);
}

/* The line within C that has RANK others of it before it; LAST is the one
 * before, -1: not known. */
static uint32_t line_within(const chunk *c, uint32_t rank, int64_t last)
{
    uint32_t low = (uint32_t)(last + 1);

    if (c->n == CHUNK) {
        return rank;
    }
    if (c->bits == NULL) {
        return c->listed[rank];
    }
    if (last < 0) {
        return find_bit(c, rank);
    }
    while ((c->bits[low / 64] >> (low % 64)) == 0) {
        low = (low / 64 + 1) * 64;
    }
    return low + (uint32_t)__builtin_ctzll(c->bits[low / 64] >> (low % 64));
}

int dl_line_set_take(uint64_t *lines, int max, const dl_line_set *set,
                     uint64_t rank, uint64_t to)
{
    size_t i = find_chunk(set, rank);
    int n = 0;

    for (; i < set->n && n < max; i++) {
        const chunk *c = &set->chunks[i];
        int64_t last = -1;

        for (; rank - c->before < c->n && n < max; rank++) {
            last = line_within(c, (uint32_t)(rank - c->before), last);
            if ((uint64_t)last + i * CHUNK >= to) {
                return n;
            }
            lines[n++] = (uint64_t)last + i * CHUNK;
        }
    }
    return n;
}
