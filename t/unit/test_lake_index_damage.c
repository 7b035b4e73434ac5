/* test_lake_index_damage.c - An index with a flipped bit anywhere, or without
 * its end, gives the blocks that it gave before, or more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "index_fixture.h"

#include "tap.h"

/* The hints whose answers are compared. */
#define HINTS 4

static void make_hints(dl_lake_hint *hints[HINTS], const index_fixture *f)
{
    static const dl_lake_hint_text texts[] = {{"wxyz", 4}, {"kelvin", 6}};
    static const dl_lake_hint_text key = {"kelvin", 6};

    for (int i = 0; i < HINTS; i++) {
        dl_lake_hint_create(&hints[i], f->pool);
    }
    dl_lake_hint_add_texts(hints[0], texts, 2);
    dl_lake_hint_add_numbers(hints[1], "sum\"old.sum", 1e30, 1e31);
    dl_lake_hint_add_times(hints[2], "3\"at", 5, 5);
    dl_lake_hint_add_keys(hints[3], "id", &key, 1);
}

/* Whether the answer of the stored index to HINT takes in the BITS of each
 * segment. */
static bool takes_in(const index_fixture *f, const dl_lake_hint *hint,
                     uint64_t bits[16][DL_LAKE_INDEX_WORDS], int segments)
{
    dl_lake_index *index;
    dl_error err;
    apr_pool_t *pool;
    uint64_t bytes;
    uint64_t lines;
    bool good = true;

    apr_pool_create(&pool, f->pool);
    if (dl_lake_index_open(&index, &dl_lake_io_real, f->meta, &f->part, &err,
                           pool) == DL_OK) {
        int n = dl_lake_index_segments(&bytes, &lines, index);

        for (int s = 0; s < segments && s < n; s++) {
            uint64_t now[DL_LAKE_INDEX_WORDS];

            dl_lake_index_candidates(now, index, s, hint);
            for (int i = 0; i < DL_LAKE_INDEX_WORDS; i++) {
                good = good && (bits[s][i] & ~now[i]) == 0;
            }
        }
    }
    apr_pool_destroy(pool);
    return good;
}

static void test_damage(const index_fixture *f)
{
    uint64_t bits[HINTS][16][DL_LAKE_INDEX_WORDS];
    dl_lake_hint *hints[HINTS];
    char path[DL_LAKE_PATH_MAX + 8];
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {0};
    int fewer = 0;
    int given_first = 0;
    dl_lake_index *index;
    uint64_t bytes;
    uint64_t lines;
    int segments;
    int fd;

    make_hints(hints, f);
    index_must(dl_lake_index_open(&index, &dl_lake_io_real, f->meta, &f->part,
                                  &err, f->pool),
               &err);
    segments = dl_lake_index_segments(&bytes, &lines, index);
    for (int h = 0; h < HINTS; h++) {
        for (int s = 0; s < segments; s++) {
            given_first +=
                dl_lake_index_candidates(bits[h][s], index, s, hints[h]);
        }
    }
    ok(given_first > 0, "some blocks are given");
    dl_lake_index_name(name, INDEX_UID, "index");
    snprintf(path, sizeof path, "idx/%s", name);
    fd = openat(f->meta, path, O_RDWR);
    for (size_t i = 0; i < f->size; i++) {
        uint8_t bent = f->bytes[i] ^ (uint8_t)(1 << (i & 7));

        if (pwrite(fd, &bent, 1, (off_t)i) != 1) {
            fewer++;
        }
        /* A row or a page is asked by few hints: one in turn, all at the
         * beginnings. */
        for (int h = 0; h < HINTS; h++) {
            if ((i & 3) == (size_t)h || i < 4096) {
                fewer += takes_in(f, hints[h], bits[h], segments) ? 0 : 1;
            }
        }
        if (pwrite(fd, &f->bytes[i], 1, (off_t)i) != 1) {
            fewer++;
        }
    }
    is_int(fewer, 0, "no flipped bit takes a block away");
    for (size_t cut = 0; cut < f->size; cut += 997) {
        index_store(f, cut);
        fewer += takes_in(f, hints[0], bits[0], segments) ? 0 : 1;
    }
    is_int(fewer, 0, "nor does an end that is missing");
    close(fd);
}

static void test_flips(void)
{
    index_fixture f;

    index_begin(&f);
    for (int i = 0; i < 40; i++) {
        char line[256];
        int len = snprintf(line, sizeof line,
                           "{\"id\":\"%s%d\",\"at\":%d,\"sum\":%d,\"note\":"
                           "\"%0200d%s\"}",
                           i == 9 ? "kelvin" : "k", i == 9 ? 0 : i, i, i, i,
                           i % 20 == 3 ? "wxyz" : "");

        index_line(&f, line, (size_t)len);
    }
    index_line(&f, "{\"id\":\"kelvin\",\"sum\":5e30}", 26);
    index_build(&f, 4, 2048, 7);
    index_store(&f, f.size);
    test_damage(&f);
    index_end(&f);
}

int main(void)
{
    apr_initialize();
    test_flips();
    apr_terminate();
    return done();
}
