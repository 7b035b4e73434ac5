/* dl_field_value.h - Whether a JSON value is what a field's type asks for.
 *
 * For dl_record.c: pure functions of a picked out value.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_FIELD_VALUE_H
#define DL_FIELD_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_dataset.h"
#include "dl_json.h"
#include "dl_time.h"

/* Return whether SLICE is a number, or a string in number syntax. */
bool dl_field_is_number(dl_json_slice slice);

/* Set *VALUE to the whole number SLICE (5, 5.0, 5e0) within the bounds of F;
 * else return false. */
bool dl_field_int(int64_t *value, const dl_field *f, dl_json_slice slice);

/* Return whether SLICE is a number that dl_decimal cannot hold. */
bool dl_field_decimal_overflows(dl_json_slice slice);

/* Set *T to the instant SLICE names in one of FORMATS (dl_time_format); ZONE
 * is that of texts without one.  False: none of them, or outside the years
 * 1970..9999. */
bool dl_field_time(dl_time *t, dl_json_slice slice, unsigned formats,
                   const dl_zone *zone);

/* Return whether SLICE, which is there and not null, is of F's type. */
bool dl_field_well_typed(const dl_dataset *ds, const dl_field *f,
                         dl_json_slice slice);

/* Return how many characters fewer a string SLICE has once its escapes are
 * written as what they stand for. */
size_t dl_field_escape_chars(dl_json_slice slice);

/* Return what F's type asks for: "a string".  Static. */
const char *dl_field_type_name(const dl_field *f);

#endif
