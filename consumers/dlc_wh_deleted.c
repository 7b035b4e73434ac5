/* dlc_wh_deleted.c - A table of keys; what was loaded is read from a file.
 *
 * Of several deletions with one key what all of them together cover is kept:
 * of the newest life of the topic the greatest offset of each partition.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_deleted.h"

#include <stdlib.h>
#include <string.h>

#include "dlc_spool.h"

/* Partitions of a topic that are looked at. */
#define PARTITIONS 1024

/* What was loaded. */
typedef struct loaded {
    int32_t generation;                 /* of this life of the topic, and all
                                         * before it */
    int32_t n;                          /* partitions */
    dl_change_bound bounds[PARTITIONS]; /* of each */
} loaded;

/* One key. */
typedef struct entry {
    dlc_wh_key key; /* it */
    int64_t at;     /* of its struct loaded in the file; -1: no key is here */
} entry;

struct dlc_wh_deleted {
    const dl_dataset *ds;                          /* whose rows */
    dl_sha256 *sum;                                /* over nothing */
    dlc_wh_key_fields unique;                      /* what makes a row unique */
    bool has_unique;                               /* there is such */
    int n_kinds;                                   /* combinations of members */
    dlc_wh_key_fields kinds[DLC_WH_DELETED_KINDS]; /* they */
    bool may_move;  /* one of them is not within UNIQUE */
    dlc_spool *all; /* what was loaded, cut behind its last bound */
    int64_t last;   /* of the newest, -1: none */
    int64_t cached; /* where CACHE is from, -1: nowhere */
    loaded cache;   /* read last */
    loaded most;    /* what any of them covers */
    loaded news;    /* of the one that is added */
    entry *table;   /* malloc */
    size_t n, room; /* keys; ROOM is a power of two */
};

static apr_status_t free_table(void *data)
{
    dlc_wh_deleted *d = data;

    free(d->table);
    return APR_SUCCESS;
}

static entry *new_table(size_t room)
{
    entry *table = malloc(room * sizeof *table);

    if (table == NULL) {
        abort();
    }
    for (size_t i = 0; i < room; i++) {
        table[i].at = -1;
    }
    return table;
}

dl_status dlc_wh_deleted_create(dlc_wh_deleted **deleted, const dl_dataset *ds,
                                dl_error *err, apr_pool_t *pool)
{
    dlc_wh_deleted *d = apr_pcalloc(pool, sizeof *d);

    d->ds = ds;
    d->sum = dl_sha256_create(pool);
    d->has_unique = dlc_wh_key_unique(&d->unique, ds);
    d->last = d->cached = -1;
    d->room = 1024;
    d->table = new_table(d->room);
    apr_pool_cleanup_register(pool, d, free_table, apr_pool_cleanup_null);
    *deleted = d;
    return dlc_spool_create(&d->all, err, pool);
}

/* --- What was loaded ------------------------------------------------------ */

/* Return the bytes that L needs in the file. */
static size_t size_of(const loaded *l)
{
    return offsetof(loaded, bounds) + (size_t)l->n * sizeof l->bounds[0];
}

static bool covers(const loaded *l, const dl_coord *coord)
{
    return dl_change_covers(l->generation, l->bounds, l->n, coord);
}

/* Let TO cover what MORE covers, too. */
static void widen(loaded *to, const loaded *more)
{
    if (more->generation != to->generation) {
        if (more->generation > to->generation) {
            memcpy(to, more, size_of(more));
        }
        return;
    }
    for (int i = 0; i < more->n; i++) {
        const dl_change_bound *b = &more->bounds[i];
        int k = 0;

        while (k < to->n && to->bounds[k].partition != b->partition) {
            k++;
        }
        if (k == to->n && k < PARTITIONS) {
            to->bounds[to->n++] = *b;
        }
        else if (k < to->n && to->bounds[k].next < b->next) {
            to->bounds[k].next = b->next;
        }
    }
}

/* Have what lies at AT of the file in D's cache. */
static dl_status fetch(dlc_wh_deleted *d, int64_t at, dl_error *err)
{
    size_t head = offsetof(loaded, bounds);

    if (at == d->cached) {
        return DL_OK;
    }
    d->cached = -1;
    DL_TRY(dlc_spool_get(&d->cache, head, d->all, at, err));
    DL_TRY(dlc_spool_get(d->cache.bounds, size_of(&d->cache) - head, d->all,
                         at + (int64_t)head, err));
    d->cached = at;
    return DL_OK;
}

/* Set *AT to where NEWS lies in the file: where the last one does, if it is
 * the same. */
static dl_status store(int64_t *at, dlc_wh_deleted *d, dl_error *err)
{
    size_t size = size_of(&d->news);

    if (d->last >= 0) {
        DL_TRY(fetch(d, d->last, err));
        if (size == size_of(&d->cache) &&
            memcmp(&d->cache, &d->news, size) == 0) {
            *at = d->last;
            return DL_OK;
        }
    }
    DL_TRY(dlc_spool_add(&d->last, d->all, &d->news, size, err));
    *at = d->last;
    return DL_OK;
}

/* --- Keys ----------------------------------------------------------------- */

