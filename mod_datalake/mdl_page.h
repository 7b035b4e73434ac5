/* mdl_page.h - Pages of a list: the parameters limit and cursor, and the
 * cursor of the next page.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_PAGE_H
#define MDL_PAGE_H

#include "mdl_cursor.h"
#include "mdl_param.h"
#include "mdl_request.h"

/* The row of limit= at place N of a parameter table; DEFAULT is a text. */
#define MDL_PAGE_LIMIT(n, default)                                             \
    [n] = {.name = "limit",                                                    \
           .type = MDL_PARAM_INT,                                              \
           .min = 1,                                                           \
           .max = 1000,                                                        \
           .fallback = default,                                                \
           .summary = "Rows of a page, at most"}

/* The row of cursor= at place N. */
#define MDL_PAGE_CURSOR(n)                                                     \
    [n] = {.name = "cursor",                                                   \
           .type = MDL_PARAM_CURSOR,                                           \
           .summary = "Where the page begins"}

/* Set *POSITION to the position in the cursor at place N of Q's parameters,
 * which has to be one of BINDING; NULL when no cursor was sent.  Returns OK,
 * or the status of the problem that was named: cursor-invalid. */
int mdl_page_open(const char **position, mdl_request *q,
                  const mdl_cursor_binding *binding, int n);

/* Name the problem that the cursor at place N of Q's parameters is not valid;
 * returns its status. */
int mdl_page_refuse(mdl_request *q, int n);

/* Return the cursor of the page behind POSITION, in the request's pool. */
const char *mdl_page_next(mdl_request *q, const mdl_cursor_binding *binding,
                          const char *position);

#endif
