/* dlc_tally.h - Sums under keys: what a rollup table is going to get.
 *
 * A key is any bytes of at most DLC_TALLY_KEY; equal bytes are one entry.
 * Memory comes from malloc and is given back by dlc_tally_destroy; running
 * out of it ends the process.  Thread: one at a time.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_TALLY_H
#define DLC_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "dl_decimal.h"

/* Most bytes a key has. */
#define DLC_TALLY_KEY 4096

/* What is added up. */
typedef struct dlc_sums {
    dl_int128 amount;    /* in the record's currency, 10^-10 units */
    dl_int128 base;      /* converted */
    int64_t n;           /* records */
    int64_t unconverted; /* amounts without a rate */
    int64_t quantity;    /* pieces */
} dlc_sums;

/* Add SIGN (1 or -1) times MORE to *SUMS. */
void dlc_sums_add(dlc_sums *sums, const dlc_sums *more, int sign);

/* Sums under keys. */
typedef struct dlc_tally dlc_tally;

/* Return an empty tally. */
dlc_tally *dlc_tally_create(void);

/* Free TALLY; NULL is nothing. */
void dlc_tally_destroy(dlc_tally *tally);

/* Add SIGN times SUMS under the LEN bytes at KEY. */
void dlc_tally_add(dlc_tally *tally, const void *key, size_t len,
                   const dlc_sums *sums, int sign);

/* Add all of FROM to TALLY. */
void dlc_tally_merge(dlc_tally *tally, const dlc_tally *from);

/* Return the number of keys. */
size_t dlc_tally_count(const dlc_tally *tally);

/* Return the bytes of memory TALLY holds. */
size_t dlc_tally_bytes(const dlc_tally *tally);

/* One entry. */
typedef struct dlc_tally_item {
    const unsigned char *key; /* in the tally */
    size_t len;               /* its bytes */
    const dlc_sums *sums;     /* in the tally */
} dlc_tally_item;

/* Return all entries, in order of their bytes, as an array from malloc that
 * the caller frees; it dies with the next change of TALLY. */
dlc_tally_item *dlc_tally_sorted(const dlc_tally *tally);

#endif
