/* dl_audit_file.c - Appending a chain to its files.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <sodium.h>

#include "dl_audit_folder.h"
#include "dl_log.h"

/* Room that is always kept for the line that ends a file. */
#define END_BYTES 512

struct dl_audit_file {
    dl_audit_file_options options; /* how it is written */
    dl_audit_chain *chain;         /* value and length with the block */
    char name[DL_AUDIT_CHAIN];     /* of the chain */
    int fd;                        /* the current file, -1: none yet */
    int64_t number;                /* of the current file */
    int64_t size;                  /* its bytes that are written */
    int64_t unsettled;             /* written since the last settle */
    int64_t allocated;             /* bytes it may have without asking */
    int64_t promised;              /* of them, to lines that will come */
    dl_time begun;                 /* when it was made */
    bool no_allocate;              /* the file system has no fallocate */
    dl_buf *block;                 /* lines that are not written yet */
};

static apr_status_t close_file(void *data)
{
    dl_audit_file *file = data;

    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    return APR_SUCCESS;
}

/* Make a name no other chain has ever had. */
static void make_name(char name[DL_AUDIT_CHAIN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[8];
    char now[DL_TIME_TEXT];
    size_t n = 0;

    dl_time_format(now, dl_time_now());
    for (size_t i = 0; now[i] != '.'; i++) {
        if (now[i] != '-' && now[i] != ':') {
            name[n++] = now[i];
        }
    }
    name[n++] = 'Z';
    name[n++] = '-';
    randombytes_buf(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        name[n++] = digits[random[i] >> 4];
        name[n++] = digits[random[i] & 15];
    }
    name[n] = '\0';
}

dl_audit_file *dl_audit_file_create(const dl_audit_file_options *options,
                                    apr_pool_t *result_pool)
{
    dl_audit_file *file = apr_pcalloc(result_pool, sizeof *file);

    file->options = *options;
    if (file->options.rotate_bytes == 0) {
        file->options.rotate_bytes = DL_AUDIT_ROTATE;
    }
    if (file->options.rotate_us == 0) {
        file->options.rotate_us = DL_AUDIT_AGE_US;
    }
    file->fd = -1;
    file->block = dl_buf_create(DL_AUDIT_BLOCK, result_pool);
    file->chain = dl_audit_chain_create(options->key, result_pool);
    make_name(file->name);
    dl_audit_chain_begin(file->chain, file->name);
    apr_pool_cleanup_register(result_pool, file, close_file,
                              apr_pool_cleanup_null);
    return file;
}

const char *dl_audit_file_name(const dl_audit_file *file)
{
    return file->name;
}

/* --- Room ----------------------------------------------------------------- */

static dl_status fail_by_errno(const dl_audit_file *file, const char *what,
                               dl_error *err)
{
    dl_status status = errno == ENOSPC || errno == EDQUOT || errno == EFBIG ||
                               errno == EMFILE || errno == ENFILE
                           ? DL_NO_SPACE
                           : DL_IO;

    return dl_fail(err, status, errno, "cannot %s audit file %s.%06d", what,
                   file->name, (int)file->number);
}

/* Whether the volume has BYTES, where blocks cannot be allocated ahead. */
static dl_status look_for_room(const dl_audit_file *file, int fd, int64_t bytes,
                               dl_error *err)
{
    struct statvfs volume;

    if (fstatvfs(fd, &volume) != 0) {
        return fail_by_errno(file, "ask for the room of", err);
    }
    if ((int64_t)(volume.f_bavail * volume.f_frsize) < 4 * bytes) {
        errno = ENOSPC;
        return fail_by_errno(file, "find room for", err);
    }
    return DL_OK;
}

/* Allocate BYTES of FD behind place AT. */
static dl_status allocate(dl_audit_file *file, int fd, int64_t at,
                          int64_t bytes, dl_error *err)
{
    int failed = -1;

    if (!file->no_allocate) {
        do {
            failed = fallocate(fd, FALLOC_FL_KEEP_SIZE, at, bytes);
        } while (failed != 0 && errno == EINTR);
        if (failed != 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
            file->no_allocate = true;
        }
        else if (failed != 0) {
            return fail_by_errno(file, "make room for", err);
        }
    }
    return file->no_allocate ? look_for_room(file, fd, bytes, err) : DL_OK;
}

/* --- Making a file -------------------------------------------------------- */

/* Write LEN bytes of DATA to FD at place AT. */
static dl_status write_all(const dl_audit_file *file, int fd, const char *data,
                           size_t len, int64_t at, dl_error *err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pwrite(fd, data + done, len - done, at + (int64_t)done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            errno = n == 0 ? ENOSPC : errno;
            return fail_by_errno(file, "write", err);
        }
        done += (size_t)n;
    }
    return DL_OK;
}

