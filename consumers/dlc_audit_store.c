/* dlc_audit_store.c - Rows, positions and heads of the audit log.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "dlc_audit_store.h"

#include <string.h>

#include <apr_strings.h>

#include "dl_statements.h"
#include "dl_time.h"
#include "dl_wh.h"
#include "dl_wh_words.h"
#include "dlc_link.h"

/* Characters of columns that a client's text may exceed. */
#define ENDPOINT_MAX 2048
#define RESOURCE_MAX 255
#define METHOD_MAX   16

/* Columns of a row; rows that one statement stores, and the rest one by one. */
#define COLUMNS 17
#define ROWS    16

struct dlc_audit_store {
    dlc_link *link;  /* to the warehouse */
    dl_wh *wh;       /* its connection, of the call that is running */
    const char *add; /* the statement that stores ROWS rows */
};

dl_status dlc_audit_store_create(dlc_audit_store **store, const dl_config *cfg,
                                 dl_error *err, apr_pool_t *pool)
{
    dlc_audit_store *made = apr_pcalloc(pool, sizeof *made);

    made->add = dl_wh_words_repeat(STMT_AUDIT_ADD, ROWS, pool);
    DL_TRY(dlc_link_create(&made->link, cfg, err, pool));
    *store = made;
    return DL_OK;
}

void dlc_audit_store_close(dlc_audit_store *store)
{
    dlc_link_close(store->link);
}

dl_status dlc_audit_store_places(apr_hash_t **places, dlc_audit_store *store,
                                 dl_error *err, apr_pool_t *result_pool)
{
    apr_hash_t *found = apr_hash_make(result_pool);
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dlc_link_open(&store->wh, store->link, err));
    DL_TRY(dl_wh_prepare(&st, store->wh, STMT_AUDIT_FILES, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    while (more) {
        dlc_audit_place *place = apr_pcalloc(result_pool, sizeof *place);
        size_t len;
        const char *hash = dl_wh_text(st, 4, &len);

        apr_cpystrn(place->chain, dl_wh_text(st, 0, NULL), sizeof place->chain);
        place->file = apr_pstrdup(result_pool, dl_wh_text(st, 1, NULL));
        place->position = dl_wh_int(st, 2);
        place->length = dl_wh_int(st, 3);
        if (len == sizeof place->hash) {
            memcpy(place->hash, hash, len);
        }
        place->known = true;
        apr_hash_set(found, place->file, APR_HASH_KEY_STRING, place);
        DL_TRY(dl_wh_fetch(&more, st, err));
    }
    *places = found;
    return DL_OK;
}

/* --- Rows ----------------------------------------------------------------- */

/* The bytes of the first MAX characters of TEXT, which is UTF-8. */
static size_t cut_length(const char *text, size_t max)
{
    size_t i = 0;

    for (; text[i] != '\0'; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80 && max-- == 0) {
            break;
        }
    }
    return i;
}

static void bind_cut(dl_wh_stmt *st, unsigned i, const char *text, size_t max)
{
    if (text == NULL) {
        dl_wh_bind_null(st, i);
        return;
    }
    dl_wh_bind_text(st, i, text, cut_length(text, max));
}

/* Bind ROW with ID to ST from parameter AT on. */
static void bind_row(dl_wh_stmt *st, unsigned at, const dlc_audit_row *row,
                     int64_t id)
{
    const dl_audit_entry *entry = &row->entry;
    const dl_audit_text *text = entry->text;

    dl_wh_bind_int(st, at, id);
    dl_wh_bind_time(st, at + 1, entry->timestamp);
    bind_cut(st, at + 2, text[DL_AUDIT_USER].text, 100);
    if (entry->user_id > 0) {
        dl_wh_bind_int(st, at + 3, entry->user_id);
    }
    bind_cut(st, at + 4,
             text[DL_AUDIT_ADDRESS].text == NULL ? ""
                                                 : text[DL_AUDIT_ADDRESS].text,
             45);
    bind_cut(st, at + 5, entry->method, METHOD_MAX);
    bind_cut(st, at + 6, entry->endpoint, ENDPOINT_MAX);
    dl_wh_bind_text(st, at + 7, text[DL_AUDIT_QUERY_PARAMS].text,
                    text[DL_AUDIT_QUERY_PARAMS].len);
    dl_wh_bind_text(st, at + 8, text[DL_AUDIT_BODY].text,
                    text[DL_AUDIT_BODY].len);
    bind_cut(st, at + 9, entry->resource, RESOURCE_MAX);
    bind_cut(st, at + 10, entry->action, METHOD_MAX);
    dl_wh_bind_int(st, at + 11, entry->status);
    dl_wh_bind_int(st, at + 12, entry->bytes);
    dl_wh_bind_int(st, at + 13, entry->duration_ms);
    bind_cut(st, at + 14, entry->request_id, 36);
    dl_wh_bind_str(st, at + 15, row->place->chain);
    dl_wh_bind_int(st, at + 16, row->sequence);
}

/* Store the rows from ALL on, with ids from ID on, by SQL, which takes N. */
static dl_status add_rows(dl_wh *wh, const dlc_audit_row *all, int64_t id,
                          const char *sql, unsigned n, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, sql, err));
    for (unsigned i = 0; i < n; i++) {
        bind_row(st, i * COLUMNS, &all[i], id + i);
    }
    return dl_wh_run(st, err);
}

/* Set *ID to the newest id there is. */
static dl_status last_id(int64_t *id, dl_wh *wh, dl_error *err)
{
    dl_wh_stmt *st;
    bool more;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_LAST, err));
    DL_TRY(dl_wh_run(st, err));
    DL_TRY(dl_wh_fetch(&more, st, err));
    *id = more ? dl_wh_int(st, 0) : 0;
    dl_wh_finish(st);
    return DL_OK;
}

