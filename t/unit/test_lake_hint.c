/* test_lake_hint.c - The same lines with an index, without one, with a damaged
 * one, and while the parts move.
 *
 * A day of two sealed parts and an open one; some of its lines have a rare
 * word.  What a scan with a hint gives must hold all of these, each with its
 * number, text and coordinates; what else it gives must be lines of the day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_crc.h"
#include "dl_lake_compact.h"
#include "dl_lake_files.h"
#include "dl_lake_index_build.h"
#include "dl_lake_stretch.h"
#include "lake_fixture.h"

#include "tap.h"

#include <fcntl.h>

/* Lines of a part, and of a commit. */
#define PART   9000
#define COMMIT 500

/* Lines with the rare word, and what makes a line of 100 bytes. */
#define RARE_EVERY 3001
#define FILLER                                                                 \
    "the quick brown fox jumps over the lazy dog and runs off before it wakes"

static dl_lake *lake;
static dl_lake_writer *writer;
static apr_pool_t *writer_pool;
static int n_lines; /* of the day */

static bool is_rare(int line)
{
    return line % RARE_EVERY == 0 || line == PART || line == PART + 1;
}

/* Write line LINE (from 1) of the day to TEXT. */
static int line_text(char *text, size_t size, int line)
{
    return snprintf(text, size, "{\"n\":%06d,\"t\":\"%s%s\"}", line, FILLER,
                    is_rare(line) ? " quixotry" : "");
}

static dl_status append_lines(int n, dl_error *err)
{
    int i;

    for (i = 0; i < n; i++) {
        char text[200];
        int len = line_text(text, sizeof text, ++n_lines);
        dl_coord c = {.offset = n_lines, .time = TIME_A};

        DL_TRY(dl_lake_writer_append(writer, TIME_A, text, (uint32_t)len, &c,
                                     err));
        if (n_lines % COMMIT == 0) {
            DL_TRY(dl_lake_writer_commit(
                writer, TIME_A + (dl_time)n_lines * 1000, err));
        }
    }
    return DL_OK;
}

/* --- Indexes --------------------------------------------------------------- */

/* A folder below the lake. */
static int open_folder(const char *name)
{
    char path[120];

    snprintf(path, sizeof path, "%s/%s", fixture_root, name);
    return open(path, O_RDONLY | O_DIRECTORY);
}

/* What is known of the parts of DAY_A. */
static int find_parts(dl_lake_part parts[8], apr_pool_t *pool)
{
    dl_error err = {.status = DL_OK};
    const dl_lake_files *files = NULL;
    dl_lake_snapshot *snap;
    int n = 0;

    if (dl_lake_snapshot_open(&snap, lake, "d", &err, pool) == DL_OK &&
        dl_lake_day_files(&files, &n, snap, DAY_A, &err, pool) == DL_OK) {
        int i;

        for (i = 0; i < n && i < 8; i++) {
            parts[i] = files[i].part;
        }
    }
    return n;
}

/* Index the parts of the day. */
static dl_status index_parts(void)
{
    dl_error err = {.status = DL_OK};
    dl_status status = DL_OK;
    int meta = open_folder("_lake/d");
    int day = open_folder("d/dt=2026-05-18");
    dl_lake_part parts[8] = {{.uid = 0}};
    apr_pool_t *pool;
    int n;
    int i;

    apr_pool_create(&pool, NULL);
    n = find_parts(parts, pool);
    for (i = 0; i < n && status == DL_OK; i++) {
        char name[DL_LAKE_PATH_MAX];
        char path[DL_LAKE_PATH_MAX + 8];
        bool is_open = parts[i].state == DL_LAKE_PART_OPEN;
        dl_lake_index_job job = {.io = &dl_lake_io_real,
                                 .meta = meta,
                                 .part = &parts[i],
                                 .block_bytes = 4096};
        uint64_t bytes;

        dl_lake_part_name(name, &parts[i]);
        snprintf(path, sizeof path, "%s%s", is_open ? "open/" : "", name);
        job.data_fd = openat(is_open ? meta : day, path, O_RDONLY);
        status = is_open ? dl_lake_index_grow(&bytes, &job, &err, pool)
                         : dl_lake_index_make(&job, &err, pool);
        close(job.data_fd);
    }
    if (status != DL_OK) {
        printf("# %s\n", err.text);
    }
    apr_pool_destroy(pool);
    close(day);
    close(meta);
    return n == 3 || n == 1 ? status : DL_INTERNAL;
}

