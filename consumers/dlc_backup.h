/* dlc_backup.h - A backup of lake and warehouse, and what it is made into.
 *
 * A backup is a folder:
 *
 *     lake/                 a lake at one committed state of each dataset,
 *                           laid out as the lake itself (FORMAT.md 2 and Copies)
 *     warehouse/TABLE.tsv   the rows of each table, all of one moment
 *     change-numbers        of change events (dlc_backup_events.h)
 *     backup.json           when, of what, and the offsets of both
 *     SHA256SUMS            a line for each file, as sha256sum(1) checks them
 *
 * SHA256SUMS is written last: without it a folder is no backup.  The offsets
 * of the warehouse are never above those of the lake, so the lake alone has
 * what brings the warehouse to the same offsets.
 *
 * Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DLC_BACKUP_H
#define DLC_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_error.h"
#include "dl_sha256.h"
#include "dlc_progress.h"

struct dl_config;
struct dl_dataset_set;

/* Names in a backup. */
#define DLC_BACKUP_LAKE      "lake"        /* the lake */
#define DLC_BACKUP_WAREHOUSE "warehouse"   /* the tables */
#define DLC_BACKUP_ABOUT     "backup.json" /* what it is */
#define DLC_BACKUP_SUMS      "SHA256SUMS"  /* checksums, the end mark */

/* Version of the form of a backup. */
#define DLC_BACKUP_FORMAT 1

/* What to do with which folder. */
typedef struct dlc_backup_job {
    const struct dl_config *cfg;      /* lake and warehouse */
    const struct dl_dataset_set *set; /* for the rights of accounts; restore */
    const char *dir;                  /* the backup */
    bool link;                        /* link instead of copy, if it can be */
    bool replace;                     /* restore over what is there */
    bool quiet;                       /* no progress bar */
} dlc_backup_job;

/* What was done. */
typedef struct dlc_backup_done {
    int datasets;     /* of the lake */
    uint64_t records; /* lines of the lake */
    uint64_t bytes;   /* of the lake's days */
    int tables;       /* of the warehouse */
    uint64_t rows;    /* of them */
    int files;        /* in the backup */
    uint64_t behind;  /* records of the lake that the warehouse has not yet */
} dlc_backup_done;

/* A file of a backup. */
typedef struct dlc_backup_file {
    const char *path;         /* below the backup's folder */
    char sum[DL_SHA256_TEXT]; /* its SHA-256 */
} dlc_backup_file;

/* All files of a backup, as SHA256SUMS lists them. */
typedef struct dlc_backup_list {
    int n;                  /* how many */
    dlc_backup_file *files; /* they */
} dlc_backup_list;

/* A walk over the files of a backup, to read or to copy them. */
typedef struct dlc_backup_walk {
    const char *dir;  /* the backup */
    dlc_progress bar; /* over bytes */
    uint64_t done;    /* bytes so far */
    char *block;      /* DLC_BACKUP_BLOCK bytes */
    apr_pool_t *pool; /* for names; cleared for each file */
} dlc_backup_walk;

/* Bytes read at once. */
#define DLC_BACKUP_BLOCK ((size_t)1 << 20)

/* Make a backup in the folder job->dir, which must not be there or be empty,
 * while everything runs.  Set *DONE.  DL_CONFLICT: the folder is in use;
 * DL_TIMEOUT: the lake stays behind the warehouse. */
DL_MUSTCHECK dl_status dlc_backup_make(dlc_backup_done *done,
                                       const dlc_backup_job *job, dl_error *err,
                                       apr_pool_t *pool);

/* Compare every file of the backup in job->dir with its checksum, and the list
 * with the folder.  DL_CORRUPT: what is wrong; DL_NOT_FOUND: no backup. */
DL_MUSTCHECK dl_status dlc_backup_verify(dlc_backup_done *done,
                                         const dlc_backup_job *job,
                                         dl_error *err, apr_pool_t *pool);

/* Set *LIST to the files of the backup in DIR; it lives in POOL.
 * DL_NOT_FOUND: it is no backup; DL_CORRUPT: a line is none. */
DL_MUSTCHECK dl_status dlc_backup_list_load(dlc_backup_list *list,
                                            const char *dir, dl_error *err,
                                            apr_pool_t *pool);

/* Begin a walk over the files of LIST below DIR that begin with PREFIX, with a
 * bar unless QUIET.  Its memory is freed with POOL. */
void dlc_backup_walk_begin(dlc_backup_walk *walk, const dlc_backup_list *list,
                           const char *dir, const char *prefix, bool quiet,
                           apr_pool_t *pool);

/* Read FILE of WALK through and compare its checksum, writing what is read to
 * OUT_FD unless it is -1.  DL_CORRUPT: it differs; DL_NOT_FOUND. */
DL_MUSTCHECK dl_status dlc_backup_walk_file(dlc_backup_walk *walk,
                                            const dlc_backup_file *file,
                                            int out_fd, dl_error *err);

/* End WALK and its bar. */
void dlc_backup_walk_end(dlc_backup_walk *walk);

/* Make lake and warehouse what the backup in job->dir has.  Nobody may write
 * them meanwhile.  Set *DONE.  DL_CONFLICT: they are not empty and
 * job->replace is not set; DL_BUSY: a dataset has a writer; DL_CORRUPT,
 * DL_NOT_FOUND: the backup is damaged or none, and nothing was changed;
 * DL_UNSUPPORTED: it is of a newer program. */
DL_MUSTCHECK dl_status dlc_restore(dlc_backup_done *done,
                                   const dlc_backup_job *job, dl_error *err,
                                   apr_pool_t *pool);

#endif
