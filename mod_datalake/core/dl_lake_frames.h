/* dl_lake_frames.h - The file of a cold day: its frames, and where they stand.
 *
 * FORMAT.md 21.  Who reads lines of a part uses dl_lake_text.h, which knows
 * whether they stand in frames.
 *
 * Memory: nothing is kept of a file but 200 bytes, as long as its directory
 * is good; without one 8 bytes for each 64 KiB of lines.  A read takes 160 KB
 * of its own while it lasts.
 *
 * Thread: an opened dl_lake_frames may be read by any number at once; a writer
 * belongs to one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_FRAMES_H
#define DL_LAKE_FRAMES_H

#include "dl_lake_io.h"
#include "dl_lake_part.h"

typedef struct dl_lake_frames dl_lake_frames; /* opened for reading */

/* Write the name of the directory of UID in idx/. */
void dl_lake_frames_name(char out[DL_LAKE_PATH_MAX], uint64_t uid);

/* Open the frames of PART, which is cold and whose file is FD, into *FRAMES;
 * FD stays the caller's and must outlive it.  META is the folder _lake/DATASET.
 * A directory that is missing or is not of this file is done without.  The
 * caller closes *FRAMES. */
void dl_lake_frames_open(dl_lake_frames **frames, const dl_lake_io *io,
                         int meta, int fd, const dl_lake_part *part);

/* Close FRAMES, which may be NULL. */
void dl_lake_frames_close(dl_lake_frames *frames);

/* Read LEN bytes of the lines at AT into TO.  DL_CORRUPT: a frame is damaged,
 * or the lines end before that; DL_IO: it cannot be read. */
DL_MUSTCHECK dl_status dl_lake_frames_read(dl_lake_frames *frames, void *to,
                                           size_t len, uint64_t at,
                                           dl_error *err);

/* Check the file of FRAMES against its part (length, checksum, that it is
 * frames and nothing else), and its directory, if there is one, against the
 * file; the lines are not looked at.  DL_CORRUPT: what is wrong;
 * *DIRECTORY says whether it is so with the directory alone. */
DL_MUSTCHECK dl_status dl_lake_frames_verify(bool *directory,
                                             dl_lake_frames *frames,
                                             dl_error *err);

/* --- Writing ---------------------------------------------------------------- */

typedef struct dl_lake_frames_writer dl_lake_frames_writer; /* of one file */

/* Return a writer of the file FD and of the directory DIRECTORY_FD, both empty
 * and the caller's.  The caller frees it. */
dl_lake_frames_writer *dl_lake_frames_writer_create(const dl_lake_io *io,
                                                    int fd, int directory_fd);

/* Put the LEN bytes at DATA behind those before as frames: all calls but the
 * last with a multiple of DL_LAKE_FRAME_TEXT.  Each frame is unpacked and
 * compared before it is written.  DL_NO_SPACE, DL_IO: a write failed;
 * DL_CORRUPT: a frame does not give its lines back. */
DL_MUSTCHECK dl_status dl_lake_frames_writer_add(dl_lake_frames_writer *w,
                                                 const void *data, size_t len,
                                                 dl_error *err);

/* Write the rest of both files for PART, whose uid, bytes and crc are those of
 * the lines that were added, and set its stored_bytes and stored_crc.  Nothing
 * is synced. */
DL_MUSTCHECK dl_status dl_lake_frames_writer_end(dl_lake_part *part,
                                                 dl_lake_frames_writer *w,
                                                 dl_error *err);

/* Free W. */
void dl_lake_frames_writer_free(dl_lake_frames_writer *w);

#endif
