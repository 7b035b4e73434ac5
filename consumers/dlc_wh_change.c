/* dlc_wh_change.c - Read the events, leave records out, apply the rest.
 *
 * Deletions are applied like the others, too: a row that the database finds by
 * their key and we did not must not come back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_change.h"

#include "dl_change.h"
#include "dlc_lake_each.h"
#include "dlc_wh_deleted.h"
#include "dlc_wh_events.h"
#include "dlc_wh_moved.h"
#include "dlc_wh_waiting.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* Events that are applied in one transaction. */
#define TOGETHER 500

struct dlc_wh_change {
    const dl_dataset *ds;    /* whose table */
    dl_change *change;       /* reads and applies */
    dl_judge *judge;         /* of records; NULL: no deletion */
    dlc_wh_events *events;   /* all, by id */
    size_t applied;          /* of them */
    dlc_wh_waiting *waiting; /* those that the lake has not got */
    uint64_t later;          /* of these, what came while tables were filled */
    bool without_lost;       /* records that the lake has not are lost */
    uint64_t lost;           /* events made of such records */
    const dl_lake_totals *totals; /* where each partition of the lake ends */
    dl_wh *wh;                    /* of what is applied late */
    dlc_wh_deleted *deleted;      /* records that are left out */
    dlc_wh_moved *moved;          /* others that are; NULL: there are none */
};

/* --- Reading -------------------------------------------------------------- */

/* The id that the message of LINE has, 0: none. */
static int64_t id_of(const dl_lake_line *line)
{
    const char *value;
    size_t len;
    char text[24];

    if (!dl_line_note_find(&value, &len, line->note, "dl-change-id") ||
        len >= sizeof text) {
        return 0;
    }
    memcpy(text, value, len);
    text[len] = '\0';
    return strtoll(text, NULL, 10);
}

/* Check that the lake has all that was loaded when the event that C has read
 * was made: what came later, or from Kafka, would not be what it changed. */
static dl_status check_stored(const dlc_wh_change *c, dl_error *err)
{
    enum {
        PARTITIONS = 1024
    };
    dl_change_bound bounds[PARTITIONS];
    const dl_lake_totals *t = c->totals;
    int32_t generation;
    int n = dl_change_bounds(&generation, bounds, PARTITIONS, c->change);

    for (int i = 0; i < n && generation >= t->generation; i++) {
        int64_t next = 0;

        for (int k = 0; generation == t->generation && k < t->n_next; k++) {
            next = t->next[k].partition == bounds[i].partition ? t->next[k].next
                                                               : next;
        }
        if (bounds[i].next > next) {
            return dl_fail(
                err, DL_BUSY, 0,
                "datalake-lake has not stored yet what a change was "
                "made of, up to offset %lld of partition %lld: start "
                "it, or wait, and try again",
                (long long)bounds[i].next, (long long)bounds[i].partition);
        }
    }
    return DL_OK;
}

/* Keep EVENT, which C has read, if it is about the table. */
static dl_status keep(dlc_wh_change *c, const dlc_wh_event *event,
                      dl_error *err)
{
    dlc_wh_event kept = *event;
    dl_status status;

    if (!dl_change_concerns(c->change)) {
        return DL_OK;
    }
    kept.deletes = dl_change_deletes(c->change);
    status = check_stored(c, err);
    if (status != DL_OK && !c->without_lost) {
        return status;
    }
    c->lost += status != DL_OK ? 1 : 0;
    DL_TRY(dlc_wh_events_add(c->events, &kept, err));
    return kept.deletes ? dlc_wh_deleted_add(c->deleted, c->change, err)
                        : DL_OK;
}

static dl_status check_rollup(const dlc_wh_change *c, dl_error *err)
{
    return c->ds->rollup == NULL
               ? DL_OK
               : dl_fail(err, DL_UNSUPPORTED, 0,
                         "dataset %s has change events, which rollups would "
                         "not follow",
                         c->ds->name);
}

/* Keep LINE if it is an event about the table. */
static dl_status read_line(void *context, const dl_lake_line *line,
                           dl_error *err)
{
    dlc_wh_change *c = context;
    dlc_wh_event event = {.text = line->text, .len = line->len};
    const char *value;
    size_t len;

    if (line->note->n == 0 ||
        !dl_line_note_find(&value, &len, line->note, "dl-event")) {
        return DL_OK;
    }
    DL_TRY(check_rollup(c, err));
    if (dl_change_read(c->change, line->text, line->len, err) != DL_OK) {
        return dl_wrap(err, "the change event at partition %d offset %lld",
                       line->coord.partition, (long long)line->coord.offset);
    }
    event.id = id_of(line);
    dlc_wh_waiting_stored(c->waiting, event.id);
    return keep(c, &event, err);
}

/* Have C read EVENT, which is none of the lake's. */
static dl_status read_event(dlc_wh_change *c, const dlc_wh_event *event,
                            dl_error *err)
{
    DL_TRY(check_rollup(c, err));
    return dl_change_read(c->change, event->text, event->len, err) == DL_OK
               ? DL_OK
               : dl_wrap(err, "a change event in change_outbox");
}

static dl_status take_waiting(void *context, const dlc_wh_event *event,
                              dl_error *err)
{
    dlc_wh_change *c = context;

    DL_TRY(read_event(c, event, err));
    return keep(c, event, err);
}

