/* mdl_api_redrive.c - POST /api/deadletters/{id}/redrive/: a dead letter is
 * sent to its topic again, as it was or corrected.
 *
 * It is taken in the warehouse before it is sent and marked when the broker
 * has confirmed it (dl_letter_send.h).
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <httpd.h>

#include <apr_strings.h>

#include "dl_dataset.h"
#include "dl_json_values.h"
#include "dl_json_write.h"
#include "dl_lake_message.h"
#include "dl_letter.h"
#include "dl_letter_send.h"
#include "mdl_answer.h"
#include "mdl_api.h"
#include "mdl_body.h"
#include "mdl_http.h"
#include "mdl_kafka.h"
#include "mdl_lake.h"
#include "mdl_problem.h"
#include "mdl_site.h"
#include "mdl_wh.h"

/* No answer is larger. */
#define ANSWER_MAX ((size_t)4096)

enum {
    VALUE
};

static const mdl_member redrive_members[] = {
    [VALUE] = {.name = "value",
               .type = MDL_MEMBER_ANY,
               .summary = "Object to send instead of what was received"},
    {.name = NULL}};

const mdl_body mdl_api_redrive_body = {.members = redrive_members,
                                       .media = MDL_MEDIA_JSON,
                                       .limit = MDL_BODY_LARGE,
                                       .repeatable = true,
                                       .optional = true};

/* One attempt. */
typedef struct redrive {
    mdl_request *q;                 /* who asks */
    dl_letter_attempt attempt;      /* which, and under what id */
    const dl_dataset *ds;           /* of its topic; NULL: no longer declared */
    const char *topic;              /* where it goes */
    dl_coord coord;                 /* where it came from */
    dl_lake_quarantine_place place; /* where the whole of it is */
    dl_lake_message message;        /* what is sent */
} redrive;

/* --- What is sent --------------------------------------------------------- */

static dl_status copy_letter(void *context, const dl_letter *letter,
                             dl_error *err)
{
    redrive *d = context;

    if (strcmp(letter->state, "open") != 0) {
        return dl_fail(err, DL_CONFLICT, 0, "the dead letter is not open");
    }
    d->topic = apr_pstrdup(d->q->r->pool, letter->topic);
    d->coord = (dl_coord){letter->generation, letter->partition, letter->offset,
                          DL_TIME_NONE};
    d->place = (dl_lake_quarantine_place){letter->place.lake,
                                          letter->place.file, letter->place.at};
    return DL_OK;
}

static dl_status find_letter(struct dl_wh *wh, void *context, dl_error *err)
{
    redrive *d = context;

    return dl_letter_find(wh, d->attempt.id, copy_letter, d, err);
}

/* Set the message of D to all that was received. */
static dl_status find_message(redrive *d, dl_error *err)
{
    apr_pool_t *pool = d->q->r->pool;
    dl_lake_snapshot *snap;

    if (d->ds == NULL) {
        return dl_fail(err, DL_UNAVAILABLE, 0, "topic %s is no dataset",
                       d->topic);
    }
    DL_TRY(mdl_lake_snapshot(&snap, d->q->site->lake, d->ds->name, err, pool));
    return dl_lake_message_find(&d->message, snap, &d->place, &d->coord, err,
                                pool);
}

/* Put the corrected value of D's request in place of what was received, with
 * the key that its dataset declares. */
static void correct(redrive *d)
{
    const mdl_member_value *value = &d->q->members[VALUE];
    dl_json_values all;
    uint32_t at = 0;

    d->message.value = value->text;
    d->message.len = value->len;
    if (d->ds == NULL || d->ds->key_field < 0 ||
        dl_json_values_read(&all, value->text, value->len, d->q->r->pool) !=
            DL_JSON_FINE) {
        return;
    }
    at = dl_json_values_member(&all, 0, d->ds->fields[d->ds->key_field].path);
    if (at != 0 && all.values[at].text != NULL) {
        d->message.key = all.values[at].text;
        d->message.key_len = all.values[at].len;
    }
}

/* --- One ------------------------------------------------------------------ */

static dl_status take(struct dl_wh *wh, void *context, dl_error *err)
{
    const redrive *d = context;

    return dl_letter_take(wh, &d->attempt, dl_time_now(), err);
}

static dl_status tell_sent(struct dl_wh *wh, void *context, dl_error *err)
{
    const redrive *d = context;

    return dl_letter_sent(wh, &d->attempt, err);
}

static dl_status tell_back(struct dl_wh *wh, void *context, dl_error *err)
{
    const redrive *d = context;

    return dl_letter_back(wh, &d->attempt, err);
}

