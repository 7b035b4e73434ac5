/* mdl_http.c - dl_status to HTTP.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_http.h"

#include "dl_log.h"
#include "mdl_problem.h"
#include "mdl_request.h"

static int refuse_client(mdl_request *q, mdl_slug slug, const dl_error *err,
                         const char *sentence)
{
    dl_log(DL_LOG_INFO, "DL1010 request %s: %s", q->id, err->text);
    return mdl_problem(q, slug, "%s", sentence);
}

static int admit_fault(mdl_request *q, mdl_slug slug, const dl_error *err,
                       const char *sentence)
{
    dl_log(DL_LOG_ERROR, "DL1011 request %s %s: %s", q->id,
           dl_status_name(err->status), err->text);
    return mdl_problem(q, slug, "%s", sentence);
}

static int report_absence(mdl_request *q, mdl_dependency dependency,
                          const dl_error *err)
{
    static const struct {
        mdl_slug slug;
        const char *sentence;
    } absent[] = {
        [MDL_WAREHOUSE] = {MDL_PROBLEM_WAREHOUSE_UNAVAILABLE,
                           "The warehouse does not answer."},
        [MDL_LAKE] = {MDL_PROBLEM_LAKE_UNAVAILABLE, "The lake cannot be read."},
        [MDL_BROKER] = {MDL_PROBLEM_BROKER_UNAVAILABLE,
                        "The broker does not answer."},
        [MDL_OURSELVES] = {MDL_PROBLEM_OVERLOADED,
                           "The server has too much work at the moment."}};

    return admit_fault(q, absent[dependency].slug, err,
                       absent[dependency].sentence);
}

int mdl_http_fail(mdl_request *q, mdl_dependency dependency,
                  const dl_error *err)
{
    switch (err->status) {
    case DL_NOT_FOUND:
        return refuse_client(q, MDL_PROBLEM_NOT_FOUND, err,
                             "There is no such object.");
    case DL_INVALID:
        return refuse_client(q, MDL_PROBLEM_INVALID_PARAMETER, err,
                             "A parameter breaks a rule of this route.");
    case DL_LIMIT:
        return refuse_client(q, MDL_PROBLEM_INVALID_PARAMETER, err,
                             "The request asks for more than a limit allows.");
    case DL_CONFLICT:
        return refuse_client(q, MDL_PROBLEM_CONFLICT, err,
                             "The object exists already or is in use.");
    case DL_TIMEOUT:
        return admit_fault(q, MDL_PROBLEM_DEADLINE, err,
                           "The answer was not complete in time.");
    case DL_UNAVAILABLE:
    case DL_BUSY:
    case DL_RETRY:
        return report_absence(q, dependency, err);
    case DL_NO_SPACE:
        if (dependency == MDL_OURSELVES) {
            return admit_fault(q, MDL_PROBLEM_STORAGE_FULL, err,
                               "There is no room to store what was sent.");
        }
        return report_absence(q, dependency, err);
    case DL_IO:
    case DL_CORRUPT:
    case DL_UNSUPPORTED:
        if (dependency == MDL_LAKE || dependency == MDL_WAREHOUSE) {
            return report_absence(q, dependency, err);
        }
        break;
    case DL_OK:
    case DL_INTERNAL:
        break;
    }
    return admit_fault(q, MDL_PROBLEM_INTERNAL, err,
                       "The server made a mistake.");
}
