/* dlc_wh_change.c - Read the events, keep them, apply them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_change.h"

#include "dl_change.h"
#include "dl_json.h"
#include "dl_json_values.h"

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_tables.h>

/* Events that are applied in one transaction. */
#define TOGETHER 500

/* One event. */
typedef struct kept_event {
    int64_t id;              /* dl-change-id */
    size_t n;                /* the how manieth it was read */
    const char *text;        /* it */
    size_t len;              /* bytes of it */
    bool early;              /* a deletion that was applied */
    struct kept_event *next; /* another deletion with the same key */
} kept_event;

struct dlc_wh_change {
    dl_wh *wh;                  /* connection */
    const dl_dataset *ds;       /* whose table */
    dl_change *change;          /* reads and applies */
    apr_array_header_t *events; /* of kept_event *, by id */
    apr_hash_t *deletions;      /* text of the key -> kept_event */
    const dl_json_shape *shape; /* picks the key out of a record */
    char *scratch;              /* for that */
    kept_event *pending;        /* to be applied early; NULL: none */
    apr_pool_t *event;          /* of one event */
    apr_pool_t *pool;           /* of all this */
};

/* --- Keys ----------------------------------------------------------------- */

static apr_status_t free_memory(void *memory)
{
    free(memory);
    return APR_SUCCESS;
}

/* Set *KEY and *LEN to the text of the key's member in the object TEXT, as it
 * is escaped there; false: it has none. */
static bool key_of(const char **key, size_t *len, const dlc_wh_change *c,
                   const char *text, size_t text_len)
{
    dl_json_slice slots[8];
    dl_json_result result;

    if (c->shape == NULL || dl_json_scan(&result, slots, c->shape, c->scratch,
                                         text, text_len) != DL_JSON_FINE) {
        return false;
    }
    *key = slots[0].text;
    *len = slots[0].len;
    return slots[0].kind > DL_JSON_NULL;
}

static dl_status make_shape(dlc_wh_change *c, dl_error *err)
{
    const char *path[1];

    if (c->ds->key_field < 0) {
        return DL_OK;
    }
    path[0] = c->ds->fields[c->ds->key_field].path;
    c->scratch = malloc(DL_JSON_MAX_BYTES + DL_JSON_SLACK);
    if (c->scratch == NULL) {
        abort();
    }
    apr_pool_cleanup_register(c->pool, c->scratch, free_memory,
                              apr_pool_cleanup_null);
    return dl_json_shape_create(&c->shape, path, 1, err, c->pool);
}

/* --- Reading -------------------------------------------------------------- */

static dl_status no_event(const dlc_lake_record *record, dl_error *err)
{
    return dl_wrap(err, "the change event at partition %d offset %lld",
                   record->coord.partition, (long long)record->coord.offset);
}

/* The id that the message of RECORD has, 0: none. */
static int64_t id_of(const dlc_lake_record *record)
{
    const char *value;
    size_t len;
    char text[24];

    if (!dl_line_note_find(&value, &len, record->note, "dl-change-id") ||
        len >= sizeof text) {
        return 0;
    }
    memcpy(text, value, len);
    text[len] = '\0';
    return strtoll(text, NULL, 10);
}

/* Keep a deletion by its key. */
static void keep_deletion(dlc_wh_change *c, kept_event *event)
{
    dl_json_values all;
    const dl_json_value *object;
    const char *key;
    size_t len;

    apr_pool_clear(c->event);
    if (dl_json_values_read(&all, event->text, event->len, c->event) !=
        DL_JSON_FINE) {
        return;
    }
    object = &all.values[dl_json_values_member(&all, 0, "key")];
    if (key_of(&key, &len, c, event->text + object->first,
               object->end - object->first)) {
        key = apr_pstrmemdup(c->pool, key, len);
        event->next = apr_hash_get(c->deletions, key, (apr_ssize_t)len);
        apr_hash_set(c->deletions, key, (apr_ssize_t)len, event);
    }
}

