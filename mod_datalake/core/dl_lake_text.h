/* dl_lake_text.h - The lines of a part, as they are or in frames.
 *
 * Everything that reads lines reads them through this: places, lengths and
 * checksums of a part are those of its lines, wherever they stand (FORMAT.md
 * 21).
 *
 * Thread: a text may be read by any number at once.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_TEXT_H
#define DL_LAKE_TEXT_H

#include "dl_lake_frames.h"

/* The lines of an opened part. */
typedef struct dl_lake_text {
    const dl_lake_io *io;   /* system calls */
    int fd;                 /* the file of the part; the caller's */
    dl_lake_frames *frames; /* of a cold day; NULL: the file is the lines */
} dl_lake_text;

/* Set *TEXT to the lines of PART, whose file is FD; META is the folder
 * _lake/DATASET.  FD stays the caller's and must outlive *TEXT, which the
 * caller closes. */
void dl_lake_text_open(dl_lake_text *text, const dl_lake_io *io, int meta,
                       int fd, const dl_lake_part *part);

/* Close TEXT, but not its file. */
void dl_lake_text_close(dl_lake_text *text);

/* Read exactly LEN bytes of the lines at AT into TO.  DL_CORRUPT: they end
 * before that, or a frame is damaged. */
DL_MUSTCHECK dl_status dl_lake_text_read(const dl_lake_text *text, void *to,
                                         size_t len, uint64_t at,
                                         dl_error *err);

#endif
