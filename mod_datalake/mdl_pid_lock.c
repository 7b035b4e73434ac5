/* mdl_pid_lock.c - Spins, and asks after the holder.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_pid_lock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* How often the lock is looked at before its holder is. */
#define TRIES 1000

void mdl_pid_lock_take(mdl_pid_lock *lock)
{
    int32_t self = (int32_t)getpid();
    unsigned tries = 0;

    for (;;) {
        int32_t holder = 0;

        if (atomic_compare_exchange_weak(lock, &holder, self)) {
            return;
        }
        if (++tries % TRIES == 0) {
            if (holder != 0 && kill(holder, 0) != 0 && errno == ESRCH &&
                atomic_compare_exchange_strong(lock, &holder, self)) {
                return;
            }
            (void)sched_yield();
        }
    }
}

void mdl_pid_lock_give(mdl_pid_lock *lock)
{
    atomic_store(lock, 0);
}
