/* test_lake_writer.c - What is committed is there, once, and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "lake_fixture.h"

#include "tap.h"

static char text[4096];

static void test_commit(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_lake_writer *w;
    apr_pool_t *pool;

    fixture_begin();
    is_int(fixture_writer(&w, &pool, &err), DL_OK, "a new dataset opens");
    is_int(dl_lake_writer_next(w, 0), -1, "it has no offset yet");
    is_str(fixture_read(text, sizeof text, &a), "not-found",
           "a reader finds no day");
    is_int(fixture_line(w, TIME_A, 0, 7, &err), DL_OK, "a line is appended");
    is_int(dl_lake_writer_next(w, 0), 8, "the next offset is one above it");
    is_str(fixture_read(text, sizeof text, &a), "not-found",
           "a reader does not see it before the commit");
    is_int(dl_lake_writer_commit(w, TIME_A, &err), DL_OK, "it is committed");
    is_str(fixture_read(text, sizeof text, &a), "{\"p\":0,\"o\":7};",
           "a reader sees it now");
    is_int(fixture_line(w, TIME_A, 0, 7, &err), DL_INVALID,
           "a repeated offset is refused");
    is_int(fixture_line(w, TIME_A, 0, 9, &err), DL_OK, "a gap is legal");
    apr_pool_destroy(pool);
    is_int(fixture_writer(&w, &pool, &err), DL_OK, "the writer opens again");
    is_int(dl_lake_writer_next(w, 0), 8, "it has forgotten the uncommitted");
    is_str(fixture_read(text, sizeof text, &a), "{\"p\":0,\"o\":7};",
           "and kept the committed");
    apr_pool_destroy(pool);
    fixture_end();
}

static void test_versions(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_lake_writer *w;
    apr_pool_t *pool;

    fixture_begin();
    ok(fixture_writer(&w, &pool, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 0, 1, 1000000, &err) == DL_OK &&
           fixture_batch(w, TIME_B, 0, 1, 1, 2000000, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 1, 0, 2, 3000000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 4000000, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 1, 2, 1, 5000000, &err) == DL_OK,
       "given a day of three commits, the last one in a second part");
    is_str(fixture_read(text, sizeof text, &a),
           "{\"p\":0,\"o\":0};{\"p\":1,\"o\":0};{\"p\":1,\"o\":1};"
           "{\"p\":1,\"o\":2};",
           "the newest version has all lines in order of commit");
    a.version = 1;
    is_str(fixture_read(text, sizeof text, &a), "{\"p\":0,\"o\":0};",
           "version 1 is the first commit");
    a.version = 2;
    is_str(fixture_read(text, sizeof text, &a),
           "{\"p\":0,\"o\":0};{\"p\":1,\"o\":0};{\"p\":1,\"o\":1};",
           "version 2 skips the commit of another day");
    a.version = 4;
    is_str(fixture_read(text, sizeof text, &a), "not-found",
           "there is no version 4");
    a.version = 0;
    a.as_of = 2999999;
    is_str(fixture_read(text, sizeof text, &a), "{\"p\":0,\"o\":0};",
           "as_of just before the second commit gives the first");
    a.as_of = 3000000;
    is_str(fixture_read(text, sizeof text, &a),
           "{\"p\":0,\"o\":0};{\"p\":1,\"o\":0};{\"p\":1,\"o\":1};",
           "as_of its time gives it");
    a.as_of = 999999;
    is_str(fixture_read(text, sizeof text, &a), "not-found",
           "nothing was there before the first commit");
    a.as_of = DL_TIME_NONE;
    a.from_line = 3;
    is_str(fixture_read(text, sizeof text, &a),
           "{\"p\":1,\"o\":1};{\"p\":1,\"o\":2};",
           "a scan may begin at any line, over the edge of parts");
    apr_pool_destroy(pool);
    fixture_end();
}

/* Cursors and as_of name a state by the time of its commit. */
static void test_times(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_range a = {.day = DAY_A, .as_of = 1000000};
    dl_lake_writer *w;
    apr_pool_t *pool;

    fixture_begin();
    ok(fixture_writer(&w, &pool, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 0, 1, 1000000, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 1, 1, 1000000, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 2, 1, 900000, &err) == DL_OK,
       "given three commits of one moment, by a clock that goes back");
    is_str(fixture_read(text, sizeof text, &a), "{\"p\":0,\"o\":0};",
           "its time names the first one alone");
    a.as_of = 1001000;
    is_str(fixture_read(text, sizeof text, &a),
           "{\"p\":0,\"o\":0};{\"p\":0,\"o\":1};",
           "the second one is a millisecond later");
    apr_pool_destroy(pool);
    fixture_end();
}

