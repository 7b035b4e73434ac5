/* fuzz_header.c - Header values: lists of entity tags, preferences, keys and
 * origins.
 *
 * The input is a value and a wanted text, a newline between them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include <apr_strings.h>

#include "mdl_header.h"

const char *const fuzz_seeds[] = {
    "\"a\", W/\"b\" ,\"c\"\n\"b\"",
    "*\n\"a\"",
    "handling=lenient; q=1, wait\nhandling=lenient",
    "https://example.org:8443\nx",
    "key-1\n\"\"",
    NULL};

const char *const fuzz_words[] = {
    "\"",       "W/",    "*", ",",    ";", "=",        " ",    "\t", "://", ":",
    "https://", "[::1]", ".", ":443", "%", "handling", "\xFF", "/",  NULL};

/* What must hold of the key TEXT. */
static void check_key(const char *text)
{
    size_t len = strlen(text);
    bool visible = len >= 1 && len <= 255;

    for (size_t i = 0; i < len; i++) {
        visible = visible && text[i] > ' ' && text[i] < 0x7f;
    }
    fuzz_check(mdl_header_is_key(text) == visible,
               "a key is 1 to 255 visible characters");
}

/* What must hold of the entity tags LIST and the tag TAG in quotes. */
static void check_tags(const char *list, const char *tag, apr_pool_t *pool)
{
    bool weakly = mdl_header_names_tag(list, tag);
    bool strongly = mdl_header_names_tag_strongly(list, tag);

    fuzz_check(!strongly || weakly, "who names strongly names");
    fuzz_check(!weakly || strstr(list, tag) != NULL ||
                   strchr(list, '*') != NULL,
               "a tag that is named stands in the list");
    fuzz_check(mdl_header_names_tag_strongly(tag, tag) &&
                   !mdl_header_names_tag_strongly(
                       apr_pstrcat(pool, "W/", tag, NULL), tag) &&
                   mdl_header_names_tag(
                       apr_pstrcat(pool, "\"x\", W/", tag, NULL), tag),
               "a tag names itself, a weak one weakly");
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = apr_pstrmemdup(pool, (const char *)data, len);
    const char *line = strchr(text, '\n');
    const char *first =
        line == NULL ? text : apr_pstrmemdup(pool, text, (size_t)(line - text));
    const char *wanted = line == NULL ? "" : line + 1;
    size_t tag_len = strspn(wanted, "abcdefghijklmnopqrstuvwxyz0123456789");

    check_key(first);
    if (tag_len > 0) {
        check_tags(first, apr_psprintf(pool, "\"%.*s\"", (int)tag_len, wanted),
                   pool);
    }
    if (mdl_header_is_origin(first)) {
        fuzz_check(strstr(first, "://") != NULL &&
                       strpbrk(first, " \t,*?#@\"\\") == NULL &&
                       strchr(strstr(first, "://") + 3, '/') == NULL,
                   "an origin has a scheme, a host, and no path");
    }
    fuzz_check(!mdl_header_prefers("", wanted) || *wanted == '\0',
               "nothing prefers nothing");
    (void)mdl_header_prefers(first, wanted);
}
