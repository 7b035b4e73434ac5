/* mdl_change.c - The transaction, its event, its answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include "mdl_change.h"

#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_change.h"
#include "dl_json.h"
#include "dl_outbox.h"
#include "dl_wh_sink.h"
#include "mdl_http.h"
#include "mdl_kept.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* Room of an event beside its changes: partitions, names. */
#define EVENT_MORE ((size_t)65536)

/* Partitions of a topic that are looked at. */
#define PARTITIONS 1024

/* No answer is longer. */
#define ANSWER_MAX ((size_t)128)

/* A change under way. */
typedef struct changing {
    const mdl_change *change; /* what is asked */
    const dl_dataset *ds;     /* whose topic gets the event */
    const dl_dataset *also;   /* whose rows change, too; NULL: none */
    dl_change *main;          /* reads and applies it */
    dl_change *other;         /* likewise for ALSO; NULL: none */
    dl_buf *key;              /* the key, an object */
    dl_buf *event;            /* the event */
    dl_time at;               /* when */
    dl_wh_loaded read[2];     /* what is loaded of DS and ALSO, as read */
    dl_change_loaded loaded;  /* of DS, and */
    dl_change_loaded others;  /* of ALSO, as events have it */
    uint64_t rows;            /* for the answer */
    bool stale;               /* If-Match names another state */
} changing;

/* --- The event ------------------------------------------------------------ */

/* Set LOADED, whose bounds have room, to what READ says. */
static void take_loaded(dl_change_loaded *loaded, const dl_wh_loaded *read)
{
    loaded->generation = 0;
    loaded->n = 0;
    for (int i = 0; i < read->n; i++) {
        if (read->all[i].generation > loaded->generation) {
            loaded->generation = read->all[i].generation;
        }
    }
    for (int i = 0; i < read->n; i++) {
        if (read->all[i].generation == loaded->generation) {
            loaded->bounds[loaded->n++] =
                (dl_change_bound){read->all[i].partition, read->all[i].next};
        }
    }
}

/* Read what is loaded of the datasets of C now. */
static dl_status read_loaded(changing *c, dl_wh *wh, dl_error *err)
{
    DL_TRY(dl_wh_sink_loaded(c->read, PARTITIONS, wh, err));
    take_loaded(&c->loaded, &c->read[0]);
    take_loaded(&c->others, &c->read[1]);
    return DL_OK;
}

/* Write LOADED as the members of an open object. */
static void write_upto(dl_json_writer *w, const dl_change_loaded *loaded)
{
    char number[24];

    dl_json_write_key(w, "upto");
    dl_json_write_object_begin(w);
    for (int i = 0; i < loaded->n; i++) {
        apr_snprintf(number, sizeof number, "%" APR_INT64_T_FMT,
                     (apr_int64_t)loaded->bounds[i].partition);
        dl_json_write_int_member(w, number, loaded->bounds[i].next);
    }
    dl_json_write_object_end(w);
    if (loaded->generation > 0) {
        dl_json_write_int_member(w, "generation", loaded->generation);
    }
}

/* Make the event of C. */
static dl_status make_event(changing *c, dl_error *err)
{
    const mdl_request *q = c->change->q;
    const dl_buf *changes = c->change->changes;
    dl_json_writer w;

    c->event->len = 0;
    dl_json_writer_begin(&w, c->event);
    dl_json_write_object_begin(&w);
    dl_json_write_text_member(&w, "_event",
                              changes == NULL ? "delete" : "update");
    dl_json_write_key(&w, "key");
    dl_json_write_raw(&w, c->key->data, c->key->len);
    dl_json_write_key(&w, "changes");
    dl_json_write_raw(&w, changes == NULL ? "null" : changes->data,
                      changes == NULL ? 4 : changes->len);
    dl_json_write_text_member(&w, "by", q->identity.username);
    dl_json_write_time_member(&w, "at", c->at);
    dl_json_write_text_member(&w, "request_id", q->id);
    write_upto(&w, &c->loaded);
    if (c->other != NULL) {
        dl_json_write_key(&w, "also");
        dl_json_write_object_begin(&w);
        dl_json_write_key(&w, c->also->name);
        dl_json_write_object_begin(&w);
        write_upto(&w, &c->others);
        dl_json_write_object_end(&w);
        dl_json_write_object_end(&w);
    }
    dl_json_write_object_end(&w);
    return dl_json_writer_finish(&w, err);
}

