/* test_lake_notes.c - Notes and marks: the bytes FORMAT.md names, and that
 * what was written comes back.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_marks.h"
#include "dl_lake_notes.h"

#include "tap.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>

static apr_pool_t *pool;

static void add(dl_line_note *note, const char *name, const char *value)
{
    const dl_line_header header = {name, strlen(name), value, strlen(value)};
    bool full = false;

    dl_line_note_add(note, &header, &full);
}

/* The texts of NOTE as one. */
static const char *text_of(const dl_line_note *note)
{
    static char text[8192];
    size_t used;

    if (note == NULL) {
        return "(bad)";
    }
    used = (size_t)snprintf(text, sizeof text, "%d[%.*s]", (int)note->key_kind,
                            (int)note->key_len,
                            note->key == NULL ? "" : note->key);
    for (int i = 0; i < note->n; i++) {
        const dl_line_header *h = &note->headers[i];

        used +=
            (size_t)snprintf(text + used, sizeof text - used, " %.*s=%.*s",
                             (int)h->name_len, h->name, (int)h->len, h->value);
    }
    return text;
}

/* --- Bytes ---------------------------------------------------------------- */

/* Five lines: plain, two of one set, one whose value counts up, and one that
 * has no header and another key. */
static void test_bytes(void)
{
    /* run: 1 line, kind 0: 4; no headers: 0
     * run: 2 lines: 8; new set: 1; two headers: new name 1 "dl-a" with all of
     * its value: (1<<1)|1, text, 0, text "x1"; new name 2 "dl-b", "7"
     * run: 1 line: 4; new set: 2; name 1 with 1 byte in common and "2"; name 2
     * as before
     * run: 1 line, kind 2: 6; no headers: 0; 0 in common, "k" */
    static const char want[] = "\x04\x00"
                               "\x08\x01\x02\x03\x04"
                               "dl-a\x00\x02x1\x05\x04"
                               "dl-b\x00\x01"
                               "7"
                               "\x04\x02\x02\x03\x01\x01"
                               "2\x04"
                               "\x06\x00\x00\x01k";
    dl_line_note a = {.n = 0};
    dl_line_note b = {.n = 0};
    dl_line_note c = {.n = 0};
    dl_lake_noting *noting = NULL;
    dl_lake_bytes *out = apr_palloc(pool, sizeof *out);

    dl_lake_bytes_own(out, pool);
    add(&a, "dl-a", "x1");
    add(&a, "dl-b", "7");
    add(&b, "dl-a", "x2");
    add(&b, "dl-b", "7");
    dl_line_note_key(&c, "k", 1);
    dl_lake_noting_add(&noting, 0, NULL);
    ok(noting == NULL, "a plain line needs no memory");
    dl_lake_noting_add(&noting, 1, &a);
    dl_lake_noting_add(&noting, 2, &a);
    dl_lake_noting_add(&noting, 3, &b);
    dl_lake_noting_add(&noting, 4, &c);
    dl_lake_noting_close(noting, 5, out);
    ok(out->len == sizeof want - 1 && memcmp(out->data, want, out->len) == 0,
       "notes are runs, sets and keys as FORMAT.md says");
    out->len = 0;
    dl_lake_noting_add(&noting, 0, &a);
    dl_lake_noting_add(&noting, 1, NULL);
    dl_lake_noting_close(noting, 900, out);
    is_int((long long)out->len, 22,
           "plain lines at the end of an entry are left out");
    out->len = 0;
    dl_lake_noting_close(noting, 900, out);
    is_int((long long)out->len, 0, "an entry of plain lines has no notes");
    dl_lake_noting_free(&noting);
}

