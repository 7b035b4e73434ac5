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

static dl_status exchange_if_recorded(const dl_lake_manifest *m,
                                      const dl_lake_io *io, int data,
                                      int compact, dl_day day, dl_error *err)
{
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    const dl_lake_part *first;
    uint64_t prepared;
    uint64_t standing;

    if (dl_lake_manifest_day(&first, m, day) == 0 ||
        first->state != DL_LAKE_PART_WHOLE) {
        return DL_OK;
    }
    dl_lake_day_folder(folder, day);
    dl_lake_part_name(name, first);
    DL_TRY(size_of(&prepared, io, compact, folder, name, err));
    DL_TRY(size_of(&standing, io, data, folder, name, err));
    if (prepared == first->bytes && standing != first->bytes) {
        DL_TRY(dl_lake_exchange(io, compact, data, folder, err));
        DL_LAKE_CRASH("compact-exchanged");
        dl_lake_dir_sync(io, data, folder);
        dl_lake_dir_sync(io, compact, folder);
    }
    return DL_OK;
}

dl_status dl_lake_compact_roll(const dl_lake_manifest *m,
                               const dl_lake_manifest_place *place, int data,
                               int compact, dl_error *err)
{
    const dl_lake_io *io = place->io;
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
            status = exchange_if_recorded(m, io, data, compact, day, err);
            if (status == DL_OK) {
                status = dl_lake_folder_remove(io, compact, name, err);
            }
        }
    }
    closedir(dir);
    return status;
}
