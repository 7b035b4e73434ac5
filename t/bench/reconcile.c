/* reconcile.c - How fast the offsets of a lake are compared.
 *
 * usage: reconcile FOLDER RECORDS [DAYS]
 *
 * Makes a lake of RECORDS short records of 6 partitions in FOLDER, unless it
 * is there: taken in batches of 100 as from Kafka, spread by chance over DAYS
 * (7) days, a commit every 20,000, two of a thousand messages dead letters.
 * Then compares it three times with a broker that has the same offsets, and
 * prints the seconds of each; and how long a record is looked for by partition
 * and offset.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "dl_lake_locate.h"
#include "dl_lake_writer.h"
#include "dl_reconcile.h"

#define PARTITIONS 6
#define BATCH      100
#define COMMIT     20000
#define LOCATED    1000
#define DAY        20000
#define DATASET    "bench"

/* Append record I of partition P and offset O. */
static dl_status put(dl_lake_writer *w, long days, int32_t p, int64_t o,
                     dl_error *err)
{
    const dl_coord c = {
        .partition = p, .offset = o, .time = (DAY + 8) * DL_DAY_US + o * 1000};
    const dl_lake_reject reject = {.reason = "schema",
                                   .detail = "as the bench wants it",
                                   .payload = "{}",
                                   .len = 2};
    dl_time time = (DAY + random() % days) * DL_DAY_US + o;

    return random() % 500 == 0
               ? dl_lake_writer_reject(w, &reject, &c, err)
               : dl_lake_writer_append(w, time, "{\"a\":1}", 7, &c, err);
}

static dl_status make_lake(const char *root, long records, long days,
                           dl_error *err, apr_pool_t *pool)
{
    const dl_lake_options o = {.root = root, .dataset = DATASET};
    int64_t next[PARTITIONS] = {0};
    dl_lake_writer *w;
    long i;

    DL_TRY(dl_lake_writer_open(&w, &o, err, pool));
    if (dl_lake_writer_next(w, 0) > 0) {
        return DL_OK;
    }
    for (i = 0; i < records; i++) {
        int32_t p = (int32_t)(i / BATCH % PARTITIONS);

        DL_TRY(put(w, days, p, next[p]++, err));
        if (i % COMMIT == COMMIT - 1 || i == records - 1) {
            DL_TRY(dl_lake_writer_commit(w, DL_DAY_US * (DAY + 9) + i, err));
        }
    }
    return dl_lake_writer_seal(w, DL_DAY_US * (DAY + 9) + i, err);
}

static dl_status all_partitions(int32_t *n, void *context, const char *topic,
                                dl_error *err)
{
    (void)context;
    (void)topic;
    (void)err;
    *n = PARTITIONS;
    return DL_OK;
}

/* CONTEXT: what the lake has. */
static dl_status same_marks(int64_t *low, int64_t *high, void *context,
                            const char *topic, int32_t partition, dl_error *err)
{
    const dl_lake_totals *totals = context;

    (void)topic;
    (void)err;
    *low = 0;
    *high = totals->next[partition].next;
    return DL_OK;
}

static dl_status no_records(void *context, const dl_broker_span *span,
                            dl_broker_each *each, void *each_context,
                            dl_error *err)
{
    (void)context;
    (void)span;
    (void)each;
    (void)each_context;
    (void)err;
    return DL_OK;
}

/* Compare once and print it. */
static dl_status compare(const char *root, dl_error *err, apr_pool_t *pool)
{
    const dl_reconcile_ask ask = {.topic = DATASET,
                                  .date = DL_DAY_NONE,
                                  .gaps = DL_RECONCILE_GAPS,
                                  .memory = 64 << 20};
    dl_broker broker = {.partitions = all_partitions,
                        .marks = same_marks,
                        .records = no_records};
    int64_t begun = dl_time_monotonic_us();
    dl_lake_snapshot *snap;
    dl_reconcile result;
    dl_lake *lake;

    DL_TRY(dl_lake_open(&lake, root, err, pool));
    DL_TRY(dl_lake_snapshot_open(&snap, lake, DATASET, err, pool));
    broker.context = (void *)(uintptr_t)dl_lake_snapshot_totals(snap);
    DL_TRY(dl_reconcile_run(&result, snap, &broker, &ask, err, pool));
    printf("records=%llu dead_letters=%llu gaps=%llu ok=%d seconds=%.3f\n",
           (unsigned long long)result.lake_records,
           (unsigned long long)result.dead_letters,
           (unsigned long long)result.gaps, dl_reconcile_ok(&result),
           (double)(dl_time_monotonic_us() - begun) / 1e6);
    return DL_OK;
}

/* Look for records by partition and offset, and print how long one takes. */
static dl_status locate(const char *root, dl_error *err, apr_pool_t *pool)
{
    dl_lake_snapshot *snap;
    dl_lake_location found;
    dl_lake_spot spot;
    apr_pool_t *each;
    int64_t begun;
    dl_lake *lake;
    int n = 0;
    int i;

    DL_TRY(dl_lake_open(&lake, root, err, pool));
    DL_TRY(dl_lake_snapshot_open(&snap, lake, DATASET, err, pool));
    apr_pool_create(&each, pool);
    begun = dl_time_monotonic_us();
    for (i = 0; i < LOCATED; i++) {
        const dl_lake_next *next = dl_lake_snapshot_totals(snap)->next;
        const dl_coord c = {.partition = i % PARTITIONS,
                            .offset = random() % next[i % PARTITIONS].next};
        dl_status status;

        apr_pool_clear(each);
        status = dl_lake_locate_offset(&spot, snap, &c, err, each);
        if (status == DL_OK) {
            n++;
            status = dl_lake_locate_line(&found, snap, &spot, err, each);
        }
        if (status != DL_OK && status != DL_NOT_FOUND) {
            return status;
        }
    }
    printf("located=%d of=%d milliseconds_each=%.3f\n", n, LOCATED,
           (double)(dl_time_monotonic_us() - begun) / 1e3 / LOCATED);
    return DL_OK;
}

int main(int argc, char **argv)
{
    dl_error err = {.status = DL_OK};
    apr_pool_t *pool;
    dl_status status;
    int i;

    if (argc < 3) {
        fprintf(stderr, "usage: reconcile FOLDER RECORDS [DAYS]\n");
        return 2;
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    srandom(1);
    status = make_lake(argv[1], strtol(argv[2], NULL, 10),
                       argc > 3 ? strtol(argv[3], NULL, 10) : 7, &err, pool);
    for (i = 0; i < 3 && status == DL_OK; i++) {
        apr_pool_clear(pool);
        status = compare(argv[1], &err, pool);
    }
    if (status == DL_OK) {
        status = locate(argv[1], &err, pool);
    }
    if (status != DL_OK) {
        fprintf(stderr, "reconcile: %s\n", err.text);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return status != DL_OK;
}
