/* dlc_rates.h - Load exchange rates and convert what they touch anew.
 *
 * First, in one transaction that holds every loader still, the rates are
 * stored and the revision is raised: what is loaded from then on is converted
 * at the new rates.  Then each day with records the rates are valid on is
 * converted anew in a transaction of its own: amount_base of its rows, the
 * rollups of rows below the watermark, an adjustment for each row past it.
 * Answers are exact at every moment; a load that was cut off is finished by
 * loading the same rates again.
 *
 * Thread: that of the connection.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_RATES_H
#define DLC_RATES_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_decimal.h"
#include "dl_error.h"
#include "dl_time.h"

struct dl_wh;

/* One rate to be stored. */
typedef struct dlc_rate {
    char base[4];     /* three capital letters */
    char currency[4]; /* three capital letters */
    dl_day from;      /* first event day it is valid for */
    dl_decimal rate;  /* above 0 */
} dlc_rate;

/* What a load of rates did. */
typedef struct dlc_rates_done {
    int rates;    /* stored */
    int days;     /* converted anew */
    int64_t rows; /* whose amount in the base currency changed */
} dlc_rates_done;

/* What is loaded. */
typedef struct dlc_rates_load {
    const dlc_rate *rates;     /* in any order */
    int n;                     /* of them */
    const char *base;          /* [warehouse] base_currency */
    const dl_dataset_set *set; /* datasets whose records are converted */
} dlc_rates_load;

/* Read FILE, lines "base,currency,valid_from,rate" with or without that header
 * line, into *RATES and *N, in POOL.  DL_INVALID: "FILE:LINE: what is wrong".
 * DL_NOT_FOUND, DL_IO: it cannot be read. */
DL_MUSTCHECK dl_status dlc_rates_read(const dlc_rate **rates, int *n,
                                      const char *file, dl_error *err,
                                      apr_pool_t *pool);

/* Do LOAD on WH (role JOBS) and tell in *DONE.  DL_INVALID: a rate of the base
 * currency to itself that is not 1. */
DL_MUSTCHECK dl_status dlc_rates_apply(dlc_rates_done *done, struct dl_wh *wh,
                                       const dlc_rates_load *load,
                                       dl_error *err, apr_pool_t *pool);

#endif
