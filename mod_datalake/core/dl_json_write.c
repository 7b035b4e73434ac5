/* dl_json_write.c - The appending writer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_json_write.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dl_utf8.h"

/* Whole numbers past 2^53 lose digits in a double. */
#define SAFE_INT ((int64_t)1 << 53)

/* Containers inside each other: the bits of `filled`, less the outermost. */
enum {
    MAX_DEPTH = 63
};

/* Append N bytes at S unless the writer has failed. */
static void put(dl_json_writer *w, const char *s, size_t n)
{
    if (w->status == DL_OK) {
        w->status = dl_buf_append(w->buf, s, n, NULL);
    }
}

/* Put the comma in front of a value or key, where there must be one. */
static void begin_item(dl_json_writer *w)
{
    uint64_t bit = (uint64_t)1 << w->depth;

    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if ((w->filled & bit) != 0) {
        put(w, ",", 1);
    }
    w->filled |= bit;
}

static void open_container(dl_json_writer *w, const char *bracket)
{
    begin_item(w);
    assert(w->depth < MAX_DEPTH);
    w->depth++;
    w->filled &= ~((uint64_t)1 << w->depth);
    put(w, bracket, 1);
}

static void close_container(dl_json_writer *w, const char *bracket)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    put(w, bracket, 1);
}

void dl_json_writer_begin(dl_json_writer *w, dl_buf *buf)
{
    memset(w, 0, sizeof *w);
    w->buf = buf;
    w->status = DL_OK;
}

dl_status dl_json_writer_finish(const dl_json_writer *w, dl_error *err)
{
    assert(w->depth == 0 && !w->after_key);
    if (w->status != DL_OK) {
        return dl_fail(err, w->status, 0, "the answer is longer than %zu bytes",
                       w->buf->max);
    }
    return DL_OK;
}

void dl_json_write_object_begin(dl_json_writer *w)
{
    open_container(w, "{");
}

void dl_json_write_object_end(dl_json_writer *w)
{
    close_container(w, "}");
}

void dl_json_write_array_begin(dl_json_writer *w)
{
    open_container(w, "[");
}

void dl_json_write_array_end(dl_json_writer *w)
{
    close_container(w, "]");
}

/* Bytes of a string that are looked at before they are put, and at once. */
#define PIECE ((size_t)256)
#define STEP  ((size_t)16)

/* Which of the STEP bytes at TEXT end a run of plain ones, and which of the
 * others need a backslash; a bit each. */
static void look_at(unsigned *ends, unsigned *marks, const unsigned char *text)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);

    /* Signed: bytes from 0x80 on are below, too. */
    *ends =
        (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));
    *marks = (unsigned)_mm_movemask_epi8(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                     _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
#else
    *ends = *marks = 0;
    for (unsigned i = 0; i < STEP; i++) {
        *ends |= (unsigned)(text[i] < 0x20 || text[i] >= 0x80) << i;
        *marks |= (unsigned)(text[i] == '"' || text[i] == '\\') << i;
    }
#endif
}

/* Write the first LEN, at most STEP, bytes at TEXT to OUT, a backslash before
 * each of MARKS; return how many bytes that are.  Whole steps are copied, so
 * that no jump depends on the text but those for MARKS. */
static size_t write_step(char *out, const unsigned char *text, unsigned marks,
                         size_t len)
{
    size_t n = 0;
    size_t at = 0;

    for (marks &= (1u << len) - 1; marks != 0; marks &= marks - 1) {
        size_t mark = (size_t)__builtin_ctz(marks);

        memcpy(out + n, text + at, STEP);
        n += mark - at;
        out[n++] = '\\';
        at = mark;
    }
    memcpy(out + n, text + at, STEP);
    return n + len - at;
}

/* Put what LEN, at most PIECE, bytes at TEXT begin with, as far as it is ASCII
 * without controls; return how many bytes were put. */
static size_t put_ascii(dl_json_writer *w, const unsigned char *text,
                        size_t len)
{
    unsigned char in[PIECE + 2 * STEP]; /* steps may go over the end */
    char out[2 * PIECE + STEP];
    size_t good = STEP;
    size_t n = 0;
    size_t i = 0;

    memcpy(in, text, len);
    memset(in + len, 0, 2 * STEP);
    while (i < len && good == STEP) {
        unsigned ends;
        unsigned marks;

        look_at(&ends, &marks, in + i);
        good = (size_t)__builtin_ctz(ends | 1u << STEP);
        n += write_step(out + n, in + i, marks, good);
        i += good;
    }
    put(w, out, n);
    return i;
}

/* Put the escape of the control character C. */
static void put_escape(dl_json_writer *w, unsigned char c)
{
    static const char letters[] = "btnvfr";
    static const char digits[] = "0123456789abcdef";
    char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    if (c >= '\b' && c <= '\r' && c != '\v') {
        escape[1] = letters[c - '\b'];
        put(w, escape, 2);
    }
    else {
        put(w, escape, 6);
    }
}

