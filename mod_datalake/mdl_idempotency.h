/* mdl_idempotency.h - Idempotency-Key: a repeated request gets the answer of
 * the first one (contract 1.6).
 *
 * Honoured by rows whose body is marked repeatable (one that takes none has a
 * mdl_body without members, optional), otherwise ignored.  Owner
 * of a key is the account, or the address where no token is looked at.  The
 * first request claims the key in the warehouse before its handler runs; what
 * it answers with 2xx is kept there for 24 hours before the first byte leaves,
 * and given again.  Any other outcome changed nothing: the claim is given up
 * and a repetition is tried anew.
 *
 *   same key, other path, query or body    422 idempotency-mismatch
 *   same key, first one under way          409 conflict
 *   warehouse away                         503, the handler does not run
 *
 * The claim of a child that died expires 30 s after its request would have
 * had to end.  Of the body a keyed hash is kept, because it may hold a
 * password.  What is kept: content type, Cache-Control and Location, a line
 * each, then the body.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_IDEMPOTENCY_H
#define MDL_IDEMPOTENCY_H

#include <stdbool.h>

#include "mdl_answer.h"
#include "mdl_request.h"

/* Claim the key of Q, if it has one.  Returns OK, or the status of a problem;
 * *DONE: the answer of the first request has been sent, the handler must not
 * run. */
int mdl_idempotency_begin(bool *done, mdl_request *q);

/* Keep ANSWER, which Q is about to get, if Q has a claim. */
void mdl_idempotency_keep(mdl_request *q, const mdl_answer *answer);

/* The handler of Q is over: give a claim up that has no answer. */
void mdl_idempotency_end(mdl_request *q);

#endif
