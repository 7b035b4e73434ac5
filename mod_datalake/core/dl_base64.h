/* dl_base64.h - Strict base64url without padding (RFC 4648 section 5).
 *
 * One text stands for one sequence of bytes: padding, blanks, the characters
 * of the other alphabet and unused bits that are not zero are refused.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_BASE64_H
#define DL_BASE64_H

#include <stdbool.h>
#include <stddef.h>

/* Characters that N bytes take, without a NUL. */
#define DL_BASE64_LENGTH(n) (((n)*4 + 2) / 3)

/* Write the text of LEN bytes of DATA to OUT, which has room for
 * DL_BASE64_LENGTH(LEN) + 1 bytes; return its length without the NUL.
 * Thread: any. */
size_t dl_base64_encode(char *out, const void *data, size_t len);

/* Write the bytes of the LEN characters of TEXT to OUT (room for LEN * 3 / 4)
 * and their number to *OUT_LEN; false when TEXT is not strict base64url.  The
 * empty text is no bytes.  Thread: any. */
bool dl_base64_decode(void *out, size_t *out_len, const char *text, size_t len);

#endif
