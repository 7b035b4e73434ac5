/* fuzz_notes.c - What a message says of itself, as the lake keeps it: notes of
 * a trail's entry and marks of a checkpoint are read or refused, and what was
 * read is written and read the same; a header is a position, or none.
 *
 * The first byte chooses: '0' notes of an entry, whose lines the second byte
 * says; '1' marks; both with each byte behind changed by 0x55, so that a seed
 * can hold a zero; '2' the value of dl-source-pos, '3' of dl-change-id.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dl_lake_marks.h"
#include "dl_lake_notes.h"

/* The longest header that a message may have. */
#define VALUE_MAX 256

/* Entries of more lines than that are left alone. */
#define LINES 96

/* Notes: test_lake_notes.c's five lines; a set of one.  Marks: one of source
 * "a", two of two. */
const char *const fuzz_seeds[] = {"0dQU]TWVQ19x4UW-dPQ19x7UTbQWWVTTgQSUUT>",
                                  "0`QTTVQ19x4UT-",
                                  "1TUT4TP",
                                  "1WUT4TPUT7WS",
                                  "2till-9.a_b 3 9223372036854775807",
                                  "342",
                                  NULL};

const char *const fuzz_words[] = {"U",
                                  "T",
                                  "W",
                                  "\xAA",
                                  "\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\x54",
                                  " ",
                                  "9",
                                  "9223372036854775808",
                                  NULL};

/* Whether A and B say the same. */
static bool same_note(const dl_line_note *a, const dl_line_note *b)
{
    bool same = a->n == b->n && a->key_kind == b->key_kind &&
                a->key_len == b->key_len &&
                (a->key_len == 0 || memcmp(a->key, b->key, a->key_len) == 0);

    for (int i = 0; same && i < a->n; i++) {
        const dl_line_header *x = &a->headers[i];
        const dl_line_header *y = &b->headers[i];

        same = x->name_len == y->name_len && x->len == y->len &&
               memcmp(x->name, y->name, x->name_len) == 0 &&
               (x->len == 0 || memcmp(x->value, y->value, x->len) == 0);
    }
    return same;
}

/* Check what holds of every note that is read. */
static void check_note(const dl_line_note *note)
{
    size_t bytes = 0;

    fuzz_check(note->n >= 0 && note->n <= DL_NOTE_HEADERS,
               "a note has 16 headers at most");
    for (int i = 0; i < note->n; i++) {
        bytes += note->headers[i].name_len + note->headers[i].len;
        fuzz_check(note->headers[i].name_len > 0, "a header has a name");
    }
    fuzz_check(bytes <= DL_NOTE_BYTES && note->key_len <= DL_NOTE_BYTES,
               "headers and a key have 1,024 bytes at most");
    fuzz_check(same_note(note, note), "their bytes can be read");
}

/* Read the LEN bytes at DATA as notes of N lines; when they are good, write
 * them and read them again. */
static void fuzz_lines(const char *data, size_t len, uint32_t n,
                       apr_pool_t *pool)
{
    dl_lake_noted *noted = dl_lake_noted_create(pool);
    dl_lake_noted *again = dl_lake_noted_create(pool);
    dl_lake_bytes *out = apr_palloc(pool, sizeof *out);
    dl_lake_noting *noting = NULL;
    const dl_line_note *note = NULL;
    uint32_t read = 0;
    bool room = true;

    dl_lake_bytes_own(out, pool);
    dl_lake_noted_begin(noted, dl_lake_in_make(data, len), n);
    for (; read < n && (note = dl_lake_noted_next(noted)) != NULL; read++) {
        check_note(note);
        room = room && !dl_lake_noting_full(noting, note);
        if (room) {
            dl_lake_noting_add(&noting, read, note);
        }
    }
    if (read == n && room && dl_lake_noted_at_end(noted)) {
        dl_lake_noting_close(noting, n, out);
        dl_lake_noted_begin(noted, dl_lake_in_make(data, len), n);
        dl_lake_noted_begin(again, dl_lake_in_make(out->data, out->len), n);
        for (uint32_t i = 0; i < n; i++) {
            const dl_line_note *other = dl_lake_noted_next(again);

            note = dl_lake_noted_next(noted);
            fuzz_check(note != NULL && other != NULL && same_note(note, other),
                       "what was read is written the same");
        }
        fuzz_check(dl_lake_noted_at_end(again), "and has no more bytes");
    }
    dl_lake_noting_free(&noting);
}

static void fuzz_marks(const char *data, size_t len, apr_pool_t *pool)
{
    dl_lake_marks *marks = apr_palloc(pool, sizeof *marks);
    dl_lake_marks *again = apr_palloc(pool, sizeof *again);
    dl_lake_bytes *out = apr_palloc(pool, sizeof *out);
    dl_lake_in in = dl_lake_in_make(data, len);
    dl_lake_in back;

    dl_lake_marks_own(marks, pool);
    dl_lake_marks_own(again, pool);
    dl_lake_bytes_own(out, pool);
    dl_lake_marks_get(marks, &in);
    if (in.bad) {
        return;
    }
    fuzz_check(marks->n_moved == 0, "marks that are read are committed");
    for (int i = 0; i < marks->n; i++) {
        const dl_lake_mark *m = &marks->items[i];
        const dl_lake_position p = {m->source, m->source_len, m->epoch,
                                    m->position};

        fuzz_check(m->source_len <= DL_POSITION_SOURCE, "a name has its bound");
        fuzz_check(dl_lake_marks_has(marks, m->partition, &p),
                   "each mark is found");
    }
    dl_lake_marks_add(out, marks, false);
    back = dl_lake_in_make(out->data, out->len);
    dl_lake_marks_get(again, &back);
    fuzz_check(!back.bad && again->n == marks->n,
               "what was read is written the same");
}

static void fuzz_position(const char *name, const char *data, size_t len)
{
    dl_line_header header = {name, strlen(name), data, len};
    dl_line_note note = {.n = 0};
    dl_lake_position p;
    bool full = false;

    dl_line_note_add(&note, &header, &full);
    if (!dl_line_note_position(&p, &note)) {
        return;
    }
    fuzz_check(p.epoch <= INT64_MAX && p.position <= INT64_MAX,
               "numbers of a position are below 2^63");
    fuzz_check(p.source_len <= DL_POSITION_SOURCE, "its name has its bound");
    for (size_t i = 0; i < p.source_len; i++) {
        fuzz_check(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789._-",
                          p.source[i]) != NULL,
                   "its name has letters, digits and ._- alone");
    }
}

void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool)
{
    char *text = malloc(len + 1);

    if (text == NULL) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(data[i] ^ 0x55);
    }
    if (len > 2 && data[0] == '0') {
        fuzz_lines(text + 2, len - 2, 1 + (uint32_t)data[1] % LINES, pool);
    }
    else if (len > 1 && data[0] == '1') {
        fuzz_marks(text + 1, len - 1, pool);
    }
    else if (len > 1 && len < VALUE_MAX && data[0] == '2') {
        fuzz_position("dl-source-pos", (const char *)data + 1, len - 1);
    }
    else if (len > 1 && len < VALUE_MAX && data[0] == '3') {
        fuzz_position("dl-change-id", (const char *)data + 1, len - 1);
    }
    free(text);
}
