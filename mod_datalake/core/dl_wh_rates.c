/* dl_wh_rates.c - A sorted array of rates, searched by currency and day.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_rates.h"

#include "dl_statements.h"

#include <string.h>

#include <apr_tables.h>

/* The largest DECIMAL(28,10), in units. */
#define UNITS_MAX ((__int128)999999999999999999 * 10000000000 + 9999999999)

/* One row of currency_rate. */
typedef struct rate_row {
    uint32_t currency; /* three letters, the first one highest */
    dl_day from;       /* first day it is valid for */
    dl_decimal rate;   /* base amount of 1 */
} rate_row;

struct dl_wh_rates {
    uint32_t base;        /* the base currency */
    int64_t revision;     /* when it was loaded */
    size_t n;             /* rows */
    const rate_row *rows; /* by currency, then day */
};

/* Return the three letters at TEXT in upper case as one number; 0: they are
 * not three letters. */
static uint32_t currency_code(const char *text, size_t len)
{
    uint32_t code = 0;

    if (len != 3) {
        return 0;
    }
    for (size_t i = 0; i < 3; i++) {
        unsigned char c = (unsigned char)text[i];

        c = c >= 'a' && c <= 'z' ? (unsigned char)(c - 32) : c;
        if (c < 'A' || c > 'Z') {
            return 0;
        }
        code = code << 8 | c;
    }
    return code;
}

dl_status dl_wh_rates_revision(int64_t *revision, dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    *revision = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RATES_REVISION, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        *revision = dl_wh_int(st, 0);
        dl_wh_finish(st);
    }
    return DL_OK;
}

dl_status dl_wh_rates_load(dl_wh_rates **rates, dl_wh *wh, const char *base,
                           dl_error *err, apr_pool_t *pool)
{
    dl_wh_rates *made = apr_pcalloc(pool, sizeof *made);
    apr_array_header_t *rows = apr_array_make(pool, 64, sizeof(rate_row));
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_rates_revision(&made->revision, wh, err));
    made->base = currency_code(base, strlen(base));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_RATES, err));
    dl_wh_bind_str(st, 0, base);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        rate_row *row = apr_array_push(rows);
        size_t len;
        const char *currency = dl_wh_text(st, 0, &len);

        row->currency = currency_code(currency, len);
        row->from = dl_wh_day(st, 1);
        row->rate = dl_wh_decimal(st, 2);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    made->n = (size_t)rows->nelts;
    made->rows = (const rate_row *)rows->elts;
    *rates = made;
    return DL_OK;
}

int64_t dl_wh_rates_loaded(const dl_wh_rates *rates)
{
    return rates->revision;
}

bool dl_wh_rate_find(dl_decimal *rate, const dl_wh_rates *rates,
                     const char *currency, size_t len, dl_day day)
{
    uint32_t code = currency_code(currency, len);
    size_t low = 0;
    size_t high = rates->n;

    if (code == 0) {
        return false;
    }
    if (code == rates->base) {
        *rate = dl_decimal_of_int(1);
        return true;
    }
    while (low < high) { /* the first row behind (code, day) */
        size_t middle = low + (high - low) / 2;
        const rate_row *row = &rates->rows[middle];

        if (row->currency < code ||
            (row->currency == code && row->from <= day)) {
            low = middle + 1;
        }
        else {
            high = middle;
        }
    }
    if (low == 0 || rates->rows[low - 1].currency != code) {
        return false;
    }
    *rate = rates->rows[low - 1].rate;
    return true;
}

bool dl_wh_rate_convert(dl_decimal *out, const dl_wh_rates *rates,
                        dl_decimal amount, const char *currency, size_t len,
                        dl_day day)
{
    dl_decimal rate;
    dl_decimal result;

    if (!dl_wh_rate_find(&rate, rates, currency, len, day) ||
        !dl_decimal_mul(&result, amount, rate) || result.units > UNITS_MAX ||
        result.units < -UNITS_MAX) {
        return false;
    }
    *out = result;
    return true;
}
