/* mdl_kept.h - Answers about objects of the warehouse, kept until they change.
 *
 * An object that is asked for again and again is read once and answered out of
 * this child's memory (mdl_cache.h) until the loader of this host commits, a
 * request of this server changes any object, or two seconds are over since it
 * was begun to be read, which bounds what a change by another server or
 * program can hide.  Changes of this server are counted in shared memory, and
 * the count is part of what an answer is kept under: who was told that a
 * change is done never sees what was before.
 *
 *   status = mdl_kept_begin(&kept, q, &binding, CURSOR);
 *   if (status != OK) {
 *       return status;
 *   }
 *   if (mdl_kept_find(&kept)) {
 *       return mdl_kept_send(&kept);
 *   }
 *   ... read; when that fails: mdl_kept_forget(&kept) ...
 *   return mdl_kept_keep(&kept, etag, body, len, cursor);
 *
 * Who changes objects calls mdl_kept_changed() behind the commit, before the
 * answer.
 *
 * Thread: the request's, but for what says otherwise.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_KEPT_H
#define MDL_KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mdl_answer.h"
#include "mdl_cache.h"
#include "mdl_cursor.h"
#include "mdl_request.h"

/* An answer that is kept or to be made. */
typedef struct mdl_kept {
    mdl_request *q;             /* who asks */
    mdl_cursor_binding binding; /* what for */
    dl_time before;             /* the page begins behind the row of this time
                                and id; DL_TIME_NONE: at the newest row */
    const char *before_id;      /* that id; "": none */
    const char *key;            /* what is asked; NULL: not to be kept */
    const char *stamp;          /* state of the data */
    int64_t since_us;           /* monotonic, when it was looked for */
    mdl_cache_answer answer;    /* its validator, then its body */
} mdl_kept;

/* Open the counter of changes that all children of SERVER share.  DL_IO: no
 * shared memory.  Thread: start only. */
DL_MUSTCHECK dl_status mdl_kept_open(const server_rec *server, dl_error *err);

/* Something was changed and committed: answers from before are not given any
 * more.  Thread: any. */
void mdl_kept_changed(void);

/* Return how often something was changed.  Thread: any. */
uint64_t mdl_kept_changes(void);

/* Set KEPT to what Q asks: the object or list of BINDING, from the cursor at
 * place N of its parameters on; -1: it has no pages.  Returns OK, or the status
 * of the problem that was named. */
int mdl_kept_begin(mdl_kept *kept, mdl_request *q,
                   const mdl_cursor_binding *binding, int n);

/* Return the cursor of the page of KEPT that begins behind the row of time AT
 * and ID, in the request's pool. */
const char *mdl_kept_next(const mdl_kept *kept, dl_time at, const char *id);

/* Look for the answer.  False: the caller makes it and calls mdl_kept_keep or
 * mdl_kept_forget. */
bool mdl_kept_find(mdl_kept *kept);

/* Send the answer that was found, or 304.  Returns OK. */
int mdl_kept_send(const mdl_kept *kept);

/* Keep the LEN bytes at BODY (in the request's pool or longer), whose
 * validator is ETAG, with the CURSOR of the next page (NULL: none) as the
 * answer, and send it.  Returns OK. */
int mdl_kept_keep(mdl_kept *kept, const char etag[MDL_ETAG_TEXT],
                  const char *body, size_t len, const char *cursor);

/* The answer could not be made. */
void mdl_kept_forget(const mdl_kept *kept);

#endif
