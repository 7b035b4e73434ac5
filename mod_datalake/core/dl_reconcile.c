/* dl_reconcile.c - Offsets of broker and lake, compared.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_reconcile.h"

#include <string.h>

#include "dl_lake_quarantine.h"
#include "dl_lake_runs.h"
#include "dl_offset_set.h"

/* Gaps that lie closer together are asked for at once: reading a few records
 * too many is cheaper than another question. */
#define NEAR 500

/* A comparison under way. */
typedef struct comparison {
    dl_reconcile *r;         /* what comes of it */
    dl_lake_snapshot *snap;  /* the lake's state */
    const dl_broker *broker; /* the questions */
    int part;                /* partition whose gaps are asked for */
    uint64_t found;          /* records in the gaps of a question */
    apr_pool_t *pool;        /* for the walks */
} comparison;

static void name_place(dl_reconcile *r, const dl_reconcile_place *place)
{
    if (r->n_named < DL_RECONCILE_NAMED) {
        r->named[r->n_named++] = *place;
    }
}

/* Whether messages of DAY by Kafka's time are asked for. */
static bool is_wanted(const dl_reconcile *r, dl_day day)
{
    return r->ask.date == DL_DAY_NONE || r->ask.date == day;
}

/* --- The broker's bounds ---------------------------------------------------- */

/* Set the offsets of partition I that the date begins and ends with. */
static dl_status bound_by_date(comparison *c, int i, dl_error *err)
{
    dl_reconcile_part *part = &c->r->parts[i];
    dl_broker_time time = {.topic = c->r->ask.topic,
                           .partition = i,
                           .time = dl_day_start(c->r->ask.date)};
    int64_t first;
    int64_t next;

    DL_TRY(c->broker->at(&first, c->broker->context, &time, err));
    time.time += DL_DAY_US;
    DL_TRY(c->broker->at(&next, c->broker->context, &time, err));
    part->low = first > part->low ? first : part->low;
    part->high = next < part->high ? next : part->high;
    part->high = part->high < part->low ? part->low : part->high;
    return DL_OK;
}

static dl_status ask_bounds(comparison *c, int n, dl_error *err)
{
    dl_reconcile *r = c->r;
    int i;

    for (i = 0; i < n; i++) {
        dl_reconcile_part *part = &r->parts[i];

        DL_TRY(c->broker->marks(&part->low, &part->high, c->broker->context,
                                r->ask.topic, i, err));
        if (r->ask.date != DL_DAY_NONE) {
            DL_TRY(bound_by_date(c, i, err));
        }
        r->kafka_records += (uint64_t)(part->high - part->low);
    }
    return DL_OK;
}

/* Make the partitions that broker, lake or warehouse know. */
static dl_status make_parts(comparison *c, dl_error *err, apr_pool_t *pool)
{
    dl_reconcile *r = c->r;
    const dl_lake_totals *totals =
        c->snap == NULL ? NULL : dl_lake_snapshot_totals(c->snap);
    int32_t n;
    int i;

    DL_TRY(c->broker->partitions(&n, c->broker->context, r->ask.topic, err));
    r->n = n;
    for (i = 0; totals != NULL && i < totals->n_next; i++) {
        if (totals->next[i].partition >= r->n) {
            r->n = totals->next[i].partition + 1;
        }
    }
    r->parts = apr_pcalloc(pool, (size_t)r->n * sizeof *r->parts);
    for (i = 0; i < r->n; i++) {
        r->parts[i].warehouse_next = -1;
        r->parts[i].had =
            dl_offset_set_create(r->ask.memory / (size_t)r->n, pool);
    }
    for (i = 0; totals != NULL && i < totals->n_next; i++) {
        r->parts[totals->next[i].partition].lake_next = totals->next[i].next;
    }
    r->generation = totals == NULL ? 0 : totals->generation;
    for (i = 0; i < r->ask.n_next; i++) {
        const dl_reconcile_next *next = &r->ask.next[i];

        if (next->partition < r->n && next->generation == r->generation) {
            r->parts[next->partition].warehouse_next = next->next;
        }
    }
    return ask_bounds(c, n, err);
}

/* --- What the lake has ------------------------------------------------------ */

