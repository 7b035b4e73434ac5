/* audit_fixture.h - A scratch folder of audit files for unit tests, and its key.
 *
 * Thread: one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef AUDIT_FIXTURE_H
#define AUDIT_FIXTURE_H

#include "dl_audit.h"
#include "dl_audit_file.h"
#include "dl_audit_folder.h"
#include "dl_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

/* A key of 32 bytes. */
#define AUDIT_SECRET "0123456789abcdef0123456789abcdef"

/* Takes what is logged, and says nothing. */
static inline void audit_quiet(void *context, dl_log_level level,
                               const char *message)
{
    (void)context;
    (void)level;
    (void)message;
}

/* Write LEN bytes of DATA to PATH. */
static inline void audit_spit(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len) {
        abort();
    }
    close(fd);
}

/* Return the key made of SECRET, in POOL. */
static inline const dl_audit_key *audit_key(const char *secret,
                                            apr_pool_t *pool)
{
    const dl_audit_key *key;
    const char *path =
        apr_psprintf(pool, "/tmp/datalake-audit-key-%d", (int)getpid());
    dl_error err;

    audit_spit(path, secret, strlen(secret));
    if (dl_audit_key_load(&key, path, &err, pool) != DL_OK) {
        abort();
    }
    unlink(path);
    return key;
}

/* Make an empty folder, set PATH to it and return it opened. */
static inline int audit_folder_make(char path[64])
{
    /* In memory where that goes: each line is synced. */
    apr_cpystrn(path,
                access("/dev/shm", W_OK) == 0 ? "/dev/shm/datalake-audit-XXXXXX"
                                              : "/tmp/datalake-audit-XXXXXX",
                64);
    if (mkdtemp(path) == NULL) {
        abort();
    }
    return open(path, O_RDONLY | O_DIRECTORY);
}

/* Remove all files of the folder behind DIR_FD. */
static inline void audit_folder_empty(int dir_fd, apr_pool_t *pool)
{
    const dl_audit_listed *list;
    int n = 0;

    if (dl_audit_folder_list(&list, &n, dir_fd, NULL, pool) != DL_OK) {
        abort();
    }
    while (n-- > 0) {
        unlinkat(dir_fd, list[n].name, 0);
    }
}

/* Remove the folder PATH, opened as DIR_FD, with its files. */
static inline void audit_folder_remove(const char *path, int dir_fd,
                                       apr_pool_t *pool)
{
    audit_folder_empty(dir_fd, pool);
    close(dir_fd);
    rmdir(path);
}

/* Append an entry of the time AT to FILE and make it durable; false: it failed,
 * and why was printed. */
static inline bool audit_append(dl_audit_file *file, dl_time at,
                                apr_pool_t *pool)
{
    dl_buf *out = dl_buf_create(DL_AUDIT_LINE_MAX, pool);
    dl_audit_entry entry = {.timestamp = at,
                            .method = "GET",
                            .endpoint = "/api/resources/",
                            .action = "read",
                            .request_id = "0f6c",
                            .status = 200};
    dl_error err = {0};
    size_t sealed;

    entry.text[DL_AUDIT_ADDRESS] = (dl_audit_text){"192.0.2.1", 9};
    if (dl_audit_encode(out, &sealed, &entry, &err) != DL_OK ||
        dl_audit_file_reserve(file, (int64_t)out->len, &err) != DL_OK ||
        dl_audit_file_append(file, out->data, out->len, sealed, &err) !=
            DL_OK ||
        dl_audit_file_write(file, &err) != DL_OK ||
        dl_audit_file_sync(file, &err) != DL_OK ||
        dl_audit_file_settle(file, &err) != DL_OK) {
        printf("# %s\n", err.text);
        return false;
    }
    dl_audit_file_release(file, (int64_t)out->len);
    return true;
}

#endif
