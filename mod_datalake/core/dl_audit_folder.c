/* dl_audit_folder.c - Listing the audit folder and reading its lines.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_audit_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_tables.h>

/* --- Names ---------------------------------------------------------------- */

static const char *const suffix[] = {[DL_AUDIT_NEW] = "new",
                                     [DL_AUDIT_OPEN] = "open",
                                     [DL_AUDIT_FINISHED] = "log",
                                     [DL_AUDIT_GONE] = "cut"};

void dl_audit_file_name_make(char out[DL_AUDIT_FILE_NAME], const char *chain,
                             int64_t number, dl_audit_stage stage)
{
    snprintf(out, DL_AUDIT_FILE_NAME, "%.33s.%06d.%s", chain,
             (int)(number % 1000000), suffix[stage]);
}

/* Whether the first N characters of TEXT are digits (or, HEX, hexadecimal
 * ones). */
static bool are_digits(const char *text, size_t n, bool hex)
{
    return strspn(text, hex ? "0123456789abcdef" : "0123456789") >= n;
}

/* Whether NAME begins as a chain's: 20260518T093000Z-0123456789abcdef. */
static bool is_chain(const char *name)
{
    return strlen(name) > DL_AUDIT_CHAIN && are_digits(name, 8, false) &&
           name[8] == 'T' && are_digits(name + 9, 6, false) &&
           name[15] == 'Z' && name[16] == '-' &&
           are_digits(name + 17, 16, true) && name[33] == '.';
}

/* Fill FILE from NAME; false: it is no file of ours. */
static bool parse_name(dl_audit_listed *file, const char *name)
{
    const char *number = name + DL_AUDIT_CHAIN;

    if (strlen(name) >= DL_AUDIT_FILE_NAME || !is_chain(name) ||
        !are_digits(number, 6, false) || number[6] != '.') {
        return false;
    }
    memcpy(file->chain, name, DL_AUDIT_CHAIN - 1);
    file->chain[DL_AUDIT_CHAIN - 1] = '\0';
    memcpy(file->name, name, strlen(name) + 1);
    file->number = strtol(number, NULL, 10);
    for (int i = DL_AUDIT_NEW; i <= DL_AUDIT_GONE; i++) {
        if (strcmp(number + 7, suffix[i]) == 0) {
            file->stage = (dl_audit_stage)i;
            return file->number > 0;
        }
    }
    return false;
}

static int compare_files(const void *a, const void *b)
{
    const dl_audit_listed *one = a;
    const dl_audit_listed *other = b;
    int order = strcmp(one->chain, other->chain);

    if (order == 0) {
        order = (one->number > other->number) - (one->number < other->number);
    }
    return order != 0 ? order : strcmp(one->name, other->name);
}

static apr_status_t close_folder(void *data)
{
    closedir(data);
    return APR_SUCCESS;
}

dl_status dl_audit_folder_list(const dl_audit_listed **list, int *n, int dir_fd,
                               dl_error *err, apr_pool_t *result_pool)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    apr_array_header_t *found =
        apr_array_make(result_pool, 64, sizeof(dl_audit_listed));
    struct dirent *entry;
    dl_audit_listed file;

    if (folder == NULL) {
        int failed = errno;

        if (fd >= 0) {
            close(fd);
        }
        return dl_fail(err, DL_IO, failed, "cannot read the audit folder");
    }
    apr_pool_cleanup_register(result_pool, folder, close_folder,
                              apr_pool_cleanup_null);
    /* The stream is this call's own.  NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(folder)) != NULL) {
        if (parse_name(&file, entry->d_name)) {
            APR_ARRAY_PUSH(found, dl_audit_listed) = file;
        }
    }
    apr_pool_cleanup_run(result_pool, folder, close_folder);
    qsort(found->elts, (size_t)found->nelts, sizeof file, compare_files);
    *list = (const dl_audit_listed *)found->elts;
    *n = found->nelts;
    return DL_OK;
}

/* --- Reading -------------------------------------------------------------- */

struct dl_audit_reader {
    int fd;         /* the file, -1: closed */
    char *buffer;   /* DL_AUDIT_LINE_MAX + 1 bytes and more, malloc */
    size_t size;    /* its bytes */
    size_t from;    /* first byte of it that was not returned */
    size_t filled;  /* bytes of it that are the file's */
    int64_t behind; /* place in the file of byte `filled` */
};

static apr_status_t destroy_reader(void *data)
{
    dl_audit_reader *reader = data;

    dl_audit_reader_close(reader);
    free(reader->buffer);
    reader->buffer = NULL;
    return APR_SUCCESS;
}

