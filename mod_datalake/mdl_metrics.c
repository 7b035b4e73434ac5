/* mdl_metrics.c - The counters in shared memory, and how they are read.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_metrics.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define METHODS  8
#define STATUSES 30
#define CHILDREN 64

/* Room for a label set of ours. */
#define LABELS 160

/* Names of the methods; what is none of them is the last. */
static const char *const method_name[METHODS] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"};

/* The statuses of contract 1.2; what is none of them is the last. */
static const int status_code[STATUSES] = {
    200, 304, 400, 401, 403, 404, 405, 406, 503, 201, 202, 204, 206, 307, 408,
    409, 412, 413, 414, 415, 417, 422, 426, 429, 500, 501, 505, 507, 101, 0};

static const char *const statement_name[MDL_METRICS_STATEMENTS] = {
    "top-products", "total-by-user", "total_by_user", "last-5min", "identity"};
static const char *const result_name[MDL_METRICS_RESULTS] = {"ok", "failed",
                                                             "cached"};

/* One row of mdl_metrics_counter. */
typedef struct counter_row {
    const char *metric; /* its metric */
    const char *labels; /* its label */
} counter_row;

static const counter_row counter_table[MDL_METRICS_COUNTERS] = {
    {"datalake_http_shed_total", "class=\"warehouse\""},
    {"datalake_token_failures_total", "cause=\"missing\""},
    {"datalake_token_failures_total", "cause=\"malformed\""},
    {"datalake_token_failures_total", "cause=\"signature\""},
    {"datalake_token_failures_total", "cause=\"claims\""},
    {"datalake_token_failures_total", "cause=\"expired\""},
    {"datalake_token_failures_total", "cause=\"account\""},
    {"datalake_audit_entries_total", ""},
    {"datalake_tokens_issued_total", "type=\"access\""},
    {"datalake_tokens_issued_total", "type=\"refresh\""},
};

/* The counters of one route. */
typedef struct route_block {
    dl_stats_value requests[METHODS][STATUSES]; /* by method and status */
    dl_stats_value duration[DL_STATS_VALUES];   /* histogram */
    dl_stats_value bytes;                       /* body bytes sent */
} route_block;

/* The gauges of one child. */
typedef struct child_block {
    dl_stats_value pid; /* 0: free */
    dl_stats_value wh_idle;
    dl_stats_value wh_busy;
    dl_stats_value breaker_open;
} child_block;

/* Room for the name of a topic. */
#define TOPIC 250

/* The records sent to one topic. */
typedef struct topic_block {
    dl_stats_value state; /* 0: free, 1: its name is being written, 2: used */
    char name[TOPIC];
    dl_stats_value ok;     /* stored */
    dl_stats_value failed; /* not confirmed */
} topic_block;

/* The whole shared block. */
typedef struct metrics_block {
    child_block child[CHILDREN];
    topic_block topic[MDL_METRICS_TOPICS];
    dl_stats_value counter[MDL_METRICS_COUNTERS];
    dl_stats_value query[MDL_METRICS_STATEMENTS][MDL_METRICS_RESULTS];
    route_block route[];
} metrics_block;

/* Set at start, before there are threads. */
static metrics_block *block;
static int routes;

size_t mdl_metrics_size(int n_routes)
{
    return sizeof(metrics_block) + (size_t)n_routes * sizeof(route_block);
}

void mdl_metrics_attach(void *memory, int n_routes)
{
    block = memory;
    routes = n_routes;
}

static int method_index(const char *method)
{
    int i = 0;

    while (i < METHODS - 1 && strcmp(method, method_name[i]) != 0) {
        i++;
    }
    return i;
}

static int status_index(int status)
{
    int i = 0;

    while (i < STATUSES - 1 && status_code[i] != status) {
        i++;
    }
    return i;
}

