/* dl_letter_write.h - A dead letter as a JSON object (contract 8).
 *
 * Thread: the writer's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LETTER_WRITE_H
#define DL_LETTER_WRITE_H

#include <apr_pools.h>

#include "dl_json_write.h"
#include "dl_letter.h"

/* No dead letter is larger: a value of escapes, key and detail likewise. */
#define DL_LETTER_TEXT ((size_t)6 * (DL_LETTER_VALUE + 4096) + 4096)

/* Write LETTER: a value that is UTF-8 as it is, another one in base64 (RFC
 * 4648 section 4).  SCRATCH_POOL gets the latter. */
void dl_letter_write(dl_json_writer *w, const dl_letter *letter,
                     apr_pool_t *scratch_pool);

#endif