/* Move a place that has no row yet. */
static dl_status add_place(dl_wh *wh, const dlc_audit_move *move, dl_error *err)
{
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_FILE_ADD, err));
    dl_wh_bind_str(st, 0, move->place->chain);
    dl_wh_bind_str(st, 1, move->place->file);
    dl_wh_bind_int(st, 2, move->position);
    dl_wh_bind_int(st, 3, move->length);
    dl_wh_bind_bytes(st, 4, move->hash, sizeof move->hash);
    return dl_wh_run(st, err);
}

static dl_status move_place(dl_wh *wh, const dlc_audit_move *move,
                            dl_error *err)
{
    dl_wh_stmt *st;

    if (!move->place->known) {
        return add_place(wh, move, err);
    }
    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_FILE_MOVE, err));
    dl_wh_bind_int(st, 0, move->position);
    dl_wh_bind_int(st, 1, move->length);
    dl_wh_bind_bytes(st, 2, move->hash, sizeof move->hash);
    dl_wh_bind_str(st, 3, move->place->chain);
    dl_wh_bind_str(st, 4, move->place->file);
    dl_wh_bind_int(st, 5, move->place->position);
    DL_TRY(dl_wh_run(st, err));
    return dl_wh_affected(st) == 1
               ? DL_OK
               : dl_fail(err, DL_CONFLICT, 0,
                         "another program loads the audit log too");
}

/* What is done inside the transaction of STORE. */
static dl_status store_all(dlc_audit_store *store,
                           const apr_array_header_t *rows,
                           const apr_array_header_t *moves, dl_error *err)
{
    const dlc_audit_row *all = (const dlc_audit_row *)rows->elts;
    dl_wh *wh = store->wh;
    int64_t id;

    /* The places first: who comes second waits here, and then gives way. */
    for (int i = 0; i < moves->nelts; i++) {
        DL_TRY(move_place(wh, &APR_ARRAY_IDX(moves, i, dlc_audit_move), err));
    }
    DL_TRY(last_id(&id, wh, err));
    for (int i = 0; i < rows->nelts;) {
        bool many = rows->nelts - i >= ROWS;
        unsigned n = many ? ROWS : 1;

        DL_TRY(add_rows(wh, &all[i], id + 1 + i,
                        many ? store->add : STMT_AUDIT_ADD, n, err));
        i += (int)n;
    }
    return DL_OK;
}

/* Commit when STATUS is DL_OK, else give the transaction up. */
static dl_status end(dl_wh *wh, dl_status status, dl_error *err)
{
    if (status != DL_OK) {
        dl_wh_rollback(wh);
        return status;
    }
    return dl_wh_commit(wh, err);
}

dl_status dlc_audit_store_rows(dlc_audit_store *store,
                               const apr_array_header_t *rows,
                               const apr_array_header_t *moves, dl_error *err)
{
    DL_TRY(dlc_link_open(&store->wh, store->link, err));
    DL_TRY(dl_wh_begin(store->wh, err));
    return end(store->wh, store_all(store, rows, moves, err), err);
}

/* --- Heads ---------------------------------------------------------------- */

/* The newest place of each chain of PLACES whose head is due, by chain. */
static apr_hash_t *due_heads(apr_hash_t *places, apr_pool_t *pool)
{
    apr_hash_t *due = apr_hash_make(pool);

    for (apr_hash_index_t *i = apr_hash_first(pool, places); i != NULL;
         i = apr_hash_next(i)) {
        dlc_audit_place *place = apr_hash_this_val(i);
        const dlc_audit_place *other =
            apr_hash_get(due, place->chain, APR_HASH_KEY_STRING);

        if (place->head_due &&
            (other == NULL || other->length < place->length)) {
            apr_hash_set(due, place->chain, APR_HASH_KEY_STRING, place);
        }
    }
    return due;
}

static dl_status add_heads(dl_wh *wh, apr_hash_t *due, dl_error *err,
                           apr_pool_t *pool)
{
    dl_time now = dl_time_now();
    dl_wh_stmt *st;

    DL_TRY(dl_wh_prepare(&st, wh, STMT_AUDIT_HEAD_ADD, err));
    for (apr_hash_index_t *i = apr_hash_first(pool, due); i != NULL;
         i = apr_hash_next(i)) {
        const dlc_audit_place *place = apr_hash_this_val(i);

        dl_wh_bind_str(st, 0, place->chain);
        dl_wh_bind_time(st, 1, now);
        dl_wh_bind_int(st, 2, place->length);
        dl_wh_bind_bytes(st, 3, place->hash, sizeof place->hash);
        DL_TRY(dl_wh_run(st, err));
    }
    return DL_OK;
}

dl_status dlc_audit_store_heads(dlc_audit_store *store, apr_hash_t *places,
                                dl_error *err, apr_pool_t *scratch_pool)
{
    apr_hash_t *due = due_heads(places, scratch_pool);

    if (apr_hash_count(due) == 0) {
        return DL_OK;
    }
    DL_TRY(dlc_link_open(&store->wh, store->link, err));
    DL_TRY(dl_wh_begin(store->wh, err));
    DL_TRY(end(store->wh, add_heads(store->wh, due, err, scratch_pool), err));
    for (apr_hash_index_t *i = apr_hash_first(scratch_pool, places); i != NULL;
         i = apr_hash_next(i)) {
        ((dlc_audit_place *)apr_hash_this_val(i))->head_due = false;
    }
    return DL_OK;
}
