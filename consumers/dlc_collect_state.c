/* dlc_collect_state.c - The rows of collector_state.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_collect_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#include "dl_statements.h"
#include "dl_time.h"
#include "dlc_link.h"

/* The item that is the turn. */
#define TURN "turn"

struct dlc_collect_state {
    const char *name; /* of the source */
    dlc_link *link;   /* our connection */
};

dl_status dlc_collect_state_create(dlc_collect_state **state,
                                   const dl_config *cfg, const char *name,
                                   dl_error *err, apr_pool_t *pool)
{
    dlc_collect_state *made = apr_pcalloc(pool, sizeof *made);

    made->name = name;
    DL_TRY(dlc_link_create(&made->link, cfg, err, pool));
    *state = made;
    return DL_OK;
}

/* Pass STATUS on; a connection that failed is closed. */
static dl_status judged(dlc_collect_state *state, dl_status status)
{
    if (status != DL_OK) {
        dlc_link_close(state->link);
    }
    return status;
}

/* The row that ST stands on, into MEMORY and TURN. */
static void take_row(dlc_collect_memory *memory, int64_t *turn,
                     apr_array_header_t *items, const dl_wh_stmt *st)
{
    apr_pool_t *pool = items->pool;
    size_t len;
    const char *text = dl_wh_text(st, 0, &len);
    const char *item = apr_pstrmemdup(pool, text, len);
    const char *position;

    text = dl_wh_text(st, 1, &len);
    position = apr_pstrmemdup(pool, text, len);
    if (strcmp(item, TURN) == 0) {
        char *end;

        *turn = strtoll(position, &end, 10);
        memory->item = *end == ' ' ? end + 1 : NULL;
        return;
    }
    *(dlc_collect_position *)apr_array_push(items) =
        (dlc_collect_position){.item = item, .text = position};
}

static dl_status load(dlc_collect_memory *memory, int64_t *turn,
                      dlc_collect_state *state, dl_error *err, apr_pool_t *pool)
{
    apr_array_header_t *items =
        apr_array_make(pool, 16, sizeof(dlc_collect_position));
    dl_wh *wh;
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dlc_link_open(&wh, state->link, err));
    DL_TRY(dl_wh_prepare(&st, wh, STMT_COLLECTOR_LOAD, err));
    dl_wh_bind_str(st, 0, state->name);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            break;
        }
        take_row(memory, turn, items, st);
    }
    memory->n = items->nelts;
    memory->items = (const dlc_collect_position *)(const void *)items->elts;
    return DL_OK;
}

dl_status dlc_collect_state_load(dlc_collect_memory *memory, int64_t *turn,
                                 dlc_collect_state *state, dl_error *err,
                                 apr_pool_t *pool)
{
    memset(memory, 0, sizeof *memory);
    *turn = 0;
    return judged(state, load(memory, turn, state, err, pool));
}

static dl_status save(dlc_collect_state *state, dl_wh *wh, const char *item,
                      const char *text, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_COLLECTOR_SAVE, err));
    dl_wh_bind_str(st, 0, state->name);
    dl_wh_bind_str(st, 1, item);
    dl_wh_bind_str(st, 2, text);
    dl_wh_bind_time(st, 3, dl_time_now());
    return dl_wh_run(st, err);
}

dl_status dlc_collect_state_save(dlc_collect_state *state,
                                 const dlc_collect_place *place, dl_error *err)
{
    dl_wh *wh;
    dl_status status = dlc_link_open(&wh, state->link, err);

    if (status == DL_OK) {
        status = save(state, wh, place->item, place->text, err);
    }
    return judged(state, status);
}

static dl_status save_turn(dlc_collect_state *state,
                           const dlc_collect_place *left,
                           const dlc_collect_place *next, int64_t turn,
                           dl_error *err)
{
    char text[DLC_COLLECT_ITEM + 32];
    dl_wh *wh;

    snprintf(text, sizeof text, "%" PRId64 " %s", turn, next->item);
    DL_TRY(dlc_link_open(&wh, state->link, err));
    DL_TRY(dl_wh_begin(wh, err));
    if (*left->item != '\0') {
        DL_TRY(save(state, wh, left->item, left->text, err));
    }
    if (*next->item != '\0') {
        DL_TRY(save(state, wh, next->item, next->text, err));
    }
    DL_TRY(save(state, wh, TURN, text, err));
    return dl_wh_commit(wh, err);
}

dl_status dlc_collect_state_turn(dlc_collect_state *state,
                                 const dlc_collect_place *left,
                                 const dlc_collect_place *next, int64_t turn,
                                 dl_error *err)
{
    return judged(state, save_turn(state, left, next, turn, err));
}

dl_status dlc_collect_state_forget(dlc_collect_state *state, const char *item,
                                   dl_error *err)
{
    dl_wh *wh;
    dl_wh_stmt *st;
    dl_status status = dlc_link_open(&wh, state->link, err);

    if (status == DL_OK) {
        status = dl_wh_prepare(&st, wh, STMT_COLLECTOR_FORGET, err);
    }
    if (status == DL_OK) {
        dl_wh_bind_str(st, 0, state->name);
        dl_wh_bind_str(st, 1, item);
        status = dl_wh_run(st, err);
    }
    return judged(state, status);
}