static void test_cost(void)
{
    dl_line_note note = {.n = 0};
    dl_lake_noting *noting = NULL;
    dl_lake_bytes *out = apr_palloc(pool, sizeof *out);
    char count[24];

    dl_lake_bytes_own(out, pool);
    add(&note, "dl-origin", "repush");
    add(&note, "dl-replay-id", "7d0e5e52-9a52-4d7e-a1a7-0a8a6b1f3c11");
    for (uint32_t i = 0; i < 1024; i++) {
        dl_lake_noting_add(&noting, i, &note);
    }
    dl_lake_noting_close(noting, 1024, out);
    ok(out->len < 102, "a thousand lines of one replay cost 0.1 bytes each");
    printf("# %zu bytes\n", out->len);
    out->len = 0;
    for (uint32_t i = 0; i < 1024; i++) {
        note.n = 2;
        snprintf(count, sizeof count, "%u", 4000000 + i);
        add(&note, "dl-position", count);
        dl_lake_noting_add(&noting, i, &note);
    }
    dl_lake_noting_close(noting, 1024, out);
    ok(out->len < 12 * 1024, "with a header that counts up, 12 bytes at most");
    printf("# %zu bytes\n", out->len);
    dl_lake_noting_free(&noting);
}

/* --- There and back ------------------------------------------------------- */

static uint32_t state = 12345;

static uint32_t draw(uint32_t below)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % below;
}

/* Fill NOTE with something: few names and values, now and then a long one. */
static void draw_note(dl_line_note *note, char room[4096])
{
    static const char *const names[] = {"dl-origin", "dl-replay-id", "dl-event",
                                        "dl-x", "dl-request-id"};
    static const uint32_t keys[] = {0, 0, 1, 2, 2, 2};
    uint32_t n = draw(4) == 0 ? 0 : draw(5);
    size_t used = 0;

    memset(note, 0, sizeof *note);
    for (uint32_t i = 0; i < n; i++) {
        char *value = room + used;
        uint32_t len = draw(40) == 0 ? 300 : draw(4) * 5;

        memset(value, 'v', len);
        value[len] = '\0';
        if (len > 0 && draw(2) == 0) {
            value[len - 1] = (char)('a' + draw(20));
        }
        used += len + 1;
        add(note, names[draw(5)], value);
    }
    if (keys[draw(6)] == 2) {
        uint32_t len = draw(60) == 0 ? 1500 : draw(12);

        memset(room + used, 'k', len + 1);
        room[used + len / 2] = (char)('0' + draw(10));
        dl_line_note_key(note, room + used, len);
    }
    else if (draw(3) == 0) {
        dl_line_note_key(note, NULL, 0);
    }
}

static void test_roundtrip(void)
{
    static char want[1024][2048];
    static char room[4096];
    dl_lake_noted *noted = dl_lake_noted_create(pool);
    dl_lake_bytes *out = apr_palloc(pool, sizeof *out);
    dl_lake_noting *noting = NULL;
    int wrong = 0;
    int ended = 0;
    size_t most = 0;

    dl_lake_bytes_own(out, pool);
    for (int round = 0; round < 400; round++) {
        uint32_t repeat = 1 + draw(8);
        dl_line_note note;
        uint32_t n;

        out->len = 0;
        draw_note(&note, room);
        for (n = 0; n < 1 + (uint32_t)round * 2; n++) {
            if (draw(repeat) == 0) {
                draw_note(&note, room);
            }
            if (dl_lake_noting_full(noting, &note)) {
                break;
            }
            dl_lake_noting_add(&noting, n, &note);
            snprintf(want[n], sizeof want[n], "%s", text_of(&note));
        }
        dl_lake_noting_close(noting, n, out);
        most = out->len > most ? out->len : most;
        dl_lake_noted_begin(noted, dl_lake_in_make(out->data, out->len), n);
        for (uint32_t i = 0; i < n; i++) {
            wrong += strncmp(text_of(dl_lake_noted_next(noted)), want[i],
                             sizeof want[i] - 1) != 0;
        }
        ended += dl_lake_noted_at_end(noted);
    }
    is_int(wrong, 0, "every note of 400 entries comes back");
    is_int(ended, 400, "and uses its bytes exactly");
    ok(most < 24576 + 2300, "an entry's notes stay within their bound");
    ok(dl_lake_noted_next(noted) == NULL, "there is none behind the last line");
    dl_lake_noting_free(&noting);
}

