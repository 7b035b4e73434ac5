/* dlc_job_numbers.h - What /metrics tells of jobs, schedules and tables.
 *
 * How many jobs there are by kind and state, and when each schedule last went
 * well, are read from the warehouse every few seconds, and what each table
 * takes every minute; every program reads the same, so it does not matter
 * whose page is taken.
 *
 * Thread: the main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_JOB_NUMBERS_H
#define DLC_JOB_NUMBERS_H

#include <apr_pools.h>

#include "dl_config.h"
#include "dl_error.h"
#include "dl_stats.h"

/* The numbers of a program. */
typedef struct dlc_job_numbers dlc_job_numbers;

/* Set *NUMBERS to those of the warehouse of CFG, to be told in STATS; they
 * live in POOL.  Fails as dlc_link_create. */
DL_MUSTCHECK dl_status dlc_job_numbers_create(dlc_job_numbers **numbers,
                                              const dl_config *cfg,
                                              dl_stats *stats, dl_error *err,
                                              apr_pool_t *pool);

/* Bring NUMBERS up to date when that is due; what cannot be read stays as it
 * was. */
void dlc_job_numbers_turn(dlc_job_numbers *numbers);

#endif
