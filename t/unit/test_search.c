/* test_search.c - Searching many lines at once finds the lines that hold the
 * text: against records whose texts and values are known.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_fold.h"
#include "dl_search.h"
#include "dl_utf8.h"

#include <stdio.h>
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "tap.h"

#define LINES  40
#define VALUES 4
#define ROOM   4096

static apr_pool_t *pool;
static uint32_t seed = 20260519;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Some bytes that grow. */
typedef struct bytes {
    char data[ROOM]; /* they */
    size_t len;      /* how many */
} bytes;

static void put(bytes *out, const char *text, size_t len)
{
    memcpy(out->data + out->len, text, len);
    out->len += len;
}

static void put_text(bytes *out, const char *text)
{
    put(out, text, strlen(text));
}

/* --- Records ------------------------------------------------------------------ */

/* One record, as it is stored and as it is searched. */
typedef struct record {
    bytes stored;         /* the line */
    bytes text;           /* the line, \u decoded */
    bytes values[VALUES]; /* what each value stands for */
    int n;                /* values */
} record;

static record records[LINES];
static int n_records;

/* Append the character CODE to a string of R and to VALUE. */
static void put_char(record *r, bytes *value, uint32_t code)
{
    static const char *const short_form[] = {"\"\\\"", "\\\\\\", "/\\/",
                                             "\n\\n", "\t\\t"};
    char utf8[4];
    size_t len = dl_utf8_encode(utf8, code);
    char escape[8];
    size_t i;

    put(value, utf8, len);
    for (i = 0; i < sizeof short_form / sizeof short_form[0]; i++) {
        if (code == (unsigned char)short_form[i][0] &&
            (code != '/' || any(2) == 0) && any(4) != 0) {
            put_text(&r->stored, short_form[i] + 1);
            put_text(&r->text, short_form[i] + 1);
            return;
        }
    }
    if (code < 0x20 || code == 0x200B || code == '"' || code == '\\') {
        snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code);
        put_text(&r->stored, escape);
    }
    else {
        put(&r->stored, utf8, len);
    }
    put(&r->text, utf8, len);
}

static void put_both(record *r, const char *text)
{
    put_text(&r->stored, text);
    put_text(&r->text, text);
}

static const uint32_t letters[] = {
    'a',     'b',  'A', 'k',  0x212A, 's',  0x17F, 0xDF,   0x1E9E,
    0xE9,    0xC9, '"', '\\', '/',    '\n', '\t',  0x200B, 0x1F,
    0x1F600, 'n',  'u', '0',  ':',    ',',  '}',   '[',    0x301};

#define LETTERS ((uint32_t)(sizeof letters / sizeof letters[0]))

static void put_string(record *r, bytes *value, uint32_t few)
{
    uint32_t n = any(6);

    put_both(r, "\"");
    while (n-- > 0) {
        put_char(r, value, letters[any(few)]);
    }
    put_both(r, "\"");
}

/* Make R a record of strings, numbers, words and names. */
static void make_record(record *r, uint32_t few)
{
    static const char *const words[] = {"true", "false", "-12.50", "1e3",
                                        "null"};
    int i;

    memset(r, 0, sizeof *r);
    r->n = 1 + (int)any(VALUES);
    put_both(r, "{");
    for (i = 0; i < r->n; i++) {
        bytes name = {.len = 0};
        uint32_t word = any(5);

        put_both(r, i > 0 ? "," : "");
        put_string(r, &name, few);
        put_both(r, ":");
        if (any(3) > 0) {
            put_string(r, &r->values[i], few);
            continue;
        }
        put_both(r, words[word]);
        if (word < 4) {
            put_text(&r->values[i], words[word]);
        }
    }
    put_both(r, "}");
}

/* --- The right answer ----------------------------------------------------------- */

/* Set OUT to the folded characters of B; return how many. */
static size_t fold_all(uint32_t out[ROOM], const bytes *b)
{
    size_t at = 0;
    size_t n = 0;

    while (at < b->len) {
        const unsigned char *c = (const unsigned char *)b->data + at;
        size_t len = dl_utf8_check(c, b->len - at);
        uint32_t code = len == 1   ? c[0]
                        : len == 2 ? c[0] & 0x1Fu
                        : len == 3 ? c[0] & 0x0Fu
                                   : c[0] & 0x07u;
        size_t i;

        for (i = 1; i < len; i++) {
            code = code << 6 | (c[i] & 0x3Fu);
        }
        out[n++] = dl_fold(code);
        at += len;
    }
    return n;
}

static bool holds(const bytes *in, const bytes *wanted)
{
    static uint32_t text[ROOM];
    static uint32_t needle[ROOM];
    size_t n = fold_all(text, in);
    size_t k = fold_all(needle, wanted);
    size_t i;

    for (i = 0; i + k <= n; i++) {
        if (memcmp(text + i, needle, k * sizeof *needle) == 0) {
            return true;
        }
    }
    return false;
}

