/* test_audit_going.c - Audit files that go while the folder is verified: what
 * a cut stands for by then, or the warehouse lets go, is no fault.
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

#define HOUR INT64_C(3600000000)

/* A file of a chain that is before all others and no chain. */
#define BROKEN "20000101T000000Z-0000000000000000.000001.log"

/* A folder with a chain of files of which each has an entry. */
typedef struct fixture {
    apr_pool_t *pool;
    char path[64];
    int dir_fd;
    const dl_audit_key *key;
    dl_time begin;      /* of the first entry */
    int hours;          /* what is older than that goes at the first fault */
    int64_t faults;     /* told */
    char what[200];     /* the last of them */
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

/* Append entry N, N hours after the beginning, and make it durable. */
static bool write_entry(dl_audit_file *file, int n, fixture *f)
{
    return audit_append(file, f->begin + n * HOUR, f->pool);
}

/* Write a chain of N files with an entry and one without, and BROKEN. */
static const char *write_chain(fixture *f, int n)
{
    const dl_audit_file_options options = {
        .dir_fd = f->dir_fd, .key = f->key, .rotate_us = 1};
    dl_audit_file *file = dl_audit_file_create(&options, f->pool);
    int fd = openat(f->dir_fd, BROKEN, O_WRONLY | O_CREAT, 0600);

    for (int i = 0; i < n; i++) {
        if (!write_entry(file, i, f)) {
            abort();
        }
    }
    if (fd < 0 || write(fd, "no line\n", 8) != 8 || close(fd) != 0 ||
        dl_audit_file_end(file, "stopped", NULL) != DL_OK) {
        abort();
    }
    return dl_audit_file_name(file);
}

static void fixture_close(fixture *f)
{
    audit_folder_remove(f->path, f->dir_fd, f->pool);
    apr_pool_destroy(f->pool);
}

/* --- Runs ----------------------------------------------------------------- */

static void take_gone(void *context, const dl_audit_gone *gone)
{
    (void)context;
    (void)gone;
}

static void take_kept(void *context, const char *file, const char *why)
{
    (void)context;
    (void)file;
    (void)why;
}

/* Remove what is older than F says; a fault of BROKEN has been told. */
static void retire(fixture *f)
{
    const dl_audit_retiring run = {.dir_fd = f->dir_fd,
                                   .key = f->key,
                                   .before = f->begin + f->hours * HOUR +
                                             DL_AUDIT_GRACE_US + 1,
                                   .context = f,
                                   .gone = take_gone,
                                   .kept = take_kept};
    apr_pool_t *pool;

    apr_pool_create(&pool, f->pool);
    if (dl_audit_retire(&run, NULL, pool) != DL_OK) {
        abort();
    }
    apr_pool_destroy(pool);
}

static void take_fault(void *context, const char *where, int64_t line,
                       const char *what)
{
    fixture *f = context;

    (void)line;
    if (strncmp(where, BROKEN, DL_AUDIT_CHAIN - 1) == 0) {
        if (f->hours > 0) {
            retire(f);
        }
        f->hours = 0;
        return;
    }
    f->faults++;
    apr_cpystrn(f->what, what, sizeof f->what);
}

static bool is_old(void *context, const char *chain, int64_t length)
{
    const fixture *f = context;

    (void)chain;
    return length <= f->old_length;
}

/* Verify the folder of F with the N HEADS while what is older than HOURS goes;
 * how many faults were told of the chain. */
static int64_t verify(dl_audit_checked *seen, fixture *f, int hours,
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
    f->hours = hours;
    if (dl_audit_verify(seen, &check, &err, pool) != DL_OK) {
        printf("# %s\n", err.text);
        f->faults = -1;
    }
    apr_pool_destroy(pool);
    return f->faults;
}

/* --- Tests ---------------------------------------------------------------- */

/* Of five files those before HOURS go; the warehouse has a head of LENGTH lines
 * and lets OLD lines go. */
static int64_t run(dl_audit_checked *seen, fixture *f, int hours,
                   int64_t length, int64_t old)
{
    dl_audit_head head = {.length = length};

    memcpy(head.chain, write_chain(f, 5), sizeof head.chain);
    f->old_length = old;
    return verify(seen, f, hours, &head, length > 0 ? 1 : 0);
}

static void test_first(apr_pool_t *pool)
{
    dl_audit_checked seen;
    fixture f;

    fixture_open(&f, pool);
    is_int(run(&seen, &f, 1, 0, 0), 0, "files that a cut stands for by then");
    is_int(seen.files, 5, "... are not counted, the others are");
    fixture_close(&f);
    fixture_open(&f, pool);
    is_int(run(&seen, &f, 1, 2, 6), 0, "a head of theirs is passed");
    fixture_close(&f);
    fixture_open(&f, pool);
    ok(run(&seen, &f, 1, 2, 1) == 1 && strstr(f.what, "not old") != NULL,
       "... unless the warehouse has a young entry");
    fixture_close(&f);
}

static void test_whole(apr_pool_t *pool)
{
    dl_audit_checked seen;
    fixture f;

    fixture_open(&f, pool);
    is_int(run(&seen, &f, 24, 3, 100), 0, "a chain of which nothing is left");
    is_int(seen.gone, 1, "... is told as gone");
    fixture_close(&f);
    fixture_open(&f, pool);
    ok(run(&seen, &f, 24, 3, 1) == 1 && strstr(f.what, "not old") != NULL,
       "... and is a fault where it is young");
    fixture_close(&f);
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    dl_log_install(audit_quiet, NULL, DL_LOG_DEBUG);
    test_first(pool);
    test_whole(pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
