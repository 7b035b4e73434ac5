/* dl_lake_fsck_folders.c - Checking quarantine, and that nothing strange lies
 * about.
 *
 * FORMAT.md 2, 7 and 16.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_checking.h"
#include "dl_lake_idx.h"
#include "dl_lake_quarantine.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Quarantine ----------------------------------------------------------- */

/* What the walk over quarantine gave. */
typedef struct aside_seen {
    uint64_t rejects[DL_LAKE_REASONS]; /* by reason */
    uint64_t frames;                   /* in the current file */
} aside_seen;

static dl_status walk_quarantine(aside_seen *seen, dl_lake_checking *c,
                                 dl_error *err, apr_pool_t *pool)
{
    dl_lake_snapshot *snap;
    dl_lake_quarantine_walk *walk;
    dl_lake_set_aside q;
    dl_lake *lake;

    DL_TRY(dl_lake_open(&lake, c->check->root, err, pool));
    DL_TRY(dl_lake_snapshot_open(&snap, lake, c->check->dataset, err, pool));
    DL_TRY(dl_lake_quarantine_open(&walk, snap, NULL, err, pool));
    dl_lake_quarantine_with_repeats(walk);
    DL_TRY(dl_lake_quarantine_next(&q, walk, err));
    while (q.payload != NULL) {
        seen->frames += q.next.number == c->state->quarantine.number;
        if (q.repeats == 0) {
            seen->rejects[q.reason]++;
            c->found->rejects++;
        }
        DL_TRY(dl_lake_quarantine_next(&q, walk, err));
    }
    return DL_OK;
}

void dl_lake_check_quarantine(dl_lake_checking *c, apr_pool_t *scratch_pool)
{
    const dl_lake_quarantine *q = &c->state->quarantine;
    char path[DL_LAKE_NAME_MAX + 2 * DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    aside_seen seen;

    if (q->number == 0) {
        return;
    }
    memset(&seen, 0, sizeof seen);
    dl_lake_number_name(name, q->number);
    snprintf(path, sizeof path, DL_LAKE_META "/%s/" DL_LAKE_QUARANTINE "/%s",
             c->check->dataset, name);
    if (walk_quarantine(&seen, c, &err, scratch_pool) != DL_OK) {
        dl_lake_complain(c, path, "%s", err.text);
        return;
    }
    if (c->alive || !c->has_view || c->view.lsn != c->state->lsn) {
        return; /* the walk saw another moment than the journal */
    }
    if (seen.frames != q->frames) {
        dl_lake_complain(c, path, "%llu frames, %llu were committed",
                         (unsigned long long)seen.frames,
                         (unsigned long long)q->frames);
    }
    if (memcmp(seen.rejects, c->state->rejects, sizeof seen.rejects) != 0) {
        dl_lake_complain(c, path, "the reasons do not add up to the totals");
    }
}

/* --- Folders -------------------------------------------------------------- */

/* Whether FILE is a part that M or the journal has in the folder of DAY. */
static bool is_known(const dl_lake_checking *c, dl_day day, const char *file)
{
    char name[DL_LAKE_PATH_MAX];
    const dl_lake_part *part;
    int n = dl_lake_manifest_day(&part, c->manifest, day);

    for (; n > 0; n--, part++) {
        dl_lake_part_name(name, part);
        if (strcmp(name, file) == 0) {
            return true;
        }
    }
    part = c->has_state ? dl_lake_state_find(c->state, day) : NULL;
    if (part == NULL || part->state != DL_LAKE_PART_SEALED) {
        return false;
    }
    dl_lake_part_name(name, part);
    return strcmp(name, file) == 0;
}

/* Whether the day's folder waits for its exchange (FORMAT.md 12). */
static bool is_pending(const dl_lake_checking *c, const char *folder)
{
    char path[512];
    dl_error err = {.status = DL_OK};
    int fd;

    snprintf(path, sizeof path, DL_LAKE_COMPACT "/%s", folder);
    if (dl_lake_dir_open(&fd, c->io, c->meta, path, 0, &err) != DL_OK) {
        return false;
    }
    c->io->close(fd);
    return true;
}

static void check_day(dl_lake_checking *c, dl_day day, const char *folder)
{
    char path[DL_LAKE_NAME_MAX + 512];
    dl_error err = {.status = DL_OK};
    struct dirent *entry;
    DIR *dir;
    int fd;

    if (is_pending(c, folder)) {
        return;
    }
    if (dl_lake_dir_open(&fd, c->io, c->data, folder, 0, &err) != DL_OK) {
        dl_lake_complain(c, folder, "%s", err.text);
        return;
    }
    dir = fdopendir(fd);
    if (dir == NULL) {
        c->io->close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        if (entry->d_name[0] != '.' && !is_known(c, day, entry->d_name)) {
            snprintf(path, sizeof path, "%s/%.60s/%.250s", c->check->dataset,
                     folder, entry->d_name);
            dl_lake_complain(c, path, "no manifest names this file");
        }
    }
    closedir(dir);
}

/* Names in idx/.  Trails and indexes of parts that are gone may lie there for
 * a while: a kill has left them (FORMAT.md 13). */
static void check_idx(dl_lake_checking *c, apr_pool_t *pool)
{
    char path[2 * DL_LAKE_NAME_MAX + DL_LAKE_PATH_MAX];
    dl_error err = {.status = DL_OK};
    dl_lake_idx idx;
    int i;

    if (dl_lake_idx_read(&idx, c->io, c->meta, &err, pool) != DL_OK) {
        dl_lake_complain(c, DL_LAKE_IDX, "%s", err.text);
        return;
    }
    for (i = 0; i < idx.n; i++) {
        if (idx.files[i].kind == DL_LAKE_IDX_OTHER) {
            snprintf(path, sizeof path,
                     DL_LAKE_META "/%s/" DL_LAKE_IDX "/%.120s",
                     c->check->dataset, idx.files[i].name);
            dl_lake_complain(c, path, "no file of a lake is called so");
        }
    }
}

void dl_lake_check_folders(dl_lake_checking *c, apr_pool_t *scratch_pool)
{
    dl_error err = {.status = DL_OK};
    struct dirent *entry;
    dl_day day;
    DIR *dir;
    int fd;

    if (c->alive ||
        dl_lake_dir_open(&fd, c->io, c->data, ".", 0, &err) != DL_OK) {
        return; /* a living writer moves files while we look */
    }
    check_idx(c, scratch_pool);
    dir = fdopendir(fd);
    if (dir == NULL) {
        c->io->close(fd);
        return;
    }
    while ((entry = readdir(dir)) != NULL) { /* NOLINT: DIR is ours alone */
        const char *name = entry->d_name;

        if (name[0] == '.') {
            continue;
        }
        if (strncmp(name, "dt=", 3) == 0 &&
            dl_day_parse(&day, name + 3, strlen(name + 3))) {
            check_day(c, day, name);
        }
        else {
            dl_lake_complain(c, name, "no file of a lake is called so");
        }
    }
    closedir(dir);
}