/* Apply the event of C to the rows. */
static dl_status apply_event(changing *c, dl_wh *wh, dl_error *err)
{
    uint64_t rows = 0;

    DL_TRY(dl_change_read(c->main, c->event->data, c->event->len, err));
    DL_TRY(dl_change_apply(&c->rows, c->main, wh, err));
    if (c->other != NULL) {
        DL_TRY(dl_change_read(c->other, c->event->data, c->event->len, err));
        DL_TRY(dl_change_apply(&rows, c->other, wh, err));
        c->rows += rows;
    }
    return DL_OK;
}

/* --- The transaction ------------------------------------------------------ */

/* Lock the rows with the key of C, and those of the other dataset. */
static dl_status lock_key(uint64_t *rows, changing *c, dl_wh *wh, dl_error *err)
{
    uint64_t others;

    DL_TRY(dl_change_lock(rows, c->main, wh, err));
    if (*rows == 0 || c->other == NULL) {
        return DL_OK;
    }
    DL_TRY(dl_change_key(c->other, c->key->data, c->key->len, err));
    return dl_change_lock(&others, c->other, wh, err);
}

/* Lock the rows of C, by the first of its keys that has any.  A key that fits
 * no column is that of no row. */
static dl_status lock_rows(int *try, changing *c, dl_wh *wh, dl_error *err)
{
    uint64_t rows = 0;

    for (*try = 0; rows == 0; (*try)++) {
        dl_json_writer w;

        c->key->len = 0;
        dl_json_writer_begin(&w, c->key);
        dl_json_write_object_begin(&w);
        DL_TRY(c->change->kind->key(&w, c->change, wh, *try, err));
        dl_json_write_object_end(&w);
        DL_TRY(dl_json_writer_finish(&w, err));
        if (dl_change_key(c->main, c->key->data, c->key->len, err) != DL_OK) {
            return dl_fail(err, DL_NOT_FOUND, 0, "no such key");
        }
        DL_TRY(lock_key(&rows, c, wh, err));
    }
    (*try)--;
    return DL_OK;
}

/* The same, and read behind the lock what is loaded: what a record was that
 * the locked rows stand for, or have left behind, is among it. */
static dl_status lock_loaded(int *try, changing *c, dl_wh *wh, dl_error *err)
{
    DL_TRY(lock_rows(try, c, wh, err));
    DL_TRY(read_loaded(c, wh, err));
    DL_TRY(dl_change_count(c->main, wh, &c->loaded, err));
    return c->other == NULL ? DL_OK
                            : dl_change_count(c->other, wh, &c->others, err);
}

static dl_status judge_state(changing *c, dl_wh *wh, int try, dl_error *err)
{
    mdl_request *q = c->change->q;
    char etag[MDL_ETAG_TEXT];

    if (apr_table_get(q->r->headers_in, "If-Match") == NULL) {
        return DL_OK;
    }
    DL_TRY(c->change->kind->etag(etag, c->change, wh, try, err));
    c->stale = !mdl_answer_may_change(q, etag);
    return c->stale
               ? dl_fail(err, DL_CONFLICT, 0, "If-Match names another state")
               : DL_OK;
}

static dl_status write_change(struct dl_wh *wh, void *context, dl_error *err)
{
    changing *c = context;
    dl_outbox_event event = {.topic = c->ds->topic,
                             .key = c->change->record_key};
    int try;

    c->stale = false;
    c->rows = 0;
    c->at = dl_time_now();
    DL_TRY(lock_loaded(&try, c, wh, err));
    DL_TRY(judge_state(c, wh, try, err));
    DL_TRY(make_event(c, err));
    DL_TRY(apply_event(c, wh, err));
    event.value = c->event->data;
    event.len = c->event->len;
    event.created_at = c->at;
    return dl_outbox_add(wh, &event, err);
}

/* --- The answer ----------------------------------------------------------- */

static int answer_rows(const changing *c)
{
    mdl_request *q = c->change->q;
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_int_member(&w,
                             c->change->changes == NULL ? "deleted" : "updated",
                             (int64_t)c->rows);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    return mdl_answer_buffer(q, buf);
}

static int refuse(const changing *c, dl_status status, const dl_error *err)
{
    mdl_request *q = c->change->q;

    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND, "%s",
                           c->change->kind->missing);
    }
    if (status == DL_CONFLICT && c->stale) {
        return mdl_problem(q, MDL_PROBLEM_PRECONDITION_FAILED, "%s",
                           "If-Match does not name the present state; read it "
                           "again.");
    }
    if (status == DL_LIMIT || status == DL_CORRUPT) {
        return mdl_problem(q, MDL_PROBLEM_BODY_TOO_LARGE, "%s",
                           "The change is too large for a record of its "
                           "topic.");
    }
    return mdl_http_fail(q, MDL_WAREHOUSE, err);
}

