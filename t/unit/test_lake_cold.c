/* test_lake_cold.c - A cold day reads as it did before, with its directory,
 * without it and with a damaged one; damage of its frames is never an answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_manifest.h"
#include "dl_lake_text.h"
#include "lake_fixture.h"

#include "tap.h"

#include <dirent.h>
#include <fcntl.h>

/* Lines of the day, and bytes of the longest. */
#define LINES 4000
#define LONG  90000

/* Room for all of them. */
#define DAY_ROOM (8u << 20)

static char *plain; /* the day's lines before it became cold */
static size_t plain_len;
static char cold_path[200];   /* its file */
static char frames_path[200]; /* its directory */

/* --- The lake -------------------------------------------------------------- */

/* A line of LEN bytes or so that packs badly when I is odd. */
static dl_status add_line(dl_lake_writer *w, int i, int len, dl_error *err)
{
    dl_coord c = {.partition = 0, .offset = i, .time = TIME_A};
    static char line[LONG + 100];
    int used = snprintf(line, sizeof line, "{\"o\":%d,\"pad\":\"", i);

    for (int k = 0; k < len; k++) {
        line[used++] = (char)(i % 2 == 0 ? 'a' + k % 26 : 'A' + rand() % 58);
        if (line[used - 1] == '\\') {
            line[used - 1] = '/';
        }
    }
    used += snprintf(line + used, 4, "\"}");
    return dl_lake_writer_append(w, TIME_A, line, (uint32_t)used, &c, err);
}

static dl_status fill(dl_lake_writer *w, int first, int n, dl_error *err)
{
    for (int i = first; i < first + n; i++) {
        DL_TRY(add_line(w, i, i % 700 == 3 ? LONG : i % 400, err));
        if (i % 50 == 49) {
            DL_TRY(dl_lake_writer_commit(w, 1000000 + i * 1000, err));
        }
    }
    DL_TRY(dl_lake_writer_commit(w, 90000000 + first, err));
    return dl_lake_writer_seal(w, 90000000 + first, err);
}

static dl_status compact(dl_lake_compacted *done, int cold_after, dl_error *err)
{
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B + 9,
                              .only = DL_DAY_NONE,
                              .cold_after = cold_after};
    apr_pool_t *pool;
    dl_status status;

    apr_pool_create(&pool, NULL);
    status = dl_lake_compact(done, &job, err, pool);
    apr_pool_destroy(pool);
    return status;
}

/* What the whole of DAY_A reads as, malloc; NULL: it cannot be read. */
static char *read_day(size_t *len, dl_error *err)
{
    const dl_lake_range range = {.day = DAY_A, .as_of = DL_TIME_NONE};
    dl_lake_snapshot *snap;
    dl_lake_scan *scan;
    const char *data;
    apr_pool_t *pool;
    dl_status status;
    char *all = malloc(DAY_ROOM);
    dl_lake *lake;
    size_t n = 0;

    *len = 0;
    apr_pool_create(&pool, NULL);
    status = dl_lake_open(&lake, fixture_root, err, pool);
    status = status == DL_OK
                 ? dl_lake_snapshot_open(&snap, lake, "d", err, pool)
                 : status;
    status = status == DL_OK ? dl_lake_scan_open(&scan, snap, &range, err, pool)
                             : status;
    do {
        status =
            status == DL_OK ? dl_lake_scan_chunk(&data, &n, scan, err) : status;
        if (status == DL_OK && n > 0) {
            if (*len + n > DAY_ROOM) {
                abort();
            }
            memcpy(all + *len, data, n);
            *len += n;
        }
    } while (status == DL_OK && n > 0);
    apr_pool_destroy(pool);
    if (status != DL_OK) {
        free(all);
        return NULL;
    }
    return all;
}

static bool reads_the_same(void)
{
    dl_error err = {.status = DL_OK};
    size_t len;
    char *now = read_day(&len, &err);
    bool same = now != NULL && len == plain_len && memcmp(now, plain, len) == 0;

    if (now == NULL) {
        printf("# %s\n", err.text);
    }
    free(now);
    return same;
}