/* Put the chain's value into the line TEXT and go on. */
static void seal_line(dl_audit_chain *chain, char *text, size_t sealed)
{
    dl_audit_chain_add(chain, text, sealed);
    dl_audit_hex(text + sealed + sizeof ",\"chain\":\"" - 1,
                 dl_audit_chain_value(chain));
}

/* Make the header of file NUMBER, begun at AT, in OUT, moving the chain on. */
static dl_status make_header(dl_buf *out, dl_audit_file *file, int64_t number,
                             dl_time at, dl_error *err)
{
    dl_audit_header header = {
        .file = number, .lines = dl_audit_chain_length(file->chain), .at = at};
    size_t sealed;

    memcpy(header.name, file->name, sizeof header.name);
    memcpy(header.previous, dl_audit_chain_value(file->chain), DL_AUDIT_VALUE);
    DL_TRY(dl_audit_header_encode(out, &sealed, &header, err));
    seal_line(file->chain, out->data, sealed);
    return DL_OK;
}

/* Rename FROM to TO in the folder and make that durable. */
static dl_status publish(const dl_audit_file *file, const char *from,
                         const char *to, dl_error *err)
{
    if (renameat(file->options.dir_fd, from, file->options.dir_fd, to) != 0 ||
        fsync(file->options.dir_fd) != 0) {
        return fail_by_errno(file, "rename", err);
    }
    return DL_OK;
}

/* Write the header in OUT to the new file FD, called NAME, with room for
 * BYTES more. */
static dl_status write_header(dl_audit_file *file, int fd, const char *name,
                              int64_t bytes, const dl_buf *out, dl_error *err)
{
    char final[DL_AUDIT_FILE_NAME];

    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return fail_by_errno(file, "lock", err);
    }
    DL_TRY(allocate(file, fd, 0, (int64_t)out->len + bytes, err));
    DL_TRY(write_all(file, fd, out->data, out->len, 0, err));
    if (fsync(fd) != 0) {
        return fail_by_errno(file, "sync", err);
    }
    dl_audit_file_name_make(final, file->name, file->number + 1, DL_AUDIT_OPEN);
    return publish(file, name, final, err);
}

/* Make the next file, begun at AT, with room for BYTES behind its header, and
 * write on there.  When it fails everything is as before. */
