/* mdl_client.c - One look at the client's socket.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_client.h"

#include <poll.h>

#include <httpd.h>

#include <http_core.h>

#include <apr_portable.h>

#include "mdl_request.h"

bool mdl_client_gone(const mdl_request *q)
{
    conn_rec *c = q->r->connection;
    struct pollfd look = {.events = POLLRDHUP};
    apr_socket_t *socket;

    if (c->aborted) {
        return true;
    }
    socket = ap_get_conn_socket(c->master != NULL ? c->master : c);
    if (socket == NULL || apr_os_sock_get(&look.fd, socket) != APR_SUCCESS) {
        return false;
    }
    if (poll(&look, 1, 0) <= 0) {
        return false;
    }
    c->aborted = 1;
    return true;
}
