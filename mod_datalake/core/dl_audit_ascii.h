/* dl_audit_ascii.h - Texts as JSON strings in printable ASCII.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_ASCII_H
#define DL_AUDIT_ASCII_H

#include <stddef.h>

#include "dl_buf.h"
#include "dl_error.h"

/* Append the LEN bytes at TEXT, quotes around them, to OUT: what is not
 * printable ASCII as \uXXXX (pairs of surrogates past U+FFFF), bytes that are
 * not UTF-8 as \ufffd.  DL_LIMIT: OUT is full and holds a part.
 * Thread: any. */
DL_MUSTCHECK dl_status dl_audit_ascii_put(dl_buf *out, const char *text,
                                          size_t len, dl_error *err);

#endif