static dl_status open_next(dl_audit_file *file, int64_t bytes, dl_time at,
                           dl_error *err, apr_pool_t *pool)
{
    unsigned char value[DL_AUDIT_VALUE];
    int64_t length = dl_audit_chain_length(file->chain);
    char name[DL_AUDIT_FILE_NAME];
    dl_buf *out = dl_buf_create(END_BYTES, pool);
    dl_status status;
    int fd;

    memcpy(value, dl_audit_chain_value(file->chain), sizeof value);
    DL_TRY(make_header(out, file, file->number + 1, at, err));
    dl_audit_file_name_make(name, file->name, file->number + 1, DL_AUDIT_NEW);
    fd = openat(file->options.dir_fd, name,
                O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    status = fd < 0 ? fail_by_errno(file, "make", err)
                    : write_header(file, fd, name, bytes, out, err);
    if (status != DL_OK) {
        if (fd >= 0) {
            (void)unlinkat(file->options.dir_fd, name, 0);
            close(fd);
        }
        dl_audit_chain_resume(file->chain, value, length);
        return status;
    }
    (void)close_file(file);
    file->fd = fd;
    file->number++;
    file->size = (int64_t)out->len;
    file->unsettled = 0;
    file->allocated = file->size + bytes;
    file->begun = at;
    return DL_OK;
}

/* The same with a pool of its own. */
static dl_status make_next(dl_audit_file *file, int64_t bytes, dl_time at,
                           dl_error *err)
{
    apr_pool_t *pool;
    dl_status status;

    apr_pool_create(&pool, NULL);
    status = open_next(file, bytes, at, err, pool);
    apr_pool_destroy(pool);
    return status;
}

dl_status dl_audit_file_reserve(dl_audit_file *file, int64_t bytes,
                                dl_error *err)
{
    int64_t need;
    int64_t more;

    if (file->fd < 0) {
        DL_TRY(make_next(file, bytes + END_BYTES + DL_AUDIT_AHEAD,
                         dl_time_now(), err));
    }
    need = file->size + file->promised + bytes + END_BYTES;
    if (need > file->allocated) {
        more = need - file->allocated + DL_AUDIT_AHEAD;
        DL_TRY(allocate(file, file->fd, file->allocated, more, err));
        file->allocated += more;
    }
    file->promised += bytes;
    return DL_OK;
}

void dl_audit_file_release(dl_audit_file *file, int64_t bytes)
{
    file->promised -= bytes;
}

/* --- Lines ---------------------------------------------------------------- */

dl_status dl_audit_file_append(dl_audit_file *file, const char *text,
                               size_t len, size_t sealed, dl_error *err)
{
    size_t begin = file->block->len;

    DL_TRY(dl_buf_append(file->block, text, len, err));
    seal_line(file->chain, file->block->data + begin, sealed);
    return DL_OK;
}

dl_status dl_audit_file_write(dl_audit_file *file, dl_error *err)
{
    int64_t at = file->size + file->unsettled;
    dl_status status =
        write_all(file, file->fd, file->block->data, file->block->len, at, err);

    if (status != DL_OK) {
        /* What stands there already would be a torn line. */
        if (ftruncate(file->fd, at) != 0) {
            return dl_wrap(err, "not cut back");
        }
        return status;
    }
    file->unsettled += (int64_t)file->block->len;
    file->block->len = 0;
    return DL_OK;
}

dl_status dl_audit_file_sync(dl_audit_file *file, dl_error *err)
{
    if (file->fd >= 0 && fdatasync(file->fd) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot sync audit file %s.%06d",
                       file->name, (int)file->number);
    }
    return DL_OK;
}

/* The line that ends a file. */
typedef struct end_line {
    char text[END_BYTES]; /* with its newline */
    size_t len;           /* its bytes */
} end_line;

/* Make the line that ends the file for REASON at AT, moving the chain on. */
static dl_status make_end(end_line *made, dl_audit_file *file,
                          const char *reason, int64_t cut, dl_time at,
                          dl_error *err)
{
    dl_buf line = {.data = made->text, .size = END_BYTES, .max = END_BYTES};
    size_t sealed;

    DL_TRY(dl_audit_end_encode(&line, &sealed, reason, cut, at, err));
    seal_line(file->chain, line.data, sealed);
    made->len = line.len;
    return DL_OK;
}

/* Write END at place SIZE of FD, give the room behind it back, sync it, and
 * give it its final name: the FILE's file NUMBER. */
static dl_status finish(dl_audit_file *file, int fd, int64_t number,
                        int64_t size, const end_line *end, dl_error *err)
{
    char open_name[DL_AUDIT_FILE_NAME];
    char final[DL_AUDIT_FILE_NAME];

    dl_audit_file_name_make(open_name, file->name, number, DL_AUDIT_OPEN);
    dl_audit_file_name_make(final, file->name, number, DL_AUDIT_FINISHED);
    DL_TRY(write_all(file, fd, end->text, end->len, size, err));
    if (ftruncate(fd, size + (int64_t)end->len) != 0 || fsync(fd) != 0) {
        return fail_by_errno(file, "sync", err);
    }
    return publish(file, open_name, final, err);
}

