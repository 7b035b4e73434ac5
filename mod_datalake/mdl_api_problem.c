/* mdl_api_problem.c - GET /problems/{slug}: what a problem type means.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_write.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_problem.h"

int mdl_api_problem(mdl_request *q)
{
    mdl_slug slug = mdl_problem_find(mdl_request_segment(q, "slug"));
    const mdl_problem_type *type = mdl_problem_type_of(slug);
    dl_buf *buf = mdl_answer_buf(q, 4096);
    dl_json_writer w;
    dl_error err;

    if (slug == MDL_PROBLEM_NONE) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no problem type of this name.");
    }
    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "title");
    dl_json_write_text(&w, type->title);
    dl_json_write_key(&w, "status");
    dl_json_write_int(&w, type->status);
    dl_json_write_key(&w, "description");
    dl_json_write_text(&w, type->description);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}
