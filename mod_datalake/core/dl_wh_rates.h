/* dl_wh_rates.h - Exchange rates in memory.
 *
 * The rate of a currency on a day is the newest one of currency_rate valid
 * then; the base currency itself is worth 1.  A load of rates raises the
 * revision, so that whoever keeps rates knows when to load them again.
 *
 * Thread: a loaded dl_wh_rates never changes, any thread may read it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_RATES_H
#define DL_WH_RATES_H

#include "dl_wh.h"

/* All rates to one base currency. */
typedef struct dl_wh_rates dl_wh_rates;

/* Set *RATES to the rates of WH to BASE (three capital letters), in POOL. */
DL_MUSTCHECK dl_status dl_wh_rates_load(dl_wh_rates **rates, dl_wh *wh,
                                        const char *base, dl_error *err,
                                        apr_pool_t *pool);

/* Set *REVISION to the number of loads of rates WH has seen. */
DL_MUSTCHECK dl_status dl_wh_rates_revision(int64_t *revision, dl_wh *wh,
                                            dl_error *err);

/* Return the revision that RATES were loaded at. */
int64_t dl_wh_rates_loaded(const dl_wh_rates *rates);

/* Set *RATE to the rate of the currency named by the LEN bytes at CURRENCY,
 * in any case, on DAY; false: there is none, *RATE untouched. */
bool dl_wh_rate_find(dl_decimal *rate, const dl_wh_rates *rates,
                     const char *currency, size_t len, dl_day day);

/* Set *OUT to AMOUNT in the base currency; false: no rate, or the result does
 * not fit into DECIMAL(28,10). */
bool dl_wh_rate_convert(dl_decimal *out, const dl_wh_rates *rates,
                        dl_decimal amount, const char *currency, size_t len,
                        dl_day day);

#endif
