/* dl_stats_read.c - Reading the pages of all programs, and Prometheus text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_stats.h"

#include "dl_stats_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

/* One sample on its way to the text. */
typedef struct sample {
    dl_stats_type type;              /* how it is printed */
    const char *name;                /* with prefix */
    const char *labels;              /* "" for none */
    int64_t values[DL_STATS_VALUES]; /* see DL_STATS_VALUES */
} sample;

struct dl_stats_samples {
    apr_pool_t *pool; /* where all lies */
    apr_hash_t *all;  /* "name{labels" -> sample */
};

/* What a name of the contract means: its HELP line.  A name without a row is
 * ours alone: it can be found, but is not printed. */
typedef struct meaning {
    const char *name; /* without datalake_ */
    const char *help; /* one sentence */
} meaning;

/* clang-format off */
static const meaning meanings[] = {
    {"audit_entries_total", "Lines written to the audit files."},
    {"audit_lag_seconds",
     "Age of the oldest audit line not yet in the warehouse."},
    {"build_info", "Always 1; version of program and contract."},
    {"collector_errors_total",
     "What went wrong in a collector, by cause: rows, outages, lost lines."},
    {"collector_last_success_timestamp_seconds",
     "When a collector last had all it had read with the broker."},
    {"collector_records_total", "Records the broker has of a collector."},
    {"dead_letters_open", "Dead letters neither redriven nor discarded."},
    {"dead_letters_total", "Messages set aside, by reason."},
    {"http_request_duration_seconds",
     "Time from the request line to the last byte handed over."},
    {"http_requests_in_flight", "Requests being answered."},
    {"http_requests_total", "Requests answered."},
    {"http_response_bytes_total", "Bytes of answers."},
    {"http_shed_total", "Requests refused because of overload."},
    {"ingest_freshness_seconds",
     "Age of the newest state a reader sees: 0 when no message waits."},
    {"job_duration_seconds", "Time of one run, by kind."},
    {"jobs", "Pieces of work, by kind and state."},
    {"kafka_bytes_total", "Bytes of message values taken from Kafka."},
    {"kafka_lag_records",
     "Messages in the log that are not yet durable in the sink."},
    {"kafka_messages_total", "Messages taken from Kafka and made durable."},
    {"kafka_partitions", "Partitions of the topic."},
    {"kafka_partitions_stopped", "Partitions that wait for an operator."},
    {"kafka_produced_total", "Messages produced, by result."},
    {"lake_bytes", "Committed bytes of the dataset."},
    {"lake_commit_duration_seconds", "Time of one commit of the lake."},
    {"lake_commits_total", "Commits of the lake."},
    {"lake_free_bytes", "Free bytes of the lake's volume."},
    {"lake_open_parts", "Parts being written."},
    {"lake_records", "Committed records of the dataset."},
    {"process_cpu_seconds_total", "Processor time of the program."},
    {"process_open_fds", "Open descriptors of the program."},
    {"process_resident_memory_bytes", "Resident memory of the program."},
    {"quota_rejections_total", "Requests refused by a quota."},
    {"schedule_last_success_timestamp_seconds",
     "When the schedule last ran without a failure, seconds since 1970."},
    {"search_duration_seconds", "Time to answer a search, by route."},
    {"stream_frames_total", "Events sent to clients of live streams."},
    {"streams", "Live streams that are open."},
    {"token_failures_total", "Refused tokens, by cause."},
    {"tokens_issued_total", "Tokens issued."},
    {"warehouse_breaker_open",
     "1 while the module does not try the warehouse."},
    {"warehouse_bytes", "Bytes of a table."},
    {"warehouse_connections", "Connections to the warehouse, by state."},
    {"warehouse_queries_total", "Statements run, by result."},
    {"warehouse_rows_total", "Rows loaded."},
    {"warehouse_transaction_duration_seconds",
     "Time of one transaction of the loader."},
    {"warehouse_up", "1 while the warehouse answers."}};
/* clang-format on */

static const char *meaning_of(const char *name)
{
    const char *bare = strncmp(name, "datalake_", 9) == 0 ? name + 9 : name;

    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(meanings[i].name, bare) == 0) {
            return meanings[i].help;
        }
    }
    return NULL;
}

static const char *type_name(dl_stats_type type)
{
    switch (type) {
    case DL_STATS_COUNTER:
    case DL_STATS_COUNTER_US:
        return "counter";
    case DL_STATS_HISTOGRAM:
        return "histogram";
    case DL_STATS_GAUGE:
    case DL_STATS_GAUGE_US:
        break;
    }
    return "gauge";
}

dl_stats_samples *dl_stats_samples_create(apr_pool_t *pool)
{
    dl_stats_samples *samples = apr_pcalloc(pool, sizeof *samples);

    samples->pool = pool;
    samples->all = apr_hash_make(pool);
    return samples;
}

