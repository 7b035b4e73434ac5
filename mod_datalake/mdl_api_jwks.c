/* mdl_api_jwks.c - GET /.well-known/jwks.json: the keys that others need to
 * check our tokens.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_problem.h"
#include "mdl_site.h"

int mdl_api_jwks(mdl_request *q)
{
    const char *jwks = q->site->jwks;
    mdl_answer answer = {.data = jwks, .cache = "public, max-age=300"};
    char etag[MDL_ETAG_TEXT];

    if (jwks == NULL) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "Tokens are signed with a shared secret.");
    }
    answer.len = strlen(jwks);
    mdl_answer_etag(etag, jwks, answer.len);
    if (mdl_answer_unchanged(q, etag)) {
        return mdl_answer_not_modified(q);
    }
    return mdl_answer_send(q, &answer);
}
