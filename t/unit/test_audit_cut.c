/* test_audit_cut.c - Audit files that were kept for long enough go, what is
 * left is proved as before, and nobody but the key's owner can make others go.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_cut.h"
#include "dl_audit_file.h"
#include "dl_audit_folder.h"
#include "dl_audit_verify.h"
#include "dl_log.h"

#include "audit_fixture.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>

#define HOUR     INT64_C(3600000000)
#define FILE_MAX 16384
#define FILES    16

/* A file kept aside. */
typedef struct kept {
    char name[DL_AUDIT_FILE_NAME];
    char data[FILE_MAX];
    size_t len;
} kept;

/* A folder with a chain. */
typedef struct fixture {
    apr_pool_t *pool;
    char path[64];
    int dir_fd;
    const dl_audit_key *key;
    dl_time begin;      /* of the first entry */
    int64_t faults;     /* told by the last verification */
    char what[200];     /* the first of them */
    int gone;           /* files told by the last run */
    bool whole;         /* ... with nothing left */
    int stays;          /* files told to stay */
    int64_t old_length; /* lines the warehouse lets go */
} fixture;

static void fixture_open(fixture *f, apr_pool_t *pool)
{
    memset(f, 0, sizeof *f);
    apr_pool_create(&f->pool, pool);
    f->dir_fd = audit_folder_make(f->path);
    f->key = audit_key(AUDIT_SECRET, f->pool);
    /* Past the whole second that a chain's name begins with. */
    f->begin = dl_time_now() + DL_SECOND_US;
}

/* The files of F's folder; how many. */
static int list(const dl_audit_listed **files, fixture *f)
{
    int n = 0;

    if (dl_audit_folder_list(files, &n, f->dir_fd, NULL, f->pool) != DL_OK) {
        abort();
    }
    return n;
}

static int count(fixture *f)
{
    const dl_audit_listed *files;

    return list(&files, f);
}

static void fixture_close(fixture *f)
{
    audit_folder_remove(f->path, f->dir_fd, f->pool);
    apr_pool_destroy(f->pool);
}

static void put_file(fixture *f, const char *name, const char *data, size_t len)
{
    int fd = openat(f->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
        abort();
    }
    close(fd);
}

/* Keep all files of F aside; how many. */
static int keep(kept copy[FILES], fixture *f)
{
    const dl_audit_listed *files;
    int n = list(&files, f);

    for (int i = 0; i < n && i < FILES; i++) {
        int fd = openat(f->dir_fd, files[i].name, O_RDONLY);

        memcpy(copy[i].name, files[i].name, sizeof copy[i].name);
        copy[i].len = (size_t)read(fd, copy[i].data, FILE_MAX);
        close(fd);
    }
    return n;
}

/* Make the folder what was kept. */
static void put_back(fixture *f, const kept *copy, int n)
{
    audit_folder_empty(f->dir_fd, f->pool);
    for (int i = 0; i < n; i++) {
        put_file(f, copy[i].name, copy[i].data, copy[i].len);
    }
}

/* --- Chains --------------------------------------------------------------- */

/* Append entry N, N hours after the beginning, and make it durable. */
static bool write_entry(dl_audit_file *file, int n, fixture *f)
{
    return audit_append(file, f->begin + n * HOUR, f->pool);
}

/* Return a new chain of N entries, each in a file of its own but the last,
 * which is being written. */
static dl_audit_file *begin_chain(fixture *f, int n, apr_pool_t *pool)
{
    const dl_audit_file_options options = {
        .dir_fd = f->dir_fd, .key = f->key, .rotate_us = 1};
    dl_audit_file *file = dl_audit_file_create(&options, pool);

    for (int i = 0; i < n; i++) {
        if (!write_entry(file, i, f)) {
            abort();
        }
    }
    return file;
}

/* Write such a chain and end it: N files with an entry, one without. */
static const char *write_chain(fixture *f, int n)
{
    dl_audit_file *file = begin_chain(f, n, f->pool);

    if (dl_audit_file_end(file, "stopped", NULL) != DL_OK) {
        abort();
    }
    return apr_pstrdup(f->pool, dl_audit_file_name(file));
}

/* --- Runs ----------------------------------------------------------------- */

static void take_gone(void *context, const dl_audit_gone *gone)
{
    fixture *f = context;

    f->gone += gone->files;
    f->whole = gone->whole;
}

