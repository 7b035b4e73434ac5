/* dl_search.h - Whether a record holds a text, without regard to case.
 *
 * Two ways to look at a stored line:
 *
 *   its text     all of it, names and punctuation too, with \uXXXX escapes
 *                decoded; other escapes stand as they are written
 *   its values   strings (decoded wholly), numbers and the words true and
 *                false, at any depth; not names, not null.  A text that goes
 *                over the end of a value is not found.
 *
 * Thread: the owner of the search, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SEARCH_H
#define DL_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Characters that an excerpt shows on each side of a hit. */
#define DL_SEARCH_AROUND 60

/* Room for an excerpt: 60 characters of 4 bytes on each side, a text of 1024
 * bytes whose match may be four times as long, and six points. */
#define DL_SEARCH_EXCERPT 4608

/* A search for one text; holds 1 MiB of scratch. */
typedef struct dl_search dl_search;

/* Set *SEARCH to a search for the LEN (1..1024) bytes of UTF-8 at TEXT; it
 * lives in RESULT_POOL.  DL_INVALID: empty, too long, not UTF-8. */
DL_MUSTCHECK dl_status dl_search_create(dl_search **search, const char *text,
                                        size_t len, dl_error *err,
                                        apr_pool_t *result_pool);

/* Return whether the text of the LEN bytes of the stored line at LINE holds
 * it. */
bool dl_search_text(dl_search *search, const char *line, size_t len);

/* Write to OUT the first hit of the line for which dl_search_text returned
 * true last, with up to DL_SEARCH_AROUND characters on each side and "..."
 * where the line goes on; return its length. */
size_t dl_search_excerpt(char out[DL_SEARCH_EXCERPT], const dl_search *search);

/* Return whether a value of the LEN bytes of the stored line at LINE holds
 * it. */
bool dl_search_values(dl_search *search, const char *line, size_t len);

#endif
