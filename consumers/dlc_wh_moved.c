/* dlc_wh_moved.c - Find rows that moved, decide each, keep what is lost.
 *
 * First all records that deletions cover set a bit for their row.  Then all
 * records with such a bit go to a file, and one that no deletion covers sets a
 * bit of a second kind.  Rows with both bits are decided, as many at a time as
 * fit in memory.  Bits are those of a hash: a row that has them by chance is
 * decided as well, which changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_moved.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_array.h"
#include "dlc_lake_each.h"
#include "dlc_spool.h"
#include "dlc_wh_moved_row.h"

/* Most bits of a kind, a power of two. */
#define BITS_MAX ((uint64_t)1 << 27)

/* Records that are decided at a time, about. */
#define AT_A_TIME 1000000

struct dlc_wh_moved {
    dl_coord *lost; /* records that are, by their places, malloc */
    size_t n, room; /* of it */
};

/* The search under way; memory from malloc. */
typedef struct search {
    const dlc_wh_moved_source *source; /* what is searched */
    dlc_wh_moved *moved;               /* what is found */
    dl_judge *judge;                   /* reads records */
    dl_change *change;                 /* reads deletions */
    dl_sha256 *sum;                    /* over nothing */
    dlc_wh_key_fields unique;          /* what makes a row unique */
    uint64_t mask;                     /* of a bit's number */
    unsigned char *covered;            /* bits of rows with such a record */
    unsigned char *mixed;              /* bits of those with another one, too */
    dlc_spool *file;                   /* records of the former */
    dlc_moved_record *records;         /* of the rows that are decided */
    size_t n_records, records_room;    /* how many, for how many */
    dlc_wh_key *keys;                  /* what they have, sorted */
    size_t n_keys, keys_room;          /* likewise */
    dlc_moved_deletion *deletions;     /* that name one of KEYS */
    size_t n_deletions, deletions_room; /* likewise */
    const dlc_moved_deletion **found;   /* those of a row */
    size_t found_room;                  /* for how many */
    apr_pool_t *bounds;                 /* of the deletions' */
} search;

/* --- Bits ----------------------------------------------------------------- */

static uint64_t bit_of(const search *s, const dlc_wh_key *key)
{
    uint64_t bit;

    memcpy(&bit, key->bytes, sizeof bit);
    return bit & s->mask;
}

static bool has_bit(const unsigned char *bits, uint64_t bit)
{
    return (bits[bit / 8] >> (bit % 8) & 1) != 0;
}

static void set_bit(unsigned char *bits, uint64_t bit)
{
    bits[bit / 8] |= (unsigned char)(1U << (bit % 8));
}

static void make_bits(search *s)
{
    uint64_t bits = 1024;

    while (bits < BITS_MAX &&
           bits < 16 * dl_lake_snapshot_totals(s->source->snap)->records) {
        bits *= 2;
    }
    s->mask = bits - 1;
    s->covered = calloc(bits / 8, 1);
    s->mixed = calloc(bits / 8, 1);
    if (s->covered == NULL || s->mixed == NULL) {
        abort();
    }
}

/* --- Both ways through the lake ------------------------------------------- */

/* Set RECORD to the record of LINE; *GOOD: it may be a row. */
static dl_status read_record(dlc_moved_record *record, bool *good, search *s,
                             const dl_lake_line *line, dl_error *err)
{
    const char *value;
    dl_record rec;
    size_t len;

    *good = !dl_line_note_find(&value, &len, line->note, "dl-event");
    if (!*good) {
        return DL_OK;
    }
    dl_record_judge(&rec, s->judge, line->text, line->len, line->coord.time);
    *good = rec.verdict == DL_RECORD_GOOD;
    if (!*good) {
        return DL_OK;
    }
    memset(record, 0, sizeof *record);
    record->coord = line->coord;
    (void)dlc_wh_key_make(&record->unique, s->sum, &rec, &s->unique, -1);
    return dlc_wh_deleted_covers(&record->covered, record->keys,
                                 s->source->deleted, &rec, &line->coord, err);
}

static dl_status mark_covered(void *context, const dl_lake_line *line,
                              dl_error *err)
{
    search *s = context;
    dlc_moved_record record;
    bool good;

    if (!dlc_wh_deleted_reaches(s->source->deleted, &line->coord)) {
        return DL_OK;
    }
    DL_TRY(read_record(&record, &good, s, line, err));
    if (good && record.covered) {
        set_bit(s->covered, bit_of(s, &record.unique));
    }
    return DL_OK;
}

static dl_status keep_suspect(void *context, const dl_lake_line *line,
                              dl_error *err)
{
    search *s = context;
    dlc_moved_record record;
    int64_t ignored;
    bool good;

    DL_TRY(read_record(&record, &good, s, line, err));
    if (!good || !has_bit(s->covered, bit_of(s, &record.unique))) {
        return DL_OK;
    }
    if (!record.covered) {
        set_bit(s->mixed, bit_of(s, &record.unique));
    }
    return dlc_spool_add(&ignored, s->file, &record, sizeof record, err);
}

