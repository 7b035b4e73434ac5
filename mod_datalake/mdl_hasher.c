/* mdl_hasher.c - The threads, their queue, their priority.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_hasher.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dl_log.h"
#include "dl_thread.h"

/* The most threads. */
#define THREADS_MAX 8

/* The priority: a tenth of the weight of a worker. */
#define NICE 10

/* How long a thread may run at least once it runs, in nanoseconds: the least
 * that Linux takes, against 3 ms as a rule. */
#define SLICE_NS 100000

/* Work on its way; lives on the stack of the worker that waits for it. */
typedef struct job {
    struct job *next;     /* handed over after it */
    mdl_hasher_work *run; /* what to do */
    void *data;           /* with what */
    pthread_cond_t ended; /* the worker sleeps on it */
    bool done;            /* run has returned */
} job;

/* The threads of this child. */
static struct {
    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t work;   /* there is a job, or the end */
    job *first;            /* oldest first */
    job **last;            /* where the next one goes */
    bool stop;             /* the child ends */
    int n;                 /* threads; constant after the start */
    pthread_t thread[THREADS_MAX];
} hasher = {.mutex = PTHREAD_MUTEX_INITIALIZER,
            .work = PTHREAD_COND_INITIALIZER};

/* What sched_setattr takes; glibc has no name for it yet. */
typedef struct sched_settings {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* of SCHED_OTHER: the slice, since Linux 6.12 */
    uint64_t deadline;
    uint64_t period;
} sched_settings;

/* Lower the calling thread's priority; where that is not allowed, it works
 * with the one it has. */
static void stand_back(void)
{
    sched_settings settings = {.size = sizeof settings,
                               .policy = SCHED_OTHER,
                               .nice = NICE,
                               .runtime = SLICE_NS};

    if (syscall(SYS_sched_setattr, 0, &settings, 0) != 0) {
        dl_log(DL_LOG_NOTICE, "DL1261 passwords are hashed with full priority");
    }
}

/* Take the oldest job; NULL: the child ends. */
static job *take(void)
{
    job *j;

    pthread_mutex_lock(&hasher.mutex);
    while (hasher.first == NULL && !hasher.stop) {
        pthread_cond_wait(&hasher.work, &hasher.mutex);
    }
    j = hasher.first;
    if (j != NULL) {
        hasher.first = j->next;
        if (hasher.first == NULL) {
            hasher.last = &hasher.first;
        }
    }
    pthread_mutex_unlock(&hasher.mutex);
    return j;
}

static void *run(void *unused)
{
    job *j;

    (void)unused;
    stand_back();
    while ((j = take()) != NULL) {
        j->run(j->data);
        pthread_mutex_lock(&hasher.mutex);
        j->done = true;
        pthread_cond_signal(&j->ended);
        pthread_mutex_unlock(&hasher.mutex);
    }
    return NULL;
}

void mdl_hasher_do(mdl_hasher_work *work, void *data)
{
    job j = {.run = work, .data = data};

    if (hasher.n == 0) {
        work(data);
        return;
    }
    pthread_cond_init(&j.ended, NULL);
    pthread_mutex_lock(&hasher.mutex);
    *hasher.last = &j;
    hasher.last = &j.next;
    pthread_cond_signal(&hasher.work);
    while (!j.done) {
        pthread_cond_wait(&j.ended, &hasher.mutex);
    }
    pthread_mutex_unlock(&hasher.mutex);
    pthread_cond_destroy(&j.ended);
}

/* --- Start and end -------------------------------------------------------- */

static apr_status_t stop(void *unused)
{
    int i;

    (void)unused;
    pthread_mutex_lock(&hasher.mutex);
    hasher.stop = true;
    pthread_cond_broadcast(&hasher.work);
    pthread_mutex_unlock(&hasher.mutex);
    for (i = 0; i < hasher.n; i++) {
        pthread_join(hasher.thread[i], NULL);
    }
    return APR_SUCCESS;
}

void mdl_hasher_start(int n, apr_pool_t *child_pool)
{
    dl_error err;

    hasher.last = &hasher.first;
    while (hasher.n < n && hasher.n < THREADS_MAX) {
        if (dl_thread_start(&hasher.thread[hasher.n], run, NULL,
                            "hashes passwords", &err) != DL_OK) {
            dl_log(DL_LOG_ERROR, "DL1262 %s", err.text);
            break;
        }
        hasher.n++;
    }
    apr_pool_pre_cleanup_register(child_pool, NULL, stop);
}
