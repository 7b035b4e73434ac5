/* dl_lake_idx.c - Listing idx/.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_idx.h"

#include "dl_lake_format.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

/* Hexadecimal digits of a uid in a name. */
#define UID_DIGITS 16

/* Suffixes in order of dl_lake_idx_kind. */
static const char *const suffixes[] = {".trail", ".index", ".index.new",
                                       ".grow", ".frames"};

static void parse(dl_lake_idx_file *file, const char *name)
{
    size_t i;

    file->uid = 0;
    file->kind = DL_LAKE_IDX_OTHER;
    if (strspn(name, "0123456789abcdef") != UID_DIGITS) {
        return;
    }
    for (i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (strcmp(name + UID_DIGITS, suffixes[i]) == 0) {
            file->uid = strtoull(name, NULL, 16);
            file->kind = (dl_lake_idx_kind)i;
        }
    }
}

static int compare(const void *a, const void *b)
{
    const dl_lake_idx_file *x = a;
    const dl_lake_idx_file *y = b;

    if (x->uid != y->uid) {
        return x->uid < y->uid ? -1 : 1;
    }
    return (int)x->kind - (int)y->kind;
}

dl_status dl_lake_idx_read(dl_lake_idx *idx, const dl_lake_io *io, int meta,
                           dl_error *err, apr_pool_t *pool)
{
    apr_array_header_t *files =
        apr_array_make(pool, 64, (int)sizeof(dl_lake_idx_file));
    struct dirent *entry;
    DIR *dir;
    int fd;

    DL_TRY(dl_lake_dir_open(&fd, io, meta, DL_LAKE_IDX, 0, err));
    dir = fdopendir(fd);
    if (dir == NULL) {
        io->close(fd);
        return dl_fail(err, DL_IO, errno, "cannot list %s", DL_LAKE_IDX);
    }
    while ((entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        if (entry->d_name[0] != '.') {
            dl_lake_idx_file *file = apr_array_push(files);

            parse(file, entry->d_name);
            file->name = apr_pstrdup(pool, entry->d_name);
        }
    }
    closedir(dir);
    idx->n = files->nelts;
    idx->files = (dl_lake_idx_file *)(void *)files->elts;
    if (idx->n > 0) {
        qsort(idx->files, (size_t)idx->n, sizeof *idx->files, compare);
    }
    return DL_OK;
}

bool dl_lake_idx_has(const dl_lake_idx *idx, uint64_t uid,
                     dl_lake_idx_kind kind)
{
    const dl_lake_idx_file wanted = {.uid = uid, .kind = kind};

    return idx->n > 0 && bsearch(&wanted, idx->files, (size_t)idx->n,
                                 sizeof *idx->files, compare) != NULL;
}
