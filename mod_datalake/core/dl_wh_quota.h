/* dl_wh_quota.h - Quota windows in the warehouse, for the next cold start.
 *
 * The truth is in the shared memory of the server; a row is what it had
 * written last.  Times are kept as when a window began.
 *
 * Thread: the owner of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_QUOTA_H
#define DL_WH_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "dl_time.h"
#include "dl_wh.h"

/* Room for the texts of a row, NUL included. */
#define DL_WH_QUOTA_SUBJECT 49
#define DL_WH_QUOTA_POLICY  21

/* One window. */
typedef struct dl_wh_quota_row {
    char subject[DL_WH_QUOTA_SUBJECT]; /* account or address as text */
    char policy[DL_WH_QUOTA_POLICY];   /* name of the policy */
    dl_time began;                     /* when the window began */
    int64_t used;                      /* amount used since then */
} dl_wh_quota_row;

/* Write ROW over the one of its subject and policy.  Of two windows the one
 * that began later stays; of one window the greater amount.  Inside the
 * caller's transaction. */
DL_MUSTCHECK dl_status dl_wh_quota_save(dl_wh *wh, const dl_wh_quota_row *row,
                                        dl_error *err);

/* Where dl_wh_quota_load puts what it reads. */
typedef struct dl_wh_quota_rows {
    dl_wh_quota_row *rows; /* the caller's */
    size_t max;            /* how many fit */
    size_t n;              /* how many were read; the rest is left out */
} dl_wh_quota_rows;

/* Fill OUT with the windows that began after SINCE, most used first. */
DL_MUSTCHECK dl_status dl_wh_quota_load(dl_wh_quota_rows *out, dl_wh *wh,
                                        dl_time since, dl_error *err);

/* Delete up to 1000 windows that began before BEFORE. */
DL_MUSTCHECK dl_status dl_wh_quota_forget(dl_wh *wh, dl_time before,
                                          dl_error *err);

#endif
