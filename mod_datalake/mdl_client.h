/* mdl_client.h - Whether the client is still there.
 *
 * httpd notices that a client is gone when it writes.  Who works long without
 * writing asks here, about once a megabyte or more often.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_CLIENT_H
#define MDL_CLIENT_H

#include <stdbool.h>

struct mdl_request;

/* Return whether nobody waits for the answer to Q any more: its connection is
 * closed or broken.  A client that has shut down its own sending side counts
 * as gone, because the two look the same; answers that are made at once do
 * not ask.  Costs one poll(2). */
bool mdl_client_gone(const struct mdl_request *q);

#endif
