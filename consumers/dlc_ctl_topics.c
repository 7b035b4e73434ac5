/* dlc_ctl_topics.c - datalakectl topics: make the topics of the datasets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_config.h"
#include "dl_dataset.h"
#include "dl_time.h"
#include "dlc_ctl.h"
#include "dlc_kafka.h"
#include "dlc_letters_copy.h"

#include <inttypes.h>
#include <time.h>

#include <apr_strings.h>

#define ANSWER_MS   10000
#define MESSAGE_MAX "10485760" /* contract 9 */

/* A topic, and what became of it. */
typedef struct topic_outcome {
    const char *name;       /* of the topic */
    int declared;           /* partitions it is to have */
    int64_t retention_days; /* that it is to keep messages */
    bool made;              /* false: it was there */
    int32_t partitions;     /* that it has now */
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

    while ((status = dlc_kafka_partitions(&out->partitions, rk, out->name,
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
    const char *settings[] = {
        "retention.ms",
        apr_psprintf(pool, "%" PRId64, out->retention_days * 86400000),
        "compression.type",
        "lz4",
        "max.message.bytes",
        MESSAGE_MAX,
        NULL};
    const dlc_kafka_topic topic = {.name = out->name,
                                   .partitions = out->declared,
                                   .replication = (int)replication,
                                   .set = settings};
    dl_status status = dlc_kafka_topic_create(rk, &topic, ANSWER_MS, err);

    out->made = status == DL_OK;
    out->partitions = out->declared;
    return status == DL_CONFLICT ? count_partitions(out, rk, err) : status;
}

static void print_outcome(const topic_outcome *out)
{
    printf("%s: %s, %" PRId32 " partitions\n", out->name,
           out->made ? "made" : "was there", out->partitions);
    if (out->partitions != out->declared) {
        printf("%s: the declaration asks for %d partitions; a topic keeps "
               "those it has\n",
               out->name, out->declared);
    }
}

static void write_outcome(dl_json_writer *w, const topic_outcome *out)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "topic");
    dl_json_write_text(w, out->name);
    dl_json_write_key(w, "made");
    dl_json_write_bool(w, out->made);
    dl_json_write_key(w, "partitions");
    dl_json_write_int(w, out->partitions);
    dl_json_write_key(w, "declared_partitions");
    dl_json_write_int(w, out->declared);
    dl_json_write_object_end(w);
}

/* What is done for all of them. */
typedef struct topics {
    dlc_ctl *ctl;        /* the command */
    dl_json_writer *w;   /* its answer */
    rd_kafka_t *rk;      /* the client */
    int64_t replication; /* copies of each partition */
} topics;

static dl_status make_one(topics *all, topic_outcome *out, dl_error *err)
{
    DL_TRY(make_topic(out, all->rk, all->replication, err, all->ctl->pool));
    write_outcome(all->w, out);
    if (!all->ctl->json) {
        print_outcome(out);
    }
    return DL_OK;
}

/* Make the topic of DS, and the one of its dead letters when LETTERS. */
static dl_status make_dataset(topics *all, const dl_dataset *ds, bool letters,
                              dl_error *err)
{
    topic_outcome own = {.name = ds->topic,
                         .declared = ds->partitions,
                         .retention_days = ds->kafka_retention_days};
    topic_outcome dead = {
        .name =
            apr_pstrcat(all->ctl->pool, DLC_LETTERS_PREFIX, ds->topic, NULL),
        .declared = DLC_LETTERS_PARTITIONS,
        .retention_days = DLC_LETTERS_RETENTION_DAYS};

    if (ds->declared) {
        DL_TRY(make_one(all, &own, err));
    }
    return letters ? make_one(all, &dead, err) : DL_OK;
}

static dl_status make_all(dl_json_writer *w, dlc_ctl *ctl, int64_t replication,
                          dl_error *err)
{
    topics all = {.ctl = ctl, .w = w, .replication = replication};
    const dl_dataset_set *set;
    const dl_config *cfg;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    DL_TRY(open_admin(&all.rk, ctl, err));
    dl_json_write_array_begin(w);
    for (int i = 0; i < set->n; i++) {
        DL_TRY(make_dataset(&all, set->datasets[i],
                            cfg->kafka.dead_letter_topics, err));
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
