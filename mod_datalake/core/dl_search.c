/* dl_search.c - Looking at a line's text, at its values, at many lines.
 *
 * Most lines hold neither escapes nor the text: one search over the lines as
 * they are stored settles them.  For the values of a line the text may be
 * stored in another way than it was asked for: quotation marks, backslashes,
 * slashes and control characters by an escape of one letter.  What is searched
 * for is then its longest piece between such characters; a text of nothing
 * else is stored with a slash or, the others, with a backslash.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_search.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_anchor.h"
#include "dl_fold.h"
#include "dl_json.h"

/* A shorter text says nothing to an index. */
#define HINT_MIN 4

struct dl_search {
    dl_needle *needle;  /* what is looked for */
    dl_needle *piece;   /* what stored values that hold it must have */
    const char *wanted; /* the text, a copy */
    size_t n_wanted;    /* its bytes */
    char *scratch;      /* a line or a value, decoded; NULL at first */
    const char *text;   /* the text the hit lies in */
    size_t len;         /* its bytes */
    dl_hit hit;         /* the hit */
};

static apr_status_t free_scratch(void *data)
{
    dl_search *search = data;

    free(search->scratch);
    search->scratch = NULL;
    return APR_SUCCESS;
}

/* Whether JSON may hold C as an escape that is no \u. */
static bool may_be_escaped(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\' || c == '/';
}

/* Return the end of the piece that begins at AT of the LEN bytes at TEXT. */
static size_t end_of_piece(const char *text, size_t len, size_t at)
{
    while (at < len && !may_be_escaped(text[at])) {
        at++;
    }
    return at;
}

/* Set the piece of SEARCH. */
static dl_status choose_piece(dl_search *search, const char *text, size_t len,
                              dl_error *err, apr_pool_t *pool)
{
    const char *best = memchr(text, '/', len) != NULL ? "/" : "\\";
    size_t best_len = 1;
    size_t at = 0;
    bool found = false;

    while (at < len) {
        size_t end = end_of_piece(text, len, at);

        if (end - at >= best_len + (found ? 1 : 0)) {
            best = text + at;
            best_len = end - at;
            found = true;
        }
        at = end + 1;
    }
    if (best_len == len && memcmp(best, text, len) == 0) {
        search->piece = search->needle;
        return DL_OK;
    }
    return dl_needle_create(&search->piece, best, best_len, err, pool);
}

dl_status dl_search_create(dl_search **search, const char *text, size_t len,
                           dl_error *err, apr_pool_t *result_pool)
{
    dl_search *made = apr_pcalloc(result_pool, sizeof *made);

    DL_TRY(dl_needle_create(&made->needle, text, len, err, result_pool));
    DL_TRY(choose_piece(made, text, len, err, result_pool));
    made->wanted = apr_pmemdup(result_pool, text, len);
    made->n_wanted = len;
    apr_pool_cleanup_register(result_pool, made, free_scratch,
                              apr_pool_cleanup_null);
    *search = made;
    return DL_OK;
}

/* Return the room for a decoded line. */
static char *scratch_of(dl_search *search)
{
    if (search->scratch == NULL) {
        search->scratch = malloc(DL_JSON_MAX_BYTES);
        if (search->scratch == NULL) {
            abort();
        }
    }
    return search->scratch;
}

/* Look for the needle in the LEN bytes at TEXT. */
static bool find_in(dl_search *search, const char *text, size_t len)
{
    search->text = text;
    search->len = len;
    return dl_needle_find(&search->hit, search->needle, text, len, 0);
}

/* --- Text ------------------------------------------------------------------ */

bool dl_search_text(dl_search *search, const char *line, size_t len)
{
    if (len > DL_JSON_MAX_BYTES) {
        return false;
    }
    if (memmem(line, len, "\\u", 2) != NULL) {
        len = dl_json_decode_unicode(scratch_of(search), line, len);
        line = search->scratch;
    }
    return find_in(search, line, len);
}

