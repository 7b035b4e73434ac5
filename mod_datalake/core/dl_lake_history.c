/* dl_lake_history.c - From commit to commit through the trails of a day.
 *
 * The place is counted in versions of the whole day, so that parts may be
 * joined under the walk: a joined trail has the same commits.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_lake_history.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "dl_lake_reading.h"
#include "dl_lake_trail.h"

/* Times that trails may move on while one is opened. */
#define TRIES 20

struct dl_lake_history {
    dl_lake_snapshot *snap;     /* what the end comes from */
    dl_lake_snapshot *layout;   /* where the trails are now */
    apr_pool_t *layout_pool;    /* for it and its parts */
    dl_day day;                 /* whose versions */
    uint64_t last;              /* the newest version to give */
    dl_time since;              /* the oldest time to give */
    dl_lake_day_version at;     /* the version given or passed over last */
    const dl_lake_part *parts;  /* of the layout */
    int n_parts;                /* entries of it */
    int part;                   /* the one being read, -1: none yet */
    dl_lake_day_version before; /* sums of the parts before it */
    int fd;                     /* its trail, -1: closed */
    dl_lake_trail_walk walk;    /* over its trail */
};

static void close_trail(dl_lake_history *h)
{
    if (h->fd >= 0) {
        dl_lake_calls(h->snap->lake)->close(h->fd);
    }
    h->fd = -1;
}

static apr_status_t close_history(void *context)
{
    close_trail(context);
    return APR_SUCCESS;
}

/* Open the trail of PART.  DL_NOT_FOUND: it was joined with others. */
static dl_status open_trail(dl_lake_history *h, const dl_lake_part *part,
                            dl_error *err)
{
    const dl_lake_io *io = dl_lake_calls(h->snap->lake);
    char path[3 * DL_LAKE_PATH_MAX];
    char name[DL_LAKE_PATH_MAX];

    close_trail(h);
    dl_lake_trail_name(name, part->uid);
    snprintf(path, sizeof path, "%s/%s", DL_LAKE_IDX, name);
    DL_TRY(dl_lake_file_open(&h->fd, io, h->snap->dataset->meta, path, O_RDONLY,
                             err));
    h->walk.fd = h->fd;
    h->walk.part = *part;
    return DL_OK;
}

/* --- Which part ----------------------------------------------------------- */

/* Whether PART ends before what is wanted. */
static bool is_passed(const dl_lake_history *h, const dl_lake_part *part)
{
    return h->before.version + part->commits <= h->at.version ||
           part->last_commit_ms * 1000 < h->since;
}

static void pass_part(dl_lake_history *h, const dl_lake_part *part)
{
    h->before.version += part->commits;
    h->before.records += part->records;
    h->before.bytes += part->bytes;
}

/* Move the walk, which stands before its trail, to about where what is wanted
 * begins. */
static dl_status seek(dl_lake_history *h, dl_error *err)
{
    uint64_t passed = h->at.version - h->before.version;

    if (h->at.version > h->before.version) {
        return dl_lake_trail_seek(&h->walk, DL_LAKE_BY_COMMITS, passed + 1,
                                  err);
    }
    return dl_lake_trail_seek(
        &h->walk, DL_LAKE_BY_MS,
        h->since > 0 ? (uint64_t)((h->since + 999) / 1000) : 0, err);
}

/* Stand in the first part that has something wanted; its number is n_parts
 * when there is none. */
static dl_status find_part(dl_lake_history *h, dl_error *err)
{
    dl_lake_day_parts(&h->parts, &h->n_parts, h->layout, h->day,
                      h->layout_pool);
    h->before = (dl_lake_day_version){.version = 0};
    for (h->part = 0; h->part < h->n_parts && is_passed(h, &h->parts[h->part]);
         h->part++) {
        pass_part(h, &h->parts[h->part]);
    }
    if (h->part == h->n_parts) {
        return DL_OK;
    }
    if (h->at.version < h->before.version) {
        h->at = h->before;
    }
    DL_TRY(open_trail(h, &h->parts[h->part], err));
    return seek(h, err);
}

static dl_status take_layout(dl_lake_history *h, dl_error *err)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    nanosleep(&moment, NULL);
    apr_pool_clear(h->layout_pool);
    h->layout = h->snap;
    return dl_lake_snapshot_open(&h->layout, h->snap->lake,
                                 h->snap->dataset->name, err, h->layout_pool);
}

static dl_status go_on(dl_lake_history *h, dl_error *err)
{
    dl_status status = find_part(h, err);
    int tries;

    for (tries = 0; tries < TRIES && status == DL_NOT_FOUND; tries++) {
        DL_TRY(take_layout(h, err));
        status = find_part(h, err);
    }
    if (status == DL_NOT_FOUND) {
        return dl_fail(err, DL_CORRUPT, 0, "a trail of the day is missing");
    }
    return status;
}

/* --- The walk ------------------------------------------------------------- */

dl_status dl_lake_history_open(dl_lake_history **history,
                               dl_lake_snapshot *snap, dl_day day,
                               dl_time since, dl_error *err,
                               apr_pool_t *result_pool)
{
    dl_lake_history *h;
    dl_lake_day all;

    DL_TRY(dl_lake_day_find(&all, snap, day, err));
    h = apr_pcalloc(result_pool, sizeof *h);
    h->snap = h->layout = snap;
    h->day = day;
    h->last = all.version;
    h->since = since;
    h->fd = h->part = -1;
    apr_pool_create(&h->layout_pool, result_pool);
    dl_lake_trail_begin(&h->walk, dl_lake_calls(snap->lake), -1,
                        &(dl_lake_part){.uid = 0}, result_pool);
    apr_pool_cleanup_register(result_pool, h, close_history,
                              apr_pool_cleanup_null);
    *history = h;
    return DL_OK;
}

/* Set *FOUND to whether the part at hand has one more commit, and h->at to
 * it. */
static dl_status next_in_part(bool *found, dl_lake_history *h, dl_error *err)
{
    dl_lake_trail_entry entry = {.ends_commit = false};

    *found = h->part >= 0 && h->part < h->n_parts;
    while (*found && !entry.ends_commit) {
        DL_TRY(dl_lake_trail_next(&entry, found, &h->walk, err));
    }
    if (*found) {
        h->at.version = h->before.version + h->walk.commits;
        h->at.time = entry.ms * 1000;
        h->at.records = h->before.records + h->walk.records;
        h->at.bytes = h->before.bytes + h->walk.bytes;
    }
    return DL_OK;
}

dl_status dl_lake_history_next(dl_lake_day_version *commit, bool *found,
                               dl_lake_history *h, dl_error *err)
{
    uint64_t given = h->at.version;

    while (h->at.version < h->last) {
        DL_TRY(next_in_part(found, h, err));
        if (!*found) {
            DL_TRY(go_on(h, err));
            if (h->part == h->n_parts) {
                break;
            }
            given = given < h->at.version ? h->at.version : given;
        }
        else if (h->at.version > given && h->at.time >= h->since) {
            *commit = h->at;
            return DL_OK;
        }
    }
    *found = false;
    return DL_OK;
}