/* Return where KEY is in TABLE of ROOM, or belongs. */
static entry *find(entry *table, size_t room, const dlc_wh_key *key)
{
    size_t at;

    memcpy(&at, key->bytes, sizeof at);
    at &= room - 1;
    while (table[at].at >= 0 && memcmp(&table[at].key, key, sizeof *key) != 0) {
        at = (at + 1) & (room - 1);
    }
    return &table[at];
}

static void grow(dlc_wh_deleted *d)
{
    size_t room = d->room * 2;
    entry *table = new_table(room);

    for (size_t i = 0; i < d->room; i++) {
        if (d->table[i].at >= 0) {
            *find(table, room, &d->table[i].key) = d->table[i];
        }
    }
    free(d->table);
    d->table = table;
    d->room = room;
}

static bool is_in(const dlc_wh_key_fields *fields, int field)
{
    int i = 0;

    while (i < fields->n && fields->at[i] != field) {
        i++;
    }
    return i < fields->n;
}

/* Set FIELDS to the members of the key of CHANGE. */
static void fields_of(dlc_wh_key_fields *fields, const dl_dataset *ds,
                      const dl_change *change)
{
    *fields = (dlc_wh_key_fields){.n = 0};
    for (int i = 0; i < ds->n_fields && fields->n < DLC_WH_KEY_FIELDS; i++) {
        if (dl_change_is_key(change, i)) {
            fields->at[fields->n++] = i;
        }
    }
}

/* Return the number of the combination FIELDS; D->n_kinds: a new one. */
static int kind_of(const dlc_wh_deleted *d, const dlc_wh_key_fields *fields)
{
    int kind = 0;

    while (kind < d->n_kinds &&
           (d->kinds[kind].n != fields->n ||
            memcmp(d->kinds[kind].at, fields->at,
                   (size_t)fields->n * sizeof fields->at[0]) != 0)) {
        kind++;
    }
    return kind;
}

bool dlc_wh_deleted_key(dlc_wh_key *key, const dlc_wh_deleted *deleted,
                        const dl_change *change)
{
    dlc_wh_key_fields fields;

    fields_of(&fields, deleted->ds, change);
    return dlc_wh_key_make(key, deleted->sum, dl_change_key_record(change),
                           &fields, kind_of(deleted, &fields));
}

static dl_status need_kind(dlc_wh_deleted *d, const dl_change *change,
                           dl_error *err)
{
    dlc_wh_key_fields fields;

    fields_of(&fields, d->ds, change);
    if (kind_of(d, &fields) < d->n_kinds) {
        return DL_OK;
    }
    if (d->n_kinds == DLC_WH_DELETED_KINDS) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s: deletions name rows by more than %d "
                       "combinations of members",
                       d->ds->name, DLC_WH_DELETED_KINDS);
    }
    for (int i = 0; d->has_unique && i < fields.n; i++) {
        d->may_move = d->may_move || !is_in(&d->unique, fields.at[i]);
    }
    d->kinds[d->n_kinds++] = fields;
    return DL_OK;
}

dl_status dlc_wh_deleted_add(dlc_wh_deleted *deleted, const dl_change *change,
                             dl_error *err)
{
    dlc_wh_deleted *d = deleted;
    dlc_wh_key key;
    entry *e;

    DL_TRY(need_kind(d, change, err));
    if (!dlc_wh_deleted_key(&key, d, change)) {
        return DL_OK;
    }
    memset(&d->news, 0, offsetof(loaded, bounds));
    d->news.n = dl_change_bounds(&d->news.generation, d->news.bounds,
                                 PARTITIONS, change);
    widen(&d->most, &d->news);
    if (3 * d->n >= 2 * d->room) {
        grow(d);
    }
    e = find(d->table, d->room, &key);
    if (e->at >= 0) {
        DL_TRY(fetch(d, e->at, err));
        widen(&d->news, &d->cache);
    }
    else {
        d->n++;
    }
    e->key = key;
    return store(&e->at, d, err);
}

bool dlc_wh_deleted_is_empty(const dlc_wh_deleted *deleted)
{
    return deleted->n == 0;
}

bool dlc_wh_deleted_may_move(const dlc_wh_deleted *deleted)
{
    return deleted->may_move;
}

bool dlc_wh_deleted_reaches(const dlc_wh_deleted *deleted,
                            const dl_coord *coord)
{
    return deleted->n > 0 && covers(&deleted->most, coord);
}

dl_status dlc_wh_deleted_covers(bool *covered,
                                dlc_wh_key keys[DLC_WH_DELETED_KINDS],
                                dlc_wh_deleted *deleted, const dl_record *rec,
                                const dl_coord *coord, dl_error *err)
{
    dlc_wh_deleted *d = deleted;

    *covered = false;
    for (int i = 0; i < d->n_kinds && (keys != NULL || !*covered); i++) {
        dlc_wh_key key;
        const entry *e;

        if (!dlc_wh_key_make(&key, d->sum, rec, &d->kinds[i], i)) {
            memset(&key, 0, sizeof key);
        }
        if (keys != NULL) {
            keys[i] = key;
        }
        e = find(d->table, d->room, &key);
        if (!*covered && e->at >= 0) {
            DL_TRY(fetch(d, e->at, err));
            *covered = covers(&d->cache, coord);
        }
    }
    return DL_OK;
}