static dl_status send_message(redrive *d, dl_error *err)
{
    const mdl_kafka_header headers[] = {
        {DL_LETTER_ORIGIN_HEADER, DL_LETTER_ORIGIN},
        {DL_LETTER_REPLAY_HEADER, d->attempt.replay_id},
        {"dl-request-id", d->q->id},
        {NULL, NULL}};
    const mdl_kafka_record record = {.topic = d->topic,
                                     .key = d->message.key,
                                     .key_len = d->message.key_len,
                                     .value = d->message.value,
                                     .len = d->message.len,
                                     .headers = headers};
    mdl_kafka_place place;

    return mdl_kafka_send(&place, d->q->site->kafka, &record, err);
}

static int answer_sent(const redrive *d)
{
    dl_buf *buf = mdl_answer_buf(d->q, ANSWER_MAX);
    mdl_answer answer = {.status = HTTP_ACCEPTED};
    dl_json_writer w;
    dl_error err;

    dl_json_writer_begin(&w, buf);
    dl_json_write_object_begin(&w);
    dl_json_write_key(&w, "message");
    dl_json_write_text(&w, "Dead letter sent again");
    dl_json_write_key(&w, "id");
    dl_json_write_int(&w, d->attempt.id);
    dl_json_write_key(&w, "replay_id");
    dl_json_write_text(&w, d->attempt.replay_id);
    dl_json_write_object_end(&w);
    if (dl_json_writer_finish(&w, &err) != DL_OK) {
        return mdl_http_fail(d->q, MDL_OURSELVES, &err);
    }
    answer.data = buf->data;
    answer.len = buf->len;
    return mdl_answer_send(d->q, &answer);
}

/* Say why the dead letter was not taken: STATUS of the warehouse. */
static int refuse(mdl_request *q, dl_status status, const dl_error *err)
{
    if (status == DL_NOT_FOUND) {
        return mdl_problem(q, MDL_PROBLEM_NOT_FOUND,
                           "There is no such dead letter.");
    }
    if (status == DL_CONFLICT) {
        return mdl_problem(q, MDL_PROBLEM_CONFLICT,
                           "The dead letter is not open, or is being sent.");
    }
    return mdl_http_fail(q, MDL_WAREHOUSE, err);
}

/* Find what D sends; OK, or the status of the problem named. */
static int prepare(redrive *d)
{
    mdl_request *q = d->q;
    const mdl_member_value *value = &q->members[VALUE];
    dl_error err;
    dl_status status;

    if (value->given && value->text[0] != '{') {
        return mdl_body_refuse(q, &redrive_members[VALUE], "wrong-type",
                               "It has to be an object.");
    }
    status = mdl_wh_read(q->site->wh, find_letter, d, &err);
    if (status != DL_OK) {
        return refuse(q, status, &err);
    }
    if (mdl_kafka_check(q->site->kafka, &err) != DL_OK) {
        return mdl_http_fail(q, MDL_BROKER, &err);
    }
    d->ds = dl_dataset_find_topic(q->site->datasets, d->topic);
    status = find_message(d, &err);
    if (value->given) {
        correct(d); /* the key stays what it was, if it is still there */
        status = DL_OK;
    }
    if (status == DL_NOT_FOUND) {
        err.status = DL_UNAVAILABLE;
    }
    return status == DL_OK ? OK : mdl_http_fail(q, MDL_LAKE, &err);
}

/* Send what D has taken, and say so. */
static int send_taken(redrive *d)
{
    dl_error err;
    dl_error unused;
    dl_status status = send_message(d, &err);

    if (status == DL_OK) {
        status = mdl_wh_write(d->q->site->wh, tell_sent, d, &err);
        /* Nobody can be told later: the answer is 503, and the jobs daemon
         * finds the message in its topic. */
        return status == DL_OK ? answer_sent(d)
                               : mdl_http_fail(d->q, MDL_WAREHOUSE, &err);
    }
    if (status == DL_INVALID || status == DL_NOT_FOUND) {
        (void)!mdl_wh_write(d->q->site->wh, tell_back, d, &unused);
    }
    if (status == DL_INVALID) {
        return mdl_problem(d->q, MDL_PROBLEM_CONFLICT,
                           "The broker does not take a message of this size.");
    }
    err.status = DL_UNAVAILABLE;
    return mdl_http_fail(d->q, MDL_BROKER, &err);
}

int mdl_api_redrive(mdl_request *q)
{
    redrive d = {.q = q, .attempt.id = q->values[0].number};
    dl_error err;
    dl_status status;
    int refused = prepare(&d);

    if (refused != OK) {
        return refused;
    }
    dl_token_new_id(d.attempt.replay_id);
    status = mdl_wh_write(q->site->wh, take, &d, &err);
    return status == DL_OK ? send_taken(&d) : refuse(q, status, &err);
}
