/* mdl_api_openapi.c - GET /openapi.json: the description of this API.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_openapi.h"
#include "mdl_site.h"

int mdl_api_openapi(mdl_request *q)
{
    const mdl_openapi *document = q->site->openapi;
    mdl_answer answer = {
        .data = document->text, .len = document->len, .cache = "no-cache"};

    if (mdl_answer_unchanged(q, document->etag)) {
        return mdl_answer_not_modified(q);
    }
    return mdl_answer_send(q, &answer);
}
