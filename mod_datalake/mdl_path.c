/* mdl_path.c - Splitting a path and decoding each segment once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_path.h"

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
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* Whether a valid escape stands at TEXT, of which LEFT bytes remain. */
static bool is_escape(const char *text, size_t left)
{
    return left >= 3 && text[0] == '%' && hex_value(text[1]) >= 0 &&
           hex_value(text[2]) >= 0;
}

/* Whether the decoded segment is one that no resource can have. */
static bool is_refused(const char *text, size_t len)
{
    size_t i;

    if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0) {
        return true;
    }
    for (i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || is_escape(text + i, len - i)) {
            return true;
        }
    }
    return false;
}

static mdl_path_verdict decode_segment(mdl_segment *segment, const char *raw,
                                       size_t len, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, len + 1);
    size_t used = 0;
    size_t i = 0;

    while (i < len) {
        if (raw[i] != '%') {
            out[used++] = raw[i++];
            continue;
        }
        if (!is_escape(raw + i, len - i)) {
            return MDL_PATH_MALFORMED;
        }
        out[used++] =
            (char)(hex_value(raw[i + 1]) * 16 + hex_value(raw[i + 2]));
        i += 3;
    }
    out[used] = '\0';
    segment->text = out;
    segment->len = used;
    segment->slash = memchr(out, '/', used) != NULL;
    return is_refused(out, used) ? MDL_PATH_UNKNOWN : MDL_PATH_OK;
}

mdl_path_verdict mdl_path_split(mdl_path *path, const char *uri,
                                apr_pool_t *pool)
{
    mdl_path_verdict worst = MDL_PATH_OK;

    path->n = 0;
    if (*uri != '/') {
        return MDL_PATH_UNKNOWN;
    }
    while (*uri == '/') {
        size_t len = strcspn(++uri, "/");
        mdl_path_verdict verdict;

        if (len == 0) {
            return *uri == '\0' ? worst : MDL_PATH_UNKNOWN;
        }
        if (path->n == MDL_PATH_SEGMENTS) {
            return MDL_PATH_UNKNOWN;
        }
        verdict = decode_segment(&path->segment[path->n++], uri, len, pool);
        if (verdict > worst) {
            worst = verdict;
        }
        uri += len;
    }
    return worst;
}
