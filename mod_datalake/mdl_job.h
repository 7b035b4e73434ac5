/* mdl_job.h - A job as clients see it.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_JOB_H
#define MDL_JOB_H

#include "dl_job.h"
#include "dl_json_write.h"

/* Write JOB as the object of contract 8. */
void mdl_job_write(dl_json_writer *w, const dl_job *job);

#endif
