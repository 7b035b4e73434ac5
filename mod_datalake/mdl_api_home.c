/* mdl_api_home.c - GET / sends people to the documentation.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"
#include "mdl_api.h"

int mdl_api_home(mdl_request *q)
{
    mdl_answer answer = {.status = HTTP_TEMPORARY_REDIRECT,
                         .content_type = "text/plain",
                         .cache = "no-cache"};

    mdl_answer_header(q, "Location", "/docs");
    return mdl_answer_send(q, &answer);
}
