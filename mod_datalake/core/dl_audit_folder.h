/* dl_audit_folder.h - The files of the audit folder by name, and their lines.
 *
 * For those who read the log: the loader, the verifier, the take-over.
 *
 * Thread: the owner of what it has opened.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_FOLDER_H
#define DL_AUDIT_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include <apr_pools.h>

#include "dl_audit.h"
#include "dl_error.h"

/* Bytes of a file's name with its NUL: CHAIN.NNNNNN.open. */
#define DL_AUDIT_FILE_NAME (DL_AUDIT_CHAIN + 12)

/* What the suffix of a file's name says. */
typedef enum dl_audit_stage {
    DL_AUDIT_NEW,      /* .new: being made */
    DL_AUDIT_OPEN,     /* .open: being appended to, or its process was killed */
    DL_AUDIT_FINISHED, /* .log */
    DL_AUDIT_GONE      /* .cut: it and those before it were removed */
} dl_audit_stage;

/* One file of the folder. */
typedef struct dl_audit_listed {
    char chain[DL_AUDIT_CHAIN];    /* name of its chain */
    char name[DL_AUDIT_FILE_NAME]; /* its own */
    int64_t number;                /* its place in the chain, from 1 */
    dl_audit_stage stage;          /* by its suffix */
} dl_audit_listed;

/* Write the name of file NUMBER of CHAIN at STAGE to OUT.  Thread: any. */
void dl_audit_file_name_make(char out[DL_AUDIT_FILE_NAME], const char *chain,
                             int64_t number, dl_audit_stage stage);

/* Set *LIST and *N to the files of the folder DIR_FD, by chain and number;
 * other names are left out.  DL_IO: it cannot be read.  Lives in
 * RESULT_POOL. */
DL_MUSTCHECK dl_status dl_audit_folder_list(const dl_audit_listed **list,
                                            int *n, int dir_fd, dl_error *err,
                                            apr_pool_t *result_pool);

/* A file being read. */
typedef struct dl_audit_reader dl_audit_reader;

/* Open the file NAME of the folder DIR_FD at byte POSITION for reading and set
 * *READER.  DL_NOT_FOUND: no such file; DL_IO: it cannot be opened; DL_CORRUPT:
 * it is shorter than POSITION.  Closed with RESULT_POOL. */
DL_MUSTCHECK dl_status dl_audit_reader_open(dl_audit_reader **reader,
                                            int dir_fd, const char *name,
                                            int64_t position, dl_error *err,
                                            apr_pool_t *result_pool);

/* Close READER now.  Idempotent. */
void dl_audit_reader_close(dl_audit_reader *reader);

/* Return whether some process holds the lock of READER's file: it is being
 * written. */
bool dl_audit_reader_locked(const dl_audit_reader *reader);

/* Make what READER may read durable.  DL_IO: that fails. */
DL_MUSTCHECK dl_status dl_audit_reader_sync(const dl_audit_reader *reader,
                                            dl_error *err);

/* Set *TEXT and *LEN to the next whole line without its newline, *TEXT to NULL
 * when none is left: call again later, it may have grown.  Valid until the next
 * call.  DL_CORRUPT: a line has more than DL_AUDIT_LINE_MAX bytes. */
DL_MUSTCHECK dl_status dl_audit_reader_next(const char **text, size_t *len,
                                            dl_audit_reader *reader,
                                            dl_error *err);

/* Return the position behind the last line that was returned. */
int64_t dl_audit_reader_position(const dl_audit_reader *reader);

/* Return how many bytes stand behind the last whole line that was returned. */
int64_t dl_audit_reader_left(const dl_audit_reader *reader);

/* Set HEADER to that of the file behind LISTED in its chain, in the folder
 * DIR_FD; false: there is none that can be read. */
bool dl_audit_next_header(dl_audit_header *header, int dir_fd,
                          const dl_audit_listed *listed,
                          apr_pool_t *scratch_pool);

#endif
