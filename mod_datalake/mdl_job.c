/* mdl_job.c - 202 and 409 of jobs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_job.h"

#include <httpd.h>

#include <apr_strings.h>

#include "mdl_answer.h"
#include "mdl_http.h"
#include "mdl_problem.h"

/* A sentence, an id and what a route adds. */
#define ANSWER_MAX 1024

static const char *address_of(const mdl_request *q, const char *job_id)
{
    return apr_pstrcat(q->r->pool, "/api/jobs/", job_id, "/", NULL);
}

int mdl_job_queued(mdl_request *q, const mdl_queued *queued)
{
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    mdl_answer answer = {.status = HTTP_ACCEPTED};
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "message");
    dl_json_write_text(&w, queued->message);
    dl_json_write_key(&w, "job_id");
    dl_json_write_text(&w, queued->job_id);
    dl_json_write_key(&w, "state");
    dl_json_write_text(&w, "queued");
    if (queued->more != NULL) {
        queued->more(&w, queued->context);
    }
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    mdl_answer_header(q, "Location", address_of(q, queued->job_id));
    answer.data = buf->data;
    answer.len = buf->len;
    return mdl_answer_send(q, &answer);
}

int mdl_job_in_the_way(mdl_request *q, const char *running, const char *detail)
{
    if (running[0] != '\0') {
        mdl_problem_member(q, "job", address_of(q, running));
    }
    return mdl_problem(q, MDL_PROBLEM_CONFLICT, "%s", detail);
}
