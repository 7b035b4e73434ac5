/* mdl_hasher.h - This child's threads that hash passwords, of low priority.
 *
 * A hash keeps a core busy for 20 ms.  Done by the worker that serves the
 * log-in it would compete with every other worker as an equal, and two of them
 * would hold both cores of a small machine while short requests wait for their
 * turn.  So a worker hands the hash to a thread of a low priority and sleeps
 * until it is done; who wakes up to serve a short request is let through.  The
 * threads are not of the idle class: a log-in gets its share, about a tenth of
 * a core that is wanted by others without a pause.
 *
 * Bounds: one thread for each place of mdl_password.h, whose holders alone
 * come here, so that nobody waits for a thread but in a child that was robbed
 * of a place; a thread takes memory while it hashes only.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_HASHER_H
#define MDL_HASHER_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Start N threads, which end with CHILD_POOL.  Without threads the worker
 * hashes itself.  Thread: child start only. */
void mdl_hasher_start(int n, apr_pool_t *child_pool);

/* Work for such a thread. */
typedef void mdl_hasher_work(void *data);

/* Have WORK called with DATA on one of the threads and return when it has
 * returned.  Thread: any. */
void mdl_hasher_do(mdl_hasher_work *work, void *data);

#endif
