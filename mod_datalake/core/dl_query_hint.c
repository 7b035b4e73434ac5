/* dl_query_hint.c - From filters to conditions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_query_hint.h"

#include <math.h>
#include <stdlib.h>

#include "dl_lake_column.h"
#include "dl_query_within.h"

/* Most pieces of one text that are used. */
#define PIECES_MAX 4

/* --- Texts ----------------------------------------------------------------- */

/* Whether a line may write C in another form than itself or \uXXXX. */
static bool may_be_escaped(char c)
{
    return c == '"' || c == '\\' || c == '/' || (unsigned char)c < 0x20;
}

/* Set *PIECE to the next piece of TEXT behind *AT and move *AT behind it;
 * false: there is none. */
static bool next_piece(dl_lake_hint_text *piece, size_t *at,
                       const dl_query_operand *text)
{
    size_t from;

    do {
        while (*at < text->len && may_be_escaped(text->text[*at])) {
            ++*at;
        }
        from = *at;
        while (*at < text->len && !may_be_escaped(text->text[*at])) {
            ++*at;
        }
        piece->text = text->text + from;
        piece->len = *at - from;
    } while (piece->len < DL_QUERY_HINT_PIECE && *at < text->len);
    return piece->len >= DL_QUERY_HINT_PIECE;
}

/* Let wanted lines hold the pieces of TEXT. */
static void add_pieces(dl_lake_hint *hint, const dl_query_operand *text)
{
    dl_lake_hint_text piece;
    size_t at = 0;
    int n;

    for (n = 0; n < PIECES_MAX && next_piece(&piece, &at, text); n++) {
        dl_lake_hint_add_texts(hint, &piece, 1);
    }
}

/* Let wanted lines hold the longest piece of one of the operands of F. */
static void add_alternatives(dl_lake_hint *hint, const dl_query_condition *f)
{
    dl_lake_hint_text texts[DL_LAKE_HINT_TEXTS];
    int i;

    if (f->n > DL_LAKE_HINT_TEXTS) {
        return;
    }
    for (i = 0; i < f->n; i++) {
        dl_lake_hint_text piece;
        size_t at = 0;

        texts[i].len = 0;
        while (next_piece(&piece, &at, &f->operands[i])) {
            texts[i] = piece.len > texts[i].len ? piece : texts[i];
        }
        if (texts[i].len == 0) {
            return; /* this one may stand anywhere */
        }
    }
    dl_lake_hint_add_texts(hint, texts, f->n);
}

/* Let wanted lines have one of the operands of F as the key NAME. */
static void add_keys(dl_lake_hint *hint, const char *name,
                     const dl_query_condition *f)
{
    dl_lake_hint_text texts[DL_LAKE_HINT_TEXTS];
    int i;

    for (i = 0; i < f->n && i < DL_LAKE_HINT_TEXTS; i++) {
        texts[i].text = f->operands[i].text;
        texts[i].len = f->operands[i].len;
    }
    if (f->n <= DL_LAKE_HINT_TEXTS) {
        dl_lake_hint_add_keys(hint, name, texts, f->n);
    }
}

/* Take what F says about a column of texts, or of any values. */
static void take_texts(dl_lake_hint *hint, const dl_query_condition *f,
                       const char *key)
{
    if (f->op == DL_QUERY_CONTAINS) {
        add_pieces(hint, f->operands);
        return;
    }
    if (f->op != DL_QUERY_EQ && f->op != DL_QUERY_IN) {
        return;
    }
    if (key != NULL) {
        add_keys(hint, key, f);
    }
    if (f->n == 1) {
        add_pieces(hint, f->operands);
    }
    else {
        add_alternatives(hint, f);
    }
}

/* Whether F may find a number, which may be written in many ways. */
static bool may_find_number(const dl_query_condition *f)
{
    int i;

    for (i = 0; f->op != DL_QUERY_CONTAINS && i < f->n; i++) {
        if (f->operands[i].number) {
            return true;
        }
    }
    return false;
}

/* --- Ranges ---------------------------------------------------------------- */

/* Whether F leaves the values below, or those above its operands alone. */
static bool has_low(const dl_query_condition *f)
{
    return f->op != DL_QUERY_LT && f->op != DL_QUERY_LTE;
}

static bool has_high(const dl_query_condition *f)
{
    return f->op != DL_QUERY_GT && f->op != DL_QUERY_GTE;
}

static void take_numbers(dl_lake_hint *hint, const dl_query_condition *f,
                         const char *name)
{
    double low = INFINITY;
    double high = -INFINITY;
    int i;

    for (i = 0; i < f->n; i++) {
        double value = strtod(f->operands[i].text, NULL);

        /* The double next to it lies on the other side of the text. */
        low = fmin(low, nextafter(value, -INFINITY));
        high = fmax(high, nextafter(value, INFINITY));
    }
    dl_lake_hint_add_numbers(hint, name, has_low(f) ? low : -INFINITY,
                             has_high(f) ? high : INFINITY);
}

static void take_times(dl_lake_hint *hint, const dl_query_condition *f,
                       const char *name)
{
    dl_time first = INT64_MAX;
    dl_time last = INT64_MIN;
    int i;

    for (i = 0; i < f->n; i++) {
        dl_time time = f->operands[i].time;

        first = time < first ? time : first;
        last = time > last ? time : last;
    }
    dl_lake_hint_add_times(hint, name, has_low(f) ? first : INT64_MIN,
                           has_high(f) ? last : INT64_MAX);
}

/* --- Filters --------------------------------------------------------------- */

/* Take what F says about the field FIELD, -1: none. */
static void take_filter(dl_lake_hint *hint, const dl_query *query,
                        const dl_query_condition *f, int field)
{
    dl_lake_column_kind kind = DL_LAKE_COLUMN_KEYS;
    const char *name = NULL;
    dl_field_type type = query->columns[f->column].type;

    if (type == DL_FIELD_INT || type == DL_FIELD_DEC || type == DL_FIELD_NUM) {
        kind = DL_LAKE_COLUMN_NUMBERS;
    }
    else if (type == DL_FIELD_TIME || type == DL_FIELD_DATE) {
        kind = DL_LAKE_COLUMN_TIMES;
    }
    if (field >= 0) {
        name = dl_lake_column_name(query->ds, field, kind, hint->pool);
    }
    if (type == DL_FIELD_STR || (type == DL_FIELD_ANY && !may_find_number(f))) {
        take_texts(hint, f, type == DL_FIELD_STR ? name : NULL);
    }
    else if (kind == DL_LAKE_COLUMN_NUMBERS && name != NULL) {
        take_numbers(hint, f, name);
    }
    else if (kind == DL_LAKE_COLUMN_TIMES && name != NULL) {
        take_times(hint, f, name);
    }
}

const dl_lake_hint *dl_query_hint(const dl_query *query,
                                  apr_pool_t *result_pool)
{
    dl_lake_hint *hint;
    int i;

    dl_lake_hint_create(&hint, result_pool);
    for (i = 0; i < query->n_filters; i++) {
        const dl_query_condition *f = &query->filters[i];

        if (f->op != DL_QUERY_NE) {
            take_filter(
                hint, query, f,
                dl_dataset_field(query->ds, query->columns[f->column].path));
        }
    }
    return hint->n > 0 ? hint : NULL;
}
