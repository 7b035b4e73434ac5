/* dl_job_write.h - Jobs, schedules and runs as JSON objects (contract 8).
 *
 * Thread: the writer's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JOB_WRITE_H
#define DL_JOB_WRITE_H

#include "dl_job.h"
#include "dl_json_write.h"
#include "dl_schedule.h"

/* Write JOB. */
void dl_job_write(dl_json_writer *w, const dl_job *job);

/* Write SCHEDULE with its N RUNS. */
void dl_schedule_write(dl_json_writer *w, const dl_schedule *schedule,
                       const dl_schedule_run *runs, int n);

#endif
