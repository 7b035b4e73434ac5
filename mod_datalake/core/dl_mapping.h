/* dl_mapping.h - From the columns of a source to the members of a record.
 *
 * A mapping is a comma list "member = column".  A dotted member is nested:
 *
 *     mapping = transaction_id = id, location.city = town
 *     id 7, town Lyon  ->  {"transaction_id":"7","location":{"city":"Lyon"}}
 *
 * Without one each column becomes the member of its name, dotted names nested
 * too.  Transforms (dl_transform.h) belong to members.  A column that a row
 * does not have leaves its member out; an object without members is left out
 * itself.  Texts become JSON strings: a record's judge takes a number in a
 * string for the number.
 *
 *     dl_mapping_create              once per source
 *     dl_mapping_bind                once per list of columns (a file's header)
 *     dl_mapping_write               for each row of cells, or
 *     dl_mapping_write_json          for each JSON object, without binding
 *     dl_mapping_pick, _picked       a member's text, while rows are written
 *
 * Thread: the owner of the mapping, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_MAPPING_H
#define DL_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_buf.h"
#include "dl_cell.h"
#include "dl_error.h"

/* Most members of a mapping, most columns of a row. */
#define DL_MAPPING_MEMBERS 1000

/* The transforms of one member, as they are written. */
typedef struct dl_mapping_transform {
    const char *member; /* its name, dotted when it is nested */
    const char *list;   /* "trim, upper" */
} dl_mapping_transform;

/* What a mapping is made of. */
typedef struct dl_mapping_rules {
    const char *mapping; /* the comma list; NULL or "": equal names */
    const dl_mapping_transform *transforms; /* those of members */
    int n;                                  /* how many */
} dl_mapping_rules;

/* The columns of a row. */
typedef struct dl_mapping_columns {
    const char *const *names; /* in their order; "" is passed over */
    int n;                    /* how many */
} dl_mapping_columns;

/* A mapping. */
typedef struct dl_mapping dl_mapping;

/* A mapping for columns in a known order. */
typedef struct dl_mapping_plan dl_mapping_plan;

/* Set *MAPPING to what RULES say, in POOL.  DL_INVALID: they make no sense,
 * the sentence says where; DL_LIMIT: more than DL_MAPPING_MEMBERS. */
DL_MUSTCHECK dl_status dl_mapping_create(dl_mapping **mapping,
                                         const dl_mapping_rules *rules,
                                         dl_error *err, apr_pool_t *pool);

/* Return whether MAPPING leaves JSON objects as they are. */
bool dl_mapping_plain(const dl_mapping *mapping);

/* Judge the names in COLUMNS.  DL_INVALID: one comes twice, or is not UTF-8;
 * DL_LIMIT: there are too many. */
DL_MUSTCHECK dl_status
dl_mapping_check_columns(const dl_mapping_columns *columns, dl_error *err);

/* Set *PLAN to MAPPING for rows of COLUMNS, in POOL, and *MISSING
 * (may be NULL) to the first column that it names and that is not there, NULL:
 * none; its member is left out.  As dl_mapping_check_columns, and DL_INVALID:
 * members would be a value and an object at once. */
DL_MUSTCHECK dl_status dl_mapping_bind(dl_mapping_plan **plan,
                                       const char **missing,
                                       dl_mapping *mapping,
                                       const dl_mapping_columns *columns,
                                       dl_error *err, apr_pool_t *pool);

/* Append the record of the row CELLS, one cell for each column of PLAN, to
 * OUT: one JSON object.  DL_INVALID: a cell is not UTF-8 or cannot be
 * transformed; DL_LIMIT: OUT is full; OUT is as long as before then. */
DL_MUSTCHECK dl_status dl_mapping_write(dl_buf *out, dl_mapping_plan *plan,
                                        const dl_cell *cells, dl_error *err);

/* Let PLAN pick out the member PATH, dotted, of the records it writes. */
void dl_mapping_pick(dl_mapping_plan *plan, const char *path);

/* Return whether the record that dl_mapping_write appended last is known to be
 * right and what was picked out of it, without looking through it: all of its
 * values are texts of plain ASCII.  Then *AT is where the text of that member
 * begins in the output, *LEN its bytes, 0 when there is none. */
bool dl_mapping_picked(size_t *at, size_t *len, const dl_mapping_plan *plan);

/* Append the record of the JSON object of LEN bytes at JSON to OUT: the columns
 * of MAPPING are its members, by dotted names; without a list all are kept, in
 * their order.  DL_INVALID: it is no JSON object within the bounds of
 * dl_json.h, or a member cannot be transformed; DL_LIMIT: OUT is full; OUT is
 * as long as before then. */
DL_MUSTCHECK dl_status dl_mapping_write_json(dl_buf *out, dl_mapping *mapping,
                                             const char *json, size_t len,
                                             dl_error *err);

#endif
