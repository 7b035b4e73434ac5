/* dl_lake_text.c - The lines of a part, as they are or in frames.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_text.h"

void dl_lake_text_open(dl_lake_text *text, const dl_lake_io *io, int meta,
                       int fd, const dl_lake_part *part)
{
    text->io = io;
    text->fd = fd;
    text->frames = NULL;
    if (part->state == DL_LAKE_PART_COLD) {
        dl_lake_frames_open(&text->frames, io, meta, fd, part);
    }
}

void dl_lake_text_close(dl_lake_text *text)
{
    dl_lake_frames_close(text->frames);
    text->frames = NULL;
}

dl_status dl_lake_text_read(const dl_lake_text *text, void *to, size_t len,
                            uint64_t at, dl_error *err)
{
    return text->frames == NULL
               ? dl_lake_file_read(text->io, text->fd, to, len, at, err)
               : dl_lake_frames_read(text->frames, to, len, at, err);
}
