/* dl_mapping_write.c - Rows of cells as records.
 *
 * Collecting a file costs little more than this, so a text of plain ASCII is
 * copied 16 bytes at a time while it is looked at; all others take the way of
 * dl_json_write.h.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dl_json_write.h"
#include "dl_mapping_inside.h"
#include "dl_utf8.h"

/* Bytes that are looked at and copied at once. */
#define STEP ((size_t)16)

#if defined(__SSE2__)

/* Return whether the STEP bytes of BYTES are ASCII that needs no escape. */
static bool is_plain(__m128i bytes)
{
    /* Signed: bytes from 0x80 on are below, too. */
    return _mm_movemask_epi8(_mm_or_si128(
               _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
               _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                            _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))))) == 0;
}

/* Copy the LEN bytes at TEXT, fewer than STEP, likewise: as two parts that
 * overlap, since a copy of any size is a call. */
static bool copy_short(char *out, const char *text, size_t len)
{
    uint64_t first = 0;
    uint64_t last = 0;

    if (len >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + len - 8, 8);
        memcpy(out, &first, 8);
        memcpy(out + len - 8, &last, 8);
        return is_plain(_mm_set_epi64x((long long)last, (long long)first));
    }
    if (len >= 4) {
        uint32_t low;
        uint32_t high;

        memcpy(&low, text, 4);
        memcpy(&high, text + len - 4, 4);
        memcpy(out, &low, 4);
        memcpy(out + len - 4, &high, 4);
        first = (uint64_t)high << 32 | low;
        return is_plain(_mm_set1_epi64x((long long)first));
    }
    memset(&first, ' ', 8);
    memcpy(&last, &first, 8);
    for (size_t i = 0; i < len; i++) {
        out[i] = text[i];
        first = first << 8 | (unsigned char)text[i];
    }
    return is_plain(_mm_set_epi64x((long long)last, (long long)first));
}

/* Copy the LEN bytes at TEXT to OUT as long as they are ASCII that needs no
 * escape; return whether all were. */
static inline bool copy_plain(char *out, const char *text, size_t len)
{
    const char *last;

    if (len < STEP) {
        return copy_short(out, text, len);
    }
    last = text + len - STEP;
    for (;;) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)text);

        if (!is_plain(bytes)) {
            return false;
        }
        _mm_storeu_si128((__m128i *)(void *)out, bytes);
        if (text == last) {
            return true;
        }
        /* The last step begins within the one before. */
        out += text + STEP > last ? last - text : (ptrdiff_t)STEP;
        text = text + STEP > last ? last : text + STEP;
    }
}

#else

/* Copy the LEN bytes at TEXT to OUT as long as they are ASCII that needs no
 * escape; return whether all were. */
static bool copy_plain(char *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
            return false;
        }
        out[i] = text[i];
    }
    return true;
}

#endif

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

/* --- Any row -------------------------------------------------------------- */

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

/* --- Rows of plain texts -------------------------------------------------- */

/* Append the record of the texts CELLS to OUT, which has room, if all of them
 * are plain; else leave OUT as it is. */
static bool write_leaves(dl_buf *out, dl_mapping_plan *plan,
                         const dl_cell *cells)
{
    char *at = out->data + out->len;
    size_t comma = 1;

    *at++ = '{';
    plan->picked_len = 0;
    for (int i = 0; i < plan->n_leaves; i++) {
        const dl_mapping_leaf *leaf = &plan->leaves[i];
        const dl_cell *cell = &cells[leaf->column];

        /* A fixed size is three moves; what follows overwrites the rest. */
        memcpy(at, leaf->prefix + comma, DL_MAPPING_PREFIX - 1);
        at += leaf->prefix_len - comma;
        if (!copy_plain(at, cell->text, cell->len)) {
            return false;
        }
        if (i == plan->pick) {
            plan->picked = (size_t)(at - out->data);
            plan->picked_len = cell->len;
        }
        at += cell->len;
        *at++ = '"';
        comma = 0;
    }
    *at++ = '}';
    out->len = (size_t)(at - out->data);
    return true;
}

/* Make room in OUT for the record of CELLS, if all of them are texts. */
static bool reserve_leaves(dl_buf *out, const dl_mapping_plan *plan,
                           const dl_cell *cells)
{
    size_t need = plan->fixed;

    for (int i = 0; i < plan->n_leaves; i++) {
        const dl_cell *cell = &cells[plan->leaves[i].column];

        if (cell->kind != DL_CELL_TEXT) {
            return false;
        }
        need += cell->len;
    }
    return dl_buf_reserve(out, need, NULL) == DL_OK;
}

bool dl_mapping_picked(size_t *at, size_t *len, const dl_mapping_plan *plan)
{
    *at = plan->picked;
    *len = plan->picked_len;
    return plan->told;
}

dl_status dl_mapping_write(dl_buf *out, dl_mapping_plan *plan,
                           const dl_cell *cells, dl_error *err)
{
    size_t before = out->len;
    dl_status status;

    plan->told = false;
    if (plan->leaves != NULL && reserve_leaves(out, plan, cells) &&
        write_leaves(out, plan, cells)) {
        plan->told = plan->can_pick;
        return DL_OK;
    }
    status = dl_mapping_write_row(out, plan, cells, err);
    if (status != DL_OK) {
        out->len = before;
    }
    return status;
}
