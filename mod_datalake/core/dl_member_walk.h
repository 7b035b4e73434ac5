/* dl_member_walk.h - Some members of stored lines, by comparing instead of
 * parsing.
 *
 * Records of a dataset look alike: behind the value of one member stands
 * nearly always the same text before the next value, punctuation and names
 * (,"location":{"city":).  A walk remembers such texts and to which member
 * they lead, and compares; a line with anything new is scanned (dl_json.h) and
 * teaches its texts.  Both ways fill the same slots, also where a name comes
 * twice.
 *
 * Only for lines that were scanned before they were stored: what is wrong
 * with a text is not noticed.
 *
 * Bounds: DL_MEMBER_LEAVES members, DL_MEMBER_EDGES texts; lines that go
 * beyond are scanned.
 *
 * Thread: the owner, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_MEMBER_WALK_H
#define DL_MEMBER_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_json.h"

/* Most members, and texts between them, that are remembered; most paths. */
#define DL_MEMBER_LEAVES 500
#define DL_MEMBER_EDGES  2000
#define DL_MEMBER_PATHS  64

/* A walk. */
typedef struct dl_member_walk dl_member_walk;

/* Return a walk that fills slot i with what is at path i of the N PATHS, in
 * POOL; NULL: there are too many, or one lies below another. */
dl_member_walk *dl_member_walk_create(const char *const *paths, int n,
                                      apr_pool_t *pool);

/* Fill SLOTS, as dl_json_scan does, from the LEN bytes of the stored line at
 * TEXT; false: it has to be scanned, SLOTS mean nothing. */
bool dl_member_walk_line(dl_json_slice *slots, dl_member_walk *walk,
                         const char *text, size_t len);

/* Let WALK learn the texts of such a line, which was found canonical by a scan
 * that filled SLOTS. */
void dl_member_walk_learn(dl_member_walk *walk, const dl_json_slice *slots,
                          const char *text, size_t len);

#endif
