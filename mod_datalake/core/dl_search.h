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
 * Lines are looked at one by one, or many at once: then all their bytes are
 * searched in one go for what every line that holds the text must have, and
 * only lines with it, and those with \u escapes, are looked at.
 *
 * Thread: the owner of the search, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_SEARCH_H
#define DL_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_lake_hint.h"

/* Characters that an excerpt shows on each side of a hit. */
#define DL_SEARCH_AROUND 60

/* Room for an excerpt: 60 characters of 4 bytes on each side, a text of 1024
 * bytes whose match may be four times as long, and six points. */
#define DL_SEARCH_EXCERPT 4608

/* A search for one text; holds 1 MiB of scratch from the first line with escapes
 * on. */
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

/* Whole lines, and how far they were searched. */
typedef struct dl_search_lines {
    const char *data;   /* lines, each with its newline */
    size_t len;         /* bytes of them */
    size_t at;          /* begin of the lines behind the last one found */
    uint64_t line;      /* number of the line that begins there */
    size_t next_hit;    /* private: where stored bytes may be a match, not
                           before AT; LEN: nowhere */
    size_t hit_len;     /* private: bytes of it */
    size_t next_escape; /* private: the same of \u */
    bool looked;        /* private: both were looked for */
} dl_search_lines;

/* One line of them. */
typedef struct dl_search_line {
    const char *text; /* its bytes, without newline, in the lines searched */
    size_t len;       /* how many */
    uint64_t line;    /* its number */
} dl_search_line;

/* Let LINES be the LEN bytes of whole lines at DATA, of which the first has
 * the number LINE. */
void dl_search_lines_begin(dl_search_lines *lines, const char *data, size_t len,
                           uint64_t line);

/* Set *FOUND to the next line of LINES of which the text, or with VALUES a
 * value, holds the text of SEARCH; false: none is left. */
bool dl_search_lines_next(dl_search_line *found, dl_search_lines *lines,
                          dl_search *search, bool values);

/* Return the number of the line behind the last one of LINES. */
uint64_t dl_search_lines_end(const dl_search_lines *lines);

/* Add to HINT what SEARCH knows of the lines it finds; VALUES as above. */
void dl_search_hint(const dl_search *search, dl_lake_hint *hint, bool values);

#endif
