/* dl_lake_files.c - Paths of a day's parts, trails and indexes.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_files.h"

#include <inttypes.h>

#include <fcntl.h>
#include <sys/stat.h>

#include <apr_strings.h>

#include "dl_lake_reading.h"

const char *dl_lake_part_state_name(dl_lake_part_state state)
{
    static const char *const names[] = {"open", "sealed", "listed", "whole",
                                        "cold"};

    return names[state];
}

/* Set the path of the lines of FILES. */
static void set_data(dl_lake_files *files, const char *dataset,
                     apr_pool_t *pool)
{
    const dl_lake_part *part = &files->part;
    char folder[DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];

    dl_lake_part_name(name, part);
    dl_lake_day_folder(folder, part->day);
    files->data =
        part->state <= DL_LAKE_PART_SEALED
            ? apr_pstrcat(pool, DL_LAKE_META, "/", dataset, "/" DL_LAKE_OPEN,
                          "/", name, NULL)
            : apr_pstrcat(pool, dataset, "/", folder, "/", name, NULL);
}

/* Set the index of FILES in META, the folder of DATASET, to idx/UID.SUFFIX if
 * that is there. */
static void look_for_index(dl_lake_files *files, int meta, const char *dataset,
                           const char *suffix, apr_pool_t *pool)
{
    const char *name = apr_psprintf(pool, DL_LAKE_IDX "/%016" PRIx64 ".%s",
                                    files->part.uid, suffix);
    struct stat st;

    if (fstatat(meta, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode)) {
        files->index =
            apr_pstrcat(pool, DL_LAKE_META, "/", dataset, "/", name, NULL);
        files->index_bytes = (uint64_t)st.st_size;
    }
}

static void set_rest(dl_lake_files *files, const dl_lake_dataset *dataset,
                     apr_pool_t *pool)
{
    char name[DL_LAKE_PATH_MAX];

    dl_lake_trail_name(name, files->part.uid);
    files->trail = apr_pstrcat(pool, DL_LAKE_META, "/", dataset->name,
                               "/" DL_LAKE_IDX, "/", name, NULL);
    look_for_index(files, dataset->meta, dataset->name, "index", pool);
    if (files->index == NULL) {
        look_for_index(files, dataset->meta, dataset->name, "grow", pool);
    }
}

dl_status dl_lake_day_files(const dl_lake_files **files, int *n,
                            dl_lake_snapshot *snap, dl_day day, dl_error *err,
                            apr_pool_t *result_pool)
{
    const dl_lake_part *parts;
    dl_lake_files *all;
    dl_lake_day found;
    int i;

    DL_TRY(dl_lake_day_find(&found, snap, day, err));
    dl_lake_day_parts(&parts, n, snap, day, result_pool);
    all = apr_pcalloc(result_pool, (size_t)*n * sizeof *all);
    for (i = 0; i < *n; i++) {
        all[i].part = parts[i];
        set_data(&all[i], snap->dataset->name, result_pool);
        set_rest(&all[i], snap->dataset, result_pool);
    }
    *files = all;
    return DL_OK;
}

dl_time dl_lake_day_begun(dl_lake_snapshot *snap, dl_day day,
                          apr_pool_t *scratch_pool)
{
    const dl_lake_part *parts;
    int n;

    dl_lake_day_parts(&parts, &n, snap, day, scratch_pool);
    return n > 0 ? parts[0].first_commit_ms * 1000 : DL_TIME_NONE;
}