static void open_again(apr_pool_t **pool)
{
    dl_error err = {.status = DL_OK};

    if (*pool != NULL) {
        apr_pool_destroy(*pool);
    }
    apr_pool_create(pool, NULL);
    if (dl_lake_open(&lake, fixture_root, &err, *pool) != DL_OK) {
        printf("Bail out! %s\n", err.text);
        exit(EXIT_FAILURE);
    }
}

/* --- Reading --------------------------------------------------------------- */

/* What a scan gave. */
typedef struct seen {
    dl_status status; /* how it ended */
    int lines;        /* given */
    int rare;         /* of them with the rare word */
    int wrong;        /* with another text, number, coordinate, or order */
} seen;

static void look_at(seen *s, int *before, const dl_lake_line *line,
                    bool with_coords)
{
    char text[200];
    int number = (int)line->line;
    size_t len = (size_t)line_text(text, sizeof text, number);

    s->wrong += number <= *before || line->len != len ||
                memcmp(text, line->text, len) != 0 ||
                (with_coords && line->coord.offset != number);
    *before = number;
    s->lines++;
    s->rare += is_rare(number);
}

/* Read RANGE line by line; in the middle of it, MOVE happens. */
static seen read_lines(const dl_lake_range *range, void (*move)(void))
{
    seen s = {.status = DL_OK};
    dl_error err = {.status = DL_OK};
    dl_lake_snapshot *snap;
    dl_lake_scan *scan = NULL;
    dl_lake_line line = {.text = ""};
    apr_pool_t *pool;
    int before = 0;

    apr_pool_create(&pool, NULL);
    s.status = dl_lake_snapshot_open(&snap, lake, "d", &err, pool);
    if (s.status == DL_OK) {
        s.status = dl_lake_scan_open(&scan, snap, range, &err, pool);
    }
    while (s.status == DL_OK && line.text != NULL) {
        s.status = dl_lake_scan_next(&line, scan, &err);
        if (s.status == DL_OK && line.text != NULL) {
            look_at(&s, &before, &line, range->with_coords);
        }
        if (s.lines == 3 && move != NULL) {
            move();
            move = NULL;
        }
    }
    apr_pool_destroy(pool);
    return s;
}

/* Read RANGE by chunks. */
static seen read_chunks(const dl_lake_range *range)
{
    seen s = {.status = DL_OK};
    dl_error err = {.status = DL_OK};
    dl_lake_snapshot *snap;
    dl_lake_scan *scan = NULL;
    const char *data = "";
    apr_pool_t *pool;
    int before = 0;

    apr_pool_create(&pool, NULL);
    s.status = dl_lake_snapshot_open(&snap, lake, "d", &err, pool);
    if (s.status == DL_OK) {
        s.status = dl_lake_scan_open(&scan, snap, range, &err, pool);
    }
    while (s.status == DL_OK && data != NULL) {
        dl_lake_line line;
        size_t len = 0;

        s.status = dl_lake_scan_chunk(&data, &len, scan, &err);
        line.line = s.status == DL_OK ? dl_lake_scan_chunk_line(scan) : 0;
        for (; s.status == DL_OK && len > 0; line.line++) {
            const char *end = memchr(data, '\n', len);

            line.text = data;
            line.len = end == NULL ? len : (size_t)(end - data);
            look_at(&s, &before, &line, false);
            len -= line.len + (end != NULL);
            data += line.len + (end != NULL);
        }
    }
    apr_pool_destroy(pool);
    return s;
}

/* --- Tests ----------------------------------------------------------------- */

static const dl_lake_hint *hint;
static int n_rare; /* lines with the rare word */

static void make_hint(apr_pool_t *pool)
{
    dl_lake_hint_text text = {"Quixotry", 8};
    dl_lake_hint *made;

    dl_lake_hint_create(&made, pool);
    dl_lake_hint_add_texts(made, &text, 1);
    hint = made;
}

/* Whether a scan with a hint gives what it must; *SOME: and not all lines. */
static bool hint_is_right(bool *some)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE, .hint = hint};
    seen by_line = read_lines(&a, NULL);
    seen by_chunk = read_chunks(&a);
    seen with_coords;

    a.with_coords = true;
    with_coords = read_lines(&a, NULL);
    *some = by_line.lines < n_lines / 2 && by_chunk.lines == by_line.lines;
    return by_line.status == DL_OK && by_line.wrong == 0 &&
           by_line.rare == n_rare && by_chunk.status == DL_OK &&
           by_chunk.wrong == 0 && by_chunk.rare == n_rare &&
           with_coords.status == DL_OK && with_coords.wrong == 0 &&
           with_coords.rare == n_rare;
}

