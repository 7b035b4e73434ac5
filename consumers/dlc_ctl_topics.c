/* dlc_ctl_topics.c - datalakectl topics: make the topics of the datasets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_time.h"
#include "dlc_ctl.h"
#include "dlc_kafka.h"

#include <inttypes.h>
#include <time.h>

#include <apr_strings.h>

#define ANSWER_MS   10000
#define MESSAGE_MAX "10485760" /* contract 9 */

/* What became of one topic. */
typedef struct topic_outcome {
    const dl_dataset *dataset; /* whose topic it is */
    bool made;                 /* false: it was there */
    int32_t partitions;        /* that it has now */
} topic_outcome;

static dl_status open_admin(rd_kafka_t **rk, dlc_ctl *ctl, dl_error *err)
{
    static const dlc_kafka_setting settings[] = {
        {"socket.timeout.ms", "10000", 0}, {NULL, NULL, 0}};
    const dl_config *cfg;
    rd_kafka_conf_t *conf;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(dlc_kafka_conf_create(&conf, cfg, "datalakectl", settings, err));
    return dlc_kafka_open(rk, RD_KAFKA_PRODUCER, conf, err, ctl->pool);
}

/* Ask how many partitions the topic of OUT has.  One that was made a moment ago
 * is there for who wants to make it before it is for who asks. */
static dl_status count_partitions(topic_outcome *out, rd_kafka_t *rk,
                                  dl_error *err)
{
    const struct timespec pause = {0, 100000000};
    int64_t until = dl_time_monotonic_us() + ANSWER_MS * INT64_C(1000);
    dl_status status;

    while ((status =
                dlc_kafka_partitions(&out->partitions, rk, out->dataset->topic,
                                     ANSWER_MS, err)) == DL_NOT_FOUND &&
           dl_time_monotonic_us() < until) {
        (void)nanosleep(&pause, NULL);
    }
    return status;
}

static dl_status make_topic(topic_outcome *out, rd_kafka_t *rk,
                            int64_t replication, dl_error *err,
                            apr_pool_t *pool)
{
    const dl_dataset *ds = out->dataset;
    const char *settings[] = {
        "retention.ms",
        apr_psprintf(pool, "%" PRId64,
                     (int64_t)ds->kafka_retention_days * 86400000),
        "compression.type",
        "lz4",
        "max.message.bytes",
        MESSAGE_MAX,
        NULL};
    const dlc_kafka_topic topic = {.name = ds->topic,
                                   .partitions = ds->partitions,
                                   .replication = (int)replication,
                                   .set = settings};
    dl_status status = dlc_kafka_topic_create(rk, &topic, ANSWER_MS, err);

    out->made = status == DL_OK;
    out->partitions = ds->partitions;
    return status == DL_CONFLICT ? count_partitions(out, rk, err) : status;
}

static void print_outcome(const topic_outcome *out)
{
    printf("%s: %s, %" PRId32 " partitions\n", out->dataset->topic,
           out->made ? "made" : "was there", out->partitions);
    if (out->partitions != out->dataset->partitions) {
        printf("%s: the declaration asks for %d partitions; a topic keeps "
               "those it has\n",
               out->dataset->topic, out->dataset->partitions);
    }
}

static void write_outcome(dl_json_writer *w, const topic_outcome *out)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, out->dataset->topic);
    dl_json_write_key(w, "made");
    dl_json_write_bool(w, out->made);
    dl_json_write_key(w, "partitions");
    dl_json_write_int(w, out->partitions);
    dl_json_write_key(w, "declared_partitions");
    dl_json_write_int(w, out->dataset->partitions);
    dl_json_write_object_end(w);
}

static dl_status make_all(dl_json_writer *w, dlc_ctl *ctl, int64_t replication,
                          dl_error *err)
{
    const dl_dataset_set *set;
    rd_kafka_t *rk;

    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    DL_TRY(open_admin(&rk, ctl, err));
    dl_json_write_array_begin(w);
    for (int i = 0; i < set->n; i++) {
        topic_outcome out = {.dataset = set->datasets[i]};

        if (!out.dataset->declared) {
            continue;
        }
        DL_TRY(make_topic(&out, rk, replication, err, ctl->pool));
        write_outcome(w, &out);
        if (!ctl->json) {
            print_outcome(&out);
        }
    }
    dl_json_write_array_end(w);
    return DL_OK;
}

int dlc_ctl_topics(dlc_ctl *ctl, int argc, const char *const *argv)
{
    int64_t replication = -1;
    const dlc_option table[] = {
        {"replication", 0, DLC_OPTION_INT, &replication, 1, 32767, "N",
         "copies of each partition (as the broker is set)"},
        {.name = NULL}};
    dlc_positionals rest;
    dl_error err = {0};
    dl_json_writer w = dlc_ctl_json(ctl);
    int exit_status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (exit_status < 0) {
        exit_status = dlc_ctl_want(ctl, &rest, 0, 0);
    }
    if (exit_status >= 0) {
        return exit_status;
    }
    if (make_all(&w, ctl, replication, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return ctl->json ? dlc_ctl_print_json(ctl, &w) : DLC_CTL_OK;
}
