/* mdl_api_live.c - GET /health/live: this process answers, nothing more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_answer.h"
#include "mdl_api.h"

int mdl_api_live(mdl_request *q)
{
    static const char alive[] = "{\"status\":\"alive\"}";
    mdl_answer answer = {
        .data = alive, .len = sizeof alive - 1, .cache = "no-store"};

    return mdl_answer_send(q, &answer);
}
