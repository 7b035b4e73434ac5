/* dl_mapping_write.c - Rows of cells as records.
 *
 * Collecting a file costs little more than this, so a text of plain ASCII is
 * copied 16 bytes at a time while it is looked at; all others take the way of
 * dl_json_write.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dl_json_write.h"
#include "dl_mapping_inside.h"
#include "dl_utf8.h"

/* Bytes that are looked at and copied at once. */
#define STEP ((size_t)16)

/* Return whether the STEP bytes at TEXT are ASCII that needs no escape. */
static bool is_plain(const char *text)
{
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);

    /* Signed: bytes from 0x80 on are below, too. */
    return _mm_movemask_epi8(_mm_or_si128(
               _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
               _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                            _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))))) == 0;
#else
    for (size_t i = 0; i < STEP; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
            return false;
        }
    }
    return true;
#endif
}

/* Copy the LEN bytes at TEXT to OUT, which has room for STEP more, as long as
 * they are plain; return whether all were. */
static bool copy_plain(char *out, const char *text, size_t len)
{
    char last[STEP];

    while (len >= STEP) {
        if (!is_plain(text)) {
            return false;
        }
        memcpy(out, text, STEP);
        out += STEP;
        text += STEP;
        len -= STEP;
    }
    memset(last, ' ', STEP);
    memcpy(last, text, len);
    memcpy(out, last, STEP);
    return is_plain(last);
}

/* Append a text that is not plain. */
static dl_status put_other(dl_buf *out, const dl_cell *cell, dl_error *err)
{
    dl_json_writer w;

    if (!dl_utf8_check_text(cell->text, cell->len)) {
        return dl_fail(err, DL_INVALID, 0, "a value is not UTF-8");
    }
    dl_json_writer_begin(&w, out);
    dl_json_write_string(&w, cell->text, cell->len);
    return dl_json_writer_finish(&w, err);
}

dl_status dl_mapping_put(dl_buf *out, const dl_cell *cell, dl_error *err)
{
    if (cell->kind == DL_CELL_JSON) {
        return dl_buf_append(out, cell->text, cell->len, err);
    }
    if (cell->kind != DL_CELL_TEXT) {
        return dl_buf_append(out, "null", 4, err);
    }
    if (cell->len == 0) {
        return dl_buf_append(out, "\"\"", 2, err);
    }
    DL_TRY(dl_buf_reserve(out, cell->len + STEP + 2, err));
    if (!copy_plain(out->data + out->len + 1, cell->text, cell->len)) {
        return put_other(out, cell, err);
    }
    out->data[out->len] = '"';
    out->len += cell->len + 2;
    out->data[out->len - 1] = '"';
    return DL_OK;
}

dl_status dl_mapping_put_name(dl_buf *out, const char *prefix, size_t len,
                              dl_error *err)
{
    size_t comma = out->data[out->len - 1] == '{' ? 1 : 0;

    return dl_buf_append(out, prefix + comma, len - comma, err);
}

/* Append the member NODE of the row CELLS to OUT. */
static dl_status put_value(dl_buf *out, const dl_mapping_plan *plan,
                           const dl_mapping_node *node, const dl_cell *cells,
                           dl_error *err)
{
    dl_cell cell = {NULL, 0, DL_CELL_ABSENT};

    if (node->column >= 0) {
        cell = cells[node->column];
    }
    if (node->transform != NULL) {
        plan->mapping->room->len = 0;
        if (dl_transform_apply(&cell, node->transform, plan->mapping->room,
                               err) != DL_OK) {
            return dl_wrap(err, "%s", node->name);
        }
    }
    if (cell.kind == DL_CELL_ABSENT) {
        return DL_OK;
    }
    DL_TRY(dl_mapping_put_name(out, node->prefix, node->prefix_len, err));
    return dl_mapping_put(out, &cell, err);
}

/* Append the members from NODE on, without their braces. */
static dl_status put_members(dl_buf *out, const dl_mapping_plan *plan,
                             const dl_mapping_node *node, const dl_cell *cells,
                             dl_error *err)
{
    for (; node != NULL; node = node->next) {
        size_t before = out->len;

        if (node->child == NULL) {
            DL_TRY(put_value(out, plan, node, cells, err));
            continue;
        }
        DL_TRY(dl_mapping_put_name(out, node->prefix, node->prefix_len, err));
        DL_TRY(dl_buf_append(out, "{", 1, err));
        DL_TRY(put_members(out, plan, node->child, cells, err));
        if (out->data[out->len - 1] == '{') {
            out->len = before;
        }
        else {
            DL_TRY(dl_buf_append(out, "}", 1, err));
        }
    }
    return DL_OK;
}

dl_status dl_mapping_write_row(dl_buf *out, const dl_mapping_plan *plan,
                               const dl_cell *cells, dl_error *err)
{
    DL_TRY(dl_buf_append(out, "{", 1, err));
    DL_TRY(put_members(out, plan, plan->first, cells, err));
    return dl_buf_append(out, "}", 1, err);
}

dl_status dl_mapping_write(dl_buf *out, dl_mapping_plan *plan,
                           const dl_cell *cells, dl_error *err)
{
    size_t before = out->len;
    dl_status status = dl_mapping_write_row(out, plan, cells, err);

    if (status != DL_OK) {
        out->len = before;
    }
    return status;
}
