/* dl_thread.c - Starting threads with signals blocked, waits by the monotonic
 * clock.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_thread.h"

#include <signal.h>

#include "dl_time.h"

dl_status dl_thread_start(pthread_t *thread, void *(*run)(void *data),
                          void *data, const char *what, dl_error *err)
{
    sigset_t all;
    sigset_t before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, run, data);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? DL_OK
                   : dl_fail(err, DL_INTERNAL, rc, "thread that %s", what);
}

void dl_thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

struct timespec dl_thread_timespec(int64_t us)
{
    struct timespec t = {.tv_sec = us / DL_SECOND_US,
                         .tv_nsec = us % DL_SECOND_US * 1000};

    return t;
}

void dl_thread_sleep(int64_t us)
{
    struct timespec pause = dl_thread_timespec(us);

    (void)nanosleep(&pause, NULL);
}
