/* mdl_page.c - Opens cursors that came in and makes those that go out.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_page.h"

#include <string.h>

#include <httpd.h>

#include "mdl_site.h"

int mdl_page_refuse(mdl_request *q, int n)
{
    return mdl_param_refuse(
        q, &q->route->params[n], "cursor-invalid",
        "it is not of this list with these parameters, or older than 24 hours");
}

int mdl_page_open(const char **position, mdl_request *q,
                  const mdl_cursor_binding *binding, int n)
{
    *position = NULL;
    if (q->values[n].given &&
        mdl_cursor_decode(position, &q->site->cursor_key, binding,
                          q->values[n].text, dl_time_now(),
                          q->r->pool) != DL_OK) {
        return mdl_page_refuse(q, n);
    }
    return OK;
}

const char *mdl_page_next(mdl_request *q, const mdl_cursor_binding *binding,
                          const char *position)
{
    return mdl_cursor_encode(&q->site->cursor_key, binding, position,
                             strlen(position), dl_time_now(), q->r->pool);
}
