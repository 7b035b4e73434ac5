/* dl_lake_message.h - The bytes of a message as it was received, found by its
 * coordinates: in quarantine, or as a record.
 *
 * Thread: the owner of the snapshot.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_MESSAGE_H
#define DL_LAKE_MESSAGE_H

#include "dl_lake_quarantine.h"

/* A message. */
typedef struct dl_lake_message {
    const void *key;   /* NULL: it had none, or nobody knows */
    size_t key_len;    /* bytes of KEY */
    const void *value; /* its bytes */
    size_t len;        /* bytes of VALUE */
} dl_lake_message;

/* Set *MESSAGE to what SNAP has of COORD (its time is not looked at): the
 * record set aside at PLACE, or, when PLACE has no lake, the stored line.  It
 * lives in RESULT_POOL, which must not outlive SNAP's.  DL_NOT_FOUND: SNAP
 * does not have it there. */
DL_MUSTCHECK dl_status dl_lake_message_find(
    dl_lake_message *message, dl_lake_snapshot *snap,
    const dl_lake_quarantine_place *place, const dl_coord *coord, dl_error *err,
    apr_pool_t *result_pool);

#endif
