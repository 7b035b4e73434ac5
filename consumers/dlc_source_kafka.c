/* dlc_source_kafka.c - Messages from Kafka, by assign() or as a group.
 *
 * One consumer, one queue, read in batches by one thread, which therefore
 * also serves the rebalance callback.  The group protocol is "eager" (range
 * with static membership; cooperative-sticky of librdkafka below 2.6.1 has
 * faults): a rebalance takes all partitions back and gives a new set.
 *
 * The callback answers the group at once with an empty assignment: the sink
 * may be away for minutes, the group must not wait for it.  What is read is
 * set by assign() alone.
 *
 * A client that tells a fatal error is dead for good, though it goes on
 * answering questions.  The broker's "fenced" is one, and needs no second
 * member: librdkafka forgets its member id when a broker was away for longer
 * than the session, and offsets we had told before then reach the broker
 * without it.  So a dead client is replaced by a new one, which joins again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_log.h"
#include "dl_time.h"
#include "dlc_kafka.h"
#include "dlc_nudge.h"
#include "dlc_source.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

/* Longest wait for one question to the broker. */
#define ASK_MS 1000

/* Partitions of one topic on the way from a message to its dlc_part. */
typedef struct route {
    const char *topic;           /* its name */
    const rd_kafka_topic_t *rkt; /* handle last seen in a message, or NULL */
    int32_t n;                   /* places in parts */
    dlc_part **parts;            /* by partition; NULL: not assigned */
} route;

typedef struct source_kafka {
    dlc_source base;            /* first member */
    const dl_config *cfg;       /* where the settings come from */
    dlc_source_options options; /* what the program wants */
    int n_topics;               /* topics subscribed to */
    const char **topics;        /* their names */
    rd_kafka_t *rk;             /* the consumer, NULL: none could be made */
    dlc_nudge *nudge;           /* keeps the fetching awake, or NULL */
    rd_kafka_queue_t *queue;    /* its only queue */
    rd_kafka_message_t **taken; /* batch in hand */
    int taken_max;              /* places in taken */
    ssize_t n_taken;            /* messages in hand */
    int n_routes;               /* topics assigned */
    route *routes;              /* by order of assignment */
    int last;                   /* route of the last message */
    const char *cluster;        /* id, NULL until learned */
    bool fatal;                 /* the client is dead */
    dl_error err;               /* why */
    apr_pool_t *pool;           /* lives as long as the source */
    apr_pool_t *client_pool;    /* lives as long as the client */
    apr_pool_t *topics_pool;    /* lives as long as a subscription */
    apr_pool_t *routes_pool;    /* lives as long as an assignment */
} source_kafka;

bool dlc_message_header(const dlc_message *msg, const char *name,
                        const char **value, size_t *len)
{
    rd_kafka_headers_t *headers;
    const void *bytes;

    if (msg->note != NULL) {
        return dl_line_note_find(value, len, msg->note, name);
    }
    if (msg->native == NULL ||
        rd_kafka_message_headers(msg->native, &headers) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &bytes, len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        return false;
    }
    *value = bytes;
    return true;
}

void dlc_message_note(dl_line_note *note, const dlc_message *msg)
{
    rd_kafka_headers_t *headers;
    dl_line_header header;
    const void *value;
    bool full = false;

    if (msg->note != NULL) {
        *note = *msg->note;
        return;
    }
    note->n = 0;
    note->key_kind = DL_LINE_KEY_SAME;
    note->key = NULL;
    note->key_len = 0;
    if (msg->native == NULL ||
        rd_kafka_message_headers(msg->native, &headers) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        return;
    }
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &header.name, &value,
                                 &header.len) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        header.name_len = strlen(header.name);
        header.value = value;
        dl_line_note_add(note, &header, &full);
    }
}

static dl_status kafka_cluster(const char **id, dlc_source *source,
                               dl_error *err)
{
    source_kafka *s = (source_kafka *)source;

    if (s->cluster == NULL) {
        DL_TRY(dlc_kafka_cluster(&s->cluster, s->rk, ASK_MS, err, s->pool));
    }
    *id = s->cluster;
    return DL_OK;
}