/* End the current file and go on in the next one, or go on in this one when
 * there is no room for two. */
static dl_status rotate(dl_audit_file *file, dl_error *err)
{
    unsigned char value[DL_AUDIT_VALUE];
    int64_t length = dl_audit_chain_length(file->chain);
    int64_t number = file->number;
    int64_t size = file->size;
    int old = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
    dl_time now = dl_time_now();
    dl_status status;
    end_line end = {.len = 0};

    if (old < 0) {
        return DL_OK; /* later */
    }
    memcpy(value, dl_audit_chain_value(file->chain), sizeof value);
    /* The next header stands behind the end line, so it is made first; nobody
     * sees that line before there is a next file. */
    status = make_end(&end, file, "rotated", 0, now, err);
    if (status == DL_OK &&
        make_next(file, file->promised + END_BYTES + DL_AUDIT_AHEAD, now,
                  err) != DL_OK) {
        dl_audit_chain_resume(file->chain, value, length);
        close(old);
        return DL_OK;
    }
    if (status == DL_OK) {
        status = finish(file, old, number, size, &end, err);
    }
    close(old);
    return status;
}

dl_status dl_audit_file_settle(dl_audit_file *file, dl_error *err)
{
    file->size += file->unsettled;
    file->unsettled = 0;
    return file->fd >= 0 &&
                   (file->size >= file->options.rotate_bytes ||
                    dl_time_now() - file->begun >= file->options.rotate_us)
               ? rotate(file, err)
               : DL_OK;
}

dl_status dl_audit_file_end(dl_audit_file *file, const char *reason,
                            dl_error *err)
{
    end_line end = {.len = 0};

    if (file->fd < 0) {
        return DL_OK;
    }
    DL_TRY(make_end(&end, file, reason, 0, dl_time_now(), err));
    DL_TRY(finish(file, file->fd, file->number, file->size + file->unsettled,
                  &end, err));
    (void)close_file(file);
    return DL_OK;
}

/* --- Taking over ---------------------------------------------------------- */

/* Read the last whole line of FD, called NAME, SIZE bytes long: set the chain
 * of FILE behind it and *END to the place behind it; *DONE: it ends the file. */
static dl_status read_last(dl_audit_file *file, int64_t *end, bool *done,
                           const dl_audit_listed *listed, dl_error *err,
                           apr_pool_t *pool)
{
    dl_audit_line line = {.kind = DL_AUDIT_ENTRY};
    dl_audit_reader *reader;
    bool found = false;
    const char *text;
    size_t len;

    DL_TRY(dl_audit_reader_open(&reader, file->options.dir_fd, listed->name, 0,
                                err, pool));
    do {
        DL_TRY(dl_audit_reader_next(&text, &len, reader, err));
        if (text != NULL) {
            DL_TRY(dl_audit_line_parse(&line, text, len, err));
            found = true;
        }
    } while (text != NULL);
    if (!found) {
        return dl_fail(err, DL_CORRUPT, 0, "it has no whole line");
    }
    dl_audit_chain_resume(file->chain, line.value, 0);
    *end = dl_audit_reader_position(reader);
    *done = line.kind == DL_AUDIT_END;
    dl_audit_reader_close(reader);
    return DL_OK;
}

/* Make the line that ends LISTED, of whose last line CUT bytes are torn: a
 * process that was killed while it began the next file has promised there what
 * the end would be. */
