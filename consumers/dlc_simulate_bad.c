/* dlc_simulate_bad.c - Records that must become dead letters, of each kind
 * the contract names, a different one for each number.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_simulate_draw.h"

#include <stdio.h>
#include <string.h>

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

/* Bytes that make a value too big, and how many of the first records of the
 * kind have them; the others pass a smaller bound. */
#define BIG_BYTES   1048577
#define BIG_RECORDS 2

/* Texts with one %s for the id; each breaks the rule of its table. */
/* clang-format off */
static const char *const NOT_JSON[] = {
    "{\"transaction_id\":\"%s\",\"amount\":12.5",
    "{\"transaction_id\":\"%s\",\"amount\":12.5,}",
    "{'transaction_id':'%s'}",
    "{\"transaction_id\":\"%s\",\"amount\":NaN}",
    "{\"transaction_id\":\"%s\",\"amount\":012}",
    "{\"transaction_id\":\"%s\"}{}",
    "%s",
};
static const char *const NOT_OBJECT[] = {
    "[{\"transaction_id\":\"%s\"}]", "\"%s\"", "[\"%s\",1,2,3]",
};
static const char *const ENCODING[] = {
    "{\"transaction_id\":\"%s\",\"user_name\":\"caf\xe9\"}",
    "{\"transaction_id\":\"%s\",\"user_name\":\"\xc0\xaf\"}",
    "{\"transaction_id\":\"%s\",\"user_name\":\"\xed\xa0\x80\"}",
    "{\"transaction_id\":\"%s\",\"user_name\":\"\\ud800\"}",
    "{\"transaction_id\":\"%s\",\"user_name\":\"\xf4\x90\x80\x80\"}",
};
static const char *const SCHEMA[] = {
    "{\"id\":\"%s\",\"amount\":10.00,\"currency\":\"EUR\"}",
    "{\"transaction_id\":null,\"user_id\":\"%s\"}",
    "{\"transaction_id\":17,\"user_id\":\"%s\"}",
    "{\"transaction_id\":\"%s-too-long-too-long-too-long-too-long-too-long\"}",
    "{\"transaction_id\":\"%s\",\"amount\":1234567890123456789.00}",
    "{\"transaction_id\":\"%s\",\"currency\":\"EUROMONEY\"}",
};
static const char *const BAD_TIMES[] = {
    "{\"transaction_id\":\"%s\",\"timestamp\":\"yesterday\"}",
    "{\"transaction_id\":\"%s\",\"timestamp\":\"2026-02-30T10:00:00Z\"}",
    "{\"transaction_id\":\"%s\",\"timestamp\":\"9000-01-01T00:00:00Z\"}",
    "{\"transaction_id\":\"%s\",\"timestamp\":\"2026-05-18T25:00:00Z\"}",
    "{\"transaction_id\":\"%s\",\"timestamp\":true}",
    "{\"transaction_id\":\"%s\",\"timestamp\":99999999999999}",
};
/* clang-format on */

static const char *const NAMES[DLC_BAD_KINDS] = {
    "not-json", "not-object", "encoding", "too-big", "schema", "bad-time"};

const char *dlc_bad_name(int kind)
{
    return NAMES[kind];
}

/* Put TEXT for its one "%s" place of FORMAT. */
static size_t fill(char *out, const char *format, const char *text)
{
    const char *place = strstr(format, "%s");
    char *at = mempcpy(out, format, (size_t)(place - format));

    at = stpcpy(at, text);
    return (size_t)(stpcpy(at, place + 2) - out);
}

static size_t append(char *out, size_t used, const char *text)
{
    return (size_t)(stpcpy(out + used, text) - out);
}

/* More than 1 MiB, more than 64 levels, or more than 10,000 values. */
static size_t write_too_big(char *out, const char *id, int64_t number)
{
    size_t used = fill(out, "{\"transaction_id\":\"%s\",\"user_name\":\"", id);

    if (number < BIG_RECORDS) {
        memset(out + used, 'x', BIG_BYTES - used - 2);
        used = BIG_BYTES - 2;
        return append(out, used, "\"}");
    }
    used = append(out, used, "\",\"x\":");
    if (number % 2 == 0) {
        memset(out + used, '[', 64);
        memset(out + used + 64, ']', 64);
        used += 128;
    }
    else {
        used = append(out, used, "[0");
        for (int i = 0; i < 10000; i++) {
            used = append(out, used, ",0");
        }
        used = append(out, used, "]");
    }
    return append(out, used, "}");
}

size_t dlc_bad_write(char *out, const dlc_transaction *tx, int kind,
                     int64_t number)
{
    size_t n = (size_t)number;

    switch (kind) {
    case DLC_BAD_NOT_JSON:
        return fill(out, NOT_JSON[n % COUNT_OF(NOT_JSON)], tx->id);
    case DLC_BAD_NOT_OBJECT:
        return fill(out, NOT_OBJECT[n % COUNT_OF(NOT_OBJECT)], tx->id);
    case DLC_BAD_ENCODING:
        return fill(out, ENCODING[n % COUNT_OF(ENCODING)], tx->id);
    case DLC_BAD_TOO_BIG:
        return write_too_big(out, tx->id, number);
    case DLC_BAD_SCHEMA:
        return fill(out, SCHEMA[n % COUNT_OF(SCHEMA)], tx->id);
    default:
        return fill(out, BAD_TIMES[n % COUNT_OF(BAD_TIMES)], tx->id);
    }
}
