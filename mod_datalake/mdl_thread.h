/* mdl_thread.h - What threads of a child beside httpd's workers need besides
 * dl_thread.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_THREAD_H
#define MDL_THREAD_H

#include <pthread.h>

#include <apr_pools.h>

/* Return a pool with an allocator of its own, for one thread that is none of
 * httpd's; destroyed by its user.  Out of memory ends the process.  Thread:
 * any. */
apr_pool_t *mdl_thread_pool(void);

/* Make MUTEX one that spins a little before it sleeps: for locks that are held
 * for less time than going to sleep takes. */
void mdl_thread_mutex_init(pthread_mutex_t *mutex);

#endif
