/* torture.c - Runs each scenario once for every allocation it makes, which
 * fails.
 *
 *     torture [MOST [SCENARIO...]]
 *
 * Allocations are those of core (malloc and its kin, wrapped by the linker),
 * guarded memory of libsodium, and those of OpenSSL (by its hooks) once it has
 * warmed up: a scenario runs before it is tortured, as OpenSSL 3.0 does not
 * survive that its first allocations fail, nor jansson 2.14 any, which reads
 * declarations alone.  Pools are left out: when one is exhausted, APR ends the
 * process.  More than MOST of a scenario are sampled evenly.
 *
 * Each run is a process of its own under AddressSanitizer; its end is
 *
 *     right     the scenario succeeded all the same
 *     refused   core returned a failure with its sentence
 *     ended     abort(): out of memory ends the process, by design
 *     wrong     a success that is none, or damage left behind
 *     crash     a signal, or a report of a sanitizer
 *     leak      memory that nobody can reach after the pool has gone
 *
 * and a line a scenario says how many of each.  Exits with the number of
 * scenarios that had one of the last three.  DL_TORTURE_PLANT=wrong, crash or
 * leak makes every run so, for the self-test.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "torture.h"

#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <openssl/crypto.h>

/* Exit statuses of a run; 99 is the sanitizer's. */
enum {
    EXIT_RIGHT = 0,
    EXIT_REFUSED = 10,
    EXIT_WRONG = 11,
    EXIT_LEAK = 12,
    EXIT_REPORT = 99
};

/* Ends of runs, in the order of their names. */
enum {
    RIGHT,
    REFUSED,
    ENDED,
    WRONG,
    CRASH,
    LEAK,
    ENDS
};

static const char *const end_names[ENDS] = {"right", "refused", "ended",
                                            "wrong", "crash",   "leak"};

const torture_row torture_rows[] = {{"token", torture_token},
                                    {"key-file", torture_key_file},
                                    {"key-pem", torture_key_pem},
                                    {"json", torture_json},
                                    {"json-write", torture_json_write},
                                    {"form", torture_form},
                                    {"date", torture_date},
                                    {"config", torture_config},
                                    {"declaration", torture_declaration},
                                    {"record", torture_record},
                                    {"grant", torture_grant},
                                    {"audit-line", torture_audit_line},
                                    {"audit-file", torture_audit_file},
                                    {"stats", torture_stats},
                                    {"lake-write", torture_lake_write},
                                    {"lake-keep", torture_lake_keep},
                                    {"index", torture_index},
                                    {"mapping", torture_mapping},
                                    {"split", torture_split},
                                    {"log-line", torture_log_line},
                                    {"source-config", torture_source_config},
                                    {"change", torture_change},
                                    {NULL, NULL}};

/* Names that LeakSanitizer and the linker's --wrap prescribe. */
/* NOLINTBEGIN(bugprone-reserved-identifier) */
int __lsan_do_recoverable_leak_check(void);

/* --- Allocations ---------------------------------------------------------- */

static atomic_long counted;  /* allocations since the run began */
static atomic_long fail_at;  /* the one that fails, from 1; 0: none */
static atomic_bool counting; /* a scenario is running */
static atomic_bool paused;   /* it is preparing */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real_sodium_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_sodium_malloc(size_t size);

/* Count an allocation; whether it has to fail. */
static bool fails(void)
{
    return atomic_load(&counting) && !atomic_load(&paused) &&
           atomic_fetch_add(&counted, 1) + 1 == atomic_load(&fail_at);
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(align, size);
}

void *__wrap_sodium_malloc(size_t size)
{
    return fails() ? NULL : __real_sodium_malloc(size);
}

/* NOLINTEND(bugprone-reserved-identifier) */

static void *crypto_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return __wrap_malloc(size);
}

static void *crypto_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return __wrap_realloc(old, size);
}

static void crypto_free(void *memory, const char *file, int line)
{
    (void)file;
    (void)line;
    free(memory);
}

void torture_calm(void)
{
    atomic_store(&fail_at, 0);
}

void torture_pause(void)
{
    atomic_store(&paused, true);
}

void torture_go(void)
{
    atomic_store(&paused, false);
}

torture_verdict torture_judge(dl_status status, const dl_error *err, int holds)
{
    if (status == DL_OK) {
        return holds ? TORTURE_RIGHT : TORTURE_WRONG;
    }
    return err->text[0] != '\0' ? TORTURE_REFUSED : TORTURE_WRONG;
}

