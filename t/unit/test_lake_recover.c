/* test_lake_recover.c - Recovery of the writer while a compaction is under way.
 *
 * Both finish what they find in compact/ by what the manifest says, so neither
 * may go by a manifest that the other one has moved on from.  The writer's
 * table of calls stops it at the worst places, and a compaction runs there
 * until it ends, or waits for the writer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact.h"
#include "dl_lake_io.h"
#include "lake_fixture.h"

#include "tap.h"

#include <signal.h>
#include <sys/wait.h>

/* --- A compaction in another process -------------------------------------- */

static pid_t other;         /* the process, 0: not begun */
static bool other_waits;    /* it waited for us */
static const char *dies_at; /* DL_CRASH_AT of it, NULL: it lives */

/* Compact the days up to DAY_A. */
static dl_status compact(void)
{
    dl_lake_compaction job = {.root = fixture_root,
                              .dataset = "d",
                              .before = DAY_B,
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

/* Do so, and be killed where DIES_AT says; does not return. */
static void compact_there(void)
{
    if (dies_at != NULL) {
        setenv("DL_CRASH_AT", dies_at, 1); /* NOLINT: one thread */
        dl_lake_crash_arm();
    }
    _exit(compact() == DL_OK ? 0 : 1);
}

/* Whether the process PID waits for a lock of a file: "1: -> FLOCK ADVISORY
 * WRITE PID ..." */
static bool waits_for_lock(pid_t pid)
{
    char line[256];
    bool found = false;
    FILE *locks = fopen("/proc/locks", "re");

    while (locks != NULL && fgets(line, sizeof line, locks) != NULL) {
        const char *arrow = strstr(line, "-> FLOCK");
        const char *write = arrow == NULL ? NULL : strstr(arrow, "WRITE ");

        found = found ||
                (write != NULL && strtol(write + 6, NULL, 10) == (long)pid);
    }
    if (locks != NULL) {
        fclose(locks);
    }
    return found;
}

/* Begin the compaction, and let it come as far as it can. */
static void let_compact(void)
{
    siginfo_t info = {.si_pid = 0};

    fflush(stdout);
    other = fork();
    if (other == 0) {
        compact_there();
    }
    other_waits = false;
    while (info.si_pid == 0 && !other_waits) {
        usleep(1000);
        other_waits = waits_for_lock(other);
        if (waitid(P_PID, (id_t)other, &info, WEXITED | WNOHANG | WNOWAIT) !=
            0) {
            perror("waitid");
            exit(EXIT_FAILURE);
        }
    }
}

/* --- Where the writer is stopped ------------------------------------------ */

static dl_lake_io table;

/* The manifest is read, compact/ is about to be listed. */
static int stop_at_listing(int dir, const char *path, int flags, mode_t mode)
{
    if (other == 0 && strcmp(path, ".") == 0) {
        let_compact();
    }
    return dl_lake_io_real.openat(dir, path, flags, mode);
}

/* A new journal is about to be put in place: little is left to be done. */
static int stop_at_journal(int from_dir, const char *from, int to_dir,
                           const char *to, unsigned flags)
{
    if (other == 0 && strncmp(from, "journal", 7) == 0) {
        let_compact();
    }
    return dl_lake_io_real.renameat2(from_dir, from, to_dir, to, flags);
}

static dl_status recover_stopped(dl_lake_writer **w, apr_pool_t **pool,
                                 dl_error *err)
{
    dl_lake_options o = {.root = fixture_root, .dataset = "d", .io = &table};

    other = 0;
    apr_pool_create(pool, NULL);
    return dl_lake_writer_open(w, &o, err, *pool);
}

/* --- What must be there then ---------------------------------------------- */

static const char *read_day(void)
{
    static char text[2000];
    dl_lake_range range = {.day = DAY_A, .as_of = DL_TIME_NONE};

    return fixture_read(text, sizeof text, &range);
}

static const char *const ALL =
    "{\"p\":0,\"o\":0};{\"p\":0,\"o\":1};{\"p\":1,\"o\":0};";

/* A whole file, and a part behind it. */
static void make_lake(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *own;

    fixture_begin();
    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           fixture_batch(w, TIME_A, 0, 0, 2, 1000000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1200000, &err) == DL_OK &&
           compact() == DL_OK &&
           fixture_batch(w, TIME_A, 1, 0, 1, 1300000, &err) == DL_OK &&
           dl_lake_writer_seal(w, 1400000, &err) == DL_OK,
       "given a whole file of a day and a part behind it");
    apr_pool_destroy(own);
}

static void check_lake(void)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *own;

    is_str(read_day(), ALL, "... the day is read whole");
    ok(fixture_writer(&w, &own, &err) == DL_OK &&
           fixture_batch(w, TIME_B, 0, 2, 1, 1500000, &err) == DL_OK,
       "... a writer goes on");
    apr_pool_destroy(own);
    is_str(read_day(), ALL, "... and leaves it so");
    is_int(fixture_problems(), 0, "... nothing is damaged");
    fixture_end();
}

static void test_stop(const char *where)
{
    dl_error err = {.status = DL_OK};
    dl_lake_writer *w;
    apr_pool_t *own;
    int status = 0;

    make_lake();
    is_int(recover_stopped(&w, &own, &err), DL_OK, where);
    ok(other > 0 && waitpid(other, &status, 0) == other,
       "... a compaction ran beside it");
    if (dies_at == NULL) {
        is_int(status, 0, "... and ended well");
    }
    else {
        ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
           "... and was killed");
    }
    apr_pool_destroy(own);
    check_lake();
}

int main(void)
{
    apr_initialize();
    table = dl_lake_io_real;
    table.openat = stop_at_listing;
    dies_at = "compact-recorded:1";
    test_stop("recovery, stopped between manifest and compact/");
    ok(other_waits, "... which the other one waited for");
    dies_at = NULL;
    test_stop("the same, and the compaction lives");
    table = dl_lake_io_real;
    table.renameat2 = stop_at_journal;
    test_stop("recovery, stopped before its end");
    apr_terminate();
    return done();
}