static dl_status make_last(end_line *made, dl_audit_file *file,
                           const dl_audit_listed *listed, int64_t cut,
                           dl_error *err, apr_pool_t *pool)
{
    unsigned char value[DL_AUDIT_VALUE];
    dl_audit_header next;

    memcpy(value, dl_audit_chain_value(file->chain), sizeof value);
    if (dl_audit_next_header(&next, file->options.dir_fd, listed, pool)) {
        DL_TRY(make_end(made, file, "rotated", 0, next.at, err));
        if (memcmp(next.previous, dl_audit_chain_value(file->chain),
                   DL_AUDIT_VALUE) == 0) {
            return DL_OK;
        }
        dl_audit_chain_resume(file->chain, value, 0);
    }
    return make_end(made, file, "taken-over", cut, dl_time_now(), err);
}

/* End the file LISTED, open and locked as file->fd. */
static dl_status end_killed(dl_audit_file *file, const dl_audit_listed *listed,
                            dl_error *err, apr_pool_t *pool)
{
    end_line line = {.len = 0};
    struct stat info;
    int64_t end = 0;
    bool done = false;

    if (fstat(file->fd, &info) != 0) {
        return fail_by_errno(file, "look at", err);
    }
    memcpy(file->name, listed->chain, sizeof file->name);
    file->number = listed->number;
    DL_TRY(read_last(file, &end, &done, listed, err, pool));
    if (ftruncate(file->fd, end) != 0) {
        return fail_by_errno(file, "cut", err);
    }
    if (!done) {
        DL_TRY(make_last(&line, file, listed, info.st_size - end, err, pool));
    }
    DL_TRY(finish(file, file->fd, file->number, end, &line, err));
    dl_log(DL_LOG_NOTICE, "DL0250 audit: %s: its process was killed, ended",
           listed->name);
    return DL_OK;
}

/* Whether FD is what NAME still stands for in the folder. */
static bool is_named(int dir_fd, const char *name, int fd)
{
    struct stat by_name;
    struct stat by_fd;

    return fstatat(dir_fd, name, &by_name, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstat(fd, &by_fd) == 0 && by_name.st_dev == by_fd.st_dev &&
           by_name.st_ino == by_fd.st_ino;
}

/* Remove LISTED, a file that was never finished being made. */
static void remove_new(int dir_fd, const dl_audit_listed *listed)
{
    struct stat info;

    if (fstatat(dir_fd, listed->name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        info.st_mtime + 60 < dl_time_now() / DL_SECOND_US) {
        (void)unlinkat(dir_fd, listed->name, 0);
    }
}

/* End LISTED when no process has it; return whether it was ended. */
static bool take_one(const dl_audit_file_options *options,
                     const dl_audit_listed *listed, apr_pool_t *pool)
{
    dl_audit_file *file = dl_audit_file_create(options, pool);
    dl_error err = {0};

    file->fd =
        openat(options->dir_fd, listed->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) != 0 ||
        !is_named(options->dir_fd, listed->name, file->fd)) {
        return false;
    }
    if (end_killed(file, listed, &err, pool) != DL_OK) {
        dl_log(DL_LOG_ERROR, "DL0251 audit: %s cannot be ended: %s",
               listed->name, err.text);
        return false;
    }
    return true;
}

dl_status dl_audit_take_over(int *n, int dir_fd, const dl_audit_key *key,
                             dl_error *err, apr_pool_t *scratch_pool)
{
    const dl_audit_file_options options = {.dir_fd = dir_fd, .key = key};
    const dl_audit_listed *list;
    apr_pool_t *pool;
    int files;
    int taken = 0;

    DL_TRY(dl_audit_folder_list(&list, &files, dir_fd, err, scratch_pool));
    apr_pool_create(&pool, scratch_pool);
    for (int i = 0; i < files; i++) {
        apr_pool_clear(pool);
        if (list[i].stage == DL_AUDIT_NEW) {
            remove_new(dir_fd, &list[i]);
        }
        else if (list[i].stage == DL_AUDIT_OPEN) {
            taken += take_one(&options, &list[i], pool) ? 1 : 0;
        }
    }
    apr_pool_destroy(pool);
    if (n != NULL) {
        *n = taken;
    }
    return DL_OK;
}
