/* dl_lake_retire_aside.c - Files of quarantine that were kept for long enough.
 *
 * FORMAT.md 7.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_retention.h"

#include "dl_lake_format.h"
#include "dl_lake_io.h"
#include "dl_lake_part.h"
#include "dl_lake_quarantine.h"
#include "dl_lake_reading.h"

/* A file that is being looked at. */
typedef struct old_file {
    uint64_t number;  /* 0: none yet */
    uint64_t records; /* set aside in it, so far */
} old_file;

/* Remove the files from L to before NUMBER, and count what was in them. */
static dl_status leave(dl_lake_gone_aside *gone, const old_file *l,
                       uint64_t number, const dl_lake_snapshot *snap,
                       dl_error *err)
{
    const dl_lake_io *io = dl_lake_calls(snap->lake);
    int folder;

    gone->records += l->records;
    gone->files += number - l->number;
    if (gone->dry_run) {
        return DL_OK;
    }
    DL_TRY(dl_lake_dir_open(&folder, io, snap->dataset->meta,
                            DL_LAKE_QUARANTINE, 0, err));
    for (uint64_t i = l->number; i < number; i++) {
        char name[DL_LAKE_PATH_MAX];
        dl_status status;

        dl_lake_number_name(name, i);
        status = dl_lake_remove(io, folder, name, 0, err);
        if (status != DL_OK) {
            io->close(folder);
            return status;
        }
    }
    io->close(folder);
    return DL_OK;
}

/* Walk over the files of WALK, from the first on, until one has a record that
 * is not old. */
static dl_status look(dl_lake_gone_aside *gone, dl_lake_quarantine_walk *walk,
                      const dl_lake_snapshot *snap, dl_error *err)
{
    const uint64_t current = snap->shared->view.quarantine.number;
    old_file l = {0, 0};
    dl_lake_set_aside q;

    for (;;) {
        DL_TRY(dl_lake_quarantine_next(&q, walk, err));
        if (q.payload == NULL) {
            return l.number > 0 && l.number < current
                       ? leave(gone, &l, current, snap, err)
                       : DL_OK;
        }
        if (l.number > 0 && q.here.number > l.number) {
            DL_TRY(leave(gone, &l, q.here.number, snap, err));
            l.number = 0;
        }
        if (q.here.number >= current ||
            (q.coord.time != DL_TIME_NONE && q.coord.time >= gone->before)) {
            return DL_OK;
        }
        l.records = l.number == 0 ? 1 : l.records + 1;
        l.number = q.here.number;
    }
}

dl_status dl_lake_retire_aside(dl_lake_gone_aside *gone, dl_lake *lake,
                               const char *dataset, dl_error *err,
                               apr_pool_t *scratch_pool)
{
    dl_lake_quarantine_walk *walk;
    dl_lake_snapshot *snap;

    gone->files = gone->records = 0;
    DL_TRY(dl_lake_snapshot_open(&snap, lake, dataset, err, scratch_pool));
    DL_TRY(dl_lake_quarantine_open(&walk, snap, NULL, err, scratch_pool));
    return look(gone, walk, snap, err);
}
