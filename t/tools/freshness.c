/* freshness - how long a message takes from produce to being seen.
 *
 * usage: freshness BROKERS TOPIC RATE SECONDS LAKE INI [quiet]
 *
 * Produces RATE transactions a second for SECONDS and notes when each became
 * visible to three pollers: a bare consumer of the topic, a reader of the lake
 * (published offsets, every 1 ms), and a client of the warehouse (the offsets
 * committed with the rows, every 2 ms).  LAKE or INI may be "-": not watched;
 * with "quiet" there is no bare consumer either.
 * Prints a line for each: messages seen, p50, p99 and worst in milliseconds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_lake.h"
#include "dl_time.h"
#include "dl_wh.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <apr_general.h>
#include <librdkafka/rdkafka.h>

#define PARTS    64
#define MESSAGES (1 << 24)

/* One kind of poller: its name and what it saw. */
typedef struct watcher {
    const char *name;    /* printed */
    int64_t next[PARTS]; /* messages of a partition below are seen */
    size_t n;            /* delays taken */
    float *delay_ms;     /* one a message */
    pthread_t thread;    /* its thread */
    bool on;             /* it watches */
    unsigned long looks; /* times it looked */
} watcher;

/* All of it. */
typedef struct world {
    const char *brokers, *topic, *lake, *ini;
    rd_kafka_t *producer;
    rd_kafka_topic_t *target; /* what is produced to */
    int64_t rate, seconds;
    int64_t base[PARTS];       /* end of each partition before we began */
    int64_t *sent[PARTS];      /* produce time by offset - base, or 0 */
    atomic_long placed[PARTS]; /* offsets below are in sent */
    atomic_long acknowledged;  /* messages with a delivery report */
    atomic_bool stop;          /* pollers leave */
    int parts;
    watcher bare, reader, sql;
} world;

static world w;

static int64_t now_us(void)
{
    return dl_time_monotonic_us();
}

/* Note that WA sees all of PARTITION below NEXT. */
static void sees(watcher *wa, int partition, int64_t next)
{
    int64_t at = now_us();
    int64_t *seen = &wa->next[partition];

    while (*seen < next) {
        int64_t i = *seen - w.base[partition];
        int64_t sent;

        if (i < 0) {
            (*seen)++;
            continue;
        }
        if (i >= atomic_load(&w.placed[partition])) {
            break; /* visible before its report came: look again */
        }
        sent = w.sent[partition][i];
        if (sent != 0 && wa->n < MESSAGES) {
            wa->delay_ms[wa->n++] = (float)(at - sent) / 1000;
        }
        (*seen)++;
    }
}

/* --- Producing ------------------------------------------------------------ */

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    int64_t i = m->offset - w.base[m->partition];

    (void)rk;
    (void)opaque;
    atomic_fetch_add(&w.acknowledged, 1);
    if (m->err == 0 && i >= 0) {
        w.sent[m->partition][i] = (int64_t)(intptr_t)m->_private;
        atomic_store(&w.placed[m->partition], i + 1);
    }
}

static rd_kafka_conf_t *conf_of(const char *const *pairs)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];

    (void)rd_kafka_conf_set(conf, "bootstrap.servers", w.brokers, text,
                            sizeof text);
    for (; *pairs != NULL; pairs += 2) {
        if (rd_kafka_conf_set(conf, pairs[0], pairs[1], text, sizeof text) !=
            RD_KAFKA_CONF_OK) {
            fprintf(stderr, "freshness: %s\n", text);
            exit(1);
        }
    }
    return conf;
}

/* The message; only digits change, because at half a million a second the
 * producer's own work would delay what it measures. */
static char value[] =
    "{\"transaction_id\":\"fresh-0000000-0000000000\","
    "\"timestamp\":0000000000.000,\"user_id\":\"u000\",\"user_name\":\"User\","
    "\"product_id\":\"p00\",\"product_name\":\"Product\",\"amount\":12.5,"
    "\"currency\":\"EUR\",\"transaction_type\":\"purchase\","
    "\"status\":\"completed\",\"product_category\":\"Books\",\"quantity\":1,"
    "\"device_info\":{\"os\":\"Linux\",\"browser\":\"Firefox\","
    "\"ip_address\":\"10.0.0.1\"},"
    "\"location\":{\"city\":\"Lyon\",\"country\":\"France\"},"
    "\"shipping_address\":{\"street\":\"1 Main Street\",\"zip\":\"69001\","
    "\"city\":\"Lyon\",\"country\":\"France\"},\"tax_amount\":2.5}";

