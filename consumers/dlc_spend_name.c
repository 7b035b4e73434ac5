/* dlc_spend_name.c - A hash table from product to newest name.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_spend_name.h"

#include <stdlib.h>
#include <string.h>

static void *memory(void *old, size_t bytes)
{
    void *made = realloc(old, bytes);

    if (made == NULL) {
        abort();
    }
    return made;
}

static size_t text_hash(dlc_text text)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < text.len; i++) {
        hash = (hash ^ (unsigned char)text.text[i]) * 0x100000001b3U;
    }
    return (size_t)(hash ^ hash >> 31);
}

static bool text_equal(dlc_text a, dlc_text b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* Return the slot of PRODUCT_ID, or the free one it belongs into. */
static uint32_t *slot_find(dlc_names *names, dlc_text product_id)
{
    size_t mask = names->room * 2 - 1;
    size_t at = text_hash(product_id) & mask;

    while (
        names->slots[at] != 0 &&
        !text_equal(names->rows[names->slots[at] - 1].product_id, product_id)) {
        at = (at + 1) & mask;
    }
    return &names->slots[at];
}

static void names_grow(dlc_names *names)
{
    names->room = names->room == 0 ? 256 : names->room * 2;
    names->rows = memory(names->rows, names->room * sizeof *names->rows);
    names->slots = memory(names->slots, names->room * 2 * sizeof *names->slots);
    memset(names->slots, 0, names->room * 2 * sizeof *names->slots);
    for (size_t i = 0; i < names->n; i++) {
        *slot_find(names, names->rows[i].product_id) = (uint32_t)(i + 1);
    }
}

static void texts_store(dlc_names *names, dlc_name *row, dlc_text product_id,
                        dlc_text name)
{
    char *block = memory(NULL, product_id.len + name.len + 1);

    memcpy(block, product_id.text, product_id.len);
    memcpy(block + product_id.len, name.text, name.len);
    row->product_id = (dlc_text){block, product_id.len};
    row->name = (dlc_text){block + product_id.len, name.len};
    names->bytes += product_id.len + name.len + 32;
}

/* Free the block that texts_store made. */
static void texts_free(dlc_name *row)
{
    union {
        const char *in;
        void *out;
    } pointer = {.in = row->product_id.text};

    free(pointer.out);
}

void dlc_names_add(dlc_names *names, dlc_text product_id, dlc_text name,
                   const dl_coord *coord)
{
    uint32_t *slot;
    dlc_name *row;

    if (names->n == names->room) {
        names_grow(names);
    }
    slot = slot_find(names, product_id);
    if (*slot == 0) {
        row = &names->rows[names->n++];
        *slot = (uint32_t)names->n;
        row->coord = *coord;
        texts_store(names, row, product_id, name);
        return;
    }
    row = &names->rows[*slot - 1];
    if (dl_coord_compare(coord, &row->coord) < 0) {
        return;
    }
    row->coord = *coord;
    if (!text_equal(row->name, name)) {
        dlc_name old = *row;

        names->bytes -= old.product_id.len + old.name.len + 32;
        texts_store(names, row, product_id, name);
        texts_free(&old);
    }
}

void dlc_names_clear(dlc_names *names)
{
    for (size_t i = 0; i < names->n; i++) {
        texts_free(&names->rows[i]);
    }
    free(names->rows);
    free(names->slots);
    memset(names, 0, sizeof *names);
}