void dl_stats_samples_add(dl_stats_samples *samples, dl_stats_type type,
                          const char *name, const char *labels,
                          const int64_t *values)
{
    int n = type == DL_STATS_HISTOGRAM ? DL_STATS_VALUES : 1;
    bool sums = type != DL_STATS_GAUGE && type != DL_STATS_GAUGE_US;
    const char *key = apr_pstrcat(samples->pool, name, "{", labels, NULL);
    sample *found = apr_hash_get(samples->all, key, APR_HASH_KEY_STRING);

    if (values[0] == DL_STATS_ABSENT) {
        return;
    }
    if (found == NULL) {
        found = apr_pcalloc(samples->pool, sizeof *found);
        found->type = type;
        found->name = apr_pstrdup(samples->pool, name);
        found->labels = apr_pstrdup(samples->pool, labels);
        apr_hash_set(samples->all, key, APR_HASH_KEY_STRING, found);
    }
    for (int i = 0; i < n; i++) {
        found->values[i] = values[i] + (sums ? found->values[i] : 0);
    }
}

/* Add the cells of PAGE, whose writer may be at work. */
static void add_page(dl_stats_samples *samples, dl_stats_page *page)
{
    int64_t used = atomic_load_explicit(&page->used, memory_order_acquire);
    int64_t values[DL_STATS_VALUES];

    for (int64_t i = 0; i < used && i < DL_STATS_SLOTS; i++) {
        dl_stats_cell *cell = &page->cells[i];

        if (cell->type < 0 || cell->type > DL_STATS_HISTOGRAM ||
            memchr(cell->name, 0, sizeof cell->name) == NULL ||
            memchr(cell->labels, 0, sizeof cell->labels) == NULL) {
            continue;
        }
        for (int v = 0; v < DL_STATS_VALUES; v++) {
            values[v] = dl_stats_get(&cell->values[v]);
        }
        dl_stats_samples_add(samples, (dl_stats_type)cell->type, cell->name,
                             cell->labels, values);
    }
}

/* Map the page NAME of DIRFD; NULL when it is none of a living program. */
static dl_stats_page *page_open(int dirfd, const char *name)
{
    struct stat info;
    dl_stats_page *page;
    void *memory;
    int fd =
        openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) ||
        info.st_size != (off_t)sizeof *page) {
        close(fd);
        return NULL;
    }
    memory = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
        return NULL;
    }
    page = memory;
    if (page->magic != DL_STATS_MAGIC ||
        !dl_stats_process_lives(page->pid, page->start)) {
        munmap(memory, sizeof *page);
        return NULL;
    }
    return page;
}

dl_status dl_stats_samples_load(dl_stats_samples *samples, int dirfd,
                                dl_error *err, apr_pool_t *scratch_pool)
{
    const struct dirent *entry;
    DIR *folder;
    int fd;

    (void)scratch_pool;
    if (dirfd < 0) {
        return DL_OK;
    }
    fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folder = fd < 0 ? NULL : fdopendir(fd);
    if (folder == NULL) {
        return dl_fail(err, DL_IO, errno, "cannot list the folder of numbers");
    }
    /* A DIR of our own: no other thread reads it. */
    while ((entry = readdir(folder)) != /* NOLINT(concurrency-mt-unsafe) */
           NULL) {
        size_t len = strlen(entry->d_name);
        dl_stats_page *page;

        if (len < 7 || strcmp(entry->d_name + len - 6, ".stats") != 0) {
            continue;
        }
        page = page_open(dirfd, entry->d_name);
        if (page != NULL) {
            add_page(samples, page);
            munmap(page, sizeof *page);
        }
    }
    closedir(folder);
    return DL_OK;
}

static int compare_samples(const void *left, const void *right)
{
    const sample *a = *(const sample *const *)left;
    const sample *b = *(const sample *const *)right;
    int order = strcmp(a->name, b->name);

    return order != 0 ? order : strcmp(a->labels, b->labels);
}

/* Append the text made from FORMAT to OUT. */
__attribute__((format(printf, 3, 4))) static dl_status
append_text(dl_buf *out, dl_error *err, const char *format, ...)
{
    char text[512];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dl_buf_append(
        out, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1, err);
}

/* Append VALUE microseconds as seconds to OUT. */
static dl_status append_seconds(dl_buf *out, int64_t value, dl_error *err)
{
    int64_t size = value < 0 ? -value : value;

    return append_text(out, err, "%s%" PRId64 ".%06" PRId64 "\n",
                       value < 0 ? "-" : "", size / 1000000, size % 1000000);
}

