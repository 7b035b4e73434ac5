/* dlc_mail.h - The text of the mail that says how a run of a schedule failed.
 *
 * Made as RFC 5322 and 2045 have it: lines of at most 76 characters that end
 * with CRLF, ASCII, whatever the run's texts hold.  A line end in one of them
 * never begins a header, a point never ends the mail.  The same run gives the
 * same Message-ID, so that a mail that is sent twice can be known.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_MAIL_H
#define DLC_MAIL_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_time.h"

/* Bytes of a name and of the error that are told at most. */
#define DLC_MAIL_NAME_MAX  256
#define DLC_MAIL_ERROR_MAX 2048

/* A run that failed.  Texts are foreign: of any length, with any bytes. */
typedef struct dlc_mail_run {
    int64_t id;          /* its number */
    const char *name;    /* of its schedule */
    const char *trigger; /* who asked for it */
    const char *job_id;  /* the job that did it; "": none */
    const char *error;   /* what came of it */
    dl_time started_at;  /* when it was asked for */
    dl_time finished_at; /* when it ended */
} dlc_mail_run;

/* Return the mail about RUN from the address FROM (NAME@HOST, checked) at NOW,
 * headers and text, and set *LEN to its bytes; less than 16 KiB, in POOL. */
const char *dlc_mail_text(size_t *len, const dlc_mail_run *run,
                          const char *from, dl_time now, apr_pool_t *pool);

#endif
