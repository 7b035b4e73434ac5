/* mdl_key.c - Records by key: a query with one filter over all days.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_key.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "dl_query.h"
#include "dl_query_hint.h"
#include "dl_sha256.h"
#include "mdl_client.h"
#include "mdl_walk.h"

/* Lines between two looks at the time and the client. */
#define LOOK_EVERY 4096

/* What has been found. */
typedef struct gathering {
    mdl_copy *copies; /* room for MDL_KEY_COPIES */
    int n;            /* used */
    int oldest;       /* the one to be replaced next, when all are used */
} gathering;

static int newest_first(const void *a, const void *b)
{
    return dl_coord_compare(&((const mdl_copy *)b)->coord,
                            &((const mdl_copy *)a)->coord);
}

static void add_copy(gathering *g, const mdl_copy *copy)
{
    int i;

    if (g->n < MDL_KEY_COPIES) {
        g->copies[g->n++] = *copy;
        return;
    }
    g->oldest = 0;
    for (i = 1; i < g->n; i++) {
        if (dl_coord_compare(&g->copies[i].coord, &g->copies[g->oldest].coord) <
            0) {
            g->oldest = i;
        }
    }
    if (dl_coord_compare(&copy->coord, &g->copies[g->oldest].coord) > 0) {
        g->copies[g->oldest] = *copy;
    }
}

static dl_status look(const mdl_request *q, dl_error *err)
{
    if (mdl_client_gone(q)) {
        return dl_fail(err, DL_IO, 0, "the client is gone");
    }
    return apr_time_now() > q->deadline
               ? dl_fail(err, DL_TIMEOUT, 0, "the search took too long")
               : DL_OK;
}

/* Gather what QUERY matches in SNAP. */
static dl_status gather(gathering *g, mdl_request *q, dl_lake_snapshot *snap,
                        dl_query *query, dl_error *err)
{
    const mdl_walk_range range = {.first = INT32_MIN + 1,
                                  .last = INT32_MAX,
                                  .behind = {DL_DAY_NONE, 0},
                                  .as_of = DL_TIME_NONE,
                                  .with_coords = true,
                                  .hint = dl_query_hint(query, q->r->pool)};
    mdl_walk *walk = mdl_walk_create(snap, &range, q->r->pool);
    dl_lake_line line;
    uint64_t looked = 0;
    dl_day day;

    for (;;) {
        DL_TRY(mdl_walk_next(&line, &day, walk, err));
        if (line.text == NULL) {
            return DL_OK;
        }
        if (++looked % LOOK_EVERY == 0) {
            DL_TRY(look(q, err));
        }
        if (dl_query_match(query, line.text, line.len)) {
            add_copy(g, &(mdl_copy){{day, line.line}, line.coord});
        }
    }
}

dl_status mdl_key_find(mdl_copies *found, mdl_request *q,
                       dl_lake_snapshot *snap, const dl_dataset *ds,
                       const char *id, dl_error *err)
{
    gathering g = {.n = 0};
    dl_query_fault fault;
    dl_query *query;

    dl_query_create(&query, ds, q->r->pool);
    if (dl_query_filter(query, ds->fields[ds->key_field].path, DL_QUERY_EQ, id,
                        strlen(id), &fault) != DL_OK) {
        return dl_fail(err, DL_INVALID, 0, "%s", fault.detail);
    }
    DL_TRY(dl_query_prepare(query, err));
    g.copies = apr_palloc(q->r->pool, MDL_KEY_COPIES * sizeof *g.copies);
    DL_TRY(gather(&g, q, snap, query, err));
    qsort(g.copies, (size_t)g.n, sizeof *g.copies, newest_first);
    *found = (mdl_copies){g.copies, g.n};
    return DL_OK;
}

/* Return the value of field FIELD of DS in the LEN bytes at TEXT, a string
 * without its quotes and escapes, and set *IS_STRING; NULL: it is absent or
 * null. */
static const char *member_of(bool *is_string, mdl_request *q,
                             const dl_dataset *ds, int field, const char *text,
                             size_t len)
{
    dl_query_fault fault;
    dl_json_slice slice;
    dl_query *query;
    dl_error err;
    char *value;
    int column;

    dl_query_create(&query, ds, q->r->pool);
    if (dl_query_column(&column, query, ds->fields[field].path, &fault) !=
            DL_OK ||
        dl_query_prepare(query, &err) != DL_OK ||
        !dl_query_match(query, text, len)) {
        return NULL;
    }
    slice = dl_query_value(query, column);
    if (slice.kind == DL_JSON_ABSENT || slice.kind == DL_JSON_NULL) {
        return NULL;
    }
    *is_string = slice.kind == DL_JSON_STRING;
    value = apr_palloc(q->r->pool, slice.len + 1);
    if (*is_string) {
        value[dl_json_unescape(value, slice)] = '\0';
    }
    else {
        memcpy(value, slice.text, slice.len);
        value[slice.len] = '\0';
    }
    return value;
}

const char *mdl_key_of(mdl_request *q, const dl_dataset *ds, const char *text,
                       size_t len)
{
    bool is_string;

    return ds->key_field < 0
               ? NULL
               : member_of(&is_string, q, ds, ds->key_field, text, len);
}

/* The hash that the row of the record at TEXT has, as the loader makes it:
 * SHA-256 of, for each declared field, its length, ':', its text, ','; of one
 * that is no string, '-', ','. */
static const char *hash_of(mdl_request *q, const dl_dataset *ds,
                           const char *text, size_t len)
{
    dl_sha256 *sum = dl_sha256_create(q->r->pool);
    char *digest = apr_palloc(q->r->pool, DL_SHA256_TEXT);

    for (int i = 0; i < ds->n_hash; i++) {
        bool is_string = false;
        const char *value =
            member_of(&is_string, q, ds, ds->hash[i], text, len);
        const char *item =
            value != NULL && is_string
                ? apr_psprintf(q->r->pool, "%" APR_SIZE_T_FMT ":%s,",
                               strlen(value), value)
                : "-,";

        dl_sha256_add(sum, item, strlen(item));
    }
    dl_sha256_text(digest, sum);
    return digest;
}

const char *mdl_key_row(mdl_request *q, const dl_dataset *ds, const char *text,
                        size_t len)
{
    bool is_string;

    if (ds->n_unique != 1) {
        return NULL;
    }
    if (ds->hash_column != NULL &&
        strcmp(ds->hash_column, ds->unique[0]) == 0) {
        return hash_of(q, ds, text, len);
    }
    for (int i = 0; i < ds->n_fields; i++) {
        if (ds->fields[i].column != NULL &&
            strcmp(ds->fields[i].column, ds->unique[0]) == 0) {
            return member_of(&is_string, q, ds, i, text, len);
        }
    }
    return NULL;
}
