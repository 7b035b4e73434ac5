/* dlc_collect_files.h - Which files a source has, and how far each is read.
 *
 * A file is known by device and inode, so that it stays itself when it is
 * renamed.  Because an inode is given to another file one day, and a file may
 * be cut off and written anew, a position also holds a check sum of the first
 * bytes that were read: where they are others, the file is read from its
 * beginning.
 *
 * item      DEVICE:INODE
 * position  BYTE LINE SKIPPING CHECKED SUM, five numbers: bytes that are read,
 *           line that follows, 1 while the rest of a row that was too long is
 *           passed over, bytes that the sum is of, CRC-32C of them
 *
 * Thread: the owner of the reader.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_COLLECT_FILES_H
#define DLC_COLLECT_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dlc_collect.h"

/* One file. */
typedef struct dlc_collect_tracked {
    struct {
        dev_t dev;    /* device */
        ino_t ino;    /* inode */
    } id;             /* which it is */
    char *path;       /* where it was seen last; malloc */
    int fd;           /* open, or -1 */
    uint64_t offset;  /* bytes that are read */
    uint64_t line;    /* number of the line there, from 1 */
    bool skipping;    /* the rest of a long row comes next */
    uint32_t checked; /* bytes from the start that SUM is of */
    uint32_t sum;     /* CRC-32C of them */
    uint64_t size;    /* bytes it had when it was looked at last */
    uint64_t waited;  /* of that size, no row was in the rest of it */
    bool noted;       /* it was told by dlc_collect_files_fresh, or stored */
    bool listed;      /* the path names it, as of the last look */
    bool found;       /* the path names it, or it is in the path's folder */
    bool left;        /* it is renamed or removed: nobody adds to it soon */
    bool done;        /* all of it is read and it will not be looked at */
    bool anew;        /* it is not what it was: begin a turn */
    bool touched;     /* somebody wrote to it since it was compared last */
    bool failed;      /* it could not be read, as far as is known */
    int64_t grown_us; /* monotonic time when it was seen growing last */
    int64_t until_us; /* monotonic time before which it is let alone */
    struct timespec written; /* when somebody wrote to it last, by its folder */
} dlc_collect_tracked;

/* The files of a source. */
typedef struct dlc_collect_files dlc_collect_files;

/* Set *FILES to those of PLAN, as far as they are remembered; nothing is looked
 * at yet.  Lives in POOL. */
void dlc_collect_files_create(dlc_collect_files **files,
                              const dlc_collect_plan *plan, apr_pool_t *pool);

/* Look which files there are.  DL_IO: a folder cannot be read.  Files that
 * are remembered and were renamed are found in the folder of the path.  One
 * that was written anew at the same length is found out, unless it is CURRENT
 * (may be NULL). */
DL_MUSTCHECK dl_status
dlc_collect_files_look(dlc_collect_files *files,
                       const dlc_collect_tracked *current, dl_error *err);

/* Return the file ITEM if it can still be read, or NULL. */
dlc_collect_tracked *dlc_collect_files_find(dlc_collect_files *files,
                                            const char *item);

/* Return the file that has something to read and stands next behind CURRENT
 * (NULL: the first one) in the order of paths, beginning anew at the end;
 * never CURRENT.  NULL: there is none. */
dlc_collect_tracked *dlc_collect_files_next(dlc_collect_files *files,
                                            const dlc_collect_tracked *current);

/* Whether FILE is left, and nobody has added to it for a while. */
bool dlc_collect_files_quiet(const dlc_collect_tracked *file);

/* Open FILE, if it is not, and see how long it is and whether it is what it
 * was; else it is read anew.  DL_NOT_FOUND: it is gone; DL_IO: it cannot be
 * opened. */
DL_MUSTCHECK dl_status dlc_collect_files_open(dlc_collect_tracked *file,
                                              dl_error *err);

/* Return whether the first bytes of FILE, which is open, are what they were. */
bool dlc_collect_files_same(const dlc_collect_tracked *file);

/* FILE cannot be read for ERR, of STATUS: say so, unless that was said since
 * it could be, close it, and let it alone for a while. */
void dlc_collect_files_aside(dlc_collect_files *files,
                             dlc_collect_tracked *file, dl_status status,
                             const dl_error *err);

/* Return what the first file failed with that could not be read; DL_OK: all
 * could. */
DL_MUSTCHECK dl_status dlc_collect_files_failed(const dlc_collect_files *files,
                                                dl_error *err);

/* Close FILE, which is read. */
void dlc_collect_files_close(dlc_collect_tracked *file);

/* FILE was read up to its offset: the first bytes are checked from now on. */
void dlc_collect_files_mark(dlc_collect_tracked *file);

/* As dlc_collect_reader_calls.tell of FILE. */
void dlc_collect_files_tell(char item[DLC_COLLECT_ITEM],
                            char text[DLC_COLLECT_POSITION],
                            const dlc_collect_tracked *file);

/* As dlc_collect_reader_calls.fresh. */
bool dlc_collect_files_fresh(char item[DLC_COLLECT_ITEM],
                             char text[DLC_COLLECT_POSITION],
                             dlc_collect_files *files);

/* As dlc_collect_reader_calls.gone; never CURRENT. */
bool dlc_collect_files_gone(char item[DLC_COLLECT_ITEM],
                            dlc_collect_files *files,
                            const dlc_collect_tracked *current);

/* Set *DONE and *TOTAL to the bytes that are read, and that there are. */
void dlc_collect_files_progress(int64_t *done, int64_t *total,
                                const dlc_collect_files *files);

#endif
