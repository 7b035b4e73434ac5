/* dl_repush.c - Parameters of a repush, written, read, made a query.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dl_repush.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_json_values.h"
#include "dl_json_write.h"
#include "dl_query_name.h"

/* Room for the parameters. */
#define TEXT_MAX ((size_t)DL_REPUSH_FILTER + 1024)

static void write_bound(dl_json_writer *w, const char *name, dl_time t)
{
    dl_json_write_key(w, name);
    if (t == DL_TIME_NONE) {
        dl_json_write_null(w);
    }
    else {
        dl_json_write_time(w, t);
    }
}

const char *dl_repush_write(const dl_repush *asked, apr_pool_t *pool)
{
    dl_buf *buf = dl_buf_create(TEXT_MAX, pool);
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "dry_run");
    dl_json_write_bool(&w, asked->dry_run);
    write_bound(&w, "from", asked->from);
    write_bound(&w, "to", asked->to);
    dl_json_write_key(&w, "filter");
    if (asked->filter != NULL) {
        dl_json_write_raw(&w, asked->filter, strlen(asked->filter));
    }
    else {
        dl_json_write_null(&w);
    }
    dl_json_write_key(&w, "rate");
    dl_json_write_int(&w, asked->rate);
    dl_json_write_key(&w, "replay_id");
    dl_json_write_text(&w, asked->replay_id);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return "{}";
    }
    return apr_pstrmemdup(pool, buf->data, buf->len);
}

/* Set *T to the member NAME of ALL. */
static bool read_bound(dl_time *t, const dl_json_values *all, const char *name)
{
    uint32_t at = dl_json_values_member(all, 0, name);
    bool zone_missing;

    *t = DL_TIME_NONE;
    return at == 0 || all->values[at].kind != DL_JSON_STRING ||
           dl_time_parse_rfc3339(t, &zone_missing, all->values[at].text,
                                 all->values[at].len);
}

dl_status dl_repush_read(dl_repush *asked, const char *text, dl_error *err,
                         apr_pool_t *pool)
{
    dl_json_values all;
    uint32_t at;

    *asked = (dl_repush){.rate = DL_REPUSH_RATE};
    if (dl_json_values_read(&all, text, strlen(text), pool) != DL_JSON_FINE ||
        !read_bound(&asked->from, &all, "from") ||
        !read_bound(&asked->to, &all, "to")) {
        return dl_fail(err, DL_INVALID, 0, "the job's parameters are damaged");
    }
    at = dl_json_values_member(&all, 0, "dry_run");
    asked->dry_run = at != 0 && all.values[at].kind == DL_JSON_TRUE;
    at = dl_json_values_member(&all, 0, "rate");
    if (at != 0 && all.values[at].kind == DL_JSON_NUMBER) {
        asked->rate = apr_atoi64(all.values[at].text);
    }
    at = dl_json_values_member(&all, 0, "filter");
    if (at != 0 && all.values[at].kind == DL_JSON_OBJECT) {
        asked->filter =
            apr_pstrmemdup(pool, text + all.values[at].first,
                           all.values[at].end - all.values[at].first);
    }
    at = dl_json_values_member(&all, 0, "replay_id");
    if (at == 0 || all.values[at].kind != DL_JSON_STRING ||
        all.values[at].len >= sizeof asked->replay_id) {
        return dl_fail(err, DL_INVALID, 0, "the job has no replay_id");
    }
    memcpy(asked->replay_id, all.values[at].text, all.values[at].len + 1);
    return DL_OK;
}

/* Set *TEXT and *LEN to what VALUE compares with; false: nothing. */
static bool text_of(const char **text, size_t *len, const dl_json_value *value)
{
    *text = value->kind == DL_JSON_TRUE    ? "true"
            : value->kind == DL_JSON_FALSE ? "false"
                                           : value->text;
    if (*text == NULL) {
        return false;
    }
    *len = value->text != NULL ? value->len : strlen(*text);
    return true;
}

/* Name what is wrong with FAULT's filter. */
static dl_status refuse(dl_repush_fault *fault, const char *code,
                        const char *detail)
{
    fault->fault.code = code;
    snprintf(fault->fault.detail, sizeof fault->fault.detail, "%s", detail);
    return DL_INVALID;
}

/* Add the members of the object FILTER to QUERY over DS. */
static dl_status add_filters(dl_query *query, const dl_dataset *ds,
                             const char *filter, dl_repush_fault *fault,
                             apr_pool_t *pool)
{
    dl_json_values all;
    uint32_t at;

    if (dl_json_values_read(&all, filter, strlen(filter), pool) !=
        DL_JSON_FINE) {
        return refuse(fault, "wrong-type", "it is an object of fields");
    }
    for (at = 1; at < all.values[0].next; at = all.values[at].next) {
        const dl_json_value *value = &all.values[at];
        const char *path;
        const char *text;
        dl_query_op op;
        size_t len;

        fault->name = value->name;
        if (!text_of(&text, &len, value)) {
            return refuse(fault, "wrong-type",
                          "a field is compared with a text, a number, true or "
                          "false");
        }
        dl_query_name_read(&path, &op, ds, value->name, pool);
        if (dl_query_filter(query, path, op, text, len, &fault->fault) !=
            DL_OK) {
            return DL_INVALID;
        }
    }
    fault->name = NULL;
    return DL_OK;
}

/* Let QUERY match event times OP than T alone. */
static dl_status add_bound(dl_query *query, const dl_dataset *ds,
                           dl_query_op op, dl_time t, dl_repush_fault *fault)
{
    char text[DL_TIME_TEXT];

    if (t == DL_TIME_NONE) {
        return DL_OK;
    }
    dl_time_format(text, t);
    return dl_query_filter(query, ds->fields[ds->time_field].path, op, text,
                           strlen(text), &fault->fault);
}

dl_status dl_repush_query(dl_query **query, const dl_repush *asked,
                          const dl_dataset *ds, dl_repush_fault *fault,
                          apr_pool_t *pool)
{
    dl_error err;

    memset(fault, 0, sizeof *fault);
    dl_query_create(query, ds, pool);
    if (asked->filter != NULL) {
        DL_TRY(add_filters(*query, ds, asked->filter, fault, pool));
    }
    DL_TRY(add_bound(*query, ds, DL_QUERY_GTE, asked->from, fault));
    DL_TRY(add_bound(*query, ds, DL_QUERY_LT, asked->to, fault));
    if (dl_query_prepare(*query, &err) != DL_OK) {
        return refuse(fault, "unknown-field", "a field is no path of members");
    }
    return DL_OK;
}