void dl_audit_reader_close(dl_audit_reader *reader)
{
    if (reader->fd >= 0) {
        close(reader->fd);
        reader->fd = -1;
    }
}

dl_status dl_audit_reader_open(dl_audit_reader **reader, int dir_fd,
                               const char *name, int64_t position,
                               dl_error *err, apr_pool_t *result_pool)
{
    dl_audit_reader *made = apr_pcalloc(result_pool, sizeof *made);
    struct stat info;

    made->fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (made->fd < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open audit file %s", name);
    }
    apr_pool_cleanup_register(result_pool, made, destroy_reader,
                              apr_pool_cleanup_null);
    if (fstat(made->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return dl_fail(err, DL_IO, 0, "audit file %s is no regular file", name);
    }
    if (info.st_size < position) {
        return dl_fail(err, DL_CORRUPT, 0,
                       "audit file %s has %lld bytes, %lld were read before",
                       name, (long long)info.st_size, (long long)position);
    }
    made->size = (size_t)DL_AUDIT_LINE_MAX * 2;
    made->buffer = malloc(made->size);
    if (made->buffer == NULL) {
        abort();
    }
    made->behind = position;
    *reader = made;
    return DL_OK;
}

bool dl_audit_reader_locked(const dl_audit_reader *reader)
{
    if (flock(reader->fd, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(reader->fd, LOCK_UN);
        return false;
    }
    return errno == EWOULDBLOCK;
}

dl_status dl_audit_reader_sync(const dl_audit_reader *reader, dl_error *err)
{
    return fdatasync(reader->fd) == 0
               ? DL_OK
               : dl_fail(err, DL_IO, errno, "cannot sync an audit file");
}

/* Read more of the file behind what is there; *GOT says how much. */
static dl_status fill(dl_audit_reader *reader, ssize_t *got, dl_error *err)
{
    memmove(reader->buffer, reader->buffer + reader->from,
            reader->filled - reader->from);
    reader->filled -= reader->from;
    reader->from = 0;
    do {
        *got = pread(reader->fd, reader->buffer + reader->filled,
                     reader->size - reader->filled, reader->behind);
    } while (*got < 0 && errno == EINTR);
    if (*got < 0) {
        return dl_fail(err, DL_IO, errno, "cannot read an audit file");
    }
    reader->filled += (size_t)*got;
    reader->behind += *got;
    return DL_OK;
}

dl_status dl_audit_reader_next(const char **text, size_t *len,
                               dl_audit_reader *reader, dl_error *err)
{
    ssize_t got = 1;

    while (got > 0) {
        const char *begin = reader->buffer + reader->from;
        size_t left = reader->filled - reader->from;
        const char *newline = left == 0 ? NULL : memchr(begin, '\n', left);

        if (newline != NULL) {
            *text = begin;
            *len = (size_t)(newline - begin);
            reader->from += *len + 1;
            return DL_OK;
        }
        if (left > DL_AUDIT_LINE_MAX) {
            return dl_fail(err, DL_CORRUPT, 0,
                           "a line of an audit file has more than %d bytes",
                           DL_AUDIT_LINE_MAX);
        }
        DL_TRY(fill(reader, &got, err));
    }
    *text = NULL;
    *len = 0;
    return DL_OK;
}

int64_t dl_audit_reader_position(const dl_audit_reader *reader)
{
    return reader->behind - (int64_t)(reader->filled - reader->from);
}

int64_t dl_audit_reader_left(const dl_audit_reader *reader)
{
    return (int64_t)(reader->filled - reader->from);
}

bool dl_audit_next_header(dl_audit_header *header, int dir_fd,
                          const dl_audit_listed *listed,
                          apr_pool_t *scratch_pool)
{
    char name[DL_AUDIT_FILE_NAME];
    dl_audit_reader *reader;
    dl_audit_line line;
    const char *text = NULL;
    size_t len = 0;

    for (int i = DL_AUDIT_OPEN; i <= DL_AUDIT_FINISHED && text == NULL; i++) {
        dl_audit_file_name_make(name, listed->chain, listed->number + 1,
                                (dl_audit_stage)i);
        if (dl_audit_reader_open(&reader, dir_fd, name, 0, NULL,
                                 scratch_pool) == DL_OK &&
            dl_audit_reader_next(&text, &len, reader, NULL) != DL_OK) {
            text = NULL;
        }
    }
    return text != NULL &&
           dl_audit_line_parse(&line, text, len, NULL) == DL_OK &&
           line.kind == DL_AUDIT_HEADER &&
           dl_audit_header_decode(header, &line, NULL, scratch_pool) == DL_OK;
}
