/* mdl_throttle.h - What may be tried without a token is counted by address.
 *
 *   log-ins         MDL_THROTTLE_LOGINS failed ones for a name and an address
 *                   in 60 s; the next try is refused without a look at its
 *                   password
 *   registrations   MDL_THROTTLE_REGISTRATIONS of an address in an hour
 *
 * An address is one of IPv4, or a /64 of IPv6.  Both counters are fixed
 * windows (mdl_window.h) in shared memory: MDL_THROTTLE_PLACES places each,
 * which are 1.5 MB together; what happens when they are full is told there.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_THROTTLE_H
#define MDL_THROTTLE_H

#include <stdbool.h>

#include "dl_error.h"
#include "mdl_request.h"
#include "mdl_window.h"

/* Failed log-ins for one name from one address, and in how many seconds. */
#define MDL_THROTTLE_LOGINS   5
#define MDL_THROTTLE_LOGINS_S 60

/* Registrations from one address, and in how many seconds. */
#define MDL_THROTTLE_REGISTRATIONS   2000
#define MDL_THROTTLE_REGISTRATIONS_S 3600

/* Places of each counter. */
#define MDL_THROTTLE_PLACES 16384

/* Make the counters, kept over graceful restarts; in POOL.  DL_IO: no shared
 * memory.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_throttle_open(const server_rec *server,
                                         dl_error *err, apr_pool_t *pool);

/* Set KEY to the counter of log-ins of Q's address as USERNAME, in which the
 * case of the letters A-Z does not count.  Thread: any. */
void mdl_throttle_login_key(mdl_window_key *key, const mdl_request *q,
                            const char *username);

/* OK when a log-in of KEY may be tried, else the status of a problem: 429 with
 * Retry-After.  Takes nothing.  Thread: the request's. */
int mdl_throttle_login_check(mdl_request *q, const mdl_window_key *key);

/* The same and take one try, right before the password is looked at.  It is
 * kept when that fails; else mdl_throttle_login_forgive gives it back.
 * Thread: the request's. */
int mdl_throttle_login_take(mdl_request *q, const mdl_window_key *key);

/* Give back what mdl_throttle_login_take took.  Thread: any. */
void mdl_throttle_login_forgive(const mdl_window_key *key);

/* OK when Q's address may register one more account, which is counted; else
 * the status of a problem: 429 with Retry-After.  To be called before a
 * password is hashed.  Thread: the request's. */
int mdl_throttle_registration(mdl_request *q);

#endif
