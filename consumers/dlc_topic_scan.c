/* dlc_topic_scan.c - A consumer without a group, for as long as one look.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_topic_scan.h"

#include <librdkafka/rdkafka.h>

#include "dlc_kafka.h"

/* Longest wait for an answer of the broker, and for the next message. */
#define ANSWER_MS 10000

static const dlc_kafka_setting settings[] = {
    {"group.id", "datalake-scan", 0},
    {"enable.auto.commit", "false", 0},
    {"enable.auto.offset.store", "false", 0},
    {"enable.partition.eof", "true", 0},
    {"isolation.level", "read_committed", 0},
    {"allow.auto.create.topics", "false", 1},
    {"auto.offset.reset", "error", 0},
    {"fetch.wait.max.ms", "10", 0},
    {NULL, NULL, 0}};

/* One partition. */
typedef struct span {
    rd_kafka_topic_t *handle; /* of the topic */
    const char *topic;        /* its name */
    int32_t partition;        /* which */
    int64_t first;            /* where to begin */
    int64_t end;              /* where to end */
} span;

const char *dlc_topic_header(size_t *len, const dlc_topic_message *message,
                             const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;

    *len = 0;
    if (rd_kafka_message_headers(message->native, &headers) !=
            RD_KAFKA_RESP_ERR_NO_ERROR ||
        rd_kafka_header_get_last(headers, name, &value, len) !=
            RD_KAFKA_RESP_ERR_NO_ERROR) {
        return NULL;
    }
    return value;
}

/* --- One partition -------------------------------------------------------- */

/* Set the first offset of S whose message is of TIME or later. */
static dl_status find_first(span *s, rd_kafka_t *rk, dl_time time,
                            dl_error *err)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;

    rd_kafka_topic_partition_list_add(list, s->topic, s->partition)->offset =
        time / 1000;
    code = rd_kafka_offsets_for_times(rk, list, ANSWER_MS);
    s->first = list->elems[0].offset;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = list->elems[0].err;
    }
    rd_kafka_topic_partition_list_destroy(list);
    if (s->first < 0) {
        s->first = s->end; /* none is that late */
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? DL_OK
               : dlc_kafka_fail(err, code, "topic %s", s->topic);
}

/* Set the bounds of S within RANGE. */
static dl_status find_bounds(span *s, rd_kafka_t *rk,
                             const dlc_topic_range *range, dl_error *err)
{
    rd_kafka_resp_err_t code;
    int64_t low;

    code = rd_kafka_query_watermark_offsets(rk, s->topic, s->partition, &low,
                                            &s->end, ANSWER_MS);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, code, "topic %s", s->topic);
    }
    if (range->first == NULL || s->partition >= range->n_first) {
        return find_first(s, rk, range->from, err);
    }
    s->first = range->first[s->partition];
    s->first = s->first < low ? low : s->first;
    return DL_OK;
}

/* Take MESSAGE of S; *MORE: there may be another one to take. */
static dl_status take(bool *more, const span *s,
                      const rd_kafka_message_t *message, dlc_topic_each *each,
                      void *context, dl_error *err)
{
    dlc_topic_message m = {.partition = s->partition, .native = message};

    *more = false;
    if (message == NULL) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "the broker sends nothing of topic %s", s->topic);
    }
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        return DL_OK;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, message->err, "topic %s", s->topic);
    }
    m.offset = message->offset;
    *more = m.offset + 1 < s->end;
    return m.offset < s->end ? each(context, &m, err) : DL_OK;
}

static dl_status read_span(const span *s, dlc_topic_each *each, void *context,
                           dl_error *err)
{
    dl_status status = DL_OK;
    bool more = s->first < s->end;

    if (!more) {
        return DL_OK;
    }
    if (rd_kafka_consume_start(s->handle, s->partition, s->first) != 0) {
        return dlc_kafka_fail(err, rd_kafka_last_error(), "topic %s", s->topic);
    }
    while (more && status == DL_OK) {
        rd_kafka_message_t *message =
            rd_kafka_consume(s->handle, s->partition, ANSWER_MS);

        status = take(&more, s, message, each, context, err);
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    rd_kafka_consume_stop(s->handle, s->partition);
    return status;
}

/* --- All ------------------------------------------------------------------ */

static apr_status_t drop_handle(void *data)
{
    rd_kafka_topic_destroy(data);
    return APR_SUCCESS;
}

dl_status dlc_topic_scan(const dl_config *cfg, const dlc_topic_range *range,
                         dlc_topic_each *each, void *context, dl_error *err,
                         apr_pool_t *scratch_pool)
{
    span s = {.topic = range->topic};
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    int32_t n;

    DL_TRY(dlc_kafka_conf_create(&conf, cfg, "datalake-scan", settings, err));
    DL_TRY(dlc_kafka_open(&rk, RD_KAFKA_CONSUMER, conf, err, scratch_pool));
    DL_TRY(dlc_kafka_partitions(&n, rk, range->topic, ANSWER_MS, err));
    s.handle = rd_kafka_topic_new(rk, range->topic, NULL);
    if (s.handle == NULL) {
        return dlc_kafka_fail(err, rd_kafka_last_error(), "topic %s",
                              range->topic);
    }
    apr_pool_cleanup_register(scratch_pool, s.handle, drop_handle,
                              apr_pool_cleanup_null);
    for (s.partition = 0; s.partition < n; s.partition++) {
        DL_TRY(find_bounds(&s, rk, range, err));
        DL_TRY(read_span(&s, each, context, err));
    }
    return DL_OK;
}
