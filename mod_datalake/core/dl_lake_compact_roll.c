/* dl_lake_compact_roll.c - Finishing compactions that were cut short.
 *
 * FORMAT.md 12, last paragraph.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_compact_roll.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* The size of NAME in the folder FOLDER of DIR, 0 when it is not there. */
static dl_status size_of(uint64_t *size, const dl_lake_io *io, int dir,
                         const char *folder, const char *name, dl_error *err)
{
    char path[2 * DL_LAKE_PATH_MAX];
    dl_status status;
    int fd;

    *size = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    status = dl_lake_file_open(&fd, io, dir, path, O_RDONLY, err);
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    status = dl_lake_file_size(size, io, fd, err);
    io->close(fd);
    return status;
}

dl_status dl_lake_folder_remove(const dl_lake_io *io, int above,
                                const char *folder, dl_error *err)
{
    struct dirent *entry;
    dl_status status;
    DIR *dir;
    int fd;

    status = dl_lake_dir_open(&fd, io, above, folder, 0, err);
    if (status == DL_NOT_FOUND) {
        return DL_OK;
    }
    DL_TRY(status);
    dir = fdopendir(fd);
    if (dir == NULL) {
        io->close(fd);
        return dl_fail(err, DL_IO, errno, "cannot list %s", folder);
    }
    while (status == DL_OK &&
           (entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        if (strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            status = dl_lake_remove(io, dirfd(dir), entry->d_name, 0, err);
        }
    }
    closedir(dir);
    DL_TRY(status);
    return dl_lake_remove(io, above, folder, AT_REMOVEDIR, err);
}

/* Where folders were prepared or moved to, and what the manifest says. */
typedef struct rolling {
    const dl_lake_manifest *m; /* the manifest */
    const dl_lake_io *io;      /* system calls */
    int data;                  /* folder DATASET */
    int compact;               /* folder compact/ */
} rolling;

/* Put the folder of a day back whose removal was not recorded: the manifest
 * has the day, and nothing stands in its place.  *BACK: done. */
static dl_status put_back(bool *back, const rolling *r, dl_day day,
                          dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    const dl_lake_part *first;
    dl_error ignored;
    uint64_t moved;

    *back = false;
    if (dl_lake_manifest_day(&first, r->m, day) == 0) {
        return DL_OK;
    }
    dl_lake_day_folder(folder, day);
    dl_lake_part_name(name, first);
    DL_TRY(size_of(&moved, r->io, r->compact, folder, name, err));
    /* a rename over a folder with files in it fails: those are the day's */
    if (moved > 0 && dl_lake_rename(r->io, r->compact, folder, r->data, folder,
                                    &ignored) == DL_OK) {
        *back = true;
        dl_lake_dir_sync(r->io, r->data, folder);
        dl_lake_dir_sync(r->io, r->compact, folder);
    }
    return DL_OK;
}

static dl_status exchange_if_recorded(const rolling *r, dl_day day,
                                      dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    const dl_lake_part *first;
    uint64_t prepared;
    uint64_t standing;

    if (dl_lake_manifest_day(&first, r->m, day) == 0 ||
        !dl_lake_part_is_whole(first)) {
        return DL_OK;
    }
    dl_lake_day_folder(folder, day);
    dl_lake_part_name(name, first);
    DL_TRY(size_of(&prepared, r->io, r->compact, folder, name, err));
    DL_TRY(size_of(&standing, r->io, r->data, folder, name, err));
    if (prepared == dl_lake_part_file_bytes(first) &&
        standing != dl_lake_part_file_bytes(first)) {
        DL_TRY(dl_lake_exchange(r->io, r->compact, r->data, folder, err));
        DL_LAKE_CRASH("compact-exchanged");
        dl_lake_dir_sync(r->io, r->data, folder);
        dl_lake_dir_sync(r->io, r->compact, folder);
    }
    return DL_OK;
}

/* Finish with the folder of DAY in COMPACT, whatever left it there. */
static dl_status settle(const rolling *r, dl_day day, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    bool back;

    DL_TRY(put_back(&back, r, day, err));
    if (back) {
        return DL_OK;
    }
    DL_TRY(exchange_if_recorded(r, day, err));
    dl_lake_day_folder(folder, day);
    return dl_lake_folder_remove(r->io, r->compact, folder, err);
}

dl_status dl_lake_compact_roll(const dl_lake_manifest *m,
                               const dl_lake_manifest_place *place, int data,
                               int compact, dl_error *err)
{
    const dl_lake_io *io = place->io;
    const rolling r = {.m = m, .io = io, .data = data, .compact = compact};
    dl_status status = DL_OK;
    struct dirent *entry;
    dl_day day;
    DIR *dir;
    int fd;

    DL_TRY(dl_lake_dir_open(&fd, io, compact, ".", 0, err));
    dir = fdopendir(fd);
    if (dir == NULL) {
        io->close(fd);
        return dl_fail(err, DL_IO, errno, "cannot list %s", DL_LAKE_COMPACT);
    }
    while (status == DL_OK &&
           (entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        const char *name = entry->d_name;

        if (strncmp(name, "dt=", 3) == 0 &&
            dl_day_parse(&day, name + 3, strlen(name + 3))) {
            status = settle(&r, day, err);
        }
    }
    closedir(dir);
    return status;
}
