/* dlc_collect_files.c - Files by device and inode: looked for, opened, known
 * again.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_files.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "dl_crc.h"
#include "dl_log.h"
#include "dl_time.h"

/* Bytes at the start of a file that tell it from another one. */
#define CHECKED 256

/* A file that is left is read when nobody added to it for so long. */
#define QUIET_US INT64_C(10000000)

/* One that cannot be read is tried again after so long. */
#define ASIDE_US INT64_C(30000000)

struct dlc_collect_files {
    const char *path;            /* with * ? [] */
    const char *source;          /* name of its section */
    dl_status failed;            /* of the first file that could not be read */
    dl_error why;                /* why */
    apr_hash_t *known;           /* id -> dlc_collect_tracked */
    dlc_collect_tracked **order; /* left ones, then by path; malloc */
    int n;                       /* how many */
    int size;                    /* room */
    apr_pool_t *pool;            /* of all this */
};

static void *need(void *memory)
{
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void free_tracked(dlc_collect_tracked *file)
{
    dlc_collect_files_close(file);
    free(file->path);
    free(file);
}

static apr_status_t free_files(void *data)
{
    dlc_collect_files *files = data;

    for (int i = 0; i < files->n; i++) {
        free_tracked(files->order[i]);
    }
    free(files->order);
    return APR_SUCCESS;
}

/* Return the file ID of FILES, made when it is new. */
static dlc_collect_tracked *get_tracked(dlc_collect_files *files, dev_t dev,
                                        ino_t ino)
{
    dlc_collect_tracked *file = need(calloc(1, sizeof *file));
    dlc_collect_tracked *found;

    file->id.dev = dev;
    file->id.ino = ino;
    found = apr_hash_get(files->known, &file->id, sizeof file->id);
    if (found != NULL) {
        free(file);
        return found;
    }
    file->fd = -1;
    file->line = 1;
    apr_hash_set(files->known, &file->id, sizeof file->id, file);
    if (files->n == files->size) {
        files->size = files->size == 0 ? 64 : files->size * 2;
        files->order = need(realloc(files->order, (size_t)files->size *
                                                      sizeof(files->order[0])));
    }
    files->order[files->n++] = file;
    return file;
}

/* Take POSITION over; what does not look like one is read from the start. */
static void remember(dlc_collect_files *files,
                     const dlc_collect_position *position)
{
    dlc_collect_tracked *file;
    uintmax_t dev;
    uintmax_t ino;
    uint64_t offset;
    uint64_t line;
    int skipping;
    uint32_t checked;
    uint32_t sum;

    /* Our own texts.  NOLINTBEGIN(cert-err34-c) */
    if (sscanf(position->item, "%ju:%ju", &dev, &ino) != 2 ||
        sscanf(position->text,
               "%" SCNu64 " %" SCNu64 " %d %" SCNu32 " %" SCNu32, &offset,
               &line, &skipping, &checked, &sum) != 5 ||
        checked > CHECKED) {
        return;
    }
    /* NOLINTEND(cert-err34-c) */
    file = get_tracked(files, (dev_t)dev, (ino_t)ino);
    file->noted = true;
    file->offset = offset;
    file->line = line;
    file->skipping = skipping != 0;
    file->checked = checked;
    file->sum = sum;
}

void dlc_collect_files_create(dlc_collect_files **files,
                              const dlc_collect_plan *plan, apr_pool_t *pool)
{
    dlc_collect_files *made = apr_pcalloc(pool, sizeof *made);

    made->path = plan->source->path;
    made->source = plan->source->name;
    made->pool = pool;
    made->known = apr_hash_make(pool);
    for (int i = 0; i < plan->memory->n; i++) {
        remember(made, &plan->memory->items[i]);
    }
    apr_pool_cleanup_register(pool, made, free_files, apr_pool_cleanup_null);
    *files = made;
}

/* The path PATH leads to a regular file: note it. */
static void see(dlc_collect_files *files, const char *path, bool listed)
{
    dlc_collect_tracked *file;
    struct stat st;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        return;
    }
    if (!listed) {
        const struct {
            dev_t dev;
            ino_t ino;
        } id = {st.st_dev, st.st_ino};

        file = apr_hash_get(files->known, &id, sizeof id);
        if (file == NULL || file->listed) {
            return;
        }
        file->left = true;
        file->found = true;
    }
    else {
        file = get_tracked(files, st.st_dev, st.st_ino);
        file->listed = true;
        file->found = true;
        file->left = false;
    }
    if (file->path == NULL || strcmp(file->path, path) != 0) {
        free(file->path);
        file->path = need(strdup(path));
    }
    if (file->size != (uint64_t)st.st_size) {
        file->size = (uint64_t)st.st_size;
        file->grown_us = dl_time_monotonic_us();
        file->done = false;
    }
    if (file->written.tv_sec != st.st_mtim.tv_sec ||
        file->written.tv_nsec != st.st_mtim.tv_nsec) {
        file->written = st.st_mtim;
        file->touched = true;
        file->until_us = 0;
    }
}

