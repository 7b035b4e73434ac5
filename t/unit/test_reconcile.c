/* test_reconcile.c - Broker and lake compared, with a broker of the test's own:
 * gaps without record, dropped repeats, dates, bounds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_reconcile.h"

#include "lake_fixture.h"
#include "tap.h"

/* A broker of one partition that has the offsets LOW..HIGH-1, of which those
 * from MARKER to MARKER_END-1 hold no record; one day ends at SPLIT. */
typedef struct test_broker {
    int64_t low, high;          /* marks */
    int64_t marker, marker_end; /* offsets without record */
    int64_t split;              /* first offset of DAY_B */
    int asked;                  /* for records, how often */
} test_broker;

static apr_pool_t *pool;

static dl_status partitions(int32_t *n, void *context, const char *topic,
                            dl_error *err)
{
    (void)context;
    (void)topic;
    (void)err;
    *n = 1;
    return DL_OK;
}

static dl_status marks(int64_t *low, int64_t *high, void *context,
                       const char *topic, int32_t partition, dl_error *err)
{
    const test_broker *b = context;

    (void)topic;
    (void)partition;
    (void)err;
    *low = b->low;
    *high = b->high;
    return DL_OK;
}

static dl_status at(int64_t *offset, void *context, const dl_broker_time *time,
                    dl_error *err)
{
    const test_broker *b = context;

    (void)err;
    *offset = time->time <= DAY_A * DL_DAY_US   ? b->low
              : time->time <= DAY_B * DL_DAY_US ? b->split
                                                : b->high;
    return DL_OK;
}

static dl_status records(void *context, const dl_broker_span *span,
                         dl_broker_each *each, void *each_context,
                         dl_error *err)
{
    test_broker *b = context;
    int64_t offset;

    b->asked++;
    for (offset = span->first; offset < span->end; offset++) {
        if (offset < b->marker || offset >= b->marker_end) {
            DL_TRY(each(each_context, offset, err));
        }
    }
    return DL_OK;
}

/* Compare the lake with B, of DATE, asking for at most GAPS offsets. */
static dl_reconcile compare(test_broker *b, dl_day date, uint64_t gaps)
{
    const dl_reconcile_next next = {.partition = 0, .next = 30};
    const dl_reconcile_ask ask = {.topic = "d",
                                  .date = date,
                                  .has_warehouse = true,
                                  .n_next = 1,
                                  .next = &next,
                                  .gaps = gaps,
                                  .memory = 1 << 20};
    const dl_broker broker = {.context = b,
                              .partitions = partitions,
                              .marks = marks,
                              .at = at,
                              .records = records};
    dl_error err = {.status = DL_OK};
    dl_lake_snapshot *snap;
    dl_reconcile r = {.n = -1};
    dl_lake *lake;

    b->asked = 0;
    if (dl_lake_open(&lake, fixture_root, &err, pool) != DL_OK ||
        dl_lake_snapshot_open(&snap, lake, "d", &err, pool) != DL_OK ||
        dl_reconcile_run(&r, snap, &broker, &ask, &err, pool) != DL_OK) {
        printf("# %s\n", err.text);
    }
    return r;
}

/* Offsets 0..19 lie on DAY_A, 20 is a dead letter, 21 and 22 are repeats, 23
 * to 29 nothing, 30..49 lie on DAY_B, of which Kafka got them. */
static dl_status make_lake(dl_error *err)
{
    const dl_lake_position position = {.source = "s", .source_len = 1};
    const dl_lake_reject q = {
        .reason = "schema", .detail = "d", .payload = "{}", .len = 2};
    dl_coord c = {.offset = 20, .time = TIME_A};
    apr_pool_t *writer_pool;
    dl_lake_writer *w;

    DL_TRY(fixture_writer(&w, &writer_pool, err));
    DL_TRY(fixture_batch(w, TIME_A, 0, 0, 20, TIME_A, err));
    DL_TRY(dl_lake_writer_reject(w, &q, &c, err));
    c.offset = 21;
    DL_TRY(dl_lake_writer_repeat(w, &position, &c, err));
    c.offset = 22;
    DL_TRY(dl_lake_writer_repeat(w, &position, &c, err));
    DL_TRY(fixture_batch(w, TIME_B, 0, 30, 20, TIME_B, err));
    apr_pool_destroy(writer_pool);
    return DL_OK;
}

static void test_all(void)
{
    test_broker b = {
        .low = 0, .high = 60, .marker = 23, .marker_end = 30, .split = 25};
    dl_reconcile r = compare(&b, DL_DAY_NONE, 100);

    ok(dl_reconcile_ok(&r), "offsets without a record are not missing");
    is_int((long long)r.kafka_records, 53, "... nor records of the broker");
    is_int((long long)r.lake_records, 40, "lines are counted");
    is_int((long long)r.warehouse_records, 20,
           "... and those below the warehouse's next offset");
    is_int((long long)r.dead_letters, 1, "dead letters, too");
    is_int((long long)r.repeats, 2, "dropped repeats, too");
    is_int((long long)r.gaps, 7, "what lies in none of them is a gap");
    is_int(b.asked, 1, "the broker is asked once for it");
    b.marker = 25;
    r = compare(&b, DL_DAY_NONE, 100);
    is_int((long long)r.missing, 2, "a record in a gap is missing");
    ok(r.n_named == 2 && r.named[0].missing && r.named[0].offset == 23,
       "... and named");
    ok(!dl_reconcile_ok(&r), "... and that is not ok");
    r = compare(&b, DL_DAY_NONE, 6);
    ok(!r.missing_known && !dl_reconcile_ok(&r) && b.asked == 0,
       "for more offsets than it may the broker is not asked");
    b.low = 25;
    r = compare(&b, DL_DAY_NONE, 6);
    ok(r.missing_known && r.missing == 0,
       "what the broker has removed is not missing");
}

static void test_dates(void)
{
    test_broker b = {
        .low = 0, .high = 60, .marker = 23, .marker_end = 28, .split = 25};
    dl_reconcile r = compare(&b, DAY_A, 100);

    is_int((long long)r.lake_records, 20, "a day has the lines Kafka got then");
    is_int((long long)r.dead_letters, 1, "... and the dead letters");
    is_int((long long)r.missing, 0, "gaps of another day do not count");
    ok(r.n == 1 && r.parts != NULL && r.parts[0].high == 25,
       "it ends with its last offset");
    r = compare(&b, DAY_B, 100);
    is_int((long long)r.missing, 2, "... but on their day");
    is_int((long long)r.lake_records, 20, "the other day has the others");
}

int main(void)
{
    dl_error err = {.status = DL_OK};

    apr_initialize();
    apr_pool_create(&pool, NULL);
    fixture_begin();
    if (ok(make_lake(&err) == DL_OK, "a lake of fifty offsets")) {
        test_all();
        test_dates();
    }
    fixture_end();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
