/* dl_thread.h - Threads beside the main one, and their waits.
 *
 * Signals are for the main thread (of a daemon) or for httpd's own, so a
 * thread of ours is started with all of them blocked.  Waits go by the
 * monotonic clock, which nobody sets.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_THREAD_H
#define DL_THREAD_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

#include "dl_error.h"

/* Start *THREAD as RUN with DATA, all signals blocked; its starter joins it.
 * DL_INTERNAL: the system refuses; WHAT, behind "thread that", says which
 * one.  Thread: any. */
DL_MUSTCHECK dl_status dl_thread_start(pthread_t *thread,
                                       void *(*run)(void *data), void *data,
                                       const char *what, dl_error *err);

/* Make COND one whose waits go by the monotonic clock.  Thread: its owner. */
void dl_thread_cond_init(pthread_cond_t *cond);

/* Return the instant US of the monotonic clock as such a wait wants it.
 * Thread: any. */
struct timespec dl_thread_timespec(int64_t us);

/* Sleep for US microseconds, or until a signal that is not blocked comes.
 * Thread: any. */
void dl_thread_sleep(int64_t us);

#endif
