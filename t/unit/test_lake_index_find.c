/* test_lake_index_find.c - What is looked for lies in a block that the index
 * gives, whatever the text.
 *
 * Lines and needles are random, made of pieces that are hard to read; whether
 * a line has what is looked for is decided by those who judge lines in
 * earnest (dl_search, dl_query).  DL_SEED chooses others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "index_fixture.h"

#include "dl_query.h"
#include "dl_search.h"

#include "tap.h"

/* Sizes of the property test. */
#define LINES   600
#define NEEDLES 3000
#define FILTERS 2000

static uint64_t seed = 1;

/* Return a number from 0 to N - 1. */
static unsigned below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % n;
}

/* --- Random lines ---------------------------------------------------------- */

/* Pieces of strings as JSON holds them. */
static const char *const pieces[] = {"alpha",
                                     "Beta",
                                     "GAMMA",
                                     "Stra\303\237e",
                                     "STRA\341\272\236E",
                                     "\303\204rger",
                                     "\xC3\xA4rger",
                                     "\xC4\xB0stanbul",
                                     "\xC4\xB1stanbul",
                                     "\342\204\252elvin",
                                     "kelvin",
                                     "\xC5\xBFun",
                                     "sun",
                                     "\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86",
                                     "\xCF\x82\xCF\x83\xCE\xA3",
                                     "e\xCC\x81t\xC3\xA9",
                                     "\xC8\xBA\xC8\xBA",
                                     "\xE2\xB1\xA5\xE2\xB1\xA5",
                                     "\xF0\x9F\x98\x80",
                                     "\xF0\x90\x90\x80\xF0\x90\x90\xA8",
                                     "\\u0007",
                                     "\\u200B",
                                     "\\ud83d\\ude00",
                                     "\\uD801\\uDC00",
                                     "\\u0041\\u0062",
                                     "\\u00E4",
                                     "\\\"",
                                     "\\\\",
                                     "\\/",
                                     "/",
                                     "\\n",
                                     "\\t",
                                     "\\b\\f\\r",
                                     "\\\\u0041",
                                     "\\u005C",
                                     "\\u0022",
                                     "0123",
                                     "4567",
                                     "-1.5e3",
                                     "null",
                                     "true",
                                     " ",
                                     ",",
                                     ":",
                                     "{}",
                                     "[]",
                                     "x",
                                     "xy",
                                     "xyz",
                                     "wxyz",
                                     "aaaa",
                                     "aaab"};

#define PIECES (sizeof pieces / sizeof pieces[0])

/* Write TEXT to OUT and return its end. */
static char *put(char *out, const char *text)
{
    while (*text != '\0') {
        *out++ = *text++;
    }
    return out;
}

/* Write random pieces to OUT and return its end. */
static char *put_text(char *out, unsigned most)
{
    unsigned n = below(most + 1);

    for (unsigned i = 0; i < n; i++) {
        out = put(out, pieces[below(PIECES)]);
    }
    return out;
}

/* Numbers and times as records hold them, right ones and wrong ones. */
static const char *const numbers[] = {"0",
                                      "-0",
                                      "1",
                                      "-1",
                                      "12.5",
                                      "12.50",
                                      "1e2",
                                      "-3E-2",
                                      "99999999999999999",
                                      "0.1",
                                      "0.30000000000000004",
                                      "1e400",
                                      "-1e400",
                                      "1e-400",
                                      "null",
                                      "true",
                                      "\"12.5\"",
                                      "\"1e1\"",
                                      "\"x\"",
                                      "\"1\\u0032\"",
                                      "123456789012345678901",
                                      "[]",
                                      "{}"};
static const char *const times[] = {"0",
                                    "1.5",
                                    "86400",
                                    "1700000000.123456",
                                    "\"1970-01-02T00:00:00Z\"",
                                    "\"2023-11-14T23:13:20+01:00\"",
                                    "\"2023-11-14 22:13:20\"",
                                    "\"1e3\"",
                                    "\"1700000000\"",
                                    "null",
                                    "-5",
                                    "\"x\""};
static const char *const days[] = {"\"1970-01-01\"", "\"2023-11-14\"",
                                   "\"2024-02-30\"", "5", "null"};

#define PICK(list) list[below(sizeof(list) / sizeof(list)[0])]

