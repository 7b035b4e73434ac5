/* mdl_body_member.h - One sent value against the table of a body.
 *
 * For mdl_body.c, which takes bodies apart; handlers read mdl_body.h.  All
 * faults of a body end up in one 422 validation.
 *
 * Thread: the request's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_BODY_MEMBER_H
#define MDL_BODY_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_json_values.h"
#include "mdl_request.h"

/* Return whether the member called NAME (LEN bytes) was taken before. */
bool mdl_body_member_sent(const mdl_request *q, const char *name, size_t len);

/* Judge VALUE, a member of Q's body, and keep it in q->members.  A value
 * without a place in the text (first and end 0) comes from a form: a string
 * that stands for any type. */
void mdl_body_member_take(mdl_request *q, const dl_json_value *value);

/* Name a fault of MEMBER (NULL: of the whole body). */
void mdl_body_member_fault(mdl_request *q, const mdl_member *member,
                           const char *code, const char *detail);

/* Look for what is missing; return OK or the status of the faults found. */
int mdl_body_member_finish(mdl_request *q);

#endif
