/* mdl_list.h - One page of a list that goes by a time and an id, newest first:
 * {NAME: [...], "next_cursor": ...}.
 *
 * A route opens the list, which tells where the page begins; reads one row
 * more than the page has, asking mdl_list_takes before it writes each and
 * telling mdl_list_took behind it; and sends the list.
 *
 * Thread: the request's, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_LIST_H
#define MDL_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_buf.h"
#include "dl_json_write.h"
#include "dl_time.h"
#include "mdl_cursor.h"
#include "mdl_request.h"

/* The longest id of a row with its NUL. */
#define MDL_LIST_ID 40

/* A page of a list. */
typedef struct mdl_list {
    mdl_request *q;             /* who asks */
    mdl_cursor_binding binding; /* of this list's cursors */
    int rows;                   /* rows of the page, at most */
    dl_time before;             /* the page begins behind the row of this time
                                   and id; DL_TIME_NONE: at the newest row */
    const char *before_id;      /* that id; "": none */
    dl_buf *buf;                /* the answer */
    dl_json_writer w;           /* into it */
    int n;                      /* rows written */
    dl_time last;               /* time of the last of them */
    char last_id[MDL_LIST_ID];  /* its id */
    bool more;                  /* there is another page */
} mdl_list;

/* Set LIST to the page that the parameters of Q at the places LIMIT and CURSOR
 * name; FILTERS are the other parameters of the list in one spelling, and live
 * as long as Q.  Returns OK, or the status of the problem that was named. */
int mdl_list_open(mdl_list *list, mdl_request *q, const char *filters,
                  int limit, int cursor);

/* Begin the answer, of at most MAX bytes, with the array NAME; what was
 * written to LIST before is forgotten. */
void mdl_list_begin(mdl_list *list, const char *name, size_t max);

/* Whether another row belongs to the page; if not, there is another page. */
bool mdl_list_takes(mdl_list *list);

/* A row was written, of time AT and id ID. */
void mdl_list_took(mdl_list *list, dl_time at, const char *id);

/* End LIST and send it.  Returns the status of the answer. */
int mdl_list_send(mdl_list *list);

#endif