/* Set PATH to the file below FOLDER of the lake that ends in SUFFIX; false:
 * there is none. */
static bool find_file(char path[200], const char *folder, const char *suffix)
{
    char name[200];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    snprintf(name, sizeof name, "%s/%s", fixture_root, folder);
    dir = opendir(name);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > strlen(suffix) &&
            strcmp(entry->d_name + len - strlen(suffix), suffix) == 0) {
            found = snprintf(path, 200, "%s/%s", name, entry->d_name) < 200;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return found;
}

/* --- Tests ------------------------------------------------------------------ */

static void test_cooling(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_compacted done;
    apr_pool_t *own;
    dl_lake_writer *w;

    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           fill(w, 0, LINES, &err) == DL_OK,
       "given a sealed day with short and long lines");
    plain = read_day(&plain_len, &err);
    ok(compact(&done, 11, &err) == DL_OK && done.days == 1 &&
           done.cold_days == 0,
       "a day that is not old enough becomes one file");
    ok(compact(&done, 9, &err) == DL_OK && done.days == 0 &&
           done.cold_days == 1,
       "a day that is becomes cold");
    is_int((long long)done.cold_bytes, (long long)plain_len,
           "with all its bytes");
    ok(done.stored_bytes < done.cold_bytes, "and takes less room");
    ok(find_file(cold_path, "d/dt=2026-05-18", ".json.zst") &&
           !find_file(frames_path, "d/dt=2026-05-18", ".json"),
       "as the only file of its folder");
    ok(find_file(frames_path, "_lake/d/idx", ".frames"),
       "with a directory beside its trail");
    ok(reads_the_same(), "it reads as before");
    is_int(fixture_problems(), 0, "and fsck finds nothing");
    ok(compact(&done, 9, &err) == DL_OK && done.days + done.cold_days == 0,
       "a second compaction has nothing to do");
    apr_pool_destroy(own);
}

/* Read at random places of the text and compare. */
static int wrong_reads(const dl_lake_text *text, int n)
{
    static char room[300000];
    dl_error err = {.status = DL_OK};
    int wrong = 0;

    for (int i = 0; i < n; i++) {
        size_t at = (size_t)rand() % plain_len;
        size_t len = (size_t)rand() % (i % 2 == 0 ? 500 : sizeof room);

        len = len < plain_len - at ? len : plain_len - at;
        wrong += dl_lake_text_read(text, room, len, at, &err) != DL_OK ||
                 memcmp(room, plain + at, len) != 0;
    }
    return wrong;
}

/* Open the text of the day, by the numbers of the manifest. */
static void open_text(dl_lake_text *text, dl_lake_part *part, apr_pool_t *pool)
{
    char path[200];
    const dl_lake_part *found;
    dl_lake_manifest *m = apr_palloc(pool, sizeof *m);
    dl_error err = {.status = DL_OK};
    dl_lake_manifest_place place = {.io = &dl_lake_io_real, .dataset = "d"};
    uint64_t number = 0;

    snprintf(path, sizeof path, "%s/_lake/d", fixture_root);
    place.meta = open(path, O_RDONLY | O_DIRECTORY);
    place.manifests = openat(place.meta, "m", O_RDONLY | O_DIRECTORY);
    dl_lake_manifest_begin(m, pool);
    if (dl_lake_manifest_current(&number, &place, &err) != DL_OK ||
        dl_lake_manifest_load(m, &place, number, 0, &err, pool) != DL_OK ||
        dl_lake_manifest_day(&found, m, DAY_A) != 1) {
        abort();
    }
    *part = *found;
    dl_lake_text_open(text, &dl_lake_io_real, place.meta,
                      open(cold_path, O_RDONLY), part);
    close(place.manifests);
    close(place.meta);
}

