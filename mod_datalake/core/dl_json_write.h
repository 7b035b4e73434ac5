/* dl_json_write.h - Append JSON to a buffer, value by value.
 *
 * The writer puts commas and colons; the caller keeps objects and arrays
 * balanced (an assertion otherwise).  The first failure (the buffer's bound)
 * sticks: later calls do nothing, dl_json_writer_finish reports it.
 *
 *     dl_json_writer w;
 *     dl_json_writer_begin(&w, buf);
 *     dl_json_write_object_begin(&w);
 *     dl_json_write_key(&w, "total");
 *     dl_json_write_decimal(&w, total);
 *     dl_json_write_object_end(&w);
 *     DL_TRY(dl_json_writer_finish(&w, err));
 *
 * Thread: the owner of the writer and its buffer, for the whole file.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_JSON_WRITE_H
#define DL_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dl_buf.h"
#include "dl_decimal.h"
#include "dl_error.h"
#include "dl_time.h"

/* The state of writing one text.  Made on the caller's stack; owns nothing. */
typedef struct dl_json_writer {
    dl_buf *buf;      /* where the bytes go */
    uint64_t filled;  /* bit d: the container at depth d has an element */
    int depth;        /* open containers, at most 63 */
    bool after_key;   /* a key was written, its value was not */
    dl_status status; /* the first failure, DL_OK until then */
} dl_json_writer;

/* Begin a text that is appended to BUF. */
void dl_json_writer_begin(dl_json_writer *w, dl_buf *buf);

/* Return the first failure of W, filling ERR, or DL_OK.  DL_LIMIT: the buffer
 * is full and holds a cut-off text. */
DL_MUSTCHECK dl_status dl_json_writer_finish(const dl_json_writer *w,
                                             dl_error *err);

/* Open an object. */
void dl_json_write_object_begin(dl_json_writer *w);

/* Close the object that was opened last. */
void dl_json_write_object_end(dl_json_writer *w);

/* Open an array. */
void dl_json_write_array_begin(dl_json_writer *w);

/* Close the array that was opened last. */
void dl_json_write_array_end(dl_json_writer *w);

/* Write the name of the next member; NAME is valid UTF-8. */
void dl_json_write_key(dl_json_writer *w, const char *name);

/* Write the LEN bytes at TEXT as a string.  Quotation mark, backslash and
 * controls are escaped; bytes that are not UTF-8 become U+FFFD. */
void dl_json_write_string(dl_json_writer *w, const char *text, size_t len);

/* Write TEXT, which ends with a NUL, as a string; NULL becomes null. */
void dl_json_write_text(dl_json_writer *w, const char *text);

/* Write VALUE; above 2^53 either way as a string (contract 1.3). */
void dl_json_write_int(dl_json_writer *w, int64_t value);

/* Write D as a number with at least two digits after the point. */
void dl_json_write_decimal(dl_json_writer *w, dl_decimal d);

/* Write D as a string (decimals=string). */
void dl_json_write_decimal_text(dl_json_writer *w, dl_decimal d);

/* Write VALUE rounded half away from zero to DIGITS (0..9) after the point,
 * shortest form with at least one; NaN and infinities become null. */
void dl_json_write_number(dl_json_writer *w, double value, int digits);

/* Write T as a string; DL_TIME_NONE becomes null. */
void dl_json_write_time(dl_json_writer *w, dl_time t);

/* Write D as a string; DL_DAY_NONE becomes null. */
void dl_json_write_day(dl_json_writer *w, dl_day d);

/* Write true or false. */
void dl_json_write_bool(dl_json_writer *w, bool value);

/* Write the member NAME of the open object with dl_json_write_text. */
void dl_json_write_text_member(dl_json_writer *w, const char *name,
                               const char *text);

/* Likewise with dl_json_write_int. */
void dl_json_write_int_member(dl_json_writer *w, const char *name,
                              int64_t value);

/* Likewise with dl_json_write_time. */
void dl_json_write_time_member(dl_json_writer *w, const char *name, dl_time t);

/* Write null. */
void dl_json_write_null(dl_json_writer *w);

/* Write the LEN bytes at JSON, a whole value, as they are. */
void dl_json_write_raw(dl_json_writer *w, const char *json, size_t len);

#endif
