/* mdl_web.c - Reading the folder of the viewers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_web.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_log.h"

/* The viewers are ten files of two megabytes at most. */
#define WEB_FILES    64
#define WEB_FILE_MAX ((off_t)8 * 1024 * 1024)

/* What a name ends in, and what it then is. */
static const struct {
    const char *suffix;
    const char *type;
    bool page;
} types[] = {{".html", "text/html; charset=utf-8", true},
             {".js", "text/javascript; charset=utf-8", false},
             {".css", "text/css; charset=utf-8", false},
             {".png", "image/png", false},
             {".svg", "image/svg+xml", false},
             {".woff2", "font/woff2", false}};

#define N_TYPES (sizeof types / sizeof types[0])

/* The place of NAME's type, N_TYPES when it has none. */
static size_t type_of(const char *name)
{
    size_t len = strlen(name);
    size_t i;

    for (i = 0; i < N_TYPES; i++) {
        size_t n = strlen(types[i].suffix);

        if (len > n && strcmp(name + len - n, types[i].suffix) == 0) {
            break;
        }
    }
    return i;
}

/* Whether NAME is of letters, digits, '.', '_' and '-', and not hidden. */
static bool is_plain(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return *name != '.' && name[strspn(name, plain)] == '\0';
}

/* Read the LEN bytes of FD; false when there are fewer. */
static bool read_all(char *data, int fd, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = read(fd, data + done, len - done);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

/* Fill FILE from the open FD; false when it is no file that can be served. */
static bool fill_file(mdl_web_file *file, int fd, apr_pool_t *pool)
{
    struct stat info;
    char *data;

    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 ||
        info.st_size > WEB_FILE_MAX) {
        return false;
    }
    file->len = (size_t)info.st_size;
    data = apr_palloc(pool, file->len);
    file->data = data;
    if (!read_all(data, fd, file->len)) {
        return false;
    }
    mdl_answer_etag(file->etag, data, file->len);
    return true;
}

/* Add the file NAME of the open FOLDER_FD to FILES, if it can be served. */
static void add_file(apr_array_header_t *files, int folder_fd, const char *name,
                     apr_pool_t *pool)
{
    size_t type = type_of(name);
    mdl_web_file file = {.name = NULL};
    int fd;

    if (type == N_TYPES || !is_plain(name) || files->nelts == WEB_FILES) {
        return;
    }
    fd =
        openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    file.name = apr_pstrdup(pool, name);
    file.type = types[type].type;
    file.page = types[type].page;
    if (fill_file(&file, fd, pool)) {
        APR_ARRAY_PUSH(files, mdl_web_file) = file;
    }
    close(fd);
}

static void read_folder(mdl_web *web, const char *folder, apr_pool_t *pool)
{
    apr_array_header_t *files = apr_array_make(pool, 16, sizeof(mdl_web_file));
    DIR *open_folder = opendir(folder);
    const struct dirent *entry;

    if (open_folder == NULL) {
        dl_log(DL_LOG_WARNING,
               "DL1200 %s cannot be read: there are no pages to show the API",
               folder);
        return;
    }
    /* The stream is ours alone, which is all readdir asks for. */
    while ((entry = readdir(open_folder)) != /* NOLINT(concurrency-mt-unsafe) */
           NULL) {
        add_file(files, dirfd(open_folder), entry->d_name, pool);
    }
    closedir(open_folder);
    web->n = files->nelts;
    web->files = (const mdl_web_file *)files->elts;
}

const mdl_web *mdl_web_load(const char *folder, apr_pool_t *pool)
{
    const char *key = apr_pstrcat(pool, "mdl_web ", folder, NULL);
    mdl_web *web;
    void *known = NULL;

    if (apr_pool_userdata_get(&known, key, pool) == APR_SUCCESS &&
        known != NULL) {
        return known;
    }
    web = apr_pcalloc(pool, sizeof *web);
    read_folder(web, folder, pool);
    (void)apr_pool_userdata_setn(web, key, NULL, pool);
    return web;
}

const mdl_web_file *mdl_web_find(const mdl_web *web, const char *name)
{
    int i;

    for (i = 0; i < web->n; i++) {
        if (strcmp(web->files[i].name, name) == 0) {
            return &web->files[i];
        }
    }
    return NULL;
}
