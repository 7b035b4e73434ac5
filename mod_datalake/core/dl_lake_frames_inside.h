/* dl_lake_frames_inside.h - The inside of the frames, for their own files.
 *
 *   dl_lake_frames.c         lines at a place
 *   dl_lake_frames_walk.c    from frame to frame; checking
 *   dl_lake_frames_writer.c  writing
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_FRAMES_INSIDE_H
#define DL_LAKE_FRAMES_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "dl_lake_frames.h"

/* A file of frames. */
struct dl_lake_frames {
    const dl_lake_io *io;     /* system calls */
    int fd;                   /* the file; the caller's */
    int directory_fd;         /* -1: there is none that can be used */
    bool had_directory;       /* there was a file of its name */
    dl_lake_part part;        /* whose lines they are */
    uint64_t n;               /* frames */
    pthread_mutex_t mutex;    /* one walks */
    _Atomic(uint64_t *) ends; /* where each frame ends in the file, malloc;
                                  NULL: nobody has walked */
};

/* Write to HEADER that of the directory of PART. */
void dl_lake_frames_header(uint8_t header[DL_LAKE_FRAMES_HEADER],
                           const dl_lake_part *part);

/* Write to PAGE the page of this number of the directory of N frames which end
 * at ENDS. */
void dl_lake_frames_page(uint8_t page[DL_LAKE_FRAMES_PAGE], uint64_t number,
                         const uint64_t *ends, uint64_t n);

/* The checksum of PAGE, which has this number. */
uint32_t dl_lake_frames_page_crc(uint64_t number,
                                 const uint8_t page[DL_LAKE_FRAMES_PAGE]);

/* Walk over the file of F and set *ENDS to where each of its f->n frames ends,
 * malloc; *CRC, which may be NULL, to the checksum of the file.  DL_CORRUPT:
 * it is not frames and nothing else. */
DL_MUSTCHECK dl_status dl_lake_frames_walk(uint64_t **ends,
                                           const dl_lake_frames *f,
                                           uint32_t *crc, dl_error *err);

#endif
