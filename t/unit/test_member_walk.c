/* test_member_walk.c - Members by comparing are those by scanning.
 *
 * Lines are random: nested, empty, with names that come twice, in any order,
 * with values that look like punctuation.  DL_SEED chooses others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_member_walk.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

#include "tap.h"

#define WALKS 400
#define LINES 400

static apr_pool_t *pool;
static uint64_t seed = 1;

/* Return a number from 0 to N - 1. */
static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

#define PICK(list) list[below(sizeof(list) / sizeof(list)[0])]

static char *put(char *out, const char *text)
{
    while (*text != '\0') {
        *out++ = *text++;
    }
    return out;
}

/* --- Lines ----------------------------------------------------------------- */

static const char *const names[] = {"a",   "b",  "c", "d",
                                    "a.b", "ab", "",  "\xC3\xA9"};
static const char *const rare[] = {"\\\"a", "a\\\\", "\\\"a\\\":1,\\\"b"};
static const char *const values[] = {"0",
                                     "-1.5e3",
                                     "12345678901234567890",
                                     "null",
                                     "true",
                                     "false",
                                     "\"\"",
                                     "\"x\"",
                                     "\"a longer text than sixteen bytes\"",
                                     "\"{\\\"a\\\":1}\"",
                                     "\"\\\\\"",
                                     "\"text of sixteen\\\\\"",
                                     "\"}],{[\"",
                                     "\"\xC3\xA9\\n\"",
                                     "[]",
                                     "[1,\"]\",{\"a\":[2]}]",
                                     "{}"};

static char *put_object(char *out, unsigned most, int depth);

static char *put_member(char *out, unsigned most, int depth)
{
    out = put(out, "\"");
    out = put(out, below(200) == 0 ? PICK(rare) : PICK(names));
    out = put(out, "\":");
    return depth < 3 && below(3) == 0
               ? put_object(out, most,
                            depth + 1) /* NOLINT(misc-no-recursion) */
               : put(out, PICK(values));
}

/* Write an object of up to MOST members. */
static char *put_object(char *out, unsigned most, int depth)
{
    unsigned n = below(most + 1);
    unsigned i;

    out = put(out, "{");
    for (i = 0; i < n; i++) {
        out = put(out, i > 0 ? "," : "");
        out = put_member(out, most, depth); /* NOLINT(misc-no-recursion) */
    }
    return put(out, "}");
}

/* Write a line; return its end. */
static char *put_line(char *out)
{
    return put_object(out, 1 + below(3), 0);
}

/* --- Both ways ------------------------------------------------------------- */

static bool is_same(const dl_json_slice *x, const dl_json_slice *y)
{
    if (x->kind != y->kind) {
        return false;
    }
    return x->kind <= DL_JSON_NULL ||
           (x->text == y->text && x->len == y->len && x->escaped == y->escaped);
}

/* What came of all lines. */
static unsigned long walked;
static unsigned long scanned;
static unsigned long wrong;

/* Read LINE both ways. */
static void read_line(dl_member_walk *walk, const dl_json_shape *shape, int n,
                      const char *line, size_t len)
{
    static char scratch[65536];
    dl_json_slice slots[8];
    dl_json_slice mine[8];
    dl_json_result result;
    int i;

    if (dl_json_scan(&result, slots, shape, scratch, line, len) !=
            DL_JSON_FINE ||
        result.line != line) {
        wrong++;
        return;
    }
    if (!dl_member_walk_line(mine, walk, line, len)) {
        scanned++;
        dl_member_walk_learn(walk, slots, line, len);
        return;
    }
    walked++;
    for (i = 0; i < n; i++) {
        if (!is_same(&slots[i], &mine[i])) {
            if (wrong++ == 0) {
                printf("# slot %d of %.*s\n", i, (int)len, line);
            }
        }
    }
}

static void test_random(void)
{
    static const char *const all[] = {"a",   "b",   "c",     "a.b",
                                      "b.a", "a.a", "c.b.a", "d.d"};
    static char line[65536];
    unsigned w;
    unsigned i;

    for (w = 0; w < WALKS; w++) {
        const char *paths[3];
        const dl_json_shape *shape;
        dl_member_walk *walk;
        apr_pool_t *one;
        dl_error err;
        int n = 0;

        apr_pool_create(&one, pool);
        for (i = below(6); n < 3 && i < 8; i += 1 + below(3)) {
            paths[n++] = all[i];
        }
        walk = dl_member_walk_create(paths, n, one);
        if (walk != NULL &&
            dl_json_shape_create(&shape, paths, n, &err, one) == DL_OK) {
            for (i = 0; i < LINES; i++) {
                char *end = put_line(line);

                read_line(walk, shape, n, line, (size_t)(end - line));
            }
        }
        apr_pool_destroy(one);
    }
    printf("# %lu lines walked, %lu scanned\n", walked, scanned);
    ok(walked > 10000 && scanned > 1000, "lines are read in both ways");
    is_int((int)wrong, 0, "which agree on each slot of each line");
}

static void test_bounds(void)
{
    const char *nested[] = {"a", "a.b"};
    const char *beside[] = {"a", "ab", "a.b"};
    const char *good[] = {"a", "ab"};
    const char *many[DL_MEMBER_PATHS + 1];
    int i;

    for (i = 0; i <= DL_MEMBER_PATHS; i++) {
        many[i] = "a";
    }
    ok(dl_member_walk_create(nested, 2, pool) == NULL,
       "one path below another is not walked");
    ok(dl_member_walk_create(beside, 3, pool) == NULL, "wherever it stands");
    ok(dl_member_walk_create(good, 2, pool) != NULL,
       "a name that begins with another is none below it");
    ok(dl_member_walk_create(many, DL_MEMBER_PATHS + 1, pool) == NULL,
       "nor are too many paths");
}

int main(void)
{
    const char *given_seed = getenv("DL_SEED");

    apr_initialize();
    apr_pool_create(&pool, NULL);
    seed = given_seed != NULL ? strtoull(given_seed, NULL, 10) : 1;
    test_random();
    test_bounds();
    apr_terminate();
    return done();
}
