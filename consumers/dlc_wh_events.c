/* dlc_wh_events.c - Where each event lies, sorted.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_wh_events.h"

#include <stdlib.h>

#include "dl_array.h"
#include "dl_json.h"
#include "dlc_spool.h"

/* Of the number of bytes, the bit that says that an event deletes. */
#define DELETES (UINT32_C(1) << 31)

/* Where an event lies. */
typedef struct place {
    int64_t id;   /* dl-change-id */
    int64_t at;   /* in the file; increases as they are added */
    uint32_t len; /* bytes of it, and DELETES */
} place;

struct dlc_wh_events {
    dlc_spool *texts; /* they */
    place *places;    /* malloc */
    size_t n, room;   /* of it */
    char *text;       /* of one event, malloc */
};

static apr_status_t free_events(void *data)
{
    dlc_wh_events *e = data;

    free(e->places);
    free(e->text);
    return APR_SUCCESS;
}

dl_status dlc_wh_events_create(dlc_wh_events **events, dl_error *err,
                               apr_pool_t *pool)
{
    dlc_wh_events *e = apr_pcalloc(pool, sizeof *e);

    e->text = malloc(DL_JSON_MAX_BYTES);
    if (e->text == NULL) {
        abort();
    }
    apr_pool_cleanup_register(pool, e, free_events, apr_pool_cleanup_null);
    *events = e;
    return dlc_spool_create(&e->texts, err, pool);
}

dl_status dlc_wh_events_add(dlc_wh_events *events, const dlc_wh_event *event,
                            dl_error *err)
{
    place p = {.id = event->id,
               .len = (uint32_t)event->len | (event->deletes ? DELETES : 0)};

    if (event->len > DL_JSON_MAX_BYTES) {
        return dl_fail(err, DL_LIMIT, 0, "a change event is too large");
    }
    events->places = dl_array_room(events->places, &events->room, events->n + 1,
                                   sizeof *events->places);
    DL_TRY(dlc_spool_add(&p.at, events->texts, event->text, event->len, err));
    events->places[events->n++] = p;
    return DL_OK;
}

static int by_id(const void *a, const void *b)
{
    const place *x = a;
    const place *y = b;

    if (x->id != y->id) {
        return x->id < y->id ? -1 : 1;
    }
    return (x->at > y->at) - (x->at < y->at);
}

void dlc_wh_events_sort(dlc_wh_events *events)
{
    if (events->n > 1) {
        qsort(events->places, events->n, sizeof *events->places, by_id);
    }
}

size_t dlc_wh_events_count(const dlc_wh_events *events)
{
    return events->n;
}

dl_status dlc_wh_events_at(dlc_wh_event *event, dlc_wh_events *events, size_t i,
                           bool deletions, dl_error *err)
{
    const place *p = &events->places[i];

    *event = (dlc_wh_event){.id = p->id,
                            .deletes = (p->len & DELETES) != 0,
                            .len = p->len & ~DELETES};
    if (deletions && !event->deletes) {
        return DL_OK;
    }
    event->text = events->text;
    return dlc_spool_get(events->text, event->len, events->texts, p->at, err);
}
