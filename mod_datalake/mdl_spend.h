/* mdl_spend.h - What the spend metrics share: which transactions count, the
 * answer cache, one warehouse read.
 *
 * A metric's parameter table begins with MDL_SPEND_PARAMS, so that the first
 * values of its requests are the selection; its own rows follow from
 * MDL_SPEND_OWN on.  A handler then is
 *
 *     status = mdl_spend_parse(&spend, q);
 *     ...                                     its own parameters
 *     return mdl_spend_answer(&spend, &kind);
 *
 * and KIND says how to read and how to write.  The read runs only when no
 * answer under the same key is kept (mdl_cache.h).
 *
 * Thread: the request's.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef MDL_SPEND_H
#define MDL_SPEND_H

#include <stdbool.h>

#include "dl_json_write.h"
#include "dl_wh_metrics.h"
#include "mdl_metrics.h"
#include "mdl_param.h"
#include "mdl_request.h"
#include "mdl_wh.h"

/* Places of the shared parameters. */
enum mdl_spend_param {
    MDL_SPEND_STATUS,   /* status= */
    MDL_SPEND_TYPE,     /* transaction_type= */
    MDL_SPEND_CURRENCY, /* currency= */
    MDL_SPEND_OWN       /* a metric's own parameters begin here */
};

/* The rows of the shared parameters. */
#define MDL_SPEND_PARAMS                                                       \
    [MDL_SPEND_STATUS] = {.name = "status",                                    \
                          .type = MDL_PARAM_LIST,                              \
                          .min = 1,                                            \
                          .fallback = DL_WH_SELECT_STATUS,                     \
                          .summary = "States that count, or *"},               \
    [MDL_SPEND_TYPE] = {.name = "transaction_type",                            \
                        .type = MDL_PARAM_LIST,                                \
                        .min = 1,                                              \
                        .fallback = DL_WH_SELECT_TYPE,                         \
                        .summary = "Kinds that count, or *"},                  \
    [MDL_SPEND_CURRENCY] = {.name = "currency",                                \
                            .type = MDL_PARAM_TEXT,                            \
                            .min = 1,                                          \
                            .max = 255,                                        \
                            .summary = "Only this currency, unconverted"}

/* The row of decimals= at place N. */
#define MDL_SPEND_DECIMALS(n)                                                  \
    [n] = {.name = "decimals",                                                 \
           .type = MDL_PARAM_ENUM,                                             \
           .fallback = "number",                                               \
           .choices = mdl_spend_decimals,                                      \
           .summary = "Print decimals as numbers or as strings"}

/* The choices of decimals=: number, string. */
extern const char *const mdl_spend_decimals[];

/* One request for a metric. */
typedef struct mdl_spend {
    mdl_request *q;            /* the request */
    dl_wh_selection selection; /* which transactions count */
    const char *parameters;    /* every parameter in one spelling: what cache
                                  and cursor are bound to */
    const char *window;        /* the time window, "" when there is none: a
                                  part of the state, not of the key */
    bool decimals_as_text;     /* decimals=string */
    const char *next_cursor;   /* set by the writer; NULL: last page */
    void *own;                 /* the metric's own state */
} mdl_spend;

/* How a metric is read and written. */
typedef struct mdl_spend_kind {
    const char *name;                /* in cache keys; aliases share it */
    mdl_metrics_statement statement; /* in /metrics */
    mdl_wh_reader *read;             /* its context is the mdl_spend */
    void (*write)(dl_json_writer *w, mdl_spend *spend); /* what was read */
} mdl_spend_kind;

/* Set *SPEND to the selection of Q.  Returns OK, or the status of the problem
 * that was named: a currency that is not three letters. */
int mdl_spend_parse(mdl_spend *spend, mdl_request *q);

/* Add NAME=VALUE to the parameters that SPEND is bound to. */
void mdl_spend_bind(mdl_spend *spend, const char *name, const char *value);

/* Write D as SPEND's decimals= asks. */
void mdl_spend_write_decimal(dl_json_writer *w, const mdl_spend *spend,
                             dl_decimal d);

/* Answer SPEND, from the cache or by KIND.  Returns what a handler returns. */
int mdl_spend_answer(mdl_spend *spend, const mdl_spend_kind *kind);

#endif