static dl_status kafka_partitions(int32_t *count, dlc_source *source,
                                  const char *topic, dl_error *err)
{
    source_kafka *s = (source_kafka *)source;

    return dlc_kafka_partitions(count, s->rk, topic, ASK_MS, err);
}

static dl_status kafka_watermarks(int64_t *low, int64_t *high,
                                  dlc_source *source, const dlc_part *part,
                                  dl_error *err)
{
    source_kafka *s = (source_kafka *)source;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        s->rk, part->topic, part->partition, low, high, ASK_MS);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        dl_status status = dlc_kafka_fail(err, code, "offsets of %s/%d",
                                          part->topic, part->partition);

        /* The partition was there a moment ago. */
        return status == DL_NOT_FOUND ? DL_UNAVAILABLE : status;
    }
    return DL_OK;
}

static int64_t kafka_end(dlc_source *source, const dlc_part *part)
{
    source_kafka *s = (source_kafka *)source;
    int64_t low = 0;
    int64_t high = 0;

    if (rd_kafka_get_watermark_offsets(s->rk, part->topic, part->partition,
                                       &low,
                                       &high) != RD_KAFKA_RESP_ERR_NO_ERROR ||
        high < 0) {
        return -1;
    }
    return high;
}

/* Make the way from messages to the N PARTS. */
static void lay_routes(source_kafka *s, dlc_part *const *parts, int n)
{
    apr_pool_clear(s->routes_pool);
    s->n_routes = 0;
    s->last = 0;
    s->routes = apr_pcalloc(s->routes_pool, (size_t)(n + 1) * sizeof(route));
    for (int i = 0; i < n; i++) {
        int r = 0;
        route *to;

        while (r < s->n_routes &&
               strcmp(s->routes[r].topic, parts[i]->topic) != 0) {
            r++;
        }
        to = &s->routes[r];
        if (r == s->n_routes) {
            s->n_routes++;
            to->topic = parts[i]->topic;
            for (int j = i; j < n; j++) {
                if (strcmp(parts[j]->topic, to->topic) == 0 &&
                    parts[j]->partition >= to->n) {
                    to->n = parts[j]->partition + 1;
                }
            }
            to->parts =
                apr_pcalloc(s->routes_pool, (size_t)to->n * sizeof(dlc_part *));
        }
        to->parts[parts[i]->partition] = parts[i];
    }
}

/* The client is dead: keep why. */
static void note_fatal(source_kafka *s, rd_kafka_t *rk)
{
    char text[256] = "";

    (void)rd_kafka_fatal_error(rk, text, sizeof text);
    (void)dl_fail(&s->err, DL_UNAVAILABLE, 0, "the Kafka client gave up: %s",
                  text);
    s->fatal = true;
}

/* The client refused a call with CODE; a dead one is away until take() has
 * replaced it. */
static dl_status refused(source_kafka *s, rd_kafka_resp_err_t code,
                         const char *what, dl_error *err)
{
    dl_status status = dlc_kafka_fail(err, code, "%s", what);

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        note_fatal(s, s->rk);
        return DL_UNAVAILABLE;
    }
    return status;
}

static dl_status kafka_assign(dlc_source *source, dlc_part *const *parts, int n,
                              dl_error *err)
{
    source_kafka *s = (source_kafka *)source;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(n);
    rd_kafka_resp_err_t code;

    for (int i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, parts[i]->topic,
                                          parts[i]->partition)
            ->offset = parts[i]->next;
    }
    lay_routes(s, parts, n);
    code = rd_kafka_assign(s->rk, list);
    dlc_nudge_assign(s->nudge, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return refused(s, code, "cannot assign partitions", err);
    }
    return DL_OK;
}

