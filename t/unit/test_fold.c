/* test_fold.c - Case folding, finding folded texts, comparing numbers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_fold.h"
#include "dl_number.h"

#include <apr_general.h>

#include "tap.h"

static apr_pool_t *pool;

/* Where TEXT holds WANTED, -1: nowhere. */
static long long find(const char *wanted, const char *text)
{
    dl_needle *needle;
    dl_error err;
    dl_hit hit;

    if (dl_needle_create(&needle, wanted, strlen(wanted), &err, pool) !=
        DL_OK) {
        return -2;
    }
    return dl_needle_find(&hit, needle, text, strlen(text), 0)
               ? (long long)hit.at
               : -1;
}

static void test_fold(void)
{
    is_int(dl_fold('A'), 'a', "A folds to a");
    is_int(dl_fold('a'), 'a', "a to itself");
    is_int(dl_fold(0x212A), 'k', "the Kelvin sign to k");
    is_int(dl_fold(0x17F), 's', "the long s to s");
    is_int(dl_fold(0xDF), 0xDF, "sharp s to itself: two letters are no letter");
    is_int(dl_fold(0x1E9E), 0xDF, "capital sharp s to sharp s");
    is_int(dl_fold(0x130), 0x130, "dotted capital I to itself");
    is_int(dl_fold(0x131), 0x131, "dotless i to itself");
    is_int(dl_fold(0x3A3), 0x3C3, "capital sigma to sigma");
    is_int(dl_fold(0x3C2), 0x3C3, "final sigma to sigma");
    is_int(dl_fold(0x10400), 0x10428, "Deseret letters, too");
    is_int(dl_fold(0x10FFFF), 0x10FFFF, "what is behind the table, to itself");
}

static void test_find(void)
{
    is_int(find("world", "Hello WORLD"), 6, "case does not matter");
    is_int(find("WORLD", "hello world"), 6, "on either side");
    is_int(find("x", "hello"), -1, "what is not there is not found");
    is_int(find("hello!", "hello"), -1, "nor what is cut off");
    is_int(find("kelvin", "0 \xE2\x84\xAA"
                          "elvin"),
           2, "the Kelvin sign is a k");
    is_int(find("\xE2\x84\xAA", "sake"), 2, "and a k the Kelvin sign");
    is_int(find("sch\xC3\x96n", "wie SCH\xC3\xB6N"), 4, "umlauts fold");
    is_int(find("stra\xE1\xBA\x9E"
                "e",
                "Die Stra\xC3\x9F"
                "e"),
           4, "capital sharp s finds sharp s");
    is_int(find("strasse", "Stra\xC3\x9F"
                           "e"),
           -1, "ss does not");
    is_int(find("aab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), 27,
           "a beginning that repeats does not hide the hit");
    is_int(find("b", "aaaaaaaaaaaaaaab"), 15, "the last byte of 16 is seen");
    is_int(find("b", "aaaaaaaaaaaaaaaab"), 16, "and the first behind them");
    is_int(find("", "a"), -2, "an empty text is refused");
    is_int(find("\xC3", "a"), -2, "and one that is not UTF-8");
}

static void test_numbers(void)
{
    static const char *const rising[] = {"-1e400",
                                         "-1234567890123456789012345678901",
                                         "-10",
                                         "-9.99",
                                         "-0.01",
                                         "0",
                                         "1e-400",
                                         "0.0099",
                                         "0.01",
                                         "0.5",
                                         "1",
                                         "1.00001",
                                         "9.99",
                                         "10",
                                         "99.999999999999999999999999999",
                                         "100",
                                         "100.5",
                                         "1e3",
                                         "123456789012345678901234567890",
                                         "123456789012345678901234567890.5",
                                         "1e400",
                                         "1e401"};
    static const char *const equal[][2] = {
        {"1", "1.0"},      {"1", "10e-1"},          {"0", "-0"},
        {"0", "0.000e99"}, {"100", "1e2"},          {"100", "1E+2"},
        {"0.05", "5e-2"},  {"1200.50", "120.05e1"}, {"-7", "-0.7e1"}};
    bool good = true;
    size_t n = sizeof rising / sizeof rising[0];
    size_t i;
    size_t j;

    for (i = 0; i < n; i++) {
        for (j = 0; j < n; j++) {
            int sign = dl_number_compare(rising[i], strlen(rising[i]),
                                         rising[j], strlen(rising[j]));

            good = good && (sign < 0) == (i < j) && (sign == 0) == (i == j);
        }
    }
    ok(good, "numbers of every size are told apart");
    for (i = 0; i < sizeof equal / sizeof equal[0]; i++) {
        is_int(dl_number_compare(equal[i][0], strlen(equal[i][0]), equal[i][1],
                                 strlen(equal[i][1])),
               0, equal[i][1]);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_fold();
    test_find();
    test_numbers();
    apr_terminate();
    return done();
}
