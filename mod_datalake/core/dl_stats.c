/* dl_stats.c - Writing a program's page of numbers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_stats.h"

#include "dl_log.h"
#include "dl_stats_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_strings.h>

struct dl_stats {
    pthread_mutex_t making; /* held while a slot is looked for and made */
    dl_stats_page *page;    /* the mapped file */
    char *path;             /* its name, removed at the end */
    bool full;              /* DL0180 was logged */
    dl_stats_value *cpu;    /* process_cpu_seconds_total */
    dl_stats_value *memory; /* process_resident_memory_bytes */
    dl_stats_value *fds;    /* process_open_fds */
};

/* clang-format off */
const int64_t dl_stats_bounds[DL_STATS_BUCKETS - 1] = {
    1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000,
    1000000, 2000000, 5000000, 10000000};
/* clang-format on */

/* Where values go that nobody reads. */
static dl_stats_value nowhere[DL_STATS_VALUES];

int64_t dl_stats_process_start(int64_t pid)
{
    char path[64];
    char text[1024];
    const char *rest;
    long long start = 0;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    /* Field 2, the name, may hold spaces and brackets: count from the last
     * bracket, behind which field 3 begins. */
    rest = strrchr(text, ')');
    if (rest == NULL) {
        return 0;
    }
    for (int field = 2; field < 22 && rest != NULL; field++) {
        rest = strchr(rest + 1, ' ');
    }
    if (rest != NULL) {
        start = strtoll(rest + 1, NULL, 10);
    }
    return start;
}

bool dl_stats_process_lives(int64_t pid, int64_t start)
{
    int64_t now;

    if (pid <= 0 || pid > INT32_MAX) {
        return false;
    }
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) {
        return false;
    }
    /* A sandbox may hide /proc of others: then the pid has to do. */
    now = dl_stats_process_start(pid);
    return start == 0 || now == 0 || now == start;
}

static apr_status_t close_page(void *data)
{
    dl_stats *stats = data;

    if (stats->page != NULL) {
        unlink(stats->path);
        munmap(stats->page, sizeof *stats->page);
        stats->page = NULL;
    }
    return APR_SUCCESS;
}

/* Map a new file FD of page size into *STATS. */
static dl_status map_page(dl_stats *stats, int fd, const char *path,
                          dl_error *err)
{
    void *memory;

    if (ftruncate(fd, sizeof *stats->page) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot size %s", path);
    }
    memory = mmap(NULL, sizeof *stats->page, PROT_READ | PROT_WRITE, MAP_SHARED,
                  fd, 0);
    if (memory == MAP_FAILED) {
        return dl_fail(err, DL_IO, errno, "cannot map %s", path);
    }
    stats->page = memory;
    stats->page->magic = DL_STATS_MAGIC;
    stats->page->pid = getpid();
    stats->page->start = dl_stats_process_start(getpid());
    return DL_OK;
}

static void add_program_slots(dl_stats *stats, const char *program,
                              apr_pool_t *pool)
{
    const char *labels = apr_psprintf(pool, "program=\"%s\"", program);
    const char *build =
        apr_psprintf(pool, "contract=\"1.0.0\",program=\"%s\",version=\"%s\"",
                     program, DL_VERSION);

    dl_stats_set(
        dl_stats_slot(stats, DL_STATS_GAUGE, "datalake_build_info", build), 1);
    stats->cpu = dl_stats_slot(stats, DL_STATS_COUNTER_US,
                               "datalake_process_cpu_seconds_total", labels);
    stats->memory =
        dl_stats_slot(stats, DL_STATS_GAUGE,
                      "datalake_process_resident_memory_bytes", labels);
    stats->fds = dl_stats_slot(stats, DL_STATS_GAUGE,
                               "datalake_process_open_fds", labels);
    dl_stats_process_update(stats);
}