/* Called by take(): the group gives or takes partitions. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t *list, void *opaque)
{
    source_kafka *s = opaque;
    dlc_place *places;
    rd_kafka_topic_partition_list_t *none;

    if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        s->base.events->taken(s->base.context,
                              rd_kafka_assignment_lost(rk) != 0);
        lay_routes(s, NULL, 0);
        (void)rd_kafka_assign(rk, NULL);
        return;
    }
    none = rd_kafka_topic_partition_list_new(0);
    (void)rd_kafka_assign(rk, none);
    rd_kafka_topic_partition_list_destroy(none);
    lay_routes(s, NULL, 0);
    places =
        apr_palloc(s->routes_pool, (size_t)(list->cnt + 1) * sizeof *places);
    for (int i = 0; i < list->cnt; i++) {
        places[i].topic = list->elems[i].topic;
        places[i].partition = list->elems[i].partition;
    }
    dl_log(DL_LOG_NOTICE, "DL0722 the group gives %d partitions", list->cnt);
    s->base.events->given(s->base.context, places, list->cnt);
}

/* Called by take(): something is wrong with the client or a broker. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    source_kafka *s = opaque;

    if (code == RD_KAFKA_RESP_ERR__FATAL) {
        note_fatal(s, rk);
        return;
    }
    dl_log(DL_LOG_DEBUG, "DL0723 kafka: %s", reason);
}

/* Join the group for the topics that s->topics names. */
static dl_status join(source_kafka *s, dl_error *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(s->n_topics);
    rd_kafka_resp_err_t code;

    for (int i = 0; i < s->n_topics; i++) {
        rd_kafka_topic_partition_list_add(list, s->topics[i],
                                          RD_KAFKA_PARTITION_UA);
    }
    code = rd_kafka_subscribe(s->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return refused(s, code, "cannot join the group", err);
    }
    return DL_OK;
}

static dl_status kafka_subscribe(dlc_source *source, const char *const *topics,
                                 int n, dl_error *err)
{
    source_kafka *s = (source_kafka *)source;

    apr_pool_clear(s->topics_pool);
    s->topics = apr_palloc(s->topics_pool, (size_t)(n + 1) * sizeof *s->topics);
    s->n_topics = n;
    for (int i = 0; i < n; i++) {
        s->topics[i] = apr_pstrdup(s->topics_pool, topics[i]);
    }
    return join(s, err);
}

/* Return the partition the message M belongs to, NULL: not assigned. */
static dlc_part *part_of(source_kafka *s, const rd_kafka_message_t *m)
{
    const route *to;

    if (s->n_routes == 0 || m->rkt == NULL) {
        return NULL;
    }
    if (s->routes[s->last].rkt != m->rkt) {
        const char *name = rd_kafka_topic_name(m->rkt);
        int r = 0;

        while (r < s->n_routes && strcmp(s->routes[r].topic, name) != 0) {
            r++;
        }
        if (r == s->n_routes) {
            return NULL;
        }
        s->routes[r].rkt = m->rkt;
        s->last = r;
    }
    to = &s->routes[s->last];
    return m->partition >= 0 && m->partition < to->n ? to->parts[m->partition]
                                                     : NULL;
}

/* Look at M, which carries an error instead of a message. */
static bool judge_error(dlc_message *out, source_kafka *s,
                        const rd_kafka_message_t *m, dlc_part *part)
{
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF && part != NULL) {
        *out = (dlc_message){.part = part, .end = true, .offset = m->offset};
        return true;
    }
    if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && part != NULL) {
        s->base.events->out_of_range(s->base.context, part);
        return false;
    }
    if (m->err == RD_KAFKA_RESP_ERR__FATAL) {
        note_fatal(s, s->rk);
    }
    else if (m->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
        dl_log(DL_LOG_WARNING, "DL0724 kafka: %s", rd_kafka_message_errstr(m));
    }
    else if (m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        dl_log(DL_LOG_DEBUG, "DL0725 kafka: %s", rd_kafka_message_errstr(m));
    }
    return false;
}

static void kafka_release(dlc_source *source)
{
    source_kafka *s = (source_kafka *)source;

    for (ssize_t i = 0; i < s->n_taken; i++) {
        rd_kafka_message_destroy(s->taken[i]);
    }
    s->n_taken = 0;
}