/* Whether scans that begin and end anywhere give exactly their lines. */
static bool ranges_are_right(void)
{
    static const int firsts[] = {1,     2,        999,          4500,
                                 8999,  PART,     PART + 1,     PART + 77,
                                 15000, 2 * PART, 2 * PART + 1, 20000};
    bool right = true;
    size_t i;

    for (i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        dl_lake_range a = {.day = DAY_A,
                           .as_of = DL_TIME_NONE,
                           .from_line = (uint64_t)firsts[i]};
        seen all = read_lines(&a, NULL);
        seen some;

        a.to_line = a.from_line + 9;
        some = read_chunks(&a);
        right = right && all.status == DL_OK && all.wrong == 0 &&
                all.lines == n_lines - firsts[i] + 1 && some.wrong == 0 &&
                some.status == DL_OK && some.lines == 10;
    }
    return right;
}

static void test_same(apr_pool_t **pool)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE, .hint = hint};
    seen s;
    bool some;
    int i;

    for (i = 1; i <= n_lines; i++) {
        n_rare += is_rare(i);
    }
    ok(hint_is_right(&some) && !some,
       "without an index a hint leaves nothing out");
    ok(ranges_are_right(), "any line can be the first and the last");
    is_int(index_parts(), DL_OK, "given indexes of all parts");
    open_again(pool);
    ok(hint_is_right(&some), "with them the same lines are found");
    ok(some, "and others left out");
    ok(ranges_are_right(), "any line can be the first and the last");
    a.as_of = TIME_A + 10000 * 1000;
    s = read_lines(&a, NULL);
    ok(s.status == DL_OK && s.wrong == 0 && s.lines < 5000 &&
           s.rare == 10000 / RARE_EVERY + 2,
       "in the past the later lines of a block are not seen");
    a.as_of = DL_TIME_NONE;
    a.from_line = RARE_EVERY * 2;
    a.to_line = RARE_EVERY * 3;
    s = read_lines(&a, NULL);
    ok(s.status == DL_OK && s.wrong == 0 && s.rare == 4 && s.lines < 1000,
       "a hint and bounds go together");
}

/* --- Damage ---------------------------------------------------------------- */

/* One file of the lake in memory. */
typedef struct image {
    int fd;
    size_t size;
    uint8_t *bytes;
} image;

static void load(image *m, const char *name)
{
    char path[160];
    struct stat st = {.st_size = 0};

    snprintf(path, sizeof path, "%s/%s", fixture_root, name);
    m->fd = open(path, O_RDWR);
    if (m->fd >= 0 && fstat(m->fd, &st) == 0) {
        m->size = (size_t)st.st_size;
        m->bytes = calloc(1, m->size + 1);
    }
    if (m->bytes == NULL ||
        pread(m->fd, m->bytes, m->size, 0) != (ssize_t)m->size) {
        printf("Bail out! %s\n", name);
        exit(EXIT_FAILURE);
    }
}

static void unload(image *m)
{
    close(m->fd);
    free(m->bytes);
}

static void flip(const image *m, size_t at)
{
    uint8_t byte = m->bytes[at] ^ 0x10;

    if (pwrite(m->fd, &byte, 1, (off_t)at) != 1) {
        perror("pwrite");
    }
}

static void restore(const image *m)
{
    if (ftruncate(m->fd, (off_t)m->size) != 0 ||
        pwrite(m->fd, m->bytes, m->size, 0) != (ssize_t)m->size) {
        perror("pwrite");
    }
}

/* The index of the first part. */
#define FIRST_INDEX "_lake/d/idx/0000000000000001.index"
#define FIRST_PART  "d/dt=2026-05-18/2026-05-18.001.json"

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* Give block I of the index in M another checksum, and all around it the
 * checksums that belong to that. */
static void forge_block(image *m, size_t i)
{
    uint32_t blocks = get32(m->bytes + 56);
    uint32_t crc;

    m->bytes[128 + 12 * i + 8] ^= 1;
    crc = dl_crc32c(0, m->bytes + 128, 12 * (size_t)blocks);
    memcpy(m->bytes + 68, &crc, sizeof crc);
    crc = dl_crc32c(0, m->bytes, 124);
    memcpy(m->bytes + 124, &crc, sizeof crc);
}

