/* dl_split.c - Lines, rows of CSV and elements of JSON in a text.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_split.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static const char NOT_CLOSED[] = "a quotation mark is not closed";
static const char BEHIND_QUOTE[] =
    "text stands behind a closing quotation mark";
static const char TOO_MANY[] = "there are more than 1000 fields";
static const char TOO_LONG[] = "it is longer than 1.25 MiB";
static const char NOT_ENDED[] = "an object is not closed";

/* A row being found. */
typedef struct finding {
    const char *at;  /* where we are */
    const char *end; /* of the input */
    bool whole;      /* the text ends there */
} finding;

static uint64_t count_lines(const char *from, const char *to)
{
    uint64_t n = 0;

    while (from < to) {
        const char *newline = memchr(from, '\n', (size_t)(to - from));

        if (newline == NULL) {
            break;
        }
        n++;
        from = newline + 1;
    }
    return n;
}

/* The row is from FROM to TO, a carriage return at its end is none of it, and
 * the next one begins at NEXT. */
static void set_row(dl_split_row *row, const char *from, const char *to,
                    const char *next, const dl_split_input *input)
{
    if (to > from && to[-1] == '\r' && !row->cut) {
        to--;
    }
    row->text = from;
    row->len = (size_t)(to - from);
    row->used = (size_t)(next - input->text);
}

/* The row at AT is too long. */
static bool cut_row(dl_split_row *row, const char *at,
                    const dl_split_input *input)
{
    row->cut = true;
    row->broken = TOO_LONG;
    set_row(row, at, at + DL_SPLIT_MAX, at + DL_SPLIT_MAX, input);
    row->lines = row->before + count_lines(at, at + DL_SPLIT_MAX);
    return true;
}

/* Pass over empty lines; count them in ROW. */
static void pass_empty(dl_split_row *row, finding *f)
{
    while (f->at < f->end) {
        if (*f->at == '\n') {
            f->at++;
        }
        else if (f->end - f->at > 1 && f->at[0] == '\r' && f->at[1] == '\n') {
            f->at += 2;
        }
        else {
            return;
        }
        row->before++;
    }
}

/* No row: nothing before AT has to be looked at again. */
static bool no_row(dl_split_row *row, const char *at,
                   const dl_split_input *input)
{
    row->used = (size_t)(at - input->text);
    row->lines = row->before;
    return false;
}

/* --- Lines ---------------------------------------------------------------- */

static bool next_line(dl_split_row *row, finding *f,
                      const dl_split_input *input)
{
    size_t left = (size_t)(f->end - f->at);
    const char *newline =
        left == 0 ? NULL
                  : memchr(f->at, '\n',
                           left > DL_SPLIT_MAX ? DL_SPLIT_MAX + 1 : left);

    if (newline == NULL && left > DL_SPLIT_MAX) {
        return cut_row(row, f->at, input);
    }
    if (newline == NULL && f->whole && left == 1 && *f->at == '\r') {
        return no_row(row, f->end, input);
    }
    if (newline == NULL && (left == 0 || !f->whole)) {
        return no_row(row, f->at, input);
    }
    row->lines = row->before + (newline == NULL ? 0 : 1);
    set_row(row, f->at, newline == NULL ? f->end : newline,
            newline == NULL ? f->end : newline + 1, input);
    return true;
}

/* --- CSV ------------------------------------------------------------------ */

/* Add the field of LEN bytes at TEXT; false: there are too many. */
static bool add_field(dl_split_cells *cells, const char *text, size_t len)
{
    if (cells->n == DL_SPLIT_FIELDS) {
        return false;
    }
    cells->cells[cells->n++] = dl_cell_text(text, len);
    return true;
}

/* Return a bit for each of the 16 bytes at TEXT that is SEPARATOR. */
static unsigned find_separators(const char *text, char separator)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);

    return (unsigned)_mm_movemask_epi8(
        _mm_cmpeq_epi8(bytes, _mm_set1_epi8(separator)));
#else
    unsigned bits = 0;

    for (unsigned i = 0; i < 16; i++) {
        bits |= text[i] == separator ? 1U << i : 0;
    }
    return bits;
#endif
}

/* Split the line from FROM to TO, which has no quotes. */
static bool split_plain(dl_split_cells *cells, const char *from, const char *to)
{
    const char *at = from;

    for (; to - at >= 16; at += 16) {
        unsigned bits = find_separators(at, cells->separator);

        for (; bits != 0; bits &= bits - 1) {
            const char *mark = at + __builtin_ctz(bits);

            if (!add_field(cells, from, (size_t)(mark - from))) {
                return false;
            }
            from = mark + 1;
        }
    }
    for (; at < to; at++) {
        if (*at == cells->separator) {
            if (!add_field(cells, from, (size_t)(at - from))) {
                return false;
            }
            from = at + 1;
        }
    }
    return add_field(cells, from, (size_t)(to - from));
}

