/* test_lake_copy.c - A copy of one committed state is a lake of its own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_copy.h"
#include "dl_lake_fsck.h"
#include "lake_fixture.h"

#include "tap.h"

#include <sys/stat.h>

static char copy_root[sizeof fixture_root];
static int n_files;

static dl_status note(void *context, const char *path,
                      const char sum[DL_SHA256_TEXT], dl_error *err)
{
    (void)context;
    (void)err;
    n_files += path[0] != '\0' && strlen(sum) == DL_SHA256_TEXT - 1;
    return DL_OK;
}

/* Copy what PIN holds, linking or not. */
static dl_status copy(const dl_lake_pin *pin, bool link, dl_error *err,
                      apr_pool_t *pool)
{
    dl_lake_copying job = {.target = copy_root, .link = link, .file = note};

    n_files = 0;
    return dl_lake_copy(pin, &job, err, pool);
}

/* Read DAY of the copy; the fixture reads its root. */
static const char *read_copy(dl_day day)
{
    static char text[2000];
    char root[sizeof fixture_root];
    dl_lake_range range = {.day = day, .as_of = DL_TIME_NONE};
    const char *got;

    memcpy(root, fixture_root, sizeof root);
    memcpy(fixture_root, copy_root, sizeof copy_root);
    got = fixture_read(text, sizeof text, &range);
    memcpy(fixture_root, root, sizeof root);
    return got;
}

/* Recover the copy as its writer would; return its next offset of PARTITION,
 * -2 when it fails, and the problems that fsck finds. */
static int64_t recover(int *problems, int partition, apr_pool_t *pool)
{
    dl_lake_options o = {.root = copy_root, .dataset = "d"};
    dl_lake_check check = {.root = copy_root, .dataset = "d"};
    dl_error err = {.status = DL_OK};
    dl_lake_findings found;
    dl_lake_writer *w;
    apr_pool_t *own;
    int64_t next = -2;

    apr_pool_create(&own, pool);
    if (dl_lake_writer_open(&w, &o, &err, own) == DL_OK) {
        next = dl_lake_writer_next(w, partition);
    }
    apr_pool_destroy(own);
    *problems =
        dl_lake_fsck(&found, &check, &err, pool) == DL_OK ? found.problems : -1;
    return next;
}

static void test_copy(bool link)
{
    dl_error err = {.status = DL_OK};
    dl_lake_compacted done_parts;
    dl_lake_compaction joined = {.root = fixture_root,
                                 .dataset = "d",
                                 .before = DAY_B,
                                 .only = DL_DAY_NONE};
    dl_lake_pin *pin;
    dl_lake_writer *w;
    apr_pool_t *own;
    apr_pool_t *pool;
    int problems;

    apr_pool_create(&pool, NULL);
    fixture_begin();
    snprintf(copy_root, sizeof copy_root, "%.40s.copy", fixture_root);
    mkdir(copy_root, 0755);
    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 0, 2, 1000000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1100000, &err) == DL_OK &&
           fixture_batch(w, TIME_B, 0, 2, 2, 1200000, &err) == DL_OK,
       "given a sealed day and one that grows");
    is_int(dl_lake_pin_take(&pin, fixture_root, "d", &err, pool), DL_OK,
           "its state is pinned");
    is_int((long long)dl_lake_pin_about(pin)->records, 4, "... with all lines");
    ok(fixture_batch(w, TIME_B, 0, 4, 1, 1300000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1400000, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 5, 1, 1500000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1600000, &err) == DL_OK,
       "meanwhile more is written and sealed");
    is_int(dl_lake_compact(&done_parts, &joined, &err, pool), DL_BUSY,
           "... but nothing is joined");
    is_int(copy(pin, link, &err, pool), DL_OK, "the pinned state is copied");
    is_int(n_files, 7, "... and each file told");
    is_int(copy(pin, link, &err, pool), DL_CONFLICT,
           "... and not over what is there");
    is_int(recover(&problems, 0, pool), 4,
           "the copy goes on at the pinned offset");
    is_int(problems, 0, "... fsck finds nothing in it");
    is_str(read_copy(DAY_A), "{\"p\":0,\"o\":0};{\"p\":0,\"o\":1};",
           "... it has the sealed day");
    is_str(read_copy(DAY_B), "{\"p\":0,\"o\":2};{\"p\":0,\"o\":3};",
           "... and of the other what was committed");
    apr_pool_destroy(pool);
    apr_pool_create(&pool, NULL);
    is_int(dl_lake_compact(&done_parts, &joined, &err, pool), DL_OK,
           "without the pin days are joined again");
    apr_pool_destroy(own);
    nftw(copy_root, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
    fixture_end();
    apr_pool_destroy(pool);
}

int main(void)
{
    apr_initialize();
    test_copy(false);
    test_copy(true);
    return done();
}
