/* dl_audit_file.h - Writing a chain into files of its own (AUDIT.md 1, 4, 6, 7).
 *
 *     dl_audit_file_create
 *     for each line: dl_audit_file_reserve, then
 *         dl_audit_file_append (any number), dl_audit_file_write,
 *         dl_audit_file_sync: durable
 *     dl_audit_file_end
 *
 * The first file is made at the first reservation, so a process that writes
 * nothing leaves nothing.
 *
 * Thread: one owner; dl_audit_file_reserve and _release may be called by
 * others under a lock that the owner holds too when it calls these, _settle or
 * _end, while the owner appends, writes or syncs without it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef DL_AUDIT_FILE_H
#define DL_AUDIT_FILE_H

#include <stdint.h>

#include <apr_pools.h>

#include "dl_audit.h"
#include "dl_error.h"

/* Room made ahead at a time, and the size and the age in microseconds that
 * begin the next file: a file is removed as a whole, so it must not grow old. */
#define DL_AUDIT_AHEAD  262144
#define DL_AUDIT_ROTATE 67108864
#define DL_AUDIT_AGE_US INT64_C(604800000000)

/* Most bytes that are appended before they are written. */
#define DL_AUDIT_BLOCK 1048576

/* A chain being written. */
typedef struct dl_audit_file dl_audit_file;

/* What a chain is written with. */
typedef struct dl_audit_file_options {
    int dir_fd;              /* the folder; stays open as long */
    const dl_audit_key *key; /* lives as long */
    int64_t rotate_bytes;    /* size that begins the next file; 0:
                                DL_AUDIT_ROTATE */
    int64_t rotate_us;       /* age that begins the next file; 0:
                                DL_AUDIT_AGE_US */
} dl_audit_file_options;

/* Return a new chain with a name of its own and no file yet.  Lives in
 * RESULT_POOL, with which its file is closed as it is. */
dl_audit_file *dl_audit_file_create(const dl_audit_file_options *options,
                                    apr_pool_t *result_pool);

/* Return the name of the chain. */
const char *dl_audit_file_name(const dl_audit_file *file);

/* Promise BYTES of room in FILE to a line that will be appended; give them
 * back after dl_audit_file_settle has counted the line.  DL_NO_SPACE: the volume is full; DL_IO, DL_NOT_FOUND: no file can be made.
 * Nothing is promised then. */
DL_MUSTCHECK dl_status dl_audit_file_reserve(dl_audit_file *file, int64_t bytes,
                                             dl_error *err);

/* Give BYTES that were promised back. */
void dl_audit_file_release(dl_audit_file *file, int64_t bytes);

/* Add the line TEXT of LEN bytes (newline included), whose sealed part has
 * SEALED bytes, to the block and put its chain value in.  DL_LIMIT: the block
 * is full: write it first. */
DL_MUSTCHECK dl_status dl_audit_file_append(dl_audit_file *file,
                                            const char *text, size_t len,
                                            size_t sealed, dl_error *err);

/* Write the block behind the end of the file.  When that fails (DL_NO_SPACE,
 * DL_IO) the file is cut to where it was and the block stays: call again. */
DL_MUSTCHECK dl_status dl_audit_file_write(dl_audit_file *file, dl_error *err);

/* Make what was written durable.  After DL_IO nobody knows what is on disk:
 * end the process. */
DL_MUSTCHECK dl_status dl_audit_file_sync(dl_audit_file *file, dl_error *err);

/* Count what was written against the room, and begin the next file when this
 * one is long or old enough and the volume has room for it; else it goes on.
 * Call it after dl_audit_file_sync.  DL_IO as dl_audit_file_sync. */
DL_MUSTCHECK dl_status dl_audit_file_settle(dl_audit_file *file, dl_error *err);

/* End FILE for REASON (stopped): end line, sync, final name.  No line may be
 * appended afterwards.  A chain without a file ends without one. */
DL_MUSTCHECK dl_status dl_audit_file_end(dl_audit_file *file,
                                         const char *reason, dl_error *err);

/* End the files of killed processes in the folder DIR_FD (AUDIT.md 7) and set
 * *N (may be NULL) to how many were ended.  A file that another process takes
 * at this moment, or whose last whole line cannot be read, is left as it is;
 * the latter is logged.  DL_IO: the folder cannot be read. */
DL_MUSTCHECK dl_status dl_audit_take_over(int *n, int dir_fd,
                                          const dl_audit_key *key,
                                          dl_error *err,
                                          apr_pool_t *scratch_pool);

#endif
