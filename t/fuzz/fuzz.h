/* fuzz.h - What a fuzz target has: one input, seeds, words.
 *
 * A target is a file fuzz_NAME.c that defines the three below; README.md says
 * how it is built and run.  Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>

#include <apr_pools.h>

/* Parse the LEN bytes at DATA, which lie in memory of exactly that size; call
 * fuzz_check for whatever must hold.  POOL is cleared afterwards. */
void fuzz_one(const unsigned char *data, size_t len, apr_pool_t *pool);

/* Good inputs to begin with; NULL behind the last one. */
extern const char *const fuzz_seeds[];

/* Pieces that change much when put somewhere; NULL behind the last one. */
extern const char *const fuzz_words[];

/* End the program with SENTENCE unless HOLDS. */
void fuzz_check(bool holds, const char *sentence);

#endif
