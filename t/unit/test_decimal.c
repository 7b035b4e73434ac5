/* test_decimal.c - Exact decimals: read, compute, write.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_decimal.h"

#include "tap.h"

/* Read TEXT and write it as SQL gets it; "-" when it is refused. */
static const char *sql(const char *text)
{
    static char out[DL_DECIMAL_TEXT];
    dl_decimal d;

    if (!dl_decimal_parse(&d, text, strlen(text))) {
        return "-";
    }
    dl_decimal_format_sql(out, d);
    return out;
}

/* Read TEXT and write it as a client gets it. */
static const char *client(const char *text)
{
    static char out[DL_DECIMAL_TEXT];
    dl_decimal d;

    if (!dl_decimal_parse(&d, text, strlen(text))) {
        return "-";
    }
    dl_decimal_format(out, d);
    return out;
}

static dl_decimal decimal(const char *text)
{
    dl_decimal d = {0};

    ok(dl_decimal_parse(&d, text, strlen(text)), text);
    return d;
}

static void test_reading(void)
{
    is_str(sql("0"), "0", "zero");
    is_str(sql("-0"), "0", "minus zero is zero");
    is_str(sql("49.90"), "49.9", "trailing zeros go");
    is_str(sql("-49.99"), "-49.99", "negative");
    is_str(sql("0.0000000001"), "0.0000000001", "the smallest unit");
    is_str(sql("0.00000000005"), "0.0000000001", "half of it rounds away");
    is_str(sql("-0.00000000005"), "-0.0000000001", "... from zero");
    is_str(sql("0.000000000049999"), "0", "less than half rounds to zero");
    is_str(sql("1.00000000005"), "1.0000000001", "rounding behind a one");
    is_str(sql("9.99999999999"), "10", "rounding carries over");
    is_str(sql("123456789012345678"), "123456789012345678", "18 digits fit");
    is_str(sql("999999999999999999.9999999999"),
           "999999999999999999.9999999999", "the largest value");
    is_str(sql("999999999999999999.99999999995"), "-",
           "rounding past the largest value is refused");
    is_str(sql("1000000000000000000"), "-", "19 digits are refused");
    is_str(sql("1e17"), "100000000000000000", "an exponent");
    is_str(sql("1E+2"), "100", "capital E and a sign");
    is_str(sql("1.5e-3"), "0.0015", "a negative exponent");
    is_str(sql("5e-11"), "0.0000000001", "a rounded exponent");
    is_str(sql("5e-12"), "0", "far behind the point");
    is_str(sql("12345e-4"), "1.2345", "the point moves left");
    is_str(sql("0.00012345e4"), "1.2345", "the point moves right");
    is_str(sql("1e18"), "-", "too large by exponent");
    is_str(sql("1e400"), "-", "much too large");
    is_str(sql("0e400"), "0", "zero with a huge exponent");
    is_str(sql("0.0000000000000000000000001e25"), "1",
           "leading zeros are no digits");
    is_str(sql("1e-999999999999999999999"), "0", "a tiny value");
}

static void test_refused(void)
{
    is_str(sql(""), "-", "nothing");
    is_str(sql("-"), "-", "a sign alone");
    is_str(sql("+1"), "-", "a plus sign");
    is_str(sql("01"), "-", "a leading zero");
    is_str(sql(".5"), "-", "no digit before the point");
    is_str(sql("5."), "-", "no digit behind it");
    is_str(sql("1e"), "-", "no exponent");
    is_str(sql("1e+"), "-", "a sign of nothing");
    is_str(sql("1e1.5"), "-", "a broken exponent");
    is_str(sql("1 "), "-", "white space");
    is_str(sql("0x10"), "-", "hexadecimal");
    is_str(sql("Infinity"), "-", "infinity");
    is_str(sql("1,5"), "-", "a comma");
    ok(dl_decimal_is_number("1e400", 5), "1e400 is a number all the same");
    ok(!dl_decimal_is_number("1e", 2), "1e is none");
}

static void test_writing(void)
{
    is_str(client("0"), "0.00", "zero has two digits for clients");
    is_str(client("49.9"), "49.90", "one digit becomes two");
    is_str(client("1580.75"), "1580.75", "two digits stay");
    is_str(client("0.0012"), "0.0012", "more stay, too");
    is_str(client("-7"), "-7.00", "negative");
    is_str(client("1.10"), "1.10", "a zero within the two digits stays");
}

static void test_computing(void)
{
    char out[DL_DECIMAL_TEXT];
    dl_decimal sum = decimal("0.1");
    dl_decimal product;

    dl_decimal_add(&sum, decimal("0.2"));
    dl_decimal_format(out, sum);
    is_str(out, "0.30", "0.1 + 0.2 is 0.3");
    dl_decimal_sub(&sum, decimal("0.31"));
    dl_decimal_format(out, sum);
    is_str(out, "-0.01", "0.3 - 0.31 is -0.01");
    ok(dl_decimal_mul(&product, decimal("49.90"), decimal("1.1")), "a product");
    dl_decimal_format_sql(out, product);
    is_str(out, "54.89", "... is exact");
    ok(dl_decimal_mul(&product, decimal("0.00001"), decimal("0.000005")),
       "a tiny product");
    dl_decimal_format_sql(out, product);
    is_str(out, "0.0000000001", "... rounds half away from zero");
    ok(dl_decimal_mul(&product, decimal("-0.00001"), decimal("0.000005")),
       "a tiny negative product");
    dl_decimal_format_sql(out, product);
    is_str(out, "-0.0000000001", "... too");
    ok(dl_decimal_mul(&product, decimal("999999999999999999"),
                      decimal("999999999.9999999999")),
       "a product of 27 digits fits");
    dl_decimal_format_sql(out, product);
    is_str(out, "999999999999999998900000000.0000000001", "... exactly");
    ok(!dl_decimal_mul(&product, decimal("999999999999999999"),
                       decimal("999999999999999999")),
       "one of 36 digits does not");
    ok(dl_decimal_compare(decimal("1.5"), decimal("1.50")) == 0,
       "1.5 equals 1.50");
    ok(dl_decimal_compare(decimal("-2"), decimal("1")) < 0, "-2 is below 1");
    ok(dl_decimal_compare(dl_decimal_of_int(3), decimal("2.99")) > 0,
       "3 is above 2.99");
}

int main(void)
{
    test_reading();
    test_refused();
    test_writing();
    test_computing();
    return done();
}