static void test_damaged_index(apr_pool_t **pool)
{
    image m = {.fd = -1};
    int wrong = 0;
    int n = 0;
    bool some;
    size_t at;

    load(&m, FIRST_INDEX);
    for (at = 0; at < m.size; at += at < 1000 ? 29 : m.size / 40) {
        flip(&m, at);
        open_again(pool);
        wrong += !hint_is_right(&some) || (at < 1000 && !ranges_are_right());
        n++;
        restore(&m);
    }
    is_int(wrong, 0, "a flipped byte anywhere in it changes no answer");
    printf("# %d bytes of %zu\n", n, m.size);
    for (at = 0, wrong = 0; at < m.size; at += m.size / 12) {
        if (ftruncate(m.fd, (off_t)at) != 0) {
            perror("ftruncate");
        }
        open_again(pool);
        wrong += !hint_is_right(&some);
        restore(&m);
    }
    is_int(wrong, 0, "nor does its end missing");
    for (at = 0; at < get32(m.bytes + 56); at++) {
        forge_block(&m, at);
    }
    restore(&m);
    open_again(pool);
    ok(hint_is_right(&some) && some && ranges_are_right(),
       "where blocks have another checksum the trail decides: all is well");
    unload(&m);
}

static void test_damaged_part(apr_pool_t **pool)
{
    dl_lake_range a = {.day = DAY_A,
                       .as_of = DL_TIME_NONE,
                       .from_line = RARE_EVERY,
                       .to_line = RARE_EVERY,
                       .hint = hint};
    char text[200];
    image m = {.fd = -1};
    size_t at;

    load(&m, FIRST_PART);
    at = (size_t)line_text(text, sizeof text, RARE_EVERY - 1) + 1;
    flip(&m, at * (RARE_EVERY - 1) + 5);
    open_again(pool);
    is_int(read_lines(&a, NULL).status, DL_CORRUPT,
           "a damaged line is told, found by its block");
    a.hint = NULL;
    is_int(read_lines(&a, NULL).status, DL_CORRUPT, "and by its number");
    restore(&m);
    is_int(read_lines(&a, NULL).status, DL_OK, "once mended it is read");
    unload(&m);
}

/* --- Movement -------------------------------------------------------------- */

static void join_parts(void)
{
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B,
                              .only = DL_DAY_NONE};
    dl_error err = {.status = DL_OK};
    dl_lake_compacted done_now;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    is_int(dl_lake_compact(&done_now, &job, &err, pool), DL_OK,
           "... its parts are joined");
    apr_pool_destroy(pool);
}

static void seal_parts(void)
{
    dl_error err = {.status = DL_OK};

    is_int(dl_lake_writer_seal(writer, TIME_B, &err), DL_OK,
           "... its open part is sealed");
}

static void test_moves(apr_pool_t **pool)
{
    dl_lake_range a = {.day = DAY_A, .as_of = DL_TIME_NONE, .hint = hint};
    seen s;
    bool some;

    s = read_lines(&a, seal_parts);
    ok(s.status == DL_OK && s.wrong == 0 && s.rare == n_rare,
       "a scan with a hint goes on");
    s = read_lines(&a, join_parts);
    ok(s.status == DL_OK && s.wrong == 0 && s.rare == n_rare,
       "a scan with a hint goes on");
    ok(hint_is_right(&some), "the joined day gives the same lines");
    ok(ranges_are_right(), "from any line on");
    is_int(index_parts(), DL_OK, "given its index");
    open_again(pool);
    ok(hint_is_right(&some) && some, "they are found by it");
    ok(ranges_are_right(), "and from any line on");
}

int main(void)
{
    dl_error err = {.status = DL_OK};
    apr_pool_t *pool = NULL;
    apr_pool_t *own;

    apr_initialize();
    apr_pool_create(&own, NULL);
    fixture_begin();
    make_hint(own);
    ok(fixture_writer(&writer, &writer_pool, &err) == DL_OK &&
           append_lines(PART, &err) == DL_OK &&
           dl_lake_writer_seal(writer, TIME_A + PART * 1000, &err) == DL_OK &&
           append_lines(PART, &err) == DL_OK &&
           dl_lake_writer_seal(writer, TIME_A + PART * 2000, &err) == DL_OK &&
           append_lines(PART, &err) == DL_OK,
       "given a day of two sealed parts and an open one");
    open_again(&pool);
    test_same(&pool);
    test_damaged_index(&pool);
    test_damaged_part(&pool);
    test_moves(&pool);
    apr_pool_destroy(pool);
    apr_pool_destroy(writer_pool);
    apr_pool_destroy(own);
    fixture_end();
    apr_terminate();
    return done();
}
