/* dl_line_meta.h - Where a line came from, as its last member _dl.
 *
 *   {"transaction_id":"TX1",...,"_dl":{"topic":...,"line":7}}
 *
 * Thread: the owner of the buffer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LINE_META_H
#define DL_LINE_META_H

#include "dl_buf.h"
#include "dl_error.h"
#include "dl_json_write.h"
#include "dl_lake_reader.h"

/* Write the value of _dl for LINE, read with coordinates, of DAY of the
 * dataset NAME. */
void dl_line_meta_write(dl_json_writer *w, const char *name, dl_day day,
                        const dl_lake_line *line);

/* Append LINE to BUF with _dl as its last member, without newline.  DL_LIMIT:
 * BUF is full. */
DL_MUSTCHECK dl_status dl_line_meta_append(dl_buf *buf, const char *name,
                                           dl_day day, const dl_lake_line *line,
                                           dl_error *err);

#endif
