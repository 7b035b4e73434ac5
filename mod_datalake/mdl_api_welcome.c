/* mdl_api_welcome.c - GET /v1/: a greeting.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"
#include "mdl_api.h"

int mdl_api_welcome(mdl_request *q)
{
    static const char greeting[] =
        "{\"message\":\"Welcome to the DataLake API\"}";

    return mdl_answer_json(q, greeting, sizeof greeting - 1);
}
