/* mdl_api_reconcile.c - GET /api/ingest/reconcile/: is every message of a topic
 * where it belongs?
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include "dl_dataset.h"
#include "dl_reconcile.h"
#include "dl_wh_sink.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kafka.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* Partitions of a topic that are compared. */
#define PARTITIONS 1024

/* Bytes for bits of offsets: 500 million of them that lie apart. */
#define MEMORY ((size_t)64 * 1024 * 1024)

/* No answer is larger. */
#define ANSWER_MAX ((size_t)PARTITIONS * 256 + 4096)

enum {
    TOPIC,
    DATE
};

const mdl_param mdl_api_reconcile_params[] = {
    [TOPIC] = {.name = "topic",
               .type = MDL_PARAM_TEXT,
               .required = true,
               .min = 1,
               .max = 255,
               .summary = "Which topic"},
    [DATE] = {.name = "date",
              .type = MDL_PARAM_DATE,
              .summary = "Only what Kafka got on that day, UTC"},
    {.name = NULL}};

/* One request. */
typedef struct reconcile_request {
    const dl_dataset *ds;    /* whose topic */
    dl_lake_snapshot *snap;  /* the lake's state, NULL: it has none */
    dl_reconcile_ask ask;    /* the question */
    dl_wh_refusals refusals; /* which refused rows count */
    dl_wh_progress *all;     /* room for PARTITIONS */
    dl_reconcile_next *next; /* likewise */
} reconcile_request;

/* Ask the warehouse what it has. */
static dl_status read_warehouse(struct dl_wh *wh, void *context, dl_error *err)
{
    reconcile_request *rr = context;
    int i;

    DL_TRY(dl_wh_sink_progress(rr->all, &rr->ask.n_next, PARTITIONS, wh,
                               rr->ask.topic, err));
    for (i = 0; i < rr->ask.n_next; i++) {
        rr->next[i] = (dl_reconcile_next){
            rr->all[i].partition, rr->all[i].generation, rr->all[i].next};
    }
    return dl_wh_sink_refused(&rr->ask.refused, wh, &rr->refusals, err);
}

/* Open the lake's state of the topic. */
static dl_status open_lake(reconcile_request *rr, mdl_request *q, dl_error *err)
{
    dl_status status = mdl_lake_snapshot(&rr->snap, q->site->lake, rr->ds->name,
                                         err, q->r->pool);

    if (status == DL_NOT_FOUND) {
        rr->snap = NULL;
        return DL_OK;
    }
    DL_TRY(status);
    rr->refusals.generation = dl_lake_snapshot_totals(rr->snap)->generation;
    return DL_OK;
}

static int answer(mdl_request *q, const dl_reconcile *result)
{
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_reconcile_write(&w, result);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}

/* Compare, and answer Q. */
static int compare(reconcile_request *rr, mdl_request *q)
{
    dl_error err = {DL_OK, 0, ""};
    dl_reconcile result;
    dl_broker broker;
    dl_status status;

    mdl_kafka_broker(&broker, q->site->kafka);
    status = dl_reconcile_run(&result, rr->snap, &broker, &rr->ask, &err,
                              q->r->pool);
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           "The broker has no such topic.");
    }
    if (status == DL_UNAVAILABLE) {
        return mdl_http_fail(q, MDL_BROKER, &err);
    }
    return status == DL_OK ? answer(q, &result)
                           : mdl_http_fail(q, MDL_LAKE, &err);
}

int mdl_api_reconcile(mdl_request *q)
{
    const mdl_value *values = q->values;
    reconcile_request rr = {
        .ask = {.topic = values[TOPIC].text,
                .date = values[DATE].given ? values[DATE].day : DL_DAY_NONE,
                .gaps = DL_RECONCILE_GAPS,
                .memory = MEMORY}};
    dl_error err = {DL_OK, 0, ""};

    rr.ds = dl_dataset_find_topic(q->site->datasets, rr.ask.topic);
    if (rr.ds == NULL) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           "No dataset is made of such a topic.");
    }
    rr.ask.has_warehouse = rr.ds->table != NULL;
    rr.refusals = (dl_wh_refusals){.topic = rr.ask.topic, .date = rr.ask.date};
    rr.all = apr_palloc(q->r->pool, PARTITIONS * sizeof *rr.all);
    rr.ask.next = rr.next =
        apr_palloc(q->r->pool, PARTITIONS * sizeof *rr.next);
    if (open_lake(&rr, q, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (rr.ask.has_warehouse &&
        mdl_wh_read(q->site->wh, read_warehouse, &rr, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return compare(&rr, q);
}