static bool is_inner_byte(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Whether the LEN bytes at TEXT are ASCII, each a character. */
static bool is_ascii(const char *text, size_t len)
{
    uint64_t high = 0;
    size_t i;

    for (i = 0; i + sizeof high <= len; i += sizeof high) {
        uint64_t eight;

        memcpy(&eight, text + i, sizeof eight);
        high |= eight;
    }
    for (; i < len; i++) {
        high |= (unsigned char)text[i];
    }
    return (high & UINT64_C(0x8080808080808080)) == 0;
}

/* Return the place up to DL_SEARCH_AROUND characters before AT. */
static size_t step_back(const dl_search *search, size_t at)
{
    int n;

    if (at >= DL_SEARCH_AROUND &&
        is_ascii(search->text + at - DL_SEARCH_AROUND, DL_SEARCH_AROUND)) {
        return at - DL_SEARCH_AROUND;
    }
    for (n = 0; n < DL_SEARCH_AROUND && at > 0; n++) {
        at--;
        while (at > 0 && is_inner_byte(search->text[at])) {
            at--;
        }
    }
    return at;
}

/* Return the place up to DL_SEARCH_AROUND characters behind AT. */
static size_t step_on(const dl_search *search, size_t at)
{
    int n;

    if (search->len - at > DL_SEARCH_AROUND &&
        is_ascii(search->text + at, DL_SEARCH_AROUND + 1)) {
        return at + DL_SEARCH_AROUND;
    }
    for (n = 0; n < DL_SEARCH_AROUND && at < search->len; n++) {
        at++;
        while (at < search->len && is_inner_byte(search->text[at])) {
            at++;
        }
    }
    return at;
}

/* Append the LEN bytes at TEXT to OUT, of which N are used. */
static size_t append(char *out, size_t n, const char *text, size_t len)
{
    memcpy(out + n, text, len);
    return n + len;
}

size_t dl_search_excerpt(char out[DL_SEARCH_EXCERPT], const dl_search *search)
{
    size_t from = step_back(search, search->hit.at);
    size_t to = step_on(search, search->hit.at + search->hit.len);
    size_t n = 0;

    if (from > 0) {
        n = append(out, n, "...", 3);
    }
    n = append(out, n, search->text + from, to - from);
    if (to < search->len) {
        n = append(out, n, "...", 3);
    }
    return n;
}

/* --- Values ---------------------------------------------------------------- */

/* Return the end of the string that begins behind the quotation mark before
 * AT: the place of the one that closes it.  *ESCAPED: it has escapes. */
static const char *end_of_string(bool *escaped, const char *at, const char *end)
{
    *escaped = false;
    while (at < end && *at != '"') {
        *escaped = *escaped || *at == '\\';
        at += *at == '\\' ? 2 : 1;
    }
    return at < end ? at : end;
}

/* Look at the string value from AT to STOP. */
static bool find_in_string(dl_search *search, const char *at, const char *stop,
                           bool escaped)
{
    dl_json_slice slice = {.text = at,
                           .len = (uint32_t)(stop - at),
                           .kind = DL_JSON_STRING,
                           .escaped = 1};

    if (!escaped) {
        return find_in(search, at, slice.len);
    }
    return find_in(search, scratch_of(search),
                   dl_json_unescape(scratch_of(search), slice));
}

/* Look at the string at *AT, unless it is a name; move *AT behind it. */
static bool take_string(dl_search *search, const char **at, const char *end)
{
    bool escaped;
    const char *first = *at + 1;
    const char *stop = end_of_string(&escaped, first, end);

    *at = stop < end ? stop + 1 : end;
    if (*at < end && **at == ':') {
        return false;
    }
    return find_in_string(search, first, stop, escaped);
}

/* Return the end of the number or word at AT. */
static const char *end_of_word(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != ']' && *at != '}') {
        at++;
    }
    return at;
}

/* Look at the number or word at *AT; move *AT behind it. */
static bool take_word(dl_search *search, const char **at, const char *end)
{
    const char *first = *at;

    *at = end_of_word(first, end);
    return *first != 'n' && find_in(search, first, (size_t)(*at - first));
}

/* Whether C stands between names and values. */
static bool is_mark(char c)
{
    return c == ',' || c == ':' || c == '{' || c == '}' || c == '[' || c == ']';
}

/* Look at the values of a line with escapes, each decoded. */
static bool find_in_values(dl_search *search, const char *at, const char *end)
{
    bool found = false;

    while (at < end && !found) {
        if (*at == '"') {
            found = take_string(search, &at, end);
        }
        else if (is_mark(*at)) {
            at++;
        }
        else {
            found = take_word(search, &at, end);
        }
    }
    return found;
}

/* Set FIRST and STOP to the next name or value from *AT on, which moves behind
 * it; return whether it is a value that counts.  No string has escapes. */
static bool next_plain(const char **first, const char **stop, const char **at,
                       const char *end)
{
    while (*at < end && is_mark(**at)) {
        (*at)++;
    }
    if (*at < end && **at == '"') {
        *first = *at + 1;
        *stop = memchr(*first, '"', (size_t)(end - *first));
        *stop = *stop == NULL ? end : *stop;
        *at = *stop < end ? *stop + 1 : end;
        return *at == end || **at != ':';
    }
    *first = *at;
    *stop = *at = end_of_word(*at, end);
    return *first < end && **first != 'n';
}

/* Look at the values of a line without escapes, of which the first hit
 * anywhere is HIT. */
