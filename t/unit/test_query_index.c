/* test_query_index.c - Whatever a query matches lies in a block that an index
 * gives for its hint.
 *
 * Lines are random, made of what is hard to read; queries compare with values
 * that stand in them.  Whether a line matches is decided by dl_query_match.
 * DL_SEED chooses others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "index_fixture.h"

#include "dl_query_hint.h"

#include "tap.h"

#define LINES   800
#define QUERIES 4000

static uint64_t seed = 1;

/* Return a number from 0 to N - 1. */
static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

#define PICK(list) list[below(sizeof(list) / sizeof(list)[0])]

/* --- Lines ----------------------------------------------------------------- */

/* Pieces of strings as JSON holds them. */
static const char *const pieces[] = {"alpha",
                                     "Beta",
                                     "Stra\xC3\x9F\x65",
                                     "STRA\xE1\xBA\x9E\x45",
                                     "\xC4\xB0stanbul",
                                     "\xE2\x84\xAA\x65lvin",
                                     "kelvin",
                                     "\xC5\xBFun",
                                     "sun",
                                     "e\xCC\x81t\xC3\xA9",
                                     "\xF0\x9F\x98\x80",
                                     "\\u0041\\u006c\\u0070ha",
                                     "\\ud83d\\ude00",
                                     "\\u00E4rger",
                                     "\\\"quoted\\\"",
                                     "\\\\back",
                                     "\\/slash",
                                     "/slash",
                                     "\\u002fslash",
                                     "line\\nline",
                                     "\\u000aline",
                                     "1000",
                                     "1e3",
                                     "true",
                                     ",",
                                     " ",
                                     "x",
                                     "warehouse"};

/* Values of a member that may be anything, and of numbers and times. */
static const char *const numbers[] = {"0",
                                      "-0",
                                      "12.5",
                                      "1e2",
                                      "100",
                                      "-3E-2",
                                      "0.1",
                                      "1e400",
                                      "1e-400",
                                      "null",
                                      "\"12.5\"",
                                      "\"1e1\"",
                                      "\"x\"",
                                      "1000",
                                      "1000.0",
                                      "true",
                                      "99999999999999999"};
static const char *const times[] = {"1700000000.123456",
                                    "1700000000",
                                    "\"2023-11-14T23:13:20+01:00\"",
                                    "\"1970-01-02T00:00:00Z\"",
                                    "null",
                                    "-5",
                                    "\"x\""};
static const char *const days[] = {"\"1970-01-01\"", "\"2023-11-14\"", "5"};

static char *put(char *out, const char *text)
{
    while (*text != '\0') {
        *out++ = *text++;
    }
    return out;
}

static char *put_string(char *out, unsigned most)
{
    unsigned n = below(most + 1);

    out = put(out, "\"");
    while (n-- > 0) {
        out = put(out, PICK(pieces));
    }
    return put(out, "\"");
}

static void add_line(index_fixture *f)
{
    char line[2048];
    char *out = put_string(put(line, "{\"id\":"), 2);

    out = put(put(out, ",\"at\":"), PICK(times));
    if (below(3) > 0) {
        out = put(put(out, ",\"sum\":"), PICK(numbers));
    }
    if (below(3) > 0) {
        out = put(put(put(out, ",\"old\":{\"sum\":"), PICK(numbers)), "}");
    }
    out = put(put(out, ",\"day\":"), PICK(days));
    out = put_string(put(out, ",\"note\":"), 8);
    out = put(out, "}");
    index_line(f, line, (size_t)(out - line));
}

/* --- Queries --------------------------------------------------------------- */

/* What is asked of and about. */
typedef struct asked {
    const index_fixture *f; /* lines and index */
    const dl_dataset *ds;   /* declared or not */
    dl_lake_index *index;   /* opened */
    const char **lines;     /* where each begins */
} asked;

/* Write the characters of the string of PATH in a random line to OUT; return
 * how many bytes, 0: there is none. */
static size_t take_value(char out[2048], const asked *a, const char *path,
                         apr_pool_t *pool)
{
    const char *line = a->lines[below(LINES)];
    const char *end = strchr(line, '\n');
    const dl_json_shape *shape;
    char scratch[4096];
    dl_json_result result;
    dl_json_slice slot;
    dl_error err;

    if (dl_json_shape_create(&shape, &path, 1, &err, pool) != DL_OK ||
        dl_json_scan(&result, &slot, shape, scratch, line,
                     (size_t)(end - line)) != DL_JSON_FINE ||
        slot.kind <= DL_JSON_TRUE || slot.len == 0) {
        return 0;
    }
    if (slot.kind == DL_JSON_STRING) {
        return dl_json_unescape(out, slot);
    }
    memcpy(out, slot.text, slot.len);
    return slot.len;
}