void mdl_metrics_finish(const mdl_metrics_request *request)
{
    route_block *route;

    if (block == NULL || request->route < 0 || request->route >= routes) {
        return;
    }
    route = &block->route[request->route];
    dl_stats_add(&route->requests[method_index(request->method)]
                                 [status_index(request->status)],
                 1);
    dl_stats_observe(route->duration, request->duration_us);
    dl_stats_add(&route->bytes, (int64_t)request->bytes);
}

void mdl_metrics_count(mdl_metrics_counter counter)
{
    if (block != NULL) {
        dl_stats_add(&block->counter[counter], 1);
    }
}

void mdl_metrics_query(mdl_metrics_statement statement,
                       mdl_metrics_result result)
{
    if (block != NULL) {
        dl_stats_add(&block->query[statement][result], 1);
    }
}

/* Return the block of TOPIC, a new one if need be; NULL: all are taken, or it
 * is being written at this moment. */
static topic_block *topic_of(const char *topic)
{
    int i;

    for (i = 0; i < MDL_METRICS_TOPICS; i++) {
        topic_block *t = &block->topic[i];
        int64_t before = 0;

        if (atomic_compare_exchange_strong(&t->state, &before, 1)) {
            snprintf(t->name, sizeof t->name, "%s", topic);
            atomic_store(&t->state, 2);
            return t;
        }
        if (before == 2 && strcmp(t->name, topic) == 0) {
            return t;
        }
    }
    return NULL;
}

void mdl_metrics_produced(const char *topic, bool ok)
{
    topic_block *t = block != NULL ? topic_of(topic) : NULL;

    if (t != NULL) {
        dl_stats_add(ok ? &t->ok : &t->failed, 1);
    }
}