static dl_status render_histogram(dl_buf *out, const sample *s, dl_error *err)
{
    const char *comma = *s->labels == '\0' ? "" : ",";
    int64_t count = 0;

    for (int i = 0; i < DL_STATS_BUCKETS; i++) {
        count += s->values[2 + i];
        if (i == DL_STATS_BUCKETS - 1) {
            DL_TRY(append_text(out, err,
                               "%s_bucket{%s%sle=\"+Inf\"} %" PRId64 "\n",
                               s->name, s->labels, comma, count));
        }
        else {
            DL_TRY(append_text(
                out, err, "%s_bucket{%s%sle=\"%g\"} %" PRId64 "\n", s->name,
                s->labels, comma, (double)dl_stats_bounds[i] / 1e6, count));
        }
    }
    DL_TRY(append_text(out, err, "%s_sum%s%s%s ", s->name,
                       *s->labels == '\0' ? "" : "{", s->labels,
                       *s->labels == '\0' ? "" : "}"));
    DL_TRY(append_seconds(out, s->values[1], err));
    /* The count of the buckets, so that the lines agree. */
    return append_text(out, err, "%s_count%s%s%s %" PRId64 "\n", s->name,
                       *s->labels == '\0' ? "" : "{", s->labels,
                       *s->labels == '\0' ? "" : "}", count);
}

static dl_status render_sample(dl_buf *out, const sample *s, dl_error *err)
{
    if (s->type == DL_STATS_HISTOGRAM) {
        return render_histogram(out, s, err);
    }
    DL_TRY(append_text(out, err, "%s%s%s%s ", s->name,
                       *s->labels == '\0' ? "" : "{", s->labels,
                       *s->labels == '\0' ? "" : "}"));
    if (s->type == DL_STATS_COUNTER_US || s->type == DL_STATS_GAUGE_US) {
        return append_seconds(out, s->values[0], err);
    }
    return append_text(out, err, "%" PRId64 "\n", s->values[0]);
}

dl_status dl_stats_samples_render(dl_buf *out, dl_stats_samples *samples,
                                  dl_error *err)
{
    unsigned n = apr_hash_count(samples->all);
    const sample **sorted = apr_palloc(samples->pool, (n + 1) * sizeof *sorted);
    unsigned i = 0;

    for (apr_hash_index_t *at = apr_hash_first(samples->pool, samples->all);
         at != NULL; at = apr_hash_next(at)) {
        void *value;

        apr_hash_this(at, NULL, NULL, &value);
        sorted[i++] = value;
    }
    qsort(sorted, n, sizeof *sorted, compare_samples);
    for (i = 0; i < n; i++) {
        if (meaning_of(sorted[i]->name) == NULL) {
            continue;
        }
        if (i == 0 || strcmp(sorted[i]->name, sorted[i - 1]->name) != 0) {
            DL_TRY(append_text(out, err, "# HELP %s %s\n# TYPE %s %s\n",
                               sorted[i]->name, meaning_of(sorted[i]->name),
                               sorted[i]->name, type_name(sorted[i]->type)));
        }
        DL_TRY(render_sample(out, sorted[i], err));
    }
    return DL_OK;
}

dl_status dl_stats_render(dl_buf *out, int dirfd, dl_error *err,
                          apr_pool_t *scratch_pool)
{
    dl_stats_samples *samples = dl_stats_samples_create(scratch_pool);

    DL_TRY(dl_stats_samples_load(samples, dirfd, err, scratch_pool));
    return dl_stats_samples_render(out, samples, err);
}

/* Walk the slots NAME whose labels contain LABEL; return false: none. */
static bool find_values(int64_t *sum, int64_t *max, int dirfd, const char *name,
                        const char *label, apr_pool_t *scratch_pool)
{
    dl_stats_samples *samples = dl_stats_samples_create(scratch_pool);
    bool found = false;

    *sum = 0;
    *max = 0;
    if (dl_stats_samples_load(samples, dirfd, NULL, scratch_pool) != DL_OK) {
        return false;
    }
    for (apr_hash_index_t *at = apr_hash_first(scratch_pool, samples->all);
         at != NULL; at = apr_hash_next(at)) {
        const sample *s;
        void *value;

        apr_hash_this(at, NULL, NULL, &value);
        s = value;
        if (strcmp(s->name, name) != 0 || strstr(s->labels, label) == NULL) {
            continue;
        }
        *max = !found || s->values[0] > *max ? s->values[0] : *max;
        *sum += s->values[0];
        found = true;
    }
    return found;
}

bool dl_stats_find(int64_t *value, int dirfd, const char *name,
                   const char *label, apr_pool_t *scratch_pool)
{
    int64_t max;

    return find_values(value, &max, dirfd, name, label, scratch_pool);
}

bool dl_stats_find_max(int64_t *value, int dirfd, const char *name,
                       const char *label, apr_pool_t *scratch_pool)
{
    int64_t sum;

    return find_values(&sum, value, dirfd, name, label, scratch_pool);
}
