/* dlc_collect_limit.c - The stand-in of a record that is too long.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_limit.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_log.h"
#include "dl_utf8.h"
#include "dlc_kafka.h"

/* What a topic of ours takes: see datalakectl topics. */
#define OURS (10 << 20)

/* How long the broker is asked. */
#define ASK_MS 5000

/* What a record has beside key and value, in a batch of its own: the batch's
 * head, lengths and headers; with place and reason. */
#define BESIDE        256
#define BESIDE_BROKEN 1024

/* So much of a row is in its stand-in. */
#define BEGINNING ((size_t)1000)

struct dlc_collect_limit {
    const char *topic;           /* whose */
    size_t bytes;                /* what it takes */
    char fault[120];             /* why it does not */
    char value[200 + BEGINNING]; /* a stand-in */
};

dl_status dlc_collect_limit_ask(dlc_collect_limit **limit, const dl_config *cfg,
                                const char *topic, dl_error *err,
                                apr_pool_t *pool)
{
    static const dlc_kafka_setting settings[] = {{NULL, NULL, 0}};
    dlc_collect_limit *l = apr_pcalloc(pool, sizeof *l);
    apr_pool_t *asking;
    rd_kafka_conf_t *conf;
    rd_kafka_t *rk;
    int64_t bytes = OURS;
    dl_error why = {0};
    dl_status status;

    l->topic = apr_pstrdup(pool, topic);
    l->bytes = OURS;
    DL_TRY(
        dlc_kafka_conf_create(&conf, cfg, "datalake-collect", settings, err));
    apr_pool_create(&asking, pool);
    status = dlc_kafka_open(&rk, RD_KAFKA_PRODUCER, conf, err, asking);
    if (status == DL_OK) {
        if (dlc_kafka_topic_most(&bytes, rk, topic, ASK_MS, &why) == DL_OK) {
            l->bytes = (size_t)bytes;
        }
        else {
            dl_log(DL_LOG_INFO,
                   "DL0921 topic %s: what it takes at most is not known, 10 "
                   "MiB is believed: %s",
                   topic, why.text);
        }
    }
    apr_pool_destroy(asking);
    *limit = l;
    return status;
}

int dlc_collect_limit_bytes(const dlc_collect_limit *limit)
{
    return limit->bytes > OURS ? OURS : (int)limit->bytes;
}

/* Return how many of the LEN bytes at TEXT are whole characters within MOST. */
static size_t whole_characters(const char *text, size_t len, size_t most)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t n = 0;

    while (n < len && n < most) {
        size_t width = dl_utf8_check(at + n, len - n);

        if (width == 0 || n + width > most) {
            break;
        }
        n += width;
    }
    return n;
}

void dlc_collect_limit_apply(dlc_collect_record *record,
                             dlc_collect_limit *limit,
                             const dlc_collect_row *row)
{
    size_t beside = record->fault == NULL ? BESIDE : BESIDE_BROKEN;
    size_t len;

    if (record->key_len + record->len + beside <= limit->bytes) {
        return;
    }
    (void)snprintf(limit->fault, sizeof limit->fault,
                   "%zu bytes are more than max.message.bytes (%zu) of the "
                   "topic allows",
                   record->len, limit->bytes);
    len = (size_t)snprintf(limit->value, 200,
                           "datalake-collect: a row of %zu bytes, which topic "
                           "%.100s does not take; it begins with: ",
                           row->raw_len, limit->topic);
    record->len = whole_characters(row->raw, row->raw_len,
                                   limit->bytes < 8 * BEGINNING ? BEGINNING / 8
                                                                : BEGINNING);
    memcpy(limit->value + len, row->raw, record->len);
    record->len += len;
    record->value = limit->value;
    record->fault = limit->fault;
}
