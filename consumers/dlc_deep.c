/* dlc_deep.c - Sums of lines by offset, compared with the broker's values.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_deep.h"

#include <stdlib.h>
#include <string.h>

#include "dl_crc.h"
#include "dl_json.h"
#include "dl_lake_reader.h"

/* Offsets whose sums are kept at once. */
#define OFFSETS ((size_t)16 * 1048576)

/* Some offsets of a partition, and the sums of their lines. */
typedef struct span {
    int32_t partition; /* of the topic */
    int64_t first;     /* the first offset */
    int64_t end;       /* one past the last; FIRST: none */
    size_t at;         /* place of the first one's sum */
} span;

/* A comparison under way. */
typedef struct deep_run {
    dlc_deep *deep;              /* what comes of it */
    const dl_reconcile *shallow; /* bounds of the partitions */
    const dl_json_shape *shape;  /* of no member */
    char *scratch;               /* for canonical lines; malloc */
    span *spans;                 /* of this turn, by partition */
    uint64_t *sums;              /* of their lines; 0: there is none; malloc */
    const span *reading;         /* whose messages are being read */
} deep_run;

static apr_status_t free_run(void *context)
{
    deep_run *run = context;

    free(run->scratch);
    free(run->sums);
    return APR_SUCCESS;
}

/* The sum of the LEN bytes at TEXT, never 0. */
static uint64_t sum_of(const char *text, size_t len)
{
    uint32_t low = dl_crc32c(0, text, len);
    uint32_t high = dl_crc32c(0x9E3779B1u, text, len) ^ (uint32_t)len;

    return ((uint64_t)high << 32 | low) | 1;
}

/* --- The lake --------------------------------------------------------------- */

/* Note LINE if its offset lies in a span of this turn. */
static void note_line(deep_run *run, const dl_lake_line *line)
{
    const dl_coord *c = &line->coord;
    const span *s;

    if (c->generation != run->shallow->generation ||
        c->partition >= run->shallow->n) {
        return;
    }
    s = &run->spans[c->partition];
    if (c->offset >= s->first && c->offset < s->end) {
        run->sums[s->at + (size_t)(c->offset - s->first)] =
            sum_of(line->text, line->len);
    }
}