/* What a crooked hand may write. */
static void test_damage(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *what;
    } bad[] = {
        {"\x00\x00", 2, "a run of no lines"},
        {"\x40\x00\x00", 3, "a run of more lines than the entry has"},
        {"\x04\x00", 2, "a plain run at the end"},
        {"\x05\x02", 2, "a set with a number that is not the next"},
        {"\x04\x01\x00", 3, "a set of no headers"},
        {"\x04\x01\x01\x04", 4, "a name that is not the next"},
        {"\x04\x01\x01\x03\x00\x00\x00", 7, "a name without a character"},
        {"\x04\x01\x01\x03\x04"
         "dl-a\x01\x01x",
         12, "something in common with nothing"},
        {"\x04\x01\x01\x02\x04"
         "dl-a",
         9, "a value as before when there is none"},
        {"\x06\x00\x01\x01k", 5, "a key in common with nothing"},
        {"\x06\x00\x00\x09k", 5, "a key that is longer than what is left"},
    };
    dl_lake_noted *noted = dl_lake_noted_create(pool);

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char sentence[120];

        dl_lake_noted_begin(noted, dl_lake_in_make(bad[i].bytes, bad[i].len),
                            3);
        snprintf(sentence, sizeof sentence, "%s is damage", bad[i].what);
        ok(dl_lake_noted_next(noted) == NULL && !dl_lake_noted_at_end(noted),
           sentence);
    }
    dl_lake_noted_begin(noted, dl_lake_in_make("\x05\x00\x05\x00", 4), 1);
    ok(dl_lake_noted_next(noted) != NULL && !dl_lake_noted_at_end(noted),
       "runs of more lines than the entry has are found at its end");
}

static void test_limits(void)
{
    dl_line_note note = {.n = 0};
    char value[1100];
    dl_line_header header = {"dl-long", 7, value, 1016};
    bool full = false;

    memset(value, 'v', sizeof value);
    add(&note, "traceparent", "00");
    is_int(note.n, 0, "other headers are not kept");
    dl_line_note_add(&note, &header, &full);
    ok(note.n == 1 && !full, "1,023 bytes are");
    header.len = 0;
    dl_line_note_add(&note, &header, &full);
    ok(note.n == 1 && full, "what goes past 1,024 is not");
    header.name_len = 3;
    dl_line_note_add(&note, &header, &full);
    is_int(note.n, 1, "nor what comes behind it");
    dl_line_note_key(&note, value, 1025);
    ok(note.key_kind == DL_LINE_KEY_LONG && note.key == NULL,
       "nor a key of more than 1,024");
}

/* --- Positions and marks -------------------------------------------------- */

static bool reads(const char *name, const char *value, dl_lake_position *p)
{
    dl_line_note note = {.n = 0};

    add(&note, name, value);
    return dl_line_note_position(p, &note);
}

static void test_positions(void)
{
    static const char *const bad[] = {
        "",           "till",      "till 1",     "till 1 ",
        "till  1",    " 1 2",      "till 1 2 3", "till -1 2",
        "till 1 0x2", "ti ll 1 2", "t/l 1 2",    "till 1 9223372036854775808",
        "till 1 2\n"};
    dl_lake_position p;
    int wrong = 0;

    ok(reads("dl-source-pos", "till-9.a_b 3 9223372036854775807", &p) &&
           p.source_len == 10 && p.epoch == 3 && p.position == INT64_MAX,
       "dl-source-pos is a name, an epoch and a position");
    ok(reads("dl-change-id", "42", &p) && p.source_len == 0 && p.epoch == 0 &&
           p.position == 42,
       "dl-change-id is a position of the source without a name");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        wrong += reads("dl-source-pos", bad[i], &p);
    }
    is_int(wrong, 0, "what is not in that form is no position");
    ok(!reads("dl-change-id", "1 2", &p) && !reads("dl-change-id", "", &p),
       "nor an id that is no number");
}

