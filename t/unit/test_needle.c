/* test_needle.c - Finding folded texts by two bytes: every kind of processor
 * finds what a look at each character finds.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_anchor.h"
#include "dl_fold.h"
#include "dl_utf8.h"

#include <stdlib.h>

#include <apr_general.h>

#include "tap.h"

/* Characters of a generated text and of what is looked for in it. */
#define TEXT_CHARS   400
#define WANTED_CHARS 6

static apr_pool_t *pool;
static uint32_t seed = 20260518;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* --- Two bytes ---------------------------------------------------------------- */

/* Where ANCHORS stand, by a look at each place. */
static size_t look(const dl_anchors *a, const unsigned char *text, size_t len,
                   size_t from)
{
    for (; from + a->at[1] < len; from++) {
        if ((text[from + a->at[0]] | a->mask[0]) == a->value[0] &&
            (text[from + a->at[1]] | a->mask[1]) == a->value[1]) {
            return from;
        }
    }
    return len;
}

/* Return whether all places that SCAN finds in LEN bytes are the right ones. */
static bool finds_all(dl_anchor_scan *scan, const dl_anchors *a,
                      const unsigned char *text, size_t len)
{
    size_t from = 0;

    do {
        size_t at = scan(a, text, len, from);

        if (at != look(a, text, len, from)) {
            return false;
        }
        from = at + 1;
    } while (from < len);
    return true;
}

/* One random text of exactly its size, for sanitizers to watch. */
static bool try_anchors(dl_anchor_scan *scan)
{
    size_t len = 1 + any(600);
    unsigned char *text = malloc(len);
    uint8_t mask = any(2) == 0 ? 0x20 : 0;
    dl_anchors a = {.mask = {mask, 0}};
    bool good;
    size_t i;

    if (text == NULL) {
        return false;
    }
    for (i = 0; i < len; i++) {
        text[i] = (unsigned char)("aAbBxyz\n"[any(any(3) == 0 ? 8 : 2)]);
    }
    a.at[0] = any(5);
    a.at[1] = a.at[0] + any(any(4) == 0 ? 300 : 9);
    a.value[0] = (uint8_t)("abz"[any(3)] | mask);
    a.value[1] = (uint8_t)("aAbB"[any(4)]);
    good = finds_all(scan, &a, text, len);
    free(text);
    return good;
}

static void test_anchors(void)
{
    const dl_anchor_kind *kinds;
    int n = dl_anchor_kinds(&kinds);
    int i;
    int turn;

    ok(n > 0, "there is a kind for this processor");
    for (i = 0; i < n; i++) {
        bool good = true;

        for (turn = 0; turn < 3000; turn++) {
            good = good && try_anchors(kinds[i].scan);
        }
        ok(good, kinds[i].name);
    }
}

static void test_lines(void)
{
    static char text[20000];
    bool good = true;
    size_t n = 0;
    size_t i;

    for (i = 0; i < sizeof text; i++) {
        text[i] = any(3) == 0 ? '\n' : 'x';
    }
    for (i = 0; i < 700; i++) {
        good = good && dl_anchor_lines(text, i) == n;
        n += text[i] == '\n' ? 1 : 0;
    }
    ok(good, "newlines are counted in texts of every length");
    for (n = 0, i = 0; i < sizeof text; i++) {
        n += text[i] == '\n' ? 1 : 0;
    }
    is_int((long long)dl_anchor_lines(text, sizeof text), (long long)n,
           "and in a long one");
}

/* --- Needles ------------------------------------------------------------------ */

/* Letters that fold to others, to longer ones and to nothing. */
static const uint32_t letters[] = {
    'a',    'A',    'b',     'k',     'K',    0x212A, 's',   'S',    0x17F,
    0xDF,   0x1E9E, 0xE5,    0xC5,    0x212B, 0x3C9,  0x3A9, 0x2126, 0x3C3,
    0x3C2,  0x3A3,  0x130,   0x131,   'i',    'I',    0xE9,  0xC9,   0x301,
    0x2C65, 0x23A,  0x3B9,   0x345,   0x1FBE, '"',    '\n',  0x4E2D, 0x4E2E,
    0xFF41, 0xFF21, 0x10400, 0x10428, 0x1F600};