/* True when CHILD belongs to a process that lives. */
static int alive(child_block *child)
{
    pid_t pid = (pid_t)atomic_load(&child->pid);

    return pid != 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Take a place for this process; NULL when all are taken. */
static child_block *claim(void)
{
    int64_t own = getpid();
    int i;

    for (i = 0; i < CHILDREN; i++) {
        child_block *child = &block->child[i];
        int64_t before = atomic_load(&child->pid);

        if (before == own ||
            (alive(child) == 0 &&
             atomic_compare_exchange_strong(&child->pid, &before, own))) {
            return child;
        }
    }
    return NULL;
}

void mdl_metrics_publish(const mdl_metrics_child *child)
{
    static child_block *mine; /* the keeper's alone */

    if (block == NULL) {
        return;
    }
    if (mine == NULL || atomic_load(&mine->pid) != getpid()) {
        mine = claim();
    }
    if (mine != NULL) {
        dl_stats_set(&mine->wh_idle, child->wh_idle);
        dl_stats_set(&mine->wh_busy, child->wh_busy);
        dl_stats_set(&mine->breaker_open, child->breaker_open);
    }
}

/* --- Reading ---------------------------------------------------------------
 */

/* Add VALUE of NAME with LABELS to SAMPLES. */
static void sample(dl_stats_samples *samples, dl_stats_type type,
                   const char *name, const char *labels, int64_t value)
{
    dl_stats_samples_add(samples, type, name, labels, &value);
}

static void collect_requests(dl_stats_samples *samples, const route_block *rb,
                             const char *template)
{
    char labels[LABELS];
    int m;
    int s;

    for (m = 0; m < METHODS; m++) {
        for (s = 0; s < STATUSES; s++) {
            int64_t n = dl_stats_get(&rb->requests[m][s]);

            if (n > 0) {
                snprintf(labels, sizeof(labels),
                         "route=\"%s\",method=\"%s\",status=\"%d\"", template,
                         method_name[m], status_code[s]);
                sample(samples, DL_STATS_COUNTER,
                       "datalake_http_requests_total", labels, n);
            }
        }
    }
}

/* Whether TEMPLATE is a route that searches. */
static bool searches(const char *template)
{
    return strcmp(template, "/api/search/") == 0 ||
           strcmp(template, "/api/fulltext_search/{text}") == 0;
}

static void collect_route(dl_stats_samples *samples, const route_block *rb,
                          const char *template)
{
    int64_t duration[DL_STATS_VALUES];
    char labels[LABELS];
    int i;

    for (i = 0; i < DL_STATS_VALUES; i++) {
        duration[i] = dl_stats_get(&rb->duration[i]);
    }
    if (duration[0] == 0) {
        return;
    }
    collect_requests(samples, rb, template);
    snprintf(labels, sizeof(labels), "route=\"%s\"", template);
    dl_stats_samples_add(samples, DL_STATS_HISTOGRAM,
                         "datalake_http_request_duration_seconds", labels,
                         duration);
    if (searches(template)) {
        dl_stats_samples_add(samples, DL_STATS_HISTOGRAM,
                             "datalake_search_duration_seconds", labels,
                             duration);
    }
    sample(samples, DL_STATS_COUNTER, "datalake_http_response_bytes_total",
           labels, dl_stats_get(&rb->bytes));
}

static void collect_queries(dl_stats_samples *samples)
{
    char labels[LABELS];
    int s;
    int r;

    for (s = 0; s < MDL_METRICS_STATEMENTS; s++) {
        for (r = 0; r < MDL_METRICS_RESULTS; r++) {
            snprintf(labels, sizeof(labels), "statement=\"%s\",result=\"%s\"",
                     statement_name[s], result_name[r]);
            sample(samples, DL_STATS_COUNTER,
                   "datalake_warehouse_queries_total", labels,
                   dl_stats_get(&block->query[s][r]));
        }
    }
}

static void collect_topics(dl_stats_samples *samples)
{
    char labels[TOPIC + LABELS];
    int i;

    for (i = 0; i < MDL_METRICS_TOPICS; i++) {
        topic_block *t = &block->topic[i];

        if (atomic_load(&t->state) != 2) {
            continue;
        }
        snprintf(labels, sizeof labels, "topic=\"%s\",result=\"ok\"", t->name);
        sample(samples, DL_STATS_COUNTER, "datalake_kafka_produced_total",
               labels, dl_stats_get(&t->ok));
        snprintf(labels, sizeof labels, "topic=\"%s\",result=\"failed\"",
                 t->name);
        sample(samples, DL_STATS_COUNTER, "datalake_kafka_produced_total",
               labels, dl_stats_get(&t->failed));
    }
}

static void collect_children(dl_stats_samples *samples)
{
    mdl_metrics_child sum = {0, 0, 0};
    int i;

    for (i = 0; i < CHILDREN; i++) {
        child_block *child = &block->child[i];

        if (alive(child) != 0) {
            sum.wh_idle += dl_stats_get(&child->wh_idle);
            sum.wh_busy += dl_stats_get(&child->wh_busy);
            sum.breaker_open |= dl_stats_get(&child->breaker_open);
        }
    }
    sample(samples, DL_STATS_GAUGE, "datalake_warehouse_connections",
           "state=\"idle\"", sum.wh_idle);
    sample(samples, DL_STATS_GAUGE, "datalake_warehouse_connections",
           "state=\"busy\"", sum.wh_busy);
    sample(samples, DL_STATS_GAUGE, "datalake_warehouse_breaker_open", "",
           sum.breaker_open);
}

void mdl_metrics_collect(dl_stats_samples *samples,
                         const char *const *templates)
{
    int i;

    if (block == NULL) {
        return;
    }
    for (i = 0; i < routes; i++) {
        collect_route(samples, &block->route[i], templates[i]);
    }
    for (i = 0; i < MDL_METRICS_COUNTERS; i++) {
        sample(samples, DL_STATS_COUNTER, counter_table[i].metric,
               counter_table[i].labels, dl_stats_get(&block->counter[i]));
    }
    collect_queries(samples);
    collect_topics(samples);
    collect_children(samples);
}
