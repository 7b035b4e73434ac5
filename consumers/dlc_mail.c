/* dlc_mail.c - Headers, encoded words, quoted-printable text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_mail.h"

#include <stdbool.h>
#include <string.h>

#include <apr_base64.h>
#include <apr_strings.h>

#include "dl_utf8.h"

/* A subject of so many bytes stands in its line as it is. */
#define SUBJECT_PLAIN 64

/* Bytes of one encoded word: 76 characters of a line less "Subject: ",
 * =?UTF-8?B? and ?=, by four for three. */
#define WORD_BYTES ((size_t)39)

/* Characters of a line of quoted-printable text, less the = at its end. */
#define LINE_CHARS 75

/* --- Foreign texts -------------------------------------------------------- */

/* Append the character of WIDTH bytes at TEXT to *AT; what is no character or
 * a control becomes FILL. */
static void put_char(char **at, const char *text, size_t width, char fill)
{
    unsigned char first = (unsigned char)*text;

    if (width == 0 || first < 0x20 || first == 0x7F) {
        *(*at)++ = fill;
        return;
    }
    memcpy(*at, text, width);
    *at += width;
}

/* Return TEXT in one line, cut before the character that passes MAX bytes. */
static const char *one_line(const char *text, size_t max, apr_pool_t *pool)
{
    size_t len = strlen(text);
    char *line = apr_palloc(pool, (len < max ? len : max) + 1);
    char *at = line;
    size_t i = 0;

    while (i < len) {
        size_t width = dl_utf8_check((const unsigned char *)text + i, len - i);
        size_t step = width == 0 ? 1 : width;

        if (i + step > max) {
            break;
        }
        put_char(&at, text + i, width, width == 0 ? '?' : ' ');
        i += step;
    }
    *at = '\0';
    return line;
}

/* Return TEXT, cut likewise, with two spaces before each of its lines, which
 * end with \n, the last one, too. */
static const char *indented(const char *text, size_t max, apr_pool_t *pool)
{
    const char *all = "";
    const char *end = text + strnlen(text, max);

    while (text < end) {
        size_t len = 0;

        while (text + len < end && text[len] != '\n' && text[len] != '\r') {
            len++;
        }
        all = apr_pstrcat(pool, all, "  ",
                          one_line(apr_pstrmemdup(pool, text, len), max, pool),
                          "\n", NULL);
        text += len;
        text += text < end && text[0] == '\r' && text[1] == '\n' ? 2 : 1;
    }
    return all;
}

/* --- Encodings ------------------------------------------------------------ */

/* Whether TEXT may stand in a header as it is. */
static bool is_plain(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] >= 0x7F) {
            return false;
        }
    }
    return len <= SUBJECT_PLAIN && strstr(text, "=?") == NULL;
}

/* Return TEXT, which is one line of UTF-8, as the value of a header. */
static const char *header_value(const char *text, apr_pool_t *pool)
{
    const char *value = "";
    size_t left = strlen(text);

    if (is_plain(text)) {
        return text;
    }
    while (left > 0) {
        char word[WORD_BYTES * 2];
        size_t len = left < WORD_BYTES ? left : WORD_BYTES;

        while (len < left && ((unsigned char)text[len] & 0xC0) == 0x80) {
            len--;
        }
        apr_base64_encode(word, text, (int)len);
        value = apr_pstrcat(pool, value, *value == '\0' ? "" : "\r\n ",
                            "=?UTF-8?B?", word, "?=", NULL);
        text += len;
        left -= len;
    }
    return value;
}

/* Whether the byte of TEXT stands for itself, COLUMN characters behind the
 * beginning of a line. */
static bool stands(const char *text, size_t column)
{
    unsigned char byte = (unsigned char)*text;

    if (byte == ' ') {
        return text[1] != '\n' && text[1] != '\0';
    }
    return byte > ' ' && byte < 0x7F && byte != '=' &&
           !(byte == '.' && column == 0);
}

/* Return TEXT, whose lines end with \n, as quoted-printable. */
static char *quoted(const char *text, apr_pool_t *pool)
{
    static const char hex[] = "0123456789ABCDEF";
    char *all = apr_palloc(pool, strlen(text) * 4 + 1);
    char *at = all;
    size_t column = 0;

    for (; *text != '\0'; text++) {
        bool plain = stands(text, column);
        unsigned char byte = (unsigned char)*text;

        if (byte == '\n') {
            *at++ = '\r';
            *at++ = '\n';
            column = 0;
            continue;
        }
        if (column + (plain ? 1 : 3) > LINE_CHARS) {
            memcpy(at, "=\r\n", 3);
            at += 3;
            column = 0;
            plain = stands(text, column);
        }
        if (plain) {
            *at++ = (char)byte;
            column += 1;
            continue;
        }
        *at++ = '=';
        *at++ = hex[byte >> 4];
        *at++ = hex[byte & 15];
        column += 3;
    }
    *at = '\0';
    return all;
}

/* --- The mail ------------------------------------------------------------- */

/* NOW as a Date header has it. */
static const char *date_of(dl_time now, apr_pool_t *pool)
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[DL_TIME_TEXT]; /* 2026-05-18T09:30:00.000000Z */
    int month;

    dl_time_format(text, now);
    month = (text[5] - '0') * 10 + text[6] - '1';
    return apr_psprintf(pool, "%.3s, %.2s %.3s %.4s %.8s +0000",
                        days + (size_t)(dl_time_day(now) % 7) * 3, text + 8,
                        months + (size_t)month * 3, text, text + 11);
}

static const char *time_text(dl_time t, apr_pool_t *pool)
{
    char text[DL_TIME_TEXT];

    if (t == DL_TIME_NONE) {
        return "not known";
    }
    dl_time_format(text, t);
    return apr_pstrdup(pool, text);
}

/* What is to be read. */
static const char *body_of(const dlc_mail_run *run, const char *name,
                           apr_pool_t *pool)
{
    const char *error = indented(run->error, DLC_MAIL_ERROR_MAX, pool);

    return apr_psprintf(
        pool,
        "A run of a schedule of the data lake has failed.\n\n"
        "Schedule:  %s\nRun:       %" APR_INT64_T_FMT "\nJob:       %s\n"
        "Asked by:  %s\nStarted:   %s\nFinished:  %s\n\nError:\n%s",
        name, (apr_int64_t)run->id,
        *run->job_id == '\0' ? "none" : one_line(run->job_id, 64, pool),
        one_line(run->trigger, 64, pool), time_text(run->started_at, pool),
        time_text(run->finished_at, pool),
        *error == '\0' ? "  none was told\n" : error);
}

const char *dlc_mail_text(size_t *len, const dlc_mail_run *run,
                          const char *from, dl_time now, apr_pool_t *pool)
{
    const char *name = one_line(run->name, DLC_MAIL_NAME_MAX, pool);
    const char *subject =
        apr_psprintf(pool, "data lake: run %" APR_INT64_T_FMT " of %s failed",
                     (apr_int64_t)run->id, name);
    const char *host = strchr(from, '@');
    const char *text = apr_psprintf(
        pool,
        "Date: %s\r\nFrom: <%s>\r\nTo: undisclosed-recipients:;\r\n"
        "Message-ID: <run-%" APR_INT64_T_FMT ".%" APR_INT64_T_FMT "%s>\r\n"
        "Subject: %s\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n%s",
        date_of(now, pool), from, (apr_int64_t)run->id,
        (apr_int64_t)run->started_at, host == NULL ? "@localhost" : host,
        header_value(subject, pool), quoted(body_of(run, name, pool), pool));

    *len = strlen(text);
    return text;
}