/* Find the records that a deletion takes with others. */
static dl_status find_moved(dlc_wh_change *c,
                            const dlc_wh_change_source *source, dl_error *err,
                            apr_pool_t *pool)
{
    const dlc_wh_moved_source what = {.dataset = c->ds,
                                      .snap = source->records,
                                      .of = source->of,
                                      .events = c->events,
                                      .deleted = c->deleted};

    return dlc_wh_deleted_may_move(c->deleted)
               ? dlc_wh_moved_find(&c->moved, &what, err, pool)
               : DL_OK;
}

/* Read all events that there are. */
static dl_status read_all(dlc_wh_change *c, const dlc_wh_change_source *source,
                          dl_wh *wh, dl_error *err, apr_pool_t *pool)
{
    apr_pool_t *scratch;
    dl_status status = DL_OK;
    size_t n;

    apr_pool_create(&scratch, pool);
    if (source->snap != NULL) {
        status = dlc_lake_each(source->snap, read_line, c, err, scratch);
    }
    apr_pool_destroy(scratch);
    DL_TRY(status);
    DL_TRY(dlc_wh_waiting_read(&n, c->waiting, wh, take_waiting, c, err));
    dlc_wh_waiting_taken(c->waiting);
    dlc_wh_events_sort(c->events);
    return DL_OK;
}

dl_status dlc_wh_change_load(dlc_wh_change **change,
                             const dlc_wh_change_source *source, dl_wh *wh,
                             dl_error *err, apr_pool_t *pool)
{
    dlc_wh_change *c = apr_pcalloc(pool, sizeof *c);

    c->ds = source->dataset;
    c->without_lost = source->without_lost;
    c->totals = dl_lake_snapshot_totals(source->records);
    c->change = dl_change_create(c->ds, source->of, pool);
    c->waiting = dlc_wh_waiting_create(source->topic, pool);
    DL_TRY(dlc_wh_events_create(&c->events, err, pool));
    DL_TRY(dlc_wh_deleted_create(&c->deleted, c->ds, err, pool));
    DL_TRY(read_all(c, source, wh, err, pool));
    if (!dlc_wh_deleted_is_empty(c->deleted)) {
        c->judge = dl_judge_create(c->ds, pool);
        DL_TRY(find_moved(c, source, err, pool));
    }
    *change = c;
    return DL_OK;
}

uint64_t dlc_wh_change_count(const dlc_wh_change *change)
{
    return dlc_wh_events_count(change->events) + change->later;
}

uint64_t dlc_wh_change_lost(const dlc_wh_change *change)
{
    return change->lost;
}

/* --- Leaving out ---------------------------------------------------------- */

dl_status dlc_wh_change_is_gone(bool *gone, dlc_wh_change *change,
                                const dlc_lake_record *record, dl_error *err)
{
    dl_record rec;

    *gone = false;
    if (!dlc_wh_deleted_reaches(change->deleted, &record->coord)) {
        return DL_OK;
    }
    dl_record_judge(&rec, change->judge, record->text, record->len,
                    record->coord.time);
    if (rec.verdict != DL_RECORD_GOOD) {
        return DL_OK;
    }
    DL_TRY(dlc_wh_deleted_covers(gone, NULL, change->deleted, &rec,
                                 &record->coord, err));
    *gone = *gone || (change->moved != NULL &&
                      dlc_wh_moved_has(change->moved, &record->coord));
    return DL_OK;
}

/* --- Applying ------------------------------------------------------------- */

/* Apply the events from FROM to before TO in one transaction. */
static dl_status apply_some(dlc_wh_change *c, dl_wh *wh, size_t from, size_t to,
                            dl_error *err)
{
    DL_TRY(dl_wh_begin(wh, err));
    for (size_t i = from; i < to; i++) {
        dlc_wh_event event;

        DL_TRY(dlc_wh_events_at(&event, c->events, i, false, err));
        DL_TRY(dl_change_read(c->change, event.text, event.len, err));
        DL_TRY(dl_change_apply(NULL, c->change, wh, err));
    }
    return dl_wh_commit(wh, err);
}

static dl_status apply_waiting(void *context, const dlc_wh_event *event,
                               dl_error *err)
{
    dlc_wh_change *c = context;

    DL_TRY(read_event(c, event, err));
    return dl_change_apply(NULL, c->change, c->wh, err);
}

/* Apply what requests have changed meanwhile once more: behind it came older
 * events.  A change that comes now is either read by the next turn, or comes
 * behind all of this. */
static dl_status apply_later(dlc_wh_change *c, dl_wh *wh, dl_wh *outbox,
                             dl_error *err)
{
    size_t n = 1;

    c->wh = wh;
    while (n > 0) {
        DL_TRY(dl_wh_begin(wh, err));
        DL_TRY(
            dlc_wh_waiting_read(&n, c->waiting, outbox, apply_waiting, c, err));
        DL_TRY(dl_wh_commit(wh, err));
        dlc_wh_waiting_taken(c->waiting);
        c->later += n;
    }
    return DL_OK;
}

dl_status dlc_wh_change_apply(dlc_wh_change *change, dl_wh *wh, dl_wh *outbox,
                              dl_error *err)
{
    size_t n = dlc_wh_events_count(change->events);

    while (change->applied < n) {
        size_t to =
            n - change->applied < TOGETHER ? n : change->applied + TOGETHER;

        DL_TRY(apply_some(change, wh, change->applied, to, err));
        change->applied = to;
    }
    return apply_later(change, wh, outbox, err);
}
