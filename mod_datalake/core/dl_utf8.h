/* dl_utf8.h - UTF-8 as RFC 3629 has it: check characters, read one, write one.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_UTF8_H
#define DL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Return how many bytes the character at TEXT has, of which LEFT (> 0) bytes
 * are there; 0 when it is cut off, overlong, a surrogate or past U+10FFFF. */
size_t dl_utf8_check(const unsigned char *text, size_t left);

/* Return whether all LEN bytes at TEXT are characters. */
bool dl_utf8_check_text(const char *text, size_t len);

/* Return the code of the character at TEXT, of WIDTH bytes as dl_utf8_check
 * says. */
uint32_t dl_utf8_decode(const unsigned char *text, size_t width);

/* Write the character CODE (not a surrogate, at most 0x10FFFF) to OUT; return
 * its bytes. */
size_t dl_utf8_encode(char out[4], uint32_t code);

#endif