dl_status dl_stats_create(dl_stats **stats, const char *run_dir,
                          const char *program, const char *instance,
                          dl_error *err, apr_pool_t *pool)
{
    dl_stats *made = apr_pcalloc(pool, sizeof *made);
    char *path = apr_psprintf(pool, "%s/%s.stats.new", run_dir, instance);
    dl_status status;
    int fd;

    pthread_mutex_init(&made->making, NULL);
    made->path = apr_psprintf(pool, "%s/%s.stats", run_dir, instance);
    (void)unlink(path);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        return dl_fail(err, DL_IO, errno, "cannot make %s", path);
    }
    /* The web server's account reads it, whatever the umask says. */
    (void)fchmod(fd, 0644);
    status = map_page(made, fd, path, err);
    close(fd);
    DL_TRY(status);
    add_program_slots(made, program, pool);
    if (rename(path, made->path) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot rename %s", path);
    }
    apr_pool_cleanup_register(pool, made, close_page, apr_pool_cleanup_null);
    *stats = made;
    return DL_OK;
}

/* Return the values of the slot NAME with LABELS among the first USED; NULL:
 * it is not there. */
static dl_stats_value *find_slot(dl_stats_page *page, int64_t used,
                                 const char *name, const char *labels)
{
    for (int64_t i = 0; i < used; i++) {
        dl_stats_cell *cell = &page->cells[i];

        if (strcmp(cell->name, name) == 0 &&
            strcmp(cell->labels, labels) == 0) {
            return cell->values;
        }
    }
    return NULL;
}

/* The same, and made when it is not there; NULL: there is no room. */
static dl_stats_value *make_slot(dl_stats_page *page, dl_stats_type type,
                                 const char *name, const char *labels)
{
    int64_t used = atomic_load_explicit(&page->used, memory_order_relaxed);
    dl_stats_value *found = find_slot(page, used, name, labels);
    dl_stats_cell *cell;

    if (found != NULL || used == DL_STATS_SLOTS ||
        strlen(name) >= sizeof cell->name ||
        strlen(labels) >= sizeof cell->labels) {
        return found;
    }
    cell = &page->cells[used];
    cell->type = type;
    snprintf(cell->name, sizeof cell->name, "%s", name);
    snprintf(cell->labels, sizeof cell->labels, "%s", labels);
    atomic_store_explicit(&page->used, used + 1, memory_order_release);
    return cell->values;
}

dl_stats_value *dl_stats_slot(dl_stats *stats, dl_stats_type type,
                              const char *name, const char *labels)
{
    dl_stats_value *slot;
    bool first = false;

    if (stats == NULL) {
        return nowhere;
    }
    pthread_mutex_lock(&stats->making);
    slot = make_slot(stats->page, type, name, labels);
    if (slot == NULL) {
        first = !stats->full;
        stats->full = true;
    }
    pthread_mutex_unlock(&stats->making);
    if (first) {
        dl_log(DL_LOG_WARNING, "DL0180 no room for the number %s{%s}", name,
               labels);
    }
    return slot == NULL ? nowhere : slot;
}

void dl_stats_observe(dl_stats_value *slot, int64_t microseconds)
{
    int64_t value = microseconds < 0 ? 0 : microseconds;
    int bucket = 0;

    while (bucket < DL_STATS_BUCKETS - 1 && value > dl_stats_bounds[bucket]) {
        bucket++;
    }
    dl_stats_add(slot + 2 + bucket, 1);
    dl_stats_add(slot + 1, value);
    dl_stats_add(slot, 1);
}

/* Return the resident bytes of this process. */
static int64_t resident_bytes(void)
{
    char text[128];
    char *rest;
    ssize_t n;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return 0;
    }
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    rest = strchr(text, ' ');
    return rest == NULL ? 0 : strtoll(rest, NULL, 10) * sysconf(_SC_PAGESIZE);
}

/* Return the number of descriptors this process holds. */
static int64_t open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the folder itself */

    if (folder == NULL) {
        return 0;
    }
    /* A DIR of our own: no other thread reads it. */
    while (readdir(folder) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        n++;
    }
    closedir(folder);
    return n;
}

void dl_stats_process_update(dl_stats *stats)
{
    struct timespec cpu;

    if (stats == NULL) {
        return;
    }
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        dl_stats_set(stats->cpu,
                     cpu.tv_sec * INT64_C(1000000) + cpu.tv_nsec / 1000);
    }
    dl_stats_set(stats->memory, resident_bytes());
    dl_stats_set(stats->fds, open_descriptors());
}