/* --- Deletions of some rows ----------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(dlc_wh_key));
}

/* Set the keys of S to those of its records. */
static void gather_keys(search *s)
{
    static const dlc_wh_key none;
    size_t n = 0;

    s->keys =
        dl_array_room(s->keys, &s->keys_room,
                      s->n_records * DLC_WH_DELETED_KINDS, sizeof *s->keys);
    for (size_t i = 0; i < s->n_records; i++) {
        for (int k = 0; k < DLC_WH_DELETED_KINDS; k++) {
            if (compare_keys(&s->records[i].keys[k], &none) != 0) {
                s->keys[n++] = s->records[i].keys[k];
            }
        }
    }
    qsort(s->keys, n, sizeof *s->keys, compare_keys);
    s->n_keys = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || compare_keys(&s->keys[i - 1], &s->keys[i]) != 0) {
            s->keys[s->n_keys++] = s->keys[i];
        }
    }
}

/* Keep the deletion that S->change has read, number ORDER, if it is one of
 * these rows'. */
static void keep_deletion(search *s, size_t order)
{
    enum {
        PARTITIONS = 1024
    };
    dl_change_bound bounds[PARTITIONS];
    dlc_moved_deletion d = {.order = order};

    if (!dlc_wh_deleted_key(&d.key, s->source->deleted, s->change) ||
        bsearch(&d.key, s->keys, s->n_keys, sizeof *s->keys, compare_keys) ==
            NULL) {
        return;
    }
    d.n = dl_change_bounds(&d.generation, bounds, PARTITIONS, s->change);
    d.bounds = apr_pmemdup(s->bounds, bounds, (size_t)d.n * sizeof bounds[0]);
    s->deletions = dl_array_room(s->deletions, &s->deletions_room,
                                 s->n_deletions + 1, sizeof *s->deletions);
    s->deletions[s->n_deletions++] = d;
}

static int by_key(const void *a, const void *b)
{
    const dlc_moved_deletion *x = a;
    const dlc_moved_deletion *y = b;
    int order = compare_keys(&x->key, &y->key);

    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static dl_status gather_deletions(search *s, dl_error *err)
{
    dlc_wh_events *events = s->source->events;

    apr_pool_clear(s->bounds);
    s->n_deletions = 0;
    for (size_t i = 0; i < dlc_wh_events_count(events); i++) {
        dlc_wh_event event;

        DL_TRY(dlc_wh_events_at(&event, events, i, true, err));
        if (event.deletes) {
            DL_TRY(dl_change_read(s->change, event.text, event.len, err));
            keep_deletion(s, i);
        }
    }
    if (s->n_deletions > 1) {
        qsort(s->deletions, s->n_deletions, sizeof *s->deletions, by_key);
    }
    return DL_OK;
}

/* --- Rows ----------------------------------------------------------------- */

/* Add the deletions that name KEY to those found; return how many there are
 * then. */
static size_t find_deletions(search *s, size_t n, const dlc_wh_key *key)
{
    size_t low = 0;
    size_t high = s->n_deletions;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_keys(&s->deletions[middle].key, key) < 0) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    while (low < s->n_deletions &&
           compare_keys(&s->deletions[low].key, key) == 0) {
        s->found =
            dl_array_room(s->found, &s->found_room, n + 1, sizeof *s->found);
        s->found[n++] = &s->deletions[low++];
    }
    return n;
}

static int by_order(const void *a, const void *b)
{
    const dlc_moved_deletion *x = *(const dlc_moved_deletion *const *)a;
    const dlc_moved_deletion *y = *(const dlc_moved_deletion *const *)b;

    return (x->order > y->order) - (x->order < y->order);
}

/* Set the deletions found to those that name any of the N RECORDS; return how
 * many there are. */
static size_t deletions_of(search *s, const dlc_moved_record *records, size_t n)
{
    size_t all = 0;
    size_t m = 0;

    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < DLC_WH_DELETED_KINDS; k++) {
            const dlc_wh_key *key = &records[i].keys[k];

            if (i == 0 || compare_keys(key, &records[i - 1].keys[k]) != 0) {
                all = find_deletions(s, all, key);
            }
        }
    }
    if (all > 1) {
        qsort(s->found, all, sizeof *s->found, by_order);
    }
    for (size_t i = 0; i < all; i++) {
        if (i == 0 || s->found[i] != s->found[m - 1]) {
            s->found[m++] = s->found[i];
        }
    }
    return m;
}

static void lose(dlc_wh_moved *moved, const dl_coord *coord)
{
    moved->lost = dl_array_room(moved->lost, &moved->room, moved->n + 1,
                                sizeof *moved->lost);
    moved->lost[moved->n++] = *coord;
}

