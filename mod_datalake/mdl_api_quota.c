/* mdl_api_quota.c - GET /v1/me/quota: what the caller has left of policy v1.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_quota.h"

/* Four members of a few digits each. */
#define ANSWER_MAX 256

int mdl_api_quota(mdl_request *q)
{
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    mdl_quota_write(&w, q);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}