static void take_kept(void *context, const char *file, const char *why)
{
    fixture *f = context;

    (void)file;
    apr_cpystrn(f->what, why, sizeof f->what);
    f->stays++;
}

/* Remove what is older than HOURS behind the beginning; how many files. */
static int retire(fixture *f, int hours, bool dry_run)
{
    const dl_audit_retiring run = {.dir_fd = f->dir_fd,
                                   .key = f->key,
                                   .before = f->begin + hours * HOUR +
                                             DL_AUDIT_GRACE_US + 1,
                                   .dry_run = dry_run,
                                   .context = f,
                                   .gone = take_gone,
                                   .kept = take_kept};
    dl_error err = {0};
    apr_pool_t *pool;

    f->gone = 0;
    f->stays = 0;
    f->whole = false;
    apr_pool_create(&pool, f->pool);
    if (dl_audit_retire(&run, &err, pool) != DL_OK) {
        printf("# %s\n", err.text);
        f->gone = -1;
    }
    apr_pool_destroy(pool);
    return f->gone;
}

static void take_fault(void *context, const char *where, int64_t line,
                       const char *what)
{
    fixture *f = context;

    (void)where;
    (void)line;
    if (f->faults++ == 0) {
        apr_cpystrn(f->what, what, sizeof f->what);
    }
}

static bool is_old(void *context, const char *chain, int64_t length)
{
    const fixture *f = context;

    (void)chain;
    return length <= f->old_length;
}

/* Verify the folder of F with N HEADS; how many faults were told. */
static int64_t verify_with(dl_audit_checked *seen, fixture *f,
                           const dl_audit_head *heads, int n)
{
    dl_audit_check check = {.dir_fd = f->dir_fd,
                            .key = f->key,
                            .heads = heads,
                            .n_heads = n,
                            .context = f,
                            .fault = take_fault,
                            .is_old = is_old};
    apr_pool_t *pool;
    dl_error err = {0};

    apr_pool_create(&pool, f->pool);
    f->faults = 0;
    f->what[0] = '\0';
    if (dl_audit_verify(seen, &check, &err, pool) != DL_OK) {
        printf("# %s\n", err.text);
        f->faults = -1;
    }
    apr_pool_destroy(pool);
    return f->faults;
}

static int64_t verify(fixture *f)
{
    dl_audit_checked seen;

    return verify_with(&seen, f, NULL, 0);
}

/* Whether verifying F finds a fault that says WHAT. */
static bool finds(fixture *f, const char *what)
{
    if (verify(f) > 0 && strstr(f->what, what) != NULL) {
        return true;
    }
    printf("# %lld faults: %s\n", (long long)f->faults, f->what);
    return false;
}

/* --- Tests ---------------------------------------------------------------- */

static void test_removal(apr_pool_t *pool)
{
    dl_audit_checked seen;
    fixture f;

    fixture_open(&f, pool);
    write_chain(&f, 5);
    is_int(count(&f), 6, "a file that is old enough is followed by the next");
    is_int(retire(&f, -1, false), 0, "while nothing is old enough");
    ok(count(&f) == 6 && verify(&f) == 0, "... nothing goes");
    is_int(retire(&f, 1, true), 2, "a dry run tells which files would go");
    ok(count(&f) == 6 && verify(&f) == 0, "... and changes nothing");
    is_int(retire(&f, 1, false), 2, "they go");
    is_int(count(&f), 5, "... and a cut stands for them");
    ok(verify_with(&seen, &f, NULL, 0) == 0 && seen.cuts == 1 &&
           seen.entries == 3,
       "the rest of the chain is proved as before");
    is_int(retire(&f, 1, false), 0, "a second run has nothing to do");
    is_int(retire(&f, 2, false), 1, "later the next one goes");
    ok(count(&f) == 4 && verify(&f) == 0, "... behind a cut of its own");
    is_int(retire(&f, 24, false), 3, "at last the whole chain goes");
    ok(f.whole && count(&f) == 0, "... and nothing is left of it");
    is_int(verify(&f), 0, "which is no fault");
    fixture_close(&f);
}

static void test_written(apr_pool_t *pool)
{
    apr_pool_t *child;
    fixture f;

    fixture_open(&f, pool);
    apr_pool_create(&child, f.pool);
    begin_chain(&f, 4, child);
    is_int(retire(&f, 24, false), 4, "of a chain that is being written");
    is_int(count(&f), 2, "... the last file stays");
    is_int(verify(&f), 0, "... and goes on from the cut");
    apr_pool_destroy(child);
    fixture_close(&f);
}