/* See whether FILE, all of which is read, was written anew at that length. */
static void compare_touched(dlc_collect_tracked *file)
{
    bool closed = file->fd < 0;
    dl_error ignored;

    file->touched = false;
    if (dlc_collect_files_open(file, &ignored) == DL_OK && closed) {
        dlc_collect_files_close(file);
    }
    if (file->anew) {
        file->done = false;
    }
}

/* Look for files that are remembered, but not where the path looks, in its
 * folder: they were renamed. */
static void look_aside(dlc_collect_files *files, apr_pool_t *scratch_pool)
{
    const char *slash = strrchr(files->path, '/');
    const char *all = apr_pstrcat(scratch_pool,
                                  apr_pstrmemdup(scratch_pool, files->path,
                                                 (size_t)(slash - files->path)),
                                  "/*", NULL);
    glob_t found;

    /* Patterns have no ~, so glob asks for no accounts and is safe. */
    /* NOLINTNEXTLINE(concurrency-mt-unsafe) */
    if (glob(all, GLOB_PERIOD | GLOB_NOSORT, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            see(files, found.gl_pathv[i], false);
        }
    }
    globfree(&found);
}

/* Left files first, then by path. */
static int compare(const void *left, const void *right)
{
    const dlc_collect_tracked *a = *(const dlc_collect_tracked *const *)left;
    const dlc_collect_tracked *b = *(const dlc_collect_tracked *const *)right;

    if (a->left != b->left) {
        return a->left ? -1 : 1;
    }
    return strcmp(a->path == NULL ? "" : a->path,
                  b->path == NULL ? "" : b->path);
}

dl_status dlc_collect_files_look(dlc_collect_files *files,
                                 const dlc_collect_tracked *current,
                                 dl_error *err)
{
    apr_pool_t *scratch_pool;
    bool missing = false;
    glob_t found;
    int code;

    for (int i = 0; i < files->n; i++) {
        files->order[i]->listed = false;
        files->order[i]->found = false;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): as above */
    code = glob(files->path, GLOB_ERR | GLOB_NOSORT, NULL, &found);
    if (code != 0 && code != GLOB_NOMATCH) {
        globfree(&found);
        return dl_fail(err, DL_IO, errno, "cannot look for %s", files->path);
    }
    for (size_t i = 0; code == 0 && i < found.gl_pathc; i++) {
        see(files, found.gl_pathv[i], true);
    }
    globfree(&found);
    for (int i = 0; i < files->n; i++) {
        dlc_collect_tracked *file = files->order[i];

        missing = missing || !file->listed;
    }
    if (missing) {
        apr_pool_create(&scratch_pool, files->pool);
        look_aside(files, scratch_pool);
        apr_pool_destroy(scratch_pool);
    }
    for (int i = 0; i < files->n; i++) {
        dlc_collect_tracked *file = files->order[i];

        if (!file->found) {
            file->left = true;
            file->done = file->done || file->fd < 0;
        }
        else if (file != current && file->touched && file->offset > 0 &&
                 file->offset == file->size) {
            compare_touched(file);
        }
    }
    qsort(files->order, (size_t)files->n, sizeof(files->order[0]), compare);
    return DL_OK;
}

bool dlc_collect_files_quiet(const dlc_collect_tracked *file)
{
    return file->left && dl_time_monotonic_us() - file->grown_us > QUIET_US;
}

/* Whether there is something to do with FILE. */
static bool has_more(const dlc_collect_tracked *file)
{
    return !file->done &&
           (file->until_us == 0 || file->until_us < dl_time_monotonic_us()) &&
           (file->anew || dlc_collect_files_quiet(file) ||
            (file->size != file->offset && file->size != file->waited));
}

dlc_collect_tracked *dlc_collect_files_find(dlc_collect_files *files,
                                            const char *item)
{
    for (int i = 0; i < files->n; i++) {
        char name[DLC_COLLECT_ITEM];
        char text[DLC_COLLECT_POSITION];

        dlc_collect_files_tell(name, text, files->order[i]);
        if (strcmp(name, item) == 0) {
            return files->order[i]->done ? NULL : files->order[i];
        }
    }
    return NULL;
}

dlc_collect_tracked *dlc_collect_files_next(dlc_collect_files *files,
                                            const dlc_collect_tracked *current)
{
    int first = 0;

    for (int i = 0; current != NULL && i < files->n; i++) {
        if (files->order[i] == current) {
            first = i + 1;
        }
    }
    for (int i = 0; i < files->n; i++) {
        dlc_collect_tracked *file = files->order[(first + i) % files->n];

        if (file != current && has_more(file)) {
            return file;
        }
    }
    return NULL;
}

