/* dl_syslog.c - Syslog messages: RFC 5424, and RFC 3164 as it is found.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_syslog.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dl_date.h"
#include "dl_json_write.h"

/* The columns by number. */
enum {
    FACILITY,
    SEVERITY,
    TIMESTAMP,
    HOST,
    PROGRAM,
    PID,
    MSGID,
    DATA,
    MESSAGE
};

const char *const dl_syslog_names[DL_SYSLOG_COLUMNS] = {
    "facility", "severity", "timestamp",       "host",   "program",
    "pid",      "msgid",    "structured_data", "message"};

/* Bytes of the room for the two numbers, a time and small objects. */
#define NUMBERS 64

/* A message being read. */
typedef struct syslog_reading {
    const char *at;  /* the next byte */
    const char *end; /* behind the last one */
    dl_cell *cells;  /* what is known */
    dl_buf *room;    /* for what is written anew */
} syslog_reading;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Append the number VALUE to the room and set CELL to it. */
static void put_number(dl_cell *cell, dl_buf *room, int value)
{
    int n = snprintf(room->data + room->len, 4, "%d", value);

    *cell = dl_cell_json(room->data + room->len, (size_t)n);
    room->len += (size_t)n;
}

/* Read <34>, facility 4 and severity 2; without it they are 1 and 5. */
static bool read_priority(syslog_reading *r)
{
    const char *p = r->at;
    int value = 0;
    bool there = p < r->end && *p == '<';

    if (there) {
        for (p++; p < r->end && is_digit(*p) && p - r->at < 4; p++) {
            value = value * 10 + (*p - '0');
        }
        there = p < r->end && *p == '>' && p > r->at + 1 && value <= 191;
    }
    if (!there) {
        value = 13;
    }
    put_number(&r->cells[FACILITY], r->room, value / 8);
    put_number(&r->cells[SEVERITY], r->room, value % 8);
    r->at = there ? p + 1 : r->at;
    return there;
}

/* Set CELL to the word up to the next space or the end, absent when it is
 * "-", and pass over both. */
static void read_word(dl_cell *cell, syslog_reading *r)
{
    const char *space = memchr(r->at, ' ', (size_t)(r->end - r->at));
    const char *end = space == NULL ? r->end : space;

    *cell = dl_cell_text(r->at, (size_t)(end - r->at));
    if (cell->len == 0 || (cell->len == 1 && *r->at == '-')) {
        cell->kind = DL_CELL_ABSENT;
    }
    r->at = space == NULL ? end : end + 1;
}

/* Set the message to all that is left. */
static void read_rest(syslog_reading *r)
{
    static const char mark[] = "\xEF\xBB\xBF";

    if (r->end - r->at >= 3 && memcmp(r->at, mark, 3) == 0) {
        r->at += 3;
    }
    r->cells[MESSAGE] = dl_cell_text(r->at, (size_t)(r->end - r->at));
}

/* --- RFC 5424 ------------------------------------------------------------- */

/* Return where the name that begins at P ends: before a space, =, ] or ". */
static const char *name_end(const char *p, const char *end)
{
    while (p < end && strchr(" =]\"", *p) == NULL) {
        p++;
    }
    return p;
}

/* Copy the value behind the quotation mark at P to OUT, without its
 * backslashes, and set *LEN to its length; return its closing mark, NULL:
 * there is none before END. */
static const char *read_value(char *out, size_t *len, const char *p,
                              const char *end)
{
    *len = 0;
    for (p++; p < end && *p != '"'; p++) {
        if (end - p > 1 && *p == '\\' &&
            (p[1] == '"' || p[1] == '\\' || p[1] == ']')) {
            p++;
        }
        out[(*len)++] = *p;
    }
    return p < end ? p : NULL;
}

/* Write the member of LEN bytes at NAME with W; what is not UTF-8 is
 * replaced. */
static void write_name(dl_json_writer *w, const char *name, size_t len)
{
    char text[33]; /* RFC 5424 6.3: 32 characters of ASCII */
    size_t n = len < sizeof text ? len : sizeof text - 1;

    for (size_t i = 0; i < n; i++) {
        bool visible = name[i] > 0x20 && name[i] < 0x7F;

        text[i] = '?';
        if (visible) {
            text[i] = name[i];
        }
    }
    text[n] = '\0';
    dl_json_write_key(w, text);
}

/* Write the element that begins at P, [id name="value" ...]; return what is
 * behind it, NULL: it is none. */
static const char *write_element(dl_json_writer *w, char *value, const char *p,
                                 const char *end)
{
    size_t len;
    const char *stop = name_end(p + 1, end);

    write_name(w, p + 1, (size_t)(stop - p) - 1);
    dl_json_write_object_begin(w);
    for (p = stop; p != NULL && p < end && *p == ' ';) {
        const char *name = p + 1;

        stop = name_end(name, end);
        if (stop == name || end - stop < 2 || memcmp(stop, "=\"", 2) != 0) {
            break;
        }
        write_name(w, name, (size_t)(stop - name));
        p = read_value(value, &len, stop + 1, end);
        dl_json_write_string(w, value, len);
        p = p == NULL ? NULL : p + 1;
    }
    dl_json_write_object_end(w);
    return p != NULL && p < end && *p == ']' ? p + 1 : NULL;
}

/* Read the structured data and the space behind them; what is none stays
 * part of the message. */
