/* mdl_query.c - Splitting and decoding a query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_query.h"

#include <string.h>

/* The value of the hex digit C, or -1. */
static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Take the next character of escaped text; -1 for an escape that is none. */
static int decode_next(const char **at, const char *end)
{
    const char *text = *at;

    *at += 1;
    if (*text != '%') {
        return *text == '+' ? ' ' : (unsigned char)*text;
    }
    if (end - text < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) {
        return -1;
    }
    *at += 2;
    return hex_value(text[1]) * 16 + hex_value(text[2]);
}

/* Decode the bytes from AT to END into POOL; false for a bad escape or NUL. */
static bool decode(char **out, size_t *len, const char *at, const char *end,
                   apr_pool_t *pool)
{
    bool fine = true;

    *out = apr_palloc(pool, (size_t)(end - at) + 1);
    *len = 0;
    while (at < end) {
        int c = decode_next(&at, end);

        fine = fine && c > 0;
        (*out)[(*len)++] = (char)(c > 0 ? c : '?');
    }
    (*out)[*len] = '\0';
    return fine;
}

bool mdl_query_next(mdl_query_pair *pair, const char **at, apr_pool_t *pool)
{
    const char *end;
    const char *equals;
    char *name;
    char *value;
    size_t name_len;

    *at += strspn(*at, "&");
    if (**at == '\0') {
        return false;
    }
    end = *at + strcspn(*at, "&");
    equals = memchr(*at, '=', (size_t)(end - *at));
    if (equals == NULL) {
        equals = end;
    }
    pair->name = decode(&name, &name_len, *at, equals, pool) ? name : NULL;
    pair->broken =
        !decode(&value, &pair->len, equals < end ? equals + 1 : end, end, pool);
    pair->value = value;
    *at = end;
    return true;
}