/* Put the LEN bytes at TEXT between quotation marks. */
static void put_string(dl_json_writer *w, const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    put(w, "\"", 1);
    while (i < len) {
        size_t width;

        i += put_ascii(w, p + i, len - i < PIECE ? len - i : PIECE);
        if (i == len || (p[i] >= 0x20 && p[i] < 0x80)) {
            continue;
        }
        width = dl_utf8_check(p + i, len - i);
        if (width == 0) {
            put(w, "\xEF\xBF\xBD", 3);
        }
        else if (width == 1) {
            put_escape(w, p[i]);
        }
        else {
            put(w, text + i, width);
        }
        i += width == 0 ? 1 : width;
    }
    put(w, "\"", 1);
}

void dl_json_write_key(dl_json_writer *w, const char *name)
{
    assert(!w->after_key && w->depth > 0);
    begin_item(w);
    put_string(w, name, strlen(name));
    put(w, ":", 1);
    w->after_key = true;
}

void dl_json_write_string(dl_json_writer *w, const char *text, size_t len)
{
    begin_item(w);
    put_string(w, text, len);
}

void dl_json_write_text(dl_json_writer *w, const char *text)
{
    if (text == NULL) {
        dl_json_write_null(w);
        return;
    }
    dl_json_write_string(w, text, strlen(text));
}

/* Write VALUE's digits so that they end before END; return the first. */
static char *format_backwards(char *end, uint64_t value, int fewest)
{
    do {
        *--end = (char)('0' + value % 10);
        value /= 10;
        fewest--;
    } while (value != 0 || fewest > 0);
    return end;
}

void dl_json_write_int(dl_json_writer *w, int64_t value)
{
    char text[24];
    char *end = text + sizeof text;
    uint64_t absolute = value < 0 ? -(uint64_t)value : (uint64_t)value;
    bool unsafe = absolute > (uint64_t)SAFE_INT;
    char *first;

    if (unsafe) {
        *--end = '"';
    }
    first = format_backwards(end, absolute, 1);
    if (value < 0) {
        *--first = '-';
    }
    if (unsafe) {
        *--first = '"';
    }
    begin_item(w);
    put(w, first, (size_t)(text + sizeof text - first));
}

void dl_json_write_decimal(dl_json_writer *w, dl_decimal d)
{
    char text[DL_DECIMAL_TEXT];
    size_t n = dl_decimal_format(text, d);

    begin_item(w);
    put(w, text, n);
}

void dl_json_write_decimal_text(dl_json_writer *w, dl_decimal d)
{
    char text[DL_DECIMAL_TEXT];

    dl_json_write_string(w, text, dl_decimal_format(text, d));
}

/* Put SCALED x 10^-DIGITS, trailing zeros left out but for one. */
static void put_scaled(dl_json_writer *w, int64_t scaled, int digits)
{
    char text[32];
    char *end = text + sizeof text;
    char *point;
    char *first = format_backwards(
        end, scaled < 0 ? -(uint64_t)scaled : (uint64_t)scaled, digits + 1);

    point = end - digits;
    while (digits > 1 && end[-1] == '0') {
        end--;
        digits--;
    }
    if (scaled < 0) {
        put(w, "-", 1);
    }
    put(w, first, (size_t)(point - first));
    put(w, ".", 1);
    put(w, digits == 0 ? "0" : point, digits == 0 ? 1 : (size_t)(end - point));
}

void dl_json_write_number(dl_json_writer *w, double value, int digits)
{
    char text[400];
    double scale = 1;
    double scaled;
    int n;

    if (!isfinite(value)) {
        dl_json_write_null(w);
        return;
    }
    for (int i = 0; i < digits; i++) {
        scale *= 10;
    }
    /* round() is half away from zero. */
    scaled = round(value * scale);
    begin_item(w);
    if (fabs(scaled) < 9e15) {
        put_scaled(w, (int64_t)scaled, digits);
        return;
    }
    /* So large a double has few digits behind the point, if any. */
    n = snprintf(text, sizeof text, "%.0f", value);
    put(w, text, (size_t)n);
    put(w, ".0", 2);
}

void dl_json_write_time(dl_json_writer *w, dl_time t)
{
    char text[DL_TIME_TEXT];

    if (t == DL_TIME_NONE) {
        dl_json_write_null(w);
        return;
    }
    dl_time_format(text, t);
    dl_json_write_string(w, text, DL_TIME_TEXT - 1);
}

void dl_json_write_day(dl_json_writer *w, dl_day d)
{
    char text[DL_DAY_TEXT];

    if (d == DL_DAY_NONE) {
        dl_json_write_null(w);
        return;
    }
    dl_day_format(text, d);
    dl_json_write_string(w, text, DL_DAY_TEXT - 1);
}

void dl_json_write_bool(dl_json_writer *w, bool value)
{
    begin_item(w);
    put(w, value ? "true" : "false", value ? 4 : 5);
}

void dl_json_write_text_member(dl_json_writer *w, const char *name,
                               const char *text)
{
    dl_json_write_key(w, name);
    dl_json_write_text(w, text);
}

void dl_json_write_int_member(dl_json_writer *w, const char *name,
                              int64_t value)
{
    dl_json_write_key(w, name);
    dl_json_write_int(w, value);
}

void dl_json_write_time_member(dl_json_writer *w, const char *name, dl_time t)
{
    dl_json_write_key(w, name);
    dl_json_write_time(w, t);
}

void dl_json_write_null(dl_json_writer *w)
{
    begin_item(w);
    put(w, "null", 4);
}

void dl_json_write_raw(dl_json_writer *w, const char *json, size_t len)
{
    begin_item(w);
    put(w, json, len);
}