#define LETTERS ((uint32_t)(sizeof letters / sizeof letters[0]))

/* A text by characters and by bytes. */
typedef struct text {
    uint32_t code[TEXT_CHARS];  /* its characters */
    size_t at[TEXT_CHARS + 1];  /* where each begins */
    size_t n;                   /* how many */
    char bytes[4 * TEXT_CHARS]; /* the same in UTF-8 */
    size_t len;                 /* how many */
} text;

static void add(text *t, uint32_t code)
{
    t->code[t->n] = code;
    t->at[t->n++] = t->len;
    t->len += dl_utf8_encode(t->bytes + t->len, code);
    t->at[t->n] = t->len;
}

/* Return the character of T, from the byte FROM on, at which WANTED begins;
 * T's number of characters: nowhere. */
static size_t look_for(const text *wanted, const text *t, size_t from)
{
    size_t i;

    for (i = 0; i + wanted->n <= t->n; i++) {
        size_t k = 0;

        while (k < wanted->n && t->at[i] >= from &&
               dl_fold(t->code[i + k]) == dl_fold(wanted->code[k])) {
            k++;
        }
        if (k == wanted->n) {
            return i;
        }
    }
    return t->n;
}

/* Return whether all hits of WANTED in T are found. */
static bool same_hits(const text *wanted, const text *t)
{
    char *bytes = malloc(t->len);
    dl_needle *needle;
    dl_error err;
    size_t from = 0;
    bool good =
        bytes != NULL && dl_needle_create(&needle, wanted->bytes, wanted->len,
                                          &err, pool) == DL_OK;

    if (good) {
        memcpy(bytes, t->bytes, t->len);
    }
    while (good && from < t->len) {
        size_t want = look_for(wanted, t, from);
        dl_hit hit = {0, 0};
        bool found = dl_needle_find(&hit, needle, bytes, t->len, from);

        good = found == (want < t->n) &&
               (!found || (hit.at == t->at[want] &&
                           hit.len == t->at[want + wanted->n] - hit.at));
        from = found ? hit.at + 1 : t->len;
    }
    free(bytes);
    return good;
}

/* One text of few letters, so that much of it repeats. */
static bool try_needle(void)
{
    static text t;
    static text wanted;
    uint32_t first = any(LETTERS);
    uint32_t few = 1 + any(any(3) == 0 ? LETTERS : 6);
    size_t n = 1 + any(TEXT_CHARS);
    size_t k = 1 + any(WANTED_CHARS);

    t.n = t.len = wanted.n = wanted.len = 0;
    while (t.n < n) {
        add(&t, letters[(first + any(few)) % LETTERS]);
    }
    while (wanted.n < k) {
        add(&wanted, letters[(first + any(few)) % LETTERS]);
    }
    return same_hits(&wanted, &t);
}

static void test_needles(void)
{
    bool good = true;
    int turn;

    for (turn = 0; turn < 20000; turn++) {
        good = good && try_needle();
        apr_pool_clear(pool);
    }
    ok(good, "letters of every length and case are found where they stand");
}

static void test_origins(void)
{
    uint32_t out[DL_FOLD_ORIGINS];
    bool good = true;
    uint32_t code;

    is_int(dl_fold_origins(out, 'k'), 3, "three characters fold to k");
    ok(out[0] == 'k' && out[1] == 'K' && out[2] == 0x212A,
       "k, K and the Kelvin sign");
    is_int(dl_fold_origins(out, '1'), 1, "one to 1");
    for (code = 0; code < 0x11000; code++) {
        int n = dl_fold_origins(out, dl_fold(code));
        bool there = false;

        while (n > 0) {
            n--;
            there = there || out[n] == code;
        }
        good = good && there;
    }
    ok(good, "each character is one of those that fold to its folded form");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_anchors();
    test_lines();
    test_origins();
    test_needles();
    apr_terminate();
    return done();
}
