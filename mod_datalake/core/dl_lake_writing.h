/* dl_lake_writing.h - The inside of a writer, for its own files only.
 *
 * dl_lake_writer.c holds the interface, dl_lake_part_open.c buffers and
 * descriptors, dl_lake_commit.c the commit, dl_lake_seal.c sealing,
 * dl_lake_recover.c what happens at open.
 *
 * Thread: the owner of the writer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_LAKE_WRITING_H
#define DL_LAKE_WRITING_H

#include "dl_lake_behind.h"
#include "dl_lake_head.h"
#include "dl_lake_io.h"
#include "dl_lake_journal.h"
#include "dl_lake_manifest.h"
#include "dl_lake_trail.h"
#include "dl_lake_writer.h"

/* A part that is being written.  Its first member is what the state points
 * to, so a dl_lake_part of the state may be cast to it. */
typedef struct dl_lake_open_part {
    dl_lake_part part;   /* as committed */
    dl_lake_trail trail; /* what the next commit adds to the trail */
    char *buffer;        /* lines not yet in the file; malloc, at a block */
    size_t len;          /* bytes of them */
    size_t size;         /* room */
    uint64_t file_len;   /* where the next pwrite goes */
    dl_time first_time;  /* event times with uncommitted lines */
    dl_time last_time;   /* likewise */
    uint64_t used;       /* when a descriptor was last wanted */
    int data_fd;         /* the part, -1: closed */
    int direct_fd;       /* the part past the page cache, -1: not open */
    int trail_fd;        /* its trail, -1: closed */
    bool dirty;          /* has uncommitted lines, is in the dirty list */
    bool exists;         /* the file has been made */
    bool fresh;          /* made since the last commit */
    bool tail;           /* file may be longer than committed */
} dl_lake_open_part;

/* Repeats whose offsets follow one another, not yet a frame. */
typedef struct dl_lake_repeats {
    uint64_t n;                      /* how many; 0: none */
    dl_coord first;                  /* where the first came from */
    char source[DL_POSITION_SOURCE]; /* whose they are */
    size_t source_len;               /* bytes of it */
    uint64_t epoch;                  /* of the last one */
    uint64_t position;               /* likewise */
} dl_lake_repeats;

/* Records set aside that are not committed. */
typedef struct dl_lake_aside {
    dl_lake_bytes buffer;              /* frames not yet in the file */
    dl_lake_repeats repeats;           /* behind them */
    uint64_t dropped;                  /* repeats since the last commit */
    dl_lake_quarantine after;          /* where it will end */
    uint64_t rejects[DL_LAKE_REASONS]; /* totals after the commit */
    int fd;                            /* the current file, -1: closed */
    uint64_t fd_number;                /* its number */
    bool fresh;                        /* a file was made */
    bool dirty;                        /* something to commit */
} dl_lake_aside;

struct dl_lake_writer {
    const dl_lake_io *io;                 /* system calls */
    apr_pool_t *pool;                     /* lives as long as the writer */
    const char *dataset;                  /* name */
    int64_t seal_age_ms;                  /* options */
    uint64_t seal_size;                   /* options */
    int root;                             /* folder of the lake */
    int lock;                             /* LOCK, held */
    int data;                             /* folder DATASET */
    int meta;                             /* folder _lake/DATASET */
    int open;                             /* its open/ */
    int idx;                              /* its idx/ */
    int quarantine;                       /* its quarantine/ */
    int compact;                          /* its compact/ */
    dl_lake_manifest_place place;         /* its m/, held for the flock */
    dl_lake_head *head;                   /* mapped */
    dl_lake_state state;                  /* what is committed */
    dl_lake_manifest manifest;            /* what is sealed */
    int journal;                          /* the journal */
    uint64_t journal_len;                 /* its bytes */
    dl_lake_bytes record;                 /* a journal record being built */
    dl_lake_bytes changes;                /* dl_lake_change of a commit */
    int64_t next[DL_LAKE_PARTITIONS_MAX]; /* with what is uncommitted */
    uint64_t next_uid;                    /* likewise */
    bool advanced;                        /* next differs from the state's */
    dl_lake_open_part **dirty;  /* parts with uncommitted lines; malloc */
    int n_dirty;                /* how many */
    int dirty_size;             /* room */
    dl_lake_open_part *last;    /* of the last append, or NULL */
    dl_lake_aside aside;        /* uncommitted rejects */
    size_t buffers;             /* bytes of all part buffers */
    size_t pending;             /* uncommitted bytes of lines and rejects */
    size_t book;                /* and of coordinates, about */
    int n_fds;                  /* parts with descriptors */
    uint64_t uses;              /* counts for dl_lake_open_part.used */
    bool cached;                /* no descriptors past the page cache */
    size_t buffer_size;         /* options */
    dl_lake_behind *behind;     /* writes full buffers */
    bool marks_full;            /* DL0320 was logged */
    dl_lake_writer_stats stats; /* numbers */
};

