/* dl_wh_words.h - Statements that are templates: words in braces filled in.
 *
 * Words are names of declarations and constants of sql/statements.sql, never
 * values; those are bound.
 *
 * Thread: any.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_WH_WORDS_H
#define DL_WH_WORDS_H

#include <apr_pools.h>

#include "dl_dataset.h"

/* What a word in braces of a template stands for. */
typedef struct dl_wh_word {
    const char *name;  /* without braces; NULL ends a list */
    const char *value; /* its text */
} dl_wh_word;

/* Return NAME, of a table or a column, in backquotes, in POOL. */
const char *dl_wh_words_quote(const char *name, apr_pool_t *pool);

/* Return the condition that rows of CHILD, a table of rows that follow others,
 * have the keys of their rows of DS, in POOL. */
const char *dl_wh_words_match(const char *child, const dl_dataset *ds,
                              apr_pool_t *pool);

/* Return TEMPLATE with its WORDS replaced, one that is not known by nothing,
 * in POOL. */
const char *dl_wh_words_fill(const char *template, const dl_wh_word *words,
                             apr_pool_t *pool);

/* Return SQL, an INSERT, with its "VALUES (...)" group repeated for ROWS rows,
 * one at least, in POOL. */
const char *dl_wh_words_repeat(const char *sql, unsigned rows,
                               apr_pool_t *pool);

#endif
