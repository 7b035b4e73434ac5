/* fuzz_decimal.c - Decimals: written and read back, added and multiplied.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_decimal.h"

const char *const fuzz_seeds[] = {"49.90",
                                  "-0.00000000005",
                                  "999999999999999999.9999999999",
                                  "1.25e-3",
                                  "123456789012345678901234567890e-20",
                                  NULL};

const char *const fuzz_words[] = {
    "0",  "9", "00000000000000000000", "-", ".", "e", "E+",
    "e-", "5", "99999999999",          NULL};

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *s = (const char *)data;
    char text[DL_DECIMAL_TEXT];
    dl_decimal d;
    dl_decimal cut;
    dl_decimal other;

    (void)pool;
    if (!dl_decimal_parse(&d, s, len)) {
        return;
    }
    fuzz_check(dl_decimal_is_number(s, len), "a decimal is a number");
    fuzz_check(dl_decimal_parse(&other, text, dl_decimal_format(text, d)) &&
                   dl_decimal_compare(d, other) == 0,
               "the text for clients is read back");
    fuzz_check(strpbrk(text, "eE") == NULL && strchr(text, '.') != NULL,
               "it has a point and no exponent");
    fuzz_check(dl_decimal_parse(&other, text, dl_decimal_format_sql(text, d)) &&
                   dl_decimal_compare(d, other) == 0,
               "the text for SQL is read back");
    fuzz_check(dl_decimal_parse_cut(&cut, s, len) &&
                   (d.units == cut.units || d.units == cut.units + 1 ||
                    d.units == cut.units - 1),
               "cut and rounded differ by one unit at most");
    fuzz_check(dl_decimal_mul(&other, d, dl_decimal_of_int(1)) &&
                   other.units == d.units,
               "times one is the same");
    dl_decimal_sub(&other, d);
    fuzz_check(other.units == 0, "less itself is nothing");
}