static dl_lake_position at(const char *source, uint64_t epoch,
                           uint64_t position)
{
    return (dl_lake_position){source, strlen(source), epoch, position};
}

static void raise_to(dl_lake_marks *m, int32_t partition, const char *source,
                     uint64_t epoch, uint64_t position)
{
    const dl_lake_position p = at(source, epoch, position);

    dl_lake_marks_raise(m, partition, &p);
}

static bool has(const dl_lake_marks *m, int32_t partition, const char *source,
                uint64_t epoch, uint64_t position)
{
    const dl_lake_position p = at(source, epoch, position);

    return dl_lake_marks_has(m, partition, &p);
}

static void test_marks(void)
{
    dl_lake_marks *m = apr_palloc(pool, sizeof *m);
    dl_lake_marks *back = apr_palloc(pool, sizeof *back);
    dl_lake_bytes *bytes = apr_palloc(pool, sizeof *bytes);
    dl_lake_in in;

    dl_lake_marks_own(m, pool);
    dl_lake_marks_own(back, pool);
    dl_lake_bytes_own(bytes, pool);
    dl_lake_marks_add(bytes, m, false);
    is_int((long long)bytes->len, 0, "no marks, no bytes");
    raise_to(m, 1, "a", 0, 5);
    ok(has(m, 1, "a", 0, 5) && has(m, 1, "a", 0, 4) && !has(m, 1, "a", 0, 6),
       "what is at or below a mark is there");
    ok(!has(m, 1, "a", 1, 0) && !has(m, 2, "a", 0, 1) && !has(m, 1, "", 0, 1) &&
           !has(m, 1, "aa", 0, 1),
       "another epoch, partition or source is another matter");
    dl_lake_marks_commit(m);
    raise_to(m, 1, "a", 0, 9);
    raise_to(m, 1, "", 0, 7);
    dl_lake_marks_add(bytes, m, true);
    /* two marks: partition 1, "", 0, 7; partition 1, "a", 0, 9 */
    ok(bytes->len == 10 && memcmp(bytes->data,
                                  "\x02\x01\x00\x00\x07\x01\x01"
                                  "a\x00\x09",
                                  10) == 0,
       "a commit has the marks that moved, as FORMAT.md says");
    dl_lake_marks_forget(m);
    ok(has(m, 1, "a", 0, 5) && !has(m, 1, "a", 0, 6) && !has(m, 1, "", 0, 0) &&
           m->n == 1,
       "what is not committed can be forgotten");
    in = dl_lake_in_make(bytes->data, bytes->len);
    dl_lake_marks_get(back, &in);
    ok(!in.bad && in.p == in.end && has(back, 1, "a", 0, 9) &&
           has(back, 1, "", 0, 7) && back->n_moved == 0,
       "they come back");
    in = dl_lake_in_make(bytes->data, bytes->len);
    dl_lake_marks_get(back, &in);
    ok(in.bad, "a mark that does not rise is damage");
}

static void test_many_marks(void)
{
    dl_lake_marks *m = apr_palloc(pool, sizeof *m);
    char name[16];
    int kept = 0;

    dl_lake_marks_own(m, pool);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "s%d", i * 7919 % 5000);
        raise_to(m, i % 6, name, 1, 1);
        kept += has(m, i % 6, name, 1, 1);
    }
    is_int(kept, 4096, "4,096 sources are remembered");
    raise_to(m, 0, "s0", 1, 8);
    ok(has(m, 0, "s0", 1, 8), "those that are go on");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_bytes();
    test_cost();
    test_roundtrip();
    test_damage();
    test_limits();
    test_positions();
    test_marks();
    test_many_marks();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