static void test_stolen(apr_pool_t *pool)
{
    static kept copy[FILES];
    fixture f;
    int n;

    fixture_open(&f, pool);
    write_chain(&f, 5);
    n = keep(copy, &f);
    unlinkat(f.dir_fd, copy[0].name, 0);
    ok(finds(&f, "missing"), "a first file without a cut is missed");
    is_int(retire(&f, 24, false), 0, "... nothing of its chain goes then");
    is_int(f.stays, 1, "... which is told");
    put_back(&f, copy, n);
    retire(&f, 1, false);
    n = keep(copy, &f);
    ok(strstr(copy[0].name, ".cut") != NULL, "given a chain with a cut");
    unlinkat(f.dir_fd, copy[1].name, 0);
    ok(finds(&f, "missing"), "the file behind the cut is missed");
    put_back(&f, copy, n);
    unlinkat(f.dir_fd, copy[0].name, 0);
    ok(finds(&f, "missing"), "a cut that was taken away is missed");
    audit_folder_empty(f.dir_fd, f.pool);
    put_file(&f, copy[0].name, copy[0].data, copy[0].len);
    ok(finds(&f, "its next file is missing"), "all behind the cut is missed");
    retire(&f, 24, false);
    is_int(count(&f), 1, "... and the cut stays as a witness");
    fixture_close(&f);
}

static void test_forged(apr_pool_t *pool)
{
    static kept copy[FILES];
    static char bad[FILE_MAX];
    int missed = 0;
    fixture f;
    int n;

    fixture_open(&f, pool);
    write_chain(&f, 5);
    retire(&f, 1, false);
    n = keep(copy, &f);
    for (size_t i = 0; i < copy[0].len; i++) {
        memcpy(bad, copy[0].data, copy[0].len);
        bad[i] = (char)(bad[i] ^ (1 << (i % 7)));
        put_file(&f, copy[0].name, bad, copy[0].len);
        missed += verify(&f) == 0 ? 1 : 0;
        put_file(&f, copy[0].name, copy[0].data, i);
        missed += verify(&f) == 0 ? 1 : 0;
    }
    is_int(missed, 0, "every flipped bit and every cut of a cut is found");
    memcpy(bad, copy[0].data, copy[0].len);
    memcpy(bad + copy[0].len, copy[0].data, copy[0].len);
    put_file(&f, copy[0].name, bad, 2 * copy[0].len);
    ok(finds(&f, "behind the cut"), "a second line of a cut is found");
    bad[copy[0].len] = 'x';
    put_file(&f, copy[0].name, bad, copy[0].len + 1);
    ok(finds(&f, "behind the cut"), "a byte behind a cut is found");
    put_back(&f, copy, n);
    put_file(&f, "20260518T093000Z-0123456789abcdef.000002.cut", copy[0].data,
             copy[0].len);
    ok(finds(&f, "another file's name"), "another chain's cut is found");
    put_back(&f, copy, n);
    f.key = audit_key("another key of thirty-two bytes..", f.pool);
    ok(finds(&f, "not signed"), "a cut under another key is found");
    fixture_close(&f);
}

/* A file that somebody made look old, without the key, is no reason. */
static void test_looks_old(apr_pool_t *pool)
{
    static kept copy[FILES];
    char *at;
    fixture f;
    int n;

    fixture_open(&f, pool);
    write_chain(&f, 3);
    n = keep(copy, &f);
    at = strstr(copy[1].data, "{\"timestamp\":\"");
    ok(at != NULL, "given an entry");
    if (at != NULL) {
        at[sizeof "{\"timestamp\":\"20" - 1] = '0'; /* twenty years ago */
    }
    put_back(&f, copy, n);
    is_int(retire(&f, 0, false), 1, "files before one that was changed go");
    ok(f.stays == 1 && strstr(f.what, "changed") != NULL,
       "... it stays and is told");
    ok(finds(&f, "changed"), "... and is found");
    fixture_close(&f);
}

/* Verify and go on from every state a killed removal may leave: the cut, and
 * the first files gone. */