static void kafka_show(dlc_source *source, dlc_part *const *parts,
                       const int64_t *next, int n)
{
    source_kafka *s = (source_kafka *)source;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(n);

    for (int i = 0; i < n; i++) {
        rd_kafka_topic_partition_list_add(list, parts[i]->topic,
                                          parts[i]->partition)
            ->offset = next[i];
    }
    /* For displays alone: a failure is told by the next one's success. */
    (void)rd_kafka_commit(s->rk, list, 1);
    rd_kafka_topic_partition_list_destroy(list);
}

static void kafka_close(dlc_source *source)
{
    source_kafka *s = (source_kafka *)source;

    if (s->rk != NULL) {
        (void)rd_kafka_consumer_close(s->rk);
    }
}

static apr_status_t close_queue(void *data)
{
    rd_kafka_queue_destroy(data);
    return APR_SUCCESS;
}

/* Return the name of this member of the group: as configured, else program
 * and host, so that a restart takes its old place at once (rule E14). */
static const char *member_name(const dl_config *cfg, const char *program,
                               apr_pool_t *pool)
{
    char host[256] = "localhost";

    if (*cfg->kafka.group_instance != '\0') {
        return cfg->kafka.group_instance;
    }
    (void)gethostname(host, sizeof host - 1);
    return apr_psprintf(pool, "datalake-%s-%s", program, host);
}

/* Set *CONF to the settings of rule E1 and of measured throughput (README). */
static dl_status conf_create(rd_kafka_conf_t **conf, const dl_config *cfg,
                             const dlc_source_options *options, dl_error *err,
                             apr_pool_t *pool)
{
    const char *program = options->program;
    bool group = options->group;
    int64_t buffer = cfg->kafka.buffer_bytes / options->part;
    int64_t fetch_bytes = cfg->kafka.fetch_bytes / options->part;
    const char *client = apr_psprintf(pool, "datalake-%s", program);
    const char *fetch = apr_psprintf(
        pool, "%" PRId64, fetch_bytes < 1048576 ? 1048576 : fetch_bytes);
    const dlc_kafka_setting settings[] = {
        {"group.id", group ? cfg->kafka.group : client, 0},
        {"enable.auto.commit", "false", 0},
        {"enable.auto.offset.store", "false", 0},
        {"auto.offset.reset", "error", 0},
        {"isolation.level", "read_committed", 0},
        {"check.crcs", "true", 0},
        {"allow.auto.create.topics", "false", 0},
        {"enable.partition.eof", "true", 0},
        /* Bounded by bytes; what a full queue does: dlc_nudge.h. */
        {"queued.min.messages", "10000000", 0},
        {"queued.max.messages.kbytes",
         apr_psprintf(pool, "%" PRId64, buffer / 1024), 0},
        {"fetch.queue.backoff.ms", "5", 1},
        {"fetch.max.bytes", fetch, 0},
        /* Of one partition: the queue fills in small steps, so that the next
         * stage begins early and the memory stays in the cache. */
        {"fetch.message.max.bytes", "524288", 0},
        {"fetch.error.backoff.ms", "100", 0},
        {"partition.assignment.strategy", "range", 0},
        {"session.timeout.ms",
         apr_psprintf(pool, "%" PRId64, cfg->kafka.session_timeout_ms), 0},
        {group ? "group.instance.id" : NULL, member_name(cfg, program, pool),
         0},
        {NULL, NULL, 0}};

    return dlc_kafka_conf_create(conf, cfg, client, settings, err);
}

/* Make the client, its queue and its nudge, in s->client_pool. */
static dl_status open_client(source_kafka *s, dl_error *err)
{
    rd_kafka_conf_t *conf;

    DL_TRY(conf_create(&conf, s->cfg, &s->options, err, s->client_pool));
    rd_kafka_conf_set_opaque(conf, s);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (s->options.group) {
        rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    }
    DL_TRY(
        dlc_kafka_open(&s->rk, RD_KAFKA_CONSUMER, conf, err, s->client_pool));
    (void)rd_kafka_poll_set_consumer(s->rk);
    s->queue = rd_kafka_queue_get_consumer(s->rk);
    apr_pool_cleanup_register(s->client_pool, s->queue, close_queue,
                              apr_pool_cleanup_null);
    return dlc_nudge_create(&s->nudge, s->rk, err, s->client_pool);
}

