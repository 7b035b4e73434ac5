/* dlc_wh_child.c - Make and store the rows of objects in arrays.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_child.h"

#include <string.h>

#include "dl_record_rows.h"
#include "dlc_wh_split.h"

/* --- Making ---------------------------------------------------------------- */

/* Return the length of TEXT without spaces at its end, which no key of the
 * database tells from it. */
static size_t key_length(dlc_text text)
{
    while (text.len > 0 && text.text[text.len - 1] == ' ') {
        text.len--;
    }
    return text.len;
}

/* Whether the rows A and B of TABLE, with N_A and N_B bytes, have one key. */
static bool same_key(const dlc_wh_table *table, const char *a, size_t n_a,
                     const char *b, size_t n_b)
{
    dlc_text left[DLC_WH_COLUMNS];
    dlc_text right[DLC_WH_COLUMNS];

    dlc_wh_row_split(left, table, a, n_a);
    dlc_wh_row_split(right, table, b, n_b);
    for (int i = 0; i < table->n_unique; i++) {
        int at = table->unique[i];
        size_t len = key_length(left[at]);

        if (len != key_length(right[at]) ||
            memcmp(left[at].text, right[at].text, len) != 0) {
            return false;
        }
    }
    return true;
}

/* Take the row out of TEXT, from byte FROM on, that has the key of the one
 * from LAST to the end. */
static void drop_equal(dlc_wh_text *text, size_t from, size_t last,
                       const dlc_wh_table *table)
{
    while (from < last) {
        char *row = text->data + from;
        size_t len = (size_t)((char *)memchr(row, '\n', last - from) - row) + 1;

        if (same_key(table, row, len, text->data + last, text->len - last)) {
            memmove(row, row + len, text->len - from - len);
            text->len -= len;
            return;
        }
        from += len;
    }
}

/* Add the rows of child I of INPUT's record to TEXT. */
static void put_rows(dlc_wh_text *text, const dlc_wh_table *table, int i,
                     const dlc_wh_input *input)
{
    size_t from = text->len;
    dl_record_rows rows;
    dl_record row;
    dlc_wh_input child = {.rec = &row, .parent = input->rec};

    dl_record_rows_begin(&rows, input->rec, i);
    while (dl_record_rows_next(&row, &rows)) {
        size_t last = text->len;
        char *end;

        dlc_wh_text_reserve(text, dlc_wh_row_bound(table, &child));
        end = dlc_wh_row_format(text->data + last, table, &child);
        text->len = (size_t)(end - text->data);
        drop_equal(text, from, last, table);
    }
}

void dlc_wh_child_put(dlc_wh_chunk *chunk, dlc_wh_line *line,
                      const dlc_wh_input *input)
{
    const dlc_wh_table *table = chunk->place->table;

    for (int i = 0; i < table->n_children; i++) {
        dlc_wh_text *text = &chunk->children[i];
        size_t before = text->len;

        put_rows(text, table->children[i], i, input);
        line->children[i] = (uint32_t)(text->len - before);
    }
}

/* --- Storing --------------------------------------------------------------- */

/* Set ROWS to the rows of child I of the lines of CHUNK that are not out, in
 * one piece; return how many. */
static uint64_t gather(dlc_wh_rows *rows, dlc_wh_fact *fact,
                       const dlc_wh_chunk *chunk, int i)
{
    const char *from = chunk->children[i].data;
    uint64_t n = 0;

    fact->text.len = 0;
    dlc_wh_text_reserve(&fact->text, chunk->children[i].len);
    for (size_t k = 0; k < chunk->n; k++) {
        const dlc_wh_line *line = &chunk->lines[k];

        if (!line->out && line->children[i] > 0) {
            memcpy(fact->text.data + fact->text.len, from, line->children[i]);
            fact->text.len += line->children[i];
        }
        from += line->children[i];
    }
    rows->data = fact->text.data;
    rows->len = fact->text.len;
    for (size_t k = 0; k < rows->len; k++) {
        n += rows->data[k] == '\n' ? 1 : 0;
    }
    return n;
}

static dl_status store(dlc_wh_fact *fact, const dlc_wh_chunk *chunk, int i,
                       dl_error *err)
{
    const dlc_wh_table *table = chunk->place->table->children[i];
    dlc_wh_rows rows = {.table = table,
                        .sql_load = table->sql_load,
                        .sql_insert = table->sql_insert};
    dl_wh_load_result result;
    uint64_t n = gather(&rows, fact, chunk, i);

    if (n == 0) {
        return DL_OK;
    }
    DL_TRY(dlc_wh_send_rows(&result, fact, &rows, err));
    if (result.warnings != 0 || result.affected != n) {
        return dl_fail(err, DL_INTERNAL, 0,
                       "table %s: the database took %llu of %llu rows",
                       table->dataset->table,
                       (unsigned long long)result.affected,
                       (unsigned long long)n);
    }
    return DL_OK;
}

dl_status dlc_wh_child_store(dlc_wh_fact *fact, const dlc_wh_chunk *chunk,
                             bool staged, dl_error *err)
{
    const dlc_wh_table *table = chunk->place->table;

    for (int i = 0; i < table->n_children; i++) {
        if (staged) {
            DL_TRY(
                dl_wh_exec(fact->wh, table->children[i]->sql_clear, NULL, err));
        }
        DL_TRY(store(fact, chunk, i, err));
    }
    return DL_OK;
}
