/* mdl_kafka_ask.c - Questions to the broker (dl_broker.h).
 *
 * Records are read by a client of its own for each question: it is seldom
 * asked, and nothing is left behind.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_kafka_client.h"

/* Longest wait of a question. */
#define QUESTION_MS 2000

static const mdl_kafka_setting reader_settings[] = {
    {"client.id", "datalake-httpd-reader"},
    {"group.id", "datalake-httpd-reader"},
    {"enable.auto.commit", "false"},
    {"enable.partition.eof", "true"},
    {"isolation.level", "read_committed"},
    {"allow.auto.create.topics", "false"},
    {"auto.offset.reset", "error"},
    {"fetch.wait.max.ms", "10"},
    {"reconnect.backoff.max.ms", "500"},
    {"log.connection.close", "false"},
    {NULL, NULL}};

static dl_status ask_partitions(int32_t *n, void *context, const char *topic,
                                dl_error *err)
{
    mdl_kafka *kafka = context;
    const struct rd_kafka_metadata *answer = NULL;
    rd_kafka_topic_t *handle;
    rd_kafka_resp_err_t code;

    *n = 0;
    DL_TRY(mdl_kafka_check(kafka, err));
    pthread_rwlock_rdlock(&kafka->life);
    handle = rd_kafka_topic_new(kafka->rk, topic, NULL);
    code = handle == NULL
               ? rd_kafka_last_error()
               : rd_kafka_metadata(kafka->rk, 0, handle, &answer, QUESTION_MS);
    if (handle != NULL) {
        rd_kafka_topic_destroy(handle);
    }
    pthread_rwlock_unlock(&kafka->life);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && answer != NULL) {
        code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        if (answer->topic_cnt == 1) {
            code = answer->topics[0].err;
            *n = answer->topics[0].partition_cnt;
        }
        rd_kafka_metadata_destroy(answer);
    }
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? DL_OK
               : mdl_kafka_fail(err, code, topic);
}

static dl_status ask_marks(int64_t *low, int64_t *high, void *context,
                           const char *topic, int32_t partition, dl_error *err)
{
    mdl_kafka *kafka = context;
    rd_kafka_resp_err_t code;

    DL_TRY(mdl_kafka_check(kafka, err));
    pthread_rwlock_rdlock(&kafka->life);
    code = rd_kafka_query_watermark_offsets(kafka->rk, topic, partition, low,
                                            high, QUESTION_MS);
    pthread_rwlock_unlock(&kafka->life);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR
               ? DL_OK
               : mdl_kafka_fail(err, code, topic);
}

static dl_status ask_at(int64_t *offset, void *context,
                        const dl_broker_time *time, dl_error *err)
{
    mdl_kafka *kafka = context;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t code;
    int64_t low;

    DL_TRY(mdl_kafka_check(kafka, err));
    list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, time->topic, time->partition)
        ->offset = time->time / 1000;
    pthread_rwlock_rdlock(&kafka->life);
    code = rd_kafka_offsets_for_times(kafka->rk, list, QUESTION_MS);
    pthread_rwlock_unlock(&kafka->life);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        code = list->elems[0].err;
    }
    *offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return mdl_kafka_fail(err, code, time->topic);
    }
    return *offset >= 0 ? DL_OK
                        : ask_marks(&low, offset, context, time->topic,
                                    time->partition, err);
}

/* Walk over SPAN by HANDLE, which has been started at its first offset. */
static dl_status walk(rd_kafka_topic_t *handle, const dl_broker_span *span,
                      dl_broker_each *each, void *each_context, dl_error *err)
{
    for (;;) {
        rd_kafka_message_t *message =
            rd_kafka_consume(handle, span->partition, QUESTION_MS);
        rd_kafka_resp_err_t code =
            message == NULL ? RD_KAFKA_RESP_ERR__TIMED_OUT : message->err;
        int64_t offset = message == NULL ? 0 : message->offset;

        if (message != NULL) {
            rd_kafka_message_destroy(message);
        }
        if (code == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
            (code == RD_KAFKA_RESP_ERR_NO_ERROR && offset >= span->end)) {
            return DL_OK;
        }
        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            return mdl_kafka_fail(err, code, span->topic);
        }
        DL_TRY(each(each_context, offset, err));
    }
}

/* Read SPAN with the client RK. */
static dl_status read_span(rd_kafka_t *rk, const dl_broker_span *span,
                           dl_broker_each *each, void *each_context,
                           dl_error *err)
{
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, span->topic, NULL);
    dl_status status;

    if (handle == NULL ||
        rd_kafka_consume_start(handle, span->partition, span->first) != 0) {
        status = mdl_kafka_fail(err, rd_kafka_last_error(), span->topic);
    }
    else {
        status = walk(handle, span, each, each_context, err);
        rd_kafka_consume_stop(handle, span->partition);
    }
    if (handle != NULL) {
        rd_kafka_topic_destroy(handle);
    }
    return status;
}

static dl_status ask_records(void *context, const dl_broker_span *span,
                             dl_broker_each *each, void *each_context,
                             dl_error *err)
{
    mdl_kafka *kafka = context;
    dl_broker_span there = *span;
    rd_kafka_t *rk;
    dl_status status;
    int64_t low;
    int64_t high;

    DL_TRY(ask_marks(&low, &high, context, span->topic, span->partition, err));
    there.first = span->first < low ? low : span->first;
    there.end = span->end > high ? high : span->end;
    if (there.first >= there.end) {
        return DL_OK;
    }
    DL_TRY(mdl_kafka_client(&rk, rd_kafka_conf_new(), RD_KAFKA_CONSUMER,
                            kafka->brokers, reader_settings, err));
    status = read_span(rk, &there, each, each_context, err);
    rd_kafka_destroy(rk);
    return status;
}

void mdl_kafka_broker(dl_broker *broker, mdl_kafka *kafka)
{
    *broker = (dl_broker){.context = kafka,
                          .partitions = ask_partitions,
                          .marks = ask_marks,
                          .at = ask_at,
                          .records = ask_records};
}
