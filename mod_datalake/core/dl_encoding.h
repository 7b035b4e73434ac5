/* dl_encoding.h - Text of older encodings as UTF-8.
 *
 * Thread: any, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_ENCODING_H
#define DL_ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "dl_buf.h"
#include "dl_error.h"

/* How bytes stand for characters. */
typedef enum dl_encoding {
    DL_ENCODING_UTF8 = 0,    /* utf-8 */
    DL_ENCODING_LATIN1,      /* iso-8859-1: a byte is its character's code */
    DL_ENCODING_WINDOWS_1252 /* windows-1252: others at 0x80 to 0x9F */
} dl_encoding;

/* Set *ENCODING to the one called NAME, in any case; false: there is none. */
bool dl_encoding_find(dl_encoding *encoding, const char *name);

/* Append the LEN bytes at TEXT, in ENCODING, to OUT as UTF-8.  UTF-8 itself is
 * copied unlooked; the five bytes without a character in Windows-1252 become
 * the controls of their code, as browsers read them.  DL_LIMIT: OUT is full.
 * Thread: the owner of OUT. */
DL_MUSTCHECK dl_status dl_encoding_decode(dl_buf *out, dl_encoding encoding,
                                          const char *text, size_t len,
                                          dl_error *err);

#endif
