/* loop_rate - how fast the consuming loop takes messages, without a sink.
 *
 * usage: loop_rate BROKERS TOPIC MESSAGES [BUFFER_KB [FETCH_KB [BUSY_NS]]]
 *
 * Reads MESSAGES of TOPIC from its start through the loop with the shipped
 * client settings into a sink that forgets them, spending BUSY_NS of processor
 * time on each (a sink slower than the fetcher fills the queue: then a client
 * that sleeps on a full queue stalls).  Prints one line: messages, seconds,
 * rate, processor seconds, the longest pause between two puts, resident
 * memory.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_time.h"
#include "dlc_loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <apr_general.h>

typedef struct counter {
    dlc_sink base;     /* first member */
    int64_t want;      /* messages to read */
    int64_t got;       /* messages put */
    int64_t bytes;     /* of their values */
    int64_t busy_ns;   /* spent on each */
    int64_t begin_us;  /* first put */
    int64_t last_us;   /* newest look at the clock */
    int64_t pause_us;  /* longest time between two looks */
    dlc_wishes wishes; /* to stop the loop */
} counter;

static dl_status c_take(dlc_sink *sink, dlc_part *const *parts, int n,
                        const char *cluster, dl_error *err)
{
    (void)sink;
    (void)cluster;
    (void)err;
    for (int i = 0; i < n; i++) {
        parts[i]->next = -1;
    }
    return DL_OK;
}

/* Spend NS of processor time. */
static void spend(int64_t ns)
{
    struct timespec from;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - from.tv_sec) * INT64_C(1000000000) + now.tv_nsec -
                 from.tv_nsec <
             ns);
}

static dl_status c_put(dlc_sink *sink, const dlc_message *msg, dl_error *err)
{
    counter *c = (counter *)sink;

    (void)err;
    c->got++;
    c->bytes += (int64_t)msg->len;
    if (c->busy_ns > 0 && c->got % 100 == 0) {
        spend(c->busy_ns * 100);
    }
    if (c->got % 500 == 1) {
        int64_t now = dl_time_monotonic_us();

        c->begin_us = c->begin_us == 0 ? now : c->begin_us;
        if (c->last_us != 0 && now - c->last_us > c->pause_us) {
            c->pause_us = now - c->last_us;
        }
        c->last_us = now;
    }
    if (c->got >= c->want) {
        c->wishes.stop = 1;
    }
    return DL_OK;
}

static dl_status c_advance(dlc_sink *sink, dlc_part *part, int64_t next,
                           dl_error *err)
{
    (void)sink;
    (void)part;
    (void)next;
    (void)err;
    return DL_OK;
}

static bool c_wants(dlc_sink *sink, int64_t now_us, bool caught_up)
{
    (void)sink;
    (void)now_us;
    (void)caught_up;
    return false;
}

static dl_status c_commit(dlc_sink *sink, dl_error *err)
{
    (void)sink;
    (void)err;
    return DL_OK;
}

static int64_t c_next(dlc_sink *sink, const dlc_part *part)
{
    (void)sink;
    return part->next;
}

static void c_drop(dlc_sink *sink, dlc_part *const *parts, int n)
{
    (void)sink;
    (void)parts;
    (void)n;
}

static dl_status c_tick(dlc_sink *sink, dl_error *err)
{
    (void)sink;
    (void)err;
    return DL_OK;
}

static const dlc_sink_calls calls = {.take = c_take,
                                     .put = c_put,
                                     .advance = c_advance,
                                     .wants_commit = c_wants,
                                     .commit = c_commit,
                                     .next = c_next,
                                     .drop = c_drop,
                                     .tick = c_tick};

/* The peak of resident memory, KB. */
static long peak_kb(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const counter *c)
{
    double seconds = (double)(dl_time_monotonic_us() - c->begin_us) / 1e6;

    printf("messages=%lld bytes=%lld seconds=%.3f rate=%.0f cpu=%.2f "
           "pause_ms=%.1f peak_mb=%ld\n",
           (long long)c->got, (long long)c->bytes, seconds,
           (double)c->got / seconds, cpu_seconds(), (double)c->pause_us / 1e3,
           peak_kb() / 1024);
}

int main(int argc, char **argv)
{
    static counter c;
    dl_dataset dataset = {.name = "rate"};
    const dl_dataset *datasets[] = {&dataset};
    const dl_dataset_set set = {1, datasets};
    dl_config cfg = {.kafka = {.group = "loop-rate",
                               .group_instance = "",
                               .session_timeout_ms = 45000,
                               .dead_letter_share = 100,
                               .dead_letter_window = 1000}};
    dlc_loop_options options = {.cfg = &cfg, .sink = &c.base, .set = &set};
    const dlc_source_options from = {.program = "rate", .part = 1};
    dl_error err = {0};
    apr_pool_t *pool;

    if (argc < 4 || apr_initialize() != APR_SUCCESS ||
        apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "usage: loop_rate BROKERS TOPIC MESSAGES "
                        "[BUFFER_KB [FETCH_KB [BUSY_NS]]]\n");
        return 2;
    }
    cfg.kafka.brokers = argv[1];
    dataset.topic = argv[2];
    c.want = strtoll(argv[3], NULL, 10);
    cfg.kafka.buffer_bytes =
        1024 * (argc > 4 ? strtol(argv[4], NULL, 10) : 65536);
    cfg.kafka.fetch_bytes =
        1024 * (argc > 5 ? strtol(argv[5], NULL, 10) : 16384);
    c.busy_ns = argc > 6 ? strtol(argv[6], NULL, 10) : 0;
    c.base.name = "rate";
    c.base.calls = &calls;
    options.wishes = &c.wishes;
    if (dlc_source_create(&options.source, &cfg, &from, &err, pool) != DL_OK ||
        dlc_loop_run(&options, &err, pool) != DL_OK) {
        fprintf(stderr, "loop_rate: %s\n", err.text);
        return 1;
    }
    report(&c);
    apr_terminate();
    return 0;
}