static void test_places(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_text text;
    dl_lake_part part;
    apr_pool_t *pool;
    bool directory;
    char byte;

    apr_pool_create(&pool, NULL);
    open_text(&text, &part, pool);
    is_int(wrong_reads(&text, 400), 0, "any place reads as what stood there");
    is_int(dl_lake_text_read(&text, &byte, 1, plain_len, &err), DL_CORRUPT,
           "nothing is read behind the end");
    is_int(dl_lake_text_read(&text, &byte, 0, plain_len, &err), DL_OK,
           "of which there is nothing to read");
    ok(dl_lake_frames_verify(&directory, text.frames, &err) == DL_OK,
       "file and directory verify");
    close(text.fd);
    dl_lake_text_close(&text);
    apr_pool_destroy(pool);
}

/* Write BYTE at AT of PATH and return what stood there. */
static unsigned char poke(const char *path, off_t at, unsigned char byte)
{
    unsigned char old = 0;
    int fd = open(path, O_RDWR);

    if (fd < 0 || pread(fd, &old, 1, at) != 1 ||
        pwrite(fd, &byte, 1, at) != 1) {
        abort();
    }
    close(fd);
    return old;
}

static void test_directory(void)
{
    char away[210];
    struct stat st;
    unsigned char old;
    int same = 0;
    int seen = 0;

    snprintf(away, sizeof away, "%s.away", frames_path);
    ok(stat(frames_path, &st) == 0 && rename(frames_path, away) == 0,
       "given a day whose directory is gone");
    ok(reads_the_same(), "it reads as before");
    is_int(fixture_problems(), 1, "fsck names the file that is not called so");
    ok(rename(away, frames_path) == 0 && fixture_problems() == 0,
       "which is back");
    for (off_t at = 0; at < st.st_size; at += 61) {
        old = poke(frames_path, at, 0);
        (void)poke(frames_path, at, (unsigned char)~old);
        same += reads_the_same();
        seen += fixture_problems() > 0;
        (void)poke(frames_path, at, old);
    }
    is_int(same, (long long)(st.st_size + 60) / 61,
           "with a wrong byte in the directory it reads as before");
    is_int(seen, same, "and fsck finds that byte");
    is_int(fixture_problems(), 0, "put back, nothing is found");
}

static void test_damage(void)
{
    dl_error err = {.status = DL_OK};
    struct stat st;
    int wrong = 0;
    int seen = 0;
    int n = 0;

    if (stat(cold_path, &st) != 0) {
        abort();
    }
    for (off_t at = 0; at < st.st_size; at += st.st_size / 60) {
        unsigned char old = poke(cold_path, at, 0);
        size_t len;
        char *text;

        (void)poke(cold_path, at, (unsigned char)(old ^ 0x10));
        text = read_day(&len, &err);
        wrong +=
            text != NULL && (len != plain_len || memcmp(text, plain, len) != 0);
        free(text);
        seen += fixture_problems() > 0;
        (void)poke(cold_path, at, old);
        n++;
    }
    is_int(wrong, 0, "a damaged frame is never an answer that differs");
    is_int(seen, n, "and fsck finds each damage");
    ok(reads_the_same(), "put back, it reads as before");
}

static void test_late(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_compacted done;
    apr_pool_t *own;
    dl_lake_writer *w;
    char path[200];

    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           fill(w, LINES, 200, &err) == DL_OK,
       "given late records for a cold day");
    free(plain);
    plain = read_day(&plain_len, &err);
    ok(plain != NULL, "it reads, cold and late part together");
    is_int(fixture_problems(), 0, "fsck finds nothing");
    ok(compact(&done, 0, &err) == DL_OK && done.days == 1 && done.parts == 2 &&
           done.cold_days == 0,
       "they are joined to a plain file");
    ok(!find_file(path, "_lake/d/idx", ".frames"), "without a directory");
    ok(reads_the_same(), "which reads as before");
    ok(compact(&done, 9, &err) == DL_OK && done.cold_days == 1,
       "and becomes cold again");
    ok(reads_the_same(), "it reads as before");
    is_int(fixture_problems(), 0, "fsck finds nothing");
    apr_pool_destroy(own);
}

int main(void)
{
    srand(7);
    apr_initialize();
    fixture_begin();
    test_cooling();
    test_places();
    test_directory();
    test_damage();
    test_late();
    fixture_end();
    free(plain);
    apr_terminate();
    return done();
}
