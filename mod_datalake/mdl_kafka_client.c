/* mdl_kafka_client.c - Clients of librdkafka and what their errors mean.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_kafka_client.h"

#include <stdatomic.h>

#include "dl_log.h"
#include "dl_time.h"

/* A lost broker is told by every thread of the library again and again: one
 * line in so many microseconds is enough. */
#define LOG_PAUSE_US 10000000

/* Room for a message of librdkafka. */
#define TEXT 512

static void log_line(const rd_kafka_t *rk, int level, const char *facility,
                     const char *text)
{
    static _Atomic int64_t quiet_until;
    int64_t now = dl_time_monotonic_us();
    int64_t until = quiet_until;

    (void)rk;
    if (level > 4 || now < until ||
        !atomic_compare_exchange_strong(&quiet_until, &until,
                                        now + LOG_PAUSE_US)) {
        dl_log(DL_LOG_DEBUG, "DL1293 kafka %s: %s", facility, text);
        return;
    }
    dl_log(DL_LOG_WARNING, "DL1290 kafka %s: %s", facility, text);
}

dl_status mdl_kafka_client(rd_kafka_t **rk, rd_kafka_conf_t *conf,
                           rd_kafka_type_t type, const char *brokers,
                           const mdl_kafka_setting *settings, dl_error *err)
{
    char text[TEXT] = "";
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, "bootstrap.servers",
                                                   brokers, text, sizeof text);

    rd_kafka_conf_set_log_cb(conf, log_line);
    while (result == RD_KAFKA_CONF_OK && settings->name != NULL) {
        result = rd_kafka_conf_set(conf, settings->name, settings->value, text,
                                   sizeof text);
        settings++;
    }
    *rk = NULL;
    if (result == RD_KAFKA_CONF_OK) {
        *rk = rd_kafka_new(type, conf, text, sizeof text);
    }
    if (*rk == NULL) {
        rd_kafka_conf_destroy(conf);
        return dl_fail(err, DL_INVALID, 0, "librdkafka: %s", text);
    }
    return DL_OK;
}

dl_status mdl_kafka_fail(dl_error *err, rd_kafka_resp_err_t code,
                         const char *text)
{
    dl_status status = DL_UNAVAILABLE;

    switch ((int)code) {
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        status = DL_NOT_FOUND;
        break;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
        status = DL_INVALID;
        break;
    default:
        break;
    }
    return dl_fail(err, status, 0, "%s: %s", text, rd_kafka_err2str(code));
}
