/* mdl_spend.c - Selection, cache and answer of the spend metrics.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_spend.h"

#include <httpd.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "mdl_answer.h"
#include "mdl_cache.h"
#include "mdl_commit.h"
#include "mdl_http.h"
#include "mdl_site.h"

/* The dataset of every spend metric. */
#define TOPIC "transaction_log"

/* No answer is larger: 1,000 rows of a few hundred bytes. */
#define ANSWER_MAX ((size_t)16 * 1024 * 1024)

/* Between the parts of a key; no parameter can hold it. */
#define SEPARATOR "\x1f"

const char *const mdl_spend_decimals[] = {"number", "string", NULL};

/* True when the value is three ASCII letters. */
static bool is_currency(const mdl_value *value)
{
    return value->len == 3 && apr_isalpha(value->text[0]) &&
           apr_isalpha(value->text[1]) && apr_isalpha(value->text[2]);
}

int mdl_spend_parse(mdl_spend *spend, mdl_request *q)
{
    const mdl_value *currency = &q->values[MDL_SPEND_CURRENCY];
    char *code = NULL;

    if (currency->given) {
        if (!is_currency(currency)) {
            return mdl_param_refuse(q, &q->route->params[MDL_SPEND_CURRENCY],
                                    "not-a-currency",
                                    "it is not three letters");
        }
        code = apr_pstrdup(q->r->pool, currency->text);
        ap_str_toupper(code);
    }
    *spend = (mdl_spend){
        .q = q,
        .selection = {.topic = TOPIC,
                      .status = q->values[MDL_SPEND_STATUS].text,
                      .transaction_type = q->values[MDL_SPEND_TYPE].text,
                      .currency = code},
        .parameters = "",
        .window = ""};
    mdl_spend_bind(spend, "status", spend->selection.status);
    mdl_spend_bind(spend, "transaction_type",
                   spend->selection.transaction_type);
    mdl_spend_bind(spend, "currency", code != NULL ? code : "");
    return OK;
}

void mdl_spend_bind(mdl_spend *spend, const char *name, const char *value)
{
    spend->parameters = apr_pstrcat(spend->q->r->pool, spend->parameters, name,
                                    "=", value, SEPARATOR, NULL);
}

void mdl_spend_write_decimal(dl_json_writer *w, const mdl_spend *spend,
                             dl_decimal d)
{
    if (spend->decimals_as_text) {
        dl_json_write_decimal_text(w, d);
    }
    else {
        dl_json_write_decimal(w, d);
    }
}

/* Read and write the answer of SPEND into *ANSWER. */
static dl_status make(mdl_cache_answer *answer, mdl_spend *spend,
                      const mdl_spend_kind *kind, dl_error *err)
{
    mdl_request *q = spend->q;
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_json_writer w;

    DL_TRY(mdl_wh_read(q->site->wh, kind->read, spend, err));
    dl_json_writer_begin(&w, buf);
    kind->write(&w, spend);
    DL_TRY(dl_json_writer_finish(&w, err));
    answer->body = buf->data;
    answer->len = buf->len;
    answer->cursor = spend->next_cursor;
    return DL_OK;
}

/* Make the answer of SPEND and keep it under KEY and STAMP when it is ours to
 * keep, else KEY is NULL. */
static dl_status make_and_keep(mdl_cache_answer *answer, mdl_spend *spend,
                               const mdl_spend_kind *kind, const char *key,
                               const char *stamp, dl_error *err)
{
    dl_status status = make(answer, spend, kind, err);

    mdl_metrics_query(kind->statement, status == DL_OK ? MDL_METRICS_ANSWERED
                                                       : MDL_METRICS_FAILED);
    if (status == DL_UNAVAILABLE) {
        mdl_metrics_count(MDL_METRICS_SHED_WAREHOUSE);
    }
    if (key != NULL && status == DL_OK) {
        mdl_cache_put(spend->q->site->cache, key, stamp, answer);
    }
    else if (key != NULL) {
        mdl_cache_abandon(spend->q->site->cache, key);
    }
    return status;
}

/* Send ANSWER; returns OK. */
static int send_answer(mdl_request *q, const mdl_cache_answer *answer)
{
    if (answer->cursor != NULL) {
        mdl_answer_link_next(q, answer->cursor);
    }
    return mdl_answer_json(q, answer->body, answer->len);
}

int mdl_spend_answer(mdl_spend *spend, const mdl_spend_kind *kind)
{
    mdl_request *q = spend->q;
    mdl_stamp state = mdl_commit_stamp(q->site->commit, q->r->pool);
    const char *key =
        apr_pstrcat(q->r->pool, kind->name, SEPARATOR, spend->parameters, NULL);
    const char *stamp = apr_psprintf(q->r->pool, "%d %" PRId64 " %s",
                                     state.counted, state.value, spend->window);
    mdl_cache_answer answer;
    mdl_cache_verdict found =
        mdl_cache_find_hot(&answer, q->site->cache, key, stamp, q->r->pool);
    dl_error err = {DL_OK, 0, ""};
    int sent;

    if (found == MDL_CACHE_HIT || found == MDL_CACHE_OLD) {
        mdl_metrics_query(kind->statement, MDL_METRICS_CACHED);
        sent = send_answer(q, &answer);
        if (found == MDL_CACHE_OLD) {
            /* A failure is the next asker's to tell. */
            (void)!make_and_keep(&answer, spend, kind, key, stamp, &err);
        }
        return sent;
    }
    if (make_and_keep(&answer, spend, kind,
                      found == MDL_CACHE_MINE ? key : NULL, stamp,
                      &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return send_answer(q, &answer);
}
