/* mdl_api_repush.c - POST /api/repush/transaction/, GET /api/repush/check/: a
 * transaction is sent once more, and whether it has arrived.
 *
 * The newest stored record of an id goes to its topic again with the time
 * changed to now; lake and warehouse get it from there, as they get all
 * others.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <httpd.h>

#include <stdbool.h>
#include <string.h>

#include "dl_json_write.h"
#include "dl_lake.h"
#include "dl_lake_locate.h"
#include "dl_lake_reader.h"
#include "dl_replay.h"
#include "dl_token.h"
#include "dl_wh_sink.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_http.h"
#include "mdl_kafka.h"
#include "mdl_key.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"

/* Whose records are sent again. */
#define DATASET "transaction_log"

/* No answer is larger: a record and the words around it. */
#define ANSWER_MAX ((size_t)2 * 1024 * 1024)

/* Set *DS and *SNAP to the dataset and its state. */
static dl_status open_dataset(const dl_dataset **ds, dl_lake_snapshot **snap,
                              mdl_request *q, dl_error *err)
{
    *snap = NULL;
    *ds = dl_dataset_find(q->site->datasets, DATASET);
    if (*ds == NULL || (*ds)->key_field < 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "dataset " DATASET " has no key");
    }
    return mdl_lake_snapshot(snap, q->site->lake, (*ds)->name, err, q->r->pool);
}

/* Answer Q with what W wrote to BUF. */
static int answer(mdl_request *q, dl_json_writer *w, const dl_buf *buf,
                  int http_status)
{
    mdl_answer whole = {.status = http_status, .life = MDL_LIFE_REQUEST};
    dl_error err;

    if (dl_json_writer_finish(w, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_OURSELVES, &err);
    }
    whole.data = buf->data;
    whole.len = buf->len;
    return mdl_answer_send(q, &whole);
}

/* --- Sending it ------------------------------------------------------------ */

enum {
    TRANSACTION_ID
};

static const mdl_member repush_members[] = {
    [TRANSACTION_ID] = {.name = "transaction_id",
                        .type = MDL_MEMBER_TEXT,
                        .required = true,
                        .min = 1,
                        .max = 255,
                        .summary = "Whose newest record is sent again"},
    {.name = NULL}};

const mdl_body mdl_api_repush_body = {.members = repush_members,
                                      .media = MDL_MEDIA_JSON,
                                      .limit = MDL_BODY_LARGE,
                                      .repeatable = true};

/* Set *NEWEST to the newest stored record of ID. */
static dl_status find_newest(dl_lake_location *newest, const dl_dataset **ds,
                             mdl_request *q, const char *id, dl_error *err)
{
    dl_lake_snapshot *snap = NULL;
    mdl_copies copies = {NULL, 0};

    DL_TRY(open_dataset(ds, &snap, q, err));
    DL_TRY(mdl_key_find(&copies, q, snap, *ds, id, err));
    if (copies.n == 0) {
        return dl_fail(err, DL_NOT_FOUND, 0, "no record has this id");
    }
    return dl_lake_locate_line(newest, snap, &copies.all[0].spot, err,
                               q->r->pool);
}

/* Send RECORD of DS as the replay REPLAY_ID. */
static dl_status send_record(mdl_request *q, const dl_dataset *ds,
                             const dl_replay_record *record,
                             const char *replay_id, dl_error *err)
{
    const mdl_kafka_header headers[] = {
        {DL_REPLAY_ORIGIN_HEADER, DL_REPLAY_ORIGIN},
        {DL_REPLAY_ID_HEADER, replay_id},
        {"dl-request-id", q->id},
        {NULL, NULL}};
    const mdl_kafka_record sent = {.topic = ds->topic,
                                   .key = record->key,
                                   .key_len = record->key_len,
                                   .value = record->value->data,
                                   .len = record->value->len,
                                   .headers = headers};
    mdl_kafka_place place;

    return mdl_kafka_send(&place, q->site->kafka, &sent, err);
}

/* Say that the broker cannot take what is sent. */
static int refuse_broker(mdl_request *q, dl_error *err)
{
    /* A topic that is missing, or that takes smaller records than we were
     * given: nothing that the caller could mend. */
    err->status = DL_UNAVAILABLE;
    return mdl_http_fail(q, MDL_BROKER, err);
}

static int answer_sent(mdl_request *q, const dl_replay_record *record,
                       const char *replay_id)
{
    dl_buf *buf = mdl_answer_buf(q, ANSWER_MAX);
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "message");
    dl_json_write_text(&w, "Transaction repushed");
    dl_json_write_key(&w, "replay_id");
    dl_json_write_text(&w, replay_id);
    dl_json_write_key(&w, "transaction");
    dl_json_write_raw(&w, record->value->data, record->value->len);
    dl_json_write_object_end(&w);
    return answer(q, &w, buf, HTTP_ACCEPTED);
}

int mdl_api_repush(mdl_request *q)
{
    dl_lake_location newest = {.text = NULL};
    const dl_dataset *ds = NULL;
    dl_replay_record record;
    char replay_id[DL_TOKEN_ID_MAX + 1];
    dl_error err;
    dl_status status;

    if (mdl_kafka_check(q->site->kafka, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_BROKER, &err);
    }
    status =
        find_newest(&newest, &ds, q, q->members[TRANSACTION_ID].text, &err);
    if (status == DL_NOT_FOUND || status == DL_INVALID) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "No stored transaction has this id.");
    }
    if (status == DL_OK) {
        status = dl_replay_line(&record, dl_replay_create(ds, q->r->pool),
                                newest.text, newest.len, dl_time_now(), &err);
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    dl_token_new_id(replay_id);
    if (send_record(q, ds, &record, replay_id, &err) != DL_OK) {
        return refuse_broker(q, &err);
    }
    return answer_sent(q, &record, replay_id);
}

