/* wh_load - puts simulated transactions into the warehouse sink, no Kafka.
 *
 * usage: wh_load INI COUNT [SEED [RESEND_MILLIONTHS [BAD [FROM]]]]
 *
 * COUNT records of 6 partitions are made first (memory of about 700 bytes
 * each), then put as fast as the sink takes them, under backlog, and
 * committed; FROM of them are thrown away first, as if they had been read
 * before.  Prints one line: rows, seconds until the facts are durable, rows a
 * second, seconds until the rollups are too, resident memory in MB.  With the
 * variable WH_DUMP a file gets each message (partition offset time value), for
 * an independent computation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_time.h"
#include "dlc_simulate.h"
#include "dlc_sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <apr_general.h>
#include <apr_strings.h>

#define PARTITIONS 6

/* A message in memory. */
typedef struct stored {
    char *value; /* its bytes */
    size_t len;  /* of them */
    int part;    /* partition */
} stored;

static int die(const dl_error *err)
{
    fprintf(stderr, "wh_load: %s (%s)\n", err->text,
            dl_status_name(err->status));
    return EXIT_FAILURE;
}

static double seconds(int64_t from_us)
{
    return (double)(dl_time_monotonic_us() - from_us) / 1e6;
}

static int part_of(const char *key, size_t len)
{
    unsigned hash = 5381;

    for (size_t i = 0; i < len; i++) {
        hash = hash * 33 + (unsigned char)key[i];
    }
    return (int)(hash % PARTITIONS);
}

static stored *make_all(size_t *n, const dlc_simulate_plan *plan,
                        apr_pool_t *pool)
{
    dlc_simulator *sim = dlc_simulator_create(plan, 0, pool);
    stored *all =
        malloc((size_t)(plan->count + plan->bad * 6 + 1) * sizeof *all);
    dlc_simulated out;

    *n = 0;
    while (all != NULL && dlc_simulator_next(&out, sim)) {
        all[*n].value = malloc(out.len + 1);
        if (all[*n].value == NULL) {
            abort();
        }
        memcpy(all[*n].value, out.value, out.len);
        all[*n].len = out.len;
        all[(*n)++].part = part_of(out.key, out.key_len);
    }
    return all;
}

static dl_status put_all(dlc_sink *sink, dlc_part *parts, const stored *all,
                         size_t n, dl_error *err)
{
    int64_t next[PARTITIONS] = {0};
    int64_t base = INT64_C(1779000000000000);
    const char *path = getenv("WH_DUMP"); /* NOLINT: one thread as yet */
    FILE *dump = path != NULL ? fopen(path, "w") : NULL;

    for (size_t i = 0; i < n; i++) {
        dlc_message msg = {.part = &parts[all[i].part],
                           .offset = next[all[i].part]++,
                           .time_us = base + (int64_t)(i / 10) * 1000,
                           .payload = all[i].value,
                           .len = all[i].len};
        dl_status status;

        if (dump != NULL) {
            fprintf(dump, "%d %lld %lld %.*s\n", all[i].part,
                    (long long)msg.offset, (long long)msg.time_us,
                    (int)all[i].len, all[i].value);
        }
        status = sink->calls->put(sink, &msg, err);
        if (status != DL_OK && status != DL_INVALID && status != DL_LIMIT) {
            return status;
        }
        if (i % 64 == 0 &&
            sink->calls->wants_commit(sink, dl_time_monotonic_us(), false)) {
            DL_TRY(sink->calls->commit(sink, err));
        }
    }
    if (dump != NULL) {
        (void)fclose(dump);
    }
    return sink->calls->commit(sink, err);
}

static long rss_mb(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

static int run(int argc, char **argv, apr_pool_t *pool)
{
    dlc_simulate_plan plan = {.seed = 7,
                              .threads = 1,
                              .users = 10000,
                              .span_us = 3 * DL_DAY_US,
                              .until = INT64_C(1779000000000000),
                              .times = DLC_TIMES_ZULU};
    dl_config *cfg;
    dl_dataset_set *set;
    dlc_sink *sink;
    dlc_part parts[PARTITIONS];
    dlc_part *list[PARTITIONS];
    dl_error err = {0};
    stored *all;
    size_t n;
    long before;
    int64_t began_us;
    double facts;

    plan.count = atoll(argv[2]);
    plan.seed = argc > 3 ? (uint64_t)atoll(argv[3]) : 7;
    plan.resend = argc > 4 ? atoll(argv[4]) : 0;
    plan.bad = argc > 5 ? atoll(argv[5]) : 0;
    if (dl_config_load(&cfg, argv[1], &err, pool) != DL_OK ||
        dl_dataset_load_all(&set, cfg, &err, pool) != DL_OK) {
        return die(&err);
    }
    all = make_all(&n, &plan, pool);
    before = rss_mb();
    memset(parts, 0, sizeof parts);
    for (int i = 0; i < PARTITIONS; i++) {
        parts[i].dataset = dl_dataset_find(set, "transaction_log");
        parts[i].topic = parts[i].dataset->topic;
        parts[i].partition = i;
        list[i] = &parts[i];
    }
    if (dlc_sink_warehouse_create(&sink, cfg, set, NULL, &err, pool) != DL_OK ||
        sink->calls->take(sink, list, PARTITIONS, "cluster", &err) != DL_OK) {
        return die(&err);
    }
    began_us = dl_time_monotonic_us();
    if (put_all(sink, parts, all, n, &err) != DL_OK) {
        return die(&err);
    }
    sink->calls->drop(sink, list, PARTITIONS); /* waits for the loader */
    facts = seconds(began_us);
    sink->calls->close(sink);
    printf(
        "wh_load rows=%zu facts=%.2fs rate=%.0f/s rollups=%.2fs rss=+%ldMB\n",
        n, facts, (double)n / facts, seconds(began_us), rss_mb() - before);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: wh_load INI COUNT [SEED [RESEND [BAD]]]\n");
        return EXIT_FAILURE;
    }
    if (apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        return EXIT_FAILURE;
    }
    status = run(argc, argv, pool);
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