/* Write a random record to OUT; return its length. */
static size_t put_line(char *out)
{
    char *at = out;

    at = put(at, "{\"id\":\"");
    at = put_text(at, 2);
    at = put(at, "\",\"at\":");
    at = put(at, PICK(times));
    if (below(2) == 0) {
        at = put(at, ",\"sum\":");
        at = put(at, PICK(numbers));
    }
    if (below(2) == 0) {
        at = put(at, ",\"old\":{\"sum\":");
        at = put(at, PICK(numbers));
        at = put(at, "}");
    }
    at = put(at, ",\"day\":");
    at = put(at, PICK(days));
    at = put(at, ",\"note\":\"");
    at = put_text(at, below(20) == 0 ? 400 : 12);
    at = put(at, "\",\"more\":[\"");
    at = put_text(at, 5);
    at = put(at, "\",17,true]");
    if (below(8) == 0) { /* the last one counts */
        at = put(at, ",\"sum\":7,\"id\":\"");
        at = put_text(at, 1);
        at = put(at, "\"");
    }
    at = put(at, "}");
    return (size_t)(at - out);
}

static void fill(index_fixture *f)
{
    static char line[DL_JSON_MAX_BYTES];

    for (int i = 0; i < LINES; i++) {
        index_line(f, line, put_line(line));
    }
}

/* --- Asking ---------------------------------------------------------------- */

/* An open index and the blocks that were last given. */
typedef struct asked {
    dl_lake_index *index;                   /* the index */
    uint64_t bits[16][DL_LAKE_INDEX_WORDS]; /* of each segment */
    int given;                              /* in all of them */
} asked;

static void ask(asked *a, const dl_lake_hint *hint)
{
    uint64_t bytes;
    uint64_t lines;
    int n = dl_lake_index_segments(&bytes, &lines, a->index);

    a->given = 0;
    for (int i = 0; i < n; i++) {
        a->given += dl_lake_index_candidates(a->bits[i], a->index, i, hint);
    }
}

/* Whether the block with LINE was given. */
static bool given(const asked *a, uint64_t line)
{
    int segment;
    int i;

    dl_lake_index_find(&segment, &i, a->index, line);
    return (a->bits[segment][i >> 6] >> (i & 63) & 1) != 0;
}

/* Judges one line. */
typedef bool judge(void *context, const char *line, size_t len);

/* Return how many lines of F that JUDGED takes were not given; *TAKEN counts
 * those it takes. */
static int missing(const index_fixture *f, const asked *a, judge *judged,
                   void *context, int *taken)
{
    const char *at = f->data;
    int n = 0;

    for (uint64_t line = 0; line < f->lines; line++) {
        const char *stop = memchr(at, '\n', f->len - (size_t)(at - f->data));

        if (judged(context, at, (size_t)(stop - at))) {
            (*taken)++;
            n += given(a, line) ? 0 : 1;
        }
        at = stop + 1;
    }
    return n;
}

static bool judge_text(void *context, const char *line, size_t len)
{
    return dl_search_text(context, line, len) ||
           dl_search_values(context, line, len);
}

static bool judge_query(void *context, const char *line, size_t len)
{
    return dl_query_match(context, line, len);
}

/* --- Needles --------------------------------------------------------------- */

/* Write a needle to OUT: a stretch of a line as it is, or of a value's text,
 * its case changed; return its length, 0: it is no text. */
