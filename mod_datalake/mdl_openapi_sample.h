/* mdl_openapi_sample.h - The example of an operation as a command of curl and
 * as Python.
 *
 * Both read the server's address from DATALAKE_URL and the token from TOKEN,
 * as the README does.
 *
 * Thread: the writer's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_OPENAPI_SAMPLE_H
#define MDL_OPENAPI_SAMPLE_H

#include "dl_json_write.h"
#include "mdl_openapi_words.h"
#include "mdl_route.h"

/* Return the name of the method of ROUTE, which has one bit: "GET".
 * Static. */
const char *mdl_openapi_method(const mdl_route *route);

/* Write to W the array x-codeSamples of ROUTE.  Scratch in POOL. */
void mdl_openapi_samples(dl_json_writer *w, const mdl_route *route,
                         const mdl_words *words, apr_pool_t *pool);

#endif
