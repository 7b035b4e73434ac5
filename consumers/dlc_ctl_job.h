/* dlc_ctl_job.h - What the commands share that begin long work.
 *
 * Thread: the one main thread.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_CTL_JOB_H
#define DLC_CTL_JOB_H

#include "dl_job.h"
#include "dl_repush.h"
#include "dl_time.h"
#include "dl_wh.h"
#include "dlc_ctl.h"

/* Set *T to TEXT, what OPTION says, DL_TIME_NONE when it is NULL; END: a date
 * is the end of that day.  Return -1 to go on, else the exit status. */
int dlc_ctl_read_time(dl_time *t, const dlc_ctl *ctl, const char *option,
                      const char *text, bool end);

/* Queue the repush that ARGV, options and filters of replay, asks for: ID is
 * its job and ASKED what it does.  Return -1 to go on, else the exit status;
 * one that is under way is a failure. */
int dlc_ctl_replay_queue(char id[DL_JOB_ID], dl_repush *asked, dlc_ctl *ctl,
                         int argc, const char *const *argv);

/* Wait for the end of job ID, with a bar on a terminal, and print it; return
 * DLC_CTL_OK when it succeeded. */
int dlc_ctl_job_follow(dlc_ctl *ctl, dl_wh *wh, const char *id);

/* Queue the job that ARGV, behind "job run", names and follow it. */
int dlc_ctl_job_run(dlc_ctl *ctl, int argc, const char *const *argv);

#endif
