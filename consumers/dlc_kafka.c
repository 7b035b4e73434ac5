/* dlc_kafka.c - Clients, errors and questions of librdkafka.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_kafka.h"

#include "dl_log.h"
#include "dl_time.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

/* A lost broker is told by every thread of the library again and again: one
 * line in so many microseconds is enough. */
#define LOG_PAUSE_US 10000000

/* Room for a message of librdkafka. */
#define TEXT 512

/* Pass a line of librdkafka on; called by its threads. */
static void log_line(const rd_kafka_t *rk, int level, const char *facility,
                     const char *text)
{
    static _Atomic int64_t quiet_until;
    int64_t now = dl_time_monotonic_us();
    int64_t until = atomic_load(&quiet_until);

    (void)rk;
    if (level > 4 || now < until ||
        !atomic_compare_exchange_strong(&quiet_until, &until,
                                        now + LOG_PAUSE_US)) {
        dl_log(DL_LOG_DEBUG, "DL0721 kafka %s: %s", facility, text);
        return;
    }
    dl_log(DL_LOG_WARNING, "DL0720 kafka %s: %s", facility, text);
}

dl_status dlc_kafka_conf_create(rd_kafka_conf_t **conf, const dl_config *cfg,
                                const char *client,
                                const dlc_kafka_setting *settings,
                                dl_error *err)
{
    const dlc_kafka_setting common[] = {
        {"bootstrap.servers", cfg->kafka.brokers, 0},
        {"client.id", client, 0},
        {"socket.keepalive.enable", "true", 0},
        {"reconnect.backoff.ms", "100", 0},
        {"reconnect.backoff.max.ms", "2000", 0},
        {"log.connection.close", "false", 0},
        {NULL, NULL, 0}};
    const dlc_kafka_setting *tables[] = {common, settings};
    rd_kafka_conf_t *made = rd_kafka_conf_new();
    char text[TEXT];

    rd_kafka_conf_set_log_cb(made, log_line);
    for (int t = 0; t < 2; t++) {
        for (const dlc_kafka_setting *row = tables[t]; row->name != NULL;
             row++) {
            rd_kafka_conf_res_t result = rd_kafka_conf_set(
                made, row->name, row->value, text, sizeof text);

            if (result == RD_KAFKA_CONF_OK ||
                (result == RD_KAFKA_CONF_UNKNOWN && row->optional != 0)) {
                continue;
            }
            rd_kafka_conf_destroy(made);
            return dl_fail(err, DL_INVALID, 0, "librdkafka refuses %s = %s: %s",
                           row->name, row->value, text);
        }
    }
    *conf = made;
    return DL_OK;
}

static apr_status_t close_client(void *data)
{
    rd_kafka_destroy(data);
    return APR_SUCCESS;
}

dl_status dlc_kafka_open(rd_kafka_t **rk, rd_kafka_type_t type,
                         rd_kafka_conf_t *conf, dl_error *err, apr_pool_t *pool)
{
    char text[TEXT];

    *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (*rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return dl_fail(err, DL_INVALID, 0, "librdkafka: %s", text);
    }
    apr_pool_cleanup_register(pool, *rk, close_client, apr_pool_cleanup_null);
    return DL_OK;
}

/* What CODE means to us. */
static dl_status status_of(rd_kafka_resp_err_t code)
{
    switch ((int)code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return DL_OK;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return DL_NOT_FOUND;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__FENCED:
        return DL_CONFLICT;
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
        return DL_INVALID;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR__STATE:
        return DL_INTERNAL;
    default:
        /* Brokers come back, leaders are elected, rights are granted. */
        return DL_UNAVAILABLE;
    }
}

dl_status dlc_kafka_fail(dl_error *err, rd_kafka_resp_err_t code,
                         const char *format, ...)
{
    char text[DL_ERROR_TEXT];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return dl_fail(err, status_of(code), 0, "%s: %s", text,
                   rd_kafka_err2str(code));
}

dl_status dlc_kafka_cluster(const char **id, rd_kafka_t *rk, int timeout_ms,
                            dl_error *err, apr_pool_t *pool)
{
    const struct rd_kafka_metadata *answer;
    char *text = NULL;

    /* The id comes with metadata, but waiting for the id does not ask for
     * them: the first answer would take a second. */
    if (rd_kafka_metadata(rk, 0, NULL, &answer, timeout_ms) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        rd_kafka_metadata_destroy(answer);
        text = rd_kafka_clusterid(rk, timeout_ms);
    }
    if (text == NULL) {
        return dl_fail(err, DL_UNAVAILABLE, 0,
                       "no Kafka broker has told its cluster id");
    }
    *id = apr_pstrdup(pool, text);
    rd_kafka_mem_free(rk, text);
    return DL_OK;
}