static size_t put_needle(char *out, const index_fixture *f)
{
    size_t at = below((unsigned)f->len);
    size_t len = 1 + below(24);
    char text[64];
    size_t n;

    while (at > 0 && ((unsigned char)f->data[at] & 0xC0) == 0x80) {
        at--;
    }
    len = f->len - at < len ? f->len - at : len;
    memcpy(text, f->data + at, len);
    if (memchr(text, '\n', len) != NULL) {
        return 0;
    }
    n = len;
    memcpy(out, text, n);
    if (below(2) == 0) { /* what it stands for; a cut escape is no text */
        char raw[80];
        dl_json_slice slice;
        dl_json_result result;
        const dl_json_shape *shape;
        const char *path = "a";
        char scratch[160];
        dl_error err;
        apr_pool_t *pool;
        int used =
            snprintf(raw, sizeof raw, "{\"a\":\"%.*s\"}", (int)len, text);

        apr_pool_create(&pool, f->pool);
        n = 0;
        if (dl_json_shape_create(&shape, &path, 1, &err, pool) == DL_OK &&
            dl_json_scan(&result, &slice, shape, scratch, raw, (size_t)used) ==
                DL_JSON_FINE) {
            n = dl_json_unescape(out, slice);
        }
        apr_pool_destroy(pool);
    }
    for (size_t i = 0; i < n; i++) {
        char c = out[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        out[i] =
            (char)((unsigned char)c ^ (letter && below(4) == 0 ? 0x20u : 0u));
    }
    return n;
}

static void test_needles(const index_fixture *f, asked *a)
{
    int lost = 0;
    int taken = 0;
    int tried = 0;
    int left_out = 0;

    for (int i = 0; i < NEEDLES; i++) {
        apr_pool_t *pool;
        char needle[160];
        size_t len = put_needle(needle, f);
        dl_lake_hint_text text = {needle, len};
        dl_lake_hint *hint;
        dl_search *search;
        dl_error err;

        apr_pool_create(&pool, f->pool);
        if (len > 0 &&
            dl_search_create(&search, needle, len, &err, pool) == DL_OK) {
            dl_lake_hint_create(&hint, pool);
            dl_lake_hint_add_texts(hint, &text, 1);
            ask(a, hint);
            tried++;
            left_out += a->given == 0 ? 1 : 0;
            lost += missing(f, a, judge_text, search, &taken);
        }
        apr_pool_destroy(pool);
    }
    ok(tried > NEEDLES / 2 && taken > tried,
       "thousands of needles, most of them somewhere");
    printf("# %d needles, %d lines with one, %d found nowhere\n", tried, taken,
           left_out);
    is_int(lost, 0, "each line with a needle is in a block that is given");
}

/* --- Filters --------------------------------------------------------------- */

/* A random filter: what dl_query is asked, and the hint for it. */
static bool add_filter(dl_query *query, dl_lake_hint *hint,
                       const index_fixture *f, apr_pool_t *pool)
{
    static const char *const fields[] = {"id", "at", "sum", "day"};
    static const char *const values[] = {"0",          "1",
                                         "12.5",       "-0.03",
                                         "100",        "7",
                                         "86400",      "1e400",
                                         "1700000000", "1970-01-02",
                                         "2023-11-14", "99999999999999999",
                                         "0.3",        "2023-11-14T22:13:20Z"};
    static const dl_query_op ops[] = {DL_QUERY_EQ, DL_QUERY_GT, DL_QUERY_GTE,
                                      DL_QUERY_LT, DL_QUERY_LTE};
    int i = (int)below(4);
    int field = dl_dataset_field(f->ds, fields[i]);
    dl_query_op op = ops[below(5)];
    const char *value = PICK(values);
    size_t len = strlen(value);
    dl_query_fault fault;
    char text[512];

    if (i == 0) {
        char escaped[256];
        dl_json_slice slice = {.text = escaped, .kind = DL_JSON_STRING};
        dl_lake_hint_text key = {text, 0};

        slice.len = (uint32_t)(put_text(escaped, 2) - escaped);
        key.len = dl_json_unescape(text, slice);
        dl_lake_hint_add_keys(
            hint, dl_lake_column_name(f->ds, field, DL_LAKE_COLUMN_KEYS, pool),
            &key, 1);
        return dl_query_filter(query, "id", DL_QUERY_EQ, text, key.len,
                               &fault) == DL_OK;
    }
    if (i == 2) {
        double number = strtod(value, NULL);
        double low =
            op == DL_QUERY_LT || op == DL_QUERY_LTE ? -1e308 * 10 : number;
        double high =
            op == DL_QUERY_GT || op == DL_QUERY_GTE ? 1e308 * 10 : number;

        dl_lake_hint_add_numbers(
            hint,
            dl_lake_column_name(f->ds, field, DL_LAKE_COLUMN_NUMBERS, pool),
            low, high);
        return strchr(value + 1, '-') == NULL &&
               dl_query_filter(query, "sum", op, value, len, &fault) == DL_OK;
    }
    {
        bool whole;
        bool zone;
        dl_time t = 0;
        dl_time last;

        if (!dl_time_parse_asked(&t, &whole, &zone, value, len)) {
            return false;
        }
        last = t + DL_DAY_US;
        dl_lake_hint_add_times(
            hint, dl_lake_column_name(f->ds, field, DL_LAKE_COLUMN_TIMES, pool),
            op == DL_QUERY_LT || op == DL_QUERY_LTE ? INT64_MIN : t,
            op == DL_QUERY_GT || op == DL_QUERY_GTE ? INT64_MAX : last);
    }
    return dl_query_filter(query, fields[i], op, value, len, &fault) == DL_OK;
}

static void test_filters(const index_fixture *f, asked *a)
{
    int lost = 0;
    int taken = 0;
    int tried = 0;
    int fewer = 0;

    for (int i = 0; i < FILTERS; i++) {
        apr_pool_t *pool;
        dl_lake_hint *hint;
        dl_query *query;
        dl_error err;

        apr_pool_create(&pool, f->pool);
        dl_lake_hint_create(&hint, pool);
        dl_query_create(&query, f->ds, pool);
        if (add_filter(query, hint, f, pool) &&
            dl_query_prepare(query, &err) == DL_OK) {
            ask(a, hint);
            tried++;
            fewer += a->given < 20 ? 1 : 0;
            lost += missing(f, a, judge_query, query, &taken);
        }
        apr_pool_destroy(pool);
    }
    printf("# %d filters, %d lines, %d of them with less than 20 blocks\n",
           tried, taken, fewer);
    ok(tried > FILTERS / 3 && taken > tried && fewer > 0,
       "filters by number, time and key, many of them with matches");
    is_int(lost, 0, "each line that a filter takes is in a block given");
}

/* --- Keys ------------------------------------------------------------------ */

static void test_key_lines(const index_fixture *f, const asked *a)
{
    const char *at = f->data;
    int lost = 0;
    int much = 0;
    uint64_t bytes;
    uint64_t lines;
    int n = dl_lake_index_segments(&bytes, &lines, a->index);

    for (uint64_t line = 0; line < f->lines; line++) {
        const char *stop = memchr(at, '\n', f->len - (size_t)(at - f->data));
        static char scratch[DL_JSON_MAX_BYTES + DL_JSON_SLACK];
        static char text[DL_JSON_MAX_BYTES];
        dl_json_slice slots[16];
        dl_json_result result;
        dl_lake_hint_text key = {text, 0};
        bool found = false;

        dl_json_scan(&result, slots, f->columns->shape, scratch, at,
                     (size_t)(stop - at));
        key.len = dl_json_unescape(
            text, dl_lake_column_value(&f->columns->columns[1], slots));
        for (int s = 0; s < n; s++) {
            dl_lake_key_lines lines_of;
            apr_pool_t *pool;

            apr_pool_create(&pool, f->pool);
            if (!dl_lake_index_key_lines(&lines_of, a->index, s, "id", &key,
                                         pool)) {
                lost++;
            }
            for (uint32_t k = 0; k < lines_of.n; k++) {
                found = found || lines_of.first + lines_of.lines[k] == line;
                lost += k > 0 && lines_of.lines[k] <= lines_of.lines[k - 1];
            }
            much += lines_of.n > LINES / 2 ? 1 : 0;
            apr_pool_destroy(pool);
        }
        lost += found ? 0 : 1;
        at = stop + 1;
    }
    is_int(lost, 0, "each line is among the lines of its key, which rise");
    is_int(much, 0, "... and not all others");
}

/* --- All ------------------------------------------------------------------- */

static void test_all(int blocks, uint32_t block_bytes, int step)
{
    dl_error err = {0};
    index_fixture f;
    asked a;

    index_begin(&f);
    fill(&f);
    index_build(&f, blocks, block_bytes, step);
    index_store(&f, f.size);
    index_must(dl_lake_index_open(&a.index, &dl_lake_io_real, f.meta, &f.part,
                                  &err, f.pool),
               &err);
    test_needles(&f, &a);
    test_filters(&f, &a);
    test_key_lines(&f, &a);
    index_end(&f);
}

static void test_chunks(void)
{
    index_fixture f;
    uint8_t *bytes;
    size_t size;

    index_begin(&f);
    fill(&f);
    index_build(&f, 16, 4096, 1);
    bytes = f.bytes;
    size = f.size;
    f.bytes = NULL;
    index_build(&f, 16, 4096, 50);
    ok(size == f.size && memcmp(bytes, f.bytes, size) == 0,
       "how many lines come at once makes no difference");
    free(bytes);
    index_end(&f);
}

int main(void)
{
    const char *given_seed = getenv("DL_SEED");

    apr_initialize();
    seed = given_seed != NULL ? strtoull(given_seed, NULL, 10) : 1;
    test_all(DL_LAKE_INDEX_BLOCKS, 4096, 1);
    test_all(8, 6000, 13);
    test_chunks();
    apr_terminate();
    return done();
}