bool dlc_collect_files_same(const dlc_collect_tracked *file)
{
    char first[CHECKED];

    return file->checked == 0 ||
           (pread(file->fd, first, file->checked, 0) ==
                (ssize_t)file->checked &&
            dl_crc32c(0, first, file->checked) == file->sum);
}

static dl_status open_descriptor(dlc_collect_tracked *file, dl_error *err)
{
    struct stat st;

    if (file->fd >= 0) {
        return DL_OK;
    }
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file->fd < 0) {
        return dl_fail(err, errno == ENOENT ? DL_NOT_FOUND : DL_IO, errno,
                       "cannot open %s", file->path);
    }
    if (fstat(file->fd, &st) != 0 || st.st_dev != file->id.dev ||
        st.st_ino != file->id.ino) {
        dlc_collect_files_close(file);
        return dl_fail(err, DL_NOT_FOUND, 0, "%s is another file now",
                       file->path);
    }
    return DL_OK;
}

dl_status dlc_collect_files_open(dlc_collect_tracked *file, dl_error *err)
{
    struct stat st;

    DL_TRY(open_descriptor(file, err));
    if (fstat(file->fd, &st) != 0) {
        return dl_fail(err, DL_IO, errno, "cannot look at %s", file->path);
    }
    if (file->size != (uint64_t)st.st_size) {
        file->size = (uint64_t)st.st_size;
        file->grown_us = dl_time_monotonic_us();
    }
    if (file->size < file->offset || !dlc_collect_files_same(file)) {
        file->offset = 0;
        file->line = 1;
        file->skipping = false;
        file->checked = 0;
        file->sum = 0;
        file->anew = true;
    }
    return DL_OK;
}

void dlc_collect_files_aside(dlc_collect_files *files,
                             dlc_collect_tracked *file, dl_status status,
                             const dl_error *err)
{
    if (!file->failed) {
        dl_log(DL_LOG_ERROR,
               "DL0940 source %s: a file cannot be read and is tried again, "
               "the others go on: %s",
               files->source, err->text);
    }
    if (files->failed == DL_OK) {
        files->failed = status;
        files->why = *err;
    }
    dlc_collect_files_close(file);
    file->failed = true;
    file->until_us = dl_time_monotonic_us() + ASIDE_US;
}

dl_status dlc_collect_files_failed(const dlc_collect_files *files,
                                   dl_error *err)
{
    if (files->failed != DL_OK) {
        *err = files->why;
    }
    return files->failed;
}

void dlc_collect_files_close(dlc_collect_tracked *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
}

void dlc_collect_files_mark(dlc_collect_tracked *file)
{
    uint32_t n = file->offset < CHECKED ? (uint32_t)file->offset : CHECKED;
    char first[CHECKED];

    if (n > file->checked && pread(file->fd, first, n, 0) == (ssize_t)n) {
        file->checked = n;
        file->sum = dl_crc32c(0, first, n);
    }
}

void dlc_collect_files_tell(char item[DLC_COLLECT_ITEM],
                            char text[DLC_COLLECT_POSITION],
                            const dlc_collect_tracked *file)
{
    snprintf(item, DLC_COLLECT_ITEM, "%ju:%ju", (uintmax_t)file->id.dev,
             (uintmax_t)file->id.ino);
    snprintf(text, DLC_COLLECT_POSITION,
             "%" PRIu64 " %" PRIu64 " %d %" PRIu32 " %" PRIu32, file->offset,
             file->line, file->skipping ? 1 : 0, file->checked, file->sum);
}

bool dlc_collect_files_fresh(char item[DLC_COLLECT_ITEM],
                             char text[DLC_COLLECT_POSITION],
                             dlc_collect_files *files)
{
    for (int i = 0; i < files->n; i++) {
        dlc_collect_tracked *file = files->order[i];

        if (file->noted) {
            continue;
        }
        file->noted = true;
        if (file->offset == 0) {
            dlc_collect_files_tell(item, text, file);
            return true;
        }
    }
    return false;
}

bool dlc_collect_files_gone(char item[DLC_COLLECT_ITEM],
                            dlc_collect_files *files,
                            const dlc_collect_tracked *current)
{
    for (int i = 0; i < files->n; i++) {
        dlc_collect_tracked *file = files->order[i];
        char text[DLC_COLLECT_POSITION];

        if (file == current || file->found || !file->done) {
            continue;
        }
        dlc_collect_files_tell(item, text, file);
        apr_hash_set(files->known, &file->id, sizeof file->id, NULL);
        memmove(&files->order[i], &files->order[i + 1],
                (size_t)(files->n - i - 1) * sizeof(files->order[0]));
        files->n--;
        free_tracked(file);
        return true;
    }
    return false;
}

void dlc_collect_files_progress(int64_t *done, int64_t *total,
                                const dlc_collect_files *files)
{
    *done = 0;
    *total = 0;
    for (int i = 0; i < files->n; i++) {
        *done += (int64_t)files->order[i]->offset;
        *total += (int64_t)files->order[i]->size;
    }
}