/* What came of reading a field. */
typedef enum field_end {
    FIELD_NEXT,  /* a separator stands behind it */
    FIELD_LAST,  /* the line end, or the end of the text */
    FIELD_OPEN,  /* the input ends within it */
    FIELD_BEHIND /* something stands behind its quotes */
} field_end;

/* Read the quoted field at F, behind its first mark, into CELLS; *SCRATCH is
 * where its text may go. */
static field_end read_quoted(dl_cell *cell, finding *f, char **scratch)
{
    char *out = *scratch;

    *cell = dl_cell_text(out, 0);
    for (;;) {
        const char *mark = f->at == f->end
                               ? NULL
                               : memchr(f->at, '"', (size_t)(f->end - f->at));

        if (mark == NULL) {
            return FIELD_OPEN;
        }
        memcpy(out, f->at, (size_t)(mark - f->at));
        out += mark - f->at;
        f->at = mark + 1;
        if (f->at == f->end || *f->at != '"') {
            break;
        }
        *out++ = *f->at++;
    }
    cell->len = (size_t)(out - *scratch);
    *scratch = out;
    return FIELD_NEXT;
}

/* What stands at F behind a field, SEPARATOR or an end; step behind it. */
static field_end step_behind(finding *f, char separator)
{
    if (f->at < f->end && *f->at == separator) {
        f->at++;
        return FIELD_NEXT;
    }
    if (f->end - f->at > 1 && f->at[0] == '\r' && f->at[1] == '\n') {
        f->at++;
    }
    if (f->at == f->end) {
        return f->whole ? FIELD_LAST : FIELD_OPEN;
    }
    if (f->end - f->at == 1 && *f->at == '\r') {
        return f->whole ? FIELD_BEHIND : FIELD_OPEN;
    }
    if (*f->at == '\n') {
        f->at++;
        return FIELD_LAST;
    }
    return FIELD_BEHIND;
}

/* Read the field without quotes at F into *CELL. */
static field_end read_bare(dl_cell *cell, finding *f, char separator)
{
    const char *from = f->at;
    const char *to;

    while (f->at < f->end && *f->at != separator && *f->at != '\n') {
        f->at++;
    }
    to = f->at;
    if ((f->at < f->end ? *f->at == '\n' : f->whole) && to > from &&
        to[-1] == '\r') {
        to--;
    }
    *cell = dl_cell_text(from, (size_t)(to - from));
    return step_behind(f, separator);
}

/* Read the row at F, which has quotes, into CELLS. */
static field_end read_row(dl_split_cells *cells, finding *f)
{
    char *scratch = cells->scratch;
    field_end end = FIELD_NEXT;

    while (end == FIELD_NEXT && cells->n < DL_SPLIT_FIELDS) {
        dl_cell *cell = &cells->cells[cells->n++];

        if (f->at < f->end && *f->at == '"') {
            f->at++;
            end = read_quoted(cell, f, &scratch);
            if (end == FIELD_NEXT) {
                end = step_behind(f, cells->separator);
            }
        }
        else {
            end = read_bare(cell, f, cells->separator);
        }
    }
    return end;
}

/* The row from AT is broken for WHY; it is its first line. */
static bool break_row(dl_split_row *row, const char *at, const char *why,
                      const dl_split_input *input)
{
    finding f = {at, input->text + input->len, true};

    (void)next_line(row, &f, input);
    row->broken = why;
    return true;
}

static bool next_quoted(dl_split_row *row, dl_split_cells *cells, finding *f,
                        const dl_split_input *input)
{
    const char *from = f->at;
    size_t left = (size_t)(f->end - from);
    finding row_of = {from, f->end, f->whole};
    field_end end;

    if (left > DL_SPLIT_MAX) {
        row_of.end = from + DL_SPLIT_MAX;
        row_of.whole = false;
    }
    end = read_row(cells, &row_of);
    if (end == FIELD_OPEN && left <= DL_SPLIT_MAX && !f->whole) {
        return no_row(row, from, input);
    }
    if (end != FIELD_LAST) {
        return break_row(row, from,
                         end == FIELD_OPEN     ? NOT_CLOSED
                         : end == FIELD_BEHIND ? BEHIND_QUOTE
                                               : TOO_MANY,
                         input);
    }
    row->lines = row->before + count_lines(from, row_of.at);
    set_row(row, from, row_of.at[-1] == '\n' ? row_of.at - 1 : row_of.at,
            row_of.at, input);
    return true;
}

