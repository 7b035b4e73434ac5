/* mdl_watcher.c - Reading of changes, refresh of accounts.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_watcher.h"

#include <stdatomic.h>

#include "dl_identity.h"
#include "dl_log.h"
#include "dl_time.h"
#include "mdl_account.h"
#include "mdl_metrics.h"
#include "mdl_turns.h"

/* Between two turns. */
#define TURN_MS 250

/* How far behind the newest change a change may still become visible. */
#define DISORDER_US (INT64_C(10) * DL_SECOND_US)

/* How far the first reading looks back: clocks of httpd's machine and of the
 * database may differ. */
#define FIRST_US (INT64_C(3600) * DL_SECOND_US)

/* Changes of one reading. */
#define PAGE 256

typedef struct watcher {
    mdl_mirror *mirror;
    mdl_wh_pool *pool;
    bool failing;  /* the last reading failed; logged once */
    int64_t after; /* id behind which the next page begins */
    dl_identity_change rows[PAGE];
    size_t n; /* rows of the page */
} watcher;

/* --- Reading -------------------------------------------------------------- */

/* What was seen is shared: the worker of the children that come after a
 * graceful restart must not forget accounts for changes of long ago, least of
 * all when the warehouse dies at that moment. */
static bool was_seen(mdl_mirror_watch *watch, int64_t id)
{
    uint32_t put = atomic_load(&watch->n_seen);
    uint32_t n = put < MDL_MIRROR_SEEN ? put : MDL_MIRROR_SEEN;
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (atomic_load_explicit(&watch->seen[i], memory_order_relaxed) == id) {
            return true;
        }
    }
    return false;
}

/* Remember that the change ID was applied. */
static void note_seen(mdl_mirror_watch *watch, int64_t id)
{
    uint32_t put = atomic_load(&watch->n_seen);

    atomic_store(&watch->seen[put % MDL_MIRROR_SEEN], id);
    atomic_store(&watch->n_seen, put + 1);
}

static dl_status read_page(struct dl_wh *wh, void *context, dl_error *err)
{
    watcher *w = context;
    dl_identity_changes page = {.rows = w->rows, .max = PAGE};
    dl_time newest = atomic_load(&mdl_mirror_watch_of(w->mirror)->newest_at);

    DL_TRY(dl_identity_changes_read(&page, wh, w->after, newest - DISORDER_US,
                                    err));
    w->n = page.n;
    return DL_OK;
}

/* Apply one change: refresh the account, or forget it where that fails. */
static void apply_change(watcher *w, const dl_identity_change *change)
{
    mdl_mirror_watch *watch = mdl_mirror_watch_of(w->mirror);
    mdl_account account;
    dl_error err;

    mdl_mirror_change(w->mirror);
    if (mdl_mirror_drop(w->mirror, change->user_id)) {
        /* Forgotten is enough when this fails: the next request looks up. */
        (void)!mdl_account_load(&account, w->mirror, w->pool, change->user_id,
                                &err);
    }
    note_seen(watch, change->id);
    if (change->at > atomic_load(&watch->newest_at)) {
        atomic_store(&watch->newest_at, change->at);
    }
}

/* Read and apply all new changes. */
static dl_status catch_up(watcher *w, dl_error *err)
{
    mdl_mirror_watch *watch = mdl_mirror_watch_of(w->mirror);
    size_t i;

    w->after = 0;
    do {
        DL_TRY(mdl_wh_read(w->pool, read_page, w, err));
        for (i = 0; i < w->n; i++) {
            if (!was_seen(watch, w->rows[i].id)) {
                apply_change(w, &w->rows[i]);
            }
            w->after = w->rows[i].id;
        }
    } while (w->n == PAGE);
    return DL_OK;
}

static void take_turn(void *context)
{
    watcher *w = context;
    mdl_mirror_watch *watch = mdl_mirror_watch_of(w->mirror);
    int64_t never = 0;
    dl_error err;

    if (!mdl_election_hold(&watch->election)) {
        return;
    }
    (void)atomic_compare_exchange_strong(&watch->newest_at, &never,
                                         dl_time_now() - FIRST_US);
    if (catch_up(w, &err) == DL_OK) {
        mdl_mirror_touch(w->mirror);
        if (w->failing) {
            dl_log(DL_LOG_NOTICE, "DL1021 changes of accounts are read again");
        }
        w->failing = false;
        return;
    }
    if (!w->failing) {
        dl_log(DL_LOG_WARNING,
               "DL1020 changes of accounts cannot be read, known accounts go "
               "on for DataLakeIdentityMaxStale: %s",
               err.text);
    }
    w->failing = true;
}

/* --- The thread ----------------------------------------------------------- */

static void resign(void *context)
{
    const watcher *w = context;

    mdl_election_resign(&mdl_mirror_watch_of(w->mirror)->election);
}

dl_status mdl_watcher_start(mdl_mirror *mirror, mdl_wh_pool *pool,
                            dl_error *err, apr_pool_t *child_pool)
{
    watcher *w = apr_pcalloc(child_pool, sizeof *w);
    mdl_turns_work work = {.name = "watches accounts",
                           .every_ms = TURN_MS,
                           .turn = take_turn,
                           .stop = resign,
                           .context = w};

    w->mirror = mirror;
    w->pool = pool;
    return mdl_turns_start(&work, err, child_pool);
}
