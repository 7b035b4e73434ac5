/* mdl_quota.h - How often a caller may call (contract 1.5).
 *
 * Each counted request takes one from the window of its caller and the route's
 * policy: the account's when the token was accepted, else that of the address
 * (r->useragent_addr, so mod_remoteip is honoured).  A request refused with
 * 401 takes from its address too, and is 429 when nothing is left there.
 * Rows and bytes, where a rule limits them, are counted after the answer, so
 * that answers under way may pass their limit; the next request is refused.
 *
 * Windows live in shared memory (mdl_window.h), survive graceful restarts, and
 * are written to quota_window every 10 s and at a stop (mdl_quota_keeper.h).
 * After a cold start the first requests wait for up to 2 s until the windows
 * from before are there; while the warehouse is away they start from nothing,
 * and the old windows are added when it is back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_QUOTA_H
#define MDL_QUOTA_H

#include <httpd.h>

#include "dl_error.h"
#include "dl_json_write.h"
#include "dl_stats.h"
#include "mdl_request.h"

/* The quota of a server. */
typedef struct mdl_quota mdl_quota;

/* Set *QUOTA to that of SERVER with its rules, kept over graceful restarts
 * under NAME (servers with one name share all windows).  Lives in POOL.
 * DL_IO: no shared memory.  DL_LIMIT: too many policies.  Thread: start
 * only. */
DL_MUSTCHECK dl_status mdl_quota_open(mdl_quota **quota, const char *name,
                                      const server_rec *server, dl_error *err,
                                      apr_pool_t *pool);

/* Take Q from the quota of its caller, whom the gate has identified with
 * STATUS (OK, or that of a problem), and set RateLimit and RateLimit-Policy.
 * Return STATUS, or the status of quota-exceeded.  Thread: the request's. */
int mdl_quota_take(mdl_request *q, int status);

/* Count the rows (q->rows) and BYTES of the answer that Q got, where a rule
 * limits them.  Thread: the request's. */
void mdl_quota_finish(const mdl_request *q, uint64_t bytes);

/* Write to W the object of /v1/me/quota for the account of Q, which is known.
 * Thread: the request's. */
void mdl_quota_write(dl_json_writer *w, const mdl_request *q);

/* Add the refusals counted by QUOTA to SAMPLES.  Thread: the owner of
 * SAMPLES. */
void mdl_quota_collect(dl_stats_samples *samples, const mdl_quota *quota);

#endif
