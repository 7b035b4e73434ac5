/* mdl_key.h - The stored records that have a business key.
 *
 * Where a part has an index its list of keys names their lines; other parts
 * are read as far as there is time.
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_KEY_H
#define MDL_KEY_H

#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_lake_locate.h"
#include "mdl_request.h"

/* Most records of one key that are told; the newest of them. */
#define MDL_KEY_COPIES 1000

/* A record that has the key. */
typedef struct mdl_copy {
    dl_lake_spot spot; /* where it is stored */
    dl_coord coord;    /* where it came from */
} mdl_copy;

/* The records of one key. */
typedef struct mdl_copies {
    mdl_copy *all; /* the newest message first, which is the one whose row the
                      warehouse has */
    int n;         /* how many, at most MDL_KEY_COPIES */
} mdl_copies;

/* Set *FOUND to the records of DS in SNAP whose key (its field key_field,
 * which there is) is ID, in the pool of Q.  DL_TIMEOUT: not read to the end
 * before the deadline of Q; DL_IO: nobody waits for the answer; DL_INVALID: no
 * key can be ID; else as dl_lake_scan_next. */
DL_MUSTCHECK dl_status mdl_key_find(mdl_copies *found, mdl_request *q,
                                    dl_lake_snapshot *snap,
                                    const dl_dataset *ds, const char *id,
                                    dl_error *err);

/* Return the text of the key of DS in the LEN bytes of the record at TEXT, in
 * the pool of Q; NULL: DS declares none, or it is not there. */
const char *mdl_key_of(mdl_request *q, const dl_dataset *ds, const char *text,
                       size_t len);

/* Return what the one unique column of DS's table has in the row of the record
 * of LEN bytes at TEXT, in the pool of Q; NULL: the record does not say it
 * alone. */
const char *mdl_key_row(mdl_request *q, const dl_dataset *ds, const char *text,
                        size_t len);

#endif
