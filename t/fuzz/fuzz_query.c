/* fuzz_query.c - Queries: pairs are what their escaped form says.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "mdl_format.h"
#include "mdl_query.h"
#include "mdl_route.h"

const char *const fuzz_seeds[] = {"x=5&top=7",
                                  "date=2026-05-18&as_of=2026-05-18T09%3A30Z",
                                  "a&b=&=c&&d",
                                  "status=completed,pending&format=ndjson",
                                  "text/html, application/json;q=0.5, */*;q=0",
                                  "q=%C3%A9+%2B",
                                  NULL};

const char *const fuzz_words[] = {
    "&",    "=",    "%",  "%00", "+",        "%26", "%3D", "%zz",
    ",",    ";",    "*/", "*",   "q=",       "0.5", "/",   "application/",
    "json", "\xFF", "\t", " ",   "text/csv", NULL};

/* TEXT with every byte escaped. */
static const char *escape(const char *text, size_t len, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, len * 3 + 1);
    size_t i;

    out[0] = '\0';
    for (i = 0; i < len; i++) {
        snprintf(out + 3 * i, 4, "%%%02X", (unsigned char)text[i]);
    }
    return out;
}

static void check_pair(const mdl_query_pair *pair, apr_pool_t *pool)
{
    mdl_query_pair again;
    const char *at;

    fuzz_check(strlen(pair->value) == pair->len, "a value has no NUL");
    if (pair->name == NULL || pair->broken) {
        return;
    }
    at = apr_pstrcat(pool, escape(pair->name, strlen(pair->name), pool), "=",
                     escape(pair->value, pair->len, pool), NULL);
    fuzz_check(mdl_query_next(&again, &at, pool) && *at == '\0' &&
                   again.name != NULL && !again.broken,
               "an escaped pair is a pair");
    if (again.name == NULL) {
        return;
    }
    fuzz_check(strcmp(again.name, pair->name) == 0 &&
                   strcmp(again.value, pair->value) == 0,
               "the same one");
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const char *text = apr_pstrmemdup(pool, (const char *)data, len);
    unsigned chosen = mdl_format_choose(MDL_FORMAT_F, text);
    const char *at = text;
    const char *before = at;
    mdl_query_pair pair;

    while (mdl_query_next(&pair, &at, pool)) {
        fuzz_check(at > before && at <= text + strlen(text),
                   "the walk moves on inside the query");
        before = at;
        check_pair(&pair, pool);
    }
    fuzz_check(*at == '\0', "nothing is left over");
    fuzz_check(chosen == 0 || chosen == MDL_FORMAT_JSON ||
                   chosen == MDL_FORMAT_NDJSON || chosen == MDL_FORMAT_CSV,
               "Accept chooses one format or none");
}
