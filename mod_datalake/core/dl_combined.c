/* dl_combined.c - Lines of a web server's log: Apache's common and combined
 * formats.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_combined.h"

#include <string.h>

#include "dl_date.h"
#include "dl_utf8.h"

/* The columns by number. */
enum {
    ADDRESS,
    DATE,
    CLOCK,
    METHOD,
    URL,
    VERSION,
    STATUS,
    SIZE,
    IDENT,
    USER,
    REFERER,
    AGENT
};

const char *const dl_combined_names[DL_COMBINED_COLUMNS] = {
    "IP_Address", "Date",         "Time",        "Method",
    "URL",        "HTTP_Version", "Status_Code", "Response_Size",
    "ident",      "user",         "referer",     "user_agent"};

/* A line being read. */
typedef struct line_reading {
    const char *at;  /* the next byte */
    const char *end; /* behind the last one */
    dl_buf *room;    /* for what is written anew */
} line_reading;

/* Make CELL absent when it is "-". */
static void drop_dash(dl_cell *cell)
{
    if (cell->len == 1 && *cell->text == '-') {
        cell->kind = DL_CELL_ABSENT;
    }
}

/* Read the word up to the next space or the end, and the space; false: it is
 * empty. */
static bool read_word(dl_cell *cell, line_reading *r)
{
    const char *space = memchr(r->at, ' ', (size_t)(r->end - r->at));
    const char *end = space == NULL ? r->end : space;

    *cell = dl_cell_text(r->at, (size_t)(end - r->at));
    r->at = space == NULL ? end : end + 1;
    return cell->len > 0;
}

/* Return the value of the hexadecimal digit C, -1: it is none. */
static int hex_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Write what the escape behind the backslash at P, before END, stands for to
 * OUT; return its length with the backslash, 0: it is none. */
static size_t undo_escape(char *out, const char *p, const char *end)
{
    static const char letters[] = "\"\\nrtvbf";
    static const char meant[] = "\"\\\n\r\t\v\b\f";
    const char *letter;

    if (end - p >= 4 && p[1] == 'x' && hex_of(p[2]) >= 0 && hex_of(p[3]) >= 0) {
        *out = (char)(hex_of(p[2]) * 16 + hex_of(p[3]));
        return 4;
    }
    letter = end - p < 2 || p[1] == '\0' ? NULL : strchr(letters, p[1]);
    if (letter == NULL) {
        return 0;
    }
    *out = meant[letter - letters];
    return 2;
}

/* Undo the escapes of CELL, where that gives UTF-8. */
static void undo_escapes(dl_cell *cell, dl_buf *room)
{
    const char *p = cell->text;
    const char *end = p + cell->len;
    size_t start = room->len;

    if (memchr(p, '\\', cell->len) == NULL) {
        return;
    }
    while (p < end) {
        size_t used =
            *p == '\\' ? undo_escape(room->data + room->len, p, end) : 0;

        if (used == 0) {
            room->data[room->len] = *p;
            used = 1;
        }
        room->len++;
        p += used;
    }
    if (dl_utf8_check_text(room->data + start, room->len - start)) {
        *cell = dl_cell_text(room->data + start, room->len - start);
    }
    else {
        room->len = start;
    }
}

/* Read a text between quotation marks, and the space behind it; false: there
 * is none. */
static bool read_quoted(dl_cell *cell, line_reading *r)
{
    const char *p = r->at;

    if (p == r->end || *p != '"') {
        return false;
    }
    for (p++; p < r->end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < r->end) {
            p++;
        }
    }
    if (p == r->end) {
        return false;
    }
    *cell = dl_cell_text(r->at + 1, (size_t)(p - r->at) - 1);
    r->at = p + 1;
    if (r->at < r->end && *r->at == ' ') {
        r->at++;
    }
    return true;
}

/* Append T as FORMAT to the room and set CELL to it. */
static void write_time(dl_cell *cell, line_reading *r, dl_time t,
                       const char *format)
{
    char text[DL_DATE_TEXT];
    size_t len = dl_date_format(text, t, format);

    memcpy(r->room->data + r->room->len, text, len);
    *cell = dl_cell_text(r->room->data + r->room->len, len);
    r->room->len += len;
}