static bool record_holds(const record *r, const bytes *wanted, bool values)
{
    bool found = false;
    int i;

    if (!values) {
        return holds(&r->text, wanted);
    }
    for (i = 0; i < r->n; i++) {
        found = found || holds(&r->values[i], wanted);
    }
    return found;
}

/* --- Comparing ------------------------------------------------------------------ */

/* Return all lines in memory of exactly their size. */
static char *join(size_t *len)
{
    char *all = malloc((size_t)LINES * ROOM);
    char *exact;
    size_t at = 0;
    int i;

    for (i = 0; all != NULL && i < n_records; i++) {
        memcpy(all + at, records[i].stored.data, records[i].stored.len);
        at += records[i].stored.len;
        all[at++] = '\n';
    }
    *len = at;
    exact = malloc(at + 1);
    if (all != NULL && exact != NULL) {
        memcpy(exact, all, at);
    }
    free(all);
    return exact;
}

/* Return whether the lines found for WANTED are those that hold it. */
static bool finds(const bytes *wanted, bool values)
{
    dl_search *search;
    dl_search_lines in;
    dl_search_line line;
    dl_error err;
    size_t len;
    char *all = join(&len);
    bool good =
        all != NULL && dl_search_create(&search, wanted->data, wanted->len,
                                        &err, pool) == DL_OK;
    uint64_t number = 7;
    int i;

    if (!good) {
        free(all);
        return false;
    }
    dl_search_lines_begin(&in, all, len, number);
    for (i = 0; i < n_records && good; i++) {
        const record *r = &records[i];

        if (record_holds(r, wanted, values)) {
            good = dl_search_lines_next(&line, &in, search, values) &&
                   line.line == number + (uint64_t)i &&
                   line.len == r->stored.len &&
                   memcmp(line.text, r->stored.data, line.len) == 0;
        }
    }
    good = good && !dl_search_lines_next(&line, &in, search, values) &&
           dl_search_lines_end(&in) == number + (uint64_t)n_records;
    if (!good) {
        printf("# %s of '%.*s'\n", values ? "values" : "text", (int)wanted->len,
               wanted->data);
    }
    free(all);
    return good;
}

/* Set WANTED to a part of a text or value of a record, or to letters. */
static void choose(bytes *wanted, uint32_t few)
{
    const record *r = &records[any((uint32_t)n_records)];
    const bytes *from =
        any(3) == 0 ? &r->text : &r->values[any((uint32_t)r->n)];
    record scratch = {.n = 0};
    size_t begin = from->len == 0 ? 0 : any((uint32_t)from->len);
    size_t end = begin + 1 + any(8);

    wanted->len = 0;
    if (from->len == 0 || any(4) == 0) {
        do {
            put_char(&scratch, wanted, letters[any(few)]);
        } while (any(3) > 0);
        return;
    }
    while (begin > 0 && ((unsigned char)from->data[begin] & 0xC0) == 0x80) {
        begin--;
    }
    end = end < from->len ? end : from->len;
    while (end < from->len && ((unsigned char)from->data[end] & 0xC0) == 0x80) {
        end++;
    }
    put(wanted, from->data + begin, end - begin);
}

static void test_lines(void)
{
    bool text = true;
    bool values = true;
    int turn;

    for (turn = 0; turn < 3000; turn++) {
        uint32_t few = 1 + any(LETTERS);
        bytes wanted = {.len = 0};
        int i;

        n_records = 1 + (int)any(LINES);
        for (i = 0; i < n_records; i++) {
            make_record(&records[i], few);
        }
        for (i = 0; i < 4; i++) {
            choose(&wanted, few);
            text = text && finds(&wanted, false);
            values = values && finds(&wanted, true);
            apr_pool_clear(pool);
        }
    }
    ok(text, "lines are found by their text, escapes decoded");
    ok(values, "and by their values");
}

/* --- Hints -------------------------------------------------------------------- */

/* The pieces that a search for TEXT tells an index of, a bar between. */
static const char *hint_of(const char *text, bool values)
{
    const char *out = "";
    dl_lake_hint *hint;
    dl_search *search;
    dl_error err;
    int i;

    dl_lake_hint_create(&hint, pool);
    if (dl_search_create(&search, text, strlen(text), &err, pool) != DL_OK) {
        return NULL;
    }
    dl_search_hint(search, hint, values);
    for (i = 0; i < hint->n; i++) {
        const dl_lake_hint_text *t = hint->conditions[i].texts;

        out = apr_psprintf(pool, "%s%s%.*s", out, i > 0 ? "|" : "", (int)t->len,
                           t->text);
    }
    return out;
}

static void test_hints(void)
{
    is_str(hint_of("say \"hello\"", false), "say \"hello\"",
           "the text of a line has it as it was asked for");
    is_str(hint_of("say \"hello\"", true), "say |hello",
           "a value may have an escape in it: the pieces between count");
    is_str(hint_of("a/b\\c\nd", true), "", "short pieces say nothing");
    is_str(hint_of("https://example.com", true), "https:|example.com",
           "a slash may be escaped");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_lines();
    test_hints();
    apr_terminate();
    return done();
}
