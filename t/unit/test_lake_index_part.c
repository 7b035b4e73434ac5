/* test_lake_index_part.c - The index of a part: grown with it, made when it is
 * sealed, checked, dropped; and nothing is left of one that failed.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "index_fixture.h"

#include "dl_lake_files.h"

#include "tap.h"

/* Bytes of a block; a segment of a .grow is 64 of them. */
#define BLOCK 4096

static dl_lake_writer *writer;
static apr_pool_t *writer_pool;
static apr_pool_t *pool;
static dl_lake_index_job job; /* of the day's only part */
static dl_lake_part part;
static int64_t next_line;
static dl_error err;

/* --- The part -------------------------------------------------------------- */

static void append(int n)
{
    for (int i = 0; i < n; i++) {
        char text[200];
        dl_coord c = {.offset = next_line, .time = TIME_A};
        int len = snprintf(text, sizeof text,
                           "{\"id\":\"t%05d\",\"at\":%d,\"sum\":%d.5,\"note\":"
                           "\"%s\"}",
                           (int)next_line, (int)next_line, (int)next_line,
                           next_line % 997 == 5 ? "quixotry" : "nothing much");

        index_must(dl_lake_writer_append(writer, TIME_A, text, (uint32_t)len,
                                         &c, &err),
                   &err);
        next_line++;
        if (i % 700 == 699 || i == n - 1) {
            index_must(
                dl_lake_writer_commit(writer, TIME_A + next_line * 1000, &err),
                &err);
        }
    }
}

/* Point JOB to the part as it is now. */
static void look(void)
{
    char name[DL_LAKE_PATH_MAX];
    char path[200];
    const dl_lake_files *files = NULL;
    dl_lake_snapshot *snap;
    dl_lake *lake;
    int n = 0;

    index_must(dl_lake_open(&lake, fixture_root, &err, pool), &err);
    index_must(dl_lake_snapshot_open(&snap, lake, "d", &err, pool), &err);
    index_must(dl_lake_day_files(&files, &n, snap, DAY_A, &err, pool), &err);
    part = files[0].part;
    dl_lake_part_name(name, &part);
    snprintf(path, sizeof path, "%s/%s/%s", fixture_root,
             part.state == DL_LAKE_PART_OPEN ? "_lake/d/open"
                                             : "d/dt=2026-05-18",
             name);
    if (job.data_fd > 0) {
        close(job.data_fd);
    }
    job.data_fd = open(path, O_RDONLY);
    job.part = &part;
}

static void begin(const index_fixture *f)
{
    char path[100];

    pool = f->pool;
    index_must(fixture_writer(&writer, &writer_pool, &err), &err);
    append(100);
    snprintf(path, sizeof path, "%s/_lake/d", fixture_root);
    job = (dl_lake_index_job){.io = &dl_lake_io_real,
                              .meta = open(path, O_RDONLY | O_DIRECTORY),
                              .columns = f->columns,
                              .block_bytes = BLOCK};
    look();
}

/* --- Its files ------------------------------------------------------------- */

/* Open the file of the index with SUFFIX; below 0: there is none. */
static int open_file(const char *suffix, int flags)
{
    char name[DL_LAKE_PATH_MAX];
    char path[DL_LAKE_PATH_MAX + 8];

    dl_lake_index_name(name, part.uid, suffix);
    snprintf(path, sizeof path, "idx/%s", name);
    return openat(job.meta, path, flags);
}

/* The bytes of that file, *LEN how many; the caller frees them. */
static char *bytes_of(size_t *len, const char *suffix)
{
    int fd = open_file(suffix, O_RDONLY);
    struct stat st = {.st_size = 0};
    char *bytes;

    *len = 0;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return NULL;
    }
    bytes = malloc((size_t)st.st_size + 1);
    if (bytes != NULL &&
        pread(fd, bytes, (size_t)st.st_size, 0) == st.st_size) {
        *len = (size_t)st.st_size;
    }
    close(fd);
    return bytes;
}