/* Read [20/Jan/2023:12:37:58 +0100] and the space behind it. */
static bool read_time(dl_cell *cells, line_reading *r)
{
    const char *close = memchr(r->at, ']', (size_t)(r->end - r->at));
    size_t len = close == NULL ? 0 : (size_t)(close - r->at);
    dl_time t;

    if (len != 27 || *r->at != '[' ||
        !dl_date_parse(&t, r->at + 1, len - 1, "%d/%b/%Y:%H:%M:%S %z")) {
        return false;
    }
    if (memcmp(close - 4, "0000", 4) == 0) {
        cells[DATE] = dl_cell_text(r->at + 1, 11);
        cells[CLOCK] = dl_cell_text(r->at + 13, 8);
    }
    else {
        write_time(&cells[DATE], r, t, "%d/%b/%Y");
        write_time(&cells[CLOCK], r, t, "%H:%M:%S");
    }
    r->at = close + 1;
    return r->at < r->end && *r->at++ == ' ';
}

/* Take the request in CELLS[URL] apart: METHOD URL HTTP/1.1. */
static void split_request(dl_cell *cells)
{
    const char *text = cells[URL].text;
    size_t len = cells[URL].len;
    const char *first = memchr(text, ' ', len);
    const char *last = memrchr(text, ' ', len);
    const char *end = text + len;

    if (first == NULL || first == last || first == text || end - last < 6 ||
        memcmp(last + 1, "HTTP/", 5) != 0) {
        drop_dash(&cells[URL]);
        return;
    }
    cells[METHOD] = dl_cell_text(text, (size_t)(first - text));
    cells[VERSION] = dl_cell_text(last + 1, (size_t)(end - last) - 1);
    cells[URL] = dl_cell_text(first + 1, (size_t)(last - first) - 1);
}

/* Return whether CELL is digits. */
static bool is_digits(const dl_cell *cell)
{
    for (size_t i = 0; i < cell->len; i++) {
        if (cell->text[i] < '0' || cell->text[i] > '9') {
            return false;
        }
    }
    return cell->len > 0;
}

/* Read status and size. */
static bool read_numbers(dl_cell *cells, line_reading *r)
{
    if (!read_word(&cells[STATUS], r) || !is_digits(&cells[STATUS]) ||
        cells[STATUS].len != 3 || !read_word(&cells[SIZE], r)) {
        return false;
    }
    if (cells[SIZE].len == 1 && *cells[SIZE].text == '-') {
        cells[SIZE] = dl_cell_text("0", 1);
    }
    return is_digits(&cells[SIZE]);
}

/* Read what combined has beyond common, if it is there. */
static bool read_more(dl_cell *cells, line_reading *r)
{
    if (r->at == r->end) {
        return true;
    }
    if (!read_quoted(&cells[REFERER], r) || !read_quoted(&cells[AGENT], r)) {
        return false;
    }
    undo_escapes(&cells[REFERER], r->room);
    undo_escapes(&cells[AGENT], r->room);
    drop_dash(&cells[REFERER]);
    drop_dash(&cells[AGENT]);
    return r->at == r->end;
}

bool dl_combined_parse(dl_cell cells[DL_COMBINED_COLUMNS], dl_buf *room,
                       const char *line, size_t len)
{
    line_reading r = {line, line + len, room};

    memset(cells, 0, DL_COMBINED_COLUMNS * sizeof *cells);
    room->len = 0;
    if (len > 0 && line[len - 1] == '\r') {
        r.end--;
    }
    if (dl_buf_reserve(room, len + 64, NULL) != DL_OK ||
        !read_word(&cells[ADDRESS], &r) || !read_word(&cells[IDENT], &r) ||
        !read_word(&cells[USER], &r) || !read_time(cells, &r) ||
        !read_quoted(&cells[URL], &r) || !read_numbers(cells, &r) ||
        !read_more(cells, &r)) {
        return false;
    }
    drop_dash(&cells[IDENT]);
    drop_dash(&cells[USER]);
    undo_escapes(&cells[URL], room);
    split_request(cells);
    return true;
}
