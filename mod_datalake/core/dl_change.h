/* dl_change.h - A change event, applied to the table of a dataset.
 *
 * A request that changes or deletes rows is one object, which is applied in
 * the transaction of the request and stored in the lake afterwards, so that a
 * rebuild can do the same:
 *
 *   {"_event":"update"|"delete","key":{...},"changes":{...}|null,"by":...,
 *    "at":...,"request_id":...,"upto":{"PARTITION":OFFSET,...}}
 *
 * "key" and "changes" have members of a record.  The rows that change are
 * those with the members of the key, with the same spaces at their ends, that
 * stem from records below "upto": what the warehouse had loaded then.  A record that comes later replaces a changed
 * row as any other.  Two more members, where they are needed: "generation",
 * the life of the topic in which "upto" counts, when it is not the first; and
 * "also":{"DATASET":{"upto":{...},"generation":...}}, when rows of another
 * dataset change with it (the client of a payment).
 *
 * An array of a record that is rows of a table of its own is replaced as a
 * whole.  Members that are no column are passed over.
 *
 * Thread: one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_CHANGE_H
#define DL_CHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_lake.h"
#include "dl_record.h"
#include "dl_wh.h"

/* Reads events and applies them to one table. */
typedef struct dl_change dl_change;

/* Return what applies events of the topic of dataset OF to the table of DS,
 * often the same dataset.  In POOL; both outlive it. */
dl_change *dl_change_create(const dl_dataset *ds, const char *of,
                            apr_pool_t *pool);

/* Judge CHANGES, LEN bytes of an object that is to be the member "changes":
 * every member of it that DS has must be of its type and fit its column.
 * DL_INVALID: what is wrong, with *MEMBER the name of it, static or in the
 * declaration; NULL: it is no object. */
DL_MUSTCHECK dl_status dl_change_check(const char **member, dl_change *change,
                                       const char *changes, size_t len,
                                       dl_error *err);

/* Take KEY, LEN bytes of an object, for dl_change_lock; it lives as long as it
 * is used.  DL_CORRUPT: it has no member that is a column. */
DL_MUSTCHECK dl_status dl_change_key(dl_change *change, const char *key,
                                     size_t len, dl_error *err);

/* Lock the rows with that key for the rest of the transaction of WH and set
 * *ROWS to how many they are. */
DL_MUSTCHECK dl_status dl_change_lock(uint64_t *rows, dl_change *change,
                                      dl_wh *wh, dl_error *err);

/* What was loaded of one partition. */
typedef struct dl_change_bound {
    int64_t partition; /* its number */
    int64_t next;      /* first offset that was not loaded */
} dl_change_bound;

/* What the warehouse has loaded of a topic. */
typedef struct dl_change_loaded {
    int32_t generation;      /* the latest life of the topic that it knows */
    dl_change_bound *bounds; /* of that one; all of those before is loaded */
    int n;                   /* how many */
} dl_change_loaded;

/* Count the locked rows that stem from LOADED, which was read behind the lock:
 * dl_change_apply tells how many they are. */
DL_MUSTCHECK dl_status dl_change_count(dl_change *change, dl_wh *wh,
                                       const dl_change_loaded *loaded,
                                       dl_error *err);

/* Take the event TEXT of LEN bytes apart, which lives until the next call.
 * DL_CORRUPT: it is not of the form above. */
DL_MUSTCHECK dl_status dl_change_read(dl_change *change, const char *text,
                                      size_t len, dl_error *err);

/* Return whether the event is about the table at all; if not, applying it does
 * nothing. */
bool dl_change_concerns(const dl_change *change);

/* Return whether the event deletes rows. */
bool dl_change_deletes(const dl_change *change);

/* Return the key of the event, or of dl_change_key, as a record of the dataset;
 * dead at the next event. */
const dl_record *dl_change_key_record(const dl_change *change);

/* Return whether field I of the dataset is a member of that key, and a column
 * of the table. */
bool dl_change_is_key(const dl_change *change, int i);

/* Set *GENERATION to the life of the topic in which the event counts and BOUNDS
 * to what was loaded of it, MAX partitions at most; return how many. */
int dl_change_bounds(int32_t *generation, dl_change_bound *bounds, int max,
                     const dl_change *change);

/* Return whether a record at COORD had been loaded, by GENERATION and the N
 * BOUNDS of dl_change_bounds. */
bool dl_change_covers(int32_t generation, const dl_change_bound *bounds, int n,
                      const dl_coord *coord);

/* Apply the event by WH, and set *ROWS, unless it is NULL, to the rows that it
 * deletes, or that it is for: those that dl_change_count found loaded, also when
 * they had the values already.  Done twice it changes nothing more.  As
 * dl_wh_run. */
DL_MUSTCHECK dl_status dl_change_apply(uint64_t *rows, dl_change *change,
                                       dl_wh *wh, dl_error *err);

#endif