/* --- dl_lake_part_open.c --- */

/* Return the open part of DAY in W, making one in memory if there is none.
 * NULL with *ERR filled: its sealed predecessor cannot be finished, or too
 * many are open. */
DL_MUSTCHECK dl_status dl_lake_open_part_get(dl_lake_open_part **op,
                                             dl_lake_writer *w, dl_day day,
                                             dl_error *err);

/* Return an open part of W for PART, which is committed and exists. */
dl_lake_open_part *dl_lake_open_part_adopt(dl_lake_writer *w,
                                           const dl_lake_part *part);

/* Have descriptors for OP, making its files if they do not exist. */
DL_MUSTCHECK dl_status dl_lake_open_part_files(dl_lake_writer *w,
                                               dl_lake_open_part *op,
                                               dl_error *err);

/* Have room for LEN more bytes in OP's buffer, writing it out when full. */
DL_MUSTCHECK dl_status dl_lake_open_part_room(dl_lake_writer *w,
                                              dl_lake_open_part *op, size_t len,
                                              dl_error *err);

/* Hand what of OP's buffer fills whole blocks to w->behind, if it is much. */
DL_MUSTCHECK dl_status dl_lake_open_part_push(dl_lake_writer *w,
                                              dl_lake_open_part *op,
                                              dl_error *err);

/* Write OP's buffer to its file; what was handed over may still be under
 * way. */
DL_MUSTCHECK dl_status dl_lake_open_part_flush(dl_lake_writer *w,
                                               dl_lake_open_part *op,
                                               dl_error *err);

/* Put OP on the list of parts with uncommitted lines. */
void dl_lake_open_part_dirty(dl_lake_writer *w, dl_lake_open_part *op);

/* Forget OP's uncommitted lines; remove it when it has no other. */
void dl_lake_open_part_forget(dl_lake_writer *w, dl_lake_open_part *op);

/* Close OP's descriptors. */
void dl_lake_open_part_close(dl_lake_writer *w, dl_lake_open_part *op);

/* Take OP out of W and free it. */
void dl_lake_open_part_drop(dl_lake_writer *w, dl_lake_open_part *op);

/* --- dl_lake_commit.c --- */

/* Forget everything uncommitted in W; return STATUS. */
dl_status dl_lake_forget(dl_lake_writer *w, dl_status status);

/* Append w->record to the journal and sync it.  After a failure the journal
 * is as it was. */
DL_MUSTCHECK dl_status dl_lake_journal_append(dl_lake_writer *w, dl_error *err);

/* Begin a new journal with a checkpoint of the state.  After a failure the old
 * one goes on. */
DL_MUSTCHECK dl_status dl_lake_journal_rotate(dl_lake_writer *w, dl_error *err);

/* --- dl_lake_aside.c --- */

/* Set Q from C aside, uncommitted. */
DL_MUSTCHECK dl_status dl_lake_aside_add(dl_lake_writer *w,
                                         const dl_lake_reject *q,
                                         const dl_coord *c, dl_error *err);

/* Note in quarantine, uncommitted, that the message from C at POSITION was
 * dropped as a repeat. */
DL_MUSTCHECK dl_status dl_lake_aside_repeat(dl_lake_writer *w,
                                            const dl_lake_position *position,
                                            const dl_coord *c, dl_error *err);

/* Write what is set aside to its file. */
DL_MUSTCHECK dl_status dl_lake_aside_flush(dl_lake_writer *w, dl_error *err);

/* Cut the quarantine to what the state says; best effort. */
void dl_lake_aside_forget(dl_lake_writer *w);

/* --- dl_lake_seal.c --- */

/* Seal the N parts of OPS, which have no uncommitted lines. */
DL_MUSTCHECK dl_status dl_lake_seal_parts(dl_lake_writer *w,
                                          dl_lake_open_part **ops, int n,
                                          dl_error *err);

/* Bring every part of state 1 into its day's folder and the manifest. */
DL_MUSTCHECK dl_status dl_lake_seal_finish(dl_lake_writer *w, dl_error *err);

/* Let the head name the manifest as it is now: a compaction in another process
 * may have moved it on since it was read, and published it already, or died
 * behind its record, and is finished first. */
DL_MUSTCHECK dl_status dl_lake_manifest_publish(dl_lake_writer *w,
                                                dl_error *err);

/* --- dl_lake_recover.c --- */

/* Bring the dataset of W, which is locked and whose folders are open, into
 * the state its journal says. */
DL_MUSTCHECK dl_status dl_lake_recover(dl_lake_writer *w, dl_error *err,
                                       apr_pool_t *scratch_pool);

#endif
