/* dlc_broker.c - A consumer that is asked.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_broker.h"

#include <string.h>

#include "dlc_kafka.h"

/* Longest wait for one answer, or for the next record. */
#define ANSWER_MS 10000

struct dlc_broker {
    rd_kafka_t *rk; /* the client */
};

dl_status dlc_broker_open(dlc_broker **broker, const dl_config *cfg,
                          const char *client, dl_error *err, apr_pool_t *pool)
{
    static const dlc_kafka_setting settings[] = {
        {"group.id", "datalake-ask", 0},
        {"enable.auto.commit", "false", 0},
        {"enable.partition.eof", "true", 0},
        {"isolation.level", "read_committed", 0},
        {"auto.offset.reset", "error", 0},
        {"allow.auto.create.topics", "false", 1},
        {"fetch.wait.max.ms", "10", 0},
        {"socket.timeout.ms", "10000", 0},
        {NULL, NULL, 0}};
    rd_kafka_conf_t *conf;

    if (strncmp(cfg->kafka.brokers, "file:", 5) == 0) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "[kafka] brokers are files");
    }
    *broker = apr_pcalloc(pool, sizeof **broker);
    DL_TRY(dlc_kafka_conf_create(&conf, cfg, client, settings, err));
    return dlc_kafka_open(&(*broker)->rk, RD_KAFKA_CONSUMER, conf, err, pool);
}

/* --- Offsets ---------------------------------------------------------------- */

static dl_status ask_partitions(int32_t *n, void *context, const char *topic,
                                dl_error *err)
{
    const dlc_broker *broker = context;

    return dlc_kafka_partitions(n, broker->rk, topic, ANSWER_MS, err);
}

static dl_status ask_marks(int64_t *low, int64_t *high, void *context,
                           const char *topic, int32_t partition, dl_error *err)
{
    const dlc_broker *broker = context;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
        broker->rk, topic, partition, low, high, ANSWER_MS);

    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? DL_OK
               : dlc_kafka_fail(err, code, "offsets of %s/%d", topic,
                                (int)partition);
}

static dl_status ask_at(int64_t *offset, void *context,
                        const dl_broker_time *time, dl_error *err)
{
    const dlc_broker *broker = context;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t code;
    int64_t low;

    rd_kafka_topic_partition_list_add(list, time->topic, time->partition)
        ->offset = time->time / 1000;
    code = rd_kafka_offsets_for_times(broker->rk, list, ANSWER_MS);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = list->elems[0].err;
    }
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, code, "times of %s/%d", time->topic,
                              (int)time->partition);
    }
    return *offset >= 0 ? DL_OK
                        : ask_marks(&low, offset, context, time->topic,
                                    time->partition, err);
}

/* --- Records ---------------------------------------------------------------- */

/* Walk over SPAN by HANDLE, which has been started at its first offset. */
static dl_status walk(rd_kafka_topic_t *handle, const dl_broker_span *span,
                      dlc_broker_record *record, void *context, dl_error *err)
{
    dl_status status = DL_OK;
    bool ended = false;

    while (status == DL_OK && !ended) {
        rd_kafka_message_t *message =
            rd_kafka_consume(handle, span->partition, ANSWER_MS);
        rd_kafka_resp_err_t code =
            message == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : message->err;

        ended = code == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
                (code == RD_KAFKA_RESP_ERR_NO_ERROR &&
                 message->offset >= span->end);
        if (!ended) {
            status = code == RD_KAFKA_RESP_ERR_NO_ERROR
                         ? record(context, message, err)
                         : dlc_kafka_fail(err, code, "records of %s/%d",
                                          span->topic, (int)span->partition);
            ended = message != NULL && message->offset + 1 >= span->end;
        }
        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
    }
    return status;
}

dl_status dlc_broker_read(dlc_broker *broker, const dl_broker_span *span,
                          dlc_broker_record *record, void *context,
                          dl_error *err)
{
    dl_broker_span there = *span;
    rd_kafka_topic_t *handle;
    dl_status status;
    int64_t high;
    int64_t low;

    DL_TRY(ask_marks(&low, &high, broker, span->topic, span->partition, err));
    there.first = span->first < low ? low : span->first;
    there.end = span->end > high ? high : span->end;
    if (there.first >= there.end) {
        return DL_OK;
    }
    handle = rd_kafka_topic_new(broker->rk, span->topic, NULL);
    if (handle == NULL ||
        rd_kafka_consume_start(handle, there.partition, there.first) != 0) {
        status = dlc_kafka_fail(err, rd_kafka_last_error(), "records of %s/%d",
                                there.topic, (int)there.partition);
    }
    else {
        status = walk(handle, &there, record, context, err);
        rd_kafka_consume_stop(handle, there.partition);
    }
    if (handle != NULL) {
        rd_kafka_topic_destroy(handle);
    }
    return status;
}

/* Who wants offsets alone. */
typedef struct offsets {
    dl_broker_each *each; /* takes them */
    void *context;        /* of EACH */
} offsets;

static dl_status pass_offset(void *context, const rd_kafka_message_t *message,
                             dl_error *err)
{
    const offsets *o = context;

    return o->each(o->context, message->offset, err);
}

static dl_status ask_records(void *context, const dl_broker_span *span,
                             dl_broker_each *each, void *each_context,
                             dl_error *err)
{
    offsets o = {each, each_context};

    return dlc_broker_read(context, span, pass_offset, &o, err);
}

void dlc_broker_questions(dl_broker *questions, dlc_broker *broker)
{
    *questions = (dl_broker){.context = broker,
                             .partitions = ask_partitions,
                             .marks = ask_marks,
                             .at = ask_at,
                             .records = ask_records};
}
