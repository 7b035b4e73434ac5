/* fuzz_search.c - Searches: many lines at once give what one line at a time
 * gives, and a hit stands where it is said to stand.
 *
 * The input is a text to look for and lines, newlines between them; of the
 * lines those that the lake would keep, as it would store them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "dl_fold.h"
#include "dl_json.h"
#include "dl_search.h"
#include "dl_utf8.h"

const char *const fuzz_seeds[] = {
    "lamp\n{\"a\":\"LAMP\",\"n\":[1,{\"b\":\"x lamp\"}]}\n",
    "ks\n{\"a\":\"\xE2\x84\xAA\xC5\xBF\",\"k\":\"ks\"}\n{\"ks\":0}\n",
    "a\"b\n{\"a\":\"a\\\"b\"}\n{\"a\":\"\\u0061\\u0022b\"}\n",
    "/\n{\"a\":\"\\/\",\"b\":true}\n{\"/\":null}\n",
    "1e3\n{\"a\":1e3,\"b\":-7}\n\n{}\n",
    "stra\303\237\n{\"a\":\"STRA\341\272\236E\"}\n",
    NULL};

const char *const fuzz_words[] = {
    "\n",           "\\u",  "\\\\u0041", "\\\"",
    "\"",           ":",    "{",         "}",
    "null",         "true", "\\u212a",   "\xC5\xBF",
    "\xE2\x84\xAA", "aaaa", "\xFF",      NULL};

/* What is looked for, and where. */
typedef struct input {
    const char *wanted; /* the text */
    size_t n_wanted;    /* its bytes */
    char *lines;        /* whole lines; malloc */
    size_t len;         /* bytes of them */
} input;

/* Whether the LEN bytes at TEXT are UTF-8. */
static bool is_utf8(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t step = dl_utf8_check((const unsigned char *)text + at, len - at);

        if (step == 0) {
            return false;
        }
        at += step;
    }
    return true;
}

static bool matches(dl_search *search, const char *line, size_t len,
                    bool values)
{
    return values ? dl_search_values(search, line, len)
                  : dl_search_text(search, line, len);
}

/* Compare the lines found at once with those found one by one. */
static void compare(const input *in, bool values, apr_pool_t *pool)
{
    const char *at = in->lines;
    const char *end = in->lines + in->len;
    dl_search *whole;
    dl_search *each;
    dl_search_lines lines;
    dl_search_line found;
    dl_error err;
    uint64_t number = 1;

    if (dl_search_create(&whole, in->wanted, in->n_wanted, &err, pool) !=
            DL_OK ||
        dl_search_create(&each, in->wanted, in->n_wanted, &err, pool) !=
            DL_OK) {
        return;
    }
    dl_search_lines_begin(&lines, in->lines, in->len, 1);
    for (; at < end; number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        stop = stop == NULL ? end : stop;
        if (matches(each, at, (size_t)(stop - at), values)) {
            fuzz_check(dl_search_lines_next(&found, &lines, whole, values) &&
                           found.text == at && found.line == number &&
                           found.len == (size_t)(stop - at),
                       "a line that is found alone is found among others");
        }
        at = stop + 1;
    }
    fuzz_check(!dl_search_lines_next(&found, &lines, whole, values),
               "no other line is found");
}

/* Look at the hits in the lines as one text. */
static void check_hits(const input *in, apr_pool_t *pool)
{
    dl_needle *needle;
    dl_error err;
    dl_hit hit;
    size_t from = 0;

    if (dl_needle_create(&needle, in->wanted, in->n_wanted, &err, pool) !=
        DL_OK) {
        return;
    }
    while (from < in->len &&
           dl_needle_find(&hit, needle, in->lines, in->len, from)) {
        dl_hit again;

        fuzz_check(hit.at >= from && hit.len > 0 && hit.len <= in->len - hit.at,
                   "a hit lies in the text");
        fuzz_check(
            dl_needle_find(&again, needle, in->lines + hit.at, hit.len, 0) &&
                again.at == 0 && again.len == hit.len,
            "a hit is one when it stands alone");
        from = hit.at + 1;
    }
}

/* Append the canonical form of the LEN bytes at LINE to OUT, of which USED
 * bytes are used, with its newline; return how many are then used. */
static size_t keep(char *out, size_t used, const char *line, size_t len,
                   apr_pool_t *pool)
{
    static const char *const paths[] = {"a"};
    const dl_json_shape *shape;
    dl_json_result result;
    dl_json_slice slot;
    char *scratch = malloc(len + DL_JSON_SLACK);

    fuzz_check(dl_json_shape_create(&shape, paths, 1, NULL, pool) == DL_OK &&
                   scratch != NULL,
               "the shape is made");
    if (dl_json_scan(&result, &slot, shape, scratch, line, len) ==
        DL_JSON_FINE) {
        memcpy(out + used, result.line, result.line_len);
        used += result.line_len;
        out[used++] = '\n';
    }
    free(scratch);
    return used;
}

/* Set IN's lines to the LEN bytes at TEXT, as the lake would store them, in
 * memory that the caller frees. */
static void read_lines(input *in, const char *text, size_t len,
                       apr_pool_t *pool)
{
    const char *end = text + len;
    char *out = malloc(2 * len + 1);

    if (out == NULL) {
        abort();
    }
    while (text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));

        stop = stop == NULL ? end : stop;
        in->len = keep(out, in->len, text, (size_t)(stop - text), pool);
        text = stop + 1;
    }
    in->lines = malloc(in->len + 1);
    if (in->lines == NULL) {
        abort();
    }
    memcpy(in->lines, out, in->len);
    free(out);
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = (const char *)data;
    const char *end = len == 0 ? NULL : memchr(text, '\n', len);
    input in = {.wanted = text};

    if (end == NULL) {
        return;
    }
    in.n_wanted = (size_t)(end - text);
    read_lines(&in, end + 1, len - in.n_wanted - 1, pool);
    if (is_utf8(in.wanted, in.n_wanted)) {
        compare(&in, false, pool);
        compare(&in, true, pool);
        check_hits(&in, pool);
    }
    free(in.lines);
}