/* Put a new client in the place of the dead one; it begins with nothing
 * assigned.  DL_UNAVAILABLE: done, ERR tells why the old one died. */
static dl_status replace_client(source_kafka *s, dl_error *err)
{
    kafka_release(&s->base);
    if (s->n_topics > 0) {
        s->base.events->taken(s->base.context, true);
    }
    lay_routes(s, NULL, 0);
    apr_pool_clear(s->client_pool);
    s->rk = NULL;
    s->nudge = NULL;
    s->fatal = false;
    if (open_client(s, err) != DL_OK ||
        (s->n_topics > 0 && join(s, err) != DL_OK)) {
        return DL_INTERNAL;
    }
    *err = s->err;
    return DL_UNAVAILABLE;
}

static dl_status kafka_take(int *n, dlc_source *source, dlc_message *messages,
                            int max, int timeout_ms, dl_error *err)
{
    source_kafka *s = (source_kafka *)source;
    int out = 0;

    if (s->taken_max < max) {
        s->taken = apr_palloc(s->pool, (size_t)max * sizeof *s->taken);
        s->taken_max = max;
    }
    s->n_taken = rd_kafka_consume_batch_queue(s->queue, timeout_ms, s->taken,
                                              (size_t)max);
    s->n_taken = s->n_taken < 0 ? 0 : s->n_taken;
    if (s->n_taken == max) {
        dlc_nudge_busy(s->nudge);
    }
    for (ssize_t i = 0; i < s->n_taken; i++) {
        const rd_kafka_message_t *m = s->taken[i];
        dlc_part *part = part_of(s, m);

        if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
            out += judge_error(&messages[out], s, m, part) ? 1 : 0;
        }
        else if (part != NULL) {
            int64_t time_ms = rd_kafka_message_timestamp(m, NULL);

            messages[out++] = (dlc_message){
                .part = part,
                .offset = m->offset,
                .time_us = time_ms < 0 ? DL_TIME_NONE : time_ms * 1000,
                .payload = m->payload,
                .len = m->len,
                .key = m->key,
                .key_len = m->key_len,
                .native = s->taken[i]};
        }
    }
    *n = s->fatal ? 0 : out;
    return s->fatal ? replace_client(s, err) : DL_OK;
}

static const dlc_source_calls kafka_calls = {.cluster = kafka_cluster,
                                             .partitions = kafka_partitions,
                                             .watermarks = kafka_watermarks,
                                             .end = kafka_end,
                                             .assign = kafka_assign,
                                             .subscribe = kafka_subscribe,
                                             .take = kafka_take,
                                             .release = kafka_release,
                                             .show = kafka_show,
                                             .close = kafka_close};

static dl_status source_kafka_create(dlc_source **source, const dl_config *cfg,
                                     const dlc_source_options *options,
                                     dl_error *err, apr_pool_t *pool)
{
    source_kafka *s = apr_pcalloc(pool, sizeof *s);

    s->base.calls = &kafka_calls;
    s->cfg = cfg;
    s->options = *options;
    s->pool = pool;
    apr_pool_create(&s->routes_pool, pool);
    apr_pool_create(&s->topics_pool, pool);
    apr_pool_create(&s->client_pool, pool);
    DL_TRY(open_client(s, err));
    *source = &s->base;
    return DL_OK;
}

dl_status dlc_source_create(dlc_source **source, const dl_config *cfg,
                            const dlc_source_options *options, dl_error *err,
                            apr_pool_t *pool)
{
    if (strncmp(cfg->kafka.brokers, "file:", 5) == 0) {
        return dlc_source_file_create(source, cfg->kafka.brokers + 5, err,
                                      pool);
    }
    return source_kafka_create(source, cfg, options, err, pool);
}
