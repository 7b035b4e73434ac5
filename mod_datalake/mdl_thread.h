/* mdl_thread.h - Threads of a child beside httpd's workers, and their waits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_THREAD_H
#define MDL_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Start *THREAD as RUN with DATA, all signals blocked: httpd's are for its
 * own.  DL_INTERNAL: the system refuses; WHAT says which thread.  Thread: child
 * start only. */
DL_MUSTCHECK dl_status mdl_thread_start(pthread_t *thread,
                                        void *(*run)(void *data), void *data,
                                        const char *what, dl_error *err);

/* Make COND one whose waits go by the monotonic clock.  Thread: child start
 * only. */
void mdl_thread_cond_init(pthread_cond_t *cond);

/* Return the instant US of the monotonic clock as such a wait wants it.
 * Thread: any. */
struct timespec mdl_thread_timespec(int64_t us);

/* Sleep for US microseconds.  Thread: any. */
void mdl_thread_sleep(int64_t us);

/* Return a pool with an allocator of its own, for one thread that is none of
 * httpd's; destroyed by its user.  Out of memory ends the process.  Thread:
 * any. */
apr_pool_t *mdl_thread_pool(void);

/* Make MUTEX one that spins a little before it sleeps: for locks that are held
 * for less time than going to sleep takes. */
void mdl_thread_mutex_init(pthread_mutex_t *mutex);

#endif
