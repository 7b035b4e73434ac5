/* dlc_redrive_pick.c - Parameters of a job as a walk over dead_letter.
 *
 * A list of ids is walked as ranges of one id each.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_redrive_pick.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "dl_statements.h"

/* Later than any dead letter (9999-12-31). */
#define FOREVER INT64_C(253402214400000000)

/* Ids FIRST to LAST. */
typedef struct range {
    int64_t first, last;
} range;

/* --- Parameters ----------------------------------------------------------- */

static int compare_ids(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* Return the ids of the array at AT of ALL, rising, each once. */
static const apr_array_header_t *read_ids(const dl_json_values *all,
                                          uint32_t at, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 64, sizeof(int64_t));
    int n = 0;

    for (uint32_t i = at + 1; i < all->values[at].next;
         i = all->values[i].next) {
        APR_ARRAY_PUSH(ids, int64_t) = apr_atoi64(all->values[i].text);
    }
    qsort(ids->elts, (size_t)ids->nelts, sizeof(int64_t), compare_ids);
    for (int i = 0; i < ids->nelts; i++) {
        int64_t id = APR_ARRAY_IDX(ids, i, int64_t);

        if (n == 0 || APR_ARRAY_IDX(ids, n - 1, int64_t) != id) {
            APR_ARRAY_IDX(ids, n++, int64_t) = id;
        }
    }
    ids->nelts = n;
    return ids;
}

/* Return the text of member NAME of the object at AT of ALL; "": none. */
static const char *text_of(const dl_json_values *all, uint32_t at,
                           const char *name, apr_pool_t *pool)
{
    uint32_t i = dl_json_values_member(all, at, name);

    return i != 0 && all->values[i].text != NULL
               ? apr_pstrdup(pool, all->values[i].text)
               : "";
}

/* Set *T to the time of member NAME, if there is one. */
static bool read_time(dl_time *t, const dl_json_values *all, uint32_t at,
                      const char *name, apr_pool_t *pool)
{
    const char *text = text_of(all, at, name, pool);
    bool zone_missing;

    return *text == '\0' ||
           dl_time_parse_rfc3339(t, &zone_missing, text, strlen(text));
}

dl_status dlc_redrive_wish_parse(dlc_redrive_wish *wish, const char *parameters,
                                 dl_error *err, apr_pool_t *result_pool)
{
    dl_json_values all;
    uint32_t ids;
    uint32_t filter;

    *wish =
        (dlc_redrive_wish){.topic = "", .reason = "", .from = 0, .to = FOREVER};
    if (dl_json_values_read(&all, parameters, strlen(parameters),
                            result_pool) != DL_JSON_FINE) {
        return dl_fail(err, DL_INVALID, 0, "the parameters are no object");
    }
    ids = dl_json_values_member(&all, 0, "ids");
    filter = dl_json_values_member(&all, 0, "filter");
    if (ids != 0 && all.values[ids].kind == DL_JSON_ARRAY) {
        wish->ids = read_ids(&all, ids, result_pool);
        return DL_OK;
    }
    if (filter == 0 || all.values[filter].kind != DL_JSON_OBJECT) {
        return dl_fail(err, DL_INVALID, 0,
                       "the parameters name neither ids nor a filter");
    }
    wish->topic = text_of(&all, filter, "topic", result_pool);
    wish->reason = text_of(&all, filter, "reason", result_pool);
    if (!read_time(&wish->from, &all, filter, "from", result_pool) ||
        !read_time(&wish->to, &all, filter, "to", result_pool)) {
        return dl_fail(err, DL_INVALID, 0, "from or to is no time");
    }
    return DL_OK;
}

/* --- Rows ----------------------------------------------------------------- */

dl_status dlc_redrive_last(int64_t *last, dl_wh *wh, dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_LAST, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *last = more ? dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

/* Bind WISH within R. */
static void bind_wish(dl_wh_stmt *st, const dlc_redrive_wish *wish,
                      const range *r)
{
    dl_wh_bind_int(st, 0, r->first);
    dl_wh_bind_int(st, 1, r->last < wish->last ? r->last : wish->last);
    dl_wh_bind_str(st, 2, wish->topic);
    dl_wh_bind_str(st, 3, wish->topic);
    dl_wh_bind_str(st, 4, wish->reason);
    dl_wh_bind_str(st, 5, wish->reason);
    dl_wh_bind_time(st, 6, wish->from);
    dl_wh_bind_time(st, 7, wish->to);
}

static dl_status count_range(dlc_redrive_left *left, dl_wh *wh,
                             const dlc_redrive_wish *wish, const range *r,
                             dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_LEFT, err));
    bind_wish(st, wish, r);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (more) {
        left->open += dl_wh_int(st, 0);
        left->taken += dl_wh_int(st, 1);
        left->discarded += dl_wh_int(st, 2);
    }
    dl_wh_finish(st);
    return DL_OK;
}

dl_status dlc_redrive_count(dlc_redrive_left *left, dl_wh *wh,
                            const dlc_redrive_wish *wish, dl_error *err)
{
    range all = {0, INT64_MAX};

    *left = (dlc_redrive_left){0};
    if (wish->ids == NULL) {
        return count_range(left, wh, wish, &all, err);
    }
    for (int i = 0; i < wish->ids->nelts; i++) {
        int64_t id = APR_ARRAY_IDX(wish->ids, i, int64_t);
        range one = {id, id};

        DL_TRY(count_range(left, wh, wish, &one, err));
    }
    return DL_OK;
}

static dl_status read_range(apr_array_header_t *letters, dl_wh *wh,
                            const dlc_redrive_wish *wish, const range *r,
                            dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_LETTER_NEXT, err));
    bind_wish(st, wish, r);
    DL_TRY(dl_wh_run(st, err));
    for (;;) {
        dlc_redrive_letter *l;

        DL_TRY(dl_wh_fetch(&more, st, err));
        if (!more) {
            return DL_OK;
        }
        l = apr_array_push(letters);
        memset(l, 0, sizeof *l);
        l->attempt.id = dl_wh_int(st, 0);
        dl_token_new_id(l->attempt.replay_id);
        l->topic = apr_pstrdup(letters->pool, dl_wh_text(st, 1, NULL));
        l->coord.generation = (int32_t)dl_wh_int(st, 2);
        l->coord.partition = (int32_t)dl_wh_int(st, 3);
        l->coord.offset = dl_wh_int(st, 4);
        l->place.lake = (uint64_t)dl_wh_int(st, 5);
        l->place.number = (uint64_t)dl_wh_int(st, 6);
        l->place.at = (uint64_t)dl_wh_int(st, 7);
        l->status = DL_UNAVAILABLE;
    }
}

dl_status dlc_redrive_next(apr_array_header_t **letters, dl_wh *wh,
                           const dlc_redrive_wish *wish, int64_t after,
                           dl_error *err, apr_pool_t *result_pool)
{
    range all = {after + 1, INT64_MAX};

    *letters = apr_array_make(result_pool, DLC_REDRIVE_BATCH,
                              sizeof(dlc_redrive_letter));
    if (wish->ids == NULL) {
        return read_range(*letters, wh, wish, &all, err);
    }
    for (int i = 0; i < wish->ids->nelts; i++) {
        int64_t id = APR_ARRAY_IDX(wish->ids, i, int64_t);
        range one = {id, id};

        if (id > after && (*letters)->nelts < DLC_REDRIVE_BATCH) {
            DL_TRY(read_range(*letters, wh, wish, &one, err));
        }
    }
    return DL_OK;
}
