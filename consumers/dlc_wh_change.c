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
    dlc_wh_deleted *deleted; /* records that are left out */
    dlc_wh_moved *moved;     /* others that are; NULL: there are none */
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

static dl_status keep(dlc_wh_change *c, const dl_lake_line *line, dl_error *err)
{
    const dlc_wh_event event = {.id = id_of(line),
                                .deletes = dl_change_deletes(c->change),
                                .text = line->text,
                                .len = line->len};

    DL_TRY(dlc_wh_events_add(c->events, &event, err));
    return event.deletes ? dlc_wh_deleted_add(c->deleted, c->change, err)
                         : DL_OK;
}

/* Keep LINE if it is an event about the table. */
static dl_status read_line(void *context, const dl_lake_line *line,
                           dl_error *err)
{
    dlc_wh_change *c = context;
    const char *value;
    size_t len;

    if (line->note->n == 0 ||
        !dl_line_note_find(&value, &len, line->note, "dl-event")) {
        return DL_OK;
    }
    if (c->ds->rollup != NULL) {
        return dl_fail(err, DL_UNSUPPORTED, 0,
                       "dataset %s has change events, which rollups would not "
                       "follow",
                       c->ds->name);
    }
    if (dl_change_read(c->change, line->text, line->len, err) != DL_OK) {
        return dl_wrap(err, "the change event at partition %d offset %lld",
                       line->coord.partition, (long long)line->coord.offset);
    }
    return dl_change_concerns(c->change) ? keep(c, line, err) : DL_OK;
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

dl_status dlc_wh_change_load(dlc_wh_change **change,
                             const dlc_wh_change_source *source, dl_error *err,
                             apr_pool_t *pool)
{
    dlc_wh_change *c = apr_pcalloc(pool, sizeof *c);
    apr_pool_t *scratch;
    dl_status status;

    c->ds = source->dataset;
    c->change = dl_change_create(c->ds, source->of, pool);
    DL_TRY(dlc_wh_events_create(&c->events, err, pool));
    DL_TRY(dlc_wh_deleted_create(&c->deleted, c->ds, err, pool));
    apr_pool_create(&scratch, pool);
    status = dlc_lake_each(source->snap, read_line, c, err, scratch);
    apr_pool_destroy(scratch);
    DL_TRY(status);
    dlc_wh_events_sort(c->events);
    if (!dlc_wh_deleted_is_empty(c->deleted)) {
        c->judge = dl_judge_create(c->ds, pool);
        DL_TRY(find_moved(c, source, err, pool));
    }
    *change = c;
    return DL_OK;
}

uint64_t dlc_wh_change_count(const dlc_wh_change *change)
{
    return dlc_wh_events_count(change->events);
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

dl_status dlc_wh_change_apply(dlc_wh_change *change, dl_wh *wh, dl_error *err)
{
    size_t n = dlc_wh_events_count(change->events);

    while (change->applied < n) {
        size_t to =
            n - change->applied < TOGETHER ? n : change->applied + TOGETHER;

        DL_TRY(apply_some(change, wh, change->applied, to, err));
        change->applied = to;
    }
    return DL_OK;
}
