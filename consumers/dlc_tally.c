/* dlc_tally.c - Open addressing over entries that never move apart.
 *
 * Three blocks: entries in order of arrival, the bytes of their keys, and a
 * table of entry numbers (plus 1) with linear probing, at most half full.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_tally.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Slots a tally begins with. */
#define SLOTS_FIRST 1024

/* One key with its sums. */
typedef struct entry {
    dlc_sums sums; /* what was added */
    uint64_t hash; /* of the key */
    size_t key_at; /* where the key begins in the bytes */
    uint32_t len;  /* its bytes */
} entry;

struct dlc_tally {
    entry *entries;   /* in order of arrival */
    size_t n;         /* entries in use */
    size_t room;      /* entries allocated */
    char *keys;       /* bytes of all keys */
    size_t keys_len;  /* bytes in use */
    size_t keys_room; /* bytes allocated */
    uint32_t *slots;  /* entry number + 1, 0: free */
    size_t n_slots;   /* a power of two */
};

static void *memory(void *old, size_t bytes)
{
    void *made = realloc(old, bytes);

    if (made == NULL) {
        abort();
    }
    return made;
}

void dlc_sums_add(dlc_sums *sums, const dlc_sums *more, int sign)
{
    sums->amount += sign * more->amount;
    sums->base += sign * more->base;
    sums->n += sign * more->n;
    sums->unconverted += sign * more->unconverted;
    sums->quantity += sign * more->quantity;
}

dlc_tally *dlc_tally_create(void)
{
    dlc_tally *tally = memory(NULL, sizeof *tally);

    memset(tally, 0, sizeof *tally);
    tally->n_slots = SLOTS_FIRST;
    tally->slots = memory(NULL, SLOTS_FIRST * sizeof *tally->slots);
    memset(tally->slots, 0, SLOTS_FIRST * sizeof *tally->slots);
    return tally;
}

void dlc_tally_destroy(dlc_tally *tally)
{
    if (tally != NULL) {
        free(tally->entries);
        free(tally->keys);
        free(tally->slots);
        free(tally);
    }
}

static uint64_t key_hash(const char *key, size_t len)
{
    uint64_t hash = 0x9e3779b97f4a7c15U ^ len;
    uint64_t word;

    for (; len >= 8; len -= 8, key += 8) {
        memcpy(&word, key, 8);
        hash = (hash ^ word) * 0xff51afd7ed558ccdU;
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, key, len);
    hash = (hash ^ word) * 0xc4ceb9fe1a85ec53U;
    return hash ^ hash >> 29;
}

static void slots_grow(dlc_tally *tally)
{
    size_t mask;

    tally->n_slots *= 2;
    tally->slots = memory(tally->slots, tally->n_slots * sizeof *tally->slots);
    memset(tally->slots, 0, tally->n_slots * sizeof *tally->slots);
    mask = tally->n_slots - 1;
    for (size_t i = 0; i < tally->n; i++) {
        size_t at = tally->entries[i].hash & mask;

        while (tally->slots[at] != 0) {
            at = (at + 1) & mask;
        }
        tally->slots[at] = (uint32_t)(i + 1);
    }
}

static entry *entry_create(dlc_tally *tally, const char *key, size_t len,
                           uint64_t hash)
{
    entry *made;

    if (tally->n == tally->room) {
        tally->room = tally->room == 0 ? 256 : tally->room * 2;
        tally->entries =
            memory(tally->entries, tally->room * sizeof *tally->entries);
    }
    while (tally->keys_len + len > tally->keys_room) {
        tally->keys_room = tally->keys_room == 0 ? 8192 : tally->keys_room * 2;
        tally->keys = memory(tally->keys, tally->keys_room);
    }
    made = &tally->entries[tally->n++];
    memset(made, 0, sizeof *made);
    made->hash = hash;
    made->key_at = tally->keys_len;
    made->len = (uint32_t)len;
    memcpy(tally->keys + tally->keys_len, key, len);
    tally->keys_len += len;
    return made;
}

void dlc_tally_add(dlc_tally *tally, const void *key, size_t len,
                   const dlc_sums *sums, int sign)
{
    uint64_t hash = key_hash(key, len);
    size_t at;
    entry *found;

    if (tally->n * 2 >= tally->n_slots) {
        slots_grow(tally);
    }
    at = hash & (tally->n_slots - 1);
    for (;;) {
        if (tally->slots[at] == 0) {
            found = entry_create(tally, key, len, hash);
            tally->slots[at] = (uint32_t)tally->n;
            break;
        }
        found = &tally->entries[tally->slots[at] - 1];
        if (found->hash == hash && found->len == len &&
            memcmp(tally->keys + found->key_at, key, len) == 0) {
            break;
        }
        at = (at + 1) & (tally->n_slots - 1);
    }
    dlc_sums_add(&found->sums, sums, sign);
}

void dlc_tally_merge(dlc_tally *tally, const dlc_tally *from)
{
    for (size_t i = 0; i < from->n; i++) {
        const entry *e = &from->entries[i];

        dlc_tally_add(tally, from->keys + e->key_at, e->len, &e->sums, 1);
    }
}

size_t dlc_tally_count(const dlc_tally *tally)
{
    return tally->n;
}

size_t dlc_tally_bytes(const dlc_tally *tally)
{
    return tally->room * sizeof *tally->entries + tally->keys_room +
           tally->n_slots * sizeof *tally->slots;
}

static int item_compare(const void *a, const void *b)
{
    const dlc_tally_item *x = a;
    const dlc_tally_item *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->key, y->key, n);

    if (order != 0) {
        return order;
    }
    return (x->len > y->len) - (x->len < y->len);
}

dlc_tally_item *dlc_tally_sorted(const dlc_tally *tally)
{
    dlc_tally_item *items = memory(NULL, (tally->n + 1) * sizeof *items);

    for (size_t i = 0; i < tally->n; i++) {
        const entry *e = &tally->entries[i];

        items[i].key = (const unsigned char *)tally->keys + e->key_at;
        items[i].len = e->len;
        items[i].sums = &e->sums;
    }
    qsort(items, tally->n, sizeof *items, item_compare);
    return items;
}
