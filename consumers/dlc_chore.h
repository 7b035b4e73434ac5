/* dlc_chore.h - A thread for work that can wait.
 *
 * A chore is a function that is called again and again by a thread of its
 * own, about the datasets the program has named to it.  What computes for
 * long in it is run by dlc_chore_apart, in a thread that gets the processor
 * and the disk when nobody else wants them; what holds a lock that the
 * consuming thread may want is not.
 *
 * Thread: dlc_chore_create and dlc_chore_add the owner's; the others any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_CHORE_H
#define DLC_CHORE_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"

typedef struct dlc_chore dlc_chore; /* the thread and what it is about */

/* Do what is due and return after how many microseconds to be called again;
 * sooner when a dataset is named or dlc_chore_wake is called.  The pool is
 * cleared after each call. */
typedef int64_t dlc_chore_turn(void *context, dlc_chore *chore,
                               apr_pool_t *scratch_pool);

/* Start *CHORE, which calls TURN with CONTEXT, for the first time after
 * FIRST_US.  Before POOL and its subpools end it is stopped and waited for;
 * CONTEXT lives as long.  DL_INTERNAL: no thread. */
DL_MUSTCHECK dl_status dlc_chore_create(dlc_chore **chore, dlc_chore_turn *turn,
                                        void *context, int64_t first_us,
                                        dl_error *err, apr_pool_t *pool);

/* Let CHORE be about the dataset NAME, too, which is copied, with its
 * declaration DS, which lives as long as CHORE; named again, it has another
 * declaration. */
void dlc_chore_add(dlc_chore *chore, const char *name, const dl_dataset *ds);

/* Return the N-th dataset from 0 in order of naming, and set *DS to its
 * declaration; NULL behind the last.  The name lives as long as CHORE. */
const char *dlc_chore_dataset(const dl_dataset **ds, dlc_chore *chore, int n);

/* Have CHORE called now. */
void dlc_chore_wake(dlc_chore *chore);

/* Whether CHORE is to end: a turn then returns soon. */
bool dlc_chore_stopping(dlc_chore *chore);

/* Run STEP with DATA in an idle thread and return when it has run; in this
 * thread when there can be no other. */
void dlc_chore_apart(void (*step)(void *data), void *data);

#endif
