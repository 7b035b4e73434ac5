/* fuzz_grant.c - Grant texts: a resource is one of four forms, and what covers
 * it follows the rules whoever wrote them.
 *
 * The input is two resources, a newline between them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <string.h>

#include "dl_grant.h"

const char *const fuzz_seeds[] = {
    "transaction_log\ntransaction_log/2026-05-18.json",
    "transaction_log/2026-05-*\ntransaction_log/2026-05-18.json",
    "raw*\nrawticker",
    "*\ntable:ticker",
    "table:ticker\ntable:ticker",
    NULL};

const char *const fuzz_words[] = {"*",     "/",          "table:", ".json",
                                  "-",     "2026-02-30", "..",     "%",
                                  "table", "\xC3\xA9",   "\n",     NULL};

static const dl_level levels[] = {DL_LEVEL_READ, DL_LEVEL_WRITE,
                                  DL_LEVEL_ADMIN};

static bool parse(dl_resource *r, const unsigned char *text, size_t len)
{
    dl_error err = {0};
    dl_status status = dl_resource_parse(r, (const char *)text, len, &err);

    fuzz_check(status == DL_OK || status == DL_INVALID,
               "a resource is good or bad");
    fuzz_check(status == DL_OK || err.text[0] != '\0', "a bad one has words");
    fuzz_check(status != DL_OK ||
                   (len <= DL_RESOURCE_MAX && r->len == len &&
                    r->text == (const char *)text &&
                    memchr(text, '\0', len) == NULL &&
                    (memchr(text, '*', len) == NULL ||
                     (r->kind == DL_RESOURCE_PREFIX && text[len - 1] == '*' &&
                      memchr(text, '*', len - 1) == NULL))),
               "a good one is short, whole, and has one * at its end at most");
    return status == DL_OK;
}

/* What must hold between two resources. */
static void check_pair(const dl_resource *a, const dl_resource *b)
{
    static const dl_resource all = {
        .kind = DL_RESOURCE_PREFIX, .text = "*", .len = 1, .name_len = 0};

    fuzz_check(dl_resource_covers(a, a), "a resource covers itself");
    fuzz_check(dl_resource_covers(&all, a), "* covers everything");
    if (a->kind == DL_RESOURCE_DAY) {
        fuzz_check(!dl_resource_covers(a, b) ||
                       (b->kind == DL_RESOURCE_DAY && b->len == a->len &&
                        memcmp(a->text, b->text, a->len) == 0),
                   "a day covers that day alone");
    }
    if (b->kind == DL_RESOURCE_TABLE) {
        fuzz_check(!dl_resource_covers(a, b) || a->len == 1 ||
                       (a->kind == DL_RESOURCE_TABLE && a->len == b->len),
                   "a table is covered by itself and by * alone");
    }
    if (dl_resource_covers(a, b) && dl_resource_covers(b, a)) {
        fuzz_check(a->len == b->len || a->kind == DL_RESOURCE_PREFIX ||
                       b->kind == DL_RESOURCE_PREFIX,
                   "two that cover each other are one");
    }
}

/* A grant of A: allowed is what it covers, up to its level and end. */
static void check_set(const dl_resource *a, const dl_resource *b)
{
    unsigned char bytes[256];
    dl_grant_set set = {.bytes = bytes, .max = sizeof bytes, .len = 0};

    for (size_t i = 0; i < 3; i++) {
        dl_grant grant = {
            .resource = *a, .level = levels[i], .expires_at = 1000};
        dl_grant found;
        size_t at = 0;

        set.len = 0;
        fuzz_check(dl_grant_set_add(&set, &grant) &&
                       dl_grant_set_next(&found, &at, &set) && at == set.len &&
                       found.level == grant.level && found.expires_at == 1000 &&
                       found.resource.kind == a->kind &&
                       found.resource.len == a->len &&
                       memcmp(found.resource.text, a->text, a->len) == 0,
                   "a grant comes out of a set as it went in");
        for (size_t k = 0; k < 3; k++) {
            fuzz_check(dl_grant_set_allows(NULL, &set, b, levels[k], 999) ==
                           (k <= i && dl_resource_covers(a, b)),
                       "a set allows what its grant covers");
            fuzz_check(!dl_grant_set_allows(NULL, &set, b, levels[k], 1000),
                       "and nothing once it has ended");
        }
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    const unsigned char *end = len > 0 ? memchr(data, '\n', len) : NULL;
    size_t first = end == NULL ? len : (size_t)(end - data);
    dl_resource a;
    dl_resource b;

    (void)pool;
    if (!parse(&a, data, first) || end == NULL ||
        !parse(&b, end + 1, len - first - 1)) {
        return;
    }
    check_pair(&a, &b);
    check_pair(&b, &a);
    check_set(&a, &b);
}
