/* mdl_api_docs.c - GET /docs and /redoc, pages that show the API, and GET
 * /static/{file}, what these pages are made of.
 *
 * A page may load nothing but its own server's files and the description, run
 * no script that stands in it, and be shown in no frame.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_web.h"

/* What both pages may do. */
#define POLICY                                                                 \
    "default-src 'none'; script-src 'self'; connect-src 'self'; "              \
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; "              \
    "frame-ancestors 'none'; "

/* Swagger UI sets styles through the object model alone. */
static const char docs_policy[] = POLICY "style-src 'self'";

/* ReDoc 2.5.4 makes style elements that are empty (the first hash) or hold one
 * fixed text (the second) and fills them through the object model; it searches
 * in a worker made of a blob. */
static const char redoc_policy[] = POLICY
    "style-src 'self' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' "
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='; worker-src blob:";

/* Answer FILE under the Cache-Control CACHE. */
static int send_file(mdl_request *q, const mdl_web_file *file,
                     const char *cache)
{
    mdl_answer answer = {.content_type = file->type,
                         .data = file->data,
                         .len = file->len,
                         .cache = cache};

    if (mdl_answer_unchanged(q, file->etag)) {
        answer = (mdl_answer){.status = HTTP_NOT_MODIFIED,
                              .content_type = file->type,
                              .cache = cache};
    }
    return mdl_answer_send(q, &answer);
}

static int send_page(mdl_request *q, const char *name, const char *policy)
{
    const mdl_web_file *file = mdl_web_find(q->site->web, name);

    if (file == NULL) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "The pages are not installed on this server.");
    }
    mdl_answer_header(q, "Content-Security-Policy", policy);
    mdl_answer_header(q, "Referrer-Policy", "no-referrer");
    return send_file(q, file, "no-cache");
}

int mdl_api_docs(mdl_request *q)
{
    return send_page(q, "docs.html", docs_policy);
}

int mdl_api_redoc(mdl_request *q)
{
    return send_page(q, "redoc.html", redoc_policy);
}

int mdl_api_static(mdl_request *q)
{
    const mdl_web_file *file =
        mdl_web_find(q->site->web, mdl_request_segment(q, "file"));

    if (file == NULL || file->page) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no file of this name.");
    }
    return send_file(q, file, "public, immutable, max-age=31536000");
}
