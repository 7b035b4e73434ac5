/* dlc_wh_key.h - Values of some columns of a row as sixteen bytes.
 *
 * Two records, or a record and the key of a change event, have the same bytes
 * when the database would find their columns equal: values are those that the
 * loader stores, texts without the spaces at their end, which no key of the
 * database (utf8mb4_bin) tells apart.
 *
 * Thread: that of the sum.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_WH_KEY_H
#define DLC_WH_KEY_H

#include <stdbool.h>

#include "dl_dataset.h"
#include "dl_record.h"
#include "dl_sha256.h"

/* Most columns of a key. */
#define DLC_WH_KEY_FIELDS 64

/* The values of a key: half of a SHA-256 of them. */
typedef struct dlc_wh_key {
    unsigned char bytes[16]; /* they */
} dlc_wh_key;

/* Which columns. */
typedef struct dlc_wh_key_fields {
    int n;                     /* how many */
    int at[DLC_WH_KEY_FIELDS]; /* fields of the dataset, increasing */
    bool exact;                /* they are hashed together: a space at the end
                                * of a text counts */
} dlc_wh_key_fields;

/* Set *KEY to the values of FIELDS of the good record REC, told apart from
 * those of other columns by KIND.  SUM is over nothing before and after.
 * Returns whether none of them is NULL. */
bool dlc_wh_key_make(dlc_wh_key *key, dl_sha256 *sum, const dl_record *rec,
                     const dlc_wh_key_fields *fields, int kind);

/* Set *FIELDS to what makes a row of DS unique, fields of its hash too.
 * Returns false where each record is a row of its own, or there are too many
 * fields. */
bool dlc_wh_key_unique(dlc_wh_key_fields *fields, const dl_dataset *ds);

#endif
