/* mdl_pid_lock.h - A lock in shared memory that a killed process cannot keep.
 *
 * The lock is the pid of its holder.  Who waits for long asks the system
 * whether the holder still lives, and takes over from a dead one; so what the
 * lock guards must be sound after each single store.  Held for well under a
 * microsecond; it is not for waiting.
 *
 * Thread: any.  A thread may hold several, always in the same order.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PID_LOCK_H
#define MDL_PID_LOCK_H

#include <stdint.h>

/* The lock; zero is free. */
typedef _Atomic int32_t mdl_pid_lock;

/* Take LOCK. */
void mdl_pid_lock_take(mdl_pid_lock *lock);

/* Give LOCK, which this thread holds, back. */
void mdl_pid_lock_give(mdl_pid_lock *lock);

#endif
