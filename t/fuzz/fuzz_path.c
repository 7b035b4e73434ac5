/* fuzz_path.c - Paths: a segment that is taken is harmless, and is itself
 * again when it is escaped and split once more.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "mdl_path.h"

const char *const fuzz_seeds[] = {"/",
                                  "/health/live/",
                                  "/api/v1/trade/BTC%2FUSD/historique/",
                                  "/a/%2e%2e/b",
                                  "/%252e",
                                  "/caf%C3%A9/%20",
                                  "/a/b/c/d/e/f/g/h/i/j/k/l",
                                  NULL};

const char *const fuzz_words[] = {"/",    "//",   "%",  "%2F",  "%00",
                                  "%2e",  "%25",  "..", "%252", "%zz",
                                  "\x01", "\xFF", "{}", "%0a",  NULL};

static void check_segment(const mdl_segment *segment)
{
    size_t i;

    fuzz_check(strlen(segment->text) == segment->len, "a segment has no NUL");
    fuzz_check(strcmp(segment->text, ".") != 0 &&
                   strcmp(segment->text, "..") != 0,
               "a segment is no dot segment");
    fuzz_check(segment->slash == (strchr(segment->text, '/') != NULL),
               "a decoded slash is told");
    for (i = 0; i < segment->len; i++) {
        fuzz_check((unsigned char)segment->text[i] >= 0x20,
                   "a segment has no control byte");
    }
}

/* PATH with every byte escaped. */
static const char *escape(const mdl_path *path, apr_pool_t *pool)
{
    const char *text = "";
    int i;
    size_t j;

    for (i = 0; i < path->n; i++) {
        const mdl_segment *segment = &path->segment[i];
        char *out = apr_palloc(pool, segment->len * 3 + 2);

        out[0] = '/';
        out[1] = '\0';
        for (j = 0; j < segment->len; j++) {
            snprintf(out + 1 + 3 * j, 4, "%%%02x",
                     (unsigned char)segment->text[j]);
        }
        text = apr_pstrcat(pool, text, out, NULL);
    }
    return *text == '\0' ? "/" : text;
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *uri = apr_pstrmemdup(pool, (const char *)data, len);
    mdl_path path;
    mdl_path again;
    int i;

    if (mdl_path_split(&path, uri, pool) != MDL_PATH_OK) {
        return;
    }
    fuzz_check(*uri == '/', "a path begins with a slash");
    fuzz_check(path.n <= MDL_PATH_SEGMENTS, "segments are bounded");
    for (i = 0; i < path.n; i++) {
        check_segment(&path.segment[i]);
    }
    fuzz_check(mdl_path_split(&again, escape(&path, pool), pool) ==
                       MDL_PATH_OK &&
                   again.n == path.n,
               "an escaped path is a path");
    for (i = 0; i < path.n; i++) {
        fuzz_check(strcmp(again.segment[i].text, path.segment[i].text) == 0,
                   "its segments are the same");
    }
}
