/* dlc_train_rows.c - An open hash table of rows that halves itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_train_rows.h"

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include <sodium.h>

/* Rows there is room for at first. */
#define ROWS_FIRST ((size_t)4096)

/* Slots of the table for each row. */
#define SLOTS 2

/* A slot without a row. */
#define EMPTY UINT32_MAX

/* The values of one text. */
typedef struct words {
    apr_hash_t *numbers;     /* their numbers, by value */
    dl_feature_value *value; /* value of number i at i - 1 */
    int n;                   /* how many */
} words;

struct dlc_train_rows {
    size_t limit;                  /* most rows */
    uint64_t below;                /* hashes that are taken */
    dlc_train_row *rows;           /* in order of arrival */
    size_t n;                      /* how many */
    size_t room;                   /* ... there is memory for */
    uint32_t *slots;               /* SLOTS * room; index of a row, or EMPTY */
    words words[DL_FEATURE_TEXTS]; /* by text */
    apr_pool_t *pool;              /* of the words */
};

/* --- Ids ------------------------------------------------------------------ */

/* The CRC-32 of zlib and Ethernet of the LEN bytes at TEXT: who belongs to the
 * test set (contract 3.5). */
static uint32_t crc32_of(const char *text, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~crc;
}

void dlc_train_row_name(dlc_train_row *row, const char *text, size_t len)
{
    /* Not a secret: a second run has to choose the same. */
    static const unsigned char key[crypto_shorthash_siphashx24_KEYBYTES] =
        "datalake train 1";

    crypto_shorthash_siphashx24(row->id, (const unsigned char *)text, len, key);
    row->is_test = crc32_of(text, len) % 5 == 0;
}

/* The part of ROW's hash that decides whether it is taken. */
static uint64_t rank(const dlc_train_row *row)
{
    uint64_t value;

    memcpy(&value, row->id, sizeof value);
    return value;
}

/* The part that finds its slot. */
static uint64_t place(const dlc_train_row *row)
{
    uint64_t value;

    memcpy(&value, row->id + sizeof value, sizeof value);
    return value;
}

/* --- Memory --------------------------------------------------------------- */

static apr_status_t rows_free(void *data)
{
    dlc_train_rows *rows = data;

    free(rows->rows);
    free(rows->slots);
    return APR_SUCCESS;
}

/* Set SLOT to the one of ROW's id in ROWS: its row, or an empty one. */
static size_t find_slot(const dlc_train_rows *rows, const dlc_train_row *row)
{
    size_t n = rows->room * SLOTS;
    size_t slot = (size_t)(place(row) % n);

    while (rows->slots[slot] != EMPTY &&
           memcmp(rows->rows[rows->slots[slot]].id, row->id, sizeof row->id) !=
               0) {
        slot = slot + 1 == n ? 0 : slot + 1;
    }
    return slot;
}

/* Fill the table of ROWS anew. */
static void fill_slots(dlc_train_rows *rows)
{
    memset(rows->slots, 0xff, rows->room * SLOTS * sizeof *rows->slots);
    for (size_t i = 0; i < rows->n; i++) {
        rows->slots[find_slot(rows, &rows->rows[i])] = (uint32_t)i;
    }
}

/* Give ROWS memory for ROOM of them. */
static void resize(dlc_train_rows *rows, size_t room)
{
    rows->rows = realloc(rows->rows, room * sizeof *rows->rows);
    rows->slots = realloc(rows->slots, room * SLOTS * sizeof *rows->slots);
    if (rows->rows == NULL || rows->slots == NULL) {
        abort();
    }
    rows->room = room;
    fill_slots(rows);
}

dlc_train_rows *dlc_train_rows_create(size_t limit, apr_pool_t *pool)
{
    dlc_train_rows *rows = apr_pcalloc(pool, sizeof *rows);

    rows->limit = limit;
    rows->below = UINT64_MAX;
    rows->pool = pool;
    for (int i = 0; i < DL_FEATURE_TEXTS; i++) {
        rows->words[i].numbers = apr_hash_make(pool);
        rows->words[i].value =
            apr_palloc(pool, DLC_TRAIN_WORDS * sizeof *rows->words[i].value);
    }
    apr_pool_cleanup_register(pool, rows, rows_free, apr_pool_cleanup_null);
    resize(rows, limit < ROWS_FIRST ? limit : ROWS_FIRST);
    return rows;
}

/* --- Words ---------------------------------------------------------------- */

uint16_t dlc_train_rows_word(dlc_train_rows *rows, int i,
                             dl_feature_value value)
{
    words *w = &rows->words[i];
    const dl_feature_value *known;

    if (value.len > DL_FEATURE_VALUE_MAX) {
        return DLC_TRAIN_REST;
    }
    /* No length at all would mean a text that ends with a NUL. */
    known = value.len == 0
                ? apr_hash_get(w->numbers, "\0", 1)
                : apr_hash_get(w->numbers, value.text, (apr_ssize_t)value.len);
    if (known != NULL) {
        return (uint16_t)(known - w->value + 1);
    }
    if (w->n == DLC_TRAIN_WORDS) {
        return DLC_TRAIN_REST;
    }
    w->value[w->n].text = apr_pstrmemdup(rows->pool, value.text, value.len);
    w->value[w->n].len = value.len;
    apr_hash_set(w->numbers, w->value[w->n].text,
                 value.len == 0 ? 1 : (apr_ssize_t)value.len, &w->value[w->n]);
    return (uint16_t)++w->n;
}

dl_feature_value dlc_train_rows_value(const dlc_train_rows *rows, int i,
                                      int number)
{
    return rows->words[i].value[number - 1];
}

int dlc_train_rows_words(const dlc_train_rows *rows, int i)
{
    return rows->words[i].n;
}

/* --- Rows ----------------------------------------------------------------- */

bool dlc_train_rows_wants(const dlc_train_rows *rows, const dlc_train_row *row)
{
    return rank(row) <= rows->below;
}

/* Take half of the hashes from now on. */
static void halve(dlc_train_rows *rows)
{
    size_t kept = 0;

    rows->below /= 2;
    for (size_t i = 0; i < rows->n; i++) {
        if (dlc_train_rows_wants(rows, &rows->rows[i])) {
            rows->rows[kept++] = rows->rows[i];
        }
    }
    rows->n = kept;
    fill_slots(rows);
}

void dlc_train_rows_add(dlc_train_rows *rows, const dlc_train_row *row)
{
    size_t slot = find_slot(rows, row);

    if (rows->slots[slot] != EMPTY) {
        dlc_train_row *old = &rows->rows[rows->slots[slot]];

        if (dl_coord_compare(&row->coord, &old->coord) > 0) {
            *old = *row;
        }
        return;
    }
    if (rows->n == rows->room && rows->room < rows->limit) {
        size_t twice = rows->room * 2;

        resize(rows, twice < rows->limit ? twice : rows->limit);
    }
    while (rows->n == rows->room) {
        halve(rows);
    }
    if (!dlc_train_rows_wants(rows, row)) {
        return;
    }
    rows->rows[rows->n] = *row;
    rows->slots[find_slot(rows, row)] = (uint32_t)rows->n++;
}

size_t dlc_train_rows_count(const dlc_train_rows *rows)
{
    return rows->n;
}

const dlc_train_row *dlc_train_rows_at(const dlc_train_rows *rows, size_t i)
{
    return &rows->rows[i];
}
