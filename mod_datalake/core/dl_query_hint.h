/* dl_query_hint.h - What all matches of a query have in common, for an index.
 *
 * Every line that a query matches fulfils its hint; the opposite need not
 * hold.  What the hint takes from a filter:
 *
 *   equal, in   of texts: a text each, and a key where the field is one;
 *               of numbers and times: the range from least to greatest
 *   contains    the text
 *   <, <=, ...  of numbers and times: the range
 *   not equal   nothing, nor does an order of texts, or true and false
 *
 * A line may write the characters of a value otherwise than they are asked
 * for: any as \uXXXX, which an index undoes, and quotation mark, backslash,
 * slash and control characters in further ways.  Texts are therefore cut at
 * these, and only their pieces go into the hint.
 *
 * In a column without a type a value in number syntax says nothing: 1e2 is
 * equal to 100.
 *
 * Thread: the owner of the query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_QUERY_HINT_H
#define DL_QUERY_HINT_H

#include "dl_lake_hint.h"
#include "dl_query.h"

/* Shortest piece of a text that goes into a hint, in bytes: one gram. */
#define DL_QUERY_HINT_PIECE 4

/* Return what every line that QUERY matches fulfils, in RESULT_POOL; NULL:
 * nothing can be said. */
const dl_lake_hint *dl_query_hint(const dl_query *query,
                                  apr_pool_t *result_pool);

#endif