static void test_many(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_range a = {
        .day = DAY_A, .as_of = DL_TIME_NONE, .with_coords = true};
    dl_status status;
    dl_lake_writer *w;
    apr_pool_t *pool;
    dl_lake *lake;
    dl_lake_snapshot *snap = NULL;
    dl_lake_scan *scan = NULL;
    dl_lake_line line;
    long n = 0;
    long wrong = 0;
    int i;

    fixture_begin();
    status = fixture_writer(&w, &pool, &err);
    for (i = 0; i < 60000 && status == DL_OK; i++) {
        status = fixture_line(w, i % 3 == 0 ? TIME_B : TIME_A, i % 37,
                              i / 37 * 2, &err);
        if (status == DL_OK && i % 5000 == 4999) {
            status = dl_lake_writer_commit(w, TIME_A + i, &err);
        }
        if (status == DL_OK && i == 29999) {
            status = dl_lake_writer_seal(w, TIME_A + i, &err);
        }
    }
    is_int(status, DL_OK, "60,000 lines of 37 partitions go into two days");
    ok(dl_lake_open(&lake, fixture_root, &err, pool) == DL_OK &&
           dl_lake_snapshot_open(&snap, lake, "d", &err, pool) == DL_OK &&
           dl_lake_scan_open(&scan, snap, &a, &err, pool) == DL_OK,
       "a scan with coordinates opens");
    for (i = 0; i < 60000; i++) {
        char want[80];

        if (i % 3 == 0) {
            continue;
        }
        status = dl_lake_scan_next(&line, scan, &err);
        if (status != DL_OK || line.text == NULL) {
            break;
        }
        snprintf(want, sizeof want, "{\"p\":%d,\"o\":%d}", i % 37, i / 37 * 2);
        n++;
        wrong += line.len != strlen(want) ||
                 memcmp(line.text, want, line.len) != 0 ||
                 line.line != (uint64_t)n || line.coord.partition != i % 37 ||
                 line.coord.offset != i / 37 * 2 ||
                 line.coord.time != TIME_A + 1000000;
    }
    is_int(n, 40000, "the day has its 40,000 lines");
    is_int(wrong, 0, "each has its text, number and coordinates");
    is_int(status, DL_OK, status == DL_OK ? "without a failure" : err.text);
    is_int(dl_lake_days(snap), 2, "the snapshot has two days");
    is_int((long long)dl_lake_snapshot_totals(snap)->records, 60000,
           "and 60,000 lines in all");
    apr_pool_destroy(pool);
    fixture_end();
}

static void test_lock(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *pool;
    apr_pool_t *other;

    fixture_begin();
    is_int(fixture_writer(&w, &pool, &err), DL_OK, "a writer opens");
    is_int(fixture_writer(&w, &other, &err), DL_BUSY,
           "a second one is refused while it lives");
    apr_pool_destroy(other);
    apr_pool_destroy(pool);
    is_int(fixture_writer(&w, &pool, &err), DL_OK, "and welcome after it");
    is_str(dl_lake_writer_cluster(w), "", "no cluster is known yet");
    is_int(dl_lake_writer_set_cluster(w, "abc", &err), DL_OK,
           "the first cluster is accepted");
    is_int(dl_lake_writer_set_cluster(w, "xyz", &err), DL_CONFLICT,
           "another one is not");
    ok(fixture_batch(w, TIME_A, 0, 5, 1, TIME_A, &err) == DL_OK &&
           dl_lake_writer_new_generation(w, "xyz", &err) == DL_OK,
       "unless a new generation begins");
    apr_pool_destroy(pool);
    ok(fixture_writer(&w, &pool, &err) == DL_OK &&
           dl_lake_writer_generation(w) == 1 && dl_lake_writer_next(w, 0) == -1,
       "which starts without offsets and is remembered");
    is_str(dl_lake_writer_cluster(w), "xyz", "as is the cluster");
    apr_pool_destroy(pool);
    fixture_end();
}

int main(void)
{
    apr_initialize();
    test_commit();
    test_versions();
    test_times();
    test_many();
    test_lock();
    apr_terminate();
    return done();
}
