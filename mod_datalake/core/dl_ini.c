/* dl_ini.c - The lines of an ini file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_ini.h"

#include <stdbool.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_file.h"
#include "dl_utf8.h"

/* The largest file. */
enum {
    MAX_BYTES = 1 << 20
};

/* A file being read. */
typedef struct reading {
    const char *file;            /* its name */
    int line;                    /* the line at hand */
    const char *section;         /* the section at hand, NULL: none yet */
    apr_array_header_t *entries; /* of dl_ini_entry */
    apr_pool_t *pool;            /* of the result */
} reading;

/* A piece of a line. */
typedef struct piece {
    const char *s; /* its first byte */
    size_t n;      /* its bytes */
} piece;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static piece trim(piece p)
{
    while (p.n > 0 && is_blank(p.s[0])) {
        p.s++;
        p.n--;
    }
    while (p.n > 0 && is_blank(p.s[p.n - 1])) {
        p.n--;
    }
    return p;
}

static dl_status wrong(const reading *r, const char *what, dl_error *err)
{
    return dl_fail(err, DL_INVALID, 0, "%s:%d: %s", r->file, r->line, what);
}

/* Whether P is made of lower case letters, digits and _. */
static bool is_name(piece p)
{
    for (size_t i = 0; i < p.n; i++) {
        char c = p.s[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_') {
            return false;
        }
    }
    return p.n > 0;
}

/* Whether P is a key: a name, and behind a dot anything of A-Z a-z 0-9 _ - and
 * dots. */
static bool is_key(piece p)
{
    const char *dot = memchr(p.s, '.', p.n);
    piece first = {p.s, dot == NULL ? p.n : (size_t)(dot - p.s)};

    for (size_t i = first.n; i < p.n; i++) {
        char c = p.s[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.') {
            return false;
        }
    }
    return is_name(first);
}

/* Whether P is "name" or "name anything". */
static bool is_section(piece p)
{
    const char *space = memchr(p.s, ' ', p.n);
    piece first = {p.s, space == NULL ? p.n : (size_t)(space - p.s)};

    return is_name(first);
}

/* Whether P is UTF-8 without control characters but tab. */
static bool is_clean(piece p)
{
    const unsigned char *s = (const unsigned char *)p.s;
    size_t i = 0;

    while (i < p.n) {
        size_t width = dl_utf8_check(s + i, p.n - i);

        if (width == 0 || (s[i] < 0x20 && s[i] != '\t' && s[i] != '\r') ||
            s[i] == 0x7F) {
            return false;
        }
        i += width;
    }
    return true;
}

static dl_status read_section(reading *r, piece line, dl_error *err)
{
    piece name;

    if (line.s[line.n - 1] != ']') {
        return wrong(r, "a section must end with ']'", err);
    }
    name = trim((piece){line.s + 1, line.n - 2});
    if (!is_section(name)) {
        return wrong(r, "a section must be [name], lower case", err);
    }
    r->section = apr_pstrmemdup(r->pool, name.s, name.n);
    return DL_OK;
}

static dl_status read_entry(reading *r, piece line, dl_error *err)
{
    const char *equals = memchr(line.s, '=', line.n);
    dl_ini_entry *entry;
    piece key;
    piece value;

    if (equals == NULL) {
        return wrong(r,
                     "must be '[section]', 'key = value' or a remark "
                     "that begins with '#'",
                     err);
    }
    key = trim((piece){line.s, (size_t)(equals - line.s)});
    value = trim((piece){equals + 1, line.n - (size_t)(equals + 1 - line.s)});
    if (!is_key(key)) {
        return wrong(r, "a key must be lower case letters, digits and '_'",
                     err);
    }
    if (r->section == NULL) {
        return wrong(r, "a '[section]' must stand before the first key", err);
    }
    entry = apr_array_push(r->entries);
    entry->section = r->section;
    entry->key = apr_pstrmemdup(r->pool, key.s, key.n);
    entry->value = apr_pstrmemdup(r->pool, value.s, value.n);
    entry->line = r->line;
    return DL_OK;
}

static dl_status read_line(reading *r, piece line, dl_error *err)
{
    if (!is_clean(line)) {
        return wrong(r, "must be UTF-8 without control characters", err);
    }
    line = trim(line);
    if (line.n == 0 || line.s[0] == '#' || line.s[0] == ';') {
        return DL_OK;
    }
    if (line.s[0] == '[') {
        return read_section(r, line, err);
    }
    return read_entry(r, line, err);
}

dl_status dl_ini_parse(dl_ini **ini, const char *file, const char *text,
                       size_t len, dl_error *err, apr_pool_t *result_pool)
{
    reading r = {.file = apr_pstrdup(result_pool, file), .pool = result_pool};
    dl_ini *made = apr_pcalloc(result_pool, sizeof *made);

    r.entries = apr_array_make(result_pool, 64, sizeof(dl_ini_entry));
    while (len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t n = newline == NULL ? len : (size_t)(newline - text);

        r.line++;
        DL_TRY(read_line(&r, (piece){text, n}, err));
        n += newline == NULL ? 0 : 1;
        text += n;
        len -= n;
    }
    made->file = r.file;
    made->n = r.entries->nelts;
    made->entries = (const dl_ini_entry *)(const void *)r.entries->elts;
    *ini = made;
    return DL_OK;
}

dl_status dl_ini_load(dl_ini **ini, const char *path, dl_error *err,
                      apr_pool_t *result_pool)
{
    const char *text;
    size_t len;

    DL_TRY(dl_file_load(&text, &len, path, MAX_BYTES, err, result_pool));
    return dl_ini_parse(ini, path, text, len, err, result_pool);
}
