/* mdl_api_health.c - GET /api/v1/health/ and GET /health/ready: which
 * dependencies are there.
 *
 * Warehouse and lake are asked here.  The broker is not: httpd has no Kafka
 * connection in this release, so the daemons, which ask it each second, tell
 * in their pages whether it answered and how far behind their sinks are.  All
 * of that is looked at once in LOOK_MS per child, however many ask.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <stdbool.h>

#include <apr_strings.h>

#include "dl_json_write.h"
#include "dl_stats.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_site.h"

/* How long one look is good for. */
#define LOOK_MS 250

/* A sink further behind than this is not ready (contract 8). */
#define BEHIND_MAX_S INT64_C(60)

#define ANSWER_MAX 4096

/* The version of the contract that is served. */
#define CONTRACT_VERSION "1.0.0"

/* What was found. */
typedef struct health {
    bool warehouse;         /* it answers */
    bool lake;              /* it can be read */
    bool broker;            /* the daemons reach it */
    int n_reasons;          /* why the server is not ready */
    const char *reasons[8]; /* sentences */
} health;

static void add_reason(health *h, const char *reason)
{
    if (h->n_reasons < (int)(sizeof(h->reasons) / sizeof(h->reasons[0]))) {
        h->reasons[h->n_reasons++] = reason;
    }
}

/* Look at the sink NAME through the page of its daemon; true when it reaches
 * the broker. */
static bool look_at_sink(health *h, const mdl_request *q, const char *name)
{
    apr_pool_t *pool = q->r->pool;
    const char *label = apr_pstrcat(pool, "sink=\"", name, "\"", NULL);
    const char *program =
        apr_pstrcat(pool, "program=\"datalake-", name, "\"", NULL);
    int64_t value;
    bool up;

    if (!dl_stats_find(&value, q->site->run_fd, "datalake_build_info", program,
                       pool)) {
        add_reason(h,
                   apr_pstrcat(pool, "The ", name,
                               " sink is not running on this server.", NULL));
        return false;
    }
    up = dl_stats_find_max(&value, q->site->run_fd, "datalake_kafka_broker_up",
                           label, pool) &&
         value > 0;
    if (dl_stats_find_max(&value, q->site->run_fd,
                          "datalake_ingest_freshness_seconds", label, pool) &&
        value > BEHIND_MAX_S * DL_SECOND_US) {
        add_reason(h, apr_psprintf(pool,
                                   "The %s sink is %" PRId64 " seconds behind.",
                                   name, value / DL_SECOND_US));
    }
    if (dl_stats_find_max(&value, q->site->run_fd, "datalake_sink_degraded",
                          label, pool) &&
        value > 0) {
        add_reason(
            h, apr_pstrcat(pool, "The ", name, " sink cannot write.", NULL));
    }
    return up;
}

/* Set *H to what can be found out now. */
static void look(health *h, const mdl_request *q)
{
    bool lake_sink;
    bool warehouse_sink;

    *h = (health){.warehouse = mdl_wh_check(q->site->wh, NULL) == DL_OK,
                  .lake =
                      mdl_lake_check(q->site->lake, NULL, q->r->pool) == DL_OK};
    if (!h->warehouse) {
        add_reason(h, "The warehouse does not answer.");
    }
    if (!h->lake) {
        add_reason(h, "The lake cannot be read.");
    }
    lake_sink = look_at_sink(h, q, "lake");
    warehouse_sink = look_at_sink(h, q, "warehouse");
    h->broker = lake_sink || warehouse_sink;
    if (!h->broker) {
        add_reason(h, "The broker does not answer.");
    }
}

static void write_check(dl_json_writer *w, const char *name, bool up)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, up ? "up" : "down");
}

/* Write the body of /api/v1/health/; return its status. */
static int write_health(dl_json_writer *w, const health *h)
{
    bool dead = !h->warehouse && !h->lake;
    bool whole = h->warehouse && h->lake && h->broker;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "status");
    dl_json_write_text(w, dead ? "unhealthy" : whole ? "healthy" : "degraded");
    dl_json_write_key(w, "service");
    dl_json_write_text(w, "mod_datalake");
    dl_json_write_key(w, "version");
    dl_json_write_text(w, CONTRACT_VERSION);
    dl_json_write_key(w, "checks");
    dl_json_write_object_begin(w);
    write_check(w, "warehouse", h->warehouse);
    write_check(w, "lake", h->lake);
    write_check(w, "broker", h->broker);
    dl_json_write_object_end(w);
    dl_json_write_object_end(w);
    return dead ? HTTP_SERVICE_UNAVAILABLE : HTTP_OK;
}

/* Write the body of /health/ready; return its status. */
static int write_ready(dl_json_writer *w, const health *h)
{
    int i;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "status");
    dl_json_write_text(w, h->n_reasons == 0 ? "ready" : "not-ready");
    if (h->n_reasons > 0) {
        dl_json_write_key(w, "reasons");
        dl_json_write_array_begin(w);
        for (i = 0; i < h->n_reasons; i++) {
            dl_json_write_text(w, h->reasons[i]);
        }
        dl_json_write_array_end(w);
    }
    dl_json_write_object_end(w);
    return h->n_reasons == 0 ? HTTP_OK : HTTP_SERVICE_UNAVAILABLE;
}

/* Write a body, return its status. */
typedef int writer(dl_json_writer *w, const health *h);

/* Look, and put what WRITE makes of it into BUF behind its status as three
 * digits. */
static dl_status make(dl_buf *buf, mdl_request *q, writer *write, dl_error *err)
{
    health h;
    dl_json_writer w;
    int status;

    look(&h, q);
    DL_TRY(dl_buf_append(buf, "200", 3, err));
    dl_json_writer_begin(&w, buf);
    status = write(&w, &h);
    if (status != HTTP_OK) {
        buf->data[0] = '5';
        buf->data[2] = '3';
    }
    return dl_json_writer_finish(&w, err);
}

/* Answer what WRITE makes of the newest look; NAME tells the two apart. */
static int answer(mdl_request *q, const char *name, writer *write)
{
    const char *stamp =
        apr_psprintf(q->r->pool, "%" PRId64,
                     dl_time_monotonic_us() / (LOOK_MS * (int64_t)1000));
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    mdl_answer whole = {.life = MDL_LIFE_REQUEST, .cache = "no-store"};
    mdl_cache_answer kept;
    mdl_cache_verdict found =
        mdl_cache_find(&kept, q->site->cache, name, stamp, q->r->pool);

    if (found != MDL_CACHE_HIT) {
        if (make(buf, q, write, NULL) != DL_OK) {
            mdl_cache_abandon(q->site->cache, name);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        kept.body = buf->data;
        kept.len = buf->len;
        if (found == MDL_CACHE_MINE) {
            mdl_cache_put(q->site->cache, name, stamp, &kept);
        }
    }
    whole.status = kept.body[0] == '5' ? HTTP_SERVICE_UNAVAILABLE : HTTP_OK;
    whole.data = kept.body + 3;
    whole.len = kept.len - 3;
    return mdl_answer_send(q, &whole);
}

int mdl_api_health(mdl_request *q)
{
    return answer(q, "health", write_health);
}

int mdl_api_ready(mdl_request *q)
{
    return answer(q, "ready", write_ready);
}
