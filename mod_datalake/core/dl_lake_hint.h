/* dl_lake_hint.h - What every line that is looked for must have.
 *
 * A hint is a list of conditions, all of which a wanted line fulfils.  A
 * reader that is given one may leave out lines that cannot fulfil it, as far
 * as the index of a part (FORMAT.md 18) tells; it need not leave out any.
 * Whoever gives a hint therefore judges each line it gets all the same, and
 * sees the same lines with an index, without one and with a damaged one.
 *
 *   texts   the text of the line, as dl_search_text sees it, or one of its
 *           values, as dl_search_values sees them, holds one of the texts,
 *           without regard to case
 *   range   a column is a number, or a time, between two bounds
 *   key     a column, a declared key, is one of some texts
 *
 * A column is called as dl_lake_column_name says.
 *
 * A condition that says too little to leave anything out (a text of less than
 * four bytes) costs nothing.
 *
 * Bounds: DL_LAKE_HINTS conditions, DL_LAKE_HINT_TEXTS texts each; what goes
 * beyond is left away, which is always right.
 *
 * Thread: the owner while it is made; then any, it never changes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_HINT_H
#define DL_LAKE_HINT_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

#include "dl_time.h"

/* Most conditions, and most texts of one condition. */
#define DL_LAKE_HINTS      32
#define DL_LAKE_HINT_TEXTS 64

/* A text of a condition: LEN bytes of UTF-8. */
typedef struct dl_lake_hint_text {
    const char *text; /* its bytes */
    size_t len;       /* how many */
} dl_lake_hint_text;

/* What a condition is about. */
typedef enum dl_lake_hint_kind {
    DL_LAKE_HINT_TEXTS_OF, /* the line holds one of its texts */
    DL_LAKE_HINT_NUMBERS,  /* a member is a number in low..high */
    DL_LAKE_HINT_TIMES,    /* a member is a time in first..last */
    DL_LAKE_HINT_KEYS      /* a declared key is one of its texts */
} dl_lake_hint_kind;

/* One condition. */
typedef struct dl_lake_condition {
    dl_lake_hint_kind kind;         /* what it is about */
    const char *path;               /* name of a column; NULL: the line */
    int n_texts;                    /* texts of a text or key condition */
    const dl_lake_hint_text *texts; /* one of them */
    double low, high;               /* numbers, both included, already
                                       rounded away from what is wanted */
    dl_time first, last;            /* times, both included */
} dl_lake_condition;

/* A hint. */
typedef struct dl_lake_hint {
    int n;                                       /* conditions */
    dl_lake_condition conditions[DL_LAKE_HINTS]; /* all of them hold */
    apr_pool_t *pool;                            /* holds copies of texts */
} dl_lake_hint;

/* Set *HINT to one that any line fulfils; it lives in RESULT_POOL. */
void dl_lake_hint_create(dl_lake_hint **hint, apr_pool_t *result_pool);

/* Let wanted lines hold one of the N TEXTS, which are copied, as text or in a
 * value. */
void dl_lake_hint_add_texts(dl_lake_hint *hint, const dl_lake_hint_text *texts,
                            int n);

/* Let the number in the column PATH of wanted lines lie in LOW..HIGH; a bound that has no
 * exact double is to be rounded outwards, a missing one is an infinity. */
void dl_lake_hint_add_numbers(dl_lake_hint *hint, const char *path, double low,
                              double high);

/* Let the time in the column PATH of wanted lines lie in FIRST..LAST. */
void dl_lake_hint_add_times(dl_lake_hint *hint, const char *path, dl_time first,
                            dl_time last);

/* Let the text of the column PATH, a declared key, of wanted lines be one of the N
 * TEXTS, which are copied, byte for byte. */
void dl_lake_hint_add_keys(dl_lake_hint *hint, const char *path,
                           const dl_lake_hint_text *texts, int n);

#endif
