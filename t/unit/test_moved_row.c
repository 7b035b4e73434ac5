/* test_moved_row.c - What is left of a row whose records and deletions came in
 * some order, against a table that was there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_moved_row.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

enum {
    PARTITIONS = 3,
    RECORDS_MAX = 9,
    DELETIONS_MAX = 5,
    KEYS = 3,
    ROUNDS = 20000
};

/* A small row's life. */
typedef struct life {
    dlc_moved_record records[RECORDS_MAX];             /* as they came */
    size_t n;                                          /* how many */
    dlc_moved_deletion deletions[DELETIONS_MAX];       /* likewise */
    dl_change_bound bounds[DELETIONS_MAX][PARTITIONS]; /* of them */
    size_t m;                                          /* how many */
    size_t row; /* the record in the table, n: none; SIZE_MAX while living */
} life;

static uint32_t state = 7;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525U + 1013904223U;
    return (state >> 8) % below;
}

static dlc_wh_key key_of(uint32_t number)
{
    dlc_wh_key key = {{0}};

    key.bytes[0] = (unsigned char)(number + 1);
    return key;
}

static bool later(const dl_coord *a, const dl_coord *b)
{
    if (a->time != b->time) {
        return a->time > b->time;
    }
    return a->partition != b->partition ? a->partition > b->partition
                                        : a->offset > b->offset;
}

/* A record comes; the later one has the row. */
static void load(life *l, int64_t next[PARTITIONS], bool first)
{
    uint32_t partition = draw(PARTITIONS);
    dlc_moved_record *r = &l->records[l->n];

    memset(r, 0, sizeof *r);
    r->coord = (dl_coord){.partition = (int32_t)partition,
                          .offset = next[partition]++,
                          .time = draw(6)};
    r->keys[0] = key_of(draw(KEYS));
    if (l->row == SIZE_MAX ||
        (!first && later(&r->coord, &l->records[l->row].coord))) {
        l->row = l->n;
    }
    l->n++;
}

static void remove_row(life *l, const int64_t next[PARTITIONS])
{
    dlc_moved_deletion *d = &l->deletions[l->m];

    *d = (dlc_moved_deletion){.key = key_of(draw(KEYS)),
                              .order = l->m,
                              .n = PARTITIONS,
                              .bounds = l->bounds[l->m]};
    for (int i = 0; i < PARTITIONS; i++) {
        l->bounds[l->m][i] = (dl_change_bound){i, next[i]};
    }
    if (l->row != SIZE_MAX &&
        memcmp(&l->records[l->row].keys[0], &d->key, sizeof d->key) == 0) {
        l->row = SIZE_MAX;
    }
    l->m++;
}

/* Let the records A and B change places. */
static void swap(life *l, size_t a, size_t b)
{
    dlc_moved_record other = l->records[a];

    l->records[a] = l->records[b];
    l->records[b] = other;
    l->row = l->row == a ? b : l->row == b ? a : l->row;
}

/* Live a life at random; then give the records another order. */
static void live(life *l, bool first)
{
    int64_t next[PARTITIONS] = {0};

    memset(l, 0, sizeof *l);
    l->row = SIZE_MAX;
    for (uint32_t i = draw(RECORDS_MAX + DELETIONS_MAX); i > 0; i--) {
        if (l->m < DELETIONS_MAX && draw(3) == 0) {
            remove_row(l, next);
        }
        else if (l->n < RECORDS_MAX) {
            load(l, next, first);
        }
    }
    for (size_t i = first ? 0 : l->n; i > 1; i--) {
        swap(l, draw((uint32_t)i), i - 1);
    }
    l->row = l->row == SIZE_MAX ? l->n : l->row;
}

static int count_wrong(bool first)
{
    int wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        const dlc_moved_deletion *order[DELETIONS_MAX];
        static life l;

        live(&l, first);
        for (size_t k = 0; k < l.m; k++) {
            order[k] = &l.deletions[k];
        }
        wrong += dlc_moved_row(l.records, l.n, order, l.m, first) != l.row;
    }
    return wrong;
}

int main(void)
{
    is_int(count_wrong(false), 0,
           "20,000 rows: the later record, in any order of loading");
    is_int(count_wrong(true), 0, "20,000 rows of which the first record stays");
    return done();
}
