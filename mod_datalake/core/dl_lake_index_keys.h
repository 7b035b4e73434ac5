/* dl_lake_index_keys.h - Which lines of a segment have which text.
 *
 * FORMAT.md 18, columns of keys.  For the builder and the reader of indexes
 * only.
 *
 * Thread: the owner of the object; dl_lake_keys_find any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEX_KEYS_H
#define DL_LAKE_INDEX_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_lake_bytes.h"
#include "dl_lake_format.h"

/* The entries of a column, not yet sorted.  Zero is the empty state. */
typedef struct dl_lake_keys {
    uint64_t *entries; /* hash in the high half, line in the low; malloc */
    size_t n;          /* how many */
    size_t size;       /* room */
} dl_lake_keys;

/* Return the hash of the LEN bytes at TEXT. */
uint32_t dl_lake_key_hash(const char *text, size_t len);

/* Note that LINE of the segment, not before those already there, has HASH. */
void dl_lake_keys_note(dl_lake_keys *keys, uint32_t hash, uint32_t line);

/* Add to OUT the column with KEYS, which are empty then.  SORTED is room for
 * as many, which the function makes larger as needed. */
void dl_lake_keys_add(dl_lake_bytes *out, dl_lake_keys *keys,
                      dl_lake_keys *sorted);

/* Give the memory back. */
void dl_lake_keys_free(dl_lake_keys *keys);

/* Takes one line; false: no more of them. */
typedef bool dl_lake_key_line(void *context, uint32_t line);

/* Call TAKE for each line below LINES with HASH in the column of LEN bytes at
 * DATA, rising.  False: the column is damaged, lines may be missing. */
bool dl_lake_keys_find(const uint8_t *data, size_t len, uint32_t lines,
                       uint32_t hash, dl_lake_key_line *take, void *context);

/* Whether all checksums of the column of LEN bytes at DATA are right. */
bool dl_lake_keys_sound(const uint8_t *data, size_t len);

#endif