static dl_status keep(dlc_wh_change *c, const dlc_lake_record *record,
                      dl_error *err)
{
    kept_event *event;
    const char *value;
    size_t len;

    if (record->note == NULL ||
        !dl_line_note_find(&value, &len, record->note, "dl-event")) {
        return DL_OK;
    }
    if (c->ds->rollup != NULL) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s has change events, which rollups would not "
                       "follow",
                       c->ds->name);
    }
    if (dl_change_read(c->change, record->text, record->len, err) != DL_OK) {
        return no_event(record, err);
    }
    if (!dl_change_concerns(c->change)) {
        return DL_OK;
    }
    event = apr_pcalloc(c->pool, sizeof *event);
    event->id = id_of(record);
    event->n = (size_t)c->events->nelts;
    event->text = apr_pstrmemdup(c->pool, record->text, record->len);
    event->len = record->len;
    APR_ARRAY_PUSH(c->events, kept_event *) = event;
    if (dl_change_deletes(c->change)) {
        keep_deletion(c, event);
    }
    return DL_OK;
}

static int by_id(const void *a, const void *b)
{
    const kept_event *x = *(kept_event *const *)a;
    const kept_event *y = *(kept_event *const *)b;

    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    return x->n < y->n ? -1 : 1;
}

static dl_status read_all(dlc_wh_change *c, dl_lake_snapshot *snap,
                          dl_error *err, apr_pool_t *pool)
{
    const dlc_lake_record *records = NULL;
    dlc_lake_order *order;
    size_t n = 0;

    DL_TRY(dlc_lake_order_open(&order, snap, err, pool));
    DL_TRY(dlc_lake_order_next(&records, &n, order, err));
    while (n > 0) {
        for (size_t i = 0; i < n; i++) {
            DL_TRY(keep(c, &records[i], err));
        }
        DL_TRY(dlc_lake_order_next(&records, &n, order, err));
    }
    qsort(c->events->elts, (size_t)c->events->nelts, sizeof(kept_event *),
          by_id);
    return DL_OK;
}

dl_status dlc_wh_change_load(dlc_wh_change **change, dl_wh *wh,
                             const dlc_wh_change_source *source, dl_error *err,
                             apr_pool_t *pool)
{
    dlc_wh_change *c = apr_pcalloc(pool, sizeof *c);
    apr_pool_t *scratch;
    dl_status status;

    c->wh = wh;
    c->ds = source->dataset;
    c->pool = pool;
    c->change = dl_change_create(c->ds, source->of, pool);
    c->events = apr_array_make(pool, 16, sizeof(kept_event *));
    c->deletions = apr_hash_make(pool);
    DL_TRY(make_shape(c, err));
    apr_pool_create(&c->event, pool);
    apr_pool_create(&scratch, pool);
    status = read_all(c, source->snap, err, scratch);
    apr_pool_destroy(scratch);
    *change = c;
    return status;
}

uint64_t dlc_wh_change_count(const dlc_wh_change *change)
{
    return (uint64_t)change->events->nelts;
}

/* --- Applying ------------------------------------------------------------- */

static dl_status apply(dlc_wh_change *c, const kept_event *event, dl_error *err)
{
    DL_TRY(dl_change_read(c->change, event->text, event->len, err));
    return dl_change_apply(NULL, c->change, c->wh, err);
}

bool dlc_wh_change_before(dlc_wh_change *change, const dlc_lake_record *record)
{
    const char *key;
    size_t len;
    kept_event *event;
    dl_error ignored;

    if (apr_hash_count(change->deletions) == 0 ||
        !key_of(&key, &len, change, record->text, record->len)) {
        return false;
    }
    event = apr_hash_get(change->deletions, key, (apr_ssize_t)len);
    while (event != NULL) {
        if (!event->early &&
            dl_change_read(change->change, event->text, event->len, &ignored) ==
                DL_OK &&
            !dl_change_covers(change->change, record->coord.generation,
                              record->coord.partition, record->coord.offset)) {
            change->pending = event;
            return true;
        }
        event = event->next;
    }
    return false;
}

dl_status dlc_wh_change_early(dlc_wh_change *change, dl_error *err)
{
    change->pending->early = true;
    DL_TRY(dl_wh_begin(change->wh, err));
    DL_TRY(apply(change, change->pending, err));
    return dl_wh_commit(change->wh, err);
}

dl_status dlc_wh_change_apply(dlc_wh_change *change, dl_error *err)
{
    int n = change->events->nelts;

    for (int i = 0; i < n; i += TOGETHER) {
        DL_TRY(dl_wh_begin(change->wh, err));
        for (int k = i; k < n && k < i + TOGETHER; k++) {
            DL_TRY(apply(change, APR_ARRAY_IDX(change->events, k, kept_event *),
                         err));
        }
        DL_TRY(dl_wh_commit(change->wh, err));
    }
    return DL_OK;
}