static bool find_in_plain(const dl_search *search, dl_hit hit, const char *line,
                          size_t len)
{
    const char *end = line + len;
    const char *at = line;

    while (at < end) {
        const char *first;
        const char *stop;
        bool counts = next_plain(&first, &stop, &at, end);

        while (line + hit.at < stop) {
            if (counts && line + hit.at >= first &&
                line + hit.at + hit.len <= stop) {
                return true;
            }
            if (!dl_needle_find(&hit, search->needle, line, len, hit.at + 1)) {
                return false;
            }
        }
    }
    return false;
}

bool dl_search_values(dl_search *search, const char *line, size_t len)
{
    if (len > DL_JSON_MAX_BYTES) {
        return false;
    }
    if (memchr(line, '\\', len) != NULL) {
        return find_in_values(search, line, line + len);
    }
    return find_in(search, line, len) &&
           find_in_plain(search, search->hit, line, len);
}

/* --- Many lines ------------------------------------------------------------ */

void dl_search_lines_begin(dl_search_lines *lines, const char *data, size_t len,
                           uint64_t line)
{
    memset(lines, 0, sizeof *lines);
    lines->data = data;
    lines->len = len;
    lines->line = line;
}

/* Look for the next bytes from the place of LINES on that may be a match. */
static void look_ahead(dl_search_lines *lines, const dl_search *search,
                       bool values)
{
    static const dl_anchors escape = {.at = {0, 1}, .value = {'\\', 'u'}};
    const dl_needle *needle = values ? search->piece : search->needle;
    dl_hit hit = {lines->len, 0};

    if (!lines->looked || lines->next_hit < lines->at) {
        if (!dl_needle_find(&hit, needle, lines->data, lines->len, lines->at)) {
            hit.at = lines->len;
        }
        lines->next_hit = hit.at;
        lines->hit_len = hit.len;
    }
    if (!lines->looked || lines->next_escape < lines->at) {
        lines->next_escape = dl_anchor_find(
            &escape, (const unsigned char *)lines->data, lines->len, lines->at);
    }
    lines->looked = true;
}

/* Set *LINE to the line of LINES with the byte PLACE; move LINES behind it. */
static void take_line(dl_search_line *line, dl_search_lines *lines,
                      size_t place)
{
    const char *rest = lines->data + lines->at;
    const char *before = memrchr(rest, '\n', place - lines->at);
    const char *begin = before == NULL ? rest : before + 1;
    const char *all = lines->data + lines->len;
    const char *end = memchr(lines->data + place, '\n', lines->len - place);

    end = end == NULL ? all : end;
    line->text = begin;
    line->len = (size_t)(end - begin);
    line->line = lines->line + dl_anchor_lines(rest, (size_t)(begin - rest));
    lines->line = line->line + 1;
    lines->at = (size_t)((end < all ? end + 1 : all) - lines->data);
}

/* Whether LINE, the last one taken from LINES, is a match. */
static bool is_match(dl_search *search, const dl_search_lines *lines,
                     const dl_search_line *line, bool values)
{
    size_t end = (size_t)(line->text + line->len - lines->data);

    if (values) {
        return dl_search_values(search, line->text, line->len);
    }
    if (lines->next_escape < end || lines->next_hit + lines->hit_len > end) {
        return dl_search_text(search, line->text, line->len);
    }
    search->text = line->text;
    search->len = line->len;
    search->hit.at = (size_t)(lines->data + lines->next_hit - line->text);
    search->hit.len = lines->hit_len;
    return line->len <= DL_JSON_MAX_BYTES;
}

bool dl_search_lines_next(dl_search_line *found, dl_search_lines *lines,
                          dl_search *search, bool values)
{
    while (lines->at < lines->len) {
        size_t place;

        look_ahead(lines, search, values);
        place = lines->next_hit < lines->next_escape ? lines->next_hit
                                                     : lines->next_escape;
        if (place == lines->len) {
            return false;
        }
        take_line(found, lines, place);
        if (is_match(search, lines, found, values)) {
            return true;
        }
    }
    return false;
}

uint64_t dl_search_lines_end(const dl_search_lines *lines)
{
    return lines->line +
           dl_anchor_lines(lines->data + lines->at, lines->len - lines->at);
}

void dl_search_hint(const dl_search *search, dl_lake_hint *hint, bool values)
{
    dl_lake_hint_text text = {search->wanted, search->n_wanted};
    size_t at = 0;

    if (!values) {
        dl_lake_hint_add_texts(hint, &text, 1);
        return;
    }
    while (at < search->n_wanted) {
        size_t end = end_of_piece(search->wanted, search->n_wanted, at);

        text = (dl_lake_hint_text){search->wanted + at, end - at};
        if (text.len >= HINT_MIN) {
            dl_lake_hint_add_texts(hint, &text, 1);
        }
        at = end + 1;
    }
}
