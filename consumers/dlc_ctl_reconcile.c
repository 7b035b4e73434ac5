/* dlc_ctl_reconcile.c - datalakectl reconcile: is every message of a topic
 * where it belongs?
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dl_config.h"
#include "dl_dataset.h"
#include "dlc_broker.h"
#include "dlc_ctl.h"
#include "dlc_progress.h"
#include "dlc_reconcile.h"

/* The topic of the dataset or topic NAME. */
static dl_status find_dataset(const dl_dataset **ds, dlc_ctl *ctl,
                              const char *name, dl_error *err)
{
    const dl_dataset_set *set;

    DL_TRY(dlc_ctl_datasets(&set, ctl, err));
    *ds = dl_dataset_find_topic(set, name);
    return *ds != NULL ? DL_OK : dlc_ctl_dataset(ds, ctl, name, err);
}

static dl_status compare(dl_reconcile *result, dlc_ctl *ctl,
                         const dlc_reconcile_ask *what, dl_error *err)
{
    dlc_reconcile_ask ask = *what;
    const dl_config *cfg;
    dlc_broker *client;
    dl_broker broker;

    DL_TRY(dlc_ctl_config(&cfg, ctl, err));
    DL_TRY(dl_lake_open(&ask.lake, cfg->lake.path, err, ctl->pool));
    if (ask.dataset->table != NULL) {
        DL_TRY(dl_wh_connect(&ask.wh, cfg, DL_WH_JOBS, err, ctl->pool));
    }
    DL_TRY(dlc_broker_open(&client, cfg, "datalakectl", err, ctl->pool));
    dlc_broker_questions(&broker, client);
    ask.broker = &broker;
    return dlc_reconcile(result, &ask, err, ctl->pool);
}

/* --- Printing --------------------------------------------------------------- */

static void print_parts(const dl_reconcile *r)
{
    int i;

    printf("%9s %12s %12s %12s %12s\n", "partition", "kafka low", "kafka high",
           "lake next", "warehouse");
    for (i = 0; i < r->n; i++) {
        const dl_reconcile_part *part = &r->parts[i];

        printf("%9d %12" PRId64 " %12" PRId64 " %12" PRId64, i, part->low,
               part->high, part->lake_next);
        if (part->warehouse_next >= 0) {
            printf(" %12" PRId64 "\n", part->warehouse_next);
        }
        else {
            printf(" %12s\n", "-");
        }
    }
}

static void print_sum(const char *name, uint64_t n)
{
    printf("%-18s %12" PRIu64 "\n", name, n);
}

static void print_sums(const dl_reconcile *r)
{
    int i;

    print_sum("in Kafka", r->kafka_records);
    print_sum("in the lake", r->lake_records);
    if (r->ask.has_warehouse) {
        print_sum("in the warehouse", r->warehouse_records);
        print_sum("refused there", r->ask.refused);
    }
    print_sum("dead letters", r->dead_letters);
    print_sum("dropped repeats", r->repeats);
    print_sum("missing", r->missing);
    print_sum("duplicate", r->duplicate);
    print_sum("late", r->late);
    for (i = 0; i < r->n_named; i++) {
        printf("%s: partition %d, offset %" PRId64 "\n",
               r->named[i].missing ? "missing" : "duplicate",
               (int)r->named[i].partition, r->named[i].offset);
    }
    printf("%s%s%s\n",
           dlc_colour(stdout,
                      dl_reconcile_ok(r) ? DLC_COLOUR_GREEN : DLC_COLOUR_RED),
           dl_reconcile_ok(r) ? "ok" : "not ok",
           dlc_colour(stdout, DLC_COLOUR_NONE));
}

static int print_result(const dlc_ctl *ctl, const dl_reconcile *r)
{
    if (ctl->json) {
        dl_json_writer w = dlc_ctl_json(ctl);

        dl_reconcile_write(&w, r);
        (void)dlc_ctl_print_json(ctl, &w);
    }
    else {
        print_parts(r);
        print_sums(r);
    }
    return dl_reconcile_ok(r) ? DLC_CTL_OK : DLC_CTL_FAILED;
}

int dlc_ctl_reconcile(dlc_ctl *ctl, int argc, const char *const *argv)
{
    const char *date = NULL;
    const dlc_option table[] = {{"date", 0, DLC_OPTION_TEXT, &date, 0, 0,
                                 "DATE",
                                 "only what Kafka got on that day, UTC"},
                                {.name = NULL}};
    dlc_reconcile_ask ask = {.date = DL_DAY_NONE};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    dl_reconcile result;
    int status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (status < 0) {
        status = dlc_ctl_want(ctl, &rest, 1, 1);
    }
    if (status >= 0) {
        return status;
    }
    if (date != NULL && !dl_day_parse(&ask.date, date, strlen(date))) {
        return dlc_ctl_usage(ctl, "--date %s: a day is written YYYY-MM-DD",
                             date);
    }
    if (find_dataset(&ask.dataset, ctl, rest.text[0], &err) != DL_OK ||
        compare(&result, ctl, &ask, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return print_result(ctl, &result);
}
