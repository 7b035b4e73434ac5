/* mdl_api_metrics_window.c - GET /api/metrics/last-5min/.
 *
 * The window ends at now cut to whole seconds and is half open, so each
 * transaction is in as many windows as it has seconds, whatever the moment of
 * the call.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <apr_strings.h>

#include "dl_config.h"
#include "mdl_api.h"
#include "mdl_site.h"
#include "mdl_spend.h"

enum {
    MINUTES = MDL_SPEND_OWN,
    DECIMALS
};

const mdl_param mdl_api_window_params[] = {
    MDL_SPEND_PARAMS,
    [MINUTES] = {.name = "minutes",
                 .type = MDL_PARAM_INT,
                 .min = 1,
                 .max = 1440,
                 .fallback = "5",
                 .summary = "Length of the window"},
    MDL_SPEND_DECIMALS(DECIMALS),
    {.name = NULL}};

/* What this metric reads. */
typedef struct window {
    dl_time from, to;     /* half open, whole seconds */
    dl_wh_window sum;     /* what happened in it */
    const char *currency; /* of the sum */
} window;

static dl_status read_window(struct dl_wh *wh, void *context, dl_error *err)
{
    mdl_spend *spend = context;
    window *last = spend->own;

    return dl_wh_window_sum(&last->sum, wh, &spend->selection, last->from,
                            last->to, err);
}

static void write_window(dl_json_writer *w, mdl_spend *spend)
{
    const window *last = spend->own;

    dl_json_write_object_begin(w);
    dl_json_write_key(w, "total_transactions");
    dl_json_write_int(w, last->sum.transactions);
    dl_json_write_key(w, "total_amount");
    mdl_spend_write_decimal(w, spend, last->sum.total);
    dl_json_write_key(w, "total_last_5_minutes");
    mdl_spend_write_decimal(w, spend, last->sum.total);
    dl_json_write_key(w, "currency");
    dl_json_write_text(w, last->currency);
    dl_json_write_key(w, "window_start");
    dl_json_write_time(w, last->from);
    dl_json_write_key(w, "window_end");
    dl_json_write_time(w, last->to);
    dl_json_write_key(w, "unconverted");
    dl_json_write_int(w, last->sum.unconverted);
    dl_json_write_object_end(w);
}

/* Return the window of MINUTES_BACK that ends now. */
static window window_of(int64_t minutes_back)
{
    window last = {.to = dl_time_now() / DL_SECOND_US * DL_SECOND_US};

    last.from = last.to - minutes_back * 60 * DL_SECOND_US;
    return last;
}

int mdl_api_window(mdl_request *q)
{
    static const mdl_spend_kind kind = {"last-5min", MDL_METRICS_WINDOW,
                                        read_window, write_window};
    window last = window_of(q->values[MINUTES].number);
    mdl_spend spend;
    int status = mdl_spend_parse(&spend, q);

    if (status != OK) {
        return status;
    }
    last.currency = spend.selection.currency != NULL
                        ? spend.selection.currency
                        : q->site->ini->warehouse.base_currency;
    spend.own = &last;
    spend.decimals_as_text = q->values[DECIMALS].choice == 1;
    mdl_spend_bind(&spend, "minutes", q->values[MINUTES].text);
    mdl_spend_bind(&spend, "decimals", q->values[DECIMALS].text);
    mdl_spend_bind(&spend, "to", apr_psprintf(q->r->pool, "%" PRId64, last.to));
    return mdl_spend_answer(&spend, &kind);
}