static void test_killed(apr_pool_t *pool)
{
    static kept whole[FILES];
    static kept after[FILES];
    int wrong = 0;
    fixture f;
    int n;
    int left;

    fixture_open(&f, pool);
    write_chain(&f, 5);
    n = keep(whole, &f);
    for (int hours = 0; hours < 4; hours++) {
        put_back(&f, whole, n);
        retire(&f, hours, false);
        left = keep(after, &f);
        for (int gone = 0; gone <= hours + 1; gone++) {
            put_back(&f, whole, n);
            put_file(&f, after[0].name, after[0].data, after[0].len);
            for (int i = 0; i < gone; i++) {
                unlinkat(f.dir_fd, whole[i].name, 0);
            }
            wrong += verify(&f) != 0 ? 1 : 0;
            retire(&f, hours, false);
            wrong += count(&f) != left || verify(&f) != 0 ? 1 : 0;
        }
    }
    is_int(wrong, 0, "whatever a killed removal leaves is right, and ended");
    put_back(&f, whole, n);
    put_file(&f, after[0].name, after[0].data, after[0].len);
    retire(&f, 24, false);
    is_int(count(&f), 0, "the whole chain goes from there, too");
    fixture_close(&f);
}

/* A process that was killed between making the next file and ending this one,
 * with any part of the end line on disk. */
static void test_killed_rotating(apr_pool_t *pool)
{
    static kept copy[FILES];
    char name[DL_AUDIT_FILE_NAME];
    int wrong = 0;
    fixture f;
    size_t end;
    int n;
    int taken = 0;

    fixture_open(&f, pool);
    write_chain(&f, 2);
    n = keep(copy, &f);
    end = copy[1].len - 1;
    while (copy[1].data[end - 1] != '\n') {
        end--;
    }
    dl_audit_file_name_make(name, copy[1].name, 2, DL_AUDIT_OPEN);
    for (size_t len = end; len < copy[1].len; len++) {
        put_back(&f, copy, n);
        unlinkat(f.dir_fd, copy[1].name, 0);
        put_file(&f, name, copy[1].data, len);
        wrong += dl_audit_take_over(&taken, f.dir_fd, f.key, NULL, f.pool) !=
                     DL_OK ||
                 taken != 1 || verify(&f) != 0;
    }
    is_int(wrong, 0, "the file is ended as the next one says it was");
    fixture_close(&f);
}

/* Set HEAD to the end of file I of COPY, LENGTH lines long. */
static void head_of(dl_audit_head *head, const kept *copy, int64_t length)
{
    const char *last = copy->data + copy->len - 1;
    dl_audit_line line = {0};

    while (last > copy->data && last[-1] != '\n') {
        last--;
    }
    if (dl_audit_line_parse(&line, last,
                            (size_t)(copy->data + copy->len - 1 - last),
                            NULL) != DL_OK) {
        abort();
    }
    apr_cpystrn(head->chain, copy->name, sizeof head->chain);
    head->length = length;
    memcpy(head->value, line.value, sizeof head->value);
}

static void test_heads(apr_pool_t *pool)
{
    static kept copy[FILES];
    dl_audit_head heads[3];
    dl_audit_checked seen;
    fixture f;

    fixture_open(&f, pool);
    write_chain(&f, 5);
    keep(copy, &f);
    head_of(&heads[0], &copy[0], 3);
    head_of(&heads[1], &copy[1], 6);
    head_of(&heads[2], &copy[3], 12);
    retire(&f, 1, false);
    f.old_length = 6;
    is_int(verify_with(&seen, &f, heads, 3), 0,
           "heads of lines that went are passed, the others compared");
    is_int(seen.heads, 3, "... all of them");
    f.old_length = 5;
    ok(verify_with(&seen, &f, heads, 3) == 1 &&
           strstr(f.what, "not old enough") != NULL,
       "lines that went though the warehouse has young ones are found");
    f.old_length = 6;
    heads[1].value[0] ^= 1;
    ok(verify_with(&seen, &f, heads, 3) == 1 &&
           strstr(f.what, "not what was stored") != NULL,
       "a cut that does not meet the head at its end is found");
    retire(&f, 24, false);
    f.old_length = 12;
    ok(verify_with(&seen, &f, heads, 3) == 0 && seen.gone == 1,
       "a chain that is gone and old is no fault");
    f.old_length = 11;
    ok(verify_with(&seen, &f, heads, 3) == 1 && strstr(f.what, "gone") != NULL,
       "one that is not old is");
    fixture_close(&f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    dl_log_install(audit_quiet, NULL, DL_LOG_DEBUG);
    test_removal(pool);
    test_written(pool);
    test_stolen(pool);
    test_forged(pool);
    test_looks_old(pool);
    test_killed(pool);
    test_killed_rotating(pool);
    test_heads(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
