/* mdl_problem_body.h - What a request's problem holds, and its text.
 *
 * For mdl_problem.c, which fills it, and mdl_filter_error.c, which sends it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PROBLEM_BODY_H
#define MDL_PROBLEM_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "dl_buf.h"
#include "mdl_problem.h"

/* Entries of errors[] that are kept; the rest of a long list helps nobody. */
#define MDL_PROBLEM_ERRORS 20

/* Further members that are kept. */
#define MDL_PROBLEM_MEMBERS 4

/* One entry of errors[]; one of parameter and pointer is set. */
typedef struct mdl_problem_error {
    const char *parameter; /* name of a parameter, or NULL */
    const char *pointer;   /* JSON pointer into the body, or NULL */
    const char *code;      /* machine-readable cause */
    const char *detail;    /* words for people */
} mdl_problem_error;

/* What mdl_problem() and its companions have said so far. */
typedef struct mdl_problem_state {
    mdl_slug slug;      /* the type; NONE: only errors so far */
    const char *detail; /* the sentence */
    int n_errors;       /* entries of errors */
    mdl_problem_error errors[MDL_PROBLEM_ERRORS]; /* errors[] */
    int n_members;                                /* entries of members */
    struct {
        const char *name;           /* of the member */
        const char *value;          /* its text; NULL: number counts */
        uint32_t number;            /* its number */
    } members[MDL_PROBLEM_MEMBERS]; /* further members */
} mdl_problem_state;

/* Append to OUT the problem of STATUS for the request ID.  STATE may be NULL,
 * or of another status (somebody else's error came later): then type and
 * sentence are those of the status.  What OUT cannot hold is left out with
 * the whole body; returns false then.  Thread: the request's. */
bool mdl_problem_write(dl_buf *out, int status, const mdl_problem_state *state,
                       const char *id);

#endif