/* Note FIRST..NEXT-1 of partition PART, of messages of DAY. */
static dl_status note_offsets(dl_reconcile *r, const dl_lake_run *run,
                              dl_error *err)
{
    uint64_t again;

    DL_TRY(dl_offset_set_add(&again, r->parts[run->partition].had, run->first,
                             run->next, err));
    if (again > 0 && is_wanted(r, run->broker_day)) {
        r->duplicate += again;
        name_place(r, &(dl_reconcile_place){.partition = run->partition,
                                            .offset = run->first});
    }
    return DL_OK;
}

/* How many of the offsets of RUN the warehouse has taken. */
static uint64_t taken_by_warehouse(const dl_reconcile *r,
                                   const dl_lake_run *run)
{
    int64_t next = r->parts[run->partition].warehouse_next;

    next = next < run->next ? next : run->next;
    return next > run->first ? (uint64_t)(next - run->first) : 0;
}

static bool is_of(const dl_reconcile *r, const dl_lake_run *run)
{
    return run->generation == r->generation && run->partition >= 0 &&
           run->partition < r->n;
}

static dl_status add_lines(void *context, const dl_lake_run *run, dl_error *err)
{
    dl_reconcile *r = ((comparison *)context)->r;
    uint64_t n = (uint64_t)(run->next - run->first);

    if (!is_of(r, run)) {
        return DL_OK;
    }
    if (is_wanted(r, run->broker_day)) {
        r->lake_records += n;
        r->warehouse_records += taken_by_warehouse(r, run);
        r->late += run->broker_day != DL_DAY_NONE && run->day < run->broker_day
                       ? n
                       : 0;
    }
    return note_offsets(r, run, err);
}

/* Note what was set aside, or dropped, as Q. */
static dl_status add_aside(dl_reconcile *r, const dl_lake_set_aside *q,
                           dl_error *err)
{
    uint64_t n = q->repeats > 0 ? q->repeats : 1;
    const dl_lake_run run = {.generation = q->coord.generation,
                             .partition = q->coord.partition,
                             .first = q->coord.offset,
                             .next = q->coord.offset + (int64_t)n,
                             .broker_day = q->coord.time == DL_TIME_NONE
                                               ? DL_DAY_NONE
                                               : dl_time_day(q->coord.time)};

    if (!is_of(r, &run)) {
        return DL_OK;
    }
    if (q->repeats > 0) {
        r->repeats += n;
    }
    else if (is_wanted(r, run.broker_day)) {
        r->dead_letters++;
    }
    return note_offsets(r, &run, err);
}

static dl_status add_quarantine(comparison *c, dl_error *err)
{
    dl_lake_quarantine_walk *walk;
    dl_lake_set_aside q;

    DL_TRY(dl_lake_quarantine_open(&walk, c->snap, NULL, err, c->pool));
    dl_lake_quarantine_with_repeats(walk);
    for (;;) {
        DL_TRY(dl_lake_quarantine_next(&q, walk, err));
        if (q.payload == NULL) {
            return DL_OK;
        }
        DL_TRY(add_aside(c->r, &q, err));
    }
}

/* --- Gaps -------------------------------------------------------------------
 */

/* Where the gaps of partition I that count end. */
static int64_t end_of_gaps(const dl_reconcile_part *part)
{
    return part->high < part->lake_next ? part->high : part->lake_next;
}

static void count_gaps(dl_reconcile *r)
{
    int i;

    for (i = 0; i < r->n; i++) {
        const dl_reconcile_part *part = &r->parts[i];
        int64_t end = end_of_gaps(part);

        if (part->low < end) {
            r->gaps += (uint64_t)(end - part->low) -
                       dl_offset_set_count(part->had, part->low, end);
        }
    }
}

/* A record is at OFFSET: if that is a gap, it is missing. */
static dl_status look_at(void *context, int64_t offset, dl_error *err)
{
    comparison *c = context;

    (void)err;
    if (dl_offset_set_count(c->r->parts[c->part].had, offset, offset + 1) ==
        0) {
        c->found++;
        name_place(c->r, &(dl_reconcile_place){.partition = c->part,
                                               .offset = offset,
                                               .missing = true});
    }
    return DL_OK;
}