static dl_status read_data(syslog_reading *r, dl_error *err)
{
    /* JSON of it is less than seven times as long: the rest is free. */
    char *value = r->room->data + r->room->size - (r->end - r->at);
    size_t start = r->room->len;
    const char *p = r->at;
    dl_json_writer w;

    dl_json_writer_begin(&w, r->room);
    dl_json_write_object_begin(&w);
    while (p != NULL && p < r->end && *p == '[') {
        p = write_element(&w, value, p, r->end);
    }
    dl_json_write_object_end(&w);
    DL_TRY(dl_json_writer_finish(&w, err));
    if (p != NULL && (p == r->end || *p == ' ')) {
        r->cells[DATA] =
            dl_cell_json(r->room->data + start, r->room->len - start);
        r->at = p == r->end ? p : p + 1;
    }
    return DL_OK;
}

/* Read what stands behind the version of RFC 5424. */
static dl_status read_new(syslog_reading *r, dl_error *err)
{
    for (int i = TIMESTAMP; i <= MSGID; i++) {
        read_word(&r->cells[i], r);
    }
    if (r->at < r->end && *r->at == '[') {
        DL_TRY(read_data(r, err));
    }
    else if (r->at < r->end && *r->at == '-') {
        read_word(&r->cells[DATA], r);
    }
    if (r->at < r->end) {
        read_rest(r);
    }
    return DL_OK;
}

/* --- RFC 3164 ------------------------------------------------------------- */

/* Bytes of "Oct 11 22:14:15". */
#define OLD_TIME 15

/* Return the instant of the OLD_TIME bytes at TEXT in the year that brings it
 * nearest to NOW; DL_TIME_NONE: it is none. */
static dl_time nearest(const char *text, dl_time now)
{
    dl_time best = DL_TIME_NONE;

    for (int i = -1; i <= 1; i++) {
        char dated[DL_DATE_TEXT];
        size_t n =
            dl_date_format(dated, now + (dl_time)i * 365 * DL_DAY_US, "%Y ");
        dl_time t;

        memcpy(dated + n, text, OLD_TIME);
        if (dl_date_parse(&t, dated, n + OLD_TIME, "%Y %b %e %H:%M:%S") &&
            (best == DL_TIME_NONE || llabs(t - now) < llabs(best - now))) {
            best = t;
        }
    }
    return best;
}

/* Read a time as RFC 3164 has it, or RFC 3339, which is found as often, and
 * the space behind it; false: there is none. */
static bool read_old_time(syslog_reading *r, dl_time now)
{
    dl_cell *cell = &r->cells[TIMESTAMP];
    const char *before = r->at;
    bool ignored;
    dl_time t;

    if (r->end - r->at > OLD_TIME && r->at[OLD_TIME] == ' ') {
        t = nearest(r->at, now);
        if (t != DL_TIME_NONE) {
            char text[DL_DATE_TEXT];
            size_t len = dl_date_format(text, t, "%Y-%m-%dT%H:%M:%S");

            memcpy(r->room->data + r->room->len, text, len);
            *cell = dl_cell_text(r->room->data + r->room->len, len);
            r->room->len += len;
            r->at += OLD_TIME + 1;
            return true;
        }
    }
    read_word(cell, r);
    if (cell->kind == DL_CELL_TEXT &&
        dl_time_parse_rfc3339(&t, &ignored, cell->text, cell->len)) {
        return true;
    }
    *cell = (dl_cell){NULL, 0, DL_CELL_ABSENT};
    r->at = before;
    return false;
}

/* Read "su[77]: "; what is none stays part of the message. */
static void read_tag(syslog_reading *r)
{
    const char *p = r->at;
    const char *bracket;

    while (p < r->end && strchr(":[ ", *p) == NULL) {
        p++;
    }
    if (p == r->at || p == r->end || *p == ' ' || *p == '\0') {
        return;
    }
    bracket = p;
    if (*p == '[') {
        p = memchr(p, ']', (size_t)(r->end - p));
        p = p == NULL ? NULL : p + 1;
    }
    if (p == NULL || p == r->end || *p != ':') {
        return;
    }
    r->cells[PROGRAM] = dl_cell_text(r->at, (size_t)(bracket - r->at));
    if (*bracket == '[') {
        r->cells[PID] = dl_cell_text(bracket + 1, (size_t)(p - bracket) - 2);
    }
    p++;
    r->at = p < r->end && *p == ' ' ? p + 1 : p;
}

/* Read what stands behind the priority of RFC 3164. */
static void read_old(syslog_reading *r, dl_time now)
{
    if (read_old_time(r, now)) {
        read_word(&r->cells[HOST], r);
        read_tag(r);
    }
    read_rest(r);
}

dl_status dl_syslog_parse(dl_cell cells[DL_SYSLOG_COLUMNS], dl_buf *room,
                          const char *text, size_t len, dl_time now,
                          dl_error *err)
{
    syslog_reading r = {text, text + len, cells, room};

    while (r.end > r.at && strchr("\r\n", r.end[-1]) != NULL) {
        r.end--;
    }
    memset(cells, 0, DL_SYSLOG_COLUMNS * sizeof *cells);
    room->len = 0;
    DL_TRY(dl_buf_reserve(room, 8 * len + NUMBERS, err));
    if (!read_priority(&r)) {
        read_rest(&r);
        return DL_OK;
    }
    if (r.end - r.at >= 2 && memcmp(r.at, "1 ", 2) == 0) {
        r.at += 2;
        return read_new(&r, err);
    }
    read_old(&r, now);
    return DL_OK;
}
