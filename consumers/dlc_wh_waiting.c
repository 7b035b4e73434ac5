/* dlc_wh_waiting.c - Rows of the outbox less those of the lake.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_waiting.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "dl_array.h"
#include "dl_statements.h"

/* An event without a number comes behind all that have one, which are
 * microseconds since 1970. */
#define UNNUMBERED (INT64_C(1) << 62)

/* An event in the table. */
typedef struct place {
    int64_t row; /* its key there */
    int64_t id;  /* its place in the order */
} place;

struct dlc_wh_waiting {
    const char *topic;         /* whose */
    int64_t *stored;           /* numbers of the lake's, malloc */
    size_t n_stored, r_stored; /* of them; room */
    bool sorted;               /* they are */
    int64_t *taken;            /* rows, increasing, malloc */
    size_t n_taken, r_taken;   /* likewise */
    place *fresh;              /* read last, malloc */
    size_t n_fresh, r_fresh;   /* likewise */
};

static apr_status_t free_waiting(void *data)
{
    dlc_wh_waiting *w = data;

    free(w->stored);
    free(w->taken);
    free(w->fresh);
    return APR_SUCCESS;
}

dlc_wh_waiting *dlc_wh_waiting_create(const char *topic, apr_pool_t *pool)
{
    dlc_wh_waiting *w = apr_pcalloc(pool, sizeof *w);

    w->topic = topic;
    apr_pool_cleanup_register(pool, w, free_waiting, apr_pool_cleanup_null);
    return w;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static bool has(const int64_t *sorted, size_t n, int64_t value)
{
    return n > 0 && bsearch(&value, sorted, n, sizeof *sorted, compare) != NULL;
}

void dlc_wh_waiting_stored(dlc_wh_waiting *waiting, int64_t id)
{
    dlc_wh_waiting *w = waiting;

    w->stored = dl_array_room(w->stored, &w->r_stored, w->n_stored + 1,
                              sizeof *w->stored);
    w->stored[w->n_stored++] = id;
    w->sorted = false;
}

static int by_id(const void *a, const void *b)
{
    const place *x = a;
    const place *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Set the fresh ones to what WH has. */
static dl_status list(dlc_wh_waiting *w, dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    w->n_fresh = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_REBUILD_EVENTS, err));
    dl_wh_bind_str(st, 0, w->topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        bool numbered = !dl_wh_is_null(st, 1);
        int64_t row = dl_wh_int(st, 0);
        int64_t id = numbered ? dl_wh_int(st, 1) : UNNUMBERED + row;

        if (!has(w->taken, w->n_taken, row) &&
            !(numbered && has(w->stored, w->n_stored, id))) {
            w->fresh = dl_array_room(w->fresh, &w->r_fresh, w->n_fresh + 1,
                                     sizeof(place));
            w->fresh[w->n_fresh++] = (place){row, id};
        }
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    if (w->n_fresh > 1) {
        qsort(w->fresh, w->n_fresh, sizeof(place), by_id);
    }
    return DL_OK;
}

/* Give the event at P to TAKER, unless it is gone: it was sent a day ago. */
static dl_status give(const place *p, dl_wh *wh, dlc_wh_waiting_taker *taker,
                      void *context, dl_error *err)
{
    dlc_wh_event event = {.id = p->id};
    dl_status status = DL_OK;
    dl_wh_stmt *st;
    bool found;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_REBUILD_EVENT, err));
    dl_wh_bind_int(st, 0, p->row);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&found, st, err));
    if (found) {
        event.text = dl_wh_text(st, 0, &event.len);
        status = taker(context, &event, err);
    }
    dl_wh_finish(st);
    return status;
}

dl_status dlc_wh_waiting_read(size_t *n, dlc_wh_waiting *waiting, dl_wh *wh,
                              dlc_wh_waiting_taker *taker, void *context,
                              dl_error *err)
{
    dlc_wh_waiting *w = waiting;

    *n = 0;
    if (!w->sorted && w->n_stored > 1) {
        qsort(w->stored, w->n_stored, sizeof *w->stored, compare);
    }
    w->sorted = true;
    DL_TRY(list(w, wh, err));
    for (size_t i = 0; i < w->n_fresh; i++) {
        DL_TRY(give(&w->fresh[i], wh, taker, context, err));
    }
    *n = w->n_fresh;
    return DL_OK;
}

void dlc_wh_waiting_taken(dlc_wh_waiting *waiting)
{
    dlc_wh_waiting *w = waiting;

    for (size_t i = 0; i < w->n_fresh; i++) {
        w->taken = dl_array_room(w->taken, &w->r_taken, w->n_taken + 1,
                                 sizeof *w->taken);
        w->taken[w->n_taken++] = w->fresh[i].row;
    }
    w->n_fresh = 0;
    if (w->n_taken > 1) {
        qsort(w->taken, w->n_taken, sizeof *w->taken, compare);
    }
}
