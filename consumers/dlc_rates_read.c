/* dlc_rates_read.c - The file of rates that an operator loads.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_tables.h>

/* Fields of a line. */
#define FIELDS 4

/* Longest line. */
#define LINE_BYTES 256

/* Most lines of a file. */
#define LINES_MAX 1000000

static apr_status_t file_close(void *file)
{
    (void)fclose(file);
    return APR_SUCCESS;
}

/* Cut LINE at its commas; return the number of fields. */
static int fields_cut(char *field[FIELDS], char *line)
{
    int n = 0;

    for (;;) {
        char *comma = strchr(line, ',');

        if (n < FIELDS) {
            field[n] = line;
        }
        n++;
        if (comma == NULL) {
            return n;
        }
        *comma = '\0';
        line = comma + 1;
    }
}

static bool currency_put(char out[4], const char *text)
{
    for (int i = 0; i < 3; i++) {
        char c = text[i];

        c = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
        if (c < 'A' || c > 'Z') {
            return false;
        }
        out[i] = c;
    }
    out[3] = '\0';
    return text[3] == '\0';
}

/* Set *RATE from LINE; return what would be right, or NULL. */
static const char *line_parse(dlc_rate *rate, char *line)
{
    char *field[FIELDS];

    if (fields_cut(field, line) != FIELDS) {
        return "must be base,currency,valid_from,rate";
    }
    if (!currency_put(rate->base, field[0])) {
        return "base must be three letters";
    }
    if (!currency_put(rate->currency, field[1])) {
        return "currency must be three letters";
    }
    if (!dl_day_parse(&rate->from, field[2], strlen(field[2]))) {
        return "valid_from must be a day as 2026-05-18";
    }
    if (!dl_decimal_parse(&rate->rate, field[3], strlen(field[3])) ||
        rate->rate.units <= 0) {
        return "rate must be a number above 0 with at most 18 digits before "
               "the point";
    }
    return NULL;
}

static dl_status lines_read(apr_array_header_t *rates, FILE *in,
                            const char *file, dl_error *err)
{
    char line[LINE_BYTES];
    int number = 0;

    while (fgets(line, sizeof line, in) != NULL) {
        size_t len = strlen(line);
        dlc_rate rate;
        const char *wrong;

        number++;
        if (len == sizeof line - 1 || number > LINES_MAX) {
            return dl_fail(err, DL_INVALID, 0, "%s:%d: too long", file, number);
        }
        while (len > 0 && strchr("\r\n", line[len - 1]) != NULL) {
            line[--len] = '\0';
        }
        if (len == 0 || (number == 1 &&
                         strcmp(line, "base,currency,valid_from,rate") == 0)) {
            continue;
        }
        wrong = line_parse(&rate, line);
        if (wrong != NULL) {
            return dl_fail(err, DL_INVALID, 0, "%s:%d: %s", file, number,
                           wrong);
        }
        *(dlc_rate *)apr_array_push(rates) = rate;
    }
    return ferror(in) ? dl_fail(err, DL_IO, errno, "cannot read %s", file)
                      : DL_OK;
}

dl_status dlc_rates_read(const dlc_rate **rates, int *n, const char *file,
                         dl_error *err, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 64, sizeof(dlc_rate));
    FILE *in = fopen(file, "re");

    if (in == NULL) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open %s", file);
    }
    apr_pool_cleanup_register(pool, in, file_close, apr_pool_cleanup_null);
    DL_TRY(lines_read(all, in, file, err));
    if (all->nelts == 0) {
        return dl_fail(err, DL_INVALID, 0, "%s: has no rates", file);
    }
    *rates = (const dlc_rate *)all->elts;
    *n = all->nelts;
    return DL_OK;
}
