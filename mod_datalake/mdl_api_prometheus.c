/* mdl_api_prometheus.c - GET /metrics: the numbers of contract 8.1.
 *
 * One text from three sources: the counters of all children in shared memory,
 * the pages of the daemons on this server, and what can be asked now.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <ap_mpm.h>
#include <scoreboard.h>
#include <sys/statvfs.h>

#include "dl_stats.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_events.h"
#include "mdl_http.h"
#include "mdl_metrics.h"
#include "mdl_quota.h"
#include "mdl_route.h"
#include "mdl_site.h"

/* The text is never longer. */
#define ANSWER_MAX ((size_t)8 * 1024 * 1024)

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

#define BUILD                                                                  \
    "program=\"mod_datalake\",version=\"" DL_VERSION "\",contract=\"1.0.0\""

static void gauge(dl_stats_samples *samples, const char *name, int64_t value)
{
    dl_stats_samples_add(samples, DL_STATS_GAUGE, name, "", &value);
}

/* Return how many requests this server is working on, this one included. */
static int64_t in_flight(void)
{
    int64_t n = 0;
    int servers = 0;
    int threads = 0;
    int i;
    int j;

    ap_mpm_query(AP_MPMQ_HARD_LIMIT_DAEMONS, &servers);
    ap_mpm_query(AP_MPMQ_HARD_LIMIT_THREADS, &threads);
    for (i = 0; i < servers; i++) {
        for (j = 0; j < threads; j++) {
            const worker_score *worker =
                ap_get_scoreboard_worker_from_indexes(i, j);

            n += worker != NULL && (worker->status == SERVER_BUSY_READ ||
                                    worker->status == SERVER_BUSY_WRITE)
                     ? 1
                     : 0;
        }
    }
    return n;
}

/* Add what is asked at this moment. */
static void collect_now(dl_stats_samples *samples, const mdl_site *site)
{
    int64_t one = 1;
    struct statvfs disk;

    dl_stats_samples_add(samples, DL_STATS_GAUGE, "datalake_build_info", BUILD,
                         &one);
    gauge(samples, "datalake_http_requests_in_flight", in_flight());
    mdl_quota_collect(samples, site->quota);
    gauge(samples, "datalake_warehouse_up",
          mdl_wh_check(site->wh, NULL) == DL_OK ? 1 : 0);
    if (site->lake_fd >= 0 && fstatvfs(site->lake_fd, &disk) == 0) {
        gauge(samples, "datalake_lake_free_bytes",
              (int64_t)(disk.f_bavail * disk.f_frsize));
    }
}

int mdl_api_prometheus(mdl_request *q)
{
    dl_stats_samples *samples = dl_stats_samples_create(q->r->pool);
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_error err = {DL_OK, 0, ""};
    mdl_answer whole = {.content_type = CONTENT_TYPE,
                        .life = MDL_LIFE_REQUEST,
                        .cache = "no-store"};

    /* A folder that cannot be read has no daemons' numbers to give. */
    if (dl_stats_samples_load(samples, q->site->run_fd, NULL, q->r->pool) !=
        DL_OK) {
        samples = dl_stats_samples_create(q->r->pool);
    }
    mdl_metrics_collect(samples, mdl_route_templates());
    mdl_events_collect(samples);
    collect_now(samples, q->site);
    if (dl_stats_samples_render(buf, samples, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    whole.data = buf->data;
    whole.len = buf->len;
    return mdl_answer_send(q, &whole);
}
