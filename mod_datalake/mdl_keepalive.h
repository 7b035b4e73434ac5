/* mdl_keepalive.h - A refused request need not end the connection.
 *
 * httpd closes behind every 400, 500, 501 and 503, because it cannot know
 * whether the next request begins where it thinks.  We do: a wrong parameter
 * or an absent warehouse says nothing about framing.  So for problems of ours,
 * on HTTP/1, behind a request without a body, the connection stays; a client
 * with a typo, or one that waits for a database, pays no new handshake.
 *
 * httpd offers no switch.  We ask its own function (ap_set_keepalive) whether
 * it would keep a connection that got a 200, and when it would, a filter
 * behind the one that writes the head takes "close" out again.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_KEEPALIVE_H
#define MDL_KEEPALIVE_H

#include "mdl_request.h"

/* Register the filter.  Thread: start only. */
void mdl_keepalive_register(void);

/* Keep the connection of Q, whose problem is about to be sent with its
 * Content-Length set, where that is safe. */
void mdl_keepalive_apply(mdl_request *q);

#endif
