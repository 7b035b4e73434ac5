/* dl_transform.h - What is done to a value between its source and a record.
 *
 * A comma list of steps, done in their order:
 *
 *     trim             white space at both ends goes away
 *     upper, lower     letters of all scripts, one for one
 *     date FORMAT [to FORMAT]
 *                      a date or time (dl_date.h) is written anew, left out:
 *                      2023-01-20 and 2023-01-20 11:37:58
 *     decimal comma    1.234,56 becomes 1234.56
 *     constant TEXT    the value is TEXT, whatever the source says; all that
 *                      follows belongs to TEXT, commas too
 *     rename NAME      the member is called so, in the object it is in
 *     drop             the member is left out
 *
 * An empty text and null go through date and decimal comma untouched.
 *
 * Thread: a list never changes, any may use it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_TRANSFORM_H
#define DL_TRANSFORM_H

#include <stdbool.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_cell.h"
#include "dl_error.h"

/* Most steps of a list. */
#define DL_TRANSFORM_STEPS 16

/* A list of steps. */
typedef struct dl_transform dl_transform;

/* Set *TRANSFORM to what LIST says, in POOL.  DL_INVALID: an unknown step, or
 * one that cannot be; the sentence names it. */
DL_MUSTCHECK dl_status dl_transform_parse(const dl_transform **transform,
                                          const char *list, dl_error *err,
                                          apr_pool_t *pool);

/* Return whether TRANSFORM leaves its member out. */
bool dl_transform_drops(const dl_transform *transform);

/* Return whether TRANSFORM gives a value where the source has none. */
bool dl_transform_gives(const dl_transform *transform);

/* Return how TRANSFORM calls its member (a name without dots), NULL: as
 * before. */
const char *dl_transform_name(const dl_transform *transform);

/* Change *CELL as TRANSFORM says.  New bytes are appended to ROOM, where they
 * live until it is emptied; ROOM may move while it grows, so a cell is to be
 * used before the next one is transformed.  DL_INVALID: the value is not what
 * a step expects; DL_LIMIT: ROOM is full. */
DL_MUSTCHECK dl_status dl_transform_apply(dl_cell *cell,
                                          const dl_transform *transform,
                                          dl_buf *room, dl_error *err);

#endif
