/* mdl_request.c - The per-request structure and the request's id.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_request.h"

#include <string.h>

#include <http_config.h>

#include "mdl_module.h"
#include "mdl_request_id.h"

mdl_request *mdl_request_create(request_rec *r, const struct mdl_site *site)
{
    mdl_request *q = apr_pcalloc(r->pool, sizeof *q);

    q->r = r;
    q->site = site;
    mdl_request_id_make(q->id);
    ap_set_module_config(r->request_config, &datalake_module, q);
    return q;
}

mdl_request *mdl_request_peek(request_rec *r)
{
    return ap_get_module_config(r->request_config, &datalake_module);
}

mdl_request *mdl_request_get(request_rec *r)
{
    mdl_request *q = mdl_request_peek(r);

    return q != NULL && q->resource != NULL ? q : NULL;
}

const char *mdl_request_segment(const mdl_request *q, const char *name)
{
    size_t len = strlen(name);
    int i;

    for (i = 0; i < q->resource->n_segments; i++) {
        const char *segment = q->resource->segments[i];

        if (segment[0] == '{' && strncmp(segment + 1, name, len) == 0 &&
            strcmp(segment + 1 + len, "}") == 0) {
            return q->path.segment[i].text;
        }
    }
    return "";
}
