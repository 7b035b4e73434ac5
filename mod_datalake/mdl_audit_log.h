/* mdl_audit_log.h - This child's chain of the audit log: one thread that
 * writes and syncs, workers that wait for it or do not.
 *
 *   durable lines   a worker takes room on the volume, does its work, hands
 *                   its line over and waits until the line is on disk; lines
 *                   that wait together share one fdatasync
 *   other lines     lie in a buffer in memory, which is written and synced
 *                   every half second, or when it is half full
 *
 * Bounds: the buffer has DataLakeAuditBuffer bytes, half of which is being
 * filled while the other half is being written; durable lines are bounded by
 * the number of workers.  What does not fit is refused with DL_NO_SPACE before
 * anything was done, never dropped.
 *
 * The thread also ends the files of killed children, and removes files whose
 * entries were kept for long enough (AUDIT.md 11).
 *
 * A failed fdatasync ends the child (rule E9): nobody knows which lines are on
 * disk, and the next child ends the chain at the last whole line.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_AUDIT_LOG_H
#define MDL_AUDIT_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_audit.h"
#include "dl_error.h"

/* The log of one folder in this child. */
typedef struct mdl_audit_log mdl_audit_log;

/* Where and with what a log is written. */
typedef struct mdl_audit_log_options {
    int dir_fd;              /* the folder, open for the child's life */
    const dl_audit_key *key; /* signs the chain */
    size_t buffer;           /* bytes of DataLakeAuditBuffer */
    int64_t kept_days;       /* [retention] audit; 0: for ever */
} mdl_audit_log_options;

/* A line to be logged. */
typedef struct mdl_audit_line {
    const char *text; /* with its newline */
    size_t len;       /* its bytes */
    size_t sealed;    /* bytes of its sealed part */
    size_t room;      /* what was reserved for it, at least len */
} mdl_audit_line;

/* Set *LOG to a log of OPTIONS with its thread; it is ended with CHILD_POOL.
 * The first file is made when a line needs it.  DL_INTERNAL: no thread.
 * Thread: child start only. */
DL_MUSTCHECK dl_status mdl_audit_log_open(mdl_audit_log **log,
                                          const mdl_audit_log_options *options,
                                          dl_error *err,
                                          apr_pool_t *child_pool);

/* Take ROOM bytes for a line: on the volume when it is DURABLE, else in the
 * buffer.  DL_NO_SPACE: there is none.  Thread: any. */
DL_MUSTCHECK dl_status mdl_audit_log_reserve(mdl_audit_log *log, size_t room,
                                             bool durable, dl_error *err);

/* Give ROOM that was taken back.  Thread: any. */
void mdl_audit_log_release(mdl_audit_log *log, size_t room, bool durable);

/* Put LINE into the buffer, using up its room.  Thread: any. */
void mdl_audit_log_put(mdl_audit_log *log, const mdl_audit_line *line);

/* Hand LINE over and wait until it is on disk, using up its room.
 * DL_TIMEOUT: it is not yet after WAIT_US microseconds; it will be written all
 * the same.  Thread: any. */
DL_MUSTCHECK dl_status mdl_audit_log_commit(mdl_audit_log *log,
                                            const mdl_audit_line *line,
                                            int64_t wait_us, dl_error *err);

#endif
