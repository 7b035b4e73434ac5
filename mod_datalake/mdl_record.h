/* mdl_record.h - Records on their way out: as stored, or some members of
 * them, with or without _dl.
 *
 *   {"transaction_id":"TX1",...,"_dl":{"topic":...,"line":7}}
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_RECORD_H
#define MDL_RECORD_H

#include <stdbool.h>

#include "dl_buf.h"
#include "dl_error.h"
#include "dl_lake_reader.h"
#include "dl_project.h"

/* How records of one dataset are written. */
typedef struct mdl_record {
    const char *topic;         /* the dataset's name, which is its topic's */
    const dl_project *project; /* NULL: all members, as received */
    bool meta;                 /* add _dl */
} mdl_record;

/* Append LINE of DAY to BUF as FORM says, without newline.  With a projection
 * the line is the one its query read last.  DL_LIMIT: BUF is full. */
DL_MUSTCHECK dl_status mdl_record_write(dl_buf *buf, const mdl_record *form,
                                        const dl_lake_line *line, dl_day day,
                                        dl_error *err);

#endif