static bool next_csv(dl_split_row *row, dl_split_cells *cells, finding *f,
                     const dl_split_input *input)
{
    cells->n = 0;
    if (!next_line(row, f, input)) {
        /* A field over lines begins in one that is there. */
        return false;
    }
    if (memchr(row->text, '"', row->len) != NULL) {
        row->cut = false;
        row->broken = NULL;
        return next_quoted(row, cells, f, input);
    }
    if (!row->cut && !split_plain(cells, row->text, row->text + row->len)) {
        row->broken = TOO_MANY;
    }
    return true;
}

/* --- JSON ----------------------------------------------------------------- */

/* Return where the object at AT ends, NULL: not before END. */
static const char *object_end(const char *at, const char *end)
{
    int depth = 0;
    bool inside = false;

    for (; at < end; at++) {
        char c = *at;

        if (inside) {
            at += c == '\\' ? 1 : 0;
            inside = c != '"';
        }
        else if (c == '"') {
            inside = true;
        }
        else if (c == '{' || c == '[') {
            depth++;
        }
        else if ((c == '}' || c == ']') && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

/* Pass over what stands between elements. */
static void pass_between(dl_split_row *row, finding *f)
{
    while (f->at < f->end && memchr(" \t\r\n,[]", *f->at, 8) != NULL) {
        row->before += *f->at == '\n' ? 1 : 0;
        f->at++;
    }
}

/* Return where the element at AT, which is no object, ends; NULL: not before
 * END. */
static const char *scrap_end(const char *at, const char *end)
{
    while (at < end && *at != ',' && *at != '\n' && *at != '{' && *at != ']') {
        at++;
    }
    return at < end ? at : NULL;
}

static bool next_element(dl_split_row *row, finding *f,
                         const dl_split_input *input)
{
    const char *from;
    const char *limit;
    const char *to;

    pass_between(row, f);
    from = f->at;
    limit =
        (size_t)(f->end - from) > DL_SPLIT_MAX ? from + DL_SPLIT_MAX : f->end;
    if (from == f->end) {
        return no_row(row, from, input);
    }
    to = *from == '{' ? object_end(from, limit) : scrap_end(from, limit);
    if (to == NULL && limit < f->end) {
        return cut_row(row, from, input);
    }
    if (to == NULL && !f->whole) {
        return no_row(row, from, input);
    }
    if (to == NULL) {
        row->broken = *from == '{' ? NOT_ENDED : NULL;
        to = f->end;
    }
    row->lines = row->before + count_lines(from, to);
    set_row(row, from, to, to, input);
    return true;
}

/* --- All of them ---------------------------------------------------------- */

static apr_status_t free_memory(void *memory)
{
    free(memory);
    return APR_SUCCESS;
}

void dl_split_cells_create(dl_split_cells *cells, char separator,
                           apr_pool_t *pool)
{
    *cells = (dl_split_cells){.separator = separator};
    cells->cells = apr_pcalloc(pool, DL_SPLIT_FIELDS * sizeof *cells->cells);
    cells->scratch = malloc(DL_SPLIT_MAX);
    if (cells->scratch == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, cells->scratch, free_memory,
                              apr_pool_cleanup_null);
}

bool dl_split_next(dl_split_row *row, dl_split_cells *cells, dl_split_kind kind,
                   const dl_split_input *input)
{
    finding f = {input->text, input->text + input->len, input->whole};

    *row = (dl_split_row){.text = NULL};
    if (kind == DL_SPLIT_JSON) {
        return next_element(row, &f, input);
    }
    pass_empty(row, &f);
    return kind == DL_SPLIT_CSV ? next_csv(row, cells, &f, input)
                                : next_line(row, &f, input);
}

/* Whether an object begins in the line at AT; *KNOWN: enough of it is there. */
static bool object_begins(bool *known, const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == ',')) {
        at++;
    }
    *known = at < end;
    return *known && *at == '{';
}

bool dl_split_skip(size_t *used, uint64_t *lines, dl_split_kind kind,
                   const dl_split_input *input)
{
    const char *at = input->text;
    const char *end = at + input->len;

    *used = 0;
    *lines = 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        bool known = true;

        if (newline == NULL) {
            *used = input->len;
            return input->whole;
        }
        if (kind != DL_SPLIT_JSON || object_begins(&known, newline + 1, end) ||
            (!known && input->whole)) {
            *used = (size_t)(newline + 1 - input->text);
            ++*lines;
            return true;
        }
        if (!known) {
            *used = (size_t)(newline - input->text);
            return false;
        }
        ++*lines;
        at = newline + 1;
    }
    *used = input->len;
    return input->whole;
}