/* Make room for what is loaded of DS, which may be NULL. */
static void make_room(dl_change_loaded *loaded, dl_wh_loaded *read,
                      const dl_dataset *ds, apr_pool_t *pool)
{
    int n = ds == NULL ? 0 : PARTITIONS;

    read->topic = ds == NULL ? NULL : ds->topic;
    read->all = apr_palloc(pool, (size_t)n * sizeof *read->all);
    loaded->bounds = apr_palloc(pool, (size_t)n * sizeof *loaded->bounds);
}

/* Set what C works with; false: a dataset is not declared, or has no table. */
static bool prepare(changing *c)
{
    const mdl_change_kind *kind = c->change->kind;
    const mdl_request *q = c->change->q;
    apr_pool_t *pool = q->r->pool;

    c->ds = dl_dataset_find(q->site->datasets, kind->dataset);
    if (c->ds == NULL || c->ds->table == NULL) {
        return false;
    }
    c->main = dl_change_create(c->ds, kind->dataset, pool);
    if (c->change->also) {
        c->also = dl_dataset_find(q->site->datasets, kind->also);
        if (c->also == NULL || c->also->table == NULL) {
            return false;
        }
        c->other = dl_change_create(c->also, kind->dataset, pool);
    }
    c->key = mdl_answer_buf(c->change->q, MDL_CHANGE_KEY);
    c->event = mdl_answer_buf(c->change->q, DL_JSON_MAX_BYTES);
    make_room(&c->loaded, &c->read[0], c->ds, pool);
    make_room(&c->others, &c->read[1], c->also, pool);
    return true;
}

int mdl_change_run(const mdl_change *change)
{
    changing c = {.change = change};
    dl_status status;
    dl_error err;

    if (!prepare(&c)) {
        return mdl_problem(change->q, MDL_PROBLEM_NOT_FOUND, "%s",
                           change->kind->missing);
    }
    status = mdl_wh_write(change->q->site->wh, write_change, &c, &err);
    mdl_kept_changed(); /* also when nobody knows whether it was committed */
    return status == DL_OK ? answer_rows(&c) : refuse(&c, status, &err);
}

/* --- What changes --------------------------------------------------------- */

dl_buf *mdl_change_begin(dl_json_writer *w, mdl_request *q)
{
    dl_buf *buf = mdl_answer_buf(q, DL_JSON_MAX_BYTES - EVENT_MORE);

    dl_json_writer_begin(w, buf);
    dl_json_write_object_begin(w);
    return buf;
}

/* The member of Q's body that is, or holds, the member PATH of a record. */
static const mdl_member *find_member(const mdl_request *q, const char *path)
{
    const mdl_member *m = q->route->body->members;

    while (m->name != NULL) {
        size_t len = strlen(m->name);

        if (strncmp(m->name, path, len) == 0 &&
            (path[len] == '\0' || path[len] == '.')) {
            return m;
        }
        m++;
    }
    return q->route->body->members;
}

int mdl_change_judge(dl_json_writer *w, mdl_request *q, const dl_buf *buf,
                     const char *dataset)
{
    const dl_dataset *ds = dl_dataset_find(q->site->datasets, dataset);
    const char *path = NULL;
    dl_error err;

    dl_json_write_object_end(w);
    if (dl_json_writer_finish(w, &err) != DL_OK) {
        return mdl_problem(q, MDL_PROBLEM_BODY_TOO_LARGE, "%s",
                           "The change is too large for a record of its "
                           "topic.");
    }
    if (ds == NULL ||
        dl_change_check(&path, dl_change_create(ds, dataset, q->r->pool),
                        buf->data, buf->len, &err) == DL_OK) {
        return OK;
    }
    return mdl_body_refuse(q, find_member(q, path == NULL ? "" : path),
                           "wrong-type", apr_pstrdup(q->r->pool, err.text));
}

void mdl_change_text(dl_json_writer *w, const mdl_request *q, int i,
                     const char *name)
{
    if (q->members[i].given) {
        dl_json_write_key(w, name);
        dl_json_write_string(w, q->members[i].text, q->members[i].len);
    }
}