/* Ask for the gaps of the partition C stands at, near ones together. */
static dl_status ask_gaps(comparison *c, dl_error *err)
{
    const dl_reconcile_part *part = &c->r->parts[c->part];
    dl_broker_span span = {.topic = c->r->ask.topic, .partition = c->part};
    int64_t from = part->low;
    int64_t end = end_of_gaps(part);
    int64_t first;
    int64_t next;

    while (dl_offset_set_gap(&first, &next, part->had, from, end)) {
        span.first = first;
        do {
            span.end = next;
            from = next;
        } while (dl_offset_set_gap(&first, &next, part->had, from, end) &&
                 first - span.end < NEAR);
        DL_TRY(c->broker->records(c->broker->context, &span, look_at, c, err));
    }
    return DL_OK;
}

static dl_status find_missing(comparison *c, dl_error *err)
{
    dl_reconcile *r = c->r;

    count_gaps(r);
    r->missing_known = r->gaps <= r->ask.gaps;
    if (!r->missing_known) {
        return DL_OK;
    }
    for (c->part = 0; c->part < r->n; c->part++) {
        DL_TRY(ask_gaps(c, err));
    }
    r->missing = c->found;
    r->kafka_records -= r->gaps - r->missing;
    return DL_OK;
}

dl_status dl_reconcile_run(dl_reconcile *result, dl_lake_snapshot *snap,
                           const dl_broker *broker, const dl_reconcile_ask *ask,
                           dl_error *err, apr_pool_t *result_pool)
{
    comparison c = {.r = result, .snap = snap, .broker = broker};

    memset(result, 0, sizeof *result);
    result->ask = *ask;
    DL_TRY(make_parts(&c, err, result_pool));
    if (snap != NULL) {
        apr_pool_create(&c.pool, result_pool);
        DL_TRY(dl_lake_runs_walk(snap, add_lines, &c, err, c.pool));
        DL_TRY(add_quarantine(&c, err));
        apr_pool_destroy(c.pool);
    }
    return find_missing(&c, err);
}

bool dl_reconcile_ok(const dl_reconcile *result)
{
    return result->missing_known && result->missing == 0 &&
           result->duplicate == 0 &&
           (!result->ask.has_warehouse || result->ask.refused == 0);
}

/* --- Writing ---------------------------------------------------------------- */

static void write_number(dl_json_writer *w, const char *name, uint64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, (int64_t)value);
}

/* Write NAME: VALUE, or null when it is not KNOWN. */
static void write_known(dl_json_writer *w, const char *name, bool known,
                        uint64_t value)
{
    dl_json_write_key(w, name);
    if (known) {
        dl_json_write_int(w, (int64_t)value);
    }
    else {
        dl_json_write_null(w);
    }
}

static void write_part(dl_json_writer *w, const dl_reconcile_part *part, int i)
{
    dl_json_write_object_begin(w);
    write_number(w, "partition", (uint64_t)i);
    write_number(w, "kafka_low", (uint64_t)part->low);
    write_number(w, "kafka_high", (uint64_t)part->high);
    write_number(w, "lake_next", (uint64_t)part->lake_next);
    write_known(w, "warehouse_next", part->warehouse_next >= 0,
                (uint64_t)part->warehouse_next);
    dl_json_write_object_end(w);
}

void dl_reconcile_write(dl_json_writer *w, const dl_reconcile *r)
{
    int i;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, r->ask.topic);
    dl_json_write_key(w, "date");
    if (r->ask.date == DL_DAY_NONE) {
        dl_json_write_null(w);
    }
    else {
        dl_json_write_day(w, r->ask.date);
    }
    dl_json_write_key(w, "partitions");
    dl_json_write_array_begin(w);
    for (i = 0; i < r->n; i++) {
        write_part(w, &r->parts[i], i);
    }
    dl_json_write_array_end(w);
    write_number(w, "kafka_records", r->kafka_records);
    write_number(w, "lake_records", r->lake_records);
    write_known(w, "warehouse_records", r->ask.has_warehouse,
                r->warehouse_records);
    write_number(w, "warehouse_refused",
                 r->ask.has_warehouse ? r->ask.refused : 0);
    write_number(w, "dead_letters", r->dead_letters);
    write_known(w, "missing", r->missing_known, r->missing);
    write_number(w, "duplicate", r->duplicate);
    write_number(w, "late", r->late);
    dl_json_write_key(w, "ok");
    dl_json_write_bool(w, dl_reconcile_ok(r));
    dl_json_write_object_end(w);
}
