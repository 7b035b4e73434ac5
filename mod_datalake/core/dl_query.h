/* dl_query.h - What a reader asks of records: which ones, which members of
 * them, and in which order.
 *
 * A query is put together once, then judged against any number of lines; it
 * works on the line as it is stored, without a tree and without allocating.
 *
 *   column   a member, named by its dotted path.  In a dataset with a declared
 *            schema it must be a field and has that type; in others it has
 *            the type of what is found.
 *   filter   column, operator, value.  Numbers compare as exact decimals,
 *            times as instants, text by code point; "contains" ignores case
 *            (dl_fold.h).  A member that is missing, null, or not what its
 *            type says matches nothing but "ne".  All filters must match.
 *
 * In a column without a type the value found decides: a number is compared
 * with a value in number syntax, a string with the value's text, true and
 * false with these words; objects and arrays match nothing but "ne".
 *
 * A time to compare with is RFC 3339 with a zone, a date or unix seconds or
 * milliseconds; a date is its first instant, but "lte" a date takes in the
 * whole of that day.
 *
 * Bounds: DL_QUERY_FILTERS filters, DL_QUERY_COLUMNS columns, and 1 MiB of
 * scratch for a line.
 *
 * Thread: the owner of the query, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_QUERY_H
#define DL_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_dataset.h"
#include "dl_error.h"
#include "dl_json.h"
#include "dl_time.h"

/* Most filters of a query; most columns, those of filters among them. */
#define DL_QUERY_FILTERS 32
#define DL_QUERY_COLUMNS 64

/* How a filter compares. */
typedef enum dl_query_op {
    DL_QUERY_EQ,      /* equal */
    DL_QUERY_NE,      /* not equal, or not there */
    DL_QUERY_GT,      /* greater, later */
    DL_QUERY_GTE,     /* greater or equal */
    DL_QUERY_LT,      /* less, earlier */
    DL_QUERY_LTE,     /* less or equal */
    DL_QUERY_IN,      /* equal to one of a comma list */
    DL_QUERY_CONTAINS /* holds a text, without regard to case */
} dl_query_op;

/* A query. */
typedef struct dl_query dl_query;

/* What is wrong with a filter or a column, as a client is told. */
typedef struct dl_query_fault {
    const char *code; /* "unknown-field", "not-a-number"...; static */
    char detail[160]; /* a sentence without the full stop */
} dl_query_fault;

/* Set *QUERY to a query over DS without filters; it lives in RESULT_POOL,
 * which must not outlive DS. */
void dl_query_create(dl_query **query, const dl_dataset *ds,
                     apr_pool_t *result_pool);

/* Set *COLUMN to the number of the column PATH of QUERY, new or not.
 * DL_INVALID: no such field, no path, or too many; FAULT says which. */
DL_MUSTCHECK dl_status dl_query_column(int *column, dl_query *query,
                                       const char *path, dl_query_fault *fault);

/* Ask for records in which the column PATH is OP the LEN bytes of UTF-8 at
 * TEXT.  DL_INVALID as dl_query_column, or the value is not of the field's
 * type. */
DL_MUSTCHECK dl_status dl_query_filter(dl_query *query, const char *path,
                                       dl_query_op op, const char *text,
                                       size_t len, dl_query_fault *fault);

/* Bytes that tell queries apart. */
#define DL_QUERY_MARK 16

/* Set MARK to what tells queries with other filters, or over another dataset,
 * from QUERY; the order of the filters does not count, columns neither. */
void dl_query_mark(unsigned char mark[DL_QUERY_MARK], const dl_query *query);

/* Return how many filters QUERY has. */
int dl_query_filters(const dl_query *query);

/* Narrow the days *FIRST to *LAST, both included, to those that can hold a
 * match: a record lies on the UTC day of its event time. */
void dl_query_days(dl_day *first, dl_day *last, const dl_query *query);

/* Make QUERY ready for lines; nothing can be added afterwards.  DL_INVALID: a
 * path that JSON cannot have. */
DL_MUSTCHECK dl_status dl_query_prepare(dl_query *query, dl_error *err);

/* Read the LEN bytes of the line at TEXT, which was scanned before it was
 * stored, and return whether all filters match.  The columns' values are those
 * of this line until the next call, whatever is returned.  A line that is no
 * record matches nothing. */
bool dl_query_match(dl_query *query, const char *text, size_t len);

/* Return the value of COLUMN in the line that was read last. */
dl_json_slice dl_query_value(const dl_query *query, int column);

/* Return the path of COLUMN. */
const char *dl_query_path(const dl_query *query, int column);

/* Return below, at or above 0 as the value A of COLUMN comes before, with or
 * behind B in ascending order: what is missing, null or ill-typed first, then
 * by type.  In a column without a type: false, true, numbers, texts, others. */
int dl_query_compare(const dl_query *query, int column, dl_json_slice a,
                     dl_json_slice b);

#endif
