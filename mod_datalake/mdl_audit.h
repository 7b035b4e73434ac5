/* mdl_audit.h - What a request leaves in the audit log.
 *
 * Logged are: every request of a known caller, every data read, every log-in
 * attempt, every change.  One request is one line.
 *
 *   mdl_audit_reserve   before the handler: room for the line, else 507 and
 *                       nothing has happened
 *   mdl_audit_answer    before the first byte of an answer: lines of changes,
 *                       log-ins, grants and exports are on disk now
 *   mdl_audit_finish    after the last byte: lines of reads
 *
 * The action is read, write or delete by the method; rows that are a log-in, a
 * grant, an export or a read by POST are listed in mdl_audit_action.c, and a
 * handler may say better in q->subject.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_AUDIT_H
#define MDL_AUDIT_H

#include <stdbool.h>

#include <apr.h>

struct mdl_request;

/* Take room for the line of Q.  Returns OK, or the status of the problem
 * storage-full that was set: 507.  A second call does nothing. */
int mdl_audit_reserve(struct mdl_request *q);

/* Q was refused with STATUS: make sure of room for its line.  False: there is
 * none, so it has to be answered 507 instead. */
bool mdl_audit_admit(struct mdl_request *q, int status);

/* Q is about to be answered with STATUS and BYTES of body (0: not known).
 * When its line has to be durable, wait for that; when that lasts longer than
 * the request may take, cut the connection: nobody is told what is not on
 * disk. */
void mdl_audit_answer(struct mdl_request *q, int status, apr_off_t bytes);

/* Log Q, which is over, unless that was done; give unused room back. */
void mdl_audit_finish(struct mdl_request *q);

/* Return the action of Q: static text. */
const char *mdl_audit_action(const struct mdl_request *q);

#endif
