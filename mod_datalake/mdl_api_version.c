/* mdl_api_version.c - GET /api/audit/version/: a day's records, as they stand
 * now or stood after an earlier commit.
 *
 * The day is found, and its validator compared; sending it is mdl_day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <string.h>

#include <apr_strings.h>

#include "dl_lake_files.h"
#include "dl_lake_reader.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_day.h"
#include "mdl_grant.h"
#include "mdl_http.h"
#include "mdl_problem.h"
#include "mdl_site.h"

enum {
    DATE,
    DATASET,
    VERSION,
    AS_OF,
    META
};

const mdl_param mdl_api_version_params[] = {
    [DATE] = {.name = "date",
              .type = MDL_PARAM_DATE,
              .resource = true,
              .required = true,
              .summary = "Which day"},
    MDL_PARAM_DATASET(DATASET, "Whose day"),
    [VERSION] = {.name = "version",
                 .type = MDL_PARAM_INT,
                 .min = 1,
                 .max = INT64_MAX,
                 .summary = "As after this commit of the day"},
    [AS_OF] = {.name = "as_of",
               .type = MDL_PARAM_TIME,
               .summary = "As after the last commit until then"},
    [META] = {.name = "meta",
              .type = MDL_PARAM_BOOL,
              .fallback = "false",
              .summary = "Add _dl, where each record came from"},
    {.name = NULL}};

/* Set the state and the scan of DAY, and *BEGUN to when the day began, to what
 * the request asks for. */
static dl_status open_day(dl_time *begun, mdl_day *day, dl_error *err)
{
    mdl_request *q = day->q;
    const mdl_value *values = q->values;

    day->range = (dl_lake_range){
        .day = values[DATE].day,
        .version = values[VERSION].given ? (uint64_t)values[VERSION].number : 0,
        .as_of = values[AS_OF].given ? values[AS_OF].time : DL_TIME_NONE,
        .with_coords = values[META].flag,
        .fresh = true};
    DL_TRY(mdl_lake_snapshot(&day->snap, q->site->lake, day->dataset, err,
                             q->r->pool));
    *begun = dl_lake_day_begun(day->snap, day->range.day, q->r->pool);
    return dl_lake_scan_open(&day->scan, day->snap, &day->range, err,
                             q->r->pool);
}

/* Tell which state of the day, which began at BEGUN, is answered; return
 * whether the client has it. */
static bool unchanged(const mdl_day *day, dl_time begun)
{
    const dl_lake_day *state = dl_lake_scan_day(day->scan);
    apr_pool_t *pool = day->q->r->pool;
    const char *identity = apr_psprintf(
        pool, "%s %" PRId64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %d %" PRIx64,
        day->name, begun, state->version, state->bytes, state->records,
        day->range.with_coords ? 1 : 0, mdl_grant_mark(day->q));
    char etag[MDL_ETAG_TEXT];

    mdl_answer_header(day->q, "X-Version",
                      apr_psprintf(pool, "%" PRIu64, state->version));
    mdl_answer_etag(etag, identity, strlen(identity));
    return mdl_answer_unchanged(day->q, etag);
}

int mdl_api_version(mdl_request *q)
{
    char date[DL_DAY_TEXT];
    mdl_day day = {.q = q, .dataset = q->values[DATASET].text};
    dl_error err = {DL_OK, 0, ""};
    dl_status status;
    dl_time begun;

    if (q->values[VERSION].given && q->values[AS_OF].given) {
        return mdl_param_refuse(q, &mdl_api_version_params[AS_OF], "exclusive",
                                "version and as_of exclude each other");
    }
    dl_day_format(date, q->values[DATE].day);
    day.name = apr_pstrcat(q->r->pool, day.dataset, "/", date, ".json", NULL);
    status = open_day(&begun, &day, &err);
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such day or version.");
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    return unchanged(&day, begun) ? mdl_answer_not_modified(q)
                                  : mdl_day_send(&day);
}
