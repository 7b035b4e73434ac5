/* dl_fold.h - Text compared without regard to case, as Unicode folds it.
 *
 * Simple case folding: one code point becomes one code point (statuses C and
 * S of CaseFolding.txt), so that "Straße" equals "STRAßE" but not "strasse",
 * and the Turkish dotless i is itself.  The table is made when the library is
 * built; its version goes into everything that stores folded text.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_FOLD_H
#define DL_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"

/* Return what CODE folds to; itself where there is no case. */
uint32_t dl_fold(uint32_t code);

/* Most characters that fold to one. */
#define DL_FOLD_ORIGINS 8

/* Write to OUT all characters that fold to FOLDED, which is folded, itself
 * first; return how many. */
int dl_fold_origins(uint32_t out[DL_FOLD_ORIGINS], uint32_t folded);

/* Return the version of the table, "14.0.0".  Static. */
const char *dl_fold_version(void);

/* A text to look for, folded and compiled.  Never changed once made. */
typedef struct dl_needle dl_needle;

/* Set *NEEDLE to the compiled form of the LEN (1..1024) bytes of UTF-8 at
 * TEXT; it lives in RESULT_POOL.  DL_INVALID: empty, too long, not UTF-8. */
DL_MUSTCHECK dl_status dl_needle_create(dl_needle **needle, const char *text,
                                        size_t len, dl_error *err,
                                        apr_pool_t *result_pool);

/* Where a needle was found. */
typedef struct dl_hit {
    size_t at;  /* byte at which it begins */
    size_t len; /* bytes it covers; may differ from the needle's */
} dl_hit;

/* Find NEEDLE for the first time in the LEN bytes of valid UTF-8 at TEXT,
 * from the byte FROM on; false: it is not there. */
bool dl_needle_find(dl_hit *hit, const dl_needle *needle, const char *text,
                    size_t len, size_t from);

#endif