/* --- One run -------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* A fault of the kind that is planted; the verdict it leaves. */
static torture_verdict plant(torture_verdict verdict)
{
    const char *kind = getenv("DL_TORTURE_PLANT");
    static void *volatile lost;

    if (kind == NULL) {
        return verdict;
    }
    if (strcmp(kind, "wrong") == 0) {
        return TORTURE_WRONG;
    }
    if (strcmp(kind, "crash") == 0) {
        raise(SIGSEGV);
    }
    lost = malloc(100);
    memset(lost, 1, 100);
    lost = NULL;
    return verdict;
}

/* Run ROW in a folder of its own, and remove that. */
static torture_verdict run_in_folder(const torture_row *row, dl_error *err,
                                     bool count)
{
    char folder[64];
    torture_verdict verdict;
    apr_pool_t *pool;

    snprintf(folder, sizeof folder, "%s/dl_torture.XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        abort();
    }
    atomic_store(&counted, 0);
    atomic_store(&counting, count);
    verdict = row->run(err, folder, pool);
    atomic_store(&counting, false);
    apr_pool_destroy(pool);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return verdict;
}

/* Run ROW with allocation AT failing (0: none); return the exit status for
 * it. */
static int run_scenario(const torture_row *row, long at)
{
    dl_error err = {0};
    torture_verdict verdict;

    (void)run_in_folder(row, &err, false);
    err = (dl_error){0};
    atomic_store(&fail_at, at);
    verdict = run_in_folder(row, &err, true);
    if (at > 0) {
        verdict = plant(verdict);
    }
    if (verdict == TORTURE_WRONG) {
        printf("# %s, allocation %ld: wrong (%s)\n", row->name, at, err.text);
        fflush(stdout);
        return EXIT_WRONG;
    }
    if (__lsan_do_recoverable_leak_check() != 0) {
        return EXIT_LEAK;
    }
    return verdict == TORTURE_RIGHT ? EXIT_RIGHT : EXIT_REFUSED;
}

/* What the wait status STATUS means. */
static int end_of(int status)
{
    if (WIFSIGNALED(status)) {
        return WTERMSIG(status) == SIGABRT ? ENDED : CRASH;
    }
    switch (WEXITSTATUS(status)) {
    case EXIT_RIGHT:
        return RIGHT;
    case EXIT_REFUSED:
        return REFUSED;
    case EXIT_WRONG:
        return WRONG;
    case EXIT_LEAK:
        return LEAK;
    default:
        return CRASH;
    }
}

/* Run ROW in a process of its own with allocation AT failing.  *COUNT becomes
 * the allocations it made when AT is 0. */
static int run_apart(const torture_row *row, long at, long *count)
{
    int channel[2];
    int status = 0;
    pid_t pid;

    if (pipe(channel) != 0) {
        return CRASH;
    }
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        int code = run_scenario(row, at);
        long made = atomic_load(&counted);

        if (write(channel[1], &made, sizeof made) != (ssize_t)sizeof made) {
            code = EXIT_REPORT;
        }
        _exit(code);
    }
    close(channel[1]);
    if (read(channel[0], count, sizeof *count) != (ssize_t)sizeof *count) {
        *count = 0;
    }
    close(channel[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        return CRASH;
    }
    return end_of(status);
}

/* Torture ROW, at most MOST times; return whether all ends were good. */
static bool torture(const torture_row *row, long most)
{
    long ends[ENDS] = {0};
    long count = 0;
    long ignored = 0;
    long runs;
    int plain = run_apart(row, 0, &count);

    runs = count < most ? count : most;
    for (long i = 0; i < runs; i++) {
        long at = 1 + i * count / runs;
        int end = run_apart(row, at, &ignored);

        if (end >= WRONG) {
            printf("# %s, allocation %ld: %s\n", row->name, at, end_names[end]);
        }
        ends[end]++;
    }
    printf("%s without=%s allocations=%ld", row->name, end_names[plain], count);
    for (int i = 0; i < ENDS; i++) {
        printf(" %s=%ld", end_names[i], ends[i]);
    }
    printf("\n");
    return plain == RIGHT && ends[WRONG] + ends[CRASH] + ends[LEAK] == 0;
}

static bool chosen(const char *name, int n, char **names)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return n == 0;
}

int main(int argc, char **argv)
{
    long most = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    int bad = 0;

    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) !=
            1 ||
        apr_initialize() != APR_SUCCESS) {
        return EXIT_REPORT;
    }
    for (const torture_row *row = torture_rows; row->name != NULL; row++) {
        if (chosen(row->name, argc - 2, argv + 2) && !torture(row, most)) {
            bad++;
        }
    }
    apr_terminate();
    return bad;
}