/* Add a random filter to QUERY; false: none. */
static bool add_filter(dl_query *query, const asked *a, apr_pool_t *pool)
{
    static const char *const paths[] = {"id",   "at",   "sum",    "day",
                                        "note", "note", "old.sum"};
    static const dl_query_op ops[] = {
        DL_QUERY_EQ,       DL_QUERY_EQ,      DL_QUERY_NE,  DL_QUERY_GT,
        DL_QUERY_GTE,      DL_QUERY_LT,      DL_QUERY_LTE, DL_QUERY_IN,
        DL_QUERY_CONTAINS, DL_QUERY_CONTAINS};
    const char *path = PICK(paths);
    dl_query_op op = PICK(ops);
    dl_query_fault fault;
    char value[4096];
    size_t len = take_value(value, a, path, pool);
    size_t from = 0;

    if (op == DL_QUERY_CONTAINS && len > 8) {
        from = below((unsigned)len - 6);
        while (((unsigned char)value[from] & 0xC0) == 0x80) {
            from--;
        }
        len -= from;
    }
    if (op == DL_QUERY_IN && len > 0) {
        value[len++] = ',';
        len += take_value(value + len, a, path, pool);
    }
    return len > 0 &&
           dl_query_filter(query, path, op, value + from, len, &fault) == DL_OK;
}

/* Set in BITS the blocks that the index gives for HINT, those of a segment
 * behind those of the one before. */
static int candidates(uint64_t bits[][DL_LAKE_INDEX_WORDS], const asked *a,
                      const dl_lake_hint *hint)
{
    uint64_t bytes;
    uint64_t lines;
    int n = dl_lake_index_segments(&bytes, &lines, a->index);
    int given = 0;
    int i;

    for (i = 0; i < n; i++) {
        given += dl_lake_index_candidates(bits[i], a->index, i, hint);
    }
    return given;
}

/* Count in *FOUND the lines that QUERY matches; return how many of them are in
 * no block that is given for HINT. */
static int count_lost(int *found, const asked *a, dl_query *query,
                      const dl_lake_hint *hint)
{
    static uint64_t bits[64][DL_LAKE_INDEX_WORDS];
    int lost = 0;
    uint64_t i;

    candidates(bits, a, hint);
    for (i = 0; i < LINES; i++) {
        const char *line = a->lines[i];
        int segment;
        int block;

        if (dl_query_match(query, line, (size_t)(strchr(line, '\n') - line))) {
            ++*found;
            dl_lake_index_find(&segment, &block, a->index, i);
            lost += (bits[segment][block / 64] >> (block % 64) & 1) == 0;
        }
    }
    return lost;
}

static void test_queries(const asked *a, const char *what)
{
    static uint64_t bits[64][DL_LAKE_INDEX_WORDS];
    dl_lake_hint *nothing;
    int tried = 0;
    int found = 0;
    int fewer = 0;
    int lost = 0;
    int all;
    int i;

    dl_lake_hint_create(&nothing, a->f->pool);
    all = candidates(bits, a, nothing);
    for (i = 0; i < QUERIES; i++) {
        const dl_lake_hint *hint;
        apr_pool_t *pool;
        dl_query *query;
        dl_error err;

        apr_pool_create(&pool, a->f->pool);
        dl_query_create(&query, a->ds, pool);
        if (add_filter(query, a, pool) &&
            (below(2) == 0 || add_filter(query, a, pool)) &&
            dl_query_prepare(query, &err) == DL_OK) {
            hint = dl_query_hint(query, pool);
            tried++;
            if (hint != NULL) {
                fewer += candidates(bits, a, hint) < all ? 1 : 0;
                lost += count_lost(&found, a, query, hint);
            }
        }
        apr_pool_destroy(pool);
    }
    printf("# %s: %d queries, %d lines found, %d left blocks out\n", what,
           tried, found, fewer);
    ok(tried > QUERIES / 5 && found > tried && fewer > tried / 10, what);
    is_int(lost, 0, "no line that matches is left out");
}

int main(void)
{
    const char *given_seed = getenv("DL_SEED");
    const dl_dataset *untyped;
    const char *at;
    dl_error err = {0};
    index_fixture f;
    asked a = {.f = &f};
    int i;

    apr_initialize();
    seed = given_seed != NULL ? strtoull(given_seed, NULL, 10) : 1;
    index_begin(&f);
    for (i = 0; i < LINES; i++) {
        add_line(&f);
    }
    index_build(&f, 16, 1024, 7);
    index_store(&f, f.size);
    index_must(dl_lake_index_open(&a.index, &dl_lake_io_real, f.meta, &f.part,
                                  &err, f.pool),
               &err);
    a.lines = apr_palloc(f.pool, LINES * sizeof *a.lines);
    for (i = 0, at = f.data; i < LINES; i++) {
        a.lines[i] = at;
        at = strchr(at, '\n') + 1;
    }
    a.ds = f.ds;
    test_queries(&a, "queries over a declared dataset");
    index_must(dl_dataset_create_untyped(&untyped, "shop", NULL, &err, f.pool),
               &err);
    a.ds = untyped;
    test_queries(&a, "queries over one without a declaration");
    index_end(&f);
    apr_terminate();
    return done();
}
