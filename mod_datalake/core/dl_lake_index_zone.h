/* dl_lake_index_zone.h - The least and the greatest value of each block.
 *
 * FORMAT.md 18, columns of numbers and times.  For the builder and the reader
 * of indexes only.
 *
 * Thread: the owner of the object; dl_lake_zone_may any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_INDEX_ZONE_H
#define DL_LAKE_INDEX_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_json.h"
#include "dl_lake_bytes.h"
#include "dl_lake_column.h"
#include "dl_lake_format.h"
#include "dl_lake_hint.h"

/* Bounds of a block, of numbers or of times. */
typedef struct dl_lake_zone {
    double low, high;    /* numbers; low above high: none */
    dl_time first, last; /* times; first behind last: none */
} dl_lake_zone;

/* Let ZONE hold nothing. */
void dl_lake_zone_clear(dl_lake_zone *zone);

/* Widen ZONE by the value SLICE of COLUMN, unless it is of another type. */
void dl_lake_zone_widen(dl_lake_zone *zone, const dl_lake_column *column,
                        dl_json_slice slice);

/* Add to OUT the column of KIND with the N zones at ZONES. */
void dl_lake_zones_add(dl_lake_bytes *out, dl_lake_column_kind kind,
                       const dl_lake_zone *zones, int n);

/* Clear in BITS the blocks whose zones in the LEN bytes at DATA, a column of N
 * blocks, say that nothing in them fulfils CONDITION; do nothing when
 * they are damaged. */
void dl_lake_zones_ask(uint64_t *bits, const uint8_t *data, size_t len, int n,
                       const dl_lake_condition *condition);

/* Set *LOW and *HIGH to doubles around the number of the LEN bytes at TEXT,
 * which is in number syntax, as FORMAT.md 18 rounds it. */
void dl_lake_zone_number(double *low, double *high, const char *text,
                         size_t len);

#endif
