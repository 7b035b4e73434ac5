/* test_lake_retention.c - Removing days of the lake.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_retention.h"
#include "lake_fixture.h"

#include "tap.h"

static dl_lake_gone told[4];
static int n_told;

static void note(void *context, const dl_lake_gone *gone)
{
    (void)context;
    if (n_told < 4) {
        told[n_told] = *gone;
    }
    n_told++;
}

/* Remove the days before BEFORE. */
static dl_status retire(dl_day before, bool dry_run)
{
    dl_lake_retiring job = {.root = fixture_root,
                            .dataset = "d",
                            .before = before,
                            .dry_run = dry_run,
                            .gone = note};
    dl_error err = {.status = DL_OK};
    apr_pool_t *pool;
    dl_status status;

    n_told = 0;
    apr_pool_create(&pool, NULL);
    status = dl_lake_retire(&job, &err, pool);
    apr_pool_destroy(pool);
    if (status != DL_OK) {
        printf("# %s\n", err.text);
    }
    return status;
}

static dl_status compact(void)
{
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B + 1,
                              .only = DL_DAY_NONE};
    dl_error err = {.status = DL_OK};
    dl_lake_compacted done;
    apr_pool_t *pool;
    dl_status status;

    apr_pool_create(&pool, NULL);
    status = dl_lake_compact(&done, &job, &err, pool);
    apr_pool_destroy(pool);
    return status;
}

static const char *read_day(dl_day day)
{
    static char text[2000];
    dl_lake_range range = {.day = day, .as_of = DL_TIME_NONE};

    return fixture_read(text, sizeof text, &range);
}

static int parts_of_uid(const char *pattern)
{
    char command[200];
    FILE *out;
    int n = -1;

    snprintf(command, sizeof command, "ls %s/%s 2>/dev/null | wc -l",
             fixture_root, pattern);
    out = popen(command, "r"); /* NOLINT: a test, a constant pattern */
    if (out != NULL) {
        if (fscanf(out, "%d", &n) != 1) { /* NOLINT: a small number */
            n = -1;
        }
        pclose(out);
    }
    return n;
}

static void test_removal(void)
{
    dl_lake_range all_of_a = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_error err = {.status = DL_OK};
    dl_lake_snapshot *before = NULL;
    dl_lake_scan *scan = NULL;
    dl_lake_line line;
    dl_lake_writer *w;
    dl_lake *lake;
    apr_pool_t *own;
    apr_pool_t *reader;

    fixture_begin();
    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 0, 2, 1000000, &err) == DL_OK &&
           fixture_batch(w, TIME_B, 0, 2, 1, 1100000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1200000, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 1, 0, 1, 1300000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1400000, &err) == DL_OK && compact() == DL_OK,
       "given two days, one of them compacted");
    apr_pool_create(&reader, NULL);
    ok(dl_lake_open(&lake, fixture_root, &err, reader) == DL_OK &&
           dl_lake_snapshot_open(&before, lake, "d", &err, reader) == DL_OK,
       "... and a reader's snapshot of before");
    is_int(retire(DAY_B, true), DL_OK, "a dry run");
    is_int(n_told, 1, "... tells of the day that would go");
    is_int((long long)told[0].records, 3, "... and of its records");
    is_str(read_day(DAY_A),
           "{\"p\":0,\"o\":0};{\"p\":0,\"o\":1};{\"p\":1,\"o\":0};",
           "... and removes nothing");
    is_int(retire(DAY_B, false), DL_OK, "a removal");
    is_int(n_told == 1 && told[0].day == DAY_A, 1, "... tells of the day");
    is_str(read_day(DAY_A), "not-found", "... whose reads are not-found");
    is_str(read_day(DAY_B), "{\"p\":0,\"o\":2};", "... the next day stays");
    ok(before != NULL && (dl_lake_scan_open(&scan, before, &all_of_a, &err,
                                            reader) == DL_NOT_FOUND ||
                          dl_lake_scan_next(&line, scan, &err) == DL_NOT_FOUND),
       "... a snapshot of before says not-found, too");
    is_int(parts_of_uid("_lake/d/idx/*"), 1,
           "... only the next day's trail is left");
    is_int(parts_of_uid("_lake/d/compact/"), 0, "... nothing of its folder");
    is_int(fixture_problems(), 0, "... and fsck finds nothing");
    is_int(retire(DAY_B, false), DL_OK, "again");
    is_int(n_told, 0, "... there is nothing to do");

    ok(fixture_batch(w, TIME_A, 1, 1, 1, 1500000, &err) == DL_OK,
       "a late record of the day");
    is_str(read_day(DAY_A), "{\"p\":1,\"o\":1};", "... is the day");
    is_int(retire(DAY_B, false), DL_OK, "a removal while it is not sealed");
    is_str(read_day(DAY_A), "{\"p\":1,\"o\":1};", "... leaves it");
    ok(dl_lake_writer_seal(w, 1600000, &err) == DL_OK &&
           parts_of_uid("d/dt=2026-05-18/2026-05-18.003.json") == 1,
       "sealed, its part's number goes on behind the removed ones");
    is_int(fixture_problems(), 0, "... fsck finds nothing");
    ok(fixture_batch(w, TIME_A, 1, 2, 1, 1700000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1800000, &err) == DL_OK && compact() == DL_OK,
       "it is compacted with a later one");
    is_str(read_day(DAY_A), "{\"p\":1,\"o\":1};{\"p\":1,\"o\":2};",
           "... and has both");
    is_int(parts_of_uid("_lake/d/idx/8000000000000000.*"), 0,
           "... under a uid that no removed file had");
    is_int(fixture_problems(), 0, "... fsck finds nothing");
    is_int(retire(DAY_B + 1, false), DL_OK, "both days removed");
    is_int(n_told, 2, "... are told");
    is_str(read_day(DAY_A), "not-found", "... the first is gone again");
    is_str(read_day(DAY_B), "not-found", "... the second, too");
    is_int(fixture_problems(), 0, "... fsck finds nothing");
    apr_pool_destroy(reader);
    apr_pool_destroy(own);
    ok(fixture_writer(&w, &own, &err) == DL_OK, "a recovery after all that");
    is_int(dl_lake_writer_next(w, 1), 3, "... goes on at the same offset");
    is_int(fixture_problems(), 0, "... and fsck finds nothing");
    apr_pool_destroy(own);
    fixture_end();
}

