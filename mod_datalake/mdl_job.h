/* mdl_job.h - What routes answer that begin a job.
 *
 * Thread: the request's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_JOB_H
#define MDL_JOB_H

#include "dl_json_write.h"
#include "mdl_request.h"

/* A job that was queued. */
typedef struct mdl_queued {
    const char *message; /* a sentence */
    const char *job_id;  /* its id */
    /* Writes further members of the answer, at most 512 bytes; NULL: none. */
    void (*more)(dl_json_writer *w, const void *context);
    const void *context; /* for MORE */
} mdl_queued;

/* Answer 202 with the message, id and state of QUEUED and where to look. */
int mdl_job_queued(mdl_request *q, const mdl_queued *queued);

/* Name the problem that the job RUNNING (copied; "": not known) is in the way,
 * told in DETAIL: 409 with its address.  Returns the status. */
int mdl_job_in_the_way(mdl_request *q, const char *running, const char *detail);

#endif
