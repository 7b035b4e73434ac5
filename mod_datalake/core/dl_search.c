/* dl_search.c - Looking at a line's text, or at its values one by one.
 *
 * Most lines hold neither escapes nor the text: one search over the line as
 * it is stored settles them.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_search.h"

#include <stdlib.h>
#include <string.h>

#include "dl_fold.h"
#include "dl_json.h"

struct dl_search {
    dl_needle *needle; /* what is looked for */
    char *scratch;     /* a line or a value, decoded */
    const char *text;  /* the text the hit lies in */
    size_t len;        /* its bytes */
    dl_hit hit;        /* the hit */
};

static apr_status_t free_scratch(void *data)
{
    dl_search *search = data;

    free(search->scratch);
    search->scratch = NULL;
    return APR_SUCCESS;
}

dl_status dl_search_create(dl_search **search, const char *text, size_t len,
                           dl_error *err, apr_pool_t *result_pool)
{
    dl_search *made = apr_pcalloc(result_pool, sizeof *made);

    DL_TRY(dl_needle_create(&made->needle, text, len, err, result_pool));
    made->scratch = malloc(DL_JSON_MAX_BYTES);
    if (made->scratch == NULL) {
        abort();
    }
    apr_pool_cleanup_register(result_pool, made, free_scratch,
                              apr_pool_cleanup_null);
    *search = made;
    return DL_OK;
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
        len = dl_json_decode_unicode(search->scratch, line, len);
        line = search->scratch;
    }
    return find_in(search, line, len);
}

static bool is_inner_byte(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Return the place up to DL_SEARCH_AROUND characters before AT. */
static size_t step_back(const dl_search *search, size_t at)
{
    int n;

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
    return find_in(search, search->scratch,
                   dl_json_unescape(search->scratch, slice));
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

/* Look at the number or word at *AT; move *AT behind it. */
static bool take_word(dl_search *search, const char **at, const char *end)
{
    const char *first = *at;

    while (*at < end && strchr(",]}", **at) == NULL) {
        (*at)++;
    }
    return *first != 'n' && find_in(search, first, (size_t)(*at - first));
}

bool dl_search_values(dl_search *search, const char *line, size_t len)
{
    const char *end = line + len;

    if (len > DL_JSON_MAX_BYTES ||
        (memchr(line, '\\', len) == NULL && !find_in(search, line, len))) {
        return false;
    }
    while (line < end) {
        bool found = false;

        if (*line == '"') {
            found = take_string(search, &line, end);
        }
        else if (strchr("{}[],:", *line) != NULL) {
            line++;
        }
        else {
            found = take_word(search, &line, end);
        }
        if (found) {
            return true;
        }
    }
    return false;
}