/* --- Quarantine ----------------------------------------------------------- */

#define MANY 66 /* records of a MiB: more than a file takes */

/* Set MANY large records aside, received at TIME, from OFFSET on. */
static bool set_aside(dl_lake_writer *w, dl_time time, int64_t offset)
{
    static char payload[1 << 20];
    dl_error err = {.status = DL_OK};

    memset(payload, 'x', sizeof payload);
    for (int i = 0; i < MANY; i++) {
        const dl_lake_reject q = {.reason = "not-json",
                                  .detail = "no JSON",
                                  .payload = payload,
                                  .len = sizeof payload};
        const dl_coord c = {.offset = offset + i, .time = time};

        if (dl_lake_writer_reject(w, &q, &c, &err) != DL_OK) {
            return false;
        }
    }
    return dl_lake_writer_commit(w, time, &err) == DL_OK;
}

/* Remove files whose records are before BEFORE; return how many records were in
 * them, -1 when it fails. */
static int64_t retire_aside(dl_time before, bool dry_run)
{
    dl_lake_gone_aside gone = {.before = before, .dry_run = dry_run};
    dl_error err = {.status = DL_OK};
    apr_pool_t *own;
    dl_lake *lake;
    bool good;

    apr_pool_create(&own, NULL);
    good = dl_lake_open(&lake, fixture_root, &err, own) == DL_OK &&
           dl_lake_retire_aside(&gone, lake, "d", &err, own) == DL_OK;
    apr_pool_destroy(own);
    return good ? (int64_t)gone.records : -1;
}

static void test_quarantine(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w = NULL;
    apr_pool_t *own;

    fixture_begin();
    ok(fixture_writer(&w, &own, &err) == DL_OK && set_aside(w, TIME_A, 0) &&
           set_aside(w, TIME_A + 1000, MANY) &&
           set_aside(w, TIME_B, 2 * (int64_t)MANY),
       "three files of quarantine");
    is_int(parts_of_uid("_lake/d/quarantine/*"), 4, "... and a fourth");
    is_int(retire_aside(TIME_A, false), 0, "nothing is old enough");
    is_int(retire_aside(TIME_B, true), 128,
           "a dry run tells of the two that would go");
    is_int(parts_of_uid("_lake/d/quarantine/*"), 4, "... and removes none");
    is_int(retire_aside(TIME_A + 1, false), 64, "the first goes");
    is_int(parts_of_uid("_lake/d/quarantine/0000000001"), 0, "... alone");
    is_int(parts_of_uid("_lake/d/quarantine/*"), 3, "... the others stay");
    is_int(fixture_problems(), 0, "... fsck finds nothing");
    is_int(retire_aside(TIME_B + 1, false) > 0, 1, "all that is old");
    is_int(parts_of_uid("_lake/d/quarantine/*"), 1, "... but the current one");
    is_int(fixture_problems(), 0, "... fsck finds nothing");
    apr_pool_destroy(own);
    ok(fixture_writer(&w, &own, &err) == DL_OK && set_aside(w, TIME_B, 500),
       "a recovery, and more is set aside");
    is_int(fixture_problems(), 0, "... fsck finds nothing");
    apr_pool_destroy(own);
    fixture_end();
}

int main(void)
{
    apr_initialize();
    test_removal();
    test_quarantine();
    return done();
}