static bool is_there(const char *suffix)
{
    int fd = open_file(suffix, O_RDONLY);

    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* What checking says: "good", "as built", or what is wrong. */
static const char *verify(void)
{
    bool rebuilt;
    dl_status status = dl_lake_index_verify(&rebuilt, &job, &err, pool);

    if (status == DL_OK) {
        return rebuilt ? "as built" : "good";
    }
    return status == DL_CORRUPT ? "corrupt" : dl_status_name(status);
}

/* Blocks that may have the word, *BYTES how much is described. */
static int ask(uint64_t *bytes)
{
    static const dl_lake_hint_text word = {"QUIXOTRY", 8};
    uint64_t bits[DL_LAKE_INDEX_WORDS];
    dl_lake_hint *hint;
    dl_lake_index *index;
    uint64_t lines;
    int given = 0;
    int n;

    *bytes = 0;
    dl_lake_hint_create(&hint, pool);
    dl_lake_hint_add_texts(hint, &word, 1);
    if (dl_lake_index_open(&index, job.io, job.meta, job.part, &err, pool) !=
        DL_OK) {
        return -1;
    }
    n = dl_lake_index_segments(bytes, &lines, index);
    for (int i = 0; i < n; i++) {
        given += dl_lake_index_candidates(bits, index, i, hint);
    }
    return given;
}

/* --- Growing --------------------------------------------------------------- */

static void test_grow(void)
{
    uint64_t bytes;
    uint64_t before;
    size_t len;
    size_t len_now;
    char *first;
    char *now;
    int fd;

    is_int(dl_lake_index_grow(&bytes, &job, &err, pool), DL_OK,
           "a small part has nothing to index");
    ok(bytes == 0 && !is_there("grow"), "... no file is made");
    is_int(ask(&bytes), -1, "... none is opened");
    is_str(verify(), dl_status_name(DL_NOT_FOUND), "... none is checked");
    append(8000);
    look();
    is_int(dl_lake_index_grow(&before, &job, &err, pool), DL_OK, "it grows");
    ok(before >= (uint64_t)64 * BLOCK && before < part.bytes,
       "... by whole segments");
    is_int(ask(&bytes), 5, "... the blocks with a word are found");
    ok(bytes == before, "... in what is described");
    is_str(verify(), "as built", "... and it is right");
    first = bytes_of(&len, "grow");
    append(8000);
    fd = open_file("grow", O_RDWR | O_APPEND);
    ok(write(fd, first, 300) == 300, "given what a crash left behind it");
    close(fd);
    look();
    is_int(ask(&bytes), 5, "it is opened all the same");
    is_int(dl_lake_index_grow(&bytes, &job, &err, pool), DL_OK,
           "and grows further");
    ok(bytes > before && part.bytes - bytes < (uint64_t)65 * BLOCK + 65536,
       "... up to less than a segment before the end");
    is_str(verify(), "as built", "... over the crash's leavings");
    now = bytes_of(&len_now, "grow");
    ok(len_now > len && memcmp(first, now, len) == 0,
       "... what was there is as it was");
    free(first);
    index_must(dl_lake_index_drop(job.io, job.meta, part.uid, &err), &err);
    ok(!is_there("grow"), "it can be dropped");
    index_must(dl_lake_index_grow(&bytes, &job, &err, pool), &err);
    first = bytes_of(&len, "grow");
    ok(len == len_now && memcmp(first, now, len) == 0,
       "grown at once it is the same");
    free(first);
    free(now);
}

/* What checking says of the LEN bytes at BYTES as the .grow. */
static const char *verify_as(const char *bytes, size_t len)
{
    int fd = open_file("grow", O_RDWR | O_TRUNC);

    bool whole = write(fd, bytes, len) == (ssize_t)len;

    close(fd);
    return whole ? verify() : "not written";
}

/* Bytes of the first segment of the .grow at BYTES. */
static size_t first_size(const char *bytes)
{
    uint64_t size;

    memcpy(&size, bytes + 48, sizeof size);
    return (size_t)size;
}

/* An end that a crash left is none; damage is told, wherever it is. */
static void test_grow_torn(void)
{
    static const char zeros[300];
    size_t len;
    char *bytes = bytes_of(&len, "grow");
    size_t second = first_size(bytes);
    size_t third = second + first_size(bytes + second);
    int missed = 0;

    ok(third < len, "given a .grow of three segments or more");
    is_str(verify_as(bytes, third + 5), "as built", "... a torn header");
    is_str(verify_as(bytes, third + 128), "as built", "... a header alone");
    is_str(verify_as(bytes, len - 1), "as built", "... all but a byte");
    is_str(verify_as(bytes, 0), dl_status_name(DL_NOT_FOUND),
           "an empty one is as none");
    is_str(verify_as(bytes, 127), dl_status_name(DL_NOT_FOUND),
           "... so is the beginning of a header");
    is_str(verify_as(bytes, second - 1), dl_status_name(DL_NOT_FOUND),
           "... and that of a segment");
    is_str(verify_as(zeros, sizeof zeros), dl_status_name(DL_NOT_FOUND),
           "... and what was not written");
    for (size_t i = 0; i < 128 + 12; i++) {
        bytes[second + i] ^= 16;
        missed += strcmp(verify_as(bytes, len), "corrupt") != 0;
        missed += strcmp(verify_as(bytes, third), "corrupt") != 0;
        bytes[second + i] ^= 16;
    }
    is_int(missed, 0,
           "a flipped bit of a header is found, in the middle and "
           "in the last one");
    bytes[5] ^= 16;
    is_str(verify_as(bytes, second), "corrupt", "... and of the only one");
    bytes[5] ^= 16;
    memset(bytes + second, 0, 128);
    is_str(verify_as(bytes, len), "corrupt",
           "a header that is lost in the middle is damage");
    memset(bytes + second, 'x', 128);
    is_str(verify_as(bytes, len), "corrupt", "... or is something else");
    is_str(verify_as(bytes, third), "as built",
           "... but at the end it is what a crash left");
    free(bytes);
}

/* A .grow that cannot be used is begun anew. */
static void test_grow_anew(void)
{
    uint64_t bytes;
    int fd = open_file("grow", O_RDWR);

    ok(pwrite(fd, "X", 1, 0) == 1, "given a .grow that is damaged");
    close(fd);
    is_int(ask(&bytes), -1, "it is not opened");
    is_int(dl_lake_index_grow(&bytes, &job, &err, pool), DL_OK,
           "it is begun anew");
    is_str(verify(), "as built", "... and right");
}

/* --- Making ---------------------------------------------------------------- */

static bool refuse(void *context, uint64_t bytes)
{
    (void)context;
    (void)bytes;
    return false;
}

static void test_failures(void)
{
    uint32_t crc = part.crc;

    part.crc ^= 1;
    is_int(dl_lake_index_make(&job, &err, pool), DL_CORRUPT,
           "a part that is not what its record says is not indexed");
    part.crc = crc;
    ok(!is_there("index") && !is_there("index.new"), "... nothing is left");
    ok(is_there("grow"), "... but what was there");
    job.go_on = refuse;
    is_int(dl_lake_index_make(&job, &err, pool), DL_BUSY, "it can be stopped");
    job.go_on = NULL;
    ok(!is_there("index") && !is_there("index.new"), "... nothing is left");
}

static void test_make(void)
{
    uint64_t bytes;
    int in_grow = ask(&bytes);
    uint64_t grown = bytes;

    index_must(dl_lake_writer_seal(writer, TIME_A + next_line * 1000, &err),
               &err);
    look();
    is_int(ask(&bytes), in_grow, "the .grow of a sealed part is used");
    test_failures();
    is_int(dl_lake_index_make(&job, &err, pool), DL_OK, "its index is made");
    ok(is_there("index") && !is_there("index.new") && !is_there("grow"),
       "... in its place, and takes that of the .grow");
    is_int(ask(&bytes), 17, "... every block with a word is found");
    ok(bytes == part.bytes && bytes > grown,
       "... it describes all of the part");
    is_str(verify(), "as built", "... and is right");
    job.block_bytes = 2 * BLOCK;
    is_str(verify(), "good",
           "... also when it would be made in another way now");
    job.block_bytes = BLOCK;
    part.records++;
    is_str(verify(), "corrupt", "an index of another part is found out");
    part.records--;
    part.crc ^= 1;
    is_int(ask(&bytes), -1, "... and not opened");
    part.crc ^= 1;
}

/* --- Reading --------------------------------------------------------------- */

/* The status of reading the first lines of the day from LAKE. */
static dl_status read_first(dl_lake *lake, bool fresh)
{
    const dl_lake_range range = {
        .day = DAY_A, .as_of = DL_TIME_NONE, .fresh = fresh};
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;
    apr_pool_t *scratch;
    const char *data;
    dl_status status;
    size_t len;

    apr_pool_create(&scratch, pool);
    index_must(dl_lake_snapshot_open(&snap, lake, "d", &err, scratch), &err);
    index_must(dl_lake_scan_open(&scan, snap, &range, &err, scratch), &err);
    status = dl_lake_scan_chunk(&data, &len, scan, &err);
    apr_pool_destroy(scratch);
    return status;
}

/* What is kept of a block hides a damage from nobody who asks for the file. */
static void test_fresh(void)
{
    char path[100];
    dl_lake *lake;
    int fd;

    snprintf(path, sizeof path, "%s/d/dt=2026-05-18/2026-05-18.001.json",
             fixture_root);
    fd = open(path, O_RDWR);
    index_must(dl_lake_open(&lake, fixture_root, &err, pool), &err);
    ok(read_first(lake, false) == DL_OK && read_first(lake, true) == DL_OK,
       "given a block that was read");
    ok(pwrite(fd, "x", 1, 3) == 1, "... and damaged then");
    is_int(read_first(lake, false), DL_OK, "it is answered from memory");
    is_int(read_first(lake, true), DL_CORRUPT,
           "... but not to who reads all anew");
    ok(pwrite(fd, "d", 1, 3) == 1, "put back");
    is_int(read_first(lake, true), DL_OK, "... it is right again");
    close(fd);
}

/* Each byte, one after the other with steps, is another one. */
static void test_flips(bool as_built)
{
    int fd = open_file("index", O_RDWR);
    int missed = 0;
    size_t len;
    char *bytes = bytes_of(&len, "index");

    job.block_bytes = as_built ? BLOCK : 2 * BLOCK;
    for (size_t i = 0; i < len; i += i < 160 ? 1 : 1009) {
        char bent = (char)((unsigned char)bytes[i] ^ 0x10u);

        if (pwrite(fd, &bent, 1, (off_t)i) != 1 ||
            (strcmp(verify(), "corrupt") != 0 &&
             strcmp(verify(), dl_status_name(DL_UNSUPPORTED)) != 0) ||
            pwrite(fd, &bytes[i], 1, (off_t)i) != 1) {
            missed++;
        }
    }
    is_int(missed, 0,
           as_built ? "a flipped bit anywhere is found"
                    : "... also by checksums alone");
    job.block_bytes = BLOCK;
    free(bytes);
    close(fd);
}

static void test_drop(void)
{
    uint64_t bytes;

    is_int(dl_lake_index_drop(job.io, job.meta, part.uid, &err), DL_OK,
           "it is dropped");
    ok(!is_there("index"), "... gone");
    is_int(ask(&bytes), -1, "... not opened");
    is_int(dl_lake_index_drop(job.io, job.meta, part.uid, &err), DL_OK,
           "dropping it again is fine");
}

int main(void)
{
    index_fixture f;

    apr_initialize();
    index_begin(&f);
    begin(&f);
    test_grow();
    test_grow_torn();
    test_grow_anew();
    test_make();
    test_fresh();
    test_flips(true);
    test_flips(false);
    test_drop();
    apr_pool_destroy(writer_pool);
    close(job.data_fd);
    close(job.meta);
    index_end(&f);
    apr_terminate();
    return done();
}