static dl_status read_day(deep_run *run, dl_lake_snapshot *snap, dl_day day,
                          dl_error *err, apr_pool_t *pool)
{
    const dl_lake_range range = {
        .day = day, .as_of = DL_TIME_NONE, .with_coords = true};
    dl_lake_line line;
    dl_lake_scan *scan;

    DL_TRY(dl_lake_scan_open(&scan, snap, &range, err, pool));
    for (;;) {
        DL_TRY(dl_lake_scan_next(&line, scan, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        run->deep->lines++;
        note_line(run, &line);
    }
}

static dl_status read_lake(deep_run *run, dl_lake_snapshot *snap, dl_error *err,
                           apr_pool_t *pool)
{
    dl_status status = DL_OK;
    apr_pool_t *iterpool;
    int i;

    run->deep->lines = 0;
    apr_pool_create(&iterpool, pool);
    for (i = 0; status == DL_OK && i < dl_lake_days(snap); i++) {
        apr_pool_clear(iterpool);
        status =
            read_day(run, snap, dl_lake_day_at(snap, i)->day, err, iterpool);
    }
    apr_pool_destroy(iterpool);
    return status;
}

/* --- The broker ------------------------------------------------------------- */

/* Whether MESSAGE, in the stored form, has the sum SUM. */
static bool is_same(deep_run *run, const rd_kafka_message_t *message,
                    uint64_t sum)
{
    dl_json_result result;
    dl_json_slice none;

    return message->payload != NULL && message->len <= DL_JSON_MAX_BYTES &&
           dl_json_scan(&result, &none, run->shape, run->scratch,
                        message->payload, message->len) == DL_JSON_FINE &&
           sum_of(result.line, result.line_len) == sum;
}

static dl_status
compare_message(void *context, const rd_kafka_message_t *message, dl_error *err)
{
    deep_run *run = context;
    const span *s = run->reading;
    dlc_deep *deep = run->deep;
    uint64_t sum;

    (void)err;
    if (message->offset < s->first || message->offset >= s->end) {
        return DL_OK;
    }
    sum = run->sums[s->at + (size_t)(message->offset - s->first)];
    if (sum == 0) {
        return DL_OK; /* a dead letter, a repeat, or missing: known already */
    }
    deep->compared++;
    if (!is_same(run, message, sum)) {
        deep->different++;
        if (deep->n_named < DL_RECONCILE_NAMED) {
            deep->named[deep->n_named++] = (dl_reconcile_place){
                .partition = s->partition, .offset = message->offset};
        }
    }
    return DL_OK;
}

/* --- Turns ------------------------------------------------------------------ */

/* Choose the offsets of the next turn; false: there are none left. */
static bool choose_spans(deep_run *run)
{
    size_t used = 0;
    int i;

    for (i = 0; i < run->shallow->n; i++) {
        const dl_reconcile_part *part = &run->shallow->parts[i];
        int64_t end =
            part->high < part->lake_next ? part->high : part->lake_next;
        span *s = &run->spans[i];

        s->first = s->end > part->low ? s->end : part->low;
        s->end = end - s->first > (int64_t)(OFFSETS - used)
                     ? s->first + (int64_t)(OFFSETS - used)
                     : end;
        s->end = s->end < s->first ? s->first : s->end;
        s->at = used;
        used += (size_t)(s->end - s->first);
    }
    return used > 0;
}

/* Compare the offsets of this turn. */
static dl_status compare_spans(deep_run *run, dl_lake_snapshot *snap,
                               dlc_broker *broker, dl_error *err,
                               apr_pool_t *pool)
{
    int i;

    memset(run->sums, 0, OFFSETS * sizeof *run->sums);
    DL_TRY(read_lake(run, snap, err, pool));
    for (i = 0; i < run->shallow->n; i++) {
        const dl_broker_span asked = {.topic = run->shallow->ask.topic,
                                      .partition = i,
                                      .first = run->spans[i].first,
                                      .end = run->spans[i].end};

        run->reading = &run->spans[i];
        if (asked.first < asked.end) {
            DL_TRY(dlc_broker_read(broker, &asked, compare_message, run, err));
        }
    }
    return DL_OK;
}

dl_status dlc_deep_compare(dlc_deep *deep, dl_lake_snapshot *snap,
                           const dl_reconcile *shallow, dlc_broker *broker,
                           dl_error *err, apr_pool_t *scratch_pool)
{
    deep_run *run = apr_pcalloc(scratch_pool, sizeof *run);
    int i;

    memset(deep, 0, sizeof *deep);
    run->deep = deep;
    run->shallow = shallow;
    run->spans =
        apr_pcalloc(scratch_pool, (size_t)shallow->n * sizeof *run->spans);
    for (i = 0; i < shallow->n; i++) {
        run->spans[i].partition = i;
    }
    run->scratch = malloc(DL_JSON_MAX_BYTES + DL_JSON_SLACK);
    run->sums = malloc(OFFSETS * sizeof *run->sums);
    if (run->scratch == NULL || run->sums == NULL) {
        abort();
    }
    apr_pool_cleanup_register(scratch_pool, run, free_run,
                              apr_pool_cleanup_null);
    DL_TRY(dl_json_shape_create(&run->shape, NULL, 0, err, scratch_pool));
    if (!choose_spans(run)) {
        return read_lake(run, snap, err, scratch_pool);
    }
    do {
        DL_TRY(compare_spans(run, snap, broker, err, scratch_pool));
    } while (choose_spans(run));
    return DL_OK;
}
