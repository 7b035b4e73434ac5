/* dl_wh_sink.c - Progress, refusals and sources of rows.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_wh_sink.h"

#include <string.h>

#include "dl_statements.h"
#include "dl_wh.h"

/* Behind every time that Kafka gives: the year 9999. */
#define EVER INT64_C(253402300799000000)

dl_status dl_wh_sink_progress(dl_wh_progress *all, int *n, int max, dl_wh *wh,
                              const char *topic, dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    *n = 0;
    DL_TRY(dl_wh_prepare(&st, wh, STMT_SINK_PROGRESS, err));
    dl_wh_bind_str(st, 0, topic);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more && *n < max) {
        all[(*n)++] = (dl_wh_progress){.partition = (int32_t)dl_wh_int(st, 0),
                                       .generation = (int32_t)dl_wh_int(st, 1),
                                       .next = dl_wh_int(st, 2)};
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    dl_wh_finish(st);
    return DL_OK;
}

/* Take ROW for LOADED, which has MAX places, unless there is a later one. */
static void take_row(dl_wh_loaded *loaded, int max, dl_wh_progress row)
{
    int i = 0;

    while (i < loaded->n && loaded->all[i].partition != row.partition) {
        i++;
    }
    if (i < loaded->n) {
        const dl_wh_progress *old = &loaded->all[i];

        if (old->generation > row.generation ||
            (old->generation == row.generation && old->next >= row.next)) {
            return;
        }
    }
    else if (i == max) {
        return;
    }
    loaded->n += i == loaded->n ? 1 : 0;
    loaded->all[i] = row;
}

dl_status dl_wh_sink_loaded(dl_wh_loaded loaded[2], int max, dl_wh *wh,
                            dl_error *err)
{
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SINK_LOADED, err));
    for (unsigned i = 0; i < 2; i++) {
        loaded[i].n = 0;
        dl_wh_bind_str(st, i, loaded[i].topic);
    }
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        const char *topic = dl_wh_text(st, 0, NULL);
        bool first = strcmp(topic, loaded[0].topic) == 0;

        take_row(&loaded[first ? 0 : 1], max,
                 (dl_wh_progress){.partition = (int32_t)dl_wh_int(st, 1),
                                  .generation = (int32_t)dl_wh_int(st, 2),
                                  .next = dl_wh_int(st, 3)});
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    return DL_OK;
}

dl_status dl_wh_sink_refused(uint64_t *n, dl_wh *wh,
                             const dl_wh_refusals *asked, dl_error *err)
{
    bool dated = asked->date != DL_DAY_NONE;
    bool more = false;
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_SINK_REFUSED, err));
    dl_wh_bind_str(st, 0, asked->topic);
    dl_wh_bind_int(st, 1, asked->generation);
    dl_wh_bind_str(st, 2, DL_WH_REFUSED);
    dl_wh_bind_time(st, 3, dated ? dl_day_start(asked->date) : 0);
    dl_wh_bind_time(st, 4, dated ? dl_day_start(asked->date + 1) : EVER);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *n = more ? (uint64_t)dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

/* The statement that finds a row of TABLE by its key, or NULL. */
static const char *statement_of(const char *table)
{
    static const struct {
        const char *table;
        const char *sql;
    } known[] = {{"transaction_record", STMT_SINK_TRANSACTION},
                 {"network_log", STMT_SINK_LOG},
                 {"social_post", STMT_SINK_POST},
                 {"client_transaction", STMT_SINK_PAYMENT},
                 {"client", STMT_SINK_CLIENT}};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].table, table) == 0) {
            return known[i].sql;
        }
    }
    return NULL;
}

bool dl_wh_sink_knows(const char *table)
{
    return statement_of(table) != NULL;
}

dl_status dl_wh_sink_row(dl_wh_source *source, dl_wh *wh, const char *table,
                         const char *key, dl_error *err)
{
    const char *sql = statement_of(table);
    bool more = false;
    dl_wh_stmt *st;

    if (sql == NULL) {
        return dl_fail(err, DL_UNSUPPORTED, 0, "table %s has no such question",
                       table);
    }
    DL_TRY(dl_wh_prepare(&st, wh, sql, err));
    dl_wh_bind_str(st, 0, key);
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    if (!more) {
        return dl_fail(err, DL_NOT_FOUND, 0, "table %s has no such row", table);
    }
    source->generation = (int32_t)dl_wh_int(st, 0);
    source->partition = (int32_t)dl_wh_int(st, 1);
    source->offset = dl_wh_int(st, 2);
    dl_wh_finish(st);
    return DL_OK;
}