/* Decide the row of the N RECORDS. */
static void decide_row(search *s, const dlc_moved_record *records, size_t n)
{
    bool first = s->source->dataset->on_repeat == DL_REPEAT_IGNORE;
    size_t m = deletions_of(s, records, n);
    size_t row = dlc_moved_row(records, n, s->found, m, first);

    for (size_t i = 0; i < n; i++) {
        if (i != row && !records[i].covered) {
            lose(s->moved, &records[i].coord);
        }
    }
}

/* Rows together, their records by partition and offset. */
static int by_row(const void *a, const void *b)
{
    const dlc_moved_record *x = a;
    const dlc_moved_record *y = b;
    int order = compare_keys(&x->unique, &y->unique);

    return order != 0 ? order : dl_coord_compare_place(&x->coord, &y->coord);
}

/* Have the records of share TURN of TURNS of the rows with both bits at hand,
 * by rows; TURNS 0: none, and set *N to how many there are in all. */
static dl_status gather_records(uint64_t *n, search *s, uint64_t turn,
                                uint64_t turns, dl_error *err)
{
    int64_t size = dlc_spool_size(s->file);

    *n = 0;
    s->n_records = 0;
    for (int64_t at = 0; at < size; at += (int64_t)sizeof(dlc_moved_record)) {
        dlc_moved_record record;
        uint64_t bit;

        DL_TRY(dlc_spool_get(&record, sizeof record, s->file, at, err));
        bit = bit_of(s, &record.unique);
        if (!has_bit(s->mixed, bit)) {
            continue;
        }
        (*n)++;
        if (turns == 0 || bit % turns != turn) {
            continue;
        }
        s->records = dl_array_room(s->records, &s->records_room,
                                   s->n_records + 1, sizeof *s->records);
        s->records[s->n_records++] = record;
    }
    return DL_OK;
}

/* Decide the rows of the records at hand. */
static dl_status decide_rows(search *s, dl_error *err)
{
    size_t from = 0;

    if (s->n_records == 0) {
        return DL_OK;
    }
    gather_keys(s);
    DL_TRY(gather_deletions(s, err));
    qsort(s->records, s->n_records, sizeof *s->records, by_row);
    for (size_t i = 1; i <= s->n_records; i++) {
        if (i == s->n_records || compare_keys(&s->records[from].unique,
                                              &s->records[i].unique) != 0) {
            decide_row(s, s->records + from, i - from);
            from = i;
        }
    }
    return DL_OK;
}

/* --- All ------------------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
    return dl_coord_compare_place(a, b);
}

static dl_status run(search *s, dl_error *err, apr_pool_t *scratch_pool)
{
    dl_lake_snapshot *snap = s->source->snap;
    uint64_t turns;
    uint64_t n;

    DL_TRY(dlc_lake_each(snap, mark_covered, s, err, scratch_pool));
    DL_TRY(dlc_lake_each(snap, keep_suspect, s, err, scratch_pool));
    DL_TRY(gather_records(&n, s, 0, 0, err));
    turns = n / AT_A_TIME + 1;
    for (uint64_t turn = 0; turn < turns && n > 0; turn++) {
        uint64_t ignored;

        DL_TRY(gather_records(&ignored, s, turn, turns, err));
        DL_TRY(decide_rows(s, err));
    }
    if (s->moved->n > 1) {
        qsort(s->moved->lost, s->moved->n, sizeof *s->moved->lost, by_place);
    }
    return DL_OK;
}

static apr_status_t free_moved(void *data)
{
    free(((dlc_wh_moved *)data)->lost);
    return APR_SUCCESS;
}

static apr_status_t free_search(void *data)
{
    search *s = data;

    free(s->covered);
    free(s->mixed);
    free(s->records);
    free(s->keys);
    free(s->deletions);
    free(s->found);
    return APR_SUCCESS;
}

dl_status dlc_wh_moved_find(dlc_wh_moved **moved,
                            const dlc_wh_moved_source *source, dl_error *err,
                            apr_pool_t *pool)
{
    apr_pool_t *scratch;
    dl_status status;
    search *s;

    *moved = apr_pcalloc(pool, sizeof **moved);
    apr_pool_cleanup_register(pool, *moved, free_moved, apr_pool_cleanup_null);
    apr_pool_create(&scratch, pool);
    s = apr_pcalloc(scratch, sizeof *s);
    apr_pool_cleanup_register(scratch, s, free_search, apr_pool_cleanup_null);
    apr_pool_create(&s->bounds, scratch);
    s->source = source;
    s->moved = *moved;
    s->judge = dl_judge_create(source->dataset, scratch);
    s->change = dl_change_create(source->dataset, source->of, scratch);
    s->sum = dl_sha256_create(scratch);
    status = dlc_spool_create(&s->file, err, scratch);
    if (status == DL_OK && dlc_wh_key_unique(&s->unique, source->dataset)) {
        make_bits(s);
        status = run(s, err, scratch);
    }
    apr_pool_destroy(scratch);
    return status;
}

bool dlc_wh_moved_has(const dlc_wh_moved *moved, const dl_coord *coord)
{
    return moved->n > 0 && bsearch(coord, moved->lost, moved->n, sizeof *coord,
                                   by_place) != NULL;
}