/* --- Has it arrived? --------------------------------------------------------
 */

enum {
    ID,
    DATE,
    REPLAY_ID
};

const mdl_param mdl_api_repush_check_params[] = {
    [ID] = {.name = "id",
            .type = MDL_PARAM_TEXT,
            .required = true,
            .min = 1,
            .max = 255,
            .summary = "Transaction to look for"},
    [DATE] = {.name = "date",
              .type = MDL_PARAM_DATE,
              .summary = "Only on this day of the lake"},
    [REPLAY_ID] = {.name = "replay_id",
                   .type = MDL_PARAM_TEXT,
                   .min = 1,
                   .max = 64,
                   .summary = "Only of this replay"},
    {.name = NULL}};

/* One look. */
typedef struct check {
    mdl_request *q;         /* who asks */
    const dl_dataset *ds;   /* whose records */
    dl_lake_snapshot *snap; /* the state */
    dl_lake_location found; /* the record */
    bool current;           /* the row of the warehouse stems from it */
} check;

/* Set *IS to whether SPOT is what was asked for. */
static dl_status is_wanted(bool *is, check *c, const dl_lake_spot *spot,
                           dl_error *err)
{
    const mdl_value *values = c->q->values;
    dl_lake_line line;
    const char *value;
    size_t len;

    *is = !values[DATE].given || values[DATE].day == spot->day;
    if (!*is || !values[REPLAY_ID].given) {
        return DL_OK;
    }
    DL_TRY(dl_lake_line_note(&line, c->snap, spot->day, spot->line, err,
                             c->q->r->pool));
    *is = dl_line_note_find(&value, &len, line.note, DL_REPLAY_ID_HEADER) &&
          len == values[REPLAY_ID].len &&
          memcmp(value, values[REPLAY_ID].text, len) == 0;
    return DL_OK;
}

/* Find the newest record that is asked for. */
static dl_status find_checked(check *c, dl_error *err)
{
    mdl_copies copies = {NULL, 0};
    int i;

    DL_TRY(open_dataset(&c->ds, &c->snap, c->q, err));
    DL_TRY(mdl_key_find(&copies, c->q, c->snap, c->ds, c->q->values[ID].text,
                        err));
    for (i = 0; i < copies.n; i++) {
        bool is;

        DL_TRY(is_wanted(&is, c, &copies.all[i].spot, err));
        if (is) {
            return dl_lake_locate_line(&c->found, c->snap, &copies.all[i].spot,
                                       err, c->q->r->pool);
        }
    }
    return dl_fail(err, DL_NOT_FOUND, 0, "no such record");
}

static dl_status find_row(struct dl_wh *wh, void *context, dl_error *err)
{
    check *c = context;
    const dl_coord *coord = &c->found.coord;
    dl_wh_source source;
    dl_status status =
        dl_wh_sink_row(&source, wh, c->ds->table, c->q->values[ID].text, err);

    c->current = status == DL_OK && source.generation == coord->generation &&
                 source.partition == coord->partition &&
                 source.offset == coord->offset;
    return status == DL_NOT_FOUND ? DL_OK : status;
}

static void write_place(dl_json_writer *w, const dl_lake_location *at)
{
    char file[DL_DAY_TEXT + 5];

    dl_day_format(file, at->spot.day);
    memcpy(file + DL_DAY_TEXT - 1, ".json", 6);
    dl_json_write_object_begin(w);
    dl_json_write_key(w, "file");
    dl_json_write_text(w, file);
    dl_json_write_key(w, "line");
    dl_json_write_int(w, (int64_t)at->spot.line);
    dl_json_write_key(w, "partition");
    dl_json_write_int(w, at->coord.partition);
    dl_json_write_key(w, "offset");
    dl_json_write_int(w, at->coord.offset);
    dl_json_write_object_end(w);
}

/* Answer C; FOUND: it is there. */
static int answer_check(const check *c, bool found)
{
    dl_buf *buf = mdl_answer_buf(c->q, ANSWER_MAX);
    dl_json_writer w;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "found");
    dl_json_write_bool(&w, found);
    if (!found) {
        dl_json_write_key(&w, "message");
        dl_json_write_text(&w, "Transaction not found");
    }
    dl_json_write_key(&w, "transaction");
    if (found) {
        dl_json_write_raw(&w, c->found.text, c->found.len);
    }
    else {
        dl_json_write_null(&w);
    }
    dl_json_write_key(&w, "lake");
    if (found) {
        write_place(&w, &c->found);
    }
    else {
        dl_json_write_null(&w);
    }
    dl_json_write_key(&w, "warehouse");
    dl_json_write_bool(&w, c->current);
    dl_json_write_object_end(&w);
    return answer(c->q, &w, buf, HTTP_OK);
}

int mdl_api_repush_check(mdl_request *q)
{
    check c = {.q = q};
    dl_error err;
    dl_status status = find_checked(&c, &err);

    if (status == DL_NOT_FOUND || status == DL_INVALID) {
        return answer_check(&c, false);
    }
    if (status != DL_OK) {
        return mdl_http_fail(q, MDL_LAKE, &err);
    }
    if (c.ds->table != NULL &&
        mdl_wh_read(q->site->wh, find_row, &c, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_WAREHOUSE, &err);
    }
    return answer_check(&c, true);
}