/* Write NUMBER in WIDTH digits OFFSET bytes behind the text AFTER of value. */
static void patch(const char *after, int offset, int width, int64_t number)
{
    char *at = strstr(value, after) + strlen(after) + offset;

    while (width-- > 0) {
        at[width] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* Produce one message now. */
static void produce_one(int64_t i)
{
    int64_t ms = dl_time_now() / 1000;

    patch("fresh-", 8, 10, i);
    patch("timestamp\":", 0, 10, ms / 1000);
    patch("timestamp\":", 11, 3, ms % 1000);
    patch("user_id\":\"u", 0, 3, i % 500);
    patch("product_id\":\"p", 0, 2, i % 100);
    while (rd_kafka_produce(w.target, (int32_t)(i % w.parts),
                            RD_KAFKA_MSG_F_COPY, value, sizeof value - 1, NULL,
                            0, (void *)(intptr_t)now_us()) != 0 &&
           rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        rd_kafka_poll(w.producer, 10);
    }
}

/* Produce at the arrival times of RATE, whatever the answers do. */
static int64_t produce_all(void)
{
    int64_t begin = now_us();
    int64_t total = w.rate * w.seconds;
    int64_t i = 0;

    patch("fresh-", 0, 7, getpid());
    while (i < total) {
        int64_t due = (now_us() - begin) * w.rate / 1000000;

        for (; i < due && i < total; i++) {
            produce_one(i);
        }
        rd_kafka_poll(w.producer, 1);
    }
    rd_kafka_flush(w.producer, 30000);
    return total;
}

/* --- Seeing --------------------------------------------------------------- */

static void *watch_topic(void *data)
{
    static const char *const settings[] = {"group.id", "freshness",
                                           "enable.auto.commit", "false", NULL};
    watcher *wa = data;
    char text[256];
    rd_kafka_t *rk =
        rd_kafka_new(RD_KAFKA_CONSUMER, conf_of(settings), text, sizeof text);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(w.parts);

    for (int p = 0; p < w.parts; p++) {
        rd_kafka_topic_partition_list_add(list, w.topic, p)->offset = w.base[p];
    }
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    while (!atomic_load(&w.stop)) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 10);

        wa->looks++;
        if (m == NULL) {
            continue;
        }
        if (m->err == 0) {
            /* Its report may not have come: spin for it, it is near. */
            while (m->offset - w.base[m->partition] >=
                       atomic_load(&w.placed[m->partition]) &&
                   !atomic_load(&w.stop)) {
                usleep(50);
            }
            sees(wa, m->partition, m->offset + 1);
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_destroy(rk);
    return NULL;
}

static void *watch_lake(void *data)
{
    watcher *wa = data;
    apr_pool_t *pool;
    apr_pool_t *scratch;
    dl_lake *lake = NULL;
    dl_lake_snapshot *snap;
    dl_error err = {0};

    apr_pool_create(&pool, NULL);
    apr_pool_create(&scratch, pool);
    if (dl_lake_open(&lake, w.lake, &err, pool) != DL_OK) {
        fprintf(stderr, "freshness: %s\n", err.text);
        exit(1);
    }
    while (!atomic_load(&w.stop)) {
        apr_pool_clear(scratch);
        wa->looks++;
        if (dl_lake_snapshot_open(&snap, lake, w.topic, &err, scratch) ==
            DL_OK) {
            const dl_lake_totals *totals = dl_lake_snapshot_totals(snap);

            for (int i = 0; i < totals->n_next; i++) {
                if (totals->next[i].partition < PARTS) {
                    sees(wa, totals->next[i].partition, totals->next[i].next);
                }
            }
        }
        usleep(1000);
    }
    apr_pool_destroy(pool);
    return NULL;
}

static void *watch_sql(void *data)
{
    static const char sql[] = "SELECT `partition`, next_offset FROM sink_offset"
                              " WHERE sink = 'warehouse' AND topic = ?";
    watcher *wa = data;
    apr_pool_t *pool;
    dl_config *cfg;
    dl_wh *wh;
    dl_error err = {0};

    apr_pool_create(&pool, NULL);
    if (dl_config_load(&cfg, w.ini, &err, pool) != DL_OK ||
        dl_wh_connect(&wh, cfg, DL_WH_JOBS, &err, pool) != DL_OK) {
        fprintf(stderr, "freshness: %s\n", err.text);
        exit(1);
    }
    while (!atomic_load(&w.stop)) {
        dl_wh_stmt *st;
        bool row = true;

        wa->looks++;
        if (dl_wh_prepare(&st, wh, sql, &err) != DL_OK) {
            fprintf(stderr, "freshness: %s\n", err.text);
            exit(1);
        }
        dl_wh_bind_str(st, 0, w.topic);
        if (dl_wh_run(st, &err) == DL_OK) {
            while (dl_wh_fetch(&row, st, &err) == DL_OK && row) {
                sees(wa, (int)dl_wh_int(st, 0), dl_wh_int(st, 1));
            }
        }
        usleep(2000);
    }
    apr_pool_destroy(pool);
    return NULL;
}

/* --- Telling -------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;

    return (a > b) - (a < b);
}

static void report(watcher *wa)
{
    size_t n = wa->n;

    if (!wa->on) {
        return;
    }
    qsort(wa->delay_ms, n, sizeof *wa->delay_ms, compare);
    printf("%s seen=%zu looks=%lu p50_ms=%.1f p99_ms=%.1f max_ms=%.1f\n",
           wa->name, n, wa->looks, n == 0 ? -1.0 : (double)wa->delay_ms[n / 2],
           n == 0 ? -1.0 : (double)wa->delay_ms[n * 99 / 100],
           n == 0 ? -1.0 : (double)wa->delay_ms[n - 1]);
}

static void begin(watcher *wa, const char *name, void *(*run)(void *), bool on)
{
    wa->name = name;
    wa->on = on;
    if (on) {
        wa->delay_ms = malloc(MESSAGES * sizeof *wa->delay_ms);
        memcpy(wa->next, w.base, sizeof wa->next);
        pthread_create(&wa->thread, NULL, run, wa);
    }
}

/* Learn how many partitions there are and where they end. */
static void survey(void)
{
    static const char *const settings[] = {"acks",
                                           "all",
                                           "linger.ms",
                                           "1",
                                           "enable.idempotence",
                                           "true",
                                           "queue.buffering.max.messages",
                                           "1000000",
                                           "compression.codec",
                                           "lz4",
                                           NULL};
    rd_kafka_conf_t *conf = conf_of(settings);
    const struct rd_kafka_metadata *meta;
    rd_kafka_topic_t *topic;
    char text[256];

    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    w.producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    topic = rd_kafka_topic_new(w.producer, w.topic, NULL);
    if (rd_kafka_metadata(w.producer, 0, topic, &meta, 10000) != 0) {
        fprintf(stderr, "freshness: no metadata\n");
        exit(1);
    }
    w.parts = meta->topics[0].partition_cnt;
    rd_kafka_metadata_destroy(meta);
    w.target = topic;
    for (int p = 0; p < w.parts; p++) {
        int64_t low;

        rd_kafka_query_watermark_offsets(w.producer, w.topic, p, &low,
                                         &w.base[p], 10000);
        w.sent[p] = calloc((size_t)(w.rate * w.seconds) + 1, sizeof(int64_t));
    }
}

int main(int argc, char **argv)
{
    int64_t total;
    int64_t end;

    if (argc < 7 || apr_initialize() != APR_SUCCESS) {
        fprintf(stderr, "usage: freshness BROKERS TOPIC RATE SECONDS LAKE INI "
                        "[quiet]\n");
        return 2;
    }
    w.brokers = argv[1];
    w.topic = argv[2];
    w.rate = strtoll(argv[3], NULL, 10);
    w.seconds = strtoll(argv[4], NULL, 10);
    w.lake = argv[5];
    w.ini = argv[6];
    survey();
    begin(&w.bare, "bare", watch_topic, argc == 7);
    begin(&w.reader, "lake", watch_lake, strcmp(w.lake, "-") != 0);
    begin(&w.sql, "sql", watch_sql, strcmp(w.ini, "-") != 0);
    usleep(1000000);
    total = produce_all();
    end = now_us() + INT64_C(30000000);
    while (now_us() < end && ((w.bare.on && (int64_t)w.bare.n < total) ||
                              (w.reader.on && (int64_t)w.reader.n < total) ||
                              (w.sql.on && (int64_t)w.sql.n < total))) {
        rd_kafka_poll(w.producer, 10);
    }
    atomic_store(&w.stop, true);
    if (w.bare.on) {
        pthread_join(w.bare.thread, NULL);
    }
    if (w.reader.on) {
        pthread_join(w.reader.thread, NULL);
    }
    if (w.sql.on) {
        pthread_join(w.sql.thread, NULL);
    }
    report(&w.bare);
    report(&w.reader);
    report(&w.sql);
    return 0;
}
