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
#include "dlc_deep.h"
#include "dlc_deep_rows.h"
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

/* What is compared, and what came of it. */
typedef struct comparison {
    dlc_reconcile_ask ask; /* which topic, which day */
    bool is_deep;          /* with every record */
    dl_reconcile result;   /* by offsets */
    dlc_deep deep;         /* by records */
    dlc_deep_rows rows;    /* by rows, when there is a table */
} comparison;

/* Compare rows and records, too. */
static dl_status compare_records(comparison *c, const dlc_reconcile_ask *ask,
                                 dlc_broker *client, dl_error *err,
                                 apr_pool_t *pool)
{
    const dlc_deep_table table = {ask->dataset, ask->lake, ask->wh};
    dl_lake_snapshot *snap;
    dl_status status;

    if (ask->dataset->table != NULL) {
        DL_TRY(dlc_deep_rows_compare(&c->rows, &table, err, pool));
    }
    status =
        dl_lake_snapshot_open(&snap, ask->lake, ask->dataset->name, err, pool);
    if (status == DL_NOT_FOUND) {
        return DL_OK; /* the lake has nothing yet */
    }
    DL_TRY(status);
    return dlc_deep_compare(&c->deep, snap, &c->result, client, err, pool);
}

static dl_status compare(comparison *c, dlc_ctl *ctl, dl_error *err)
{
    dlc_reconcile_ask ask = c->ask;
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
    DL_TRY(dlc_reconcile(&c->result, &ask, err, ctl->pool));
    return c->is_deep ? compare_records(c, &ask, client, err, ctl->pool)
                      : DL_OK;
}

static bool is_ok(const comparison *c)
{
    return dl_reconcile_ok(&c->result) && c->deep.different == 0 &&
           dlc_deep_rows_ok(&c->rows);
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

static void print_places(const dl_reconcile_place *places, int n,
                         const char *what)
{
    int i;

    for (i = 0; i < n; i++) {
        printf("%s: partition %d, offset %" PRId64 "\n",
               places[i].missing ? "missing" : what, (int)places[i].partition,
               places[i].offset);
    }
}

static void print_rows(const comparison *c)
{
    const dlc_deep_rows *rows = &c->rows;

    print_sum("rows", rows->rows);
    print_sum("rows wrong", rows->wrong);
    print_sum("rows missing", rows->missing);
    if (rows->beyond > 0) {
        print_sum("before the lake", rows->beyond);
    }
    if (rows->changes > 0) {
        print_sum("change events", rows->changes);
    }
    for (int i = 0; i < rows->n_named; i++) {
        printf("%s: partition %d, offset %" PRId64 "\n",
               rows->named[i].missing ? "row missing" : "row wrong",
               (int)rows->named[i].partition, rows->named[i].offset);
    }
}

static void print_sums(const comparison *c)
{
    const dl_reconcile *r = &c->result;

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
    if (c->is_deep) {
        print_sum("lines read", c->deep.lines);
        print_sum("compared", c->deep.compared);
        print_sum("different", c->deep.different);
    }
    print_places(r->named, r->n_named, "duplicate");
    print_places(c->deep.named, c->deep.n_named, "different");
    if (c->is_deep && r->ask.has_warehouse) {
        print_rows(c);
    }
    printf("%s%s%s\n",
           dlc_colour(stdout, is_ok(c) ? DLC_COLOUR_GREEN : DLC_COLOUR_RED),
           is_ok(c) ? "ok" : "not ok", dlc_colour(stdout, DLC_COLOUR_NONE));
}

static void write_rows(dl_json_writer *w, const dlc_deep_rows *rows)
{
    const struct {
        const char *name; /* of the member */
        uint64_t n;       /* its number */
    } sums[] = {{"rows", rows->rows},     {"right", rows->right},
                {"wrong", rows->wrong},   {"missing", rows->missing},
                {"beyond", rows->beyond}, {"changes", rows->changes}};

    dl_json_write_key(w, "warehouse");
    dl_json_write_object_begin(w);
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        dl_json_write_key(w, sums[i].name);
        dl_json_write_int(w, (int64_t)sums[i].n);
    }
    dl_json_write_object_end(w);
}

static void write_deep(dl_json_writer *w, const comparison *c)
{
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "reconcile");
    dl_reconcile_write(w, &c->result);
    dl_json_write_key(w, "lines");
    dl_json_write_int(w, (int64_t)c->deep.lines);
    dl_json_write_key(w, "compared");
    dl_json_write_int(w, (int64_t)c->deep.compared);
    dl_json_write_key(w, "different");
    dl_json_write_int(w, (int64_t)c->deep.different);
    if (c->result.ask.has_warehouse) {
        write_rows(w, &c->rows);
    }
    dl_json_write_key(w, "ok");
    dl_json_write_bool(w, is_ok(c));
    dl_json_write_object_end(w);
}

static int print_result(const dlc_ctl *ctl, const comparison *c)
{
    if (ctl->json) {
        dl_json_writer w = dlc_ctl_json(ctl);

        if (c->is_deep) {
            write_deep(&w, c);
        }
        else {
            dl_reconcile_write(&w, &c->result);
        }
        (void)dlc_ctl_print_json(ctl, &w);
    }
    else {
        print_parts(&c->result);
        print_sums(c);
    }
    return is_ok(c) ? DLC_CTL_OK : DLC_CTL_FAILED;
}

int dlc_ctl_reconcile(dlc_ctl *ctl, int argc, const char *const *argv)
{
    comparison c = {.ask = {.date = DL_DAY_NONE}};
    const char *date = NULL;
    const dlc_option table[] = {
        {"date", 0, DLC_OPTION_TEXT, &date, 0, 0, "DATE",
         "only what Kafka got on that day, UTC"},
        {"deep", 0, DLC_OPTION_FLAG, &c.is_deep, 0, 0, NULL,
         "read every record of lake, broker and table and compare them"},
        {.name = NULL}};
    dl_error err = {.status = DL_OK};
    dlc_positionals rest;
    int status = dlc_ctl_parse(&rest, ctl, table, argc, argv);

    if (status < 0) {
        status = dlc_ctl_want(ctl, &rest, 1, 1);
    }
    if (status >= 0) {
        return status;
    }
    if (date != NULL && !dl_day_parse(&c.ask.date, date, strlen(date))) {
        return dlc_ctl_usage(ctl, "--date %s: a day is written YYYY-MM-DD",
                             date);
    }
    if (find_dataset(&c.ask.dataset, ctl, rest.text[0], &err) != DL_OK ||
        compare(&c, ctl, &err) != DL_OK) {
        return dlc_ctl_fail(ctl, &err);
    }
    return print_result(ctl, &c);
}