dl_status dlc_kafka_partitions(int32_t *count, rd_kafka_t *rk,
                               const char *topic, int timeout_ms, dl_error *err)
{
    const struct rd_kafka_metadata *answer;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
    rd_kafka_resp_err_t code;

    if (handle == NULL) {
        return dlc_kafka_fail(err, rd_kafka_last_error(), "topic %s", topic);
    }
    code = rd_kafka_metadata(rk, 0, handle, &answer, timeout_ms);
    rd_kafka_topic_destroy(handle);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, code, "metadata of topic %s", topic);
    }
    code = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    *count = 0;
    if (answer->topic_cnt == 1) {
        code = answer->topics[0].err;
        *count = answer->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(answer);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, code, "topic %s", topic);
    }
    return DL_OK;
}

/* Send the request for NEW_TOPIC; fill ERR from its answer. */
static dl_status create_and_wait(rd_kafka_t *rk, rd_kafka_NewTopic_t *new_topic,
                                 const char *name, int timeout_ms,
                                 dl_error *err)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    rd_kafka_event_t *event;
    char text[TEXT];

    (void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text,
                                                    sizeof text);
    (void)rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, text,
                                                      sizeof text);
    rd_kafka_CreateTopics(rk, &new_topic, 1, options, queue);
    event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    if (event != NULL) {
        code = rd_kafka_event_error(event);
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
            size_t n = 0;
            const rd_kafka_topic_result_t **results =
                rd_kafka_CreateTopics_result_topics(
                    rd_kafka_event_CreateTopics_result(event), &n);

            code = n == 1 ? rd_kafka_topic_result_error(results[0])
                          : RD_KAFKA_RESP_ERR__FAIL;
        }
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, code, "cannot make topic %s", name);
    }
    return DL_OK;
}

dl_status dlc_kafka_topic_create(rd_kafka_t *rk, const dlc_kafka_topic *topic,
                                 int timeout_ms, dl_error *err)
{
    char text[TEXT];
    dl_status status;
    rd_kafka_NewTopic_t *made = rd_kafka_NewTopic_new(
        topic->name, topic->partitions, topic->replication, text, sizeof text);

    if (made == NULL) {
        return dl_fail(err, DL_INVALID, 0, "topic %s: %s", topic->name, text);
    }
    for (const char *const *set = topic->set; set != NULL && *set != NULL;
         set += 2) {
        rd_kafka_resp_err_t code =
            rd_kafka_NewTopic_set_config(made, set[0], set[1]);

        if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rd_kafka_NewTopic_destroy(made);
            return dlc_kafka_fail(err, code, "topic %s: %s", topic->name,
                                  set[0]);
        }
    }
    status = create_and_wait(rk, made, topic->name, timeout_ms, err);
    rd_kafka_NewTopic_destroy(made);
    return status;
}

/* Set *BYTES to max.message.bytes of RESOURCE; false: it has none. */
static bool find_most(int64_t *bytes, const rd_kafka_ConfigResource_t *resource)
{
    size_t n = 0;
    const rd_kafka_ConfigEntry_t **entries =
        rd_kafka_ConfigResource_configs(resource, &n);

    for (size_t i = 0; i < n; i++) {
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);

        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]),
                   "max.message.bytes") == 0 &&
            value != NULL) {
            *bytes = strtoll(value, NULL, 10);
            return true;
        }
    }
    return false;
}

/* Set *BYTES from the answer EVENT; NULL: there is none. */
static rd_kafka_resp_err_t read_most(int64_t *bytes, rd_kafka_event_t *event)
{
    const rd_kafka_ConfigResource_t **resources;
    rd_kafka_resp_err_t code;
    size_t n = 0;

    if (event == NULL) {
        return RD_KAFKA_RESP_ERR__TIMED_OUT;
    }
    code = rd_kafka_event_error(event);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return code;
    }
    resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &n);
    if (n != 1) {
        return RD_KAFKA_RESP_ERR__FAIL;
    }
    code = rd_kafka_ConfigResource_error(resources[0]);
    return code == RD_KAFKA_RESP_ERR_NO_ERROR && !find_most(bytes, resources[0])
               ? RD_KAFKA_RESP_ERR__FAIL
               : code;
}

dl_status dlc_kafka_topic_most(int64_t *bytes, rd_kafka_t *rk,
                               const char *topic, int timeout_ms, dl_error *err)
{
    rd_kafka_ConfigResource_t *asked =
        rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_event_t *event;
    rd_kafka_resp_err_t code;
    char text[TEXT];

    (void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, text,
                                                    sizeof text);
    rd_kafka_DescribeConfigs(rk, &asked, 1, options, queue);
    event = rd_kafka_queue_poll(queue, timeout_ms);
    code = read_most(bytes, event);
    if (event != NULL) {
        rd_kafka_event_destroy(event);
    }
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(asked);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return dlc_kafka_fail(err, code, "max.message.bytes of topic %s",
                              topic);
    }
    return DL_OK;
}
